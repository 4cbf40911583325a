"""Errors of predicted joints against true ones: MPJPE, PA-MPJPE, PCK, acceleration error; jitter; alignment.

An MPJPE without its alignment says little: :func:`errors` asks for it by name.

Joints are (..., T, J, 3) in metres.  ``lengths`` (...) gives the clips' true numbers of frames in padded
batches; frames at and past a length never count, whatever they hold.  Results are float64: the mean over
clips of each clip's mean, or one value per clip (...) with ``per_clip=True``.  All functions raise
``ValueError`` for shapes that do not match, NaN or infinite joints and too few frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.skeletons.padding import valid_frames

MILLIMETRES = 1000.0


def mpjpe(predicted: Tensor, true: Tensor, lengths: Tensor | None = None, per_clip: bool = False) -> Tensor:
    """Mean per-joint position error in mm, in the frame in which both are given.

    Args:
        predicted, true: (..., T, J, 3) joints in metres.
        lengths: (...) numbers of valid frames.
        per_clip: one value per clip instead of their mean.
    Returns:
        () or (...), mm.
    """
    predicted, true, valid = _pair(predicted, true, lengths)
    return average_frames(_errors(predicted, true).mean(-1), valid, per_clip)


def pa_mpjpe(predicted: Tensor, true: Tensor, lengths: Tensor | None = None, per_clip: bool = False) -> Tensor:
    """MPJPE in mm after every predicted frame is aligned to the true one by :func:`procrustes`.

    Arguments and result as of :func:`mpjpe`.
    """
    predicted, true, valid = _pair(predicted, true, lengths)
    errors = predicted.new_zeros(valid.shape)
    errors[valid] = _errors(procrustes(predicted[valid], true[valid]), true[valid]).mean(-1)
    return average_frames(errors, valid, per_clip)


def pck(
    predicted: Tensor,
    true: Tensor,
    threshold: float = 50.0,
    lengths: Tensor | None = None,
    per_clip: bool = False,
) -> Tensor:
    """Percentage of correct keypoints: joints nearer than ``threshold`` mm (strictly) to the true ones."""
    predicted, true, valid = _pair(predicted, true, lengths)
    correct = (_errors(predicted, true) < threshold).double()
    return 100 * average_frames(correct.mean(-1), valid, per_clip)


def acceleration_error(
    predicted: Tensor,
    true: Tensor,
    fps: float = FPS,
    lengths: Tensor | None = None,
    per_clip: bool = False,
) -> Tensor:
    """Mean norm of the difference of the joints' accelerations, m/s^2, over the T - 2 inner frames.

    Arguments and shapes as of :func:`mpjpe`; ``fps`` is frames per second.
    """
    predicted, true, valid = _pair(predicted, true, lengths, least=3)
    acceleration = (predicted - true).diff(n=2, dim=-3) * fps**2
    return average_frames(acceleration.norm(dim=-1).mean(-1), valid[..., 2:], per_clip)


def jitter(joints: Tensor, fps: float = FPS, lengths: Tensor | None = None, per_clip: bool = False) -> Tensor:
    """Mean norm of the joints' third time derivative, m/s^3 (published tables often give 10 m/s^3).

    Arguments and shapes as of :func:`mpjpe`; a clip has at least four frames, ``fps`` a second.
    """
    joints, valid = check_clips(joints, lengths, "joints", least=4)
    jerk = joints.diff(n=3, dim=-3) * fps**3
    return average_frames(jerk.norm(dim=-1).mean(-1), valid[..., 3:], per_clip)


def procrustes(predicted: Tensor, true: Tensor) -> Tensor:
    """``predicted`` after the similarity (scale, rotation, translation) that brings it nearest to ``true``.

    Least squares over the points (Umeyama 1991).  Where a reflection would fit best, the best proper rotation
    is taken, and the scale that belongs to it.

    Args:
        predicted, true: (..., J, 3) points.
    Returns:
        (..., J, 3) aligned points.
    """
    centre, own = true.mean(-2, keepdim=True), predicted.mean(-2, keepdim=True)
    x = predicted - own
    rotation, spread = _nearest_rotation(x, true - centre)
    scale = spread / x.square().sum((-2, -1)).clamp_min(torch.finfo(x.dtype).tiny)
    return scale[..., None, None] * x @ rotation.mT + centre


def align_first_frame(predicted: Tensor, true: Tensor) -> Tensor:
    """Clips moved as a whole, turned and shifted but not scaled, so that frame 0 fits best (appendix C.3).

    The paper aligns lifters that were given no camera "on the first frame of each clip" and leaves open how; this is
    the least squares fit over that frame's joints.

    Args:
        predicted, true: (..., T, J, 3) joints in metres.
    Returns:
        (..., T, J, 3), float64.
    """
    predicted, true = predicted.double(), true.double()
    own, centre = (x[..., :1, :, :].mean(-2, keepdim=True) for x in (predicted, true))
    rotation, _ = _nearest_rotation((predicted - own)[..., 0, :, :], (true - centre)[..., 0, :, :])
    return (predicted - own) @ rotation.mT[..., None, :, :] + centre


def _nearest_rotation(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The proper rotation (..., 3, 3) of centred points x that brings them nearest to y, and the sum of x' . y."""
    u, s, vh = torch.linalg.svd(y.mT @ x)
    sign = torch.ones_like(s)
    sign[..., -1] = torch.linalg.det(u @ vh).sign()
    return u * sign[..., None, :] @ vh, (s * sign).sum(-1)


