"""Training: plain MDM on 3-D motions, then the 2-D stage of VideoMDM; resumable at any moment.

``python -m videomdm.train`` trains what its arguments describe, ``accelerate launch -m videomdm.train`` on several
devices and machines, each batch spread over them.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from videomdm import losses
from videomdm.config import DEFAULTS, PROFILES, Config, profile
from videomdm.data.observations import Observations
from videomdm.data.shards import Shards
from videomdm.data.tracks import Tracks
from videomdm.methods import METHODS
from videomdm.sample.prior import build_denoiser
from videomdm.storage import checkpoints
from videomdm.storage.cache import one_at_a_time
from videomdm.storage.progress import Bar
from videomdm.train import dataset, distributed, finetune, inputs, observe, rounds, streaming
from videomdm.train.dataset import TrainingSet
from videomdm.train.trainer import Trainer, keep_memory

__all__ = ["METHODS", "PROFILES", "Config", "build_denoiser", "fit", "profile"]

log = logging.getLogger(__name__)

LR_WARMUP = 100  # batches over which the learning rate rises, as the moments of AdamW settle


def fit(config: Config, observations: Observations | Path | None = None) -> Path:
    """Train a prior and return its run folder; a finished run returns at once, a killed one is resumed.

    Where another process is at the same run, it waits for that one to end.

    A run starts from its warm-up, ``warmup_steps`` batches of plain MDM on the same motions: a run of its
    own, shared by all methods on these motions.  A method with a lifter first fits that one and lifts the training
    keypoints with it.  A round is plain MDM on the lifted motions, from scratch for as many batches in all; a 2-D
    stage on lifted motions goes on from the round on the same ones.

    With ``config.start`` a run fine-tunes instead: it goes on from that run's last weights, for ``steps``
    batches and without a warm-up, on features normalised with that run's statistics.

    Args:
        config: everything about the run.
        observations: 2-D data to train on, where they are not to be made from ``config.data.source``; or, with
            ``config.data.shard_clips``, a folder of files that :meth:`Observations.save` wrote.

    Returns:
        The folder, with ``config.json``, ``data.json`` (what it learned from, by :mod:`videomdm.train.inputs`),
        ``log.jsonl``, ``progress.log`` (for people to follow), ``checkpoints/`` and ``weights.safetensors`` (EMA).

    Raises:
        DataError: bad input data, before any training starts, or other data than the run began with.
        FileNotFoundError: ``config.start`` is no finished run.
        RuntimeError: the training diverges; nothing of that is written.
        ValueError: 3-D supervision asked for where only observations are given, or a start of other sizes.
    """
    folder = config.folder
    weights = folder / "weights.safetensors"
    inputs.check(config, observations)
    if weights.exists():
        return folder
    observe.check(config)
    if config.start:
        finetune.check(config)
    with _turn(config):
        if not weights.exists():  # else another process has trained it meanwhile
            _fit(config, observations)
    return folder


@contextmanager
def _turn(config: Config) -> Iterator[None]:
    """A block in which no other program trains this run, and which all processes of this one enter and leave."""
    lock = one_at_a_time(config.cache / f"{config.folder.name}.lock", config.folder)
    with lock if distributed.rank() == 0 else nullcontext():
        distributed.wait()  # for rank 0 to have its turn
        yield
        distributed.wait()  # for rank 0 to have written what others go on from


def _fit(config: Config, observations: Observations | Path | None) -> None:
    folder, data = config.folder, _data(config, observations)
    init = config.start_weights
    if warmup := warmup_of(config):
        init = fit(warmup, observations) / "weights-last.safetensors"
    if distributed.rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(config.to_json())
        inputs.note(config, observations)
    _train(config, data.to(distributed.device()), folder, init)


def warmup_of(config: Config) -> Config | None:
    """The plain MDM run that a method goes on from; all that it ignores is set alike, so that it is shared."""
    if config.start:
        return None
    method = config.recipe
    plain = config.but(method=next(name for name, other in METHODS.items() if other == method.warmup))
    if method.lifter:
        return plain if method.frame else None
    if not config.optimiser.warmup_steps:
        return None
    return plain.but(
        root_path=config.data.root_path if method.motions == "teacher" else "bones",
        steps=config.optimiser.warmup_steps,
        warmup_steps=0,
        lr_decay=1.0,
        weights=losses.Weights(),
        t_star=0,
        n_buckets=DEFAULTS.optimiser.n_buckets,
    )


def _batches(config: Config) -> int:
    """Batches of the run itself: its stage, and for a round the warm-up too, which nothing shares."""
    method = config.recipe
    alone = method.lifter and not method.frame and not config.start
    return config.optimiser.steps + (config.optimiser.warmup_steps if alone else 0)


def _data(config: Config, observations: Observations | Path | None) -> TrainingSet | Shards:
    """What the run's method may see; true 3-D only for 3-D supervision."""
    method = config.recipe
    if method.motions == "truth" and observations is not None:
        raise ValueError(f"method {config.method!r} needs true 3-D motions, but was given 2-D observations")
    if config.data.shard_clips:
        return _streamed(config, observations)
    if isinstance(observations, Path):
        streams = "a configuration with shard_clips of 1 or more"
        expected = streams if observe.streamable(config) else f"observations in memory for method {config.method!r}"
        raise ValueError(f"{observations}: a folder is streamed, expected {expected}")
    if method.motions == "truth":
        with distributed.first():
            return dataset.training_set(config, observe.load(config, "train"))
    if method.motions == "keypoints":
        with distributed.first():
            return dataset.planar_set(config, _pictures(config, observations))
    if observations is None:
        with distributed.first():
            observations = _observed(config)
    if method.lifter:
        lifter = config.but(method=method.lifter)
        run = fit(lifter, observations)
        with distributed.first():
            observations = rounds.lift_observations(run, observations, config.cache, method)
    with distributed.first():
        return dataset.training_set(config, observations)


