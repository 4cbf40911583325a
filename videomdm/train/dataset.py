"""From a configuration to what training sees: footage, the teacher's motions, features, text embeddings.

``python -m videomdm.prepare`` prepares a corpus in shards (:mod:`videomdm.data.shards`) before there is a machine to
train on; training does the same where it was not done.  ``accelerate launch`` gives each process shards of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from videomdm import features, text
from videomdm.cameras.footage import Footage
from videomdm.cameras.views import Views
from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.data.corpus import Corpus
from videomdm.data.observations import Observations
from videomdm.data.shards import Batch
from videomdm.data.tracks import Statistics, Tracks
from videomdm.features.normaliser import Normaliser
from videomdm.skeletons.definitions import Skeleton
from videomdm.train import finetune


@dataclass
class TrainingSet:
    """Padded tensors on the training device; a batch is a choice of rows.

    Attributes:
        features: (C, T, D) the motions that are diffused, normalised.
        lengths: (C,) valid rows.
        text: (N, W) embeddings of all captions; clip i owns rows ``first[i] .. first[i] + count[i] - 1``.
        first, count: (C,).
        seen: what the cameras saw, T frames; None for plain MDM.
        normaliser, skeleton, fps: how features are read.
        views: of a 2-D prior, from where its pictures are taken.
    """

    features: Tensor
    lengths: Tensor
    text: Tensor
    first: Tensor
    count: Tensor
    normaliser: Normaliser
    skeleton: Skeleton
    fps: float
    seen: Footage | None = None
    views: Views | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.features.device

    @property
    def n_frames(self) -> int:
        """Frames T of the padded clips."""
        return self.features.shape[1]

    @property
    def n_features(self) -> int:
        """Channels D of a frame."""
        return self.features.shape[2]

    @property
    def text_width(self) -> int:
        """Channels W of a caption's vector."""
        return self.text.shape[1]

    def expect(self, rows: Tensor, frames: int) -> None:
        """Nothing to do: what the next batch needs is here."""

    def batch(self, rows: Tensor, caption: Tensor, frames: int) -> Batch:
        """Some clips, cut to ``frames``.

        Args:
            rows: (B,) which, on the CPU.
            caption: (B,) in 0..1, on the CPU: which of its captions each clip gets.
            frames: no less than the longest of them.

        Returns:
            The batch, on the set's device.
        """
        rows, caption = (x.to(self.device, non_blocking=True) for x in (rows, caption))
        nth = (caption * self.count[rows]).long()
        seen = None if self.seen is None else self.seen.select(rows, frames)
        return Batch(self.features[:, :frames][rows], self.lengths[rows], self.text[self.first[rows] + nth], seen)

    def to(self, device: torch.device) -> TrainingSet:
        """The same set on another device."""
        moved = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor | Normaliser | Footage)}
        return replace(self, **moved)


def encode(config: Config, source: Corpus | Observations) -> tuple[Tensor, Tensor]:
    """Features (C, T, D) of the motions to be diffused, not normalised, and their valid rows (C,).

    Raises:
        DataError: motions that are not finite.
    """
    motions = source.joints if isinstance(source, Corpus) else source.teacher
    if not motions.isfinite().all():
        raise DataError(
            f"{config.data.source}: motions to train on hold NaN or infinite joints, expected finite metres"
        )
    return features.encode(features.hold_last(motions, source.lengths), source.skeleton), source.lengths - 1


def planar_set(config: Config, pictures: Tracks) -> TrainingSet:
    """Pictures to be diffused themselves: a clip's features are its normalised keypoints, J times 2."""
    statistics = pictures.statistics
    normaliser = Normaliser(statistics.mean.flatten(), statistics.std.flatten())
    if config.start_weights:
        normaliser = finetune.normaliser(config.start_weights, pictures.skeleton, pictures.fps)
        statistics = Statistics(normaliser.mean.view(-1, 2), normaliser.std.view(-1, 2))
    encoded = replace(pictures, statistics=statistics).normalised().flatten(2)
    vectors, first, count = _embedded(config, pictures.captions)
    return TrainingSet(
        encoded, pictures.lengths, vectors, first, count, normaliser, pictures.skeleton, pictures.fps,
        pictures.counted, Views.of(pictures.seen.camera),
    )  # fmt: skip


def _embedded(config: Config, captions: list[tuple[str, ...]]) -> tuple[Tensor, Tensor, Tensor]:
    """``text``, ``first`` and ``count`` of a :class:`TrainingSet`."""
    count = torch.tensor([len(clip) for clip in captions])
    flat = [caption for clip in captions for caption in clip]
    vectors = text.embed_cached(text.by_name(config.model.text), flat, config.cache)
    return vectors, count.cumsum(0) - count, count


def training_set(config: Config, source: Corpus | Observations) -> TrainingSet:
    """Features and text of the motions to be diffused.

    Args:
        config: names the text encoder, whether the 2-D losses are used, and the run whose statistics normalise the
            features; without one their own do.
        source: a corpus (3-D supervision) or observations.
    """
    encoded, lengths = encode(config, source)
    if config.start_weights:
        normaliser = finetune.normaliser(config.start_weights, source.skeleton, source.fps)
    else:
        normaliser = Normaliser.fit(encoded, lengths, len(source.skeleton))
    vectors, first, count = _embedded(config, source.captions)
    seen, rows = None, encoded.shape[1]
    if config.recipe.frame is not None:
        seen = Footage(source.keypoints[:, :rows], source.confidence[:, :rows], source.camera, lengths)
    return TrainingSet(
        features=normaliser.normalise(encoded), lengths=lengths,
        text=vectors, first=first, count=count, normaliser=normaliser, skeleton=source.skeleton, fps=source.fps,
        seen=seen,
    )  # fmt: skip
