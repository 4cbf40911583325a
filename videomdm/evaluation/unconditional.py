"""The protocol of section 4.3: sets of motions compared as they look from the side, from anywhere, without texts.

True motions are known in 2-D only.  So every generated motion is projected to a camera of the data's elevation at a
random azimuth, and both sets are embedded by a 2-D motion VAE (:mod:`videomdm.evaluation.motion_vae`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm.data import nba
from videomdm.data.tracks import Statistics
from videomdm.evaluation import distribution
from videomdm.evaluation.measures import mean_interval
from videomdm.evaluation.motion_vae import MotionVAE
from videomdm.storage.progress import Bar

#: Azimuths of the cameras, radians: drawn uniformly between the two.
AZIMUTHS = {
    "uniform": (-math.pi, math.pi),
    "side": (math.pi / 2, math.pi / 2),
    "hybrid": (math.pi / 4, 3 * math.pi / 4),
}
NEIGHBOURS = 3  # k of precision, recall and recall-dagger
PAIRS = 200  # of diversity


@dataclass(frozen=True)
class Motions:
    """A set of motions, in 2-D as the data have them, or in 3-D.

    Attributes:
        points: (N, T, J, 2) keypoints in normalised image coordinates, or (N, T, J, 3) joints, hip at the origin.
        lengths: (N,) frames that count.
    """

    points: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    def draw(self, n: int, generator: torch.Generator) -> Motions:
        """``n`` of the motions, none twice; raises ``ValueError`` where there are fewer."""
        if n > len(self):
            raise ValueError(f"{n} motions asked for, expected at most {len(self)}, as many as there are")
        rows = torch.randperm(len(self), generator=generator)[:n]
        return Motions(self.points[rows], self.lengths[rows])


@dataclass(frozen=True)
class PlanarEvaluator:
    """A motion VAE and the statistics by which it reads keypoints: those of the training split."""

    network: MotionVAE
    statistics: Statistics

    def embeddings(self, motions: Motions, azimuths: str, generator: torch.Generator) -> Tensor:
        """(N, width) of motions; those in 3-D are filmed by :func:`videomdm.data.nba.camera`.

        Args:
            motions: in 2-D or in 3-D.
            azimuths: a key of :data:`AZIMUTHS`, which says where cameras stand; each motion has its own.
            generator: draws them.
        """
        points = motions.points
        if points.shape[-1] == 3:
            camera = nba.camera(len(motions), draw_azimuths(len(motions), azimuths, generator))
            points = camera.project(points)[0]
        return self.network.embeddings(self.statistics.normalise(points), motions.lengths).cpu()


@dataclass(frozen=True)
class MotionProtocol:
    """Motions per repeat, and repeats."""

    samples: int
    repeats: int


#: ``"mas"`` is that of MAS's paper and ``"full"`` that of VideoMDM's release.
PROTOCOLS = {
    "quick": MotionProtocol(samples=256, repeats=2),
    "mas": MotionProtocol(samples=1024, repeats=10),
    "full": MotionProtocol(samples=1024, repeats=20),
}


def draw_azimuths(n: int, mode: str, generator: torch.Generator) -> Tensor:
    """``n`` azimuths in radians of the kind ``mode``; raises ``ValueError`` for a kind not in :data:`AZIMUTHS`."""
    if mode not in AZIMUTHS:
        raise ValueError(f"azimuths are {mode!r}, expected one of {', '.join(AZIMUTHS)}")
    least, most = AZIMUTHS[mode]
    return least + (most - least) * torch.rand(n, generator=generator)


def metrics(real: Tensor, given: Tensor, seed: int) -> dict[str, float]:
    """How a set of embeddings (N, D) compares with the real ones (N, D).

    Args:
        real, given: of equally many motions: recall's balls shrink as a set grows.
        seed: of the pairs and subsets that diversity and KID draw.

    Returns:
        ``fid``, ``kid``, ``diversity``, ``precision``, ``recall`` and ``recall_dagger``; the last three as shares.

    Raises:
        ValueError: sets of different sizes, or what :mod:`videomdm.evaluation.distribution` refuses.
    """
    if len(real) != len(given):
        raise ValueError(f"given: {len(given)} motions, expected {len(real)} as in real")
    generator = torch.Generator().manual_seed(seed)
    return {
        "fid": distribution.fid(real, given),
        "kid": distribution.kid(real, given, generator=generator)[0],
        "diversity": distribution.diversity(given, min(PAIRS, len(given) - 1), generator=generator),
        "precision": distribution.precision(real, given, NEIGHBOURS),
        "recall": distribution.recall(real, given, NEIGHBOURS),
        "recall_dagger": distribution.recall_dagger(real, given, NEIGHBOURS),
    }


def evaluate(
    evaluator: PlanarEvaluator,
    real: Motions,
    make: Callable[[int, Tensor], Motions],
    protocol: str = "full",
    azimuths: str = "uniform",
) -> dict[str, list[float]]:
    """One row of table 3.

    Args:
        evaluator: the judge.
        real: 2-D motions of the test split.
        make: gives the motions of a repeat, of its number and the lengths (N,) of the real ones that it is compared
            with, so that a method generates motions as long as those.
        protocol: a key of :data:`PROTOCOLS`; of a test split with fewer motions than ``samples`` all are taken.
        azimuths: a key of :data:`AZIMUTHS`.

    Returns:
        Metric -> [mean, half-width of the 95 % interval] over repeats.

    Raises:
        ValueError: an unknown ``protocol`` or ``azimuths``.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}, expected one of {', '.join(PROTOCOLS)}")
    size, repeats = PROTOCOLS[protocol], []
    for repeat in Bar(range(PROTOCOLS[protocol].repeats), desc="repeats"):
        generator = torch.Generator().manual_seed(repeat)
        drawn = real.draw(min(size.samples, len(real)), generator)
        given = make(repeat, drawn.lengths)
        embedded = (evaluator.embeddings(motions, azimuths, generator) for motions in (drawn, given))
        repeats.append(metrics(*embedded, repeat))
    return {name: mean_interval(found[name] for found in repeats) for name in repeats[0]}
