"""Biovision hierarchy (BVH) files: read, pose by forward kinematics, write.

Values stay as they are in the file: lengths in the file's unit (centimetres by custom; the format does not
say), angles in degrees, joints and Euler orders as listed.  A joint's rotation is the product of its rotation
channels from left to right (``Zrotation Xrotation Yrotation`` means ``R = Rz Rx Ry``); a position channel
takes the place of that coordinate of OFFSET.  This is also how Blender reads them.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import roma
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.storage import text

CHANNELS = tuple(axis + kind for kind in ("position", "rotation") for axis in "XYZ")
_CHANNEL_OF = {channel.lower(): channel for channel in CHANNELS}
_END_SITE = -1
LONGEST_FRAME = 1.0  # seconds; a longer Frame Time is a rate or milliseconds


@dataclass(frozen=True)
class BvhMotion:
    """A BVH file's skeleton and frames.

    Attributes:
        names: joint names; every parent stands before its children.
        parents: index of each joint's parent, -1 for a root.
        offsets: (J, 3) OFFSET of each joint from its parent, file units.
        channels: for each joint its channels in order, out of ``CHANNELS``.
        values: (T, C) channel values, joint by joint in the order of ``names``; file units and degrees.
        frame_time: seconds per frame.
        end_sites: (3,) OFFSET of the end site of each joint that has one.
        source: the file it was read from, for messages.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Tensor
    channels: tuple[tuple[str, ...], ...]
    values: Tensor
    frame_time: float
    end_sites: dict[int, Tensor] = field(default_factory=dict)
    source: str = "BVH motion"

    def __post_init__(self) -> None:
        joints, columns = len(self.names), sum(map(len, self.channels))
        if self.offsets.shape != (joints, 3) or len(self.parents) != joints or len(self.channels) != joints:
            raise ValueError(
                f"{self.source}: {len(self.parents)} parents, offsets {tuple(self.offsets.shape)} and channels of "
                f"{len(self.channels)} joints, expected those of the {joints} names"
            )
        if self.values.ndim != 2 or self.values.shape[1] != columns:
            raise ValueError(f"{self.source}: values {tuple(self.values.shape)}, expected (frames, {columns})")
        early = next((j for j, parent in enumerate(self.parents) if parent >= j), None)
        if early is not None:
            raise ValueError(f"{self.source}: {self.names[early]} stands before its parent, expected parents first")

    def __len__(self) -> int:
        return len(self.values)

    def index(self, names: Sequence[str]) -> list[int]:
        """Indices of joints by name; raises ``DataError`` that names the unknown and the known ones."""
        unknown = [name for name in dict.fromkeys(names) if name not in self.names]
        if unknown:
            raise DataError(f"{self.source}: no joint {', '.join(unknown)}; it has {', '.join(self.names)}")
        twice = [name for name in dict.fromkeys(names) if self.names.count(name) > 1]
        if twice:
            raise DataError(
                f"{self.source}: more than one joint is called {', '.join(twice)}, expected one of each name"
            )
        return [self.names.index(name) for name in names]

    @cached_property
    def translations(self) -> Tensor:
        """(T, J, 3) each joint's place in its parent's frame: OFFSET, or position channels where present."""
        translations = self.offsets.to(self.values).repeat(len(self), 1, 1)
        columns, joints, axes, _ = self._channels_of("position")
        translations[:, joints, axes] = self.values[:, columns]
        return translations

    @cached_property
    def rotations(self) -> Tensor:
        """(T, J, 3, 3) each joint's rotation in its parent's frame; identity without rotation channels."""
        columns, joints, axes, places = self._channels_of("rotation")
        eye = torch.eye(3, dtype=self.values.dtype)
        product = eye.expand(len(self), len(self.names), 3, 3)
        for place in places.unique().tolist():
            now = places == place
            turn = self.values.new_zeros(len(self), len(self.names), 3)
            turn[:, joints[now], axes[now]] = self.values[:, columns[now]].deg2rad()
            product = product @ roma.rotvec_to_rotmat(turn)
        return product

    def joints(self) -> Tensor:
        """Forward kinematics: (T, J, 3) joint positions in the file's unit and axes."""
        rotations, positions = [], []
        for j, parent in enumerate(self.parents):
            rotation, position = self.rotations[:, j], self.translations[:, j]
            if parent >= 0:
                position = positions[parent] + (rotations[parent] @ position[..., None])[..., 0]
                rotation = rotations[parent] @ rotation
            rotations.append(rotation)
            positions.append(position)
        return torch.stack(positions, dim=1)

    def _channels_of(self, kind: str) -> Tensor:
        """(4, n): column, joint, axis and place among its joint's channels of this kind."""
        found, column = [], 0
        for joint, channels in enumerate(self.channels):
            for channel in channels:
                if channel.endswith(kind):
                    place = sum(entry[1] == joint for entry in found[-2:])
                    found.append((column, joint, "XYZ".index(channel[0]), place))
                column += 1
        return torch.tensor(found, dtype=torch.long).reshape(-1, 4).T


