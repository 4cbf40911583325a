"""Train the lifter on the built-in corpus' teacher family: ``python -m videomdm.study.train_lifter --out FOLDER``.

Its actions and bodies are disjoint from those that priors are trained on.  Killed and started again with the
same command, training goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import shlex
import time
from pathlib import Path

import torch
from torch import Tensor

from videomdm import cameras
from videomdm.cameras.keypoints import fill_missing
from videomdm.data import observations, procedural
from videomdm.data.corpus import Corpus
from videomdm.evaluation import teachers
from videomdm.lifters import augment, teacher
from videomdm.lifters.lifter import Lifter
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.storage import checkpoints
from videomdm.storage.progress import Bar
from videomdm.train import distributed

HELD_OUT = 128  # clips of each family that the figures are measured on
CHECKPOINT_EVERY = 200
LR, WEIGHT_DECAY, LR_WARMUP, CLIP_NORM = 1e-3, 0.01, 100, 1.0
VELOCITY, BONES = 5.0, 0.2  # weights of the velocity and the bone term
SHORT, SHORT_STEPS = 4, 0.7  # training starts with windows SHORT times shorter, for this share of the steps


def loss_terms(predicted: Tensor, true: Tensor, skeleton: Skeleton = SMPL22) -> dict[str, Tensor]:
    """Errors of joints, of their displacements from frame to frame, and of bone lengths.

    The last one is relative, as the root's short bones decide the root's depth (appendix D).

    Args:
        predicted, true: (B, T, J, 3) root-centred joints, metres.

    Returns:
        Means: ``position`` and ``velocity`` in metres, ``bones`` as a fraction, and ``total``, their weighted sum.
    """
    error = predicted - true
    position, velocity = error.norm(dim=-1).mean(), error.diff(dim=1).norm(dim=-1).mean()
    starts, ends = zip(*skeleton.bones, strict=True)
    lengths, expected = ((x[..., ends, :] - x[..., starts, :]).norm(dim=-1) for x in (predicted, true))
    bones = ((lengths - expected) / expected).abs().mean()
    total = position + VELOCITY * velocity + BONES * bones
    return {"total": total, "position": position, "velocity": velocity, "bones": bones}


def draw_batch(corpus: Corpus, size: int, window: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`draw_scenes` for a network that gives root-centred poses.

    Returns:
        Keypoints (B, window, J, 2) and confidence (B, window, J) as the network gets them, and the truth
        (B, window, J, 3): joints minus the root in camera axes, metres.
    """
    keypoints, confidence, joints = draw_scenes(corpus, size, window, generator)
    return keypoints, confidence, joints - joints[..., :1, :]


def draw_scenes(corpus: Corpus, size: int, window: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Windows of random clips as a random camera and a simulated detector see them.

    The camera is placed for the whole clip, so that windows lie at all distances and angles that clips do;
    :func:`augment.augment` then changes body and pose.

    Returns:
        Keypoints (B, window, J, 2), missing ones filled in, confidence (B, window, J), and the joints
        (B, window, J, 3) in camera axes, metres.
    """
    clips = torch.randint(len(corpus), (size,), generator=generator)
    joints, lengths = corpus.joints[clips], corpus.lengths[clips]
    joints = augment.mirror_half(joints, generator, corpus.skeleton)
    camera = cameras.sample_orbit(joints, lengths, generator)
    starts = (torch.rand(size, generator=generator) * (lengths - window + 1)).long()
    frames = starts[:, None] + torch.arange(window)
    joints = joints[torch.arange(size)[:, None], frames]
    joints = camera.to_camera(augment.augment(joints, corpus.fps, generator, corpus.skeleton))
    keypoints = joints[..., :2] / joints[..., 2:].clamp(min=cameras.MIN_DEPTH)
    keypoints, confidence = augment.detect(keypoints, generator)
    return fill_missing(keypoints, confidence), confidence, joints


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to 1 % of ``LR``."""
    decay = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps))
    return LR * decay * min(1.0, (step + 1) / LR_WARMUP)


def batch_shape(step: int, steps: int, batch_size: int, window: int) -> tuple[int, int]:
    """Windows in a batch and their frames: first more of shorter ones, whose views and poses differ more."""
    if step < SHORT_STEPS * steps and window % SHORT == 0:
        return batch_size * SHORT, window // SHORT
    return batch_size, window


