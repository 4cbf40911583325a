"""Refining a camera and a person's path while a motion is found: least squares of the reprojection error.

A camera that is given in a teacher's frame, or estimated from its joints by PnP, is off by what the teacher gets wrong
in its first frames: heading, origin, floor.  A prior's own prediction of the motion stands in its canonical frame by
construction, so the camera that sees it at the keypoints is the better one; no truth is needed.

Moving joints onto their rays corrects where they are across the view, never how far away.  But a prior knows how large
people are, so the size at which each frame was seen tells its depth.
"""

from __future__ import annotations

import roma
import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage

#: Damping of a step, in mean squared metres per squared radian (pitch, yaw, roll) and per squared metre along the
#: camera's axes.
RIDGE = (5.0, 0.3, 5.0, 0.01, 0.01, 0.01)
FIXED = 100.0  # per squared radian or metre: what is known beforehand hardly moves
NEAR = 0.5  # metres; joints predicted nearer do not count, as eq. 1's tau says
BELOW = 0.7  # share of the diffusion steps, from the clean end, in which predictions say enough about the camera


def refine(joints: Tensor, seen: Footage, steps: int = 2, ridge: tuple[float, ...] = RIDGE) -> Camera:
    """The camera moved so that it sees ``joints`` nearer to the keypoints.

    Gauss-Newton on the image error, weighted by a depth that each step holds fixed, as in eq. 1:
    ``X_c.z (pi(X_c) - k)``, in metres, not larger for near joints than for far.  A fit to the rays,
    ``X_c.xy - k X_c.z`` with a depth that moves as well, would bring the camera too near: a prediction is a mean of
    what may be true and varies less than what was seen.

    Args:
        joints: (B, T, J, 3) metres, as predicted, in the frame that the camera is wanted in.
        seen: the keypoints, their confidence (the joints' weights), and the cameras (B,) to begin with.
        steps: Gauss-Newton steps.
        ridge: damping of rotation about the world's x, y and z (per squared radian) and of translation along the
            camera's (per squared metre), see :func:`ridge`.

    Returns:
        Cameras of batch (B,).  No gradient flows.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    with torch.no_grad():
        camera, weight = seen.camera, seen.weight.to(joints).flatten(1)
        points, keypoints = joints.flatten(1, 2), seen.keypoints.flatten(1, 2)
        damping = torch.diag(torch.tensor(ridge)).to(points)
        for _ in range(steps):
            camera = _step(camera, points, keypoints, weight, damping)
    return camera


def ridge(known_distance: bool = False, known_up: bool = False) -> tuple[float, ...]:
    """Damping for :func:`refine`; people of known size tell how far away the camera is, a known floor how it tilts."""
    pitch, yaw, roll, x, y, distance = RIDGE
    if known_up:
        pitch, roll = FIXED, FIXED
    return pitch, yaw, roll, x, y, FIXED if known_distance else distance


def select_cameras(chosen: Tensor, first: Camera, second: Camera) -> Camera:
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
    # Unlike ``solve``, which would wait for an accelerator to say whether the system is singular; damped, it is not.
    step = -torch.linalg.solve_ex(normal, weighted.mT @ residual.flatten(1, 2)[..., None])[0][..., 0]
    rotation = camera.rotation @ roma.rotvec_to_rotmat(step[:, :3])
    return Camera(rotation, camera.translation + step[:, 3:], validate=False)
