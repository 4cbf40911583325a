"""Weights and resumable training states on disk: safetensors and JSON only, nothing is ever unpickled.

A training state is one file, ``step-<step>-<digest>.safetensors``.  Its tensors are stored bit by bit,
the rest (step counts, hyper-parameters, nesting) is JSON in the file's header, and the name carries the
file's own SHA-256, so a truncated or damaged checkpoint is noticed before any of it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import stat
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

KEPT = 2  # of a run's latest checkpoints: the one before, should the last be damaged
_NAME = re.compile(r"step-(?P<step>\d{8,})-(?P<digest>[0-9a-f]{16})\.safetensors")
_HEADER = "videomdm"  # one single key: the order of several would differ from run to run


@dataclass(frozen=True)
class Checkpoint:
    """A training state read back by :func:`load_latest`.

    Attributes:
        path: the file it came from.
        step: number of finished training steps.
        state: what was saved, with every part replaced by its state.
        extra: the JSON values given to :func:`save`.
        random: states of torch's global generators, CPU and CUDA.
    """

    path: Path
    step: int
    state: dict[str, Any]
    extra: dict[str, Any]
    random: dict[str, Any]

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Put the saved states into ``parts`` (as in :func:`save`) and set torch's global generators.

        Args:
            parts: modules, optimisers, anything else with ``load_state_dict``, or ``torch.Generator``; a
                subset of what was saved is fine (a fresh optimiser on a saved model).  Call this last, after
                everything that draws random numbers while it is set up.

        Raises:
            ValueError: a part was not saved, or a module's names and shapes differ from the saved ones.
        """
        for name, part in parts.items():
            if name not in self.state:
                raise ValueError(f"{self.path}: holds no {name!r}, only {', '.join(self.state)}")
            _restore(part, self.state[name], f"{self.path} ({name})")
        torch.set_rng_state(self.random["cpu"])
        if torch.cuda.is_available():
            for device, state in list(enumerate(self.random["cuda"]))[: torch.cuda.device_count()]:
                torch.cuda.set_rng_state(state, device)


def save(folder: str | Path, step: int, parts: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> Path:
    """Save a training state atomically; a run killed at any moment leaves whole checkpoints only.

    The latest ``KEPT`` stay, older ones are removed.

    Args:
        folder: the run's checkpoint folder, made if missing; one run writes to it.
        step: number of finished training steps.
        parts: name -> module, optimiser, anything with ``state_dict()``, ``torch.Generator``, tensor, or
            nested dicts and lists of tensors and JSON values.  Torch's global generators are saved as well.
        extra: JSON values to keep beside them (configuration, offset in the log of losses ...).

    Returns:
        The file that was written.

    Raises:
        ValueError: a part that is neither tensor nor JSON; nothing is written.
    """
    folder = Path(folder)
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    content = {
        "step": step,
        "state": {name: _state_of(part) for name, part in parts.items()},
        "extra": dict(extra or {}),
        "random": {"cpu": torch.get_rng_state(), "cuda": cuda},
    }
    tensors: dict[str, Tensor] = {}
    tree = _flatten(content, "", tensors)
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / ".staged.safetensors"  # one name, so that a killed run leaves at most one of them
    _write(staged, tensors, tree)
    path = folder / f"step-{step:08d}-{content_digest(staged)}.safetensors"
    _commit(staged, path)
    _prune(folder, path, step)
    return path


def load_latest(folder: str | Path) -> Checkpoint | None:
    """The latest undamaged training state in a run's checkpoint folder, on the CPU.

    Returns:
        The state, or None where the folder does not exist or holds no checkpoint.  A damaged file is passed
        over with a warning that names it.

    Raises:
        NotADirectoryError: ``folder`` is a file.
        ValueError: there are checkpoints, but every one of them is damaged.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is a file, expected a folder of checkpoints")
    found = _list(folder)
    for match in sorted(found, key=lambda m: int(m["step"]), reverse=True):
        path = folder / match.string
        try:
            return _read(path, match["digest"])
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            warnings.warn(f"{path}: damaged checkpoint, using the one before: {error}", stacklevel=2)
    if found:
        raise ValueError(f"{folder}: all {len(found)} checkpoints are damaged, expected a whole one")
    return None


def save_weights(path: str | Path, model: nn.Module, metadata: Mapping[str, Any] | None = None) -> None:
    """Save a model's weights atomically as safetensors, with JSON ``metadata`` (its configuration)."""
    write_tensors(path, model.state_dict(), dict(metadata or {}))


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The ``metadata`` of a file of ours ({} for a safetensors file from elsewhere).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a safetensors file, or its metadata is not JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get(_HEADER, "{}")) or {}
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a safetensors file with JSON metadata: {error}") from error


def load_weights(path: str | Path, model: nn.Module) -> None:
    """Load weights that :func:`save_weights` wrote into ``model``, which stays untouched when anything does not fit.

    Raises:
        FileNotFoundError: no such file.
        ValueError: names or shapes differ; names the file, what was found and what was expected.
    """
    load_tensors(model, read_tensors(path), str(path))


