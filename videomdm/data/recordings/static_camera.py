"""Does the camera stand still?  The method assumes it, so a camera that moves is found and reported.

Corners of the background are followed by optical flow from a look that is at most two seconds old, and the
similarity that most of them obey (RANSAC) is the camera's motion in the image.  People are masked out where
their boxes are known; otherwise they are outvoted by the background.  A plain background cannot outvote somebody who
comes into the picture and is not found yet, so nothing that was seen before the first person is found counts: there is
nobody to lift either.

Where corners cannot be followed, the picture decides, by how much its details correlate with those of another frame.
Nothing but noise where neither hides people: nothing is known.  As before: the camera stands, as before a plain wall.
Otherwise the frames since the last look are gone through one by one, as the quickest pan can be followed from each
frame to the next.

Where the background tells nothing, people's feet may (:mod:`videomdm.data.recordings.footing`).

A cut lies between two neighbouring frames, which are suddenly much less alike than those before, though nothing moved
that could be followed.

How often it is right: ``python -m benchmarks static_camera``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from videomdm.data.recordings import footing
from videomdm.data.recordings.detections import Detections

LOOKS_PER_SECOND = 5.0  #: frames that are used
WIDTH = 320  # pixels of the reduced image in which corners are followed
WINDOW = (15, 15)  # pixels around a corner that are followed
LIGHT = 12.0  # pixels: what changes more slowly across the image is light, and is taken out
MARGIN = 0.15  # of a person's box beyond which no outline, and little of the shadow, reaches
MIN_CORNERS = 12  # with fewer, nothing can be said of a look
AGREEING, SURE = 0.4, 0.6  # share of corners that must obey one motion, and from which nothing else is asked
SPREAD = 0.08  # image diagonals, standard deviation of these corners' places: a shadow is smaller than a background
BETTER = 0.7  # a motion must bring a picture's unlikeness below this share of what it is without
BETTER_EDGES = 0.25  # the same where edges alone tell, beyond noise: shadows move too
LEAST = 0.1  # share of the picture that two of them must both show beside people, or nothing can be said
LINES = (2.0, 0.12)  # gradients along lines, in terms of the noise's and of those across, of a picture with lines alone
FLAT = 1.5  # grey levels, standard deviation of a picture's details below which there is nothing to see
CHANGE, EDGES = 0.002, 0.03  # unlikeness from which something moved, and, beyond noise, from which edges alone tell
UNLIKE = 0.5  # one minus the correlation of details from which two pictures do not show the same
CUT = (0.15, 5.0)  # unlikeness of neighbouring frames at a cut, at least, and in terms of the frames' before
BEFORE = 12  # frames before, of which the median counts
JERKS = 2  # looks that could not be followed, though the picture changed, from which the camera does not stand
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
        details: (H, W) float32, the same, smoothed against noise.
        mask: (H, W) uint8, 0 where people are.
    """

    time: float
    grey: np.ndarray
    details: np.ndarray
    mask: np.ndarray


