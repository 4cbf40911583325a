"""What a camera saw: one object from a detector's file to a loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.skeletons.padding import valid_frames


@dataclass(frozen=True)
class Footage:
    """Keypoints of a set of clips and the cameras that saw them.

    Attributes:
        keypoints: (C, T, J, 2) normalised image coordinates; past a clip's length they do not count.
        confidence: (C, T, J) in 0..1, 0 where a joint was not seen.
        camera: one per clip, batch (C,), in the frame of the motion that it is compared with.
        lengths: (C,) frames.
    """

    keypoints: Tensor
    confidence: Tensor
    camera: Camera
    lengths: Tensor

    @classmethod
    def of(
        cls, keypoints: Tensor, camera: Camera, lengths: Tensor | None = None, confidence: Tensor | None = None
    ) -> Footage:
        """Of keypoints (C, T, J, 2) that were all seen, in all T frames, where nothing else is said."""
        if lengths is None:
            lengths = torch.full(keypoints.shape[:1], keypoints.shape[1], device=keypoints.device)
        return cls(keypoints, torch.ones_like(keypoints[..., 0]) if confidence is None else confidence, camera, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def valid(self) -> Tensor:
        """(C, T) bool: frames before each clip's length."""
        return valid_frames(self.lengths, self.keypoints.shape[1])

    @property
    def weight(self) -> Tensor:
        """(C, T, J): confidence, 0 past a clip's length."""
        return self.confidence * self.valid[..., None].to(self.confidence)

    def select(self, rows: Tensor | slice, frames: int | None = None) -> Footage:
        """Some clips, cut to their first ``frames``."""
        part = slice(frames)
        return Footage(
            self.keypoints[:, part][rows], self.confidence[:, part][rows], self.camera[rows], self.lengths[rows]
        )

    def by(self, camera: Camera) -> Footage:
        """The same, seen by another camera."""
        return replace(self, camera=camera)

    def to(self, device: torch.device | str) -> Footage:
        """The same footage on another device."""
        return Footage(*(getattr(self, name).to(device) for name in ("keypoints", "confidence", "camera", "lengths")))
