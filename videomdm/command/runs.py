"""Which trained prior a command uses."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from videomdm.conventions import TRIAL, DataError
from videomdm.parameters import argument

RUNS = Path("runs")
WEIGHTS = "weights.safetensors"
SHIPPED = Path(__file__).parents[1] / "sample" / "weights" / "prior"  # sample.SHIPPED, without waiting for torch


def add_argument(parser: argparse.ArgumentParser) -> None:
    """``--run``, for :func:`chosen`."""
    parser.add_argument(
        "--run", type=argument(Path), metavar="DIR",
        help=f"folder of a finished run (default: the newest one in {RUNS}/, else the one that comes with the package)",
    )  # fmt: skip


def chosen(run: Path | None) -> Path:
    """The run that was named, or the newest finished one in ``runs/``, or the prior that comes with the package.

    Which of the last two is said on stderr.  Taken only where they are named are warm-ups, which other runs go on from,
    trials of a search, and what has no place in a room: runs on pictures that are centred on the hip, and priors of
    2-D motion.

    Raises:
        DataError: the one that was named is not finished.
    """
    if run is not None:
        if not (run / WEIGHTS).is_file():
            raise DataError(f"{run}: no finished run there, expected a folder with {WEIGHTS}")
        return run
    finished = _meant_for_use()
    if not finished:
        print("prior: the one that comes with the package", file=sys.stderr)
        return SHIPPED
    newest = max(finished, key=lambda folder: (folder / WEIGHTS).stat().st_mtime_ns)
    print(f"run: {newest}", file=sys.stderr)
    return newest


def _meant_for_use() -> list[Path]:
    """Finished runs whose motions are in metres and move about; warm-ups of other runs and trials are none."""
    from videomdm.config import Config
    from videomdm.train.loop import warmup_of

    configs = {}
    for path in RUNS.glob("*/config.json"):
        with suppress(ValueError):  # of an earlier version
            configs[path.parent] = Config.from_json(path.read_text(encoding="utf-8"))
    warmups = {warmup.folder.name for config in configs.values() if (warmup := warmup_of(config))}
    return [
        folder for folder, config in configs.items()
        if (folder / WEIGHTS).is_file() and not (folder / TRIAL).exists() and folder.name not in warmups
        and config.method != "mdm-2d" and not config.centred
    ]  # fmt: skip


def cache(run: Path) -> Path:
    """Where detections are kept: beside the run; in ``runs/`` where it comes with the package."""
    return (RUNS if run.resolve().parent == SHIPPED.parent.resolve() else run.parent) / "cache"
