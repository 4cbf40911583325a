"""A folder of videos, or of keypoints that other programs found in them, made ready for training.

It reads videos (:data:`videomdm.data.recordings.video.SUFFIXES`), npz files
(:mod:`videomdm.data.recordings.keypoint_npz`), and OpenPose folders and AlphaPose or MMPose files
(:mod:`videomdm.data.recordings.keypoint_json`).  Keypoints and the video they are from belong side by side under one
name: ``squat.mp4`` and ``squat.json``, ``squat.npz`` or ``squat/`` (OpenPose); no detector runs then, and the video
gives frame rate, size and whether the camera moved.  Captions stand in ``squat.txt`` or ``captions.csv``, or are the
files' names (:mod:`videomdm.data.recordings.captions`).

The camera's height and tilt are not known.  The world of real footage is the camera's, turned so that Y is up
(:func:`level_camera`); training estimates cameras from the lifted motions (appendix I).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.keypoints import resample, smooth
from videomdm.cameras.unseen import fill_unseen, hang
from videomdm.conventions import FPS, MIN_FRAMES, MIN_LIFTED, DataError
from videomdm.data.corpus import check_on_error
from videomdm.data.recordings import camera_units, captions, keypoint_npz, lens, plausible, reading
from videomdm.data.recordings.detection import Detector, choose
from videomdm.data.recordings.detections import Detections, Intrinsics, KeypointTrack, pad_tracks
from videomdm.data.recordings.jumps import AWAY, drop_jumps, drop_stays, elsewhere
from videomdm.data.recordings.names import composed
from videomdm.data.recordings.reading import Source
from videomdm.data.recordings.tracking import Person, boxes, describe, follow, put_sides_right
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.storage.files import digest
from videomdm.storage.progress import Bar

MOST_NAMED = 10  # files that are not used are named up to this number
SWAPPED = 0.02  # share of frames with sides put right that is worth a note: detectors err in one or two of a hundred
LIKELY_RATES = (4, 250)  # frames per second of films and detectors; others are doubted
MOST_FILLED = 0.5  # share of a track's frames that may be filled in
_OF_THE_RECORDING = (DataError, cv2.error)  # errors that say by themselves what is wrong with a recording


@dataclass
class Recordings:
    """What a folder gave.

    Attributes:
        tracks: the main person of each recording that is used.
        captions: for each of them its captions (at least one).
        sources: for each of them its files.
        skipped: (file, reason) of those that are not.
        notes: on the folder as a whole.
    """

    tracks: list[KeypointTrack] = field(default_factory=list)
    captions: list[tuple[str, ...]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tracks)

    def summary(self) -> str:
        """One paragraph per file: used or not, how much of it, and everything that was noticed."""
        seconds = sum(len(t) / t.fps for t in self.tracks)
        lines = [f"{len(self)} of {len(self) + len(self.skipped)} recordings used, {seconds:.1f} s"]
        for track in self.tracks:
            share = 100 * float(track.filled.float().mean())
            lines.append(f"used     {track.name}: {len(track)} frames at {track.fps:g} fps, {share:.0f} % filled in")
            lines += [f"           {note}" for note in track.notes]
        lines += [f"not used {name}: {reason}" for name, reason in self.skipped]
        lines += self.notes
        return "\n".join(lines)


def load(
    folder: str | Path,
    detector: Detector | str = "auto",
    layout: Skeleton = SMPL22,
    intrinsics: Intrinsics | float | None = None,
    moving_camera: bool = False,
    on_error: str = "raise",
    cache: str | Path | None = None,
    person: int | Mapping[str, int] = 0,
) -> Recordings:
    """Read everything in a folder and its sub-folders.

    Args:
        folder: of videos and keypoint files.
        detector: finds people in videos without keypoints: a :class:`videomdm.data.recordings.detection.Detector`, or
            the name of one, see :func:`videomdm.data.recordings.detection.choose`.
        layout: of the tracks.
        intrinsics: of the camera that took all of them, or its field of view in degrees across the diagonal; the
            assumed field of view when None, which the tracks' notes say.
        moving_camera: take recordings whose camera moves, with a note, instead of refusing them.
        on_error: ``"raise"``, or ``"skip"`` to list bad recordings in ``skipped`` and go on, whatever is wrong with
            them: a video that a codec fails on, or a detector, costs that video alone.
        cache: folder that keeps what was seen in each recording, so that nothing is detected twice.
        person: whom to take, as in :func:`track`: in all recordings, or by recording's name; 0 in the others.

    Raises:
        DataError: no such folder, nothing to read in it, a bad ``captions.csv``, a ``person`` of a recording that is
            not there, or the first bad file (``on_error="raise"``).
        ValueError: unknown ``on_error`` or detector, an impossible field of view.
        ImportError, OSError: videos need a detector that is not to be had (``on_error="raise"``).
    """
    folder = Path(folder)
    check_on_error(on_error)
    if intrinsics is not None and not isinstance(intrinsics, Intrinsics):
        Intrinsics.from_field_of_view(1, 1, intrinsics)  # an impossible one is no recording's fault
    sources, table = reading.sources(folder), captions.read_table(folder)
    persons = _persons(person, sources, folder)
    detector = choose(detector)
    found = Recordings(notes=_strangers(folder, table, sources))
    for source in Bar(sources, "reading recordings", delay=2):
        found.skipped += [
            (path.name, f"{source.name} is read from another file of this kind") for path in source.others
        ]
        try:
            one = _read(source, detector, layout, intrinsics, moving_camera, cache, persons[source.name])
            words = captions.of(folder, source.name, table)
        except Exception as error:
            if on_error == "raise":
                if isinstance(error, _OF_THE_RECORDING):
                    raise DataError(f'{error}; on_error="skip" leaves such recordings out') from None
                raise
            found.skipped.append((source.name, _reason(error, source)))
            continue
        one.notes += captions.notes(words)
        found.tracks.append(one)
        found.captions.append(words)
        found.sources.append(source)
    found.notes += _copies(found.tracks)
    return found


def _copies(tracks: Sequence[KeypointTrack]) -> list[str]:
    """Notes on recordings that are one under several names."""
    names: dict[str, list[str]] = {}
    for one in tracks:
        names.setdefault(digest(one.keypoints, one.confidence), []).append(one.name)
    return [
        f"{', '.join(same)} are one recording, which counts {len(same)} times" for same in names.values() if same[1:]
    ]


def _reason(error: Exception, source: Source) -> str:
    """Why a recording is left out."""
    if isinstance(error, _OF_THE_RECORDING):
        return str(error)
    return f"{(source.video or source.keypoints).name}: {type(error).__name__}: {error}"


def load_one(
    video: str | Path,
    detector: Detector | str = "auto",
    intrinsics: Intrinsics | float | None = None,
    moving_camera: bool = False,
    cache: str | Path | None = None,
    person: int = 0,
) -> tuple[KeypointTrack, tuple[str, ...], Source]:
    """One recording's SMPL-22 track, captions and files, by its video or keypoints; arguments as in :func:`load`.

    ``person`` is as in :func:`track`.

    Raises:
        DataError: what is wrong with it.
        ValueError: an unknown detector.
        ImportError, OSError: it needs a detector that is not to be had.
    """
    source = reading.source(video)
    folder = Path(video).parent
    found = _read(source, choose(detector), SMPL22, intrinsics, moving_camera, cache, person)
    table = captions.read_table(folder, deep=False)
    words = captions.of(folder, source.name, table)
    found.notes += [*captions.notes(words), *_beside(folder, source, table)]
    return found, words, source


def persons(text: str) -> dict[str, int]:
    """Whom to take in some recordings: ``"squat=1,monday/jump=2"`` as a dictionary for :func:`load`.

    Raises:
        DataError: a part that is not of the form ``name=number``.
    """
    found = {}
    for part in text.split(","):
        name, _, number = part.strip().rpartition("=")
        if not name or not number.strip().isdecimal():
            raise DataError(f"persons are {text!r}, expected names of recordings and numbers, such as squat=1,jump=2")
        found[name.strip()] = int(number)
    return found


def _persons(person: int | Mapping[str, int], sources: Sequence[Source], folder: Path) -> dict[str, int]:
    """Whom to take in each recording."""
    names = [source.name for source in sources]
    if not isinstance(person, Mapping):
        return dict.fromkeys(names, person)
    if unknown := sorted(set(person) - set(names)):
        raise DataError(f"{folder}: a person of {', '.join(unknown)} is asked for, expected some of {', '.join(names)}")
    return dict.fromkeys(names, 0) | dict(person)


def _strangers(folder: Path, table: captions.Table, sources: Sequence[Source]) -> list[str]:
    """Notes on rows of the table without a recording, and on files that are not read."""
    lacking = {PurePosixPath(source.name).name for source in sources if source.video and not source.keypoints}
    own = [source.keypoints for source in sources if source.keypoints and not source.video]
    notes = [note for file in own for name in sorted(lacking) for note in _misnamed(file, name)]
    if unknown := sorted(set(table) - {source.name for source in sources}):
        notes.append(f"{captions.TABLE} names {', '.join(unknown)}, of which there is no recording")
    if left := reading.strangers(folder, sources):
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        notes.append(f"not used, for they are no recording's: {', '.join(left[:MOST_NAMED])}{more}")
    return notes


def _beside(folder: Path, source: Source, table: captions.Table) -> list[str]:
    """Notes on one recording's files and captions that are not read."""
    notes = [f"{path.name} is not used: {source.name} is read from another file of this kind" for path in source.others]
    named = [name for name in table if name != source.name and name.casefold() == source.name.casefold()]
    notes += [f"{captions.TABLE} names {name}, not {source.name}: not its caption" for name in named]
    files = [] if source.keypoints else sorted(folder.iterdir())
    misnamed = {file.name: note for file in files for note in _misnamed(file, source.name)}
    notes += misnamed.values()
    for left in reading.strangers(folder, [source], deep=False):
        if left.startswith(f"{source.name}.") and left not in misnamed:
            notes.append(f"{left} is not used, for it is no recording's")
    return notes


