"""When something was seen: the frames that other programs number, count or time, against the film's own time stamps.

Other programs say little of time.  OpenPose, AlphaPose and MMPose number frames, lifters write one pose per frame, an
npz file tells frames per second or seconds.  Whether the numbers are those of the film beside them can be checked:
as many entries as frames, a fixed step between the frames that were looked at, frames that were extracted at another
rate and numbered anew, frames of a longer recording.  What is certain is put right and said in a note; what could be
one thing or another is refused, with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from videomdm.cameras.keypoints import LONGEST_STEP
from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections

#: Frames per second at which people extract frames, and lifters work.
RATES = (5, 10, 12, 12.5, 15, 20, 24, 25, 30, 50, 60, 100, 120, 240)
FEW = 2  # frames that readers of films disagree about
MISSING = 0.02  # share of the film's frames without keypoints at its end that is not worth a note
MULTIPLES = range(2, 9)  # whole numbers of frames of which one was taken
EDGE = 0.04  # image widths from the edge of somebody who may be about to leave the picture
LATEST = 86_400.0  # seconds: no recording lasts longer, and times that begin later are of the clock
STAMPS = 10  # times sparser than other numbers in the same names: these are time stamps, not frames
MIN_STEPS = 5  # numbers from which a common step between them means something


@dataclass(frozen=True)
class Film:
    """The clock that others are compared with.

    Attributes:
        stamps: (F,) seconds of every frame, increasing.
        fps: the nominal frame rate.
    """

    stamps: np.ndarray
    fps: float

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def step(self) -> float:
        """Seconds between two frames, the median."""
        return float(np.median(np.diff(self.stamps))) if len(self) > 1 else 1 / self.fps

    @property
    def seconds(self) -> float:
        """How long the film is."""
        return float(self.stamps[-1] - self.stamps[0]) + self.step

    @property
    def uneven(self) -> bool:
        """Whether the frame rate varies, so that the number of frames is not seconds times the nominal rate."""
        return abs(self.seconds * self.fps - len(self)) > FEW

    def __str__(self) -> str:
        return f"a film of {len(self)} frames ({self.seconds:.2f} s at {len(self) / self.seconds:.4g} frames a second)"


# ---- frame numbers ---------------------------------------------------------------------------------------


def frame_numbers(names: Sequence[str], where: Path | str, repeated: bool = False) -> list[int]:
    """The frame numbers in names such as ``walk_000000000012_keypoints.json``, ``12.jpg`` or ``frame12_1080p.png``.

    Args:
        names: of frames, in any order.
        where: the file or folder, for messages.
        repeated: whether several entries may name one frame (several people); their names are then equal.

    Raises:
        DataError: a name without a number, or two frames of one number.
    """
    groups = [re.findall(r"\d+", name) for name in names]
    for name, found in zip(names, groups, strict=True):
        if not found:
            raise DataError(f"{where}: {name!r} names no frame number")
    different = len(set(names)) if repeated else len(names)
    columns = [[int(g[-place]) for g in groups] for place in range(1, min(map(len, groups)) + 1)]
    if telling := [numbers for numbers in columns if len(set(numbers)) == different]:
        last, densest = telling[0], min(telling, key=_sparseness)
        # milliseconds within a second are in another order than frames, and many more are possible
        sparser = _sparseness(last) / _sparseness(densest)
        return densest if sparser > STAMPS or list(np.argsort(last)) != list(np.argsort(densest)) else last
    numbers = [int(g[-1]) for g in groups]
    seen: dict[int, str] = {}
    for number, name in zip(numbers, names, strict=True):
        if number in seen and (seen[number] != name or not repeated):
            raise DataError(
                f"{where}: {seen[number]!r} and {name!r} both name frame {number}, expected one frame per number "
                "(files of two recordings or runs in one place?)"
            )
        seen[number] = name
    return numbers


def _sparseness(numbers: Sequence[int]) -> float:
    """How many numbers there could be, in their common step, for each that there is."""
    ascending = np.unique(numbers)
    return float((ascending[-1] - ascending[0]) / common_step(ascending) + 1) / len(ascending)


def common_step(numbers: np.ndarray) -> int:
    """The step between ascending frame numbers (N,) where all follow one, else 1."""
    return int(np.gcd.reduce(np.diff(numbers))) if len(numbers) >= MIN_STEPS else 1


def number_times(
    numbers: np.ndarray, film: Film, name: str, what: str = "keypoints", leaves: bool = False
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Seconds of numbered frames.

    Args:
        numbers: (N,) ascending frame numbers.
        film: that was looked at.
        name: of the recording or file, for messages.
        what: is in it, for messages.
        leaves: whether the person leaves the picture in the last of them, so that they may end before the film.

    Returns:
        (N',) seconds of the frames that the film has, (N,) bool which these are, and notes.

    Raises:
        DataError: the numbers fit the film at another rate, or not at all.
    """
    numbers, notes = _counted_from_zero(numbers, film, f"{name}, {what}")
    step = common_step(numbers)
    if step > 1:
        if step * film.step > LONGEST_STEP:
            raise DataError(
                f"{name}: every {_ordinal(step)} frame, {step * film.step:.2f} s apart, expected at most "
                f"{LONGEST_STEP} s"
            )
        if numbers[-1] < len(film):
            notes.append(f"every {_ordinal(step)} frame of the film was looked at")
    elif numbers[-1] >= len(film) or not (leaves or numbers[0] > FEW):
        constant = _same_rate(int(numbers[-1]) + 1 - min(int(numbers[0]), 1), film, f"{name}, {what}")
        if constant:
            return numbers / film.fps, np.ones(len(numbers), bool), [*notes, constant]
    inside = numbers < len(film)
    if not inside.any():
        raise DataError(f"{name}: frames numbered {numbers[0]} to {numbers[-1]} for {film}")
    if not inside.all():
        notes.append(
            f"{what} of {numbers[-1] + 1} frames for a video of {len(film)}: the {int((~inside).sum())} past its end "
            "are cut (left over from another run, or the film was shortened?)"
        )
    elif len(film) - 1 - numbers[-1] > max(FEW, step, MISSING * len(film)):
        last = numbers[-1]
        notes.append(
            f"{what} of {last + 1} frames for a video of {len(film)}: they end at {film.stamps[last]:.1f} of "
            f"{film.seconds:.1f} s (if frames were extracted at another rate, number them as in the video)"
        )
    return film.stamps[numbers[inside]], inside, notes


