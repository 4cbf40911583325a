"""What stands in a file for what was not seen, or was seen once: zeros, edges, points that stay, people twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections

HELD = 15  # times that a joint is at exactly the same point, from which that is looked into
TORN = 2.0  # times the length of a body's long bones, their 90th percentile, that no bone reaches
CLIPPED = 3  # joints of one person on one edge of the image, that no body has there by chance


def without_fillers(detections: Detections) -> Detections:
    """Detections in which confidence is 0 where nothing was seen, and everybody stands once; notes say what was.

    Raises:
        DataError: nothing else is there.
    """
    return _without_twins(_without_held(_without_edges(_without_zeros(detections))))


def without_zeros(points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Confidence (...,) that is 0 for points (..., 2) at exactly (0, 0) or (-1, -1), and a note where there are any.

    There programs put what they did not see, whatever confidence they give it.
    """
    marked = ((points == 0).all(-1) | (points == -1).all(-1)) & (confidence > 0)
    if not marked.any():
        return confidence, []
    share = 100 * marked.sum() / (confidence > 0).sum()
    note = f"{share:.1f} % of the keypoints are at (0, 0) or (-1, -1) with confidence: counted as not seen"
    return np.where(marked, 0.0, confidence), [note]


def _without_zeros(detections: Detections) -> Detections:
    everybody = np.concatenate(detections.people)
    confidence, notes = without_zeros(everybody[..., :2], everybody[..., 2])
    if not notes:
        return detections
    if not confidence.any():
        raise DataError(f"{detections.name}: every keypoint is at (0, 0), expected pixels")
    return _with(detections, confidence, notes[0])


def _without_edges(detections: Detections) -> Detections:
    """Joints that lie exactly on the image's edge, several of one person at once, were outside and moved there."""
    everybody = np.concatenate(detections.people)
    x, y, confidence = np.moveaxis(everybody, -1, 0)
    clipped = np.zeros(confidence.shape, bool)
    for values, size in ((x, detections.width), (y, detections.height)):
        for edge in (0, size - 1, size):
            on = (values == edge) & (confidence > 0)
            clipped |= on & (on.sum(1, keepdims=True) >= CLIPPED)
    if not clipped.any():
        return detections
    share = 100 * clipped.sum() / (confidence > 0).sum()
    note = f"{share:.1f} % of the keypoints lie exactly on the image's edge, where what is outside was put: not seen"
    return _with(detections, np.where(clipped, 0.0, confidence), note)


def _without_held(detections: Detections) -> Detections:
    """Joints at one and the same point again and again, away from the next joint by more than a bone.

    Programs put there what they do not see (a corner of the crop, -1 scaled), or leave it where it was last seen.
    Feet that stand stay where they are, too, but near their knees.
    """
    everybody = np.concatenate(detections.people)
    points, seen = everybody[..., :2], everybody[..., 2] > 0
    bones, beside = np.array(detections.layout.bones), {}
    for a, b in detections.layout.bones:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    stays = list(_staying(points, seen))
    torn = {
        place for joint, place, rows in stays
        if any(_torn(points[rows], seen[rows], joint, other, bones) for other in beside.get(joint, ()))
    }  # fmt: skip
    held = np.zeros(seen.shape, bool)
    for joint, place, rows in stays:
        held[rows, joint] = place in torn  # of several joints at one place the inner ones have no neighbour elsewhere
    if not held.any():
        return detections
    names = [name for name, one in zip(detections.layout.joints, held.any(0), strict=True) if one]
    note = f"{', '.join(names)}: in {held.any(1).sum()} frames at one point while the body moves: counted as not seen"
    return _with(detections, np.where(held, 0.0, everybody[..., 2]), note)


def _staying(points: np.ndarray, seen: np.ndarray) -> Iterator[tuple[int, tuple[float, float], np.ndarray]]:
    """Joints of people (P, J, 2), seen (P, J), places at which they are :data:`HELD` times, and whose they are then."""
    for joint in range(seen.shape[1]):
        own = np.flatnonzero(seen[:, joint])
        places, which, count = np.unique(points[own, joint], axis=0, return_inverse=True, return_counts=True)
        for k in np.flatnonzero(count >= HELD):
            yield joint, tuple(places[k].tolist()), own[which.ravel() == k]


def _torn(points: np.ndarray, seen: np.ndarray, joint: int, other: int, bones: np.ndarray) -> bool:
    """Whether two joints of people (P, J, 2) that a bone connects are often much farther apart than long bones are."""
    both = seen[:, other] & (points[:, joint] != points[:, other]).any(-1)
    if 2 * both.sum() < HELD:
        return False
    points, seen = points[both], seen[both]
    bones = bones[seen[:, bones].all(-1).mean(0) > 0.5]
    typical = np.median(np.linalg.norm(points[:, bones[:, 0]] - points[:, bones[:, 1]], axis=-1), axis=0)
    apart = np.linalg.norm(points[:, joint] - points[:, other], axis=-1)
    return bool(len(typical)) and bool(np.quantile(apart, 0.9) > TORN * np.quantile(typical, 0.9))


def _without_twins(detections: Detections) -> Detections:
    """Everybody once: the same keypoints twice in a frame are one person."""
    people, twins = [], 0
    for found in detections.people:
        kept = np.unique(found, axis=0, return_index=True)[1] if len(found) > 1 else np.arange(len(found))
        twins += len(found) - len(kept)
        people.append(found[np.sort(kept)])
    if not twins:
        return detections
    note = f"{twins} people stand in a frame twice: counted once (are frames or files doubled?)"
    return replace(detections, people=people, notes=[*detections.notes, note])


def _with(detections: Detections, confidence: np.ndarray, note: str) -> Detections:
    """Detections with another confidence of everybody in all frames (P, J), and a note."""
    everybody = np.concatenate([np.concatenate(detections.people)[..., :2], confidence[..., None]], -1)
    people = np.split(everybody, np.cumsum([len(p) for p in detections.people])[:-1])
    return replace(detections, people=people, notes=[*detections.notes, note])
