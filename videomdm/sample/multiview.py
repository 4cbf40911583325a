"""Multi-view ancestral sampling (MAS, Kapon et al. 2024): motions in 3-D from a prior that knows pictures alone.

The same motion is denoised as it is seen from several sides at once.  At every step one motion in 3-D is fitted to the
views' clean predictions (:func:`consistent`), its projections take the predictions' place, and the noise of the next
step is one noise in 3-D, seen from all sides (:func:`shared_noise`).

Views are cameras on a circle around the vertical axis that look at it
(:class:`videomdm.cameras.views.Views`).  Pictures are normalised image
coordinates (V, B, T, J, 2) of V views and B motions; a view's noise is drawn in what networks read of it, y up.

Explained in :doc:`/notebooks/explain_mas`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from videomdm import features
from videomdm.cameras.camera import Camera
from videomdm.cameras.views import Views
from videomdm.data.tracks import Statistics
from videomdm.denoiser import guided
from videomdm.diffusion import Diffusion
from videomdm.sample.prior import Prior, in_chunks
from videomdm.skeletons.definitions import Skeleton
from videomdm.storage.progress import Bar

N_VIEWS = 7  #: of the published sampler
REFRESHES = 3  #: times that the depth of a fit is taken from the fit before; each gains a digit
NEAREST = 0.1  # share of the views' distance: no joint is taken to be nearer to a camera


# ---- one step --------------------------------------------------------------------------------------------


def shared_noise(noise: Tensor, camera: Camera) -> Tensor:
    """One noise in 3-D as all views see it, without perspective.

    Args:
        noise: (B, T, J, 3) standard normal.
        camera: (V,).

    Returns:
        (V, B, T, J, 2), x right and y up: standard normal in every view, and one noise between them.
    """
    axes = camera.rotation[:, :2] * camera.rotation.new_tensor((1.0, -1.0))[:, None]
    return torch.einsum("vac,btjc->vbtja", axes, noise)


def project(motion: Tensor, camera: Camera) -> Tensor:
    """A motion (B, T, J, 3) as views (V,) see it, (V, B, T, J, 2)."""
    return camera.project(motion.expand(len(camera), *motion.shape))[0]


def consistent(keypoints: Tensor, camera: Camera, start: Tensor | None = None, refreshes: int = REFRESHES) -> Tensor:
    """The motion in 3-D whose projections are nearest to all views' pictures, in closed form.

    With its depth d_v in every view given, a joint X is seen by view v at ``(r_v . X + t_v) / d_v`` with r_v the first
    two rows of the camera's rotation: linear in X.  So the sum of squares over views is least where

        sum_v r_v^T r_v / d_v^2 X = sum_v r_v^T (d_v y_v - t_v) / d_v^2,

    three equations per joint and frame.  The depth is that of the fit before, which makes the fixed point the one that
    MAS' gradient descent with detached depth comes to rest at.

    Args:
        keypoints: (V, B, T, J, 2) normalised image coordinates.
        camera: (V,) views, at least two from different sides.
        start: (B, T, J, 3) whose depth is taken first; where the cameras look, when None.
        refreshes: times that the depth is taken anew, at least 1.

    Returns:
        (B, T, J, 3) in the cameras' world.
    """
    shape = keypoints.shape[1:-1]
    image = keypoints.flatten(1, -2)  # (V, N, 2)
    right, down, forward = camera.rotation.unbind(1)  # (V, 3) each
    shift = camera.translation
    products = (right[:, :, None] * right[:, None] + down[:, :, None] * down[:, None]).flatten(1)[:, _UPPER]  # (V, 6)
    nearest = NEAREST * shift[:, 2:]
    depth = shift[:, 2:] if start is None else forward @ start.flatten(0, -2).mT + shift[:, 2:]
    for _ in range(refreshes):
        near = depth.clamp(min=nearest).reciprocal().expand(image.shape[:-1])
        pull = [near * (image[..., i] - near * shift[:, i, None]) for i in (0, 1)]
        motion = _solve(products.mT @ near.square(), right.mT @ pull[0] + down.mT @ pull[1])
        depth = forward @ motion + shift[:, 2:]
    return motion.mT.reshape(*shape, 3)


_UPPER = [0, 1, 2, 4, 5, 8]  # of a symmetric 3 x 3 matrix: xx xy xz yy yz zz


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """``A x = b`` by Cramer's rule for symmetric A (6: xx xy xz yy yz zz, N) and b (3, N): x (3, N)."""
    a, b, c, d, e, f = matrix
    xx, xy, xz = d * f - e * e, c * e - b * f, b * e - c * d
    yy, yz, zz = a * f - c * c, b * c - a * e, a * d - b * b
    u, v, w = right
    rows = xx * u + xy * v + xz * w, xy * u + yy * v + yz * w, xz * u + yz * v + zz * w
    return torch.stack(rows) / (a * xx + b * xy + c * xz)


# ---- sampling --------------------------------------------------------------------------------------------


