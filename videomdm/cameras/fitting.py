"""A motion held against the recording that it was lifted from (ours): a small optimisation, without any training.

A lifter's poses have neither the bones of one person nor joints where they were seen.  Both are known: bones keep their
length as long as somebody is filmed, and every keypoint gives a ray.  What is least certain, the depth of each joint,
stays near the lifter's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm.cameras.footage import Footage
from videomdm.conventions import FPS
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22, Skeleton

STEPS = 100  # of L-BFGS, at most


@dataclass(frozen=True)
class Weights:
    """Of the squared terms of :func:`fit`, all in square metres, relative to that of the given pose, 1.

    Chosen on held-out motion capture (``python -m videomdm.study.real_people choose``).

    Attributes:
        image: distance of a joint from its ray, times confidence.
        bones: difference of a bone from its length.
        bend: second difference of a joint over time at 20 frames a second.
        place: distance of a joint from where it was given.
    """

    image: float = 1.0
    bones: float = 1.0
    bend: float = 1.0
    place: float = 0.01


def fit(
    joints: Tensor,
    seen: Footage,
    skeleton: Skeleton = SMPL22,
    weights: Weights = Weights(),
    fps: float = FPS,
) -> Tensor:
    """The motion near ``joints`` whose bones keep their lengths, whose joints are where they were seen, and smooth.

    In camera axes, with residuals ``r = X.xy - k X.z`` of the keypoints ``k``, bones ``b`` of median lengths ``B``,
    left and right alike, and poses ``P = X - X_root``, L-BFGS minimises

        image c |r|^2 + bones (|b| - B)^2 + bend |X_{t-1} - 2 X_t + X_{t+1}|^2 + |P - P_given|^2 + place |X - X_given|^2

    summed over joints and frames.  Joints that were not seen follow their bones.

    Args:
        joints: (C, T, J, 3) metres, in the frame of the cameras, each frame where its size says
            (:func:`videomdm.cameras.placement.place`): moved onto rays at another depth, a person would change size.
        seen: the keypoints, the cameras (C,), and the joints' weights ``c``, their confidence; what stands at
            confidence 0 is not read.
        skeleton: joint layout.
        weights: of the terms.
        fps: frames per second; ``bend`` is scaled to it.

    Returns:
        (C, T, J, 3) in the same frame; frames at and past a clip's length are as they were given.  No gradient flows.

    Explained in :doc:`/runs/evaluate_real_people`.
    """
    camera, inside = seen.camera, seen.valid.to(joints)
    with torch.no_grad():
        given = camera.to_camera(joints)
        bones = bone_lengths(given, seen.lengths, skeleton)
    confidence, frames, bends = seen.weight.to(joints), inside[..., None], inside[:, 2:, None]
    keypoints = seen.keypoints.where(confidence[..., None] > 0, 0.0)  # they may be NaN where nobody saw them
    bend = weights.bend * (fps / FPS) ** 4
    found = given.clone(memory_format=torch.contiguous_format).requires_grad_()
    solver = torch.optim.LBFGS([found], max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe")

    def energy() -> Tensor:
        solver.zero_grad()
        rays = found[..., :2] - keypoints * found[..., 2:]
        stretch = kinematics.bone_vectors(found, skeleton).norm(dim=-1) - bones[:, None]
        moved = found - given
        total = (
            weights.image * (confidence * rays.square().sum(-1)).sum()
            + weights.bones * (frames * stretch.square()).sum()
            + bend * (bends * found.diff(n=2, dim=1).square().sum(-1)).sum()
            + (frames * (moved - moved[..., :1, :]).square().sum(-1)).sum()
            + weights.place * (frames * moved.square().sum(-1)).sum()
        )
        total.backward()
        return total

    with torch.enable_grad():
        solver.step(energy)
    return camera.to_world(found.detach()).where(inside[..., None, None] > 0, joints)


def bone_lengths(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """(C, J - 1) median lengths of the bones of clips (C, T, J, 3), left and right averaged, metres."""
    sizes = kinematics.bone_lengths(joints, lengths, skeleton)
    return (sizes + sizes[:, [j - 1 for j in skeleton.mirrored[1:]]]) / 2
