"""Refining a camera while a motion is found: Gauss-Newton on the reprojection error.

A camera that is told in a teacher's frame, or estimated from its joints by PnP, is off by what the teacher gets wrong
in its first frames: heading, origin, floor.  A prior's own prediction of the motion stands in its canonical frame by
construction, so the camera that sees it at the keypoints is the better one; no truth is needed.
"""

from __future__ import annotations

import roma
import torch
from torch import Tensor

from videomdm.cameras import Camera

# Damping of a step, in mean squared metres per squared radian (pitch, yaw, roll) and per squared metre.
RIDGE = (5.0, 0.3, 5.0, 0.01, 0.01, 0.01)
BELOW = 0.7  # share of the diffusion steps, from the clean end, in which predictions say enough about the camera


def refine(
    camera: Camera,
    joints: Tensor,
    keypoints: Tensor,
    lengths: Tensor,
    confidence: Tensor | None = None,
    steps: int = 2,
    ridge: tuple[float, ...] = RIDGE,
) -> Camera:
    """The camera moved so that it sees ``joints`` nearer to ``keypoints``.

    The residual of a joint is the distance from its keypoint's ray in the image's axes at the joint's own depth,
    ``X_c.xy - k X_c.z``, in metres: linear in the camera's translation, and not larger for near joints than for far.

    Args:
        camera: batch (B,).
        joints: (B, T, J, 3) metres, as predicted, in the frame that the camera is to be told in.
        keypoints: (B, T, J, 2) normalised image coordinates.
        lengths: (B,) frames that count.
        confidence: (B, T, J) weights of the joints, all alike by default.
        steps: Gauss-Newton steps.
        ridge: damping of rotation about x, y and z (per squared radian) and of translation (per squared metre).

    Returns:
        Cameras of batch (B,).  No gradient flows.
    """
    with torch.no_grad():
        valid = torch.arange(joints.shape[1], device=joints.device) < lengths[:, None]
        weight = valid[..., None].expand(joints.shape[:-1]).to(joints)
        weight = (weight if confidence is None else weight * confidence).flatten(1)
        weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-6)
        points, seen = joints.flatten(1, 2), keypoints.flatten(1, 2)
        damping = torch.diag(torch.tensor(ridge)).to(points)
        for _ in range(steps):
            camera = _step(camera, points, seen, weight, damping)
    return camera


def where(chosen: Tensor, first: Camera, second: Camera) -> Camera:
    """Cameras (B,) from ``first`` where ``chosen`` (B,) is set, else from ``second``."""
    rotation = torch.where(chosen[:, None, None], first.rotation, second.rotation)
    return Camera(rotation, torch.where(chosen[:, None], first.translation, second.translation), validate=False)


def _step(camera: Camera, points: Tensor, seen: Tensor, weight: Tensor, damping: Tensor) -> Camera:
    """One step for points (B, N, 3) seen at (B, N, 2) with weights (B, N) that sum to 1."""
    R = camera.rotation[:, None]
    inside = camera.to_camera(points)
    residual = inside[..., :2] - seen * inside[..., 2:]
    # d X_c / d (turn about the world's axes, shift along them) = R [e_k x X, e_k]
    eye = torch.eye(3).to(points).expand(*points.shape, 3)
    turned = torch.linalg.cross(eye, points[..., None, :].expand_as(eye), dim=-1).mT
    slope = R @ torch.cat((turned, eye), -1)  # (B, N, 3, 6)
    slope = slope[..., :2, :] - seen[..., None] * slope[..., 2:, :]
    weighted = (slope * weight[..., None, None]).flatten(1, 2)
    normal = weighted.mT @ slope.flatten(1, 2) + damping
    step = -torch.linalg.solve(normal, (weighted.mT @ residual.flatten(1, 2)[..., None]))[..., 0]
    translation = (camera.rotation @ step[:, 3:, None])[..., 0] + camera.translation
    return Camera(camera.rotation @ roma.rotvec_to_rotmat(step[:, :3]), translation, validate=False)
