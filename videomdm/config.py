"""One configuration for every run: what it learns from, the model, how it is trained, how it is measured.

A profile is a named set of values, a method (:mod:`videomdm.methods`) a named way to train.  Settings have one flat
name each, by which command lines, papermill and :meth:`Config.but` know them; they lie in four groups, so that a
function can take the group that it needs.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from videomdm import allowed
from videomdm.conventions import CENTRED, DEFAULT_LIFTER, STUDY_LIFTER
from videomdm.diffusion import Multistep
from videomdm.losses import Weights
from videomdm.methods import METHODS, Method
from videomdm.storage.files import digest

#: What a stage's outcome depends on besides settings: its code.  Count a stage up when its outcome changes.
#: ``corpus`` is the built-in corpus, 2 since people in it stand and walk as captured people do; it counts where a run
#: learns from it.  ``refine`` is 2 since cameras fit the image; 1 fitted the keypoints' rays.  ``real_teacher`` is the
#: set of weights for real people, 2 since they were trained for twice as long, and ``uniform`` the one body of all;
#: they count where a run has them.  ``place`` is 2 since people whose frames are placed keep their size.
STAGES = {
    "corpus": 2, "real_teacher": 2, "observe": 1, "train": 1, "refine": 2, "place": 2, "evaluate": 5, "uniform": 1
}  # fmt: skip


def _named(default: object, name: str) -> object:
    """A setting whose flat name is not that of its field."""
    return field(default=default, metadata={"name": name})


def _free(default: object) -> object:
    """A setting that changes how a run is carried out, not what comes of it: :meth:`Config.key` leaves it out."""
    return field(default=default, metadata={"free": True})


def _later(default: object) -> object:
    """A setting that files of earlier versions lack: its default is what was done before it could be chosen."""
    return field(default=default, metadata={"later": True})


def _was(earlier: object, default: object) -> object:
    """A setting whose default was another: keys count from the earlier one, so that results keep theirs."""
    return field(default=default, metadata={"earlier": earlier})


@dataclass(frozen=True)
class Data:
    """What is learned from, and how it is seen."""

    source: str = _named("procedural", "data")  # a name of :mod:`videomdm.data.sources`
    root: str | None = _named(None, "data_root")  # its folder
    base: str = _later("procedural")  # the source that an NBA-like one films, whose folder ``root`` is
    n_clips: int = 2000  # size of the built-in corpus, all splits
    max_frames: int = 196  # longer clips are cut
    on_error: str = "raise"  # or "skip": bad clips are left out and listed
    keypoint_noise: float = 0.0  # of the simulated detector, in normalised image units
    keypoint_missing: float = 0.0  # share of joints that it does not report
    keypoint_smoothing: bool = False  # smooth keypoints as a video's are (appendix C.3)
    root_path: str = "bones"  # the teacher's: from how long bones look (appendix D), or "network"
    #: The teacher: a set of weights (:mod:`videomdm.lifters.weight_sets`), a file of an ElePose network, or NBA's own
    #: "elepose" or "motionbert".
    lifter: str = _later(STUDY_LIFTER)
    #: "uniform" gives every person one body, before being filmed and after being lifted: HumanML3D's first step
    #: (:func:`videomdm.data.sources.canonical`, :func:`videomdm.data.observations.to_uniform_skeleton`).
    skeleton: str = _later("own")
    shard_clips: int = 0  # clips per file of a training set that is streamed from disk; 0 holds it in memory

    def stages(self, versions: Mapping[str, int]) -> dict[str, int]:
        """The stages that make the data, with their versions."""
        sources = (self.base if self.source == "nba-like" else self.source).split("+")
        through = {
            "corpus": "procedural" in sources,
            "real_teacher": self.lifter == DEFAULT_LIFTER,
            "uniform": self.skeleton == "uniform",
        }
        return {name: versions[name] for name, goes in through.items() if goes}


@dataclass(frozen=True)
class Model:
    """The denoiser and its diffusion."""

    #: Encoder of captions (:mod:`videomdm.text`): "minilm" (comes with the package), "hashed" (words alone), "clip"
    #: (the paper's, whose weights have to be fetched) or, without captions, "none".
    text: str = _was("hashed", "minilm")
    width: int = 512
    n_layers: int = 8
    n_heads: int = 4
    feedforward: int = 1024
    dropout: float = 0.1
    n_steps: int = 50  # of the diffusion
    tau: float = _later(1.0)  # power on the cosine schedule's signal level; larger is noisier
    precision: str = "float32"  # or "bf16": the denoiser computes in bfloat16; weights and losses stay float32
    skip: float = _later(0.0)  # frames, deviation of the low-pass skip from the noisy motion; 0 has none, as MDM


@dataclass(frozen=True)
class Optimiser:
    """How it is trained."""

    warmup_steps: int = 400_000  # batches of plain MDM that every method starts with, shared between methods
    steps: int = 200_000  # batches of the method's own stage that follow
    batch_size: int = 64  # of all processes together
    lr: float = 1e-4
    lr_decay: float = 1.0  # share of ``lr`` that a cosine reaches at the end of the second stage; 1 keeps it constant
    clip_norm: float = 1.0
    ema: float = 0.9999
    condition_drop: float = 0.1  # share of clips whose caption is left out
    weights: Weights = Weights(0.3, 16.0, 1.0)  # lambdas of eq. 4 and variants of the loss
    t_star: int = 12  # multistep training visits the timesteps below it one after the other; 0 turns it off
    n_buckets: int = 4  # of these timesteps
    length_buckets: int = 1  # batches hold clips of one of so many ranges of lengths; 1 pads all to the longest
    #: "default" compiles model and losses, half a minute or more for each shape of a batch; "graphs" also launches a
    #: step as one CUDA graph, on a single GPU that holds the data (:mod:`videomdm.train.graphs`).
    compile: str | None = None
    shard_weights: bool = _free(False)  # each process holds a share of every weight (FSDP), for models of any size


@dataclass(frozen=True)
class Evaluation:
    """How a run is measured: none of this changes the run."""

    guidance: float = 2.5  # classifier-free guidance scale
    sampler: str = ""  # "ddpm" or "ddim", all steps; "" samples as the prior was trained
    protocol: str = ""  # "quick" or "full" in place of the next three (:mod:`videomdm.evaluation.protocol`)
    samples: int = _named(1000, "evaluation_samples")
    lift_samples: int = 256
    repeats: int = 20
    evaluator: str | None = None  # folder of HumanML3D's published evaluator, the first in place of a trained one
    evaluator_steps: int = 20_000  # batches that an evaluator is trained for
    #: or "val", on which choices are made: test data are read once
    split: str = field(default="test", metadata={"name": "evaluation_split", "later": True})


@dataclass(frozen=True)
class Config:
    """Every choice of a run.  Defaults are the paper's recipe (section 4, appendix F, reference values)."""

    data: Data = Data()
    model: Model = Model()
    optimiser: Optimiser = Optimiser()
    evaluation: Evaluation = Evaluation()
    method: str = "videomdm"  # a key of :data:`videomdm.methods.METHODS`
    profile: str = _free("paper")  # the name that this configuration started from, for the record
    seed: int = 0  # of training: weights, batches, noise; corpora and cameras are the same for every seed
    start: str | None = None  # folder of a finished run that training goes on from, in place of a warm-up (section 4.2)
    log_every: int = _free(100)  # batches
    checkpoint_every: int = _free(1000)  # batches
    runs: str = _free("runs")  # folder of run folders and of the cache

    def __post_init__(self) -> None:
        for name, kind in TYPES.items():
            allowed.check(name, self.value(name), kind)

    def value(self, name: str) -> object:
        """The setting of a flat name."""
        group, attribute = SETTINGS[name]
        return getattr(getattr(self, group) if group else self, attribute)

    def but(self, **changes: object) -> Config:
        """A copy with some settings changed, by their flat names; paths are kept as text.

        Raises:
            ValueError: names an unknown setting, or a value that no run can have.
        """
        if unknown := set(changes) - set(SETTINGS):
            raise ValueError(f"unknown setting {', '.join(sorted(unknown))}; known: {', '.join(sorted(SETTINGS))}")
        own: dict[str, object] = {}
        grouped: dict[str, dict[str, object]] = {}
        for name, value in changes.items():
            group, attribute = SETTINGS[name]
            place = grouped.setdefault(group, {}) if group else own
            place[attribute] = str(value) if isinstance(value, Path) else value
        groups = {group: dataclasses.replace(getattr(self, group), **values) for group, values in grouped.items()}
        return dataclasses.replace(self, **groups, **own)

    @property
    def recipe(self) -> Method:
        """What the method's name stands for."""
        return METHODS[self.method]

    @property
    def centred(self) -> bool:
        """Whether the data are pictures alone, centred on the hip."""
        return self.data.source in CENTRED

    @property
    def detector_noise(self) -> float:
        """Of the simulated detector, with what the method adds, in normalised image units."""
        return self.data.keypoint_noise + self.recipe.keypoint_noise

    @property
    def frame(self) -> str:
        """The coordinate frame of the given cameras: the method's own, or that of the method that lifts for it."""
        return self.recipe.camera_source or ("teacher" if self.centred else "truth")

    @property
    def multistep(self) -> Multistep:
        """Which timesteps the method's training visits; plain MDM and the ablation visit one at a time."""
        t_star = self.optimiser.t_star if self.recipe.frame and self.recipe.multistep else 0
        return Multistep(self.model.n_steps, t_star, self.optimiser.n_buckets)

    @property
    def start_weights(self) -> Path | None:
        """The file that training starts from, where it starts from another run: its last weights.

        Of a prior that comes with the package there is only the average that is sampled.
        """
        if not self.start:
            return None
        last = Path(self.start) / "weights-last.safetensors"
        return last if last.is_file() else last.with_name("weights.safetensors")

    def key(self) -> str:
        """Short hash of what a run's outcome depends on.

        These are the settings that are not the defaults (:data:`KEYED`), what the method does, and the versions of the
        stages that it goes through (:data:`STAGES`).  ``start`` is hashed by file content, not by path, and a lifter
        in the folder of runs by its place there, wherever that folder lies.

        Raises:
            FileNotFoundError: ``start`` holds no finished run.
        """
        left_out = (*EVALUATION, *FREE, "method")
        own = {name: self.value(name) for name in sorted(SETTINGS) if name not in left_out}
        own["lifter"] = self._lifter()
        chosen = {name: value for name, value in own.items() if value != KEYED[name]}
        if self.start:
            chosen |= {"start": self._start_digest(), "warmup_steps": 0}
        chain = [_differing(m) for m in self.recipe.chain]
        return digest(_plain(chosen), chain, self.recipe.stages(STAGES) | self.data.stages(STAGES))

    def evaluation_key(self) -> str:
        """Short hash of what is measured of a run, and how; results are older than the choice of a split."""
        asked = dataclasses.asdict(self.evaluation)
        if asked["split"] == "test":
            del asked["split"]
        return digest(asked)

    def _lifter(self) -> str:
        file = Path(self.data.lifter)
        inside = file.suffix and file.is_relative_to(self.runs)
        return str("runs" / file.relative_to(self.runs)) if inside else self.data.lifter

    def _start_digest(self) -> str:
        if not self.start_weights.is_file():
            raise FileNotFoundError(
                f"{self.start_weights}: no such file, expected the weights of a finished run to start from"
            )
        return digest(self.start_weights)

    @property
    def folder(self) -> Path:
        """The run's folder: the same configuration always has the same one, so that it can be resumed."""
        method = self.method.replace("/", "-")
        return Path(self.runs) / f"{self.data.source}-{self.profile}-{method}-s{self.seed}-{self.key()}"

    @property
    def cache(self) -> Path:
        """The folder of what runs share: footage, teachers' motions, warm-ups, evaluators."""
        return Path(self.runs) / "cache"

    def to_json(self) -> str:
        """All settings, group by group."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: names what is missing or unknown, as in a file of an earlier version, or a value that no run
                can have.
        """
        given = json.loads(text)
        if not isinstance(given, Mapping):
            raise ValueError(f"the configuration is {given!r}, expected a JSON object with its settings")
        made = {name: _from_json(kind, given.get(name), name) for name, kind in GROUPS.items()}
        return _from_json(cls, given | made, "configuration")


