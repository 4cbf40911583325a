"""Pages of a study, from its result files alone: rows by corpus, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from videomdm.config import STAGES
from videomdm.evaluation.body_height import LEVELS, SIZES
from videomdm.evaluation.measures import seed_interval
from videomdm.methods import METHODS
from videomdm.plots import Table, dot_plot, metrics_table, panels
from videomdm.plots.panels import plain_logarithms
from videomdm.plots.style import GHOST, LEFT, RIGHT, SERIES
from videomdm.study import results

Rows = Mapping[str, Mapping[str, object]]
ORDER = ("real", "rays", "training-data", "teacher", "elepose", "package", "prior", *METHODS)

# Columns of the book's tables: title -> metric.  MDM's evaluation, which the paper follows, embeds features as they are
# generated; ours, like that of lifters' motions, which have none, embeds those that their joints give.
DISTRIBUTION = {
    "seeds": "seeds", "FID, the paper's": "fid_raw", "FID, joints anew": "fid", "the same, %": "fid_percent",
    "KID": "kid", "its std": "kid_std",
    "precision": "precision", "recall": "recall", "recall†": "recall_dagger", "diversity": "diversity",
    "multimodality": "multimodality",
}  # fmt: skip
TEXT = {
    "R-precision top 1": "r_precision_1", "top 2": "r_precision_2", "top 3": "r_precision_3",
    "top 3, new phrasings": "r_precision_3_unseen", "MM-distance": "mm_distance",
}  # fmt: skip
SECOND_EVALUATOR = {
    "FID": "tmr_fid", "R-precision top 1": "tmr_r_precision_1", "top 2": "tmr_r_precision_2",
    "top 3": "tmr_r_precision_3",
    "MM-distance": "tmr_mm_distance",
}  # fmt: skip
MOTION = {
    "acceleration m/s²": "acceleration", "path m": "path_length", "skating": "skating", "bones %": "bone_deviation",
    "root height m": "root_height", "its distance mm": "root_height_distance", "jitter": "jitter",
}  # fmt: skip
ABLATION = {
    "seeds": "seeds", "FID, the paper's": "fid_raw", "FID, joints anew": "fid", "FID, second evaluator": "tmr_fid",
    "diversity": "diversity",
    "R-precision top 3": "r_precision_3", "MM-distance": "mm_distance", "acceleration m/s²": "acceleration",
    "bones %": "bone_deviation", "skating": "skating", "lifting MPJPE mm": "lift_truth_mpjpe",
    "its accel. error": "lift_truth_acceleration_error",
}  # fmt: skip

#: What the sweeps change -> the title of its evaluators.
SWEEPS = {
    "teacher_error": "teacher's error, times", "camera_noise": "cameras turned by, degrees",
    "keypoint_noise": "keypoints' error, image units",
}  # fmt: skip


def lifting_columns(probes: Sequence[str], errors: Mapping[str, str]) -> dict[str, str]:
    """Columns of the lifting probe: ``errors`` maps a title to a metric of :mod:`videomdm.evaluation.lifting`."""
    return {f"{title} ({probe})": f"lift_{probe}_{key}" for title, key in errors.items() for probe in probes}


def find(folder: str | Path, *studies: str) -> tuple[list[dict], dict[str, Rows]]:
    """The results of some studies, and their metrics as corpus -> row -> metric -> value or [mean, half width].

    Where a row was trained with several seeds, the mean is over them and the half width is Student's 95 %
    interval, in place of that over the evaluation's repeats; the metric ``seeds`` says how many they are.
    A corpus that another teacher than the naive one lifted is a corpus of its own, and so are one of people of a
    uniform skeleton and a former version of the built-in one.
    Where several studies have one, it is the first one's: rows are compared under the same evaluators.

    Args:
        folder: the results folder, as seen from the repository's root or from the notebooks.
        studies: its sub-folders.

    Raises:
        FileNotFoundError: no such study.
        ValueError: rows of a corpus that different evaluators measured.
    """
    found: list[dict] = []
    for study in studies:
        known = {corpus(result) for result in found}
        found += [r for r in results.read(_place(Path(folder), study), study) if corpus(r) not in known]
    found.sort(key=lambda r: (r["data"], r["profile"], ORDER.index(r["method"])))
    _check_evaluators(found)
    return found, by_corpus(found)


def by_corpus(found: Sequence[Mapping]) -> dict[str, Rows]:
    """The metrics of some results as corpus -> row -> metric -> value or [mean, half width], as of :func:`find`."""
    corpora: dict[str, dict] = {}
    for result in found:
        corpora.setdefault(corpus(result), {}).setdefault(result["method"], []).append(result["metrics"])
    return {
        name: {row: {**_over_seeds(runs), **_seeds(row, runs)} for row, runs in rows.items()}
        for name, rows in corpora.items()
    }


def _check_evaluators(found: Sequence[Mapping]) -> None:
    """Rows of one corpus are compared, so the same evaluators must have measured them; the oldest name none."""
    firsts: dict[str, Mapping] = {}
    for result in found:
        if evaluators := result["metrics"].get("evaluators"):
            first = firsts.setdefault(corpus(result), result)
            if first["metrics"]["evaluators"] != evaluators:
                raise ValueError(
                    f"{corpus(result)}: {first['method']} was judged by {first['metrics']['evaluators']}, "
                    f"{result['method']} by {evaluators}; expected the same evaluators, evaluate one of them again"
                )


def corpus(result: Mapping) -> str:
    """What a result's corpus is called in the pages."""
    label = result["profile"]
    if (protocol := result["metrics"].get("protocol", label)) != label:  # older results do not name theirs
        label += f", {protocol} protocol"
    if "teacher" in result:
        label += f", {result['teacher']} teacher"
    if "skeleton" in result:
        label += f", {result['skeleton']} skeleton"
    if version := former(result):
        label += f", version {version}"
    name = " of ".join([result["data"], *([result["base"]] if "base" in result else [])])
    return f"{name} ({label})"


