"""What other lifters found, in one form: joints, which frames count, and where the root's path comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm.cameras.keypoints import LONGEST_STEP, neighbours
from videomdm.conventions import FPS, DataError
from videomdm.data import procedural
from videomdm.data.corpus import check_joints
from videomdm.skeletons import regressor
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import facing, facing_z
from videomdm.storage.arrays import read_npy

#: Frames for which a coordinate is exactly 0, and metres by which it jumps there and back, of values that were lost.
LOST, LEAP = 3, 0.05


class RootPath(StrEnum):
    """How a lifted motion's root path came about."""

    WORLD = "world"  #: the lifter's own, in a world that stands still
    CAMERA = "camera"  #: the lifter's own, in the camera's axes
    BONES = "bones"  #: from how long the root's bones look (appendix D)
    NONE = "none"  #: there is none: the root is at the origin in every frame


@dataclass(frozen=True)
class Lifted:
    """One person's motion as a lifter gave it.

    Attributes:
        joints: (T, J, 3) float32 metres, Y up, left = +X when facing +Z.
        valid: (T,) bool: frames that the lifter saw; the others were interpolated.
        fps: frames per second.
        root: how the root's path came about.
        skeleton: the joint layout.
        lifter: its name.
        name: of the clip.
        first_frame: the video's frame that ``joints[0]`` belongs to.
    """

    joints: Tensor
    valid: Tensor
    fps: float
    root: RootPath
    skeleton: Skeleton
    lifter: str
    name: str
    first_frame: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "joints", check_joints(self.joints, self.name, self.skeleton, min_frames=1))
        if self.valid.shape != self.joints.shape[:1] or self.valid.dtype != torch.bool:
            raise DataError(f"{self.name}: valid has shape {tuple(self.valid.shape)} and type {self.valid.dtype}, "
                            f"expected bool ({len(self.joints)},)")  # fmt: skip
        if not 0 < self.fps < 1000:
            raise DataError(f"{self.name}: {self.fps} frames per second, expected more than 0 and below 1000")

    def __len__(self) -> int:
        return len(self.joints)

    def resample(self, fps: float = FPS) -> Lifted:
        """At another frame rate: positions linear in time, a frame valid where both its neighbours are."""
        count = int((len(self) - 1) * fps / self.fps + 1e-6) + 1
        at = torch.arange(count, dtype=torch.float64) * self.fps / fps
        before = at.floor().long().clamp(max=len(self) - 1)
        after = (before + 1).clamp(max=len(self) - 1)
        share = (at - before).float()[:, None, None]
        joints = torch.lerp(self.joints[before], self.joints[after], share)
        valid = self.valid[before] & (self.valid[after] | (share[:, 0, 0] < 1e-6))
        first = round(self.first_frame * fps / self.fps)
        return replace(self, joints=joints, valid=valid, fps=fps, first_frame=first)

    def timed(self, times: np.ndarray, fps: float = FPS) -> Lifted:
        """At a constant rate from frames of any spacing: linear in time, valid where both neighbours are and are near.

        Args:
            times: (T,) seconds of the film of each frame, increasing.
            fps: of the result, whose frame k is at ``(first_frame + k) / fps`` seconds of the film.
        """
        first, last = math.ceil(times[0] * fps - 1e-6), math.floor(times[-1] * fps + 1e-6)
        at = np.arange(first, max(last, first) + 1) / fps
        before, after, share = neighbours(times, at)
        joints = torch.lerp(
            self.joints[before], self.joints[after], torch.from_numpy(share.clip(0, 1)).float()[:, None, None]
        )
        near = torch.from_numpy(times[after] - times[before] <= LONGEST_STEP)
        valid = self.valid[before] & self.valid[after] & near
        return replace(self, joints=joints, valid=valid, fps=fps, first_frame=first)


def fill_gaps(values: Tensor, frames: np.ndarray) -> tuple[Tensor, Tensor]:
    """Values (N, ...) of ascending ``frames`` (N,) for every frame from first to last, linear in between.

    Returns:
        (T, ...) and (T,) bool, the frames that were given.
    """
    wanted = np.arange(frames[0], frames[-1] + 1)
    after = np.searchsorted(frames, wanted)
    before = np.maximum(after - 1, 0)
    share = (wanted - frames[before]) / np.maximum(frames[after] - frames[before], 1)
    share = torch.from_numpy(share).to(values).reshape(-1, *(1,) * (values.ndim - 1))
    valid = torch.from_numpy(frames[after] == wanted)
    return torch.lerp(values[before], values[after], share), valid


def load_array(path: str | Path, n_joints: tuple[int, ...]) -> Tensor:
    """Joints (T, J, 3), float32, of an ``.npy`` file; pickled objects are refused, not executed.

    Args:
        path: the file.
        n_joints: the numbers J that are known.

    Raises:
        DataError: no such file, or no finite numbers of that shape; names the file, what was found and expected.
    """
    array = read_npy(path, "a plain .npy array of joints")
    if array.ndim != 3 or array.shape[1] not in n_joints or array.shape[2] != 3 or not len(array):
        expected = f"(frames, {' or '.join(map(str, n_joints))}, 3)"
        raise DataError(f"{path}: shape {array.shape}, expected {expected}")
    if array.dtype.kind != "f":
        raise DataError(f"{path}: {array.dtype}, expected floating point numbers")
    if not np.isfinite(array).all():
        raise DataError(f"{path}: frame {np.argwhere(~np.isfinite(array))[0][0]} is not finite, expected finite metres")
    _check_zeros(array, path)
    return torch.from_numpy(array.astype(np.float32))


