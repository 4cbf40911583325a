"""Train the lifter: ``python -m videomdm.study.train_lifter --cmu CMU --out FOLDER``.

On the built-in corpus' teacher family, whose actions and bodies are disjoint from those that priors are trained on, and
on CMU's training actors (:mod:`videomdm.data.cmu_actors`), half and half.  Killed and started again with the same
command, training goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from videomdm import cameras, programs
from videomdm.cameras.unseen import fill_unseen
from videomdm.data import cmu_actors, observations, procedural, sources
from videomdm.data.corpus import Corpus
from videomdm.evaluation import teachers
from videomdm.lifters import augment, phones, teacher
from videomdm.lifters.lifter import TOKENS, Lifter
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.storage import checkpoints
from videomdm.storage.checkpoints import load_weights
from videomdm.storage.files import digest
from videomdm.storage.progress import Bar
from videomdm.study import results, training
from videomdm.train import distributed

PROGRAM = "python -m videomdm.study.train_lifter"
STEPS = 12_000
LICENCE = (
    "Trained on the CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu, which is free for use in research "
    "projects and commercial products and may not be resold directly, even in converted form.  The data used in this "
    "project was obtained from mocap.cs.cmu.edu.  The database was created with funding from NSF EIA-0196217."
)
HELD_OUT = 128  # clips of each family that the figures are measured on
LR, WEIGHT_DECAY = 1e-3, 0.01
VELOCITY, BONES, DIRECTIONS = 5.0, 0.2, 0.1  # weights of the loss's other terms
ORBITS = 0.4  # share of the cameras that are placed as the studies' are
EXACT, NOISY = 0.4, 0.15  # shares of the windows whose keypoints are exact, or exact joints with noise
SHORT, SHORT_STEPS = 4, 0.7  # training starts with windows SHORT times shorter, for this share of the steps


def loss_terms(predicted: Tensor, true: Tensor, skeleton: Skeleton = SMPL22) -> dict[str, Tensor]:
    """Errors of joints, of their displacements from frame to frame, of bones' lengths and of their directions.

    Lengths' are relative, as the root's short bones decide the root's depth (appendix D).

    Args:
        predicted, true: (B, T, J, 3) root-centred joints, metres.

    Returns:
        Means: ``position`` and ``velocity`` in metres, ``bones`` as a fraction, ``directions`` (distances between unit
        vectors), and ``total``, their weighted sum.
    """
    error = predicted - true
    position, velocity = error.norm(dim=-1).mean(), error.diff(dim=1).norm(dim=-1).mean()
    starts, ends = zip(*skeleton.bones, strict=True)
    own, expected = (x[..., ends, :] - x[..., starts, :] for x in (predicted, true))
    length, known = (x.norm(dim=-1, keepdim=True).clamp(min=1e-6) for x in (own, expected))
    bones = ((length - known) / known).abs().mean()
    directions = (own / length - expected / known).norm(dim=-1).mean()
    total = position + VELOCITY * velocity + BONES * bones + DIRECTIONS * directions
    parts = {"position": position, "velocity": velocity, "bones": bones, "directions": directions}
    return {"total": total, **parts}


def draw_batch(
    corpora: Sequence[Corpus], size: int, window: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`draw_scenes` for a network that gives root-centred poses.

    Returns:
        Keypoints (B, window, J, 2) and confidence (B, window, J) as the network gets them, and the truth
        (B, window, J, 3): joints minus the root in camera axes, metres.
    """
    keypoints, confidence, joints = draw_scenes(corpora, size, window, generator)
    return keypoints, confidence, joints - joints[..., :1, :]


