"""Things computed once and kept on disk; the caller puts everything that they depend on into the file's name."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from videomdm.storage import checkpoints
from videomdm.storage.files import write_json

log = logging.getLogger(__name__)


def cached(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """The tensor stored at ``path``, or ``make()``, stored there (atomically) for the next time.

    A damaged file is made anew, with a warning.
    """
    return cached_tensors(path, lambda: {"tensor": make()})["tensor"]


def cached_tensors(path: Path, make: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """As :func:`cached`, for tensors by name."""
    if path.exists():
        try:
            return checkpoints.read_tensors(path)
        except ValueError as error:
            log.warning("%s is damaged (%s): computing it again", path, error)
    tensors = {name: tensor.cpu() for name, tensor in make().items()}
    checkpoints.write_tensors(path, tensors)
    return tensors


def cached_json(path: Path, make: Callable[[], Any]) -> Any:
    """As :func:`cached`, for a JSON value."""
    if path.exists():
        try:
            return json.loads(path.read_text())
        except json.JSONDecodeError as error:
            log.warning("%s is damaged (%s): computing it again", path, error)
    value = make()
    write_json(path, value)
    return value
