"""The teacher's other actions: throws, swings, dances, kneeling, free movement; broad in pose."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.data.procedural import curves
from videomdm.data.procedural.captions import count_words
from videomdm.data.procedural.registry import Slots, action
from videomdm.data.procedural.take import Take
from videomdm.data.procedural.wandering import flow, hand_path, place, trunk_path


@action("teacher", (
    "{who} throws something with the {side} hand.",
    "{who} makes an overhand throw with the {side} arm {count}.",
    "throwing a ball {count} with the {side} hand.",
    "{who} winds up and hurls an object with the {side} arm.",
), weight=2, longest=7.0)  # fmt: skip
def throw(take: Take) -> Slots:
    take.stand_still(0.1, -take.uniform(0.25, 0.45))
    pose = take.pose
    u, _, count = take.repeat(1.9, 2.8, most=3)
    wind, release = curves.pulse(u, (0.05, 0.4), (0.45, 0.62)), curves.pulse(u, (0.44, 0.62), (0.68, 0.98))
    low = take.choose(0.0, 1.0)[0][..., None]
    back = (1 - low) * torch.tensor([0.55, 0.45, -0.25]) + low * torch.tensor([0.3, -0.6, -0.6])
    front = (1 - low) * torch.tensor([-0.05, 0.2, 0.9]) + low * torch.tensor([0.0, 0.05, 0.93])
    take.reach(0, back, wind)
    take.reach(0, front, release)
    take.reach(1, (0.1, 0.1, 0.8), wind)
    turned = release - wind
    pose.tilt[..., 1] -= 0.45 * turned
    pose.torso[..., 1] -= 0.55 * turned
    pose.head[..., 1] += 0.9 * turned
    pose.tilt[..., 0] += 0.2 * turned
    pose.torso[..., 0] += 0.25 * turned
    pose.pelvis[..., 2] += 0.12 * turned
    pose.pelvis[..., 1] -= 0.02 + 0.08 * release
    pose.pitch[:, :, 0] += 0.6 * release
    return {"count": count_words(count)}


@action("teacher", (
    "{who} dances, swaying from side to side.",
    "{who} is dancing on the spot.",
    "swaying the hips and the arms to music.",
    "{who} grooves in place.",
), weight=4)  # fmt: skip
def dance(take: Take) -> Slots:
    take.stand_still(take.uniform(0.05, 0.35))
    pose, beat = take.pose, take.time * take.uniform(0.4, 0.95)
    side = curves.wave(beat)
    pose.pelvis[..., 0] += take.uniform(0.03, 0.10) * side
    pose.pelvis[..., 1] += take.uniform(0.0, 0.05) * curves.wave(2.0 * beat, 0.2) - take.uniform(0.0, 0.03)
    pose.tilt[..., 2] += take.uniform(0.0, 0.2) * side
    pose.torso[..., 2] -= take.uniform(0.0, 0.4) * side
    pose.tilt[..., 1] += take.uniform(0.0, 0.35) * curves.wave(beat, 0.2)
    pose.head[..., 2] += take.uniform(-0.2, 0.2) * side
    pose.pitch += take.uniform(0.0, 0.5)[..., None] * torch.stack([1.0 + side, 1.0 - side], -1) * 0.5
    for hand in (0, 1):
        centre = torch.stack([take.uniform(0.1, 0.6), take.uniform(-0.7, 0.8), take.uniform(0.45, 0.65)], -1)
        size = take.uniform(0.08, 0.28)
        shifts = [take.uniform(0.0, 1.0) for _ in range(3)]
        circle = torch.stack([size * curves.wave(beat + s) for s in shifts], -1)
        take.reach(hand, centre + circle, torch.ones_like(beat))
    return {}


@action("teacher", (
    "{who} reaches for things around them.",
    "{who} stretches out the hands in several directions.",
    "reaching out to different places.",
    "{who} grabs at objects in the air.",
), weight=4)  # fmt: skip
def reach_around(take: Take) -> Slots:
    take.stand_still(take.uniform(0.0, 0.4), take.uniform(-0.3, 0.3))
    for hand in (0, 1):
        hand_path(take, hand, rest=True)
    trunk_path(take, 0.5)
    return {}


@action("teacher", (
    "{who} talks with the hands.",
    "{who} stands upright and explains something.",
    "talking to somebody, gesturing with the {side} hand.",
    "{who} is in a conversation, standing.",
), weight=7)  # fmt: skip
def talk(take: Take) -> Slots:
    take.stand_still(take.uniform(0.0, 0.25))
    hand_path(take, 0, rest=True, every=0.8)
    place(take, 0, (-0.1, -0.9, 0.1), (0.4, -0.2, 0.6))
    trunk_path(take, 0.1)
    take.pose.head[..., 1] += 0.4 * flow(take, 1, 1.8)[..., 0]
    return {}


@action("teacher", (
    "{who} swings a bat from the {side}.",
    "{who} hits a ball with a two-handed swing.",
    "swinging a bat with both hands {count}.",
    "{who} is batting, turning the whole body.",
), weight=2, longest=7.0)  # fmt: skip
def swing_bat(take: Take) -> Slots:
    count = _two_handed(take, torch.tensor([0.75, 0.2, 0.35]), torch.tensor([-0.7, 0.1, 0.5]), lean=0.2)
    return {"count": count}


@action("teacher", (
    "{who} swings a golf club.",
    "{who} plays a golf shot to the {other}.",
    "hitting a golf ball with a full swing.",
    "{who} leans over and swings a club with both hands.",
), weight=2, longest=7.0)  # fmt: skip
def golf(take: Take) -> Slots:
    _two_handed(take, torch.tensor([0.55, 0.5, 0.4]), torch.tensor([-0.55, 0.55, 0.4]), lean=0.5)
    return {}


def _two_handed(take: Take, start: Tensor, end: Tensor, lean: float) -> list[str]:
    """Both hands swing from one side (x to the left) to the other; returns how often."""
    take.stand_still(take.uniform(0.2, 0.4))
    pose = take.pose
    u, _, count = take.repeat(2.2, 3.2, most=3)
    back = curves.pulse(u, (0.05, 0.4), (0.45, 0.6))
    through = curves.pulse(u, (0.45, 0.64), (0.75, 0.98))
    ready = torch.tensor([0.0, -0.72 if lean > 0.3 else -0.3, 0.5])
    path = ready + back[..., None] * (start - ready) + through[..., None] * (end - ready)
    for side, sign in ((0, 1.0), (1, -1.0)):
        shoulder = torch.tensor([0.3 * sign, 0.0, 0.0])  # from the chest's middle to this shoulder
        local = (path - shoulder) * torch.tensor([sign, 1.0, 1.0])
        take.reach(side, local, torch.ones_like(u))
    turned = back - through
    pose.tilt[..., 0] += 0.5 * lean
    pose.torso[..., 0] += 0.5 * lean
    pose.pelvis[..., 2] -= 0.12 * lean
    pose.pelvis[..., 0] += 0.06 * turned
    pose.pelvis[..., 1] -= 0.03
    pose.tilt[..., 1] += 0.45 * turned
    pose.torso[..., 1] += 0.65 * turned
    pose.head[..., 1] -= 0.9 * turned
    pose.pitch[:, :, 0] += 0.8 * through
    return count_words(count)


@action("teacher", (
    "{who} practises tai chi.",
    "{who} moves slowly as in tai chi.",
    "slow flowing movements of the arms with bent knees.",
    "{who} performs calm martial arts exercises.",
), weight=4, shortest=4.0)  # fmt: skip
def tai_chi(take: Take) -> Slots:
    take.stand_still(take.uniform(0.25, 0.7), take.uniform(-0.4, 0.4))
    pose = take.pose
    for hand in (0, 1):
        hand_path(take, hand, every=2.2)
    shift = flow(take, 2, 2.5)
    pose.pelvis[..., 0] += 0.14 * shift[..., 0]
    pose.pelvis[..., 1] -= 0.14 + 0.1 * shift[..., 1]
    pose.tilt[..., 1] += 0.4 * flow(take, 1, 2.5)[..., 0]
    trunk_path(take, 0.4, 2.5)
    return {}


@action("teacher", (
    "{who} twists the torso left and right.",
    "{who} rotates the upper body from side to side.",
    "twisting at the waist {count}.",
    "{who} does trunk rotations with the arms held out.",
), weight=2)  # fmt: skip
def twist(take: Take) -> Slots:
    take.stand_still(take.uniform(0.05, 0.35))
    pose = take.pose
    u, _, count = take.repeat(1.4, 2.6, most=5)
    side = curves.pulse(u, (0.0, 0.25), (0.25, 0.5)) - curves.pulse(u, (0.5, 0.75), (0.75, 1.0))
    pose.torso[..., 1] += take.uniform(0.6, 1.1) * side
    pose.tilt[..., 1] += take.uniform(0.1, 0.4) * side
    pose.torso[..., 0] += take.uniform(-0.1, 0.2)
    for hand in (0, 1):
        place(take, hand, (0.0, -0.3, 0.1), (0.95, 0.4, 0.9))
    return {"count": count_words(count)}


@action("teacher", (
    "{who} kneels down on the {other} knee.",
    "{who} goes down on one knee {after}.",
    "{who} is kneeling on the {other} knee {after}.",
    "{who} drops to one knee, the {side} foot in front.",
), weight=4, shortest=3.0)  # fmt: skip
def kneel(take: Take) -> Slots:
    take.stand_still()
    pose, duration = take.pose, take.duration
    u = take.time / duration
    zero = torch.zeros_like(duration)
    ahead, behind = take.uniform(0.15, 0.3), take.uniform(0.35, 0.45)
    rises, which = take.choose(0.0, 1.0)
    first = take.uniform(0.0, 0.1)
    take.step(1, u, first, first + 0.14, torch.stack([zero, zero, -behind], -1))
    take.step(0, u, first + 0.08, first + 0.24, torch.stack([zero, zero, ahead], -1))
    down = curves.between(u, first + 0.16, first + 0.42) - rises * curves.between(u, 0.75, 0.97)
    pose.pelvis[..., 1] -= (take.uniform(0.40, 0.43) / 0.81 * take.leg - take.sink) * down
    pose.pelvis[..., 2] += (0.03 - 0.5 * (behind - ahead)) * down
    pose.pitch[:, :, 1] += 0.5 * curves.between(u, first + 0.1, first + 0.2) + 0.75 * down
    pose.tilt[..., 0] += take.uniform(0.0, 0.4) * down
    for hand in (0, 1):
        place(take, hand, (0.0, -0.8, 0.2), (0.4, 0.3, 0.8))
    return {"after": [("", "and gets up again")[k] for k in which.tolist()]}


@action("teacher", (
    "{who} picks something up from the floor.",
    "{who} bends down and lifts an object with the {side} hand {count}.",
    "picking a thing up off the ground.",
    "{who} stoops to grab something on the floor {count}.",
), weight=3, longest=8.0)  # fmt: skip
def pick_up(take: Take) -> Slots:
    take.stand_still(take.uniform(0.0, 0.25), take.uniform(0.0, 0.3))
    pose = take.pose
    u, _, count = take.repeat(2.2, 3.6, most=3)
    down = curves.pulse(u, (0.02, 0.42), (0.55, 0.97))
    bend = take.uniform(0.0, 1.0)  # from stooping with straight legs to squatting deeply
    pose.pelvis[..., 1] -= (0.08 + 0.42 * bend) * down
    pose.pelvis[..., 2] -= (0.2 - 0.02 * bend) * down
    pose.tilt[..., 0] += (1.0 - 0.3 * bend) * down
    pose.torso[..., 0] += (0.85 - 0.25 * bend) * down
    pose.torso[..., 2] -= 0.15 * down
    pose.head[..., 0] -= 0.3 * down
    pose.pitch += (0.35 * bend * down)[..., None]
    take.reach(0, (0.05, -0.25, 0.94), down)
    take.reach(1, (0.15, -0.4, 0.6), down * take.uniform(0.0, 1.0))
    return {"count": count_words(count)}


@action("teacher", (
    "{who} balances on the {other} leg.",
    "{who} stands on one foot with the arms out.",
    "balancing on the {other} foot, {side} leg lifted.",
    "{who} lifts the {side} leg and keeps the balance.",
), weight=3, shortest=3.0)  # fmt: skip
def balance(take: Take) -> Slots:
    take.stand_still()
    pose = take.pose
    lift = curves.pulse(take.time / take.duration, (0.08, 0.35), (0.7, 0.95))
    raised = torch.stack([take.uniform(0.0, 0.35), take.uniform(0.2, 0.65), take.uniform(-0.45, 0.6)], -1)
    raised = raised * (take.leg / 0.81)[..., None]
    pose.feet[:, :, 0] += lift[..., None] * (raised + 0.1 * flow(take, 3, 1.5) * lift[..., None])
    pose.feet[:, :, 0, 1].clamp_(min=0.0)
    pose.loose[:, :, 0] += lift
    pose.pitch[:, :, 0] += 0.6 * lift
    pose.pelvis[..., 0] -= 0.09 * curves.pulse(take.time / take.duration, (0.0, 0.25), (0.8, 1.0))
    pose.tilt[..., 0] -= lift * (0.6 * raised[:, :, 2]).clamp(min=-0.05, max=0.3)
    pose.torso[..., 0] += lift * (-0.9 * raised[:, :, 2]).clamp(min=0.0)
    for hand in (0, 1):
        take.reach(hand, (0.93, 0.1, 0.05), lift * take.uniform(0.3, 1.0))
    return {}


@action("teacher", (
    "{who} moves freely with the whole body.",
    "{who} improvises, bending, turning and reaching.",
    "free movement of arms, trunk and legs.",
    "{who} is warming up with all kinds of movements.",
), weight=8)  # fmt: skip
def improvise(take: Take) -> Slots:
    pose = take.pose
    pose.heading += 0.5 * flow(take, 1, 2.5)[..., 0]
    speed = take.choose(0.0, 0.3, 0.9)[0] * (0.6 + 0.5 * flow(take, 1, 2.0)[..., 0]).clamp(min=0.05)
    direction = take.uniform(-torch.pi, torch.pi) + 0.5 * flow(take, 1, 2.5)[..., 0]
    take.travel(speed, direction)
    phase = take.phase(take.uniform(0.5, 1.0).expand_as(take.time))
    take.gait(
        phase, duty=0.63, width=take.uniform(0.05, 0.45), lift=take.uniform(0.08, 0.35),
        heel=take.uniform(0.2, 1.0), strike=0.0, centre=0.5,
    )  # fmt: skip
    take.sway(phase, take.uniform(0.5, 1.5))
    pose.pelvis[..., 1] -= take.uniform(0.0, 0.3) + 0.08 * flow(take, 1, 1.5)[..., 0]
    take.posture()
    pace = float(0.5 + 0.9 * torch.rand((), generator=take.generator))
    for hand in (0, 1):
        hand_path(take, hand, every=pace)
    trunk_path(take, 1.0, 1.5)
    return {}
