"""The prior's gestures and everyday actions on the spot.  Written for the left side."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.data.procedural import curves
from videomdm.data.procedural.captions import count_words
from videomdm.data.procedural.registry import Slots, action
from videomdm.data.procedural.take import Take


def wave_with(take: Take, side: int, start: Tensor, end: Tensor) -> list[str]:
    """Raise a hand, swing the forearm from side to side, let it sink; returns how fast it waves."""
    rate = take.uniform(1.1, 2.2)
    up = curves.between(take.time, start, start + 0.7) - curves.between(take.time, end - 0.7, end)
    beat = curves.wave(take.time * rate + take.uniform(0.0, 1.0))
    target = torch.stack([take.uniform(0.35, 0.5), take.uniform(0.4, 0.68), take.uniform(0.2, 0.4)], -1)
    target = target + torch.stack([take.uniform(0.1, 0.2) * beat, -0.03 * beat, 0.0 * beat], -1)
    take.reach(side, target, up)
    take.pose.swivel[:, :, side] += 1.1 * up
    take.pose.torso[..., 2] -= 0.05 * up * (1 - 2 * side)
    return ["fast" if fast else "slow" for fast in (rate[:, 0] > 1.65).tolist()]


@action("prior", (
    "{who} waves with the {side} hand.",
    "{who} raises the {side} arm and waves {speed}.",
    "{who} is waving the {side} hand at somebody.",
    "waving hello with the {side} hand.",
    "{who} stands still and greets with the {side} hand.",
    "{who} lifts the {side} hand and swings it from side to side {speed}.",
), weight=3, longest=7.0)  # fmt: skip
def wave_hand(take: Take) -> Slots:
    take.stand_still()
    start, end = take.duration * take.uniform(0.0, 0.15), take.duration * take.uniform(0.88, 1.0)
    return {"speed": wave_with(take, 0, start, end)}


@action("prior", (
    "{who} waves with both hands.",
    "{who} raises both arms and waves.",
    "{who} is waving both hands above the head.",
    "waving with the two arms to attract attention.",
    "{who} stands and swings both raised hands from side to side.",
), longest=7.0)  # fmt: skip
def wave_both(take: Take) -> Slots:
    take.stand_still()
    start, end = take.uniform(0.0, 0.12) * take.duration, take.duration * take.uniform(0.9, 1.0)
    beat, up = take.uniform(0.0, 1.0), curves.between(take.time, start, start + 0.8)
    up = up - curves.between(take.time, end - 0.8, end)
    beat = curves.wave(take.time * take.uniform(0.8, 1.6) + beat)
    height = take.uniform(0.6, 0.85)
    for side, sign in ((0, 1.0), (1, -1.0)):
        target = torch.stack([0.3 + 0.2 * sign * beat, height - 0.05 * beat**2, 0.15 + 0.0 * beat], -1)
        take.reach(side, target, up)
        take.pose.swivel[:, :, side] += 0.8 * up
    take.pose.torso[..., 2] -= 0.06 * up * beat
    return {}


@action("prior", (
    "{who} stretches both arms up.",
    "{who} raises both hands high above the head {count}.",
    "{who} lifts the arms overhead and lowers them {count}.",
    "stretching the arms to the ceiling {count}.",
    "{who} is reaching up with both arms.",
), longest=8.0)  # fmt: skip
def stretch_up(take: Take) -> Slots:
    take.stand_still()
    u, _, count = take.repeat(1.9, 3.6, most=3)
    up = curves.pulse(u, (0.02, 0.4), (0.6, 0.98))
    for side in (0, 1):
        take.reach(side, (0.1, 0.98, 0.08), up)
    take.pose.tilt[..., 0] -= 0.04 * up
    take.pose.torso[..., 0] -= 0.14 * up
    take.pose.head[..., 0] -= 0.35 * up
    on_toes = take.choose(0.0, 0.45)[0]
    take.pose.pitch += (on_toes * up)[..., None]
    take.pose.pelvis[..., 1] += 0.14 * on_toes * up
    return {"count": count_words(count)}


@action("prior", (
    "{who} raises the {side} hand.",
    "{who} lifts the {side} arm up {count}.",
    "raising the {side} arm straight up and lowering it {count}.",
    "{who} puts the {side} hand up as if to ask a question.",
    "{who} is holding the {side} hand up in the air.",
), longest=7.0)  # fmt: skip
def raise_hand(take: Take) -> Slots:
    take.stand_still()
    u, _, count = take.repeat(1.6, 3.0, most=3)
    up = curves.pulse(u, (0.02, 0.35), (0.62, 0.97))
    take.reach(0, (0.12, 0.95, 0.12), up)
    take.pose.torso[..., 2] += 0.08 * up
    take.pose.head[..., 0] -= 0.1 * up
    return {"count": count_words(count)}


@action("prior", (
    "{who} sits down {after}.",
    "{who} lowers onto a chair {after}.",
    "{who} is sitting down on a seat {after}.",
    "{who} takes a seat {after}.",
    "{who} bends the knees and sits on something {after}.",
), weight=3, shortest=2.4)  # fmt: skip
def sit_down(take: Take) -> Slots:
    take.stand_still()
    pose, time, duration = take.pose, take.time, take.duration
    down = curves.between(time, 0.12 * duration, 0.12 * duration + 1.35)
    _, which = take.choose(0, 1)
    rises = ((which == 1) & (duration[:, 0] > 4.0))[:, None]
    up = curves.between(time, 0.9 * duration - 1.35, 0.9 * duration) * rises
    sit, seat = down - up, take.uniform(0.42, 0.52)
    busy = 4.0 * (down * (1.0 - down) + up * (1.0 - up))
    pose.pelvis[..., 1] -= (seat * take.leg - take.sink) * sit
    pose.pelvis[..., 2] -= 0.47 * take.leg * sit
    pose.tilt[..., 0] += 0.5 * busy - 0.12 * sit
    pose.torso[..., 0] += 0.2 * busy + 0.15 * sit
    pose.head[..., 0] -= 0.3 * busy
    for side in (0, 1):
        take.reach(side, (0.05, -0.62, 0.55), sit)
    words = ["and stands up again" if r else "and stays seated" for r in rises[:, 0].tolist()]
    return {"after": words}


@action("prior", (
    "{who} bows {depth}.",
    "{who} bends forward from the waist {count}.",
    "bowing {depth} {count}.",
    "{who} takes a bow {count}.",
    "{who} is bowing politely {depth}.",
), longest=8.0)  # fmt: skip
def bow(take: Take) -> Slots:
    take.stand_still()
    u, _, count = take.repeat(1.9, 3.6, most=3)
    level, which = take.choose(0.55, 1.1)
    down = level * take.uniform(0.85, 1.15) * curves.pulse(u, (0.02, 0.42), (0.58, 0.98))
    take.pose.tilt[..., 0] += 0.65 * down
    take.pose.torso[..., 0] += 0.6 * down
    take.pose.head[..., 0] += 0.15 * down
    take.pose.pelvis[..., 2] -= 0.13 * down
    for side in (0, 1):
        take.reach(side, (0.08, -0.8, 0.5), down.clamp(max=1.0))
    return {"count": count_words(count), "depth": [("slight", "deep")[k] for k in which.tolist()]}


@action("prior", (
    "{who} stands still.",
    "{who} is standing and shifts the weight from leg to leg.",
    "standing in place, doing nothing in particular.",
    "{who} waits, standing on the spot.",
    "{who} remains upright without walking.",
), weight=1)  # fmt: skip
def idle(take: Take) -> Slots:
    take.stand_still()
    shift = take.noise(1, 0.3)[..., 0].clamp(-1.5, 1.5)
    take.pose.pelvis[..., 0] += 0.03 * shift
    take.pose.tilt[..., 2] -= 0.04 * shift
    take.pose.head[..., 1] += 0.25 * take.noise(1, 0.4)[..., 0]
    hips = take.choose(0.0, 0.0, 1.0)[0]
    for side in (0, 1):
        take.reach(side, (0.34, -0.58, 0.08), hips.expand_as(take.time))
    return {}
