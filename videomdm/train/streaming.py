"""A training set prepared in shards on disk and streamed from there (:mod:`videomdm.data.shards`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from videomdm import text
from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.data import shards, sources
from videomdm.data.corpus import Corpus
from videomdm.data.observations import Observations
from videomdm.data.shards import Shards
from videomdm.storage.progress import Bar
from videomdm.train import distributed, finetune, provenance, rounds
from videomdm.train.dataset import encode
from videomdm.train.observe import observe_part, real_footage


def streamed(config: Config, observations: Observations | Path | None = None, lifter: Path | None = None) -> Shards:
    """The training set of a configuration in shards on disk, prepared where it is not there.

    A corpus is prepared part by part, each to a shard that is written whole or not at all, so that this may be killed
    at any time and goes on with the next part.  Every part is filmed by cameras of its own.  Where the corpus'
    files have changed, shards are prepared anew.

    Args:
        config: ``shard_clips`` is the size of a part.
        observations: 2-D data, or a folder of files that :meth:`Observations.save` wrote, each of which is a part;
            where they are not to be made from the configuration.
        lifter: folder of the run whose prior lifts the keypoints (for rounds).

    Raises:
        DataError: bad input data; the parts before it stay prepared.
    """
    source = _files(observations) if isinstance(observations, Path) else observations
    weights = lifter / "weights.safetensors" if lifter else None
    folder = config.cache / f"shards-{provenance.shards(config, source, weights)}"
    if not (folder / shards.INDEX).exists():
        parts, encoder = _parts(config, source), text.by_name(config.model.text)
        files = [shards.path(folder, number) for number in range(len(parts))]
        own = range(distributed.rank(), len(parts), distributed.world())
        for number in Bar(own, "preparing shards", unit="shard", disable=distributed.rank() > 0):
            if not files[number].exists():
                _write_shard(config, files[number], parts[number](), number, encoder, lifter)
        distributed.wait()
        with distributed.first():
            if distributed.rank() == 0:
                shards.write_index(folder, [file.name for file in files])
    data = Shards(folder, two_d=config.recipe.frame is not None)
    if not config.start_weights:
        return data
    return replace(data, statistics=finetune.normaliser(config.start_weights, data.skeleton, data.fps))


def _parts(config: Config, source: Observations | list[Path] | None) -> list[Callable[[], Corpus | Observations]]:
    """A training set in parts of ``shard_clips`` clips, each read when it is called for."""
    data = config.data
    if source is None:
        return sources.parts(
            data.source, data.root, "train", data.shard_clips, data.max_frames, data.n_clips, data.on_error,
            data.skeleton,
        )  # fmt: skip
    if isinstance(source, list):
        return [partial(Observations.load, file) for file in source]
    return [partial(source.select, rows) for rows in sources.pieces(len(source), data.shard_clips)]


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError(f"{folder}: no observations, expected .safetensors files that Observations.save wrote")
    return files


def _write_shard(
    config: Config, file: Path, source: Corpus | Observations, number: int, encoder: text.TextEncoder,
    lifter: Path | None,
) -> None:  # fmt: skip
    skipped = source.skipped if isinstance(source, Corpus) else []
    if isinstance(source, Corpus) and config.recipe.motions != "truth":
        footage = real_footage(config, source, "train")
        estimated = provenance.estimate(config, source, footage, number)
        source = observe_part(config, source, config.frame, footage, estimated, part=number, progress=False)
    if lifter is not None:
        source = rounds.lift_observations(lifter, source, config.cache, config.recipe)
    encoded, lengths = encode(config, source)
    captions = sorted({caption for clip in source.captions for caption in clip})
    about = {"skeleton": source.skeleton.name, "fps": source.fps, "names": source.names, "skipped": skipped}
    seen = source.seen if isinstance(source, Observations) else None
    vectors = dict(zip(captions, encoder.encode(captions), strict=True))
    shards.write(file, encoded, lengths, source.captions, vectors, about, seen)
