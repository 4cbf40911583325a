"""Clips of different lengths in one tensor: which frames count, and what stands in the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videomdm.skeletons.definitions import Skeleton


def pad(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack clips (T_i, ...) into zero-padded (C, T, ...) and their lengths (C,)."""
    lengths = torch.tensor([len(c) for c in clips])
    return torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True), lengths


def valid_frames(lengths: Tensor, n_frames: int) -> Tensor:
    """(..., T) mask of the frames before each clip's length (...)."""
    return torch.arange(n_frames, device=lengths.device) < lengths[..., None]


def triangle(length: int) -> Tensor:
    """Weights (length,) that rise by 1 a frame from 1 to the middle and fall again: of windows that overlap."""
    ramp = torch.arange(1, length + 1)
    return torch.minimum(ramp, ramp.flip(0))


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask`` (broadcastable, 0/1) is set; 0 where nothing is."""
    mask = mask.expand_as(values)
    return (values * mask).sum() / mask.sum().clamp(min=1)


def hold_last(joints: Tensor, lengths: Tensor) -> Tensor:
    """Replace padded frames by the clip's last valid one, so that no channel of a valid row sees padding.

    Args:
        joints: (..., T, J, 3).
        lengths: (...), valid frames of each clip, 1..T.

    Returns:
        (..., T, J, 3).

    Raises:
        ValueError: on lengths of another shape or outside 1..T.
    """
    check_lengths(joints, lengths)
    n_frames = joints.shape[-3]
    lengths = lengths.to(joints.device)
    index = torch.arange(n_frames, device=joints.device).minimum(lengths[..., None] - 1).flatten(0, -2)
    index = index + n_frames * torch.arange(len(index), device=joints.device)[:, None]
    return joints.flatten(0, -3).index_select(0, index.flatten()).view(joints.shape)


def check_shape(joints: Tensor, skeleton: Skeleton) -> None:
    """Raise ``ValueError`` for joints that are not (..., T, J, 3) of a layout, T at least 1."""
    if joints.ndim < 3 or joints.shape[-2:] != (len(skeleton), 3) or not joints.shape[-3]:
        expected = f"(..., frames, {len(skeleton)}, 3) for skeleton {skeleton.name}"
        raise ValueError(f"joints have shape {tuple(joints.shape)}, expected {expected}")


def check_lengths(joints: Tensor, lengths: Tensor) -> None:
    """Raise ``ValueError`` for lengths that are not (...), within 1..T, for joints (..., T, J, 3).

    The range is only looked at where that does not make the host wait for an accelerator.
    """
    batch, n_frames = joints.shape[:-3], joints.shape[-3]
    if lengths.shape != batch:
        raise ValueError(f"lengths have shape {tuple(lengths.shape)}, expected the joints' batch {tuple(batch)}")
    readable = lengths.device.type == "cpu" and not torch.compiler.is_compiling()
    if readable and lengths.numel() and (lengths.min() < 1 or lengths.max() > n_frames):
        raise ValueError(f"lengths are {lengths.min()}..{lengths.max()}, expected within 1..{n_frames}")
