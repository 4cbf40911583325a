"""One training step: draw a batch, corrupt, predict, compare, update; all on the device where the data lie.

Every batch draws its randomness from a seed made of the run's seed and the batch's number, so a run that was
killed and started again sees the same batches, noise and dropout as one that was not.  Nothing in a step waits for
an accelerator: what the host has to know, it draws itself.
"""

from __future__ import annotations

import ctypes
import math
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from videomdm import checkpoints, losses, refinement, start
from videomdm.config import METHODS, Config
from videomdm.denoiser import MDM
from videomdm.diffusion import Diffusion
from videomdm.prepare import TrainingSet


def build_denoiser(config: Config, n_features: int, text_width: int) -> MDM:
    return MDM(
        n_features,
        config.width,
        config.n_layers,
        config.n_heads,
        config.feedforward,
        text_width,
        config.dropout,
        precision=config.precision,
    )


class Buckets:
    """Clips by length, so that a batch holds clips of about one length and is cut where they end.

    A bucket is drawn with the share of the clips that it holds, then its clips uniformly: every clip is equally
    likely at every draw.  Buckets have fixed lengths, so a compiled step meets few shapes.

    Args:
        lengths: (C,) rows of every clip, at most ``n_frames``.
        n_frames: the longest.
        n: how many buckets of equal width; 1 keeps all clips, with their padding, in one.
    """

    def __init__(self, lengths: Tensor, n_frames: int, n: int) -> None:
        width = math.ceil(n_frames / n)
        which = (lengths.cpu() - 1) // width if n > 1 else torch.zeros(len(lengths), dtype=torch.long)
        which, order = which.sort(stable=True)
        numbers, counts = which.unique_consecutive(return_counts=True)
        self.frames = [min(width * (i + 1), n_frames) if n > 1 else n_frames for i in numbers.tolist()]
        self.rows = list(order.to(lengths.device).split(counts.tolist()))
        self._ends = counts.cumsum(0) / counts.sum()
        self._mean_length = float(lengths.double().mean())

    def draw(self, batch_size: int) -> tuple[Tensor, int]:
        """Rows (B,) of the training set, on the device, and the number of frames that holds them."""
        bucket = 0
        if len(self.rows) > 1:
            bucket = int(torch.searchsorted(self._ends, torch.rand(()), right=True).clamp(max=len(self.rows) - 1))
        rows = self.rows[bucket]
        return rows[torch.randint(len(rows), (batch_size,), device=rows.device)], self.frames[bucket]

    def weight(self, lengths: Tensor) -> Tensor | float:
        """What a batch's mean over frames counts for: its own share of frames, 1 on average.

        Otherwise a frame of a short clip would count for more than one of a long clip.
        """
        return lengths.sum() / (len(lengths) * self._mean_length) if len(self.rows) > 1 else 1.0


class Trainer:
    """A run's model, its moving average and its optimiser, and the step that changes them.

    Attributes:
        parts: what a checkpoint holds.
    """

    def __init__(self, config: Config, data: TrainingSet) -> None:
        torch.manual_seed(config.seed)
        self.config, self.data = config, data
        n_features, self.device = data.features.shape[-1], data.features.device
        self.model = build_denoiser(config, n_features, data.text.shape[-1]).to(self.device)
        self.average = build_denoiser(config, n_features, data.text.shape[-1]).to(self.device).requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        # Fused: one pass over the weights.  On a CPU it rounds otherwise than the loop that runs before had.
        fused = self.device.type == "cuda" or config.compile is not None
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.lr, fused=fused)
        self.parts = {"model": self.model, "average": self.average, "optimizer": self.optimizer}
        self.diffusion = Diffusion(config.n_steps)
        self.timesteps = config.multistep
        self.buckets = Buckets(data.lengths, data.features.shape[1], config.length_buckets)
        self._x0, self._videomdm = losses.x0, losses.videomdm
        if config.compile is not None:
            self._compile(config.compile)

    def _compile(self, mode: str) -> None:
        """Model and losses as fused kernels, one set for every bucket's shape."""
        shapes = 2 * len(self.buckets.frames)  # of each function: without and with gradients
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, shapes)
        self.model.compile(dynamic=False, mode=mode)
        self._x0, self._videomdm = (
            torch.compile(loss, dynamic=False, mode=mode) for loss in (losses.x0, losses.videomdm)
        )

    def start_from(self, weights: Path) -> None:
        """Take the weights of another run's last step; raises ``ValueError`` where they do not fit."""
        tensors = start.weights(weights)
        for model in (self.model, self.average):
            checkpoints.load_tensors(model, tensors, str(weights))

    def step(self, step: int, lr: float) -> dict[str, Tensor]:
        """Batch number ``step``; returns the loss terms, detached, on the device."""
        config, data = self.config, self.data
        torch.manual_seed(config.seed * 1_000_003 + step)
        rows, frames = self.buckets.draw(config.batch_size)
        timesteps = self.timesteps.sample(config.batch_size, device=self.device)
        nth = (torch.rand(len(rows), device=self.device) * data.count[rows]).long()
        text = data.text[data.first[rows] + nth]
        drop = torch.rand(len(rows), device=self.device) < config.condition_drop
        clean, lengths = data.features[:, :frames][rows], data.lengths[rows]
        weight = self.buckets.weight(lengths) / len(timesteps)

        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        x_t = self.diffusion.q_sample(clean, timesteps[0], torch.randn_like(clean))
        total: dict[str, Tensor] = {}
        for i, t in enumerate(timesteps):  # one pass, or one per bucket from the noisiest down (G.1)
            if config.compile is not None:
                torch.compiler.cudagraph_mark_step_begin()  # outputs of the pass before may be written over
            predicted = self.model(x_t, t, text, lengths, drop)
            loss, parts = self._loss(rows, frames, predicted, clean, lengths, t)
            (loss * weight).backward()
            for name, part in {"loss": loss.detach(), **parts}.items():
                total[name] = total.get(name, 0) + part / len(timesteps)
            if i + 1 < len(timesteps):
                x_t = self.diffusion.ddim_step(x_t, predicted.detach(), t, timesteps[i + 1])
        total["gradient"] = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self._update(step, lr)
        return total

    def _loss(
        self, rows: Tensor, frames: int, predicted: Tensor, clean: Tensor, lengths: Tensor, t: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        data, method = self.data, METHODS[self.config.method]
        if data.keypoints is None:
            return self._x0(predicted, clean, lengths), {}
        refined = t < refinement.BELOW * self.config.n_steps if method.refine else None
        return self._videomdm(
            predicted, clean, data.keypoints[:, :frames][rows], data.camera[rows], lengths, data.normaliser,
            data.skeleton, data.confidence[:, :frames][rows], replace(self.config.weights, **method.weights), refined,
        )  # fmt: skip

    @torch.no_grad()
    def _update(self, step: int, lr: float) -> None:
        """Weights, then their exponential moving average, with a short memory at first: it is not to be the start."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        decay = min(self.config.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)


def keep_memory() -> None:
    """Let the C library keep freed memory: a batch's tensors need not be asked from the kernel again each time.

    Worth up to a tenth of a step on a CPU; without the GNU C library nothing happens.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # malloc.h
        library.mallopt(mmap_threshold, 32 * 2**20)  # the largest that is allowed
        library.mallopt(trim_threshold, 2**31 - 1)
