"""Keypoints that are elsewhere from one frame to the next, faster than anybody moves: errors of detectors.

A joint, or a whole body, that is back soon was somewhere else by mistake, and counts as not seen meanwhile.  Where it
stays, nobody can tell which of its places is the wrong one.
"""

from __future__ import annotations

import itertools

import numpy as np

from videomdm.cameras.keypoints import LONGEST_STEP
from videomdm.data.recordings.tracking import MIN_JOINTS, SPEED, Person, size_of

JUMP = (0.5, 0.25)  # body sizes that a joint is off for one frame, at least, while its neighbours are so near
JUMP_STEP = 0.06  # seconds between frames up to which no hand is so quick; beyond, what :data:`SPEED` allows is added
MOVED = 0.3  # body sizes: the same for most joints at once; who runs moves .2 between frames at 30 a second
LIMB_SPEED = 1.0  # body sizes per second that limbs move by themselves meanwhile
AWAY = 0.5  #: seconds within which a joint that jumped away is back, else one cannot tell which of its places is wrong


def drop_jumps(person: Person, times: np.ndarray) -> int:
    """Take out joints that jump away for a single frame (in place: confidence 0); returns how many there were.

    Args:
        person: followed through a recording.
        times: (F,) seconds of the recording's frames.
    """
    if len(person.frames) < 3:
        return 0
    keypoints, at = np.array(person.keypoints), times[np.array(person.frames)]
    around = np.pad(np.arange(len(at)), 1, mode="reflect")
    before, after = around[:-2], around[2:]
    size = np.median([size_of(b) for b in person.boxes])
    points, seen = keypoints[..., :2], keypoints[..., 2] > 0
    off = np.linalg.norm(points - (points[before] + points[after]) / 2, axis=-1)
    apart = np.linalg.norm(points[after] - points[before], axis=-1)
    span = np.maximum(np.abs(at - at[before]), np.abs(at[after] - at))
    jumps = (off > _least(span)[:, None] * size) & (apart < JUMP[1] * size)
    jumps &= seen & seen[before] & seen[after]
    return _drop(person, jumps)


def drop_stays(person: Person, times: np.ndarray) -> int:
    """As :func:`drop_jumps`, of joints that stay away for up to :data:`AWAY`, alone or with the whole body.

    Something else was taken for them there: another person, or a thing behind.  Sides are to be right
    (:func:`videomdm.data.recordings.tracking.put_sides_right`): a hand that was taken for the other one jumps there
    and back as well.
    """
    if len(person.frames) < 4:
        return 0
    at, places = times[person.frames], _places(person)
    body = _body(places)
    limbs = (places - body[:, None]).swapaxes(0, 1)
    away = np.stack([_away(joint, at, JUMP[0]) for joint in limbs], axis=1) | _away(body, at, MOVED)[:, None]
    return _drop(person, away & np.isfinite(places).all(-1))


def elsewhere(main: Person, times: np.ndarray) -> list[str]:
    """A sentence on when somebody is elsewhere from one frame to the next, and is not back soon.

    Args:
        main: followed through a recording.
        times: (F,) seconds of the recording's frames.
    """
    if len(main.frames) < 4:
        return []
    at, body = times[main.frames], _body(_places(main))
    steps, spans = np.linalg.norm(np.diff(body, axis=0), axis=-1), np.diff(at)
    back = _away(body, at, MOVED)
    found = np.flatnonzero((steps > _least(spans, MOVED)) & (spans <= LONGEST_STEP) & ~back[1:] & ~back[:-1])
    if not len(found):
        return []
    more = f" ({len(found)} times in all)" if len(found) > 1 else ""
    return [
        f"at {at[found[0] + 1]:.1f} s the person is {steps[found[0]]:.1f} body sizes away all at once"
        f"{more}: somebody else, a cut, or frames that are missing; what is lifted is wrong there"
    ]


def _places(person: Person) -> np.ndarray:
    """Where joints are, (N, J, 2), in body sizes; NaN where they are not seen."""
    keypoints, size = np.array(person.keypoints), np.median([size_of(b) for b in person.boxes])
    return np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan) / size


def _body(places: np.ndarray) -> np.ndarray:
    """The way of a whole body, (N, 2), from 0: in each step what most of its joints (N, J, 2) move."""
    steps = np.diff(places, axis=0)
    known = np.isfinite(steps).all(-1)
    middle = np.ma.median(np.ma.masked_array(steps, np.repeat(~known[..., None], 2, -1)), axis=1)
    moved = np.where(known.sum(1, keepdims=True) >= MIN_JOINTS, np.ma.filled(middle, 0.0), 0.0)
    return np.concatenate([np.zeros((1, 2)), moved.cumsum(0)])


def _away(places: np.ndarray, at: np.ndarray, jump: float) -> np.ndarray:
    """Frames (N,) at which something at ``places`` (N, 2), body sizes, is where it came to and left at once.

    Args:
        places: NaN where it was not seen.
        at: (N,) seconds.
        jump: body sizes from one frame to the next that are too many.
    """
    away = np.zeros(len(at), dtype=bool)
    jumps = np.flatnonzero(np.linalg.norm(np.diff(places, axis=0), axis=-1) > _least(np.diff(at), jump))
    for leaves, returns in itertools.pairwise(jumps):
        gone, apart = at[returns + 1] - at[leaves], np.linalg.norm(places[returns + 1] - places[leaves])
        if gone <= AWAY and apart < JUMP[1] + LIMB_SPEED * gone:
            away[leaves + 1 : returns + 1] = True
    return away


def _least(span: np.ndarray, jump: float = JUMP[0]) -> np.ndarray:
    """Body sizes that something has to go from one frame to the next to have jumped; frames are a span apart."""
    return jump + SPEED * np.maximum(span - JUMP_STEP, 0)


def _drop(person: Person, joints: np.ndarray) -> int:
    """Set confidence of some joints (N, J) to 0; how many these are."""
    for k, own in enumerate(joints):
        person.keypoints[k] = np.where(own[:, None], 0.0, person.keypoints[k])
    return int(joints.sum())
