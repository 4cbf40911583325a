"""Is it a body?  What every 3-D input is checked for: bones, size, sides, and which way is up.

Corpora, BVH files and what other lifters found come in any units, axes and orders of joints, and a network learns from
all of them without complaint.  A body gives each mistake away:

- its bones keep their lengths and are alike on both sides (else: another order of joints, or lost frames);
- ankle to head, bone by bone, it measures .5 to 2.5 m (else: centimetres, inches, units of an image);
- its knees bend, and its toes point, to where it faces (else: left and right exchanged, or one axis mirrored);
- most people of a corpus have their heads above their feet along +Y (else: Z up, or Y down).

The first three hold for people who crawl, lie, or stand on their hands, so they are asked of every clip.  Which way is
up, one clip cannot tell: it is asked of a corpus of at least :data:`ENOUGH` clips, and of a lifted motion against the
keypoints that it is from (:func:`check_upright_as_seen`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import bone_lengths, bone_vectors

STATURE = (0.5, 2.5)  # metres from ankle to head, bone by bone


def constancy(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """How far from constant bones are: interquartile range over median of each bone's length (T, J, 3) -> (J - 1,)."""
    sizes = bone_vectors(joints, skeleton).norm(dim=-1)
    low, middle, high = sizes.quantile(torch.tensor([0.1, 0.5, 0.9]).to(sizes), dim=0)
    return (high - low) / middle.clamp(min=1e-9)
