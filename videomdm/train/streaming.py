"""A training set prepared in shards on disk and streamed from there (:mod:`videomdm.data.shards`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from videomdm import text
from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.data import shards, sources
from videomdm.data.corpus import Corpus
from videomdm.data.observations import Observations
from videomdm.data.shards import Shards
from videomdm.methods import METHODS
from videomdm.train import distributed, finetune
from videomdm.train.dataset import encode
from videomdm.train.observe import _errors, _observe, _real_footage, _seen_key, lifted_from


def streamed(
    config: Config,
    observations: Observations | Path | None = None,
    lift: Callable[[Observations], Observations] | None = None,
    version: str = "",
) -> Shards:
    """The training set of a configuration in shards on disk, prepared where it is not there.

    A corpus is prepared part by part, each to a shard that is written whole or not at all, so that this may be killed
    at any time and goes on with the next part.  Every part is filmed by cameras of its own.  Shards go by the
    configuration, not by what is in the corpus' files: remove their folder when these have changed.

    Args:
        config: ``shard_clips`` is the size of a part.
        observations: 2-D data, or a folder of files that :meth:`Observations.save` wrote, each of which is a part;
            where they are not to be made from ``config.data``.
        lift: gives observations better motions (for rounds).
        version: changes whenever ``lift`` would answer differently.

    Raises:
        DataError: bad input data; the parts before it stay prepared.
    """
    folder = config.cache / f"shards-{_shards_key(config, observations, version)}"
    if not (folder / shards.INDEX).exists():
        parts, encoder = _parts(config, observations), text.by_name(config.text)
        files = [shards.path(folder, number) for number in range(len(parts))]
        own = range(distributed.rank(), len(parts), distributed.world())
        for number in tqdm(own, "preparing shards", unit="shard", disable=distributed.rank() > 0):
            if not files[number].exists():
                _write_shard(config, files[number], parts[number](), number, encoder, lift)
        distributed.wait()
        with distributed.first():
            if distributed.rank() == 0:
                shards.write_index(folder, [file.name for file in files])
    data = Shards(folder, two_d=METHODS[config.method].frame is not None)
    if not config.start_weights:
        return data
    return replace(data, statistics=finetune.normaliser(config.start_weights, data.skeleton, data.fps))


def _parts(config: Config, observations: Observations | Path | None) -> list[Callable[[], Corpus | Observations]]:
    """A training set in parts of ``config.shard_clips`` clips, each read when it is called for."""
    size = config.shard_clips
    if observations is None:
        return sources.parts(
            config.data, config.data_root, "train", size, config.max_frames, config.n_clips, config.on_error
        )
    if isinstance(observations, Path):
        return [partial(Observations.load, file) for file in _files(observations)]
    return [partial(observations.select, rows) for rows in sources.pieces(len(observations), size)]


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError(f"{folder}: no observations, expected .safetensors files that Observations.save wrote")
    return files


def _write_shard(
    config: Config, file: Path, source: Corpus | Observations, number: int, encoder: text.TextEncoder,
    lift: Callable[[Observations], Observations] | None,
) -> None:  # fmt: skip
    skipped = source.skipped if isinstance(source, Corpus) else []
    if isinstance(source, Corpus) and METHODS[config.method].motions != "truth":
        footage = _real_footage(config, source, "train")
        key = _seen_key(config, source, footage, number)
        source = _observe(config, source, config.frame, footage, key, part=number, progress=False)
    if lift is not None:
        source = lift(source)
    encoded, lengths = encode(config, source)
    captions = sorted({caption for clip in source.captions for caption in clip})
    about = {"skeleton": source.skeleton.name, "fps": source.fps, "names": source.names, "skipped": skipped}
    seen = camera = None
    if isinstance(source, Observations):
        seen, camera = {"keypoints": source.keypoints, "confidence": source.confidence}, source.camera
    vectors = dict(zip(captions, encoder.encode(captions), strict=True))
    shards.write(file, encoded, lengths, source.captions, vectors, about, seen, camera)


def _shards_key(config: Config, observations: Observations | Path | None, version: str) -> str:
    """What shards depend on.  Methods that see the same motions and cameras share them, a warm-up and its stage."""
    method = METHODS[config.method]
    about: list[object] = [method.motions, version]
    about += [config.key("data", "data_root", "n_clips", "max_frames", "on_error", "text", "shard_clips")]
    if method.motions != "truth":
        noise = config.keypoint_noise + method.keypoint_noise
        about += [config.frame, _errors(config), lifted_from(config.but(keypoint_noise=noise))]
    if isinstance(observations, Path):
        about += [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in _files(observations)]
    elif observations is not None:
        about += [observations.fingerprint()]
    return hashlib.sha256(repr(about).encode()).hexdigest()[:10]
