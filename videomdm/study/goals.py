"""Goals that were set for rows of a study: ratios between two rows, and whether they lie where they were asked to."""

from __future__ import annotations

from collections.abc import Sequence

from videomdm.methods import METHODS
from videomdm.plots import Table, metrics_table
from videomdm.study.report import Rows, mean

#: What is asked, the row above, the row below, the metric, at least, at most.
Goal = tuple[str, str, str, str, float | None, float | None]


def first_light(rows: Rows) -> Table:
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


def table1(rows: Rows) -> Table | None:
    """The goals set for table 1 that the rows at hand can answer; None where they are none."""
    asked = [("FID: videomdm over mdm-teacher", "videomdm", "mdm-teacher", "fid", None, 0.99)]
    asked += [("the same, second evaluator", "videomdm", "mdm-teacher", "tmr_fid", None, 0.99)]
    if any(row.startswith("videomdm") for row in rows):
        asked += _goals_of_the_best(rows)
    asked = [goal for goal in asked if {goal[1], goal[2]} <= set(rows)]
    return compare(rows, _both_readings(asked)) if asked else None


def _goals_of_the_best(rows: Rows) -> list[Goal]:
    best = best_from_2d(rows)
    asked = [_near_supervised(best)]
    source = {row: METHODS[row].camera_source for row in rows if row in METHODS}
    given = {row: rows[row] for row in source if source[row] == "truth"}
    unknown = {row: rows[row] for row in source if source[row] in ("teacher", "pnp")}
    if given and unknown:
        without, with_ = best_from_2d(unknown), best_from_2d(given)
        asked += [(f"FID without true cameras ({without}) over with ({with_})", without, with_, "fid", None, 1.5)]
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
