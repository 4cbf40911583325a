"""What all figures share: colours, the order in which a body is drawn, checks of what is given."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videomdm.data.corpus import check_joints
from videomdm.skeletons.definitions import Skeleton

LEFT, RIGHT, TRUNK, GHOST = "#2a6fb0", "#d9602c", "#3a3f47", "#a9aeb5"
FLOOR, GRID, INK = "#f6f4ef", "#dcd7cc", "#3a3f47"
SERIES = (LEFT, RIGHT, "#3f8f6b", "#8a63a8", "#c29a2b", TRUNK)
SIDES = {"left": LEFT, "right": RIGHT, "trunk": TRUNK}


def side(joint: str) -> str:
    """``"left"``, ``"right"`` or ``"trunk"``, from a joint's name."""
    start = joint.partition("_")[0]
    return start if start in ("left", "right") else "trunk"


def strokes(skeleton: Skeleton) -> dict[str, list[int]]:
    """For each side the joints in the order in which a pen draws the bones, -1 where it lifts."""
    drawn = {name: [] for name in SIDES}
    for name, stroke in drawn.items():
        remaining = [b for b in skeleton.bones if side(skeleton.joints[b[1]]) == name]
        while remaining:
            bone = next((b for b in remaining if stroke and b[0] == stroke[-1]), None)
            if bone is None:
                bone = remaining[0]
                stroke += [-1, bone[0]]
            remaining.remove(bone)
            stroke.append(bone[1])
    return {name: stroke[1:] for name, stroke in drawn.items()}


def checked_joints(joints: Tensor, name: str, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) as an array; raises ``ValueError`` naming what is wrong."""
    return check_joints(joints, name, skeleton, min_frames=1).detach().cpu().numpy()


def checked_keypoints(keypoints: Tensor, name: str, skeleton: Skeleton) -> np.ndarray:
    """Keypoints (T, J, 2) as an array; raises ``ValueError`` naming what is wrong."""
    keypoints = torch.as_tensor(keypoints).detach().cpu()
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(skeleton), 2) or not len(keypoints):
        raise ValueError(f"{name}: shape {tuple(keypoints.shape)}, expected (frames, {len(skeleton)}, 2)")
    if not keypoints.isfinite().all():
        raise ValueError(f"{name}: not all values are finite, expected normalised image coordinates")
    return keypoints.float().numpy()


def layout(height: int, title: str) -> dict:
    """The plotly layout that every figure starts from."""
    heading = {"text": title, "x": 0.01, "xanchor": "left", "y": 0.98, "yanchor": "top", "font": {"size": 15}}
    return {
        "height": height,
        "title": heading if title else None,
        "margin": {"l": 10, "r": 10, "t": 40 if title else 10, "b": 10},
        "font": {"family": "system-ui, sans-serif", "color": INK, "size": 13},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "showlegend": False,
    }
