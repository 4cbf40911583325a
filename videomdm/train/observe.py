"""From a configuration to what training from 2-D sees: footage, the teacher's motions, cameras."""

from __future__ import annotations

import hashlib

import torch

from videomdm.cameras.footage import Footage
from videomdm.config import Config
from videomdm.data import observations, sources
from videomdm.data.corpus import Corpus
from videomdm.data.observations import Observations
from videomdm.lifters import teacher
from videomdm.methods import METHODS
from videomdm.skeletons import kinematics
from videomdm.storage.cache import cached
from videomdm.train import distributed


def load(config: Config, split: str) -> Corpus:
    """The true motions of one split (for evaluation, for 3-D supervision, and to be filmed)."""
    return sources.load(
        config.data, config.data_root, split, config.max_frames, config.n_clips, on_error=config.on_error
    )


def fingerprint(corpus: Corpus) -> str:
    """Short hash of a corpus' content."""
    digest = hashlib.sha256(corpus.joints.contiguous().numpy().tobytes())
    digest.update(repr((corpus.lengths.tolist(), corpus.captions)).encode())
    return digest.hexdigest()[:10]


def lifted_from(config: Config) -> str:
    """Short hash of what a lifted motion depends on besides the clips: the detector and the teacher."""
    seen = ["keypoint_noise", "keypoint_missing", *(["keypoint_smoothing"] if config.keypoint_smoothing else [])]
    return f"{config.key(*seen)}-{teacher.version(config.teacher)}"


def observe(config: Config, corpus: Corpus, frame: str, split: str = "train") -> Observations:
    """Film ``corpus`` or read its footage, lift the keypoints with the configured teacher; cached on disk.

    Args:
        config: names data, detector and teacher.
        corpus: clips of one split, as :func:`load` gave them.
        frame: in which training is told the cameras.
        split: the corpus' own.
    """
    footage = _real_footage(config, corpus, split)
    key = _seen_key(config, corpus, footage)
    path = config.cache / f"observations-{split}-{frame}{_errors(config)}-{key}.safetensors"
    if path.exists():
        return Observations.load(path)
    observed = _observe(config, corpus, frame, footage, key, split)
    observed.save(path)
    return observed


def _observe(
    config: Config, corpus: Corpus, frame: str, footage: Footage | None, key: str, split: str = "train", part: int = 0,
    progress: bool = True,
) -> Observations:  # fmt: skip
    """As :func:`observe`, of one part of a corpus, which has cameras of its own; only what was lifted is cached."""
    method, seed = METHODS[config.method], int(split == "train") + 2 * part
    noise = config.keypoint_noise + method.keypoint_noise
    footage = footage or observations.film(corpus, seed, noise, config.keypoint_missing, config.keypoint_smoothing)
    seen = footage.keypoints, footage.confidence, footage.lengths, footage.camera
    estimate = cached(
        config.cache / f"lifted-{split}-{key}.safetensors",
        lambda: teacher.lift(*seen, root=config.teacher, progress=progress, device=distributed.device()),
    )
    if method.teacher_error != 1.0:
        estimate = torch.lerp(corpus.joints, estimate, method.teacher_error)
    if method.known_height:
        known = kinematics.stature(corpus.joints, corpus.lengths, corpus.skeleton)
        estimate = observations.to_stature(estimate, footage.camera, known, corpus.lengths, corpus.skeleton)
    observed = observations.observe(corpus, footage, estimate, frame)
    if method.camera_noise:
        observed.camera = observations.turned(observed.camera, method.camera_noise, seed)
    return observed


def _seen_key(config: Config, corpus: Corpus, footage: Footage | None, part: int = 0) -> str:
    """What lifted motions depend on: clips, real footage, detector, teacher."""
    noise = config.keypoint_noise + METHODS[config.method].keypoint_noise
    parts = [fingerprint(corpus), *([f"{part}"] if part else []), *([_digest(footage)] if footage else [])]
    return "-".join([*parts, lifted_from(config.but(keypoint_noise=noise))])


def _errors(config: Config) -> str:
    """What a method's errors add to the name of its observations."""
    method = METHODS[config.method]
    errors = (
        ("error", method.teacher_error, 1.0), ("camera", method.camera_noise, 0.0),
        ("sized", method.known_height, False),
    )  # fmt: skip
    return "".join(f"-{name}-{value}" for name, value, none in errors if value != none)


def _real_footage(config: Config, corpus: Corpus, split: str) -> Footage | None:
    """What real cameras saw of the clips; None where simulated ones are to film them."""
    if config.data not in sources.VIDEOS:
        return None
    return sources.VIDEOS[config.data](config.data_root, split, config.max_frames, corpus.names, config.on_error)


def _digest(footage: Footage) -> str:
    digest = hashlib.sha256()
    for part in (footage.keypoints, footage.confidence, footage.camera.rotation, footage.camera.translation):
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()[:10]
