"""Train the trajectory network: ``python -m videomdm.study.train_trajectory --cmu CMU --lifter FILE --out FOLDER``.

On what the lifter learned from (:mod:`videomdm.study.train_lifter`); the lifter stays as it is.  Scenes are drawn and
lifted once, kept in the folder, and then seen many times.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from videomdm import cameras, programs
from videomdm.data import observations, sources
from videomdm.data.corpus import Corpus
from videomdm.evaluation import teachers
from videomdm.lifters import teacher, weight_sets
from videomdm.lifters.lifter import Lifter
from videomdm.lifters.trajectory import Trajectory
from videomdm.skeletons.definitions import SMPL22
from videomdm.storage import checkpoints
from videomdm.storage.progress import Bar
from videomdm.study import results, train_lifter, training
from videomdm.study.train_lifter import LICENCE, LR, VELOCITY, WEIGHT_DECAY, draw_scenes

PROGRAM = "python -m videomdm.study.train_trajectory"
DRIFT = 2.0  # weight of the error without its mean
LIFTED_AT_ONCE = 64  # scenes
BANDAI_FRAMES = 48  # as in the study


def draw_lifted(
    corpora: Sequence[Corpus], lifter: Lifter, n_scenes: int, frames: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Scenes of :func:`videomdm.study.train_lifter.draw_scenes`, lifted as the teacher does.

    Returns:
        The arguments of ``Trajectory`` by name, without ``inside``, and ``true`` (n, frames, 3): the root
        in camera axes, metres.
    """
    long = [corpus.select((corpus.lengths >= frames).nonzero().flatten().tolist()) for corpus in corpora]
    parts = []
    for start in Bar(range(0, n_scenes, LIFTED_AT_ONCE), "scenes"):
        size = min(LIFTED_AT_ONCE, n_scenes - start)
        keypoints, confidence, joints = draw_scenes(long, size, frames, generator)
        pose = lifter.lift(keypoints, confidence, torch.full((size,), frames))
        inside = torch.ones(size, frames, dtype=torch.bool)
        bones = teacher.bone_lengths(pose, inside)
        first = teacher.path_from_bones(keypoints, bones, inside, teacher.DEPTH_SMOOTHING)
        parts.append((first, pose, keypoints, confidence, joints[..., 0, :]))
    names = ("first", "pose", "keypoints", "confidence", "true")
    return {name: torch.cat(part) for name, part in zip(names, zip(*parts, strict=True), strict=True)}


def kept_scenes(path: Path, run: dict, make: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], float]:
    """What ``make()`` gave for ``run``, from the file ``path`` if it is there; and the CPU seconds it took.

    Raises:
        ValueError: the file holds another run's scenes.
    """
    if not path.exists():
        started = time.process_time()
        scenes = make()
        checkpoints.write_tensors(path, scenes, {"run": run, "seconds": time.process_time() - started})
    about = checkpoints.read_metadata(path)
    if about["run"] != run:
        raise ValueError(f"{path}: holds scenes of {about['run']}, expected {run}; use another --out")
    return checkpoints.read_tensors(path), about["seconds"]


def loss_terms(predicted: Tensor, true: Tensor) -> dict[str, Tensor]:
    """Errors of the logarithm of the depth, fractions of it, for paths (B, T, 3) along the same rays.

    Returns:
        Mean absolute errors: ``position``, ``drift`` (without each clip's mean error, most of which is the
        body's unknown size), ``velocity`` (from frame to frame), and ``total``, their weighted sum.
    """
    error = (predicted[..., 2] / true[..., 2]).log()
    position, velocity = error.abs().mean(), error.diff(dim=1).abs().mean()
    drift = (error - error.mean(1, keepdim=True)).abs().mean()
    total = position + DRIFT * drift + VELOCITY * velocity
    return {"total": total, "position": position, "drift": drift, "velocity": velocity}


