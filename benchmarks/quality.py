"""What speed costs: FID of one finished prior's motions, with fewer steps and in bfloat16, from the same noise.

Repeats draw captions and noise from their own number, so cases are compared pair by pair: a case's ``over_reference``
is the ratio of its FID to that of all steps in float32, within a repeat.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import timing
from benchmarks.sampling import DDIM_STEPS
from benchmarks.timing import Metrics
from videomdm import sample
from videomdm.config import Config
from videomdm.evaluation import distribution
from videomdm.evaluation.evaluators import evaluator
from videomdm.evaluation.measures import mean_interval
from videomdm.evaluation.protocol import draw_captions
from videomdm.sample.prior import Prior
from videomdm.train import observe

#: Name -> precision of the model, and the sampler (none: as the prior was trained, see `Prior.sampler`).
CASES = {
    "reference": ("float32", {"method": "ddpm"}),
    "bf16": ("bf16", {"method": "ddpm"}),
    "trained": ("float32", {}),
    "trained-bf16": ("bf16", {}),
    "ddim": ("float32", {"method": "ddim"}),
    "ddim-few": ("float32", {"method": "ddim", "steps": DDIM_STEPS}),
    "ddim-few-bf16": ("bf16", {"method": "ddim", "steps": DDIM_STEPS}),
}


def cases(prior: Prior) -> dict[str, tuple[str, dict[str, object]]]:
    """Those of :data:`CASES` that differ: a plain prior is sampled with DDPM as it was trained."""
    plain = prior.sampler()["method"] == "ddpm"
    return {name: case for name, case in CASES.items() if not (plain and name.startswith("trained"))}


def run(folder: Path, results: Path, repeats: int, n: int, runs: str | None = None) -> Path:
    """``n`` motions per repeat and case, for captions and lengths of the test split, by the first evaluator.

    Args:
        folder: a finished run.
        results: where the result goes.
        repeats, n: sizes.
        runs: the folder whose cache holds the evaluator, the run's own by default.
    """
    began = time.monotonic()
    prior = sample.load(folder, timing.device())
    config: Config = prior.config.but(runs=runs or str(folder.parent))
    train, test = observe.load(config, "train"), observe.load(config, "test")
    critic = evaluator(config, corpus=train).to(timing.device())
    true = critic.joints(test.joints, test.lengths, test.skeleton)
    n = min(n, len(test))
    found: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    for seed in range(repeats):
        rows, captions = draw_captions(test, n, seed)
        for name, (precision, how) in cases(prior).items():
            prior.model.precision = precision
            start = time.perf_counter()
            joints = sample.generate(prior, captions, test.lengths[rows], seed=seed, **how)
            timing.wait()
            times.setdefault(name, []).append((time.perf_counter() - start) / n)
            made = critic.joints(joints, test.lengths[rows].to(joints.device), test.skeleton)
            found.setdefault(name, []).append(distribution.fid(true, made))
    metrics: Metrics = {"samples": n, "repeats": repeats, "ddim_steps": DDIM_STEPS}
    for name, values in found.items():
        ratios = mean_interval(v / r for v, r in zip(values, found["reference"], strict=True))
        metrics |= {
            f"{name}_fid": mean_interval(values),
            f"{name}_fid_over_reference": ratios,
            f"{name}_seconds_per_sample": mean_interval(times[name]),
        }
        print(f"{name:14s} FID {metrics[f'{name}_fid'][0]:8.3f} +- {metrics[f'{name}_fid'][1]:.3f}   "
              f"{ratios[0]:.3f} +- {ratios[1]:.3f} of the reference's", flush=True)  # fmt: skip
    return timing.write(results, f"quality-{config.method.replace('/', '-')}", config, metrics, began)
