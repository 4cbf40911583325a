"""Table 2's measures: 3-D motions from the keypoints of videos against motion capture that nobody trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm import features
from videomdm.cameras.camera import Camera
from videomdm.cameras.placement import to_body_height
from videomdm.data.corpus import Corpus
from videomdm.evaluation import distribution, pose
from videomdm.evaluation.evaluators import CorpusEvaluator
from videomdm.skeletons import kinematics

ROOT = slice(0, 1)


def errors(predicted: Tensor, camera: Camera, truth: Corpus, true_camera: Camera) -> dict[str, Tensor]:
    """Errors of each clip's joints (N, T, J, 3), seen by ``camera``, against the truth, seen by its own.

    Errors are computed in camera coordinates, so the frame in which a camera was given does not matter, by two
    protocols: after :func:`videomdm.evaluation.pose.align_first_frame`, and as they are.  Appendix C.3 uses the first
    for a lifter, which was given no camera, and the second for methods that were.

    Returns:
        Metric -> (N,).  The table's, aligned: ``mpjpe`` and ``pa_mpjpe`` (mm), ``pck_50`` and ``pck_100`` (%),
        ``acceleration_error`` (m/s^2).  What they consist of: ``path`` (mm), the root's share of ``mpjpe``, and
        ``pose`` (mm), the joints' about the root; ``acceleration_path`` and ``acceleration_pose`` (m/s^2) alike.
        Without any alignment: ``absolute`` (mm), the MPJPE, and ``absolute_pck_50``, ``absolute_pck_100`` and
        ``absolute_acceleration_error``; ``pa_mpjpe`` aligns every frame for itself.  ``sized`` (mm) is ``absolute`` of
        people who are given their true body height: each clip is scaled about the camera, which sees no difference.
    """
    seen, true = camera.to_camera(predicted), true_camera.to_camera(truth.joints)
    height = kinematics.body_height(truth.joints, truth.lengths, truth.skeleton)
    sized = camera.to_camera(to_body_height(predicted, camera, height, truth.lengths, truth.skeleton))
    aligned, lengths, fps = pose.align_first_frame(seen, true), truth.lengths, truth.fps
    root = [x[..., ROOT, :] for x in (aligned, true)]
    centred = [x - x[..., ROOT, :] for x in (aligned, true)]
    return {
        **pose.errors(seen, true, lengths, fps, align="first_frame"),
        "path": pose.mpjpe(*root, lengths, per_clip=True),
        "pose": pose.mpjpe(*centred, lengths, per_clip=True),
        "acceleration_path": pose.acceleration_error(*root, fps, lengths, per_clip=True),
        "acceleration_pose": pose.acceleration_error(*centred, fps, lengths, per_clip=True),
        "absolute": pose.mpjpe(seen, true, lengths, per_clip=True),
        "sized": pose.mpjpe(sized, true, lengths, per_clip=True),
        "absolute_pck_50": pose.pck(seen, true, 50.0, lengths, per_clip=True),
        "absolute_pck_100": pose.pck(seen, true, 100.0, lengths, per_clip=True),
        "absolute_acceleration_error": pose.acceleration_error(seen, true, fps, lengths, per_clip=True),
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
