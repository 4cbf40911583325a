"""What was seen in one recording: the people in every frame, and whether the camera stood still.

Detecting takes by far the longest of everything that is done with a video, so what was found is kept on disk, one
file per recording, and nothing is seen twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings import keypoint_json, keypoint_npz
from videomdm.data.recordings.detection import Detector, detect
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.video import SUFFIXES, Video, watch_camera
from videomdm.skeletons.definitions import by_name

#: Endings of what other lifters found, beside the video that it is from (:mod:`videomdm.videos.material` reads them).
LIFTED = (".wham.pkl", ".wham.npz", ".motionbert.npy", ".mvlift.npy", ".elepose.npy")
UNKNOWN_CAMERA = "no video: whether the camera stands still is not known"


@dataclass(frozen=True)
class Source:
    """The files of one recording, side by side under one name.

    Attributes:
        name: their path below the folder, without ending.
        video: None where only keypoints are there.
        keypoints: a file or an OpenPose folder; None where a detector is to find them.
        lifted: what another lifter found (:data:`LIFTED`), or None.
        others: further files of the same kind and name, which are not read.
    """

    name: str
    video: Path | None = None
    keypoints: Path | None = None
    lifted: Path | None = None
    others: tuple[Path, ...] = ()

    @property
    def origin(self) -> str:
        """Where the keypoints are from, for reports."""
        return "detected" if self.keypoints is None else self.keypoints.name


@dataclass(frozen=True)
class Sighting:
    """What is known before one person is chosen.

    Attributes:
        detections: everybody in every frame.
        unfit: what makes the camera unfit (it moves, there is a cut); None for one that stands.
        camera_note: a sentence where the camera could not be judged.
    """

    detections: Detections
    unfit: str | None = None
    camera_note: str | None = None


def sources(folder: str | Path) -> list[Source]:
    """The recordings in a folder and its sub-folders, by name.

    Raises:
        DataError: no such folder, or nothing to read in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, expected one with videos or keypoint files")
    found = _group(sorted(folder.rglob("*")), folder)
    if not found:
        raise DataError(f"{folder}: no video ({', '.join(SUFFIXES)}) and no keypoints (npz, json, OpenPose's folders)")
    return found


def source(file: str | Path) -> Source:
    """One recording by its video, its keypoint file or its OpenPose folder, with what lies beside it.

    Raises:
        DataError: it is not there, or nothing of the kind.
    """
    file = Path(file)
    kind, _ = _kind(file)
    if not file.exists() or kind not in ("video", "keypoints"):
        raise DataError(
            f"{file}: no such video, expected a file that ends in {', '.join(SUFFIXES)}, or keypoints (npz, json, "
            "OpenPose's folders)"
        )
    found = _group(sorted(file.parent.iterdir()), file.parent)
    own = next(s for s in found if file in (s.video, s.keypoints, *s.others))
    return replace(own, **{kind: file}, others=())


def see(source: Source, detector: Detector, cache: Path | None = None) -> Sighting:
    """Read or find the people of a recording, and watch its camera.

    Args:
        source: its files.
        detector: runs on a video that has no keypoints; its ``layout`` names the joints, its ``name`` goes into the
            cache's.
        cache: folder that keeps what was found, of a video also while it is looked at, so that a process that is
            killed goes on; None keeps nothing.

    Raises:
        DataError: whatever is wrong with the files.
    """
    if source.video is None:
        return Sighting(_read(source, None), None, UNKNOWN_CAMERA)
    path = partial = None
    if cache is not None:
        path = cache / f"seen-{source.name.replace('/', '-')}-{_key(source, detector)}.npz"
        if path.exists():
            return _load(path, source.name)
        partial = path.with_suffix(".part.npz")
    video = Video(source.video)
    if source.keypoints is None:
        detections, watch = detect(video, detector, detector.layout, partial)
    else:
        detections = _read(source, video)
        watch = watch_camera(video, detections)
        detections.notes += video.notes
    detections.name = source.name
    found = Sighting(detections, watch.finding, watch.note)
    if path is not None:
        _save(found, path)
        partial.unlink(missing_ok=True)
    return found


