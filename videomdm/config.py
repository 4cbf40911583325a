"""One configuration for every run; a profile is a named set of its values, a method a named way to train."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from videomdm.diffusion import Multistep
from videomdm.lifters.teacher import TEACHERS
from videomdm.losses import Weights
from videomdm.methods import METHODS

PRECISIONS = ("float32", "bf16")
#: Settings that change what is measured of a run, not the run.
EVALUATION = (
    "guidance", "sampler", "protocol", "evaluator", "evaluator_steps", "evaluation_samples", "lift_samples", "repeats"
)  # fmt: skip


def _later(default: object) -> object:
    """A setting that came after the first runs: at its default it does not count in :meth:`Config.key`."""
    return field(default=default, metadata={"later": True})


def _digest(weights: Path) -> str:
    if not weights.is_file():
        raise FileNotFoundError(f"{weights}: no such file, expected the weights of a finished run to start from")
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@dataclass(frozen=True)
class Config:
    """Every choice of a run.  Defaults are the paper's recipe (section 4, appendix F, reference values).

    Attributes:
        data, data_root, n_clips: the source, its folder, the size of the built-in corpus (all splits).
        max_frames: longer clips are cut.
        on_error: "raise" or "skip": what to do with bad clips.
        method: a key of :data:`METHODS`.
        profile: the name this configuration started from, for the record.
        seed: of training: weights, batches, noise.  Corpora and their footage are the same for every seed.
        keypoint_noise, keypoint_missing, keypoint_smoothing: the simulated detector, and whether its keypoints are
            smoothed as a video's are (:func:`videomdm.data.observations.film`).
        teacher: ``"naive"``, whose root's depth is appendix D's, or ``"trajectory"``, whose root's path a network
            predicts (:mod:`videomdm.lifters.teacher`).
        text: text encoder, ``"hashed"`` (offline) or ``"clip"``.
        width, n_layers, n_heads, feedforward, dropout: the denoiser.
        n_steps, t_star, n_buckets: diffusion steps and the multistep scheme; ``t_star = 0`` turns it off.
        warmup_steps: batches of plain MDM that every method starts with (shared between methods).
        steps: batches of the method's own stage that follow.
        batch_size, lr, lr_decay, clip_norm, ema, condition_drop: optimisation; ``lr_decay`` is the fraction of
            ``lr`` that a cosine reaches at the end of the second stage (1 keeps it constant).
        weights: lambdas of eq. 4 and loss variants.
        guidance: classifier-free guidance scale when sampling.
        sampler: ``"ddpm"`` or ``"ddim"``, all steps; ``""`` samples as the prior was trained.
        evaluator: folder of HumanML3D's published evaluator, the first judge in place of one that is trained
            (:func:`videomdm.evaluation.judges.published`).
        evaluator_steps, evaluation_samples, lift_samples, repeats: size of the evaluation.
        protocol: ``"quick"`` or ``"full"`` in place of the last three, see :mod:`videomdm.evaluation.protocol`.
        log_every, checkpoint_every: in batches.
        precision: ``"float32"``, or ``"bf16"``: the denoiser computes in bfloat16, in training and in sampling;
            weights, features and losses stay float32.  On a CPU it pays with AMX or AVX512-BF16 only.
        compile: mode of ``torch.compile`` for model and losses (``"default"``, ``"reduce-overhead"`` with CUDA graphs
            ...), None for none.  Compiling takes a minute or more per shape of a batch.
        length_buckets: batches hold clips of one of so many ranges of lengths, cut where they end; 1 pads all to
            ``max_frames``.
        shard_clips: clips per file of a training set that is prepared in pieces and streamed from disk
            (:mod:`videomdm.data.shards`); 0 prepares and holds it in memory.
        shard_weights: whether several processes hold a share of every weight each (FSDP), for models that one
            device cannot hold; otherwise each holds them all (DDP).
        start: folder of a finished run whose last weights and normaliser training goes on from, in place of a warm-up
            (fine-tuning, section 4.2); its sizes must be this configuration's.
        runs: folder that holds run folders and the cache.
    """

    data: str = "procedural"
    data_root: str | None = None
    n_clips: int = 2000
    max_frames: int = 196
    on_error: str = "raise"
    method: str = "videomdm"
    profile: str = "paper"
    seed: int = 0
    keypoint_noise: float = 0.0
    keypoint_missing: float = 0.0
    teacher: str = _later("naive")
    text: str = "hashed"
    width: int = 512
    n_layers: int = 8
    n_heads: int = 4
    feedforward: int = 1024
    dropout: float = 0.1
    n_steps: int = 50
    t_star: int = 12
    n_buckets: int = 4
    warmup_steps: int = 400_000
    steps: int = 200_000
    batch_size: int = 64
    lr: float = 1e-4
    lr_decay: float = 1.0
    clip_norm: float = 1.0
    ema: float = 0.9999
    condition_drop: float = 0.1
    weights: Weights = Weights(0.3, 16.0, 1.0)
    guidance: float = 2.5
    evaluator: str | None = None
    evaluator_steps: int = 20_000
    evaluation_samples: int = 1000
    lift_samples: int = 256
    repeats: int = 20
    protocol: str = ""
    log_every: int = 100
    checkpoint_every: int = 1000
    runs: str = "runs"
    precision: str = _later("float32")
    sampler: str = ""
    compile: str | None = _later(None)
    length_buckets: int = _later(1)
    shard_clips: int = _later(0)
    shard_weights: bool = False
    start: str | None = _later(None)
    keypoint_smoothing: bool = _later(False)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}, expected one of {', '.join(METHODS)}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}, expected one of {', '.join(PRECISIONS)}")
        if self.teacher not in TEACHERS:
            raise ValueError(f"teacher is {self.teacher!r}, expected one of {', '.join(TEACHERS)}")
        for name in ("batch_size", "max_frames", "n_steps", "steps", "width", "n_layers", "length_buckets"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")

    @property
    def frame(self) -> str:
        """The frame in which cameras are told: the method's own, or that of the method that lifts for it."""
        method = METHODS[self.method]
        while not method.frame and method.lifter:
            method = METHODS[method.lifter]
        return method.frame or "truth"

    @property
    def start_weights(self) -> Path | None:
        """The file that training starts from, where it starts from another run."""
        return Path(self.start) / "weights-last.safetensors" if self.start else None

    @property
    def multistep(self) -> Multistep:
        """Which timesteps the method's training visits; plain MDM and the ablation visit one at a time."""
        method = METHODS[self.method]
        t_star = self.t_star if method.frame and method.multistep else 0
        return Multistep(self.n_steps, t_star, self.n_buckets)

    def but(self, **changes: object) -> Config:
        """A copy with some values changed; raises ``ValueError`` that names an unknown one."""
        known = {f.name for f in dataclasses.fields(self)}
        if unknown := set(changes) - known:
            raise ValueError(f"unknown setting {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Config:
        values = json.loads(text)
        return cls(**{**values, "weights": Weights(**values["weights"])})

    def key(self, *fields: str) -> str:
        """Short hash of the named fields; if none is named, of all but the bookkeeping ones.

        Settings that came later do not count at their default, so that runs made before keep their folders.
        A start counts by its weights, wherever they lie; then there is no warm-up.

        Raises:
            FileNotFoundError: ``start`` holds no finished run.
        """
        values = dataclasses.asdict(self)
        ignored = {"runs", "profile", "log_every", "shard_weights", *EVALUATION}
        ignored |= {f.name for f in dataclasses.fields(self) if "later" in f.metadata and values[f.name] == f.default}
        chosen = {k: values[k] for k in (fields or sorted(set(values) - ignored))}
        if chosen.get("start"):
            chosen |= {"start": _digest(self.start_weights), "warmup_steps": 0}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def folder(self) -> Path:
        """The run's folder: the same configuration always has the same one, so that it can be resumed."""
        method = self.method.replace("/", "-")
        return Path(self.runs) / f"{self.data}-{self.profile}-{method}-s{self.seed}-{self.key()}"

    @property
    def cache(self) -> Path:
        return Path(self.runs) / "cache"


# Chosen on small budgets: lambda_2D = 10 keeps the gradient always clipped, and a higher t* keeps samples from
# shrinking where the teacher is poor.
SMALL = Weights(reprojection=0.3, velocity=30.0, representation=1.0)

PROFILES = {
    "smoke": Config(
        profile="smoke", n_clips=120, max_frames=44, width=32, n_layers=2, feedforward=64, dropout=0.0, t_star=24,
        weights=SMALL, warmup_steps=20, steps=10, batch_size=8, lr=1e-3, ema=0.9, evaluator_steps=20,
        evaluation_samples=32, lift_samples=8, repeats=2, log_every=5, checkpoint_every=5,
    ),
    # Without dropout: these models underfit, and drawing its masks takes a third of a step on a CPU.
    "laptop": Config(
        profile="laptop", max_frames=60, width=128, n_layers=4, feedforward=256, dropout=0.0, t_star=24,
        weights=SMALL, warmup_steps=1000, steps=300, batch_size=32, lr=5e-4, lr_decay=0.1, ema=0.99,
        evaluator_steps=500, evaluation_samples=256, lift_samples=64, repeats=2, log_every=20, checkpoint_every=100,
    ),
    "study": Config(
        profile="study", n_clips=4000, max_frames=48, width=128, n_layers=4, feedforward=256,
        dropout=0.0, t_star=24, weights=SMALL, warmup_steps=2000, steps=2000, batch_size=32, lr=5e-4, lr_decay=0.1,
        ema=0.998, evaluator_steps=1500, evaluation_samples=384, lift_samples=128, repeats=3, log_every=50,
        checkpoint_every=250,
    ),
    "paper": Config(),
}  # fmt: skip


def profile(name: str, **changes: object) -> Config:
    """The configuration called ``name``, with some values changed."""
    if name not in PROFILES:
        raise ValueError(f"profile is {name!r}, expected one of {', '.join(PROFILES)}")
    return PROFILES[name].but(**changes)
