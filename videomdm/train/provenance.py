"""What everything that training keeps on disk depends on: names of caches, in one place.

A name holds a hash of all that its content comes from, so that nothing stale is ever read: change a setting, a file or
the version of a stage (:data:`videomdm.config.STAGES`), and the name is another.  A run's own folder is
:attr:`videomdm.config.Config.folder`.
"""

from __future__ import annotations

from pathlib import Path

from videomdm.cameras.footage import Footage
from videomdm.config import STAGES, Config
from videomdm.conventions import STUDY_LIFTER
from videomdm.data.corpus import Corpus
from videomdm.data.observations import Observations
from videomdm.data.tracks import Tracks
from videomdm.lifters import teacher
from videomdm.lifters.weight_sets import SETS
from videomdm.storage.files import digest
from videomdm.train import inputs

UNSEEN = 2  # how keypoints that were not seen are filled; only where some were not does it change what a run learns


def corpus(clips: Corpus) -> str:
    """Of true motions: joints, lengths and captions."""
    return digest(clips.joints, clips.lengths, clips.captions)


def pictures(clips: Tracks) -> str:
    """Of 2-D clips: keypoints, confidences, the assumed cameras."""
    return digest(clips.seen)


def seen(config: Config) -> str:
    """Of the way from motions to a teacher's estimate: the detector, the focal length, the teacher."""
    data = config.data
    detector = [config.detector_noise, data.keypoint_missing, data.keypoint_smoothing]
    files = [digest(Path(data.lifter))] if Path(data.lifter).is_file() else []
    version = teacher.version(data.root_path, data.lifter if data.lifter in SETS else STUDY_LIFTER)
    focal = [config.recipe.focal_error] if config.recipe.focal_error else []  # caches are older than it
    return digest(detector, data.root_path, version, STAGES["observe"], UNSEEN, *files, *focal)


def estimate(config: Config, clips: Corpus, footage: Footage | None, part: int = 0) -> str:
    """Of a teacher's motions: the clips, what real cameras saw of them, the detector, the teacher.

    ``part`` is which part of a corpus these clips are: each part is filmed by cameras of its own.
    """
    return digest(corpus(clips), footage, part, seen(config))


def observations(config: Config, frame: str, estimated: str) -> str:
    """Of what training from 2-D sees: a teacher's motions and cameras, with the errors that a sweep adds."""
    method, skeleton = config.recipe, config.data.skeleton
    later = [f"skeleton {skeleton}"] if skeleton != "own" else []  # caches are older than these two choices
    later += [] if method.level else ["up as the teacher shows it"]
    return digest(estimated, frame, method.teacher_error, method.camera_noise, method.known_height, *later)


def lifted(run: Path, observed: Observations, place: bool) -> str:
    """Of motions that a run's prior lifts."""
    versions = [STAGES["refine"], STAGES["place"] if place else 0]
    return digest(run / "weights.safetensors", observed.keypoints, observed.camera, observed.frame, versions)


def shards(config: Config, source: Observations | list[Path] | None, lifter: Path | None) -> str:
    """Of a training set in shards.  Methods that see the same motions and cameras share them.

    A corpus counts by its name, folder and the sizes of its files, the built-in one by its version, files of
    observations by name, size and time of change.

    Args:
        source: observations, or files of them, where they are not to be made from the configuration.
        lifter: weights of the run whose prior lifts the keypoints.
    """
    data, method = config.data, config.recipe
    about: list[object] = [data.source, data.root, data.n_clips, data.max_frames, data.on_error, data.shard_clips]
    about += [config.model.text, method.motions, data.stages(STAGES)]
    if method.motions != "truth":
        about.append(observations(config, config.frame, seen(config)))
    if isinstance(source, list):
        about += [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in source]
    elif source is not None:
        about.append(source.fingerprint())
    else:
        about.append(inputs.described(config))
    if lifter is not None:
        about += [digest(lifter), method.body, method.depth_from_scale]
    return digest(about)
