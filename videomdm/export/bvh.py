"""Take motions away: arrays (.npz), skeletal animation (.bvh) and stick figures (.gif, .mp4).

Motions are joints (T, J, 3) in metres, Y up, the left side at +X of a body that faces +Z.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import roma
import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.data import bvh
from videomdm.export.npz import check_motion
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import rotation_between
from videomdm.storage.files import written_whole

CENTIMETRES = 100.0  # BVH has no unit of its own; centimetres are the custom
TOLERANCE = 0.01  # metres; a BVH farther than this from its joints is worth a warning
_POSITION = ("Xposition", "Yposition", "Zposition")
_ROTATION = ("Zrotation", "Xrotation", "Yrotation")
_POLE = 1e-6  # cos x below which z and y cannot be told apart
_ROUNDS = 10  # of Procrustes analysis, by which a joint's bones get their median shape
_END_SITE = 0.5  # length of an end site, in lengths of the bone before it

_UP, _DOWN = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)
#: Direction of the bone that ends in a joint, in a T-pose facing +Z; for the right side, mirror x.
_T_POSE = {
    "hip": (0.7, -0.7, 0.0), "knee": _DOWN, "ankle": _DOWN, "foot": (0.0, -0.4, 0.9), "spine": _UP,
    "spine1": _UP, "spine2": _UP, "spine3": _UP, "thorax": _UP, "neck": _UP, "nose": (0.0, 0.9, 0.4), "head": _UP,
    "collar": (0.7, 0.7, 0.0), "shoulder": (1.0, 0.0, 0.0), "elbow": (1.0, 0.0, 0.0),
    "wrist": (1.0, 0.0, 0.0),
}  # fmt: skip


def to_bvh(
    path: str | Path, joints: Tensor, skeleton: Skeleton = SMPL22, fps: float = FPS, stretch: bool = False
) -> Tensor:
    """Write one clip as a BVH file: centimetres, Y up, T-pose facing +Z at rest, Euler order Z X Y.

    The rest pose has the median bone lengths of the clip and, where several bones leave one joint (pelvis,
    chest), the median angles between them, so a body of rigid bones is met exactly.  Its rotations are found
    here, from the joints: a joint with several children takes the rotation that fits all of them best
    (Kabsch), one with a single child the smallest rotation that points it there, the others none.  They are
    not the rotations of the feature channels, which twist when a body faces away.  Angles run on past 180
    degrees where that keeps them continuous.  A knee that passes 90 degrees comes near the pole of Z X Y, where
    single angles change fast; interpolated half-way between the frames of running motions, rotations still
    stay within 10 degrees of the shortest way.

    Where bones change their length or a chest bends within itself, as in generated motions, a body of
    constant bones cannot meet every joint: each bone then aims at its child's true place from where the body
    really is, so errors hardly add up, a warning says how far off the file is, and the errors are returned.

    Args:
        path: file to write.
        joints: (T, J, 3), metres, Y up.
        skeleton: the joint layout.
        fps: frames per second.
        stretch: give every joint position channels too, so that bones follow the motion exactly.  Blender
            plays such a file; retargeting to a character usually wants constant bones.

    Returns:
        (T, J), metres: how far each joint of the file is from the given one.

    Raises:
        ValueError: another shape, a joint that is not finite, a joint name without a rest direction.
    """
    motion, error = as_bvh(joints, skeleton, fps, stretch)
    bvh.write(path, motion)
    if error.max() > TOLERANCE:
        frame, joint = divmod(int(error.argmax()), len(skeleton))
        warnings.warn(
            f"{path}: {skeleton.joints[joint]} is {100 * error.max():.1f} cm off at frame {frame} (mean "
            f"{100 * error.mean():.1f} cm): the motion's bones are not rigid; stretch=True follows them",
            stacklevel=2,
        )
    return error


def write_both(
    path: Path, joints: Tensor, skeleton: Skeleton = SMPL22, fps: float = FPS
) -> dict[Path, dict[str, float | str]]:
    """Write a motion with constant bones, for rigs, and as ``NAME-exact.bvh`` as it is; each whole or not at all.

    Args:
        path: file of the first.
        joints, skeleton, fps: as of :func:`to_bvh`.

    Returns:
        File -> how far its joints are from the given ones: ``mean_mm``, and ``max_mm`` with its ``joint`` and
        ``frame``.

    Raises:
        ValueError: as of :func:`to_bvh`.
    """
    errors = {}
    for file, stretch in ((path, False), (path.with_name(f"{path.stem}-exact{path.suffix}"), True)):
        motion, error = as_bvh(joints, skeleton, fps, stretch)
        with written_whole(file) as partial:
            bvh.write(partial, motion)
        frame, joint = divmod(int(error.argmax()), len(skeleton))
        errors[file] = {
            "mean_mm": round(1000 * float(error.mean()), 2), "max_mm": round(1000 * float(error.max()), 2),
            "joint": skeleton.joints[joint], "frame": frame,
        }  # fmt: skip
    return errors


def as_bvh(
    joints: Tensor, skeleton: Skeleton = SMPL22, fps: float = FPS, stretch: bool = False
) -> tuple[bvh.BvhMotion, Tensor]:
    """What :func:`to_bvh` writes, and how far off it is; the same arguments and errors.

    Returns:
        The motion in centimetres and degrees, and (T, J), metres: how far each of its joints is from the given one.
    """
    check_motion(joints, skeleton)
    target = joints.detach().cpu().double()
    offsets = rest_pose(target, skeleton)
    rotations, translations = solve(target, offsets, skeleton, stretch)
    angles = euler_zxy(rotations).rad2deg()
    moving = [stretch or parent < 0 for parent in skeleton.parents]
    values = [
        torch.cat((translations[:, j] * CENTIMETRES, angles[:, j]) if moves else (angles[:, j],), dim=-1)
        for j, moves in enumerate(moving)
    ]
    leaves = set(range(len(skeleton))) - set(skeleton.parents)
    motion = bvh.BvhMotion(
        names=skeleton.joints, parents=skeleton.parents, offsets=offsets * CENTIMETRES,
        channels=tuple(_POSITION + _ROTATION if moves else _ROTATION for moves in moving),
        values=torch.cat(values, dim=-1), frame_time=1 / fps,
        end_sites={leaf: offsets[leaf] * CENTIMETRES * _END_SITE for leaf in leaves},
    )  # fmt: skip
    error = (motion.joints() / CENTIMETRES - target).norm(dim=-1)
    return motion, error.to(joints.dtype)


def rest_pose(joints: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Offsets (J, 3) of a T-pose facing +Z that fits a clip (T, J, 3); zero for the root."""
    offsets = joints.new_zeros(len(skeleton), 3)
    lengths = offsets.new_zeros(len(skeleton))
    for parent, child in skeleton.bones:
        lengths[child] = (joints[:, child] - joints[:, parent]).norm(dim=-1).median()
        offsets[child] = lengths[child] * joints.new_tensor(_t_pose_direction(skeleton, child))
    for parent, children in _children(skeleton).items():
        if len(children) > 1:
            offsets[children] = _median_shape(joints[:, children] - joints[:, [parent]], offsets[children])
    return offsets


