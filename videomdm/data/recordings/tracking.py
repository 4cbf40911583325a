"""People followed from frame to frame, and the main one among them.

Detectors look at one frame at a time.  Here every person is predicted at constant velocity and joined to the
nearest detection, by the best assignment of all people at once, so that two people who cross keep their
identities as long as they keep their course.  What cannot be known from keypoints alone (who is who after
people hid each other) is noticed and said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from videomdm.cameras.keypoints import LONGEST_STEP
from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections
from videomdm.skeletons.definitions import Skeleton

SEEN = 0.1  # confidence below this is a guess of the detector's: such keypoints count as missing
MIN_JOINTS = 5  # joints seen; with fewer a detection is no person
REACH, SPEED = 0.35, 6.0  # body sizes, and body sizes per second up to 1/4 s, that people may be off the prediction
MAX_LOST = 2.0  # seconds that a person may be out of sight
OVERLAP = 0.3  # intersection over union of two people's boxes from which they may be mistaken for each other
RESIZED, STAYS = 1.35, 8  # times as large, at once and over so many frames: not by anybody's own doing
COMING = 0.5  # more for each second out of sight: somebody 3 m away walks to the camera
SIZE_CHANGE = 1.25  # ratio of a person's size after and before a crossing from which a switch is likely
SWAP_COST = 0.02  #: body sizes of uneven motion that a frame of swapped arms or legs has to save
ARMS = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
LEGS = ("hip", "knee", "ankle", "foot", "big_toe", "small_toe", "foot_index", "heel")
EDGE = 0.6  # share by which somebody at the picture's edge counts less than one in its middle
LIVELY = 0.05  # body sizes, mean deviation of joints from their mean place, of somebody who moves


@dataclass
class Person:
    """One person's detections.

    Attributes:
        frames: indices of the frames in which the person was seen, increasing.
        keypoints: for each of them (J, 3): x and y in pixels, confidence, 0 where a joint is missing.
        boxes: for each of them left, top, right, bottom of the joints seen, pixels.
    """

    frames: list[int] = field(default_factory=list)
    keypoints: list[np.ndarray] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)

    def add(self, frame: int, keypoints: np.ndarray) -> None:
        """See them again: keypoints (J, 3) in the frame of this number."""
        self.frames.append(frame)
        self.keypoints.append(keypoints)
        self.boxes.append(box(keypoints))

    @property
    def size(self) -> float:
        """Side of a square as large as the last box, pixels."""
        return size_of(self.boxes[-1])

    def predict(self, time: float, times: np.ndarray) -> np.ndarray:
        """Keypoints (J, 3) at ``time``: the last ones, moved on as the body's middle moved."""
        last = self.keypoints[-1].copy()
        if len(self.frames) > 1:
            # over the last few frames: one step alone would follow the detector's jitter
            k = max(len(self.frames) - 4, 0)
            span = times[self.frames[-1]] - times[self.frames[k]]
            both = (self.keypoints[k][:, 2] > 0) & (last[:, 2] > 0)
            if both.any():
                velocity = np.median((last - self.keypoints[k])[both, :2], axis=0) / span
                # people do not go on for ever once they are out of sight
                last[:, :2] += velocity * min(time - times[self.frames[-1]], 0.5)
        return last


def follow(detections: Detections) -> list[Person]:
    """Everybody in the recording, the main person (by :func:`weight`) first.

    Raises:
        DataError: there is nobody in any frame.
    """
    times = detections.times
    people: list[Person] = []
    active: list[Person] = []
    for frame, found in enumerate(detections.people):
        found = [k for k in map(_without_guesses, found) if (k[:, 2] > 0).sum() >= min(MIN_JOINTS, len(k))]
        active = [p for p in active if times[frame] - times[p.frames[-1]] <= MAX_LOST]
        joined = _join(active, found, frame, times)
        new = [Person() for i in range(len(found)) if i not in joined]
        strangers = iter(new)
        for i, keypoints in enumerate(found):
            (active[joined[i]] if i in joined else next(strangers)).add(frame, keypoints)
        people, active = people + new, active + new
    if not people:
        raise DataError(
            f"{detections.name}: no person in any of {len(detections.people)} frames "
            f"(at least {MIN_JOINTS} joints with confidence {SEEN} or more)"
        )
    return sorted(people, key=lambda p: -weight(p, detections.width))


