"""Batches of clips of about one length."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Buckets:
    """Clips by length, so that a batch holds clips of about one length and is cut where they end.

    A bucket is drawn with the share of the clips that it holds, then its clips uniformly: every clip is equally
    likely at every draw.  Buckets have fixed lengths, so a compiled step meets few shapes.

    Args:
        lengths: (C,) rows of every clip, at most ``n_frames``, on the CPU, where batches are drawn.
        n_frames: the longest.
        n: how many buckets of equal width; 1 keeps all clips, with their padding, in one.

    Attributes:
        padded: by number of frames, whether the bucket has clips that are shorter.
    """

    def __init__(self, lengths: Tensor, n_frames: int, n: int) -> None:
        width = math.ceil(n_frames / n)
        which = (lengths - 1) // width if n > 1 else torch.zeros(len(lengths), dtype=torch.long)
        which, order = which.sort(stable=True)
        numbers, counts = which.unique_consecutive(return_counts=True)
        self.frames = [min(width * (i + 1), n_frames) if n > 1 else n_frames for i in numbers.tolist()]
        self.rows = list(order.split(counts.tolist()))
        self.padded = {t: bool((lengths[r] < t).any()) for t, r in zip(self.frames, self.rows, strict=True)}
        self._ends = counts.cumsum(0) / counts.sum()
        self._mean_length = float(lengths.double().mean())

    def draw(self, batch_size: int, generator: torch.Generator | None = None) -> tuple[Tensor, int]:
        """Rows (B,) of the training set and the number of frames that holds them; torch's own generator if None."""
        bucket = 0
        if len(self.rows) > 1:
            place = torch.rand((), generator=generator)
            bucket = int(torch.searchsorted(self._ends, place, right=True).clamp(max=len(self.rows) - 1))
        rows = self.rows[bucket]
        return rows[torch.randint(len(rows), (batch_size,), generator=generator)], self.frames[bucket]

    def weight(self, lengths: Tensor) -> Tensor | float:
        """What a batch's mean over frames counts for: its own share of frames, 1 on average.

        Otherwise a frame of a short clip would count for more than one of a long clip.
        """
        return lengths.sum() / (len(lengths) * self._mean_length) if len(self.rows) > 1 else 1.0
