"""The training step of the full-size model: plain MDM and VideoMDM's multistep one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path

from benchmarks import synthetic, timing
from benchmarks.baseline import PlainTrainer
from benchmarks.timing import Metrics, Work
from videomdm.config import Config
from videomdm.diffusion import Multistep
from videomdm.features import n_features
from videomdm.train.graphs import EAGER
from videomdm.train.trainer import Trainer, keep_memory

FAST = {"precision": "bf16", "length_buckets": 4}
CANDIDATES = {
    "baseline": {},
    "float32": {"length_buckets": 8},
    "bf16": {"length_buckets": 8, "precision": "bf16"},
    "compiled": {**FAST, "compile": "default"},
    "graphs": {**FAST, "compile": "graphs"},
    "undropped": {**FAST, "compile": "graphs", "dropout": 0.0},
}


def work(config: Config, frames: float, passes: int) -> Work:
    """A step on ``frames`` valid frames per clip.

    FLOPs: 2 per weight and token of a matrix, 4 S W per token for attention, and twice as many backwards.  Bytes:
    what backward needs of each layer (7 W + 2 F values per token in bf16), written and read once; and the optimiser's
    and the average's pass over the weights (5 values read, 4 written, float32).
    """
    W, F, D, S = config.model.width, config.model.feedforward, n_features(22), frames + 1
    weights = config.model.n_layers * (4 * W * W + 2 * W * F) + 2 * D * W
    tokens = config.optimiser.batch_size * S
    forward = 2 * weights * tokens + 4 * S * W * config.model.n_layers * tokens
    saved = 2 * 2 * config.model.n_layers * (7 * W + 2 * F) * tokens
    return Work(3 * forward * passes, saved * passes + 36 * weights)


def candidates(config: Config, kind: str, passes: int, names: Sequence[str]) -> dict[str, Callable[[], object]]:
    """A step of each version; the baseline first.  All make their numbers from the step's number."""
    data = synthetic.training_set(config, kind, timing.device())
    trainers = {
        name: PlainTrainer(config, data) if name == "baseline" else Trainer(config.but(**CANDIDATES[name]), data)
        for name in names
    }
    for name, trainer in trainers.items():
        if passes > 1:  # every batch a low one
            trainer.timesteps = Multistep(passes * trainer.timesteps.bucket_size, config.optimiser.t_star, passes)
        if "compile" in CANDIDATES[name]:
            _meet_every_shape(trainer)
    return {name: _runs(trainer) for name, trainer in trainers.items()}


def _meet_every_shape(trainer: Trainer) -> None:
    """Compile before anything is timed, and record."""
    buckets = trainer.buckets
    for rows, frames in zip(buckets.rows, buckets.frames, strict=True):
        trainer.buckets = copy(buckets)
        trainer.buckets.rows, trainer.buckets.frames = [rows], [frames]
        for i in range(EAGER + 1):
            trainer.step(i, 0.0)
    trainer.buckets = buckets


def _runs(trainer: Trainer | PlainTrainer) -> Callable[[], object]:
    """Ten steps on a GPU, whose host runs ahead."""
    count = iter(range(10**9))
    return lambda: [trainer.step(next(count), 1e-4) for _ in range(steps_per_run())]


def steps_per_run() -> int:
    return 10 if timing.device().type == "cuda" else 1


def run(config: Config, results: Path, repeats: int, kind: str, names: Sequence[str] | None = None) -> Path:
    """One size of batch and one distribution of lengths, with and without the multistep passes."""
    began = time.monotonic()
    keep_memory()
    names = names or list(CANDIDATES)[: 5 if timing.device().type == "cuda" else 3]
    frames = float(synthetic.lengths(2048, kind, config.data.max_frames).double().mean())
    metrics: Metrics = {"batch": config.optimiser.batch_size, "steps_per_run": steps_per_run(), "mean_frames": frames}
    cases = [("plain", "mdm-teacher", 1), ("multistep", "videomdm", config.optimiser.n_buckets)]
    # Nothing is compiled while something is timed.
    versions = {case: candidates(config.but(method=method), kind, passes, names) for case, method, passes in cases}
    for case, method, passes in cases:
        needed = work(config.but(method=method), frames, passes)
        scaled = Work(steps_per_run() * needed.flops, steps_per_run() * needed.bytes)
        metrics |= timing.summary(case, timing.paired(versions[case], repeats), scaled)
    return timing.write(results, f"step-{config.optimiser.batch_size}-{kind}", config, metrics, began)