class CameraWatch:
    """Looks at a video's frames as they come and adds up how the camera moves.

    Attributes:
        drift: largest displacement of an image corner against the first look, in image diagonals.
        cuts: times in seconds at which the whole picture changes.
        looks, blind: number of looks, and of those that show nothing to go by.
        lines: number of looks that show lines of one direction, along which nothing tells whether the camera turns.
        jerks: times of the looks at which the picture changed and could not be followed.
        sliding: image diagonals a second by which the floor slides under somebody's feet (:meth:`ask_feet`).
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        """Know nothing."""
        self.drift, self.moved_at = 0.0, 0.0
        self.cuts: list[float] = []
        self.jerks: list[float] = []
        self.looks = self.blind = self.lines = 0
        self.sliding = 0.0
        self._travelled = 0.0  # image diagonals, from look to look
        self._age = 0
        self._pose = np.eye(3)  # from the first look to the one that is compared with
        self._last = np.eye(3)  # from the first look to the last one
        self._reference: _Picture | None = None
        self._since: list[_Picture] = []  # the last look and the frames after it
        self._steps: list[float] = []  # unlikeness of neighbouring frames
        self._boxes: Sequence[np.ndarray] = ()

    def look(self, image: np.ndarray, time: float, boxes: Sequence[np.ndarray] = ()) -> None:
        """Take a frame; :data:`LOOKS_PER_SECOND` are compared in full, the others only where these cannot be.

        Args:
            image: (H, W, 3) uint8.
            time: seconds.
            boxes: (P, 4) left, top, right, bottom of people, in pixels.
        """
        if len(boxes):
            if not len(self._boxes):  # who was there before was not masked out
                self._begin()
            self._boxes = boxes  # who is missed in a frame is still there
        picture = _reduced(image, time, self._boxes)
        if self._reference is None or self._is_cut(picture):
            self._reference, self._since, self._pose, self._age = picture, [picture], self._last, 0
            return
        self._since.append(picture)
        if time - self._since[0].time < 1 / LOOKS_PER_SECOND - 1e-3:
            return
        self.looks += 1
        if not _common(self._reference, picture).any():  # people fill the picture
            self._skip(picture)
            return
        self.lines += _lines_only(self._since[-2], picture)
        motion = _motion(self._reference, picture, self._noise)
        if motion is None and _flat(self._reference, picture):
            self._skip(picture)
        elif motion is None and _unlikeness(self._reference, picture) > UNLIKE:
            self._follow_closely()
        else:
            self._take(np.eye(3) if motion is None else motion, picture)
        self._since = [picture]

    def ask_feet(self, detections: Detections) -> None:
        """Where the background told nothing, take what the people tell who were seen in all frames."""
        if self.verdict == "unknown":
            self.sliding = footing.sliding(detections)

    @property
    def _noise(self) -> float:
        """The unlikeness that noise makes: neighbouring frames', where the least else changed."""
        return min(self._steps[-BEFORE:], default=0.0)

    def _skip(self, picture: _Picture) -> None:
        """Nothing is known of a look; the next one is compared with it."""
        self.blind += 1
        self._reference, self._since, self._pose, self._age = picture, [picture], self._last, 0

    def _is_cut(self, picture: _Picture) -> bool:
        """Whether something else is shown from this frame on; notes how unlike it is to the frame before."""
        before = self._since[-1]
        if not _common(before, picture).any():
            return False
        step, usual = _unlikeness(before, picture), self._steps[-BEFORE:]
        self._steps.append(step)
        limit = max(CUT[0], CUT[1] * float(np.median(usual))) if len(usual) > 1 else np.inf
        if step > limit and not _flat(before, picture):
            motion = _motion(before, picture, far=True)
            if motion is None or _unlikeness(before, picture, motion) > max(limit, UNLIKE * step):
                self.cuts.append(picture.time)
                return True
        return False

    def _follow_closely(self) -> None:
        """Go through the frames since the last look one by one, where this look cannot be compared."""
        pose, lost = self._last, False
        for first, second in zip(self._since[:-1], self._since[1:], strict=True):
            motion = _motion(first, second, far=True)
            lost |= motion is None and _unlikeness(first, second) > UNLIKE
            pose = pose if motion is None else motion @ pose
        picture = self._since[-1]
        still = _shift(pose @ np.linalg.inv(self._last), picture) < NEAR
        if lost or still:  # the picture is another one, and what was followed does not say why
            self.jerks.append(picture.time)
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
        jerks = len(self.jerks) >= JERKS
        restless = jerks and float(np.median(self._steps)) > UNLIKE
        if restless or (self.drift > STEADY and self._travelled > TO_AND_FRO * self.drift):
            return "shakes"
        if self.cuts:
            return "cut"
        if jerks or self.drift > STEADY:
            return "moves"
        if self.sliding:
            return "moves"
        return "unknown" if not self.looks or self.blind + self.lines > self.looks / 2 else "stands"

    @property
    def finding(self) -> str | None:
        """What makes the recording unfit: a camera that moves or shakes, or a cut; None for a camera that stands."""
        verdict, expected = self.verdict, f"expected a static camera (at most {100 * STEADY:.0f} %)"
        reach, since = f"{100 * self.drift:.0f} % of its diagonal", self.moved_at or min(self.jerks, default=0.0)
        if verdict == "cut":
            return f"the whole picture changes at {self.cuts[0]:.1f} s (a cut); expected one shot"
        if verdict == "stands" or verdict == "unknown":
            return None
        if self.sliding:
            return (
                "the camera moves: the background is too plain to tell, but the feet never rest, the floor slides by "
                f"{100 * self.sliding:.0f} % of the image's diagonal a second (unless the person rides); {expected}"
            )
        if self.drift <= STEADY:
            return f"the camera {verdict}: from {since:.1f} s on faster than it can be followed; {expected}"
        if verdict == "shakes":
            return f"the camera shakes: from {since:.1f} s on the image goes to and fro, by {reach}; {expected}"
        return f"the camera moves: by {since:.1f} s the image has drifted, {reach} in all; {expected}"

    @property
    def note(self) -> str | None:
        """A sentence when the camera could not be judged."""
        if self.verdict != "unknown":
            return None
        why = "too little texture in the background"
        if self.lines > self.blind:
            why = "the background shows lines of one direction alone, along which nothing tells whether it moves"
        return f"whether the camera stands still cannot be seen: {why}"


