"""The prior's jumps, exercises and strikes.  Written for the left side."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.data.procedural import curves
from videomdm.data.procedural.captions import count_words
from videomdm.data.procedural.registry import Slots, action
from videomdm.data.procedural.take import Take

GRAVITY = 9.81


def jump(take: Take, u: Tensor, period: Tensor, height: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Crouch, fly and land within each repetition.

    Returns:
        (n, T) each: progress of the flight (0..1, less before, more after), depth of the crouch
        (0..1), progress of the body (0..1), which leans ahead before the feet leave the floor.
    """
    pose, seconds = take.pose, u * period
    flight = 2.0 * (2.0 * height / GRAVITY).sqrt()
    speed, depth = 0.5 * GRAVITY * flight, 0.1 + 0.6 * height
    crouch = take.uniform(0.32, 0.42)
    push = 0.22 + 0.2 * height
    off = crouch + push
    knots = torch.cat([0 * off, crouch, off, off + flight, off + flight + 0.14, off + flight + 0.6], 1)
    zero = torch.zeros_like(height)
    values = torch.stack([zero, -depth, zero + 0.05, zero + 0.05, -0.7 * depth, zero], 1)
    slopes = torch.stack([zero, zero, speed, -speed, zero, zero], 1)
    rise = curves.spline(seconds, knots, values, slopes)[..., 0]
    x = (seconds - off) / flight
    air = (4.0 * x * (1.0 - x)).clamp(min=0.0) * height
    bent = (-rise / depth).clamp(min=0.0)
    pose.pelvis[..., 1] += rise
    pose.feet[..., 1] += air[..., None]
    pose.loose += (air / height)[..., None]
    toes = curves.pulse(seconds - off, (-0.16, 0.03), (0.1, 0.5)) * 0.5 + 0.25 * curves.arch(x, 0.5, 1.15)
    pose.pitch += toes[..., None]
    pose.pelvis[..., 2] -= 0.08 * bent
    pose.tilt[..., 0] += 0.45 * bent
    pose.torso[..., 0] += 0.25 * bent
    pose.head[..., 0] -= 0.4 * bent
    ahead = torch.stack([zero, zero, zero + 0.18, zero + 0.85, zero + 0.95, zero + 1.0], 1)
    rates = torch.stack([zero, zero, 0.67 / flight, 0.67 / flight, zero, zero], 1)
    return x, bent, curves.spline(seconds, knots, ahead, rates)[..., 0]


@action("prior", (
    "{who} jumps up {count}.",
    "{who} is jumping on the spot {count}.",
    "jumping straight up into the air {count}.",
    "{who} crouches and leaps upward {count}.",
    "{who} hops up with both feet {count} and lands on the same spot.",
), weight=3, longest=7.0)  # fmt: skip
def jump_up(take: Take) -> Slots:
    take.stand_still()
    height = take.uniform(0.12, 0.4)
    period = take.uniform(1.55, 1.75)
    u, _, count = take.repeat(period, period, most=4, pause=0.1)
    x, bent, _ = jump(take, u, period, height)
    flying = curves.arch(x, -0.6, 1.3)
    for side in (0, 1):
        take.reach(side, (0.15, -0.75, -0.5), 0.9 * bent * (x < 0.5))
        take.reach(side, (0.2, 0.35, 0.75), take.uniform(0.3, 1.0) * flying)
    return {"count": count_words(count)}


@action("prior", (
    "{who} jumps forward {count}.",
    "{who} leaps ahead {count} with both feet.",
    "jumping forward {count}, landing on two feet.",
    "{who} is doing standing long jumps, {count}.",
    "{who} hops forward with the legs together {count}.",
), longest=7.0)  # fmt: skip
def jump_forward(take: Take) -> Slots:
    take.stand_still()
    height, length, period = take.uniform(0.14, 0.32), take.uniform(0.4, 1.1), take.uniform(1.55, 1.75)
    u, number, count = take.repeat(period, period, most=4, pause=0.1)
    x, bent, ahead = jump(take, u, period, height)
    take.pose.feet[..., 2] += (length * (number + x.clamp(0.0, 1.0)))[..., None]
    take.pose.root[..., 1] += length * (number + ahead)
    for side in (0, 1):
        take.reach(side, (0.15, -0.7, -0.6), bent * (x < 0.5))
        take.reach(side, (0.2, 0.1, 0.85), curves.arch(x, -0.6, 1.3))
    return {"count": count_words(count)}


