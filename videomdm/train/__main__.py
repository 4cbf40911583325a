"""``python -m videomdm.train`` trains what its arguments describe; ``accelerate launch -m`` on several devices."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from videomdm import programs, settings
from videomdm.config import Config
from videomdm.conventions import TRIAL
from videomdm.train import distributed
from videomdm.train.loop import fit

PROGRAM = "python -m videomdm.train"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(lambda given: train(settings.config(given, PROGRAM, __doc__)), PROGRAM, arguments)


def train(config: Config) -> None:
    """Train, and print the run's folder; every process calls it."""
    run = fit(config)
    if distributed.rank() == 0:
        (run / TRIAL).unlink(missing_ok=True)  # a search made it before; now it is wanted
        print(run)
    distributed.finish()


if __name__ == "__main__":
    sys.exit(main())
