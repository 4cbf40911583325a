"""Do the feet ever rest?  What tells of a camera that turns or travels where the background tells nothing.

Somebody who stands, walks, runs or jumps has a foot on the floor most of the time, and of the two feet the slower one
then rests in the image of a camera that stands still.  Where the camera turns, the floor moves through the image, and
the slower foot with it: at a steady speed, in one direction.  A runner's slower foot is quick, too, but never steady.
Riding and skating look the same as a camera that turns, so the background is asked first
(:mod:`videomdm.data.recordings.static_camera`).

``tests/data/recordings/test_footing.py`` holds it to motions of the built-in corpus and of Bandai's, seen by cameras
that stand, and to pans.
"""

from __future__ import annotations

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections
from videomdm.data.recordings.tracking import follow

STEP = 0.15  # seconds over which a foot's way is measured: shorter than a runner's foot is on the floor
SURE = 0.3  # confidence of keypoints that count
SLIDING = 0.05  # body sizes a second, median, from which the slower foot does not rest
STEADY = 0.5  # of its median speed, that the slower foot has at least, along the median direction, ...
MOSTLY = 0.2  # ... but for this share of the time
ENOUGH = 0.5  # seconds for which both feet must be seen

_POINTS = ("ankle", "heel", "big_toe", "small_toe", "foot", "foot_index")


def sliding(detections: Detections) -> float:
    """How fast the floor slides through the image under the main person, image diagonals a second.

    0 where the feet rest, and where too little is seen of them.
    """
    try:
        main = follow(detections)[0]
    except DataError:
        return 0.0
    times, feet = detections.times[main.frames], _feet(np.array(main.keypoints), detections)
    after = np.searchsorted(times, times + STEP - 1e-6)
    before = np.flatnonzero(after < len(times))
    after = after[before]
    span = times[after] - times[before]
    with np.errstate(invalid="ignore"):
        way = _middle(feet[after] - feet[before]) / span[:, None, None]  # (N, 2, 2) pixels a second
    way = way[np.isfinite(way).all((1, 2)) & (span < 2 * STEP)]
    if len(times) < 2 or len(way) * float(np.median(np.diff(times))) < ENOUGH:
        return 0.0
    slower = np.take_along_axis(way, np.linalg.norm(way, axis=-1).argmin(1)[:, None, None], 1)[:, 0]
    usual = np.median(slower, axis=0)
    speed = float(np.linalg.norm(usual))
    size = float(np.median([max(right - left, bottom - top) for left, top, right, bottom in main.boxes]))
    least = float(np.quantile(slower @ usual / max(speed, 1e-9), MOSTLY))
    if speed < SLIDING * size or least < STEADY * speed:
        return 0.0
    return speed / float(np.hypot(detections.width, detections.height))


def _feet(keypoints: np.ndarray, detections: Detections) -> np.ndarray:
    """(N, 2, P, 2) points of both feet in pixels, NaN where they were not seen; from keypoints (N, J, 3)."""
    joints = detections.layout.joints
    points = [p for p in _POINTS if f"left_{p}" in joints]
    own = keypoints[:, [[joints.index(f"{side}_{p}") for p in points] for side in ("left", "right")]]
    return np.where(own[..., 2:] >= SURE, own[..., :2], np.nan)


def _middle(ways: np.ndarray) -> np.ndarray:
    """(N, 2, 2) median of how a foot's points moved (N, 2, P, 2) that were seen before and after; NaN without any."""
    seen = np.ma.masked_invalid(ways)
    return np.ma.median(seen, axis=2).filled(np.nan)
