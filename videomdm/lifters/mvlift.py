"""Results of MVLift: joints as its evaluation holds them, saved with ``numpy.save``.

MVLift's release writes videos and meshes only; save its ``(T, 18, 3)`` joints (OpenPose's order without the
pelvis, metres, Z up, the body's own path) with ``numpy.save`` to use them here.  COCO-17 and SMPL-22 joints,
which others convert them to, are read as well.
"""

from __future__ import annotations

from pathlib import Path

import torch

from videomdm.lifters.results import Lifted, RootPath, load_array, to_smpl22
from videomdm.skeletons.definitions import COCO17, SMPL22, Skeleton

#: OpenPose's 18 body keypoints; the neck, midway between the shoulders, is the root.
OPENPOSE18 = Skeleton(
    name="openpose18",
    joints=(
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
        "right_ear", "left_ear",
    ),
    parents=(1, -1, 1, 2, 3, 1, 5, 6, 1, 8, 9, 1, 11, 12, 0, 0, 14, 15),
)  # fmt: skip
_LAYOUTS = {len(s): s for s in (OPENPOSE18, COCO17, SMPL22)}
_Z_UP = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # (x, y, z) -> (x, z, -y)


def read(path: str | Path, up: str = "z", fps: float = 30.0) -> Lifted:
    """Read one motion.

    Args:
        path: an ``.npy`` file, (T, 18, 3) OpenPose, (T, 17, 3) COCO or (T, 22, 3) SMPL joints, metres.
        up: the axis that points up in the file, ``"z"`` (MVLift's) or ``"y"``.
        fps: of the file; MVLift's evaluation runs at 30.

    Returns:
        SMPL-22 joints (:func:`videomdm.lifters.results.to_smpl22`) with MVLift's path.

    Raises:
        DataError: names the file, what was found and what was expected.
        ValueError: an unknown ``up``.
    """
    if up not in ("y", "z"):
        raise ValueError(f"up is {up!r}, expected 'y' or 'z'")
    joints = load_array(path, tuple(_LAYOUTS))
    if up == "z":
        joints = joints @ _Z_UP.mT
    joints = to_smpl22(joints, _LAYOUTS[joints.shape[1]])
    valid = torch.ones(len(joints), dtype=torch.bool)
    return Lifted(joints, valid, fps, RootPath.WORLD, SMPL22, "mvlift", Path(path).stem)
