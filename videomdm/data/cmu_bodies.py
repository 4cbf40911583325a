"""The bodies in which CMU's motion capture is published, as the 22 joints of SMPL.

Three kinds of files are read, and told apart by their joints:

* ``"asf"``: CMU's own ASF/AMC, each subject's calibrated skeleton;
* ``"motionbuilder"``: cgspeed's BVH files for MotionBuilder, the same skeleton with other names, of which two bones
  got lost.  The thorax (12 cm), which is put back in line with and as long as the bone below it, and the wrists, which
  are half as long as the forearms and in line with them;
* ``"daz"``: cgspeed's BVH files for Daz Studio, all subjects on Daz's standard figure.

Both kinds of BVH begin with a T-pose that was not captured; where it is there, it is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from videomdm.conventions import FPS, DataError
from videomdm.data import asf_amc, bvh
from videomdm.data.asf_amc import AmcMotion
from videomdm.data.bvh import BvhMotion
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import body_height

_INCH = 0.0254  # metres
_ASF_UNIT = _INCH / 0.45  # metres, of all of CMU's skeletons; cgspeed's MotionBuilder files keep it
_CENTIMETRE = 0.01
_PLAUSIBLE_HEIGHT = (0.8, 2.2)  # metres from ankle to head
_SIDES = ("left", "right")
_CGSPEEDS_RATE = 120  # frames per second
_RATE_TOLERANCE = 0.01  # relative: 1 / 120 s is also written .0083

Rows = dict[str, dict[str, float]]

#: SMPL-22 joint <- ends of ASF bones.  SMPL's trunk joints lie between them, its neck and head lower.
ASF: Rows = {
    "pelvis": {"root": 1.0},
    "spine1": {"lowerback": 1.0},
    "spine2": {"upperback": 0.7, "thorax": 0.3},
    "spine3": {"upperback": 0.2, "thorax": 0.8},
    "neck": {"lowerneck": 0.5, "upperneck": 0.5},
    "head": {"upperneck": 0.5, "head": 0.5},
} | {
    f"{side}_{joint}": {(bone if bone == "thorax" else side[0] + bone): weight for bone, weight in row.items()}
    for side in _SIDES
    for joint, row in {
        "hip": {"hipjoint": 1.0},
        "knee": {"femur": 1.0},
        "ankle": {"tibia": 1.0},
        "foot": {"foot": 1.0},
        "collar": {"thorax": 0.6, "clavicle": 0.4},
        "shoulder": {"clavicle": 1.0},
        "elbow": {"humerus": 1.0},
        "wrist": {"wrist": 1.0},
    }.items()
}

#: The joint of a MotionBuilder file that lies where an ASF bone ends; " end" is the end site of a joint.
_MOTIONBUILDER_JOINT = {
    "root": "Hips", "lowerback": "Spine", "upperback": "Spine1", "thorax": "Neck", "lowerneck": "Neck1",
    "upperneck": "Head", "head": "Head end",
} | {
    side[0].lower() + bone: side + joint
    for side in ("Left", "Right")
    for bone, joint in {
        "hipjoint": "UpLeg", "femur": "Leg", "tibia": "Foot", "foot": "ToeBase", "clavicle": "Arm",
        "humerus": "ForeArm", "wrist": "FingerBase",
    }.items()
}  # fmt: skip
MOTIONBUILDER: Rows = {
    joint: {_MOTIONBUILDER_JOINT[bone]: weight for bone, weight in row.items()} for joint, row in ASF.items()
}

#: SMPL-22 joint <- joint of Daz's figure, whose hips lie low and whose head is short.
DAZ: Rows = {
    "pelvis": {"hip": 0.5, "abdomen": 0.5},
    "spine1": {"abdomen": 1.0},
    "spine2": {"chest": 1.0},
    "spine3": {"chest": 0.55, "neck": 0.45},
    "neck": {"neck": 1.0},
    "head": {"neck": -0.6, "head": 1.6},
} | {
    f"{side}_{joint}": {side[0] + name: 1.0}
    for side in _SIDES
    for joint, name in {
        "hip": "Thigh", "knee": "Shin", "ankle": "Foot", "foot": "Foot end", "collar": "Collar",
        "shoulder": "Shldr", "elbow": "ForeArm", "wrist": "Hand",
    }.items()
}  # fmt: skip

#: Joints of a MotionBuilder file that lie on their parent because a bone is missing -> the joint whose OFFSET is the
#: bone to continue, and by how much of its length.
_LOST_BONES = {
    "Neck": ("Spine1", 1.0), "LeftShoulder": ("Spine1", 1.0), "RightShoulder": ("Spine1", 1.0),
    "LeftFingerBase": ("LeftHand", 0.5), "RightFingerBase": ("RightHand", 0.5),
    "LThumb": ("LeftHand", 0.5), "RThumb": ("RightHand", 0.5),
}  # fmt: skip


def read(path: str | Path, skeleton: str | Path | None = None, rate: int | None = None) -> tuple[Tensor, str]:
    """A trial's joints.

    Args:
        path: an ``.amc`` or ``.bvh`` file.
        skeleton: the subject's ``.asf`` file; an ``.amc`` file needs it.
        rate: frames per second at which the trial was captured, to read it at 20; None reads every frame.

    Returns:
        (T, 22, 3) float64, metres, Y up, and the kind of body: ``"asf"``, ``"motionbuilder"`` or ``"daz"``.

    Raises:
        DataError: the file is no motion of one of the three kinds, lacks its skeleton, is not to scale, or says that
            its rate is no multiple of 20.
    """
    path = Path(path)
    step = 1 if rate is None else rate // int(FPS)
    if path.suffix.lower() == ".amc":
        if skeleton is None:
            raise DataError(f"{path}: no skeleton (.asf) of its subject, which an .amc file needs")
        joints, kind = _from_amc(asf_amc.read_motion(path, asf_amc.read_skeleton(skeleton)), step), "asf"
    else:
        motion = bvh.read(path)
        joints, kind = _from_bvh(motion, step if rate is None or _is_cgspeeds(motion) else _own_step(motion))
    tall = float(body_height(joints[None], torch.tensor([len(joints)]))[0])
    low, high = _PLAUSIBLE_HEIGHT
    if not low <= tall <= high:
        raise DataError(f"{path}: {tall:.3g} m from ankle to head, expected {low} to {high}: is it in another unit?")
    return joints, kind


def _from_amc(motion: AmcMotion, step: int) -> Tensor:
    motion = dataclasses.replace(motion, root=motion.root[::step], angles=motion.angles[::step])
    _require(_names(ASF) <= set(motion.skeleton.names), motion.skeleton.source, motion.skeleton.names)
    return _blend(motion.joints(), motion.skeleton.names, ASF) * (_INCH / motion.skeleton.length_unit)


def _is_cgspeeds(motion: BvhMotion) -> bool:
    """Whether a file says the rate that cgspeed wrote into every file, also where CMU captured at 60.

    It says nothing, so that CMU's list holds.  Another rate was written by somebody who resampled the file: read at the
    list's rate, it would play too fast or too slow.
    """
    return abs(1 / (motion.frame_time * _CGSPEEDS_RATE) - 1) <= _RATE_TOLERANCE


def _own_step(motion: BvhMotion) -> int:
    """Every how many of a file's frames are at 20 fps, by the rate that it says."""
    ratio = 1 / (motion.frame_time * FPS)
    step = max(round(ratio), 1)
    if abs(ratio / step - 1) > _RATE_TOLERANCE:
        raise DataError(
            f"{motion.source}: Frame Time {motion.frame_time:g} s is {ratio * FPS:.4g} frames per second, expected a "
            f"multiple of {FPS:g}"
        )
    return step


