"""Contrastive training of evaluators that embed motions and captions in one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from videomdm.evaluation.vocabulary import Caption, Vocabulary, encode_captions
from videomdm.storage.progress import Bar

MIN_CROP = 0.75  # training sees random crops of at least this share of a clip
MIN_FRAMES = 4  # an encoder's step


Similar = Callable[[Sequence[Caption]], Tensor]  # B captions -> (B, B) bool, pairs that are no negatives


class Encoder(Protocol):
    """A module with the two encoders and the vocabulary of a text-motion evaluator."""

    vocabulary: Vocabulary

    def encode_motion(self, features: Tensor, lengths: Tensor) -> Tensor: ...
    def encode_text_vectors(self, words: Tensor, pos: Tensor, lengths: Tensor) -> Tensor: ...


def fit_contrastive(
    model: Encoder,
    features: Tensor,
    lengths: Tensor,
    captions: Sequence[Sequence[Caption]],
    steps: int,
    batch_size: int,
    learning_rate: float,
    generator: torch.Generator,
    progress: bool = True,
    similar: Similar | None = None,
) -> None:
    """Train ``model`` in place with :func:`contrastive_loss`.

    Each step draws clips without replacement, one caption of each, and a random crop of at least 3/4 of it.

    Args:
        model: an ``nn.Module`` that is an :class:`Encoder`.
        features: (C, T, D) normalised.
        lengths: (C,) numbers of valid frames.
        captions: the captions of each clip.
        steps, batch_size, learning_rate: of AdamW; the rate warms up over a tenth of the steps, then falls.
        generator: draws the batches (CPU); dropout uses the global one.
        progress: show a bar.
        similar: tells which captions of a batch mean the same motion, by default :func:`same_caption`.
    """
    similar = similar or same_caption
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps + 1, pct_start=0.1, cycle_momentum=False
    )
    model.train()
    for _ in (bar := Bar(range(steps), "evaluator", disable=not progress)):
        clips, cut, chosen = _draw_batch(features, lengths, captions, min(batch_size, len(features)), generator)
        vectors = (v.to(device) for v in encode_captions(chosen, model.vocabulary))
        motion = model.encode_motion(clips.to(device), cut.to(device))
        text = model.encode_text_vectors(*vectors)
        loss = contrastive_loss(text, motion, similar(chosen).to(device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)


def contrastive_loss(text: Tensor, motion: Tensor, same: Tensor) -> Tensor:
    """Symmetric InfoNCE of row-aligned embeddings with scores ``-|t - m|^2 / 2``.

    Args:
        text, motion: (B, width).
        same: (B, B) bool, pairs that are no negatives; the diagonal is ignored.
    Returns:
        (), the mean of both directions.
    """
    scores = text @ motion.mT - (text.square().sum(1)[:, None] + motion.square().sum(1)) / 2
    positive = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = scores.masked_fill(same & ~positive, -torch.inf)
    target = torch.arange(len(scores), device=scores.device)
    return (nn.functional.cross_entropy(scores, target) + nn.functional.cross_entropy(scores.mT, target)) / 2


def zero_padding(features: Tensor, lengths: Tensor) -> Tensor:
    """Features (B, T, D) with zeros at and past each length (B,)."""
    frames = torch.arange(features.shape[1], device=features.device)
    return features.where((frames < lengths.to(features.device)[:, None])[..., None], 0)


def _draw_batch(
    features: Tensor,
    lengths: Tensor,
    captions: Sequence[Sequence[Caption]],
    batch_size: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, list[Caption]]:
    """Clips (B, T', D) cropped at random and zero-padded, their lengths (B,), one caption of each."""
    chosen = torch.randperm(len(features), generator=generator)[:batch_size]
    keep = MIN_CROP + (1 - MIN_CROP) * torch.rand(batch_size, generator=generator)
    full = lengths[chosen.to(lengths.device)].cpu()
    cut = (full * keep).long().clamp_min(MIN_FRAMES)
    start = (torch.rand(batch_size, generator=generator) * (full - cut + 1)).long()
    frames = (start[:, None] + torch.arange(int(cut.max()))).clamp_max(features.shape[1] - 1)
    clips = features[chosen[:, None].to(features.device), frames.to(features.device)]
    picks = torch.rand(batch_size, generator=generator).tolist()
    texts = [captions[i][int(p * len(captions[i]))] for i, p in zip(chosen.tolist(), picks, strict=True)]
    return zero_padding(clips, cut), cut, texts


def same_caption(captions: Sequence[Caption]) -> Tensor:
    """(B, B) bool: which of B captions are identical."""
    keys = [c if isinstance(c, str) else " ".join(c) for c in captions]
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    ids = torch.tensor([numbers[key] for key in keys])
    return ids[:, None] == ids
