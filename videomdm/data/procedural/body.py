"""Bodies and the rig: from control curves to joints by forward kinematics and two-bone inverse kinematics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22

_J = SMPL22.index
HANGING = torch.tensor([0.13, -0.94, 0.06])  # a wrist at rest, in the units of Pose.hands
STRAIGHT = 0.9995  # of a leg's length: hip and ankle are never farther apart, so that knees bend one way
_FLIP = torch.tensor([1.0, -1.0])  # x of left and right

# Offset of each left or middle joint from its parent in the rest pose (a T facing +Z): near SMPL's mean.
_REST = {
    "hip": (0.062, -0.082, -0.010), "knee": (0.010, -0.388, 0.0), "ankle": (0.0, -0.425, 0.0),
    "foot": (0.018, -0.062, 0.125), "spine1": (0.0, 0.122, -0.028), "spine2": (0.0, 0.137, 0.004),
    "spine3": (0.0, 0.056, 0.012), "neck": (0.0, 0.216, -0.032), "head": (0.0, 0.088, 0.048),
    "collar": (0.075, 0.118, -0.022), "shoulder": (0.116, 0.046, -0.014), "elbow": (0.258, 0.0, 0.0),
    "wrist": (0.262, 0.0, 0.0),
}  # fmt: skip
_SIDES = {"left_": 1.0, "right_": -1.0}  # and the sign of x
_LEG, _ARM = ("hip", "knee", "ankle", "foot"), ("elbow", "wrist")
_TORSO = ("spine1", "spine2", "spine3", "neck", "head")

#: Leg length against torso length, relative to the mean body.  The families' ranges do not overlap; the
#: teacher's lie on both sides of the prior's, so that a lifter trained on them interpolates.
LEG_RATIO = {"prior": ((0.965, 1.035),), "teacher": ((0.84, 0.955), (1.045, 1.18))}
_BODY_HEIGHT = {"prior": (0.92, 1.08), "teacher": (0.86, 1.14)}


def draw_bodies(n: int, family: str, generator: torch.Generator) -> Tensor:
    """Rest offsets (n, 22, 3) in metres of ``n`` symmetric bodies with proportions of ``family``."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, generator=generator)

    ranges = torch.tensor(LEG_RATIO[family])
    low, high = ranges[torch.randint(len(ranges), (n,), generator=generator)].unbind(-1)
    ratio = (low + (high - low) * torch.rand(n, generator=generator))[:, None]
    body_height, arms, shift = uniform(*_BODY_HEIGHT[family]), uniform(0.94, 1.12), uniform(-0.04, 0.04)
    width = {"hip": uniform(0.9, 1.6), "collar": uniform(0.85, 1.12), "shoulder": uniform(0.85, 1.12)}
    # Captured bodies differ in where toes and head lie: from SMPL's places to level with the ankle, above the neck.
    turned = {"foot": uniform(-0.42, -0.1), "head": uniform(-0.6, 0.0)}
    share = {"knee": 1.0 + shift, "ankle": 1.0 - 0.91 * shift, "elbow": 1.0 + shift, "wrist": 1.0 - shift}
    share["foot"] = uniform(0.85, 1.03)

    offsets = torch.zeros(n, 22, 3)
    for name, rest in _REST.items():
        scale = body_height * {**dict.fromkeys(_LEG, ratio.sqrt()), **dict.fromkeys(_ARM, arms)}.get(name, 1.0)
        if name in _TORSO:
            scale = scale / ratio.sqrt()
        scale = scale * share.get(name, 1.0)
        wide = torch.cat([width.get(name, torch.ones(n, 1)), torch.ones(n, 2)], 1)
        offset = _pitched(torch.tensor(rest) * scale * wide, turned.get(name, torch.zeros(n, 1)))
        _put(offsets, name, offset)
    return offsets


def mean_body() -> Tensor:
    """The body that all others vary, near SMPL's mean, in HumanML3D's rest pose: offsets (22, 3) in metres."""
    offsets = torch.zeros(22, 3)
    for name, rest in _REST.items():
        _put(offsets, name, torch.tensor(rest))
    directions = kinematics.rest_directions(SMPL22, offsets)
    return torch.cat([offsets[:1], offsets[1:].norm(dim=-1, keepdim=True) * directions])


