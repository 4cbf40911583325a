"""Results of MotionBERT: the ``X3D.npy`` that its ``infer_wild.py`` writes, called ``squat.motionbert.npy`` here.

Poses (T, 17, 3) in Human3.6M's order, one for each frame of the video, in the camera's axes (x right, y down, z
forward) and in units of the image or of its own window: an orthographic view, in which the root has no path.  So size
comes from the length of the legs, as for :mod:`videomdm.lifters.elepose`.
"""

from __future__ import annotations

from pathlib import Path

import torch

from videomdm.conventions import DataError
from videomdm.lifters.elepose import LEG, knee_bend, leg_length
from videomdm.lifters.results import Lifted, RootPath, load_array
from videomdm.skeletons.definitions import H36M17

BACKWARDS = -0.03  # metres that knees are behind the line from hip to ankle, on average, from which an axis is mirrored


def read(path: str | Path, fps: float = 30.0, leg: float = LEG) -> Lifted:
    """Read one video's poses.

    Args:
        path: an ``.npy`` file of (T, 17, 3) poses, of any size, y down.
        fps: of the video.
        leg: metres that hip, knee and ankle are to be apart (median over frames and sides).

    Returns:
        H36M-17 joints, Y up, the root at the origin.

    Raises:
        DataError: names the file, what was found and what was expected.
    """
    joints = load_array(path, (17,))
    joints = (joints - joints[:, :1]) * joints.new_tensor((1.0, -1.0, -1.0))
    length = leg_length(joints, H36M17)
    if not length > 0:
        raise DataError(f"{path}: legs of length {length:g}, expected poses of a body")
    head, ankle = (joints[:, H36M17.index(name), 1] for name in ("head", "left_ankle"))
    if (head < ankle).float().mean() > 0.5:
        raise DataError(f"{path}: heads are below feet, expected y down, as MotionBERT writes it")
    if knee_bend(joints * (leg / length), H36M17) < BACKWARDS:
        raise DataError(f"{path}: knees bend backwards, expected x right, y down, z forward: one axis is mirrored")
    valid = torch.ones(len(joints), dtype=torch.bool)
    return Lifted(joints * (leg / length), valid, fps, RootPath.NONE, H36M17, "motionbert", Path(path).stem)
