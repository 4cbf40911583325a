"""HumanML3D's official layout, from the other side: what its repository publishes, and how to write such a folder.

The repository (github.com/EricGuo5513/HumanML3D, MIT) has no motions but ``index.csv``, which says where in AMASS each
of its 14,616 motions was cut out, the split files and the captions.  :mod:`videomdm.data.humanml3d` reads a finished
folder.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from videomdm.conventions import SPLITS, DataError
from videomdm.features.normaliser import Moments, Normaliser
from videomdm.features.representation import encode
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import rest_offsets
from videomdm.storage import text
from videomdm.storage.arrays import read_npy

_COLUMNS = ("source_path", "start_frame", "end_frame", "new_name")
_EXAMPLE = "new_joints/012314.npy"  # the one motion that the repository holds, for comparison


# ---- what is published -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of ``index.csv``: frames ``start`` to ``end`` (at 20 fps, ``end`` left out) of a file of AMASS."""

    name: str
    source: str
    start: int
    end: int


def read_index(root: Path) -> list[Row]:
    """The rows of ``index.csv``.

    Args:
        root: a copy of the repository, or a folder with its files.

    Raises:
        DataError: the file is missing, has other columns, or a row does not parse.
    """
    path = _find(root, "index.csv")
    table = csv.DictReader(io.StringIO(text.read(path)))
    if not set(_COLUMNS) <= set(table.fieldnames or ()):
        raise DataError(f"{path}: columns {', '.join(table.fieldnames or ())}, expected {', '.join(_COLUMNS)}")
    rows = []
    for row in table:
        source, start, end, name = (row[column] for column in _COLUMNS)
        try:
            rows.append(Row(name.removesuffix(".npy"), source, int(start), int(end)))
        except (TypeError, ValueError, AttributeError):
            raise DataError(f"{path}, line {table.line_num}: {row}, expected {', '.join(_COLUMNS)}") from None
    return rows


def read_splits(root: Path) -> dict[str, str]:
    """Name -> split, of ``train.txt``, ``val.txt`` and ``test.txt``; raises ``DataError`` where one is missing."""
    return {name: split for split in SPLITS for name in text.read(_find(root, f"{split}.txt")).split()}


def read_texts(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Name -> the content of its caption file, of those ``names`` that have one, in ``texts/`` or ``texts.zip``.

    Raises:
        DataError: there is neither, or the archive cannot be read.
    """
    try:
        folder = _find(root, "texts")
    except DataError:
        return _from_archive(_find(root, "texts.zip"), names)
    files = ((name, folder / f"{name}.txt") for name in names)
    return {name: text.read(file) for name, file in files if file.exists()}


def _from_archive(path: Path, names: Iterable[str]) -> dict[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {Path(member).stem: member for member in archive.namelist() if member.endswith(".txt")}
            return {name: archive.read(members[name]).decode("utf-8") for name in names if name in members}
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}), expected HumanML3D's archive of captions") from None


def read_body(root: Path) -> Tensor:
    """The one body of all of HumanML3D's motions, as offsets (22, 3) of its rest pose, metres.

    Raises:
        DataError: the example motion, which has that body, is missing or of another shape.
    """
    path = _find(root, _EXAMPLE)
    joints = read_npy(path)
    if joints.ndim != 3 or joints.shape[1:] != (len(SMPL22), 3):
        raise DataError(f"{path}: shape {joints.shape}, expected (frames, {len(SMPL22)}, 3)")
    return rest_offsets(torch.from_numpy(joints[0].astype(np.float64)))


def _find(root: Path, name: str) -> Path:
    """A file of the repository, in ``root`` or in its folder HumanML3D."""
    places = [root / name, root / "HumanML3D" / name]
    found = [place for place in places if place.exists()]
    if not found:
        raise DataError(f"{root}: no {name}, there or in HumanML3D; expected a copy of the HumanML3D repository")
    return found[0]


# ---- writing ---------------------------------------------------------------------------------------------


def files(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Where a motion's joints, features and captions lie."""
    return folder / f"new_joints/{name}.npy", folder / f"new_joint_vecs/{name}.npy", folder / f"texts/{name}.txt"


def write_motion(folder: Path, name: str, joints: Tensor, text: str) -> None:
    """Write a motion, its features and its captions.

    Args:
        folder: the data set's.
        name: the motion's.
        joints: (T, 22, 3), metres, in its canonical frame.
        text: lines of ``caption#word/POS ...#start#end``.
    """
    of_joints, of_features, of_text = files(folder, name)
    write_array(of_joints, joints)
    write_array(of_features, encode(joints))
    write_file(of_text, lambda file: file.write(text.encode("utf-8")))


def write_index(folder: Path, names: Mapping[str, Sequence[str]]) -> None:
    """Write the split files and ``Mean.npy`` and ``Std.npy``, the statistics of the features of all splits.

    As in HumanML3D the deviation is averaged over each kind of channel.

    Args:
        folder: the data set's, with all motions written.
        names: the motions of each split.
    """
    for split in SPLITS:
        content = "".join(f"{name}\n" for name in names[split])
        write_file(folder / f"{split}.txt", lambda file, content=content: file.write(content.encode()))
    paths = [files(folder, name)[1] for split in SPLITS for name in names[split]]
    rows = (torch.from_numpy(np.load(path, allow_pickle=False)) for path in tqdm(paths, "statistics", delay=2))
    normaliser = Normaliser.of(reduce(add, map(Moments.of, rows)), len(SMPL22))
    write_array(folder / "Mean.npy", normaliser.mean)
    write_array(folder / "Std.npy", normaliser.std)


def write_array(path: Path, values: Tensor) -> None:
    """Write float32 values; the file is there whole or not at all."""
    write_file(path, lambda file: np.save(file, values.float().numpy()))


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``write`` fill a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with partial.open("wb") as file:
        write(file)
    os.replace(partial, path)
