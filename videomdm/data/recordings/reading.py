"""What was seen in one recording: the people in every frame, and whether the camera stood still.

Detecting takes by far the longest of everything that is done with a video, so what was found is kept on disk, one
file per recording, and nothing is seen twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from videomdm.conventions import REPORT, DataError
from videomdm.data.recordings import camera_units, clock, footing, keypoint_json, keypoint_npz, plausible
from videomdm.data.recordings.detection import Detector, detect
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.names import composed, safe, split_ending
from videomdm.data.recordings.video import SUFFIXES, Video, watch_camera
from videomdm.skeletons.definitions import by_name

#: Endings of what other lifters found, beside the video that it is from (read by :mod:`videomdm.videos.other_lifters`).
LIFTED = (".wham.pkl", ".wham.npz", ".motionbert.npy", ".mvlift.npy", ".elepose.npy")
#: Every ending that a recording's files have beyond its name.
ENDINGS = (*SUFFIXES, *LIFTED, ".npz", ".json")
#: What programs append to a recording's name for its keypoints.
_PROGRAMS = ("json", "pose", "keypoints", "openpose", "alphapose", "mmpose")
KEYPOINT_ENDINGS = tuple(f"{mark}{word}" for mark in "_-." for word in _PROGRAMS)
#: Files that a folder may hold beside recordings without a word.
_OURS = ("captions.csv", "thumbs.db", "desktop.ini")
_VERSION = 6  # to be raised when the same files are read otherwise: what was kept before is then read again
UNKNOWN_CAMERA = "no video: whether the camera stands still is not known"
SLIDING = "; the feet never rest in the image, so it moves, or the person rides"


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
    def files(self) -> tuple[Path, ...]:
        """All of them that are there."""
        return tuple(file for file in (self.video, self.keypoints, self.lifted, *self.others) if file)

    @property
    def origin(self) -> str:
        """Where the keypoints are from, for reports."""
        return "detected" if self.keypoints is None else self.keypoints.name


@dataclass(frozen=True)
class CheckedDetections:
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
    found = _group([folder, *visible(folder)], folder)
    if not found:
        raise DataError(f"{folder}: no video ({', '.join(SUFFIXES)}) and no keypoints (npz, json, folders of frames)")
    return found


def strangers(folder: Path, found: Sequence[Source], deep: bool = True) -> list[str]:
    """The files in a folder, and if ``deep`` in its sub-folders, that are no part of recordings, by paths below it."""
    used = {path for s in found for path in s.files}
    frames = {path: keypoint_json.recordings_of(path) for path in used if path.is_dir()}
    names = {s.name for s in found}
    left = []
    for path in visible(folder) if deep else sorted(folder.iterdir()):
        place = path.relative_to(folder)
        name, ending = split_ending(composed(place.as_posix()), (".txt",))
        known = path in used or (ending and name in names) or place.name.lower() in _OURS
        if path.is_file() and not known and not keypoint_json.is_frame(path, frames.get(path.parent, ())):
            left.append(place.as_posix())
    return left


def source(file: str | Path) -> Source:
    """One recording by its video, its keypoint file or its OpenPose folder, with what lies beside it.

    Raises:
        DataError: it is not there, or nothing of the kind.
    """
    file = Path(file)
    found = _group([file.parent, *sorted(file.parent.iterdir())], file.parent) if file.exists() else []
    own = next((s for s in found if file in (s.video, s.keypoints, *s.others)), None)
    if own is None or split_ending(file.name, LIFTED)[1]:
        there = "neither a video nor keypoints (motions in 3-D: videomdm export)" if file.exists() else "no such video"
        raise DataError(
            f"{file}: {there}, expected a file that ends in {', '.join(SUFFIXES)}, or keypoints (npz, json, folders of "
            "frames)"
        )
    if file.is_dir() and len(stems := keypoint_json.recordings_of(file)) > 1:
        raise DataError(f"{file}: frames of {', '.join(stems)}, expected those of one recording, or the folder above")
    kind = "video" if file.suffix.lower() in SUFFIXES else "keypoints"
    others = tuple(other for other in (getattr(own, kind), *own.others) if other not in (file, None))
    return replace(own, **{kind: file}, others=others)


def holds_frames_alone(folder: Path) -> bool:
    """Whether a folder of frames' keypoints holds no video, whose frames they would be."""
    return not any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())


