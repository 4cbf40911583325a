"""Does the camera stand still?  The method assumes it, so a camera that moves is found and reported.

Corners of the background are followed by optical flow from a look that is at most two seconds old, and the
similarity that most of them obey (RANSAC) is the camera's motion in the image.  People are masked out where
their boxes are known; otherwise they are outvoted by the background.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

LOOKS_PER_SECOND = 5.0  #: frames that are used
WIDTH = 320  # pixels of the reduced image in which corners are followed
WINDOW = (15, 15)  # pixels around a corner that are followed
MIN_CORNERS = 12  # with fewer, nothing can be said of a look
AGREEING = 0.4  # share of corners that must obey one motion; fewer means a cut, or chaos
OLDEST = 10  # looks after which the one that is compared with is renewed
STILL, NEAR = 0.3, 3.0  # pixels: less is noise and not added up; beyond, the look that is compared with is renewed
STEADY = 0.02  # image diagonals that the image may drift; at the assumed field of view about 1.1 degrees


class CameraWatch:
    """Looks at a video's frames as they come and adds up how the camera moves.

    Attributes:
        drift: largest displacement of an image corner against the first look, in image diagonals.
        cuts: times in seconds at which the whole picture changes.
        looks, blind: number of looks, and of those with too few corners.
    """

    def __init__(self) -> None:
        self.drift, self.moved_at = 0.0, 0.0
        self.cuts: list[float] = []
        self.looks = self.blind = 0
        self._time = -np.inf
        self._age = 0
        self._pose = np.eye(3)  # from the first look to the one that is compared with
        self._reference: np.ndarray | None = None
        self._mask: np.ndarray | None = None

    def look(self, image: np.ndarray, time: float, boxes: Sequence[np.ndarray] = ()) -> None:
        """Take a frame; most are passed over, :data:`LOOKS_PER_SECOND` are used.

        Args:
            image: (H, W, 3) uint8.
            time: seconds.
            boxes: (P, 4) left, top, right, bottom of people, in pixels.
        """
        if time - self._time < 1 / LOOKS_PER_SECOND - 1e-3:
            return
        scale = WIDTH / image.shape[1]
        grey = cv2.resize(
            cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        self._time = time
        if self._reference is not None:
            self.looks += 1
            motion = self._motion_to(grey)
            if motion is not None and not self._take(motion, grey.shape, time):
                return
        self._reference, self._mask, self._age = grey, _outside(boxes, scale, grey.shape), 0

    def _motion_to(self, grey: np.ndarray) -> np.ndarray | None:
        """(3, 3) similarity from the reference to this look; None where it cannot be seen."""
        corners = cv2.goodFeaturesToTrack(self._reference, 200, 0.01, 7, mask=self._mask)
        if corners is None or len(corners) < MIN_CORNERS:
            self.blind += 1
            return None
        followed, found, _ = cv2.calcOpticalFlowPyrLK(
            self._reference, grey, corners, None, winSize=(15, 15), maxLevel=4
        )
        kept = found[:, 0] > 0
        if kept.sum() >= MIN_CORNERS:
            motion, agree = cv2.estimateAffinePartial2D(corners[kept], followed[kept], ransacReprojThreshold=1.0)
            if motion is not None and agree.sum() >= AGREEING * len(corners):
                return np.vstack([motion, [0, 0, 1]])
        self.cuts.append(self._time)
        return None

    def _take(self, motion: np.ndarray, shape: tuple[int, int], time: float) -> bool:
        """Add up the drift; returns whether this look is the one to compare with from now on."""
        step, pose = _shift(motion, shape), motion @ self._pose
        self._age += 1
        drift = _shift(pose, shape) / float(np.hypot(*shape))
        if step > STILL:
            if drift > STEADY and not self.moved_at:
                self.moved_at = time
            self.drift = max(self.drift, drift)
        if step > NEAR or self._age >= OLDEST:
            self._pose = pose if step > STILL else self._pose
            return True
        return False

    @property
    def finding(self) -> str | None:
        """What makes the recording unfit: a moving camera or a cut; None for a camera that stands."""
        if self.cuts:
            return (
                f"the whole picture changes at {self.cuts[0]:.1f} s (a cut, or a camera that jerks); expected one shot"
            )
        if self.drift > STEADY:
            return (
                f"the camera moves: by {self.moved_at:.1f} s the image has drifted, {100 * self.drift:.0f} % of its "
                f"diagonal in all; expected a static camera (at most {100 * STEADY:.0f} %)"
            )
        return None

    @property
    def note(self) -> str | None:
        """A sentence when the camera could not be judged."""
        if not self.looks or self.blind > self.looks / 2:
            return "whether the camera stands still cannot be seen: too little texture in the background"
        return None


def _outside(boxes: Sequence[np.ndarray], scale: float, shape: tuple[int, int]) -> np.ndarray:
    """A mask of the image without the boxes (and a margin)."""
    mask = np.full(shape, 255, np.uint8)
    for box in boxes:
        left, top, right, bottom = (np.asarray(box) * scale).round().astype(int)
        mask[max(top - 4, 0) : max(bottom + 4, 0), max(left - 4, 0) : max(right + 4, 0)] = 0
    return mask


def _shift(motion: np.ndarray, shape: tuple[int, int]) -> float:
    """The largest displacement of an image corner, pixels."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=float)
    return float(np.linalg.norm((corners @ motion.T - corners)[:, :2], axis=-1).max())
