"""Does the camera stand still?  The method assumes it, so a camera that moves is found and told.

Corners of the background are followed by optical flow from a look that is at most two seconds old, and the
similarity that most of them obey (RANSAC) is the camera's motion in the image.  People are masked out where
their boxes are known; otherwise they are outvoted by the background.

A corner must stand out from the sensor's noise, or it is followed to nowhere; a plain wall has none.  Where corners are
not found again, the frames since the last look are gone through one by one: a cut lies between two neighbouring frames,
whereas the quickest pan can be followed from each to the next.  And the picture has to change: where it does not, and
nothing can be followed, nothing is known.

How often it is right: ``python -m benchmarks static_camera``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

LOOKS_PER_SECOND = 5.0
WIDTH = 320  # pixels of the reduced image in which corners are followed
WINDOW = (15, 15)  # pixels around a corner that are followed
LIGHT = 12.0  # pixels: what changes more slowly across the image is light, and is taken out
MIN_CORNERS = 12  # with fewer, nothing can be said of a look
CORNER = (6.0, 4.0)  # least contrast of a corner: grey levels, and standard deviations of the noise
AGREEING = 0.4  # share of corners that must obey one motion; fewer means a cut, or chaos
CHANGED = (0.5, 4.0)  # a picture is another one where its details correlate less, and differ by so many grey levels
OLDEST = 10  # looks after which the one that is compared with is renewed
STILL, NEAR = 0.3, 3.0  # pixels: less is noise and not added up; beyond, the look that is compared with is renewed
STEADY = 0.02  # image diagonals that the image may drift; at the assumed field of view about 1.1 degrees
TO_AND_FRO = 3.0  # times its reach that the image moves in all before moving is called shaking

#: What can be said of a camera: it stands, moves, or shakes; the film is cut; the background is too plain to tell.
VERDICTS = ("stands", "moves", "shakes", "cut", "unknown")


@dataclass(frozen=True)
class _Picture:
    """A reduced frame.

    Attributes:
        time: seconds.
        grey: (H, W) uint8, slow changes across the image taken out.
        mask: (H, W) uint8, 0 where people are.
    """

    time: float
    grey: np.ndarray
    mask: np.ndarray


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
        self._travelled = 0.0  # image diagonals, from look to look
        self._age = 0
        self._pose = np.eye(3)  # from the first look to the one that is compared with
        self._last = np.eye(3)  # from the first look to the last one
        self._reference: _Picture | None = None
        self._since: list[_Picture] = []  # the last look and the frames after it

    def look(self, image: np.ndarray, time: float, boxes: Sequence[np.ndarray] = ()) -> None:
        """Take a frame; :data:`LOOKS_PER_SECOND` are compared, the others only where these cannot be.

        Args:
            image: (H, W, 3) uint8.
            time: seconds.
            boxes: (P, 4) left, top, right, bottom of people, in pixels.
        """
        picture = _reduced(image, time, boxes)
        if self._reference is None:
            self._reference, self._since = picture, [picture]
            return
        self._since.append(picture)
        if time - self._since[0].time < 1 / LOOKS_PER_SECOND - 1e-3:
            return
        self.looks += 1
        motion = _motion(self._reference, picture)
        if motion is not None:
            self._take(motion, picture)
        else:
            self._follow_closely(picture)
        self._since = [picture]

    def _follow_closely(self, picture: _Picture) -> None:
        """Go through the frames since the last look one by one, where this look cannot be compared."""
        pose, lost = self._last, False
        for first, second in zip(self._since[:-1], self._since[1:], strict=True):
            motion = _motion(first, second)
            if motion is not None:
                pose = motion @ pose
            elif _another(first, second):
                self.cuts.append(second.time)
                lost = True
            else:
                lost = True
        self.blind += lost and not (self.cuts and self.cuts[-1] > self._since[0].time)
        self._add(pose, picture)
        self._pose, self._reference, self._age = pose, picture, 0

    def _take(self, motion: np.ndarray, picture: _Picture) -> None:
        """Add up the drift, and renew the look that is compared with where it is far or old."""
        step, pose = _shift(motion, picture), motion @ self._pose
        self._age += 1
        if step > STILL:
            self._add(pose, picture)
        if step > NEAR or self._age >= OLDEST:
            self._pose = pose if step > STILL else self._pose
            self._reference, self._age = picture, 0

    def _add(self, pose: np.ndarray, picture: _Picture) -> None:
        diagonal = float(np.hypot(*picture.grey.shape))
        drift = _shift(pose, picture) / diagonal
        self._travelled += _shift(pose @ np.linalg.inv(self._last), picture) / diagonal
        self._last = pose
        if drift > STEADY and not self.moved_at:
            self.moved_at = picture.time
        self.drift = max(self.drift, drift)

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        if self.cuts:
            return "cut"
        if self.drift > STEADY:
            return "shakes" if self._travelled > TO_AND_FRO * self.drift else "moves"
        return "unknown" if not self.looks or self.blind > self.looks / 2 else "stands"

    @property
    def finding(self) -> str | None:
        """What makes the recording unfit: a camera that moves or shakes, or a cut; None for a camera that stands."""
        verdict, drift = self.verdict, f"{100 * self.drift:.0f} % of its diagonal"
        expected = f"expected a static camera (at most {100 * STEADY:.0f} %)"
        if verdict == "cut":
            return f"the whole picture changes at {self.cuts[0]:.1f} s (a cut); expected one shot"
        if verdict == "shakes":
            return f"the camera shakes: the image goes to and fro by up to {drift} from {self.moved_at:.1f} s; {expected}"
        if verdict == "moves":
            return (
                f"the camera moves: by {self.moved_at:.1f} s the image has drifted, {drift} in all; {expected}"
            )
        return None

    @property
    def note(self) -> str | None:
        """A sentence when the camera could not be judged."""
        if self.verdict == "unknown":
            return "whether the camera stands still cannot be seen: too little texture in the background"
        return None


def _reduced(image: np.ndarray, time: float, boxes: Sequence[np.ndarray]) -> _Picture:
    """An image in grey, :data:`WIDTH` wide, without what changes slowly across it, and without people."""
    scale = WIDTH / image.shape[1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    grey = 128 + cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), LIGHT)
    mask = np.full(grey.shape, 255, np.uint8)
    for box in boxes:
        left, top, right, bottom = (np.asarray(box) * scale).round().astype(int)
        mask[max(top - 4, 0) : max(bottom + 4, 0), max(left - 4, 0) : max(right + 4, 0)] = 0
    return _Picture(time, grey.clip(0, 255).round().astype(np.uint8), mask)


def _motion(first: _Picture, second: _Picture) -> np.ndarray | None:
    """(3, 3) similarity from one picture to the other; None where it cannot be seen."""
    corners = _corners(first)
    if len(corners) < MIN_CORNERS:
        return None
    followed, found, _ = cv2.calcOpticalFlowPyrLK(first.grey, second.grey, corners, None, winSize=WINDOW, maxLevel=4)
    kept = found[:, 0] > 0
    if kept.sum() < MIN_CORNERS:
        return None
    motion, agree = cv2.estimateAffinePartial2D(corners[kept], followed[kept], ransacReprojThreshold=1.0)
    if motion is None or agree.sum() < AGREEING * len(corners):
        return None
    return np.vstack([motion, [0, 0, 1]])


def _corners(picture: _Picture) -> np.ndarray:
    """(N, 1, 2) corners of the background that stand out from noise, N at most 200."""
    strength = cv2.cornerMinEigenVal(picture.grey, 3)
    strongest = float(strength[picture.mask > 0].max(initial=0))
    least = CORNER_UNIT * max(CORNER[0], CORNER[1] * _noise(picture)) ** 2
    if strongest <= least:
        return np.zeros((0, 1, 2), np.float32)
    return cv2.goodFeaturesToTrack(picture.grey, 200, max(0.01, least / strongest), 7, mask=picture.mask)


def _noise(picture: _Picture) -> float:
    """Standard deviation of a picture's noise in grey levels, from its plainest parts."""
    grey = picture.grey.astype(np.float32)
    squares = cv2.blur(grey * grey, (8, 8)) - cv2.blur(grey, (8, 8)) ** 2
    return float(np.sqrt(max(np.quantile(squares, 0.1), 0.0)))


