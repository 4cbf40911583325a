"""Training of small networks that is killed and resumed: what such programs share."""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from videomdm.storage import checkpoints
from videomdm.storage.files import write_json
from videomdm.storage.progress import Bar

CHECKPOINT_EVERY, WARMUP = 200, 100  # batches
CLIP_NORM = 1.0  # of gradients


def cosine(step: int, steps: int, peak: float = 1.0) -> float:
    """The learning rate of a batch: a linear warm-up to ``peak``, then a cosine that ends at 1 % of it."""
    decay = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * decay * min(1.0, (step + 1) / WARMUP)


def train(
    network: nn.Module,
    terms: Callable[[torch.Generator], Mapping[str, Tensor]],
    out: Path,
    steps: int,
    learning_rate: float,
    seed: int,
    about: Mapping[str, Any],
    weight_decay: float = 0.01,
    name: str = "training",
) -> float:
    """Train for ``steps`` batches with AdamW, going on from what ``out`` holds.

    A run that was killed and started again ends with the same weights as one that was not (bitwise on CPU, same
    machine and thread count).

    Args:
        network: trained in place.
        terms: draws a batch with the generator that it is given, and gives the losses by name; ``"total"`` is
            minimised.  What it draws besides comes from torch's global generators, which are restored too.
        out: folder of the checkpoints.
        steps: batches.
        learning_rate: at its highest, see :func:`cosine`.
        seed: of the batches.
        about: what else decides the weights, such as sizes and the data's digest (JSON values).
        weight_decay: of AdamW.
        name: of the progress bar.

    Returns:
        Seconds spent in all.

    Raises:
        ValueError: ``out`` holds a run of other settings.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.train().parameters(), learning_rate, weight_decay=weight_decay)
    parts = {"network": network, "optimizer": optimizer, "generator": generator}
    run = {"steps": steps, "learning_rate": learning_rate, "seed": seed, "weight_decay": weight_decay, **about}
    first, before = resume(out, run, parts)
    started = time.monotonic() - before
    with Bar(range(first, steps), initial=first, total=steps, desc=name) as bar:
        for step in bar:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * cosine(step, steps)
            found = terms(generator)
            optimizer.zero_grad()
            found["total"].backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimizer.step()
            if step % 20 == 0:
                bar.set_postfix({key: f"{value.item():.3g}" for key, value in found.items()}, refresh=False)
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
                checkpoints.save(out, step + 1, parts, {"run": run, "seconds": time.monotonic() - started})
    network.eval()
    return time.monotonic() - started


def resume(out: Path, run: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[int, float]:
    """Restore what a folder of checkpoints holds.

    Args:
        out: the folder; nothing is restored where it holds none.
        run: the settings, as in the ``extra`` of the checkpoints (JSON values).
        parts: see :meth:`videomdm.storage.checkpoints.Checkpoint.restore`.

    Returns:
        Finished steps and the seconds that they took.

    Raises:
        ValueError: it holds a run of other settings.
    """
    last = checkpoints.load_latest(out)
    if last is None:
        return 0, 0.0
    if last.extra["run"] != run:
        raise ValueError(f"{out}: holds a run with {last.extra['run']}, expected {run}; use another folder")
    last.restore(parts)
    return last.step, last.extra["seconds"]


def command(program: str, given: argparse.Namespace) -> str:
    """The command that makes a report again, wherever the corpus lies (``root``) and results go (``out``)."""
    parts = [program, "--out OUT"]
    if given.root:
        parts.append(f"--root $VIDEOMDM_DATA/{given.root.name}")
    options = {name: value for name, value in vars(given).items() if name not in ("out", "root", "debug")}
    parts += [
        f"--{name}" if value is True else f"--{name} {value}" for name, value in options.items() if value is not False
    ]
    return " ".join(parts)


def environment(device: str = "") -> dict[str, object]:
    """What a report says of where a network was trained: ``machine``, its kind and not its name, and ``versions``."""
    threads = f"{torch.get_num_threads()} threads, {platform.machine()}"
    return {
        "machine": f"{device}, {threads}" if device else threads,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def write_report(path: Path, about: Mapping[str, Any]) -> None:
    """Write a network's report as JSON, and print its ``metrics``."""
    write_json(path, about)
    print(json.dumps(about["metrics"], indent=1))


def seconds(out: Path) -> float:
    """Seconds that the training in the folder ``out`` took, over all its starts; 0 where there is none."""
    last = checkpoints.load_latest(out)
    return 0.0 if last is None else last.extra["seconds"]