def _put(offsets: Tensor, name: str, offset: Tensor) -> None:
    """Set a left or middle joint's offset (..., 3) in offsets (..., 22, 3), and its mirror image on the right."""
    for side, sign in _SIDES.items() if name not in _TORSO else (("", 1.0),):
        offsets[..., _J(side + name), :] = offset * torch.tensor([sign, 1.0, 1.0])


def _pitched(vectors: Tensor, angle: Tensor) -> Tensor:
    """Vectors (n, 3) turned about x by ``angle`` (n, 1) radians; a positive one turns forward to down."""
    x, y, z = vectors[:, :1], vectors[:, 1:2], vectors[:, 2:]
    c, s = angle.cos(), angle.sin()
    return torch.cat([x, c * y - s * z, s * y + c * z], -1)


@dataclass
class Pose:
    """Control curves of B clips over T frames; sides are (left, right).

    Attributes:
        root: (B, T, 2) x and z of the body on the floor; heading: (B, T) yaw, positive to the left.
        pelvis: (B, T, 3) pelvis against its place when standing, in the heading's frame, metres.
        tilt: (B, T, 3) pelvis pitch (forward), yaw (left), roll (right), radians, in the heading's frame.
        torso, head: (B, T, 3) the same angles of the chest against the pelvis, of the head against the chest.
        hands: (B, T, 2, 3) wrist from shoulder in the chest's frame in arm lengths: outward, up, forward.
        swivel: (B, T, 2) roll of the elbow about the line from shoulder to wrist; positive drops the elbow.
        feet: (B, T, 2, 3) place of the ankle's ground point in the world if the foot were flat; y is lift.
        pitch, yaw: (B, T, 2) of the foot: heel up (about the toes) or toes up (negative, about the heel).
        loose: (B, T, 2) 0 where a foot must reach its place, towards 1 in a swing.
        straight: (B, 1) how far hip and ankle of a planted foot may be apart, as a share of the leg's length.
    """

    root: Tensor
    heading: Tensor
    pelvis: Tensor
    tilt: Tensor
    torso: Tensor
    head: Tensor
    hands: Tensor
    swivel: Tensor
    feet: Tensor
    pitch: Tensor
    yaw: Tensor
    loose: Tensor
    straight: Tensor

    @classmethod
    def standing(cls, n: int, frames: int) -> Pose:
        """All curves zero but the hands, which hang."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(n, frames, *shape)

        hands = zeros(2, 3) + HANGING
        return cls(
            zeros(2), zeros(), zeros(3), zeros(3), zeros(3), zeros(3), hands, zeros(2), zeros(2, 3), zeros(2),
            zeros(2), zeros(2), torch.full((n, 1), STRAIGHT),
        )  # fmt: skip


def turn(vectors: Tensor, yaw: Tensor) -> Tensor:
    """Rotate (..., 3) about the vertical by ``yaw`` (...): +Z turns towards +X."""
    x, y, z = vectors.unbind(-1)
    c, s = yaw.cos(), yaw.sin()
    return torch.stack([c * x + s * z, y.expand_as(c * x), c * z - s * x], -1)


def euler(angles: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of pitch, yaw, roll (..., 3): yaw after pitch after roll."""
    (ca, cb, cc), (sa, sb, sc) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    rows = [
        cb * cc + sb * sa * sc, sb * sa * cc - cb * sc, sb * ca,
        ca * sc, ca * cc, -sa,
        cb * sa * sc - sb * cc, sb * sc + cb * sa * cc, cb * ca,
    ]  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def _apply(rotation: Tensor, offset: Tensor) -> Tensor:
    """(B, T, 3, 3) on (B, 3) or (B, T, 3) -> (B, T, 3)."""
    offset = offset[:, None] if offset.ndim == 2 else offset
    return (rotation @ offset[..., None]).squeeze(-1)


