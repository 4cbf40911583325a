"""Keypoints of one person from a detector's frames to a constant rate: filled, resampled, smoothed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videomdm.skeletons.padding import valid_frames

SMOOTHING = (0.25, 0.5, 0.25)  # weights of the frame before, the frame and the frame after (appendix C.3)
BRIDGED = 0.05  #: confidence of a keypoint that is interpolated over a short gap
NEARBY = 1.5  #: frames of the result: a joint seen so shortly before and after is as good as seen
#: Seconds between a recording's frames beyond which nothing is known of the time in between.
LONGEST_STEP = 0.25


def resample(keypoints: np.ndarray, times: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints at a constant rate, linear between frames.

    Args:
        keypoints: (F, J, 3) x, y and confidence; confidence 0 where a joint was not seen and its place is a filler
            (:func:`videomdm.cameras.unseen.fill_unseen`).
        times: (F,) seconds, increasing, any spacing.
        fps: frames per second of the result.

    Returns:
        Positions (T, J, 2) and confidence (T, J) at ``times[0] + k / fps``.  Confidence is the lesser one of the two
        nearest frames that saw the joint; 0 where these are neither neighbours nor within :data:`NEARBY` frames of the
        result, and where the neighbours are more than :data:`LONGEST_STEP` apart.
    """
    at = times[0] + np.arange(int((times[-1] - times[0]) * fps + 1e-6) + 1) / fps
    before, after, share = neighbours(times, at)
    step = times[after] - times[before]
    positions = keypoints[before, :, :2] + (share * (step > 0))[:, None, None] * (
        keypoints[after, :, :2] - keypoints[before, :, :2]
    )

    frames, seen = np.arange(len(times))[:, None], keypoints[..., 2] > 0
    last = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)[before]
    following = np.minimum.accumulate(np.where(seen, frames, len(times))[::-1], axis=0)[::-1][after]
    known = (last >= 0) & (following < len(times))
    last, following = np.where(known, last, 0), np.where(known, following, 0)
    apart = times[following] - times[last]
    known &= (apart <= np.maximum(NEARBY / fps, step[:, None])) & (step[:, None] <= LONGEST_STEP)
    joint = np.arange(keypoints.shape[1])
    return positions, np.minimum(keypoints[last, joint, 2], keypoints[following, joint, 2]) * known


def neighbours(times: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between which frames moments lie.

    Args:
        times: (F,) seconds of the frames, increasing, any spacing; rounded to microseconds, as video files have them.
        at: (T,) seconds.

    Returns:
        Indices (T,) of the last frame not after each moment and the first not before it, the same where there is a
        frame; and (T,) the moment's place between them, 0 at the former and 1 at the latter.
    """
    after = np.searchsorted(times, at - 1e-6).clip(0, len(times) - 1)
    before = np.where(np.abs(times[after] - at) < 1e-6, after, np.maximum(after - 1, 0))
    return before, after, (at - times[before]) / np.maximum(times[after] - times[before], 1e-9)


def nearest_seen(seen: Tensor) -> tuple[Tensor, Tensor]:
    """For each entry of (..., T, J) bool the last frame not after it that saw the joint, and the first not before it.

    -1 and T where there is none.
    """
    frames = seen.shape[-2]
    at = torch.arange(frames, device=seen.device)[:, None].expand_as(seen)
    before = at.where(seen, -1).cummax(dim=-2).values
    return before, at.where(seen, frames).flip(-2).cummin(dim=-2).values.flip(-2)


def fill_missing(keypoints: Tensor, confidence: Tensor, times: Tensor | None = None) -> Tensor:
    """Interpolate keypoints (..., T, J, 2) whose confidence (..., T, J) is zero.

    Linear in time between the frames that saw the joint; before the first and after the last of them the
    nearest one is held.  A joint never seen stays as it is.  Frames are evenly spaced, or at ``times`` (T,).
    """
    frames = keypoints.shape[-3]
    seen = confidence > 0
    at = torch.arange(frames, device=keypoints.device)
    times = at if times is None else times
    before, after = nearest_seen(seen)
    first, last = before.where(before >= 0, after), after.where(after < frames, before)
    first, last = first.where(first < frames, at[:, None]), last.where(last >= 0, at[:, None])  # never seen
    span = times[last] - times[first]
    share = ((times[:, None] - times[first]) / span.where(span > 0, 1)).to(keypoints)[..., None]
    start, end = (keypoints.gather(-3, i[..., None].expand_as(keypoints)) for i in (first, last))
    return torch.where(seen[..., None], keypoints, start + share * (end - start))


def bridge(confidence: Tensor, fps: float) -> Tensor:
    """Confidence (..., T, J) with the gaps of at most :data:`LONGEST_STEP` filled with :data:`BRIDGED`.

    A keypoint between two that were seen is known nearly as well as they are.  Where lifting leaves such a joint to
    itself for a frame or two, it jumps off its ray and back.
    """
    frames = confidence.shape[-2]
    seen = confidence > 0
    before, after = nearest_seen(seen)
    before, after = before.where(before >= 0, -frames), after.where(after < frames, 3 * frames)
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
        inner = valid_frames(lengths - 1, keypoints.shape[1])
        return torch.where(inner[..., None, None], smooth(keypoints), keypoints)
    if keypoints.shape[-3] < 3:
        return keypoints
    before, here, after = keypoints[..., :-2, :, :], keypoints[..., 1:-1, :, :], keypoints[..., 2:, :, :]
    inner = SMOOTHING[0] * before + SMOOTHING[1] * here + SMOOTHING[2] * after
    return torch.cat([keypoints[..., :1, :, :], inner, keypoints[..., -1:, :, :]], dim=-3)
