"""Keypoints that other programs wrote: OpenPose, AlphaPose and MMPose.

All hand out :class:`~videomdm.data.recordings.detections.Detections`: everybody in every frame, in pixels.  None of the
formats tells how fast the frames were taken, and few how large they are, so both are arguments.

- OpenPose, ``--write_json FOLDER`` with the BODY_25 model: one file per frame,
  ``<name>_000000000012_keypoints.json``, with ``{"people": [{"pose_keypoints_2d": [x, y, c, ...]}]}``, 75 numbers
  per person, in pixels (``--keypoint_scale 0``, its default).  Pose2Sim and Sports2D write the same into
  ``<name>_json/<name>_000012.json`` (or ``<name>.0012.json``), AlphaPose (``--format open``) into ``sep-json/12.json``.
- AlphaPose, ``alphapose-results.json``: ``[{"image_id": "12.jpg", "keypoints": [x, y, c, ...], "score": ...}]``,
  one entry per person, 17 (COCO), 26 or 136 (Halpe) joints; of Halpe-136 the 26 body joints are used.
- MMPose, what its inferencer writes for a video: a list of ``{"frame_id": 12, "instances": [...]}``, where an
  instance has ``keypoints`` ``[[x, y], ...]`` and ``keypoint_scores``, or the same under ``"instance_info"`` as its
  demo scripts write; 17 (COCO), 26 (Halpe) or 133 (COCO-WholeBody: its 17 body joints are used).  For a folder of
  images it writes a file per frame, ``000012.json``, which is a list of instances.
- Annotations in COCO's form, as CVAT and others export them: ``{"images": [{"id": 3, "file_name": "12.jpg"}],
  "annotations": [{"image_id": 3, "keypoints": [x, y, v, ...]}]}``, where v is 0 for what is not in the picture, 1 for
  what is hidden and 2 for what is seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings import clock, joint_order
from videomdm.data.recordings.detections import Detections
from videomdm.data.recordings.names import composed
from videomdm.skeletons.definitions import BODY25, COCO17, HALPE26, Skeleton
from videomdm.storage import text

#: Number of joints of a person -> layout of the first of them.  A whole body's other joints are left out.
LAYOUTS = {17: COCO17, 25: BODY25, 26: HALPE26, 133: COCO17, 136: HALPE26}
#: ``walk_000000000012_keypoints.json``, ``walk_000012.json``, ``walk.0012.json``, ``12.json``: recording and frame.
_FRAME_NAME = re.compile(r"(?P<stem>.*?)[._-]?(?P<frame>\d+)(_keypoints)?\.json", re.IGNORECASE | re.DOTALL)
LARGEST_FRAME = 2_000_000  # bytes; a file with all frames of a recording is not read to learn that it is one
LARGEST_SCORE = 20.0  # heatmaps' and SimCC's scores exceed 1 now and then; what exceeds this is percent
SPARSE = 100  # times as many numbers as frames with people: these numbers count no frames


def read(path: str | Path, width: int, height: int, fps: float, stem: str = "") -> Detections:
    """Read a file or folder of any of these programs; which one is seen from its content.

    Args:
        path: OpenPose's folder, or the JSON file of AlphaPose or MMPose.
        width, height: of the images, pixels.
        fps: frames per second of the video that was processed.
        stem: the recording's name, for a folder that holds the frames of several.

    Raises:
        DataError: names the file, what was found and what was expected.
    """
    path = Path(path)
    if not 0 < fps < 10_000:
        raise DataError(f"{path}: fps is {fps}, expected the frames per second of the video")
    if path.is_dir():
        return read_openpose(path, width, height, fps, stem)
    entries = _json(path)
    if isinstance(entries, dict) and "instance_info" in entries:
        entries = entries["instance_info"]
    if isinstance(entries, dict) and {"images", "annotations"} <= entries.keys():
        entries = _annotated(path, entries)
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


def read_openpose(folder: str | Path, width: int, height: int, fps: float, stem: str = "") -> Detections:
    """Read a folder of files that hold a frame each; arguments and errors as for :func:`read`."""
    folder = Path(folder)
    recordings = _frames(folder)
    if not recordings:
        raise DataError(f"{folder}: no *_keypoints.json, expected OpenPose's output or its like, one file per frame")
    if len(recordings) > 1 and stem not in recordings:
        raise DataError(f"{folder}: frames of {', '.join(map(repr, recordings))}, expected those of one recording")
    files = next(iter(recordings.values())) if len(recordings) == 1 else recordings[stem]
    frames = clock.frame_numbers([file.name for file in files], folder)
    people = [
        (frame, person)
        for file, frame in zip(files, frames, strict=True)
        for person in _people_of_frame(file, _json(file))
    ]
    return _detections(folder, people, width, height, fps, frames)


def recordings_of(folder: Path) -> list[str]:
    """The recordings whose frames lie in a folder, one file each: what stands before the frame's number."""
    return list(_frames(folder))