GROUPS = {"data": Data, "model": Model, "optimiser": Optimiser, "evaluation": Evaluation}


def _settings() -> dict[str, tuple[str, str]]:
    """Flat name -> (group or "", attribute)."""
    places = [("", Config), *GROUPS.items()]
    return {
        f.metadata.get("name", f.name): (group, f.name)
        for group, kind in places
        for f in dataclasses.fields(kind)
        if group or f.name not in GROUPS
    }


def _types() -> dict[str, object]:
    hints = {group: typing.get_type_hints(kind) for group, kind in (("", Config), *GROUPS.items())}
    return {name: hints[group][attribute] for name, (group, attribute) in SETTINGS.items()}


SETTINGS = _settings()
#: The type of every setting.
TYPES = _types()
EVALUATION = tuple(name for name, (group, _) in SETTINGS.items() if group == "evaluation")
FREE = tuple(
    f.metadata.get("name", f.name)
    for kind in (Config, *GROUPS.values())
    for f in dataclasses.fields(kind)
    if "free" in f.metadata
)
DEFAULTS = Config()
#: The defaults that keys count from.
KEYED = {name: DEFAULTS.value(name) for name in SETTINGS} | {
    f.metadata.get("name", f.name): f.metadata["earlier"]
    for kind in (Config, *GROUPS.values())
    for f in dataclasses.fields(kind)
    if "earlier" in f.metadata
}
_PLAIN_METHOD = dataclasses.asdict(Method(""))


