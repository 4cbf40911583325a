"""What each method costs, the shape of the paper's table 4: ``python -m benchmarks.cost [--profile study]``.

Every method is measured in a process of its own, so that its peak memory is its own.  A training step is timed with
all batches high and with all batches low (appendix G.1), and the mean over a run follows from their shares.
The evaluation is timed in the ``quick`` protocol, on the built-in corpus, with everything that does not depend on the
prior (corpus, evaluators, embeddings of real data) at hand; that of pictures' prior, which cannot lift, is not.
The teacher is the package's lifter: it is not trained here, and its motions are lifted, not sampled.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import synthetic, timing
from videomdm import sample
from videomdm.allowed import PRECISIONS
from videomdm.config import PROFILES, Config
from videomdm.data import observations, procedural
from videomdm.diffusion import Multistep
from videomdm.evaluation import protocol
from videomdm.evaluation.evaluators import evaluators as evaluators_of
from videomdm.evaluation.lifting import teacher_errors
from videomdm.lifters import teacher
from videomdm.lifters.weight_sets import SETS
from videomdm.methods import METHODS
from videomdm.study import results
from videomdm.train.trainer import Trainer, keep_memory

ROWS = ("teacher", "mdm-teacher", "videomdm", "videomdm-pnp/refined", "mdm-2d")
SAMPLES = 100


def measure(config: Config, steps: int) -> dict[str, float]:
    """Of one method: batches per second, hours of its whole training, peak memory, seconds per 100 motions."""
    keep_memory()
    data = synthetic.training_set(config, "full", timing.device(), n=512)
    high = seconds_per_step(config, data, steps, multistep=False)
    share = config.multistep.probability if config.multistep.t_star else 0.0
    mean = high + share * (seconds_per_step(config, data, steps, multistep=True) - high) if share else high
    memory = _peak_memory()
    prior = synthetic.prior(config, timing.device())
    sampling = timing.seconds(lambda: sample.generate(prior, ["a person walks"] * SAMPLES))
    evaluated = {} if config.recipe.motions == "keypoints" else evaluation_minutes(prior, config)
    return {
        "batches_per_second": 1 / mean, "peak_memory_mb": memory / 2**20, "seconds_per_100_motions": sampling,
        "training_hours": _hours(config, high, mean), **evaluated,
    }  # fmt: skip


def lift(config: Config) -> dict[str, float]:
    """Of the teacher: seconds per 100 clips of the configuration's length, and peak memory."""
    corpus = procedural.generate(SAMPLES, seed=0).cut(config.data.max_frames)
    footage = observations.film(corpus, 0)
    lifter = SETS[config.data.lifter].lifter().to(timing.device())
    seconds = timing.seconds(lambda: teacher.estimate(footage, lifter, progress=False))
    return {"seconds_per_100_motions": seconds, "peak_memory_mb": _peak_memory() / 2**20}


def evaluation_minutes(prior: sample.Prior, config: Config) -> dict[str, float]:
    """Minutes of a row's evaluation: ``quick`` measured, ``full`` by its larger numbers of motions and clips."""
    with tempfile.TemporaryDirectory() as folder:
        config = config.but(protocol="quick", evaluator_steps=1, runs=folder)
        evaluators, quick, full = evaluators_of(config), protocol.protocol(config), protocol.PROTOCOLS["full"]
        protocol.real(config)
        teacher_errors(config, quick.lift_clips)  # films and lifts what the probe compares with
        generating = timing.seconds(lambda: protocol.generation(prior, config, evaluators))
        lifting = timing.seconds(lambda: protocol.lifting(prior, config, quick.lift_clips))
    motions = [p.repeats * p.samples + p.texts * p.per_text for p in (quick, full)]
    more = motions[1] / motions[0] * generating + full.lift_clips / quick.lift_clips * lifting
    return {"quick_evaluation_minutes": (generating + lifting) / 60, "full_evaluation_minutes": more / 60}


def seconds_per_step(config: Config, data: object, steps: int, multistep: bool) -> float:
    trainer = Trainer(config, data)
    if multistep:
        schedule = config.multistep
        # Every batch is low.
        trainer.timesteps = Multistep(schedule.threshold, config.optimiser.t_star, config.optimiser.n_buckets)
    elif config.multistep.t_star:
        trainer.timesteps = Multistep(config.model.n_steps, 0, config.optimiser.n_buckets)  # none is
    trainer.step(0, 1e-4)
    return timing.seconds(lambda: [trainer.step(1 + i, 1e-4) for i in range(steps)]) / steps


def _hours(config: Config, plain: float, mean: float) -> float:
    """The warm-up is plain MDM, whose step costs at most what a high batch of the second stage costs."""
    if config.recipe.frame is None:
        return (config.optimiser.warmup_steps + config.optimiser.steps) * plain / 3600
    warmup = seconds_per_step(
        config.but(method="mdm-teacher"),
        synthetic.training_set(config.but(method="mdm-teacher"), "full", timing.device(), n=512), 8, multistep=False,
    )  # fmt: skip
    return (config.optimiser.warmup_steps * warmup + config.optimiser.steps * mean) / 3600


def _peak_memory() -> float:
    """Bytes: of the process on a CPU, of the allocator on a GPU."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__.split("\n")[0])
    parser.add_argument("--profile", default="study", choices=PROFILES)
    parser.add_argument("--precision", default="bf16", choices=PRECISIONS)
    parser.add_argument("--steps", type=int, default=10, help="that are timed, of each kind")
    parser.add_argument("--methods", nargs="+", default=ROWS, choices=("teacher", *METHODS), metavar="METHOD")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    base = PROFILES[given.profile].but(precision=given.precision)
    if given.one:
        one = lift(base) if given.one == "teacher" else measure(base.but(method=given.one), given.steps)
        print(json.dumps(one))
        return
    shared = ["--profile", given.profile, "--precision", given.precision, "--steps", str(given.steps)]
    for method in given.methods:
        began = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.cost", *shared, "--one", method]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        metrics = json.loads(done.stdout.splitlines()[-1])
        print(method, metrics, flush=True)
        said = f"python -m benchmarks.cost {' '.join(shared)}"
        config = base if method == "teacher" else base.but(method=method)
        results.write(given.results, "cost", config, said, time.monotonic() - began, metrics, method)


if __name__ == "__main__":
    main()