def _transport(start: Tensor, end: Tensor, vector: Tensor) -> Tensor:
    """Rotate ``vector`` (normal to ``start``) by the smallest rotation from unit ``start`` to ``end``."""
    along = (vector * end).sum(-1, keepdim=True) / (1.0 + (start * end).sum(-1, keepdim=True)).clamp(min=1e-3)
    return torch.nn.functional.normalize(vector - along * (start + end), dim=-1)


def _bend(reach: Tensor, upper: Tensor, lower: Tensor, slack: float) -> tuple[Tensor, Tensor, Tensor]:
    """Two-bone law of cosines: clamped reach, and the middle joint along and off the line to the target."""
    longest = 0.9998 * (upper + lower)
    reach = longest - slack * torch.nn.functional.softplus((longest - reach) / slack)
    reach = torch.maximum(reach, 0.3 * longest)
    along = (upper**2 + reach**2 - lower**2) / (2.0 * reach)
    return reach, along, (upper**2 - along**2).clamp(min=1e-8).sqrt()


def _foot(offsets: Tensor, pose: Pose) -> tuple[Tensor, Tensor]:
    """Ankle targets and ankle-to-toe vectors (B, T, 2, 3): the foot rolls over its toes or its heel."""
    toe = offsets[:, None, [_J("left_foot"), _J("right_foot")]]
    height = -toe[..., 1:2]
    heel = torch.cat([torch.zeros_like(height), -height, -0.5 * height], -1)

    def roll(vector: Tensor, pitch: Tensor) -> Tensor:
        c, s = pitch.cos(), pitch.sin()
        x, y, z = vector.expand(*pitch.shape, 3).unbind(-1)
        return torch.stack([x, c * y - s * z, s * y + c * z], -1)

    up, down = pose.pitch.clamp(min=0.0), pose.pitch.clamp(max=0.0)
    shift = (toe - roll(toe, up)) + (heel - roll(heel, down))
    ankle = pose.feet + turn(shift, pose.yaw)
    ankle[..., 1] += height[..., 0]
    return ankle, turn(roll(toe, pose.pitch), pose.yaw)


def _pelvis(offsets: Tensor, pose: Pose, rotation: Tensor, ankles: Tensor) -> Tensor:
    """Pelvis (B, T, 3): as high as asked for, but never so high that a planted foot is out of reach."""
    hips = torch.stack([_apply(rotation, offsets[:, _J(s + "_hip")]) for s in ("left", "right")], 2)
    place = turn(pose.pelvis, pose.heading)
    x, z = pose.root[..., 0] + place[..., 0], pose.root[..., 1] + place[..., 2]
    leg = offsets[:, [_J("left_knee"), _J("left_ankle")]].norm(dim=-1).sum(-1)[:, None]
    stand = leg - offsets[:, None, _J("left_foot"), 1] - offsets[:, None, _J("left_hip"), 1]

    away = (x[..., None] + hips[..., 0] - ankles[..., 0]) ** 2 + (z[..., None] + hips[..., 2] - ankles[..., 2]) ** 2
    reach = ((pose.straight * leg)[..., None] ** 2 - away).clamp(min=0.01).sqrt()
    highest = ankles[..., 1] + reach - hips[..., 1] + 0.6 * pose.loose
    heights = torch.cat([(stand + pose.pelvis[..., 1])[..., None], highest], -1)
    y = -0.003 * torch.logsumexp(-heights / 0.003, -1)
    return torch.stack([x, y, z], -1)


def _legs(offsets: Tensor, pose: Pose, hips: Tensor, ankles: Tensor) -> tuple[Tensor, Tensor]:
    """Knees and ankles (B, T, 2, 3); knees bend towards the foot's heading."""
    upper, lower = (offsets[:, None, [_J(f"left_{b}")] * 2].norm(dim=-1) for b in ("knee", "ankle"))
    line = ankles - hips
    reach = line.norm(dim=-1)
    line = line / reach[..., None]
    reach, along, off = _bend(reach, upper, lower, slack=0.001)
    forward = turn(torch.tensor([0.0, 0.0, 1.0]), pose.yaw)
    pole = _transport(torch.tensor([0.0, -1.0, 0.0]), line, forward)
    return hips + along[..., None] * line + off[..., None] * pole, hips + reach[..., None] * line


