"""What is said of the recordings in a folder, in the order in which it is looked for:

1. ``squat.txt`` beside ``squat.mp4``: one caption per line;
2. ``captions.csv`` in the folder: a header ``file,caption`` and a row per caption; ``file`` is the recording's path
   below the folder, with or without ending, and may come several times;
3. the file's name: ``jumping_jack_03`` says "jumping jack".
"""

from __future__ import annotations

import csv
import re
from pathlib import Path, PurePosixPath

from videomdm.conventions import DataError

TABLE = "captions.csv"
Table = dict[str, tuple[str, ...]]


def read_table(folder: Path) -> Table:
    """Captions by recording's name, of the folder's ``captions.csv``; empty where there is none.

    Raises:
        DataError: not UTF-8, another header, a row without file or caption.
    """
    path = folder / TABLE
    if not path.is_file():
        return {}
    rows = list(csv.reader(_text(path, "a table with the columns file,caption").splitlines()))
    if not rows or [cell.strip() for cell in rows[0]] != ["file", "caption"]:
        raise DataError(f"{path}: the first line is {','.join(rows[0]) if rows else ''!r}, expected file,caption")
    table: Table = {}
    for number, row in enumerate(rows[1:], 2):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != 2 or not all(cells):
            raise DataError(f"{path}, line {number}: {row}, expected a file and a caption (in quotes if it has commas)")
        place = PurePosixPath(cells[0].replace("\\", "/"))
        name = place.with_suffix("").as_posix() if place.suffix else place.as_posix()
        table[name] = (*table.get(name, ()), cells[1])
    return table


def of(folder: Path, name: str, table: Table) -> tuple[str, ...]:
    """Captions of a recording, at least one; raises ``DataError`` for a bad text file beside it."""
    file = folder / f"{name}.txt"
    if file.is_file():
        lines = tuple(line.strip() for line in _text(file, "captions, one per line").splitlines() if line.strip())
        if not lines:
            raise DataError(f"{file}: empty, expected captions, one per line")
        return lines
    if name in table:
        return table[name]
    words = re.sub(r"[\W\d_]+", " ", PurePosixPath(name).name).strip()
    return (words or "a person moves",)


def _text(path: Path, expected: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text, expected {expected}") from None
