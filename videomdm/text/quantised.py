"""Matrices of weights in 8 or 4 bits: whole numbers and the steps between them, symmetric about zero."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

GROUP = 32  # weights of a row that share a step in 4 bits; in 8 bits the whole row does


def to_8_bits(weights: Tensor) -> dict[str, Tensor]:
    """A matrix (rows, columns) -> ``int8`` (rows, columns) and ``step`` (rows, 1) float16."""
    step = _step(weights, 127)
    return {"int8": (weights / step).round().clamp(-127, 127).to(torch.int8), "step": step}


def to_4_bits(weights: Tensor) -> dict[str, Tensor]:
    """A matrix (rows, columns) -> ``int4`` (rows, columns / 2) uint8 and ``step`` (rows, columns / 32, 1) float16.

    A byte holds two weights, the first in its low half, each with 8 added.  Columns are a multiple of 32.
    """
    groups = weights.unflatten(1, (-1, GROUP))
    step = _step(groups, 7)
    halves = ((groups / step).round().clamp(-7, 7) + 8).to(torch.uint8).flatten(1)
    return {"int4": halves[:, ::2] | halves[:, 1::2] << 4, "step": step}


def _step(weights: Tensor, levels: int) -> Tensor:
    """Distance of neighbouring numbers so that the last axis' largest weight is ``levels`` of them."""
    return (weights.abs().amax(-1, keepdim=True) / levels).clamp_min(1e-7).half()


def restored(stored: Mapping[str, Tensor]) -> Tensor:
    """The float32 matrix (rows, columns) of :func:`to_8_bits` or :func:`to_4_bits`."""
    if "int8" in stored:
        return stored["int8"] * stored["step"].float()
    halves = torch.stack([stored["int4"] & 15, stored["int4"] >> 4], -1).flatten(1).to(torch.int8) - 8
    return (halves.unflatten(1, (-1, GROUP)) * stored["step"].float()).flatten(1)


def pack(tensors: Mapping[str, Tensor], four_bits: str) -> dict[str, Tensor]:
    """A state dict for a file: matrices in 8 bits, ``four_bits`` in 4, vectors as they are; parts are ``name:part``."""
    packed = {}
    for name, tensor in tensors.items():
        if tensor.dim() == 1:
            packed[name] = tensor
        else:
            parts = to_4_bits(tensor) if name == four_bits else to_8_bits(tensor)
            packed |= {f"{name}:{part}": value for part, value in parts.items()}
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of :func:`pack`, float32."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in packed.items():
        name, _, part = key.partition(":")
        parts.setdefault(name, {})[part] = value
    return {name: own[""] if "" in own else restored(own) for name, own in parts.items()}