def _check_zeros(joints: np.ndarray, path: str | Path) -> None:
    """Refuse joints (T, J, 3) of which a coordinate jumps to exactly 0, stays there for some frames, and jumps back.

    Feet that a lifter puts onto a floor at 0 come down and rise more slowly.
    """
    zero = joints == 0
    at = np.arange(len(joints), dtype=np.int32)[:, None, None]
    last_other = np.maximum.accumulate(np.where(zero, np.int32(-1), at), 0)
    jumps_down = zero[1:] & (np.abs(joints[:-1]) > LEAP)
    jumps_up = zero[:-1] & (np.abs(joints[1:]) > LEAP)
    began = np.take_along_axis(jumps_down, last_other[:-1].clip(0, len(joints) - 2), 0) & (last_other[:-1] >= 0)
    lost = np.argwhere(jumps_up & began & (at[:-1] - last_other[:-1] >= LOST))
    if len(lost):
        frame, joint, axis = lost[0]
        raise DataError(
            f"{path}: {'xyz'[axis]} of joint {joint} is exactly 0 in frames {last_other[frame, joint, axis] + 1} to "
            f"{frame} and jumps there: lost values, expected metres"
        )


# ---- other layouts ---------------------------------------------------------------------------------------

#: Joints of SMPL-22 that other layouts have under another name, as shares of theirs; the first that fits is
#: taken.  Nobody marks these places alike: necks and heads are good to some centimetres.
_SHARES: dict[str, tuple[dict[str, float], ...]] = {
    "neck": ({"thorax": 1.0}, {"neck": 1.0}, {"left_shoulder": 0.5, "right_shoulder": 0.5}),
    "head": ({"left_ear": 0.5, "right_ear": 0.5}, {"thorax": 0.5, "head": 0.5}, {"neck": 0.5, "head": 0.5}),
}
_LIMBS = tuple(f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
               for side in ("left", "right"))  # fmt: skip
_KNOWN = Skeleton("known", ("neck", "head", *_LIMBS), (-1,) * 14)
_FEET = ("left_foot", "right_foot")


def to_smpl22(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Joints (T, J, 3) of a layout with at least COCO's limbs, Y up, as SMPL-22.

    Limbs are taken over; neck and head are the layout's nearest; pelvis (others mark the middle of the hips,
    which is 8 cm lower), spine and collars come from a joint regressor fitted on the built-in corpus, 2 to 7 cm
    off there; the feet, which these layouts do not have, point where the body faces (3 cm off).
    """
    if skeleton == SMPL22:
        return joints
    shares = joints.new_zeros(len(_KNOWN), len(skeleton))
    for row, name in zip(shares, _KNOWN.joints, strict=True):
        options = ({name: 1.0},) if name in _LIMBS else _SHARES[name]
        chosen = next(o for o in options if set(o) <= set(skeleton.joints))
        for source, share in chosen.items():
            row[skeleton.index(source)] = share
    fitted, feet = _from_known()
    full = fitted(shares @ joints)
    leg = [SMPL22.index(j) for j in ("left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle")]
    lengths = full[:, leg].unflatten(1, (2, 3)).diff(dim=2).norm(dim=-1).sum(-1).mean(-1)
    ahead = (feet.to(full) * lengths[:, None, None]) @ facing_z(facing(full, SMPL22)).to(full)
    ankles = full[:, [SMPL22.index("left_ankle"), SMPL22.index("right_ankle")]]
    full[:, [SMPL22.index(j) for j in _FEET]] = ankles + ahead
    return full


@cache
def _from_known() -> tuple[regressor.JointRegressor, Tensor]:
    """Known joints to SMPL-22's, and where the feet are from the ankles (2, 3), in legs, facing +Z."""
    corpus = procedural.generate(len(procedural.TEACHER_ACTIONS) * 2, seed=0, family="teacher", max_frames=60)
    poses = torch.cat([corpus.clip(i)[::5] for i in range(len(corpus))])
    poses = poses[torch.randperm(len(poses), generator=torch.Generator().manual_seed(0))]
    known = poses[:, [SMPL22.index(j) for j in _KNOWN.joints]]
    leg = known[:, [_KNOWN.index(j) for j in ("left_hip", "left_knee", "left_ankle")]].diff(dim=1).norm(dim=-1).sum(-1)
    ankles = known[:, [_KNOWN.index("left_ankle"), _KNOWN.index("right_ankle")]]
    feet = poses[:, [SMPL22.index(j) for j in _FEET]] - ankles
    feet = (feet @ facing_z(facing(poses, SMPL22)).to(feet).mT) / leg[:, None, None]
    return regressor.fit(known, poses, _KNOWN, SMPL22, neighbours=8), feet.mean(0)
