"""From a configuration to what training sees: footage, the teacher's motions, features, text embeddings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from videomdm import features, start, text
from videomdm.cache import cached
from videomdm.cameras import Camera
from videomdm.config import METHODS, Config
from videomdm.data import observations, sources
from videomdm.data.corpus import Corpus, DataError
from videomdm.data.observations import Observations
from videomdm.lifters import teacher
from videomdm.normaliser import Normaliser
from videomdm.skeletons import Skeleton


@dataclass
class TrainingSet:
    """Padded tensors on the training device; a batch is a choice of rows.

    Attributes:
        features: (C, T, D) the motions that are diffused, normalised.
        lengths: (C,) valid rows.
        text: (N, W) embeddings of all captions; clip i owns rows ``first[i] .. first[i] + count[i] - 1``.
        first, count: (C,).
        keypoints, confidence, camera: (C, T, J, 2), (C, T, J) and batch (C,); None for plain MDM.
        normaliser, skeleton, fps: how features are read.
    """

    features: Tensor
    lengths: Tensor
    text: Tensor
    first: Tensor
    count: Tensor
    normaliser: Normaliser
    skeleton: Skeleton
    fps: float
    keypoints: Tensor | None = None
    confidence: Tensor | None = None
    camera: Camera | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device) -> TrainingSet:
        moved = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor | Normaliser | Camera)}
        return replace(self, **moved)


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


def observe(config: Config, corpus: Corpus, frame: str, split: str = "train") -> Observations:
    """Film ``corpus``, lift the keypoints with the configured teacher, and cache the result on disk."""
    method = METHODS[config.method]
    config = config.but(keypoint_noise=config.keypoint_noise + method.keypoint_noise)
    key = f"{fingerprint(corpus)}-{config.key('keypoint_noise', 'keypoint_missing')}-{teacher.version(config.teacher)}"
    errors = "".join(
        f"-{name}-{value}" for name, value, none in (
            ("error", method.teacher_error, 1.0), ("camera", method.camera_noise, 0.0)
        ) if value != none
    )  # fmt: skip
    path = config.cache / f"observations-{split}-{frame}{errors}-{key}.safetensors"
    if path.exists():
        return Observations.load(path)
    lifted = path.with_name(f"lifted-{split}-{key}.safetensors")
    footage = observations.film(corpus, int(split == "train"), config.keypoint_noise, config.keypoint_missing)
    seen = footage.keypoints, footage.confidence, footage.lengths
    estimate = cached(lifted, lambda: teacher.lift(*seen, footage.camera, root=config.teacher))
    if method.teacher_error != 1.0:
        estimate = torch.lerp(corpus.joints, estimate, method.teacher_error)
    observed = observations.observe(corpus, footage, estimate, frame)
    if method.camera_noise:
        observed.camera = observations.turned(observed.camera, method.camera_noise, int(split == "train"))
    observed.save(path)
    return observed


def training_set(config: Config, source: Corpus | Observations) -> TrainingSet:
    """Features and text of the motions to be diffused.

    Args:
        config: names the text encoder, whether the 2-D losses are used, and the run whose statistics normalise the
            features; without one their own do.
        source: a corpus (3-D supervision) or observations.
    """
    motions = source.joints if isinstance(source, Corpus) else source.teacher
    if not motions.isfinite().all():
        raise DataError(f"motions of {config.data} to train on hold NaN or infinite joints, expected finite metres")
    encoded = features.encode(features.hold_last(motions, source.lengths), source.skeleton)
    lengths = source.lengths - 1
    if config.start_weights:
        normaliser = start.normaliser(config.start_weights, source.skeleton, source.fps)
    else:
        normaliser = Normaliser.fit(encoded, lengths, len(source.skeleton))
    captions = [c for clip in source.captions for c in clip]
    count = torch.tensor([len(clip) for clip in source.captions])
    two_d = METHODS[config.method].frame is not None
    rows = encoded.shape[1]
    return TrainingSet(
        features=normaliser.normalise(encoded), lengths=lengths,
        text=text.embed_cached(text.by_name(config.text), captions, config.cache),
        first=count.cumsum(0) - count, count=count, normaliser=normaliser, skeleton=source.skeleton, fps=source.fps,
        keypoints=source.keypoints[:, :rows] if two_d else None,
        confidence=source.confidence[:, :rows] if two_d else None,
        camera=source.camera if two_d else None,
    )  # fmt: skip
