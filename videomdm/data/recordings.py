"""A folder of videos, or of keypoints that other programs found in them, made ready for training.

Read are videos (:data:`videomdm.data.video.SUFFIXES`), npz files (:mod:`videomdm.data.keypoint_npz`), and
OpenPose folders and AlphaPose or MMPose files (:mod:`videomdm.data.keypoint_json`).  Keypoints and the video they
are from belong side by side under one name: ``squat.mp4`` and ``squat.json``, ``squat.npz`` or ``squat/`` (OpenPose);
no detector runs then, and the video tells frame rate, size and whether the camera moved.  Captions stand in
``squat.txt``, one per line; without it the file's name is the caption ("jumping_jack_03" says "jumping jack").

The camera's height and tilt are not known.  The world of real footage is the camera's, turned so that Y is up
(:func:`level_camera`); training estimates cameras from the lifted motions (appendix I).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from videomdm.cameras import Camera
from videomdm.data import keypoint_json, keypoint_npz, observations
from videomdm.data.corpus import FPS, MIN_FRAMES, DataError, from_clips
from videomdm.data.keypoints import Detections, Intrinsics, KeypointTrack, pad_tracks
from videomdm.data.observations import Footage, Observations
from videomdm.data.resampling import resample, smooth
from videomdm.data.tracking import describe, follow, put_sides_right
from videomdm.data.video import SUFFIXES, Detector, Video, detect, watch_camera
from videomdm.skeletons import SMPL22, Skeleton

MOST_FILLED = 0.5  # share of a track's frames that may be filled in


@dataclass
class Recordings:
    """What a folder gave.

    Attributes:
        tracks: the main person of each recording that is used.
        captions: for each of them its captions (at least one).
        skipped: (file, reason) of those that are not.
    """

    tracks: list[KeypointTrack] = field(default_factory=list)
    captions: list[tuple[str, ...]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

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
        return "\n".join(lines)


def load(
    folder: str | Path,
    detector: Detector | None = None,
    detector_layout: Skeleton | None = None,
    layout: Skeleton = SMPL22,
    intrinsics: Intrinsics | float | None = None,
    moving_camera: bool = False,
    on_error: str = "raise",
) -> Recordings:
    """Read everything in a folder and its sub-folders.

    Args:
        folder: of videos and keypoint files.
        detector: finds people in videos without keypoints; :class:`videomdm.data.rtmpose.RTMPose` when None.
        detector_layout: its joints; the detector's own ``layout`` when None.
        layout: of the tracks.
        intrinsics: of the camera that took all of them, or its field of view in degrees across the diagonal; the
            assumed field of view when None, which the tracks' notes say.
        moving_camera: take recordings whose camera moves, with a note, instead of refusing them.
        on_error: ``"raise"``, or ``"skip"`` to list bad recordings in ``skipped`` and go on.

    Raises:
        DataError: no such folder, nothing to read in it, or the first bad file (``on_error="raise"``).
        ValueError: unknown ``on_error``, an impossible field of view.
        ImportError, OSError: videos need a detector and the default one is not to be had.
    """
    folder = Path(folder)
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is {on_error!r}, expected 'raise' or 'skip'")
    sources = _sources(folder)
    if detector is None and any(keypoints is None for _, keypoints in sources.values()):
        from videomdm.data.rtmpose import RTMPose

        detector = RTMPose()
    if detector is not None and detector_layout is None:
        detector_layout = detector.layout
    found = Recordings()
    for name, (video, keypoints) in tqdm(sources.items(), "reading recordings", delay=2):
        try:
            track = _read(name, video, keypoints, detector, detector_layout, layout, intrinsics, moving_camera)
            captions = _captions(folder / name)
        except (DataError, cv2.error) as error:
            if on_error == "raise":
                raise DataError(f'{error}; on_error="skip" leaves such recordings out') from None
            found.skipped.append((name, str(error)))
            continue
        found.tracks.append(track)
        found.captions.append(captions)
    return found


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
    return result.to_layout(layout)


def level_camera(clips: int) -> Camera:
    """A camera at the origin that looks along -Z without tilt: its axes with Y up, batch (clips,)."""
    rotation = torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(clips, 3, 3)
    return Camera(rotation, torch.zeros(clips, 3))


def footage(tracks: Sequence[KeypointTrack]) -> Footage:
    """Tracks of one layout as what :mod:`videomdm.data.observations` and the teacher take, with level cameras."""
    keypoints, confidence, lengths = pad_tracks(tracks)
    return Footage(keypoints, confidence, level_camera(len(tracks)), lengths)


def observe(
    tracks: Sequence[KeypointTrack], captions: Sequence[Sequence[str]], estimate: Tensor, frame: str = "pnp"
) -> Observations:
    """What training takes, from real footage.

    Args:
        tracks: clips of one layout and rate, of a length that training takes.
        captions: for each of them at least one.
        estimate: (C, T, J, 3) a lifter's joints of these clips in the world of their :func:`level_camera`, for
            instance ``teacher.lift(seen.keypoints, seen.confidence, seen.lengths, seen.camera)`` of
            :func:`footage`.
        frame: ``"pnp"`` or ``"teacher"`` (a level camera at the origin); there is no truth.

    Raises:
        ValueError: another ``frame``, clips that differ in layout or rate.
    """
    if frame not in ("pnp", "teacher"):
        raise ValueError(f"frame is {frame!r}, expected 'pnp' or 'teacher': real footage has no truth")
    kinds = {(t.layout.name, t.fps) for t in tracks}
    if len(kinds) != 1:
        raise ValueError(f"tracks have layouts and rates {sorted(kinds)}, expected one")
    seen, layout = footage(tracks), tracks[0].layout
    clips = [estimate[i, :n] for i, n in enumerate(seen.lengths.tolist())]
    names = [t.name for t in tracks]
    corpus = from_clips(clips, names, captions, [""] * len(tracks), layout, tracks[0].fps)
    return observations.observe(corpus, seen, estimate, frame)


def _sources(folder: Path) -> dict[str, tuple[Path | None, Path | None]]:
    """For each recording, by its path without ending, its video and its keypoints (one may be None)."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, expected one with videos or keypoint files")
    videos, keypoints = {}, {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if path.is_dir():
            if keypoint_json.is_openpose(path):
                keypoints[path.relative_to(folder).as_posix()] = path
        elif path.suffix.lower() in SUFFIXES:
            videos[name] = path
        elif path.suffix == ".npz" or (path.suffix == ".json" and not keypoint_json.is_openpose(path.parent)):
            keypoints[name] = path
    names = sorted(videos.keys() | keypoints.keys())
    if not names:
        raise DataError(f"{folder}: no video ({', '.join(SUFFIXES)}) and no keypoints (npz, json, OpenPose's folders)")
    return {name: (videos.get(name), keypoints.get(name)) for name in names}


def _read(
    name: str,
    video_path: Path | None,
    keypoints: Path | None,
    detector: Detector | None,
    detector_layout: Skeleton | None,
    layout: Skeleton,
    intrinsics: Intrinsics | float | None,
    moving_camera: bool,
) -> KeypointTrack:
    if keypoints is not None and keypoints.suffix == ".npz" and keypoint_npz.is_track(keypoints):
        return keypoint_npz.load(keypoints).to_layout(layout)
    video = None if video_path is None else Video(video_path)
    watch = None
    if keypoints is None:
        detections, watch = detect(video, detector, detector_layout)
    elif keypoints.suffix == ".npz":
        detections = keypoint_npz.read(keypoints)
    elif video is None:
        raise DataError(f"{keypoints}: no video of this name beside it, expected one to tell frame rate and size")
    else:
        detections = keypoint_json.read(keypoints, video.width, video.height, video.fps)
    if watch is None and video is not None:
        watch = watch_camera(video, detections)
    detections.name = name
    result = track(detections, intrinsics, layout)
    if watch is None:
        result.notes.append("no video: whether the camera stands still is not known")
    elif watch.finding and not moving_camera:
        raise DataError(f"{name}: {watch.finding}; moving_camera=True takes it all the same")
    else:
        result.notes += [note for note in (watch.finding, watch.note) if note]
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


def _captions(stem: Path) -> tuple[str, ...]:
    file = stem.with_name(stem.name + ".txt")
    if file.is_file():
        text = file.read_text(encoding="utf-8", errors="replace")
        lines = tuple(line.strip() for line in text.splitlines() if line.strip())
        if "\ufffd" in text:
            raise DataError(f"{file}: not UTF-8 text, expected captions, one per line")
        if not lines:
            raise DataError(f"{file}: empty, expected captions, one per line")
        return lines
    words = re.sub(r"[\W\d_]+", " ", stem.name).strip()
    return (words or "a person moves",)
