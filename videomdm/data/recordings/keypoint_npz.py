"""Keypoints of one person in one npz file: the project's own format, for keypoints that people already have.

Arrays of a file (no pickled objects):

    keypoints    (T, J, 2) floating point; x right, y down
    confidence   (T, J) in 0..1; 0 where a joint was not seen (its keypoint is not read then)
    layout       a string: coco17, halpe26, body25, blazepose33, h36m17 or smpl22
    fps          frames per second; or times, (T,) seconds, increasing; or both, where they agree
    units        "pixels" (when absent) or "normalised": pixels times the inverse intrinsic matrix
    size         (2,) width and height of the image in pixels; may be absent in normalised units
    intrinsics   (3, 3), may be absent: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels

:func:`problems` lists everything that is wrong with a file; :func:`read` takes good ones.  :func:`save` writes
a finished track in the same format, so that it can be edited and read again, and :func:`load` takes it as it is.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from videomdm.conventions import DataError
from videomdm.data.recordings import camera_units, clock, fillers, plausible
from videomdm.data.recordings.detections import Detections, Intrinsics, KeypointTrack
from videomdm.skeletons.definitions import by_name
from videomdm.storage.arrays import read_npz

LAYOUTS = ("coco17", "halpe26", "body25", "blazepose33", "h36m17", "smpl22")
EXPECTED = "an npz file of keypoints, without pickled objects"
NORMALISED_SIZE = 1000  # pixels, both sides of the image that is imagined where a file in normalised units has none

#: Every array that is read, and those that :func:`save` adds.
_KNOWN = {"keypoints", "confidence", "layout", "fps", "times", "units", "size", "intrinsics"} | {
    "filled", "unseen", "origin", "start", "name", "notes"
}  # fmt: skip
RATES_DIFFER = 0.05  # share by which frames per second may be off the times beside them

Arrays = dict[str, np.ndarray]


def problems(path: str | Path) -> list[str]:
    """Everything that is wrong with a keypoint file, one sentence each; empty for a good file.

    Raises:
        DataError: the file is no npz file without pickled objects.
    """
    arrays = read_npz(path, EXPECTED)
    found = _problems_of_form(arrays)
    if found:
        return found
    try:
        detections = _detections(arrays, str(path))
        clock.check_seconds(detections.times, str(path))
        plausible.examine(detections)
    except DataError as error:
        return [str(error)]
    return []


def read(path: str | Path) -> Detections:
    """One person's keypoints as detections, to be resampled, filled and smoothed like a video's.

    Raises:
        DataError: names the file and lists all that :func:`problems` finds.
    """
    return _detections(_good_arrays(path), str(path))


def _detections(arrays: Arrays, name: str) -> Detections:
    points, confidence = arrays["keypoints"].astype(float), arrays["confidence"].astype(float)
    intrinsics = _intrinsics(arrays)
    width, height = _size(arrays)
    notes = []
    if _text(arrays, "units", "pixels") == "normalised":
        confidence, notes = fillers.without_zeros(points, confidence)
        try:
            camera_units.check_normalised(*(torch.from_numpy(x)[None] for x in (points, confidence)))
        except ValueError as error:
            raise DataError(f"{name}: units are normalised, but {error}") from None
        notes += camera_units.doubt_normalised(points[confidence > 0])
        intrinsics = intrinsics or _wide_enough(points[confidence > 0], width, height)
        points = intrinsics.to_pixels(points)
    if unknown := sorted(set(arrays) - _KNOWN):
        notes.append(f"arrays that the format does not know are not read: {', '.join(unknown)}")
    people = np.concatenate([points, confidence[..., None]], axis=-1)[:, None]
    layout = by_name(_text(arrays, "layout"))
    return Detections(list(people), _times(arrays), layout, width, height, name, notes, intrinsics)


def _wide_enough(points: np.ndarray, width: int, height: int) -> Intrinsics:
    """The assumed camera, or one whose image is just wide enough for normalised points (N, 2)."""
    assumed = Intrinsics.from_field_of_view(width, height)
    reach = (np.abs(points).max(0) * assumed.fx / (width / 2, height / 2)).max()
    if reach <= 1:
        return assumed
    origin = f"assumed as wide as normalised keypoints reach, {reach:.2g} times the usual"
    return replace(assumed, fx=assumed.fx / reach, fy=assumed.fy / reach, origin=origin)


def times(path: str | Path) -> np.ndarray:
    """Seconds (T,) of a file's frames; raises ``DataError`` as :func:`read` does."""
    return _times(_good_arrays(path))


