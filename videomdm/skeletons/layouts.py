"""From one joint layout to another by fixed weights, the same in 2-D and in 3-D.

Detectors name visible landmarks, SMPL names joint centres.  Every row of a table below makes one target joint
as a weighted sum of source joints, with weights that sum to 1 (so that shifting the image shifts the result).
Detectors' layouts pass through Halpe-26, the richest:

    coco17, body25, body25b, blazepose33 -> halpe26 -> smpl22, h36m17
    blazepose33 -> coco17        nba16 -> h36m17 -> smpl22

The weights are chosen by hand, as the paper's are (appendix C.3, which does not print them), on a standing body
of SMPL's mean shape.  Of that body, in metres above the pelvis: hips -0.08, spine 0.11, 0.24 and 0.29, shoulders
and collars 0.41, neck 0.51, head 0.59; half widths: hips 0.06, collars 0.07, shoulders 0.19.  Of the landmarks
that detectors are trained on: hips at SMPL's height but 0.10 from the middle, ears 0.61, neck 0.44, top of the
head 0.75; toes 0.17 before the ankle, the heel 0.06 behind it, SMPL's foot joint 0.12 before it.
:func:`videomdm.data.recordings.rendering.landmarks` holds the same body in the other direction.

A target joint's confidence is the least of the joints that it is made of: one joint that was not seen spoils
the sum.  Rows in ``GUESSED`` have no source to speak of; they give a plausible place with confidence 0.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from videomdm.skeletons.definitions import Skeleton, by_name

_SIDES = ("left", "right")
_TOES = tuple(f"{side}_{part}" for side in _SIDES for part in ("big_toe", "small_toe", "heel"))

Row = dict[str, float]


def _along_torso(share: float) -> Row:
    """The point at ``share`` of the way from between the hips (0) to between the shoulders (1)."""
    hips, shoulders = (1 - share) / 2, share / 2
    return {"left_hip": hips, "right_hip": hips, "left_shoulder": shoulders, "right_shoulder": shoulders}


def _narrowed(joint: str, landmark: str, own: float) -> dict[str, Row]:
    """Both sides' rows of a joint that lies nearer to the middle than its landmark."""
    sides = (_SIDES, _SIDES[::-1])
    return {f"{a}_{joint}": {f"{a}_{landmark}": own, f"{b}_{landmark}": 1 - own} for a, b in sides}


def _feet_along_shin(joints: tuple[str, ...]) -> dict[str, Row]:
    return {f"{s}_{j}": {f"{s}_ankle": 1.15, f"{s}_knee": -0.15} for s in _SIDES for j in joints}


#: What Halpe-26 has and COCO-17 lacks; a layout's own joint of the same name wins.
_TRUNK_LANDMARKS = {
    "pelvis": _along_torso(0.0),
    "neck": _along_torso(1.07),
    "head": {"left_ear": 0.84, "right_ear": 0.84, "left_shoulder": -0.34, "right_shoulder": -0.34},
}

#: (source, target) layout -> each target joint's sources and their weights.
ROWS: dict[tuple[str, str], dict[str, Row]] = {
    ("coco17", "halpe26"): _TRUNK_LANDMARKS | _feet_along_shin(("big_toe", "small_toe", "heel")),
    # OpenPose's neck is the middle between the shoulders, below Halpe's.
    ("body25", "halpe26"): _TRUNK_LANDMARKS | {"pelvis": {"pelvis": 1.0}},
    # BODY_25B's is MPII's upper neck, above Halpe's, and its head MPII's top of the head.
    ("body25b", "halpe26"): _TRUNK_LANDMARKS | {"head": {"head": 1.0}},
    # BlazePose's one toe is where OpenPose sees the big one; the small one, on the same film, a fifth nearer the heel.
    ("blazepose33", "halpe26"): _TRUNK_LANDMARKS
    | {f"{s}_big_toe": {f"{s}_foot_index": 1.0} for s in _SIDES}
    | {f"{s}_small_toe": {f"{s}_foot_index": 0.78, f"{s}_heel": 0.22} for s in _SIDES},
    ("blazepose33", "coco17"): {},
    ("halpe26", "smpl22"): {
        "pelvis": _along_torso(0.17),
        "spine1": _along_torso(0.39),
        "spine2": _along_torso(0.66),
        "spine3": _along_torso(0.76),
        "neck": {"neck": 0.62, "left_ear": 0.19, "right_ear": 0.19},
        "head": {"neck": 0.10, "left_ear": 0.45, "right_ear": 0.45},
        **_narrowed("hip", "hip", 0.8),
        **_narrowed("collar", "shoulder", 0.7),
        **{f"{s}_foot": {f"{s}_big_toe": 0.4, f"{s}_small_toe": 0.35, f"{s}_heel": 0.25} for s in _SIDES},
    },
    # as MotionBERT reads AlphaPose's results
    ("halpe26", "h36m17"): {
        "spine": {"neck": 0.5, "pelvis": 0.5},
        "thorax": {"neck": 1.0},
        "neck": {"nose": 1.0},
    },
    # NBA's 16 joints are Human3.6M's without the spine
    ("nba16", "h36m17"): {
        "spine": {"neck": 0.5, "pelvis": 0.5},
        "thorax": {"neck": 1.0},
        "neck": {"nose": 1.0},
    },
    # Human3.6M: hips 0.13 from the middle, the pelvis between them, thorax 0.44, "neck" is the nose, head its top.
    ("h36m17", "smpl22"): {
        "pelvis": {"pelvis": 0.84, "thorax": 0.16},
        "spine1": {"pelvis": 0.63, "thorax": 0.37},
        "spine2": {"pelvis": 0.38, "thorax": 0.62},
        "spine3": {"pelvis": 0.28, "thorax": 0.72},
        "neck": {"thorax": 0.7, "neck": 0.2, "head": 0.1},
        "head": {"thorax": 0.4, "neck": 0.3, "head": 0.3},
        **_narrowed("hip", "hip", 0.73),
        **_narrowed("collar", "shoulder", 0.7),
        **_feet_along_shin(("foot",)),
    },
}

