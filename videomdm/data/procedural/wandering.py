"""Random places and paths of hands and trunk, for the breadth of the teacher's poses."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.data.procedural import curves
from videomdm.data.procedural.take import Take


def place(take: Take, side: int, low: tuple[float, ...], high: tuple[float, ...]) -> None:
    """Carry a hand at a random place between two corners."""
    take.reach(side, take.spot(low, high), take.uniform(0.0, 1.0).expand_as(take.time))


def _knots(take: Take, every: float) -> Tensor:
    """Irregular knots (n, K) that cover the longest clip."""
    n_knots = int(take.time[0, -1] / every) + 4
    gaps = every * (0.6 + 0.8 * torch.rand(take.n, n_knots, generator=take.generator))
    return gaps.cumsum(1) - 2.0 * every


def flow(take: Take, channels: int, every: float) -> Tensor:
    """Smooth curves (n, T, channels) through random values in -1..1, one every ``every`` seconds."""
    knots = _knots(take, every)
    values = 2.0 * torch.rand(*knots.shape, channels, generator=take.generator) - 1.0
    return curves.spline(take.time, knots, values, 0.6 * curves.through(knots, values))


def hand_path(take: Take, side: int, rest: bool = False, every: float = 1.1) -> None:
    """A hand that visits random places in reach; with ``rest`` it stays hanging in some of the clips."""
    aside, up, reach = (flow(take, 3, every) * torch.tensor([1.2, 1.35, 0.3]) + torch.tensor([0.6, 0.0, 0.67])).unbind(
        -1
    )
    place = torch.stack([aside.sin() * up.cos(), up.sin(), aside.cos() * up.cos()], -1) * reach[..., None]
    amount = take.choose(0.0, 1.0)[0] if rest else torch.ones(take.n, 1)
    take.reach(side, place, amount.expand_as(take.time))
    take.pose.swivel[:, :, side] += 0.7 * flow(take, 1, 1.5)[..., 0]


def trunk_path(take: Take, amount: float, every: float = 1.4) -> None:
    """Trunk and head that bend and twist at random."""
    pose = take.pose
    bend = amount * (flow(take, 3, every) * torch.tensor([0.45, 0.6, 0.3]) + torch.tensor([0.06, 0.0, 0.0]))
    pose.torso += bend
    pose.tilt += 0.3 * bend
    pose.pelvis[..., 2] -= 0.12 * bend[..., 0]
    pose.head += amount * flow(take, 3, every) * torch.tensor([0.4, 0.6, 0.25])
