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
#: Correlation over people of how far the left of a pair is left of the right one, in the image, between two pairs:
#: below minus this one of them is exchanged, or twisted.  It counts from a mean width on, in body sizes.
TWISTED, WIDE = 0.6, 0.04
#: How far a joint is from two others of its limb, over how far these are apart: medians below which it lies between
#: them, as where two are exchanged, or a limb is folded.
NEARER, SHORTER = 0.75, 0.6
#: Root, middle and end of limbs, and how many trunks long a folded one's upper part may look; a whole one is longer.
LIMBS = (("hip", "knee", "ankle", 1.25), ("shoulder", "elbow", "wrist", 0.85))
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


def check_order(points: np.ndarray, seen: np.ndarray, layout: Skeleton, name: str) -> list[str]:
    """Refuse joints of people (P, J, 2), seen (P, J), that stand in another order than their layout says.

    Returns:
        Notes on what looks exchanged, but may be a pose.

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
    if _agreement(points, seen, layout, "hip", "shoulder") < -TWISTED:
        raise DataError(
            f"{name}: left and right hips are the other way round than shoulders: sides are exchanged in a part of the "
            "body"
        )
    notes, trunk = [], _apart(points, seen, layout, "shoulder", "hip")
    for lower, upper in (("knee", "hip"), ("elbow", "shoulder")):
        if _agreement(points, seen, layout, lower, upper) < -TWISTED:
            notes.append(f"left and right {lower}s are the other way round than {upper}s: exchanged, or they cross")
    for root, middle, end, longest in LIMBS:
        if _between(points, seen, layout, end, root, middle):
            found = f"{end}s lie between {root}s and {middle}s"
            if _apart(points, seen, layout, root, middle) > longest * trunk:
                raise DataError(f"{name}: {found}: {middle}s and {end}s are exchanged")
            notes.append(f"{found}: are {middle}s and {end}s exchanged?")
        if _between(points, seen, layout, root, end, middle):
            notes.append(f"{root}s lie between {middle}s and {end}s: are {root}s and {middle}s exchanged?")
    return notes


def _agreement(points: np.ndarray, seen: np.ndarray, layout: Skeleton, first: str, second: str) -> float:
    """Correlation, about zero, of two pairs' widths from left to right; 0 where they are too narrow to tell."""
    own = [layout.index(f"{side}_{pair}") for pair in (first, second) for side in ("left", "right")]
    there = (seen[:, own] > 0).all(1)
    x = points[there][:, own, 0] / np.maximum(sizes(points, seen)[there], 1e-9)[:, None]
    widths = np.stack([x[:, 0] - x[:, 1], x[:, 2] - x[:, 3]])
    spread = np.sqrt((widths**2).mean(1)) if there.sum() >= MIN_JOINTS else np.zeros(2)
    return float(widths.prod(0).mean() / spread.prod()) if spread.min() > WIDE else 0.0


def _between(points: np.ndarray, seen: np.ndarray, layout: Skeleton, inner: str, near: str, far: str) -> bool:
    """Whether a limb's joint lies between two others of it, on both sides and in most frames."""
    for side in ("left", "right"):
        own = [layout.index(f"{side}_{joint}") for joint in (inner, near, far)]
        there = (seen[:, own] > 0).all(1)
        inside, start, end = points[there][:, own].swapaxes(0, 1)
        whole = np.maximum(np.linalg.norm(end - start, axis=-1), 1e-9)
        shares = [np.linalg.norm(inside - joint, axis=-1) / whole for joint in (start, end)]
        if there.sum() < MIN_JOINTS or np.median(shares[0]) > NEARER or np.median(shares[1]) > SHORTER:
            return False
    return True


def _apart(points: np.ndarray, seen: np.ndarray, layout: Skeleton, first: str, second: str) -> float:
    """Median distance of two joints over people and sides, pixels; infinite where they are not seen together."""
    ends = [[layout.index(f"{side}_{joint}") for side in ("left", "right")] for joint in (first, second)]
    both = (seen[:, ends[0]] > 0) & (seen[:, ends[1]] > 0)
    lengths = np.linalg.norm(points[:, ends[0]] - points[:, ends[1]], axis=-1)
    return float(np.median(lengths[both])) if both.any() else np.inf


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
