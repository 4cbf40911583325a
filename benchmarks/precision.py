"""What bfloat16 and compiled kernels do to training: the same batches from the same weights, and the losses on the way.

Batches, noise and timesteps come from the step's number, so that two runs differ by how they round, and by nothing
else.  Losses are compared in windows of 20 steps: single ones depend on the timesteps drawn far more than on rounding.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import timing
from benchmarks.timing import Metrics
from videomdm.config import Config
from videomdm.train import dataset, observe
from videomdm.train.dataset import TrainingSet
from videomdm.train.trainer import Trainer, keep_memory

WINDOW = 20  # steps
RISE = 50  # steps in which the learning rate rises
VERSIONS = {
    "float32": {},
    "bf16": {"precision": "bf16"},
    "compiled": {"precision": "bf16", "compile": "default"},
}


def losses(config: Config, data: TrainingSet, steps: int) -> Tensor:
    """(steps,) the total loss of each batch of a run from scratch."""
    trainer = Trainer(config, data)
    rates = (config.optimiser.lr * min(1.0, (i + 1) / RISE) for i in range(steps))
    return torch.stack([trainer.step(i, rate)["loss"] for i, rate in enumerate(rates)]).double().cpu()


def windows(values: Tensor) -> Tensor:
    """Means of consecutive windows; an incomplete last one does not count."""
    return values[: len(values) // WINDOW * WINDOW].unflatten(0, (-1, WINDOW)).mean(1)


def run(config: Config, results: Path, steps: int) -> Path:
    """``steps`` batches of VideoMDM from scratch on the configuration's corpus, in every version."""
    began = time.monotonic()
    keep_memory()
    config = config.but(method="videomdm", precision="float32", compile=None)
    corpus = observe.load(config, "train")
    data = dataset.training_set(config, observe.observe(config, corpus, config.frame)).to(timing.device())
    metrics: Metrics = {"steps": steps, "window": WINDOW, "batch": config.optimiser.batch_size}
    for name, changes in VERSIONS.items():
        start = time.monotonic()
        curve = windows(losses(config.but(**changes), data, steps))
        metrics[f"{name}_curve"] = curve.tolist()
        if name == "float32":
            reference = curve
        else:
            relative = (curve / reference - 1).abs()
            metrics |= {f"{name}_largest_deviation": float(relative.max()), f"{name}_deviation": float(relative.mean())}
            print(f"{name:10s} losses differ from float32's by {relative.max():.2%} at most, {relative.mean():.2%} on "
                  f"average ({time.monotonic() - start:.0f} s)", flush=True)  # fmt: skip
    return timing.write(results, "precision", config, metrics, began)