def number(detections: Detections, film: Film) -> Detections:
    """Detections of numbered frames (``detections.frames``) at the film's time stamps; see :func:`number_times`."""
    leaves = _leaves(detections)
    times, inside, notes = number_times(detections.frames, film, detections.name, leaves=leaves)
    people = [p for p, kept in zip(detections.people, inside, strict=True) if kept]
    return replace(
        detections, people=people, times=times, frames=detections.frames[inside], notes=detections.notes + notes
    )


def _leaves(detections: Detections) -> bool:
    """Whether the last people seen touch the picture's edge on their way out."""
    last = next((p for p in reversed(detections.people) if (p[..., 2] > 0).any()), None)
    if last is None:
        return False
    points = last[..., :2][last[..., 2] > 0] / (detections.width, detections.height)
    return bool((points[:, 0] < EDGE).any() or (points[:, 0] > 1 - EDGE).any())


def _counted_from_zero(numbers: np.ndarray, film: Film, what: str) -> tuple[np.ndarray, list[str]]:
    """Numbers as the film's frames are counted, from 0."""
    first, last = int(numbers[0]), int(numbers[-1])
    if first == 0 or last < len(film):
        return numbers, []
    if first == 1:
        return numbers - 1, []
    if abs(last + 1 - first - len(film)) <= common_step(numbers) - 1:
        return numbers - first, [f"frames are numbered from {first}: the first is taken for the film's first"]
    raise DataError(
        f"{what}: frames numbered {first} to {last} for {film}; number them from 0, as in this film (are they of a "
        "longer recording that it was cut from?)"
    )