@action("prior", (
    "{who} does jumping jacks.",
    "{who} performs jumping jacks {count}.",
    "doing star jumps {count}.",
    "{who} jumps while spreading arms and legs {count}.",
    "{who} is exercising with jumping jacks.",
), longest=7.0)  # fmt: skip
def jumping_jacks(take: Take) -> Slots:
    take.stand_still()
    pose, period = take.pose, take.uniform(1.15, 1.5)
    u, _, count = take.repeat(period, period, most=6, pause=0.1)
    spread = curves.pulse(u, (0.12, 0.40), (0.60, 0.88))
    air = curves.arch(u, 0.10, 0.42) + curves.arch(u, 0.58, 0.90)
    height = take.uniform(0.08, 0.15)
    side = torch.tensor([1.0, -1.0])
    pose.feet[..., 0] += (take.uniform(0.2, 0.3) * spread)[..., None] * side
    pose.feet[..., 1] += (height * air)[..., None]
    pose.loose += air[..., None]
    pose.pitch += (0.45 * air + 0.15)[..., None] * curves.pulse(u, (0.0, 0.1), (0.9, 1.0))[..., None]
    dip = curves.bump(2.0 * u, 0.0, 0.11) * curves.pulse(u, (0.0, 0.02), (0.98, 1.0))
    pose.pelvis[..., 1] += 0.9 * height * air - 0.06 * dip
    angle = 0.18 + 2.7 * spread
    arms = torch.stack([angle.sin(), -angle.cos(), 0.08 + 0.1 * spread], -1) * 0.95
    exercising = curves.pulse(u, (0.0, 0.1), (0.9, 1.0))
    for s in (0, 1):
        take.reach(s, arms, exercising)
    return {"count": count_words(count)}


@action("prior", (
    "{who} squats down {count}.",
    "{who} does {depth} squats, {count}.",
    "squatting {count} with the arms held out in front.",
    "{who} bends the knees, lowers the body and stands up again {count}.",
    "{who} is exercising, doing squats {count}.",
), weight=3, longest=9.0)  # fmt: skip
def squat(take: Take) -> Slots:
    take.stand_still(take.uniform(0.05, 0.25))
    u, _, count = take.repeat(1.8, 3.2, most=5)
    level, which = take.choose(0.55, 1.0)
    crouch(take, level * curves.pulse(u, (0.02, 0.45), (0.55, 0.98)))
    out = curves.pulse(u, (0.0, 0.4), (0.6, 1.0))
    for side in (0, 1):
        take.reach(side, (0.0, 0.05, 0.93), out * take.uniform(0.7, 1.0))
    return {"count": count_words(count), "depth": [("shallow", "deep")[k] for k in which.tolist()]}


def crouch(take: Take, amount: Tensor) -> None:
    """Lower the hips (1: thighs level) behind the feet, with the trunk leaning forward for balance."""
    pose = take.pose
    pose.pelvis[..., 1] -= (0.52 * take.leg - take.sink) * amount
    pose.pelvis[..., 2] -= 0.26 * amount.clamp(max=1.0) * take.leg
    pose.tilt[..., 0] += 0.55 * amount
    pose.torso[..., 0] += 0.25 * amount
    pose.head[..., 0] -= 0.45 * amount


@action("prior", (
    "{who} does a lunge with the {side} leg {count}.",
    "{who} steps forward with the {side} foot and bends the knee {count}.",
    "lunging forward on the {side} leg {count}.",
    "{who} takes a big step ahead with the {side} leg, goes down and returns {count}.",
    "{who} is doing {side} leg lunges, {count}.",
), longest=8.0)  # fmt: skip
def lunge(take: Take) -> Slots:
    take.stand_still()
    pose = take.pose
    u, _, count = take.repeat(2.0, 3.2, most=3)
    stride, depth = take.uniform(0.62, 0.85) * take.leg / 0.81, take.uniform(0.22, 0.38)
    zero = torch.zeros_like(stride)
    ahead = torch.stack([zero, zero, stride], -1)
    take.step(0, u, 0.02, 0.3, ahead)
    take.step(0, u, 0.68, 0.97, -ahead)
    forward, down = curves.pulse(u, (0.0, 0.38), (0.6, 0.97)), curves.pulse(u, (0.14, 0.45), (0.55, 0.8))
    pose.pelvis[..., 2] += 0.5 * stride * forward
    pose.pelvis[..., 1] -= (depth - take.sink) * down
    pose.pitch[:, :, 1] += 0.95 * forward
    pose.tilt[..., 0] += 0.12 * forward
    on_hips = take.choose(0.0, 1.0)[0]
    for side in (0, 1):
        take.reach(side, (0.32, -0.58, 0.1), forward * on_hips)
    return {"count": count_words(count)}