def align_root(predicted: Tensor, true: Tensor) -> Tensor:
    """Every predicted frame (..., J, 3) shifted so that its root, joint 0, is where the true one is."""
    return predicted - predicted[..., :1, :] + true[..., :1, :]


#: How predicted joints can be aligned with the true ones before errors are taken (:func:`errors`).
ALIGNMENTS = {"none": lambda predicted, true: predicted, "root": align_root, "first_frame": align_first_frame}


def errors(
    predicted: Tensor, true: Tensor, lengths: Tensor | None = None, fps: float = FPS, *, align: str
) -> dict[str, Tensor]:
    """Errors of every clip after one alignment, which decides what they mean.

    Args:
        predicted, true: (..., T, J, 3) joints in metres, T at least 3.
        lengths: (...) numbers of valid frames.
        fps: frames per second.
        align: one of :data:`ALIGNMENTS`: ``"none"``, errors in the frame in which both are given; ``"root"``, of poses
            alone (:func:`align_root`); ``"first_frame"``, of motions by a lifter that knows no camera
            (:func:`align_first_frame`).
    Returns:
        Metric -> (...): ``mpjpe`` in mm, ``pck_50`` and ``pck_100`` in %, ``acceleration_error`` in m/s^2, and
        ``pa_mpjpe`` in mm, which aligns for itself.
    Raises:
        ValueError: an unknown ``align``.
    """
    if align not in ALIGNMENTS:
        raise ValueError(f"align is {align!r}, expected one of {', '.join(ALIGNMENTS)}")
    predicted, true, valid = _pair(predicted, true, lengths, least=3)
    aligned = ALIGNMENTS[align](predicted, true)
    return {
        "mpjpe": mpjpe(aligned, true, lengths, per_clip=True),
        "pa_mpjpe": pa_mpjpe(predicted, true, lengths, per_clip=True),
        "pck_50": pck(aligned, true, 50.0, lengths, per_clip=True),
        "pck_100": pck(aligned, true, 100.0, lengths, per_clip=True),
        "acceleration_error": acceleration_error(aligned, true, fps, lengths, per_clip=True),
    }


def check_clips(joints: Tensor, lengths: Tensor | None, name: str, least: int = 1) -> tuple[Tensor, Tensor]:
    """Joints in float64 with padded frames zeroed, and which frames are valid (..., T).

    Raises:
        ValueError: not (..., T, J, 3), NaN or infinite in a valid frame, no clip, a clip of fewer than
            ``least`` frames, or lengths that do not fit.
    """
    joints = torch.as_tensor(joints)
    if joints.ndim < 3 or joints.shape[-1] != 3 or joints.numel() == 0:
        raise ValueError(f"{name}: shape {tuple(joints.shape)}, expected (..., frames, joints, 3), not empty")
    batch, frames = joints.shape[:-3], joints.shape[-3]
    if lengths is None:
        lengths = torch.full(batch, frames)
    lengths = torch.as_tensor(lengths).to(joints.device)
    if lengths.shape != batch:
        raise ValueError(f"lengths: shape {tuple(lengths.shape)}, expected {tuple(batch)}")
    if lengths.min() < least or lengths.max() > frames:
        raise ValueError(
            f"lengths: {int(lengths.min())}..{int(lengths.max())} frames, expected within {least}..{frames}"
        )
    valid = valid_frames(lengths, frames)
    joints = joints.double().where(valid[..., None, None], 0)
    bad = ~joints.isfinite()
    if bad.any():
        where = tuple(bad.nonzero()[0].tolist())
        raise ValueError(f"{name}: {joints[where]} at {where}, expected finite metres")
    return joints, valid


def average_frames(per_frame: Tensor, valid: Tensor, per_clip: bool = False) -> Tensor:
    """Mean over the valid frames of (..., T) values, then over clips unless ``per_clip``."""
    clips = (per_frame * valid).sum(-1) / valid.sum(-1)
    return clips if per_clip else clips.mean()


def _pair(predicted: Tensor, true: Tensor, lengths: Tensor | None, least: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    predicted, true = torch.as_tensor(predicted), torch.as_tensor(true)
    if predicted.shape != true.shape:
        raise ValueError(f"predicted: shape {tuple(predicted.shape)}, expected {tuple(true.shape)} as true")
    predicted, valid = check_clips(predicted, lengths, "predicted", least)
    return predicted, check_clips(true, lengths, "true", least)[0], valid


def _errors(predicted: Tensor, true: Tensor) -> Tensor:
    return (predicted - true).norm(dim=-1) * MILLIMETRES
