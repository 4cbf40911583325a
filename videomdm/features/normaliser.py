"""Feature statistics: the mean and standard deviation that the denoiser's inputs and outputs are scaled by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm import features as feat
from videomdm.skeletons.padding import valid_frames

FLOOR = 1e-3  # smallest standard deviation that is divided by: a channel that never moves must not explode


@dataclass(frozen=True)
class Moments:
    """Numbers of rows and per-channel sums from which mean and deviation follow; parts of a corpus add up.

    Attributes:
        n: rows.
        mean, squares: (D,) float64, the mean and the sum of squared deviations from it.
    """

    n: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Moments:
        """Of features (n, D), in two passes."""
        rows = rows.double()
        mean = rows.mean(0)
        return cls(len(rows), mean, (rows - mean).square().sum(0))

    def __add__(self, other: Moments) -> Moments:
        """Of both together (Chan, Golub and LeVeque 1979): no difference of large numbers is taken."""
        n, apart = self.n + other.n, other.mean - self.mean
        squares = self.squares + other.squares + apart.square() * (self.n * other.n / n)
        return Moments(n, self.mean + apart * (other.n / n), squares)


@dataclass(frozen=True)
class Normaliser:
    """Per-channel mean and standard deviation, both (D,)."""

    mean: Tensor
    std: Tensor

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ValueError(
                f"mean {tuple(self.mean.shape)} and std {tuple(self.std.shape)}: expected (channels,) for both"
            )
        wrong = ~(self.mean.isfinite() & (self.std > 0) & self.std.isfinite())
        if wrong.any():
            k = int(wrong.nonzero()[0])
            raise ValueError(
                f"channel {k} has mean {self.mean[k]:g} and std {self.std[k]:g}, expected finite ones and std > 0"
            )

    def normalise(self, features: Tensor, channels: slice = slice(None)) -> Tensor:
        """Features (..., D), or those of ``channels`` alone."""
        return (features - self.mean[channels]) / self.std[channels]

    def denormalise(self, features: Tensor, channels: slice = slice(None)) -> Tensor:
        """Undoes :meth:`normalise`."""
        return torch.addcmul(self.mean[channels], features, self.std[channels])

    def to(self, device: torch.device | str) -> Normaliser:
        """The same normaliser on another device."""
        return Normaliser(self.mean.to(device), self.std.to(device))

    @classmethod
    def fit(cls, features: Tensor, lengths: Tensor, n_joints: int) -> Normaliser:
        """Statistics of padded features (C, T, D) over each clip's first ``lengths`` rows.

        As in HumanML3D the standard deviation is averaged over each named block of channels, so that all
        coordinates of a block keep their relative size.
        """
        rows = features[valid_frames(lengths, features.shape[1])].double()
        return cls._of_blocks(rows.mean(0), rows.std(0), n_joints)

    @classmethod
    def of(cls, moments: Moments, n_joints: int) -> Normaliser:
        """The same from sums over parts of a corpus."""
        return cls._of_blocks(moments.mean, (moments.squares / (moments.n - 1)).sqrt(), n_joints)

    @classmethod
    def _of_blocks(cls, mean: Tensor, std: Tensor, n_joints: int) -> Normaliser:
        for block in feat.blocks(n_joints).values():
            std[block] = std[block].mean()
        return cls(mean.float(), std.clamp(min=FLOOR).float())
