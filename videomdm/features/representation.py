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
from functools import partial, wraps
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn.functional import pad

from videomdm.cameras.camera import Camera
from videomdm.features.channels import channels, some_at_a_time
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import facing, facing_z, uniform_skeleton
from videomdm.skeletons.padding import check_lengths, check_shape, hold_last, valid_frames

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
    return some_at_a_time(partial(channels, skeleton=skeleton), joints)


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
    return decode_positions(features[..., position_channels(_n_joints(features))])


@_in_full_precision
def decode_positions(channels: Tensor) -> Tensor:
    """As :func:`decode`, from the position channels (..., T, 3 J + 1) alone: what a loss on the joints needs.

    Explained in :doc:`/notebooks/explain_features`.
    """
    turn, velocity, height, positions = channels.split((1, 2, 1, channels.shape[-1] - 4), dim=-1)
    heading, (root_x, root_z) = _summed_up(turn[..., 0], velocity)
    sin, cos = heading.sin()[..., None], heading.cos()[..., None]
    x, y, z = positions.unflatten(-1, (-1, 3)).unbind(-1)
    root_x, root_z = root_x[..., None], root_z[..., None]
    joints = (
        torch.cat((root_x, cos * x + sin * z + root_x), dim=-1),
        torch.cat((height, y), dim=-1),
        torch.cat((root_z, cos * z - sin * x + root_z), dim=-1),
    )
    return torch.stack(joints).movedim(0, -1)


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
    heading, (x, z) = _summed_up(features[..., 0], features[..., named["root_velocity"]])
    return heading, torch.stack((x, features[..., named["root_height"]][..., 0], z), dim=-1)


def _summed_up(turns: Tensor, velocity: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Heading and path (x, z), all (..., T), of half turns (..., T) and velocities (..., T, 2) until the next frame."""
    heading = pad(-2 * turns[..., :-1].cumsum(-1), (1, 0))
    x, z = velocity[..., :-1, :].unbind(-1)
    sin, cos = heading[..., 1:].sin(), heading[..., 1:].cos()
    path_x, path_z = (pad(v.cumsum(-1), (1, 0)) for v in (cos * x + sin * z, cos * z - sin * x))
    return heading, (path_x, path_z)


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
        if lengths is not None:
            feet = feet.masked_fill(~valid_frames(lengths.to(feet.device), feet.shape[-1]), torch.nan)
        height = feet.nanmedian(-1).values
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
            :func:`videomdm.skeletons.kinematics.uniform_skeleton`; None keeps each clip's own.
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
        check_lengths(joints, lengths)
    whole = partial(_in_own_frame, skeleton=skeleton, target_offsets=target_offsets, floor=floor)
    return some_at_a_time(whole, joints, *(() if lengths is None else (lengths,)))


def _in_own_frame(
    joints: Tensor, lengths: Tensor | None = None, *, skeleton: Skeleton, target_offsets: Tensor | None, floor: str,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    if lengths is not None:
        joints = hold_last(joints, lengths)
    if target_offsets is not None:
        joints = uniform_skeleton(joints, target_offsets, skeleton)
    rotation, origin = canonical_frame(joints, skeleton, floor, lengths)
    x, y, z = (joints - origin[..., None, None, :]).unbind(-1)
    sin, cos = (rotation[..., row, 0, None, None] for row in (2, 0))
    turned = torch.addcmul(cos * x, sin, z, value=-1), y, torch.addcmul(sin * x, cos, z)
    return torch.stack(turned, dim=-1, out=out)


def canonicalise_with_camera(
    joints: Tensor, camera: Camera, skeleton: Skeleton = SMPL22, lengths: Tensor | None = None
) -> tuple[Tensor, Camera]:
    """Noisy motions in their canonical frames, on the median floor, and the cameras that see them there as before.

    Args:
        joints: (C, T, J, 3), metres, Y up.
        camera: batch (C,), in the frame of ``joints``.
        skeleton, lengths: as in :func:`canonicalise`.

    Raises:
        ValueError: as of :func:`canonicalise`.
    """
    frame = canonical_frame(joints, skeleton, "median", lengths)
    return canonicalise(joints, skeleton, floor="median", lengths=lengths), camera.in_frame(*frame)


# ---- checks ----------------------------------------------------------------------------------------------


def _check_joints(joints: Tensor, skeleton: Skeleton) -> None:
    check_shape(joints, skeleton)
    if skeleton.parents[0] >= 0 or not (skeleton.left_feet and skeleton.right_feet):
        raise ValueError(f"skeleton {skeleton.name} has no features: joint 0 must be the root, feet be named")


def _n_joints(features: Tensor) -> int:
    n_joints, rest = divmod(features.shape[-1] + 1, 12)
    if features.ndim < 2 or rest:
        raise ValueError(f"features have shape {tuple(features.shape)}, expected (..., frames, 12 J - 1)")
    return n_joints
