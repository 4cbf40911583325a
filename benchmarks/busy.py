"""What training loses to other busy processes on the same cores, with threads that wait actively, passively, or not.

Every setting has a process of its own that trains on all cores and waits for its turn without computing.  In turn, each
trains a few batches beside none, one and two processes that only count.  A machine that shares its cores fairly
gives n threads beside k such processes n / (n + k) of the time, so k alone explain a batch that takes (n + k) / n times
as long; what a batch takes beyond that, the threads lose by waiting for each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from benchmarks import synthetic, timing
from benchmarks.timing import Metrics
from videomdm.config import Config
from videomdm.evaluation.measures import mean_interval
from videomdm.train.trainer import Trainer, keep_memory

#: name -> what the environment says; the baseline is libgomp's own behaviour: 300,000 turns of a loop before sleeping.
SETTINGS = {
    "baseline": {"GOMP_SPINCOUNT": "300000"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "one-thread": {"OMP_NUM_THREADS": "1"},
}
COMPETITORS = (0, 1, 2)


def run(config: Config, results: Path, repeats: int, batches: int = 5) -> Path:
    """``batches`` batches of every setting beside every number of competitors, ``repeats`` times in turn."""
    began = time.monotonic()
    spent: dict[tuple[int, str], list[dict[str, float]]] = {(k, name): [] for k in COMPETITORS for name in SETTINGS}
    with ExitStack() as stack:
        trainers = {name: stack.enter_context(_trainer(config, setting)) for name, setting in SETTINGS.items()}
        for _ in range(repeats):
            for k in COMPETITORS:
                with _competitors(k):
                    for name, trainer in trainers.items():
                        spent[k, name].append(_train(trainer, batches))
    metrics: Metrics = {"batch": config.batch_size, "batches": batches, "cores": os.cpu_count()}
    for k in COMPETITORS:
        walls = {name: [piece["wall"] for piece in spent[k, name]] for name in SETTINGS}
        metrics |= timing.summary(f"beside-{k}", walls)
        for name in SETTINGS:
            pieces = spent[k, name]
            metrics[f"beside-{k}_{name}_processor_seconds"] = mean_interval(piece["processor"] for piece in pieces)
            wall = sum(piece["wall"] for piece in pieces)
            metrics[f"beside-{k}_{name}_cores_of_others"] = sum(piece["others"] for piece in pieces) / wall
            metrics[f"beside-{k}_{name}_over_share"] = over_share(spent[0, name], pieces, k, _threads(name))
    for name in SETTINGS:
        lost = ", ".join(f"{metrics[f'beside-{k}_{name}_over_share']:.2f}" for k in COMPETITORS)
        print(f"{name:12s} takes {lost} x what the cores' share explains beside {COMPETITORS} processes", flush=True)
    return timing.write(results, "busy", config, metrics, began)


def over_share(alone: list[dict[str, float]], beside: list[dict[str, float]], k: int, threads: int) -> float:
    """How much longer a batch takes beside ``k`` processes than a fair share of the cores explains; 1 is nothing lost.

    A lone thread beside fewer processes than there are other cores would lose nothing.
    """
    longer = sum(piece["wall"] for piece in beside) / sum(piece["wall"] for piece in alone)
    return longer / max(1.0, (threads + k) / os.cpu_count())


def _threads(name: str) -> int:
    return int(SETTINGS[name].get("OMP_NUM_THREADS", os.cpu_count()))


@contextmanager
def _trainer(config: Config, setting: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that has trained its first batches and waits to be told how many more."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))} | setting
    command = [sys.executable, "-m", "benchmarks.busy", config.to_json()]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            _train(process, 3)
            yield process
        finally:
            process.kill()


@contextmanager
def _competitors(k: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(k)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _train(trainer: subprocess.Popen[str], batches: int) -> dict[str, float]:
    """Seconds per batch: ``wall``, ``processor`` (of all threads), and what all other processes had of the cores."""
    before = _busy()
    print(batches, file=trainer.stdin, flush=True)
    spent = json.loads(trainer.stdout.readline())
    others = (_busy() - before) / batches - spent["processor"]
    return {**spent, "others": max(0.0, others)}


def _busy() -> float:
    """Seconds that the machine's cores have worked since it started; 0 where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _, _, interrupt, soft = map(int, stat.read_text().split("\n")[0].split()[1:8])
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")


def _serve(config: Config) -> None:
    """Train as many batches as each line of standard input says, and print what each took."""
    keep_memory()
    trainer = Trainer(config, synthetic.training_set(config, "humanml3d", torch.device("cpu"), n=256))
    count = iter(range(10**9))
    for line in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            trainer.step(next(count), 1e-4)
        took = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
        print(json.dumps({name: value / int(line) for name, value in took.items()}), flush=True)


if __name__ == "__main__":
    _serve(Config.from_json(sys.argv[1]))
