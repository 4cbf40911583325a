"""Table 2's rows as its page shows them: by both protocols, placed, and how smooth anything can be."""

from __future__ import annotations

from collections.abc import Mapping

from videomdm.plots import Table, metrics_table
from videomdm.study.goals import compare
from videomdm.study.report import Rows, mean

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


def goals(rows: Rows) -> Table:
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
