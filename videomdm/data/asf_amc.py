"""Acclaim motion capture files: a skeleton (ASF) and what it did (AMC).  Read and posed by forward kinematics.

Values stay as they are in the files: lengths in the skeleton's own unit (its header says how many inches that is in
the CMU data: 1 / 0.45), angles in degrees.  A bone is named after its far end: where bone ``lfemur`` ends is the knee.
At rest every bone points in its ``direction``; a frame turns it by ``C M C^T`` relative to its parent, where ``C`` is
the bone's ``axis`` and ``M = Rz Ry Rx`` are the frame's angles, those that the bone does not have being 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from videomdm.conventions import DataError

_ROOT_ORDER = ("TX", "TY", "TZ", "RX", "RY", "RZ")
_TURNS = ("rx", "ry", "rz")
Line = tuple[int, list[str]]  # its number in the file and its words


@dataclass(frozen=True)
class AsfSkeleton:
    """An ASF file's bones.

    Attributes:
        names: bone names, ``"root"`` first; every parent stands before its children.
        parents: index of the bone at whose end each bone starts, -1 for the root.
        offsets: (B, 3) from the start of each bone to its end at rest, file units; zero for the root.
        axes: (B, 3, 3) the frame in which each bone's angles turn.
        freedoms: for each bone the angles that an AMC file gives, out of ``rx ry rz``; the root has a place as well.
        length_unit: ``length`` of the header, by which inches were multiplied.
        source: the file it was read from, for messages.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Tensor
    axes: Tensor
    freedoms: tuple[tuple[str, ...], ...]
    length_unit: float
    source: str = "ASF skeleton"


@dataclass(frozen=True)
class AmcMotion:
    """An AMC file's frames.

    Attributes:
        skeleton: the skeleton that was read with it.
        root: (T, 3) place of the root, file units.
        angles: (T, B, 3) degrees about x, y and z; 0 where a bone has no such freedom.
        source: the file it was read from, for messages.
    """

    skeleton: AsfSkeleton
    root: Tensor
    angles: Tensor
    source: str = "AMC motion"

    def __len__(self) -> int:
        return len(self.root)

    def joints(self) -> Tensor:
        """Forward kinematics: (T, B, 3) where each bone ends, in the skeleton's unit and axes."""
        axes = self.skeleton.axes
        turns = axes @ roma.euler_to_rotmat("xyz", self.angles, degrees=True) @ axes.mT
        ends, world = [self.root], [turns[:, 0]]
        for bone, parent in list(enumerate(self.skeleton.parents))[1:]:
            world.append(world[parent] @ turns[:, bone])
            ends.append(ends[parent] + world[bone] @ self.skeleton.offsets[bone])
        return torch.stack(ends, dim=1)


# ---- skeletons -------------------------------------------------------------------------------------------


def read_skeleton(path: str | Path) -> AsfSkeleton:
    """Read an ASF file.

    Raises:
        DataError: names the file and, where there is one, the line: a section or entry is missing, a number is none,
            angles are not in degrees, axes are not given in the order XYZ, a bone has no parent or two.
    """
    path = Path(path)
    sections = _sections(path)
    units = _entries(sections["units"])
    if [word.lower() for word in units.get("angle", (0, ["?"]))[1]] != ["deg"]:
        raise DataError(f"{path}: angles are not in degrees, expected 'angle deg' under :units")
    length_unit = _numbers(units, "length", 1, f"{path}, :units")[0]
    _check_root(_entries(sections["root"]), path)
    bones = _bones(sections["bonedata"], path)
    parents = _parents(sections["hierarchy"], bones, path)
    names = ("root", *parents)
    offsets, axes, freedoms = [torch.zeros(3, dtype=torch.float64)], [torch.zeros(3, dtype=torch.float64)], [_TURNS]
    for name in names[1:]:
        bone, where = bones[name], f"{path}, bone {name}"
        direction, axis = (torch.tensor(_numbers(bone, key, 3, where)).double() for key in ("direction", "axis"))
        if [word.upper() for word in bone["axis"][1][3:]] != ["XYZ"]:
            raise DataError(f"{where}: axis {' '.join(bone['axis'][1])}, expected three angles and XYZ")
        offsets.append(direction * _numbers(bone, "length", 1, where)[0])
        axes.append(axis)
        freedoms.append(_freedoms(bone, where))
    return AsfSkeleton(
        names, (-1, *(names.index(parents[name]) for name in names[1:])), torch.stack(offsets),
        roma.euler_to_rotmat("xyz", torch.stack(axes), degrees=True), tuple(freedoms), length_unit, str(path),
    )  # fmt: skip


