"""Pages of a study, from its result files alone: rows by corpus, tables, and the goals that were set."""

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
    "FID, the paper's": "fid_raw", "FID, joints anew": "fid", "the same, %": "fid_percent",
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
    "FID, the paper's": "fid_raw", "FID, joints anew": "fid", "FID, second evaluator": "tmr_fid",
    "diversity": "diversity",
    "R-precision top 3": "r_precision_3", "MM-distance": "mm_distance", "acceleration m/s²": "acceleration",
    "bones %": "bone_deviation", "skating": "skating", "lifting MPJPE mm": "lift_truth_mpjpe",
    "its accel. error": "lift_truth_acceleration_error",
}  # fmt: skip

#: Table 2's measures as appendix C.3 takes them of a lifter, aligned on a clip's first frame, and of all others.
ABSOLUTE = {
    "mpjpe": "absolute", "pa_mpjpe": "pa_mpjpe", "pck_50": "absolute_pck_50", "pck_100": "absolute_pck_100",
    "acceleration_error": "absolute_acceleration_error",
}  # fmt: skip
#: Other lifters of table 2, as they are called in the lifter's row.
OTHER_LIFTERS = {
    "frame_by_frame": "the root's depth from each frame alone (appendix D)",
    "naive": "the same, smoothed",
    "alone": "poses from each frame alone, depth smoothed",
    "trajectory": "the root's path predicted",
}

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
    interval, in place of that over the evaluation's repeats.
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
    corpora: dict[str, dict] = {}
    for result in found:
        corpora.setdefault(corpus(result), {}).setdefault(result["method"], []).append(result["metrics"])
    return found, {name: {row: _over_seeds(runs) for row, runs in rows.items()} for name, rows in corpora.items()}


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
    if all(run == first for run in others):
        return first
    shared = [name for name in first if all(name in run for run in others)]
    return {
        name: seed_interval(mean(run[name]) for run in runs)
        for name in shared if not isinstance(first[name], str)
    }  # fmt: skip


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


def goals(rows: Rows) -> Table:
    """First light's goals, measured: ratios between rows, and whether each lies where it was asked to lie.

    Raises:
        KeyError: a row that a goal compares has not run.
    """
    best = best_from_2d(rows)
    mpjpe, acceleration = "lift_truth_mpjpe", "lift_truth_acceleration_error"
    return compare(rows, _both_readings([
        ("lifting MPJPE: teacher over videomdm", "teacher", "videomdm", mpjpe, 1.5, None),
        ("lifting MPJPE: mdm-teacher over videomdm", "mdm-teacher", "videomdm", mpjpe, 1.5, None),
        ("lifting acceleration error: teacher over videomdm", "teacher", "videomdm", acceleration, 1.4, None),
        ("FID: videomdm over mdm-teacher", "videomdm", "mdm-teacher", "fid", None, 0.9),
        *(goal for row in dict.fromkeys(("videomdm", best)) for goal in _moves_as_real(row)),
        _near_supervised(best),
    ]))  # fmt: skip


def table1_goals(rows: Rows) -> Table | None:
    """The goals set for table 1 and for closing the gap that the rows at hand can answer; None where they are none."""
    asked = [("FID: videomdm over mdm-teacher", "videomdm", "mdm-teacher", "fid", None, 0.99)]
    asked += [("the same, second evaluator", "videomdm", "mdm-teacher", "tmr_fid", None, 0.99)]
    if any(row.startswith("videomdm") for row in rows):
        asked += _goals_of_the_best(rows)
    asked = [goal for goal in asked if {goal[1], goal[2]} <= set(rows)]
    return compare(rows, _both_readings(asked)) if asked else None


def over_plain(rows: Rows) -> Table | None:
    """FID of each row from 2-D over that of plain MDM on the same motions: what 2-D adds; None without such rows."""
    plain = {
        row: next((other for other in rows if METHODS.get(other) == METHODS[row].warmup), None)
        for row in rows if row in METHODS and METHODS[row].frame
    }  # fmt: skip
    asked = [(f"FID: {row} over {base}", row, base, "fid", None, 0.99) for row, base in plain.items() if base]
    return compare(rows, _both_readings(asked)) if asked else None


def with_placed(rows: Rows) -> Rows:
    """Table 2's rows, each followed by what it lifts where frames are placed, as a row ``"<row>, placed"``."""
    sets = ("seen", "held_out")
    found: dict[str, Mapping[str, object]] = {}
    for row, metrics in rows.items():
        found[row] = metrics
        placed = {
            key.replace("_placed", "", 1): value for key, value in metrics.items()
            if key.startswith(tuple(f"{name}_placed_" for name in sets))
        }  # fmt: skip
        if placed:
            found[f"{row}, placed"] = placed | {f"{name}_clips": metrics[f"{name}_clips"] for name in sets}
    return found


def as_in_c3(rows: Rows, which: str) -> Rows:
    """Table 2's rows as appendix C.3 measures them: the lifter aligned on each clip's first frame, others as they are.

    Everything is in camera coordinates, those of the camera that a row was given; PA-MPJPE aligns every frame for
    itself.  Results of earlier versions have no PCK and no acceleration error without alignment: these are left out.

    Args:
        rows: row -> metrics, with placed ones (:func:`with_placed`) or without.
        which: of which clips, ``"seen"`` or ``"held_out"``.

    Returns:
        Row -> measures by their aligned names.
    """
    found = {}
    for row, metrics in rows.items():
        names = {name: f"{which}_{name if _is_lifter(row) else other}" for name, other in ABSOLUTE.items()}
        found[row] = {name: metrics[key] for name, key in names.items() if key in metrics}
    return found