def _misnamed(file: Path, name: str) -> list[str]:
    """A note where a keypoint file is called like a video without keypoints, but not so that it is read with it."""
    if file.suffix.lower() != ".npz" or name not in reading.namesakes(composed(file.stem)):
        return []
    return [f"{file.name} is not used for {name}: if it holds its keypoints, call it {name}.npz"]


def track(
    detections: Detections,
    intrinsics: Intrinsics | float | None = None,
    layout: Skeleton = SMPL22,
    fps: float = FPS,
    person: int = 0,
) -> KeypointTrack:
    """One person of a recording: followed, sides put right, resampled, filled, converted, smoothed (C.3).

    Args:
        detections: everybody in every frame.
        intrinsics: of the camera, or degrees of its field of view; the detections' own, or assumed, when None.
        layout: of the result.
        fps: of the result.
        person: index of the person among all that were followed, 0 is the main one
            (:func:`videomdm.data.recordings.tracking.weight`); overlays show the indices.

    Raises:
        DataError: keypoints that cannot be somebody's (:mod:`videomdm.data.recordings.plausible`); nobody there, or
            for less than :data:`videomdm.conventions.MIN_LIFTED` frames, or mostly out of sight; intrinsics of another
            image size.
        ValueError: an impossible field of view.
    """
    camera = _intrinsics(detections, intrinsics)
    detections = plausible.examine(detections)
    people = follow(detections)
    if not 0 <= person < len(people):
        raise DataError(
            f"{detections.name}: no person {person}, expected 0 to {len(people) - 1}: so many were followed"
        )
    main = people[person]
    notes = [*detections.notes, *describe([main, *people[:person], *people[person + 1 :]], detections)]
    if person:
        notes.append(f"person {person} of {len(people)} was chosen")
    others = boxes(people, detections.times, fps, main) if len(people) > 1 else None
    notes += elsewhere(main, detections.times)
    if jumps := drop_jumps(main, detections.times):
        notes.append(f"{jumps} keypoints that jump away for a single frame count as not seen")
    swapped = put_sides_right(main, detections.layout)
    if swapped > SWAPPED * len(main.frames):
        notes.append(f"left and right limbs were swapped back in {swapped} frames")
    if stays := drop_stays(main, detections.times):
        notes.append(f"{stays} keypoints that jump away and back within {AWAY:g} s count as not seen")
    times = detections.times[main.frames[0] : main.frames[-1] + 1]
    points, confidence = (torch.from_numpy(x) for x in resample(_without_gaps(main, times), times, fps))
    filled = (confidence == 0).all(-1)
    notes += _check_sight(filled, times, detections, fps)
    never = [joint for joint, c in zip(detections.layout.joints, confidence.amax(0), strict=True) if c == 0]
    if never:
        notes.append(f"never seen: {', '.join(never)}")
    notes.append(f"intrinsics: {camera.origin}")
    result = KeypointTrack(
        smooth(camera.normalise(points)).float(), confidence.float(), filled, detections.layout, fps, camera,
        detections.name, float(times[0]), list(dict.fromkeys(notes)), others, person,
    )  # fmt: skip
    result = result.to_layout(layout)
    return replace(result, keypoints=hang(result.keypoints[None], result.confidence[None], layout)[0])