def _sections(path: Path) -> dict[str, list[Line]]:
    """The lines of each ``:section``; what stands beside its name comes first."""
    sections: dict[str, list[Line]] = {}
    lines: list[Line] = []
    for number, words in _lines(path):
        if words[0].startswith(":"):
            lines = sections.setdefault(words[0][1:].lower(), [])
            words = words[1:]
        if words:
            lines.append((number, words))
    missing = [f":{name}" for name in ("units", "root", "bonedata", "hierarchy") if name not in sections]
    if missing:
        raise DataError(f"{path}: no {', '.join(missing)}, expected an ASF skeleton")
    return sections


def _entries(lines: Sequence[Line]) -> dict[str, Line]:
    return {words[0].lower(): (number, words[1:]) for number, words in lines}


def _check_root(root: dict[str, Line], path: Path) -> None:
    order, axis = ([word.upper() for word in root.get(key, (0, []))[1]] for key in ("order", "axis"))
    at_rest = [*_numbers(root, "position", 3, f"{path}, :root"), *_numbers(root, "orientation", 3, f"{path}, :root")]
    if order != list(_ROOT_ORDER) or axis != ["XYZ"] or any(at_rest):
        raise DataError(
            f"{path}: the root has order {' '.join(order)}, axis {' '.join(axis)}, position and orientation {at_rest}; "
            f"expected order {' '.join(_ROOT_ORDER)}, axis XYZ, all zero"
        )


def _bones(lines: Sequence[Line], path: Path) -> dict[str, dict[str, Line]]:
    """The entries of every ``begin`` ... ``end`` block, by the bone's name."""
    bones: dict[str, dict[str, Line]] = {}
    block: list[Line] | None = None
    for number, words in lines:
        word = words[0].lower()
        if word == "begin" and block is None:
            block = []
        elif word == "end" and block is not None:
            entries, block = _entries(block), None
            if not entries.get("name", (0, []))[1]:
                raise DataError(f"{path}, line {number}: a bone without name ends here")
            bones[entries["name"][1][0]] = entries
        elif block is not None:
            block.append((number, words))
        else:
            raise DataError(f"{path}, line {number}: {' '.join(words)[:60]!r} is outside of begin and end")
    if block is not None or not bones:
        raise DataError(f"{path}: :bonedata is empty or ends inside a bone; is the file truncated?")
    return bones


def _parents(lines: Sequence[Line], bones: dict[str, dict[str, Line]], path: Path) -> dict[str, str]:
    """Each bone's parent, parents before their children."""
    parents: dict[str, str] = {}
    for number, words in lines:
        if words[0].lower() in ("begin", "end"):
            continue
        parent, *children = words
        unknown = [name for name in children if name not in bones]
        twice = [name for name in children if name in parents]
        if unknown or twice or (parent != "root" and parent not in parents):
            raise DataError(
                f"{path}, line {number}: {' '.join(words)!r}, expected a bone that is attached already and then bones "
                "that are not"
            )
        parents |= dict.fromkeys(children, parent)
    loose = [name for name in bones if name not in parents]
    if loose:
        raise DataError(f"{path}: :hierarchy lacks bone {loose[0]}, expected all of :bonedata")
    return parents


def _freedoms(bone: dict[str, Line], where: str) -> tuple[str, ...]:
    freedoms = tuple(word.lower() for word in bone.get("dof", (0, []))[1])
    if any(freedom not in _TURNS for freedom in freedoms) or len(set(freedoms)) != len(freedoms):
        raise DataError(f"{where}: dof {' '.join(freedoms)}, expected different ones of {', '.join(_TURNS)}")
    return freedoms


