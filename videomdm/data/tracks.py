"""Clips of 2-D keypoints and nothing else: what a method learns from that never sees a motion in 3-D.

Keypoints come in two units: *normalised image coordinates* (v down), in which cameras project, and *picture units*
(y up), in which MAS's NBA data are written.  A person is about 3.3 picture units high; one of them is .75 / 7 in
normalised image coordinates.  :func:`to_picture` and :func:`from_picture` lead from one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.conventions import DataError
from videomdm.skeletons.definitions import Skeleton

PICTURE = 7 / 0.75  #: picture units per unit of normalised image coordinates, MAS's choice for NBA
CONFIDENT = 0.3  #: a keypoint counts from this confidence on, as in MAS
STILL = 1e-6  # picture units: a coordinate that deviates less is constant, such as that of a centred hip


def to_picture(keypoints: Tensor) -> Tensor:
    """Normalised image coordinates (..., 2), v down, in picture units, y up."""
    return keypoints * keypoints.new_tensor((PICTURE, -PICTURE))


def from_picture(points: Tensor) -> Tensor:
    """Picture units (..., 2), y up, in normalised image coordinates, v down."""
    return points / points.new_tensor((PICTURE, -PICTURE))


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation (J, 2) of keypoints in picture units; a constant coordinate is divided by 1."""

    mean: Tensor
    std: Tensor

    def __post_init__(self) -> None:
        if self.mean.ndim != 2 or self.mean.shape[1] != 2 or self.mean.shape != self.std.shape:
            raise DataError(f"mean {tuple(self.mean.shape)} and std {tuple(self.std.shape)}, expected (joints, 2)")
        if not (self.mean.isfinite().all() and self.std.isfinite().all() and (self.std >= 0).all()):
            raise DataError("mean and std hold NaN, infinite or negative numbers, expected finite ones")
        object.__setattr__(self, "std", self.std.where(self.std > STILL, 1.0))

    @classmethod
    def fit(cls, seen: Footage) -> Statistics:
        """Of the keypoints that count."""
        counts = (seen.weight >= CONFIDENT).double()[..., None]
        points = to_picture(seen.keypoints).double()
        n = counts.sum((0, 1)).clamp(min=1)
        mean = (points * counts).sum((0, 1)) / n
        squares = ((points - mean).square() * counts).sum((0, 1))
        return cls(mean.float(), (squares / n).sqrt().float())

    def normalise(self, keypoints: Tensor) -> Tensor:
        """Normalised image coordinates (..., J, 2) with zero mean and unit deviation, y up: what networks read."""
        return (to_picture(keypoints) - self.mean) / self.std

    def denormalise(self, values: Tensor) -> Tensor:
        """Undoes :meth:`normalise`."""
        return from_picture(values * self.std + self.mean)

    def to(self, device: torch.device | str) -> Statistics:
        """The same statistics on another device."""
        return Statistics(self.mean.to(device), self.std.to(device))


@dataclass(frozen=True)
class Tracks:
    """Clips of one skeleton's keypoints.

    Attributes:
        seen: (C, T, J, 2) normalised image coordinates and the detector's confidences.  Its cameras are what is
            assumed of them, not what was.
        names: one unique name per clip.
        captions: of each clip, ``("",)`` where there are none.
        skeleton, fps: as in :class:`videomdm.data.corpus.Corpus`.
        statistics: by which networks read keypoints: those of the training split.
        centred: whether the root is in the middle of the picture in every frame, so that nothing tells its path.
        skipped: (file, reason) of clips that a reader left out.
    """

    seen: Footage
    names: list[str]
    captions: list[tuple[str, ...]]
    skeleton: Skeleton
    fps: float
    statistics: Statistics
    centred: bool
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def lengths(self) -> Tensor:
        """(C,) frames."""
        return self.seen.lengths

    @property
    def confidence(self) -> Tensor:
        """(C, T, J) the detector's, 0 past a clip's length."""
        return self.seen.weight

    @property
    def counted(self) -> Footage:
        """The same with confidence 1 where a keypoint counts and 0 elsewhere, as MAS and the losses read it."""
        return replace(self.seen, confidence=(self.seen.weight >= CONFIDENT).to(self.seen.confidence))

    def normalised(self) -> Tensor:
        """(C, T, J, 2) keypoints as networks read them (:meth:`Statistics.normalise`), 0 past a clip's length."""
        return self.statistics.normalise(self.seen.keypoints) * self.seen.valid[..., None, None]

    def select(self, indices: Sequence[int] | Tensor) -> Tracks:
        """The clips at ``indices``, in that order, padded to the longest of them."""
        rows = torch.as_tensor(indices, dtype=torch.long)
        chosen = rows.tolist()
        return replace(
            self, seen=self.seen.select(rows, int(self.lengths[rows].max())), names=[self.names[i] for i in chosen],
            captions=[self.captions[i] for i in chosen],
        )  # fmt: skip

    def by(self, camera: Camera) -> Tracks:
        """The same, assumed to be seen by other cameras (C,)."""
        return replace(self, seen=self.seen.by(camera))
