"""The floor under a motion, from the feet that stand on it, and motions and cameras levelled by it.

What is lifted from one uncalibrated video does not know where up is: the camera's own down is a guess, and a
camera from PnP (appendix I) inherits the lifter's errors.  Two things tell.  Feet that stand are on one plane,
and people keep their balance: over a clip the centre of mass is above the foot that stands.  The plane is well known
where somebody walks about, balance where they stay in place; :func:`estimate_floor` weighs them.

Measured on 96 built-in motions: tilted by 10 degrees, the floor is found to 3.3 degrees (walks in curves to
less than 1) and the height of standing feet, which spread over 8 cm, to 2 mm.  Lifted in the axes of cameras
of unknown pitch, up is off by 8.8 degrees before and 5.2 after, with a camera from PnP 8.3 and 6.0.  By balance
alone up is found to 1.9 degrees on validation actors of CMU and of bandai.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.conventions import FPS
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import rotation_between, unit
from videomdm.skeletons.padding import check_shape, hold_last

STANDING_SPEED = 0.25  # m/s: a foot this slow stands with weight 1/4
CONTACT_NOISE = 0.03  # metres, how far a standing foot of a lifted motion is off the floor
CONTACT_FRAMES = 10  # frames in a row whose contacts tell no more than one
REACHES = (0.5, 0.25, 0.12, 0.08, 0.08, 0.08)  # metres off the plane at which a contact stops counting, per round
PRIOR_TILT = {"balance": 5.0, "given": 1.5}  # degrees, how far the floor lies from what is believed before
RAISED = 0.1  # metres above the lowest at which a foot bears 1/e; of .05, .1, .2 the best on level validation motions
ROUNDS = 2  # of balance, each with the up of the one before
UPRIGHT = 45.0  # degrees: poses that lean more (lying, on hands and feet) say nothing about balance


@dataclass(frozen=True)
class Floor:
    """A plane for each clip.

    Attributes:
        normal: (..., 3) unit vector, up.
        point: (..., 3) metres, a point of the plane: below the root of frame 0.
        spread: (...) metres, weighted root mean square distance of the contacts that count from the plane.
        contacts: (...) how many stances count, in units of ``CONTACT_FRAMES`` frames of one foot joint.
    """

    normal: Tensor
    point: Tensor
    spread: Tensor
    contacts: Tensor

    @property
    def tilt(self) -> Tensor:
        """Degrees (...) between the plane's normal and Y."""
        return torch.rad2deg(torch.acos(self.normal[..., 1].clamp(-1, 1)))

    @property
    def rotation(self) -> Tensor:
        """The shortest rotation (..., 3, 3) that takes the normal to Y."""
        return rotation_between(self.normal, torch.zeros_like(self.normal) + _up(self.normal))


