"""Motions of several methods, matched caption by caption.

A result is what ``videomdm generate`` or ``videomdm lift`` wrote: a file with ``joints`` (N, T, J, 3) and captions,
or a folder of one file per recording with ``joints`` (T, J, 3).  :func:`videomdm.export.files.read` reads them.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from videomdm import features
from videomdm.conventions import DataError
from videomdm.data.recordings import captions as of_recordings
from videomdm.data.recordings import names
from videomdm.data.recordings.reading import visible
from videomdm.export import files
from videomdm.skeletons import Skeleton
from videomdm.storage import tables

FLOORS = ("zero", "lowest")
SHORTEST = 2  # frames of a motion: one frame neither moves nor can be shuffled


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
    """A scene that is asked for; methods have it under one of the ``keys``, the first that is there."""

    keys: tuple[str, ...]
    caption: str
    reference: Path | None = None


def read(named: str) -> Result:
    """Read the motions of one method.

    Args:
        named: ``PATH`` or ``NAME=PATH`` of a ``.npz`` file or of a folder that has some; without a name the method
            is called as the file or folder is.

    Raises:
        DataError: nothing there, a file that is not such a result, different skeletons or speeds in one folder.
    """
    name, path = _place(named)
    if not name:
        raise DataError(f"{named!r}: a method without a name, expected NAME=PATH")
    found = {file: files.read(file) for file in files_of(named)}
    first, like = next(iter(found.items()))
    result = Result(name, {}, like.skeleton, like.fps, "")
    digest, count = hashlib.sha256(), Counter()
    for file, motions in found.items():
        digest.update(file.read_bytes())
        if (motions.skeleton, motions.fps) != (like.skeleton, like.fps):
            raise DataError(f"{file}: {motions.skeleton.name} at {motions.fps:g} fps, {first.name}: "
                            f"{like.skeleton.name} at {like.fps:g} fps; expected one layout and speed")  # fmt: skip
        place = file.relative_to(path) if path.is_dir() else Path(file.name)
        recording = names.composed(place.with_suffix("").as_posix())
        for i, (clip, caption) in enumerate(zip(motions.clips, map(_one_line, motions.captions), strict=True)):
            if len(clip) < SHORTEST:
                raise DataError(f"{file}, motion {i}: {len(clip)} frame, expected at least {SHORTEST}")
            key = caption if motions.batch else recording
            result.captions[key] = caption if motions.batch else caption or recording
            result.clips[key, count[key]] = clip
            count[key] += 1
    result.digest = digest.hexdigest()
    return result


def _place(named: str) -> tuple[str, Path]:
    """The name and the place of ``NAME=PATH``, or of a path alone, whose name is the file's or folder's."""
    name, equals, place = ("", "", "") if Path(named).exists() else named.partition("=")
    path = Path(place if equals else named)
    return name if equals else path.stem if path.suffix.lower() == ".npz" else path.name, path


def files_of(named: str) -> list[Path]:
    """The motion files of a method, ``NAME=PATH`` or a path, at least one; raises ``DataError`` for none."""
    _, path = _place(named)
    there = visible(path) if path.is_dir() else [path]
    found = [file for file in there if file.is_file() and (file == path or file.suffix.lower() == ".npz")]
    if not found:
        raise DataError(f"{path}: no .npz file there, expected motions from `videomdm generate` or `videomdm lift`")
    return found


def _one_line(caption: str) -> str:
    """A caption as lists and tables of captions give it."""
    return names.composed(" ".join(caption.split()))


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
            wanted, ``file`` (the name of a recording) and ``video`` (a reference video, relative to the table), as
            :func:`videomdm.storage.tables.rows` reads it.  Repeated lines ask for repeated motions.  None takes
            everything that all methods have.
        floor: ``"zero"`` or ``"lowest"``.
        truth: true motions, taken for the scenes that have one.

    Raises:
        DataError: methods of the same name, other layouts or speeds, captions that cannot be read or that a method
            lacks, nothing in common.
    """
    methods = [result.name for result in results]
    if len(set(methods)) < len(methods):
        raise DataError(f"methods {methods}, expected different names; give them as NAME=PATH")
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
            key = next((key for key in row.keys if (key, 0) in results[0].clips), row.keys[0])
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
    return {key: _Wanted((key[0],), results[0].captions[key[0]]) for key in keys}


def _read_captions(path: Path) -> list[_Wanted]:
    if path.suffix.lower() != ".csv":
        return [_Wanted((line,), line) for line in map(_one_line, of_recordings.read_lines(path))]
    rows = tables.rows(path, ("caption",), ("file", "video"))
    if not rows:
        raise DataError(f"{path}: no captions, expected one a row")
    return [_of_row(path, line, row) for line, row in rows.items()]


def _of_row(path: Path, line: int, row: dict[str, str]) -> _Wanted:
    """What a row of a table asks for: the motion of a recording where it names one, else of its caption."""
    caption = _one_line(of_recordings.sentence(row["caption"], f"{path}, line {line}"))
    file, video = row.get("file"), row.get("video")
    reference = path.parent / video.replace("\\", "/") if video else None
    if reference and not reference.is_file():
        raise DataError(f"{path}, line {line}: {reference} is no file, expected a reference video")
    if not file:
        return _Wanted((caption,), caption, reference)
    name = of_recordings.recording(file)
    # Results are in files of a safe name, and a table may name a recording by where its video lies.
    return _Wanted((name, *names.below([name]), PurePosixPath(name).name), caption, reference)


def _in_own_frame(joints: Tensor, skeleton: Skeleton, floor: str) -> Tensor:
    if floor not in FLOORS:
        raise DataError(f"floor is {floor!r}, expected {' or '.join(FLOORS)}")
    rotation, origin = features.canonical_frame(joints, skeleton)
    if floor == "zero":
        origin = origin * torch.tensor([1.0, 0.0, 1.0])
    return (joints - origin) @ rotation.mT