def _same_rate(count: int, film: Film, what: str) -> str | None:
    """Refuse entries that fit the film at another rate; a note where they fit its nominal, but not its own rate."""
    if abs(count - len(film)) <= FEW:
        return None
    if film.uneven and abs(count - film.seconds * film.fps) <= FEW:
        return f"one entry for each 1/{film.fps:g} s of a film whose rate varies: timed by that rate"
    rate = _rate(count, film, any_rate=count > len(film))  # fewer: people leave the picture when they like
    if rate is None:
        return None
    raise DataError(
        f"{what}: entries for {count} frames for {film}: they fit it at {rate:.4g} frames a second, numbered "
        "anew. Number them as in the film, or give their own rate or times: an npz file with `fps` or `times`"
    )


def _rate(count: int, film: Film, any_rate: bool = True) -> float | None:
    """The rate at which so many entries fill the film: a whole multiple or part of its own, or one of :data:`RATES`."""
    own = len(film) / film.seconds
    for k in MULTIPLES:
        if abs(count - len(film) / k) <= 1:
            return own / k
        if abs(count - len(film) * k) <= k:
            return own * k
    if not any_rate:
        return None
    fits = [r for r in RATES if abs(count - film.seconds * r) <= 1 and abs(r - own) > 0.02 * own]
    return float(fits[0]) if fits else None


def _ordinal(k: int) -> str:
    words = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return words.get(k, f"{k}th")


def looked_at(detections: Detections) -> Detections:
    """The frames that a detector looked at, where people are in every second (third, ...) one alone.

    The empty ones between, which say that nobody is seen, were passed over.
    """
    held = np.flatnonzero([bool((found[..., 2] > 0).any()) for found in detections.people])
    step = common_step(held)
    if step == 1 or step * float(np.median(np.diff(detections.times))) > LONGEST_STEP:
        return detections
    kept = slice(held[0] % step, None, step)
    frames = None if detections.frames is None else detections.frames[kept]
    note = f"people are in every {_ordinal(step)} frame alone: the others were not looked at"
    return replace(
        detections, people=detections.people[kept], times=detections.times[kept], frames=frames,
        notes=[*detections.notes, note],
    )  # fmt: skip


# ---- seconds ---------------------------------------------------------------------------------------------


def of_no_film(detections: Detections) -> Detections:
    """Detections that tell their own times and have no film: times of the clock are counted from the first.

    Raises:
        DataError: as :func:`check_seconds` does.
    """
    check_seconds(detections.times, detections.name)
    first = float(detections.times[0])
    if 0 <= first < LATEST:
        return detections
    note = f"times begin at {first:.3g} s: counted from the first"
    return replace(detections, times=detections.times - first, notes=[*detections.notes, note])


def check_seconds(times: np.ndarray, name: str) -> None:
    """Refuse times (F,) that cannot be seconds of consecutive frames.

    Raises:
        DataError: most are farther apart than a person's motion can be followed over.
    """
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    if step > LONGEST_STEP:
        raise DataError(
            f"{name}: {step:.4g} s from frame to frame (`fps` {1 / step:.4g}), expected seconds, at most "
            f"{LONGEST_STEP} apart (are they milliseconds, frame numbers, or seconds per frame?)"
        )