def _pictures(config: Config, observations: Observations | None) -> Tracks:
    return observe.planar(observations, observations.seen) if observations else observe.tracks(config, "train")


def _observed(config: Config) -> Observations:
    if config.centred:
        return observe.centred(config, observe.tracks(config, "train"))
    return observe.observe(config, observe.load(config, "train"), config.frame)


def _streamed(config: Config, observations: Observations | Path | None) -> Shards:
    if not (method := config.recipe).lifter:
        return streaming.streamed(config, observations)
    return streaming.streamed(config, observations, fit(config.but(method=method.lifter), observations))


def _train(config: Config, data: TrainingSet | Shards, folder: Path, init: Path | None) -> None:
    keep_memory()
    trainer = Trainer(config, data)
    first = 0
    if checkpoint := checkpoints.load_latest(folder / "checkpoints"):
        checkpoint.restore(trainer.parts)
        first = checkpoint.step
    elif init is not None:
        trainer.start_from(init)
    distributed.agree(first, f"{folder}: the step to go on from")
    logfile = _Log(config, first)
    steps = _batches(config)
    writes = distributed.rank() == 0
    bar = Bar(
        total=steps, initial=first, desc=config.method, unit="batch", disable=not writes, log=folder / "progress.log"
    )
    for step in range(first, steps):
        logfile.add(trainer.step(step, learning_rate(config, step)))
        bar.update()
        if (step + 1) % config.log_every == 0 or step + 1 == steps:
            bar.set_postfix({k: f"{v:.4f}" for k, v in logfile.write(step + 1).items()}, refresh=False)
        if (step + 1) % config.checkpoint_every == 0 and step + 1 < steps:
            logfile.write(step + 1)
            state = {name: part.state_dict() for name, part in trainer.parts.items()}
            _check_finite(config, step + 1, state["model"])
            if writes:
                checkpoints.save(folder / "checkpoints", step + 1, state)
    bar.close()
    weights = {"weights-last": trainer.model.state_dict(), "weights": trainer.average.state_dict()}
    _check_finite(config, steps, weights["weights-last"])
    if writes:
        _write_weights(config, data, folder, weights)


