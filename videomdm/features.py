"""Joints <-> HumanML3D channels: the representation in which the prior lives.

A row of features describes one frame by how the body moves on (yaw, root velocity, root height) and by what
it looks like in its own heading (joint positions, rotations, velocities, foot contacts): 12 J - 1 numbers for
J joints (263 for SMPL-22, 191 for NBA-16).  The last frame has no velocity, so T frames give T - 1 rows.
Features know neither the place nor the heading of frame 0: whoever needs a camera in their frame asks
:func:`canonical_frame` what was turned and moved.

World axes: Y up; a body that faces +Z has its left side at +X.  Lengths in metres, 20 frames per second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from itertools import accumulate

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn.functional import pad

from videomdm.kinematics import (
    across_body,
    bone_vectors,
    facing,
    facing_z,
    forward_of,
    rest_directions,
    rotation_between,
    uniform_skeleton,
    unit,
)
from videomdm.skeletons import SMPL22, Skeleton

HEADING_SIGMA = 20.0  # frames: standard deviation of the gaussian that smooths the heading over time
CONTACT_THRESHOLD = 0.002  # m^2: a foot whose squared displacement per frame stays below touches the ground


# ---- channels --------------------------------------------------------------------------------------------


def n_features(n_joints: int) -> int:
    """Number of channels for ``n_joints`` joints, 12 J - 1."""
    return 12 * n_joints - 1


def blocks(n_joints: int) -> dict[str, slice]:
    """The named blocks of a feature row, in order.

    Returns:
        ``root_yaw_velocity`` (1): half the turn until the next frame, rad, positive to the body's right;
        ``root_velocity`` (2): x and z in the next frame's heading, m per frame;
        ``root_height`` (1): m;
        ``joint_positions`` (3 per joint but the root): in the frame's heading, x and z from the root, y from
        the floor, m;
        ``joint_rotations`` (6 per joint but the root): first, then second column of the rotation matrix;
        ``joint_velocities`` (3 per joint): in the frame's heading, m per frame;
        ``foot_contacts`` (4): two left, two right, 0 or 1.

    Explained in :doc:`/notebooks/explain_features`.
    """
    sizes = {
        "root_yaw_velocity": 1,
        "root_velocity": 2,
        "root_height": 1,
        "joint_positions": 3 * (n_joints - 1),
        "joint_rotations": 6 * (n_joints - 1),
        "joint_velocities": 3 * n_joints,
        "foot_contacts": 4,
    }
    ends = accumulate(sizes.values())
    return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}


def position_channels(n_joints: int) -> slice:
    """The channels that fix the joints (root motion, joint positions): 67 for J = 22, 49 for J = 16.

    Explained in :doc:`/notebooks/explain_features`.
    """
    return slice(0, blocks(n_joints)["joint_positions"].stop)


def redundant_channels(n_joints: int) -> slice:
    """The channels that follow from the joints (rotations, velocities, contacts; eq. 3): 196 for J = 22.

    Explained in :doc:`/notebooks/explain_features`.
    """
    return slice(blocks(n_joints)["joint_rotations"].start, n_features(n_joints))


def _table(function: Callable) -> Callable:
    """Remember the results; ``torch.compile`` takes them as constants instead of looking inside."""
    remembered = lru_cache(maxsize=512)(function)

    @wraps(function)
    def look_up(*arguments):
        return remembered(*arguments)

    # What torch.compiler.assume_constant_result sets; calling that imports the compiler, for seconds.
    look_up._dynamo_marked_constant = True
    return look_up


# ---- joints <-> features ---------------------------------------------------------------------------------


def _in_full_precision(function: Callable) -> Callable:
    """Compute in float32 or better, also under autocast: headings in bf16 would bend a path by metres."""

    @wraps(function)
    def wrapper(x: Tensor, *args, **kwargs):
        with torch.autocast(x.device.type, enabled=False):
            return function(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x, *args, **kwargs)

    return wrapper


@_in_full_precision
def encode(joints: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """HumanML3D channels of a motion.

    Heading and horizontal place of frame 0 make no difference (features cannot hold them); heights are taken
    as they are: :func:`canonicalise` puts a clip on the floor.  Pass padded batches through :func:`hold_last`
    first; then the rows before a clip's last frame equal those of the clip alone.

    The channels equal those of the published data set (HumanML3D's notebook) wherever its code is right.
    Where it breaks, this stays right: past 180 degrees of heading, where its yaw velocity has the wrong sign
    (the nearer way round is taken here), and at a heading of exactly -Z, where it gives NaN.  Bodies without
    direction (bones of length zero, hips and shoulders that cancel) give finite channels and gradients.

    Args:
        joints: (..., T, J, 3), T >= 2, metres, Y up.
        skeleton: the joint layout, with face and foot joints named.

    Returns:
        (..., T - 1, 12 J - 1), see :func:`blocks`.

    Raises:
        ValueError: on another shape, or a layout without foot joints or whose root is not joint 0.

    Explained in :doc:`/notebooks/explain_features`.
    """
    _check_joints(joints, skeleton)
    if joints.shape[-3] < 2:
        raise ValueError(f"joints have {joints.shape[-3]} frames, expected at least 2: features hold velocities")
    forward = _forward_path(joints, skeleton)
    turns = _half_turns(forward[..., :-1, :], forward[..., 1:, :])
    body = facing_z(forward).to(joints.dtype)
    here, ahead = body[..., :-1, :, :], body[..., 1:, :, :]

    now, step = joints[..., :-1, :, :], joints.diff(dim=-3)
    place = now[..., :1, :] * now.new_tensor((1.0, 0.0, 1.0))
    return torch.cat(
        (
            turns[..., None].to(joints.dtype),
            (step[..., :1, :] @ ahead.mT)[..., 0, ::2],
            now[..., 0, 1:2],
            ((now[..., 1:, :] - place) @ here.mT).flatten(-2),
            _rotation_channels(now, here, skeleton),
            (step @ here.mT).flatten(-2),
            _contacts(step, skeleton),
        ),
        dim=-1,
    )


@_in_full_precision
def decode(features: Tensor) -> Tensor:
    """Joints of a motion from its position channels; frame 0 stands at the origin and faces +Z.

    ``decode(encode(x))`` is the canonical ``x`` without its last frame.

    Args:
        features: (..., T, 12 J - 1), not normalised.

    Returns:
        (..., T, J, 3), metres, Y up.

    Raises:
        ValueError: if the number of channels is not 12 J - 1.

    Explained in :doc:`/notebooks/explain_features`.
    """
    n_joints = _n_joints(features)
    heading, root = root_trajectory(features)
    body = facing_z(torch.stack((heading.sin(), heading.cos()), dim=-1))
    local = features[..., blocks(n_joints)["joint_positions"]].unflatten(-1, (n_joints - 1, 3))
    place = root[..., None, :] * root.new_tensor((1.0, 0.0, 1.0))
    return torch.cat((root[..., None, :], local @ body + place), dim=-2)


@_in_full_precision
def root_trajectory(features: Tensor) -> tuple[Tensor, Tensor]:
    """Heading and path of the root, summed up from frame 0.

    Args:
        features: (..., T, 12 J - 1), not normalised.

    Returns:
        heading (..., T), rad, not wrapped: 0 is +Z, a quarter turn +X; it is the one that the channels are
        relative to, smoothed from frame 1 on.  Root (..., T, 3), metres.

    Raises:
        ValueError: if the number of channels is not 12 J - 1.

    Explained in :doc:`/notebooks/explain_features`.
    """
    named = blocks(_n_joints(features))
    turns = features[..., :-1, 0]
    heading = pad(-2 * turns.cumsum(-1), (1, 0))
    x, z = features[..., :-1, named["root_velocity"]].unbind(-1)
    sin, cos = heading[..., 1:].sin(), heading[..., 1:].cos()
    path_x, path_z = (pad(v.cumsum(-1), (1, 0)) for v in (cos * x + sin * z, cos * z - sin * x))
    return heading, torch.stack((path_x, features[..., named["root_height"]][..., 0], path_z), dim=-1)


def _forward_path(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Unit directions (..., T, 2: x, z) that the channels are relative to.

    The body's own in frame 0, which HumanML3D turns to +Z, then its smoothed ones with the hips swapped.
    """
    first = facing(joints[..., :1, :, :], skeleton)
    forward = forward_of(across_body(joints, skeleton, swapped_hips=True))
    forward = _smoothing(forward.shape[-2], forward.dtype, forward.device) @ forward
    return torch.cat((first, unit(forward[..., 1:, :], first)), dim=-2)


@_table
def _smoothing(n_frames: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(T, T): the gaussian over time as a matrix; beyond its ends a clip goes on with its nearest frame."""
    with torch.inference_mode(False):  # cached, so it must serve training too
        matrix = gaussian_filter1d(np.eye(n_frames), HEADING_SIGMA, axis=0, mode="nearest")
        return torch.from_numpy(matrix).to(device, dtype)


def _half_turns(before: Tensor, after: Tensor) -> Tensor:
    """Half the angles (...) from directions ``after`` (..., 2) back to ``before``, in [-pi/2, pi/2].

    From sine and cosine of the difference, so that the nearer way round is taken whatever the headings are.
    """
    sin = after[..., 0] * before[..., 1] - after[..., 1] * before[..., 0]
    return -0.5 * torch.atan2(sin, (after * before).sum(-1))


def _rotation_channels(joints: Tensor, body: Tensor, skeleton: Skeleton) -> Tensor:
    """6-D rotations (..., T, 6 (J - 1)) of the joints, relative to the joint before in the chain.

    HumanML3D's inverse kinematics: in the clip's canonical frame a bone's rotation is the shortest one from
    its rest direction.  Every chain starts from the rotation that turns that frame to the body's heading (and
    not back, as one would expect).  ``body`` (..., T, 3, 3) turns the world to each frame's heading.
    """
    canonical = body[..., :1, :, :]
    rest = rest_directions(skeleton, joints)
    rotations = rotation_between(rest, unit(bone_vectors(joints, skeleton) @ canonical.mT, rest))
    roots = (body @ canonical.mT)[..., None, :, :]
    before = torch.cat((roots, rotations), dim=-3)[..., _before_in_chain(skeleton), :, :]
    columns = rotations.mT[..., :2, :] @ before  # as rows: the first two columns of before^T rotation
    return columns.flatten(-3)


@_table
def _before_in_chain(skeleton: Skeleton) -> tuple[int, ...]:
    """For each joint but the root the one before it in its chain; the root for the first bone of a chain."""
    before = {joint: chain[k] if k else 0 for chain in skeleton.chains for k, joint in enumerate(chain[1:])}
    return tuple(before.get(joint, parent) for joint, parent in enumerate(skeleton.parents))[1:]


def _contacts(step: Tensor, skeleton: Skeleton) -> Tensor:
    """Contact flags (..., 4) of displacements (..., J, 3): two left, two right, a single foot joint twice."""
    left, right = ([skeleton.index(j) for j in side] for side in (skeleton.left_feet, skeleton.right_feet))
    feet = [*(2 * left)[:2], *(2 * right)[:2]]
    return (step[..., feet, :].square().sum(-1) < CONTACT_THRESHOLD).to(step.dtype)


# ---- canonical frame -------------------------------------------------------------------------------------


@_in_full_precision
def canonical_frame(
    joints: Tensor, skeleton: Skeleton = SMPL22, floor: str = "lowest", lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The frame in which a clip starts above the origin, faces +Z and has its floor at y = 0.

    Args:
        joints: (..., T, J, 3), metres, Y up.
        skeleton: the joint layout.
        floor: ``"lowest"``: the lowest joint of the clip, as in HumanML3D; ``"median"``: the median over
            frames of the lowest foot joint, for noisy motions, which one outlier would lift off the ground.
        lengths: (...), valid frames of each clip of a padded batch; padding does not count for the floor.

    Returns:
        Q (..., 3, 3), a rotation about Y, and p (..., 3), metres: canonical x = Q (x - p).

    Raises:
        ValueError: on another shape, an unknown ``floor`` or bad ``lengths``.

    Explained in :doc:`/notebooks/explain_features`.
    """
    _check_joints(joints, skeleton)
    if floor not in ("lowest", "median"):
        raise ValueError(f"floor is {floor!r}, expected 'lowest' or 'median'")
    if lengths is not None:
        joints = hold_last(joints, lengths)
    if floor == "lowest":
        height = joints[..., 1].amin((-1, -2))
    else:
        feet = joints[..., skeleton.feet, 1].amin(-1)
        height = feet.masked_fill(_padded(joints, lengths), torch.nan).nanmedian(-1).values
    x, _, z = joints[..., 0, 0, :].unbind(-1)
    rotation = facing_z(facing(joints[..., 0, :, :], skeleton)).to(joints.dtype)
    return rotation, torch.stack((x, height, z), dim=-1)


@_in_full_precision
def canonicalise(
    joints: Tensor,
    skeleton: Skeleton = SMPL22,
    target_offsets: Tensor | None = None,
    floor: str = "lowest",
    lengths: Tensor | None = None,
) -> Tensor:
    """Move a clip into its canonical frame, in HumanML3D's order: body, floor, place, heading.

    Args:
        joints: (..., T, J, 3), metres, Y up.
        skeleton: the joint layout.
        target_offsets: (J, 3), metres: the one body of all clips, see
            :func:`videomdm.kinematics.uniform_skeleton`; None keeps each clip's own.
        floor: as in :func:`canonical_frame`.
        lengths: (...), valid frames of each clip of a padded batch.  Padded frames come back as the clip's
            last valid frame (:func:`hold_last`), ready for :func:`encode`.

    Returns:
        (..., T, J, 3): in frame 0 the root is at x = z = 0 and the body faces +Z.

    Raises:
        ValueError: on another shape, an unknown ``floor`` or bad ``lengths``.

    Explained in :doc:`/notebooks/explain_features`.
    """
    _check_joints(joints, skeleton)
    if lengths is not None:
        joints = hold_last(joints, lengths)
    if target_offsets is not None:
        joints = uniform_skeleton(joints, target_offsets, skeleton)
    rotation, origin = canonical_frame(joints, skeleton, floor, lengths)
    return (joints - origin[..., None, None, :]) @ rotation[..., None, :, :].mT


def hold_last(joints: Tensor, lengths: Tensor) -> Tensor:
    """Replace padded frames by the clip's last valid one, so that no channel of a valid row sees padding.

    Args:
        joints: (..., T, J, 3).
        lengths: (...), valid frames of each clip, 1..T.

    Returns:
        (..., T, J, 3).

    Raises:
        ValueError: on lengths of another shape or outside 1..T.
    """
    batch, n_frames = joints.shape[:-3], joints.shape[-3]
    if lengths.shape != batch:
        raise ValueError(f"lengths have shape {tuple(lengths.shape)}, expected the joints' batch {tuple(batch)}")
    readable = lengths.device.type == "cpu" and not torch.compiler.is_compiling()  # else reading waits for the device
    if readable and lengths.numel() and (lengths.min() < 1 or lengths.max() > n_frames):
        raise ValueError(f"lengths are {lengths.min()}..{lengths.max()}, expected within 1..{n_frames}")
    lengths = lengths.to(joints.device)
    index = torch.arange(n_frames, device=joints.device).minimum(lengths[..., None] - 1)
    return torch.take_along_dim(joints, index[..., None, None], dim=-3)


def _padded(joints: Tensor, lengths: Tensor | None) -> Tensor:
    """(..., T): True for frames of (..., T, J, 3) at and past a clip's length."""
    frames = torch.arange(joints.shape[-3], device=joints.device)
    return frames >= (joints.shape[-3] if lengths is None else lengths.to(joints.device)[..., None])


# ---- checks ----------------------------------------------------------------------------------------------


def _check_joints(joints: Tensor, skeleton: Skeleton) -> None:
    if joints.ndim < 3 or joints.shape[-2:] != (len(skeleton), 3):
        expected = f"(..., frames, {len(skeleton)}, 3) for skeleton {skeleton.name}"
        raise ValueError(f"joints have shape {tuple(joints.shape)}, expected {expected}")
    if skeleton.parents[0] >= 0 or not (skeleton.left_feet and skeleton.right_feet):
        raise ValueError(f"skeleton {skeleton.name} has no features: joint 0 must be the root, feet be named")


def _n_joints(features: Tensor) -> int:
    n_joints, rest = divmod(features.shape[-1] + 1, 12)
    if features.ndim < 2 or rest:
        raise ValueError(f"features have shape {tuple(features.shape)}, expected (..., frames, 12 J - 1)")
    return n_joints
