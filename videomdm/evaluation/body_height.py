"""How large people are: in the motions that a prior learned, and in its predictions at each noise level.

From one camera size and distance cannot be told apart.  Where training may move the camera along its view, nothing
but the prior's own prediction says how large people are, and that may drift.
"""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm import features
from videomdm.data.corpus import Corpus
from videomdm.sample.prior import Prior
from videomdm.skeletons import kinematics
from videomdm.skeletons.padding import valid_frames

LEVELS = (10, 30, 50, 70, 90)  #: % of the diffusion steps, from the clean end
CLIPS = 256  #: at most so many clips are predicted
SIZES = (85, 90, 95, 100, 105, 110, 115)  # % of people's own, at which true motions are judged


def ratio(joints: Tensor, truth: Corpus) -> Tensor:
    """(C,) body height of motions (C, T, J, 3), in any frame, over that of the same clips' truth, in %."""
    own, true = (kinematics.body_height(j, truth.lengths, truth.skeleton) for j in (joints, truth.joints))
    return 100 * own.double() / true


def learned(joints: Tensor, truth: Corpus) -> dict[str, float]:
    """:func:`ratio` of the motions that a prior was trained on: mean and spread over clips."""
    ratios = ratio(joints, truth)
    return {"learned_body_height": float(ratios.mean()), "learned_body_height_spread": float(ratios.std())}


def corrected(joints: Tensor, truth: Corpus) -> dict[str, Tensor]:
    """Motions with more and more of their bodies put right, to see what of their distance to true ones that explains.

    Args:
        joints: (C, T, J, 3) metres, Y up, on the floor y = 0.
        truth: the true motions of the same clips.

    Returns:
        ``size``: scaled to the true body height; ``size_height``: then raised or lowered to the root's true mean
        height; ``bones_height``: all bones of true lengths, and that height.  Each (C, T, J, 3).
    """
    lengths, skeleton = truth.lengths, truth.skeleton
    sized = joints * (100 / ratio(joints, truth)).to(joints)[:, None, None, None]
    bones = kinematics.bone_lengths(truth.joints, lengths, skeleton)
    boned = kinematics.constant_bones(joints, lengths, skeleton, bones)
    high = _root_height(truth.joints, lengths)
    raised = {
        name: motions + joints.new_tensor([0, 1, 0]) * (high - _root_height(motions, lengths))[:, None, None, None]
        for name, motions in (("size_height", sized), ("bones_height", boned))
    }
    return {"size": sized, **raised}


def _root_height(joints: Tensor, lengths: Tensor) -> Tensor:
    """(C,) metres, the mean over a clip's frames (C,)."""
    inside = valid_frames(lengths, joints.shape[1])
    return (joints[:, :, 0, 1] * inside).sum(1) / lengths


@torch.no_grad()
def predicted(prior: Prior, joints: Tensor, truth: Corpus, seed: int = 0) -> dict[str, float]:
    """Body height in a prior's one-step predictions over that of the motions that were diffused, in %.

    Args:
        prior: predicts, conditioned on each clip's first caption.
        joints: (C, T, J, 3) motions of ``truth``'s clips that it was trained on, metres.
        truth: the clips' lengths and captions; :data:`CLIPS` of them are taken, evenly spaced.
        seed: of the noise, which is the same at all levels.

    Returns:
        ``predicted_size_<level>`` for each of :data:`LEVELS`: the mean over clips.
    """
    rows = truth.spaced(CLIPS)
    clips, skeleton = truth.select(rows), prior.skeleton
    given, device = joints[rows, : clips.joints.shape[1]], prior.device
    clean = prior.normaliser.normalise(
        features.encode(features.hold_last(given, clips.lengths), skeleton).to(device)
    )  # fmt: skip
    condition = prior.encode([names[0] for names in clips.captions])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed)).to(device)
    lengths = clips.lengths.to(device)
    before = kinematics.body_height(given.to(device), lengths, skeleton)
    found = {}
    for level in LEVELS:
        t = torch.full((len(rows),), round(level / 100 * prior.config.model.n_steps), device=device)
        guess = prior.model(prior.diffusion.q_sample(clean, t, noise), t, condition, lengths - 1)
        after = kinematics.body_height(features.decode(prior.normaliser.denormalise(guess)), lengths, skeleton)
        found[f"predicted_size_{level}"] = float(100 * (after / before).mean())
    return found
