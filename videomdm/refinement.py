"""Refining a camera and a person's path while a motion is found: least squares of the reprojection error.

A camera that is told in a teacher's frame, or estimated from its joints by PnP, is off by what the teacher gets wrong
in its first frames: heading, origin, floor.  A prior's own prediction of the motion stands in its canonical frame by
construction, so the camera that sees it at the keypoints is the better one; no truth is needed.

Moving joints onto their rays corrects where they are across the view, never how far away.  But a prior knows how large
people are, so the size at which each frame was seen tells its depth.
"""

from __future__ import annotations

import roma
import torch
from torch import Tensor

from videomdm.cameras import Camera

# Damping of a step, in mean squared metres per squared radian (pitch, yaw, roll) and per squared metre along the
# camera's axes; and where its distance is known.
RIDGE = (5.0, 0.3, 5.0, 0.01, 0.01, 0.01)
KNOWN_DISTANCE = (*RIDGE[:5], 100.0)
# What holds a frame's shift back, in mean squared metres per squared metre: of the shift, and of its second difference,
# at 20 frames per second.
STAY, SMOOTH = 0.003, 100.0
NEAR = 0.5  # metres; joints predicted nearer do not count, as eq. 1's tau says
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

    Gauss-Newton on the image error, weighted by a depth that each step holds fixed, as in eq. 1:
    ``X_c.z (pi(X_c) - k)``, in metres, not larger for near joints than for far.  A fit to the rays,
    ``X_c.xy - k X_c.z`` with a depth that moves as well, would bring the camera too near: a prediction is a mean of
    what may be true and varies less than what was seen.

    Args:
        camera: batch (B,).
        joints: (B, T, J, 3) metres, as predicted, in the frame that the camera is to be told in.
        keypoints: (B, T, J, 2) normalised image coordinates.
        lengths: (B,) frames that count.
        confidence: (B, T, J) weights of the joints, all alike by default.
        steps: Gauss-Newton steps.
        ridge: damping of rotation about the world's x, y and z (per squared radian) and of translation along the
            camera's (per squared metre).  :data:`KNOWN_DISTANCE` keeps the camera where somebody's true size put it.

    Returns:
        Cameras of batch (B,).  No gradient flows.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    with torch.no_grad():
        valid = torch.arange(joints.shape[1], device=joints.device) < lengths[:, None]
        weight = valid[..., None].expand(joints.shape[:-1]).to(joints)
        weight = (weight if confidence is None else weight * confidence).flatten(1)
        points, seen = joints.flatten(1, 2), keypoints.flatten(1, 2)
        damping = torch.diag(torch.tensor(ridge)).to(points)
        for _ in range(steps):
            camera = _step(camera, points, seen, weight, damping)
    return camera


def ridge(known_distance: bool) -> tuple[float, ...]:
    """Damping for :func:`refine`; people of known size tell how far away the camera is."""
    return KNOWN_DISTANCE if known_distance else RIDGE


def place(
    joints: Tensor,
    camera: Camera,
    keypoints: Tensor,
    lengths: Tensor,
    confidence: Tensor | None = None,
    stay: float = STAY,
    smooth: float = SMOOTH,
) -> Tensor:
    """Every frame shifted to where its joints are seen nearest to ``keypoints`` (ours).

    With residuals ``r = X_c.xy - k X_c.z``, the distances from the rays, linear in the shifts ``d_t`` (in camera
    axes), a clip's shifts minimise
    ``sum_t mean_j c_tj |r_tj(d_t)|^2 + stay |d_t|^2 + smooth |d_{t-1} - 2 d_t + d_{t+1}|^2``: one linear system per
    clip.  A drift is taken back, and no new jitter comes in.  That a fit to the rays is unbiased for noisy poses only
    matters little here: lifting has put the predictions on their rays in every step before.

    Args:
        joints: (B, T, J, 3) metres, as predicted, in the camera's world.
        camera: batch (B,).
        keypoints: (B, T, J, 2) normalised image coordinates.
        lengths: (B,) frames that count.
        confidence: (B, T, J) weights ``c`` of the joints, all 1 by default; frames that nobody saw go with the others.
        stay, smooth: damping per squared metre.

    Returns:
        (B, T, J, 3), poses unchanged.  No gradient flows.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    B, T, J, _ = joints.shape
    with torch.no_grad():
        valid = (torch.arange(T, device=joints.device) < lengths[:, None]).to(joints)
        weight = valid[..., None].expand(B, T, J) / J
        weight = weight if confidence is None else weight * confidence
        inside = camera.to_camera(joints)
        residual = inside[..., :2] - keypoints * inside[..., 2:]
        eye = torch.eye(3).to(joints)
        slope = torch.cat((eye[:2, :2].expand(B, T, J, 2, 2), -keypoints[..., None]), -1)  # d r / d d_t
        normal = torch.einsum("btj,btjax,btjay->bxyt", weight, slope, slope)
        pull = -torch.einsum("btj,btjax,btja->btx", weight, slope, residual)
        bend = torch.eye(T).to(joints).diff(n=2, dim=0) * valid[:, 2:, None]  # (B, T-2, T): second differences
        damping = stay * torch.eye(T).to(joints) + smooth * bend.mT @ bend
        system = torch.diag_embed(normal) + eye[:, :, None, None] * damping[:, None, None]  # (B, 3, 3, T, T)
        # In double precision: the system is stiff, as a bend is held 10^5 times as hard as size holds depth.
        system = system.permute(0, 3, 1, 4, 2).reshape(B, 3 * T, 3 * T).double()
        shift = torch.cholesky_solve(pull.reshape(B, 3 * T, 1).double(), torch.linalg.cholesky(system))
        return camera.to_world(inside + shift.reshape(B, T, 1, 3).to(inside))


def where(chosen: Tensor, first: Camera, second: Camera) -> Camera:
    """Cameras (B,) from ``first`` where ``chosen`` (B,) is set, else from ``second``."""
    rotation = torch.where(chosen[:, None, None], first.rotation, second.rotation)
    return Camera(rotation, torch.where(chosen[:, None], first.translation, second.translation), validate=False)


def _step(camera: Camera, points: Tensor, seen: Tensor, weight: Tensor, damping: Tensor) -> Camera:
    """One step for points (B, N, 3) seen at (B, N, 2) with weights (B, N)."""
    inside = camera.to_camera(points)
    depth = inside[..., 2:]
    residual, image = inside[..., :2] - seen * depth, inside[..., :2] / depth.clamp(min=NEAR)
    weight = weight * (depth[..., 0] > NEAR)
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-6)
    # d X_c / d (turn about the world's axes, shift along the camera's) = [R (e_k x X), e_k]
    eye = torch.eye(3).to(points).expand(*points.shape, 3)
    turned = torch.linalg.cross(eye, points[..., None, :].expand_as(eye), dim=-1).mT
    slope = torch.cat((camera.rotation[:, None] @ turned, eye), -1)  # (B, N, 3, 6)
    slope = slope[..., :2, :] - image[..., None] * slope[..., 2:, :]  # that of the image point, times depth
    weighted = (slope * weight[..., None, None]).flatten(1, 2)
    normal = weighted.mT @ slope.flatten(1, 2) + damping
    step = -torch.linalg.solve(normal, (weighted.mT @ residual.flatten(1, 2)[..., None]))[..., 0]
    rotation = camera.rotation @ roma.rotvec_to_rotmat(step[:, :3])
    return Camera(rotation, camera.translation + step[:, 3:], validate=False)