def _without_gaps(person: Person, times: np.ndarray) -> np.ndarray:
    """A person (F, J, 3) in all frames from first to last, at ``times`` (F,); fillers have confidence 0."""
    seen = np.zeros((len(times), *person.keypoints[0].shape))
    seen[np.array(person.frames) - person.frames[0]] = person.keypoints
    places = fill_unseen(*(torch.from_numpy(x) for x in (seen[..., :2], seen[..., 2], times)))
    seen[..., :2] = places.numpy()
    return seen


def level_camera(clips: int) -> Camera:
    """A camera at the origin that looks along -Z without tilt: its axes with Y up, batch (clips,)."""
    rotation = torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(clips, 3, 3)
    return Camera(rotation, torch.zeros(clips, 3))


def footage(tracks: Sequence[KeypointTrack]) -> Footage:
    """Tracks of one layout as what :mod:`videomdm.data.observations` and the teacher take, with level cameras."""
    keypoints, confidence, lengths = pad_tracks(tracks)
    return Footage(keypoints, confidence, level_camera(len(tracks)), lengths)


def _read(
    source: Source,
    detector: Detector,
    layout: Skeleton,
    intrinsics: Intrinsics | float | None,
    moving_camera: bool,
    cache: str | Path | None,
    person: int = 0,
) -> KeypointTrack:
    file = source.keypoints
    if file is not None and file.suffix.lower() == ".npz" and keypoint_npz.is_track(file):
        if person:
            raise DataError(f"{source.name}: no person {person}, expected 0: {file.name} is a finished track of one")
        return replace(keypoint_npz.load(file).to_layout(layout), name=source.name)
    seen = reading.see(source, detector, cache)
    found = seen.detections
    if found.intrinsics is None and source.video is not None:
        found.intrinsics = lens.intrinsics(source.video, found.width, found.height, found.pixel_aspect)
    if seen.unfit and not moving_camera:
        raise DataError(f"{source.name}: {seen.unfit}; moving_camera=True takes it all the same")
    result = track(found, intrinsics, layout, person=person)
    result.notes += [note for note in (seen.unfit, seen.camera_note) if note]
    return result


