"""What other lifters found, in a file beside the video: read, timed by the film, and held against the keypoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from videomdm.conventions import DataError
from videomdm.data import body
from videomdm.data.recordings import reading
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.data.recordings.reading import Source
from videomdm.lifters import elepose, motionbert, mvlift, results
from videomdm.lifters.results import Lifted
from videomdm.skeletons.definitions import SMPL22
from videomdm.videos import matching

#: Readers of what other lifters found, by their name in the file's (:data:`videomdm.data.recordings.reading.LIFTED`);
#: WHAM's files hold several people, and :mod:`videomdm.videos.matching` reads them.
LIFTERS: dict[str, Callable[[Path], Lifted]] = {
    "motionbert": motionbert.read, "mvlift": mvlift.read, "elepose": elepose.read,
}  # fmt: skip
OWN_RATE = ("mvlift", "elepose")  # these work at a rate of their own; others give a pose for each frame of the video


def other_lifter(source: Source, fps: float, track: KeypointTrack | None = None) -> Lifted | None:
    """What another lifter found in a recording, as SMPL-22 at ``fps``; None where there is no file of one.

    Its time is the film's (:mod:`videomdm.data.recordings.clock`).

    Args:
        source: the recording's files.
        fps: of the result.
        track: of the person who is wanted, where the lifter found several (:mod:`videomdm.videos.matching`); gets
            notes on what was taken.

    Raises:
        DataError: the file is not what its ending says, or not of this film.
    """
    if source.lifted is None:
        return None
    kind, film = source.lifted.name.rsplit(".", 2)[1], reading.film(source)
    if kind == "wham":
        found, notes = matching.from_wham(source.lifted, film, fps, track)
        body.check(found.joints[found.valid], str(source.lifted))
    else:
        found = LIFTERS[kind](source.lifted)
        if found.skeleton != SMPL22:
            found = replace(found, joints=results.to_smpl22(found.joints, found.skeleton), skeleton=SMPL22)
        body.check(found.joints, str(source.lifted))  # as written: between frames of a fast turn bones shrink
        found, notes = matching.poses(found, film, fps, found.fps if kind in OWN_RATE else None)
    if track is not None:
        notes += matching.out_of_step(found, track)
        track.notes += [note for note in notes if note not in track.notes]
    return found


def usable_lifter(track: KeypointTrack, source: Source) -> tuple[Lifted | None, list[str]]:
    """:func:`other_lifter`'s motion, held against the track (:func:`videomdm.data.body.check_upright`), and notes.

    None, with a note, where there is a file of another lifter but it cannot be used.
    """
    try:
        lifted = other_lifter(source, track.fps, track)
        return lifted, [] if lifted is None else _check_up(track, lifted, source)
    except DataError as error:
        return None, [f"{error}; the package's teacher lifts instead"]


def _check_up(track: KeypointTrack, lifted: Lifted, source: Source) -> list[str]:
    at, seen = matching.matched(track, lifted)
    confidence = track.confidence * seen[:, None]
    return body.check_upright(lifted.joints[at], track.keypoints, confidence, source.lifted.name)
