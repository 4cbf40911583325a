"""A folder of videos, or of keypoints that other programs found in them, made ready for training.

Read are videos (:data:`videomdm.data.recordings.video.SUFFIXES`), npz files
(:mod:`videomdm.data.recordings.keypoint_npz`), and
OpenPose folders and AlphaPose or MMPose files (:mod:`videomdm.data.recordings.keypoint_json`).  Keypoints and the video
they
are from belong side by side under one name: ``squat.mp4`` and ``squat.json``, ``squat.npz`` or ``squat/`` (OpenPose);
no detector runs then, and the video tells frame rate, size and whether the camera moved.  Captions stand in
``squat.txt`` or ``captions.csv``, or are the files' names (:mod:`videomdm.data.recordings.captions`).

The camera's height and tilt are not known.  The world of real footage is the camera's, turned so that Y is up
(:func:`level_camera`); training estimates cameras from the lifted motions (appendix I).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.keypoints import resample, smooth
from videomdm.cameras.unseen import fill_unseen, hang
from videomdm.conventions import FPS, MIN_FRAMES, DataError
from videomdm.data.recordings import captions, keypoint_npz, reading
from videomdm.data.recordings.detections import Detections, Intrinsics, KeypointTrack, pad_tracks
from videomdm.data.recordings.reading import Source
from videomdm.data.recordings.rtmpose import OnDemand
from videomdm.data.recordings.tracking import describe, follow, put_sides_right
from videomdm.data.recordings.video import Detector
from videomdm.skeletons.definitions import SMPL22, Skeleton

MOST_FILLED = 0.5  # share of a track's frames that may be filled in


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
    detector: Detector | None = None,
    layout: Skeleton = SMPL22,
    intrinsics: Intrinsics | float | None = None,
    moving_camera: bool = False,
    on_error: str = "raise",
    cache: Path | None = None,
) -> Recordings:
    """Read everything in a folder and its sub-folders.

    Args:
        folder: of videos and keypoint files.
        detector: finds people in videos without keypoints; it has a ``layout`` (and may have a ``name``, for the
            cache).  :class:`videomdm.data.recordings.rtmpose.RTMPose` when None.
        layout: of the tracks.
        intrinsics: of the camera that took all of them, or its field of view in degrees across the diagonal; the
            assumed field of view when None, which the tracks' notes say.
        moving_camera: take recordings whose camera moves, with a note, instead of refusing them.
        on_error: ``"raise"``, or ``"skip"`` to list bad recordings in ``skipped`` and go on, whatever is wrong with
            them: a video that a codec fails on, or a detector, costs that video alone.
        cache: folder that keeps what was seen in each recording, so that nothing is detected twice.

    Raises:
        DataError: no such folder, nothing to read in it, a bad ``captions.csv``, or the first bad file
            (``on_error="raise"``).
        ValueError: unknown ``on_error``, an impossible field of view.
        ImportError, OSError: videos need a detector and the default one is not to be had (``on_error="raise"``).
    """
    folder = Path(folder)
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is {on_error!r}, expected 'raise' or 'skip'")
    if intrinsics is not None and not isinstance(intrinsics, Intrinsics):
        Intrinsics.from_field_of_view(1, 1, intrinsics)  # an impossible one is no recording's fault
    sources, table = reading.sources(folder), captions.read_table(folder)
    detector = detector or OnDemand()
    found = Recordings(notes=_strangers(table, sources))
    for source in tqdm(sources, "reading recordings", delay=2):
        found.skipped += [
            (path.name, f"{source.name} is read from another file of this kind") for path in source.others
        ]
        try:
            one = _read(source, detector, layout, intrinsics, moving_camera, cache)
            words = captions.of(folder, source.name, table)
        except Exception as error:
            known = isinstance(error, DataError | cv2.error)
            if on_error == "raise":
                if not known:
                    raise
                raise DataError(f'{error}; on_error="skip" leaves such recordings out') from None
            found.skipped.append((source.name, str(error) if known else f"{type(error).__name__}: {error}"))
            continue
        found.tracks.append(one)
        found.captions.append(words)
        found.sources.append(source)
    return found


def load_one(
    video: str | Path,
    detector: Detector | None = None,
    intrinsics: Intrinsics | float | None = None,
    moving_camera: bool = False,
    cache: Path | None = None,
) -> tuple[KeypointTrack, tuple[str, ...], Source]:
    """One video's SMPL-22 track, captions and files; arguments as in :func:`load`.

    Raises:
        DataError: what is wrong with the video.
        ImportError, OSError: it needs a detector and the default one is not to be had.
    """
    source = reading.source(video)
    folder = Path(video).parent
    found = _read(source, detector or OnDemand(), SMPL22, intrinsics, moving_camera, cache)
    return found, captions.of(folder, source.name, captions.read_table(folder)), source


def _strangers(table: captions.Table, sources: Sequence[Source]) -> list[str]:
    unknown = sorted(set(table) - {source.name for source in sources})
    return [f"{captions.TABLE} names {', '.join(unknown)}, of which there is no recording"] if unknown else []


def track(
    detections: Detections,
    intrinsics: Intrinsics | float | None = None,
    layout: Skeleton = SMPL22,
    fps: float = FPS,
    min_frames: int = MIN_FRAMES,
) -> KeypointTrack:
    """The main person of a recording: followed, sides put right, resampled, filled, converted, smoothed (C.3).

    Args:
        detections: everybody in every frame.
        intrinsics: of the camera, or degrees of its field of view; the detections' own, or assumed, when None.
        layout: of the result.
        fps: of the result.
        min_frames: of the result, from the first to the last frame that sees the person.

    Raises:
        DataError: nobody there, or not long enough, or mostly out of sight; intrinsics for another image size.
        ValueError: an impossible field of view.
    """
    camera = _intrinsics(detections, intrinsics)
    people = follow(detections)
    notes = [*detections.notes, *describe(people, detections)]
    main = people[0]
    swapped = put_sides_right(main, detections.layout)
    if swapped:
        notes.append(f"left and right limbs were swapped back in {swapped} frames")
    first, last = main.frames[0], main.frames[-1]
    times = detections.times[first : last + 1]
    seen = np.zeros((len(times), len(detections.layout), 3))
    seen[np.array(main.frames) - first] = main.keypoints
    places = fill_unseen(*(torch.from_numpy(x) for x in (seen[..., :2], seen[..., 2], times)))
    seen[..., :2] = places.numpy()
    points, confidence = (torch.from_numpy(x) for x in resample(seen, times, fps))
    filled = (confidence == 0).all(-1)
    _check_sight(filled, detections.name, fps, min_frames)
    never = [joint for joint, c in zip(detections.layout.joints, confidence.amax(0), strict=True) if c == 0]
    if never:
        notes.append(f"never seen: {', '.join(never)}")
    notes.append(f"intrinsics: {camera.origin}")
    result = KeypointTrack(
        smooth(camera.normalise(points)).float(), confidence.float(), filled, detections.layout, fps, camera,
        detections.name, float(times[0]), notes,
    )  # fmt: skip
    result = result.to_layout(layout)
    return replace(result, keypoints=hang(result.keypoints[None], result.confidence[None], layout)[0])


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
    cache: Path | None,
) -> KeypointTrack:
    if source.keypoints is not None and source.keypoints.suffix == ".npz" and keypoint_npz.is_track(source.keypoints):
        return replace(keypoint_npz.load(source.keypoints).to_layout(layout), name=source.name)
    seen = reading.see(source, detector, cache)
    if seen.unfit and not moving_camera:
        raise DataError(f"{source.name}: {seen.unfit}; moving_camera=True takes it all the same")
    result = track(seen.detections, intrinsics, layout)
    result.notes += [note for note in (seen.unfit, seen.camera_note) if note]
    return result


def _check_sight(filled: Tensor, name: str, fps: float, min_frames: int) -> None:
    """Refuse a person who is there too briefly or mostly out of sight; ``filled`` (T,) marks the frames without."""
    frames, share = len(filled), float(filled.double().mean())
    if frames < min_frames:
        raise DataError(
            f"{name}: the main person is seen for {frames / fps:.2f} s ({frames} frames at {fps:g} fps), "
            f"expected at least {min_frames / fps:g} s"
        )
    if share > MOST_FILLED:
        raise DataError(
            f"{name}: the main person is out of sight in {100 * share:.0f} % of the frames, expected at most half"
        )


def _intrinsics(detections: Detections, intrinsics: Intrinsics | float | None) -> Intrinsics:
    size = (detections.width, detections.height)
    if intrinsics is None:
        return detections.intrinsics or Intrinsics.from_field_of_view(*size)
    if not isinstance(intrinsics, Intrinsics):
        return Intrinsics.from_field_of_view(*size, intrinsics)
    if (intrinsics.width, intrinsics.height) != size:
        raise DataError(
            f"{detections.name}: intrinsics of {intrinsics.width} x {intrinsics.height} for images of "
            f"{size[0]} x {size[1]}, expected the same size"
        )
    return intrinsics
