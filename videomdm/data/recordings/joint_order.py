"""In which order joints stand: layouts of as many joints are told apart by the bodies that they make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings.people import sizes
from videomdm.data.recordings.tracking import MIN_JOINTS, SEEN
from videomdm.skeletons.definitions import BODY25, BODY25B, COCO17, H36M17, Skeleton

ENOUGH = 50  # people that tell how far apart joints are
#: Share of a layout's mean bone length below which another layout of as many joints is meant: built-in motions from
#: all sides give .73 and more to Human3.6M's bones between COCO's joints, .61 and less to the right layout's elsewhere.
ORDER = 0.62
#: Mean length of a layout's bones over the mean distance of its joints, from which joints are in no order: bodies,
#: seen by detectors and rendered from all sides, have up to .41, shuffled joints at least .63.
SCRAMBLED = 0.55
OFF_MIDDLE = 0.3  # body sizes that neck or pelvis may be off the middle of shoulders or hips

#: Layouts of as many joints as another, which readers that count joints mistake for it.
SAME_COUNT = {17: (COCO17, H36M17), 25: (BODY25, BODY25B)}


def layout_of(people: np.ndarray, candidates: Sequence[Skeleton]) -> Skeleton:
    """Which of several layouts with as many joints makes bodies of people (P, J, 3); the first where no other does."""
    first, *others = candidates
    if not others:
        return first
    lengths = {layout.name: _bone_length(people, layout) for layout in candidates}
    better = [layout for layout in others if lengths[layout.name] < ORDER * lengths[first.name]]
    return min(better, key=lambda layout: lengths[layout.name]) if better else first


def check_order(points: np.ndarray, seen: np.ndarray, layout: Skeleton, name: str) -> None:
    """Refuse joints of people (P, J, 2), seen (P, J), that stand in another order than their layout says.

    Raises:
        DataError: names the recording and how they stand.
    """
    people = np.concatenate([points, seen[..., None]], -1)
    candidates = [layout, *(other for other in SAME_COUNT.get(len(layout), ()) if other != layout)]
    meant = layout_of(people, candidates)
    if meant != layout:
        raise DataError(f"{name}: joints are in the order of {meant.name}, not of {layout.name} as they are said to be")
    spread = _bone_length(people, layout) / max(_spread(people), 1e-9)
    if spread > SCRAMBLED:
        raise DataError(
            f"{name}: joints that {layout.name} connects are as far apart as any (bones of {spread:.2f} of the joints' "
            f"mean distance, expected at most {SCRAMBLED}): joints are in another order"
        )
    off = _off_middle(points, seen, layout)
    if off > OFF_MIDDLE:
        raise DataError(
            f"{name}: neck or pelvis of {layout.name} is {off:.2f} body sizes from the middle of shoulders or hips: "
            "joints are in another order"
        )


def _off_middle(points: np.ndarray, seen: np.ndarray, layout: Skeleton) -> float:
    """Median distance in body sizes of neck (thorax) and pelvis from the middle of shoulders and hips; 0 without."""
    size, worst = sizes(points, seen), 0.0
    neck = "thorax" if "thorax" in layout.joints else "neck"
    for joint, pair in ((neck, "shoulder"), ("pelvis", "hip")):
        if joint not in layout.joints:
            continue
        own = [layout.index(j) for j in (joint, f"left_{pair}", f"right_{pair}")]
        all_seen = (seen[:, own] > 0).all(1)
        if all_seen.sum() < MIN_JOINTS:
            continue
        at = points[all_seen][:, own]
        distance = np.linalg.norm(at[:, 0] - at[:, 1:].mean(1), axis=-1) / size[all_seen]
        worst = max(worst, float(np.median(distance)))
    return worst


def _bone_length(people: np.ndarray, layout: Skeleton) -> float:
    """Mean over a layout's bones of their median length among people (P, J, 3), in body sizes."""
    points, seen = people[..., :2], people[..., 2] >= SEEN
    size = np.maximum(sizes(points, seen), 1e-9)[:, None]
    parents, joints = (list(ends) for ends in zip(*layout.bones, strict=True))
    length = np.linalg.norm(points[:, parents] - points[:, joints], axis=-1) / size
    both = seen[:, parents] & seen[:, joints]
    medians = [np.median(own[b]) for own, b in zip(length.T, both.T, strict=True) if b.any()]
    return float(np.mean(medians)) if medians else np.inf


def _spread(people: np.ndarray) -> float:
    """Mean over pairs of joints of their median distance among people (P, J, 3), in body sizes."""
    some = people[np.linspace(0, len(people) - 1, min(len(people), ENOUGH)).round().astype(int)]
    points, seen = some[..., :2], some[..., 2] >= SEEN
    both = seen[:, :, None] & seen[:, None] & ~np.eye(points.shape[1], dtype=bool)
    size = np.maximum(sizes(points, seen), 1e-9)[:, None, None]
    apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1) / size
    median = np.ma.median(np.ma.masked_array(apart, ~both), axis=0)
    return float(median.mean()) if median.count() else 0.0
