"""What training loses to other busy processes on the same cores, with threads that wait long, shortly, or not at all.

Every setting has a process of its own that trains on all cores and waits for its turn without computing.  In turn, each
trains a few batches beside none, one and two processes that only count.

Two figures say how much longer a batch takes than the cores' share explains; 1 is nothing lost.  ``over_share``
counts what was there: the core seconds that nobody else had while a batch was trained, over those that its
arithmetic needs (one thread waits for nobody).  ``slower`` is the batch's time over that beside no process, which
a fair share of C cores between n threads and k processes explains up to (n + k) / C; on a machine that others use
at the same time, they are among the k.
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
from videomdm.storage.progress import Bar
from videomdm.train.trainer import Trainer, keep_memory

#: name -> what the environment says; the baseline is libgomp's own behaviour: 300,000 turns of a loop before sleeping.
SETTINGS = {
    "baseline": {"GOMP_SPINCOUNT": "300000"},
    "short": {"GOMP_SPINCOUNT": "1000"},  # what the package asks for
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "one-thread": {"OMP_NUM_THREADS": "1"},
}
COMPETITORS = (0, 1, 2)
COUNT = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with us, however we end


Piece = dict[str, float]  # seconds per batch of some batches: "wall", "processor", "others"


def run(config: Config, results: Path, repeats: int, batches: int = 5) -> Path:
    """``batches`` batches of every setting beside every number of competitors, ``repeats`` times in turn."""
    began = time.monotonic()
    metrics: Metrics = {"batch": config.optimiser.batch_size, "batches": batches, "cores": os.cpu_count()}
    metrics |= summary(measure(config, repeats, batches), os.cpu_count())
    return timing.write(results, "busy", config, metrics, began)


def measure(config: Config, repeats: int, batches: int) -> dict[tuple[int, str], list[Piece]]:
    """What the batches took, by number of competitors and setting."""
    spent: dict[tuple[int, str], list[Piece]] = {(k, name): [] for k in COMPETITORS for name in SETTINGS}
    with ExitStack() as stack:
        trainers = {name: stack.enter_context(started_trainer(config, setting)) for name, setting in SETTINGS.items()}
        bar = stack.enter_context(Bar(total=repeats * len(spent), desc="busy", unit="piece"))
        for _ in range(repeats):
            for k in COMPETITORS:
                with competitors(k):
                    for name, trainer in trainers.items():
                        spent[k, name].append(train_batches(trainer, batches))
                        bar.update()
    return spent


def summary(spent: dict[tuple[int, str], list[Piece]], cores: int) -> Metrics:
    """Metrics of :func:`measure`'s times, and a line for each setting and number of competitors."""
    metrics: Metrics = {}
    needed = min(_mean(pieces, "processor") for (_, name), pieces in spent.items() if name == "one-thread")
    for k in COMPETITORS:
        case = f"beside-{k}"
        metrics |= timing.summary(case, {name: [p["wall"] for p in spent[k, name]] for name in SETTINGS})
        for name in SETTINGS:
            pieces = spent[k, name]
            wall, others = _mean(pieces, "wall"), _mean(pieces, "others")
            found = {
                "processor_seconds": mean_interval(p["processor"] for p in pieces),
                "cores_of_others": others / wall,
                "over_share": (cores * wall - others) / needed,
                "slower": wall / _mean(spent[0, name], "wall"),
            }
            print(f"{case} {name:11s} others had {others / wall:.2f} cores; {found['over_share']:.2f} x what the share "
                  f"explains; {found['slower']:.2f} x as long as beside none", flush=True)  # fmt: skip
            metrics |= {f"{case}_{name}_{what}": value for what, value in found.items()}
    return metrics


def _mean(pieces: list[Piece], what: str) -> float:
    return sum(piece[what] for piece in pieces) / len(pieces)


@contextmanager
def started_trainer(config: Config, setting: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that has trained its first batches and waits to be told how many more."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))} | setting
    command = [sys.executable, "-m", "benchmarks.busy", config.to_json()]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            train_batches(process, 3)
            yield process
        finally:
            process.kill()


@contextmanager
def competitors(k: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", COUNT]) for _ in range(k)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def train_batches(trainer: subprocess.Popen[str], batches: int) -> Piece:
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
