"""What a motion does, without a true one beside it: skating, bone lengths, acceleration, path.

Joints are (..., T, J, 3) in metres with Y up and the floor at y = 0.  As in :mod:`videomdm.evaluation.pose`,
``lengths`` (...) marks the padding, results are float64, the mean over clips or with ``per_clip=True`` one
value per clip (...), and bad input raises ``ValueError``.  Generated motions should come near the real data's
values, which are not zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.evaluation.pose import average_frames, check_clips
from videomdm.skeletons.definitions import SMPL22, Skeleton

CONTACT_HEIGHT = 0.05  # m: a foot joint below this stands
SKATING_SPEED = 0.5  # m/s: a standing foot faster than this slides (2.5 cm per frame at 20 fps)
SKATING_WINDOW = 5  # frames of the moving average that must be as fast, too


def skating_ratio(
    joints: Tensor,
    lengths: Tensor | None = None,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    per_clip: bool = False,
) -> Tensor:
    """Share of frames in which a foot stands and slides (Karunratanakul et al. 2023, GMD).

    A toe slides between two frames when it is below 5 cm in both, moves horizontally by more than 2.5 cm (at
    20 fps), and did so on average over the five frames around, counting frames outside the clip as rest.

    Args:
        joints: (..., T, J, 3) metres, T >= 2.
        lengths: (...) numbers of valid frames.
        skeleton: names the feet; the last joint of each foot is its toe.
        fps: frames per second.
        per_clip: one value per clip instead of their mean.
    Returns:
        () or (...), 0..1; about 0.05 to 0.08 for HumanML3D's motions.
    """
    joints, valid = _clips(joints, lengths, skeleton, least=2)
    toes = joints[..., [skeleton.index(skeleton.left_feet[-1]), skeleton.index(skeleton.right_feet[-1])], :]
    valid = valid[..., 1:]
    speed = toes[..., [0, 2]].diff(dim=-3).norm(dim=-1) * fps * valid[..., None]  # (..., T-1, 2)
    around = torch.nn.functional.avg_pool1d(
        speed.mT.reshape(-1, 1, speed.shape[-2]), SKATING_WINDOW, stride=1, padding=SKATING_WINDOW // 2
    )
    around = around.reshape(speed.mT.shape).mT
    low = toes[..., 1] < CONTACT_HEIGHT
    slides = low[..., 1:, :] & low[..., :-1, :] & (speed > SKATING_SPEED) & (around > SKATING_SPEED)
    return average_frames(slides.any(-1).double(), valid, per_clip)


def foot_speed(
    joints: Tensor,
    lengths: Tensor | None = None,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    per_clip: bool = False,
) -> Tensor:
    """Mean horizontal speed, m/s, of ankles and toes that are down: skating without a threshold on speed or on a floor.

    A foot joint is down between two frames when it is in both within 5 cm of the lowest place that it has in the clip,
    whatever height that is.

    Args:
        joints: (..., T, J, 3) metres, T >= 2.
        lengths: (...) numbers of valid frames.
        skeleton: names the feet.
        fps: frames per second.
        per_clip: one value per clip instead of their mean.
    Returns:
        () or (...), m/s; 0 where no joint is down for two frames.
    """
    joints, valid = _clips(joints, lengths, skeleton, least=2)
    feet = joints[..., list(skeleton.feet), :]
    height = feet[..., 1].masked_fill(~valid[..., None], torch.inf)
    low = height < height.amin(-2, keepdim=True) + CONTACT_HEIGHT
    down = (low[..., 1:, :] & low[..., :-1, :]).flatten(-2)
    speed = (feet[..., [0, 2]].diff(dim=-3).norm(dim=-1) * fps).flatten(-2)
    clips = (speed * down).sum(-1) / down.sum(-1).clamp_min(1)
    return clips if per_clip else clips.mean()


def sunken(joints: Tensor, lengths: Tensor | None = None, per_clip: bool = False) -> Tensor:
    """How far the lowest joint is below the floor, mean over frames, cm.

    Arguments and shapes as of :func:`foot_speed`.
    """
    joints, valid = check_clips(joints, lengths, "joints", least=1)
    return average_frames(100 * (-joints[..., 1].double().amin(-1)).clamp_min(0), valid, per_clip)


def bone_length_deviation(
    joints: Tensor, lengths: Tensor | None = None, skeleton: Skeleton = SMPL22, per_clip: bool = False
) -> Tensor:
    """Standard deviation of a bone's length over time in percent of its mean, averaged over bones.

    Args:
        joints: (..., T, J, 3) metres.
        lengths: (...) numbers of valid frames.
        skeleton: gives the bones.
        per_clip: one value per clip instead of their mean.
    Returns:
        () or (...), %; 0 for a rigid body.
    """
    joints, valid = _clips(joints, lengths, skeleton)
    parents, children = zip(*skeleton.bones, strict=True)
    bones = (joints[..., list(children), :] - joints[..., list(parents), :]).norm(dim=-1).mT  # (..., bones, T)
    valid = valid[..., None, :]
    mean = average_frames(bones, valid, per_clip=True)
    variance = average_frames((bones - mean[..., None]).square(), valid, per_clip=True)
    clips = (100 * variance.sqrt() / mean.clamp_min(torch.finfo(mean.dtype).tiny)).mean(-1)
    return clips if per_clip else clips.mean()


def farthest_support(
    joints: Tensor, lengths: Tensor | None = None, skeleton: Skeleton = SMPL22, per_clip: bool = False
) -> Tensor:
    """How far the nearer foot ever is from below the root, m, on the ground: bodies stand over their feet, mostly.

    Arguments and shapes as of :func:`foot_speed`.
    """
    joints, valid = check_clips(joints, lengths, "joints", least=1)
    toes = [skeleton.index(feet[-1]) for feet in (skeleton.left_feet, skeleton.right_feet)]
    apart = (joints[..., toes, :] - joints[..., :1, :])[..., [0, 2]].norm(dim=-1).amin(-1)
    clips = apart.masked_fill(~valid, 0.0).amax(-1)
    return clips if per_clip else clips.mean()


def mean_acceleration(
    joints: Tensor, lengths: Tensor | None = None, fps: float = FPS, per_clip: bool = False
) -> Tensor:
    """Mean norm of the joints' accelerations, m/s^2; low for frozen motions, high for jittery ones.

    Arguments and shapes as of :func:`foot_speed`.
    """
    joints, valid = check_clips(joints, lengths, "joints", least=3)
    acceleration = joints.diff(n=2, dim=-3) * fps**2
    return average_frames(acceleration.norm(dim=-1).mean(-1), valid[..., 2:], per_clip)


def path_length(joints: Tensor, lengths: Tensor | None = None, per_clip: bool = False) -> Tensor:
    """Length of the root's path in the ground plane, m.

    Arguments and shapes as of :func:`foot_speed`.
    """
    joints, valid = check_clips(joints, lengths, "joints", least=2)
    steps = joints[..., 0, [0, 2]].diff(dim=-2).norm(dim=-1)
    clips = (steps * valid[..., 1:]).sum(-1)
    return clips if per_clip else clips.mean()


def root_height(joints: Tensor, lengths: Tensor | None = None, per_clip: bool = False) -> Tensor:
    """Mean height of the root above the floor, m: who sinks in or floats shows here.

    Arguments and shapes as of :func:`foot_speed`.
    """
    joints, valid = check_clips(joints, lengths, "joints", least=1)
    return average_frames(joints[..., 0, 1].double(), valid, per_clip)


def _clips(joints: Tensor, lengths: Tensor | None, skeleton: Skeleton, least: int = 1) -> tuple[Tensor, Tensor]:
    joints, valid = check_clips(joints, lengths, "joints", least)
    if joints.shape[-2] != len(skeleton):
        raise ValueError(f"joints: {joints.shape[-2]} joints, expected {len(skeleton)} of {skeleton.name}")
    return joints, valid