def _reduced(image: np.ndarray, time: float, boxes: Sequence[np.ndarray]) -> _Picture:
    """An image in grey, :data:`WIDTH` wide, without what changes slowly across it, and without people."""
    scale = WIDTH / image.shape[1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    grey = 128 + cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), LIGHT)
    mask = np.full(grey.shape, 255, np.uint8)
    for box in boxes:
        left, top, right, bottom = np.asarray(box) * scale
        margin = MARGIN * max(right - left, bottom - top)
        left, top = (max(round(edge - margin), 0) for edge in (left, top))
        mask[top : max(round(bottom + margin), 0), left : max(round(right + margin), 0)] = 0
    return _Picture(time, grey.clip(0, 255).round().astype(np.uint8), cv2.GaussianBlur(grey, (0, 0), 2), mask)


def _motion(first: _Picture, second: _Picture, noise: float = 0.0, far: bool = False) -> np.ndarray | None:
    """(3, 3) similarity from one picture to the other; None where it cannot be seen.

    It is the one that most corners obey, or, where there are too few, the shift that brings edges together; and it
    must explain what changed.  No shift explains the unlikeness that is ``noise``.  ``far`` looks for corners also
    where the whole picture seems to have gone (phase correlation).
    """
    guesses = [np.zeros(2, np.float32)]
    if far:
        window = cv2.createHanningWindow(first.grey.shape[::-1], cv2.CV_32F)
        details = first.details.copy(), second.details.copy()  # OpenCV writes into them
        guesses.append(np.array(cv2.phaseCorrelate(*details, window)[0], np.float32))
    change, agreed = _unlikeness(first, second), False
    if change < CHANGE:
        return np.eye(3)
    for guess in guesses:
        motion, sure = _followed(first, second, guess)
        if motion is not None and (sure or _unlikeness(first, second, motion) < BETTER * change):
            return motion
        agreed |= motion is not None
    if not agreed and change - noise > EDGES:
        motion = _aligned(first, second)
        if motion is not None and _unlikeness(first, second, motion) - noise < BETTER_EDGES * (change - noise):
            return motion
    return np.eye(3) if agreed and change < UNLIKE else None


