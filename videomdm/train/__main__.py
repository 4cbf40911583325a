"""``python -m videomdm.train`` trains what its arguments describe; ``accelerate launch -m`` on several devices."""

from __future__ import annotations

from collections.abc import Sequence

from videomdm import settings
from videomdm.config import Config
from videomdm.train import distributed
from videomdm.train.loop import fit


def main(arguments: Sequence[str] | None = None) -> None:
    train(settings.config(arguments, "python -m videomdm.train", __doc__))


def train(config: Config) -> None:
    """Train, and print the run's folder; every process calls it."""
    run = fit(config)
    if distributed.rank() == 0:
        print(run)
    distributed.finish()


if __name__ == "__main__":
    main()