def _from_bvh(motion: BvhMotion, step: int) -> tuple[Tensor, str]:
    motion = _with_end_sites(motion)
    if _names(MOTIONBUILDER) | set(_LOST_BONES) <= set(motion.names) and _lacks_bones(motion):
        motion, rows, unit, kind = _with_lost_bones(motion), MOTIONBUILDER, _ASF_UNIT, "motionbuilder"
    else:
        _require(_names(DAZ) <= set(motion.names), motion.source, motion.names)
        rows, unit, kind = DAZ, _CENTIMETRE, "daz"
    first = int(_is_t_pose(_blend(_frames(motion, slice(1)).joints(), motion.names, rows)[0]))
    return _blend(_frames(motion, slice(first, None, step)).joints(), motion.names, rows) * unit, kind


def _frames(motion: BvhMotion, frames: slice) -> BvhMotion:
    return dataclasses.replace(motion, values=motion.values[frames])


def _require(known: bool, source: str, names: Sequence[str]) -> None:
    if not known:
        raise DataError(
            f"{source}: unknown skeleton ({', '.join(names[:8])} ...), expected CMU's ASF (root, lhipjoint, lfemur "
            "...) or cgspeed's BVH for MotionBuilder (Hips, LHipJoint, LeftUpLeg ..., Neck at the place of Spine1) or "
            "for Daz Studio (hip, abdomen, chest ...)"
        )


def _names(rows: Rows) -> set[str]:
    return {name for row in rows.values() for name in row}


def _blend(joints: Tensor, names: tuple[str, ...], rows: Rows) -> Tensor:
    """(T, 22, 3) weighted sums of joints (T, J, 3)."""
    weights = joints.new_zeros(len(SMPL22), len(names))
    for joint, row in rows.items():
        for name, weight in row.items():
            weights[SMPL22.index(joint), names.index(name)] = weight
    return weights @ joints


def _with_end_sites(motion: BvhMotion) -> BvhMotion:
    """The motion with its end sites as joints called "<joint> end"."""
    ends = motion.end_sites
    return dataclasses.replace(
        motion,
        names=(*motion.names, *(f"{motion.names[joint]} end" for joint in ends)),
        parents=(*motion.parents, *ends),
        offsets=torch.cat((motion.offsets, *(offset[None] for offset in ends.values()))),
        channels=(*motion.channels, *(() for _ in ends)),
        end_sites={},
    )


def _lacks_bones(motion: BvhMotion) -> bool:
    return not motion.offsets[motion.index(list(_LOST_BONES))].any()


def _with_lost_bones(motion: BvhMotion) -> BvhMotion:
    offsets = motion.offsets.clone()
    continued = motion.index([name for name, _ in _LOST_BONES.values()])
    lengths = offsets.new_tensor([length for _, length in _LOST_BONES.values()])
    offsets[motion.index(list(_LOST_BONES))] = motion.offsets[continued] * lengths[:, None]
    return dataclasses.replace(motion, offsets=offsets)


def _is_t_pose(joints: Tensor) -> bool:
    """Whether the arms of one frame (22, 3) are stretched along x, as they are in the T-pose that cgspeed added."""
    arms = (joints[SMPL22.index(f"{side}_wrist")] - joints[SMPL22.index(f"{side}_shoulder")] for side in _SIDES)
    return all(float(sign * arm[0] / arm.norm()) > 0.95 for sign, arm in zip((1, -1), arms, strict=True))
