"""Which trained prior a command uses."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from videomdm.conventions import CENTRED, DataError

RUNS = Path("runs")
WEIGHTS = "weights.safetensors"
SHIPPED = Path(__file__).parents[1] / "sample" / "weights" / "prior"  # sample.SHIPPED, without waiting for torch


def add_argument(parser: argparse.ArgumentParser) -> None:
    """``--run``, for :func:`chosen`."""
    parser.add_argument(
        "--run", type=Path, metavar="DIR",
        help=f"folder of a finished run (default: the newest one in {RUNS}/, else the one that comes with the package)",
    )  # fmt: skip


def chosen(run: Path | None) -> Path:
    """The run that was named, or the newest finished one in ``runs/``, or the prior that comes with the package.

    Which of the last two is said on stderr.  Runs on pictures that are centred on the hip, and priors of 2-D motion,
    are taken only where they are named: their motions have no place in a room.

    Raises:
        DataError: the one that was named is not finished.
    """
    if run is not None:
        if not (run / WEIGHTS).is_file():
            raise DataError(f"{run}: no finished run there, expected a folder with {WEIGHTS}")
        return run
    finished = [path.parent for path in RUNS.glob(f"*/{WEIGHTS}") if _has_place(path.parent / "config.json")]
    if not finished:
        print("prior: the one that comes with the package", file=sys.stderr)
        return SHIPPED
    newest = max(finished, key=lambda folder: (folder / WEIGHTS).stat().st_mtime_ns)
    print(f"run: {newest}", file=sys.stderr)
    return newest


def _has_place(config: Path) -> bool:
    """Whether a run's configuration is there, and its motions are in metres and move about."""
    if not config.is_file():
        return False
    settings = json.loads(config.read_text(encoding="utf-8"))
    return settings["method"] != "mdm-2d" and settings["data"]["source"] not in CENTRED


def cache(run: Path) -> Path:
    """Where detections are kept: beside the run; in ``runs/`` where it comes with the package."""
    return (RUNS if run.resolve().parent == SHIPPED.parent.resolve() else run.parent) / "cache"
