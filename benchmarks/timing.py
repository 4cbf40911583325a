"""Paired timing, the machine's measured rates, and result files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from videomdm.config import Config
from videomdm.evaluation.measures import mean_interval
from videomdm.study import results
from videomdm.train.distributed import device

Metrics = dict[str, object]


def wait() -> None:
    """Until the accelerator has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(function: Callable[[], object]) -> float:
    wait()
    start = time.perf_counter()
    function()
    wait()
    return time.perf_counter() - start


def paired(candidates: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every candidate, ``repeats`` times in turn, after one run each that does not count.

    In turn, so that whatever else the machine does meets all of them alike.
    """
    for candidate in candidates.values():
        candidate()
    times = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, candidate in candidates.items():
            times[name].append(seconds(candidate))
    return times


@dataclass(frozen=True)
class Work:
    """What a computation cannot do without: floating point operations in matrix products, bytes of memory traffic."""

    flops: float = 0.0
    bytes: float = 0.0

    def floor(self, precision: str = "bf16") -> float:
        """Seconds that this machine needs at least, by its own measured rates (a roofline)."""
        return max(self.flops / matmul_rate(precision), self.bytes / bandwidth())


@cache
def matmul_rate(precision: str) -> float:
    """FLOP/s of a large square matrix product, the best of several."""
    n = 8192 if device().type == "cuda" else 1536
    dtype = {"bf16": torch.bfloat16, "float32": torch.float32}[precision]
    a, b = (torch.randn(n, n, device=device()).to(dtype) for _ in range(2))
    a @ b
    return 2 * n**3 / min(seconds(lambda: a @ b) for _ in range(5))


@cache
def bandwidth() -> float:
    """Bytes per second of a copy, read and written, of more than any cache holds; the best of several."""
    n = 2**30 if device().type == "cuda" else 2**25
    source, target = torch.zeros(n, device=device()), torch.zeros(n, device=device())
    return 8 * n / min(seconds(lambda: target.copy_(source)) for _ in range(5))


def summary(
    case: str, times: dict[str, list[float]], work: Work | None = None, precision: str = "bf16",
    share: dict[str, float] | None = None,
) -> Metrics:  # fmt: skip
    """Metrics of one case: seconds of each candidate, what each gains over ``baseline``, how far the floor is.

    A gain is the ratio of the total times, with the 95 % interval of a ratio of paired means: where the size of a batch
    is drawn, a mean of the pairs' own ratios would count the short ones too much.  ``share`` names candidates that need
    only a part of ``work``.
    """
    metrics: Metrics = {}
    for name, values in times.items():
        metrics[f"{case}_{name}_seconds"] = mean_interval(values)
        if name != "baseline" and "baseline" in times:
            metrics[f"{case}_{name}_gain"] = ratio(times["baseline"], values)
        if work is not None:
            floor = (share or {}).get(name, 1.0) * work.floor(precision)
            metrics[f"{case}_{name}_floors"] = sum(values) / len(values) / floor
    if work is not None:
        metrics |= {f"{case}_flops": work.flops, f"{case}_bytes": work.bytes, f"{case}_floor": work.floor(precision)}
    show(metrics)
    return metrics


def ratio(above: list[float], below: list[float]) -> list[float]:
    """[ratio of the means, 1.96 standard errors] of paired values (the delta method; half-width 0 for one pair)."""
    whole, mean = sum(above) / sum(below), sum(below) / len(below)
    _, half = mean_interval(a - whole * b for a, b in zip(above, below, strict=True))
    return [whole, half / mean]


def show(metrics: Metrics) -> None:
    """One line per candidate."""
    for key, value in metrics.items():
        if key.endswith("_seconds"):
            name = key.removesuffix("_seconds")
            gain, floors = metrics.get(f"{name}_gain"), metrics.get(f"{name}_floors")
            line = f"{name:40s} {1e3 * value[0]:10.2f} ms"
            line += f"   {gain[0]:6.2f} +- {gain[1]:.2f} x the baseline" if gain else ""
            print(line + (f"   {floors:6.1f} x the floor" if floors else ""), flush=True)


def write(folder: Path, benchmark: str, config: Config, metrics: Metrics, began: float) -> Path:
    """The benchmark's result, ``folder/benchmarks/<data>-<profile>-<benchmark>-<cpu or cuda>-s<seed>.json``."""
    rates = {"matmul_bf16": matmul_rate("bf16"), "matmul_float32": matmul_rate("float32"), "bandwidth": bandwidth()}
    name = f"{benchmark}-{device().type}"
    command = f"python -m benchmarks {benchmark.split('-')[0]}"
    return results.write(folder, "benchmarks", config, command, time.monotonic() - began, {**metrics, **rates}, name)
