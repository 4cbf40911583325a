"""Several processes that train as one, each on a device of its own; ``accelerate`` starts and joins them.

A process that was started alone has rank 0 of 1 and waits for nobody.  Every process draws the randomness of the
whole batch and trains on its share of the rows, so a batch is the same whatever the number of processes.  Rank 0
alone writes; on several machines the folder of runs has to be on a file system that all of them see.

Every device holds the whole model (DDP), or a share of every weight (:mod:`videomdm.train.fsdp`) where it would not
fit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from videomdm.config import Config

if TYPE_CHECKING:
    from accelerate import Accelerator

PATIENCE = timedelta(days=1)  # for a process that prepares data while the others wait
_PLAIN = ("--num_machines", "1", "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no")


def launch(config: Config, processes: int, cpu: bool = False) -> subprocess.Popen[str]:
    """Start training on several processes of this machine, as ``accelerate launch`` does.

    Args:
        config: what to train; written to its folder of runs as ``config.json``.
        processes: each on a device of its own, or one thread of the CPU.
        cpu: leave GPUs alone.

    Returns:
        The launcher; its standard error, where progress goes, is a pipe to be read.
    """
    description = Path(config.runs) / "config.json"
    description.parent.mkdir(parents=True, exist_ok=True)
    description.write_text(config.to_json())
    many = ["--multi_gpu"] if processes > 1 else []  # without GPUs this starts processes on the CPU
    command = [sys.executable, "-m", "accelerate.commands.launch", *many, "--num_processes", str(processes), *_PLAIN]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ACCELERATE", "WORLD", "RANK"))}
    environment |= {"OMP_NUM_THREADS": "1", **({"CUDA_VISIBLE_DEVICES": ""} if cpu else {})}
    command += ["-m", "videomdm.train", "--config", str(description)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def fit(config: Config, processes: int, cpu: bool = False) -> None:
    """Train to the end as :func:`launch` starts it; raises ``RuntimeError`` with the last of what a failed one said."""
    process = launch(config, processes, cpu)
    said = process.communicate()[1]
    if process.returncode:
        raise RuntimeError(f"{processes} processes ended with status {process.returncode}:\n{said[-2000:]}")


def _together() -> Accelerator | None:
    """What joins this process to the others; None where it is alone, so that a notebook can launch some later."""
    return _accelerator() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else None


@cache
def _accelerator() -> Accelerator:
    # Imported where it is needed: in a notebook it warns of missing widgets.
    from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType, InitProcessGroupKwargs
    from accelerate.utils import parse_flag_from_env

    handlers = [InitProcessGroupKwargs(timeout=PATIENCE), DistributedDataParallelKwargs(gradient_as_bucket_view=True)]
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
    # Precision is the configuration's: accelerate's own default may be any.
    accelerator = Accelerator(cpu=cpu, mixed_precision="no", kwargs_handlers=handlers)
    if accelerator.distributed_type not in (DistributedType.MULTI_CPU, DistributedType.MULTI_GPU):
        kind = accelerator.distributed_type.value
        raise ValueError(
            f"launched as {kind}, expected MULTI_GPU or MULTI_CPU; shard_weights=true splits the model over the devices"
        )
    return accelerator


def rank() -> int:
    """This process among all, 0 for the one that writes."""
    return accelerator.process_index if (accelerator := _together()) else 0


def world() -> int:
    """How many processes there are."""
    return accelerator.num_processes if (accelerator := _together()) else 1


def device() -> torch.device:
    """The device that this process computes on."""
    if accelerator := _together():
        return accelerator.device
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def share(batch_size: int) -> slice:
    """The rows of a batch that this process trains on; shares differ by one row at most.

    Raises:
        ValueError: fewer rows than processes.
    """
    if batch_size < world():
        raise ValueError(f"batch_size is {batch_size}, expected at least one row for each of {world()} processes")
    return slice(batch_size * rank() // world(), batch_size * (rank() + 1) // world())


def wait() -> None:
    """Until all processes are here."""
    if accelerator := _together():
        accelerator.wait_for_everyone()


def first() -> AbstractContextManager:
    """A block that rank 0 goes through before the others, who then find on disk what it computed."""
    return accelerator.main_process_first() if (accelerator := _together()) else nullcontext()


def wrap(model: nn.Module) -> nn.Module:
    """The model whose backward pass averages gradients over the processes; its weights become rank 0's."""
    return accelerator.prepare_model(model) if (accelerator := _together()) else model


def whole(value: Tensor) -> Tensor:
    """A tensor put together from the processes' parts, where it is sharded; all of them call it."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def accumulate(model: nn.Module, more: bool) -> AbstractContextManager:
    """A pass of a wrapped or sharded model whose gradients stay here while there are ``more`` to add."""
    if hasattr(model, "set_requires_gradient_sync"):  # sharded
        model.set_requires_gradient_sync(not more)
        return nullcontext()
    return accelerator.no_sync(model) if more and (accelerator := _together()) else nullcontext()


def mean(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means over the processes of scalars by name, the same names in each."""
    if not (accelerator := _together()):
        return dict(values)
    stacked = torch.stack([value.to(accelerator.device, torch.float64) for value in values.values()])
    return dict(zip(values, accelerator.reduce(stacked, "mean"), strict=True))


def agree(number: int, what: str) -> None:
    """Raises ``RuntimeError`` where the processes do not all have the same ``number``."""
    if not (accelerator := _together()):
        return
    numbers = accelerator.gather(torch.tensor([number], device=accelerator.device)).tolist()
    if len(set(numbers)) > 1:
        raise RuntimeError(f"{what} is {numbers} by process, expected one number: do they all see the same files?")


def finish() -> None:
    """Part from the other processes: the last thing that a program does."""
    if accelerator := _together():
        accelerator.end_training()