def read(path: str | Path) -> BvhMotion:
    """Read a BVH file.

    Args:
        path: the file.

    Returns:
        The motion in float64, joints in the file's order.

    Raises:
        DataError: names the file and, where there is one, the line: no HIERARCHY or MOTION, a hierarchy that
            does not parse, no frames, another number of rows than announced, a row with the wrong number of
            values, text where a number belongs, NaN or infinity, a frame time that is no seconds per frame.

    Warns:
        UserWarning: one row more than announced, as Rokoko's exports have it; the announced ones are taken.
    """
    path = Path(path)
    lines = text.read(path, "a BVH file", errors="replace").split("\n")
    headings = [line.strip().upper() for line in lines]
    first = next((i for i, heading in enumerate(headings) if heading), 0)
    if not lines or headings[first] != "HIERARCHY":
        raise DataError(f"{path}: no HIERARCHY at the start, expected a BVH file")
    if "MOTION" not in headings:
        raise DataError(f"{path}: no MOTION section after the HIERARCHY")
    motion = headings.index("MOTION")
    names, parents, offsets, channels, end_sites = _hierarchy(lines[first + 1 : motion], first + 2, path)
    frame_time, values = _motion(lines[motion + 1 :], motion + 2, channels, names, path)
    return BvhMotion(names, parents, offsets, channels, values, frame_time, end_sites, str(path))


def _hierarchy(lines: Sequence[str], first: int, path: Path):
    names: list[str] = []
    parents: list[int] = []
    offsets: dict[int, Tensor] = {}
    channels: dict[int, tuple[str, ...]] = {}
    end_sites: dict[int, Tensor] = {}
    open_joints: list[int] = []
    opening: int | None = None
    for number, words in _statements(lines, first):
        where, key = f"{path}, line {number}", words[0].upper()
        inside = open_joints[-1] if open_joints else None
        names_a_joint = key == ("ROOT" if inside is None else "JOINT") and len(words) > 1
        if names_a_joint and opening is None and inside != _END_SITE:
            opening = len(names)
            names.append(" ".join(words[1:]))
            parents.append(-1 if inside is None else inside)
        elif key == "END" and opening is None and inside not in (None, _END_SITE):
            opening = _END_SITE
        elif key == "{" and opening is not None:
            open_joints.append(opening)
            opening = None
        elif key == "}" and inside is not None:
            open_joints.pop()
        elif key == "OFFSET" and inside == _END_SITE:
            _once(end_sites, open_joints[-2], _offset(words, where), where)
        elif key == "OFFSET" and inside is not None:
            _once(offsets, inside, _offset(words, where), where)
        elif key == "CHANNELS" and inside not in (None, _END_SITE):
            _once(channels, inside, _channel_names(words[1:], where), where)
        else:
            raise DataError(f"{where}: {' '.join(words)[:60]!r} does not belong here in a HIERARCHY")
    if open_joints or opening is not None or not names:
        raise DataError(f"{path}: the HIERARCHY is empty or ends before its last brace is closed")
    without = [name for j, name in enumerate(names) if j not in offsets]
    if without:
        raise DataError(f"{path}: joint {without[0]} has no OFFSET")
    order = range(len(names))
    stacked = torch.stack([offsets[j] for j in order])
    return tuple(names), tuple(parents), stacked, tuple(channels.get(j, ()) for j in order), end_sites


def _once(found: dict, joint: int, value: object, where: str) -> None:
    """Keep what is said of a joint, which is said once."""
    if joint in found:
        raise DataError(f"{where}: said of this joint a second time, expected one OFFSET and one CHANNELS for each")
    found[joint] = value


