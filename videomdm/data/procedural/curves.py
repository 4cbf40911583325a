"""Smooth curves over time, for a batch of clips at once: eases, pulses, splines, repetitions, noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def ease(x: Tensor) -> Tensor:
    """From 0 to 1 as ``x`` goes from 0 to 1, with zero speed and acceleration at both ends (minimum jerk)."""
    x = x.clamp(0.0, 1.0)
    return x**3 * (10.0 + x * (6.0 * x - 15.0))


def between(x: Tensor, start: Tensor | float, end: Tensor | float) -> Tensor:
    """:func:`ease` over the interval from ``start`` to ``end``."""
    return ease((x - start) / (end - start))


def pulse(x: Tensor, rise: tuple[float, float], fall: tuple[float, float]) -> Tensor:
    """0, then up to 1 over the interval ``rise``, then back to 0 over ``fall``."""
    return between(x, *rise) - between(x, *fall)


def arch(x: Tensor, start: Tensor | float, end: Tensor | float) -> Tensor:
    """A smooth hill of height 1 over the interval, 0 outside: the height of a foot during a step."""
    x = ((x - start) / (end - start)).clamp(0.0, 1.0)
    return (16.0 * (x * (1.0 - x)) ** 2) ** 0.65


def bump(phase: Tensor, centre: Tensor | float, width: Tensor | float) -> Tensor:
    """A hill of height 1 that repeats with every whole cycle of ``phase``; ``width`` in cycles."""
    sharpness = 1.0 / (2.0 * math.pi * torch.as_tensor(width)) ** 2
    return torch.exp(sharpness * (torch.cos(2.0 * math.pi * (phase - centre)) - 1.0))


def wave(phase: Tensor, shift: float = 0.0) -> Tensor:
    """Cosine of a phase in cycles; its crest lies at ``phase = shift``."""
    return torch.cos(2.0 * math.pi * (phase - shift))


def lookup(values: Tensor, index: Tensor) -> Tensor:
    """``values`` (B, T, D) at fractional frames ``index`` (B, N), clamped to the ends -> (B, N, D)."""
    index = index.clamp(0.0, values.shape[1] - 1.0)
    low = index.floor().long().clamp(max=values.shape[1] - 2)
    part = (index - low)[..., None]
    low = low[..., None].expand(*low.shape, values.shape[-1])
    return torch.lerp(values.gather(1, low), values.gather(1, low + 1), part)


def when(curve: Tensor, levels: Tensor) -> Tensor:
    """Fractional frame (B, N) at which the growing ``curve`` (B, T) reaches ``levels`` (B, N)."""
    right = torch.searchsorted(curve.contiguous(), levels.contiguous()).clamp(1, curve.shape[1] - 1)
    low, high = curve.gather(1, right - 1), curve.gather(1, right)
    return right - 1 + ((levels - low) / (high - low).clamp(min=1e-6)).clamp(0.0, 1.0)


def spline(time: Tensor, knots: Tensor, values: Tensor, slopes: Tensor | None = None) -> Tensor:
    """Cubic Hermite spline; it holds its first and last value outside the knots.

    Args:
        time: (B, T) seconds.
        knots: (B, K) seconds, increasing.
        values: (B, K, D).
        slopes: (B, K, D) per second, zero by default: the curve then rests at each knot.

    Returns:
        (B, T, D).
    """
    slopes = torch.zeros_like(values) if slopes is None else slopes
    left = (torch.searchsorted(knots.contiguous(), time.contiguous()) - 1).clamp(0, knots.shape[1] - 2)
    start, end = knots.gather(1, left), knots.gather(1, left + 1)
    step = (end - start)[..., None]
    x = ((time - start)[..., None] / step).clamp(0.0, 1.0)
    left = left[..., None].expand(*left.shape, values.shape[-1])
    a, b = values.gather(1, left), values.gather(1, left + 1)
    da, db = slopes.gather(1, left) * step, slopes.gather(1, left + 1) * step
    return a + x * (da + x * (3.0 * (b - a) - 2.0 * da - db + x * (2.0 * (a - b) + da + db)))


def through(knots: Tensor, values: Tensor) -> Tensor:
    """Catmull-Rom slopes (B, K, D) for :func:`spline`: it rests at the ends only."""
    slopes = torch.zeros_like(values)
    slopes[:, 1:-1] = (values[:, 2:] - values[:, :-2]) / (knots[:, 2:] - knots[:, :-2])[..., None]
    return slopes


def integrate(rate: Tensor, fps: float, origin: int) -> Tensor:
    """Integral over frames (dim 1) of ``rate`` per second, zero at frame ``origin`` (trapezoid rule)."""
    steps = 0.5 * (rate[:, 1:] + rate[:, :-1]) / fps
    total = torch.cat([torch.zeros_like(rate[:, :1]), steps.cumsum(1)], 1)
    return total - total[:, origin : origin + 1]


def smooth_noise(generator: torch.Generator, time: Tensor, channels: int, rate: float = 0.6) -> Tensor:
    """Slow random curves (B, T, channels) of about unit variance: five sinusoids below ``rate`` Hz."""
    shape = (time.shape[0], 1, channels, 5)
    frequency = rate * (0.1 + 0.9 * torch.rand(shape, generator=generator))
    phase = torch.rand(shape, generator=generator)
    amplitude = torch.randn(shape, generator=generator) / (0.3 + frequency / rate)
    amplitude = amplitude / amplitude.square().sum(-1, keepdim=True).sqrt() * math.sqrt(2.0)
    return (amplitude * wave(time[:, :, None, None] * frequency + phase)).sum(-1)
