"""Training data in shards: files that are mapped, not loaded, so that a corpus may be larger than memory.

A folder holds ``shard-00000.safetensors`` and so on, and ``index.safetensors``, which is all that is read before
training starts.  A shard has

- ``features`` (R, D), the clips' rows one after the other, not normalised; ``start`` and ``lengths`` (C,) say where
  each clip begins and how many rows it has;
- ``text`` (N, W), embeddings of the shard's distinct captions; ``captions`` are rows of it, of which clip i owns
  ``count[i]`` from ``first[i]`` on;
- ``keypoints`` (R, J, 2), ``confidence`` (R, J), ``rotation`` (C, 3, 3) and ``translation`` (C, 3) of what was seen;
- ``mean`` and ``squares`` (D,) float64, the moments of its features (:class:`videomdm.features.normaliser.Moments`);

and in its header the names of its clips and what was left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from pathlib import Path

import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.conventions import DataError
from videomdm.features.normaliser import Moments, Normaliser
from videomdm.skeletons.definitions import Skeleton, by_name
from videomdm.skeletons.padding import valid_frames
from videomdm.storage.checkpoints import read_metadata, read_tensors, write_tensors

INDEX = "index.safetensors"
_SEEN = ("features", "keypoints", "confidence")


@dataclass
class Batch:
    """B clips on the training device, padded to one length; what lies past a clip's length means nothing.

    Attributes:
        features, lengths, text: (B, T, D) normalised, (B,) valid rows, and (B, W) one caption's embedding each.
        seen: what the cameras saw; None for plain MDM.
    """

    features: Tensor
    lengths: Tensor
    text: Tensor
    seen: Footage | None = None


def path(folder: Path, number: int) -> Path:
    """The file of a shard."""
    return folder / f"shard-{number:05d}.safetensors"


def write(
    file: Path,
    features: Tensor,
    lengths: Tensor,
    captions: Sequence[Sequence[str]],
    text: dict[str, Tensor],
    about: dict[str, object],
    seen: Footage | None = None,
) -> None:
    """Write one shard, whole or not at all.

    Args:
        file: where to.
        features: (C, T, D), not normalised.
        lengths: (C,) valid rows.
        captions: of every clip at least one.
        text: (W,) the embedding of every caption.
        about: ``skeleton``, ``fps``, ``names`` and ``skipped`` as in :class:`videomdm.data.corpus.Corpus`.
        seen: keypoints and cameras of the clips, T or more frames.
    """
    inside = valid_frames(lengths, features.shape[1])
    rows = features[inside]
    row = {caption: i for i, caption in enumerate(text)}
    count = torch.tensor([len(own) for own in captions])
    moments = Moments.of(rows)
    tensors = {
        "features": rows, "start": lengths.cumsum(0) - lengths, "lengths": lengths,
        "text": torch.stack(list(text.values())), "captions": torch.tensor([row[c] for own in captions for c in own]),
        "first": count.cumsum(0) - count, "count": count, "mean": moments.mean, "squares": moments.squares,
    }  # fmt: skip
    if seen is not None:
        of_rows = {"keypoints": seen.keypoints, "confidence": seen.confidence}
        tensors |= {name: values[:, : features.shape[1]][inside] for name, values in of_rows.items()}
        tensors |= {"rotation": seen.camera.rotation, "translation": seen.camera.translation}
    write_tensors(file, tensors, about)


def write_index(folder: Path, files: Sequence[str]) -> None:
    """Write what training has to know before it reads a shard: lengths, statistics, which files.

    Args:
        folder: of the shards.
        files: their names, in the order of their clips; a name may come more than once.

    Raises:
        DataError: a shard is missing, damaged, or has another skeleton, frame rate or width than the first.
    """
    distinct = {name: _Shard(folder / name) for name in files}
    first = distinct[files[0]]
    for shard in distinct.values():
        if shard.kind != first.kind:
            raise DataError(f"{shard.file}: {shard.kind}, expected as in {first.file}: {first.kind}")
    moments = reduce(add, (distinct[name].moments for name in files))
    normaliser = Normaliser.of(moments, len(by_name(first.kind["skeleton"])))
    sizes = torch.tensor([len(distinct[name].tensors["lengths"]) for name in files])
    tensors = {
        "lengths": torch.cat([distinct[name].tensors["lengths"] for name in files]), "ends": sizes.cumsum(0),
        "mean": normaliser.mean, "std": normaliser.std,
    }  # fmt: skip
    skipped = dict(entry for shard in distinct.values() for entry in shard.skipped)
    write_tensors(folder / INDEX, tensors, {"files": list(files), "skipped": list(skipped.items()), **first.kind})


class _Shard:
    """One shard's mapped tensors."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self.tensors, about = read_tensors(file), read_metadata(file)
            self.kind = {
                "skeleton": about["skeleton"], "fps": about["fps"], "width": self.tensors["features"].shape[1],
                "text_width": self.tensors["text"].shape[1], "keypoints": "keypoints" in self.tensors,
            }  # fmt: skip
            self.skipped: list[list[str]] = about["skipped"]
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise DataError(f"{file}: no shard of training data ({error}); remove it to have it made again") from None
        self.start, self.length = (self.tensors[name].tolist() for name in ("start", "lengths"))

    @property
    def moments(self) -> Moments:
        return Moments(len(self.tensors["features"]), self.tensors["mean"], self.tensors["squares"])


