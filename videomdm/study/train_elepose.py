"""Train ElePose on the 2-D keypoints of a corpus alone."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from videomdm.lifters.elepose_flow import PoseFlow
from videomdm.lifters.elepose_network import ElePose, relative_lengths, turn_about_x, turn_about_y
from videomdm.skeletons.definitions import Skeleton
from videomdm.study import training

BONES = 50.0  # weight of the bones' lengths; those of the other terms are 1, all as published
FLOW_RATE, NETWORK_RATE = 1e-3, 2e-4
WEIGHT_DECAY = 1e-5


def draw(poses: Tensor, size: int, skeleton: Skeleton, generator: torch.Generator) -> Tensor:
    """``size`` poses (size, J, 2) of (N, J, 2), half of them mirrored: left and right joints change names too."""
    drawn = poses[torch.randint(len(poses), (size,), generator=generator)]
    mirrored = drawn[:, skeleton.mirror] * drawn.new_tensor((-1.0, 1.0))
    return torch.where(torch.rand(size, 1, 1, generator=generator) < 0.5, mirrored, drawn)


def flow_terms(flow: PoseFlow, poses: Tensor) -> dict[str, Tensor]:
    """Mean negative log-likelihood of poses (B, J, 2)."""
    return {"total": -flow(poses).mean()}


def loss_terms(network: ElePose, flow: PoseFlow, poses: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """What the network is trained by: sections 3.2 to 3.5 of ElePose.

    Every lifted pose is turned to level by its own elevation, about the upright axis by a random azimuth, and tilted by
    an elevation that is drawn from the distribution of those of the batch.  What a camera sees of it has to be likely,
    and to be lifted to the same pose.

    Args:
        network, flow: the latter stays as it is.
        poses: (B, J, 2), B even.
        generator: draws azimuths and elevations.

    Returns:
        Means over the batch: ``likelihood`` (negative logarithm), ``pose`` (3-D, of lifting what the second camera
        sees), ``projection`` (2-D, of that seen by the first), ``deformation`` (of differences between pairs of
        poses), ``bones`` (squared error of relative lengths) and ``total``.
    """
    joints, elevation = network(poses)
    azimuth = 2 * math.pi * torch.rand(len(poses), generator=generator).to(poses)
    noise = torch.randn(len(poses), generator=generator).to(poses)
    tilt = elevation.mean() + elevation.std() * noise
    turn = turn_about_x(tilt) @ turn_about_y(azimuth) @ turn_about_x(-elevation)
    turned = joints @ turn.mT
    seen = network.project(turned)
    again, _ = network(seen)
    back = again @ turn
    pairs = [(x[0::2] - x[1::2]).flatten(1) for x in (joints, back)]
    true = network.bone_lengths / network.bone_lengths.mean()
    terms = {
        "likelihood": -flow(seen).mean(),
        "pose": (turned - again).flatten(1).norm(dim=1).mean(),
        "projection": (network.project(back) - poses).abs().flatten(1).sum(1).mean(),
        "deformation": (pairs[0] - pairs[1]).norm(dim=1).mean(),
        "bones": (relative_lengths(joints, network.skeleton) - true).square().sum(1).mean(),
    }
    total = sum(terms.values()) + (BONES - 1) * terms["bones"]
    return {"total": total, **terms}


def train_flow(poses: Tensor, skeleton: Skeleton, out: Path, steps: int, width: int, batch_size: int, seed: int) -> PoseFlow:
    torch.manual_seed(seed)
    flow = PoseFlow(len(skeleton), width=width)
    mirrored = poses[:, skeleton.mirror] * poses.new_tensor((-1.0, 1.0))
    kept = flow.fit_components(torch.cat([poses, mirrored]))
    print("components keep", kept)
    about = {"width": width, "batch_size": batch_size}
    training.train(flow, lambda g: flow_terms(flow, draw(poses, batch_size, skeleton, g)), out / "flow", steps, FLOW_RATE, seed, about, WEIGHT_DECAY, "flow")
    return flow


def train_network(network, flow, poses, out, steps, batch_size, seed):
    flow.requires_grad_(False)
    about = {**network.config, "batch_size": batch_size}
    training.train(
        network, lambda g: loss_terms(network, flow, draw(poses, batch_size, network.skeleton, g), g),
        out / "network", steps, NETWORK_RATE, seed, about, WEIGHT_DECAY, "elepose",
    )
    network.face_forwards(poses[:: max(1, len(poses) // 20000)])
    return network
