"""Motions of several methods, matched caption by caption.

A result is what ``videomdm generate`` or ``videomdm lift`` wrote: a file with ``joints`` (N, T, J, 3) and captions,
or a folder of one file per recording with ``joints`` (T, J, 3).
"""

from __future__ import annotations

import csv
import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm import features
from videomdm.conventions import FPS, DataError
from videomdm.data.corpus import check_joints
from videomdm.export.files import RATES
from videomdm.skeletons import NBA16, SMPL22, Skeleton
from videomdm.storage.arrays import read_npz

FLOORS = ("zero", "lowest")


@dataclass
class Result:
    """Motions of one method.

    Attributes:
        name: of the method.
        clips: (caption or name of the recording, which of its repetitions) -> joints (T, J, 3) metres, Y up.
        captions: caption or name of the recording -> caption.
        skeleton: their joint layout.
        fps: frames per second.
        digest: SHA-256 of all files that were read.
    """

    name: str
    clips: dict[tuple[str, int], Tensor]
    skeleton: Skeleton
    fps: float
    digest: str
    captions: dict[str, str] = field(default_factory=dict)


@dataclass
class Scene:
    """What all methods made of one caption.

    Attributes:
        caption: what is shown above the clips, "" for unconditional motions.
        motions: method -> joints (T, J, 3), metres, Y up, all of one length; they start above the origin, facing +Z.
        reference: a video of what the caption describes, or None.
        truth: joints (T', J, 3) in the same frame, or None.
    """

    caption: str
    motions: dict[str, Tensor]
    reference: Path | None = None
    truth: Tensor | None = None


@dataclass
class _Wanted:
    key: str
    caption: str
    reference: Path | None = field(default=None)