def _t_pose_direction(skeleton: Skeleton, joint: int) -> tuple[float, float, float]:
    name = skeleton.joints[joint]
    side, _, part = name.rpartition("_")
    if part not in _T_POSE:
        raise ValueError(f"no T-pose direction for joint {name} of {skeleton.name}; known: {', '.join(_T_POSE)}")
    x, y, z = _T_POSE[part]
    length = (x * x + y * y + z * z) ** 0.5
    return (-x if side == "right" else x) / length, y / length, z / length


def _median_shape(bones: Tensor, start: Tensor) -> Tensor:
    """The shape (C, 3) of the bones (T, C, 3) that leave one joint, turned to fit the bones ``start`` (C, 3).

    Generalised Procrustes analysis: fit all frames to the shape, take their median for the shape, repeat.
    """
    lengths, shape = start.norm(dim=-1, keepdim=True), start
    for _ in range(_ROUNDS):
        turn = _fit(bones, shape.expand_as(bones))
        shape = torch.nn.functional.normalize((bones @ turn.mT).median(dim=0).values, dim=-1) * lengths
    return shape @ _fit(shape, start).mT


def _fit(source: Tensor, goal: Tensor) -> Tensor:
    """Rotation (..., 3, 3) that best takes vectors (..., C, 3) to ``goal`` (..., C, 3) (Kabsch)."""
    return roma.special_procrustes(goal.mT @ source)


