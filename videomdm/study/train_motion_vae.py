"""Train the 2-D motion VAE that judges NBA-like corpora: ``python -m videomdm.study.train_motion_vae --out FOLDER``.

It sees the keypoints of the training split.  Killed and started again with the same command, training goes on from its
last checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from videomdm import programs
from videomdm.data import sources
from videomdm.data.tracks import Statistics, Tracks
from videomdm.evaluation.motion_vae import MotionVAE, load_motion_vae, loss_terms
from videomdm.evaluation.unconditional import Motions, PlanarEvaluator, metrics
from videomdm.plots import pose_strip
from videomdm.storage.files import digest
from videomdm.study import training

PROGRAM = "python -m videomdm.study.train_motion_vae"
MAX_FRAMES = 60  # of a clip, as in the profile laptop, so that table 3's judge is the same network
BATCH = 32  # the weight of the posteriors' divergence belongs to it


@dataclass(frozen=True)
class Budget:
    """Steps, learning rate and the sizes of the transformers."""

    steps: int
    learning_rate: float
    width: int
    n_layers: int
    feedforward: int


#: ``"laptop"`` is minutes on one core; ``"published"`` is MAS's.
BUDGETS = {
    "smoke": Budget(20, 1e-3, 16, 1, 32),
    "laptop": Budget(1500, 1e-3, 64, 2, 128),
    "published": Budget(1_000_000, 1e-5, 256, 6, 1024),
}


def train(tracks: Tracks, out: Path, budget: Budget, seed: int) -> PlanarEvaluator:
    """A VAE of the clips of a training split, in the folder ``out``, which gets ``motion_vae.safetensors``."""
    torch.manual_seed(seed)
    n_joints = len(tracks.skeleton)
    model = MotionVAE(n_joints, budget.width, budget.n_layers, feedforward=budget.feedforward)
    keypoints, lengths = tracks.normalised(), tracks.lengths

    def terms(generator: torch.Generator) -> dict[str, Tensor]:
        rows = torch.randint(len(lengths), (BATCH,), generator=generator)
        return loss_terms(model, keypoints[rows, : int(lengths[rows].max())], lengths[rows])

    about = {"data": digest(keypoints, lengths), **model.sizes}
    training.train(
        model, terms, out / "checkpoints", budget.steps, budget.learning_rate, seed, about, name="motion VAE"
    )
    model.save(out / "motion_vae.safetensors", tracks.statistics.mean, tracks.statistics.std)
    return PlanarEvaluator(model, tracks.statistics)


def load(path: Path) -> PlanarEvaluator:
    """What :func:`train` left; errors of :func:`videomdm.evaluation.motion_vae.load_motion_vae`."""
    model, mean, std = load_motion_vae(path)
    return PlanarEvaluator(model, Statistics(mean, std))


@torch.no_grad()
def report(evaluator: PlanarEvaluator, tracks: Tracks) -> dict[str, float]:
    """How well clips that were not trained on come back, and how the evaluator sees halves of them.

    Args:
        evaluator: trained.
        tracks: of another split.

    Returns:
        ``reconstruction``, the share of the keypoints' variance that is missing after encoding and decoding, and
        ``still``, the share that is missing when every frame is the clip's mean pose; then the metrics of one half of
        the clips against the other, each with ``half_`` before its name: what two samples of the truth differ by.
    """
    keypoints, lengths = tracks.normalised(), tracks.lengths
    inside = tracks.seen.valid[..., None, None]
    decoded = evaluator.network.decode(evaluator.network.encode(keypoints, lengths), lengths)
    mean = (keypoints * inside).sum(1, keepdim=True) / lengths[:, None, None, None]
    total = (keypoints.square() * inside).sum()
    lost = [((keypoints - x).square() * inside).sum() / total for x in (decoded, mean)]
    motions = Motions(tracks.seen.keypoints, lengths)
    embedded = evaluator.embeddings(motions, "uniform", torch.Generator())
    halves = embedded[torch.randperm(len(embedded), generator=torch.Generator().manual_seed(0))]
    half = len(halves) // 2
    found = metrics(halves[:half], halves[half : 2 * half], seed=0)
    return {"reconstruction": float(lost[0]), "still": float(lost[1]), **{f"half_{k}": v for k, v in found.items()}}


@torch.no_grad()
def reconstructions(evaluator: PlanarEvaluator, tracks: Tracks, clips: int = 3, frames: int = 9) -> Figure:
    """Clips after encoding and decoding, one a row, over the pictures themselves in grey."""
    chosen = tracks.select(tracks.lengths.argsort(descending=True)[: 2 * clips : 2])
    embedded = evaluator.network.encode(chosen.normalised(), chosen.lengths)
    decoded = evaluator.statistics.denormalise(evaluator.network.decode(embedded, chosen.lengths))
    shown, true = [], []
    for clip, length in enumerate(chosen.lengths.tolist()):
        times = torch.linspace(0, length - 1, frames).long()
        shown.append(decoded[clip, times])
        true.append(chosen.seen.keypoints[clip, times])
    title = "decoded from one vector per clip; the pictures in grey"
    return pose_strip(torch.cat(shown), tracks.skeleton, ghost=torch.cat(true), title=title, per_row=frames)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Train what is not trained yet, measure it and write the report."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, weights, report and a picture")
    parser.add_argument("--base", default="procedural", help="the corpus that is filmed as NBA's players were")
    parser.add_argument("--root", type=Path, help="its folder")
    parser.add_argument("--clips", type=int, default=2000, help="of the built-in corpus, all splits")
    parser.add_argument("--budget", default="laptop", choices=BUDGETS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)

    budget = BUDGETS[args.budget]
    splits = {
        split: sources.tracks("nba-like", args.root, split, MAX_FRAMES, args.clips, base=args.base)
        for split in ("train", "test")
    }
    evaluator = train(splits["train"], args.out, budget, args.seed)
    about = {
        "command": training.command(PROGRAM, args),
        "budget": vars(budget),
        "seconds": round(training.seconds(args.out / "checkpoints")),
        **training.environment(),
        "metrics": report(evaluator, splits["test"]),
    }
    reconstructions(evaluator, splits["test"]).savefig(args.out / "reconstructions.svg")
    training.write_report(args.out / "motion_vae.json", about)


if __name__ == "__main__":
    sys.exit(main())
