"""Keypoints that other programs wrote: OpenPose, AlphaPose and MMPose.

All three hand out :class:`~videomdm.data.recordings.detections.Detections`: everybody in every frame, in pixels.  None
of
the formats tells how fast the frames were taken or how large they are, so both are arguments.

- OpenPose, ``--write_json FOLDER`` with the BODY_25 model: one file per frame,
  ``<name>_000000000012_keypoints.json``, with ``{"people": [{"pose_keypoints_2d": [x, y, c, ...]}]}``, 75 numbers
  per person, in pixels (``--keypoint_scale 0``, its default).
- AlphaPose, ``alphapose-results.json``: ``[{"image_id": "12.jpg", "keypoints": [x, y, c, ...], "score": ...}]``,
  one entry per person, 17 (COCO), 26 or 136 (Halpe) joints; of Halpe-136 the 26 body joints are used.
- MMPose, what its inferencer writes for a video: a list of ``{"frame_id": 12, "instances": [...]}``, where an
  instance has ``keypoints`` ``[[x, y], ...]`` and ``keypoint_scores``, or the same under ``"instance_info"`` as its
  demo scripts write; 17 (COCO), 26 (Halpe) or 133 (COCO-WholeBody: its 17 body joints are used).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings import clock, plausible
from videomdm.data.recordings.detections import Detections
from videomdm.skeletons.definitions import BODY25, COCO17, HALPE26, Skeleton

#: Number of joints of a person -> layout of the first of them.  A whole body's other joints are left out.
LAYOUTS = {17: COCO17, 25: BODY25, 26: HALPE26, 133: COCO17, 136: HALPE26}
MAX_FRAMES = 1_000_000  # more: the last digits of the names are no frame numbers


def read(path: str | Path, width: int, height: int, fps: float) -> Detections:
    """Read a file or folder of any of the three programs; which one is seen from its content.

    Args:
        path: OpenPose's folder, or the JSON file of AlphaPose or MMPose.
        width, height: of the images, pixels.
        fps: frames per second of the video that was processed.

    Raises:
        DataError: names the file, what was found and what was expected.
    """
    path = Path(path)
    if not 0 < fps < 10_000:
        raise DataError(f"{path}: fps is {fps}, expected the frames per second of the video")
    if path.is_dir():
        return read_openpose(path, width, height, fps)
    entries = _json(path)
    if isinstance(entries, dict) and "instance_info" in entries:
        entries = entries["instance_info"]
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise DataError(f"{path}: expected a list of AlphaPose's people or MMPose's frames, found {_brief(entries)}")
    if "image_id" in entries[0]:
        return _detections(path, _alphapose_people(path, entries), width, height, fps)
    if "instances" in entries[0]:
        numbers = clock.frame_numbers([str(e.get("frame_id")) for e in entries], path, repeated=True)
        return _detections(path, _mmpose_people(path, entries, numbers), width, height, fps, numbers)
    raise DataError(
        f"{path}: entries have {sorted(entries[0])}, expected 'image_id' (AlphaPose) or 'instances' (MMPose)"
    )


def save(detections: Detections, path: str | Path) -> None:
    """Write detections as MMPose writes them; frames are numbered from 0, times are not kept."""
    frames = [
        {"frame_id": t, "instances": [
            {"keypoints": p[:, :2].round(2).tolist(), "keypoint_scores": p[:, 2].round(3).tolist()} for p in people
        ]}
        for t, people in enumerate(detections.people)
    ]  # fmt: skip
    Path(path).write_text(json.dumps(frames), encoding="utf-8")


def read_openpose(folder: str | Path, width: int, height: int, fps: float) -> Detections:
    """Read a folder that OpenPose wrote; arguments and errors as for :func:`read`."""
    folder = Path(folder)
    files = sorted(folder.glob("*_keypoints.json"))
    if not files:
        raise DataError(f"{folder}: no *_keypoints.json, expected OpenPose's output, one file per frame")
    people, frames = [], clock.frame_numbers([file.name for file in files], folder)
    for file, frame in zip(files, frames, strict=True):
        found = _json(file)
        if not isinstance(found, dict) or not isinstance(found.get("people"), list):
            raise DataError(f"{file}: expected {{'people': [...]}}, found {_brief(found)}")
        people += [(frame, _person(file, p.get("pose_keypoints_2d"))) for p in found["people"]]
    return _detections(folder, people, width, height, fps, frames)


def is_openpose(folder: Path) -> bool:
    """Whether a folder holds OpenPose's output."""
    return next(folder.glob("*_keypoints.json"), None) is not None