def former(result: Mapping) -> int:
    """The version of the built-in corpus that a result was measured on, where it is not today's; else 0.

    Results are older than versions, and then name none: theirs is the first.
    """
    version = result.get("corpus", 1) if "procedural" in result["data"].split("+") else STAGES["corpus"]
    return version if version != STAGES["corpus"] else 0


def corpus_note(found: Sequence[Mapping]) -> str:
    """A line for a page with results that were measured on a former version of the built-in corpus; else none."""
    if not (versions := sorted({version for result in found if (version := former(result))})):
        return ""
    rows = sum(bool(former(result)) for result in found)
    return (
        f"{rows} of {len(found)} results were measured on version {', '.join(map(str, versions))} of the built-in "
        f"corpus; it is in version {STAGES['corpus']} today, in which people stand and walk as captured people do."
    )


def _place(folder: Path, study: str) -> Path:
    """The results folder, from here or from one folder up, that has the study."""
    places = [folder, Path("..") / folder]
    for place in places:
        if (place / study).is_dir():
            return place
    raise FileNotFoundError(f"no {study} in {' or '.join(map(str, places))}; run python -m videomdm.study {study}")


def mean(value: object) -> float:
    """The mean of a metric that is a value or [mean, half width]."""
    return value[0] if isinstance(value, list | tuple) else value


