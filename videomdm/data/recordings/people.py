"""Everybody in a film's pictures, measured: how large people are there, and which way up."""

from __future__ import annotations

import numpy as np

from videomdm.data.recordings.detections import Detections
from videomdm.data.recordings.tracking import MIN_JOINTS, SEEN
from videomdm.skeletons.definitions import Skeleton

_HEAD, _FEET = ("nose", "left_ear", "right_ear", "left_eye", "right_eye", "head"), ("left_ankle", "right_ankle")


def bodies(detections: Detections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Everybody with enough joints: points (P, J, 2), confidence (P, J) with guesses at 0, weights (P,) by size."""
    people = np.concatenate(detections.people)
    confidence = np.where(people[..., 2] >= SEEN, people[..., 2], 0.0)
    enough = (confidence > 0).sum(1) >= MIN_JOINTS
    points, confidence = people[enough, :, :2], confidence[enough]
    return points, confidence, np.maximum(sizes(points, confidence), 1e-9)


def sizes(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Longer side (P,) of people's boxes."""
    inside = (seen > 0)[..., None]
    low, high = np.where(inside, points, np.inf).min(1), np.where(inside, points, -np.inf).max(1)
    return (high - low).max(-1) if len(points) else np.zeros(0)


def upright(points: np.ndarray, seen: np.ndarray, layout: Skeleton) -> np.ndarray:
    """(P, 2) from feet to head in body sizes, y up; shoulders and hips stand in for what is not seen."""
    ends = []
    for groups in ((_HEAD, ("left_shoulder", "right_shoulder")), (_FEET, ("left_hip", "right_hip"))):
        middle = np.full((len(points), 2), np.nan)
        for names in groups:
            own = [layout.index(n) for n in names if n in layout.joints]
            weight = (seen[:, own] > 0)[..., None]
            with np.errstate(invalid="ignore"):
                found = np.where(weight, points[:, own], 0).sum(1) / weight.sum(1)
            middle = np.where(np.isnan(middle), found, middle)
        ends.append(middle)
    rise = (ends[0] - ends[1]) / np.maximum(sizes(points, seen), 1e-9)[:, None]
    return np.nan_to_num(rise) * (1, -1)
