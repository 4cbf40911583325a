"""From a configuration to what training sees: footage, the teacher's motions, features, text embeddings.

``python -m videomdm.prepare`` prepares a corpus in shards (:mod:`videomdm.data.shards`) before there is a machine to
train on; training does the same where it was not done.  ``accelerate launch`` gives each process shards of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from videomdm import command, distributed, features, kinematics, start, text
from videomdm.cache import cached
from videomdm.cameras import Camera
from videomdm.config import METHODS, Config
from videomdm.data import observations, shards, sources
from videomdm.data.corpus import Corpus, DataError
from videomdm.data.observations import Footage, Observations
from videomdm.data.shards import Batch, Shards
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

    @property
    def device(self) -> torch.device:
        return self.features.device

    @property
    def n_frames(self) -> int:
        return self.features.shape[1]

    @property
    def n_features(self) -> int:
        return self.features.shape[2]

    @property
    def text_width(self) -> int:
        return self.text.shape[1]

    def expect(self, rows: Tensor, frames: int) -> None:
        """Nothing to do: what the next batch needs is here."""

    def batch(self, rows: Tensor, caption: Tensor, frames: int) -> Batch:
        """Some clips, cut to ``frames``.

        Args:
            rows: (B,) which, on the CPU.
            caption: (B,) in 0..1, on the CPU: which of its captions each clip gets.
            frames: no less than the longest of them.
        """
        rows, caption = (x.to(self.device, non_blocking=True) for x in (rows, caption))
        nth = (caption * self.count[rows]).long()
        seen = {}
        if self.keypoints is not None:
            seen = {"keypoints": self.keypoints[:, :frames][rows], "confidence": self.confidence[:, :frames][rows]}
            seen["camera"] = self.camera[rows]
        return Batch(self.features[:, :frames][rows], self.lengths[rows], self.text[self.first[rows] + nth], **seen)

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
    if method.sized:
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
        ("error", method.teacher_error, 1.0), ("camera", method.camera_noise, 0.0), ("sized", method.sized, False)
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


def encode(config: Config, source: Corpus | Observations) -> tuple[Tensor, Tensor]:
    """Features (C, T, D) of the motions to be diffused, not normalised, and their valid rows (C,).

    Raises:
        DataError: motions that are not finite.
    """
    motions = source.joints if isinstance(source, Corpus) else source.teacher
    if not motions.isfinite().all():
        raise DataError(f"motions of {config.data} to train on hold NaN or infinite joints, expected finite metres")
    return features.encode(features.hold_last(motions, source.lengths), source.skeleton), source.lengths - 1


def training_set(config: Config, source: Corpus | Observations) -> TrainingSet:
    """Features and text of the motions to be diffused.

    Args:
        config: names the text encoder, whether the 2-D losses are used, and the run whose statistics normalise the
            features; without one their own do.
        source: a corpus (3-D supervision) or observations.
    """
    encoded, lengths = encode(config, source)
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


def streamed(
    config: Config,
    observations: Observations | Path | None = None,
    lift: Callable[[Observations], Observations] | None = None,
    version: str = "",
) -> Shards:
    """The training set of a configuration in shards on disk, prepared where it is not there.

    A corpus is prepared part by part, each to a shard that is written whole or not at all, so that this may be killed
    at any time and goes on with the next part.  Every part is filmed by cameras of its own.  Shards go by the
    configuration, not by what is in the corpus' files: remove their folder when these have changed.

    Args:
        config: ``shard_clips`` is the size of a part.
        observations: 2-D data, or a folder of files that :meth:`Observations.save` wrote, each of which is a part;
            where they are not to be made from ``config.data``.
        lift: gives observations better motions (for rounds).
        version: changes whenever ``lift`` would answer differently.

    Raises:
        DataError: bad input data; the parts before it stay prepared.
    """
    folder = config.cache / f"shards-{_shards_key(config, observations, version)}"
    if not (folder / shards.INDEX).exists():
        parts, encoder = _parts(config, observations), text.by_name(config.text)
        files = [shards.path(folder, number) for number in range(len(parts))]
        own = range(distributed.rank(), len(parts), distributed.world())
        for number in tqdm(own, "preparing shards", unit="shard", disable=distributed.rank() > 0):
            if not files[number].exists():
                _write_shard(config, files[number], parts[number](), number, encoder, lift)
        distributed.wait()
        with distributed.first():
            if distributed.rank() == 0:
                shards.write_index(folder, [file.name for file in files])
    data = Shards(folder, two_d=METHODS[config.method].frame is not None)
    if not config.start_weights:
        return data
    return replace(data, statistics=start.normaliser(config.start_weights, data.skeleton, data.fps))


def _parts(config: Config, observations: Observations | Path | None) -> list[Callable[[], Corpus | Observations]]:
    """A training set in parts of ``config.shard_clips`` clips, each read when it is called for."""
    size = config.shard_clips
    if observations is None:
        return sources.parts(
            config.data, config.data_root, "train", size, config.max_frames, config.n_clips, config.on_error
        )
    if isinstance(observations, Path):
        return [partial(Observations.load, file) for file in _files(observations)]
    return [partial(observations.select, rows) for rows in sources.pieces(len(observations), size)]


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError(f"{folder}: no observations, expected .safetensors files that Observations.save wrote")
    return files


def _write_shard(
    config: Config, file: Path, source: Corpus | Observations, number: int, encoder: text.TextEncoder,
    lift: Callable[[Observations], Observations] | None,
) -> None:  # fmt: skip
    skipped = source.skipped if isinstance(source, Corpus) else []
    if isinstance(source, Corpus) and METHODS[config.method].motions != "truth":
        footage = _real_footage(config, source, "train")
        key = _seen_key(config, source, footage, number)
        source = _observe(config, source, config.frame, footage, key, part=number, progress=False)
    if lift is not None:
        source = lift(source)
    encoded, lengths = encode(config, source)
    captions = sorted({caption for clip in source.captions for caption in clip})
    about = {"skeleton": source.skeleton.name, "fps": source.fps, "names": source.names, "skipped": skipped}
    seen = camera = None
    if isinstance(source, Observations):
        seen, camera = {"keypoints": source.keypoints, "confidence": source.confidence}, source.camera
    vectors = dict(zip(captions, encoder.encode(captions), strict=True))
    shards.write(file, encoded, lengths, source.captions, vectors, about, seen, camera)


def _shards_key(config: Config, observations: Observations | Path | None, version: str) -> str:
    """What shards depend on.  Methods that see the same motions and cameras share them, a warm-up and its stage."""
    method = METHODS[config.method]
    about: list[object] = [method.motions, version]
    about += [config.key("data", "data_root", "n_clips", "max_frames", "on_error", "text", "shard_clips")]
    if method.motions != "truth":
        noise = config.keypoint_noise + method.keypoint_noise
        about += [config.frame, _errors(config), lifted_from(config.but(keypoint_noise=noise))]
    if isinstance(observations, Path):
        about += [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in _files(observations)]
    elif observations is not None:
        about += [observations.fingerprint()]
    return hashlib.sha256(repr(about).encode()).hexdigest()[:10]


def main(arguments: Sequence[str] | None = None) -> None:
    config = command.config(arguments, "python -m videomdm.prepare", __doc__)
    if config.shard_clips < 1 or METHODS[config.method].lifter:
        raise SystemExit(
            f"shard_clips is {config.shard_clips} and method {config.method!r}, expected --set shard_clips=N of at "
            "least 1 and a method without a lifter (that one has to be trained first, and training prepares then)"
        )
    data = streamed(config)
    if distributed.rank() == 0:
        print(f"{data.folder}: {len(data)} clips in {len(data.files)} shards")
    distributed.finish()


if __name__ == "__main__":
    main()
