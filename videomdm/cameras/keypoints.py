"""Keypoints of one person from a detector's frames to a constant rate: filled, resampled, smoothed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SMOOTHING = (0.25, 0.5, 0.25)  # weights of the frame before, the frame and the frame after (appendix C.3)
BRIDGED = 0.05  #: confidence of a keypoint that is interpolated over a short gap
#: Seconds between a recording's frames beyond which nothing is known of the time in between.
LONGEST_STEP = 0.25


def resample(keypoints: np.ndarray, times: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints at a constant rate, linear between the frames that saw a joint.

    Args:
        keypoints: (F, J, 3) x, y and confidence; confidence 0 where a joint was not seen.
        times: (F,) seconds, increasing, any spacing.
        fps: frames per second of the result.

    Returns:
        Positions (T, J, 2) and confidence (T, J) at ``times[0] + k / fps``.  Where a neighbouring frame did not
        see the joint, or the neighbours are more than :data:`LONGEST_STEP` apart, confidence is 0 and the
        position is interpolated between the nearest frames that saw it (held before the first and after the
        last).  A joint that was never seen is put at the middle of those that were.
    """
    at = times[0] + np.arange(int((times[-1] - times[0]) * fps + 1e-6) + 1) / fps
    after = np.searchsorted(times, at - 1e-6).clip(0, len(times) - 1)  # times of video files are rounded
    before = np.where(np.abs(times[after] - at) < 1e-6, after, np.maximum(after - 1, 0))
    confidence = np.minimum(keypoints[before, :, 2], keypoints[after, :, 2])
    confidence[times[after] - times[before] > LONGEST_STEP] = 0

    seen = keypoints[..., 2] > 0
    positions = np.zeros((len(at), keypoints.shape[1], 2))
    for j in range(keypoints.shape[1]):
        own = seen[:, j]
        for axis in range(2):
            positions[:, j, axis] = np.interp(at, times[own], keypoints[own, j, axis]) if own.any() else np.nan
    never = ~seen.any(0)
    positions[:, never] = positions[:, ~never].mean(1, keepdims=True) if (~never).any() else 0.0
    return positions, confidence


def fill_missing(keypoints: Tensor, confidence: Tensor) -> Tensor:
    """Interpolate keypoints (..., T, J, 2) whose confidence (..., T, J) is zero.

    Linear in time between the frames that saw the joint; before the first and after the last of them the
    nearest one is held.  A joint never seen stays as it is.
    """
    frames = keypoints.shape[-3]
    seen = confidence > 0
    at = torch.arange(frames, device=keypoints.device)[:, None].expand_as(seen)
    before = at.where(seen, -1).cummax(dim=-2).values
    after = at.where(seen, frames).flip(-2).cummin(dim=-2).values.flip(-2)
    first, last = before.where(before >= 0, after), after.where(after < frames, before)
    first, last = first.where(first < frames, at), last.where(last >= 0, at)  # never seen
    share = ((at - first) / (last - first).clamp(min=1)).to(keypoints)[..., None]
    start, end = (keypoints.gather(-3, i[..., None].expand_as(keypoints)) for i in (first, last))
    return torch.where(seen[..., None], keypoints, start + share * (end - start))


def bridge(confidence: Tensor, fps: float) -> Tensor:
    """Confidence (..., T, J) with the gaps of at most :data:`LONGEST_STEP` filled with :data:`BRIDGED`.

    A keypoint between two that were seen is known nearly as well as they are.  Where lifting leaves such a joint to
    itself for a frame or two, it jumps off its ray and back.
    """
    frames = confidence.shape[-2]
    seen = confidence > 0
    at = torch.arange(frames, device=confidence.device)[:, None].expand_as(seen)
    before = at.where(seen, -frames).cummax(dim=-2).values
    after = at.where(seen, 3 * frames).flip(-2).cummin(dim=-2).values.flip(-2)
    short = ~seen & (after - before - 1 <= LONGEST_STEP * fps)
    return confidence.masked_fill(short, BRIDGED)


def smooth(keypoints: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Weighted mean over time of keypoints (..., T, J, 2), weights (.25, .5, .25) (appendix C.3).

    The first and the last frame, which have one neighbour, stay as they are.

    Args:
        keypoints: (..., T, J, 2), or a padded batch (C, T, J, 2) of clips.
        lengths: (C,) frames of each clip; those past it stay as they are too.
    """
    if lengths is not None:
        inner = torch.arange(keypoints.shape[1]) < lengths[:, None] - 1
        return torch.where(inner[..., None, None], smooth(keypoints), keypoints)
    if keypoints.shape[-3] < 3:
        return keypoints
    before, here, after = keypoints[..., :-2, :, :], keypoints[..., 1:-1, :, :], keypoints[..., 2:, :, :]
    inner = SMOOTHING[0] * before + SMOOTHING[1] * here + SMOOTHING[2] * after
    return torch.cat([keypoints[..., :1, :, :], inner, keypoints[..., -1:, :, :]], dim=-3)
