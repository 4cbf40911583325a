"""Table 2, the paper's second regime: a prior of other motions fine-tuned on videos: ``python -m videomdm.table2``.

A prior learns one corpus (``--source``) as the paper's does HumanML3D, from 2-D.  Then rows fine-tune it on videos of
motions that it never saw (``--data``): Fit3D, or a corpus that is filmed, with a detector's noise.  Every row lifts
the keypoints of the clips that it trained on, as in the paper, and of clips held out, and is compared with motion
capture (:mod:`videomdm.evaluation.videos`).  Rows with a JSON are not run again; killed ones resume.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from videomdm import features, prepare, results, sample, start, study, train
from videomdm.cameras import Camera
from videomdm.config import METHODS, PRECISIONS, TEACHERS, Config
from videomdm.data import sources
from videomdm.data.corpus import Corpus
from videomdm.evaluation import judges, videos
from videomdm.lifters import teacher
from videomdm.results import mean_interval
from videomdm.sample import Prior

#: In the table's order.  ``rays`` is the truth moved onto the keypoints' rays: what the detector's noise alone does to
#: a method that ends on them.  ``prior`` lifts as it came, before any fine-tuning.
ROWS = ("rays", "teacher", "prior", "mdm-teacher", "videomdm", "videomdm-pnp", "videomdm-pnp/refined")
SETS = {"seen": "train", "held_out": "test"}
#: Other lifters' errors on the held-out clips, in the lifter's row: how jittery the lifter is decides a ratio.
LIFTERS = {
    "naive": {"root": "naive"},
    "frame_by_frame": {"root": "naive", "smoothing": 0.0},  # appendix D as it stands: depth from each frame alone
    "trajectory": {"root": "trajectory"},
}
NOISES = (0.0, 0.001, 0.002, 0.004)  # of the detector, for held-out clips, whatever training saw
SWEPT = ("mpjpe", "acceleration_error")


def evaluate(config: Config, row: str, run: Path | None) -> dict[str, object]:
    """All metrics of one row, as [mean, 95 % half-width] over clips.

    For every set the measures of :func:`videomdm.evaluation.videos.errors`, KID and the number of clips:
    ``seen_*`` are of the clips that were trained on (from their keypoints), ``held_out_*`` of others, ``new_*`` of
    those of the latter whose kind of action the prior's own corpus lacks, ``noise_<noise>_*`` of the held-out clips as
    a detector of that noise sees them.  The lifter's row has :data:`LIFTERS` as ``lifter_*`` as well.

    Args:
        config: of the fine-tuning.
        row: one of :data:`ROWS`.
        run: the fine-tuned run, where the row is a method.
    """
    source = start.config_of(config)
    known, judge = prepare.load(source, "train"), judges.judge(source)
    prior = None if row in ("rays", "teacher") else sample.load(run or config.start)
    found: dict[str, object] = {}
    for name, split in SETS.items():
        truth = prepare.load(config, split)
        lifted, camera, true_camera = motions(config, row, prior, truth, split)
        errors = videos.errors(lifted, camera, truth, true_camera)
        found |= _intervals(errors, name) | {f"{name}_clips": len(truth)}
        found |= {f"{name}_{key}": value for key, value in videos.kid(lifted, truth, judge).items()}
    new = torch.tensor([action not in known.actions for action in truth.actions])
    if new.any():
        found |= _intervals({key: value[new] for key, value in errors.items()}, "new") | {"new_clips": int(new.sum())}
    for noise in () if config.data in sources.VIDEOS else NOISES:
        noisy = config.but(keypoint_noise=noise)
        lifted, camera, true_camera = motions(noisy, row, prior, truth, split)
        errors = videos.errors(lifted, camera, truth, true_camera)
        found |= _intervals({key: errors[key] for key in SWEPT}, f"noise_{noise:g}")
    return found | (_of_lifters(config, truth, split) if row == "teacher" else {})


def motions(config: Config, row: str, prior: Prior | None, truth: Corpus, split: str) -> tuple[Tensor, Camera, Camera]:
    """What a row makes of the keypoints of clips: joints (N, T, J, 3), the cameras of their frame, the true ones.

    Rows are given the camera that their method trains with, and the true one otherwise.
    """
    filmed = prepare.observe(config, truth, "truth", split)
    if row == "rays":
        onto = filmed.camera.project_to_rays(truth.joints, filmed.keypoints)
        return features.hold_last(onto, filmed.lengths), filmed.camera, filmed.camera
    if row == "teacher":
        seen = prepare.observe(config, truth, "teacher", split)
        return seen.teacher, seen.camera, filmed.camera
    method = METHODS.get(row)
    seen = prepare.observe(config, truth, (method and method.frame) or "truth", split)
    lifted = sample.lift(
        prior, seen.keypoints, seen.camera, seen.confidence, seen.lengths, texts=[c[0] for c in seen.captions],
        refine=bool(method and method.refine), progress=True,
    )  # fmt: skip
    return lifted, seen.camera, filmed.camera


def _of_lifters(config: Config, truth: Corpus, split: str) -> dict[str, object]:
    seen = prepare.observe(config, truth, "truth", split)
    found = {}
    for name, how in LIFTERS.items():
        lifted = teacher.lift(seen.keypoints, seen.confidence, seen.lengths, seen.camera, **how)
        found |= _intervals(videos.errors(lifted, seen.camera, truth, seen.camera), f"lifter_{name}")
    return found


def _intervals(errors: dict[str, Tensor], name: str) -> dict[str, list[float]]:
    return {f"{name}_{key}": mean_interval(value.tolist()) for key, value in errors.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m videomdm.table2", description=__doc__)
    parser.add_argument("--data", default="bandai-1", help="the videos")
    parser.add_argument("--data-root")
    parser.add_argument("--source", default="bandai-2", help="what the prior learns before")
    parser.add_argument("--source-root", help="the videos' folder by default")
    parser.add_argument("--source-steps", type=int, help="of its 2-D stage; the profile's by default")
    parser.add_argument("--profile", default="study")
    parser.add_argument("--steps", type=int, default=1000, help="batches of fine-tuning")
    parser.add_argument("--noise", type=float, default=0.0017, help="of the detector, where a corpus is filmed")
    parser.add_argument("--teacher", default="trajectory", choices=TEACHERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.info("commit %s", results.commit())
    shared = {"runs": given.runs, "teacher": given.teacher, "seed": given.seed, "precision": given.precision}
    source = train.profile(
        given.profile, data=given.source, data_root=given.source_root or given.data_root, method="videomdm", **shared
    )
    source = source.but(steps=given.source_steps or source.steps)
    detector = {} if given.data in sources.VIDEOS else {"keypoint_noise": given.noise, "keypoint_smoothing": True}
    config = train.profile(
        given.profile, data=given.data, data_root=given.data_root, start=str(train.fit(source)), steps=given.steps,
        **detector, **shared,
    )  # fmt: skip
    command = (
        f"python -m videomdm.table2 --data {given.data} --source {given.source} --source-steps {source.steps} "
        f"--profile {given.profile} "
        f"--steps {given.steps} --noise {given.noise:g} --teacher {given.teacher} --seed {given.seed} "
        f"--precision {given.precision}"
    )
    for name in ("data_root", "source_root"):
        if root := getattr(given, name):
            command += f" --{name.replace('_', '-')} $VIDEOMDM_DATA/{Path(root).name}"
    for row in given.rows:
        own = config.but(method=row) if row in METHODS else config
        study.run(own, row, "table2", given.results, f"{command} --rows {row}", evaluate)


if __name__ == "__main__":
    main()