def seconds(detections: Detections, film: Film) -> Detections:
    """Detections that tell their own times, checked against the film that they are of.

    One entry for each of the film's frames has the frame's time.  Otherwise times are believed where they end with the
    film or before it; what lies past its end is cut.

    Raises:
        DataError: the times do not fit the film; one thing or another could be meant.
    """
    times, count, name = detections.times, len(detections.times), detections.name
    if abs(count - len(film)) <= FEW:
        return _frame_by_frame(detections, film)
    thousandths = len(times) > 1 and np.median(np.diff(times)) > LONGEST_STEP
    if thousandths and abs(times[-1] / 1000 - film.stamps[-1]) <= max(0.05 * film.seconds, 2 * film.step):
        note = "times are milliseconds: taken as such"
        return seconds(replace(detections, times=times / 1000, notes=[*detections.notes, note]), film)
    check_seconds(times, name)
    end = film.stamps[-1] + film.step
    duration = float(times[-1] - times[0]) + float(np.median(np.diff(times))) if count > 1 else film.step
    if times[0] >= end:
        raise DataError(f"{name}: times from {times[0]:.2f} s on, but the film ends at {end:.2f} s")
    agrees = abs(duration - film.seconds) <= max(0.03 * film.seconds, FEW * film.step)
    if not agrees and (rate := _rate(count, film)):
        raise DataError(
            f"{name}: {count} entries that take {duration:.2f} s by their own times for {film}: they fit it at "
            f"{rate:.4g} frames a second; give `fps` or `times` as in the film"
        )
    inside = times < end
    notes = list(detections.notes)
    if not inside.all():
        cut = int((~inside).sum())
        notes.append(f"keypoints last to {times[-1]:.2f} s, the film to {end:.2f} s: the {cut} past its end are cut")
    elif film.seconds - duration > max(FEW * film.step, 0.1 * film.seconds):
        notes.append(f"keypoints cover {times[0]:.1f} to {times[-1]:.1f} s of a video of {film.seconds:.1f} s")
    people = [p for p, kept in zip(detections.people, inside, strict=True) if kept]
    return replace(detections, people=people, times=times[inside], notes=notes)


def _frame_by_frame(detections: Detections, film: Film) -> Detections:
    """One entry per frame: at the film's time stamps, which is said where the file told others."""
    count = min(len(detections.times), len(film))
    given, stamps = detections.times[:count], film.stamps[:count]
    notes = list(detections.notes)
    if np.abs((given - given[0]) - (stamps - stamps[0])).max() > film.step or abs(given[0] - stamps[0]) > film.step:
        rate = (count - 1) / (given[-1] - given[0]) if count > 1 else 0.0
        notes.append(
            f"one entry for each frame of the film, but times at {rate:.4g} frames a second: the film's time stamps "
            f"are used ({len(film) / film.seconds:.4g} frames a second)"
        )
    if len(detections.times) > count:
        notes.append(f"keypoints of {len(detections.times)} frames for a video of {count}: those past its end are cut")
    return replace(detections, people=detections.people[:count], times=stamps, notes=notes)


# ---- poses that others lifted ----------------------------------------------------------------------------


def pose_times(count: int, film: Film, fps: float | None, what: str) -> tuple[np.ndarray, list[str]]:
    """Seconds of so many consecutive poses that another lifter found in a film.

    Args:
        count: of poses.
        film: that was lifted.
        fps: at which the lifter works, where it has a rate of its own.
        what: the file, for messages.

    Returns:
        (N,) seconds, fewer than ``count`` where the film ends before, and notes.

    Raises:
        DataError: as many poses as neither the film's frames nor the lifter's rate make.
    """
    if abs(count - len(film)) <= FEW:
        over = count - len(film)
        notes = [f"{what}: {count} poses for a film of {len(film)} frames: {over} past its end cut"] if over > 0 else []
        return film.stamps[:count], notes
    for rate in dict.fromkeys(filter(None, (fps, film.fps if film.uneven else None))):
        if abs(count - film.seconds * rate) <= max(FEW, 0.01 * count):
            times = np.arange(count) / rate + film.stamps[0]
            return times[times < film.stamps[-1] + film.step], []
    wanted = f", or {film.seconds * fps:.0f} at {fps:g} frames a second" if fps else ""
    raise DataError(
        f"{what}: {count} poses for {film}, expected one for each frame{wanted}; lift the film itself, all of "
        "its frames"
    )