def _arms(offsets: Tensor, pose: Pose, chest: Tensor, shoulders: Tensor) -> tuple[Tensor, Tensor]:
    """Elbows and wrists (B, T, 2, 3).  At rest elbows flex forward, the more to the front the more upward."""
    upper, lower = (offsets[:, None, [_J(f"left_{b}")] * 2].norm(dim=-1) for b in ("elbow", "wrist"))
    reach = pose.hands.norm(dim=-1)
    line = pose.hands / reach[..., None]
    reach, along, off = _bend(reach * (upper + lower), upper, lower, slack=0.01)
    front = torch.nn.functional.softplus(6.0 * line[..., 2]) / 6.0
    angle = pose.swivel + 1.2 * front
    flex = torch.stack([torch.zeros_like(angle), angle.sin(), angle.cos()], -1)
    middle = torch.nn.functional.normalize(torch.tensor([0.85, -0.15, 0.5]), dim=-1)  # of where hands can go
    pole = -_transport(middle, line, _transport(torch.tensor([1.0, 0.0, 0.0]), middle, flex))

    def place(local: Tensor) -> Tensor:
        mirrored = torch.cat([local[..., :1] * _FLIP[:, None], local[..., 1:]], -1)
        return shoulders + (chest[:, :, None] @ mirrored[..., None]).squeeze(-1)

    return place(along[..., None] * line + off[..., None] * pole), place(reach[..., None] * line)


def animate(offsets: Tensor, pose: Pose) -> Tensor:
    """Joints (B, T, 22, 3) in metres of bodies with rest ``offsets`` (B, 22, 3) that follow ``pose``."""
    joints = torch.zeros(*pose.heading.shape, 22, 3)

    def put(name: str, parent: str, rotation: Tensor) -> None:
        j = _J(name)
        joints[:, :, j] = joints[:, :, _J(parent)] + _apply(rotation, offsets[:, j])

    base = euler(torch.stack([torch.zeros_like(pose.heading), pose.heading, torch.zeros_like(pose.heading)], -1))
    rotation = base @ euler(pose.tilt)
    ankles, toes = _foot(offsets, pose)
    joints[:, :, 0] = _pelvis(offsets, pose, rotation, ankles)
    put("left_hip", "pelvis", rotation)
    put("right_hip", "pelvis", rotation)
    put("spine1", "pelvis", rotation)
    third = euler(pose.torso / 3.0)
    for child, parent in (("spine2", "spine1"), ("spine3", "spine2")):
        rotation = rotation @ third
        put(child, parent, rotation)
    chest = rotation @ third
    put("neck", "spine3", chest)
    put("head", "neck", chest @ euler(pose.head))

    for side, name in enumerate(("left", "right")):
        put(f"{name}_collar", "spine3", chest)
        raised = 0.4 * torch.sigmoid(4.0 * pose.hands[:, :, side, 1] - 1.0)  # shoulders rise with the arms
        lift = torch.stack([torch.zeros_like(raised), torch.zeros_like(raised), raised * _FLIP[side]], -1)
        put(f"{name}_shoulder", f"{name}_collar", chest @ euler(lift))

    def both(joint: str) -> list[int]:
        return [_J(f"left_{joint}"), _J(f"right_{joint}")]

    joints[:, :, both("knee")], joints[:, :, both("ankle")] = _legs(offsets, pose, joints[:, :, both("hip")], ankles)
    joints[:, :, both("foot")] = joints[:, :, both("ankle")] + toes
    elbows, wrists = _arms(offsets, pose, chest, joints[:, :, both("shoulder")])
    joints[:, :, both("elbow")], joints[:, :, both("wrist")] = elbows, wrists
    return joints


_MIRROR = [SMPL22.index(n.replace("left", "@").replace("right", "left").replace("@", "right")) for n in SMPL22.joints]


def mirror(joints: Tensor) -> Tensor:
    """Swap left and right: (..., 22, 3) reflected in the plane x = 0."""
    return joints[..., _MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0])
