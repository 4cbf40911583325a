"""A small tree in the layout of MAS's NBA data, made of the built-in corpus."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from videomdm.data import nba, sources
from videomdm.data.tracks import to_picture


def at_60(values: torch.Tensor) -> torch.Tensor:
    """(T, J, D) at 30 frames a second -> (2 T - 1, J, D) at 60."""
    flat = values.flatten(1).T[None]
    return F.interpolate(flat, size=2 * len(values) - 1, mode="linear", align_corners=True)[0].T.unflatten(
        1, values.shape[1:]
    )


def write(root: Path, n: int = 20, frames: int = 48) -> Path:
    """Motions, statistics and predictions of ``n`` clips; returns ``root``, which holds ``nba``."""
    corpus = nba.bodies(sources.load("procedural", None, "train", frames, 10 * n // 8 + 40))
    corpus = corpus.select(torch.arange(n))
    footage = nba.film(corpus, seed=3)
    tracks = nba.tracks(corpus, footage)
    folder = root / "nba"
    for name in ("motions", "elepose_predictions", "motionBert_predictions"):
        (folder / name).mkdir(parents=True)
    poses = footage.camera.to_camera(corpus.joints) - torch.tensor([0.0, 0.0, nba.DISTANCE])
    poses = poses + 0.04 * torch.randn(poses.shape, generator=torch.Generator().manual_seed(0))
    for i, length in enumerate(corpus.lengths.tolist()):
        points = to_picture(footage.keypoints[i, :length])
        seen = torch.cat([points, footage.confidence[i, :length, :, None]], -1)
        np.save(folder / "motions" / f"clip{i:03}.npy", at_60(seen).numpy())
        pose = at_60(poses[i, :length]) * torch.tensor([1.0, -1.0, -1.0])  # y up
        np.save(folder / "elepose_predictions" / f"clip{i:03}.npy", pose.numpy())
        np.save(folder / "motionBert_predictions" / f"clip{i:03}.npy", (pose * torch.tensor([0.6, -0.6, -0.6])).numpy())
    np.save(folder / "Mean.npy", tracks.statistics.mean.numpy())
    np.save(folder / "Std.npy", tracks.statistics.std.numpy())
    return root
