"""What a run measured: one small JSON per run, from which all tables of the book are made."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from videomdm.config import DEFAULTS, STAGES, Config
from videomdm.conventions import DataError
from videomdm.storage.files import digest, write_json
from videomdm.storage.text import read_json
from videomdm.train import finetune

#: What every result has.
KEYS = (
    "study",
    "data",
    "method",
    "profile",
    "seed",
    "command",
    "commit",
    "machine",
    "versions",
    "seconds",
    "metrics",
)


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


@cache
def commit() -> str:
    """The commit that ran, asked once, as the code is read once.

    With ``+`` when the package's files differed from it; "unknown" outside a checkout.
    """
    revision = _output("git", "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "status", "--porcelain", "--untracked-files=no", "--", "videomdm")
    return (revision + ("+" if changed else "")) if revision else "unknown"


def machine() -> str:
    """The kind of machine, not its name: accelerator or cores, and the threads torch may use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {torch.get_num_threads()} threads"


def version(package: str) -> str:
    """Of an installed package; "not installed" for the project itself where it only lies on the path."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def provenance(*packages: str) -> dict[str, object]:
    """What every result says of what made it: ``commit``, ``machine`` and ``versions`` of the package and of these.

    Args:
        packages: names of installed packages; those of a training when there are none.
    """
    named = ("videomdm", *(packages or ("torch", "numpy")))
    return {"commit": commit(), "machine": machine(), "versions": {name: version(name) for name in named}}


def path(folder: Path, study: str, config: Config, method: str) -> Path:
    """The file of one result: ``folder/study/data-profile-method-s<seed>.json``.

    A teacher other than the naive one and bones that are not people's own are named before the seed, a named protocol
    after it.
    """
    parts = [config.data.source, config.profile, method.replace("/", "-")]
    parts += [*_teacher(config).values(), *_skeleton(config).values()]
    parts += [f"s{config.seed}", *([protocol] if (protocol := config.evaluation.protocol) else [])]
    return folder / study / f"{'-'.join(parts)}.json"


def _teacher(config: Config) -> dict[str, str]:
    """The teacher, where a network predicts its root's path or its weights are others; results are older than both."""
    weights = Path(config.data.lifter).stem if config.data.lifter != DEFAULTS.data.lifter else ""
    name = "-".join(filter(None, [weights, "trajectory" if config.data.root_path == "network" else ""]))
    return {"teacher": name} if name else {}


def _skeleton(config: Config) -> dict[str, str]:
    """Whose bones people have, where these are not their own; results are older than the choice."""
    return {"skeleton": config.data.skeleton} if config.data.skeleton != DEFAULTS.data.skeleton else {}


def _base(config: Config) -> dict[str, str]:
    """The corpus that an NBA-like one films."""
    return {"base": config.data.base} if config.data.source == "nba-like" else {}


def key(config: Config) -> str:
    """What a result is of: a run's settings, wherever its data lie; a start counts by its own run's settings."""
    own = config.but(data_root=None, start=None).key()
    return digest(own, key(finetune.config_of(config))) if config.start else own


def write(
    folder: Path, study: str, config: Config, command: str, seconds: float, metrics: Mapping[str, object],
    method: str | None = None,
) -> Path:  # fmt: skip
    """Write one result; ``metrics`` maps a name to a value or to [mean, 95 % half-width].

    Returns:
        The file, see :func:`path`.
    """
    method = method or config.method
    result = {
        "study": study, "data": config.data.source, "method": method, "profile": config.profile, "seed": config.seed,
        **_base(config), **_teacher(config), **_skeleton(config), **config.data.stages(STAGES),
        "command": command, **provenance(),
        "seconds": round(seconds, 1), "config": key(config), "evaluation": config.evaluation_key(),
        "metrics": dict(metrics),
    }  # fmt: skip
    target = path(folder, study, config, method)
    write_json(target, result)
    return target


def holds(path: Path, config: Config) -> bool:
    """Whether a file holds what a configuration's run and evaluation give; raises ``DataError`` as :func:`load`."""
    if not path.exists():
        return False
    result = load(path)
    return (result.get("config"), result.get("evaluation")) == (key(config), config.evaluation_key())


def load(path: Path) -> dict:
    """What one file holds; raises ``DataError`` that names a damaged file."""
    expected = "the JSON of a result; delete the file, or restore it"
    if not isinstance(result := read_json(path, expected), dict):
        raise DataError(f"{path}: holds {str(result)[:40]}, expected {expected}")
    return result


def read(folder: Path, study: str) -> list[dict]:
    """All results of a study, in the order of their file names; metrics of earlier versions by their names of today.

    Raises:
        DataError: a file is damaged, or lacks one of :data:`KEYS`.
    """
    found = []
    for path in sorted((folder / study).glob("*.json")):
        result = load(path)
        if missing := [key for key in KEYS if key not in result]:
            raise DataError(f"{path}: no {', '.join(missing)}; expected {', '.join(KEYS)}")
        metrics = {name.replace("stature", "body_height"): value for name, value in result["metrics"].items()}
        found.append(result | {"metrics": metrics})
    return found
