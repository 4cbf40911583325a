"""Where a person is, from the size at which they were seen, frame by frame or as a whole (ours)."""

from __future__ import annotations

import torch
from scipy.linalg import solveh_banded
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import Skeleton

# What holds a frame's shift back, in mean squared metres per squared metre: of the shift, and of its second difference,
# at 20 frames per second.
STAY, SMOOTH = 0.003, 100.0


def place(joints: Tensor, seen: Footage, stay: float = STAY, smooth: float = SMOOTH) -> Tensor:
    """Every frame shifted to where its joints are seen nearest to the keypoints (ours).

    With residuals ``r = X_c.xy - k X_c.z``, the distances from the rays, linear in the shifts ``d_t`` (in camera
    axes), a clip's shifts minimise
    ``sum_t mean_j c_tj |r_tj(d_t)|^2 + stay |d_t|^2 + smooth |d_{t-1} - 2 d_t + d_{t+1}|^2``: one linear system per
    clip.  A drift is taken back, and no new jitter comes in.  Where limbs point elsewhere the fit comes too near:
    :func:`videomdm.features.rays.placed` says why, and gives people their size back.

    Args:
        joints: (B, T, J, 3) metres, as predicted, in the cameras' world.
        seen: the keypoints, the cameras (B,), and the joints' weights ``c``, their confidence; frames that nobody saw
            go with the others.
        stay, smooth: damping per squared metre.

    Returns:
        (B, T, J, 3), poses unchanged.  No gradient flows.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    B, T, J, _ = joints.shape
    with torch.no_grad():
        camera, keypoints, valid = seen.camera, seen.keypoints, seen.valid.to(joints)
        weight = valid[..., None].expand(B, T, J) / J * seen.confidence
        inside = camera.to_camera(joints)
        residual = inside[..., :2] - keypoints * inside[..., 2:]
        eye = torch.eye(3).to(joints)
        slope = torch.cat((eye[:2, :2].expand(B, T, J, 2, 2), -keypoints[..., None]), -1)  # d r / d d_t
        normal = torch.einsum("btj,btjax,btjay->bxyt", weight, slope, slope)
        pull = -torch.einsum("btj,btjax,btja->btx", weight, slope, residual)
        shift = _solved(normal, pull, smooth * valid[:, 2:], stay)
        return camera.to_world(inside + shift[:, :, None].to(inside))


def to_body_height(
    estimate: Tensor, camera: Camera, body_height: Tensor, lengths: Tensor, skeleton: Skeleton
) -> Tensor:
    """Joints scaled about the camera to a known body height of the person: the image stays as it is.

    From one camera size and distance cannot be told apart; one known length of the person settles both.

    Args:
        estimate: (C, T, J, 3) metres, in the world of ``camera``.
        camera: batch (C,).
        body_height: (C,) metres, as :func:`videomdm.skeletons.kinematics.body_height` measures it.
        lengths: (C,) frames that count.
        skeleton: the joint layout.
    """
    scale = body_height / kinematics.body_height(estimate, lengths, skeleton)
    return camera.to_world(camera.to_camera(estimate) * scale[:, None, None, None])


def _solved(normal: Tensor, pull: Tensor, bend: Tensor, stay: float) -> Tensor:
    """Shifts (B, T, 3) for which ``normal_t d_t + stay d_t + D' bend D d = pull``, with second differences ``D``.

    Frames know their neighbours and those beside them, so the symmetric system of all clips, one after the other, has
    entries at most eight places off its diagonal (T = 12,000, ten minutes, would else take 10 GB).  In double
    precision: it is stiff, as a bend is held 10^5 times as hard as size holds depth.

    Args:
        normal: (B, 3, 3, T) symmetric.
        pull: (B, T, 3).
        bend: (B, T - 2) what holds a second difference back.
        stay: what holds a shift back.
    """
    B, _, _, T = normal.shape
    bend = bend.double().cpu()
    band = torch.zeros(9, B, T, 3, dtype=torch.float64)  # band[k] at an unknown: its entry with the one k further on
    for x in range(3):
        for y in range(x, 3):
            band[y - x, ..., x] = normal[:, x, y].double().cpu()
    for first, a in enumerate((1.0, -2.0, 1.0)):  # a second difference holds three frames
        for second, b in enumerate((1.0, -2.0, 1.0)[first:]):
            band[3 * second, :, first : first + T - 2] += (a * b * bend)[..., None]
    band[0] += stay
    solution = solveh_banded(band.flatten(1).numpy(), pull.double().cpu().flatten().numpy(), lower=True)
    return torch.from_numpy(solution).reshape(B, T, 3).to(normal.device)