def train(
    lifter: Lifter, corpus: Corpus, out: Path, steps: int, batch_size: int, seed: int, device: torch.device
) -> float:
    """Train for ``steps`` batches, resuming what ``out`` holds; returns the seconds spent in all."""
    generator = torch.Generator().manual_seed(seed)
    lifter.to(device).train()
    optimizer = torch.optim.AdamW(lifter.parameters(), LR, weight_decay=WEIGHT_DECAY)
    parts = {"lifter": lifter, "optimizer": optimizer, "generator": generator}
    run = {"steps": steps, "batch_size": batch_size, "seed": seed, **lifter.config}
    last = checkpoints.load_latest(out / "checkpoints")
    first, seconds = 0, 0.0
    if last is not None:
        if last.extra["run"] != run:
            raise ValueError(f"{out}: holds a run with {last.extra['run']}, expected {run}; use another --out")
        last.restore(parts)
        first, seconds = last.step, last.extra["seconds"]

    started = time.monotonic() - seconds
    with Bar(range(first, steps), initial=first, total=steps, desc="lifter") as bar:
        for step in bar:
            shape = batch_shape(step, steps, batch_size, lifter.window)
            keypoints, confidence, true = draw_batch(corpus, *shape, generator)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps)
            predicted = lifter(keypoints.to(device), confidence.to(device))
            terms = loss_terms(predicted, true.to(device), corpus.skeleton)
            optimizer.zero_grad()
            terms["total"].backward()
            torch.nn.utils.clip_grad_norm_(lifter.parameters(), CLIP_NORM)
            optimizer.step()
            if step % 20 == 0:
                bar.set_postfix({name: f"{value.item():.3f}" for name, value in terms.items()})
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
                extra = {"run": run, "seconds": time.monotonic() - started}
                checkpoints.save(out / "checkpoints", step + 1, parts, extra)
    return time.monotonic() - started


def measure(lifter: Lifter, corpus: Corpus, seed: int, smoothing: float = teacher.DEPTH_SMOOTHING) -> dict:
    """The teacher's errors (:func:`teachers.report`) on filmed clips of ``corpus``, without detector noise."""
    footage = observations.film(corpus, seed)
    lifted = teacher.estimate(footage, lifter, smoothing, corpus.skeleton, progress=False)
    return teachers.report(lifted, corpus.joints, corpus.lengths, corpus.fps, corpus.skeleton)


def main() -> None:
    parser = argparse.ArgumentParser("python -m videomdm.study.train_lifter", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the result")
    parser.add_argument("--steps", type=int, default=2500, help="batches")
    parser.add_argument("--batch-size", type=int, default=16, help="windows per batch")
    parser.add_argument("--clips", type=int, default=4000, help="clips of the teacher family")
    parser.add_argument("--window", type=int, default=32, help="frames that the network sees at once")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=str(distributed.device()))
    args = parser.parse_args()

    corpus = procedural.generate(args.clips + HELD_OUT, args.seed, family="teacher")
    torch.manual_seed(args.seed)
    lifter = Lifter(len(corpus.skeleton), args.window, args.width, args.depth, args.heads)
    training = corpus.select(range(args.clips))
    seconds = train(lifter, training, args.out, args.steps, args.batch_size, args.seed, torch.device(args.device))
    lifter.eval().save(args.out / "lifter.safetensors")

    tests = {
        "teacher family, held out": corpus.select(range(args.clips, len(corpus))),
        "prior family": procedural.generate(HELD_OUT, args.seed + 1, family="prior"),
    }
    about = {
        "command": shlex.join(["python", "-m", "videomdm.study.train_lifter", *_given(args)]),
        "data": "built-in corpus, teacher family",
        "seed": args.seed,
        "steps": args.steps,
        "seconds": round(seconds),
        "parameters": sum(p.numel() for p in lifter.parameters()),
        "machine": f"{args.device}, {torch.get_num_threads()} threads, {platform.machine()}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "metrics": {name: measure(lifter, clips, args.seed) for name, clips in tests.items()},
    }
    (args.out / "lifter.json").write_text(json.dumps(about, indent=1) + "\n")
    print(json.dumps(about["metrics"], indent=1))


def _given(args: argparse.Namespace) -> list[str]:
    """The arguments that decide the weights, all of them spelled out."""
    names = {"steps", "batch_size", "clips", "window", "width", "depth", "heads", "seed"}
    given = [f"--{k.replace('_', '-')}={v}" for k, v in vars(args).items() if k in names]
    return ["--out=OUT", *given]


if __name__ == "__main__":
    main()