def _group(paths: Sequence[Path], folder: Path) -> list[Source]:
    """The recordings that some files and folders make, by name."""
    files: dict[str, Source] = {}
    for path in paths:
        kind, ending = _kind(path)
        if kind:
            name = path.relative_to(folder).as_posix().removesuffix(ending)
            own = files.get(name, Source(name))
            new = {"others": (*own.others, path)} if getattr(own, kind) else {kind: path}
            files[name] = replace(own, **new)
    return [own for _, own in sorted(files.items()) if own.video or own.keypoints]


def _kind(path: Path) -> tuple[str, str]:
    """What a file or folder is for a recording, and the ending that its name has beyond the recording's."""
    if path.is_dir():
        return ("keypoints" if keypoint_json.is_openpose(path) else "", "")
    for ending in LIFTED:
        if path.name.endswith(ending):
            return "lifted", ending
    if path.suffix.lower() in SUFFIXES:
        return "video", path.suffix
    if path.suffix == ".npz" or (path.suffix == ".json" and not keypoint_json.is_openpose(path.parent)):
        return "keypoints", path.suffix
    return "", ""


def _read(source: Source, video: Video | None) -> Detections:
    """Keypoints from a file, timed by the video's own time stamps where their frames are numbered."""
    if source.keypoints.suffix == ".npz":
        detections = keypoint_npz.read(source.keypoints)
    elif video is None:
        raise DataError(
            f"{source.keypoints}: no video of this name beside it, expected one to tell frame rate and size"
        )
    else:
        detections = keypoint_json.read(source.keypoints, video.width, video.height, video.fps)
        frames = np.round(detections.times * video.fps).astype(int)
        stamps = video.stamps()
        frames -= max(0, frames[-1] + 1 - len(stamps)) if frames[0] else 0  # counted from 1
        if frames[-1] < len(stamps):
            detections.times = stamps[frames]
        else:
            detections.notes.append(f"keypoints of {frames[-1] + 1} frames for a video of {len(stamps)}")
    detections.name = source.name
    return detections


def _key(source: Source, detector: Detector) -> str:
    """Changes when a file does, or the detector that runs."""
    parts: list[object] = [] if source.keypoints else [getattr(detector, "name", type(detector).__qualname__)]
    for path in (source.video, source.keypoints):
        files = sorted(path.iterdir()) if path and path.is_dir() else [path] if path else []
        parts += [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]


def _save(found: Sighting, path: Path) -> None:
    seen = found.detections
    camera = {} if seen.intrinsics is None else {"intrinsics": seen.intrinsics.matrix, "origin": seen.intrinsics.origin}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    np.savez_compressed(
        partial, people=np.concatenate(seen.people), counts=[len(p) for p in seen.people], times=seen.times,
        layout=seen.layout.name, size=(seen.width, seen.height), notes=np.array(seen.notes, dtype=np.str_),
        unfit=found.unfit or "", camera_note=found.camera_note or "", **camera,
    )  # fmt: skip
    os.replace(partial, path)


def _load(path: Path, name: str) -> Sighting:
    with np.load(path, allow_pickle=False) as file:
        a = dict(file)
    size = tuple(a["size"].tolist())
    camera = None
    if "intrinsics" in a:
        m = a["intrinsics"].tolist()
        camera = Intrinsics(m[0][0], m[1][1], m[0][2], m[1][2], *size, str(a["origin"]))
    people = np.split(a["people"], a["counts"].cumsum()[:-1])
    seen = Detections(people, a["times"], by_name(str(a["layout"])), *size, name, a["notes"].tolist(), camera)
    return Sighting(seen, str(a["unfit"]) or None, str(a["camera_note"]) or None)
