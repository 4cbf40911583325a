"""The prior's gaits: walking, running, turning.  Written for the left side."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from videomdm.data.procedural import curves
from videomdm.data.procedural.prior_gestures import wave_with
from videomdm.data.procedural.registry import Slots, action
from videomdm.data.procedural.take import Take

_STYLES = ("plain", "tired", "proud", "happy")


def _speeds(take: Take, slow: float, medium: float, fast: float, top: float) -> tuple[Tensor, list[str]]:
    """A speed per clip (n, 1) from one of three bands, and the band's word."""
    edges = torch.tensor([slow, medium, fast, top])
    _, band = take.choose(0.0, 1.0, 2.0)
    low, high = edges[band][:, None], edges[band + 1][:, None]
    return take.uniform(low + 0.1 * (high - low), high), [("slow", "medium", "fast")[b] for b in band.tolist()]


def _style(take: Take, phase: Tensor) -> list[str]:
    """A manner of walking: posture, head and bounce."""
    _, which = take.choose(0, 0, 1, 2, 3)
    which = (which - 1).clamp(min=0)
    tired, proud, happy = (((which == k).float())[:, None] for k in (1, 2, 3))
    take.posture(slouch=0.32 * tired - 0.16 * proud)
    take.pose.pelvis[..., 1] += happy * 0.025 * curves.wave(2.0 * phase, 0.45) - 0.03 * tired
    take.pose.tilt[..., 2] += happy * 0.05 * curves.wave(phase, 0.3)
    return [_STYLES[k] for k in which.tolist()]


def walk_along(take: Take, speed: Tensor, moving: Tensor | float = 1.0) -> list[str]:
    """Walk with ``speed`` (n, T) m/s along the heading already set; ``moving`` in 0..1 stops the feet."""
    scale = (take.leg / 0.81).sqrt()
    pace = (speed.amax(1, keepdim=True) / (1.3 * scale)).clamp(min=0.2)
    moving = moving * torch.ones_like(speed)
    take.travel(speed)
    phase = take.phase(take.uniform(0.86, 0.98) / scale * pace.sqrt() * (0.001 + moving))
    take.gait(
        phase, duty=0.67 - 0.05 * pace, width=take.uniform(-0.03, 0.03), lift=0.095,
        heel=moving * (0.65 + 0.25 * pace).clamp(max=1.1), strike=moving * 0.3,
    )  # fmt: skip
    take.sway(phase, moving * (0.5 + 0.5 * pace))
    swing = take.uniform(0.6, 1.4) * (0.06 + 0.2 * pace)
    take.swing_arms(phase, moving * swing, take.uniform(0.0, 0.15) + 0.1 * (pace - 1.0).clamp(min=0.0))
    take.pose.tilt[..., 0] += moving * (0.02 + 0.04 * pace)
    take.pose.pelvis[..., 1] -= moving * 0.016 * take.leg
    take.pose.head[..., 0] -= moving * (0.02 + 0.03 * pace)
    return _style(take, phase)


@action("prior", (
    "{who} walks forward {speed} {style}.",
    "{who} is walking straight ahead {style}, {speed}.",
    "walking forward {speed}.",
    "{who} takes steps forward {speed}, {style}.",
    "{who} moves forward on foot {speed}.",
    "{who} goes for a walk in a straight line {style}.",
), weight=6)  # fmt: skip
def walk(take: Take) -> Slots:
    speed, words = _speeds(take, 0.5, 0.95, 1.4, 1.8)
    take.pose.heading += 0.04 * take.noise(1, 0.3)[..., 0]
    style = walk_along(take, speed * (1.0 + 0.04 * take.noise(1, 0.3)[..., 0]))
    return {"speed": words, "style": style}


@action("prior", (
    "{who} walks in a curve to the {side} {speed}.",
    "{who} is walking {speed} along an arc that bends {side}.",
    "walking forward while turning {side}.",
    "{who} walks {speed}, curving to the {side} {style}.",
    "{who} walks part of a circle towards the {side}.",
    "{who} follows a bend to the {side} on foot {style}.",
), weight=4)  # fmt: skip
def walk_curve(take: Take) -> Slots:
    speed, words = _speeds(take, 0.5, 0.85, 1.2, 1.5)
    radius = take.uniform(0.9, 2.5)
    rate = speed / radius
    take.pose.heading += rate * take.time
    take.pose.tilt[..., 2] -= 0.05 * rate
    take.pose.head[..., 1] += 0.2 * rate
    return {"speed": words, "style": walk_along(take, speed.expand_as(take.time))}


@action("prior", (
    "{who} runs forward {speed}.",
    "{who} is running straight ahead {speed}.",
    "running forward {speed}.",
    "{who} jogs {speed} in a straight line.",
    "{who} goes for a run, moving {speed}.",
    "{who} runs ahead with bent arms.",
), weight=3, longest=7.0)  # fmt: skip
def run(take: Take) -> Slots:
    speed, words = _speeds(take, 1.9, 2.4, 3.0, 3.7)
    take.pose.heading += 0.03 * take.noise(1, 0.3)[..., 0]
    run_along(take, speed.expand_as(take.time))
    return {"speed": words}