def is_frame(path: Path, recordings: Sequence[str]) -> bool:
    """Whether a file is by its name a frame of one of some recordings (of :func:`recordings_of` its folder)."""
    match = _FRAME_NAME.fullmatch(path.name)
    return match is not None and composed(match["stem"]) in recordings


def is_report(path: Path) -> bool:
    """Whether a file is what ``videomdm lift`` wrote of recordings."""
    try:
        found = _json(path)
    except DataError:
        return False
    return isinstance(found, dict) and {"run", "recordings", "units"} <= found.keys()


def _frames(folder: Path) -> dict[str, list[Path]]:
    """The files of each recording of which a folder holds the frames; content tells, the names alone would not."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if match := _FRAME_NAME.fullmatch(path.name):
            files.setdefault(composed(match["stem"]), []).append(path)
    return {stem: own for stem, own in files.items() if _are_frames(own)}


def _are_frames(files: Sequence[Path]) -> bool:
    """Whether files hold a frame each: by the first of them that is not an empty list, which says nothing."""
    for path in files:
        if path.name.lower().endswith("_keypoints.json"):
            return True  # whatever is wrong with it, its reader says
        if path.stat().st_size > LARGEST_FRAME:
            return False
        try:
            found = _json(path)
            _people_of_frame(path, found)
        except DataError:
            return False
        if found != []:
            return True
    return False


def _people_of_frame(file: Path, found: object) -> list[np.ndarray]:
    """The people (J, 3) of a frame's file, OpenPose's or MMPose's."""
    if isinstance(found, dict) and isinstance(found.get("people"), list):
        return [_openpose_person(file, person) for person in found["people"]]
    if isinstance(found, dict):
        found = found.get("instance_info", found)
    if isinstance(found, list) and all(
        isinstance(p, dict) and {"keypoints", "keypoint_scores"} <= p.keys() for p in found
    ):
        return [_instance(file, p) for p in found]
    raise DataError(f"{file}: expected {{'people': [...]}} or a list of MMPose's instances, found {_brief(found)}")


def _openpose_person(file: Path, person: object) -> np.ndarray:
    if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
        raise DataError(f"{file}: a person is {_brief(person)}, expected one with 'pose_keypoints_2d'")
    return _person(file, person["pose_keypoints_2d"])


Found = list[tuple[int, np.ndarray]]  # frame number and (J, 3)


def _alphapose_people(path: Path, entries: list[dict]) -> Found:
    frames = clock.frame_numbers([str(e.get("image_id")) for e in entries], path, repeated=True)
    return [(frame, _person(path, e.get("keypoints"))) for frame, e in zip(frames, entries, strict=True)]


