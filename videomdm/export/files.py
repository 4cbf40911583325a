"""Motions in files of the kind that the ending says: arrays, skeletal animation, films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import FPS, DataError
from videomdm.data.corpus import check_joints
from videomdm.export.bvh import write_both
from videomdm.export.film import to_gif, to_mp4
from videomdm.export.npz import AXES, to_npz
from videomdm.skeletons.definitions import H36M17, NBA16, SMPL22, Skeleton
from videomdm.storage.arrays import read_npz
from videomdm.storage.files import written_whole

ENDINGS = (".npz", ".bvh", ".mp4", ".gif")
UNITS = ("metres", "metres, seconds")  # what files of the package say of theirs
RATES = (1, 240)  # frames per second of motions
LAYOUTS = (SMPL22, H36M17, NBA16)
_READ = ("joints", "lengths", "fps", "units", "axes", "joint_names", "caption", "captions")


@dataclass(frozen=True)
class Motions:
    """Motions of a file.

    Attributes:
        clips: (T, J, 3) metres, Y up, joints in the layout's order.
        captions: one per clip, "" where none is known.
        skeleton: their joint layout.
        fps: frames per second.
        batch: whether the file's ``joints`` are (N, T, J, 3), as of ``videomdm generate``; (T, J, 3) is the motion of
            one recording, as of ``videomdm lift``.
    """

    clips: list[Tensor]
    captions: list[str]
    skeleton: Skeleton
    fps: float
    batch: bool


def check_ending(path: Path) -> None:
    """Raises ``DataError`` for a file of no kind that :func:`write` knows."""
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path}: a file of unknown kind, expected one that ends in {', '.join(ENDINGS)}")


def write(
    path: Path, clips: Sequence[Tensor] | Tensor, captions: Sequence[str], skeleton: Skeleton = SMPL22, fps: float = FPS
) -> list[Path]:
    """Write motions as the ending says; each file is there whole or not at all.

    ``.npz`` holds all of them (:func:`videomdm.export.to_npz`).  Each of several motions is a ``.bvh``, an ``.mp4`` or
    a ``.gif`` of its own: ``wave-00.bvh``, ``wave-01.bvh`` ...  A ``.bvh`` has bones of one length, as a rig has;
    beside it ``wave-exact.bvh`` has the motion's own, which stretch (:func:`videomdm.export.bvh.write_both`).

    Args:
        path: its folder is made if missing.
        clips: (T, J, 3) metres, Y up.
        captions: one per motion.
        skeleton, fps: of the motions.

    Returns:
        The files.

    Raises:
        DataError: an unknown ending.
        ValueError: motions that are not finite or of another shape.
        OSError: the disk is full, or the folder cannot be written.
    """
    check_ending(path)
    if path.suffix.lower() == ".npz":
        with written_whole(path) as partial:
            to_npz(partial, list(clips), fps=fps, captions=captions, skeleton=skeleton)
        return [path]
    files = [path]
    if len(clips) > 1:
        files = [path.with_name(f"{path.stem}-{i:02d}{path.suffix}") for i in range(len(clips))]
    if path.suffix.lower() == ".bvh":
        return [f for file, clip in zip(files, clips, strict=True) for f in write_both(file, clip, skeleton, fps)]
    for file, clip, caption in zip(files, clips, captions, strict=True):
        with written_whole(file) as partial:
            if file.suffix.lower() == ".gif":
                to_gif(partial, clip, skeleton, fps, caption)
            else:
                to_mp4(partial, clip, skeleton, fps, caption)
                _check_film(partial, len(clip), file)
    return files


def read(path: Path) -> Motions:
    """Motions of an ``.npz`` that :func:`write`, ``videomdm generate`` or ``videomdm lift`` wrote, or one like it.

    Needed are ``joints`` and ``fps``, and for (N, T, J, 3) joints ``lengths`` (N,).  Joints of another order are put in
    the layout's, by their ``joint_names``; without names 16 joints are NBA16's, others SMPL22's.

    Raises:
        DataError: no such file or arrays; other units, axes or layouts; captions that are not one text per motion;
            joints that are not finite, or too far away for metres.
    """
    arrays = read_npz(path, "an .npz of motions", _READ)
    for name in ("joints", "fps"):
        if name not in arrays:
            has = ", ".join(read_npz(path, "an .npz of motions")) or "none"
            raise DataError(f"{path}: no array {name}, expected joints and fps; it has {has}")
    fps, skeleton = arrays["fps"], _skeleton(path, arrays)
    if fps.ndim or fps.dtype.kind not in "fiu" or not RATES[0] <= float(fps) <= RATES[1]:
        raise DataError(f"{path}: fps is {fps}, expected {RATES[0]} to {RATES[1]} frames per second")
    for name, expected in (("units", UNITS), ("axes", (AXES,))):
        if name in arrays and str(arrays[name]) not in expected:
            raise DataError(f"{path}: {name} are {str(arrays[name])!r}, expected {expected[0]!r}")
    clips = _clips(path, arrays, skeleton)
    captions = arrays.get("captions", np.array([arrays.get("caption", "")] * len(clips)))
    if captions.shape != (len(clips),) or captions.dtype.kind != "U":
        raise DataError(
            f"{path}: captions have shape {captions.shape}, expected a text for each of {len(clips)} motions"
        )
    return Motions(clips, captions.tolist(), skeleton, float(fps), arrays["joints"].ndim == 4)


def _skeleton(path: Path, arrays: dict[str, np.ndarray]) -> Skeleton:
    """The layout that has the file's joint names, in whatever order."""
    if "joint_names" not in arrays:
        return NBA16 if arrays["joints"].shape[-2:] == (len(NBA16), 3) else SMPL22
    names = tuple(arrays["joint_names"].ravel().tolist())
    found = next((own for own in LAYOUTS if len(names) == len(own) and set(names) == set(own.joints)), None)
    if found is None:
        known = " or ".join(own.name for own in LAYOUTS)
        raise DataError(f"{path}: joint_names are {names}, expected those of {known}")
    return found