@action("prior", (
    "{who} kicks with the {side} leg {count}.",
    "{who} is kicking forward with the {side} foot {count}.",
    "kicking {count} with the {side} foot.",
    "{who} performs a {height} front kick with the {side} leg {count}.",
    "{who} swings the {side} leg up in a kick {count}.",
), weight=3, longest=7.0)  # fmt: skip
def kick(take: Take) -> Slots:
    take.stand_still()
    pose = take.pose
    u, _, count = take.repeat(1.5, 2.2, most=4)
    level, which = take.choose(0.3, 0.7)
    level = (level + take.uniform(-0.1, 0.1)) * take.leg / 0.81
    knots = torch.tensor([0.0, 0.1, 0.34, 0.48, 0.64, 0.88, 1.0]).expand(take.n, -1)
    zero = torch.zeros_like(level)

    def point(y: Tensor | float, z: Tensor | float) -> Tensor:
        return torch.stack([zero, zero + y, zero + z], -1)

    chamber = point(0.2 + 0.5 * level, 0.05 + 0.1 * level)
    values = torch.stack(
        [
            point(0, 0),
            point(0, 0),
            chamber,
            point(level, 0.72 - 0.25 * level),
            chamber,
            point(0, 0),
            point(0, 0),
        ],
        1,
    )[:, :, 0]
    pose.feet[:, :, 0] += curves.spline(u, knots, values, curves.through(knots, values) * 0.8)
    pose.feet[:, :, 0, 1].clamp_(min=0.0)
    lifted, out = curves.pulse(u, (0.06, 0.25), (0.72, 0.92)), curves.arch(u, 0.3, 0.68)
    pose.loose[:, :, 0] += lifted
    pose.pitch[:, :, 0] += 0.5 * lifted - 1.1 * out * take.choose(0.0, 0.5, 1.0)[0]
    weight = curves.pulse(u, (-0.02, 0.16), (0.84, 1.02))
    pose.pelvis[..., 0] -= 0.085 * weight
    pose.tilt[..., 0] -= 0.22 * out
    pose.torso[..., 0] += 0.1 * out
    pose.tilt[..., 1] -= 0.15 * out
    for side in (0, 1):
        take.reach(side, (0.05, -0.3, 0.52), weight * take.uniform(0.4, 1.0))
    take.reach(1, (0.3, -0.4, 0.6), out)
    return {"count": count_words(count), "height": [("low", "high")[k] for k in which.tolist()]}


@action("prior", (
    "{who} punches with the {side} hand {count}.",
    "{who} throws {side} punches, {count}.",
    "punching forward {count} with the {side} fist.",
    "{who} is boxing, striking {count} with the {side} arm.",
    "{who} takes a fighting stance and jabs with the {side} hand {count}.",
), longest=7.0)  # fmt: skip
def punch(take: Take) -> Slots:
    u, _, count = _boxing(take)
    _strike(take, 0, curves.pulse(u, (0.1, 0.42), (0.45, 0.9)))
    return {"count": count_words(count)}


@action("prior", (
    "{who} punches with both fists in turn.",
    "{who} throws alternating left and right punches.",
    "boxing with both hands, left and right.",
    "{who} is shadow boxing with combinations of punches.",
    "{who} strikes {count} with alternating fists.",
), longest=7.0)  # fmt: skip
def box(take: Take) -> Slots:
    u, number, count = _boxing(take)
    out = curves.pulse(u, (0.1, 0.42), (0.45, 0.9))
    odd = (number % 2 == 1).float()
    _strike(take, 0, out * (1.0 - odd))
    _strike(take, 1, out * odd)
    return {"count": count_words(count)}


def _boxing(take: Take) -> tuple[Tensor, ...]:
    """A fighting stance with the guard up; returns the repetitions of the strikes."""
    take.stand(0.12, stagger=take.uniform(0.2, 0.35))
    take.posture(lean=0.1)
    pose = take.pose
    repeats = take.repeat(0.75, 1.15, most=6, pause=0.5)
    bounce = curves.wave(take.time * take.uniform(1.2, 1.8))
    pose.pelvis[..., 1] += 0.012 * bounce - 0.04
    pose.tilt[..., 1] -= 0.3
    pose.head[..., 1] += 0.3
    pose.pitch[:, :, 1] += 0.35
    for side in (0, 1):
        take.reach(side, (-0.12, 0.02, 0.5))
    return repeats


def _strike(take: Take, side: int, out: Tensor) -> None:
    pose, sign = take.pose, 1 - 2 * side
    take.reach(side, (-0.22, 0.08, 0.96), out)
    pose.tilt[..., 1] -= 0.2 * sign * out
    pose.torso[..., 1] -= 0.35 * sign * out
    pose.head[..., 1] += 0.45 * sign * out
    pose.pelvis[..., 2] += 0.05 * out
