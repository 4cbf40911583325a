"""What was not seen: which joints, of which parts of the body, and where they are put when a number is needed.

A joint that a detector did not see has confidence 0.  Losses, cameras and lifting leave it out, but networks want a
number for every joint.  The fillers here follow the body, not the image: somebody whose arm is hidden for a while takes
it along, and legs below the picture's edge hang from the hips.  They are places of confidence 0 all the same.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from videomdm.cameras.keypoints import bridge, fill_missing, nearest_seen
from videomdm.skeletons.definitions import SMPL22, Skeleton

#: Metres to the left of the pelvis and above it on a body that stands, seen from the front: that of
#: :mod:`videomdm.skeletons.layouts`, arms hanging.
STANDING = {
    "pelvis": (0.0, 0.0), "hip": (0.06, -0.08), "knee": (0.08, -0.46), "ankle": (0.08, -0.86), "foot": (0.09, -0.92),
    "spine1": (0.0, 0.11), "spine2": (0.0, 0.24), "spine3": (0.0, 0.29), "neck": (0.0, 0.51), "head": (0.0, 0.59),
    "collar": (0.07, 0.41), "shoulder": (0.19, 0.41), "elbow": (0.22, 0.15), "wrist": (0.24, -0.10),
}  # fmt: skip
LIMBS = ("knee", "ankle", "foot", "elbow", "wrist")  # everything else is trunk or head and keeps its shape
SHIN_TO_FOOT = 0.15  # shins that a foot is beyond its ankle, as layouts without feet guess it
DAMPING = (0.005, 0.001)  # square metres that hold back width and height of a fitted body, per joint that was seen
LARGEST_GROWTH = 2.0  # times that somebody's size in the image may change while a joint is not seen
MIN_SEEN = 0.5  # of its frames in which a clip's legs, and of its joints that must be seen; with less it is a guess

_KINDS = {
    "head": ("nose", "eye", "ear", "head", "neck", "thorax"), "arm": ("elbow", "wrist"), "leg": ("knee", "ankle"),
    "feet": ("foot", "toe", "heel"),
}  # fmt: skip


def unseen(confidence: Tensor, fps: float) -> Tensor:
    """Which joints are a guess, (..., T, J) bool: not seen, nor between two frames that did (:func:`bridge`)."""
    return bridge(confidence, fps) == 0


def body_parts(skeleton: Skeleton) -> dict[str, list[int]]:
    """Joints by part of the body: head, trunk, left and right arm, left and right leg, feet; none is empty."""
    parts: dict[str, list[int]] = {
        name: [] for name in ("head", "trunk", "left arm", "right arm", "left leg", "right leg", "feet")
    }
    for j, joint in enumerate(skeleton.joints):
        kind = next((kind for kind, ends in _KINDS.items() if joint.endswith(ends)), "trunk")
        parts[f"{joint.partition('_')[0]} {kind}" if kind in ("arm", "leg") else kind].append(j)
    return {name: joints for name, joints in parts.items() if joints}


def seen_parts(unseen: Tensor, skeleton: Skeleton = SMPL22) -> dict[str, float]:
    """For each part of the body the share of the frames of (T, J) that saw every joint of it."""
    return {name: float((~unseen[:, joints]).all(1).float().mean()) for name, joints in body_parts(skeleton).items()}


def invented(unseen: Tensor, skeleton: Skeleton = SMPL22) -> str | None:
    """Why a clip (T, J) is rather a guess than seen: its legs, or half of the body, were not; None for a good one.

    Feet do not count: some detectors know none.
    """
    parts = seen_parts(unseen, skeleton)
    legs = (parts["left leg"] + parts["right leg"]) / 2
    if legs < MIN_SEEN:
        return f"legs are seen in {100 * legs:.0f} % of it, expected at least {100 * MIN_SEEN:.0f} %"
    feet = body_parts(skeleton).get("feet", [])
    counted = [j for j in range(len(skeleton)) if j not in feet]
    body = float((~unseen[:, counted]).float().mean())
    if body < MIN_SEEN:
        return f"{100 * body:.0f} % of the body are seen, expected at least {100 * MIN_SEEN:.0f} %"
    return None


def fill_unseen(
    keypoints: Tensor, confidence: Tensor, skeleton: Skeleton | None = None, times: Tensor | None = None
) -> Tensor:
    """Keypoints (..., T, J, 2) with those of confidence 0 put where the body would have taken them.

    Between and beyond the frames that saw a joint it moves and grows as the joints do that both frames saw; frames in
    which nobody was seen are interpolated.  Joints that no frame saw: :func:`hang`.  What stood at confidence 0 is not
    read.

    Args:
        keypoints: any unit of the image.
        confidence: (..., T, J).
        skeleton: of the joints; None where they have no standing body.
        times: (T,) seconds of the frames; evenly spaced when None.
    """
    batch, (frames, joints) = keypoints.shape[:-3], keypoints.shape[-3:-1]
    points, seen = keypoints.reshape(-1, frames, joints, 2), confidence.reshape(-1, frames, joints) > 0
    if bool(seen.all()):
        return keypoints
    times = torch.arange(frames, device=points.device) if times is None else times.to(points.device)
    filled = points.clone()
    somebody, ever = seen.any(2), seen.any(1)
    rows, at, joint = (~seen & somebody[..., None] & ever[:, None]).nonzero().unbind(-1)
    before, after = nearest_seen(seen)
    before, after = (x[rows, at, joint] for x in (before, after))
    first, last = before.where(before >= 0, after), after.where(after < frames, before)
    span = (times[last] - times[first]).clamp(min=1e-9)
    share = ((times[at] - times[first]) / span).clamp(0, 1).to(points)[:, None]
    start, end = (_carried(points, seen, rows, source, at, joint) for source in (first, last))
    filled[rows, at, joint] = start + share * (end - start)
    known = (somebody[..., None] & ever[:, None]).to(points)
    filled = fill_missing(filled, known, times)  # nobody was seen, so there is no body to go by
    return hang(filled, ever.to(points)[:, None].expand_as(known), skeleton).reshape(*batch, frames, joints, 2)


def hang(keypoints: Tensor, confidence: Tensor, skeleton: Skeleton | None = None) -> Tensor:
    """Joints that no frame of a clip saw put onto a standing body that fits the others, frame by frame.

    Limbs hang from the joint before them.  Without a body (other layouts than SMPL-22) they are put into the middle of
    the joints that were seen, and at 0 where nothing was.

    Args:
        keypoints: (C, T, J, 2), those seen in some frame filled everywhere.
        confidence: (C, T, J).
        skeleton: of the joints.
    """
    ever = (confidence > 0).any(1)
    clips = (~ever.all(1)).nonzero()[:, 0]
    if not len(clips):
        return keypoints
    points, ever = keypoints[clips], ever[clips]
    weight = ever.to(points)
    if skeleton is None or skeleton.name != SMPL22.name:
        own = torch.where(ever[:, None, :, None], points, 0)
        middle = own.sum(2, keepdim=True) / weight.sum(1).clamp(min=1)[:, None, None, None]
        filled = torch.where(ever[:, None, :, None], points, middle)
    else:
        filled = _on_body(points, ever)
    result = keypoints.clone()
    result[clips] = filled
    return result


def _carried(points: Tensor, seen: Tensor, rows: Tensor, source: Tensor, at: Tensor, joint: Tensor) -> Tensor:
    """Where joints (N,) of frames ``source`` are in frames ``at``, (N, 2), if they kept their place on the body.

    The body's motion is the shift and growth of the joints that both frames saw; none where there are no such joints.
    """
    both = (seen[rows, source] & seen[rows, at]).to(points)[..., None]
    total = both.sum(1).clamp(min=1)
    there, here = (torch.where(both > 0, points[rows, frame], 0) for frame in (source, at))
    old, new = there.sum(1) / total, here.sum(1) / total
    spread = [((x - m[:, None]) * both).square().sum((1, 2)).sqrt() for x, m in ((there, old), (here, new))]
    known = (spread[0] > 1e-9) & (spread[1] > 1e-9)
    growth = torch.where(known, spread[1] / spread[0].clamp(min=1e-9), 1).clamp(1 / LARGEST_GROWTH, LARGEST_GROWTH)
    return new + growth[:, None] * (points[rows, source, joint] - old)


def _on_body(points: Tensor, ever: Tensor) -> Tensor:
    """The joints of SMPL-22 (C, T, 22, 2) that no frame saw, ``~ever`` (C, 22), on the standing body that fits."""
    body, trunk = standing_body(points.device)
    body = body.to(points)
    weight = (ever & trunk).to(points)
    weight = torch.where(weight.sum(1, keepdim=True) >= 2, weight, ever.to(points))
    rows = torch.cat([torch.ones_like(body[:, :1]), body], dim=1)  # image = middle + left x + up y
    damping = torch.diag(rows.new_tensor([1e-6, *DAMPING])) * weight.sum(1).clamp(min=1)[:, None, None]
    # Columns of mean 0, so that damping does not move the body.
    mean = (weight @ body) / weight.sum(1, keepdim=True).clamp(min=1)
    rows = rows - torch.cat([torch.zeros_like(mean[:, :1]), mean], dim=1)[:, None]
    normal = rows.mT @ (rows * weight[..., None]) + damping
    own = torch.where(ever[:, None, :, None], points, 0)
    pull = torch.einsum("cjk,cj,ctja->ctka", rows, weight, own)
    fitted = rows[:, None] @ torch.linalg.solve(normal[:, None].double(), pull.double()).to(points)
    filled = list(own.unbind(2))
    for j, parent in enumerate(SMPL22.parents):
        if parent >= 0:
            place = filled[parent] + fitted[:, :, j] - fitted[:, :, parent]
            if SMPL22.joints[j].endswith("foot"):
                place = filled[parent] + SHIN_TO_FOOT * (filled[parent] - filled[SMPL22.parents[parent]])
        else:
            place = fitted[:, :, j]
        filled[j] = torch.where(ever[:, None, j, None], filled[j], place)
    return torch.stack(filled, dim=2)


@cache
def standing_body(device: torch.device) -> tuple[Tensor, Tensor]:
    """The standing body, (22, 2) metres to its left and down, and which of its joints keep their places, (22,) bool."""
    places, trunk = [], []
    for joint in SMPL22.joints:
        side, _, name = joint.rpartition("_") if joint.startswith(("left", "right")) else ("", "", joint)
        x, y = STANDING[name]
        places.append((-x if side == "right" else x, -y))
        trunk.append(name not in LIMBS)
    return torch.tensor(places, device=device), torch.tensor(trunk, device=device)