@action("prior", (
    "{who} runs in a curve to the {side}.",
    "{who} jogs along an arc, turning {side}.",
    "running around a bend to the {side}.",
    "{who} is running in a circle to the {side}.",
    "{who} runs while steering {side}.",
), longest=7.0)  # fmt: skip
def run_curve(take: Take) -> Slots:
    speed = take.uniform(1.9, 2.9)
    rate = speed / take.uniform(2.2, 4.5)
    take.pose.heading += rate * take.time
    take.pose.tilt[..., 2] -= 0.12 * rate
    run_along(take, speed.expand_as(take.time))
    return {}


def run_along(take: Take, speed: Tensor) -> None:
    """Run with ``speed`` (n, T) m/s along the heading already set."""
    pose, pace = take.pose, speed.amax(1, keepdim=True) / 2.5
    take.travel(speed)
    rate = take.uniform(1.28, 1.42) * pace**0.35 / (take.leg / 0.81).sqrt()
    phase = take.phase(rate.expand_as(take.time))
    take.gait(
        phase, duty=0.40 - 0.06 * (pace - 1.0), width=-0.05, lift=0.14 + 0.10 * pace, heel=1.0 + 0.15 * pace,
        strike=0.12, skew=0.8, centre=0.45,
    )  # fmt: skip
    pose.pelvis[..., 1] += 0.035 * curves.wave(2.0 * phase, 0.4) - 0.05
    take.sway(phase, 1.0 + 0.3 * pace)
    take.swing_arms(phase, take.uniform(0.8, 1.2) * (0.35 + 0.3 * pace), take.uniform(0.85, 1.15))
    take.posture(lean=0.05 + 0.08 * pace)


@action("prior", (
    "{who} turns {side} on the spot.",
    "{who} turns {amount} to the {side} without walking away.",
    "turning in place to the {side}.",
    "{who} is standing and then rotates {amount} to the {side}.",
    "{who} makes small steps to turn {amount} to the {side}.",
), shortest=2.2, longest=6.0)  # fmt: skip
def turn_in_place(take: Take) -> Slots:
    angle, which = take.choose(math.pi / 2, math.pi, 2.0 * math.pi)
    need = (angle / 2.2).clamp(max=take.duration - 0.6)
    start = (take.duration - need) * take.uniform(0.3, 0.7)
    progress = ((take.time - start) / need).clamp(0.0, 1.0)
    moving = (2.0 * curves.arch(take.time, start - 0.25, start + need + 0.35)).clamp(max=1.0)
    take.pose.heading += angle * curves.ease(progress)
    phase = take.phase(take.uniform(1.0, 1.25) * (0.001 + moving))
    take.gait(phase, duty=0.6, width=take.uniform(0.03, 0.1), lift=0.07, heel=0.4 * moving, strike=0.0)
    take.sway(phase, 0.4 * moving)
    take.swing_arms(phase, 0.1 * moving)
    take.pose.head[..., 1] += 0.35 * curves.arch(progress, 0.0, 1.0)
    take.posture()
    words = ("quarter", "half", "full")
    return {"amount": [words[k] for k in which.tolist()]}


@action("prior", (
    "{who} walks forward, turns around and walks back.",
    "{who} walks ahead, makes a u-turn to the {side} and returns.",
    "walking forward, then turning around over the {side} side and coming back.",
    "{who} takes some steps, turns back to the {side} and walks the other way.",
    "{who} walks away and then back again.",
), shortest=4.0, weight=3)  # fmt: skip
def walk_and_return(take: Take) -> Slots:
    middle, half = take.duration * take.uniform(0.42, 0.58), take.uniform(0.7, 0.95)
    turned = curves.between(take.time, middle - half, middle + half)
    take.pose.heading += math.pi * turned
    turning = curves.arch(take.time, middle - half, middle + half)
    take.pose.head[..., 1] += 0.4 * turning
    walk_along(take, take.uniform(0.8, 1.35) * (1.0 - 0.7 * turning))
    return {}


@action("prior", (
    "{who} walks forward, stops and waves with the {side} hand.",
    "{who} walks ahead and then waves the {side} hand.",
    "walking forward, then standing still and waving with the {side} arm.",
    "{who} takes a few steps, halts and greets with the {side} hand.",
    "after a short walk {who} waves using the {side} hand.",
), shortest=4.0, weight=3)  # fmt: skip
def walk_and_wave(take: Take) -> Slots:
    stop = take.duration * take.uniform(0.42, 0.55)
    moving = 1.0 - curves.between(take.time, stop - 0.9, stop)
    feet = 1.0 - curves.between(take.time, stop - 0.5, stop + 0.25)
    walk_along(take, take.uniform(0.8, 1.3) * moving, feet)
    wave_with(take, 0, stop - 0.1, take.duration - 0.2)
    return {}
