"""Train ElePose on the 2-D keypoints of a corpus: ``python -m videomdm.study.train_elepose --out FOLDER``.

First a flow learns which 2-D poses there are, then the network learns to lift such that its poses look like those from
everywhere (:mod:`videomdm.lifters.elepose_network`).  No motion in 3-D is read but for the report, after training.
Killed and started again with the same command, training goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from videomdm import programs
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.conventions import STUDY_LIFTER, DataError
from videomdm.data import nba, observations, procedural, sources
from videomdm.data.corpus import Corpus
from videomdm.data.nba import METRES
from videomdm.data.tracks import CONFIDENT, Tracks
from videomdm.evaluation import pose, teachers
from videomdm.lifters import centred, teacher
from videomdm.lifters.elepose_flow import PoseFlow
from videomdm.lifters.elepose_network import ElePose, flat_poses, relative_lengths, turn_about_x, turn_about_y
from videomdm.skeletons.definitions import Skeleton
from videomdm.skeletons.kinematics import bone_lengths
from videomdm.storage.files import digest
from videomdm.study import training

PROGRAM = "python -m videomdm.study.train_elepose"
BONES = 50.0  # weight of the bones' lengths; those of the other terms are 1, all as published
FLOW_RATE, NETWORK_RATE = 1e-3, 5e-4  # learning rates at their highest
WEIGHT_DECAY = 1e-5
LONGER = 1.5  # times that a wrong limb is too long
MAX_FRAMES = 60  # of a clip, as in the profile laptop, so that table 3's teacher is the same network
HELD_OUT = 64  # test clips of the report
BODIES = 256  # of the built-in teacher family, whose mean is the body that ElePose is told of


@dataclass(frozen=True)
class Budget:
    """How long to train, and networks of which width; both with the same batches."""

    flow_steps: int
    steps: int
    width: int
    flow_width: int
    batch_size: int = 256


#: ``"laptop"`` is minutes on one core; ``"published"`` is the paper's network, some 100 epochs of Human3.6M.
BUDGETS = {
    "smoke": Budget(flow_steps=30, steps=20, width=32, flow_width=32, batch_size=64),
    "minutes": Budget(flow_steps=2500, steps=3000, width=128, flow_width=128),
    "laptop": Budget(flow_steps=6000, steps=8000, width=256, flow_width=256),
    "published": Budget(flow_steps=100_000, steps=600_000, width=1024, flow_width=1024),
}


def mirrored(poses: Tensor, skeleton: Skeleton) -> Tensor:
    """Poses (..., J, 2) in a mirror: the left hand is a right hand there, so joints change names too."""
    return poses[..., list(skeleton.mirrored), :] * poses.new_tensor((-1.0, 1.0))


def draw(poses: Tensor, size: int, skeleton: Skeleton, generator: torch.Generator) -> Tensor:
    """``size`` poses (size, J, 2) of (N, J, 2), half of them mirrored."""
    drawn = poses[torch.randint(len(poses), (size,), generator=generator)]
    return torch.where(torch.rand(size, 1, 1, generator=generator) < 0.5, mirrored(drawn, skeleton), drawn)


def flow_terms(flow: PoseFlow, poses: Tensor) -> dict[str, Tensor]:
    """Mean negative logarithm of the density of poses (B, J, 2)."""
    return {"total": -flow(poses).mean()}


def loss_terms(network: ElePose, flow: PoseFlow, poses: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """What the network is trained by (ElePose, section 3).

    Every lifted pose is turned to level by its own elevation, about the upright axis by a random azimuth, and tilted by
    an elevation drawn from the distribution of those of the batch.  What a camera sees of it has to be likely, and has
    to be lifted to the same pose again.

    Args:
        network, flow: the latter stays as it is.
        poses: (B, J, 2), B even.
        generator: draws azimuths and elevations.

    Returns:
        Means over the batch: ``likelihood`` (its negative logarithm), ``pose`` (3-D, of lifting what the second camera
        sees), ``projection`` (2-D, of that as the first camera sees it), ``deformation`` (of the differences between
        pairs of poses), ``bones`` (squared error of relative lengths) and ``total``.
    """
    joints, elevation = network(poses)
    azimuth = 2 * math.pi * torch.rand(len(poses), generator=generator).to(poses)
    tilt = elevation.mean() + elevation.std() * torch.randn(len(poses), generator=generator).to(poses)
    turn = turn_about_x(tilt) @ turn_about_y(azimuth) @ turn_about_x(-elevation)
    turned = joints @ turn.mT
    seen = network.project(turned)
    again, _ = network(seen)
    back = again @ turn
    pairs = [(x[0::2] - x[1::2]).flatten(1) for x in (joints, back)]
    body = network.bone_lengths / network.bone_lengths.mean()
    terms = {
        "likelihood": -flow(seen).mean(),
        "pose": (turned - again).flatten(1).norm(dim=1).mean(),
        "projection": (network.project(back) - poses).abs().flatten(1).sum(1).mean() / network.distance,
        "deformation": (pairs[0] - pairs[1]).norm(dim=1).mean(),
        "bones": (relative_lengths(joints, network.skeleton) - body).square().sum(1).mean(),
    }
    return {"total": sum(terms.values()) + (BONES - 1) * terms["bones"], **terms}


def train_flow(poses: Tensor, skeleton: Skeleton, out: Path, budget: Budget, seed: int) -> PoseFlow:
    """A flow of poses (N, J, 2), trained in the folder ``out``."""
    torch.manual_seed(seed)
    flow = PoseFlow(len(skeleton), width=budget.flow_width)
    flow.fit_components(torch.cat([poses, mirrored(poses, skeleton)]))
    training.train(
        flow, lambda generator: flow_terms(flow, draw(poses, budget.batch_size, skeleton, generator)), out,
        budget.flow_steps, FLOW_RATE, seed, {"data": digest(poses), **flow.sizes, "batch": budget.batch_size},
        WEIGHT_DECAY, "flow",
    )  # fmt: skip
    return flow.requires_grad_(False)


def train_network(network: ElePose, flow: PoseFlow, poses: Tensor, out: Path, budget: Budget, seed: int) -> ElePose:
    """Train ``network`` on poses (N, J, 2) in the folder ``out``, then choose its sign of depth."""

    def terms(generator: torch.Generator) -> dict[str, Tensor]:
        return loss_terms(network, flow, draw(poses, budget.batch_size, network.skeleton, generator), generator)

    about = {"data": digest(poses), **network.config, "flow": digest(*flow.state_dict().values())}
    training.train(
        network, terms, out, budget.steps, NETWORK_RATE, seed, {**about, "batch": budget.batch_size}, WEIGHT_DECAY,
        "elepose",
    )  # fmt: skip
    network.face_forwards(poses[:: max(1, len(poses) // 10_000)])
    return network


def train(
    seen: Footage, skeleton: Skeleton, centred: bool, out: Path, budget: Budget, seed: int
) -> tuple[ElePose, PoseFlow]:
    """Train flow and network on what cameras saw, resuming what ``out`` holds.

    Args:
        seen: keypoints and confidences of the training split; its cameras are not read.
        skeleton: their layout.
        centred: whether clips are as those of the NBA data, seen from :data:`videomdm.data.nba.DISTANCE`; otherwise the
            distance in each frame comes from the root's bones.
        out: folder; gets ``elepose.safetensors`` and ``flow.safetensors``.
        budget, seed: of the training.
    """
    bones, camera_distance = mean_bones(skeleton, centred), nba.DISTANCE if centred else None
    poses, distance = whole_poses(seen, skeleton, bones, camera_distance)
    unit = float(poses[:, skeleton.index("head")].norm(dim=-1).mean())
    poses = poses / unit
    flow = train_flow(poses, skeleton, out / "flow", budget, seed)
    flow.save(out / "flow.safetensors")
    torch.manual_seed(seed)
    network = ElePose(skeleton.name, budget.width, float(distance.mean()) / unit, unit, camera_distance, bones)
    train_network(network, flow, poses, out / "network", budget, seed).save(out / "elepose.safetensors")
    return network, flow


def whole_poses(
    seen: Footage, skeleton: Skeleton, bones: Tensor, camera_distance: float | None
) -> tuple[Tensor, Tensor]:
    """Poses (N, J, 2) and distances (N,), metres, of the frames in which every joint was seen."""
    counted = (seen.weight >= CONFIDENT).to(seen.weight)
    poses, distance, _, inside = flat_poses(
        seen.keypoints, counted, seen.lengths, skeleton, bones, camera_distance
    )  # fmt: skip
    whole = (counted[inside] > 0).all(-1)
    return poses[whole], distance[whole]


def mean_bones(skeleton: Skeleton, centred: bool) -> Tensor:
    """(J - 1) mean bone lengths of the built-in teacher family's bodies, of which no prior learns.

    What anthropometry knows of people; ElePose takes them from its corpus.

    Args:
        skeleton: the joint layout.
        centred: whether in the units of :mod:`videomdm.data.nba`, else in metres.

    Raises:
        DataError: a layout that those bodies do not have.
    """
    corpus = procedural.generate(BODIES, seed=0, family="teacher")
    corpus = nba.bodies(corpus) if centred else corpus
    if corpus.skeleton.name != skeleton.name:
        raise DataError(f"layout {skeleton.name}, expected {corpus.skeleton.name}: of no other is a mean body known")
    return bone_lengths(corpus.joints, corpus.lengths, corpus.skeleton).mean(0)


@torch.no_grad()
def ranking(flow: PoseFlow, poses: Tensor, skeleton: Skeleton, seed: int = 0) -> dict[str, float]:
    """Share of true poses (N, J, 2) that are likelier than the same poses made wrong, by what is wrong.

    ``exchanged``: left and right joints have each other's names.  ``mirrored``: x is -x, names stay.  Seen from the
    horizon and from far away both are true poses, seen from behind; only that the camera is above the horizon and that
    near limbs look larger gives them away.  ``long_limb``: one limb is half as long again.
    """
    generator = torch.Generator().manual_seed(seed)
    true = flow(poses)
    wrong = {
        "exchanged": poses[:, list(skeleton.mirrored)],
        "mirrored": poses * poses.new_tensor((-1.0, 1.0)),
        "long_limb": _long_limb(poses, skeleton, generator),
    }
    return {name: float((true > flow(other)).double().mean()) for name, other in wrong.items()}


def _long_limb(poses: Tensor, skeleton: Skeleton, generator: torch.Generator) -> Tensor:
    """Poses (N, J, 2) with both bones of a random arm or leg ``LONGER`` times as long."""
    limbs = [
        [skeleton.index(f"{side}_{joint}") for joint in joints]
        for side in ("left", "right")
        for joints in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    ]
    chosen = torch.tensor(limbs)[torch.randint(len(limbs), (len(poses),), generator=generator)]
    rows = torch.arange(len(poses))[:, None]
    start = poses[rows, chosen[:, :1]]
    changed = poses.clone()
    changed[rows, chosen] = start + LONGER * (poses[rows, chosen] - start)
    return changed


def errors(network: ElePose, true: Corpus, pictures: Tracks, camera: Camera) -> dict[str, float]:
    """How far lifted NBA-like clips are off.

    Args:
        network: lifts.
        true: from :func:`videomdm.data.nba.bodies`.
        pictures: what was seen of them.
        camera: from where.

    Returns:
        ``pa_mpjpe``, after Procrustes in each frame, in mm of the person whom units stand for
        (:data:`videomdm.data.nba.METRES`); and in degrees, means over frames, ``elevation``, the absolute error of the
        camera's, and ``elevation_mean`` of what was found.
    """
    seen = pictures.counted
    clips = seen.keypoints, seen.confidence, seen.lengths
    found = network.elevations(*clips)
    return {
        "pa_mpjpe": METRES * float(pose.pa_mpjpe(network.lift(*clips), true.joints, true.lengths)),
        "elevation": float((found - torch.rad2deg(camera.elevation)[:, None]).abs().nanmean()),
        "elevation_mean": float(found.nanmean()),
    }


def report(network: ElePose, flow: PoseFlow, true: Corpus, seed: int) -> dict[str, dict[str, float]]:
    """What is measured on clips that were not trained on: the only place that reads their 3-D.

    Args:
        network, flow: trained.
        true: from :func:`videomdm.data.nba.bodies`.
        seed: of cameras and noise.

    Returns:
        :func:`errors` by what was seen: ``elepose`` (noise, and hidden limbs that are filled in) and
        ``elepose, exact``; under ``supervised`` and ``supervised, exact`` the ``pa_mpjpe`` of the package's own
        lifter, which learned from bodies in 3-D and sees 32 frames at once; under ``flow`` :func:`ranking`.
    """
    seen = nba.film(true, seed)
    whole = seen.valid[..., None].expand(seen.keypoints.shape[:3]).to(seen.confidence)
    exact = replace(seen, keypoints=seen.camera.project(true.joints)[0], confidence=whole)
    found = {}
    for name, footage in {"": seen, ", exact": exact}.items():
        pictures = nba.tracks(true, footage)
        lifted = centred.lift(pictures, "procedural")
        error = METRES * float(pose.pa_mpjpe(lifted, true.joints, true.lengths))
        found |= {
            f"elepose{name}": errors(network, true, pictures, seen.camera),
            f"supervised{name}": {"pa_mpjpe": error},
        }
    return {**found, "flow": _ranking_of(flow, network, seen, seed)}


def rooted_report(network: ElePose, flow: PoseFlow, true: Corpus, seed: int) -> dict[str, dict[str, float]]:
    """As :func:`report` for clips with a root path, filmed by :func:`videomdm.data.observations.film`.

    Under ``elepose`` and ``supervised`` the errors (:func:`videomdm.evaluation.teachers.report`) of teachers that take
    their poses from either and their path from the root's bones (appendix D).
    """
    seen = observations.film(true, seed)
    found = {}
    for name, lifter in {"elepose": network, "supervised": STUDY_LIFTER}.items():
        lifted = teacher.estimate(seen, lifter, skeleton=true.skeleton, progress=False)
        found[name] = teachers.report(lifted, true.joints, true.lengths, true.fps, true.skeleton)
    return {**found, "flow": _ranking_of(flow, network, seen, seed)}


def _ranking_of(flow: PoseFlow, network: ElePose, seen: Footage, seed: int) -> dict[str, float]:
    """:func:`ranking` of the poses that were seen whole."""
    poses, _ = whole_poses(seen, network.skeleton, network.bone_lengths, network.camera_distance)
    return ranking(flow, poses / network.unit, network.skeleton, seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Train what is not trained yet, measure it and write the report."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, weights and the report")
    parser.add_argument("--base", default="procedural", help="the corpus that is filmed as NBA's players were")
    parser.add_argument("--root", type=Path, help="its folder")
    parser.add_argument("--clips", type=int, default=2000, help="of the built-in corpus, all splits")
    parser.add_argument("--rooted", action="store_true", help="SMPL's joints and a root path, as in table 1's setting")
    parser.add_argument("--budget", default="laptop", choices=BUDGETS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)

    budget, source = BUDGETS[args.budget], args.base if args.rooted else "nba-like"
    where = {"max_frames": MAX_FRAMES, "n_clips": args.clips, "base": args.base}
    if args.rooted:
        corpus = sources.load(source, args.root, "train", **where)
        seen = observations.film(corpus, args.seed)
    else:
        corpus = sources.tracks(source, args.root, "train", **where)
        seen = corpus.seen
    network, flow = train(seen, corpus.skeleton, not args.rooted, args.out, budget, args.seed)
    test = sources.load(source, args.root, "test", **where)
    test = test.select(test.spaced(HELD_OUT))
    measured = rooted_report if args.rooted else report
    about = {
        "command": training.command(PROGRAM, args),
        "budget": vars(budget),
        "parameters": {"network": n_parameters(network), "flow": n_parameters(flow)},
        "seconds": {part: round(training.seconds(args.out / part)) for part in ("flow", "network")},
        **training.environment(),
        "metrics": measured(network, flow, test, args.seed + 1),
    }
    training.write_report(args.out / "elepose.json", about)


def n_parameters(network: nn.Module) -> int:
    """How many weights a network has."""
    return sum(p.numel() for p in network.parameters())


if __name__ == "__main__":
    sys.exit(main())
