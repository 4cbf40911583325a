"""The lifting probe: 3-D from held-out keypoints, compared with the truth in camera coordinates.

There the frame in which a camera was given does not matter.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from videomdm import features, sample
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.config import Config
from videomdm.conventions import FPS
from videomdm.data.corpus import Corpus
from videomdm.evaluation import body_height, motion, pose
from videomdm.sample.lifting import Lifting
from videomdm.sample.prior import Prior
from videomdm.storage.cache import cached_json
from videomdm.storage.progress import Bar
from videomdm.train import observe

#: Name of a probe -> the frame in which the camera is given, how clips are lifted, whether the caption is given.
PROBES = {
    "truth": ("truth", Lifting(), True),
    "teacher": ("teacher", Lifting(), True),
    "pnp": ("pnp", Lifting(), True),
    "refined_teacher": ("teacher", Lifting(refine=True), True),
    "refined_pnp": ("pnp", Lifting(refine=True), True),
    "truth_placed": ("truth", Lifting(place=True), True),
    "refined_pnp_placed": ("pnp", Lifting(refine=True, place=True), True),
    "silent": ("truth", Lifting(), False),
}


def lifting(prior: Prior, config: Config, clips: int, folder: Path | None = None, version: str = "") -> dict:
    """Errors of :func:`videomdm.sample.lift` (G.2) on held-out clips, for each of :data:`PROBES`.

    The prior is conditioned on each clip's first caption, except in ``lift_silent_*``, which samples without text.

    Args:
        prior: lifts.
        config: names the data.
        clips: how many, evenly spaced in the held-out split.
        folder: keeps the errors for each frame, so that an interrupted probe resumes.
        version: of what these files depend on.
    """
    test, split = _clips(config, clips), config.evaluation.split
    filmed = observe.observe(config, test, "truth", split)
    captions, known = [clip[0] for clip in test.captions], config.recipe.known_height
    metrics = {}
    for name, (frame, how, captioned) in Bar(PROBES.items(), "lifting", unit="probe"):
        how, texts = replace(how, known_distance=known), captions if captioned else None

        def errors(frame: str = frame, how: Lifting = how, texts: list[str] | None = texts) -> dict[str, float]:
            seen = observe.observe(config, test, frame, split).seen
            lifted = sample.lift_footage(prior, seen, how, texts=texts, method=config.evaluation.sampler or None)
            return lifting_errors(lifted, seen.camera, test, filmed.camera)

        found = cached_json(folder / f"lift-{name}-{version}.json", errors) if folder else errors()
        metrics |= {f"lift_{name}_{error}": value for error, value in found.items()}
    return metrics


def teacher_errors(config: Config, clips: int) -> dict[str, float]:
    """The teacher's own errors on the clips that :func:`lifting` uses, the same for every probe."""
    test, split = _clips(config, clips), config.evaluation.split
    filmed = observe.observe(config, test, "truth", split)
    observed = observe.observe(config, test, "teacher", split)
    errors = lifting_errors(observed.teacher, observed.camera, test, filmed.camera)
    return {f"lift_{frame}_{name}": value for frame in PROBES for name, value in errors.items()}


def lifting_errors(predicted: Tensor, camera: Camera, truth: Corpus, true_camera: Camera) -> dict[str, float]:
    """Errors of joints (N, T, J, 3) seen by ``camera`` against the truth seen by its own.

    ``mpjpe`` (mm) and ``pck_*`` (%) are of poses, after ``align="root"`` of :func:`videomdm.evaluation.pose.errors`;
    ``absolute``, the MPJPE (mm), and ``acceleration_error`` (m/s^2) are without any alignment; ``pa_mpjpe`` is in mm,
    ``body_height`` in % of the true one.
    """
    seen, true = camera.to_camera(predicted), true_camera.to_camera(truth.joints)
    clips = clip_errors(predicted, camera, truth, true_camera)
    return {
        **{name: float(clips[name].mean()) for name in ("mpjpe", "pa_mpjpe", "pck_50", "pck_100")},
        "absolute": float(pose.mpjpe(seen, true, truth.lengths)),
        "acceleration_error": float(pose.acceleration_error(seen, true, truth.fps, truth.lengths)),
        "body_height": float(clips["body_height"].mean()),
    }


def clip_errors(predicted: Tensor, camera: Camera, truth: Corpus, true_camera: Camera) -> dict[str, Tensor]:
    """Of each clip (N,): the errors of poses and ``body_height``, as for :func:`lifting_errors`."""
    seen, true = camera.to_camera(predicted), true_camera.to_camera(truth.joints)
    poses = pose.errors(seen, true, truth.lengths, truth.fps, align="root")
    return poses | {"body_height": body_height.ratio(predicted, truth)}


def without_truth(joints: Tensor, seen: Footage, fps: float = FPS) -> dict[str, Tensor]:
    """What can be said of lifted motions (C, T, J, 3) where the truth is not known, for each clip.

    ``reprojection``: root mean square distance of the projected joints from the keypoints that were seen, in % of the
    person's size in the image (root mean square distance of these keypoints from their mean); ``acceleration``, the
    mean of all joints, in m/s^2; ``bones``, by how much bones change their length over time, in % of it
    (:func:`videomdm.evaluation.motion.bone_length_deviation`); ``skating``
    (:func:`videomdm.evaluation.motion.skating_ratio`), on the motion's own floor: one that floats would not be seen to
    slide.

    Args:
        joints: metres.
        seen: the clips' keypoints, by cameras in the frame of ``joints``.
        fps: frames per second.
    """
    keypoints, lengths = seen.keypoints, seen.lengths
    weight = ((seen.confidence > 0) & seen.valid[..., None]).to(keypoints)

    def rms(offsets: Tensor) -> Tensor:
        return ((offsets.square().sum(-1) * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)).sqrt()

    middle = (keypoints * weight[..., None]).sum(2, keepdim=True) / weight.sum(2).clamp(min=1)[..., None, None]
    grounded = features.canonicalise(joints, floor="median", lengths=lengths)
    return {
        "reprojection": 100 * rms(seen.camera.project(joints)[0] - keypoints) / rms(keypoints - middle),
        "acceleration": motion.mean_acceleration(joints, lengths, fps, per_clip=True),
        "bones": motion.bone_length_deviation(joints, lengths, per_clip=True),
        "skating": motion.skating_ratio(grounded, lengths, fps=fps, per_clip=True),
    }


def _clips(config: Config, n: int) -> Corpus:
    """Evenly spaced clips of the split that is measured on."""
    test = observe.load(config, config.evaluation.split)
    return test.select(test.spaced(n))
