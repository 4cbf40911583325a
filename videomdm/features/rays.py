"""A predicted motion moved onto the rays on which it was seen (appendix B), as a whole motion's features again."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm import features
from videomdm.cameras.camera import Camera
from videomdm.features.normaliser import Normaliser
from videomdm.skeletons.definitions import Skeleton


def onto_rays(
    joints: Tensor, keypoints: Tensor, camera: Camera, lengths: Tensor, confidence: Tensor | None = None
) -> Tensor:
    """Joints (B, T, J, 3) on their rays; those of confidence 0 stay, padded frames hold a clip's last pose.

    Args:
        joints: (B, T, J, 3) metres, in the camera's world.
        keypoints: (B, T, J, 2) normalised image coordinates.
        camera: batch (B,).
        lengths: (B,) frames.
        confidence: (B, T, J); all were seen by default.
    """
    onto = camera.project_to_rays(joints, keypoints)
    if confidence is not None:
        onto = torch.where(confidence[..., None] > 0, onto, joints)
    return features.hold_last(onto.contiguous(), lengths)


def encode(joints: Tensor, lengths: Tensor, skeleton: Skeleton, normaliser: Normaliser) -> Tensor:
    """Normalised features (B, T, D) of joints (B, T, J, 3) whose padding holds the last pose.

    As many rows as frames: the last frame has no velocity, so its row is the one before it.
    """
    rows = torch.nn.functional.pad(features.encode(joints, skeleton), (0, 0, 0, 1))
    return normaliser.normalise(features.hold_last(rows[..., None], lengths - 1)[..., 0])