def weight(person: Person, width: int) -> float:
    """How much somebody is what a recording is of.

    The sum over frames of confidence (of all joints: people who are cut off count less) and the square root of size,
    so that somebody nearer to the camera does not win by size alone; times how near to the picture's middle, and how
    much the pose changes: a film is seldom of somebody who stands at its edge.

    Args:
        person: followed through a recording.
        width: of the image, pixels.
    """
    box, keypoints = np.array(person.boxes), np.array(person.keypoints)
    size = np.maximum((box[:, 2:] - box[:, :2]).max(1), 1.0)
    aside = np.abs((box[:, 0] + box[:, 2]) / width - 1).clip(max=1)
    there = (size**0.5 * keypoints[..., 2].mean(1) * (1 - EDGE * aside)).sum()
    seen = keypoints[..., 2] > 0
    pose = (keypoints[..., :2] - (box[:, None, :2] + box[:, None, 2:]) / 2) / size[:, None, None]
    count = np.maximum(seen.sum(0), 1)[:, None]
    mean = (pose * seen[..., None]).sum(0) / count
    change = np.sqrt((((pose - mean) ** 2 * seen[..., None]).sum(0) / count).sum(-1))
    lively = min(float(change[seen.any(0)].mean()) / LIVELY, 1.0)
    return float(there) * (1 + lively) / 2


def boxes(people: list[Person], times: np.ndarray, fps: float, around: Person) -> np.ndarray:
    """Everybody's boxes (P, T, 4) at a constant rate from the first to the last frame of one of them, NaN elsewhere."""
    start, end = times[around.frames[0]], times[around.frames[-1]]
    at = start + np.arange(int((end - start) * fps + 1e-6) + 1) / fps
    found = np.stack([_boxes_at(at, person, times) for person in people])
    for own, person in zip(found, people, strict=True):
        away = np.abs(at[:, None] - times[person.frames]).min(1) > LONGEST_STEP
        own[away] = np.nan
    return found


def _join(active: list[Person], found: list[np.ndarray], frame: int, times: np.ndarray) -> dict[int, int]:
    """Which of the ``active`` people each of the ``found`` is: index of found -> index of active."""
    if not active or not found:
        return {}
    cost = np.array([[_distance(p.predict(times[frame], times), k) / p.size for k in found] for p in active])
    lost = np.array([times[frame] - times[p.frames[-1]] for p in active])
    allowed = cost <= (REACH + SPEED * np.minimum(lost, 0.25))[:, None]
    rows, columns = linear_sum_assignment(np.where(allowed, cost, 1e6))
    return {int(j): int(i) for i, j in zip(rows, columns, strict=True) if allowed[i, j]}


def describe(people: list[Person], detections: Detections) -> list[str]:
    """What is worth knowing about the main person: others, absences, crossings and likely switches."""
    main, *others = people
    times, notes = detections.times, []
    others = [p for p in others if len(p.frames) > 2]
    if others:
        notes.append(
            f"{len(others) + 1} people; this one is seen in {len(main.frames)} of {len(times)} frames (`person` takes "
            "another by the number in the overlay)"
        )
    elif len(main.frames) < len(times):
        notes.append(f"the person is seen in {len(main.frames)} of {len(times)} frames")
    gaps = np.diff(times[main.frames])
    longest = int(gaps.argmax()) if len(gaps) else 0
    if len(gaps) and gaps[longest] > 0.5:
        notes.append(f"out of sight for {gaps[longest]:.1f} s at {times[main.frames[longest]]:.1f} s")
    notes += _resized(main, detections)
    for other in others:
        notes += _crossings(main, other, times)
        notes += _takes_over(main, other, times)
    return notes