def read_tensors(path: str | Path) -> dict[str, Any]:
    """Read a weights file, safetensors or torch's own, without ever executing a pickle.

    Returns:
        The file's state dict on the CPU (whatever nesting of dicts and tensors a torch file holds).

    Raises:
        FileNotFoundError: no such file.
        ValueError: neither a safetensors file nor a torch file of plain tensors; names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: refused, its pickle holds more than tensors (nothing of it was executed); "
            "expected a state dict or a .safetensors file"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a readable weights file: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, expected a state dict")
    return content


def load_tensors(model: nn.Module, tensors: Mapping[str, Any], source: str, rename: Callable[[str], str] = str) -> None:
    """Copy ``tensors`` into ``model`` if names and shapes agree exactly and every value is finite.

    Args:
        model: takes the weights; untouched when anything does not fit.
        tensors: name -> tensor.
        source: what to call the tensors in messages (their file).
        rename: the model's name of a weight -> its name in ``tensors``.

    Raises:
        ValueError: names the source and the first names that are missing, unknown, or of another shape.
    """
    own = model.state_dict()
    names = {rename(name): name for name in own}
    missing, unknown = names.keys() - tensors.keys(), tensors.keys() - names.keys()
    if missing or unknown:
        kinds = (("lacks", missing), ("has unknown", unknown))
        problems = " and ".join(f"{what} {_some(keys)}" for what, keys in kinds if keys)
        raise ValueError(f"{source}: {problems}; expected the {len(names)} tensors of {_kind(model)}")
    for name, mine in names.items():
        found = tensors[name]
        if not isinstance(found, Tensor) or found.shape != own[mine].shape:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            expected = tuple(own[mine].shape)
            raise ValueError(f"{source}: {name} is {shape}, expected {expected} for {_kind(model)}")
        if found.is_floating_point() and not found.isfinite().all():
            raise ValueError(f"{source}: {name} holds NaN or infinite values, expected finite weights")
    model.load_state_dict({mine: tensors[name] for name, mine in names.items()})


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Any = None) -> None:
    """Write a safetensors file atomically: under another name, flushed to disk, then renamed.

    ``metadata`` is any JSON value; the folder is made if missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, {name: _own(t) for name, t in tensors.items()}, metadata)
        _commit(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, tensors: dict[str, Tensor], header: Any) -> None:
    """A safetensors file that those may read who may read other new files: by itself ``save_file`` shuts them out."""
    path.unlink(missing_ok=True)
    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)
    save_file(tensors, path, metadata={_HEADER: json.dumps(header)})
    path.chmod(mode)


def _commit(temporary: Path, path: Path) -> None:
    """Flush a finished file to disk and give it its name, so that a power cut leaves old or new."""
    with open(temporary, "r+b") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _list(folder: Path) -> list[re.Match[str]]:
    names = (path.name for path in folder.iterdir()) if folder.exists() else ()
    return [match for name in names if (match := _NAME.fullmatch(name))]


def _prune(folder: Path, written: Path, step: int) -> None:
    """Remove what ``written`` replaces and the checkpoints before the last ``KEPT``.

    Files of later steps are left alone: the run went back behind them, they say nothing about this one.
    """
    others = [m for m in _list(folder) if m.string != written.name and int(m["step"]) <= step]
    replaced = [m for m in others if int(m["step"]) == step]
    earlier = sorted((m for m in others if int(m["step"]) < step), key=lambda m: int(m["step"]), reverse=True)
    for match in replaced + earlier[KEPT - 1 :]:
        (folder / match.string).unlink()


def _read(path: Path, digest: str) -> Checkpoint:
    actual = content_digest(path)
    if actual != digest:
        size = path.stat().st_size
        raise ValueError(f"the SHA-256 of its {size} bytes starts with {actual}, expected {digest}")
    with safe_open(path, framework="pt") as file:
        tree = json.loads(file.metadata()[_HEADER])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    return Checkpoint(path, **_unflatten(tree, tensors))


def content_digest(path: Path) -> str:
    """The beginning, 16 hexadecimal digits, of the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _state_of(part: Any) -> Any:
    if isinstance(part, Generator):
        return part.get_state()
    return part.state_dict() if hasattr(part, "state_dict") else part


def _restore(part: Any, state: Any, source: str) -> None:
    if isinstance(part, Generator):
        part.set_state(state)
    elif isinstance(part, nn.Module):
        load_tensors(part, state, source)
    elif hasattr(part, "load_state_dict"):
        part.load_state_dict(state)
    else:
        raise ValueError(f"{source}: cannot restore into a {type(part).__name__}; read it from .state")


def _flatten(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The JSON tree of a nested state; copies of its tensors go into ``tensors`` under their place in it."""
    if isinstance(value, Tensor):
        name = f"{len(tensors)}:{name}"  # unique, whatever the keys on the way
        tensors[name] = _own(value)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[k, _flatten(v, f"{name}/{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        items = [_flatten(v, f"{name}/{i}", tensors) for i, v in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{name}: cannot save a {type(value).__name__}, expected tensors and JSON values")


def _unflatten(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(tree, list):
        return [_unflatten(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unflatten(item, tensors) for key, item in content}
    return tuple(_unflatten(item, tensors) for item in content)


def _own(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU: safetensors refuses views and shared memory."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _kind(model: nn.Module) -> str:
    return type(model).__name__


def _some(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