#: Target joints of a table that no source joint tells: confidence 0.
GUESSED = {("coco17", "halpe26"): _TOES, ("h36m17", "smpl22"): ("left_foot", "right_foot")}


def route(source: Skeleton, target: Skeleton) -> list[tuple[str, str]]:
    """The tables that lead from one layout to another, in order; empty for the same layout.

    Raises:
        ValueError: no table leads there; the message lists where one can go.
    """
    if source.name == target.name:
        return []
    paths = [[pair] for pair in ROWS if pair[0] == source.name]
    paths += [[a, b] for [a] in paths for b in ROWS if b[0] == a[1]]
    found = [path for path in paths if path[-1][1] == target.name]
    if not found:
        reached = sorted({path[-1][1] for path in paths})
        raise ValueError(
            f"no conversion from {source.name} to {target.name}; from {source.name} there is "
            f"{', '.join(reached) or 'none'}"
        )
    return found[0]


@cache
def weights(source: str, target: str) -> Tensor:
    """The weight matrix of one table, (J_target, J_source) float64; rows sum to 1.

    Joints that the table does not name are the source's joints of the same name.

    Args:
        source, target: names of layouts, a key of :data:`ROWS`.
    """
    rows, source_layout, target_layout = ROWS[source, target], by_name(source), by_name(target)
    matrix = torch.zeros(len(target_layout), len(source_layout), dtype=torch.float64)
    for i, joint in enumerate(target_layout.joints):
        for other, weight in rows.get(joint, {joint: 1.0}).items():
            matrix[i, source_layout.index(other)] = weight
    return matrix


def convert(keypoints: Tensor, confidence: Tensor, source: Skeleton, target: Skeleton) -> tuple[Tensor, Tensor]:
    """Keypoints of one layout as keypoints of another.

    Args:
        keypoints: (..., J_source, D), any unit; D is 2 or 3.  Those of confidence 0 must still be finite.
        confidence: (..., J_source).
        source, target: joint layouts.

    Returns:
        (..., J_target, D) and confidence (..., J_target): the least over the joints that a target joint is made
        of, 0 for guessed joints (feet, where the source has none).

    Raises:
        ValueError: shapes that do not fit the source, or no way between the layouts.

    After appendix C.3, whose weights are not published.
    """
    if keypoints.shape[-2] != len(source) or confidence.shape != keypoints.shape[:-1]:
        raise ValueError(
            f"keypoints have shape {tuple(keypoints.shape)} and confidence {tuple(confidence.shape)}, expected "
            f"(..., {len(source)}, D) and (..., {len(source)}) for layout {source.name}"
        )
    for pair in route(source, target):
        matrix = weights(*pair).to(keypoints.device)
        keypoints = torch.einsum("ts,...sd->...td", matrix.to(keypoints), keypoints)
        parts = confidence[..., None, :].masked_fill(matrix == 0, torch.inf)
        layout = by_name(pair[1])
        guessed = torch.tensor([joint in GUESSED.get(pair, ()) for joint in layout.joints], device=confidence.device)
        confidence = parts.amin(-1).masked_fill(guessed, 0.0)
    return keypoints, confidence
