"""People found in a video by a detector, frame by frame.

Detecting takes by far the longest of everything that is done with a video.  So the next frame is decoded and the
camera is watched while the detector works on this one, and what was found is kept every few seconds: a process that
is killed in the middle goes on from there.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar
from zipfile import BadZipFile

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings import rtmpose
from videomdm.data.recordings.blazepose import BlazePose
from videomdm.data.recordings.detections import Detections
from videomdm.data.recordings.static_camera import CameraWatch
from videomdm.data.recordings.tracking import SEEN, box
from videomdm.data.recordings.video import Video
from videomdm.skeletons.definitions import Skeleton
from videomdm.storage.progress import Bar

DETECTORS = ("auto", "rtmpose", "blazepose")
KEEP_EVERY = 5.0  # seconds after which what was found is kept

log = logging.getLogger(__name__)
Item = TypeVar("Item")


class Detector(Protocol):
    """Finds people in images.

    Called with a BGR image (H, W, 3), it gives people (P, J, 3): x and y in pixels, confidence in 0..1.  It may have a
    ``name``, by which caches know it.  One that carries something from image to image has it in an array ``state``,
    which is empty before a video.

    Attributes:
        layout: the joints.
    """

    layout: Skeleton

    def __call__(self, image: np.ndarray) -> np.ndarray: ...


def choose(detector: Detector | str) -> Detector:
    """The detector of a name; anything else is taken as a detector.

    ``"rtmpose"`` is the paper's, ``"blazepose"`` needs no download, and ``"auto"`` is RTMPose where its package and
    weights are there, else BlazePose.

    Raises:
        ValueError: another name.
    """
    if not isinstance(detector, str):
        return detector
    if detector not in DETECTORS:
        raise ValueError(f"detector is {detector!r}, expected one of {', '.join(DETECTORS)}")
    if detector == "rtmpose" or (detector == "auto" and rtmpose.is_there()):
        return rtmpose.OnDemand()
    return BlazePose()


def detect(
    video: Video, detector: Detector, layout: Skeleton, partial: Path | None = None
) -> tuple[Detections, CameraWatch]:
    """Run a detector over a video, watching the camera at the same time.

    Args:
        video: the file.
        detector: called with each frame.
        layout: the detector's joints.
        partial: file that keeps what was found so far; where it is there, detection goes on from it.

    Returns:
        Everybody in every frame, and what is known of the camera's motion.

    Raises:
        DataError: a video of a single frame.
    """
    begun = _begun(partial, layout)
    people, times, watch, kept = [], [], CameraWatch(), time.monotonic()
    seconds = round(video.promised / video.fps, 1) or None
    form = "{desc}: {percentage:3.0f} % of {total:.0f} s |{bar}| {elapsed}<{remaining}" if seconds else None
    shown = {"bar_format": form, "delay": 2, "mininterval": 1, "leave": False}
    everything = closing(ahead(_found(ahead(video), detector, *begun)))
    with everything as looked_at, Bar(total=seconds, desc=f"people in {video.path.name}", **shown) as bar:
        for now, image, found, state in looked_at:
            bar.update(now - times[-1] if times else 0)
            times.append(now)
            people.append(found)
            seen = [k * (k[:, 2:] >= SEEN) for k in found]
            watch.look(image, now, [box(k) for k in seen if k[:, 2].any()])
            if partial is not None and len(people) > len(begun[0]) and time.monotonic() - kept > KEEP_EVERY:
                _keep(partial, people, state)
                kept = time.monotonic()
    if len(times) < 2:
        raise DataError(f"{video.path}: a single frame, expected a video")
    name, by = str(video.path), getattr(detector, "name", None)
    notes = [*([f"keypoints by {by}"] if by else []), *video.notes]
    found = Detections(people, np.array(times), layout, video.width, video.height, name, notes, sized=True)
    found.pixel_aspect = video.pixel_aspect
    watch.ask_feet(found)
    return found, watch


def _found(
    frames: Iterator[tuple[float, np.ndarray]], detector: Detector, begun: list[np.ndarray], state: np.ndarray
) -> Iterator[tuple[float, np.ndarray, np.ndarray, np.ndarray]]:
    """Time, image, people and the detector's state after it, of every frame; the first are known already."""
    if hasattr(detector, "state"):
        detector.state = state
    with closing(frames):
        for k, (now, image) in enumerate(frames):
            found = begun[k] if k < len(begun) else detector(image)
            yield now, image, found, getattr(detector, "state", state)


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each made in a thread of its own while the one before it is used; to be closed if not all are.

    The items' iterator is closed, too.  Ended by the garbage collector while a thread begins, either waits for ever.
    """
    nothing = object()
    with closing(iter(items)) as source, ThreadPoolExecutor(1) as aside:
        coming = aside.submit(next, source, nothing)
        while (item := coming.result()) is not nothing:
            coming = aside.submit(next, source, nothing)
            yield item


def _keep(path: Path, people: list[np.ndarray], state: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(f".{os.getpid()}-{path.name}")
    np.savez(begun, people=np.concatenate(people), counts=[len(p) for p in people], state=state)
    os.replace(begun, path)


def _begun(path: Path | None, layout: Skeleton) -> tuple[list[np.ndarray], np.ndarray]:
    """People of the frames that were looked at before, and the detector's state after them."""
    if path is None or not path.exists():
        return [], np.zeros(0)
    try:
        with np.load(path, allow_pickle=False) as file:
            people, counts, state = file["people"], file["counts"], file["state"]
        if people.shape[1:] != (len(layout), 3) or counts.sum() != len(people):
            raise ValueError(f"people have shape {people.shape}, expected ({counts.sum()}, {len(layout)}, 3)")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        log.warning("%s is damaged (%s): the video is looked at from its beginning", path, error)
        return [], np.zeros(0)
    return np.split(people, counts.cumsum()[:-1]), state
