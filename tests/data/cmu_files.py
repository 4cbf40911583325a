"""Small files as CMU and cgspeed publish them: a motion as ASF/AMC and as MotionBuilder's BVH, and Daz's figure.

The two kinds of one motion are written independently of the package's readers, rotations by scipy.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from videomdm.data import bvh

#: bone -> parent, offset (ASF units of 5.6 cm), axis (degrees), freedoms.  The thorax is in line with the upper back
#: and the wrist with the forearm, at half its length, as cgspeed's files assume.
BONES = {
    "lhipjoint": ("root", (1.6, -1.8, 0.6), (0, 0, 0), ""),
    "lfemur": ("lhipjoint", (2.6, -7.1, 0.0), (0, 0, 20), "rx ry rz"),
    "ltibia": ("lfemur", (2.5, -6.8, 0.0), (0, 0, 20), "rx"),
    "lfoot": ("ltibia", (0.2, -0.5, 2.1), (-90, 0, 20), "rx rz"),
    "ltoes": ("lfoot", (0.0, 0.0, 1.1), (-90, 0, 20), "rx"),
    "lowerback": ("root", (0.0, 2.0, -0.1), (0, 0, 0), "rx ry rz"),
    "upperback": ("lowerback", (0.0, 2.1, 0.1), (0, 0, 0), "rx ry rz"),
    "thorax": ("upperback", (0.0, 2.1, 0.1), (0, 0, 0), "rx ry rz"),
    "lowerneck": ("thorax", (0.0, 1.5, 0.1), (0, 0, 0), "rx ry rz"),
    "upperneck": ("lowerneck", (0.0, 1.5, -0.1), (0, 0, 0), "rx ry rz"),
    "head": ("upperneck", (0.0, 1.6, 0.0), (0, 0, 0), "rx ry rz"),
    "lclavicle": ("thorax", (3.5, 0.9, -0.1), (0, 0, 0), "ry rz"),
    "lhumerus": ("lclavicle", (4.9, 0.0, 0.0), (180, -30, -90), "rx ry rz"),
    "lradius": ("lhumerus", (3.4, 0.0, 0.0), (180, -30, -90), "rx"),
    "lwrist": ("lradius", (1.7, 0.0, 0.0), (0, 90, 90), "ry"),
    "lhand": ("lwrist", (0.7, 0.0, 0.0), (0, 90, 90), "rx rz"),
}
for _name in [name for name in BONES if name.startswith("l") and not name.startswith("lower")]:
    _parent, (_x, _y, _z), (_a, _b, _c), _dof = BONES[_name]
    _parent = "r" + _parent[1:] if _parent.startswith("l") and _parent != "lowerback" else _parent
    BONES["r" + _name[1:]] = (_parent, (-_x, _y, _z), (_a, -_b, -_c), _dof)
MOVING = {name: dof.split() for name, (_, _, _, dof) in BONES.items() if dof}

#: MotionBuilder joint -> the bone that starts there.  Neck and fingers lie on their parents: bones were lost.
JOINTS = {
    "LHipJoint": "lhipjoint", "LeftUpLeg": "lfemur", "LeftLeg": "ltibia", "LeftFoot": "lfoot", "LeftToeBase": "ltoes",
    "RHipJoint": "rhipjoint", "RightUpLeg": "rfemur", "RightLeg": "rtibia", "RightFoot": "rfoot",
    "RightToeBase": "rtoes", "LowerBack": "lowerback", "Spine": "upperback", "Spine1": "thorax", "Neck": "lowerneck",
    "Neck1": "upperneck", "Head": "head", "LeftShoulder": "lclavicle", "LeftArm": "lhumerus",
    "LeftForeArm": "lradius", "LeftHand": "lwrist", "LeftFingerBase": "lhand", "LThumb": None,
    "RightShoulder": "rclavicle", "RightArm": "rhumerus", "RightForeArm": "rradius", "RightHand": "rwrist",
    "RightFingerBase": "rhand", "RThumb": None,
}  # fmt: skip
_LOST = ("thorax", "lwrist", "rwrist")


def motion(frames: int = 300, seed: int = 0, speed: float = 0.05) -> dict[str, np.ndarray]:
    """Smooth random values of root (T, 6) and bones (T, freedoms), ASF units and degrees."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 120

    def waves(count: int, size: float) -> np.ndarray:
        return size * np.sin(2 * np.pi * (random.uniform(0.2, 1, count) * time + random.uniform(0, 1, count)))

    values = {name: waves(len(dof), 20.0) for name, dof in MOVING.items()}
    values["root"] = np.concatenate([waves(3, speed * 20) + (3, 17, -8), waves(3, 30.0)], axis=1)
    return values


def write_asf(path: Path) -> None:
    lines = [
        ":version 1.10", ":name VICON", ":units", "  mass 1.0", "  length 0.45", "  angle deg", ":documentation",
        "   not 3 numbers", ":root", "  order TX TY TZ RX RY RZ", "  axis XYZ", "  position 0 0 0",
        "  orientation 0 0 0", ":bonedata",
    ]  # fmt: skip
    for i, (name, (_, offset, axis, dof)) in enumerate(BONES.items(), 1):
        length = np.linalg.norm(offset)
        lines += ["  begin", f"    id {i}", f"    name {name}", f"    direction {_words(offset / length)}"]
        lines += [f"    length {length:.9f}", f"    axis {_words(axis)} XYZ"]
        lines += [f"    dof {dof}", *["    limits (-1 1)"] * len(dof.split())] * bool(dof) + ["  end"]
    children = {parent: [n for n, (p, *_) in BONES.items() if p == parent] for parent in ("root", *BONES)}
    lines += [":hierarchy", "  begin", *(f"    {p} {' '.join(c)}" for p, c in children.items() if c), "  end"]
    path.write_text("# a comment\r\n" + "\r\n".join(lines) + "\r\n")


