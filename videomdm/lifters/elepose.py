"""Results of ElePose on the NBA data, as MAS publishes them: ``elepose_predictions/<clip>.npy``.

Poses (T, 17, 3) in Human3.6M's order, or the 16 joints of MAS's data, around their own root: there is no path,
no unit, and the sign of depth is a convention.  So size comes from the length of the legs and the sign of
depth from the knees, which bend forwards.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.data.nba import FROM_H36M
from videomdm.lifters.results import Lifted, RootPath, load_array
from videomdm.skeletons.definitions import NBA16, Skeleton
from videomdm.skeletons.kinematics import facing

LEG = 0.81  # metres from hip over knee to ankle, the mean of the built-in bodies


def read(path: str | Path, fps: float = 30.0, leg: float = LEG) -> Lifted:
    """Read one clip.

    Args:
        path: an ``.npy`` file of (T, 17, 3) or (T, 16, 3) poses, of any size, y up or down.
        fps: of the file.
        leg: metres that hip, knee and ankle are to be apart (median over frames and sides).

    Returns:
        NBA-16 joints, the root at the origin.

    Raises:
        DataError: names the file, what was found and what was expected.
    """
    joints = load_array(path, (17, 16))
    if joints.shape[1] == 17:
        joints = joints[:, FROM_H36M]
    joints = joints - joints[:, :1]
    length = leg_length(joints)
    if not length > 0:
        raise DataError(f"{path}: legs of length {length:g}, expected poses of a body")
    joints = joints * (leg / length)
    if (joints[:, NBA16.index("head"), 1] < joints[:, NBA16.index("left_ankle"), 1]).float().mean() > 0.5:
        joints = joints * joints.new_tensor((1.0, -1.0, -1.0))  # y was down
    if knee_bend(joints) < 0:
        joints = joints * joints.new_tensor((1.0, 1.0, -1.0))
    valid = torch.ones(len(joints), dtype=torch.bool)
    return Lifted(joints, valid, fps, RootPath.NONE, NBA16, "elepose", Path(path).stem)


def leg_length(joints: Tensor, skeleton: Skeleton = NBA16) -> Tensor:
    """Median length of hip, knee, ankle over frames and sides of (T, J, 3)."""
    legs = [[skeleton.index(f"{side}_{j}") for j in ("hip", "knee", "ankle")] for side in ("left", "right")]
    return joints[:, legs].diff(dim=2).norm(dim=-1).sum(-1).median()


def knee_bend(joints: Tensor, skeleton: Skeleton = NBA16) -> Tensor:
    """How far knees are before the lines from hip to ankle, mean over (T, J, 3) and sides; negative: behind."""
    forward = facing(joints, skeleton).to(joints)
    total = joints.new_zeros(())
    for side in ("left", "right"):
        hip, knee, ankle = (joints[:, skeleton.index(f"{side}_{j}")] for j in ("hip", "knee", "ankle"))
        down = ankle - hip
        at = ((knee - hip) * down).sum(-1, keepdim=True) / down.square().sum(-1, keepdim=True).clamp(min=1e-9)
        total = total + ((knee - hip - at * down)[:, [0, 2]] * forward).sum(-1).mean()
    return total