def _is_lifter(row: str) -> bool:
    return row.split(",")[0] == "teacher"


def acceleration_limits(rows: Rows) -> Table:
    """How much smoother than a lifter anything can be that ends on the noisy keypoints' rays, and how much VideoMDM is.

    The truth itself, moved onto these rays, errs by what the detector's noise alone does: a lifter's error over that is
    the most that its acceleration error can be divided by.  On held-out clips, all aligned.
    """
    key, teacher = "acceleration_error", rows["teacher"]
    noise, own = (mean(rows[row][f"held_out_{key}"]) for row in ("rays", "videomdm"))
    errors = {"the teacher": teacher[f"held_out_{key}"]}
    errors |= {
        title: teacher[f"lifter_{name}_{key}"]
        for name, title in OTHER_LIFTERS.items()
        if f"lifter_{name}_{key}" in teacher
    }
    return metrics_table([
        {"lifter": title, "its acceleration error m/s²": error, "at most, times less": mean(error) / noise,
         "videomdm, times less": mean(error) / own}
        for title, error in errors.items()
    ])  # fmt: skip


def table2_goals(rows: Rows) -> Table:
    """The paper's claims about fine-tuning on videos, for the rows at hand, on clips trained on and on others.

    MPJPE by both protocols: that of appendix C.3 (:func:`as_in_c3`), and with every row aligned as the lifter is.
    """
    asked, sets = [], {"seen": "trained on", "held_out": "held out"}
    by_c3 = {where: as_in_c3(rows, where) for where in sets}
    rows = {row: {**m, **{f"{where}_c3": by_c3[where][row]["mpjpe"] for where in sets}} for row, m in rows.items()}
    for row in (row for row in rows if row.startswith("videomdm")):
        for where, name in sets.items():
            error, jitter = f"{where}_mpjpe", f"{where}_acceleration_error"
            asked += [
                (f"MPJPE, {name}, appendix C.3: lifter over {row}", "teacher", row, f"{where}_c3", 2.0, None),
                (f"MPJPE, {name}, all aligned: lifter over {row}", "teacher", row, error, 2.0, None),
                (f"acceleration error, {name}: lifter over {row}", "teacher", row, jitter, 3.0, None),
            ]
    return compare(rows, asked)


def _goals_of_the_best(rows: Rows) -> list[Goal]:
    best = best_from_2d(rows)
    asked = [_near_supervised(best)]
    of = {row: METHODS[row] for row in rows if row in METHODS}
    given = {row: rows[row] for row, method in of.items() if method.camera_source == "truth"}
    for what, known in (("", False), (", but people's body height", True)):
        unknown = {
            row: rows[row]
            for row, method in of.items()
            if method.camera_source in ("teacher", "pnp") and method.known_height == known
        }
        if given and unknown:
            without, with_ = best_from_2d(unknown), best_from_2d(given)
            goal = f"FID without true cameras{what} ({without}) over with ({with_})"
            asked += [(goal, without, with_, "fid", None, 1.5)]
    return asked + _moves_as_real(best)


def _near_supervised(best: str) -> Goal:
    return f"FID: the best from 2-D ({best}) over mdm-3d", best, "mdm-3d", "fid", None, 1.6


def _moves_as_real(row: str) -> list[Goal]:
    return [
        (f"generated {name}: {row} over real", row, "real", metric, 0.7, 1.3)
        for name, metric in (("acceleration", "acceleration"), ("path", "path_length"))
    ]


def best_from_2d(rows: Rows) -> str:
    """The row of lowest FID among VideoMDM's, rounds included."""
    from_2d = (row for row in rows if row in METHODS and METHODS[row].camera_source)
    return min(from_2d, key=lambda row: mean(rows[row]["fid"]))


Goal = tuple[str, str, str, str, float | None, float | None]


def _both_readings(asked: Sequence[Goal]) -> list[Goal]:
    """Goals on FID asked twice: of features as generated, as the paper reads it, and of joints encoded anew."""
    read = []
    for goal, above, below, metric, low, high in asked:
        if metric == "fid":
            read.append((goal.replace("FID", "FID, the paper's", 1), above, below, "fid_raw", low, high))
            goal = goal.replace("FID", "FID, joints anew", 1)
        read.append((goal, above, below, metric, low, high))
    return read


def compare(rows: Rows, asked: Sequence[Goal]) -> Table:
    """Ratios between rows and where they were asked to lie.

    Args:
        rows: row -> metric -> value or [mean, half width].
        asked: (what is asked, row above, row below, metric, at least, at most).

    Raises:
        KeyError: a row that a goal compares has not run.
    """
    lines = []
    for goal, above, below, metric, low, high in asked:
        value = mean(rows[above][metric]) / mean(rows[below][metric])
        lines.append({
            "goal": goal, "at least": "" if low is None else low, "at most": "" if high is None else high,
            "measured": value, "met": "yes" if (low or 0) <= value <= (high or float("inf")) else "no",
        })  # fmt: skip
    return metrics_table(lines)
