"""Joint layouts: names, parents, and what the motion features need to know about a body.

Every layout is a :class:`Skeleton`.  Joint indices never appear elsewhere in the package: code asks a
skeleton for ``index("left_hip")`` or for one of the groups below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Skeleton:
    """A joint layout.

    Attributes:
        name: short name, e.g. ``"smpl22"``.
        joints: joint names in the published order; the root comes first wherever motion features are made.
        parents: index of each joint's parent, -1 for the root.
        chains: kinematic chains as HumanML3D walks them in inverse kinematics.  A chain that starts at an
            inner joint still starts from the root's rotation, so chains matter for the rotation channels.
        rest_directions: unit direction (x, y, z) from the parent in the rest pose (facing +Z, the left side
            at +X), zero for the root.
        face: right hip, left hip, right shoulder, left shoulder: they give the heading.
        left_feet, right_feet: joints whose contact with the ground is a feature channel.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    chains: tuple[tuple[int, ...], ...] = ()
    rest_directions: tuple[tuple[float, float, float], ...] = ()
    face: tuple[str, str, str, str] = ("right_hip", "left_hip", "right_shoulder", "left_shoulder")
    left_feet: tuple[str, ...] = ()
    right_feet: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.joints) != len(self.parents):
            raise ValueError(f"{self.name}: {len(self.joints)} joints, {len(self.parents)} parents, expected as many")

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a joint by name; raises ``KeyError`` that lists the known names."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise KeyError(f"{self.name} has no joint {joint!r}; it has {', '.join(self.joints)}") from None

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) pairs of all joints but the root."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p >= 0)

    @cached_property
    def root_bones(self) -> tuple[tuple[int, int], ...]:
        """The bones that start at the root (appendix D uses them)."""
        return tuple((p, j) for p, j in self.bones if self.parents[p] < 0)

    @property
    def face_indices(self) -> tuple[int, int, int, int]:
        """Indices of ``face``."""
        return tuple(self.index(j) for j in self.face)

    @cached_property
    def feet(self) -> tuple[int, ...]:
        """Indices of the foot joints, left ones first."""
        return tuple(self.index(j) for j in self.left_feet + self.right_feet)

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """For each joint the index of the one on the other side; joints of the middle are their own."""
        other = {"left": "right", "right": "left"}
        pairs = ((name, name.partition("_")) for name in self.joints)
        return tuple(self.index(other[side] + "_" + rest if side in other else name) for name, (side, _, rest) in pairs)


_X, _Y, _Z, _O = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)
_NX, _NY = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)

#: SMPL's body joints without hands, the layout of HumanML3D; its rest pose lets the arms hang.
SMPL22 = Skeleton(
    name="smpl22",
    joints=(
        "pelvis",
        "left_hip",
        "right_hip",
        "spine1",
        "left_knee",
        "right_knee",
        "spine2",
        "left_ankle",
        "right_ankle",
        "spine3",
        "left_foot",
        "right_foot",
        "neck",
        "left_collar",
        "right_collar",
        "head",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
    ),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19),
    chains=(
        (0, 2, 5, 8, 11),
        (0, 1, 4, 7, 10),
        (0, 3, 6, 9, 12, 15),
        (9, 14, 17, 19, 21),
        (9, 13, 16, 18, 20),
    ),
    rest_directions=(
        _O,
        _X,
        _NX,
        _Y,
        _NY,
        _NY,
        _Y,
        _NY,
        _NY,
        _Y,
        _Z,
        _Z,
        _Y,
        _X,
        _NX,
        _Z,
        _NY,
        _NY,
        _NY,
        _NY,
        _NY,
        _NY,
    ),
    left_feet=("left_ankle", "left_foot"),
    right_feet=("right_ankle", "right_foot"),
)

