"""Where a person is, frame by frame, from the size at which they were seen (ours)."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.cameras.footage import Footage

# What holds a frame's shift back, in mean squared metres per squared metre: of the shift, and of its second difference,
# at 20 frames per second.
STAY, SMOOTH = 0.003, 100.0


def place(joints: Tensor, seen: Footage, stay: float = STAY, smooth: float = SMOOTH) -> Tensor:
    """Every frame shifted to where its joints are seen nearest to the keypoints (ours).

    With residuals ``r = X_c.xy - k X_c.z``, the distances from the rays, linear in the shifts ``d_t`` (in camera
    axes), a clip's shifts minimise
    ``sum_t mean_j c_tj |r_tj(d_t)|^2 + stay |d_t|^2 + smooth |d_{t-1} - 2 d_t + d_{t+1}|^2``: one linear system per
    clip.  A drift is taken back, and no new jitter comes in.  That a fit to the rays is unbiased for noisy poses only
    matters little here: lifting has put the predictions on their rays in every step before.

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
        bend = torch.eye(T).to(joints).diff(n=2, dim=0) * valid[:, 2:, None]  # (B, T-2, T): second differences
        damping = stay * torch.eye(T).to(joints) + smooth * bend.mT @ bend
        system = torch.diag_embed(normal) + eye[:, :, None, None] * damping[:, None, None]  # (B, 3, 3, T, T)
        # In double precision: the system is stiff, as a bend is held 10^5 times as hard as size holds depth.
        system = system.permute(0, 3, 1, 4, 2).reshape(B, 3 * T, 3 * T).double()
        shift = torch.cholesky_solve(pull.reshape(B, 3 * T, 1).double(), torch.linalg.cholesky(system))
        return camera.to_world(inside + shift.reshape(B, T, 1, 3).to(inside))