Found = list[tuple[int, np.ndarray]]  # frame number and (J, 3)


def _alphapose_people(path: Path, entries: list[dict]) -> Found:
    frames = clock.frame_numbers([str(e.get("image_id")) for e in entries], path, repeated=True)
    return [(frame, _person(path, e.get("keypoints"))) for frame, e in zip(frames, entries, strict=True)]


def _mmpose_people(path: Path, entries: list[dict], frames: list[int]) -> Found:
    found = []
    for entry, frame in zip(entries, frames, strict=True):
        for person in entry.get("instances", []):
            where = f"{path}, frame {entry.get('frame_id')}"
            points, scores = (_array(where, person.get(k)) for k in ("keypoints", "keypoint_scores"))
            if points.ndim != 2 or points.shape[-1] != 2 or scores.shape != points.shape[:1]:
                raise DataError(
                    f"{where}: keypoints {points.shape} and keypoint_scores {scores.shape}, expected (J, 2) and (J,)"
                )
            found.append((frame, np.column_stack([points, scores])))
    return found


def _detections(
    path: Path, found: Found, width: int, height: int, fps: float, listed: list[int] | None = None
) -> Detections:
    """Sort people into the frames that were looked at, and cut whole bodies to their body.

    These are the ``listed`` frames, or all from the first that is named to the last: each, or every so many of them.
    """
    if not found:
        raise DataError(f"{path}: nobody in any frame, expected at least one person")
    sizes = {len(person) for _, person in found}
    if len(sizes) > 1 or not sizes <= set(LAYOUTS):
        raise DataError(f"{path}: people of {sorted(sizes)} joints, expected one of {', '.join(map(str, LAYOUTS))}")
    (size,) = sizes
    layout: Skeleton = LAYOUTS[size]
    numbers = np.unique([frame for frame, _ in found] if listed is None else listed)
    if numbers[-1] - numbers[0] > MAX_FRAMES:
        raise DataError(f"{path}: frames numbered {numbers[0]} to {numbers[-1]}, expected consecutive numbers")
    if listed is None:
        numbers = np.arange(numbers[0], numbers[-1] + 1, clock.common_step(numbers))
    people: dict[int, list[np.ndarray]] = {frame: [] for frame in numbers.tolist()}
    for frame, person in found:
        people[frame].append(person[: len(layout)])
    stacked = [np.array(p).reshape(-1, len(layout), 3) for p in people.values()]
    notes = [] if size == len(layout) else [f"{size} joints per person, the {len(layout)} of {layout.name} are used"]
    meant = plausible.layout_of(np.concatenate(stacked), plausible.SAME_COUNT.get(size, (layout,)))
    if meant != layout:
        notes.append(f"{size} joints per person in the order of {meant.name}, not of {layout.name}: read as these")
    notes += _scale_notes(path, found)
    return Detections(stacked, numbers / fps, meant, width, height, str(path), notes, frames=numbers, sized=True)


def _scale_notes(path: Path, found: Found) -> list[str]:
    """Refuse people without any confidence; say so when scores exceed 1."""
    points = np.concatenate([person for _, person in found])
    seen = points[points[:, 2] > 0]
    if not len(seen):
        raise DataError(f"{path}: every confidence is 0, expected a person to be seen")
    if seen[:, 2].max() > 1.05:
        return [f"scores up to {seen[:, 2].max():.1f}: those above 1 count as 1"]
    return []


def _person(path: Path, flat: object) -> np.ndarray:
    values = _array(path, flat)
    if values.ndim != 1 or not len(values) or len(values) % 3:
        raise DataError(f"{path}: keypoints of shape {values.shape}, expected [x, y, confidence, x, ...]")
    return values.reshape(-1, 3)


def _array(where: object, values: object) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"{where}: keypoints are {_brief(values)}, expected numbers") from None


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), expected a JSON file") from None
    except ValueError as error:
        raise DataError(f"{path}: no JSON ({error})") from None


def _brief(value: object) -> str:
    if isinstance(value, dict):
        return f"an object with {sorted(map(str, value))[:6]}"
    return f"a list of {len(value)}" if isinstance(value, list) else repr(value)[:60]