@torch.no_grad()
def generate(
    prior: Prior,
    texts: Sequence[str],
    lengths: Tensor,
    *,
    guidance: float = 1.0,
    n_views: int = N_VIEWS,
    new_angles: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> Tensor:
    """Motions in 3-D from a 2-D prior.

    Args:
        prior: trained by method ``mdm-2d``.
        texts: one caption per motion; empty ones for a prior without text.
        lengths: (B,) frames.
        guidance: classifier-free guidance scale.
        n_views: how many views are denoised together.
        new_angles: turn the views at every step (MAS' appendix C) instead of keeping them.
        seed: of the noise and the angles.
        progress: show a bar.

    Returns:
        (B, T, J, 3) in the prior's canonical frame: facing +Z in frame 0; centred ones around their hip, others on
        the floor at the origin.  Frames past a length hold its last pose.
    """
    words = prior.encode(texts).repeat(n_views, 1)
    model = in_chunks(guided(prior.model, guidance), lengths.repeat(n_views), words)
    statistics = prior.statistics

    def denoise(x: Tensor, t: int) -> Tensor:
        flat = x.flatten(0, 1).flatten(-2)
        clean = model(flat, torch.full((len(flat),), t, device=flat.device))
        return statistics.denormalise(clean.view(x.shape))

    motion = sample(
        denoise, (len(lengths), int(lengths.max()), len(prior.skeleton), 3), prior.views, statistics, prior.diffusion,
        n_views=n_views, new_angles=new_angles, generator=torch.Generator(prior.device).manual_seed(seed),
        progress=progress,
    )  # fmt: skip
    return canonical(motion, lengths, prior.skeleton, prior.config.centred)


def sample(
    denoise: Callable[[Tensor, int], Tensor],
    shape: Sequence[int],
    views: Views,
    statistics: Statistics,
    diffusion: Diffusion,
    *,
    n_views: int = N_VIEWS,
    new_angles: bool = False,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> Tensor:
    """MAS with any denoiser: DDPM, all steps.

    Args:
        denoise: maps noisy pictures (V, B, T, J, 2), as networks read them, and a step to clean pictures of the same
            shape, normalised image coordinates.
        shape: (B, T, J, 3) of the motions.
        views: where the cameras stand.
        statistics: by which networks read pictures; on the device where motions are made.
        diffusion: the prior's.
        n_views, new_angles, progress: as in :func:`generate`.
        generator: of noise and angles; on the same device.

    Returns:
        (B, T, J, 3) in the world of the views.
    """
    device = statistics.mean.device

    def draw() -> Tensor:
        return torch.randn(tuple(shape), generator=generator, device=device)

    camera = views.cameras(n_views, device=device)
    noise, motion = draw(), None
    made_of = _Parts(noise)
    x = shared_noise(noise, camera)
    for t in Bar(diffusion.timesteps(), "denoising", disable=not progress):
        motion = consistent(denoise(x, t), camera, motion)
        noise = draw()
        if new_angles:
            turn = 2 * math.pi * float(torch.rand((), generator=generator, device=device))
            camera = views.cameras(n_views, turn, device)
            made_of.step(diffusion, motion, t, noise)
            x = made_of.seen(camera, statistics)
        else:
            x = diffusion.ddpm_step(x, statistics.normalise(project(motion, camera)), t, shared_noise(noise, camera))
    return motion


class _Parts:
    """What noisy pictures are made of, so that they can be taken from elsewhere.

    A step of DDPM adds shares of three things: the clean picture, the noisy one before, fresh noise.  So a noisy
    picture is a sum of pictures of all motions that were fitted so far, and of one noise in 3-D.
    """

    def __init__(self, noise: Tensor) -> None:
        self.noise, self.motions, self.shares = noise, [], []

    def step(self, diffusion: Diffusion, motion: Tensor, t: int, noise: Tensor) -> None:
        """Go on from step t to t - 1."""
        zero, one = noise.new_zeros(1), noise.new_ones(1)
        kept, clean, fresh = (diffusion.ddpm_step(*part[:2], t, part[2]) for part in (
            (one, zero, zero), (zero, one, zero), (zero, zero, one)))  # fmt: skip
        self.shares = [kept * share for share in self.shares] + [clean]
        self.motions.append(motion)
        self.noise = kept * self.noise + fresh * noise

    def seen(self, camera: Camera, statistics: Statistics) -> Tensor:
        """The noisy pictures (V, B, T, J, 2) that views (V,) have."""
        parts = zip(self.shares, self.motions, strict=True)
        clean = sum(share * statistics.normalise(project(motion, camera)) for share, motion in parts)
        return clean + shared_noise(self.noise, camera)


def canonical(motion: Tensor, lengths: Tensor, skeleton: Skeleton, centred: bool) -> Tensor:
    """Motions (B, T, J, 3) that face +Z in frame 0, around their hip or on the floor; the last pose is held."""
    motion = features.canonicalise(motion, skeleton, floor="median", lengths=lengths)
    return motion - motion[:, :, :1] if centred else motion