def _differing(method: Method) -> dict[str, object]:
    """What a method does that is not the default."""
    values = dataclasses.asdict(method)
    return {k: v for k, v in values.items() if v != _PLAIN_METHOD[k]}


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {k: dataclasses.asdict(v) if dataclasses.is_dataclass(v) else v for k, v in values.items()}


def _from_json(kind: type, given: object, name: str) -> object:
    """A dataclass from a JSON object that has exactly its fields; later ones may be missing."""
    expected = {f.name for f in dataclasses.fields(kind)}
    if isinstance(given, Mapping):
        given = {f.name: f.default for f in dataclasses.fields(kind) if "later" in f.metadata} | dict(given)
    if not isinstance(given, Mapping) or set(given) != expected:
        wrong = sorted(set(given) ^ expected) if isinstance(given, Mapping) else given
        raise ValueError(
            f"{name}: {wrong} missing or unknown, expected {', '.join(sorted(expected))} (is it of an earlier version?)"
        )
    if kind is Optimiser and not isinstance(given["weights"], Weights):
        given = {**given, "weights": _from_json(Weights, given["weights"], "weights")}
    return kind(**given)


# Chosen on small budgets: lambda_2D = 10 keeps the gradient always clipped, and a higher t* keeps samples from
# shrinking where the teacher is poor.
SMALL = Weights(reprojection=0.3, velocity=30.0, representation=1.0)

