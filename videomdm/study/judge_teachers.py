"""Judge teachers where they never learned: ``python -m videomdm.study.judge_teachers --data DATA``.

Every set of weights that the package holds (and folders of others) side by side in one run: on filmed motion capture
of other actors, on the built-in corpus' other family, on a real trial with 3-D truth, and against the detector's own
3-D on videos of real people.  Choices are made with ``--split val``; ``--split test`` is read once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from videomdm import cameras, programs
from videomdm.data import cmu_actors, observations, procedural, recordings, sources
from videomdm.data.corpus import Corpus
from videomdm.data.recordings.rendering import landmarks
from videomdm.evaluation import pose, real_people, teachers
from videomdm.lifters import teacher
from videomdm.lifters.weight_sets import SETS, WeightSet
from videomdm.skeletons.definitions import BLAZEPOSE33, HALPE26, SMPL22, Skeleton
from videomdm.storage.files import write_json
from videomdm.storage.progress import Bar
from videomdm.study import results
from videomdm.videos.heights import to_height

PROGRAM = "python -m videomdm.study.judge_teachers"
FRAMES = 48  # of bandai's clips, as in the study
CLIPS = 128  # of the built-in corpus
#: The trial: its cameras, field of view (degrees) and the person's height (metres), and whose keypoints.
BALANCE_CAMERAS, BALANCE_VIEW, BALANCE_HEIGHT = (1, 3), real_people.BALANCE["field_of_view"], real_people.HEIGHT
BALANCE_KEYPOINTS = ("blazepose", "openpose", "projected_truth")
SIDES = ("right", "left")
LIMBS = tuple(f"{s}_{j}" for s in SIDES for j in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"))
VIDEOS = ("keypoints/lateral_raise", "keypoints/sit_walk", "walk_park")
STANDING = {"knee": 145.0, "hip": 155.0}  # degrees of both sides from which the detector's 3-D stands


def filmed(weights: WeightSet, corpus: Corpus, seed: int = 0) -> dict[str, float]:
    """Errors (:func:`videomdm.evaluation.teachers.report`) on clips that random cameras filmed, exact keypoints.

    With those of the root as the trajectory network places it, ``network_root`` and ``network_drift`` in mm, and
    ``reprojection`` of both paths in thousandths of the focal length.
    """
    footage = observations.film(corpus, seed)
    lifted = weights.lifter().lift(footage.keypoints, footage.confidence, footage.lengths)
    found: dict[str, float] = {}
    for prefix, path in (("", "bones"), ("network_", weights.trajectory())):
        placed = teacher.place(lifted, footage, root_path=path)
        errors = teachers.report(placed, corpus.joints, corpus.lengths, corpus.fps)
        off = cameras.reprojection_error(footage.camera, placed, footage.keypoints, footage.lengths).mean()
        errors["reprojection"] = round(1000 * float(off), 3)
        found |= {prefix + name: value for name, value in errors.items() if not prefix or name in NETWORK}
    return found


NETWORK = ("mpjpe_absolute", "root", "drift", "reprojection")  # what the trajectory network changes


def balance(weights: WeightSet, folder: Path) -> dict[str, float]:
    """Errors in mm on the trial, camera by camera and by whose keypoints: 12 limb joints about the hips' middle.

    Field of view and height are given.  ``<keypoints>_cam<k>_mpjpe``, ``_pa_mpjpe`` and the means over cameras;
    ``_lean`` is how many degrees the trunk (hips' middle to shoulders') points off the truth's.  SMPL's hips lie inside
    those that detectors, and so the truth, know: ``_landmarks_mpjpe`` and ``_landmarks_pa_mpjpe`` are of the landmarks
    of the same bodies (:func:`videomdm.data.recordings.rendering.landmarks`).
    """
    found: dict[str, float] = {}
    for source in BALANCE_KEYPOINTS:
        errors = []
        for camera in BALANCE_CAMERAS:
            track, _, _ = recordings.load_one(folder / f"cam{camera:02d}_{source}.npz", intrinsics=BALANCE_VIEW)
            lifted = _in_camera(weights, track, BALANCE_HEIGHT)
            truth = _truth(folder, camera, track.start + torch.arange(len(track)) / track.fps)
            own = lifted[:, [SMPL22.index(joint) for joint in LIMBS]]
            seen = landmarks(lifted)[:, [HALPE26.index(joint) for joint in LIMBS]]
            one = {name: float(value) for name, value in _limb_errors(own, truth).items()}
            one |= {f"landmarks_{k}": float(v) for k, v in _limb_errors(seen, truth).items() if k.endswith("mpjpe")}
            found |= {f"{source}_cam{camera}_{name}": value for name, value in one.items()}
            errors.append(one)
        found |= {f"{source}_{name}": sum(e[name] for e in errors) / len(errors) for name in errors[0]}
    return {name: round(value, 2) for name, value in found.items()}


def _limb_errors(own: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Of limbs (T, 12, 3) in a camera's axes: root-aligned and after Procrustes in mm, the trunk's lean in degrees."""
    hips, shoulders = ([LIMBS.index(f"{s}_{j}") for s in SIDES] for j in ("hip", "shoulder"))
    centred = [x - x[:, hips].mean(1, keepdim=True) for x in (own, truth)]
    lengths = torch.tensor([len(own)])
    trunks = [normalize(x[:, shoulders].mean(1), dim=-1) for x in centred]
    lean = torch.rad2deg(torch.acos((trunks[0] * trunks[1]).sum(-1).clamp(-1, 1))).mean()
    return {
        "mpjpe": pose.mpjpe(*(x[None] for x in centred), lengths).mean(),
        "pa_mpjpe": pose.pa_mpjpe(*(x[None] for x in centred), lengths).mean(),
        "lean": lean,
    }


