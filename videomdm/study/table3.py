"""Table 3, the paper's third regime: motions without texts from pictures alone: ``python -m videomdm.study.table3``.

A corpus is filmed as MAS's basketball players were (``--base``), or is theirs (``--data nba``).  ElePose learns to lift
from its pictures, a 2-D motion VAE learns to judge them, and every row is compared with the test split's pictures
(:mod:`videomdm.evaluation.unconditional`).  Rows with a JSON are not run again; killed ones resume.

A corpus has one teacher and one judge, for all seeds: ``--seed`` is that of the priors.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from videomdm import programs, sample, settings, study, train
from videomdm.config import NBA, Config
from videomdm.conventions import STUDY_LIFTER
from videomdm.data import nba
from videomdm.data.tracks import Tracks
from videomdm.evaluation import pose
from videomdm.evaluation.unconditional import AZIMUTHS, PROTOCOLS, Motions, PlanarEvaluator, evaluate
from videomdm.methods import METHODS
from videomdm.storage.cache import cached_tensors
from videomdm.storage.files import digest
from videomdm.study import train_elepose, train_motion_vae
from videomdm.train import observe, provenance

PROGRAM = "python -m videomdm.study.table3"
#: In the table's order: the training pictures themselves, two lifters' motions of them, MAS, plain MDM on ElePose's
#: motions, VideoMDM with ElePose as the teacher, and one round of it: plain MDM on the motions that it lifted.
ROUND = "videomdm-frame/round-1-assumed"
ROWS = ("training-data", "elepose", "package", "mdm-2d", "mdm-teacher", "videomdm-frame", ROUND)
REGIME = {name: NBA[name] for name in ("text", "guidance", "tau", "weights")}

#: The number of a repeat and lengths (N,) -> N motions.
Source = Callable[[int, Tensor], Motions]


def configuration(sizes: Config, budget: str, /, **changes: object) -> Config:
    """The configuration of the table's rows, with the teacher: ElePose, trained where there is none yet.

    Args:
        sizes: of the model and the batches.
        budget: of the teacher's training, a key of :data:`videomdm.study.train_elepose.BUDGETS`.
        changes: to settings; NBA-like data unless they say otherwise, and another teacher where they name a lifter.
    """
    config = sizes.but(**{"data": "nba-like", "method": "videomdm-frame", **REGIME, **changes})
    if "lifter" in changes:
        return config
    return config.but(lifter=str(elepose(config, observe.tracks(config, "train"), budget)))


def measure(config: Config, row: str, run: Path | None, budget: str, protocol: str) -> dict[str, object]:
    """All metrics of one row, [mean, 95 % half-width] over repeats.

    Args:
        config: of the run.
        row: one of ``ROWS``.
        run: where the row is a method.
        budget: of the judge's training.
        protocol: a key of :data:`videomdm.evaluation.unconditional.PROTOCOLS`.

    Returns:
        The metrics for uniform azimuths by their own names and those for others as ``side_fid`` and so on; for methods
        ``seconds_per_100``, processor time of sampling; for lifters :func:`errors`; for the training data what the
        judge keeps of test clips (:func:`videomdm.study.train_motion_vae.report`), as ``judge_reconstruction`` and so
        on; in words ``protocol``, and ``evaluators``, a digest of the judge.
    """
    pictures, test = (observe.tracks(config, split) for split in ("train", "test"))
    judge, real = evaluator(config, pictures, budget), Motions(test.seen.keypoints, test.lengths)
    spent = {"seconds": 0.0, "motions": 0}
    found: dict[str, object] = {}
    if run is not None:
        source = generated(run, spent, config.evaluation.sampler or None)
    elif row == "training-data":
        source = drawn(Motions(pictures.seen.keypoints, pictures.lengths))
        found |= {f"judge_{name}": value for name, value in train_motion_vae.report(judge, test).items()}
    else:
        lifter = config.data.lifter if row == "elepose" else STUDY_LIFTER
        lifted = observe.centred(config.but(lifter=lifter), pictures).teacher  # faces +Z at first, as generated ones do
        lifted = lifted - lifted[:, :, :1]
        source = drawn(Motions(lifted, pictures.lengths))
        found |= errors(config, lifted)
    make = cache_by_repeat(source)
    for azimuths in AZIMUTHS:
        prefix = "" if azimuths == "uniform" else f"{azimuths}_"
        metrics = evaluate(judge, real, make, protocol, azimuths)
        found |= {f"{prefix}{name}": value for name, value in metrics.items()}
    found |= {"protocol": protocol, "evaluators": digest(*judge.network.state_dict().values())}
    if run is not None:
        found["seconds_per_100"] = 100 * spent["seconds"] / spent["motions"]
    return found


def errors(config: Config, lifted: Tensor) -> dict[str, float]:
    """How far lifted motions (C, T, 16, 3) of the training pictures are off, where the truth is known.

    Returns:
        ``pa_mpjpe``, after Procrustes in each frame, in mm of people of average size, and ``jitter`` in m/s^3 with
        ``true_jitter`` beside it; nothing for NBA.
    """
    if config.data.source != "nba-like":
        return {}
    true = observe.load(config, "train")
    scale = nba.METRES
    return {
        "pa_mpjpe": scale * float(pose.pa_mpjpe(lifted, true.joints, true.lengths)),
        "jitter": scale * float(pose.jitter(lifted, true.fps, true.lengths)),
        "true_jitter": scale * float(pose.jitter(true.joints, true.fps, true.lengths)),
    }


def drawn(motions: Motions) -> Source:
    """Motions that are there; each repeat draws its own."""

    def draw(repeat: int, lengths: Tensor) -> Motions:
        return motions.draw(len(lengths), torch.Generator().manual_seed(repeat))

    return draw


def generated(run: Path, spent: dict[str, float] | None = None, method: str | None = None) -> Source:
    """Motions that a run's prior generates, by ``method`` of :func:`videomdm.sample.generate`.

    They are kept in the run's folder, with the seconds that they took.  Adds up seconds and motions in ``spent``, where
    it is given.
    """
    prior, weights = sample.load(run), run / "weights.safetensors"

    def generate(repeat: int, lengths: Tensor) -> Motions:
        lengths = lengths.clamp(max=prior.config.data.max_frames - 1)

        def make() -> dict[str, Tensor]:
            started = time.process_time()
            joints = sample.generate(prior, [""] * len(lengths), lengths, method=method, seed=repeat)
            return {"joints": joints, "seconds": torch.tensor(time.process_time() - started)}

        name = f"unconditional-{digest(weights, lengths, method, repeat)}.safetensors"
        made = cached_tensors(run / "evaluation" / name, make)
        if spent is not None:
            spent["seconds"] += float(made["seconds"])
            spent["motions"] += len(lengths)
        return Motions(made["joints"], lengths)

    return generate


def cache_by_repeat(source: Source) -> Source:
    """The same motions for all azimuths: a repeat asks for the same lengths each time."""
    made: dict[int, Motions] = {}

    def make(repeat: int, lengths: Tensor) -> Motions:
        if repeat not in made:
            made[repeat] = source(repeat, lengths)
        return made[repeat]

    return make


@cache
def _budgets(name: str) -> tuple[train_elepose.Budget, train_motion_vae.Budget]:
    return train_elepose.BUDGETS[name], train_motion_vae.BUDGETS[name]


def elepose(config: Config, pictures: Tracks, budget: str) -> Path:
    """The file of ElePose, trained on the training split's pictures; in the cache, by what it depends on."""
    size = _budgets(budget)[0]
    folder = config.cache / f"elepose-{digest(provenance.pictures(pictures), size)}"
    file = folder / "elepose.safetensors"
    if not file.exists():
        train_elepose.train(pictures.seen, pictures.skeleton, pictures.centred, folder, size, seed=0)
    return file


