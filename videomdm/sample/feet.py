"""Feet that stay: what slides in a generated motion is held where it stands.

A generated motion has a root path and legs that do not quite agree, and so its feet slide and sink into the floor.
Here the whole clip is put right at once, by least squares: every foot is shifted, over time and smoothly, so that it
does not move on the floor while it stands and is hardly below the floor at any time.  The root's path
gives way too, for what all standing feet have in common, and the legs follow by two-bone inverse kinematics
(:func:`videomdm.skeletons.kinematics.two_bones`), with bones of one length for each clip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.padding import check_shape, hold_last, valid_frames

VERSION = 3  # counts up when held motions change; for names of caches
CLIPS = 32  # solved together: of 196 frames each takes some ten megabytes
STRIDE = 0.4  # m: a foot is moved no farther beside the root; left behind by a body that glides it slides on
BENT = 0.98  # of the leg's length: a foot that is held is no farther from its hip, or no farther than it was
HEIGHT_BLUR, SPEED_BLUR = 0.015, 0.15  # m and m/s: over how much standing fades out
PINNED = 1e6  # weight of the root's place in frame 0, which stays
RIDGE = 1e-6  # for frames past a clip's end, about which nothing is known


@dataclass(frozen=True)
class Holding:
    """How feet are held.  ``python -m videomdm.study.ship feet`` has chosen the defaults, on validation captions.

    Weights are relative to that of a standing foot, 1 for a slide of 1 m per frame.

    Attributes:
        height: m, a toe below it may stand.
        speed, share: a toe stands that is slower than ``speed`` (m/s) plus this share of the root's own speed: a foot
            that slides goes with the body or less, one that swings overtakes it.
        path: weight against changing the root's steps; high values leave the path, low ones slow it down.
        stiff: weight against bending the change of the root's path.
        foot: weight against moving a foot away from where it was.
        smooth: weight against bending a foot's way: how softly a foot goes from one stance to the next.
    """

    height: float = 0.08
    speed: float = 0.3
    share: float = 0.9
    path: float = 0.3
    stiff: float = 1.0
    foot: float = 0.001
    smooth: float = 0.1


HOLDING = Holding()


def hold(
    joints: Tensor,
    lengths: Tensor | None = None,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    how: Holding = HOLDING,
) -> Tensor:
    """Motions whose feet stay where they stand, and whose bones keep their lengths.

    Arms, trunk and head keep their pose, and legs theirs where no foot is near the floor.  A foot that would have to be
    farther away than a leg reaches that is not quite straight (``BENT``), or moved by more than a stride (``STRIDE``),
    still slides, by what is missing: stretched legs would lock, and their knees jerk.  What goes on gliding: a foot
    faster than :class:`Holding` says, and a body that glides in one pose.  A slow glide on purpose is not told from a
    slide.

    Args:
        joints: (..., T, J, 3), metres, Y up, the floor at y = 0.
        lengths: (...), frames of each motion; frames past them hold its last pose in the result.
        skeleton: names hips, knees, ankles and feet; the last joint of each foot is its toe.
        fps: frames per second.
        how: the constants, at 20 frames a second.

    Returns:
        (..., T, J, 3); the root of frame 0 where it was.

    Raises:
        ValueError: another shape, bad lengths, joints that are not finite, or a layout without legs.
    """
    _check(joints, skeleton)
    clips = joints.reshape(-1, *joints.shape[-3:])
    whole = joints.new_full((len(clips),), joints.shape[-3], dtype=torch.long)
    frames = whole if lengths is None else torch.as_tensor(lengths, device=joints.device).reshape(-1)
    if frames.is_floating_point():
        raise ValueError(f"lengths are {frames.dtype}, expected whole numbers of frames")
    clips = hold_last(clips, frames)
    if not clips.isfinite().all():
        raise ValueError("joints are not all finite, expected metres")
    parts = zip(clips.split(CLIPS), frames.split(CLIPS), strict=True)
    return torch.cat([_held(*part, skeleton, fps, how) for part in parts]).reshape(joints.shape)


def standing(joints: Tensor, skeleton: Skeleton = SMPL22, fps: float = FPS, how: Holding = HOLDING) -> Tensor:
    """How surely each foot stands between a frame and the next: (..., T - 1, 2), left and right, 0..1.

    By the height of its toe, and by its horizontal speed beside the root's, see :class:`Holding`.

    Args:
        joints: (..., T, J, 3), metres, Y up.
        skeleton, fps, how: as of :func:`hold`.
    """
    toes = joints[..., _legs(skeleton)[-1], :]
    height = torch.maximum(toes[..., 1:, :, 1], toes[..., :-1, :, 1])
    speed, body = (fps * x[..., [0, 2]].diff(dim=-3).norm(dim=-1) for x in (toes, joints[..., :1, :]))
    low = torch.sigmoid((how.height - height) / HEIGHT_BLUR)
    return low * torch.sigmoid((how.speed + how.share * body - speed) / SPEED_BLUR)


def _held(joints: Tensor, lengths: Tensor, skeleton: Skeleton, fps: float, how: Holding) -> Tensor:
    """:func:`hold` of clips (B, T, J, 3) that hold their last pose from frame ``lengths`` (B,) on."""
    hips, knees, ankles, toes = _legs(skeleton)
    valid = valid_frames(lengths, joints.shape[1])
    feet, stands = joints[..., toes, :], standing(joints, skeleton, fps, how)
    path, shifts = _horizontal(feet[..., [0, 2]], stands, valid, _per_frame(how, fps))
    shifts = shifts * (STRIDE / shifts.norm(dim=-1, keepdim=True).clamp_min(1e-9)).clamp(max=1.0)
    rise = _rise(feet[..., 1], stands, valid, how, fps)
    path = torch.stack((path[..., 0], torch.zeros_like(path[..., 0]), path[..., 1]), dim=-1).to(joints)[..., None, :]
    shifts = torch.stack((shifts[..., 0], rise, shifts[..., 1]), dim=-1).to(joints)
    body = kinematics.constant_bones(joints, lengths, skeleton) + path
    foot, leg = body[..., toes, :] - body[..., ankles, :], [body[..., part, :] for part in (hips, knees, ankles)]
    goal = _within_reach(*leg, feet + path + shifts - foot)
    forward = kinematics.body_axes(body, skeleton)[..., None, :, 2].expand_as(goal)
    body[..., knees, :], ankle = kinematics.two_bones(*leg, goal, forward)
    body[..., ankles, :], body[..., toes, :] = ankle, ankle + foot
    return hold_last(body, lengths)


def _within_reach(hip: Tensor, knee: Tensor, ankle: Tensor, goal: Tensor) -> Tensor:
    """Goals (..., 3) no farther from the hip than a bent leg reaches, or than the ankle was."""
    leg = (knee - hip).norm(dim=-1, keepdim=True) + (ankle - knee).norm(dim=-1, keepdim=True)
    farthest = torch.maximum(BENT * leg, (ankle - hip).norm(dim=-1, keepdim=True))
    away = goal - hip
    return hip + away * (farthest / away.norm(dim=-1, keepdim=True).clamp_min(1e-9)).clamp(max=1.0)


def _per_frame(how: Holding, fps: float) -> Holding:
    """Weights beside that of a step from frame to frame: steps shrink as frames become more, bends even more."""
    more = (fps / FPS) ** 2
    return replace(how, stiff=how.stiff * more, smooth=how.smooth * more, foot=how.foot / more)


def _horizontal(feet: Tensor, stands: Tensor, valid: Tensor, how: Holding) -> tuple[Tensor, Tensor]:
    """Shifts of the root (B, T, 2: x, z) and of the feet beside it (B, T, 2, 2) that let standing feet rest.

    With r the root's shift and d a foot's, v its steps and w how surely it stands, minimised is the sum over frames of
    w |v + r' + d'|^2 and foot |d|^2 + smooth |d''|^2 for both feet, and path |r'|^2 + stiff |r''|^2.

    Args:
        feet: (B, T, 2, 2), left and right, x and z.
        stands: (B, T - 1, 2).
        valid: (B, T) bool.
        how: the weights.
    """
    clips, frames = valid.shape
    step, bend = _differences(frames, feet.device)
    inside = valid.double()
    weight = stands.double().mT * inside[:, None, 1:]  # (B, 2, T - 1)
    still, smooth = _squares(step, weight), _squares(bend, inside[:, 2:])
    pinned = torch.full((frames,), RIDGE, dtype=step.dtype, device=step.device)
    pinned[0] = PINNED
    system = step.new_zeros(clips, 3, frames, 3, frames)  # the root, the left foot, the right foot
    system[:, 0, :, 0] = still.sum(1) + how.path * _squares(step, inside[:, 1:]) + how.stiff * smooth + pinned.diag()
    for side in (0, 1):
        system[:, 0, :, 1 + side] = system[:, 1 + side, :, 0] = still[:, side]
        own = how.foot * torch.eye(frames).to(step) + how.smooth * smooth
        system[:, 1 + side, :, 1 + side] = still[:, side] + own
    slides = -step.mT @ (weight[..., None] * feet.double().diff(dim=1).movedim(2, 1))  # (B, 2, T, 2)
    wanted = torch.cat((slides.sum(1, keepdim=True), slides), dim=1)
    solved = _solve(system.reshape(clips, 3 * frames, 3 * frames), wanted.flatten(1, 2)).unflatten(1, (3, frames))
    return solved[:, 0], solved[:, 1:].movedim(1, 2)


def _rise(height: Tensor, stands: Tensor, valid: Tensor, how: Holding, fps: float) -> Tensor:
    """How far feet of these heights (B, T, 2) have to rise, (B, T, 2), not to be below the floor; smooth as above."""
    step, bend = _differences(height.shape[1], height.device)
    inside, height = valid.double(), height.double()
    around = torch.nn.functional.pad(stands.double(), (0, 0, 1, 1))
    weight = torch.maximum(around[:, 1:], around[:, :-1]).maximum((height < 0).double()) * inside[..., None]
    bends = how.smooth * (fps / FPS) ** 4 * _squares(bend, inside[:, 2:])
    smooth = how.foot * torch.eye(height.shape[1]).to(step) + bends
    system = torch.diag_embed(weight.mT) + smooth[:, None]
    return _solve(system, (weight * (-height).clamp_min(0)).mT[..., None])[..., 0].mT


def _differences(frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """First (T - 1, T) and second (T - 2, T) differences over time, as matrices."""
    step = torch.eye(frames, dtype=torch.float64, device=device).diff(dim=0)
    return step, step.diff(dim=0)


def _squares(matrix: Tensor, weight: Tensor) -> Tensor:
    """The quadratic form (..., T, T) of the weighted (..., n) squares of ``matrix`` (n, T) times a vector."""
    return matrix.mT @ (weight[..., None] * matrix)


def _solve(system: Tensor, wanted: Tensor) -> Tensor:
    return torch.cholesky_solve(wanted, torch.linalg.cholesky(system))


def _legs(skeleton: Skeleton) -> tuple[list[int], ...]:
    """Hips, knees, ankles and toes, each left and right."""
    sides = {"left": skeleton.left_feet, "right": skeleton.right_feet}
    names = [[f"{side}_{joint}" for side in sides] for joint in ("hip", "knee", "ankle")]
    return tuple([skeleton.index(name) for name in pair] for pair in (*names, [feet[-1] for feet in sides.values()]))


def _check(joints: Tensor, skeleton: Skeleton) -> None:
    check_shape(joints, skeleton)
    if not skeleton.feet:
        raise ValueError(f"skeleton {skeleton.name} names no feet, expected some that stand on the floor")
