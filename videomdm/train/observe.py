"""From a configuration to what training from 2-D sees: footage, the teacher's motions, cameras."""

from __future__ import annotations

from dataclasses import replace

import torch

from videomdm.cameras.footage import Footage
from videomdm.config import Config
from videomdm.data import observations, sources
from videomdm.data.corpus import Corpus
from videomdm.data.observations import Observations
from videomdm.lifters import teacher
from videomdm.lifters.weight_sets import SETS, check_unseen
from videomdm.skeletons import kinematics
from videomdm.storage.cache import cached
from videomdm.train import distributed, provenance


def load(config: Config, split: str) -> Corpus:
    """The true motions of one split (for evaluation, for 3-D supervision, and to be filmed)."""
    data = config.data
    return sources.load(data.source, data.root, split, data.max_frames, data.n_clips, on_error=data.on_error)


def observe(config: Config, corpus: Corpus, frame: str, split: str = "train") -> Observations:
    """Film ``corpus`` or read its footage, lift the keypoints with the configured teacher; cached on disk.

    Args:
        config: names data, detector and teacher.
        corpus: clips of one split, as :func:`load` gave them.
        frame: coordinate frame of the given cameras.
        split: the corpus' own.
    """
    footage = real_footage(config, corpus, split)
    estimated = provenance.estimate(config, corpus, footage)
    path = config.cache / f"observations-{provenance.observations(config, frame, estimated)}.safetensors"
    if path.exists():
        return Observations.load(path)
    observed = observe_part(config, corpus, frame, footage, estimated, split)
    observed.save(path)
    return observed


def observe_part(
    config: Config, corpus: Corpus, frame: str, footage: Footage | None, estimated: str, split: str = "train",
    part: int = 0, progress: bool = True,
) -> Observations:  # fmt: skip
    """As :func:`observe`, of one part of a corpus, which has cameras of its own; only the estimate is cached.

    Args:
        footage: what real cameras saw, None where simulated ones are to film.
        estimated: :func:`videomdm.train.provenance.estimate` of these clips.
        part: which one.
        progress: show a bar.

    Raises:
        DataError: the teacher has learned from the corpus (:func:`videomdm.lifters.weight_sets.check_unseen`).
    """
    check_unseen(SETS[config.data.lifter], config.data.source, config.data.root)
    data, method, seed = config.data, config.recipe, int(split == "train") + 2 * part
    noise = data.keypoint_noise + method.keypoint_noise
    footage = footage or observations.film(corpus, seed, noise, data.keypoint_missing, data.keypoint_smoothing)
    estimate = cached(
        config.cache / f"teacher-{estimated}.safetensors",
        lambda: teacher.estimate(
            footage, data.lifter, root_path=data.root_path, progress=progress, device=distributed.device()
        ),
    )
    if method.teacher_error != 1.0:
        estimate = torch.lerp(corpus.joints, estimate, method.teacher_error)
    if method.known_height:
        known = kinematics.body_height(corpus.joints, corpus.lengths, corpus.skeleton)
        estimate = observations.to_body_height(estimate, footage.camera, known, corpus.lengths, corpus.skeleton)
    observed = observations.observe(corpus, footage, estimate, frame)
    if method.camera_noise:
        camera = observations.turned(observed.camera, method.camera_noise, seed)
        observed = replace(observed, seen=observed.seen.by(camera))
    return observed


def real_footage(config: Config, corpus: Corpus, split: str) -> Footage | None:
    """What real cameras saw of the clips; None where simulated ones are to film them."""
    data = config.data
    if data.source not in sources.VIDEOS:
        return None
    return sources.VIDEOS[data.source](data.root, split, data.max_frames, corpus.names, data.on_error)
