"""What a camera saw: one object from a detector's file to a loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from videomdm.cameras.camera import Camera


@dataclass
class Footage:
    """Keypoints of a set of clips and the cameras that saw them.

    Attributes:
        keypoints: (C, T, J, 2) normalised image coordinates, zero past a clip's length.
        confidence: (C, T, J) in 0..1, zero past a clip's length.
        camera: one per clip, batch (C,), in the true motion's canonical frame.
        lengths: (C,) frames.
    """

    keypoints: Tensor
    confidence: Tensor
    camera: Camera
    lengths: Tensor