def _numbers(entries: dict[str, Line], key: str, count: int, where: str) -> list[float]:
    """The first ``count`` words of an entry as numbers."""
    number, words = entries.get(key, (0, []))
    try:
        values = [float(word) for word in words[:count]]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        found = f"line {number}: {key} {' '.join(words)}" if words else f"no {key}"
        raise DataError(f"{where}: {found}, expected {count} finite number{'s' * (count > 1)}")
    return values


# ---- motions ---------------------------------------------------------------------------------------------


def read_motion(path: str | Path, skeleton: AsfSkeleton) -> AmcMotion:
    """Read an AMC file of a skeleton, in float64.

    Raises:
        DataError: names the file and, where there is one, the line: no ``:DEGREES``, no frames, bones that the
            skeleton lacks or the file does, frames that lack lines (a truncated file) or are out of order, text where
            a number belongs, NaN or infinity.
    """
    path = Path(path)
    lines = _lines(path)
    header = [words[0].upper() for _, words in lines if words[0].startswith(":")]
    rows = [line for line in lines if not line[1][0].startswith(":")]
    if ":DEGREES" not in header or not rows:
        raise DataError(f"{path}: no :DEGREES or no frames, expected an AMC motion with angles in degrees")
    size = _frame_size(rows, path)
    names = [words[0] for _, words in rows[1:size]]
    moving = [name for name, freedoms in zip(skeleton.names, skeleton.freedoms, strict=True) if freedoms]
    if sorted(names) != sorted(moving):
        missing, unknown = (", ".join(sorted(set(a) - set(b))) for a, b in ((moving, names), (names, moving)))
        raise DataError(
            f"{path}: the bones of frame 1 are not those of {skeleton.source}: missing {missing or 'none'}, "
            f"unknown {unknown or 'none'}, {len(names)} lines for {len(moving)} bones"
        )
    angles = torch.zeros(len(rows) // size, len(skeleton.names), 3, dtype=torch.float64)
    for place, name in enumerate(names, 1):
        bone = skeleton.names.index(name)
        labels = _ROOT_ORDER if bone == 0 else skeleton.freedoms[bone]
        values = _values(rows[place::size], name, labels, path)
        if bone == 0:
            root, values = values[:, :3], values[:, 3:]
        angles[:, bone, [_TURNS.index(freedom) for freedom in skeleton.freedoms[bone]]] = values
    return AmcMotion(skeleton, root, angles, str(path))


def _frame_size(rows: Sequence[Line], path: Path) -> int:
    """Lines per frame; every frame must have as many, and frames must be numbered one after the other."""
    starts = [i for i, (_, words) in enumerate(rows) if len(words) == 1 and words[0].isdigit()]
    if not starts or starts[0] != 0:
        raise DataError(f"{path}, line {rows[0][0]}: {' '.join(rows[0][1])[:60]!r}, expected the number of a frame")
    size = starts[1] if len(starts) > 1 else len(rows)
    first = int(rows[0][1][0])
    for frame, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        number, words = rows[start]
        if int(words[0]) != first + frame:
            raise DataError(f"{path}, line {number}: frame {words[0]}, expected frame {first + frame}")
        if end - start != size:
            raise DataError(
                f"{path}, line {number}: frame {words[0]} has {end - start - 1} bones, the first has {size - 1}; "
                "is the file truncated?"
            )
    return size


def _values(rows: Sequence[Line], name: str, labels: Sequence[str], path: Path) -> Tensor:
    """(T, len(labels)) float64 of the lines of one bone, one line per frame."""
    for number, words in rows:
        if words[0] != name or len(words) != len(labels) + 1:
            raise DataError(
                f"{path}, line {number}: {' '.join(words)[:60]!r}, expected {name} and its {' '.join(labels).lower()}"
            )
    try:
        values = np.array([words[1:] for _, words in rows], dtype=np.float64)
        bad = ~np.isfinite(values).all(axis=1)
    except ValueError:
        bad = np.array([not all(map(_is_number, words[1:])) for _, words in rows])
    if bad.any():
        number, words = rows[int(bad.argmax())]
        raise DataError(f"{path}, line {number}: {' '.join(words)[:60]!r}, expected finite numbers")
    return torch.from_numpy(values)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _lines(path: Path) -> list[Line]:
    """Number and words of every line that is neither empty nor a comment."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), expected a text file") from None
    split = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, words) for number, words in split if words and not words[0].startswith("#")]