@dataclass
class Shards:
    """A training set on disk, with what the training loop asks of :class:`videomdm.train.dataset.TrainingSet`.

    Clips are drawn one by one from all shards, a few hundred kilobytes in one piece each, so the folder wants to be
    on a disk without moving parts.  While a batch is trained on, a thread reads the next.

    Args:
        folder: that holds the index and its shards.
        two_d: whether batches have keypoints.
        device: where batches go.
        statistics: that features are normalised by, in place of the shards' own (for fine-tuning).

    Attributes:
        lengths: (C,) valid rows of every clip, on the CPU.
        normaliser, skeleton, fps: how features are read.

    Raises:
        DataError: no index, or not of shards with keypoints where they are needed.
    """

    folder: Path
    two_d: bool
    device: torch.device = torch.device("cpu")
    statistics: Normaliser | None = None
    _open: dict[str, _Shard] = field(default_factory=dict, repr=False)
    _next: tuple[Tensor, Future] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        file = self.folder / INDEX
        try:
            self._about, index = read_metadata(file), read_tensors(file)
            self.files, self.fps = self._about["files"], self._about["fps"]
            self.lengths, self._ends = index["lengths"], index["ends"]
            self.normaliser = (self.statistics or Normaliser(index["mean"], index["std"])).to(self.device)
            self.skeleton: Skeleton = by_name(self._about["skeleton"])
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise DataError(f"{file}: no index of shards ({error})") from None
        if self.two_d and not self._about["keypoints"]:
            raise DataError(f"{self.folder}: its shards hold no keypoints, which this method compares with")

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device) -> Shards:
        """The same shards, whose batches come on another device."""
        return Shards(self.folder, self.two_d, device, self.statistics)

    @cached_property
    def n_frames(self) -> int:
        """Frames of the longest clip."""
        return int(self.lengths.max())

    @property
    def n_features(self) -> int:
        """Channels D of a frame."""
        return self._about["width"]

    @property
    def text_width(self) -> int:
        """Channels W of a caption's vector."""
        return self._about["text_width"]

    def expect(self, rows: Tensor, frames: int) -> None:
        """Begin to read the rows (B,) that the next call of :meth:`batch` will ask for."""
        self._next = rows, self._reader.submit(self._read, rows, frames)

    def batch(self, rows: Tensor, caption: Tensor, frames: int) -> Batch:
        """Arguments and result as of :meth:`videomdm.train.dataset.TrainingSet.batch`."""
        expected, self._next = self._next, None
        if expected is not None and torch.equal(expected[0], rows):
            read = expected[1].result()
        else:
            read = self._read(rows, frames)
        places = self._places(rows)
        words = torch.stack([_caption(shard.tensors, i, c) for (shard, i), c in zip(places, caption, strict=True)])
        lengths, seen = self._move(self.lengths[rows]), None
        if self.two_d:
            rotation, translation = (
                self._move(torch.stack([shard.tensors[name][i] for shard, i in places]))
                for name in ("rotation", "translation")
            )
            camera = Camera(rotation, translation, validate=False)
            seen = Footage(self._move(read["keypoints"]), self._move(read["confidence"]), camera, lengths)
        return Batch(self.normaliser.normalise(self._move(read["features"])), lengths, self._move(words), seen)

    @cached_property
    def _reader(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1)

    def _read(self, rows: Tensor, frames: int) -> dict[str, Tensor]:
        """Clips padded with zeros to (B, frames, ...); every clip lies elsewhere, so they are copied one by one."""
        places = self._places(rows)
        read = {}
        for name in _SEEN if self.two_d else _SEEN[:1]:
            shape = places[0][0].tensors[name].shape[1:]
            read[name] = torch.zeros(len(rows), frames, *shape, pin_memory=self.device.type == "cuda")
            for clip, (shard, i) in zip(read[name], places, strict=True):
                start, length = shard.start[i], shard.length[i]
                clip[:length] = shard.tensors[name][start : start + length]
        return read

    def _places(self, rows: Tensor) -> list[tuple[_Shard, int]]:
        """The shard of each row, and its number there."""
        which = torch.searchsorted(self._ends, rows, right=True)
        before = torch.cat([self._ends.new_zeros(1), self._ends])[which]
        return [
            (self._shard(number), i) for number, i in zip(which.tolist(), (rows - before).tolist(), strict=True)
        ]  # fmt: skip

    def _shard(self, number: int) -> _Shard:
        name = self.files[number]
        if name not in self._open:
            shard = _Shard(self.folder / name)
            size = int(self._ends[number] - (self._ends[number - 1] if number else 0))
            if len(shard.length) != size:
                raise DataError(f"{shard.file}: {len(shard.length)} clips, expected the {size} that the index names")
            self._open[name] = shard
        return self._open[name]

    def _move(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)


def _caption(tensors: dict[str, Tensor], clip: int, share: Tensor) -> Tensor:
    """The embedding (W,) of one of a clip's captions, ``share`` of the way through them."""
    nth = (share * tensors["count"][clip]).long()
    return tensors["text"][tensors["captions"][tensors["first"][clip] + nth]]
