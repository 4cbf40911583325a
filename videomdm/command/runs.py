"""Which trained prior a command uses."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from videomdm.conventions import DataError

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

    Which of the last two is said on stderr.

    Raises:
        DataError: the one that was named is not finished.
    """
    if run is not None:
        if not (run / WEIGHTS).is_file():
            raise DataError(f"{run}: no finished run there, expected a folder with {WEIGHTS}")
        return run
    finished = [path.parent for path in RUNS.glob(f"*/{WEIGHTS}") if (path.parent / "config.json").is_file()]
    if not finished:
        print("prior: the one that comes with the package", file=sys.stderr)
        return SHIPPED
    newest = max(finished, key=lambda folder: (folder / WEIGHTS).stat().st_mtime_ns)
    print(f"run: {newest}", file=sys.stderr)
    return newest


def cache(run: Path) -> Path:
    """Where detections are kept: beside the run; in ``runs/`` where it comes with the package."""
    return (RUNS if run.resolve().parent == SHIPPED.parent.resolve() else run.parent) / "cache"
