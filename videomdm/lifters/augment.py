"""Random bodies, poses and detectors for training a lifter."""

from __future__ import annotations

import math

import roma
import torch
from torch import Tensor

from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import body_axes

#: Range of each kind of bone's factor, on top of ``TRUNK`` or ``LIMBS``.  Wide where rigs disagree: game
#: characters have narrow hips and shoulders, and rigs split the spine as they like.
BONES = {
    "hip": (0.6, 1.2), "spine1": (0.7, 1.2), "spine2": (0.5, 1.3), "spine3": (0.7, 1.7),
    "neck": (0.75, 1.2), "head": (0.6, 1.3), "collar": (0.75, 1.2), "shoulder": (0.4, 1.2),
    "knee": (0.93, 1.07), "ankle": (0.93, 1.07), "foot": (0.75, 1.2), "elbow": (0.9, 1.1),
    "wrist": (0.85, 1.1),
}  # fmt: skip
TRUNK, LIMBS = (0.8, 1.15), (0.9, 1.1)
_IN_TRUNK = ("hip", "spine1", "spine2", "spine3", "neck", "head", "collar", "shoulder")
SHIFT = 0.01  # metres, standard deviation of where a rig puts a trunk joint in the body

#: Standard deviation (radians) of the extra rotation at a joint; half is constant in a clip, half swings.
SWING = {
    "pelvis": 0.1, "hip": 0.12, "knee": 0.12, "ankle": 0.15, "spine1": 0.06, "spine2": 0.06, "spine3": 0.06,
    "neck": 0.12, "collar": 0.06, "shoulder": 0.3, "elbow": 0.35,
}  # fmt: skip
SWING_HZ = (0.1, 1.2)

LIMBER = 2.5  # greatest factor of ``SWING``: some clips stay as they are, some people do what nobody was filmed doing
STRAIGHTER = 45.0  # degrees that a knee may be stretched, down to a flexion of ``STRAIGHT``
STRAIGHT = 3.0
SPEED = (0.7, 1.5)  # range of the factor of a clip's speed

NOISE = (0.0, 0.012)  # range of a clip's detector noise in normalised image units; 0.01 is 4 cm at 4 m
MISSING = 0.05  # at most this share of a clip's keypoints is not reported


def augment(
    joints: Tensor, fps: float, generator: torch.Generator, skeleton: Skeleton = SMPL22, limber: bool = False
) -> Tensor:
    """Other bodies in other poses: every limb turned and every bone rescaled.  The root's path stays.

    Args:
        joints: (B, T, J, 3) metres, Y up, each clip facing anywhere.
        fps: frames per second, for the speed of the extra rotations.
        generator: source of all randomness.
        skeleton: the joint layout.
        limber: multiply each clip's rotations by ``LIMBER u^2`` with a random u in 0..1: a third of the people keep
            nearly their own poses, others go far.  And straighten half of the people's knees and hips by up to
            ``STRAIGHTER``: captured knees are rarely straight, people who stand before a camera are.

    Returns:
        (B, T, J, 3): per clip one symmetric body, its bones constant to about a centimetre.
    """
    batch = len(joints)
    offsets = joints - joints[..., list(skeleton.parents), :]  # the root's is not used
    offsets = offsets * _bone_factors(batch, skeleton, generator).to(joints)[:, None, :, None]
    shifts = _trunk_shifts(batch, skeleton, generator).to(joints)
    offsets = offsets + torch.einsum("btij,bkj->btki", body_axes(joints, skeleton), shifts)
    turns = _swings(joints.shape, fps, skeleton, generator).to(joints)
    if limber:
        turns = turns * LIMBER * torch.rand(batch, 1, 1, 1, generator=generator).square().to(joints)
        turns = turns + _straighter(offsets, skeleton, generator)
    return _pose(joints[..., 0, :], offsets, roma.rotvec_to_rotmat(turns), skeleton)