def _corner_unit() -> float:
    """What :func:`cv2.cornerMinEigenVal` finds in a corner of contrast 1."""
    grey = np.zeros((32, 32), np.float32)
    grey[16:, 16:] = 100
    grey = (100 + cv2.GaussianBlur(grey, (0, 0), 0.8)).astype(np.uint8)
    return float(cv2.cornerMinEigenVal(grey, 3).max()) / 100**2


CORNER_UNIT = _corner_unit()


def _another(first: _Picture, second: _Picture) -> bool:
    """Whether two pictures show something else where there are no people."""
    mask = (first.mask > 0) & (second.mask > 0)
    a, b = (cv2.GaussianBlur(p.grey, (0, 0), 2)[mask].astype(float) for p in (first, second))
    if len(a) < 100:
        return False
    details = np.sqrt(a.var() * b.var())
    correlation = ((a - a.mean()) * (b - b.mean())).mean() / max(details, 1e-9)
    return correlation < CHANGED[0] and float(np.sqrt(((a - b) ** 2).mean())) > CHANGED[1]


def _shift(motion: np.ndarray, picture: _Picture) -> float:
    """The largest displacement of an image corner, pixels."""
    height, width = picture.grey.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=float)
    return float(np.linalg.norm((corners @ motion.T - corners)[:, :2], axis=-1).max())