def write_amc(path: Path, values: dict[str, np.ndarray]) -> None:
    lines = ["#!OML:ASF nowhere.asf", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(len(values["root"])):
        lines += [str(frame + 1), *(f"{name} {_words(values[name][frame])}" for name in ("root", *MOVING))]
    path.write_text("\n".join(lines) + "\n")


def write_motionbuilder(path: Path, values: dict[str, np.ndarray]) -> None:
    """As cgspeed's: a T-pose first, then the frames."""
    names = ("Hips", *JOINTS)
    started = {bone: joint for joint, bone in JOINTS.items() if bone}
    parents, offsets = [-1], [(0.0, 0.0, 0.0)]
    for joint, bone in JOINTS.items():
        parent = BONES[bone][0] if bone else {"L": "lwrist", "R": "rwrist"}[joint[0]]
        parents.append(0 if parent == "root" else names.index(started[parent]))
        offsets.append((0.0, 0.0, 0.0) if parent in ("root", *_LOST) else BONES[parent][1])
    rotations = [Rotation.from_euler("xyz", values["root"][:, 3:], degrees=True)]
    rotations += [_turns(bone, values) for bone in JOINTS.values()]
    angles = [turns.as_euler("ZYX", degrees=True) for turns in rotations]
    captured = np.concatenate([values["root"][:, :3], *angles], axis=1)
    t_pose = np.zeros(captured.shape[1])
    t_pose[:3] = captured[0, :3]
    ends = {names.index(started[bone]): BONES[bone][1] for bone in ("head", "ltoes", "rtoes", "lhand", "rhand")}
    turns = ("Zrotation", "Yrotation", "Xrotation")
    bvh.write(path, bvh.BvhMotion(
        names, tuple(parents), torch.tensor(offsets).double(),
        (("Xposition", "Yposition", "Zposition", *turns), *[turns] * len(JOINTS)),
        torch.from_numpy(np.concatenate([t_pose[None], captured])), 1 / 120,
        {joint: torch.tensor(end).double() for joint, end in ends.items()},
    ))  # fmt: skip


def _turns(bone: str | None, values: dict[str, np.ndarray]) -> Rotation:
    angles = np.zeros((len(values["root"]), 3))
    if bone not in MOVING:
        return Rotation.from_euler("xyz", angles)
    angles[:, ["xyz".index(dof[1]) for dof in MOVING[bone]]] = values[bone]
    axis = Rotation.from_euler("xyz", BONES[bone][2], degrees=True)
    return axis * Rotation.from_euler("xyz", angles, degrees=True) * axis.inv()


#: joint -> parent, place at rest in centimetres; ends of feet are end sites.
DAZ = {
    "hip": (None, (0, 90, 0)), "abdomen": ("hip", (0, 110, 0)), "chest": ("abdomen", (0, 120, 0)),
    "neck": ("chest", (0, 140, 0)), "head": ("neck", (0, 150, 0)),
    "lCollar": ("chest", (3, 138, 0)), "lShldr": ("lCollar", (12, 137, 0)), "lForeArm": ("lShldr", (40, 137, 0)),
    "lHand": ("lForeArm", (64, 137, 0)), "rCollar": ("chest", (-3, 138, 0)), "rShldr": ("rCollar", (-12, 137, 0)),
    "rForeArm": ("rShldr", (-40, 137, 0)), "rHand": ("rForeArm", (-64, 137, 0)), "lThigh": ("hip", (9, 93, 0)),
    "lShin": ("lThigh", (9, 55, 0)), "lFoot": ("lShin", (9, 10, 0)), "rThigh": ("hip", (-9, 93, 0)),
    "rShin": ("rThigh", (-9, 55, 0)), "rFoot": ("rShin", (-9, 10, 0)),
}  # fmt: skip


def write_daz(path: Path, frames: int = 60, lowered: float = 80.0) -> None:
    """The figure in T-pose, then standing for ``frames`` with its arms lowered by so many degrees."""
    names = tuple(DAZ)
    offsets = [np.subtract(at, DAZ[parent][1] if parent else at) for parent, at in DAZ.values()]
    turns = ("Zrotation", "Xrotation", "Yrotation")
    values = np.zeros((frames + 1, 3 + 3 * len(names)))
    values[:, 1] = 90.0
    for arm, sign in (("lShldr", -1), ("rShldr", 1)):
        values[1:, 3 + 3 * names.index(arm)] = sign * lowered
    feet = {names.index(foot): torch.tensor([0.0, -8.0, 12.0]).double() for foot in ("lFoot", "rFoot")}
    bvh.write(path, bvh.BvhMotion(
        names, tuple(names.index(parent) if parent else -1 for parent, _ in DAZ.values()),
        torch.tensor(np.array(offsets)).double(), (("Xposition", "Yposition", "Zposition", *turns), *[turns] * 18),
        torch.from_numpy(values), 1 / 120, feet,
    ))  # fmt: skip


def _words(values) -> str:
    return " ".join(f"{value:.9f}" for value in values)
