"""The page on teachers, from the results of :mod:`videomdm.study.judge_teachers` alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from videomdm.plots import Table, metrics_table
from videomdm.study import results

#: Figures of filmed clips: heading -> the metric's name after that of the corpus.
FILMED = {
    "poses, mm": "mpjpe", "after Procrustes, mm": "pa_mpjpe", "root by bones, mm": "root",
    "root by the network, mm": "network_root", "acceleration of poses, m/s²": "acceleration_pose",
    "heading, degrees": "heading",
}  # fmt: skip
CORPORA = {"cmu": "CMU, other actors", "bandai": "bandai", "procedural": "built-in, prior family"}
#: Figures of the trial: heading -> the metric's name after whose keypoints.
TRIAL = {
    "limbs, mm": "mpjpe", "after Procrustes, mm": "pa_mpjpe", "limbs as landmarks, mm": "landmarks_mpjpe",
    "as landmarks, after Procrustes, mm": "landmarks_pa_mpjpe", "lean, degrees": "lean",
}  # fmt: skip
KEYPOINTS = {"blazepose": "BlazePose", "openpose": "OpenPose", "projected_truth": "projected truth"}
VIDEOS = ("lateral_raise", "sit_walk", "walk_park")
#: Goals of the set for real people: what is asked, metric, at most.
GOALS = (
    ("bandai, poses, mm", "bandai_mpjpe", 46.0),
    ("the trial from BlazePose, mm", "balance_blazepose_mpjpe", 110.0),
    ("the same after Procrustes, mm", "balance_blazepose_pa_mpjpe", 78.0),
    ("the trial from the projected truth, mm", "balance_projected_truth_mpjpe", 85.0),
    ("the same after Procrustes, mm", "balance_projected_truth_pa_mpjpe", 62.0),
)
ANGLE = 6.0  # degrees by which the median angle of people who stand may be off


def find(folder: str | Path) -> dict[str, Mapping[str, float]]:
    """The metrics of each set of weights on test data, by its name.

    Args:
        folder: the results folder, as seen from the repository's root or from the notebooks.

    Raises:
        FileNotFoundError: no teacher was judged.
    """
    for place in (Path(folder), Path("..") / folder):
        found = [r for r in results.read(place, "teachers") if r["data"] == "test"]
        if found:
            return {r["method"].removeprefix("teacher-"): r["metrics"] for r in found}
    raise FileNotFoundError(f"no teachers in {folder}; run python -m videomdm.study.judge_teachers --data DATA")


def filmed(found: Mapping[str, Mapping[str, float]]) -> Table:
    """Errors on filmed clips: a row per corpus and set of weights."""
    return _rows(found, "corpus", CORPORA, FILMED)


def trial(found: Mapping[str, Mapping[str, float]]) -> Table:
    """Errors on the trial with 3-D truth: a row per kind of keypoints and set of weights."""
    return _rows(found, "keypoints", {f"balance_{name}": title for name, title in KEYPOINTS.items()}, TRIAL)


def standing(found: Mapping[str, Mapping[str, float]]) -> Table:
    """Median angles of people who stand, beside BlazePose's own 3-D."""
    rows = []
    for video in VIDEOS:
        for joint in ("knee", "hip"):
            key = f"standing_{video}_{joint}"
            own = {name: round(metrics[key]) for name, metrics in found.items()}
            rows.append({"video": video, "joint": joint, **own, "BlazePose": round(_any(found)[f"{key}_blazepose"])})
    return metrics_table(rows)


def goals(metrics: Mapping[str, float]) -> Table:
    """What was asked of a set of weights, and what came out."""
    asked = [(text, metrics[key], most) for text, key, most in GOALS]
    for video in VIDEOS:
        for joint in ("knee", "hip"):
            key = f"standing_{video}_{joint}"
            off = abs(metrics[key] - metrics[f"{key}_blazepose"])
            asked.append((f"{video}: {joint} of people who stand, off by degrees", off, ANGLE))
    return metrics_table([
        {"goal": text, "at most": most, "measured": round(value, 1), "reached": "yes" if value <= most else "no"}
        for text, value, most in asked
    ])  # fmt: skip


def _rows(
    found: Mapping[str, Mapping[str, float]], heading: str, groups: Mapping[str, str], columns: Mapping[str, str]
) -> Table:
    rows = []
    for group, title in groups.items():
        for name, metrics in found.items():
            errors = {column: round(metrics[f"{group}_{key}"], 1) for column, key in columns.items()}
            rows.append({heading: title, "weights": name, **errors})
    return metrics_table(rows)


def _any(found: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    return next(iter(found.values()))
