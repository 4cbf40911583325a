"""What stands in a file for what was not seen, or was seen once: zeros, points on the edge, people who stand twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections

CLIPPED = 3  # joints of one person on one edge of the image, that no body has there by chance


def without_fillers(detections: Detections) -> Detections:
    """Detections in which confidence is 0 where nothing was seen, and everybody stands once; notes say what was.

    Raises:
        DataError: nothing else is there.
    """
    return _without_twins(_without_edges(_without_zeros(detections)))


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
