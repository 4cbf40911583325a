"""One training step: draw a batch, corrupt, predict, compare, update; all on the device where the data lie.

Every batch draws its randomness from a seed made of the run's seed and the batch's number, so a run that was
killed and started again sees the same batches, noise and dropout as one that was not.  Where the batch is spread over
processes, each draws all of it and keeps its own rows, so it is the same batch for any number of them; only dropout
inside the model is each process' own.  Nothing in a step waits for an accelerator: what the host has to know, it draws
itself.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from videomdm import features, losses
from videomdm.cameras import refinement
from videomdm.config import Config
from videomdm.data.shards import Batch, Shards
from videomdm.diffusion import Diffusion
from videomdm.features import rays
from videomdm.sample.prior import build_denoiser
from videomdm.storage import checkpoints
from videomdm.train import distributed, finetune
from videomdm.train.buckets import Buckets
from videomdm.train.dataset import TrainingSet
from videomdm.train.graphs import StepGraphs

#: Of the compiler on a GPU: random numbers by the library, whose masks are kept, instead of anew in the backward pass;
#: and more than one way tried of each kernel that is not a matrix product.
TUNED = {"fallback_random": True, "max_autotune_pointwise": True}


class Trainer:
    """A run's model, its moving average and its optimiser, and the step that changes them.

    Attributes:
        parts: what a checkpoint holds; all processes ask for their states together, rank 0 writes them.
    """

    def __init__(self, config: Config, data: TrainingSet | Shards) -> None:
        torch.manual_seed(config.seed)
        self.config, self.data, self.device = config, data, data.device
        self.model = build_denoiser(config, data.n_features, data.text_width).to(self.device)
        self.average = build_denoiser(config, data.n_features, data.text_width).to(self.device).requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        if config.optimiser.shard_weights:
            from videomdm.train import fsdp  # a second that other runs need not wait

            for model in (self.model, self.average):
                fsdp.shard(model, model.layers)
        # Fused: one pass over the weights.  On a CPU it rounds otherwise than the loop that runs before had.
        fused = self.device.type == "cuda" or config.optimiser.compile is not None
        self._graphs = StepGraphs(self._recorded) if self._records(config) else None
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.optimiser.lr, fused=fused, capturable=self._graphs is not None
        )
        if config.optimiser.shard_weights:
            fsdp.shard_moments(self.optimizer)
        self.parts = {"model": self.model, "average": self.average, "optimizer": self.optimizer}
        self.diffusion = Diffusion(config.model.n_steps, tau=config.model.tau)
        self.timesteps = config.multistep
        self.lengths = data.lengths.cpu()
        self.buckets = Buckets(self.lengths, data.n_frames, config.optimiser.length_buckets)
        self.mine = distributed.share(config.optimiser.batch_size)
        weights = replace(config.optimiser.weights, **config.recipe.weights)
        known = config.recipe.known_height
        self._x0: Callable[..., Tensor] = losses.x0
        self._videomdm: Callable[..., Tensor] = losses.VideoMDM(weights, data.normaliser, data.skeleton, known)
        if config.optimiser.compile is not None:
            self._compile()
        self._parallel = self.model if config.optimiser.shard_weights else distributed.wrap(self.model)

    def _records(self, config: Config) -> bool:
        """Whether steps are recorded as graphs: on one GPU that holds the data; elsewhere they are compiled alone."""
        alone = distributed.world() == 1 and not config.optimiser.shard_weights
        return (
            config.optimiser.compile == "graphs"
            and self.device.type == "cuda"
            and alone
            and not config.data.shard_clips
        )

    def _compile(self) -> None:
        """Model and losses as fused kernels, one set for every bucket's shape."""
        shapes = 2 * len(self.buckets.frames)  # of each function: without and with gradients
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, shapes)
        options = TUNED if self.device.type == "cuda" else None
        self.model.compile(dynamic=False, options=options)
        self._x0, self._videomdm = (
            torch.compile(loss, dynamic=False, options=options) for loss in (self._x0, self._videomdm)
        )

    def start_from(self, weights: Path) -> None:
        """Take the weights of another run's last step; raises ``ValueError`` where they do not fit."""
        tensors = finetune.weights(weights)
        for model in (self.model, self.average):
            checkpoints.load_tensors(model, tensors, str(weights))

    def step(self, step: int, lr: float) -> dict[str, Tensor]:
        """Train on batch number ``step`` with the learning rate ``lr``.

        Gradients are averaged over processes once, in the last backward pass.

        Returns:
            ``loss``, its unweighted parts and ``gradient``, the norm before clipping: scalars, detached, on the device.
            Their mean over processes is the batch's.
        """
        config, mine = self.config, self.mine
        torch.manual_seed(self._seed(step))
        rows, frames = self.buckets.draw(config.optimiser.batch_size)
        timesteps = self.timesteps.sample(config.optimiser.batch_size, device=self.device)[:, mine]
        caption = torch.rand(len(rows))
        drop = (torch.rand(len(rows), device=self.device) < config.optimiser.condition_drop)[mine]
        noise = torch.randn(len(rows), frames, self.data.n_features, device=self.device)[mine]
        after = torch.Generator().manual_seed(self._seed(step + 1))
        upcoming, longest = self.buckets.draw(config.optimiser.batch_size, after)
        weight = self.buckets.weight(self.lengths[rows]) / len(timesteps)
        # The average's memory is short at first, so that initial weights do not dominate.
        follow = 1 - min(config.optimiser.ema, (1 + step) / (10 + step))
        if self._graphs is not None:
            rows, caption, weight, lr, follow = (self._there(x) for x in (rows, caption, weight, lr, follow))
            return self._graphs((frames, len(timesteps)), (rows, caption, timesteps, drop, noise, weight, lr, follow))
        batch, shares = self.data.batch(rows[mine], caption[mine], frames), None
        self.data.expect(upcoming[mine], longest)
        if distributed.world() > 1:
            shares = losses.shares_of(self.lengths[rows], mine, distributed.world())
            shares = {name: value.to(self.device, torch.float32) for name, value in shares.items()}
            torch.manual_seed(int(torch.randint(2**31, (distributed.world(),))[distributed.rank()]))  # of dropout
        return self._learn(batch, frames, shares, timesteps, drop, noise, weight, lr, follow)

    def _there(self, value: Tensor | float) -> Tensor:
        """On the device without waiting for it: from memory that it reads itself, or as a number that it is told."""
        if isinstance(value, Tensor) and value.dim():
            return value.pin_memory().to(self.device, non_blocking=True)
        return torch.full((), float(value), device=self.device)

    def _recorded(self, kind: tuple[int, int], rows: Tensor, caption: Tensor, *others: Tensor) -> dict[str, Tensor]:
        """What a graph of steps repeats: gather a batch, and learn from it."""
        frames, _ = kind
        return self._learn(self.data.batch(rows, caption, frames), frames, None, *others)

    def _learn(
        self, batch: Batch, frames: int, shares: dict[str, Tensor] | None, timesteps: Tensor, drop: Tensor,
        noise: Tensor, weight: Tensor | float, lr: Tensor | float, follow: Tensor | float,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Passes (timesteps' rows) forwards and backwards, then one step of the optimiser."""
        projects = self.config.recipe.rays_between_steps
        # Without padding there is nothing to mask, and attention without a mask is faster on a GPU.
        lengths = batch.lengths if self.buckets.padded[frames] or self.device.type == "cpu" else None
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        x_t = self.diffusion.q_sample(batch.features, timesteps[0], noise)
        total: dict[str, Tensor] = {}
        for i, t in enumerate(timesteps):  # one pass, or one per bucket from the noisiest down (G.1)
            more = i + 1 < len(timesteps)
            with distributed.accumulate(self._parallel, more):
                predicted = self._parallel(x_t, t, batch.text, lengths, drop)
                loss, parts = self._loss(batch, predicted, t, shares, len(timesteps) == 1)
                (loss * weight).backward()
            for name, part in {"loss": loss.detach(), **parts}.items():
                total[name] = total.get(name, 0) + part / len(timesteps)
            if more:
                clean_here = self._onto_rays(batch, predicted) if projects else predicted.detach()
                x_t = self.diffusion.ddim_step(x_t, clean_here, t, timesteps[i + 1])
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimiser.clip_norm)
        total["gradient"] = distributed.whole(norm)
        self._update(lr, follow)
        return total

    def _seed(self, step: int) -> int:
        return self.config.seed * 1_000_003 + step

    def _loss(
        self, batch: Batch, predicted: Tensor, t: Tensor, shares: dict[str, Tensor] | None, high: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        recipe = self.config.recipe
        if recipe.frame is None or recipe.teacher_above and high:
            planar = recipe.motions == "keypoints"  # whose features are keypoints, some of which were not seen
            loss = self._x0(predicted, batch.features, batch.lengths, batch.seen.confidence if planar else None)
            loss = loss if shares is None else shares["x0"] * loss
            return loss, {} if recipe.frame is None else {"above": loss.detach()}
        refined = t < refinement.BELOW * self.config.model.n_steps if recipe.refine else None
        return self._videomdm(predicted, batch.features, batch.seen, refined, shares)

    @torch.no_grad()
    def _onto_rays(self, batch: Batch, predicted: Tensor) -> Tensor:
        """What lifting (G.2) does to a prediction before it steps on: joints onto their rays, encoded again."""
        data = self.data
        joints = features.decode(data.normaliser.denormalise(predicted.float()))
        onto = rays.onto_rays(joints, batch.seen)
        return rays.encode(onto, batch.lengths, data.skeleton, data.normaliser)

    @torch.no_grad()
    def _update(self, lr: Tensor | float, follow: Tensor | float) -> None:
        """Weights, then their moving average, which follows them by a share of the difference."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        average, weights = list(self.average.parameters()), list(self.model.parameters())
        if isinstance(follow, Tensor):
            torch._foreach_add_(average, torch._foreach_mul(torch._foreach_sub(weights, average), follow))
        else:
            torch._foreach_lerp_(average, weights, follow)


def keep_memory() -> None:
    """Let the C library keep freed memory: a batch's tensors need not be asked from the kernel again each time.

    Worth up to a tenth of a step on a CPU; without the GNU C library nothing happens.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # malloc.h
        library.mallopt(mmap_threshold, 32 * 2**20)  # the largest that is allowed
        library.mallopt(trim_threshold, 2**31 - 1)
