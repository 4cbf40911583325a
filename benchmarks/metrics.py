"""The evaluation's metrics on 1,000 embeddings, against numpy as one writes it first."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import sqrtm

from benchmarks import timing
from benchmarks.timing import Metrics, Work
from videomdm.config import Config
from videomdm.evaluation import distribution, text_motion

POOL = 32


def fid(real: np.ndarray, generated: np.ndarray) -> float:
    """By the square root of the covariances' product."""
    first, second = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    gap = ((real.mean(0) - generated.mean(0)) ** 2).sum()
    return float(gap + np.trace(first + second - 2 * sqrtm(first @ second).real))


def recall_dagger(real: np.ndarray, generated: np.ndarray, k: int = 3) -> float:
    """Sample by sample."""
    inside = 0
    for sample in real:
        radius = np.sort(np.linalg.norm(real - sample, axis=1))[k]
        inside += np.linalg.norm(generated - sample, axis=1).min() <= radius
    return inside / len(real)


def r_precision(words: np.ndarray, motions: np.ndarray, top: int = 3) -> float:
    """Pool by pool, text by text."""
    order, hits = np.random.default_rng(0).permutation(len(words)), 0
    pools = [order[i : i + POOL] for i in range(0, len(order) - POOL + 1, POOL)]
    for pool in pools:
        for place, text in enumerate(pool):
            distances = np.linalg.norm(motions[pool] - words[text], axis=1)
            hits += place in np.argsort(distances)[:top]
    return hits / (len(pools) * POOL)


def run(config: Config, results: Path, repeats: int, n: int) -> Path:
    """``n`` real and generated embeddings of 512 channels; float64 in both versions."""
    began = time.monotonic()
    width = 512
    real, generated = (torch.randn(n, width, generator=torch.Generator().manual_seed(i)).double() for i in range(2))
    there = [x.to(timing.device()) for x in (real, generated)]
    arrays = real.numpy(), generated.numpy()
    distances = 2 * n * n * width
    cases = {
        "fid": (fid, distribution.fid, Work(2 * 2 * n * width**2)),
        "recall_dagger": (recall_dagger, distribution.recall_dagger, Work(2 * distances)),
        "r_precision": (r_precision, text_motion.r_precision, Work(2 * n * POOL * width)),
    }
    metrics: Metrics = {"samples": n}
    for name, (slow, fast, needed) in cases.items():
        compared = {
            "baseline": lambda slow=slow: slow(*arrays),
            "batched": lambda fast=fast: fast(*there),
        }
        metrics |= timing.summary(name, timing.paired(compared, repeats), needed, "float32")
    return timing.write(results, f"metrics-{n}", config, metrics, began)
