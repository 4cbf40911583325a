"""``python -m videomdm.prepare`` prepares a corpus in shards before there is a machine to train on."""

from __future__ import annotations

from collections.abc import Sequence

from videomdm import settings
from videomdm.train import distributed
from videomdm.train.streaming import streamed


def main(arguments: Sequence[str] | None = None) -> None:
    config = settings.config(arguments, "python -m videomdm.prepare", __doc__)
    if config.data.shard_clips < 1 or config.recipe.lifter:
        raise SystemExit(
            f"shard_clips is {config.data.shard_clips} and method {config.method!r}, expected --set shard_clips=N of "
            "at least 1 and a method without a lifter (that one has to be trained first, and training prepares then)"
        )
    data = streamed(config)
    if distributed.rank() == 0:
        print(f"{data.folder}: {len(data)} clips in {len(data.files)} shards")
    distributed.finish()


if __name__ == "__main__":
    main()