def draw_scenes(
    corpora: Sequence[Corpus], size: int, window: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Windows of random clips as a random camera and a simulated detector see them.

    As many of each corpus, longer clips more often.  A part of the cameras (``ORBITS``) are the studies' own,
    placed for the whole clip (appendix C.1), the others telephones' (:func:`phones.cameras_of`).
    :func:`augment.augment` changes bodies and poses.  Keypoints are exact (``EXACT``), exact joints with noise
    (``NOISY``), or what a detector of landmarks reports (:func:`phones.report`).

    Returns:
        Keypoints (B, window, J, 2), missing ones filled in, confidence (B, window, J), and the joints
        (B, window, J, 3) in camera axes, metres.
    """
    shares = [size // len(corpora) + (i < size % len(corpora)) for i in range(len(corpora))]
    drawn = [_draw_joints(*part, window, generator) for part in zip(corpora, shares, strict=True) if part[1]]
    order = torch.randperm(size, generator=generator)
    joints = torch.cat(drawn)[order]

    exact, noisy = round(EXACT * size), round((EXACT + NOISY) * size)
    flat = joints[:noisy, ..., :2] / joints[:noisy, ..., 2:].clamp(min=cameras.MIN_DEPTH)
    found, sure = augment.detect(flat[exact:], generator)
    reported, believed = phones.report(joints[noisy:], generator)
    keypoints = torch.cat([flat[:exact], fill_unseen(found, sure, SMPL22), reported])
    return keypoints, torch.cat([torch.ones_like(flat[:exact, ..., 0]), sure, believed]), joints


def _draw_joints(corpus: Corpus, size: int, window: int, generator: torch.Generator) -> Tensor:
    """Windows (size, window, J, 3) of a corpus' clips, other bodies in other poses, in the axes of random cameras."""
    clips = torch.multinomial(corpus.lengths.double(), size, replacement=True, generator=generator)
    joints, lengths = corpus.joints[clips], corpus.lengths[clips]
    joints = augment.mirror_half(joints, generator, corpus.skeleton)
    orbit = cameras.sample_orbit(joints, lengths, generator)
    joints = augment.windows(joints, lengths, window, generator)
    joints = augment.augment(joints, corpus.fps, generator, corpus.skeleton, limber=True)
    phone = phones.cameras_of(joints, generator)
    studio = torch.rand(size, generator=generator) < ORBITS
    return torch.where(studio[:, None, None, None], orbit.to_camera(joints), phone.to_camera(joints))


def batch_shape(step: int, steps: int, batch_size: int, window: int) -> tuple[int, int]:
    """Windows in a batch and their frames: first more of shorter ones, whose views and poses differ more."""
    if step < SHORT_STEPS * steps and window % SHORT == 0:
        return batch_size * SHORT, window // SHORT
    return batch_size, window


def train(
    lifter: Lifter, corpora: Sequence[Corpus], out: Path, steps: int, batch_size: int, seed: int, device: torch.device,
    lr: float = LR,
) -> float:  # fmt: skip
    """Train for ``steps`` batches, resuming what ``out`` holds; returns the seconds spent in all.

    Raises:
        ValueError: ``out`` holds a run of other settings or clips.
    """
    generator = torch.Generator().manual_seed(seed)
    lifter.to(device).train()
    optimizer = torch.optim.AdamW(lifter.parameters(), LR, weight_decay=WEIGHT_DECAY)
    parts = {"lifter": lifter, "optimizer": optimizer, "generator": generator}
    run = {"steps": steps, "batch_size": batch_size, "seed": seed, "lr": lr, **lifter.config}
    run["clips"] = digest([corpus.names for corpus in corpora], *(corpus.lengths for corpus in corpora))
    first, seconds = training.resume(out / "checkpoints", run, parts)
    started = time.monotonic() - seconds
    with Bar(range(first, steps), initial=first, total=steps, desc="lifter") as bar:
        for step in bar:
            shape = batch_shape(step, steps, batch_size, lifter.window)
            keypoints, confidence, true = draw_batch(corpora, *shape, generator)
            for group in optimizer.param_groups:
                group["lr"] = training.cosine(step, steps, lr)
            predicted = lifter(keypoints.to(device), confidence.to(device))
            terms = loss_terms(predicted, true.to(device))
            optimizer.zero_grad()
            terms["total"].backward()
            torch.nn.utils.clip_grad_norm_(lifter.parameters(), training.CLIP_NORM)
            optimizer.step()
            if step % 20 == 0:
                bar.set_postfix({name: f"{value.item():.3f}" for name, value in terms.items()})
            if (step + 1) % training.CHECKPOINT_EVERY == 0 or step + 1 == steps:
                extra = {"run": run, "seconds": time.monotonic() - started}
                checkpoints.save(out / "checkpoints", step + 1, parts, extra)
    return time.monotonic() - started


def measure(lifter: Lifter, corpus: Corpus, seed: int, smoothing: float = teacher.DEPTH_SMOOTHING) -> dict:
    """The teacher's errors (:func:`teachers.report`) on filmed clips of ``corpus``, without detector noise."""
    footage = observations.film(corpus, seed)
    lifted = teacher.estimate(footage, lifter, smoothing, corpus.skeleton, progress=False)
    return teachers.report(lifted, corpus.joints, corpus.lengths, corpus.fps, corpus.skeleton)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Train, and write ``lifter.safetensors`` and ``lifter.json`` into ``<out>``."""
    args = _parser().parse_args(arguments)
    learned, tests = corpora(args.cmu, args.clips, args.seed)
    torch.manual_seed(args.seed)
    sizes = args.window, args.width, args.depth, args.heads, args.tokens
    lifter = Lifter(len(SMPL22), *sizes, averaged=True)
    if args.start:
        load_weights(args.start / "lifter.safetensors", lifter)
    device = torch.device(args.device)
    seconds = train(lifter, learned, args.out, args.steps, args.batch_size, args.seed, device, args.lr)
    lifter.eval().save(args.out / "lifter.safetensors")
    about = {
        "command": f"{PROGRAM} {shlex.join(_given(args))}",
        "commit": results.commit(),
        **({"start": _made(args.start / "lifter.json")} if args.start else {}),
        "data": "the built-in corpus' teacher family and CMU's training actors, half and half",
        "trained_on": trained_on(args.cmu),
        "licence": LICENCE,
        "seed": args.seed,
        "steps": args.steps,
        "seconds": round(seconds),
        "parameters": sum(p.numel() for p in lifter.parameters()),
        **training.environment(args.device),
        "metrics": {name: measure(lifter, clips, args.seed) for name, clips in tests.items()},
    }
    training.write_report(args.out / "lifter.json", about)


def corpora(cmu: Path, clips: int, seed: int) -> tuple[list[Corpus], dict[str, Corpus]]:
    """What the teacher's networks learn from, and by name what they are measured on.

    Args:
        cmu: folder that ``videomdm prepare-cmu`` made.
        clips: of the built-in corpus' teacher family that are learned from.
        seed: of the built-in corpus.

    Raises:
        DataError: as of :func:`videomdm.data.cmu_actors.load`.
    """
    family = procedural.generate(clips + HELD_OUT, seed, family="teacher")
    return [family.select(range(clips)), cmu_actors.load(cmu, "train")], {
        "teacher family, held out": family.select(range(clips, len(family))),
        "prior family": procedural.generate(HELD_OUT, seed + 1, family="prior"),
        "cmu, validation actors": sources.canonical(cmu_actors.load(cmu, "val")),
    }


def trained_on(cmu: Path) -> dict[str, object]:
    """What :func:`corpora` are, for reports: families of the built-in corpus, and CMU's actors by number."""
    return {"procedural": ["teacher"], "cmu": cmu_actors.actors(cmu, "train")}


def options(args: argparse.Namespace, *names: str) -> list[str]:
    """The options of these names, spelled out in the order in which the program lists them."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in vars(args).items() if name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the result")
    parser.add_argument("--cmu", type=Path, required=True, help="folder that videomdm prepare-cmu made")
    parser.add_argument("--steps", type=int, default=STEPS, help="batches")
    parser.add_argument("--start", type=Path, help="folder of a finished run whose weights training goes on from")
    parser.add_argument("--lr", type=float, default=LR, help="highest learning rate")
    parser.add_argument("--batch-size", type=int, default=32, help="windows per batch")
    parser.add_argument("--clips", type=int, default=4000, help="clips of the built-in corpus' teacher family")
    parser.add_argument("--window", type=int, default=32, help="frames that the network sees at once")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--tokens", choices=TOKENS, default="frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=str(distributed.device()))
    return parser


def _made(path: Path) -> dict[str, object]:
    """How the weights were made that training goes on from."""
    about = results.load(path)
    return {key: about[key] for key in ("command", "commit", "start") if key in about}


def _given(args: argparse.Namespace) -> list[str]:
    """The arguments that decide the weights, all of them spelled out."""
    names = "steps", "batch_size", "clips", "window", "width", "depth", "heads", "tokens", "lr", "seed"
    given = options(args, *names)
    return ["--out=OUT", "--cmu=CMU", *(["--start=START"] if args.start else []), *given]


if __name__ == "__main__":
    sys.exit(main())