def _annotated(path: Path, found: dict) -> list[dict]:
    """Annotations of COCO's form as AlphaPose's entries: what is hidden is half as sure as what is seen."""
    try:
        names = {image["id"]: image["file_name"] for image in found["images"]}
        people = [(names[a["image_id"]], a["keypoints"]) for a in found["annotations"] if a.get("keypoints")]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: annotations without {error}, expected COCO's form: images with 'id' and 'file_name', annotations "
            "with 'image_id' and 'keypoints'"
        ) from None
    entries = [(name, _person(path, keypoints)) for name, keypoints in people]
    if not entries:
        raise DataError(f"{path}: annotations without any keypoints, expected people's")
    return [{"image_id": name, "keypoints": (person / (1, 1, 2)).ravel()} for name, person in entries]


def _mmpose_people(path: Path, entries: list[dict], frames: list[int]) -> Found:
    found = []
    for entry, frame in zip(entries, frames, strict=True):
        where, people = f"{path}, frame {entry.get('frame_id')}", entry.get("instances")
        if not isinstance(people, list) or not all(isinstance(p, dict) for p in people):
            raise DataError(f"{where}: instances are {_brief(people)}, expected a list of people (empty for nobody)")
        found += [(frame, _instance(where, person)) for person in people]
    return found


def _instance(where: object, person: dict) -> np.ndarray:
    """One of MMPose's people (J, 3)."""
    points, scores = (_array(where, person.get(k)) for k in ("keypoints", "keypoint_scores"))
    if points.ndim != 2 or points.shape[-1] != 2 or scores.shape != points.shape[:1]:
        raise DataError(
            f"{where}: keypoints {points.shape} and keypoint_scores {scores.shape}, expected (J, 2) and (J,)"
        )
    return np.column_stack([points, scores])


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
    found, said = _scaled(path, found)
    (size,) = sizes
    layout: Skeleton = LAYOUTS[size]
    numbers = np.unique([frame for frame, _ in found] if listed is None else listed)
    if numbers[-1] - numbers[0] >= SPARSE * len(numbers):
        raise DataError(
            f"{path}: frames numbered {numbers[0]} to {numbers[-1]}, expected consecutive numbers, for there are "
            f"{len(numbers)}"
        )
    if listed is None:
        numbers = np.arange(numbers[0], numbers[-1] + 1, clock.common_step(numbers))
    people: dict[int, list[np.ndarray]] = {frame: [] for frame in numbers.tolist()}
    for frame, person in found:
        people[frame].append(person[: len(layout)])
    stacked = [np.array(p).reshape(-1, len(layout), 3) for p in people.values()]
    notes = [] if size == len(layout) else [f"{size} joints per person, the {len(layout)} of {layout.name} are used"]
    meant = joint_order.layout_of(np.concatenate(stacked), joint_order.SAME_COUNT.get(size, (layout,)))
    if meant != layout:
        notes.append(f"{size} joints per person in the order of {meant.name}, not of {layout.name}: read as these")
    return Detections(stacked, numbers / fps, meant, width, height, str(path), notes + said, frames=numbers, sized=True)


def _scaled(path: Path, found: Found) -> tuple[Found, list[str]]:
    """People whose confidence is no percentage, and a note where it exceeded 1; without any they are refused."""
    confidence = np.concatenate([person[:, 2] for _, person in found])
    most = float(confidence.max(where=np.isfinite(confidence), initial=0.0))
    if not (confidence != 0).any():
        raise DataError(f"{path}: every confidence is 0, expected a person to be seen")
    if most > 1.001 * 100:
        raise DataError(f"{path}: confidence up to {most:.4g}, expected 0 to 1")
    if most > LARGEST_SCORE:
        return [(frame, person / (1, 1, 100)) for frame, person in found], [
            f"confidence up to {most:.4g} is percent: divided by 100"
        ]
    return found, [f"scores up to {most:.1f}: those above 1 count as 1"] if most > 1.05 else []


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
    return text.read_json(path)


def _brief(value: object) -> str:
    if isinstance(value, dict):
        return f"an object with {sorted(map(str, value))[:6]}"
    return f"a list of {len(value)}" if isinstance(value, list) else repr(value)[:60]