def _over_seeds(runs: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    """One row's metrics over its seeds; those that not all seeds have are left out, and so are words.

    A row that trains nothing is the same for all seeds, and keeps its interval over repeats.
    """
    first, *others = runs
    shared = [name for name in first if all(name in run for run in others)]
    if all(run[name] == first[name] for run in others for name in shared):
        return {name: first[name] for name in shared}
    return {
        name: seed_interval(mean(run[name]) for run in runs)
        for name in shared if not isinstance(first[name], str)
    }  # fmt: skip


def _seeds(row: str, runs: Sequence) -> dict[str, str]:
    """How many training seeds a row has, if it trains anything."""
    return {"seeds": str(len(runs))} if row in METHODS else {}


def table(rows: Rows, columns: Mapping[str, str]) -> Table:
    """Rows of a corpus as a table; ``columns`` maps a title to a metric, and a row may lack metrics."""
    return metrics_table(
        [{"": row, **{title: m.get(key, "") for title, key in columns.items()}} for row, m in rows.items()]
    )


def by_seed(found: Sequence[Mapping], name: str, metric: str) -> Table:
    """A metric of every training seed, for the rows of a corpus (:func:`corpus`) that were trained with several."""
    rows: dict[str, dict[int, float]] = {}
    for result in found:
        if corpus(result) == name and metric in result["metrics"]:
            rows.setdefault(result["method"], {})[result["seed"]] = mean(result["metrics"][metric])
    several = {row: values for row, values in rows.items() if len(values) > 1}
    return metrics_table([
        {"": row, **{f"seed {seed}": round(value, 2) for seed, value in sorted(values.items())}}
        for row, values in several.items()
    ], reference=0)  # fmt: skip


def changes_plot(rows: Rows) -> Figure:
    """What one change at a time does to a method's motions and to what it lifts (ablations, sweeps)."""
    panels = {
        "fid": "FID, joints encoded anew", "fid_raw": "FID, raw features", "acceleration": "acceleration m/s²",
        "lift_truth_mpjpe": "lifting MPJPE mm",
    }  # fmt: skip
    return dot_plot(rows, panels, reference="real", logarithmic=("fid", "fid_raw"))


def sweeps_plot(rows: Rows, metric: str, title: str) -> Figure:
    """A metric against each source of error that was swept, a line for each method; intervals as bars."""
    figure, axes = panels(*SWEEPS.values(), share_y=True)
    for axis, swept in zip(axes, SWEEPS, strict=True):
        for base, colour in (("videomdm", RIGHT), ("mdm-teacher", LEFT)):
            own = {row: getattr(METHODS[row], swept) for row in rows if row.split("/")[0] == base}
            normal = getattr(METHODS[base], swept)
            points = sorted((value, row) for row, value in own.items() if row == base or value != normal)
            if len(points) > 1:
                values = [rows[row][metric] for _, row in points]
                half = [value[1] if isinstance(value, list | tuple) else 0.0 for value in values]
                x, y = [value for value, _ in points], [mean(value) for value in values]
                axis.errorbar(x, y, yerr=half, fmt="o-", color=colour, capsize=2, label=base)
        axis.set_yscale("log")
        plain_logarithms(axis.yaxis)
    axes[0].set_ylabel(title)
    if axes[0].get_legend_handles_labels()[0]:
        axes[0].legend(frameon=False, fontsize=9)
    return figure


def sizes_plot(rows: Rows, chosen: Sequence[str]) -> Figure:
    """How much of people's size a prior's predictions keep at each noise level, for those rows that measured it."""
    figure, (axes,) = panels("predicted body height over that of the diffused motion, %")
    for row, colour in zip((row for row in chosen if row in rows), SERIES, strict=False):
        sizes = [rows[row].get(f"predicted_size_{level}") for level in LEVELS]
        if None not in sizes:
            axes.plot(LEVELS, [mean(size) for size in sizes], "o-", color=colour, label=row)
    axes.axhline(100, color=GHOST, linestyle="--", zorder=0)
    axes.set_xlabel("noise level, % of the steps")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def size_costs_plot(rows: Rows) -> Figure:
    """FID of each row against how large the people are that it predicts at half noise, over true motions of that size.

    A row that predicts nothing, the teacher, stands at the body height of its motions.
    """
    figure, axes = panels("FID", "FID, second evaluator", height=4.2)
    shown = {row: metrics for row, metrics in rows.items() if "learned_body_height" in metrics}
    for axis, metric in zip(axes, ("fid", "tmr_fid"), strict=True):
        cost = [rows["real"][f"{metric}_of_size_{size}"] for size in SIZES]
        axis.plot(SIZES, [mean(value) for value in cost], "-", color=GHOST, label="true motions, resized", zorder=0)
        for i, (row, metrics) in enumerate(shown.items()):
            marker, colour = "os^Dv"[i // len(SERIES)], SERIES[i % len(SERIES)]
            body_height = mean(metrics["learned_body_height"]) * mean(metrics.get("predicted_size_50", 100.0)) / 100
            axis.plot(body_height, mean(metrics[metric]), marker, color=colour, markersize=6, label=row)
        axis.set_yscale("log")
        plain_logarithms(axis.yaxis)
        axis.set_xlabel("people's body height, % of the truth")
    axes[1].legend(frameon=False, fontsize=8.5, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def sources(found: Sequence[Mapping]) -> Table:
    """Which command, commit and kind of machine made each result, who judged, and how long training took.

    Training that was not timed and evaluators that older results do not name are left blank.
    """
    return metrics_table([
        {
            "data": r["data"], "row": r["method"], "seed": str(r["seed"]),
            "training minutes": "" if r["seconds"] is None else r["seconds"] / 60,
            "machine": r["machine"], "commit": r["commit"], "evaluators": r["metrics"].get("evaluators", ""),
            "command": f"`{r['command']}`",
        }
        for r in found
    ])  # fmt: skip