def read(named: str) -> Result:
    """Read the motions of one method.

    Args:
        named: ``PATH`` or ``NAME=PATH`` of a ``.npz`` file or of a folder that has some; without a name the method
            is called as the file or folder is.

    Raises:
        DataError: nothing there, a file that is not such a result, different skeletons or speeds in one folder.
    """
    name, equals, place = ("", "", "") if Path(named).exists() else named.partition("=")
    path = Path(place if equals else named)
    name = name if equals else path.stem if path.suffix == ".npz" else path.name
    files = sorted(path.rglob("*.npz")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise DataError(f"{path}: no .npz file there, expected motions from `videomdm generate` or `videomdm lift`")
    if not name:
        raise DataError(f"{named!r}: a method without a name, expected NAME=PATH")
    result = Result(name, {}, SMPL22, FPS, "")
    digest, count = hashlib.sha256(), Counter()
    for k, file in enumerate(files):
        digest.update(file.read_bytes())
        recording = file.relative_to(path).with_suffix("").as_posix() if path.is_dir() else file.stem
        motions, keys, captions, skeleton, fps = _read_file(file, recording)
        if k and (skeleton, fps) != (result.skeleton, result.fps):
            raise DataError(f"{file}: {skeleton.name} at {fps:g} fps, {files[0].name}: {result.skeleton.name} at "
                            f"{result.fps:g} fps; expected one layout and speed")  # fmt: skip
        result.skeleton, result.fps = skeleton, fps
        result.captions |= zip(keys, captions, strict=True)
        for key, motion in zip(keys, motions, strict=True):
            result.clips[key, count[key]] = motion
            count[key] += 1
    if not result.clips:
        raise DataError(f"{path}: no motions, expected at least one")
    result.digest = digest.hexdigest()
    return result


def _read_file(path: Path, recording: str) -> tuple[list[Tensor], list[str], list[str], Skeleton, float]:
    """Motions, what they are matched by (a caption, or the name of a recording), captions, layout and speed."""
    arrays = read_npz(path, "a .npz file without pickles", _READ)
    if "joints" not in arrays:
        raise DataError(f"{path}: no array 'joints', expected (N, T, J, 3) or (T, J, 3)")
    joints = arrays["joints"]
    if joints.ndim not in (3, 4) or not np.issubdtype(joints.dtype, np.floating):
        raise DataError(f"{path}: joints {joints.dtype} {joints.shape}, expected floats (N, T, J, 3) or (T, J, 3)")
    skeleton = _skeleton(path, arrays, joints.shape[-2])
    fps = float(arrays.get("fps", FPS))
    if not RATES[0] <= fps <= RATES[1]:
        raise DataError(f"{path}: {fps:g} frames per second, expected {RATES[0]} to {RATES[1]}")
    if joints.ndim == 3:
        clips, keys = [joints], [recording]
        captions = [str(arrays.get("caption", "")) or recording]
    else:
        lengths = arrays.get("lengths", np.full(len(joints), joints.shape[1]))
        if lengths.shape != (len(joints),) or not ((lengths > 0) & (lengths <= joints.shape[1])).all():
            raise DataError(f"{path}: lengths {lengths}, expected {len(joints)} from 1 to {joints.shape[1]}")
        clips = [clip[:length] for clip, length in zip(joints, lengths, strict=True)]
        keys = captions = [str(caption) for caption in arrays.get("captions", [""] * len(joints))]
        if len(captions) != len(joints):
            raise DataError(f"{path}: {len(captions)} captions of {len(joints)} motions, expected one each")
    motions = [
        check_joints(torch.from_numpy(clip), f"{path}, clip {k}", skeleton, min_frames=2)
        for k, clip in enumerate(clips)
    ]
    return motions, keys, captions, skeleton, fps


_READ = ("joints", "lengths", "fps", "caption", "captions", "joint_names", "parents")


def _skeleton(path: Path, arrays: dict[str, np.ndarray], n_joints: int) -> Skeleton:
    known = {len(skeleton): skeleton for skeleton in (SMPL22, NBA16)}
    if "joint_names" not in arrays:
        if n_joints not in known:
            raise DataError(f"{path}: {n_joints} joints without joint_names, expected {' or '.join(map(str, known))}")
        return known[n_joints]
    names = tuple(str(name) for name in arrays["joint_names"])
    for skeleton in known.values():
        if names == skeleton.joints:
            return skeleton
    parents = tuple(int(parent) for parent in arrays.get("parents", ()))
    missing = [joint for joint in Skeleton.face if joint not in names]
    if missing or len(names) != n_joints or len(parents) != n_joints or not all(-1 <= p < n_joints for p in parents):
        raise DataError(f"{path}: joint_names and parents do not describe {n_joints} joints with hips and shoulders")
    return Skeleton(path.stem, names, parents)


def match(
    results: Sequence[Result], captions: Path | None = None, floor: str = "zero", truth: Result | None = None
) -> list[Scene]:
    """The scenes that all methods have a motion for, in equal lengths and in one frame.

    Each clip is turned about the vertical and moved over the floor so that it starts above the origin, facing +Z;
    its height stays as it is with ``floor="zero"`` (whether feet touch the ground is part of what people see), or
    its lowest joint comes to stand on the floor with ``"lowest"`` (motions whose root is at the origin in every
    frame).  All clips of a scene are cut to the shortest one's length.  What is cut or left out is warned of.

    Args:
        results: of two or more methods.
        captions: a text file with a caption a line, or a table (.csv) with the columns ``caption`` and, where
            wanted, ``file`` (the name of a recording) and ``video`` (a reference video, relative to the table).
            Repeated lines ask for repeated motions.  None takes everything that all methods have.
        floor: ``"zero"`` or ``"lowest"``.
        truth: true motions, taken for the scenes that have one.

    Raises:
        DataError: methods of the same name, other layouts or speeds, captions that a method lacks, nothing in common.
    """
    names = [result.name for result in results]
    if len(set(names)) < len(names):
        raise DataError(f"methods {names}, expected different names; give them as NAME=PATH")
    for other in [*results, *([truth] if truth else [])]:
        if (other.skeleton.joints, other.fps) != (results[0].skeleton.joints, results[0].fps):
            found = " and ".join(f"{r.name} has {len(r.skeleton)} joints at {r.fps:g} fps" for r in (results[0], other))
            raise DataError(f"{found}, expected the same")
    if captions is None:
        wanted = _shared(results)
    else:
        count: Counter = Counter()
        wanted = {}
        for row in _read_captions(captions):
            name = Path(row.key).name  # tables may name recordings by where their videos lie
            key = name if (row.key, 0) not in results[0].clips and (name, 0) in results[0].clips else row.key
            wanted[key, count[key]] = row
            count[key] += 1
    scenes, cut = [], 0
    for key, row in wanted.items():
        lacking = [result.name for result in results if key not in result.clips]
        if lacking:
            raise DataError(f"{captions}: {', '.join(lacking)} has no motion number {key[1] + 1} of {key[0]!r}")
        clips = {r.name: _in_own_frame(r.clips[key], r.skeleton, floor) for r in results}
        shortest = min(map(len, clips.values()))
        true = _in_own_frame(truth.clips[key], truth.skeleton, floor) if truth and key in truth.clips else None
        cut += sum(len(clip) > shortest for clip in clips.values())
        scenes.append(Scene(row.caption, {n: c[:shortest] for n, c in clips.items()}, row.reference, true))
    if truth and all(scene.truth is None for scene in scenes):
        first = next(iter(truth.clips))[0]
        raise DataError(f"{truth.name}: no motion of these captions or recordings, it begins with {first!r}")
    if cut:
        warnings.warn(f"motions cut to the shortest of their captions: {cut}", stacklevel=2)
    return scenes


def _shared(results: Sequence[Result]) -> dict[tuple[str, int], _Wanted]:
    """What all methods have, and a warning that names how many motions others lack."""
    keys = [key for key in results[0].clips if all(key in result.clips for result in results)]
    if not keys:
        first = ", ".join(f"{result.name} begins with {next(iter(result.clips))[0]!r}" for result in results)
        raise DataError(f"no caption that all methods have; {first}")
    for result in results:
        if more := len(result.clips) - len(keys):
            warnings.warn(
                f"{result.name}: {more} of {len(result.clips)} motions are left out, for others lack them", stacklevel=3
            )
    return {key: _Wanted(key[0], results[0].captions[key[0]]) for key in keys}


def _read_captions(path: Path) -> list[_Wanted]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text, expected captions") from None
    if path.suffix != ".csv":
        rows = [_Wanted(line.strip(), line.strip()) for line in text.splitlines() if line.strip()]
    else:
        table = csv.DictReader(text.splitlines())
        if "caption" not in (table.fieldnames or ()):
            raise DataError(f"{path}: columns {table.fieldnames}, expected 'caption' and perhaps 'file' and 'video'")
        rows = []
        for row in table:
            video = (row.get("video") or "").strip()
            file = (row.get("file") or "").strip()
            key = Path(file).with_suffix("").as_posix() if file else row["caption"].strip()
            rows.append(_Wanted(key, row["caption"].strip(), path.parent / video if video else None))
    if not rows:
        raise DataError(f"{path}: no captions, expected one a line")
    for row in rows:
        if row.reference and not row.reference.is_file():
            raise DataError(f"{row.reference}: no such file, named as reference video in {path}")
    return rows


def _in_own_frame(joints: Tensor, skeleton: Skeleton, floor: str) -> Tensor:
    if floor not in FLOORS:
        raise DataError(f"floor is {floor!r}, expected {' or '.join(FLOORS)}")
    rotation, origin = features.canonical_frame(joints, skeleton)
    if floor == "zero":
        origin = origin * torch.tensor([1.0, 0.0, 1.0])
    return (joints - origin) @ rotation.mT
