"""Which trained prior a command uses."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from videomdm.conventions import DataError

RUNS = Path("runs")
WEIGHTS = "weights.safetensors"


def add_argument(parser: argparse.ArgumentParser) -> None:
    """``--run``, for :func:`chosen`."""
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help=f"folder of a finished run (default: the newest one in {RUNS}/)"
    )


def chosen(run: Path | None) -> Path:
    """The run that was named, or the newest finished one in ``runs/``, which is said on stderr.

    Raises:
        DataError: it is not finished, or there is none.
    """
    if run is not None:
        if not (run / WEIGHTS).is_file():
            raise DataError(f"{run}: no finished run there, expected a folder with {WEIGHTS}")
        return run
    finished = [path.parent for path in RUNS.glob(f"*/{WEIGHTS}") if (path.parent / "config.json").is_file()]
    if not finished:
        raise DataError(
            f"no finished run in {RUNS.resolve()}: 'videomdm train --profile laptop' trains one in minutes, "
            "--run DIR names one that lies elsewhere"
        )
    newest = max(finished, key=lambda folder: (folder / WEIGHTS).stat().st_mtime_ns)
    print(f"run: {newest}", file=sys.stderr)
    return newest
