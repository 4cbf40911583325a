"""The best linear denoiser, worked out exactly: what a noisy teacher teaches, and what sampling makes of it.

Of motions only means (taken off) and covariances count here; for Gaussian motions this denoiser is the best
of all.  Every step is the package's own :class:`~videomdm.diffusion.Diffusion`, applied to matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm.diffusion import Diffusion, Multistep


@dataclass(frozen=True)
class LinearDenoiser:
    """A denoiser ``xhat = G_t x_t``, the least-squares one for the inputs that its training shows it.

    Training diffuses a teacher's motions ``y`` and asks for the true ones ``x`` (appendix G.1; the 2-D losses
    stand for the 3-D error, appendix A).

    Attributes:
        diffusion: the noise schedule.
        gains: (T, K, K) the matrices ``G_t``, float64.
        seen: (T, K, K) covariances of the inputs ``x_t`` in training.

    Explained in :doc:`/notebooks/explain_multistep`.
    """

    diffusion: Diffusion
    gains: Tensor
    seen: Tensor

    def __call__(self, x_t: Tensor, t: Tensor | int) -> Tensor:
        """Predicted clean motions (B, K) for ``x_t`` (B, K) at steps ``t`` (B,) or an int."""
        gains = self.gains[t].to(x_t)
        return (gains @ x_t[..., None])[..., 0]

    @classmethod
    def fit(
        cls, diffusion: Diffusion, cross: Tensor, teacher: Tensor, scheme: Multistep | None = None
    ) -> LinearDenoiser:
        """Solve for the gains, step by step from the noisiest down.

        Args:
            diffusion: the noise schedule.
            cross: (K, K) covariance ``E[x y^T]`` of true and teacher motions; ``E[x x^T]`` with an error that is
                independent of the truth.
            teacher: (K, K) covariance ``E[y y^T]`` of the teacher's motions.
            scheme: multistep training; None shows diffused teacher motions at every step.

        Raises:
            ValueError: matrices of other shapes, or a scheme for another number of steps.
        """
        cross, teacher = (torch.as_tensor(m, dtype=torch.float64) for m in (cross, teacher))
        if cross.ndim != 2 or cross.shape != teacher.shape or cross.shape[0] != cross.shape[1]:
            raise ValueError(f"cross {tuple(cross.shape)} and teacher {tuple(teacher.shape)}: expected (K, K) for both")
        if scheme is not None and scheme.n_steps != diffusion.n_steps:
            raise ValueError(f"scheme for {scheme.n_steps} steps, expected the {diffusion.n_steps} of the diffusion")
        signal = diffusion.alphas_cumprod[:, None, None]
        mixed = signal.sqrt() * cross
        seen = signal * teacher + (1 - signal) * torch.eye(len(cross), dtype=torch.float64)
        if scheme is not None:
            for k in range(scheme.n_buckets - 2, -1, -1):
                _walk_down(diffusion, mixed, seen, k * scheme.bucket_size, scheme.bucket_size)
        return cls(diffusion, _gains(mixed, seen), seen)

    def sampled(self, method: str = "ddim") -> Tensor:
        """Covariances of the inputs that sampling makes for itself, from pure noise down.

        Args:
            method: ``"ddim"`` or ``"ddpm"``, all T steps.

        Returns:
            (T + 1, K, K): entry t + 1 is the covariance of ``x_t``, entry 0 that of the samples.

        Raises:
            ValueError: an unknown method.
        """
        if method not in ("ddim", "ddpm"):
            raise ValueError(f"method is {method!r}, expected 'ddim' or 'ddpm'")
        identity = torch.eye(self.gains.shape[-1], dtype=torch.float64)
        covariances = [identity]
        for t in range(self.diffusion.n_steps - 1, -1, -1):
            if method == "ddim":
                step, noise = self.diffusion.ddim_step(identity, self.gains[t], t, t - 1), 0.0
            else:
                step = self.diffusion.posterior_mean(identity, self.gains[t], t)
                noise = self.diffusion.posterior_variance[t]
            covariances.append(step @ covariances[-1] @ step.mT + noise * identity)
        return torch.stack(covariances[::-1])

    def mismatch(self, method: str = "ddim") -> Tensor:
        """How far the inputs met in sampling are from those seen in training, step by step.

        Args:
            method: as in :meth:`sampled`.

        Returns:
            (T,): Kullback-Leibler divergence ``KL(met | seen)`` of the gaussians, nats per dimension.
        """
        ratio = torch.linalg.solve(self.seen, self.sampled(method)[1:])
        trace = ratio.diagonal(dim1=-2, dim2=-1).sum(-1)
        return (trace - torch.linalg.slogdet(ratio).logabsdet) / (2 * self.seen.shape[-1]) - 0.5


def _walk_down(diffusion: Diffusion, mixed: Tensor, seen: Tensor, low: int, size: int) -> None:
    """Moments of a bucket's inputs (in place): what DDIM steps from all steps of the bucket above lead to."""
    identity = torch.eye(mixed.shape[-1], dtype=mixed.dtype)
    above = range(low + size, low + 2 * size)
    gains = _gains(mixed[above], seen[above])
    for t in range(low, low + size):
        steps = torch.stack([diffusion.ddim_step(identity, g, start, t) for g, start in zip(gains, above, strict=True)])
        mixed[t] = (mixed[above] @ steps.mT).mean(0)
        seen[t] = (steps @ seen[above] @ steps.mT).mean(0)


def _gains(mixed: Tensor, seen: Tensor) -> Tensor:
    """Least squares: ``E[x x_t^T] E[x_t x_t^T]^-1``."""
    return torch.linalg.solve(seen, mixed.mT).mT