def _resized(main: Person, detections: Detections) -> list[str]:
    """A sentence on when all bones of a person are longer or shorter from one frame to the next, and stay so."""
    points = np.array(main.keypoints)
    child, parent = np.array(detections.layout.bones).T[::-1]
    seen = (points[:, child, 2] >= SEEN) & (points[:, parent, 2] >= SEEN)
    bones = np.linalg.norm(points[:, child, :2] - points[:, parent, :2], axis=-1)
    bones = np.ma.masked_array(np.log(np.maximum(bones, 1.0)), ~seen)
    at_once = np.ma.filled(np.ma.median(bones[1:] - bones[:-1], axis=1), 0.0)
    times = detections.times[main.frames]
    found, back = [], []
    for k in np.flatnonzero(np.abs(at_once) > np.log(RESIZED)) + 1:
        before, after = (np.ma.median(part, axis=0) for part in (bones[max(0, k - STAYS) : k], bones[k : k + STAYS]))
        ratio = float(np.exp(np.ma.filled(np.ma.median(after - before), 0.0)))
        away = times[k] - times[k - 1] - LONGEST_STEP
        if max(ratio, 1 / ratio) <= RESIZED + COMING * max(away, 0.0):
            continue
        if away <= 0:
            found.append(f"at {times[k]:.1f} s the person is {ratio:.2f} times as large all at once")
        else:
            back.append(f"back at {times[k]:.1f} s the person is {ratio:.2f} times as large: perhaps somebody else")
    if not found:
        return back
    more = f" ({len(found)} times in all)" if len(found) > 1 else ""
    return [
        *back,
        f"{found[0]}{more}: a zoom, a cut, or frames of another size; what is lifted is wrong unless the recording is "
        "cut there",
    ]


def _crossings(main: Person, other: Person, times: np.ndarray) -> list[str]:
    """Sentences about the times when two people overlap, with the ratio of sizes where it tells of a switch.

    Boxes are interpolated in time: where people hide each other a detector often sees only one.
    """
    shared = range(max(main.frames[0], other.frames[0]), min(main.frames[-1], other.frames[-1]) + 1)
    boxes = [_boxes_at(times[list(shared)], person, times) for person in (main, other)]
    close = [f for f, a, b in zip(shared, *boxes, strict=True) if _iou(a, b) > OVERLAP]
    if not close:
        return []
    starts = [f for k, f in enumerate(close) if k == 0 or times[f] - times[close[k - 1]] > 1]
    ends = [f for k, f in enumerate(close) if k + 1 == len(close) or times[close[k + 1]] - times[f] > 1]
    notes = []
    for first, last in zip(starts, ends, strict=True):
        span = f"at {times[first]:.1f} s" if first == last else f"from {times[first]:.1f} s to {times[last]:.1f} s"
        notes.append(f"another person crosses {span}: the two may be mistaken for each other there")
        before, after = _typical_size(main, times, times[first], -1), _typical_size(main, times, times[last], 1)
        if before and after and max(before / after, after / before) > SIZE_CHANGE:
            ratio = after / before
            notes.append(f"the person's size changes {ratio:.2f} times as another crosses {span}: a likely switch")
    return notes


def _takes_over(main: Person, other: Person, times: np.ndarray) -> list[str]:
    """A sentence when another person is never there beside the main one, whose part somebody else's may be."""
    if 0 < times[other.frames[0]] - times[main.frames[-1]] < MAX_LOST:
        return [f"the main person ends at {times[main.frames[-1]]:.1f} s and another begins: perhaps the same one"]
    if 0 < times[main.frames[0]] - times[other.frames[-1]] < MAX_LOST:
        return [f"the main person begins at {times[main.frames[0]]:.1f} s as another ends: perhaps the same one"]
    if set(main.frames).isdisjoint(other.frames):
        since, until = times[other.frames[0]], times[other.frames[-1]]
        return [f"another is seen from {since:.1f} s to {until:.1f} s, never beside this one: perhaps the same"]
    return []


def _typical_size(person: Person, times: np.ndarray, around: float, direction: int) -> float | None:
    """Median size over the second before (-1) or after (1) a time; None when not seen then."""
    since = (times[person.frames] - around) * direction
    sizes = [size_of(b) for b, s in zip(person.boxes, since, strict=True) if 0 < s <= 1]
    return float(np.median(sizes)) if sizes else None


