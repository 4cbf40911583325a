"""Run named methods on a corpus and keep what they measured: ``python -m videomdm.study``.

Every method is a run of its own and leaves one JSON; one that is there is not run again, one that was killed is
resumed from its last checkpoint.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from videomdm import programs, train
from videomdm.allowed import EVALUATION_SPLITS, PRECISIONS
from videomdm.config import DEFAULTS, Config
from videomdm.conventions import LIFTERS, ROOT_PATHS, SKELETONS
from videomdm.evaluation import protocol
from videomdm.methods import METHODS
from videomdm.methods import ROWS as METHOD_ROWS
from videomdm.parameters import argument
from videomdm.study import results
from videomdm.train import observe

PROGRAM = "python -m videomdm.study"
log = logging.getLogger(__name__)
ROWS = ("real", "teacher", *METHODS)
_BOUNDS = ("real", "teacher", "mdm-3d", "mdm-teacher")
LOGGED = ("fid", "lift_truth_mpjpe", "seen_mpjpe", "held_out_mpjpe", "held_out_acceleration_error")
#: The studies of the book and their rows, in the order in which they run; any other name takes all rows.
STUDIES = {
    "first-light": (*_BOUNDS, "videomdm", "videomdm-frame", "videomdm-pnp", "videomdm/round-1"),
    "samplers-ddpm": ("real", "mdm-teacher", "videomdm"),
    "table1": (*_BOUNDS, "mdm-2d", "videomdm", "videomdm-frame", "videomdm-pnp"),
    "ablations": ("real", "mdm-teacher", "videomdm", *METHOD_ROWS["ablations"]),
    "sweeps": ("real", "mdm-teacher", "videomdm", *METHOD_ROWS["sweeps"]),
    "diversity": ("real", "mdm-3d", "mdm-teacher", "videomdm", "videomdm/teacher-above"),
    "controls": (
        *_BOUNDS, "mdm-teacher/sized", "mdm-teacher/error-0.5", "videomdm-pnp", "videomdm-pnp/sized",
        *METHOD_ROWS["controls"],
    ),
    "gap": ("real", "teacher", "mdm-3d", "videomdm", "videomdm-pnp", *METHOD_ROWS["gap"]),
}  # fmt: skip


#: From a configuration, a row and, where it is a method, its run folder to metrics.
Evaluation = Callable[[Config, str, Path | None], Mapping[str, object]]


def run(config: Config, row: str, study: str, folder: Path, command: str, evaluate: Evaluation) -> Path:
    """Train (where the row is a method), evaluate, and write the result; returns its file."""
    path = results.path(folder, study, config, row)
    if results.holds(path, config):
        return path
    fitted = train.fit(config) if row in METHODS else None
    seconds = train.seconds(config) if fitted else 0.0
    metrics = evaluate(config, row, fitted)
    log.info("%s: %s", row, {k: v for k, v in metrics.items() if k in LOGGED})
    return results.write(folder, study, config, command, seconds, metrics, row)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study, and return the exit status (:mod:`videomdm.programs`)."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    add_arguments(parser)
    programs.add_debug(parser)
    return programs.main(lambda given: conduct(parser.parse_args(given)), PROGRAM, arguments)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of a study, for :func:`conduct`."""
    parser.add_argument("study", help="name of the study: a folder in results/")
    parser.add_argument("--rows", nargs="+", choices=ROWS, metavar="ROW")
    parser.add_argument("--profile", default="study")
    parser.add_argument("--data", default="procedural")
    parser.add_argument("--data-root")
    parser.add_argument("--root-path", default="bones", choices=ROOT_PATHS, help="of the teacher")
    parser.add_argument(
        "--lifter", default=DEFAULTS.data.lifter, metavar="LIFTER",
        help=f"the teacher's weights: {', '.join(LIFTERS)}, or the file of an ElePose network",
    )  # fmt: skip
    parser.add_argument("--skeleton", default=DEFAULTS.data.skeleton, choices=SKELETONS, help="whose bones people have")
    parser.add_argument("--seed", type=argument(int), default=0)
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument(
        "--protocol", default="", choices=["", *protocol.PROTOCOLS], help="the profile's own by default"
    )
    parser.add_argument("--sampler", default="", choices=["", "ddpm", "ddim"], help="as trained by default")
    parser.add_argument(
        "--evaluation-split",
        default=DEFAULTS.evaluation.split,
        choices=EVALUATION_SPLITS,
        help="val where something is chosen",
    )
    parser.add_argument("--evaluator", help="folder of HumanML3D's published evaluator, the first evaluator")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.set_defaults(default_of=parser.get_default)


def conduct(given: argparse.Namespace) -> None:
    """Run the rows of a study that have no result yet."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    command = f"{PROGRAM} {given.study} --profile {given.profile} --data {given.data}"
    if given.data_root:
        command += " --data-root $VIDEOMDM_DATA/" + Path(given.data_root).name
    names = ("root_path", "lifter", "skeleton", "seed", "precision", "protocol", "sampler", "evaluation_split")
    chosen = {name: getattr(given, name) for name in names}
    told = {name: value for name, value in chosen.items() if name == "seed" or value != given.default_of(name)}
    command += "".join(f" --{name.replace('_', '-')} {value}" for name, value in told.items())
    if given.evaluator:
        command += " --evaluator $VIDEOMDM_DATA/" + Path(given.evaluator).name
    base = train.profile(
        given.profile, data=given.data, data_root=given.data_root, runs=given.runs, evaluator=given.evaluator, **chosen
    )
    log.info("commit %s", results.commit())
    observe.check_lifter(base)  # this and what is measured with, before any training
    protocol.held_out(base)
    if given.evaluator:
        protocol.evaluator(base)
    for row in given.rows or STUDIES.get(given.study, ROWS):
        config = base.but(method=row) if row in METHODS else base
        run(config, row, given.study, given.results, f"{command} --rows {row}", protocol.evaluate)