def estimate_floor(
    joints: Tensor,
    skeleton: Skeleton = SMPL22,
    lengths: Tensor | None = None,
    prior: str = "balance",
    fps: float = FPS,
    confidence: Tensor | None = None,
) -> Floor:
    """The plane on which feet stand.

    A foot joint counts by its slowness.  Plane, and the height of the ankles above it, are fitted by
    iteratively reweighted least squares (Tukey's weights, their reach shrinking from round to round) with a
    normal prior on the tilt, so a clip that says little about the plane stays with what is believed.

    Args:
        joints: (..., T, J, 3) metres, Y roughly up (within about 30 degrees).
        skeleton: the joint layout.
        lengths: (...) true numbers of frames, where clips are padded.
        prior: what is believed before the contacts are seen: ``"balance"``: up is where the centre of mass is
            above the standing foot, for motions in the axes of an uncalibrated camera; ``"given"``: up is Y, for
            motions that were levelled before.
        fps: frames per second.
        confidence: (..., T, J) of the detector that saw the person; legs that were not seen (their ankles, 0) tell
            neither of the floor nor of balance.  All were seen when None.

    Raises:
        ValueError: shapes that do not fit together, joints that are not finite, a layout without feet, an
            unknown ``prior``.
    """
    if prior not in PRIOR_TILT:
        raise ValueError(f"prior is {prior!r}, expected one of {', '.join(PRIOR_TILT)}")
    joints = _checked(joints, skeleton, lengths)
    work = joints.double() if joints.device.type != "mps" else joints
    inside = _inside(work, lengths)
    seen = _legs_seen(confidence, skeleton, inside)
    weight = standing(work, skeleton, fps) * seen
    up = balance(work, skeleton, seen.all(-1), fps) if prior == "balance" else _up(work).expand(*work.shape[:-3], 3)
    turn = rotation_between(up, torch.zeros_like(up) + _up(up))
    feet = work[..., skeleton.feet, :]
    middle = _mean(feet.flatten(-3, -2), weight.flatten(-2))
    local = (feet - middle[..., None, None, :]) @ turn[..., None, :, :].mT  # believed up is Y, feet at the origin
    plane, left, spread = _fit(local.flatten(-3, -2), weight, skeleton, PRIOR_TILT[prior])
    slope_x, slope_z, height = plane.unbind(-1)[:3]
    normal = unit(torch.stack([-slope_x, torch.ones_like(slope_x), -slope_z], dim=-1), up)
    normal = (normal[..., None, :] @ turn)[..., 0, :]  # rows times the turn: back
    on_plane = middle + (height[..., None, None] * turn[..., 1:2, :])[..., 0, :]
    root = work[..., 0, 0, :]
    point = root - ((root - on_plane) * normal).sum(-1, keepdim=True) * normal
    return Floor(*(x.to(joints.dtype) for x in (normal, point, spread, left.sum((-1, -2)) / CONTACT_FRAMES)))


def level(joints: Tensor, floor: Floor, camera: Camera | None = None) -> tuple[Tensor, Camera | None]:
    """Motions, and the cameras that see them, with the floor at y = 0 and its normal up.

    Args:
        joints: (..., T, J, 3) metres.
        floor: of these clips, batch (...).
        camera: of batch (...), in the frame of ``joints``; it sees the same image afterwards.

    Returns:
        Joints (..., T, J, 3), the root of frame 0 above the origin, and the camera in their frame.
    """
    moved = (joints - floor.point[..., None, None, :]) @ floor.rotation[..., None, :, :].mT
    return moved, None if camera is None else camera.in_frame(floor.rotation, floor.point)


def up_error(camera: Camera, true: Camera) -> Tensor:
    """Degrees (C,) between a camera's up and the true one's, both batch (C,): how far from level a world is."""
    return torch.rad2deg(torch.acos((camera.rotation[..., 1] * true.rotation[..., 1]).sum(-1).clamp(-1, 1)))


def standing(joints: Tensor, skeleton: Skeleton = SMPL22, fps: float = FPS) -> Tensor:
    """How surely each foot joint stands, (..., T, feet) in 0..1, by its speed over three frames."""
    feet = joints[..., skeleton.feet, :]
    if feet.shape[-3] < 3:
        return torch.ones_like(feet[..., 0])
    speed = (feet[..., 2:, :, :] - feet[..., :-2, :, :]).norm(dim=-1) * fps / 2
    speed = torch.cat([speed[..., :1, :], speed, speed[..., -1:, :]], dim=-2)
    return 1 / (1 + (speed / STANDING_SPEED) ** 2) ** 2


def balance(joints: Tensor, skeleton: Skeleton = SMPL22, inside: Tensor | None = None, fps: float = FPS) -> Tensor:
    """Where up is by balance: the mean direction (..., 3) from the foot that stands to the centre of mass.

    A foot stands where it is slow and no higher than the other, so that a raised leg is no support; as "higher" needs
    an up, the mean is taken ``ROUNDS`` times.  Poses that lean by more than ``UPRIGHT`` degrees do not count, nor do
    frames in which no foot stands; Y where none is left.

    Args:
        joints: (..., T, J, 3) metres.
        skeleton: the joint layout.
        inside: (..., T) bool, the frames that count.
        fps: frames per second.
    """
    middle, feet = kinematics.centre_of_mass(joints, skeleton), joints[..., skeleton.feet, :]
    slow = standing(joints, skeleton, fps)
    counts = slow.amax(-1) if inside is None else slow.amax(-1) * inside
    up = _up(joints).expand(*joints.shape[:-3], 3)
    for _ in range(ROUNDS):
        height = (feet * up[..., None, None, :]).sum(-1)
        weight = slow * torch.exp((height.amin(-1, keepdim=True) - height) / RAISED)
        direction = unit(middle - _mean(feet, weight), _up(joints))
        upright = (direction * up[..., None, :]).sum(-1) > torch.cos(torch.deg2rad(joints.new_tensor(UPRIGHT)))
        up = unit((direction * (counts * upright)[..., None]).sum(-2), _up(joints))
    return up


