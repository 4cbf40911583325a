"""The teacher's gaits: sideways, backward, marching, sneaking, skipping."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.data.procedural import curves
from videomdm.data.procedural.registry import Slots, action
from videomdm.data.procedural.take import Take
from videomdm.data.procedural.wandering import place


def _wander(take: Take, amount: float = 0.5) -> None:
    """A heading that drifts to and fro, so that gaits do not only go straight."""
    rate = take.uniform(-amount, amount)
    take.pose.heading += rate * take.time + 0.15 * take.noise(1, 0.25)[..., 0]


@action("teacher", (
    "{who} steps sideways to the {side}.",
    "{who} side-steps {side} {speed}.",
    "shuffling to the {side} side.",
    "{who} moves {side} with sideways steps {speed}.",
), weight=2)  # fmt: skip
def side_step(take: Take) -> Slots:
    pace, which = take.choose(0.35, 0.65)
    speed = pace * take.uniform(0.85, 1.15)
    take.travel(speed.expand_as(take.time), direction=0.5 * torch.pi)
    phase = take.phase((take.uniform(0.85, 1.05) * (pace / 0.5) ** 0.4).expand_as(take.time))
    take.gait(phase, duty=0.6, width=0.34, lift=0.09, heel=0.25, strike=0.0, centre=0.5)
    take.pose.pelvis[..., 1] -= take.uniform(0.0, 0.1)
    take.pose.pelvis[..., 0] += 0.03 * curves.wave(phase, 0.3)
    take.posture(lean=take.uniform(0.0, 0.25))
    for side in (0, 1):
        place(take, side, (0.1, -0.5, 0.1), (0.7, 0.1, 0.7))
    return _speed(which)


@action("teacher", (
    "{who} walks backward {speed}.",
    "{who} takes steps backwards {speed}.",
    "walking in reverse {speed}.",
    "{who} backs away {speed}.",
), weight=2)  # fmt: skip
def walk_backward(take: Take) -> Slots:
    pace, which = take.choose(0.5, 0.9)
    _wander(take)
    speed = pace * take.uniform(0.85, 1.15)
    take.travel(-speed.expand_as(take.time))
    phase = take.phase((take.uniform(0.78, 0.92) * (pace / 0.6) ** 0.5).expand_as(take.time))
    take.gait(phase, duty=0.63, lift=0.09, heel=0.3, strike=0.0, centre=0.55)
    take.sway(phase, 0.5)
    take.swing_arms(phase, take.uniform(0.1, 0.35), take.uniform(0.0, 0.4))
    take.posture(lean=-0.02)
    take.pose.head[..., 1] += take.uniform(-0.8, 0.8)
    return _speed(which)


@action("teacher", (
    "{who} marches with high knees.",
    "{who} is marching, lifting the knees {height}.",
    "marching forward with raised knees.",
    "{who} walks like a soldier.",
), weight=2)  # fmt: skip
def march(take: Take) -> Slots:
    _wander(take)
    pose = take.pose
    take.travel((take.uniform(0.0, 0.9)).expand_as(take.time))
    phase = take.phase(take.uniform(0.75, 1.1).expand_as(take.time))
    level, which = take.choose(0.25, 0.42)
    take.gait(phase, duty=0.55, lift=level * take.leg / 0.81, heel=0.5, strike=0.0, centre=0.5)
    own = torch.stack([phase, phase - 0.5], 2)
    ahead = 0.16 * curves.bump(own, 0.78, 0.1)
    pose.feet[..., 0] += ahead * pose.heading.sin()[..., None]
    pose.feet[..., 2] += ahead * pose.heading.cos()[..., None]
    take.sway(phase, 0.8)
    take.swing_arms(phase, take.uniform(0.4, 0.9), take.uniform(0.0, 0.8))
    take.posture(lean=0.03, slouch=-0.06)
    return {"height": [("slight", "high")[k] for k in which.tolist()]}


@action("teacher", (
    "{who} sneaks forward, crouching.",
    "{who} walks stealthily with bent knees.",
    "tiptoeing in a crouch.",
    "{who} is creeping ahead, bent low.",
), weight=3, shortest=3.0)  # fmt: skip
def sneak(take: Take) -> Slots:
    _wander(take)
    deep = take.uniform(0.12, 0.42)
    take.travel(take.uniform(0.3, 0.7).expand_as(take.time))
    phase = take.phase(take.uniform(0.5, 0.75).expand_as(take.time))
    take.gait(phase, duty=0.64, width=take.uniform(0.0, 0.12), lift=0.13, heel=0.9, strike=-0.2)
    take.pose.pelvis[..., 1] -= deep
    take.sway(phase, 0.8)
    take.posture(lean=0.1 + 1.2 * deep, slouch=0.15)
    take.pose.head[..., 0] -= 0.8 * deep
    take.pose.head[..., 1] += 0.5 * take.noise(1, 0.3)[..., 0]
    for side in (0, 1):
        place(take, side, (0.0, -0.6, 0.4), (0.3, 0.0, 0.75))
    return {}


@action("teacher", (
    "{who} skips forward.",
    "{who} is skipping along happily.",
    "skipping ahead with swinging arms.",
    "{who} hops from foot to foot while moving forward.",
), weight=4, longest=7.0)  # fmt: skip
def skip(take: Take) -> Slots:
    _wander(take)
    take.travel(take.uniform(1.0, 2.8).expand_as(take.time))
    phase = take.phase(take.uniform(0.95, 1.15).expand_as(take.time))
    take.gait(phase, duty=0.42, lift=take.uniform(0.2, 0.32), heel=0.9, strike=0.1, centre=0.48)
    take.pose.pelvis[..., 1] += take.uniform(0.04, 0.08) * curves.wave(2.0 * phase, 0.42) - 0.03
    take.sway(phase, 1.3)
    take.swing_arms(phase, take.uniform(0.6, 1.1), take.uniform(0.2, 0.9))
    take.posture()
    return {}


@action("teacher", (
    "{who} carries something {speed}.",
    "{who} is carrying a load {speed}.",
    "carrying a thing in the hands.",
    "{who} brings an object from one place to another.",
), weight=5)  # fmt: skip
def carry(take: Take) -> Slots:
    _wander(take, 0.3)
    pace, which = take.choose(0.75, 1.25)
    speed = pace * take.uniform(0.85, 1.15)
    take.travel(speed.expand_as(take.time))
    phase = take.phase((take.uniform(0.82, 0.98) * pace**0.5).expand_as(take.time))
    take.gait(phase, duty=0.67 - 0.05 * pace, width=take.uniform(-0.02, 0.06), heel=0.65 + 0.25 * pace, strike=0.25)
    take.sway(phase, take.uniform(0.3, 0.9))
    take.posture(lean=take.uniform(-0.02, 0.12))
    grip = take.spot((-0.15, -0.75, 0.3), (0.15, -0.2, 0.65))
    in_front = take.choose(0.0, 0.0, 1.0)[0].expand_as(take.time)
    for side in (0, 1):
        take.reach(side, grip, in_front)
    return _speed(which)


def _speed(which: Tensor) -> Slots:
    """What captions say of the slower (0) and the faster of two paces, by clip (n,)."""
    return {"speed": [("slow", "fast")[k] for k in which.tolist()]}
