"""The one reader of text files: whatever editor saved them.

Windows editors put a byte order mark in front, end lines with two characters, or save as UTF-16; old Macs end lines
with a carriage return.  Readers of captions, tables, JSON and BVH get the same text for all of these.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from videomdm.conventions import DataError

#: Byte order marks and their encodings; UTF-32's begins with UTF-16's, so it is looked for first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


def read(path: str | Path, expected: str = "a text file", errors: str = "strict") -> str:
    r"""A file's text without byte order mark, every line ended by ``\n``.

    Args:
        path: UTF-8, or UTF-16 or UTF-32 with a byte order mark.
        expected: what the file should be, for messages.
        errors: as in ``bytes.decode``: "strict", or "replace" where a few unreadable letters do no harm.

    Raises:
        DataError: the file cannot be read, or is no text in one of these encodings.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), expected {expected}") from None
    mark, encoding = next(((m, e) for m, e in _MARKS if content.startswith(m)), (b"", "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not {encoding.upper()} text at byte {error.start}, expected {expected}; save it as UTF-8"
        ) from None
    if "\0" in text:
        raise DataError(f"{path}: zero bytes in it, expected {expected}, saved as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path, expected: str = "a JSON file") -> object:
    """The value in a JSON file; raises ``DataError`` that names the file where there is none."""
    content = read(path, expected)
    try:
        return json.loads(content)
    except ValueError as error:
        raise DataError(f"{path}: no JSON ({error}), expected {expected}") from None
    except RecursionError:
        raise DataError(f"{path}: JSON nested too deep to be read, expected {expected}") from None