def _write_weights(config: Config, data: TrainingSet | Shards, folder: Path, weights: dict[str, dict]) -> None:
    """The run's result: the averaged weights, which are sampled, and the last ones, which training goes on from."""
    about = {"config": config.to_json(), "skeleton": data.skeleton.name, "fps": data.fps}
    if config.recipe.motions == "keypoints":
        about["views"] = asdict(data.views)
    statistics = {"normaliser.mean": data.normaliser.mean, "normaliser.std": data.normaliser.std}
    for name, state in weights.items():
        checkpoints.write_tensors(folder / f"{name}.safetensors", {**state, **statistics}, about)


def _check_finite(config: Config, step: int, values: Mapping[str, Tensor | float]) -> None:
    """Raises ``RuntimeError`` where a loss or weights are NaN or infinite; waits for the device."""
    for name, value in values.items():
        value = torch.as_tensor(value)
        if not (finite := value.isfinite()).all():
            raise RuntimeError(
                f"{config.folder}: the {name} is {value[~finite][0]} at batch {step} of {_batches(config)}, "
                f"expected a finite one: a lower learning rate (lr is {config.optimiser.lr})?"
            )


def learning_rate(config: Config, step: int) -> float:
    """Linear rise, then a cosine from ``lr`` to ``lr_decay * lr`` over the last ``steps`` batches."""
    rise = min(1.0, (step + 1) / LR_WARMUP)
    progress = max(0, step - (_batches(config) - config.optimiser.steps)) / config.optimiser.steps
    cosine = (1 + math.cos(math.pi * progress)) / 2
    return config.optimiser.lr * rise * (config.optimiser.lr_decay + (1 - config.optimiser.lr_decay) * cosine)


def history(config: Config) -> list[dict]:
    """The log of a run, finished or not, after that of its warm-up: steps counted on, each row with its ``stage``."""
    rows = []
    if warmup := warmup_of(config):
        rows = [{**row, "stage": "warm-up"} for row in history(warmup)]
    done = rows[-1]["step"] if rows else 0
    own = _rows(config.folder / "log.jsonl")
    return rows + [{**row, "step": done + row["step"], "stage": config.method} for row in own]


def _rows(path: Path) -> list[dict]:
    """The lines of a log; those that a kill cut, or that are damaged, are left out with a warning."""
    rows = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines() if path.exists() else [], 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict) and {"step", "seconds"} <= row.keys():
            rows.append(row)
        else:
            log.warning("%s: line %d is damaged, leaving it out: %.40r", path, number, line)
    return rows


def seconds(config: Config) -> float:
    """Training time of a run and its warm-up, without the pauses between being killed and resumed."""
    last = {row["stage"]: row["seconds"] for row in history(config)}
    return sum(last.values())


class _Log:
    """Means of the loss terms and the time spent, a JSON line every ``log_every`` batches, written by rank 0.

    Lines past the step that a run is resumed from are dropped.
    """

    def __init__(self, config: Config, start: int) -> None:
        self.config, self.path = config, config.folder / "log.jsonl"
        self.sums, self.counts, self.began = {}, Counter(), time.monotonic()
        if distributed.rank():
            return
        kept = [row for row in _rows(self.path) if row["step"] <= start]
        self.path.write_text("".join(json.dumps(row) + "\n" for row in kept))
        if kept:
            self.began -= kept[-1]["seconds"]

    def add(self, parts: dict[str, Tensor]) -> None:
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.counts.update(parts.keys())  # not every batch has every term

    def write(self, step: int) -> dict[str, float]:
        """All processes call it together; raises ``RuntimeError`` where the loss is not finite."""
        if not self.counts:
            return {}
        means = {name: float(value) / self.counts[name] for name, value in distributed.mean(self.sums).items()}
        _check_finite(self.config, step, {"loss": means["loss"]})
        if distributed.rank() == 0:
            with self.path.open("a") as file:
                seconds = round(time.monotonic() - self.began, 2)
                file.write(json.dumps({"step": step, "seconds": seconds, **means}) + "\n")
        self.sums, self.counts = {}, Counter()
        return means
