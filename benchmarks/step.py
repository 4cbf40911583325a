"""The training step of the full-size model: plain MDM and VideoMDM's multistep one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import synthetic, timing
from benchmarks.baseline import PlainTrainer
from benchmarks.timing import Metrics, Work
from videomdm.config import Config
from videomdm.diffusion import Multistep
from videomdm.features import n_features
from videomdm.step import Trainer, keep_memory

CANDIDATES = {
    "float32": {"length_buckets": 8},
    "bf16": {"length_buckets": 8, "precision": "bf16"},
    "compiled": {"length_buckets": 8, "precision": "bf16", "compile": "default"},
    "graphs": {"length_buckets": 8, "precision": "bf16", "compile": "reduce-overhead"},
}


def work(config: Config, frames: float, passes: int) -> Work:
    """A step on ``frames`` valid frames per clip.

    FLOPs: 2 per weight and token of a matrix, 4 S W per token for attention, and twice as many backwards.  Bytes:
    what backward needs of each layer (7 W + 2 F values per token in bf16), written and read once; and the optimiser's
    and the average's pass over the weights (5 values read, 4 written, float32).
    """
    W, F, D, S = config.width, config.feedforward, n_features(22), frames + 1
    weights = config.n_layers * (4 * W * W + 2 * W * F) + 2 * D * W
    tokens = config.batch_size * S
    forward = 2 * weights * tokens + 4 * S * W * config.n_layers * tokens
    saved = 2 * 2 * config.n_layers * (7 * W + 2 * F) * tokens
    return Work(3 * forward * passes, saved * passes + 36 * weights)


def candidates(config: Config, kind: str, passes: int, names: tuple[str, ...]) -> dict[str, Callable[[], object]]:
    """A step of each version; the baseline first.  All make their numbers from the step's number."""
    data = synthetic.training_set(config, kind, timing.device())
    trainers = {"baseline": PlainTrainer(config, data)}
    trainers |= {name: Trainer(config.but(**CANDIDATES[name]), data) for name in names}
    for trainer in trainers.values():
        if passes > 1:  # every batch a low one
            trainer.timesteps = Multistep(config.n_buckets * trainer.timesteps.bucket_size, config.t_star, passes)
    return {name: _runs(trainer) for name, trainer in trainers.items()}


def _runs(trainer: Trainer | PlainTrainer) -> Callable[[], object]:
    """Ten steps on a GPU, whose host runs ahead; of unequal length, so as many meet the same buckets on average."""
    count = iter(range(10**9))
    n = 10 if timing.device().type == "cuda" else 1
    return lambda: [trainer.step(next(count), 1e-4) for _ in range(n)]


def run(config: Config, results: Path, repeats: int, names: tuple[str, ...] | None = None) -> Path:
    """All cases of one batch size; the JSON's name holds it."""
    began = time.monotonic()
    keep_memory()
    names = names or tuple(CANDIDATES if timing.device().type == "cuda" else list(CANDIDATES)[:3])
    steps = 10 if timing.device().type == "cuda" else 1
    metrics: Metrics = {"batch": config.batch_size, "steps_per_run": steps}
    for kind in ("full", "humanml3d"):
        frames = float(synthetic.lengths(2048, kind, config.max_frames).double().mean())
        for method, passes in (("mdm-teacher", 1), ("videomdm", config.n_buckets)):
            case = f"{kind}_{'plain' if passes == 1 else 'multistep'}"
            one = config.but(method=method)
            needed = work(one, frames, passes)
            compared = candidates(one, kind, passes, names)
            for name in names:  # compiles for every bucket before anything is timed
                for _ in range(3 if name in ("float32", "bf16") else 40):
                    compared[name]()
            times = timing.paired(compared, repeats)
            metrics |= timing.summary(case, times, Work(steps * needed.flops, steps * needed.bytes))
            torch.compiler.reset()
    return timing.write(results, f"step-{config.batch_size}", config, metrics, began)
