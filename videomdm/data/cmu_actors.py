"""CMU's motion capture split by actor: who is seen in training is never seen in a test.

HumanML3D's splits cut CMU by clip, so that the same people, and often the same takes, are on both sides.  CMU numbers
its subjects; their number alone decides the split here, so that it is the same for every selection of trials.
"""

from __future__ import annotations

import csv
from pathlib import Path

from videomdm.conventions import SPLITS, DataError
from videomdm.data import humanml3d
from videomdm.data.corpus import Corpus, check_split

#: A subject's number modulo ``GROUPS`` -> split; all others train.
GROUPS = 7
HELD_OUT = {2: "test", 6: "val"}


def split_of(subject: int) -> str:
    """ "train", "val" or "test" of a subject's number."""
    return HELD_OUT.get(subject % GROUPS, "train")


def is_cmu(root: str | Path) -> bool:
    """Whether a folder holds CMU's motions alone: its ``index.csv`` names trials."""
    return {"name", "trial"} <= set(_header(Path(root) / "index.csv"))


def subjects(root: str | Path) -> dict[str, int]:
    """The subject of each motion, by its name (mirrored ones too), of a folder that ``videomdm prepare-cmu`` made.

    Raises:
        DataError: ``index.csv`` is missing or has no names and trials.
    """
    path = Path(root) / "index.csv"
    if not is_cmu(root):
        raise DataError(f"{path}: columns are {_header(path)}, expected name and trial among them, as in the index of "
                        "a folder made by videomdm prepare-cmu")  # fmt: skip
    with open(path, encoding="utf-8", newline="") as file:
        return {row["name"]: int(row["trial"].split("_")[0]) for row in csv.DictReader(file)}


def _header(path: Path) -> list[str]:
    """The columns of a table, none where there is no such file."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return csv.DictReader(file).fieldnames or []


def load(root: str | Path, split: str, mirrored: bool = False) -> Corpus:
    """The motions of a split's actors, whatever HumanML3D's split of them.

    Args:
        root: a folder that ``videomdm prepare-cmu`` made.
        split: "train", "val" or "test".
        mirrored: whether their mirror images are read too.

    Raises:
        DataError: a file is missing or wrong (:func:`videomdm.data.humanml3d.load`), or no motion is of these actors.
        ValueError: an unknown split.
    """
    check_split(split)
    own = {name for name, subject in subjects(root).items() if split_of(subject) == split}
    listed = [name for part in SPLITS for name in humanml3d.names(root, part)]
    chosen = sorted(name for name in listed if name in own and (mirrored or not name.startswith("M")))
    if not chosen:
        raise DataError(f"{root}: no motion of the {split} actors among {len(listed)}, expected some")
    return humanml3d.load(root, None, names=chosen)


def actors(root: str | Path, split: str) -> list[int]:
    """The subjects of a folder's split, by number."""
    return sorted({subject for subject in subjects(root).values() if split_of(subject) == split})