def evaluator(config: Config, pictures: Tracks, budget: str) -> PlanarEvaluator:
    """The judge, trained on the training split's pictures; in the cache too."""
    size = _budgets(budget)[1]
    folder = config.cache / f"motion-vae-{digest(provenance.pictures(pictures), size)}"
    file = folder / "motion_vae.safetensors"
    return train_motion_vae.load(file) if file.exists() else train_motion_vae.train(pictures, folder, size, seed=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the table, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Train teacher and judge, then train and measure every row that has no result yet."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    changes = settings.changes(given.set)
    data = {"data": given.data, "base": given.base, "data_root": given.data_root, "runs": given.runs}
    observe.tracks(train.profile(given.profile, **data, **changes), "test")  # what is wrong there, before any training
    name = given.study or ("table3" if given.data == "nba" else f"table3-{given.base}")
    base = configuration(train.profile(given.profile), given.budget, **data, seed=given.seed, **changes)
    command = _command(given, name)
    for row in given.rows:
        config = base.but(method=row) if row in METHODS else base
        study.run(
            config, row, name, given.results, f"{command} --rows {row}",
            lambda config, row, run: measure(config, row, run, given.budget, given.protocol),
        )  # fmt: skip
    picture = given.results / name / "reconstructions.svg"
    shown = given.data == "nba-like" and given.base == "procedural"  # motions of other corpora are not ours to show
    if shown and "training-data" in given.rows and not picture.exists():
        judge = evaluator(base, observe.tracks(base, "train"), given.budget)
        train_motion_vae.reconstructions(judge, observe.tracks(base, "test")).savefig(picture, bbox_inches="tight")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--study", help="a folder in results/: table3, or table3-BASE, by default")
    parser.add_argument("--data", default="nba-like", choices=("nba-like", "nba"))
    parser.add_argument("--data-root")
    parser.add_argument("--base", default="procedural", help="the corpus that an NBA-like one films")
    parser.add_argument("--profile", default="laptop")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE",
        help="settings to change, the same for all rows, such as warmup_steps=1500 steps=500",
    )  # fmt: skip
    parser.add_argument("--budget", default="laptop", choices=train_motion_vae.BUDGETS, help="of ElePose and the judge")
    parser.add_argument("--protocol", default="quick", choices=PROTOCOLS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--results", type=Path, default=Path("results"))
    return parser


def _command(given: argparse.Namespace, name: str) -> str:
    """How all rows are made again, wherever the data lie."""
    command = (
        f"{PROGRAM} --study {name} --data {given.data} --base {given.base} --profile {given.profile} "
        f"--budget {given.budget} --protocol {given.protocol} --seed {given.seed}"
    )
    if given.set:
        command += f" --set {' '.join(given.set)}"
    if given.data_root:
        command += f" --data-root $VIDEOMDM_DATA/{Path(given.data_root).name}"
    return command


if __name__ == "__main__":
    sys.exit(main())
