"""Table 2's measures: 3-D motions from the keypoints of videos against motion capture that nobody trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm import features
from videomdm.cameras.camera import Camera
from videomdm.data.corpus import Corpus
from videomdm.evaluation import distribution, pose
from videomdm.evaluation.evaluators import CorpusEvaluator

ROOT = slice(0, 1)


def errors(predicted: Tensor, camera: Camera, truth: Corpus, true_camera: Camera) -> dict[str, Tensor]:
    """Errors of each clip's joints (N, T, J, 3), seen by ``camera``, against the truth, seen by its own.

    Errors are computed in camera coordinates, so the frame in which a camera was given does not matter, and after
    :func:`videomdm.evaluation.pose.align_first_frame`, for every method alike.

    Returns:
        Metric -> (N,).  The table's: ``mpjpe`` and ``pa_mpjpe`` (mm), ``pck_50`` and ``pck_100`` (%),
        ``acceleration_error`` (m/s^2).  What they consist of: ``path`` (mm), the root's share of ``mpjpe``, and
        ``pose`` (mm), the joints' about the root; ``acceleration_path`` and ``acceleration_pose`` (m/s^2) alike.
        ``absolute`` (mm) is the error without any alignment.
    """
    seen, true = camera.to_camera(predicted), true_camera.to_camera(truth.joints)
    aligned, lengths, fps = pose.align_first_frame(seen, true), truth.lengths, truth.fps
    centred = [x - x[..., ROOT, :] for x in (aligned, true)]
    root = [x[..., ROOT, :] for x in (aligned, true)]

    def each(measure, *arguments: object) -> Tensor:
        return measure(*arguments, per_clip=True)

    return {
        "mpjpe": each(pose.mpjpe, aligned, true, lengths),
        "pa_mpjpe": each(pose.pa_mpjpe, seen, true, lengths),
        "pck_50": each(pose.pck, aligned, true, 50.0, lengths),
        "pck_100": each(pose.pck, aligned, true, 100.0, lengths),
        "acceleration_error": each(pose.acceleration_error, aligned, true, fps, lengths),
        "path": each(pose.mpjpe, *root, lengths),
        "pose": each(pose.mpjpe, *centred, lengths),
        "acceleration_path": each(pose.acceleration_error, *root, fps, lengths),
        "acceleration_pose": each(pose.acceleration_error, *centred, fps, lengths),
        "absolute": each(pose.mpjpe, seen, true, lengths),
    }


def kid(predicted: Tensor, truth: Corpus, evaluator: CorpusEvaluator, seed: int = 0) -> dict[str, float]:
    """KID between lifted and true motions in an evaluator's embedding, and its deviation over 100 subsets.

    Args:
        predicted: (N, T, J, 3) metres, Y up; every clip is put into its own canonical frame.
        truth: the true motions of these clips.
        evaluator: embeds both.
        seed: of the subsets.
    """
    own = features.canonicalise(predicted, truth.skeleton, floor="median", lengths=truth.lengths)
    embedded = [evaluator.joints(joints, truth.lengths, truth.skeleton).cpu() for joints in (truth.joints, own)]
    mean, deviation = distribution.kid(*embedded, generator=torch.Generator().manual_seed(seed))
    return {"kid": mean, "kid_std": deviation}