#: Human3.6M's 17 joints in the order of MotionBERT.
H36M17 = Skeleton(
    name="h36m17",
    joints=(
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "spine",
        "thorax",
        "neck",
        "head",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
    left_feet=("left_ankle",),
    right_feet=("right_ankle",),
)

#: COCO's 17 keypoints; the layout has no pelvis, so the nose is the root.
COCO17 = Skeleton(
    name="coco17",
    joints=(
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    parents=(-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
)

#: Halpe's 26 body keypoints with feet (RTMPose's "body with feet"): COCO's 17, then head, neck, pelvis, feet.
HALPE26 = Skeleton(
    name="halpe26",
    joints=(
        *COCO17.joints,
        "head",
        "neck",
        "pelvis",
        "left_big_toe",
        "right_big_toe",
        "left_small_toe",
        "right_small_toe",
        "left_heel",
        "right_heel",
    ),
    parents=(18, 0, 0, 1, 2, 18, 18, 5, 6, 7, 8, 19, 19, 11, 12, 13, 14, 18, 19, -1, 24, 25, 24, 25, 15, 16),
)

#: OpenPose's BODY_25, the layout of its JSON files.
BODY25 = Skeleton(
    name="body25",
    joints=(
        "nose",
        "neck",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "right_eye",
        "left_eye",
        "right_ear",
        "left_ear",
        "left_big_toe",
        "left_small_toe",
        "left_heel",
        "right_big_toe",
        "right_small_toe",
        "right_heel",
    ),
    parents=(1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16, 21, 21, 14, 24, 24, 11),
)

#: OpenPose's BODY_25B: as many joints as BODY_25 in another order, without a pelvis.
BODY25B = Skeleton(
    name="body25b",
    joints=(
        *COCO17.joints,
        "upper_neck",
        "head",
        "left_big_toe",
        "left_small_toe",
        "left_heel",
        "right_big_toe",
        "right_small_toe",
        "right_heel",
    ),
    parents=(17, 0, 0, 1, 2, 17, 17, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14, -1, 17, 21, 21, 15, 24, 24, 16),
)

#: The 16 joints of MAS's NBA data: AlphaPose's without eyes, ears and feet.
NBA16 = Skeleton(
    name="nba16",
    joints=(
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "neck",
        "nose",
        "head",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 7, 10, 11, 7, 13, 14),
    chains=((0, 1, 2, 3), (0, 4, 5, 6), (0, 7, 8, 9), (7, 13, 14, 15), (7, 10, 11, 12)),
    rest_directions=(_O, _NX, _NY, _NY, _X, _NY, _NY, _Y, _Y, _Y, _X, _X, _X, _NX, _NX, _NX),
    left_feet=("left_ankle",),
    right_feet=("right_ankle",),
)

#: BlazePose's 33 landmarks in its own order; the layout has no pelvis, so the nose is the root.
BLAZEPOSE33 = Skeleton(
    name="blazepose33",
    joints=(
        "nose",
        "left_eye_inner",
        "left_eye",
        "left_eye_outer",
        "right_eye_inner",
        "right_eye",
        "right_eye_outer",
        "left_ear",
        "right_ear",
        "left_mouth",
        "right_mouth",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_pinky",
        "right_pinky",
        "left_index",
        "right_index",
        "left_thumb",
        "right_thumb",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "left_heel",
        "right_heel",
        "left_foot_index",
        "right_foot_index",
    ),
    parents=(
        *(-1, 0, 1, 2, 0, 4, 5, 3, 6, 0, 0),
        *(0, 0, 11, 12, 13, 14, 15, 16, 15, 16, 15, 16),
        *(11, 12, 23, 24, 25, 26, 27, 28, 29, 30),
    ),
)

_BY_NAME = {s.name: s for s in (SMPL22, H36M17, COCO17, HALPE26, BODY25, BODY25B, BLAZEPOSE33, NBA16)}


def by_name(name: str) -> Skeleton:
    """The layout called ``name``; raises ``KeyError`` that lists the known ones."""
    if name not in _BY_NAME:
        raise KeyError(f"unknown skeleton {name!r}; known: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