def _check_sight(filled: Tensor, times: np.ndarray, seen: Detections, fps: float) -> list[str]:
    """Refuse a person who is there too briefly or mostly out of sight; notes on one who is too brief for training.

    Args:
        filled: (T,) frames at ``fps`` without the person.
        times: (F,) seconds of the frames that were looked at meanwhile.
        seen: what readers noticed about time is told with the refusal.
        fps: of the result.
    """
    frames, share = len(filled), float(filled.double().mean())
    found = f"the main person is seen for {frames / fps:.2f} s ({frames} frames at {fps:g} fps)"
    doubts = []
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else fps
    if (frames < MIN_FRAMES <= len(times) and not seen.sized) or not LIKELY_RATES[0] <= rate <= LIKELY_RATES[1]:
        doubts.append(f"{len(times)} frames at {rate:.4g} a second: is that their rate?")
    if frames < MIN_LIFTED:
        raise DataError(
            f"{seen.name}: {found}, " + "; ".join([f"expected at least {MIN_LIFTED / fps:g} s", *seen.notes, *doubts])
        )
    if share > MOST_FILLED:
        lost = f"the main person is out of sight in {100 * share:.0f} % of the frames, expected at most half"
        raise DataError(f"{seen.name}: " + "; ".join([lost, *doubts]))
    if frames < MIN_FRAMES:
        return ["; ".join([f"{found}: it can be lifted, but training needs {MIN_FRAMES / fps:g} s", *doubts])]
    return doubts


def _intrinsics(detections: Detections, intrinsics: Intrinsics | float | None) -> Intrinsics:
    size = (detections.width, detections.height)
    if intrinsics is None and detections.intrinsics is not None:
        return detections.intrinsics
    if not isinstance(intrinsics, Intrinsics):
        return Intrinsics.from_field_of_view(*size, intrinsics, detections.pixel_aspect)
    camera_units.check_intrinsics(intrinsics, detections.name)
    if (intrinsics.width, intrinsics.height) != size:
        raise DataError(
            f"{detections.name}: intrinsics of {intrinsics.width} x {intrinsics.height} for images of "
            f"{size[0]} x {size[1]}, expected the same size"
        )
    return intrinsics
