"""Gaussian diffusion with x0 prediction: noise schedules, DDIM and DDPM steps, samplers, multistep training.

Timesteps are 0-based: ``t = 0`` is the least noisy one, ``n_steps - 1`` is almost pure noise, and -1 stands
for "before 0", where nothing is noisy.  ``x`` has any shape whose leading dimensions are those of ``t``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm.storage.progress import Bar

MAX_BETA = 0.999  # keeps the last step of a schedule from destroying the signal altogether


class Diffusion:
    """A noise schedule and the steps that follow from it.

    Tables are float64 on the CPU and are cast to a motion's dtype and device when they are looked up.

    Args:
        n_steps: number of diffusion steps T, at least 2.
        schedule: ``"cosine"`` (Nichol and Dhariwal 2021) or ``"linear"`` (Ho et al. 2020, scaled to T).
        tau: power on the cosine schedule's signal level; larger is noisier.  The cosine's exponent is 2 tau.

    Attributes:
        betas: (T,) variance added by each step.
        alphas_cumprod: (T,) signal level abar, the share of the variance that is signal.
        posterior_variance: (T,) variance of q(x_{t-1} | x_t, x0), "fixed small"; 0 at t = 0.

    Raises:
        ValueError: fewer than 2 steps, an unknown schedule, or a tau that does not apply or is not positive.

    Explained in :doc:`/notebooks/explain_multistep`.
    """

    def __init__(self, n_steps: int = 50, schedule: str = "cosine", tau: float = 1.0) -> None:
        if n_steps < 2:
            raise ValueError(f"n_steps is {n_steps}, expected at least 2")
        if not tau > 0 or (schedule != "cosine" and tau != 1):
            raise ValueError(f"tau is {tau} with the {schedule} schedule, expected > 0, and 1 unless cosine")
        self.n_steps = n_steps
        if schedule == "cosine":
            u = torch.arange(n_steps + 1, dtype=torch.float64) / n_steps
            signal = ((u + 0.008) / 1.008 * math.pi / 2).cos().pow(2 * tau)
            self.betas = (1 - signal[1:] / signal[:-1]).clamp(max=MAX_BETA)
        elif schedule == "linear":
            scale = 1000 / n_steps  # the same total noise as the 1000 steps the end points were chosen for
            self.betas = torch.linspace(scale * 1e-4, scale * 0.02, n_steps, dtype=torch.float64).clamp(max=MAX_BETA)
        else:
            raise ValueError(f"schedule is {schedule!r}, expected 'cosine' or 'linear'")

        alphas = 1 - self.betas
        self.alphas_cumprod = alphas.cumprod(0)
        one = torch.ones(1, dtype=torch.float64)
        before = torch.cat([one, self.alphas_cumprod[:-1]])
        # "Before 0" is the last entry, where index -1 finds it.  Roots are taken before the cast: 1 - abar
        # loses digits in float32.
        self._root_signal = torch.cat([self.alphas_cumprod, one]).sqrt()
        self._root_noise = torch.cat([1 - self.alphas_cumprod, 0 * one]).sqrt()
        self.posterior_variance = self.betas * (1 - before) / (1 - self.alphas_cumprod)
        self._posterior_std = self.posterior_variance.sqrt()
        # posterior mean = _mean_x0 * x0 + _mean_xt * x_t
        self._mean_x0 = self.betas * before.sqrt() / (1 - self.alphas_cumprod)
        self._mean_xt = (1 - before) * alphas.sqrt() / (1 - self.alphas_cumprod)
        self._copies: dict[tuple, Tensor] = {}

    def q_sample(self, x0: Tensor, t: Tensor | int, noise: Tensor) -> Tensor:
        """Diffuse clean motions: ``sqrt(abar_t) x0 + sqrt(1 - abar_t) noise``.

        Args:
            x0: (*batch, ...) clean.
            t: (*batch) or an int, in 0..T-1.
            noise: standard normal, the shape of ``x0``.

        Returns:
            ``x_t``, the shape of ``x0``.
        """
        return self._look_up("_root_signal", t, x0) * x0 + self._look_up("_root_noise", t, x0) * noise

    def step_of(self, error: float) -> int:
        """The first step whose noise, against its signal, is as large as ``error``; T where none is.

        With the root mean square error of a teacher's normalised features, noise from this step on hides what the
        teacher gets wrong: a choice for t* of :class:`Multistep` (section 3.3).
        """
        ratio = ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()
        return int((ratio < error).sum())

    def predict_noise(self, x_t: Tensor, x0: Tensor, t: Tensor | int) -> Tensor:
        """The noise that leads from ``x0`` to ``x_t``: ``(x_t - sqrt(abar_t) x0) / sqrt(1 - abar_t)``."""
        return (x_t - self._look_up("_root_signal", t, x_t) * x0) / self._look_up("_root_noise", t, x_t)

    def ddim_step(self, x_t: Tensor, x0: Tensor, t: Tensor | int, t_next: Tensor | int) -> Tensor:
        """Deterministic step from ``t`` to ``t_next`` (Song et al. 2021, eta = 0).

        Args:
            x_t: (*batch, ...) at step ``t``.
            x0: predicted clean motion, the shape of ``x_t``.
            t: (*batch) or an int, in 0..T-1.
            t_next: the same, in -1..T-1; -1 gives ``x0``.

        Returns:
            ``x_{t_next}``, the shape of ``x_t``.
        """
        signal = self._look_up("_root_signal", t_next, x_t, first=-1)
        return signal * x0 + self._look_up("_root_noise", t_next, x_t, first=-1) * self.predict_noise(x_t, x0, t)

    def posterior_mean(self, x_t: Tensor, x0: Tensor, t: Tensor | int) -> Tensor:
        """Mean of q(x_{t-1} | x_t, x0), the shape of ``x_t``; at t = 0 it is ``x0``."""
        return self._look_up("_mean_x0", t, x_t) * x0 + self._look_up("_mean_xt", t, x_t) * x_t

    def ddpm_step(self, x_t: Tensor, x0: Tensor, t: Tensor | int, noise: Tensor) -> Tensor:
        """Ancestral step from ``t`` to ``t - 1`` with the posterior's own variance ("fixed small").

        The variance is 0 at t = 0, so that the last step adds no noise.  (Code that works with its logarithm
        clips that at index 1 and masks the noise instead: the same values.)

        Args:
            x_t: (*batch, ...) at step ``t``.
            x0: predicted clean motion, the shape of ``x_t``.
            t: (*batch) or an int, in 0..T-1.
            noise: standard normal, the shape of ``x_t``.

        Returns:
            ``x_{t-1}``, the shape of ``x_t``.
        """
        return self.posterior_mean(x_t, x0, t) + self._look_up("_posterior_std", t, x_t) * noise

    def timesteps(self, n_steps: int | None = None) -> list[int]:
        """``n_steps`` evenly spaced steps from T-1 down to 0 (all by default; one alone is T-1).

        Raises:
            ValueError: fewer than 1 or more than T.
        """
        n = self.n_steps if n_steps is None else n_steps
        if not 1 <= n <= self.n_steps:
            raise ValueError(f"n_steps is {n}, expected 1 to {self.n_steps}")
        return torch.linspace(self.n_steps - 1, 0, n, dtype=torch.float64).round().long().tolist()

    @torch.no_grad()
    def sample(
        self,
        denoise: Callable[[Tensor, Tensor], Tensor],
        shape: Sequence[int],
        *,
        method: str = "ddpm",
        n_steps: int | None = None,
        steps: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
        device: torch.device | str = "cpu",
        project: Callable[[Tensor, int], Tensor] | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Generate from noise.

        Args:
            denoise: maps ``x_t`` of ``shape`` and steps t (shape[0],) to a predicted x0 of ``shape``.
            shape: (B, ...) of what is made.
            method: ``"ddpm"`` (ancestral, every step) or ``"ddim"`` (deterministic).
            n_steps: for ``"ddim"``, the number of evenly spaced steps, T by default.
            steps: the steps themselves, descending, in their place (:attr:`Multistep.steps`); the first one below T-1
                begins with ``noise``, a motion diffused to it.
            generator: source of the first noise and of each step's; noise is drawn on the generator's device,
                so a CPU generator gives the same numbers wherever the model runs.
            noise: the first ``x_t``, of ``shape``, in place of drawn noise.
            device: where the model runs.
            project: called as ``project(x0, t)`` with an int t after each prediction; what it returns takes
                the prediction's place.  Lifting puts the predicted joints onto their viewing rays here
                (appendix G.2).
            progress: show a progress bar.

        Returns:
            The last x0, of ``shape``; float32, or the dtype of ``noise``.

        Raises:
            ValueError: an unknown method, steps left out for ``"ddpm"``, steps that do not descend, or noise of
                another shape.
        """
        visited = self._visited(method, self.timesteps(n_steps) if steps is None else list(steps))
        if noise is not None and noise.shape != torch.Size(shape):
            raise ValueError(f"noise has shape {tuple(noise.shape)}, expected {tuple(shape)}")

        def draw() -> Tensor:
            source = generator.device if generator is not None else device
            return torch.randn(tuple(shape), generator=generator, device=source).to(device)

        x = draw() if noise is None else noise.to(device)
        for t, t_next in zip(Bar(visited, "denoising", disable=not progress), [*visited[1:], -1], strict=True):
            x0 = denoise(x, torch.full((shape[0],), t, device=device))
            if project is not None:
                x0 = project(x0, t)
            x = self.ddim_step(x, x0, t, t_next) if method == "ddim" else self.ddpm_step(x, x0, t, draw().to(x))
        return x

    @staticmethod
    def _visited(method: str, steps: list[int]) -> list[int]:
        """The steps, if a method can take them."""
        if method not in ("ddpm", "ddim"):
            raise ValueError(f"method is {method!r}, expected 'ddpm' or 'ddim'")
        if method == "ddpm" and steps != list(range(len(steps) - 1, -1, -1)):
            raise ValueError(f"ddpm takes every step down to 0, got {steps}; use method='ddim'")
        if not steps or any(b >= a for a, b in zip(steps, steps[1:], strict=False)):
            raise ValueError(f"steps are {steps}, expected descending ones")
        return steps

    def _look_up(self, name: str, t: Tensor | int, x: Tensor, first: int = 0) -> Tensor:
        """Entries of a table for steps ``t`` from ``first`` on, shaped to multiply ``x``."""
        if not isinstance(t, Tensor):
            self._check_steps(t, t, first)
        elif t.device.type == "cpu" and t.numel():  # reading it on an accelerator would wait for the device
            self._check_steps(int(t.min()), int(t.max()), first)
        key = (name, x.dtype, x.device)
        if key not in self._copies:
            self._copies[key] = getattr(self, name).to(x)
        values = self._copies[key][t]
        return values.reshape(*values.shape, *(1,) * (x.ndim - values.ndim))

    def _check_steps(self, low: int, high: int, first: int) -> None:
        if low < first or high >= self.n_steps:
            wrong = low if low < first else high
            raise ValueError(f"timestep {wrong}, expected {first} to {self.n_steps - 1}")


