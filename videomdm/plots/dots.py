"""One row per method, one panel per metric: dots with intervals, and spans of distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videomdm.plots.panels import plain_logarithms
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT

ROW_HEIGHT = 0.34  # inches


def dot_plot(
    results: Mapping[str, Mapping[str, object]],
    metrics: Mapping[str, str],
    reference: str | None = None,
    logarithmic: Sequence[str] = (),
) -> Figure:
    """Methods down the side, metrics side by side.

    Args:
        results: method -> metric -> value or [mean, half width of the 95 % interval]; a missing metric leaves a gap.
        metrics: metric -> title of its panel.
        reference: a row of ``results`` drawn as a grey vertical line instead of a dot (the real data), unless
            there is no other.
        logarithmic: metrics whose axis is logarithmic.

    Raises:
        ValueError: no methods or no metrics.
    """
    methods = [name for name in results if name != reference] or list(results)
    if not methods or not metrics:
        raise ValueError(f"{len(methods)} methods and {len(metrics)} metrics, expected at least one of each")
    size = (2.6 + 2.2 * len(metrics), 1.0 + ROW_HEIGHT * len(methods))
    figure, panels = plt.subplots(1, len(metrics), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axes, (metric, title) in zip(panels[0], metrics.items(), strict=True):
        for row, method in enumerate(methods):
            value = results[method].get(metric)
            if value is not None:
                mean, half = value if isinstance(value, list | tuple) else (value, 0.0)
                axes.errorbar(mean, row, xerr=half, fmt="o", color=RIGHT, ecolor=INK, markersize=6, capsize=2)
        if reference in results and metric in results[reference]:
            real = results[reference][metric]
            axes.axvline(real[0] if isinstance(real, list | tuple) else real, color=GHOST, linestyle="--", zorder=0)
        if metric in logarithmic:
            axes.set_xscale("log")
            plain_logarithms(axes.xaxis)
        _plain(axes, title)
    panels[0, 0].set_yticks(range(len(methods)), methods)
    panels[0, 0].set_ylim(len(methods) - 0.5, -0.5)  # the first row on top
    plt.close(figure)  # the notebook shows what the cell returns, once
    return figure


def span_plot(
    results: Mapping[str, Mapping[str, Sequence[float]]], measures: Mapping[str, str], columns: int = 4
) -> Figure:
    """Distributions side by side: for each row a line from the 5th to the 95th percentile, a bar over the middle half
    and a dot at the median.

    Args:
        results: row -> measure -> its 5th, 25th, 50th, 75th and 95th percentile; a missing measure leaves a gap.  The
            first row's median goes through the panel as a grey line.
        measures: measure -> title of its panel.
        columns: panels beside each other.

    Raises:
        ValueError: no rows or no measures.
    """
    if not results or not measures:
        raise ValueError(f"{len(results)} rows and {len(measures)} measures, expected at least one of each")
    lines = -(-len(measures) // columns)
    size = (2.6 + 2.1 * columns, lines * (0.9 + ROW_HEIGHT * len(results)))
    figure, grid = plt.subplots(lines, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    first = next(iter(results.values()))
    for axes in grid.flat[len(measures) :]:
        axes.set_visible(False)
    for axes, (measure, title) in zip(grid.flat, measures.items(), strict=False):
        for row, found in enumerate(results.values()):
            if measure in found:
                low, left, middle, right, high = found[measure]
                axes.plot((low, high), (row, row), color=GHOST, linewidth=1.5)
                axes.plot((left, right), (row, row), color=LEFT, linewidth=5, solid_capstyle="butt")
                axes.plot(middle, row, "o", color=RIGHT, markersize=6)
        if measure in first:
            axes.axvline(first[measure][2], color=GHOST, linestyle="--", zorder=0)
        _plain(axes, title)
    grid[0, 0].set_yticks(range(len(results)), results)
    grid[0, 0].set_ylim(len(results) - 0.5, -0.5)  # the first row on top
    plt.close(figure)  # the notebook shows what the cell returns, once
    return figure


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.grid(axis="x", color="0.92")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