def see(source: Source, detector: Detector, cache: str | Path | None = None) -> CheckedDetections:
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
        detections = _read(source, None)
        return CheckedDetections(detections, None, UNKNOWN_CAMERA + SLIDING * bool(footing.sliding(detections)))
    path = partial = None
    if cache is not None:
        path = Path(cache) / f"seen-{safe(source.name)}-{_key(source, detector)}.npz"
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
    found = CheckedDetections(detections, watch.finding, watch.note)
    if path is not None:
        _save(found, path)
        partial.unlink(missing_ok=True)
    return found


def _group(paths: Sequence[Path], folder: Path) -> list[Source]:
    """The recordings that some files and folders make, by name."""
    files: dict[str, Source] = {}
    frames = {path: keypoint_json.recordings_of(path) for path in paths if path.is_dir()}
    for path in paths:
        for name, kind in _roles(path, folder, frames):
            own = files.get(name, Source(name))
            new = {"others": (*own.others, path)} if getattr(own, kind) else {kind: path}
            files[name] = replace(own, **new)
    return [own for _, own in sorted(_reunited(files).items()) if own.video or own.keypoints]


def _roles(path: Path, folder: Path, frames: dict[Path, list[str]]) -> Iterator[tuple[str, str]]:
    """The recordings that a file or folder belongs to, and what it is for them."""
    place = composed(path.relative_to(folder).as_posix())
    if path in frames:
        if path != folder and len(frames[path]) == 1:
            yield place, "keypoints"  # squat/ for squat.mp4; other namings are brought together afterwards
        else:
            above = "" if path == folder else f"{place}/"
            yield from ((f"{above}{stem or path.name}", "keypoints") for stem in frames[path])
        return
    name, ending = split_ending(place, ENDINGS)
    ending = ending.lower()
    if ending in LIFTED:
        yield name, "lifted"
    elif ending in SUFFIXES:
        yield name, "video"
    elif _holds_keypoints(path, ending) and not keypoint_json.is_frame(path, frames.get(path.parent, ())):
        yield name, "keypoints"


def _holds_keypoints(path: Path, ending: str) -> bool:
    """Whether a file is one of keypoints, good or bad, and not a motion or a report that the package wrote."""
    if ending == ".npz":
        return not keypoint_npz.is_motion(path)
    return ending == ".json" and not (path.name == REPORT and keypoint_json.is_report(path))


def _reunited(files: dict[str, Source]) -> dict[str, Source]:
    """Keypoints that lie elsewhere or are called ``squat_json`` given to the one video without keypoints they name."""
    lacking: dict[str, list[str]] = {}
    for name, own in files.items():
        if own.video and not own.keypoints:
            lacking.setdefault(PurePosixPath(name).name, []).append(name)
    for name, own in list(files.items()):
        if own.video or own.lifted or own.others or not own.keypoints or own.keypoints.suffix.lower() == ".npz":
            continue  # an npz file tells size and rate, and is a recording by itself
        stems = keypoint_json.recordings_of(own.keypoints) if own.keypoints.is_dir() else []
        for stem in (*namesakes(PurePosixPath(name).name), *stems):
            if len(lacking.get(stem, ())) == 1:
                (video,) = lacking.pop(stem)
                files[video] = replace(files[video], keypoints=own.keypoints)
                del files[name]
                break
    return files


def namesakes(name: str) -> list[str]:
    """What a video may be called whose keypoints are called ``squat_keypoints``, ``results_squat`` or ``squat.mp4``."""
    bare = split_ending(name.removeprefix("results_"), KEYPOINT_ENDINGS)[0]
    return [name, bare, split_ending(bare, SUFFIXES)[0]]