def save(track: KeypointTrack, path: str | Path) -> None:
    """Write a track, normalised; ``filled``, ``start``, ``origin`` and ``notes`` are kept in arrays of these names.

    ``unseen`` (T, J) marks the joints that are fillers (:attr:`KeypointTrack.unseen`), for readers of the file.
    """
    np.savez_compressed(
        path, keypoints=track.keypoints.numpy(), confidence=track.confidence.numpy(), filled=track.filled.numpy(),
        unseen=track.unseen.numpy(),
        layout=track.layout.name, fps=track.fps, units="normalised", intrinsics=track.intrinsics.matrix,
        size=(track.intrinsics.width, track.intrinsics.height), origin=track.intrinsics.origin, start=track.start,
        name=track.name, notes=np.array(track.notes, dtype=np.str_),
    )  # fmt: skip


def is_motion(path: str | Path) -> bool:
    """Whether a file holds a motion in 3-D, as ``videomdm lift`` and ``generate`` write it, and no keypoints."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False  # whatever is wrong with it, its reader says
    return "joints.npy" in names and "keypoints.npy" not in names


def is_track(path: str | Path) -> bool:
    """Whether :func:`save` wrote the file; raises ``DataError`` for what is no npz file."""
    return {"filled", "start", "origin", "name"} <= set(read_npz(path, EXPECTED))


def load(path: str | Path) -> KeypointTrack:
    """Read what :func:`save` wrote; raises ``DataError`` for anything else."""
    arrays = _good_arrays(path)
    if not is_track(path):
        raise DataError(f"{path}: no finished track (no 'filled', 'start', 'origin', 'name'); use keypoint_npz.read")
    if wrong := _problems_of_track(arrays):
        raise DataError(f"{path}: " + "; ".join(wrong))
    said = plausible.examine(_detections(arrays, str(path))).notes
    intrinsics = replace(_intrinsics(arrays), origin=_text(arrays, "origin"))
    return KeypointTrack(
        torch.from_numpy(arrays["keypoints"]).float(), torch.from_numpy(arrays["confidence"]).float(),
        torch.from_numpy(arrays["filled"]), by_name(_text(arrays, "layout")), float(arrays["fps"]), intrinsics,
        _text(arrays, "name"), float(arrays["start"]), list(dict.fromkeys([*arrays["notes"].tolist(), *said])),
    )  # fmt: skip


def _good_arrays(path: str | Path) -> Arrays:
    arrays = read_npz(path, EXPECTED)
    found = _problems_of_form(arrays)
    if found:
        raise DataError(f"{path}: " + "; ".join(found))
    return arrays


def _problems_of_form(arrays: Arrays) -> list[str]:
    return _problems_of_keypoints(arrays) + _problems_of_time(arrays) + _problems_of_camera(arrays)


def _problems_of_keypoints(arrays: Arrays) -> list[str]:
    missing = [f"no array {key!r}" for key in ("keypoints", "confidence", "layout") if key not in arrays]
    if missing:
        return missing
    keypoints, confidence, layout = arrays["keypoints"], arrays["confidence"], _text(arrays, "layout")
    if layout not in LAYOUTS:
        return [f"layout is {layout!r}, expected one of {', '.join(LAYOUTS)}"]
    expected = f"(T, {len(by_name(layout))}, 2) for {layout}"
    if not keypoints.shape[:1] or not len(keypoints):
        return [f"keypoints are {keypoints.dtype} {keypoints.shape}: no frames, expected {expected}"]
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(by_name(layout)), 2) or keypoints.dtype.kind != "f":
        return [f"keypoints are {keypoints.dtype} {keypoints.shape}, expected floating point {expected}"]
    if confidence.shape != keypoints.shape[:2] or confidence.dtype.kind != "f":
        return [f"confidence is {confidence.dtype} {confidence.shape}, expected floating point {keypoints.shape[:2]}"]
    found = []
    wrong = ~((confidence >= 0) & (confidence <= 1))
    if wrong.any():
        found.append(f"confidence at frame {wrong.any(1).argmax()} is {confidence[wrong][0]}, expected 0 to 1")
    lost = (confidence > 0) & ~np.isfinite(keypoints).all(-1)
    if lost.any():
        frame, joint = np.argwhere(lost)[0]
        found.append(f"{by_name(layout).joints[joint]} at frame {frame} is not finite but has confidence")
    if not (confidence > 0).any():
        found.append("every confidence is 0, expected a person to be seen")
    return found


def _problems_of_time(arrays: Arrays) -> list[str]:
    if "times" in arrays:
        times = arrays["times"]
        frames = arrays["keypoints"].shape[:1] if "keypoints" in arrays else times.shape
        good = times.ndim == 1 and times.shape == frames and times.dtype.kind in "fiu"
        if not good or not np.isfinite(times).all() or (np.diff(times.astype(float)) <= 0).any():
            return [f"times are not {frames[0] if frames else 0} finite, increasing seconds"]
        return _problems_of_both(times, arrays.get("fps"))
    if "fps" not in arrays:
        return ["neither 'fps' nor 'times'"]
    fps = arrays["fps"]
    if fps.shape != () or fps.dtype.kind not in "fiu" or not 0 < fps < 10_000:
        return [f"fps is {fps.tolist()!r}, expected a number of frames per second"]
    return []


def _problems_of_both(times: np.ndarray, fps: np.ndarray | None) -> list[str]:
    """What is wrong where a file tells times and frames per second: neither is believed where they differ."""
    if fps is None or fps.shape != () or fps.dtype.kind not in "fiu" or len(times) < 2:
        return []
    steps = np.diff(times.astype(float))
    rates = 1 / float(np.median(steps)), 1 / float(steps.mean())  # the second of films whose rate varies
    if any(abs(float(fps) / rate - 1) <= RATES_DIFFER for rate in rates):
        return []
    return [f"fps is {float(fps):g}, but times are of {rates[1]:.4g} frames a second, expected one of the two"]


def _problems_of_track(arrays: Arrays) -> list[str]:
    """What is wrong with what :func:`save` adds to keypoints."""
    if missing := [f"no array {key!r}" for key in ("fps", "size", "intrinsics", "units", "notes") if key not in arrays]:
        return missing
    found, frames = [], arrays["keypoints"].shape[:1]
    if _text(arrays, "units") != "normalised":
        found.append(f"units are {_text(arrays, 'units')!r}, expected 'normalised' of a finished track")
    if arrays["filled"].dtype != bool or arrays["filled"].shape != frames:
        found.append(f"filled is {arrays['filled'].dtype} {arrays['filled'].shape}, expected bool {tuple(frames)}")
    start, notes = arrays["start"], arrays["notes"]
    if start.shape != () or start.dtype.kind not in "fiu" or not 0 <= start < np.inf:
        found.append(f"start is {start.tolist()!r}, expected seconds into the recording")
    if notes.ndim != 1 or (len(notes) and notes.dtype.kind != "U"):
        found.append(f"notes are {notes.dtype} {notes.shape}, expected a list of sentences")
    return found


def _problems_of_camera(arrays: Arrays) -> list[str]:
    units = _text(arrays, "units", "pixels")
    if units not in ("pixels", "normalised"):
        return [f"units are {units!r}, expected 'pixels' or 'normalised'"]
    matrix = arrays.get("intrinsics", np.eye(3))
    if matrix.shape != (3, 3) or matrix.dtype.kind not in "fiu" or not np.isfinite(matrix).all():
        return [f"intrinsics are {matrix.dtype} {matrix.shape}, expected a finite matrix (3, 3) in pixels"]
    if "size" not in arrays and units == "pixels":
        return ["no 'size', expected width and height of the image in pixels"]
    size = arrays.get("size", np.ones(2))
    if size.shape != (2,) or size.dtype.kind not in "fiu" or not (np.isfinite(size) & (size >= 1)).all():
        return [f"size is {size.tolist()}, expected width and height of the image in pixels"]
    try:
        _intrinsics(arrays)
    except ValueError as error:
        return [str(error)]
    return []


def _intrinsics(arrays: Arrays) -> Intrinsics | None:
    if "intrinsics" not in arrays:
        return None
    return Intrinsics.from_matrix(arrays["intrinsics"], *_size(arrays))


def _size(arrays: Arrays) -> tuple[int, int]:
    width, height = arrays.get("size", (NORMALISED_SIZE, NORMALISED_SIZE))
    if "size" not in arrays and "intrinsics" in arrays:  # the principal point tells where the middle is
        (_, _, cx), (_, _, cy), _ = arrays["intrinsics"].tolist()
        width, height = (max(2 * cx, 1), max(2 * cy, 1))
    return int(width), int(height)


def _times(arrays: Arrays) -> np.ndarray:
    if "times" in arrays:
        return arrays["times"]
    return np.arange(len(arrays["keypoints"])) / float(arrays["fps"])


def _text(arrays: Arrays, key: str, default: str = "") -> str:
    return str(arrays[key]) if key in arrays else default
