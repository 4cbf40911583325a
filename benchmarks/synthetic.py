"""Data of the right shapes: no corpus is needed to measure speed."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm import cameras, features, text
from videomdm.cameras import Footage
from videomdm.cameras.views import Views
from videomdm.config import Config
from videomdm.data import nba, procedural
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior, build_denoiser
from videomdm.skeletons import NBA16, SMPL22
from videomdm.train.dataset import TrainingSet

# HumanML3D (Guo et al. 2022): clips of 2 s to 9.8 s at 20 fps, 7.1 s in the mean.  With a share of 0.31 at the
# cap, where its longer motions were cut, and the rest uniform, the mean is that.
SHORTEST, LONGEST, CAPPED = 40, 196, 0.31


def lengths(n: int, kind: str, longest: int = LONGEST) -> Tensor:
    """(n,) frames: all ``"full"``, or with the distribution of ``"humanml3d"`` (scaled to ``longest``)."""
    full = torch.full((n,), longest)
    if kind == "full":
        return full
    generator = torch.Generator().manual_seed(0)
    shorter = torch.randint(longest * SHORTEST // LONGEST, longest, (n,), generator=generator)
    return torch.where(torch.rand(n, generator=generator) < CAPPED, full, shorter)


def training_set(config: Config, kind: str, device: torch.device, n: int = 2048) -> TrainingSet:
    """Clips of noise, with keypoints where the method uses them."""
    generator = torch.Generator().manual_seed(0)
    T, J = config.data.max_frames, len(SMPL22)
    D, two_d = channels(config), config.recipe.frame is not None or config.recipe.motions == "keypoints"
    camera = cameras.orbit(torch.rand(n, generator=generator), 0.1, torch.zeros(n, 3), torch.full((n,), 4.0))
    own = lengths(n, kind, T)
    data = TrainingSet(
        features=torch.randn(n, T, D, generator=generator), lengths=own,
        text=torch.randn(n, text.by_name(config.model.text).width, generator=generator), first=torch.arange(n),
        count=torch.ones(n, dtype=torch.long), normaliser=Normaliser(torch.zeros(D), torch.full((D,), 0.1)),
        skeleton=SMPL22, fps=20.0,
        seen=Footage.of(0.2 * torch.randn(n, T, J, 2, generator=generator), camera, own) if two_d else None,
    )  # fmt: skip
    return data.to(device)


def channels(config: Config) -> int:
    """Of what a method diffuses, motions or pictures, of SMPL's joints."""
    return 2 * len(SMPL22) if config.recipe.motions == "keypoints" else features.n_features(len(SMPL22))


def prior(config: Config, device: torch.device) -> Prior:
    """An untrained one: sampling takes as long as with a trained one."""
    D = channels(config)
    views = Views(elevation=0.1, distance=4.0, height=1.0) if config.recipe.motions == "keypoints" else None
    torch.manual_seed(0)
    model = build_denoiser(config, D, text.by_name(config.model.text).width).to(device).eval()
    return Prior(model, Normaliser(torch.zeros(D), torch.full((D,), 0.1)).to(device), SMPL22, 20.0, config, views)


def centred_priors(config: Config, device: torch.device) -> dict[str, Prior]:
    """Untrained ones of NBA's 16 joints: ``prior`` of 3-D motions, ``mas`` of pictures."""
    priors, config = {}, config.but(data="nba-like")
    for name, method, channels, views in (
        ("prior", "mdm-3d", features.n_features(len(NBA16)), None),
        ("mas", "mdm-2d", 2 * len(NBA16), Views(nba.ELEVATION, nba.DISTANCE)),
    ):
        torch.manual_seed(0)
        own = config.but(method=method)
        model = build_denoiser(own, channels, text.by_name(config.model.text).width).to(device).eval()
        statistics = Normaliser(torch.zeros(channels), torch.full((channels,), 0.1)).to(device)
        priors[name] = Prior(model, statistics, NBA16, 20.0, own, views)
    return priors


def motions(n: int, n_frames: int) -> Tensor:
    """(n, n_frames, J, 3) joints of the built-in corpus, short ones going on with their last pose."""
    corpus = procedural.generate(n, seed=0)
    joints = features.hold_last(corpus.joints, corpus.lengths)
    index = torch.arange(n_frames).clamp(max=joints.shape[1] - 1)
    return joints[:, index]
