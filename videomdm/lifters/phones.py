"""People as telephones film them and detectors report them, for training a lifter: cameras and keypoints' faults.

Numbers are of what such footage looks like, not fitted to any recording.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from videomdm import cameras
from videomdm.cameras.camera import Camera
from videomdm.cameras.keypoints import smooth
from videomdm.cameras.unseen import fill_unseen
from videomdm.data.recordings.rendering import landmarks
from videomdm.skeletons.definitions import HALPE26, SMPL22
from videomdm.skeletons.kinematics import body_axes
from videomdm.skeletons.layouts import convert

# ---- cameras ---------------------------------------------------------------------------------------------

FIELD_OF_VIEW = (40.0, 85.0)  # degrees across the diagonal
FILLED = (0.3, 1.0)  # share of the picture that a person, or where they go, takes up
UPRIGHT, ACROSS = 16 / math.hypot(16, 9), 9 / math.hypot(16, 9)  # a picture's height over its diagonal
USUAL, OVERHEAD = (-15.0, 30.0), (-35.0, 80.0)  # degrees of elevation: of most cameras, of a fifth of them
RARE = 0.2
ROLL = 3.0  # degrees, standard deviation of a camera held askew
CLOSEST = 0.7  # metres of depth that every joint has at least


def cameras_of(joints: Tensor, generator: torch.Generator) -> Camera:
    """A camera for each window (B, T, J, 3) that has the person in its picture, from anywhere, at any size.

    Upright or across, at any field of view of ``FIELD_OF_VIEW``, so near that what is filmed fills
    ``FILLED`` of the picture's height, and every joint is at least ``CLOSEST`` in front of it.
    """
    size = len(joints)
    draw = torch.rand(6, size, generator=generator).to(joints)
    low, high = (torch.where(draw[0] < RARE, o, u) for o, u in zip(OVERHEAD, USUAL, strict=True))
    elevation = torch.deg2rad(low + (high - low) * draw[1])
    azimuth = 2 * math.pi * draw[2]
    middle = (joints.amax((1, 2)) + joints.amin((1, 2))) / 2
    radius = (joints - middle[:, None, None]).norm(dim=-1).amax((1, 2))
    half = torch.deg2rad(FIELD_OF_VIEW[0] + (FIELD_OF_VIEW[1] - FIELD_OF_VIEW[0]) * draw[3]) / 2
    height = torch.where(draw[4] < 0.5, UPRIGHT, ACROSS) * half.tan()
    distance = radius / (height * (FILLED[0] + (FILLED[1] - FILLED[0]) * draw[5]))
    distance = torch.maximum(distance, radius + CLOSEST)
    camera = cameras.orbit(azimuth, elevation, middle, distance)
    roll = torch.deg2rad(ROLL * torch.randn(size, generator=generator)).to(joints)
    c, s, o = roll.cos(), roll.sin(), torch.zeros_like(roll)
    turn = torch.stack([c, -s, o, s, c, o, o, o, o + 1], dim=-1).unflatten(-1, (3, 3))
    return Camera(turn @ camera.rotation, (turn @ camera.translation[..., None])[..., 0])


# ---- a detector ------------------------------------------------------------------------------------------

SHIFT = 0.012  # metres, standard deviation of where a detector sees a landmark in the body, constant in a clip
NOISE = (0.0, 0.03)  # metres at the person, range of a clip's standard deviation
KNOTS = 4  # frames over which most of the noise is one and the same
HIDDEN = 3.0  # times the noise of a joint that something hides
HIDDEN_CONFIDENCE = (0.05, 0.6)
PARTS = {
    "left arm": ("left_elbow", "left_wrist"), "right arm": ("right_elbow", "right_wrist"),
    "left leg": ("left_knee", "left_ankle", "left_big_toe", "left_small_toe", "left_heel"),
    "right leg": ("right_knee", "right_ankle", "right_big_toe", "right_small_toe", "right_heel"),
    "feet": tuple(f"{s}_{j}" for s in ("left", "right") for j in ("big_toe", "small_toe", "heel")),
    "shins": tuple(f"{s}_{j}" for s in ("left", "right") for j in ("ankle", "big_toe", "small_toe", "heel")),
    "legs": tuple(f"{s}_{j}" for s in ("left", "right") for j in ("knee", "ankle", "big_toe", "small_toe", "heel")),
    "face": ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "head"),
}  # fmt: skip
#: Share of the clips in which a part is hidden for a while (a detector guesses, unsure of it), and in which it is not
#: reported for a while, or never.
HIDDEN_FOR_A_WHILE = {"left arm": 0.2, "right arm": 0.2, "left leg": 0.12, "right leg": 0.12}
LOST_FOR_A_WHILE = {"left arm": 0.05, "right arm": 0.05, "left leg": 0.04, "right leg": 0.04, "feet": 0.05}
NEVER = {"feet": 0.08, "shins": 0.04, "legs": 0.05, "face": 0.02, "left arm": 0.015, "right arm": 0.015}
LOST = 0.02  # share of single landmarks that are not reported
SWAPPED = 0.04  # share of the clips in which the legs, and as many in which the arms, are exchanged for some frames
SWAPPED_FRAMES = 4
_SIDED = {"arms": ("shoulder", "elbow", "wrist"), "legs": ("hip", "knee", "ankle", "big_toe", "small_toe", "heel")}


def report(joints: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a detector of landmarks reports of people in camera axes, in SMPL's joints.

    :func:`videomdm.data.recordings.rendering.landmarks`, each shifted in the body, with noise that changes
    slowly and is of the person's size in the picture, parts that are hidden, that leave the picture or are never seen,
    and exchanged sides; then smoothed, half of the clips, as videos' keypoints are, and converted.

    Args:
        joints: (B, T, 22, 3) camera axes, metres.
        generator: source of all randomness.

    Returns:
        Keypoints (B, T, 22, 2), what was not seen filled in as for lifting, and confidence (B, T, 22).
    """
    size, frames = joints.shape[:2]

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return (low + (high - low) * torch.rand(shape, generator=generator)).to(joints)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(joints)

    points = landmarks(joints)
    shift = SHIFT * normal(size, len(HALPE26), 3)
    points = points + torch.einsum("btij,bkj->btki", body_axes(joints, SMPL22), shift)
    depth = points[..., 2:].clamp(min=cameras.MIN_DEPTH)
    seen = points[..., :2] / depth

    hidden = _parts(HIDDEN_FOR_A_WHILE, frames, size, generator)
    lost = _parts(LOST_FOR_A_WHILE, frames, size, generator) | (uniform(size, frames, len(HALPE26)) < LOST)
    lost = lost | _parts(NEVER, None, size, generator)
    low, high = HIDDEN_CONFIDENCE
    confidence = torch.where(hidden, uniform(size, frames, len(HALPE26), low=low, high=high),
                             1 - uniform(size, 1, len(HALPE26), high=0.3))  # fmt: skip
    knots = normal(size, 2 * len(HALPE26), frames // KNOTS + 2)
    slow = interpolate(knots, size=frames + KNOTS, mode="linear", align_corners=True)[..., :frames]
    slow = slow.unflatten(1, (len(HALPE26), 2)).permute(0, 3, 1, 2)
    noise = slow + 0.4 * normal(size, frames, len(HALPE26), 2)
    deviation = uniform(size, 1, 1, 1, low=NOISE[0], high=NOISE[1]) / depth.mean((1, 2, 3), keepdim=True)
    seen = seen + deviation * noise * torch.where(hidden, HIDDEN, 1.0)[..., None]
    seen = _swap(seen, generator)
    smoothed = uniform(size) < 0.5
    seen = torch.where(smoothed[:, None, None, None], smooth(seen), seen)
    keypoints, confidence = convert(seen, confidence.masked_fill(lost, 0.0), HALPE26, SMPL22)
    return fill_unseen(keypoints, confidence, SMPL22), confidence


def _parts(shares: dict[str, float], frames: int | None, size: int, generator: torch.Generator) -> Tensor:
    """(size, frames, 26) bool: parts of the body in a share of the clips, for a while; in all of it without frames."""
    found = torch.zeros(size, frames or 1, len(HALPE26), dtype=torch.bool)
    for part, share in shares.items():
        chosen, start, length = torch.rand(3, size, 1, generator=generator)
        inside = chosen < share
        if frames is not None:
            at = torch.arange(frames) / frames
            inside = inside & (at >= start - 0.3) & (at <= start - 0.3 + 0.1 + length)
        columns = [HALPE26.index(joint) for joint in PARTS[part]]
        found[..., columns] |= inside[..., None]
    return found


def _swap(points: Tensor, generator: torch.Generator) -> Tensor:
    """Left and right arms, or legs, of (B, T, 26, 2) exchanged for a few frames of a few clips."""
    size, frames = points.shape[:2]
    for names in _SIDED.values():
        chosen, start = torch.rand(2, size, 1, generator=generator)
        first = start * frames
        at = torch.arange(frames)
        inside = (chosen < SWAPPED) & (at >= first) & (at < first + SWAPPED_FRAMES)
        left, right = ([HALPE26.index(f"{side}_{name}") for name in names] for side in ("left", "right"))
        order = torch.arange(len(HALPE26))
        order[left], order[right] = torch.tensor(right), torch.tensor(left)
        points = torch.where(inside[..., None, None], points[:, :, order], points)
    return points
