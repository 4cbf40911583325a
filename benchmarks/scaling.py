"""What a second process gains: the same batches on one, on two that hold all weights each, on two that share them.

A process has a device of its own, or one thread of the CPU, so that two of them have twice the machine.  Batches are
plain MDM's, a single pass: the least to compute for one exchange of gradients.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import torch

from benchmarks import timing
from benchmarks.timing import Metrics
from videomdm import train
from videomdm.config import Config
from videomdm.train import distributed

#: name -> processes, whether they share the weights (FSDP).
VERSIONS = {"baseline": (1, False), "ddp": (2, False), "fsdp": (2, True)}


def possible() -> bool:
    """Whether every process can have a device of its own."""
    return torch.cuda.device_count() != 1


def run(config: Config, results: Path, repeats: int, batches: int = 6) -> Path:
    """``repeats`` short runs of every version in turn, on built-in clips; a pair is one batch, the first left out."""
    if not possible():
        raise SystemExit("scaling: one GPU, expected two or more, or none")
    began = time.monotonic()
    config = config.but(
        method="mdm-teacher", data="procedural", n_clips=100, warmup_steps=0, steps=batches, log_every=1, compile=None
    )
    times: dict[str, list[float]] = {name: [] for name in VERSIONS}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        for i in range(repeats):
            for name, (processes, sharded) in VERSIONS.items():
                ours = config.but(runs=str(Path(folder) / f"{name}-{i}"), shard_weights=sharded)
                if cache.exists():
                    shutil.copytree(cache, ours.cache)  # the same clips, filmed and lifted once
                times[name] += times_of_batches(ours, processes)
                if not cache.exists():
                    shutil.copytree(ours.cache, cache)
    metrics: Metrics = timing.summary("scaling", times)
    return timing.write(results, f"scaling-{config.optimiser.batch_size}", config, metrics, began)


def times_of_batches(config: Config, processes: int) -> list[float]:
    """Seconds of each batch of a run but the first, which sets up."""
    distributed.fit(config, processes)
    seconds = [row["seconds"] for row in train.history(config)]
    return [after - before for before, after in zip(seconds, seconds[1:], strict=False)]