def visible(folder: Path) -> list[Path]:
    """Everything in a folder and its sub-folders, linked ones too, but what is hidden (a Mac's ``._squat.mp4``)."""
    found: list[Path] = []
    places = {folder.resolve()}  # a link may lead back up
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [
            name for name in sorted(folders, key=lambda name: (Path(place, name).is_symlink(), name))
            if not name.startswith(".") and (real := Path(place, name).resolve()) not in places and not places.add(real)
        ]  # fmt: skip
        found += [Path(place, name) for name in (*folders, *files) if not name.startswith(".")]
    return sorted(found)


def _read(source: Source, video: Video | None) -> Detections:
    """Keypoints from a file, timed by the video's own time stamps where their frames are numbered."""
    if source.keypoints.suffix.lower() == ".npz":
        detections = keypoint_npz.read(source.keypoints)
    elif video is None:
        raise DataError(
            f"{source.keypoints}: no video of this name beside it, expected one to tell frame rate and size"
        )
    else:
        name = PurePosixPath(source.name).name
        detections = keypoint_json.read(source.keypoints, video.width, video.height, video.fps, name)
    detections.name = source.name
    if video is None:
        return clock.looked_at(clock.of_no_film(detections))
    detections = plausible.against_film(detections, video.width, video.height, video.rotation)
    if video.pixel_aspect == 1:
        detections.notes += camera_units.of_square_pixels(detections.intrinsics)
    else:  # whether keypoints are of pixels as stored or as shown, the shape of their image tells
        shown = video.pixel_aspect * video.width / video.height
        detections.pixel_aspect = shown / (detections.width / detections.height)
    seen_by = clock.Film(video.stamps(), video.fps)
    timed = clock.seconds if detections.frames is None else clock.number
    return clock.looked_at(timed(detections, seen_by))


def film(source: Source) -> clock.Film | None:
    """The clock of a recording: its video's time stamps, else the times that an npz file tells; None with neither."""
    if source.video is not None:
        video = Video(source.video)
        return clock.Film(video.stamps(), video.fps)
    if source.keypoints is None or source.keypoints.suffix.lower() != ".npz" or not source.keypoints.is_file():
        return None
    times = keypoint_npz.times(source.keypoints)
    return clock.Film(times, (len(times) - 1) / (times[-1] - times[0])) if len(times) > 1 else None


def _key(source: Source, detector: Detector) -> str:
    """Changes when a file does, or the detector that runs."""
    parts: list[object] = [_VERSION]
    parts += [] if source.keypoints else [getattr(detector, "name", type(detector).__qualname__)]
    for path in (source.video, source.keypoints):
        files = sorted(path.iterdir()) if path and path.is_dir() else [path] if path else []
        parts += [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]


def _save(found: CheckedDetections, path: Path) -> None:
    seen = found.detections
    camera = {} if seen.intrinsics is None else {"intrinsics": seen.intrinsics.matrix, "origin": seen.intrinsics.origin}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    np.savez_compressed(
        partial, people=np.concatenate(seen.people), counts=[len(p) for p in seen.people], times=seen.times,
        layout=seen.layout.name, size=(seen.width, seen.height), pixel_aspect=seen.pixel_aspect,
        notes=np.array(seen.notes, dtype=np.str_), unfit=found.unfit or "", camera_note=found.camera_note or "",
        **camera,
    )  # fmt: skip
    os.replace(partial, path)


def _load(path: Path, name: str) -> CheckedDetections:
    with np.load(path, allow_pickle=False) as file:
        a = dict(file)
    size = tuple(a["size"].tolist())
    camera = None
    if "intrinsics" in a:
        m = a["intrinsics"].tolist()
        camera = Intrinsics(m[0][0], m[1][1], m[0][2], m[1][2], *size, str(a["origin"]))
    people = np.split(a["people"], a["counts"].cumsum()[:-1])
    seen = Detections(people, a["times"], by_name(str(a["layout"])), *size, name, a["notes"].tolist(), camera)
    seen.sized, seen.pixel_aspect = True, float(a["pixel_aspect"])  # only recordings with a film are kept
    return CheckedDetections(seen, str(a["unfit"]) or None, str(a["camera_note"]) or None)
