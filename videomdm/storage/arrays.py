"""The one reader of numpy's files: plain arrays, no larger than their file can hold.

A damaged or malicious header may announce more than memory holds, a small archive may unpack to gigabytes, and pickled
objects would run code.  All of it is refused before anything of that size is allocated.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from videomdm.conventions import DataError

SMALL = 64_000_000  # bytes: archives that unpack to less are not asked how well they are packed
PACKED = 20  # times its size to which a larger archive may unpack; keypoints unpack to about twice theirs

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(path: str | Path, expected: str = "a plain .npy array") -> np.ndarray:
    """The array in an ``.npy`` file, in this machine's byte order; bytes are text.

    Args:
        path: the file.
        expected: what it should be, for messages.

    Raises:
        DataError: no such file, or no plain array of numbers or text; objects are refused, not executed.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                raise ValueError("it is an npz archive of arrays")
            file.seek(0)
            return _array(file, path.stat().st_size)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file, expected {expected}") from None
    except Exception as error:  # a damaged header fails in many ways
        raise DataError(f"{path}: cannot be read as {expected} ({_brief(error)})") from None


def read_npz(
    path: str | Path, expected: str = "an npz file of plain arrays", names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays in an ``.npz`` file by name, as :func:`read_npy` gives them.

    Args:
        path: the file.
        expected: what it should be, for messages.
        names: read only these, where they are there; all when None.

    Raises:
        DataError: no such file, no archive of plain arrays, or one that unpacks to more than ``PACKED`` times its
            size.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            wanted = [name for name in members if names is None or name in set(names)]
            unpacked, size = sum(members[name].file_size for name in wanted), path.stat().st_size
            if unpacked > max(SMALL, PACKED * size):
                raise ValueError(f"{size} bytes that unpack to {unpacked}")
            return {name: _member(archive, members[name]) for name in wanted}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file, expected {expected}") from None
    except Exception as error:  # zipfile, zlib, numpy and struct each have their own
        raise DataError(f"{path}: cannot be read as {expected} ({_brief(error)})") from None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        try:
            return _array(file, member.file_size)
        except Exception as error:
            raise ValueError(f"{member.filename}: {_brief(error)}") from None


def _array(file: IO[bytes], size: int) -> np.ndarray:
    """The array in an open file of so many bytes."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of numpy's format, which only records of fields need")
    shape, fortran, dtype = _HEADERS[version](file)
    if dtype.kind not in "biufcSU" or dtype.subdtype:
        raise ValueError(f"an array of {'pickled objects' if dtype.hasobject else dtype}, expected numbers or text")
    count, rest = math.prod(shape), size - file.tell()
    if min(shape, default=0) < 0 or not 0 <= count * dtype.itemsize <= rest:
        raise ValueError(f"an array of {dtype} {shape} in {rest} bytes: is it truncated?")
    content = file.read(count * dtype.itemsize)
    if len(content) < count * dtype.itemsize:
        raise ValueError(f"it ends after {len(content)} of {count * dtype.itemsize} bytes")
    array = np.frombuffer(content, dtype, count) if count and dtype.itemsize else np.zeros(count, dtype)
    array = array.reshape(shape, order="F" if fortran else "C")
    if dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    return array.astype(np.float64 if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("="))


def _brief(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
