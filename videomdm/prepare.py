"""``python -m videomdm.prepare`` prepares a corpus in shards before there is a machine to train on."""

from __future__ import annotations

from collections.abc import Sequence

from videomdm import settings
from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.train import distributed
from videomdm.train.streaming import streamed


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        prepare(settings.config(arguments, "python -m videomdm.prepare", __doc__))
    except DataError as error:
        raise SystemExit(str(error)) from None


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
    main()
