"""Things computed once and kept on disk; the caller puts everything that they depend on into the file's name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from videomdm.storage import checkpoints
from videomdm.storage.files import write_json
from videomdm.storage.text import read_json

log = logging.getLogger(__name__)


def kept(path: Path, make: Callable[[], Any], read: Callable[[Path], Any], write: Callable[[Path, Any], object]) -> Any:
    """What is stored at ``path``, or ``make()``, stored there for the next time.

    Args:
        path: the file; a damaged one is made anew, with a warning.
        make: computes the value.
        read: the value in a file; raises ``ValueError`` where it is damaged.
        write: stores a value, whole or not at all.
    """
    if path.exists():
        try:
            return read(path)
        except ValueError as error:
            log.warning("%s is damaged (%s): computing it again", path, error)
    value = make()
    write(path, value)
    return value


def cached(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """As :func:`kept`, for a tensor."""
    return cached_tensors(path, lambda: {"tensor": make()})["tensor"]


def cached_tensors(path: Path, make: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """As :func:`kept`, for tensors by name."""
    return kept(
        path,
        lambda: {name: tensor.cpu() for name, tensor in make().items()},
        checkpoints.read_tensors,
        checkpoints.write_tensors,
    )


def cached_json(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """As :func:`kept`, for values by name in JSON, one or more."""
    return kept(path, make, _read_values, write_json)


def _read_values(path: Path) -> dict[str, Any]:
    expected = "JSON of values by name"
    values = read_json(path, expected)
    if not isinstance(values, dict) or not values:
        raise ValueError(f"{path}: holds {str(values)[:40]}, expected {expected}")
    return values


@contextmanager
def one_at_a_time(lock: Path, what: object) -> Iterator[None]:
    """A block that one process at a time goes through; the others wait, which is logged in one line.

    The system frees the lock of a process that was killed.

    Args:
        lock: an empty file, made if missing, which stays.
        what: is worked on, for the line.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    turn = FileLock(lock)
    try:
        turn.acquire(timeout=0)
    except Timeout:
        log.warning("%s: another process is at work on it, waiting until it is done", what)
        turn.acquire()
    try:
        yield
    finally:
        turn.release()
