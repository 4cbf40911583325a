"""Guided samples from text: all steps, and fewer with DDIM."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from benchmarks import baseline, synthetic, timing
from benchmarks.step import work
from benchmarks.timing import Metrics, Work
from videomdm import sample
from videomdm.config import Config

DDIM_STEPS = 10


def run(config: Config, results: Path, repeats: int, n: int) -> Path:
    """``n`` guided samples, all of full length, then of HumanML3D's lengths."""
    began = time.monotonic()
    device = timing.device()
    condition = torch.randn(n, 512).to(device)
    plain = baseline.PlainMDM(config, 263, 512).to(device).eval()
    float32 = synthetic.prior(config, device)
    bf16, compiled = (synthetic.prior(config.but(precision="bf16"), device) for _ in range(2))
    compiled.model.compile()
    texts = ["a person walks"] * n
    metrics: Metrics = {"samples": n, "ddim_steps": DDIM_STEPS}
    for kind in ("full", "humanml3d"):
        lengths = synthetic.lengths(n, kind, config.max_frames)

        def ours(prior: sample.Prior, lengths: torch.Tensor = lengths, **options: object) -> torch.Tensor:
            return sample.generate(prior, texts, lengths, **options)

        compared = {
            "baseline": lambda lengths=lengths: baseline.generate(
                plain, condition, int(lengths.max()), config.guidance, float32.diffusion
            ),
            "float32": lambda: ours(float32),
            "bf16": lambda: ours(bf16),
            "compiled": lambda: ours(compiled),
            "ddim": lambda: ours(bf16, method="ddim", steps=DDIM_STEPS),
            "ddim-compiled": lambda: ours(compiled, method="ddim", steps=DDIM_STEPS),
        }
        frames = float(lengths.double().mean())
        forward = work(config.but(batch_size=2 * n), frames, 1).flops / 3 * config.n_steps
        metrics |= timing.summary(kind, timing.paired(compared, repeats), Work(forward))
    return timing.write(results, f"sampling-{n}", config, metrics, began)
