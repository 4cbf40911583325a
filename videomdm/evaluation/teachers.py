"""How a teacher errs against the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.evaluation import pose
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.padding import valid_frames


def report(
    predicted: Tensor, true: Tensor, lengths: Tensor, fps: float = FPS, skeleton: Skeleton = SMPL22
) -> dict[str, float]:
    """How a teacher errs.

    Args:
        predicted, true: (C, T, J, 3) metres, in the same world.
        lengths: (C,) frames.

    Returns:
        ``mpjpe`` (roots aligned), ``pa_mpjpe``, ``mpjpe_absolute`` and ``root`` in mm, and ``drift``, the root's
        error without each clip's mean; ``acceleration`` (absolute) and ``acceleration_pose`` (roots aligned) in
        m/s^2; ``heading`` of frame 0 in degrees, mean absolute.
    """
    poses = {name: errors.mean() for name, errors in pose.errors(predicted, true, lengths, fps, align="root").items()}
    figures = {
        "mpjpe": poses["mpjpe"],
        "pa_mpjpe": poses["pa_mpjpe"],
        "mpjpe_absolute": pose.mpjpe(predicted, true, lengths),
        "root": pose.mpjpe(predicted[..., :1, :], true[..., :1, :], lengths),
        "drift": pose.mpjpe(*(_about_mean(x[..., :1, :], lengths) for x in (predicted, true)), lengths),
        "acceleration": pose.acceleration_error(predicted, true, fps, lengths),
        "acceleration_pose": poses["acceleration_error"],
        "heading": heading_error(predicted[:, 0], true[:, 0], skeleton).mean(),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def _about_mean(path: Tensor, lengths: Tensor) -> Tensor:
    """Paths (C, T, 1, 3) minus their means over each clip's frames."""
    inside = valid_frames(lengths.to(path.device), path.shape[1])
    mean = path.where(inside[..., None, None], 0).sum(1, keepdim=True) / lengths.to(path)[:, None, None, None]
    return path - mean


def heading_error(predicted: Tensor, true: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Degrees between the headings of poses (..., J, 3), by HumanML3D's rule (hips and shoulders)."""
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.face_indices
    angles = []
    for joints in (predicted, true):
        across = joints[..., left_hip, :] - joints[..., right_hip, :]
        across = across + joints[..., left_shoulder, :] - joints[..., right_shoulder, :]
        angles.append(torch.atan2(across[..., 2], across[..., 0]))
    difference = angles[0] - angles[1]
    return torch.rad2deg(torch.atan2(difference.sin(), difference.cos())).abs()