def _truth(folder: Path, camera: int, seconds: Tensor) -> Tensor:
    """The trial's true limbs (T, 12, 3) at some seconds, in a camera's axes, metres; linear between frames."""
    order = [real_people.LIMBS.index(joint) for joint in LIMBS]
    return real_people.balance(folder, camera).at(seconds)[:, order]


def standing(weights: WeightSet, folder: Path) -> dict[str, float]:
    """Median knee and hip angles (degrees, both sides) of people who stand in videos, beside BlazePose's own 3-D's.

    Both of landmarks: SMPL's hips are so narrow that even a straight body bends there.
    Frames in which BlazePose's 3-D stands (``STANDING``) count.  ``<video>_knee``, ``<video>_knee_blazepose``
    and so on.
    """
    found: dict[str, float] = {}
    for video in VIDEOS:
        track, _, _ = recordings.load_one(folder / f"{video}.npz")
        lifted = _in_camera(weights, track, None)
        world = np.load(folder / f"{video}_blazepose_world.npz")
        seconds = track.start + np.arange(len(track)) / track.fps
        nearest = np.abs(world["times"][:, None] - seconds).argmin(0)
        theirs = angles(torch.from_numpy(world["world"][nearest]), BLAZEPOSE33)
        ours = angles(landmarks(lifted), HALPE26)
        upright = torch.stack([(theirs[name] > least).all(-1) for name, least in STANDING.items()]).all(0)
        upright &= torch.from_numpy(world["visibility"][nearest].min(-1) > 0) & ~track.filled
        name = video.rpartition("/")[2]
        for joint in STANDING:
            found[f"{name}_{joint}"] = float(ours[joint][upright].median())
            found[f"{name}_{joint}_blazepose"] = float(theirs[joint][upright].median())
        found[f"{name}_frames"] = float(upright.sum())
    return {name: round(value, 2) for name, value in found.items()}


def angles(joints: Tensor, skeleton: Skeleton) -> dict[str, Tensor]:
    """Degrees (..., 2), right and left, between thigh and shin at the ``knee``, trunk side and thigh at the ``hip``."""

    def at(names: Sequence[str]) -> Tensor:
        return torch.stack([joints[..., [skeleton.index(f"{side}_{n}") for side in SIDES], :] for n in names])

    found = {}
    for joint, chain in (("knee", ("hip", "knee", "ankle")), ("hip", ("shoulder", "hip", "knee"))):
        a, b, c = at(chain)
        cosine = (normalize(a - b, dim=-1) * normalize(c - b, dim=-1)).sum(-1)
        found[joint] = torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
    return found


def _in_camera(weights: WeightSet, track: recordings.KeypointTrack, height: float | None) -> Tensor:
    """A recording's motion (T, 22, 3) in its camera's axes, metres."""
    seen = recordings.footage([track])
    lifted = teacher.estimate(seen, weights.lifter(), progress=False)
    if height is not None:
        lifted = to_height(lifted, seen.camera, height, seen.lengths)
    return seen.camera.to_camera(lifted)[0]


def judges(data: Path, split: str) -> dict[str, Callable[[WeightSet], dict[str, float]]]:
    """What is measured, by name, of a split: ``"val"`` for choices, ``"test"`` once."""

    def corpus(name: str) -> Corpus:
        if name == "cmu":
            return sources.canonical(cmu_actors.load(data / "cmu", split))
        if name == "bandai":
            return sources.load("bandai", data / "bandai", split, FRAMES)
        return procedural.generate(CLIPS, 1 if split == "test" else 2, family="prior")

    found = {name: (lambda w, name=name: filmed(w, corpus(name))) for name in ("cmu", "bandai", "procedural")}
    if split == "test":
        found["balance"] = lambda w: balance(w, data / "real" / "balance")
        found["standing"] = lambda w: standing(w, data / "real")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Judge every set of weights and write its file, ``<out>/teachers/NAME-SPLIT.json``."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open data: cmu, bandai, real")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of results")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS), help="which of the package's")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="folders of weights that are not shipped")
    args = parser.parse_args(arguments)

    sets = [*(SETS[name] for name in args.sets), *(WeightSet(folder.name, folder) for folder in args.also)]
    for weights in sets:
        started, metrics = time.monotonic(), {}
        for judge, measure in Bar(judges(args.data, args.split).items(), weights.name):
            metrics |= {f"{judge}_{name}": value for name, value in measure(weights).items()}
        write_json(path(args.out, weights, args.split), row(weights, args.split, metrics, time.monotonic() - started))
        print(weights.name, json.dumps(metrics, indent=1), flush=True)


def path(out: Path, weights: WeightSet, split: str) -> Path:
    """The file of one result."""
    return out / "teachers" / f"{weights.name}-{split}.json"


def row(weights: WeightSet, split: str, metrics: dict[str, float], seconds: float) -> dict:
    """One result, with the keys of all results."""
    return {
        "study": "teachers", "data": split, "method": f"teacher-{weights.name}", "profile": "full", "seed": 0,
        "command": f"{PROGRAM} --data $VIDEOMDM_DATA --split {split}",
        "weights": teacher.version("network", weights), "trained_on": weights.trained_on, **results.provenance(),
        "seconds": round(seconds, 1), "metrics": metrics,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
