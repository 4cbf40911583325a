"""The one reader of tables: whatever spreadsheet saved them.

Cells are separated by commas, by Excel's semicolons (with or without its own first line, ``sep=;``) or by tabs; the
text is as :func:`videomdm.storage.text.read` takes it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from videomdm.conventions import DataError
from videomdm.storage import text


def rows(path: str | Path, needed: Sequence[str], optional: Sequence[str] = ()) -> dict[int, dict[str, str]]:
    """The rows of a table; a line break or several blanks in a cell are one space.

    Args:
        path: the file; its first line names the columns, in any order and case.
        needed: columns that are there, and filled in every row.
        optional: columns that may be there; "" where a cell is empty.

    Returns:
        Number of the file's line at which a row ends -> column, in lower case -> cell; rows in which no cell is filled
        are left out.

    Raises:
        DataError: no such file, no text, other columns, a row with more or fewer cells or an empty needed one, a quote
            that is not closed.
    """
    expected = ",".join(needed) + (f" and perhaps {','.join(optional)}" if optional else "")
    content = text.read(path, f"a table with the columns {expected}")
    excel = bool(re.match(r"sep=.\n", content))
    first = content.split("\n")[excel]
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    found = {}
    try:
        if excel:
            next(reader)
        header = [cell.lower() for cell in _cells(next(reader, []))]
        if not set(needed) <= set(header) <= {*needed, *optional} or len(set(header)) < len(header):
            raise DataError(f"{path}: the first line is {first!r}, expected {expected}")
        for cells in map(_cells, reader):
            if not any(cells):
                continue
            row = dict(zip(header, cells, strict=False))
            if len(cells) != len(header) or not all(row[column] for column in needed):
                one = " and ".join(f"a {column}" for column in header)
                raise DataError(f"{path}, line {reader.line_num}: {cells}, expected {one} (in quotes if it has commas)")
            found[reader.line_num] = row
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}, expected {expected}, quotes in pairs") from None
    return found


def _cells(row: list[str]) -> list[str]:
    return [" ".join(cell.split()) for cell in row]
