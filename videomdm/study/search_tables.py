"""The page on settings, from what :mod:`videomdm.study.search` wrote alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videomdm.evaluation.measures import seed_interval
from videomdm.plots import Table, metrics_table, panels
from videomdm.plots.panels import plain_logarithms
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT
from videomdm.study import results

#: Parameter of :func:`videomdm.study.search.space` -> what it is called in figures.
PARAMETERS = {
    "t_star_share": "t*, share of the steps", "n_buckets": "buckets", "lambda_2d_times": "λ_2D, times that in use",
    "lambda_vel_times": "λ_vel, times that in use", "lr_times": "learning rate, times that in use",
    "guidance": "guidance",
}  # fmt: skip
LOGARITHMIC = ("lambda_2d_times", "lambda_vel_times", "lr_times")
READINGS = {"fid_raw": "FID as generated", "fid": "FID, joints anew"}
MEASURES = {**READINGS, "recall": "recall", "r_precision_3": "R-precision 3"}
Found = Mapping[str, Mapping]


def find(folder: str | Path) -> dict[str, dict]:
    """What every search found, by a name for the reader; the folder as seen from the repository's root or a notebook.

    Raises:
        FileNotFoundError: no search has run.
    """
    for place in (Path(folder), Path("..") / folder):
        if files := sorted((place / "search").glob("*.json")):
            found = [results.load(file) for file in files]
            return {f"{one['method']} on {one['data']} ({one['profile']}, {one['sampler']})": one for one in found}
    raise FileNotFoundError(f"no searches in {folder}; run videomdm search")


def _in_use(one: Mapping) -> Mapping | None:
    """The complete trial of the settings in use; None without one."""
    return next((trial for trial in one["trials"] if trial["own"] and trial["value"] is not None), None)


def spread(found: Found) -> Table:
    """How many trials there were, and the objective of the settings in use and of the complete trials.

    What is not known yet is blank.
    """
    rows = []
    for name, one in found.items():
        used = _in_use(one)
        least, median, most = one["spread"] or 3 * [None]
        given_up = sum(t["state"] == "pruned" for t in one["trials"])
        rows.append({
            "search": name, "trials, given up": f"{len(one['trials'])}, {given_up}",
            "in use": _round(used and used["value"]), "best": _round(least), "median": _round(median),
            "worst": _round(most),
        })  # fmt: skip
    return metrics_table(rows, reference=0)


def quartiles(one: Mapping) -> tuple[float, float]:
    """The least and the upper quartile of the objective over all trials, complete or given up.

    A trial that was given up counts with what it had reached, more than it would have had at its end.
    """
    reached = [trial["rungs"][-1] for trial in one["trials"]]
    return min(reached), statistics.quantiles(reached, n=4, method="inclusive")[-1]


def importances(found: Found) -> Table:
    """Shares of the objective's variance that each parameter explains."""
    return metrics_table([
        {"parameter": title, **{name: _round(one["importance"].get(key, 0.0)) for name, one in found.items()}}
        for key, title in PARAMETERS.items()
    ], reference=0)  # fmt: skip


def settings(one: Mapping) -> Table:
    """The settings in use beside those of the best complete trial; blank where there is none."""
    complete = [trial for trial in one["trials"] if trial["value"] is not None]
    columns = {"in use": _in_use(one), "best": min(complete, key=lambda trial: trial["value"], default=None)}
    return metrics_table([
        {"parameter": title, **{name: _round(t and t["parameters"][key]) for name, t in columns.items()}}
        for key, title in PARAMETERS.items()
    ], reference=0)  # fmt: skip


def confirmed(one: Mapping) -> Table:
    """The two with training seeds that the search did not see: means and intervals over seeds."""
    titles = {"own": "in use", "best": "best"}
    return metrics_table([
        {"settings": f"{titles[who]}, {len(values['fid'])} seeds", **{
            title: [_round(x) for x in seed_interval(values[metric])] for metric, title in MEASURES.items()
        }}
        for who, values in one["confirmed"].items()
    ], reference=0)  # fmt: skip


def history(one: Mapping) -> Figure:
    """The objective trial by trial: complete ones, those given up after a third of the batches, and the best so far."""
    figure, (axes,) = panels("", height=3.2)
    trials, best = one["trials"], None
    steps = []
    for trial in trials:
        if trial["value"] is not None:
            best = trial["value"] if best is None else min(best, trial["value"])
        steps.append(best)
    _dots(axes, one, lambda trial: trial["number"])
    axes.step([t["number"] for t in trials], steps, where="post", color=INK, linewidth=1, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(READINGS[one["objective"]])
    axes.legend(frameon=False, fontsize=9)
    return figure


def sensitivity(one: Mapping, *parameters: str) -> Figure:
    """The objective against parameters, a panel for each; the vertical line is the value in use, where it is known."""
    figure, row = panels(*("" for _ in parameters), height=3.0, share_y=True)
    used = _in_use(one)
    for axes, name in zip(row, parameters, strict=True):
        _dots(axes, one, lambda trial, name=name: trial["parameters"][name])
        if used:
            axes.axvline(used["parameters"][name], color=INK, linewidth=0.8, linestyle="--", zorder=0)
        axes.set_xlabel(PARAMETERS[name])
        if name in LOGARITHMIC:
            axes.set_xscale("log")
            plain_logarithms(axes.xaxis)
    row[0].set_ylabel(READINGS[one["objective"]])
    return figure


def _dots(axes: Axes, one: Mapping, at: Callable[[Mapping], float]) -> None:
    """Complete trials as dots, others where they stood when they were given up; the settings in use stand out."""
    for done, colour, label in ((True, LEFT, "complete"), (False, GHOST, "given up after a third")):
        points = [
            (at(trial), trial["rungs"][-1])
            for trial in one["trials"]
            if (trial["value"] is not None) is done and trial["rungs"]
        ]
        if points:
            axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=4, label=label)
    if used := _in_use(one):
        axes.plot(at(used), used["value"], "o", color=RIGHT, markersize=7, label="in use")
    axes.set_yscale("log")
    plain_logarithms(axes.yaxis)


def _round(value: float | None) -> float | str:
    """A cell: few digits, or blank."""
    return "" if value is None else round(value, 3 if value < 1 else 2)
