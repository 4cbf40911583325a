"""HumanML3D's channels worked out for whole corpora at once: the inner part of :func:`videomdm.features.encode`.

Joints are kept as planes (J, 3, B, T), see :mod:`videomdm.skeletons.kinematics`, and rotations as pairs of half-turns,
of which
one is a constant of the layout: no 3 x 3 matrix is ever made for a joint of a frame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from videomdm.skeletons.definitions import Skeleton
from videomdm.skeletons.kinematics import (
    across_body,
    bisectors,
    bone_planes,
    facing,
    forward_of,
    planes,
    rest_half_turns,
    table,
    turned,
    unit,
)

HEADING_SIGMA = 20.0  # frames: standard deviation of the gaussian that smooths the heading over time
FRAMES_AT_ONCE = 6400  # on a CPU, so that the encoder's temporaries stay in its caches
CONTACT_THRESHOLD = 0.002  # m^2: a foot whose squared displacement per frame stays below touches the ground


def channels(joints: Tensor, skeleton: Skeleton, out: Tensor | None = None) -> Tensor:
    """Channels (B, T - 1, 12 J - 1) of clips (B, T, J, 3), described in :func:`videomdm.features.blocks`."""
    body = planes(joints)
    forward = _forward_path(body, skeleton)
    turns = _half_turns(forward[..., :-1], forward[..., 1:]).to(joints.dtype)
    here, ahead = forward[..., :-1].to(joints.dtype), forward[..., 1:].to(joints.dtype)
    now, step = body[..., :-1], body.diff(dim=-1)
    place = now[:1] * now.new_tensor((1.0, 0.0, 1.0))[:, None, None]
    blocks = (
        turns[None],
        turned(step[0], ahead)[::2],
        now[0, 1:2],
        turned(now[1:] - place, here).flatten(0, 1),
        _rotation_channels(now, here, skeleton).flatten(0, 2),
        turned(step, here).flatten(0, 1),
        _contacts(step, skeleton),
    )
    return torch.cat([block.movedim(0, -1) for block in blocks], dim=-1, out=out)


def _forward_path(body: Tensor, skeleton: Skeleton) -> Tensor:
    """Unit directions (2: x, z, B, T), float64, that the channels of planes (J, 3, B, T) are relative to.

    The body's own in frame 0, which HumanML3D turns to +Z, then its smoothed ones with the hips swapped.
    """
    joints = body.permute(2, 3, 0, 1)
    first = facing(joints[:, :1], skeleton)
    forward = forward_of(across_body(joints, skeleton, swapped_hips=True)).movedim(-1, 0)
    forward = forward @ _smoothing(forward.shape[-1], forward.dtype, forward.device).mT
    return torch.cat((first, unit(forward[..., 1:].movedim(0, -1), first)), dim=-2).movedim(-1, 0).contiguous()


@table
def _smoothing(n_frames: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(T, T): the gaussian over time as a matrix; beyond its ends a clip goes on with its nearest frame."""
    matrix = gaussian_filter1d(np.eye(n_frames), HEADING_SIGMA, axis=0, mode="nearest")
    return torch.from_numpy(matrix).to(device, dtype)


def _half_turns(before: Tensor, after: Tensor) -> Tensor:
    """Half the angles (...) from directions ``after`` (2, ...) back to ``before``, in [-pi/2, pi/2].

    From sine and cosine of the difference, so that the nearer way round is taken whatever the headings are.
    """
    sin = after[0] * before[1] - after[1] * before[0]
    return -0.5 * torch.atan2(sin, (after * before).sum(0))


