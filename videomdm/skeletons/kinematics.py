"""Joint positions <-> rotations and offsets of a skeleton, and the heading of a body.

World axes: Y up; a body that faces +Z has its left side at +X.  Rotations are matrices for column vectors.

Where whole corpora pass through, joints are kept as *planes* (J, 3, ...): all values of one coordinate of one joint
side by side, as the vector units of a processor want them.  The same sums on (..., J, 3) take five times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.padding import valid_frames

_TINY = 1e-4  # a shorter vector has no direction; bounds the gradient of every direction by 1e4


def table(function: Callable) -> Callable:
    """Remember a function's tensors; ``torch.compile`` takes them as constants instead of looking inside.

    It knows constants by their function's name, so what is decorated must have a name of its own and return one tensor,
    and the same one wherever it is called in what is compiled.  Arguments there are plain values and tuples of them, as
    older compilers take no skeleton for a constant.
    """
    remembered = lru_cache(maxsize=512)(function)

    @wraps(function)
    def look_up(*arguments):
        with torch.inference_mode(False):  # what is remembered must serve training too
            return remembered(*arguments)

    return _constant_when_compiled(look_up, function.__name__)


def _constant_when_compiled(function: Callable, name: str) -> Callable:
    """Mark a function as ``torch.compiler.assume_constant_result`` does, which would import the compiler, for seconds.

    The compiler names a constant after the code of its function, so the code gets the name.
    """
    function._dynamo_marked_constant = True
    function.__code__ = function.__code__.replace(co_name=name)
    return function


def unit(vectors: Tensor, fallback: Tensor) -> Tensor:
    """``vectors`` (..., d) at length 1; ``fallback``, with zero gradient, where there is no direction."""
    squared = _sum_of_squares(vectors.unbind(-1))[..., None]
    return torch.where(squared > _TINY**2, vectors / squared.clamp_min(_TINY**2).sqrt(), fallback)


def _sum_of_squares(components: tuple[Tensor, ...]) -> Tensor:
    """Component by component, which is fast in any order of memory; reducing over three values is not."""
    first, *others = components
    total = first.square()
    for component in others:
        total = torch.addcmul(total, component, component)
    return total


def rotation_between(start: Tensor, end: Tensor) -> Tensor:
    """Shortest rotation (..., 3, 3) that takes unit vectors ``start`` to unit vectors ``end``, both (..., 3).

    It is the half-turn about ``start`` followed by the one about the bisector h, (2 h h^T - I)(2 s s^T - I).
    Without the usual division by 1 + cos it stays a rotation up to opposite vectors.  There every axis across
    ``start`` would do; one is chosen, with zero gradient.
    """
    identity = torch.eye(3, dtype=start.dtype, device=start.device)
    bisector = unit(start + end, _across(start))
    mirrored = 2 * (bisector * start).sum(-1, keepdim=True) * start - bisector
    about_start = 2 * start[..., :, None] * start[..., None, :] - identity
    return 2 * bisector[..., :, None] * mirrored[..., None, :] - about_start


def _across(directions: Tensor) -> Tensor:
    """A unit vector across each unit vector (..., 3)."""
    identity = torch.eye(3, dtype=directions.dtype, device=directions.device)
    across = torch.linalg.cross(directions, identity[directions.abs().argmin(-1)])
    return across / across.norm(dim=-1, keepdim=True)


# ---- heading ---------------------------------------------------------------------------------------------


def facing_z(forward: Tensor) -> Tensor:
    """Rotation (..., 3, 3) about Y that takes the unit horizontal direction (..., 2: x, z) to +Z."""
    x, z = forward.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack((z, zero, -x, zero, one, zero, x, zero, z), dim=-1).unflatten(-1, (3, 3))


def across_body(joints: Tensor, skeleton: Skeleton, swapped_hips: bool = False) -> Tensor:
    """Unit vector (..., 3) from left to right, by hips and shoulders of ``joints`` (..., J, 3).

    In float64 (but on Apple's GPUs, which have none): yaw velocities are small differences of headings.
    ``swapped_hips`` lets the hips count backwards, as HumanML3D has it in its channels (not in its turning of
    clips); its data can only be met by doing the same.
    """
    precise = joints.dtype if joints.device.type == "mps" else torch.float64
    face = (joints[..., joint, :].to(precise) for joint in skeleton.face_indices)
    right_hip, left_hip, right_shoulder, left_shoulder = face
    hips = left_hip - right_hip if swapped_hips else right_hip - left_hip
    across = hips + right_shoulder - left_shoulder
    return unit(across, across.new_tensor((-1.0, 0.0, 0.0)))


def forward_of(across: Tensor) -> Tensor:
    """Horizontal part (..., 2: x, z) of the forward direction, Y x across, not normalised."""
    return torch.stack((across[..., 2], -across[..., 0]), dim=-1)


def facing(joints: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Unit horizontal direction (..., 2: x, z) in which bodies (..., J, 3) face, float64; +Z if undefined."""
    forward = forward_of(across_body(joints, skeleton))
    return unit(forward, forward.new_tensor((0.0, 1.0)))


# ---- planes ----------------------------------------------------------------------------------------------


def planes(joints: Tensor) -> Tensor:
    """Joints (B, T, J, 3) as planes (J, 3, B, T)."""
    clips, frames, n_joints, _ = joints.shape
    return joints.reshape(clips * frames, 3 * n_joints).t().contiguous().view(n_joints, 3, clips, frames)


def turned(vectors: Tensor, forward: Tensor) -> Tensor:
    """Vectors (..., 3, B, T) turned about Y so that the unit directions ``forward`` (2: x, z, B, T) come to +Z."""
    x, y, z = vectors.unbind(-3)
    sin, cos = forward
    return torch.stack((torch.addcmul(cos * x, sin, z, value=-1), y, torch.addcmul(sin * x, cos, z)), dim=-3)


def bone_planes(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Vectors (J - 1, 3, B, T) from each joint's parent to the joint, of planes (J, 3, B, T)."""
    return joints[1:] - joints.index_select(0, _parents(skeleton.parents, joints.device))


@table
def _parents(parents: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(parents[1:], device=device)


def bisectors(bones: Tensor, skeleton: Skeleton) -> Tensor:
    """Unit vectors (J - 1, 3, B, T) half-way between the rest directions s and bones (J - 1, 3, B, T) of any length.

    The half-turn about s and then the one about the bisector h are the shortest rotation from s to the bone, see
    :func:`rotation_between`.  A bone shorter than ``_TINY`` is taken to lie the nearer to s the shorter it is; for one
    opposite to s an axis across s is taken, with zero gradient.
    """
    rest, across = _rest_axes(skeleton.rest_directions, len(skeleton), bones.dtype, bones.device)
    length = _sum_of_squares(bones.unbind(1)).clamp_min(_TINY**2).sqrt()
    h = torch.addcmul(bones, rest, length[:, None])
    squared = _sum_of_squares(h.unbind(1))
    apart = (squared > (_TINY * length).square()).to(h)
    h = torch.addcmul(h * apart[:, None], across, (1 - apart)[:, None])
    return h * torch.addcmul(1 - apart, squared, apart).rsqrt()[:, None]


@table
def _rest_axes(directions: tuple, n_joints: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(2, J - 1, 3, 1, 1): rest directions of all joints but the root, and unit vectors across them."""
    rest = _rest(directions, n_joints, torch.zeros((), dtype=dtype, device=device))
    return torch.stack((rest, _across(rest)))[..., None, None]


def rest_half_turns(skeleton: Skeleton, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Half-turns (J, 3, 3) about the rest directions, 2 s s^T - I; about +Z for the root."""
    return _rest_half_turns(skeleton.rest_directions, len(skeleton), dtype, device)


@table
def _rest_half_turns(directions: tuple, n_joints: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    rest = _rest(directions, n_joints, torch.zeros((), dtype=dtype, device=device))
    rest = torch.cat((rest.new_tensor(((0.0, 0.0, 1.0),)), rest))
    return 2 * rest[:, :, None] * rest[:, None, :] - torch.eye(3).to(rest)


# ---- bones -----------------------------------------------------------------------------------------------


def bone_vectors(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Vectors (..., J - 1, 3) from each joint's parent to the joint, for all joints but the root."""
    return joints[..., 1:, :] - joints[..., skeleton.parents[1:], :]


def rest_directions(skeleton: Skeleton, like: Tensor) -> Tensor:
    """Unit rest directions (J - 1, 3) of all joints but the root; +Z where the layout names none."""
    return _rest(skeleton.rest_directions, len(skeleton), like)


def _rest(directions: tuple, n_joints: int, like: Tensor) -> Tensor:
    return like.new_tensor(directions[1:] or ((0.0, 0.0, 1.0),) * (n_joints - 1))


def rest_offsets(pose: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Offsets (..., J, 3) of the rest pose with the bone lengths of ``pose`` (..., J, 3), 0 for the root."""
    lengths = bone_vectors(pose, skeleton).norm(dim=-1, keepdim=True)
    return pad(lengths * rest_directions(skeleton, pose), (0, 0, 1, 0))


def uniform_skeleton(joints: Tensor, target_offsets: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Give a motion another body, keeping the directions of its bones (HumanML3D's first step).

    The root path is scaled by the ratio of leg lengths, target over source in frame 0.  As in HumanML3D's
    code the leg is the right one (joints 5 and 8 of SMPL-22).

    Args:
        joints: (..., T, J, 3).
        target_offsets: (J, 3), metres, the target's rest pose (:func:`rest_offsets`); the root's is not used.
        skeleton: the joint layout.

    Returns:
        (..., T, J, 3), not moved to a floor.

    Raises:
        ValueError: on offsets of another shape.
    """
    offsets = torch.as_tensor(target_offsets, dtype=joints.dtype, device=joints.device)
    if offsets.shape != (len(skeleton), 3):
        raise ValueError(f"target_offsets have shape {tuple(offsets.shape)}, expected {(len(skeleton), 3)}")
    batch = joints.shape[:-3]
    body = planes(joints.reshape(-1, *joints.shape[-3:]))
    bones, onto = bone_planes(body, skeleton), offsets[1:, :, None, None]
    leg = [skeleton.index("right_knee") - 1, skeleton.index("right_ankle") - 1]
    source = _sum_of_squares(bones[leg, ..., 0].unbind(1)).clamp_min(_TINY**2).sqrt().sum(0)
    scale = offsets[1:][leg].norm(dim=-1).sum() / source
    # With A the half-turn about the rest direction and h the bisector, an offset o turns to 2 h (h . A o) - A o.
    h = bisectors(bones, skeleton)
    onto = (rest_half_turns(skeleton, h.dtype, h.device)[1:] @ offsets[1:, :, None])[..., None]
    bones = torch.addcmul(-onto, h, (h * onto).sum(1, keepdim=True), value=2)
    paths = _paths(skeleton.parents, bones.dtype, bones.device)
    body = (paths @ bones.flatten(1)).view(body.shape) + body[0] * scale[:, None]
    return body.permute(2, 3, 0, 1).reshape(*batch, *joints.shape[-3:])


#: Segments of a body: joints at both ends (means of several), share of the body's mass, and how far its centre is from
#: the first end to the second (Winter, *Biomechanics and Motor Control of Human Movement*, table 4.1).
_SEGMENTS = (
    (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), 0.497, 0.5),
    (("neck",), ("head",), 0.081, 1.0),
    *(
        ((f"{side}_{near}",), (f"{side}_{far}",), mass, at)
        for side in ("left", "right")
        for near, far, mass, at in (
            ("shoulder", "elbow", 0.028, 0.436), ("elbow", "wrist", 0.022, 0.682), ("hip", "knee", 0.1, 0.433),
            ("knee", "ankle", 0.061, 0.606),
        )
    ),
)  # fmt: skip


def centre_of_mass(joints: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Where a body's weight is (..., 3), of joints (..., J, 3), by the shares of its segments.

    Raises:
        KeyError: the layout lacks a joint at a segment's end.
    """
    return (joints * _masses(skeleton).to(joints)[:, None]).sum(-2)


@table
def _masses(skeleton: Skeleton) -> Tensor:
    """The share of the body's mass that each joint (J,) stands for."""
    masses = torch.zeros(len(skeleton), dtype=torch.float64)
    for *ends, mass, at in _SEGMENTS:
        for names, share in zip(ends, (1 - at, at), strict=True):
            for name in names:
                masses[skeleton.index(name)] += mass * share / len(names)
    return masses


def body_height(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """How tall a body stands: its bones from the right ankle up to the head, end to end.

    Args:
        joints: (C, T, J, 3), metres.
        lengths: (C,) frames that count.
        skeleton: the joint layout.

    Returns:
        (C,) metres, from the median length of each bone over a clip's frames.
    """
    paths = _paths(skeleton.parents, joints.dtype, joints.device)
    return bone_lengths(joints, lengths, skeleton) @ (
        paths[skeleton.index("right_ankle")] + paths[skeleton.index("head")]
    )


def bone_lengths(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """(C, J - 1) median length of each bone over the frames (C,) that count of clips (C, T, J, 3), metres."""
    sizes = bone_vectors(joints, skeleton).norm(dim=-1)
    padded = ~valid_frames(lengths.to(joints.device), joints.shape[1])
    return sizes.masked_fill(padded[..., None], torch.nan).nanmedian(1).values


def constant_bones(joints: Tensor, lengths: Tensor, skeleton: Skeleton = SMPL22, sizes: Tensor | None = None) -> Tensor:
    """Give the bones of a clip one length each, keeping the directions of bones and the root's path.

    Args:
        joints: (C, T, J, 3), metres.
        lengths: (C,) frames that count.
        skeleton: the joint layout.
        sizes: (C, J - 1), metres, of the bones; by default their own (:func:`bone_lengths`).

    Returns:
        (C, T, J, 3), not moved to a floor.
    """
    sizes = bone_lengths(joints, lengths, skeleton) if sizes is None else sizes
    bones = unit(bone_vectors(joints, skeleton), rest_directions(skeleton, joints)) * sizes[:, None, :, None]
    return joints[..., :1, :] + _paths(skeleton.parents, joints.dtype, joints.device) @ bones


# ---- inverse and forward kinematics ----------------------------------------------------------------------


def inverse_kinematics(
    joints: Tensor, skeleton: Skeleton = SMPL22, offsets: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Rotations that pose a skeleton: :func:`forward_kinematics` makes the joints from them again.

    These are not the rotation channels of the features, which carry HumanML3D's conventions: here the root
    turns the rest pose to each frame's heading, and every bone takes the shortest rotation relative to its
    parent bone.  Turning the whole clip changes the root's rotation alone.

    Args:
        joints: (..., T, J, 3), metres, Y up.
        skeleton: the joint layout.
        offsets: (J, 3), the rest pose's vector from each parent, of any length; default: the layout's rest
            directions.

    Returns:
        local, world: both (..., T, J, 3, 3).  Entry j turns the bone that *ends* in joint j, relative to the
        bone that ends in its parent or to the world; entry 0 is the heading, a rotation about Y from the rest
        pose to the world.

    Explained in :doc:`/notebooks/explain_features`.
    """
    rest = rest_directions(skeleton, joints)
    if offsets is not None:
        rest = unit(offsets[1:].to(joints), rest)
    directions = unit(bone_vectors(joints, skeleton), rest)
    heading = facing_z(facing(joints, skeleton)).mT.to(joints.dtype)[..., None, :, :]
    levels, order = _levels(skeleton.parents)
    local, world = [heading], [heading]
    for members, parents in levels:
        above = world[-1][..., parents, :, :]
        bones = [j - 1 for j in members]
        local.append(rotation_between(rest[bones], (directions[..., bones, None, :] @ above)[..., 0, :]))
        world.append(above @ local[-1])
    return torch.cat(local, dim=-3)[..., order, :, :], torch.cat(world, dim=-3)[..., order, :, :]


def forward_kinematics(rotations: Tensor, root: Tensor, offsets: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Joints (..., T, J, 3) of a posed skeleton.

    Args:
        rotations: (..., T, J, 3, 3), local ones as :func:`inverse_kinematics` gives them.
        root: (..., T, 3), metres.
        offsets: (J, 3), or (..., T, J, 3) for bones that change: the rest pose's vector from each parent,
            metres.
        skeleton: the joint layout.

    Explained in :doc:`/notebooks/explain_features`.
    """
    levels, order = _levels(skeleton.parents)
    world = [rotations[..., :1, :, :]]
    for members, parents in levels:
        world.append(world[-1][..., parents, :, :] @ rotations[..., members, :, :])
    world = torch.cat(world, dim=-3)[..., order, :, :]
    return _sum_up(root, world[..., 1:, :, :], offsets, skeleton)


def _sum_up(root: Tensor, world: Tensor, offsets: Tensor, skeleton: Skeleton) -> Tensor:
    """Joints (..., J, 3): root (..., 3) plus the bones (offsets turned by ``world``) on the way to each."""
    bones = (world @ offsets[..., 1:, :, None])[..., 0]
    return root[..., None, :] + _paths(skeleton.parents, bones.dtype, bones.device) @ bones


@table
def _paths(parents: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(J, J - 1): 1 where a bone (named by its end) lies on the way from the root to a joint."""
    paths = np.eye(len(parents))
    for members, _ in _levels(parents)[0]:
        for j in members:
            paths[j] += paths[parents[j]]
    return torch.from_numpy(paths[:, 1:]).to(device, dtype)


@lru_cache(maxsize=16)
def _levels(parents: tuple[int, ...]) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """The tree by depth: per level below the root its joints and their parents' places in the level above;
    and the order that puts the levels, one after the other, back into the layout's order."""
    levels, above, visited = [], [0], [0]
    while members := [j for j, parent in enumerate(parents) if parent in above]:
        levels.append((members, [above.index(parents[j]) for j in members]))
        visited, above = visited + members, members
    return levels, [visited.index(j) for j in range(len(parents))]


#: Metres: a limb that is bent by less is nearly straight.
STRAIGHT = 0.01


def two_bones(
    start: Tensor, middle: Tensor, end: Tensor, goal: Tensor, forward: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Bend a limb of two bones so that its end comes to a goal: the bones keep their lengths, the limb its plane.

    The limb turns by the shortest rotation that points it at the goal, and then bends in the plane in which it was
    bent, on the same side.  A goal out of reach is approached as far as the stretched, or folded, limb goes.

    Args:
        start, middle, end: (..., 3), the joints of the limb, such as hip, knee and ankle.
        goal: (..., 3), where the end is to be.
        forward: (..., 3) unit vectors, the side to which a limb bends that is nearly straight (:data:`STRAIGHT`), as
            its own plane is noise; any side when None.

    Returns:
        The middle and the end, both (..., 3).
    """
    down = torch.zeros_like(start) - start.new_tensor((0.0, 1.0, 0.0))
    was = unit(end - start, down)
    axis = unit(goal - start, was)
    turn = rotation_between(was, axis)
    bent = _perpendicular(middle - start, was)
    if forward is not None:
        missing = (STRAIGHT - bent.norm(dim=-1, keepdim=True)).clamp_min(0)
        bent = bent + missing * _perpendicular(forward, was)
    side = (turn @ unit(bent, _across(was))[..., None])[..., 0]
    upper, lower = (bone.norm(dim=-1, keepdim=True) for bone in (middle - start, end - middle))
    reach = (goal - start).norm(dim=-1, keepdim=True)
    reach = reach.maximum((upper - lower).abs()).minimum(upper + lower).clamp_min(_TINY)
    along = (upper.square() - lower.square() + reach.square()) / (2 * reach)  # the law of cosines
    aside = (upper.square() - along.square()).clamp_min(0).sqrt()
    return start + along * axis + aside * side, start + reach * axis


def _perpendicular(vectors: Tensor, axis: Tensor) -> Tensor:
    """The part (..., 3) of vectors (..., 3) across unit vectors ``axis`` (..., 3)."""
    return vectors - (vectors * axis).sum(-1, keepdim=True) * axis


def body_axes(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Rotation (..., 3, 3) from body to world; its columns are left (hip to hip), up and forward."""
    across = joints[..., skeleton.index("left_hip"), :] - joints[..., skeleton.index("right_hip"), :]
    up = joints[..., skeleton.index("neck"), :] - joints[..., 0, :]
    left = torch.nn.functional.normalize(across, dim=-1)
    forward = torch.nn.functional.normalize(torch.linalg.cross(left, up), dim=-1)
    return torch.stack([left, torch.linalg.cross(forward, left), forward], dim=-1)