@dataclass(frozen=True)
class Multistep:
    """Which timesteps a training batch visits (appendix G.1).

    Noise above the threshold hides a teacher's errors, so one step from the diffused teacher motion will do.
    Below it the model starts in the bucket under the threshold and walks down through ``n_buckets`` buckets
    on its own predictions.

    Args:
        n_steps: number of diffusion steps T.
        t_star: step from which on noise hides the teacher's errors; 0 turns multistep training off.
        n_buckets: number N of steps that a low batch takes, at least 2.

    Raises:
        ValueError: numbers out of range, or a threshold beyond the last step.

    Explained in :doc:`/notebooks/explain_multistep`.
    """

    n_steps: int = 50
    t_star: int = 12
    n_buckets: int = 4

    def __post_init__(self) -> None:
        if self.n_buckets < 2 or self.t_star < 0:
            raise ValueError(
                f"n_buckets is {self.n_buckets} and t_star {self.t_star}, expected at least 2 and at least 0"
            )
        if self.threshold > self.n_steps:
            raise ValueError(
                f"{self.n_buckets} buckets of {self.bucket_size} steps reach step {self.threshold}, expected "
                f"at most n_steps = {self.n_steps}: lower t_star = {self.t_star} or take more buckets"
            )

    @property
    def bucket_size(self) -> int:
        """Steps per bucket, ``b = ceil(t_star / (N - 1))``."""
        return math.ceil(self.t_star / (self.n_buckets - 1))

    @property
    def threshold(self) -> int:
        """First step that is "high", ``N b``; at least ``t_star``."""
        return self.n_buckets * self.bucket_size

    @property
    def probability(self) -> float:
        """Probability that a batch is low, ``N b / T``: every step then weighs 1/T in the mean loss."""
        return self.threshold / self.n_steps

    @property
    def steps(self) -> list[int]:
        """The walk that sampling takes after such training: every step that is high, then the middle of each bucket.

        Below the threshold the model has seen its own predictions after one step per bucket; visiting every step
        there compounds its errors where training never corrected them, and motions shrink.
        """
        high = range(self.n_steps - 1, self.threshold - 1, -1)
        low = range(self.threshold - self.bucket_size, -1, -self.bucket_size) if self.threshold else ()
        return [*high, *(floor + self.bucket_size // 2 for floor in low)]

    def sample(
        self, batch_size: int, generator: torch.Generator | None = None, device: torch.device | str | None = None
    ) -> Tensor:
        """Timesteps of one training batch: one draw decides for the whole batch whether it is low or high.

        Args:
            batch_size: number of motions B.
            generator: makes the draw reproducible.
            device: where the steps are drawn, the generator's device (the CPU without one) by default.  Without a
                generator the one draw for the batch is the CPU's, so that nobody waits for an accelerator.

        Returns:
            (k, B) int64.  A high batch has k = 1 and steps
            uniform in threshold .. T-1.  A low one has k = N and row i uniform in the i-th bucket from above,
            ``(N-1-i) b .. (N-i) b - 1``: each column descends.
        """
        source = generator.device if generator is not None else torch.device("cpu")
        where = {"generator": generator, "device": source if device is None else device}
        if float(torch.rand((), generator=generator, device=source)) >= self.probability:
            return torch.randint(self.threshold, self.n_steps, (1, batch_size), **where)
        floors = torch.arange(self.n_buckets - 1, -1, -1, device=where["device"]) * self.bucket_size
        return floors[:, None] + torch.randint(self.bucket_size, (self.n_buckets, batch_size), **where)