def _rotation_channels(joints: Tensor, forward: Tensor, skeleton: Skeleton) -> Tensor:
    """6-D rotations (J - 1, 2 columns, 3, B, T) of planes (J, 3, B, T), relative to the joint before in the chain.

    HumanML3D's inverse kinematics: in the clip's canonical frame a bone's rotation is the shortest one from
    its rest direction.  Every chain starts from the rotation that turns that frame to the body's heading (and
    not back, as one would expect).  ``forward`` (2: x, z, B, T) is each frame's heading.

    Each rotation is a half-turn A about the rest direction, then one about the bisector h.  With m = A h, with A' and
    m' those of the joint before, n = A' h and Q = A' A, column k of the relative rotation (A' H') (H A) is
    ``m' (4 (m' . n) m_k - 2 (Q^T m')_k) - 2 m_k n + Q_k``.
    """
    canonical = forward[..., :1]
    bones = turned(bone_planes(joints, skeleton), canonical)
    h = torch.cat((_yaw_bisector(forward, canonical)[None], bisectors(bones, skeleton))).flatten(-2)
    A = rest_half_turns(skeleton, h.dtype, h.device)
    before = _before_in_chain(skeleton.chains, skeleton.parents, h.device)
    before_A = A.index_select(0, before)
    Q = before_A @ A[1:]
    m = A @ h
    before_m, n, m = m.index_select(0, before), before_A @ h[1:], m[1:, :2]
    along = torch.baddbmm(4 * (before_m * n).sum(1, keepdim=True) * m, Q.mT[:, :2], before_m, alpha=-2)
    columns = torch.addcmul(Q.mT[:, :2, :, None], along[:, :, None], before_m[:, None])
    return torch.addcmul(columns, m[:, :, None], n[:, None], value=-2).unflatten(-1, forward.shape[1:])


def _yaw_bisector(forward: Tensor, canonical: Tensor) -> Tensor:
    """Bisectors (3, ...) of +Z and where the turn from ``forward`` (2, ...) to ``canonical`` takes it."""
    x, z = canonical[1] * forward[0] - canonical[0] * forward[1], (canonical * forward).sum(0)
    # Half of an angle from its sine and cosine, by the larger of 1 + cos and 1 - cos.
    ahead = z > 0
    h = torch.stack((torch.where(ahead, -x, 1 - z), torch.zeros_like(x), torch.where(ahead, 1 + z, -x)))
    return h / (2 + 2 * z.abs()).sqrt()


@table
def _before_in_chain(chains: tuple, parents: tuple[int, ...], device: torch.device) -> Tensor:
    """(J - 1,): for each joint but the root the one before it in its chain; the root for the first bone of a chain."""
    before = {joint: chain[k] if k else 0 for chain in chains for k, joint in enumerate(chain[1:])}
    return torch.tensor([before.get(joint, parent) for joint, parent in enumerate(parents)][1:], device=device)


def _contacts(step: Tensor, skeleton: Skeleton) -> Tensor:
    """Contact flags (4, ...) of displacements (J, 3, ...): two left, two right, a single foot joint twice."""
    left, right = ([skeleton.index(j) for j in side] for side in (skeleton.left_feet, skeleton.right_feet))
    feet = [*(2 * left)[:2], *(2 * right)[:2]]
    return torch.stack([(step[foot].square().sum(0) < CONTACT_THRESHOLD).to(step.dtype) for foot in feet])


def some_at_a_time(function: Callable[..., Tensor], joints: Tensor, *given: Tensor) -> Tensor:
    """``function`` of clips (B, T, J, 3), for any batch; on a CPU some at a time, so that all stays in its caches.

    Args:
        function: maps (b, T, J, 3) and the same rows of ``given`` to a tensor of leading dimension b, which it writes
            into ``out`` where it is given one.
        joints: (..., T, J, 3).
        given: further tensors of the batch's shape (...).
    """
    batch, shape = joints.shape[:-3], joints.shape[-3:]
    clips = [joints.reshape(-1, *shape), *(x.reshape(-1) for x in given)]
    eager = joints.device.type == "cpu" and not torch.compiler.is_compiling()
    size = max(1, FRAMES_AT_ONCE // shape[0] if eager else len(clips[0]))
    first, *others = zip(*(x.split(size) for x in clips), strict=True)
    result = function(*first)
    if others and torch.is_grad_enabled() and joints.requires_grad:
        result = torch.cat([result, *(function(*part) for part in others)])
    elif others:
        whole = result.new_empty(len(clips[0]), *result.shape[1:])
        places = whole.split(size)
        places[0].copy_(result)
        for part, place in zip(others, places[1:], strict=True):
            function(*part, out=place)
        result = whole
    return result.view(*batch, *result.shape[1:])
