"""Files that are written whole or not at all, and short hashes for the names of what is kept."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from videomdm.conventions import DataError


def check_output(path: Path, read: Iterable[Path] = ()) -> None:
    """See that a file can be written, before the work that goes into it, and that nothing is lost by it.

    Args:
        path: the file that is going to be written.
        read: files that the work reads.

    Raises:
        DataError: it is one of those that are read, links followed; something else than a file has its name; or its
            folder is a file, or one that nothing can be written to.
    """
    if path.resolve() in {file.resolve() for file in read}:
        raise DataError(f"{path}: the result would be written over what it is made from, expected another file")
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: a {'folder' if path.is_dir() else 'device'} has this name, expected a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise DataError(f"{path}: {folder} is a file, expected a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"{path}: nothing can be written to {folder}, expected a folder with write permission")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path of the same name to write to, which takes the place of ``path`` at the end; after an error nothing stays.

    The folder is made if missing.  Several processes may write the same file at once: one of them wins.

    Raises:
        IsADirectoryError: ``path`` is a folder.
        OSError: the folder cannot be made or written to.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        partial = Path(folder) / path.name
        yield partial
        os.replace(partial, path)


def write_json(path: Path, value: object) -> None:
    """``value`` as JSON, written whole."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(value, indent=1) + "\n")


def digest(*parts: object) -> str:
    """Short hash (10 hexadecimal digits) of everything that something kept on disk depends on.

    Args:
        parts: tensors and files (paths) count by their content, dataclasses by their fields, in order; the rest is
            what JSON can say: texts, numbers, None, lists and dictionaries of these.

    Raises:
        TypeError: a part of another kind, whose text might not say what it is.
    """
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(_content(part)).digest())
    return total.hexdigest()[:10]


def _content(part: object) -> bytes:
    if isinstance(part, Tensor):
        values = part.detach().cpu().contiguous()
        return f"{values.dtype} {tuple(values.shape)} ".encode() + values.flatten().view(torch.uint8).numpy().tobytes()
    if isinstance(part, Path):
        return part.read_bytes()
    if dataclasses.is_dataclass(part):
        return b"".join(_content(getattr(part, f.name)) for f in dataclasses.fields(part))
    return json.dumps(part, sort_keys=True).encode()
