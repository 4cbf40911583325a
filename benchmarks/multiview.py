"""MAS: its consistency step in closed form against gradient descent, and its sampling against that of a 3-D prior."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import synthetic, timing
from benchmarks.timing import Metrics
from videomdm import sample
from videomdm.cameras.camera import Camera
from videomdm.cameras.views import Views
from videomdm.config import Config
from videomdm.data import nba
from videomdm.data.tracks import to_picture
from videomdm.sample import multiview

FRAMES, STEPS = 60, 100  # of the motions, of the diffusion
ADAM_STEPS, LEARNING_RATE = 1000, 0.01  # of MAS' own fit, at most


def run(config: Config, results: Path, repeats: int, n: int, adam_steps: int = ADAM_STEPS, steps: int = STEPS) -> Path:
    """``n`` motions of 16 centred joints without text.

    Args:
        config: the model's sizes.
        results: folder of the result.
        repeats: of every timing.
        n: motions.
        adam_steps: of which the time of ``ADAM_STEPS`` is extrapolated, as all are alike.
        steps: of the diffusion, for both priors.
    """
    began, device = time.monotonic(), timing.device()
    config = config.but(text="none", n_steps=steps, tau=2.0, max_frames=FRAMES, t_star=0)
    metrics: Metrics = {"motions": n, "frames": FRAMES, "views": multiview.N_VIEWS, "steps": steps}
    metrics |= _closed_form(n, repeats, adam_steps, device)
    lengths, texts = torch.full((n,), FRAMES), [""] * n
    priors = synthetic.centred_priors(config, device)
    times = timing.paired(
        {name: partial(sample.generate, prior, texts, lengths, guidance=1.0) for name, prior in priors.items()}, repeats
    )
    metrics |= {f"sampling_{name}_seconds": timing.mean_interval(values) for name, values in times.items()}
    metrics["sampling_cost"] = timing.ratio(times["mas"], times["prior"])
    print(f"MAS costs {metrics['sampling_cost'][0]:.2f} times what sampling a 3-D prior does")
    return timing.write(results, f"multiview-{n}", config, metrics, began)


def _closed_form(n: int, repeats: int, adam_steps: int, device: torch.device) -> Metrics:
    """Times of one consistency step, and how far the result of gradient descent is from the closed form's."""
    torch.manual_seed(0)
    camera = Views(nba.ELEVATION, nba.DISTANCE).cameras(multiview.N_VIEWS, device=device)
    motion = 0.5 * torch.randn(n, FRAMES, 16, 3, device=device)
    keypoints = multiview.project(motion, camera)
    keypoints = keypoints + 0.02 * torch.randn(keypoints.shape, device=device)
    start = motion + 0.1 * torch.randn_like(motion)
    fits: dict[str, Callable[[], Tensor]] = {
        "adam": partial(adam, keypoints, camera, start, adam_steps),
        "closed": partial(multiview.consistent, keypoints, camera, start),
    }
    times = timing.paired(fits, repeats)
    times["adam"] = [seconds * ADAM_STEPS / adam_steps for seconds in times["adam"]]
    few = slice(0, max(1, n // 25))
    converged = adam(keypoints[:, few], camera, start[few], ADAM_STEPS)
    found = multiview.consistent(keypoints[:, few], camera, start[few])
    gain = timing.ratio(times["adam"], times["closed"])
    print(f"the closed form is {gain[0]:.0f} times faster than {ADAM_STEPS} steps of Adam")
    return {
        **{f"{name}_seconds": timing.mean_interval(values) for name, values in times.items()},
        "closed_gain": gain, "difference": float((converged - found).norm() / found.norm()),
    }  # fmt: skip


def adam(keypoints: Tensor, camera: Camera, start: Tensor, steps: int) -> Tensor:
    """MAS' own fit: gradient descent on picture coordinates with the depth detached; see ``consistent`` for shapes."""
    motion = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([motion], lr=LEARNING_RATE)
    target = to_picture(keypoints)
    for _ in range(steps):
        seen = camera.to_camera(motion.expand(len(camera), *motion.shape))
        loss = (to_picture(seen[..., :2] / seen[..., 2:].detach()) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return motion.detach()
