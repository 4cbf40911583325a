"""How people hold themselves: angles of joints, lean, stance and speeds of the frames in which they stand or walk.

Joints are (..., T, 22, 3) of SMPL-22 in metres with Y up.  Angles are in degrees; a straight limb has 180.  Sides are
(left, right).  Every frame is measured on its own; :func:`distributions` leaves out those past a clip's end.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.evaluation.pose import check_clips
from videomdm.features import hold_last
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import body_height, facing

_J = SMPL22.index
_SIDES = ("left_", "right_")
STILL = 0.15  # m/s: a root or an ankle that is slower stands
WALKING = (0.5, 1.8)  # m/s of the root, forward
UPRIGHT = 0.8  # of the leg's length: hips that are lower above the ankles sit, squat or kneel
CALM = 30.0  # degrees: a trunk that leans more bends over

#: Quantiles of a distribution that :func:`distributions` gives.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Where a bone's length is read, as a share of the leg (hip to ankle).
PROPORTIONS = {
    "thigh": (("left_hip", "left_knee"), ("right_hip", "right_knee")),
    "shin": (("left_knee", "left_ankle"), ("right_knee", "right_ankle")),
    "foot": (("left_ankle", "left_foot"), ("right_ankle", "right_foot")),
    "upper arm": (("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow")),
    "forearm": (("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")),
    "trunk": (("pelvis", "neck"),),
    "head": (("neck", "head"),),
    "hips": (("left_hip", "right_hip"),),
    "shoulders": (("left_shoulder", "right_shoulder"),),
}


def _both(joints: Tensor, name: str) -> Tensor:
    return joints[..., [_J(side + name) for side in _SIDES], :]


def _interior(a: Tensor, b: Tensor) -> Tensor:
    """Angle (...) in degrees between vectors (..., 3)."""
    cross, dot = torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1)
    return torch.atan2(cross, dot).rad2deg()


def _pitch(vector: Tensor, forward: Tensor) -> Tensor:
    """How far ``vector`` (..., 3) leans from straight up towards ``forward`` (..., 3), degrees."""
    return torch.atan2((vector * forward).sum(-1), vector[..., 1]).rad2deg()


def _forward(joints: Tensor) -> Tensor:
    """The horizontal direction (..., 3) in which bodies face."""
    x, z = facing(joints, SMPL22).to(joints.dtype).unbind(-1)
    return torch.stack([x, torch.zeros_like(x), z], -1)


def angles(joints: Tensor) -> dict[str, Tensor]:
    """Angles of each frame, degrees: (..., T, 2) for limbs, (..., T) for the trunk.

    ``knee``, ``hip`` (trunk and thigh), ``ankle`` (shin and foot), ``elbow``, ``spine`` (pelvis, spine2, neck) and
    ``head`` (spine3, neck, head) are interior angles; ``arm`` is between upper arm and trunk, 0 when it hangs;
    ``lean`` is the trunk's from upright, ``thigh`` the thigh's, both forward in the direction the body faces.
    """
    forward = _forward(joints)
    trunk = joints[..., _J("neck"), :] - joints[..., 0, :]
    hip, knee, ankle, foot = (_both(joints, name) for name in ("hip", "knee", "ankle", "foot"))
    shoulder, elbow, wrist = (_both(joints, name) for name in ("shoulder", "elbow", "wrist"))
    spine2, spine3, neck, head = (joints[..., _J(name), :] for name in ("spine2", "spine3", "neck", "head"))
    sides = trunk[..., None, :]
    return {
        "knee": _interior(hip - knee, ankle - knee),
        "hip": _interior(sides, knee - hip),
        "ankle": _interior(knee - ankle, foot - ankle),
        "elbow": _interior(shoulder - elbow, wrist - elbow),
        "arm": _interior(-sides, elbow - shoulder),
        "spine": _interior(joints[..., 0, :] - spine2, neck - spine2),
        "head": _interior(spine3 - neck, head - neck),
        "lean": _pitch(trunk, forward),
        "thigh": _pitch(hip - knee, -forward[..., None, :]),
    }


def speeds(joints: Tensor, fps: float = FPS) -> dict[str, Tensor]:
    """Speeds of each frame, m/s: of the root on the floor (..., T), of ankles (..., T, 2), of wrists against it."""
    root = joints[..., :1, :]

    def speed(points: Tensor) -> Tensor:
        return torch.gradient(points, dim=-3)[0].norm(dim=-1) * fps

    ground = joints.new_tensor([1.0, 0.0, 1.0])
    return {
        "root": speed(root * ground)[..., 0],
        "ankle": speed(_both(joints, "ankle")),
        "wrist": speed(_both(joints, "wrist") - root),
    }


def standing(joints: Tensor, fps: float = FPS) -> Tensor:
    """Frames (..., T) in which a person stands.

    Root and ankles are still, the ankles within 6 cm of one height, hips high, the trunk within 30 degrees of upright.
    """
    moved = speeds(joints, fps)
    still = (moved["root"] < STILL) & (moved["ankle"] < STILL).all(-1)
    return still & _upright(joints) & _level(joints)


def walking(joints: Tensor, fps: float = FPS) -> Tensor:
    """Frames (..., T) in which a person walks forward at 0.5 to 1.8 m/s, hips high, the trunk within 30 degrees."""
    velocity = torch.gradient(joints[..., 0, :], dim=-2)[0] * fps
    ahead = (velocity * _forward(joints)).sum(-1)
    planted = speeds(joints, fps)["ankle"].amin(-1) < 0.5 * WALKING[1]
    return (ahead > WALKING[0]) & (ahead < WALKING[1]) & planted & _upright(joints)


def _upright(joints: Tensor) -> Tensor:
    return _high(joints) & (angles(joints)["lean"].abs() < CALM)


def _high(joints: Tensor) -> Tensor:
    """Frames (..., T) in which the hips are high above the lower ankle."""
    hip, knee, ankle = (_both(joints, name) for name in ("hip", "knee", "ankle"))
    leg = (hip - knee).norm(dim=-1) + (knee - ankle).norm(dim=-1)
    return hip[..., 1].mean(-1) - ankle[..., 1].amin(-1) > UPRIGHT * leg.mean(-1)


def _level(joints: Tensor) -> Tensor:
    ankle = _both(joints, "ankle")[..., 1]
    return (ankle[..., 0] - ankle[..., 1]).abs() < 0.06


def proportions(joints: Tensor) -> dict[str, Tensor]:
    """Lengths (..., T) of :data:`PROPORTIONS`, the mean of both sides, as shares of the leg from hip to ankle."""

    def length(pairs: tuple[tuple[str, str], ...]) -> Tensor:
        ends = [(joints[..., _J(a), :] - joints[..., _J(b), :]).norm(dim=-1) for a, b in pairs]
        return torch.stack(ends).mean(0)

    leg = length(PROPORTIONS["thigh"]) + length(PROPORTIONS["shin"])
    return {name: length(pairs) / leg for name, pairs in PROPORTIONS.items()}


def symmetry(joints: Tensor, frames: Tensor, least: int = 20) -> dict[str, Tensor]:
    """How limbs take turns in a gait: correlations of their forward pitch, per clip (N,).

    ``legs`` is of left and right thigh, -1 where they mirror each other half a cycle apart; ``arms`` of left and right
    upper arm; ``crossed`` of an arm with the leg of the other side, 1 where they swing together.

    Args:
        joints: (N, T, 22, 3).
        frames: (N, T) which frames count; clips with fewer than ``least`` of them are NaN.
    """
    forward = _forward(joints)[..., None, :]
    thighs = _pitch(_both(joints, "hip") - _both(joints, "knee"), -forward)
    arms = _pitch(_both(joints, "shoulder") - _both(joints, "elbow"), -forward)
    weight = frames.to(joints.dtype) / frames.sum(1, keepdim=True).clamp(min=1)

    def correlation(a: Tensor, b: Tensor) -> Tensor:
        a, b = (x - (weight * x).sum(1, keepdim=True) for x in (a, b))
        spread = (weight * a**2).sum(1) * (weight * b**2).sum(1)
        found = (weight * a * b).sum(1) / spread.clamp(min=1e-6).sqrt()
        return found.masked_fill(frames.sum(1) < least, torch.nan)

    crossed = torch.stack([correlation(arms[..., 0], thighs[..., 1]), correlation(arms[..., 1], thighs[..., 0])])
    return {
        "legs": correlation(*thighs.unbind(-1)),
        "arms": correlation(*arms.unbind(-1)),
        "crossed": crossed.mean(0),
    }


def distributions(
    joints: Tensor, lengths: Tensor, fps: float = FPS
) -> dict[str, dict[str, dict[str, list[float] | float]]]:
    """Quantiles (:data:`QUANTILES`) of all measures over frames that stand, walk, and over all.

    Args:
        joints: (N, T, 22, 3) metres, Y up.
        lengths: (N,) frames.
    Returns:
        ``"standing"``, ``"walking"``, ``"all"`` -> ``"angles"`` (degrees), ``"speeds"`` (m/s) and ``"frames"``;
        ``"walking"`` also ``"symmetry"``; ``"bodies"`` -> ``"proportions"``.  Measures without a frame are left out.
    Raises:
        ValueError: joints or lengths are no clips.
    """
    _, valid = check_clips(joints, lengths, "joints", least=2)
    joints = hold_last(joints, lengths)
    states = {"standing": standing(joints, fps) & valid, "walking": walking(joints, fps) & valid, "all": valid}
    measures = {"angles": angles(joints), "speeds": speeds(joints, fps)}
    found: dict[str, dict] = {
        state: {"frames": int(frames.sum())}
        | {
            kind: {name: _quantiles(x[frames]) for name, x in values.items()}
            for kind, values in measures.items()
            if frames.any()
        }
        for state, frames in states.items()
    }
    pairs = symmetry(joints, states["walking"])
    if (~pairs["legs"].isnan()).any():
        found["walking"]["symmetry"] = {name: _quantiles(x[~x.isnan()]) for name, x in pairs.items()}
    found["bodies"] = {"proportions": {name: _quantiles(x[:, 0]) for name, x in proportions(joints).items()}}
    return found


def steadiness(joints: Tensor, fps: float = FPS, seconds: float = 2.0) -> dict[str, float]:
    """How much a person (T, 22, 3) changes over a recording, from pieces of a few ``seconds``; without the truth.

    Returns:
        ``size`` (m), the median over pieces of the bones from ankle to head, end to end; ``size_change`` (%), between
        the largest and the smallest piece; ``lean`` (degrees), the median tilt of the trunk from upright where hips are
        high, and ``lean_change``, between the pieces that lean most and least.  NaN where nobody is upright.

    Raises:
        ValueError: a recording shorter than a piece.
    """
    frames = round(seconds * fps)
    pieces = joints[: len(joints) // frames * frames].unflatten(0, (-1, frames))
    if not len(pieces):
        raise ValueError(f"{len(joints)} frames, expected at least {frames}, a piece of {seconds:g} s")
    lengths = torch.full((len(pieces),), frames)
    sizes = torch.stack([body_height(x, lengths) for x in (pieces, pieces[..., SMPL22.mirrored, :])]).mean(0)
    trunk = pieces[..., _J("neck"), :] - pieces[..., 0, :]
    up = torch.zeros_like(trunk) + trunk.new_tensor([0.0, 1.0, 0.0])
    leans = _interior(trunk, up).masked_fill(~_high(pieces), torch.nan).nanmedian(1).values
    leans = leans[~leans.isnan()]
    return {
        "size": float(sizes.median()),
        "size_change": float(100 * (sizes.max() - sizes.min()) / sizes.median()),
        "lean": float(leans.median()) if len(leans) else torch.nan,
        "lean_change": float(leans.max() - leans.min()) if len(leans) else torch.nan,
    }


def _quantiles(values: Tensor) -> list[float]:
    """Of values of any shape; numpy's, as torch's refuses more than 16 million."""
    return np.quantile(values.double().numpy(), QUANTILES).round(4).tolist()
