"""A predicted motion moved onto the rays on which it was seen (appendix B), as a whole motion's features again."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.cameras.footage import Footage
from videomdm.cameras.placement import place, to_body_height
from videomdm.features import representation
from videomdm.features.normaliser import Normaliser
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import Skeleton
from videomdm.skeletons.padding import hold_last


def onto_rays(joints: Tensor, seen: Footage) -> Tensor:
    """Joints (B, T, J, 3), metres in the cameras' world, on the rays on which they were seen.

    Those of confidence 0 stay where they are; padded frames hold a clip's last pose.
    """
    onto = torch.where(seen.confidence[..., None] > 0, seen.camera.project_to_rays(joints, seen.keypoints), joints)
    return hold_last(onto.contiguous(), seen.lengths)


def placed(joints: Tensor, seen: Footage, skeleton: Skeleton) -> Tensor:
    """Joints where their size says, on their rays, and as tall as they were (ours).

    Of a limb that was predicted to point elsewhere, less agrees with its keypoints, so the fit to the rays
    (:func:`videomdm.cameras.placement.place`) puts people too near, and on their rays there they are too small; step by
    step a sampler would make them smaller.  The whole clip is therefore scaled about the camera, which sees no
    difference, until people have the body height of ``joints``.

    Args:
        joints: (B, T, J, 3) metres in the cameras' world, as predicted.
        seen: as for :func:`onto_rays`.
        skeleton: the joint layout.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    onto = onto_rays(place(joints, seen), seen)
    height = kinematics.body_height(joints, seen.lengths, skeleton)
    return to_body_height(onto, seen.camera, height, seen.lengths, skeleton)


def encode(joints: Tensor, lengths: Tensor, skeleton: Skeleton, normaliser: Normaliser) -> Tensor:
    """Normalised features (B, T, D) of joints (B, T, J, 3) whose padding holds the last pose.

    As many rows as frames: the last frame has no velocity, so its row is the one before it.
    """
    rows = torch.nn.functional.pad(representation.encode(joints, skeleton), (0, 0, 0, 1))
    return normaliser.normalise(hold_last(rows[..., None], lengths - 1)[..., 0])