def _followed(first: _Picture, second: _Picture, guess: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """The similarity that most corners obey, followed from a guessed shift (2,), and whether there is no doubt of it.

    None where corners do not agree.
    """
    corners = cv2.goodFeaturesToTrack(first.grey, 200, 0.01, 7, mask=first.mask)
    if corners is None or len(corners) < MIN_CORNERS:
        return None, False
    found, kept, _ = cv2.calcOpticalFlowPyrLK(
        first.grey, second.grey, corners, corners + guess, winSize=WINDOW, maxLevel=4,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    kept = kept[:, 0] > 0
    if kept.sum() < MIN_CORNERS:
        return None, False
    motion, agree = cv2.estimateAffinePartial2D(corners[kept], found[kept], ransacReprojThreshold=1.0)
    if motion is None or agree.sum() < AGREEING * len(corners):
        return None, False
    spread = np.linalg.norm(corners[kept][agree[:, 0] > 0, 0].std(0)) / np.hypot(*first.grey.shape)
    if spread < SPREAD:
        return None, False
    return np.vstack([motion, [0, 0, 1]]), bool(spread > 2 * SPREAD and agree.sum() > SURE * len(corners))


def _aligned(first: _Picture, second: _Picture) -> np.ndarray | None:
    """The shift (3, 3) that makes two pictures correlate most; None where none is found."""
    both, until = cv2.min(first.mask, second.mask), (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-3)
    try:
        _, shift = cv2.findTransformECC(
            first.details, second.details, np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION, until, both, 5
        )
    except cv2.error:  # it does not converge
        return None
    return np.vstack([shift, [0, 0, 1]]).astype(float)


def _unlikeness(first: _Picture, second: _Picture, motion: np.ndarray | None = None) -> float:
    """One minus the correlation of two pictures' details where there are no people, after a motion of the first."""
    details, mask = first.details, first.mask
    if motion is not None:
        size = details.shape[::-1]
        details, mask = (cv2.warpAffine(x, motion[:2], size) for x in (details, mask))
    both = (mask == 255) & (second.mask == 255)
    if both.sum() < LEAST / 2 * both.size:  # moved out of the picture
        return 1.0
    a, b = details[both] - details[both].mean(), second.details[both] - second.details[both].mean()
    return 1 - float((a * b).mean() / max(np.sqrt((a * a).mean() * (b * b).mean()), 1e-9))


def _common(first: _Picture, second: _Picture) -> np.ndarray:
    """(H, W) bool: what both pictures show beside people; nowhere where that is too little to compare."""
    both = (first.mask == 255) & (second.mask == 255)
    return both & (both.mean() >= LEAST)


def _flat(first: _Picture, second: _Picture) -> bool:
    """Whether there is nothing to see but noise in what both pictures show beside people."""
    both = _common(first, second)
    return not both.any() or max(float(x.details[both].std()) for x in (first, second)) < FLAT


def _lines_only(before: _Picture, picture: _Picture) -> bool:
    """Whether all that a picture shows beside noise is lines of one direction, such as the edge of a floor.

    The mean outer product of gradients tells how much the picture varies in its best and in its worst direction; the
    difference to the frame before tells how much of that is noise.
    """
    inside = cv2.erode(_common(before, picture).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not inside.any():
        return False
    least, most = _gradients(picture.details, inside)
    noise = _gradients((picture.details - before.details) * np.float32(0.5**0.5), inside)[1]
    return least < max(LINES[0] * noise, LINES[1] * most)


def _gradients(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(2,) mean squared gradient of an image along the direction in which it varies least, and most."""
    slopes = np.stack([cv2.Sobel(image, cv2.CV_32F, *axis)[inside] for axis in ((1, 0), (0, 1))])
    return np.linalg.eigvalsh(slopes @ slopes.T / slopes.shape[1])


def _shift(motion: np.ndarray, picture: _Picture) -> float:
    """The largest displacement of an image corner, pixels."""
    height, width = picture.grey.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=float)
    return float(np.linalg.norm((corners @ motion.T - corners)[:, :2], axis=-1).max())