def train(network: Trajectory, scenes: dict[str, Tensor], steps: int, batch_size: int, seed: int) -> None:
    """Train for ``steps`` batches of random scenes."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.train().parameters(), weight_decay=WEIGHT_DECAY)
    bar = Bar(range(steps), desc="trajectory")
    for step in bar:
        rows = torch.randint(len(scenes["true"]), (batch_size,), generator=generator)
        batch = {name: values[rows] for name, values in scenes.items()}
        true = batch.pop("true")
        for group in optimizer.param_groups:
            group["lr"] = training.cosine(step, steps, LR)
        predicted = teacher.corrected_path(network, **batch, inside=torch.ones(true.shape[:2], dtype=torch.bool))
        terms = loss_terms(predicted, true)
        optimizer.zero_grad()
        terms["total"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), training.CLIP_NORM)
        optimizer.step()
        if step % 50 == 0:
            bar.set_postfix({name: f"{value.item():.3f}" for name, value in terms.items()})


def measure(corpus: Corpus, seed: int, lifter: Lifter, network: Trajectory) -> dict[str, dict[str, float]]:
    """Both teachers' errors on the same filmed clips, without detector noise.

    Those of :func:`teachers.report`, and ``reprojection``: the root mean square distance between the teacher's
    joints in the image and the keypoints, in thousandths of the focal length, mean over clips.
    """
    footage = observations.film(corpus, seed)
    pose, found = lifter.lift(footage.keypoints, footage.confidence, footage.lengths), {}
    for name, root in (("naive", "bones"), ("trajectory", network)):
        lifted = teacher.place(pose, footage, skeleton=corpus.skeleton, root_path=root)
        error = cameras.reprojection_error(footage.camera, lifted, footage.keypoints, footage.lengths).mean()
        found[name] = teachers.report(lifted, corpus.joints, corpus.lengths, corpus.fps, corpus.skeleton)
        found[name]["reprojection"] = round(1000 * float(error), 3)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Train, and write ``trajectory.safetensors`` and ``trajectory.json`` into ``<out>``."""
    args = _parser().parse_args(arguments)
    learned, tests = train_lifter.corpora(args.cmu, args.clips, args.seed)
    if args.bandai:
        tests["bandai, test"] = sources.load("bandai", args.bandai, "test", BANDAI_FRAMES, 0)
    lifter, used = Lifter.load(args.lifter), weight_sets.digest(args.lifter)
    torch.manual_seed(args.seed)
    network = Trajectory(len(SMPL22), args.width)
    args.out.mkdir(parents=True, exist_ok=True)
    scenes, seconds = kept_scenes(
        args.out / "scenes.safetensors",
        {name: getattr(args, name) for name in ("clips", "scenes", "frames", "seed")} | {"lifter": used},
        lambda: draw_lifted(learned, lifter, args.scenes, args.frames, torch.Generator().manual_seed(args.seed)),
    )
    started = time.process_time()
    train(network, scenes, args.steps, args.batch_size, args.seed)
    seconds += time.process_time() - started
    network.eval().save(args.out / "trajectory.safetensors")
    about = {
        "command": f"{PROGRAM} {shlex.join(_given(args))}",
        "commit": results.commit(),
        "data": "the built-in corpus' teacher family and CMU's training actors, half and half; poses of the lifter",
        "trained_on": train_lifter.trained_on(args.cmu),
        "licence": LICENCE,
        "lifter": used,
        "seed": args.seed,
        "steps": args.steps,
        "cpu_seconds": round(seconds),
        "parameters": sum(p.numel() for p in network.parameters()),
        **training.environment("cpu"),
        "metrics": {name: measure(clips, args.seed, lifter, network) for name, clips in tests.items()},
    }
    training.write_report(args.out / "trajectory.json", about)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the result")
    parser.add_argument("--cmu", type=Path, required=True, help="folder that videomdm prepare-cmu made")
    parser.add_argument("--lifter", type=Path, required=True, help="the lifter's weights")
    parser.add_argument("--scenes", type=int, default=4000, help="windows that are lifted, once")
    parser.add_argument("--frames", type=int, default=64, help="frames of a scene")
    parser.add_argument("--steps", type=int, default=2000, help="batches")
    parser.add_argument("--batch-size", type=int, default=32, help="scenes per batch")
    parser.add_argument("--clips", type=int, default=4000, help="clips of the teacher family")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bandai", type=Path, help="folder of the bandai corpus: measure on its test split too")
    return parser


def _given(args: argparse.Namespace) -> list[str]:
    """The arguments that decide weights and figures, all of them spelled out."""
    given = train_lifter.options(args, "scenes", "frames", "steps", "batch_size", "clips", "width", "seed")
    return ["--cmu=CMU", "--lifter=LIFTER", "--out=OUT", *given, *(["--bandai=BANDAI"] if args.bandai else [])]


if __name__ == "__main__":
    sys.exit(main())
