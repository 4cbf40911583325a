"""``python -m videomdm.prepare`` prepares a corpus in shards before there is a machine to train on."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from videomdm import programs, settings
from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.train import distributed
from videomdm.train.streaming import streamed

PROGRAM = "python -m videomdm.prepare"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(lambda given: prepare(settings.config(given, PROGRAM, __doc__)), PROGRAM, arguments)


def prepare(config: Config) -> None:
    """Prepare, and print where the shards are; every process calls it.

    Raises:
        DataError: a training set that is not streamed, or that a prior lifts which is yet to be trained.
    """
    if config.data.shard_clips < 1 or config.recipe.lifter:
        raise DataError(
            f"shard_clips is {config.data.shard_clips} and method {config.method!r}, expected --set shard_clips=N of "
            "at least 1 and a method without a lifter (that one has to be trained first, and training prepares then)"
        )
    data = streamed(config)
    if distributed.rank() == 0:
        print(f"{data.folder}: {len(data)} clips in {len(data.files)} shards")
    distributed.finish()


if __name__ == "__main__":
    sys.exit(main())
