"""Axes in the house style for figures that stand still, and the folder where a page's figures are kept."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from videomdm.plots.style import GRID, INK

WIDTH = 10.0  # inches across a page


def panels(*titles: str, height: float = 3.6, share_y: bool = False) -> tuple[Figure, list[Axes]]:
    """Empty axes side by side across the page, one for each title.

    Args:
        titles: one line above each panel ("" for none).
        height: of the figure in inches.
        share_y: one vertical axis for all panels.
    """
    figure, row = plt.subplots(1, len(titles), figsize=(WIDTH, height), sharey=share_y, squeeze=False, layout="tight")
    for axes, title in zip(row[0], titles, strict=True):
        axes.set_title(title, loc="left", fontsize=10.5, color=INK)
        axes.grid(color=GRID, linewidth=0.6, alpha=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GRID)
        axes.tick_params(colors=INK, labelsize=9, color=GRID)
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
    plt.close(figure)  # a notebook shows what a cell returns, and only that
    return figure, list(row[0])


def plain_logarithms(axis: Axis) -> None:
    """Mark a logarithmic axis at 1, 2, 5, 10 ... in plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def keep(figure: Figure, name: str) -> Figure:
    """Save a figure as ``figures/<name>.svg`` of the checkout that the page runs in, and return it.

    The checkout is the nearest folder, upwards from the working directory, with a ``pyproject.toml``; a page
    that runs outside one only shows its figure.  The same figure gives the same file.
    """
    here = Path.cwd()
    checkout = next((p for p in (here, *here.parents) if (p / "pyproject.toml").is_file()), None)
    if checkout is not None:
        folder = checkout / "figures"
        folder.mkdir(exist_ok=True)
        with mpl.rc_context({"svg.hashsalt": name}):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    return figure
