"""A take: a batch of clips of one action, with the means to stand, step, walk and move the arms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.data.procedural import curves
from videomdm.data.procedural.body import HANGING, STRAIGHT, Pose, turn

KNEES, ELBOWS = (152.0, 13.0), (132.0, 14.0)  # degrees: mean and deviation over people, in their habitual posture
LOCKED = 8.0  # degrees by which a knee that bears weight may be straighter than in the habitual posture
MARGIN = 50  # frames computed before and after a clip, so that steps that begin or end outside are known
JITTER = 0.25  # of the gaps around it: the range of a moment's place


class Take:
    """Clips of one action while they are being made.

    Actions are written for the left side (left hand, left turn); ``mirrored`` clips are reflected when
    all is done.  Shapes: n clips, T frames with a margin on both sides, per-clip values are (n, 1).

    Attributes:
        pose: the control curves that the action fills in.
        time: (n, T) seconds from the clip's first frame (negative in the margin).
        duration: (n, 1) seconds.
        offsets: (n, 22, 3) rest offsets of the bodies.
        mirrored: (n,) whether the clip will be reflected.
        sink: (n, 1) metres by which bent knees lower the body of somebody who stands in its habitual posture.
    """

    def __init__(self, lengths: Tensor, offsets: Tensor, generator: torch.Generator) -> None:
        n, frames = len(lengths), int(lengths.max()) + 2 * MARGIN
        self.generator, self.offsets, self.n = generator, offsets, n
        self.time = ((torch.arange(frames) - MARGIN) / FPS).expand(n, frames)
        self.duration = (lengths[:, None] - 1) / FPS
        self.pose = Pose.standing(n, frames)
        self.mirrored = torch.rand(n, generator=generator) < 0.5
        self.leg = offsets[:, [4, 7]].norm(dim=-1).sum(-1)[:, None]
        self.sink = torch.zeros(n, 1)

    # Random draws, one value per clip.

    def normal(self, mean: float, deviation: float, low: float, high: float) -> Tensor:
        """(n, 1) values of a normal distribution, cut off at ``low`` and ``high``."""
        return (mean + deviation * torch.randn(self.n, 1, generator=self.generator)).clamp(low, high)

    def uniform(self, low: float | Tensor, high: float | Tensor) -> Tensor:
        """(n, 1) values between two, which may differ from clip to clip."""
        return low + (high - low) * torch.rand(self.n, 1, generator=self.generator)

    def spot(self, low: Sequence[float], high: Sequence[float]) -> Tensor:
        """(n, 1, 3) places in a box that is given by two corners."""
        low, high = torch.tensor(low), torch.tensor(high)
        return low + (high - low) * torch.rand(self.n, 1, 3, generator=self.generator)

    def choose(self, *values: float) -> tuple[Tensor, Tensor]:
        """One of ``values`` per clip, and which: (n, 1) and (n,)."""
        which = torch.randint(len(values), (self.n,), generator=self.generator)
        return torch.tensor(values, dtype=torch.float32)[which][:, None], which

    def noise(self, channels: int, rate: float = 0.6) -> Tensor:
        """(n, T, channels) smooth noise of variance 1, at most ``rate`` cycles a second."""
        return curves.smooth_noise(self.generator, self.time, channels, rate)

    # Timing.

    def repeat(
        self, shortest: float | Tensor, longest: float | Tensor, most: int = 6, pause: float = 0.3
    ) -> tuple[Tensor, ...]:
        """Repetitions that fit the clip: progress in the current one (n, T), its number (n, T), count (n,).

        One repetition takes ``shortest`` to ``longest`` seconds; progress rests at 0 before and 1 after all.
        """
        period = torch.minimum(self.uniform(shortest, longest), self.duration - pause)
        fit = ((self.duration - pause) / period).floor().clamp(1, most)
        count = (fit - (fit * self.uniform(0.0, 0.5)).floor()).clamp(min=1)
        spare = self.duration - count * period
        x = ((self.time - spare * self.uniform(0.3, 0.7)) / period).clamp(min=torch.zeros(1), max=count)
        number = torch.minimum(x.floor(), count - 1)
        return x - number, number, count[:, 0].long()

    def keys(self, *fractions: float) -> Tensor:
        """Times (n, K) at about these fractions of the clip, each moved by part of the gaps around it."""
        knots = torch.tensor(fractions).expand(self.n, -1).clone()
        gaps = knots.diff(dim=1)
        move = (torch.rand(self.n, len(fractions) - 2, generator=self.generator) - 0.5) * JITTER
        knots[:, 1:-1] += move * torch.minimum(gaps[:, 1:], gaps[:, :-1])
        return knots * self.duration

    # The body.

    def posture(self, lean: float | Tensor = 0.03, slouch: float | Tensor = 0.0) -> None:
        """A habitual posture: knees and elbows straight or bent, lean of the trunk, slouch of the chest with a
        hanging head."""
        pose, slouch = self.pose, slouch + self.uniform(-0.04, 0.12)
        knees = self.normal(*KNEES, 120.0, 178.0)
        self.sink = self.leg * (1.0 - (0.5 * knees.deg2rad()).sin())
        pose.pelvis[..., 1] -= self.sink
        pose.straight = (0.5 * (knees + LOCKED).deg2rad().clamp(max=torch.pi)).sin().clamp(max=STRAIGHT)
        self._hang_arms()
        pose.tilt[..., 0] += lean
        pose.torso[..., 0] += slouch
        pose.head[..., 0] += 0.6 * slouch - 0.7 * lean
        pose.tilt[..., 1] += self.uniform(-0.05, 0.05)
        pose.head[..., 1] += self.uniform(-0.1, 0.1)

    def _hang_arms(self) -> None:
        """Hang the arms with bent elbows: the upper arm about upright, the forearm forward."""
        half = 0.5 * self.normal(*ELBOWS, 90.0, 172.0).deg2rad()
        pitch = 0.5 * torch.pi - half - self.uniform(-0.05, 0.2)
        hand = torch.stack([self.uniform(0.04, 0.16), -half.sin() * pitch.cos(), half.sin() * pitch.sin()], -1)
        self.pose.hands += hand[:, None] - HANGING

    def stand(self, width: float | Tensor = 0.0, stagger: float | Tensor = 0.0) -> None:
        """Both feet on the floor, ``width`` wider than the hips, the left ``stagger`` metres ahead."""
        side = torch.tensor([1.0, -1.0])
        half = self.offsets[:, None, 1, 0] + 0.5 * (width + self.uniform(0.02, 0.10))
        toe_out = self.uniform(0.05, 0.3)
        ahead = 0.5 * (stagger + self.normal(0.0, 0.06, -0.2, 0.2))
        local = torch.stack([half * side, torch.zeros(self.n, 2), ahead * side], -1)[:, None]
        self.pose.feet += turn(local, self.pose.heading[..., None])
        self.pose.feet[..., [0, 2]] += self.pose.root[:, :, None]
        self.pose.yaw += self.pose.heading[..., None] + (toe_out * side)[:, None]

    def stand_still(self, width: float | Tensor = 0.0, stagger: float | Tensor = 0.0) -> None:
        """Stand with a habitual posture, shifting the weight a little."""
        self.stand(width, stagger)
        self.posture()
        shift = self.noise(1, 0.35)[..., 0]
        self.pose.pelvis[..., 0] += 0.015 * shift
        self.pose.tilt[..., 2] -= 0.02 * shift

    def step(self, foot: int, progress: Tensor, start: float, end: float, move: Tensor, lift: float = 0.1) -> None:
        """Move a foot by ``move`` (n, 1, 3), in the heading's frame, while progress goes start..end."""
        pose, hill = self.pose, curves.arch(progress, start, end)
        pose.feet[:, :, foot] += turn(curves.between(progress, start, end)[..., None] * move, pose.heading)
        pose.feet[:, :, foot, 1] += lift * hill
        pose.loose[:, :, foot] += hill
        pose.pitch[:, :, foot] += 0.3 * hill

    def reach(self, side: int, target: tuple[float, float, float] | Tensor, amount: Tensor | float = 1.0) -> None:
        """Bring a hand to ``target`` (chest frame, arm lengths) by ``amount`` (n, T) in 0..1.

        Between opposite places it goes round by the front, with a bent arm, and not through the shoulder.
        """
        hand, target = self.pose.hands[:, :, side], torch.as_tensor(target)
        amount = torch.as_tensor(amount, dtype=hand.dtype).expand(hand.shape[:2])[..., None]
        near, far = hand.norm(dim=-1, keepdim=True), target.norm(dim=-1, keepdim=True)
        apart = 0.5 - 0.5 * (hand * target).sum(-1, keepdim=True) / (near * far).clamp(min=1e-3)
        halfway = 4.0 * amount * (1.0 - amount) * apart
        moved = torch.lerp(hand, target.expand_as(hand), amount) + halfway * torch.tensor([0.2, 0.0, 0.35])
        length = torch.lerp(near, far.expand_as(near), amount) * (1.0 - 0.3 * halfway)
        self.pose.hands[:, :, side] = moved * length / moved.norm(dim=-1, keepdim=True).clamp(min=1e-3)

    def travel(self, speed: Tensor, direction: Tensor | float = 0.0) -> None:
        """Move the root with ``speed`` (n, T) m/s, ``direction`` radians to the left of its heading."""
        yaw = self.pose.heading + direction
        velocity = speed[..., None] * torch.stack([yaw.sin(), yaw.cos()], -1)
        self.pose.root = curves.integrate(velocity, FPS, MARGIN)

    def phase(self, rate: Tensor) -> Tensor:
        """Gait phase (n, T) in cycles from about ``rate`` (n, T) per second.

        It begins and ends (margins included) with both feet on the floor, where a gait may come to rest.
        """
        total = curves.integrate(rate, FPS, 0)
        end = total[:, -1:]
        return total * (2.0 * end).round().clamp(min=1.0) / (2.0 * end) + 0.04

    def gait(
        self,
        phase: Tensor,
        duty: float | Tensor = 0.62,
        width: float | Tensor = 0.0,
        lift: float | Tensor = 0.09,
        heel: float | Tensor = 0.9,
        strike: float | Tensor = 0.3,
        skew: float = 1.0,
        centre: float = 0.42,
    ) -> None:
        """Steps along the root's path; feet stand still for the part ``duty`` of each cycle.

        The left foot touches down at whole phases, the right one half a cycle later.  Each foot stands where
        the hip passes at the part ``centre`` of its stance.

        Args:
            phase: (n, T) cycles, growing.
            duty: part of a cycle that a foot stands; below 0.5 there is flight.
            width: added to the distance between the hips.
            lift: highest lift of the swinging foot, metres; ``skew`` < 1 puts it early in the swing.
            heel: heel-off angle at toe-off; strike: toe-up angle at touch-down, radians.
        """
        pose = self.pose
        own = torch.stack([phase, phase - 0.5], 2)  # (n, T, 2)
        duty, lift, heel, strike = (torch.as_tensor(v)[..., None] for v in (duty, lift, heel, strike))
        cycle = own.floor()
        first = cycle.amin(1, keepdim=True)
        u = own - cycle
        swing = ((u - duty) / (1.0 - duty)).clamp(0.0, 1.0)

        n_cycles = int((cycle - first).max()) + 2
        levels = first[:, 0, :, None] + torch.arange(n_cycles) + centre * duty  # (n, 2, K)
        steps = torch.stack([self._placements(own[:, :, f], levels[:, f], f, width) for f in (0, 1)], 2)
        index = (cycle - first).long()
        here, there = (steps.gather(1, (index + k)[..., None].expand(-1, -1, -1, 4)) for k in (0, 1))
        placed = torch.lerp(here, there, curves.ease(swing)[..., None])

        hill = curves.arch(swing**skew, 0.0, 1.0)
        pose.feet = placed[..., :3].clone()
        pose.feet[..., 1] += lift * hill
        pose.yaw = placed[..., 3]
        pose.pitch = heel * curves.bump(own, duty + 0.03, 0.085) - strike * curves.bump(own, 0.985, 0.06)
        pose.loose = hill

    def _placements(self, phase: Tensor, levels: Tensor, foot: int, width: float | Tensor) -> Tensor:
        """Where (and with which yaw) a foot stands when its phase passes ``levels`` (n, K) -> (n, K, 4)."""
        sign = 1.0 - 2.0 * foot
        path = torch.cat([self.pose.root, self.pose.heading[..., None]], -1)
        x, z, yaw = curves.lookup(path, curves.when(phase, levels)).unbind(-1)
        half = sign * (self.offsets[:, None, 1, 0] + 0.5 * torch.as_tensor(width)).expand_as(x)
        zero = torch.zeros_like(x)
        side = turn(torch.stack([half, zero, zero], -1), yaw)
        return torch.stack([x + side[..., 0], zero, z + side[..., 2], yaw + 0.1 * sign], -1)

    def sway(self, phase: Tensor, amount: Tensor | float = 1.0) -> None:
        """Pelvis and trunk of a gait: weight over the standing foot, pelvis turns with the leading leg, the
        chest turns against it, the head stays."""
        pose, cosine, sine = self.pose, amount * curves.wave(phase), amount * curves.wave(phase, 0.3)
        pose.pelvis[..., 0] += 0.022 * sine
        pose.tilt[..., 1] -= 0.10 * cosine
        pose.torso[..., 1] += 0.20 * cosine
        pose.head[..., 1] -= 0.10 * cosine
        pose.tilt[..., 2] += 0.04 * sine
        pose.torso[..., 2] -= 0.05 * sine

    def swing_arms(self, phase: Tensor, swing: Tensor | float, bend: Tensor | float = 0.1) -> None:
        """Arms swing against the legs by ``swing`` radians; ``bend`` from 0 to 1 (a runner's)."""
        for side, sign in ((0, -1.0), (1, 1.0)):
            angle = sign * swing * curves.wave(phase, 0.02) + 0.08 + 0.55 * torch.as_tensor(bend)
            reach = 0.97 - 0.22 * bend - 0.03 * sign * curves.wave(phase, 0.02)
            out = torch.full_like(angle, 0.14)
            hand = torch.stack([out, -reach * angle.cos(), reach * angle.sin()], -1)
            self.pose.hands[:, :, side] += hand - HANGING