def _fit(points: Tensor, weight: Tensor, skeleton: Skeleton, tilt: float) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes, height and the ankles' extra height (..., 4) for points (..., T F, 3) of weight (..., T, F).

    Also the weights (..., T, F) that remained, and the contacts' spread (...) about the plane.
    """
    ankle = ["ankle" in skeleton.joints[j] for j in skeleton.feet]
    kind = points.new_tensor(ankle if not all(ankle) else [False] * len(ankle)).repeat(weight.shape[-2])
    x, y, z = points.unbind(-1)
    rows = torch.stack([x, z, torch.ones_like(x), kind.expand_as(x)], dim=-1)
    slope = torch.tan(torch.deg2rad(points.new_tensor(tilt)))
    precision = (CONTACT_NOISE**2 * CONTACT_FRAMES) / torch.stack([slope, slope, 10 * slope**0, 0.1 * slope**0]) ** 2
    target = points.new_tensor([0.0, 0.0, 0.0, 0.06])  # an ankle is some 6 cm higher than a toe, give or take 10
    plane = target + points.new_zeros(4).expand(*points.shape[:-2], 4)
    base = weight.flatten(-2)
    count = base
    for reach in REACHES:
        left = rows.mT @ (rows * count[..., None]) + precision.diag()
        right = (rows.mT @ (y * count)[..., None])[..., 0] + precision * target
        plane = torch.linalg.solve(left, right)
        residual = y - (rows @ plane[..., None])[..., 0]
        count = base * (1 - (residual / reach).square()).clamp(min=0).square()
    spread = ((count * residual.square()).sum(-1) / count.sum(-1).clamp(min=1e-9)).sqrt()
    return plane, count.unflatten(-1, weight.shape[-2:]), spread


def _up(like: Tensor) -> Tensor:
    return like.new_tensor((0.0, 1.0, 0.0))


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean (..., D) of values (..., N, D)."""
    return (values * weight[..., None]).sum(-2) / weight.sum(-1, keepdim=True).clamp(min=1e-9)


def _inside(joints: Tensor, lengths: Tensor | None) -> Tensor:
    """(..., T) bool: frames of (..., T, J, 3) before a clip's end."""
    frames = torch.arange(joints.shape[-3], device=joints.device)
    n = joints.shape[-3] if lengths is None else lengths.to(joints.device)[..., None]
    return (frames < n).expand(joints.shape[:-2])


def _legs_seen(confidence: Tensor | None, skeleton: Skeleton, inside: Tensor) -> Tensor:
    """(..., T, feet) bool: frames ``inside`` in which the ankle of each foot joint's leg was seen."""
    ankles = [skeleton.index(f"{skeleton.joints[j].partition('_')[0]}_ankle") for j in skeleton.feet]
    seen = inside[..., None].expand(*inside.shape, len(ankles))
    return seen if confidence is None else seen & (confidence[..., ankles] > 0)


def _checked(joints: Tensor, skeleton: Skeleton, lengths: Tensor | None) -> Tensor:
    check_shape(joints, skeleton)
    if not skeleton.feet:
        raise ValueError(f"skeleton {skeleton.name} names no feet, expected some to stand on the floor")
    if lengths is not None:
        joints = hold_last(joints, lengths)
    if not joints.isfinite().all():
        raise ValueError("joints are not all finite, expected metres")
    return joints
