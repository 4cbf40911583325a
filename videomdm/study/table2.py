"""Table 2, the paper's second regime: a prior of other motions fine-tuned on videos: ``python -m
videomdm.study.table2``.

A prior learns one corpus (``--source``) as the paper's does HumanML3D, from 2-D.  Then rows fine-tune it on videos of
motions that it never saw (``--data``): Fit3D, or a corpus that is filmed, with a detector's noise.  Every row lifts
the keypoints of the clips that it trained on, as in the paper, and of clips held out, and is compared with motion
capture (:mod:`videomdm.evaluation.videos`).  All rows lift by one sampler, each clip by its caption and without
guidance; both protocols of errors are taken from the same lifted motions.  Rows with a JSON are not run again; killed
ones resume.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from videomdm import programs, sample, study, train
from videomdm.allowed import PRECISIONS
from videomdm.cameras import placement
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.config import Config
from videomdm.conventions import ROOT_PATHS
from videomdm.data import sources
from videomdm.data.corpus import Corpus
from videomdm.evaluation import evaluators, pose, videos
from videomdm.evaluation.measures import mean_interval
from videomdm.features.rays import onto_rays
from videomdm.lifters import teacher, weight_sets
from videomdm.methods import METHODS
from videomdm.sample.prior import Prior
from videomdm.study import results
from videomdm.train import finetune, observe

PROGRAM = "python -m videomdm.study.table2"
#: In the table's order.  ``rays`` is the truth moved onto the keypoints' rays: what the detector's noise alone does to
#: a method that ends on them.  ``prior`` lifts as it came, before any fine-tuning; ``mdm-3d``, fine-tuned on the true
#: motions, shows what 3-D supervision would reach.
ROWS = ("rays", "teacher", "prior", "mdm-3d", "mdm-teacher", "videomdm", "videomdm-pnp", "videomdm-pnp/refined")
SETS = {"seen": "train", "held_out": "test"}
#: Other lifters' errors on the held-out clips, in the lifter's row: how jittery the lifter is decides a ratio.  Beside
#: these there is ``alone`` (:func:`each_frame_alone`).
LIFTERS = {
    "naive": {"root_path": "bones"},
    "frame_by_frame": {"root_path": "bones", "smoothing": 0.0},  # appendix D as it stands: depth from each frame alone
    "trajectory": {"root_path": "network"},
}
NOISES = (0.0, 0.001, 0.004)  # of the detector, for held-out clips, whatever training saw
SWEPT = ("mpjpe", "acceleration_error")


def evaluate(config: Config, row: str, run: Path | None) -> dict[str, object]:
    """All metrics of one row, as [mean, 95 % half-width] over clips.

    For every set the measures of :func:`videomdm.evaluation.videos.errors`, KID and the number of clips:
    ``seen_*`` are of clips that were trained on (from their keypoints), ``held_out_*`` of others, ``new_*`` of
    those of the latter whose kind of action the prior's own corpus lacks, ``noise_<noise>_*`` of the held-out clips as
    a detector of that noise sees them; ``seen_placed_*`` and ``held_out_placed_*`` are of motions whose frames are put
    where their size says (:func:`videomdm.cameras.placement.place`), which the paper does not do.  The lifter's row has
    :data:`LIFTERS` and :func:`each_frame_alone` as ``lifter_*`` as well.
    At most ``config.evaluation.lift_samples`` clips of a set are lifted, evenly spaced.

    Args:
        config: of the fine-tuning.
        row: one of :data:`ROWS`.
        run: the fine-tuned run, where the row is a method.
    """
    source = finetune.config_of(config)
    known = observe.load(source, "train")
    evaluator = evaluators.evaluator(source.but(evaluator_steps=config.evaluation.evaluator_steps), corpus=known)
    prior = None if row in ("rays", "teacher") else sample.load(run or config.start)
    found: dict[str, object] = {}
    for name, split in SETS.items():
        corpus = observe.load(config, split)
        rows = corpus.spaced(config.evaluation.lift_samples)
        truth = corpus.select(rows)

        def lifted(
            config: Config, place: bool = False, corpus: Corpus = corpus, split: str = split, rows: Tensor = rows
        ):
            return motions(config, row, prior, corpus, split, rows, place)

        found[f"{name}_clips"] = len(rows)
        # As the paper lifts comes last: what follows the loop goes on with it.
        for place in (True, False) if row != "rays" else (False,):
            joints, camera, true_camera = lifted(config, place)
            errors = videos.errors(joints, camera, truth, true_camera)
            way = f"{name}_placed" if place else name
            found |= _intervals(errors, way)
            found |= {f"{way}_{key}": value for key, value in videos.kid(joints, truth, evaluator).items()}
    new = torch.tensor([action not in known.actions for action in truth.actions])
    if new.any():
        found |= _intervals({key: value[new] for key, value in errors.items()}, "new") | {"new_clips": int(new.sum())}
    for noise in () if config.data.source in sources.VIDEOS else NOISES:
        joints, camera, true_camera = lifted(config.but(keypoint_noise=noise))
        errors = videos.errors(joints, camera, truth, true_camera)
        found |= _intervals({key: errors[key] for key in SWEPT}, f"noise_{noise:g}")
    return found | (_lifter_metrics(config, corpus, split, rows) if row == "teacher" else {})


def motions(
    config: Config, row: str, prior: Prior | None, corpus: Corpus, split: str, rows: Tensor, place: bool = False
) -> tuple[Tensor, Camera, Camera]:
    """What a row makes of the keypoints of clips: joints (N, T, J, 3), the cameras of their frame, the true ones.

    Rows are given the camera that their method trains with, and the true one otherwise.

    Args:
        config, row: as for :func:`evaluate`.
        prior: lifts, where the row has one.
        corpus, split: all clips of a split: cameras and noise are drawn for all of them, as in training.
        rows: (N,) the clips that are wanted.
        place: put every frame where its size says (:func:`videomdm.cameras.placement.place`).
    """
    filmed = observe.observe(config, corpus, "truth", split).seen
    frames = int(filmed.lengths[rows].max())
    true_camera, true = filmed.camera[rows], corpus.joints[rows, :frames]
    if row == "rays":
        return onto_rays(true, filmed.select(rows, frames)), true_camera, true_camera
    if row == "teacher":
        observed = observe.observe(config, corpus, "teacher", split)
        joints, seen = observed.teacher[rows, :frames], observed.seen.select(rows, frames)
        return placement.place(joints, seen) if place else joints, seen.camera, true_camera
    method = METHODS.get(row)
    observed = observe.observe(config, corpus, (method and method.frame) or "truth", split)
    seen = observed.seen.select(rows, frames)
    how = sample.Lifting(refine=bool(method and method.refine), place=place)
    texts = [observed.captions[i][0] for i in rows.tolist()]
    sampler = config.evaluation.sampler or None
    lifted = sample.lift_footage(prior, seen, how, texts=texts, method=sampler, progress=len(rows) > 1)
    return lifted, seen.camera, true_camera


@dataclass(frozen=True)
class Example:
    """One held-out clip, in the true motion's canonical frame, lifted motions aligned on its first frame.

    Attributes:
        name: of the clip.
        keypoints: (T, J, 3) as the camera sees them: a flat figure facing +Z, of the person's size, on the floor.
        truth: (T, J, 3).
        lifted: row -> (T, J, 3).
        azimuth: degrees by which the camera has walked from +Z towards +X.
    """

    name: str
    keypoints: Tensor
    truth: Tensor
    lifted: dict[str, Tensor]
    azimuth: float


def example(found: Sequence[Mapping], runs: str | Path, row: str = "videomdm") -> Example | None:
    """The held-out clip of the median lifter error, as the lifter and a row make it; None where its run is not there.

    Args:
        found: results of the study.
        runs: the folder of runs, as seen from the repository's root or from the notebooks.
        row: a method.
    """
    keys = [result["config"] for result in found if result["method"] == row]
    folders = (folder for place in (Path(runs), Path("..") / runs) for folder in sorted(place.glob("*")))
    if (run := next((folder for folder in folders if _key(folder) in keys), None)) is None:
        return None
    prior = sample.load(run)
    config, test = prior.config, observe.load(prior.config, "test")
    joints, camera, true_camera = motions(config, "teacher", None, test, "test", torch.arange(len(test)))
    errors = videos.errors(joints, camera, test, true_camera)["mpjpe"]
    chosen = errors.argsort()[[len(errors) // 2]]
    truth, lifted = test.select(chosen), {}
    for name in ("teacher", row):
        joints, camera, true_camera = motions(config, name, prior, test, "test", chosen)
        seen = true_camera.to_world(camera.to_camera(joints))
        lifted[name] = pose.align_first_frame(seen, truth.joints)[0].float()
    depth = true_camera.project(truth.joints)[1][0, 0, 0]
    seen = observe.observe(config, test, "truth", "test").keypoints[chosen][0, : truth.joints.shape[1]]
    flat = torch.nn.functional.pad(seen * depth * torch.tensor([1.0, -1.0]), (0, 1))
    flat[..., 1] -= flat[..., 1].min()
    x, _, z = (true_camera.center[0] - truth.joints[0, 0, 0]).tolist()
    return Example(truth.names[0], flat, truth.joints[0], lifted, math.degrees(math.atan2(x, z)))


def _key(run: Path) -> str | None:
    """The key that results of a finished run have; None for any other folder."""
    try:
        return results.key(sample.load(run).config)
    except (FileNotFoundError, ValueError):
        return None


def _lifter_metrics(config: Config, corpus: Corpus, split: str, rows: Tensor) -> dict[str, object]:
    truth = corpus.select(rows)
    seen = observe.observe(config, corpus, "truth", split).seen.select(rows, truth.joints.shape[1])
    lifted = {name: teacher.estimate(seen, config.data.lifter, **how) for name, how in LIFTERS.items()}
    lifted["alone"] = each_frame_alone(seen, config.data.lifter)
    found = {}
    for name, joints in lifted.items():
        found |= _intervals(videos.errors(joints, seen.camera, truth, seen.camera), f"lifter_{name}")
    return found


def each_frame_alone(seen: Footage, lifter: str) -> Tensor:
    """What a lifter makes of clips whose frames it sees one at a time: no pose knows of another.

    The nearest that there is here to a lifter that nobody made smooth.  The root's depth is smoothed as the naive
    teacher's is; what it is without that is ``frame_by_frame`` in :data:`LIFTERS`.

    Args:
        seen: the clips' keypoints.
        lifter: a set of weights; the network never trained on single frames.

    Returns:
        (C, T, J, 3) metres in the cameras' world, zero past a clip's length.
    """
    network, inside = weight_sets.loaded(lifter)[0], seen.valid
    frames = seen.keypoints[inside][:, None], seen.confidence[inside][:, None]
    pose = seen.keypoints.new_zeros(*seen.keypoints.shape[:-1], 3)
    pose[inside] = network.lift(*frames, torch.ones(len(frames[0]), dtype=torch.long))[:, 0]
    return teacher.place(pose, seen, lifter=lifter)


def _intervals(errors: dict[str, Tensor], name: str) -> dict[str, list[float]]:
    return {f"{name}_{key}": mean_interval(value.tolist()) for key, value in errors.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the table, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Train the prior, then fine-tune and measure every row that has no result yet."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.info("commit %s", results.commit())
    shared = {"runs": given.runs, "root_path": given.root_path, "seed": given.seed, "precision": given.precision}
    source = train.profile(
        given.profile, data=given.source, data_root=given.source_root or given.data_root, method="videomdm", **shared
    )
    source = source.but(steps=given.source_steps or source.optimiser.steps)
    for split in SETS.values():  # what is wrong there, before any training
        observe.load(source.but(data=given.data, data_root=given.data_root), split)
    detector = {} if given.data in sources.VIDEOS else {"keypoint_noise": given.noise, "keypoint_smoothing": True}
    config = train.profile(
        given.profile, data=given.data, data_root=given.data_root, start=str(train.fit(source)), steps=given.steps,
        sampler=given.sampler, **detector, **shared,
    )  # fmt: skip
    config = config.but(evaluator_steps=given.evaluator_steps or config.evaluation.evaluator_steps)
    command = _command(given, source, config)
    for row in given.rows:
        own = config.but(method=row) if row in METHODS else config
        study.run(own, row, given.study, given.results, f"{command} --rows {row}", evaluate)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--study", default="table2", help="name of the study: a folder in results/")
    parser.add_argument("--data", default="bandai-1", help="the videos")
    parser.add_argument("--data-root")
    parser.add_argument("--source", default="bandai-2", help="what the prior learns before")
    parser.add_argument("--source-root", help="the videos' folder by default")
    parser.add_argument("--source-steps", type=int, help="of its 2-D stage; the profile's by default")
    parser.add_argument("--profile", default="study")
    parser.add_argument("--steps", type=int, default=1000, help="batches of fine-tuning")
    parser.add_argument("--evaluator-steps", type=int, help="batches of KID's evaluator; the profile's by default")
    parser.add_argument("--noise", type=float, default=0.0017, help="of the detector, where a corpus is filmed")
    parser.add_argument("--root-path", default="network", choices=ROOT_PATHS, help="of the teacher")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--sampler", default="ddpm", choices=["ddpm", "ddim"], help="of lifting, as in appendix G.2")
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--results", type=Path, default=Path("results"))
    return parser


def _command(given: argparse.Namespace, source: Config, config: Config) -> str:
    """How all rows are made again, wherever the data lie; what profiles decide is spelled out, as they may change."""
    command = (
        f"{PROGRAM} --study {given.study} --data {given.data} "
        f"--source {given.source} --source-steps {source.optimiser.steps} --profile {given.profile} "
        f"--steps {given.steps} --noise {given.noise:g} --root-path {given.root_path} --seed {given.seed} "
        f"--precision {given.precision} --sampler {given.sampler} "
        f"--evaluator-steps {config.evaluation.evaluator_steps}"
    )
    for name in ("data_root", "source_root"):
        if root := getattr(given, name):
            command += f" --{name.replace('_', '-')} $VIDEOMDM_DATA/{Path(root).name}"
    return command


if __name__ == "__main__":
    sys.exit(main())
