"""From a configuration to what training from 2-D sees: footage, the teacher's motions, cameras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from videomdm.cameras import placement
from videomdm.cameras.footage import Footage
from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.data import observations, sources
from videomdm.data.corpus import Corpus
from videomdm.data.observations import Observations
from videomdm.data.tracks import Statistics, Tracks
from videomdm.lifters import centred as lifter_of_centred
from videomdm.lifters import teacher
from videomdm.lifters.elepose_network import ElePose
from videomdm.lifters.weight_sets import SETS, check_unseen
from videomdm.methods import METHODS
from videomdm.skeletons import kinematics
from videomdm.storage.cache import cached, kept
from videomdm.storage.files import digest
from videomdm.train import distributed, provenance


def load(config: Config, split: str) -> Corpus:
    """The true motions of one split (for evaluation, for 3-D supervision, and to be filmed)."""
    data = config.data
    return sources.load(
        data.source, data.root, split, data.max_frames, data.n_clips, on_error=data.on_error, base=data.base,
        skeleton=data.skeleton,
    )  # fmt: skip


def tracks(config: Config, split: str) -> Tracks:
    """The pictures of one split: a centred source's own, or what one camera per clip sees of a corpus."""
    data = config.data
    if config.centred:
        return sources.tracks(data.source, data.root, split, data.max_frames, data.n_clips, data.on_error, data.base)
    corpus = load(config, split)
    return planar(
        corpus, _film(config, corpus, split), None if split == "train" else tracks(config, "train").statistics
    )


def planar(source: Corpus | Observations, footage: Footage, statistics: Statistics | None = None) -> Tracks:
    """Footage that is not centred as :class:`videomdm.data.tracks.Tracks`; of ``source`` names and captions are read.

    Args:
        source: the clips that were filmed.
        footage: what was seen of them.
        statistics: of the training split; the footage's own when None.
    """
    return Tracks(
        footage,
        source.names,
        source.captions,
        source.skeleton,
        source.fps,
        statistics or Statistics.fit(footage),
        False,
    )


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
    return kept(
        path,
        lambda: observe_part(config, corpus, frame, footage, estimated, split),
        Observations.load,
        lambda path, observed: observed.save(path),
    )


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
    if config.data.lifter in SETS:
        for source, root in sources.joined_sources(config.data.source, config.data.root):
            check_unseen(SETS[config.data.lifter], source, root)
    data, method, seed = config.data, config.recipe, _seed(split, part)
    footage = footage or _film(config, corpus, split, part)
    if method.focal_error:
        footage = observations.with_focal_error(footage, method.focal_error, seed)
    estimate = cached(
        config.cache / f"teacher-{estimated}.safetensors",
        lambda: teacher.estimate(
            footage, _lifter(config), root_path=data.root_path, progress=progress, device=distributed.device()
        ),
    )
    if method.teacher_error != 1.0:
        estimate = torch.lerp(corpus.joints, estimate, method.teacher_error)
    if data.skeleton == "uniform":
        estimate = observations.to_uniform_skeleton(estimate, footage.camera, corpus.skeleton)
    if method.known_height:
        known = kinematics.body_height(corpus.joints, corpus.lengths, corpus.skeleton)
        estimate = placement.to_body_height(estimate, footage.camera, known, corpus.lengths, corpus.skeleton)
    camera = footage.camera
    if not method.level:
        estimate, camera = observations.levelled(estimate, footage, corpus.skeleton)
    observed = observations.observe(corpus, footage, estimate, frame, camera)
    if method.camera_noise:
        camera = observations.turned(observed.camera, method.camera_noise, seed)
        observed = replace(observed, seen=observed.seen.by(camera))
    return observed


def centred(config: Config, pictures: Tracks) -> Observations:
    """Pictures that are centred on the hip, with the motions that the configured lifter makes of them; cached on disk.

    Args:
        config: names the data and the lifter.
        pictures: of one split, as :func:`tracks` gave them.
    """
    lifter = config.data.lifter
    about = provenance.pictures(pictures), lifter, lifter_of_centred.version(pictures, lifter, config.data.root)
    estimate = cached(
        config.cache / f"teacher-{digest(*about)}.safetensors",
        lambda: lifter_of_centred.lift(pictures, config.data.lifter, config.data.root, device=distributed.device()),
    )
    return observations.observe(pictures, pictures.counted, estimate, "teacher")


def check(config: Config) -> None:
    """Whether the data tell what the method asks for.

    Raises:
        DataError: centred pictures, and a method that needs a path, true cameras or true motions, or a detector's
            error that cannot be chosen; or no such lifter (:func:`check_lifter`); or bones that are not people's own
            where pictures show these.
        ValueError: shards of data that are held in memory.
    """
    data, needs = config.data, config.recipe.needs
    sources.check_skeleton(data.source, data.skeleton)
    check_lifter(config)
    if config.centred and needs:
        known = ", ".join(name for name, method in METHODS.items() if not method.needs)
        raise DataError(
            f"method {config.method!r} needs {needs}, but {data.source!r} has pictures alone, centred on the hip in "
            f"every frame; expected one of {known}"
        )
    for name in ("keypoint_noise", "keypoint_missing", "keypoint_smoothing"):
        if config.centred and (value := config.value(name)):
            raise DataError(f"{name} is {value}, expected 0: {data.source!r} has keypoints of its own")
    if data.shard_clips and not streamable(config):
        raise ValueError(f"shard_clips is {data.shard_clips}, expected 0: 2-D data are held in memory")


def check_lifter(config: Config) -> None:
    """Raises ``DataError`` where the lifter is neither a set of weights nor a file; centred data know others."""
    lifter = config.data.lifter
    if not config.centred and lifter not in SETS and not Path(lifter).is_file():
        raise DataError(f"lifter is {lifter!r}, expected {', '.join(SETS)} or the file of an ElePose network")


def streamable(config: Config) -> bool:
    """Whether training can read its data from disk as it goes; that of pictures alone is held in memory."""
    return not config.centred and config.recipe.motions != "keypoints"


def _lifter(config: Config) -> ElePose | str:
    """The configured lifter of keypoints that are not centred: a network, or the name of a set of weights."""
    by = config.data.lifter
    return by if by in SETS else ElePose.load(by).to(distributed.device())


def _seed(split: str, part: int = 0) -> int:
    """Of the cameras and the noise of a part of a split."""
    return int(split == "train") + 2 * part


def _film(config: Config, corpus: Corpus, split: str, part: int = 0) -> Footage:
    """What real cameras saw of a corpus, or simulated ones see."""
    data = config.data
    if footage := real_footage(config, corpus, split):
        return footage
    return observations.film(
        corpus, _seed(split, part), config.detector_noise, data.keypoint_missing, data.keypoint_smoothing
    )


def real_footage(config: Config, corpus: Corpus, split: str) -> Footage | None:
    """What real cameras saw of the clips; None where simulated ones are to film them."""
    data = config.data
    if data.source not in sources.VIDEOS:
        return None
    return sources.VIDEOS[data.source](data.root, split, data.max_frames, corpus.names, data.on_error)
