"""Guided samples from text: all steps, and fewer with DDIM."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks import baseline, synthetic, timing
from benchmarks.step import work
from benchmarks.timing import Metrics, Work
from videomdm import sample
from videomdm.config import Config
from videomdm.diffusion import Diffusion

DDIM_STEPS = 10
VERSIONS = ("baseline", "float32", "bf16", "compiled")


def run(
    config: Config, results: Path, repeats: int, n: int, kinds: Sequence[str], names: Sequence[str] | None = None
) -> Path:
    """``n`` guided samples for each distribution of lengths in ``kinds``, by the ``names`` of ``VERSIONS``."""
    began = time.monotonic()
    device = timing.device()
    condition = torch.randn(n, 512).to(device)
    plain = baseline.PlainMDM(config, 263, 512).to(device).eval()
    names = names or (VERSIONS if device.type == "cuda" else VERSIONS[:3])
    priors = {
        name: synthetic.prior(config if name == "float32" else config.but(precision="bf16"), device)
        for name in names
        if name != "baseline"
    }
    if "compiled" in priors:
        priors["compiled"].model.compile()
    texts = ["a person walks"] * n
    metrics: Metrics = {"samples": n, "ddim_steps": DDIM_STEPS}
    for kind in kinds:
        lengths = synthetic.lengths(n, kind, config.data.max_frames)
        longest, guidance = int(lengths.max()), config.evaluation.guidance
        diffusion = Diffusion(config.model.n_steps, tau=config.model.tau)
        compared = {}
        if "baseline" in names:
            compared["baseline"] = partial(baseline.generate, plain, condition, longest, guidance, diffusion)
        for name, prior in priors.items():
            ours = partial(sample.generate, prior, texts, lengths)
            compared[name] = ours
            compared[f"{name}-ddim"] = partial(ours, method="ddim", steps=DDIM_STEPS)
        frames = float(lengths.double().mean())
        forward = work(config.but(batch_size=2 * n), frames, 1).flops / 3 * config.model.n_steps
        # At least the weights, in bf16, are read in every step.
        needed = Work(forward, 2 * sum(p.numel() for p in plain.parameters()) * config.model.n_steps)
        share = {name: DDIM_STEPS / config.model.n_steps for name in compared if name.endswith("-ddim")}
        metrics |= timing.summary(kind, timing.paired(compared, repeats), needed, share=share)
    return timing.write(results, f"sampling-{n}", config, metrics, began)
