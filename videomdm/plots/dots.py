"""Dot plots: one row per method, one panel per metric, intervals as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from videomdm.plots.panels import plain_logarithms
from videomdm.plots.style import GHOST, INK, RIGHT

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
        axes.set_title(title, fontsize=10)
        axes.grid(axis="x", color="0.92")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    panels[0, 0].set_yticks(range(len(methods)), methods)
    panels[0, 0].set_ylim(len(methods) - 0.5, -0.5)  # the first row on top
    plt.close(figure)  # the notebook shows what the cell returns, once
    return figure