def put_sides_right(person: Person, layout: Skeleton) -> int:
    """Undo swaps of left and right arms or legs (in place); returns how many frames were changed.

    Of all ways to swap both arms, or both legs, in some of the frames, the one is taken that moves the limbs most
    evenly, each frame being compared with where the two before lead; a frame that is swapped costs a little
    (:data:`SWAP_COST`), so that limbs which pass each other keep the detector's own sides.
    """
    changed = np.zeros(len(person.frames), dtype=bool)
    mirrored = list(layout.mirrored)
    for part in ARMS, LEGS:
        joints = np.array([name.partition("_")[2] in part for name in layout.joints])
        limbs = np.array(person.keypoints)
        both = np.stack([limbs[:, joints], limbs[:, mirrored][:, joints]], axis=1)
        flips = _smoothest(both, np.array(person.frames), np.array([size_of(b) for b in person.boxes]))
        for k in np.flatnonzero(flips):
            person.keypoints[k] = np.where(joints[:, None], person.keypoints[k][mirrored], person.keypoints[k])
        changed |= flips
    return int(changed.sum())


def _smoothest(both: np.ndarray, frames: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which frames (N,) to swap, by dynamic programming over the last two frames' choices.

    Args:
        both: (N, 2, J, 3) limbs as they are and swapped.
        frames: (N,) their indices.
        sizes: (N,) of the body, pixels.
    """
    before, last, now = both[:-2, :, None, None], both[1:-1, None, :, None], both[2:, None, None, :]
    known = (
        (before[..., 2:] > 0) & (last[..., 2:] > 0) & (frames[2:] - frames[:-2] == 2)[:, None, None, None, None, None]
    )
    expected = last[..., :2] + np.where(known, last[..., :2] - before[..., :2], 0)
    weight = np.minimum(last[..., 2], now[..., 2])
    off = (np.linalg.norm(expected - now[..., :2], axis=-1) * weight).sum(-1) / np.maximum(weight.sum(-1), 1e-9)
    steps = off / sizes[2:, None, None, None]  # (N - 2, before, last, now)
    swapped = np.array([0.0, SWAP_COST])
    best, origins = np.add.outer(swapped, swapped), []
    for step in steps:
        total = best[:, :, None] + step + swapped
        origins.append(total.argmin(0))
        best = total.min(0)
    last, now = np.unravel_index(best.argmin(), best.shape)
    flips = [now, last]
    for origin in reversed(origins):
        flips.append(origin[flips[-1], flips[-2]])
    return np.array(flips[::-1][-len(both) :], dtype=bool)


def box(keypoints: np.ndarray) -> np.ndarray:
    """Left, top, right, bottom of the joints seen in (J, 3)."""
    points = keypoints[keypoints[:, 2] > 0, :2]
    return np.concatenate([points.min(0), points.max(0)])


def _without_guesses(keypoints: np.ndarray) -> np.ndarray:
    return np.where(keypoints[:, 2:] >= SEEN, keypoints, 0.0)


def size_of(box: np.ndarray) -> float:
    """A person bent double or seen from the side is as large as one who stands: the box's longer side counts."""
    return max(float((box[2:] - box[:2]).max()), 1.0)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of the joints that both (J, 3) have, weighted by the lesser confidence; pixels."""
    weight = np.minimum(a[:, 2], b[:, 2])
    if not weight.any():
        return float(np.linalg.norm(_middle(a) - _middle(b)))
    return float((np.linalg.norm(a[:, :2] - b[:, :2], axis=-1) * weight).sum() / weight.sum())


def _middle(keypoints: np.ndarray) -> np.ndarray:
    seen = keypoints[:, 2] > 0
    return keypoints[seen, :2].mean(0) if seen.any() else np.zeros(2)


def _boxes_at(at: np.ndarray, person: Person, times: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) at any times, linear between the frames that saw the person."""
    boxes = np.array(person.boxes)
    return np.stack([np.interp(at, times[person.frames], edge) for edge in boxes.T], axis=-1)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.clip(high - low, 0, None))
    return float(shared / max(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared, 1e-9))
