"""Motions from text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videomdm import features
from videomdm.conventions import FEET
from videomdm.denoiser import guided
from videomdm.sample import multiview
from videomdm.sample.feet import hold
from videomdm.sample.prior import Prior, in_chunks


@torch.no_grad()
def generate(
    prior: Prior,
    texts: str | Sequence[str],
    lengths: Tensor | Sequence[int] | None = None,
    *,
    seconds: float | None = None,
    guidance: float | None = None,
    method: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
    as_features: bool = False,
    feet: str = "free",
) -> Tensor:
    """Motions from text.

    Args:
        prior: from :func:`~videomdm.sample.prior.load`.
        texts: one caption, or one per motion.
        lengths: frames per motion; ``seconds`` gives one length for all; the longest that was trained by default.
        guidance: classifier-free guidance scale, the run's own by default.
        method, steps: ``"ddpm"``, ``"ddim"``, and how many steps (all by default), or ``"walk"``; without a method as
            the prior was trained (:meth:`Prior.sampler`).  A 2-D prior is sampled by ``"mas"``
            (:mod:`videomdm.sample.multiview`), and by nothing else.
        seed: of the noise.
        progress: show a bar.
        as_features: return features instead of joints, not normalised.
        feet: ``"free"``, as the model has them, or ``"held"`` where they stand, with bones of one length for each
            motion (:func:`videomdm.sample.feet.hold`); held ones are what the command ``videomdm generate`` writes.

    Returns:
        (B, T, J, 3) joints in metres, Y up, starting at the origin and facing +Z; frames at and past a motion's
        length hold its last pose.  One caption gives a batch of one.  As features: (B, T, D).
        Priors of centred data give units (:mod:`videomdm.data.nba`), the hip at the origin in every frame.

    Raises:
        ValueError: a length that is not within 2 .. the longest trained, or as many lengths as texts are not given;
            a method that does not fit the prior; a caption for a prior without text; feet to be held of features, or
            of a prior whose motions stand on no floor (:attr:`Prior.grounded`).
    """
    _check(prior, method, feet, as_features)
    texts = [texts] if isinstance(texts, str) else list(texts)
    lengths = _lengths(prior, len(texts), lengths, seconds)
    scale = prior.config.evaluation.guidance if guidance is None else guidance
    if prior.views is not None:
        joints = multiview.generate(prior, texts, lengths, guidance=scale, seed=seed, progress=progress)
        held = torch.cat([joints, joints[:, -1:]], dim=1)  # as many rows as frames
        return features.encode(held, prior.skeleton) if as_features else joints
    condition = prior.encode(texts)
    clean = prior.diffusion.sample(
        in_chunks(guided(prior.model, scale), lengths, condition),
        (len(texts), int(lengths.max()), len(prior.normaliser.mean)),
        **prior.sampler(method, steps),
        generator=torch.Generator(prior.device).manual_seed(seed),
        device=prior.device,
        progress=progress,
    )
    clean = prior.normaliser.denormalise(clean)
    if as_features:
        return clean
    joints = features.hold_last(features.decode(clean), lengths)
    if feet == "held":
        return hold(joints, lengths, prior.skeleton, prior.fps)
    return joints - joints[:, :, :1] if prior.config.centred else joints


def _check(prior: Prior, method: str | None, feet: str, as_features: bool) -> None:
    if feet not in FEET:
        raise ValueError(f"feet is {feet!r}, expected one of {', '.join(FEET)}")
    if feet == "held" and (as_features or not prior.grounded):
        what = "features" if as_features else "motions that stand on no floor"
        raise ValueError(f"feet is 'held' for {what}, expected joints in metres above a floor")
    if (prior.views is not None) != (method == "mas" or method is None and prior.views is not None):
        kind = "3-D motions" if prior.views is None else "2-D pictures"
        raise ValueError(f"method is {method!r} for a prior of {kind}; expected 'mas' for one of 2-D pictures alone")


def _lengths(prior: Prior, n: int, lengths: Tensor | Sequence[int] | None, seconds: float | None) -> Tensor:
    longest = prior.config.data.max_frames
    if lengths is None:
        lengths = [longest if seconds is None else round(seconds * prior.fps)] * n
    lengths = torch.as_tensor(lengths)
    if lengths.shape != (n,):
        raise ValueError(f"lengths have shape {tuple(lengths.shape)}, expected one per text: ({n},)")
    if lengths.min() < 2 or lengths.max() > longest:
        raise ValueError(
            f"lengths {int(lengths.min())}..{int(lengths.max())} frames, expected 2..{longest}, "
            f"the longest this prior was trained on ({longest / prior.fps:.1f} s)"
        )
    return lengths.to(prior.device)