# What the third regime changes (section 4.3): no text and no guidance, the noisier schedule of the authors' release,
# and lambdas for its units and frame rate.  A unit is .62 m, so squared errors in metres are .38 of those
# in units; and at 30 frames a second velocities are 2/3 of what they are at 20, their squares .44.
NBA = {
    "data": "nba", "method": "videomdm-frame", "text": "none", "guidance": 1.0, "tau": 2.0, "t_star": 12,
    "weights": Weights(reprojection=0.12, velocity=14.0, representation=1.0), "lifter": "elepose",
}  # fmt: skip

PROFILES = {
    "smoke": Config().but(
        profile="smoke", n_clips=120, max_frames=44, text="hashed", width=32, n_layers=2, feedforward=64, dropout=0.0,
        t_star=24, weights=SMALL, warmup_steps=20, steps=10, batch_size=8, lr=1e-3, ema=0.9, evaluator_steps=20,
        evaluation_samples=32, lift_samples=8, repeats=2, log_every=5, checkpoint_every=5,
    ),
    # Without dropout: these models underfit, and drawing its masks takes a third of a step on a CPU.
    "laptop": Config().but(
        profile="laptop", max_frames=60, width=128, n_layers=4, feedforward=256, dropout=0.0, t_star=24,
        weights=SMALL, warmup_steps=1000, steps=300, batch_size=32, lr=5e-4, lr_decay=0.1, ema=0.99,
        evaluator_steps=500, evaluation_samples=256, lift_samples=64, repeats=2, log_every=20, checkpoint_every=100,
    ),
    # With the text encoder of the rows that are kept, so that rows to come can be compared with them.
    "study": Config().but(
        profile="study", n_clips=4000, max_frames=48, text="hashed", width=128, n_layers=4, feedforward=256,
        dropout=0.0, t_star=24, weights=SMALL, warmup_steps=2000, steps=2000, batch_size=32, lr=5e-4, lr_decay=0.1,
        ema=0.998, evaluator_steps=1500, evaluation_samples=384, lift_samples=128, repeats=3, log_every=50,
        checkpoint_every=250,
    ),
    # The prior that comes with the package: people's motion beside the built-in one, at full length.  It is wider than
    # the 263 features; bfloat16 is faster on a CPU.
    "shipped": Config().but(
        profile="shipped", data="procedural+cmu", n_clips=1200, text="minilm", width=288, n_layers=4, feedforward=576,
        dropout=0.0, precision="bf16", t_star=24, weights=SMALL, warmup_steps=0, steps=18000,
        batch_size=16, length_buckets=4, lr=5e-4, lr_decay=0.1, ema=0.999, method="mdm-teacher/sized",
        evaluator_steps=600, evaluation_samples=192, lift_samples=32, repeats=2, log_every=50, checkpoint_every=250,
    ),
    "paper": Config(),
    "nba": Config().but(profile="nba", **NBA),
}  # fmt: skip


def profile(name: str, **changes: object) -> Config:
    """The configuration called ``name``, with some settings changed, by their flat names.

    Raises:
        ValueError: no such profile or setting, or a value that no run can have.
    """
    if name not in PROFILES:
        raise ValueError(f"profile is {name!r}, expected one of {', '.join(PROFILES)}")
    return PROFILES[name].but(**changes)