def _clips(path: Path, arrays: dict[str, np.ndarray], skeleton: Skeleton) -> list[Tensor]:
    joints = arrays["joints"]
    if joints.dtype.kind != "f" or joints.ndim not in (3, 4) or joints.shape[-2:] != (len(skeleton), 3):
        shape = f"(frames, {len(skeleton)}, 3)"
        raise DataError(
            f"{path}: joints are {joints.dtype} {joints.shape}, expected metres {shape} or (motions, *{shape})"
        )
    if "joint_names" in arrays:
        names = arrays["joint_names"].ravel().tolist()
        joints = joints[..., [names.index(joint) for joint in skeleton.joints], :]
    if joints.ndim == 3:
        joints, arrays = joints[None], {"lengths": np.array([len(joints)])}
    n, frames = joints.shape[:2]
    if not n:
        raise DataError(f"{path}: no motions, expected at least one")
    lengths = arrays.get("lengths", np.array(None))
    if lengths.shape != (n,) or lengths.dtype.kind not in "fiu" or not np.isin(lengths, range(1, frames + 1)).all():
        raise DataError(f"{path}: lengths are {lengths}, expected a number of frames, 1 to {frames}, for each of {n}")
    clips = [torch.from_numpy(one[: int(length)]) for one, length in zip(joints, lengths, strict=True)]
    return [check_joints(clip, f"{path}, motion {i}", skeleton, min_frames=1) for i, clip in enumerate(clips)]


def _check_film(film: Path, frames: int, name: Path) -> None:
    """OpenCV says nothing when the disk is full: look whether all frames are there."""
    found = int(cv2.VideoCapture(str(film)).get(cv2.CAP_PROP_FRAME_COUNT))
    if found != frames:
        raise OSError(f"{name}: {found} of {frames} frames could be written; is the disk full?")