def mirror(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Motions (..., J, 3) with left and right joints swapped and x reflected: what a mirror shows."""
    swapped = [skeleton.index(swap_sides(name)) for name in skeleton.joints]
    return joints[..., swapped, :] * joints.new_tensor([-1.0, 1.0, 1.0])


def mirror_half(joints: Tensor, generator: torch.Generator, skeleton: Skeleton = SMPL22) -> Tensor:
    """:func:`mirror` a random half of the clips (B, T, J, 3)."""
    flip = torch.rand(len(joints), 1, 1, 1, generator=generator).to(joints.device) < 0.5
    return torch.where(flip, mirror(joints, skeleton), joints)


def windows(
    joints: Tensor, lengths: Tensor, frames: int, generator: torch.Generator, speed: tuple[float, float] = SPEED
) -> Tensor:
    """A random stretch of each clip, faster or slower than it was, linear between frames.

    Args:
        joints: (B, T, J, 3).
        lengths: (B,) frames, each at least ``frames``; where a clip is too short for a greater speed it gets what fits.
        frames: length of the stretches.
        generator: source of all randomness.
        speed: range of the factor, uniform in its logarithm.

    Returns:
        (B, frames, J, 3).
    """
    size = len(joints)
    factor = torch.exp(_uniform(*(math.log(x) for x in speed), size, generator))
    factor = torch.minimum(factor, (lengths - 1) / max(frames - 1, 1))
    start = torch.rand(size, generator=generator) * (lengths - 1 - factor * (frames - 1)).clamp(min=0)
    at = start[:, None] + factor[:, None] * torch.arange(frames)
    first = at.long().clamp(max=joints.shape[1] - 2)
    rows, share = torch.arange(size)[:, None], (at - first).to(joints)[..., None, None]
    return torch.lerp(joints[rows, first], joints[rows, first + 1], share)


def detect(keypoints: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A simulated detector: noise, confidence and missing joints, half of the clips perfect.

    Noise and confidence are related as in :func:`videomdm.data.observations.film`.

    Args:
        keypoints: (B, T, J, 2) normalised image coordinates.

    Returns:
        Keypoints (B, T, J, 2) and confidence (B, T, J), 0 where a joint is not reported.
    """
    shape = keypoints.shape[:-1]

    def uniform(*size: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return (low + (high - low) * torch.rand(size, generator=generator)).to(keypoints)

    noisy = (uniform(len(keypoints), 1, 1) < 0.5).to(keypoints)
    confidence = 1 - noisy * uniform(*shape, low=0.0, high=0.5)
    deviation = noisy * uniform(len(keypoints), 1, 1, low=NOISE[0], high=NOISE[1]) / confidence
    noise = torch.randn(keypoints.shape, generator=generator).to(keypoints)
    missing = uniform(*shape) < noisy * uniform(len(keypoints), 1, 1, high=MISSING)
    return keypoints + deviation[..., None] * noise, confidence.masked_fill(missing, 0.0)


def swap_sides(name: str) -> str:
    """The joint of the other side; middle joints are their own."""
    if name.startswith("left_"):
        return name.replace("left_", "right_")
    return name.replace("right_", "left_")


def _kind(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def _uniform(low: float, high: float, size: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=generator)


def _bone_factors(batch: int, skeleton: Skeleton, generator: torch.Generator) -> Tensor:
    """(B, J) factors of the bones that end at each joint, the same left and right."""
    trunk, limbs = (_uniform(*r, batch, generator) for r in (TRUNK, LIMBS))
    kinds = {kind: _uniform(*r, batch, generator) for kind, r in BONES.items()}
    kinds = {kind: factor * (trunk if kind in _IN_TRUNK else limbs) for kind, factor in kinds.items()}
    kinds["pelvis"] = torch.ones(batch)
    return torch.stack([kinds[_kind(name)] for name in skeleton.joints], dim=1)


def _trunk_shifts(batch: int, skeleton: Skeleton, generator: torch.Generator) -> Tensor:
    """(B, J, 3) constant shifts of trunk joints in body axes (left, up, forward), mirrored left and right."""
    shifts = torch.zeros(batch, len(skeleton), 3)
    for kind in _IN_TRUNK:
        shift = SHIFT * torch.randn(batch, 3, generator=generator)
        for j, name in enumerate(skeleton.joints):
            if _kind(name) == kind:
                side = -1.0 if name.startswith("right_") else float(name.startswith("left_"))
                shifts[:, j] = shift * torch.tensor([side, 1.0, 1.0])
    return shifts


def _swings(shape: torch.Size, fps: float, skeleton: Skeleton, generator: torch.Generator) -> Tensor:
    """(B, T, J, 3) rotation vectors at each joint: a constant and a slow sine."""
    batch, frames, joints, _ = shape
    deviation = torch.tensor([SWING.get(_kind(name), 0.0) for name in skeleton.joints])[:, None]
    constant, amplitude = torch.randn(2, batch, 1, joints, 3, generator=generator)
    rate, phase = torch.rand(2, batch, 1, joints, 1, generator=generator)
    time = torch.arange(frames)[:, None, None] / fps
    rate = SWING_HZ[0] + (SWING_HZ[1] - SWING_HZ[0]) * rate
    swing = math.sqrt(2) * amplitude * torch.sin(2 * math.pi * (rate * time + phase))
    return deviation * (constant + swing) / math.sqrt(2)


def _straighter(offsets: Tensor, skeleton: Skeleton, generator: torch.Generator) -> Tensor:
    """(B, T, J, 3) rotation vectors that stretch half of the clips' knees; feet keep their directions.

    A knee that opens by an angle turns thigh and shin by half of it each, as that of somebody who stands up does.
    """
    turns = torch.zeros_like(offsets)
    chosen, most = torch.rand(2, len(offsets), 1, generator=generator).to(offsets)
    most = math.radians(STRAIGHTER) * most * (chosen < 0.5)
    for side in ("left", "right"):
        hip, knee, ankle = (skeleton.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
        thigh, shin = offsets[..., knee, :], offsets[..., ankle, :]
        axis = torch.linalg.cross(shin, thigh)
        flexion = torch.atan2(axis.norm(dim=-1), (shin * thigh).sum(-1))
        angle = torch.minimum((flexion - math.radians(STRAIGHT)).clamp(min=0), most)
        turn = angle[..., None] * torch.nn.functional.normalize(axis, dim=-1)
        turns[..., hip, :], turns[..., knee, :], turns[..., ankle, :] = -turn / 2, turn, -turn / 2
    return turns


def _pose(root: Tensor, offsets: Tensor, turns: Tensor, skeleton: Skeleton) -> Tensor:
    """Joints (B, T, J, 3) from bones (B, T, J, 3), each turned by the ``turns`` between root and bone."""
    joints, total = [root], [turns[..., 0, :, :]]
    for parent, j in skeleton.bones:
        bone = (total[parent] @ offsets[..., j, :, None]).squeeze(-1)
        joints.append(joints[parent] + bone)
        total.append(total[parent] @ turns[..., j, :, :])
    return torch.stack(joints, dim=-2)
