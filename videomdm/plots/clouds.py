"""Two sets of samples in the plane, the balls that judge them, and measurements with their scatter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection

from videomdm.plots.style import GHOST, INK, LEFT, RIGHT

#: One colour per metric, on every figure.
METRICS = {"precision": GHOST, "recall": RIGHT, "recall†": LEFT}


def clouds(axes: Axes, real: np.ndarray, generated: np.ndarray) -> None:
    """Draw real samples (N, 2) in dark and generated ones (M, 2) in orange, on axes of equal scale.

    Explained in :doc:`/notebooks/explain_recall`.
    """
    axes.scatter(*np.asarray(real).T, s=5, color=INK, alpha=0.55, linewidths=0, label="real")
    axes.scatter(*np.asarray(generated).T, s=7, color=RIGHT, alpha=0.75, linewidths=0, label="generated")
    axes.set(xlabel="first feature", ylabel="second feature", aspect="equal")


def balls(axes: Axes, centres: np.ndarray, radii: np.ndarray, colour: str, alpha: float = 0.08) -> None:
    """Draw discs of ``radii`` (N,) around ``centres`` (N, 2), in the units of the axes.

    Explained in :doc:`/notebooks/explain_recall`.
    """
    size = 2 * np.asarray(radii)
    style = {"facecolors": colour, "edgecolors": "none", "alpha": alpha, "zorder": 0}
    discs = EllipseCollection(
        size, size, np.zeros_like(size), units="xy", offsets=np.asarray(centres), transOffset=axes.transData, **style
    )
    axes.add_collection(discs)


def band(axes: Axes, at: Sequence[float], samples: np.ndarray, colour: str, label: str) -> None:
    """Draw the mean of ``samples`` (repeats, len(at)) and, shaded, where 95 % of single measurements fall.

    The shaded half width is 1.96 standard deviations over the repeats; the mean itself is known better by the
    square root of their number.

    Explained in :doc:`/notebooks/explain_recall`.
    """
    mean, scatter = np.mean(samples, 0), 1.96 * np.std(samples, 0, ddof=1)
    axes.plot(at, mean, "o-", color=colour, markersize=4, linewidth=1.4, label=label)
    axes.fill_between(at, mean - scatter, np.minimum(mean + scatter, 1), color=colour, alpha=0.18, linewidth=0)
