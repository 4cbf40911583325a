"""What a prior makes of a clean motion: diffused to a low noise and denoised once, it should come back as it was.

A denoiser that must say a whole motion anew brings back one of those that it learned.  How far that is from what it was
given, at a noise that hides hardly anything, is what lifting somebody else with it costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videomdm import features
from videomdm.evaluation import pose
from videomdm.features import rays
from videomdm.sample.prior import Prior

STEPS = (0, 2, 4, 8, 12, 16, 24)  # of 50


@torch.no_grad()
def errors(
    prior: Prior, joints: Tensor, lengths: Tensor, steps: Sequence[int] = STEPS, seed: int = 0
) -> dict[int, dict[str, float]]:
    """How far motions are from what the prior predicts of them, without a caption, once they are diffused.

    Args:
        prior: predicts.
        joints: (C, T, J, 3) metres, canonical.
        lengths: (C,) frames.
        steps: diffusion steps, 0-based, that the motions are diffused to.
        seed: of the noise, one for all steps.

    Returns:
        For each step ``mpjpe``, root-aligned, and ``pa_mpjpe``, after Procrustes, in mm, and ``acceleration``, the
        error of the joints' accelerations in m/s^2.

    Raises:
        ValueError: a step that the diffusion does not have.
    """
    held = features.hold_last(joints.to(prior.device), lengths)
    clean = rays.encode(held, lengths, prior.skeleton, prior.normaliser)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed)).to(clean)
    found = {}
    for t in steps:
        seen = prior.diffusion.q_sample(clean, t, noise)
        predicted = prior.model(seen, torch.full((len(seen),), t, device=seen.device), None, lengths.to(seen.device))
        own = features.decode(prior.normaliser.denormalise(predicted))
        own = features.hold_last(own[:, : joints.shape[1]], lengths).cpu()
        errors = pose.errors(own, joints, lengths, prior.fps, align="root")
        found[t] = {
            **{name: float(errors[name].mean()) for name in ("mpjpe", "pa_mpjpe")},
            "acceleration": float(pose.acceleration_error(own, joints, prior.fps, lengths)),
        }
    return found