def _statements(lines: Sequence[str], first: int) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each statement; a brace is one even where it shares a line."""
    for number, line in enumerate(lines, first):
        for statement in re.findall(r"[{}]|[^{}]+", line):
            if words := statement.split():
                yield number, words


def _channel_names(words: Sequence[str], where: str) -> tuple[str, ...]:
    count, *channels = words or ("0",)
    unknown = [channel for channel in channels if channel.lower() not in _CHANNEL_OF]
    if unknown:
        raise DataError(f"{where}: unknown channel {unknown[0]}, expected one of {', '.join(CHANNELS)}")
    if not count.isdigit() or int(count) != len(channels) or len(set(channels)) != len(channels):
        raise DataError(f"{where}: CHANNELS {' '.join(words)}: expected a count and as many different channels")
    return tuple(_CHANNEL_OF[channel.lower()] for channel in channels)


def _motion(lines: Sequence[str], number: int, channels, names, path: Path) -> tuple[float, Tensor]:
    rows = [(number, line.strip()) for number, line in enumerate(lines, number) if line.strip()]
    header = "\n".join(line for _, line in rows[:2])
    found = re.fullmatch(r"Frames\s*:\s*(\d+)\nFrame\s+Time\s*:\s*(\S+)", header, re.IGNORECASE)
    if not found:
        raise DataError(f"{path}: MOTION starts with {header[:80]!r}, expected 'Frames: N' and 'Frame Time: s'")
    announced, rows = int(found[1]), rows[2:]
    (frame_time,) = _numbers([found[2]], ["Frame Time"], str(path))
    if announced == 0 or frame_time <= 0:
        raise DataError(f"{path}: {announced} frames of {frame_time} s, expected at least one, of more than 0 s")
    if frame_time > LONGEST_FRAME:
        raise DataError(
            f"{path}: Frame Time is {frame_time}, expected seconds per frame; {frame_time:g} frames a second "
            f"are {1 / frame_time:.6f}, {frame_time:g} ms are {frame_time / 1000:g}"
        )
    if len(rows) == announced + 1:
        warnings.warn(f"{path}: Frames: {announced} and one row more, which is not read", stacklevel=3)
        rows = rows[:announced]
    columns = [f"{name} {channel}" for name, own in zip(names, channels, strict=True) for channel in own]
    values = [_numbers(row.split(), columns, f"{path}, line {n}") for n, row in rows]
    if len(values) != announced:
        cause = "is the file truncated?" if len(values) < announced else "write the true number there, or cut the rest"
        raise DataError(f"{path}: {len(values)} rows of values but Frames: {announced}; {cause}")
    return frame_time, torch.tensor(values, dtype=torch.float64).reshape(announced, len(columns))


def _numbers(words: Sequence[str], labels: Sequence[str], where: str) -> list[float]:
    """One finite number per label."""
    if len(words) != len(labels):
        raise DataError(f"{where}: {len(words)} values, expected {len(labels)}")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        hint = "; write decimals with a point" if any("," in word for word in words) else ""
        raise DataError(f"{where}: {error}{hint}") from None
    for label, value in zip(labels, values, strict=True):
        if not math.isfinite(value):
            raise DataError(f"{where}: {label} is {value}, expected a finite number")
    return values


def _offset(words: Sequence[str], where: str) -> Tensor:
    values = _numbers(words[1:], ("OFFSET x", "OFFSET y", "OFFSET z"), where)
    return torch.tensor(values, dtype=torch.float64)


def write(path: str | Path, motion: BvhMotion) -> None:
    """Write a BVH file with six decimals.

    The format lists joints depth first, so joints and values are written in that order, whatever the order of
    ``motion.names``.

    Args:
        path: the file to write; its folder must exist.
        motion: what to write, in the units the file shall have.

    Raises:
        ValueError: a value is not finite.
    """
    for name, numbers in (("values", motion.values), ("offsets", motion.offsets)):
        if not numbers.isfinite().all():
            raise ValueError(f"{path}: {name} hold NaN or infinite numbers, expected finite ones")
    lines, order = ["HIERARCHY"], []
    for root in (j for j, parent in enumerate(motion.parents) if parent < 0):
        _describe(motion, root, 0, lines, order)
    starts = torch.tensor([0, *map(len, motion.channels)]).cumsum(0).tolist()
    columns = [c for j in order for c in range(starts[j], starts[j + 1])]
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {motion.frame_time:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in motion.values[:, columns].tolist()]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _describe(motion: BvhMotion, joint: int, depth: int, lines: list[str], order: list[int]) -> None:
    """Append a joint and all below it to ``lines``, and their indices to ``order``."""
    order.append(joint)
    tab, channels = "\t" * depth, motion.channels[joint]
    lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {motion.names[joint]}", f"{tab}{{"]
    lines.append(f"{tab}\tOFFSET {_vector(motion.offsets[joint])}")
    lines.append(f"{tab}\tCHANNELS {' '.join([str(len(channels)), *channels])}")
    for child in (j for j, parent in enumerate(motion.parents) if parent == joint):
        _describe(motion, child, depth + 1, lines, order)
    if joint in motion.end_sites:
        lines += [
            f"{tab}\tEnd Site",
            f"{tab}\t{{",
            f"{tab}\t\tOFFSET {_vector(motion.end_sites[joint])}",
            f"{tab}\t}}",
        ]
    lines.append(f"{tab}}}")


def _vector(offset: Tensor) -> str:
    return " ".join(f"{value:.6f}" for value in offset.tolist())
