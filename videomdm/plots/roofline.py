"""The roofline of a machine, and how far below it computations stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from videomdm.plots.style import GHOST, INK, SERIES


def roofline(
    axes: Axes,
    roofs: Mapping[str, float],
    bandwidth: float,
    points: Mapping[str, Sequence[tuple[float, float]]],
) -> None:
    """Work per byte against rate, both logarithmic.

    No computation lies above a roof: a slope where memory is what limits, then what arithmetic can do.

    Args:
        axes: what to draw on.
        roofs: name -> FLOP/s of arithmetic.
        bandwidth: bytes per second of memory.
        points: series -> (FLOP per byte, FLOP/s) of each computation; one colour per series.

    Raises:
        ValueError: no roofs or no points.
    """
    spots = [point for series in points.values() for point in series]
    if not roofs or not spots:
        raise ValueError(f"{len(roofs)} roofs and {len(spots)} points, expected at least one of each")
    ridges = [rate / bandwidth for rate in roofs.values()]
    intensities = [*ridges, *(x for x, _ in spots)]
    x = np.geomspace(min(intensities) / 4, max(intensities) * 4, 200)
    for name, rate in roofs.items():
        axes.plot(x, np.minimum(x * bandwidth, rate), color=GHOST, linewidth=1.6)
        axes.annotate(name, (x[-1], rate), (-4, 4), textcoords="offset points", ha="right", fontsize=8.5, color=INK)
    for colour, (name, series) in zip(SERIES * len(points), points.items(), strict=False):
        axes.plot(*zip(*series, strict=True), "o", color=colour, markersize=7, label=name)
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte", ylabel="FLOP per second")
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
