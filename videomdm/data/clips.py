"""Clip extraction (appendix C.4): long recordings split where people stand still in their resting pose.

Every frame has a cost as a place to split, every clip a penalty for its length, and a dynamic program finds
the splits of least total cost.  The paper gives the terms in words; its constants and the penalty's form are
lost from its text, so those of :class:`Rule` are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from videomdm.conventions import FPS, MAX_FRAMES, MIN_FRAMES
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import facing, facing_z

STANDING = 1.55  # metres from the feet to the head joint of somebody who stands: what 2-D poses are scaled to
STANDING_FRAMES = 201  # frames around a frame in which somebody stands up straight now and then
STRIDE = 4  # frames over which a joint's displacement is taken for its speed
SLOWEST = 0.2  # share of the frames, the slowest, whose median is the rest pose


@dataclass(frozen=True)
class Rule:
    """What a good split is.

    Attributes:
        alpha: cost per m^2 of mean squared distance (per joint) from the rest pose.
        beta: cost per m/s of mean joint speed around the frame.
        window: frames on either side of a frame within which speed is averaged.
        gamma: cost per s^2 of a clip's length beyond either end of ``preferred``.
        preferred: frames of a clip that cost nothing.
        min_frames, max_frames: limits of a clip; HumanML3D's by default.
        unused: cost of each frame before the first and after the last clip; 0.05 is 1 per second.
        min_confidence: a frame whose mean confidence is lower is not seen.
        max_gap: unseen frames in a row that a clip may hold (no clip ends among them); longer stretches are
            in no clip.

    Explained in :doc:`/notebooks/explain_clips`.
    """

    alpha: float = 10.0
    beta: float = 1.0
    window: int = 5
    gamma: float = 0.5
    preferred: tuple[int, int] = (60, 160)
    min_frames: int = MIN_FRAMES
    max_frames: int = MAX_FRAMES
    unused: float = 0.05
    min_confidence: float = 0.3
    max_gap: int = 10

    def __post_init__(self) -> None:
        if self.window < STRIDE // 2:
            raise ValueError(f"rule: window is {self.window}, expected at least {STRIDE // 2} frames")
        limits = (self.min_frames, *self.preferred, self.max_frames)
        if not (1 <= limits[0] <= limits[1] <= limits[2] <= limits[3]):
            raise ValueError(
                f"rule: min_frames {self.min_frames}, preferred {self.preferred}, max_frames {self.max_frames}, "
                "expected 1 <= min_frames <= preferred[0] <= preferred[1] <= max_frames"
            )
        for name in ("alpha", "beta", "gamma", "unused"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"rule: {name} is {getattr(self, name)}, expected a finite cost of at least 0")


@dataclass(frozen=True)
class Split:
    """How a recording was split.

    Attributes:
        clips: (first frame, end frame) of each clip, in order; the end frame is not in it.
        costs: (T,) cost of a split before each frame, infinite where no clip may end.
        unused: (first frame, end frame, reason) of the stretches that are in no clip.
    """

    clips: list[tuple[int, int]]
    costs: np.ndarray
    unused: list[tuple[int, int, str]] = field(default_factory=list)


def split(
    joints: Tensor,
    skeleton: Skeleton = SMPL22,
    confidence: Tensor | None = None,
    rule: Rule = Rule(),
    fps: float = FPS,
) -> Split:
    """Split a recording into clips.

    Args:
        joints: (T, J, 3) metres, Y up, or (T, J, 2) keypoints in any unit, v down; frames that are not
            finite count as unseen.
        skeleton: the joint layout.
        confidence: (T, J) in 0..1, of a detector; None sees everything.
        rule: what a good split is.
        fps: frames per second of ``joints``; the limits of ``rule`` count its frames.

    Raises:
        ValueError: shapes that do not fit together.

    Explained in :doc:`/notebooks/explain_clips`.
    """
    _check(joints, skeleton, confidence, fps)
    seen = joints.isfinite().all(-1).all(-1).numpy()
    if confidence is not None:
        seen &= (confidence.mean(-1) >= rule.min_confidence).numpy()
    costs = np.full(len(joints), np.inf)
    if not seen.any():
        return Split([], costs, [(0, len(joints), "not seen")] if len(joints) else [])
    held = joints[_nearest(seen)]
    costs[seen] = frame_costs(held, skeleton, rule, fps, torch.from_numpy(seen))[seen]
    clips, unused = [], []
    for start, stop, usable in _stretches(seen, rule.max_gap):
        if not usable:
            unused.append((start, stop, "not seen"))
            continue
        own = [(start + a, start + b) for a, b in segment(costs[start:stop], rule, fps)]
        reason = "left over" if own else "too short"
        ends = [start, *(frame for clip in own for frame in clip), stop]
        unused += [(a, b, reason) for a, b in zip(ends[::2], ends[1::2], strict=True) if b > a]
        clips += own
    return Split(clips, costs, sorted(unused))


def frame_costs(
    joints: Tensor,
    skeleton: Skeleton = SMPL22,
    rule: Rule = Rule(),
    fps: float = FPS,
    seen: Tensor | None = None,
) -> np.ndarray:
    """Cost of a split at each frame: ``alpha MSE(local pose, rest pose) + beta (mean local speed around it)``.

    Args:
        joints: (T, J, 3) metres, Y up, or (T, J, 2), finite.
        skeleton: the joint layout.
        rule: gives ``alpha``, ``beta`` and ``window``.
        fps: frames per second.
        seen: (T,) bool: the frames that tell what the rest pose is; all when None.

    Returns:
        (T,) float64.

    Explained in :doc:`/notebooks/explain_clips`.
    """
    pose = local_pose(joints, skeleton)
    speed = local_speed(pose, rule.window, fps)
    chosen = torch.ones(len(pose), dtype=torch.bool) if seen is None else seen
    far = (pose - rest_pose(pose[chosen], speed[chosen])).square().sum(-1).mean(-1)
    return (rule.alpha * far + rule.beta * speed).numpy()


def local_pose(joints: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Poses without place: root at the origin, float64.

    3-D poses face +Z.  2-D ones keep their view and are scaled so that the person's extent in v where it stands
    (the 90th percentile of ``STANDING_FRAMES`` around a frame: people come nearer and go) is ``STANDING``; then
    costs of both compare.

    Args:
        joints: (T, J, 3) metres, Y up, or (T, J, 2).
        skeleton: the joint layout.
    """
    joints = joints.double()
    if not len(joints):
        return joints
    root = skeleton.parents.index(-1)
    pose = joints - joints[:, root : root + 1]
    if joints.shape[-1] == 3:
        return pose @ facing_z(facing(joints, skeleton)).mT
    extent = joints[..., 1].amax(-1) - joints[..., 1].amin(-1)
    around = pad(extent[None], (STANDING_FRAMES // 2,) * 2, mode="replicate").unfold(1, STANDING_FRAMES, 1)[0]
    return pose * (STANDING / around.quantile(0.9, dim=-1).clamp(min=1e-9))[:, None, None]


def local_speed(pose: Tensor, window: int, fps: float = FPS) -> Tensor:
    """Mean joint speed (T,) of poses (T, J, D), m/s, in the ``window`` frames on either side.

    Of displacements over ``STRIDE`` frames: from one frame to the next a detector's jitter is faster than people.
    """
    if len(pose) < 2:
        return pose.new_zeros(len(pose))
    stride = min(STRIDE, len(pose) - 1)
    steps = (pose[stride:] - pose[:-stride]).norm(dim=-1).mean(-1) * fps / stride  # from frame t to t + stride
    total = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
    frames = torch.arange(len(pose))
    first = (frames - window).clamp(min=0, max=len(steps) - 1)
    last = (frames + window - stride + 1).clamp(min=1, max=len(steps))
    return (total[last] - total[first]) / (last - first)


def rest_pose(pose: Tensor, speed: Tensor) -> Tensor:
    """What a recording returns to: the median (J, D) of its slowest poses, of (T, J, D) and (T,)."""
    slowest = speed.argsort(stable=True)[: max(1, round(SLOWEST * len(speed)))]
    return pose[slowest].median(dim=0).values


def length_penalty(frames: np.ndarray, rule: Rule = Rule(), fps: float = FPS) -> np.ndarray:
    """Cost (N,) of clips of so many frames (N,): ``gamma`` times the square of the seconds outside ``preferred``.

    Explained in :doc:`/notebooks/explain_clips`.
    """
    low, high = rule.preferred
    return rule.gamma * (np.maximum(np.maximum(low - frames, frames - high), 0) / fps) ** 2


def segment(costs: np.ndarray, rule: Rule = Rule(), fps: float = FPS) -> list[tuple[int, int]]:
    """The clips of least total cost: the dynamic program of appendix C.4.

        D[f] = cost(f) + min over p in [f - max_frames, f - min_frames] of D[p] + penalty(f - p),

    where a clip may also begin at p as the first one, at ``cost(p) + unused p``.  The last clip may end
    anywhere, at ``unused`` for each frame after it; the recording's own two ends cost nothing.  Exact; ties
    go to the longer clip.  All predecessors of a frame are looked at in one array operation.

    Args:
        costs: (T,) of a split before each frame, not negative; infinite where no clip may begin or end.
        rule: gives limits, penalty and ``unused``.
        fps: frames per second.

    Returns:
        (first frame, end frame) of consecutive clips, in order; none if no clip fits.

    Raises:
        ValueError: costs that are negative or NaN, or not one per frame.

    Explained in :doc:`/notebooks/explain_clips`.
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.ndim != 1 or not (costs >= 0).all():
        raise ValueError(f"costs have shape {costs.shape} and minimum {costs.min(initial=np.nan)}, "
                         "expected (frames,) of at least 0")  # fmt: skip
    n, shortest = len(costs), rule.min_frames
    if n < shortest:
        return []
    cut = np.append(costs, 0.0)
    cut[0] = 0.0
    starts = cut + rule.unused * np.arange(n + 1)
    penalty = length_penalty(np.arange(rule.max_frames, shortest - 1, -1), rule, fps)  # longest first, as p grows
    best, previous = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.int64)
    begun = starts.copy()  # least cost of everything before a clip that begins at p
    for f in range(shortest, n + 1):
        low = max(0, f - rule.max_frames)
        total = begun[low : f - shortest + 1] + penalty[low - f + rule.max_frames :]
        k = total.argmin()
        best[f], previous[f] = total[k] + cut[f], low + k
        begun[f] = min(starts[f], best[f])
    end = int((best + rule.unused * np.arange(n, -1, -1)).argmin())
    if not np.isfinite(best[end]):
        return []
    clips = []
    while True:
        clips.append((int(previous[end]), end))
        end = int(previous[end])
        if begun[end] == starts[end]:
            return clips[::-1]


def _nearest(seen: np.ndarray) -> np.ndarray:
    """(T,): for each frame the index of the nearest seen one."""
    found = np.flatnonzero(seen)
    after = np.searchsorted(found, np.arange(len(seen))).clip(max=len(found) - 1)
    before = (after - 1).clip(min=0)
    frames = np.arange(len(seen))
    return np.where(frames - found[before] < np.abs(found[after] - frames), found[before], found[after])


def _stretches(seen: np.ndarray, max_gap: int) -> list[tuple[int, int, bool]]:
    """(first frame, end frame, whether clips may lie there), the whole recording in order.

    Unseen frames at either end, or more than ``max_gap`` of them in a row, break it.
    """
    changes = np.flatnonzero(np.diff(seen)) + 1
    bounds = [0, *changes.tolist(), len(seen)]
    runs: list[tuple[int, int, bool]] = []
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        inside = start > 0 and stop < len(seen)
        usable = bool(seen[start]) or (inside and stop - start <= max_gap)
        if runs and usable and runs[-1][2]:
            start = runs.pop()[0]
        runs.append((start, stop, usable))
    return runs


def _check(joints: Tensor, skeleton: Skeleton, confidence: Tensor | None, fps: float) -> None:
    if joints.ndim != 3 or joints.shape[1] != len(skeleton) or joints.shape[2] not in (2, 3):
        raise ValueError(f"joints have shape {tuple(joints.shape)}, expected (frames, {len(skeleton)}, 2 or 3) "
                         f"for skeleton {skeleton.name}")  # fmt: skip
    if confidence is not None and confidence.shape != joints.shape[:2]:
        raise ValueError(f"confidence has shape {tuple(confidence.shape)}, expected {tuple(joints.shape[:2])}")
    if not fps > 0:
        raise ValueError(f"fps is {fps}, expected more than 0")