def _swing(source: Tensor, goal: Tensor) -> Tensor:
    """Smallest rotation (T, 3, 3) from direction ``source`` (3,) to ``goal`` (T, 3), none for a zero."""
    a = torch.nn.functional.normalize(source, dim=-1).expand_as(goal)
    b = torch.nn.functional.normalize(goal, dim=-1)
    pointed = (a.norm(dim=-1) * b.norm(dim=-1) > 0.5)[..., None]
    return torch.where(pointed[..., None], rotation_between(a, torch.where(pointed, b, a)), torch.eye(3).to(a))


def _children(skeleton: Skeleton) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {j: [] for j in range(len(skeleton))}
    for parent, child in skeleton.bones:
        children[parent].append(child)
    return children


def solve(target: Tensor, offsets: Tensor, skeleton: Skeleton, stretch: bool) -> tuple[Tensor, Tensor]:
    """Local rotations (T, J, 3, 3), translations (T, J, 3) that pose ``offsets`` (J, 3) like ``target``."""
    n_frames, n_joints = target.shape[:2]
    eye = torch.eye(3, dtype=target.dtype).expand(n_frames, 3, 3)
    local, translations = [eye] * n_joints, [offset.expand(n_frames, 3) for offset in offsets]
    translations[0] = target[:, 0]
    world, placed = [eye] * n_joints, [target[:, 0]] * n_joints
    for joint, children in _children(skeleton).items():
        parent = skeleton.parents[joint]
        above = eye if parent < 0 else world[parent]
        if parent >= 0:
            if stretch:
                translations[joint] = _turn(above.mT, target[:, joint] - target[:, parent])
            placed[joint] = placed[parent] + _turn(above, translations[joint])
        if children:
            aims = (target[:, children] - placed[joint][:, None]) @ above
            rest, single = offsets[children], len(children) == 1
            local[joint] = _swing(rest[0], aims[:, 0]) if single else _fit(rest.expand_as(aims), aims)
        world[joint] = above @ local[joint]
    return torch.stack(local, dim=1), torch.stack(translations, dim=1)


def _turn(rotation: Tensor, vectors: Tensor) -> Tensor:
    return (rotation @ vectors[..., None])[..., 0]


def euler_zxy(rotations: Tensor) -> Tensor:
    """Euler angles of rotation tracks, chosen for continuity.

    Args:
        rotations: (T, ..., 3, 3), R = Rz Rx Ry.

    Returns:
        (T, ..., 3), radians, in the order z, x, y.  Each rotation has two sets of angles, each up to whole
        turns; frame 0 has the one with |x| <= 90 degrees, every later frame the set nearest to the frame
        before.
    """
    up = rotations[..., :2, 1]
    turn = torch.atan2(-up[..., 0], up[..., 1])
    at_pole = up.norm(dim=-1) < _POLE  # |x| = 90 degrees: z and y turn about the same axis
    track: list[Tensor] = []
    for frame, z, pole in zip(rotations, turn, at_pole, strict=True):
        before = track[-1] if track else rotations.new_zeros(*z.shape, 3)
        z = torch.where(pole, before[..., 0], z)
        sets = torch.stack([_angles(frame, z), _angles(frame, z + torch.pi)])
        sets = sets - 2 * torch.pi * ((sets - before) / (2 * torch.pi)).round() if track else sets
        nearest = (sets - before).abs().sum(-1).argmin(0) if track else sets[..., 1].abs().argmin(0)
        track.append(torch.take_along_dim(sets, nearest[None, ..., None], dim=0)[0])
    return torch.stack(track)


def _angles(rotation: Tensor, z: Tensor) -> Tensor:
    """Angles (..., 3: z, x, y) of R = Rz Rx Ry, given z: x and y are read off Rz(-z) R, at the pole too."""
    cos, sin = z.cos()[..., None], z.sin()[..., None]
    across = cos * rotation[..., 0, :] + sin * rotation[..., 1, :]  # cos y, 0, sin y
    upright = cos[..., 0] * rotation[..., 1, 1] - sin[..., 0] * rotation[..., 0, 1]  # cos x
    x = torch.atan2(rotation[..., 2, 1], upright)
    return torch.stack((z, x, torch.atan2(across[..., 2], across[..., 0])), dim=-1)
