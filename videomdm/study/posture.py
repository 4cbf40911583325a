"""Measure how people in a corpus hold themselves: ``python -m videomdm.study.posture NAME --data SOURCE``.

One small file for each corpus, with quantiles of its joints' angles, speeds, symmetry and proportions
(:mod:`videomdm.evaluation.posture`)::

    python -m videomdm.study.posture teacher --family teacher
    python -m videomdm.study.posture cmu --data humanml3d --data-root $VIDEOMDM_DATA/cmu
    python -m videomdm.study.posture clip --data humanml3d --clip $VIDEOMDM_DATA/humanml3d_sample/new_joints/012314.npy
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from videomdm import programs
from videomdm.config import STAGES, Data
from videomdm.conventions import MAX_FRAMES, SPLITS
from videomdm.data import procedural, sources
from videomdm.data.corpus import check_joints
from videomdm.evaluation import posture
from videomdm.skeletons.definitions import SMPL22
from videomdm.storage.arrays import read_npy
from videomdm.storage.files import write_json
from videomdm.study import results

PROGRAM = "python -m videomdm.study.posture"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one corpus, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Measure one corpus, write ``<results>/posture/NAME.json`` and print which file that is."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("name", help="of the result")
    parser.add_argument("--data", default="procedural", help="a source of videomdm.data.sources")
    parser.add_argument("--data-root", help="its folder")
    parser.add_argument("--clip", type=Path, help="a file of joints (T, 22, 3) in place of a corpus")
    parser.add_argument("--family", default="prior", choices=list(procedural.FAMILIES), help="of the built-in corpus")
    parser.add_argument("--clips", type=int, default=2000, help="size of the built-in corpus")
    parser.add_argument("--results", type=Path, default=Path("results"))
    args = parser.parse_args(arguments)

    started = time.monotonic()
    joints, lengths = _clips(args)
    result = {
        "study": "posture", "data": args.data, "method": args.name, "profile": "", "seed": 0,
        **Data(source=args.data).stages(STAGES), "clips": len(lengths),
        "command": _command(args),
        **results.provenance(),
        "metrics": posture.distributions(joints, lengths),
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    target = args.results / "posture" / f"{args.name}.json"
    write_json(target, result)
    print(target)


def _clips(args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Joints (N, T, 22, 3) and lengths (N,) of all splits."""
    if args.clip:
        joints = check_joints(read_npy(args.clip, "joints (T, 22, 3)"), args.clip.name, SMPL22)
        return joints[None], torch.tensor([len(joints)])
    if args.data == "procedural":
        corpora = [procedural.generate(args.clips, family=args.family)]
    else:
        corpora = [sources.load(args.data, args.data_root, split, MAX_FRAMES, on_error="skip") for split in SPLITS]
    longest = max(corpus.joints.shape[1] for corpus in corpora)
    joints = [torch.nn.functional.pad(c.joints, (0, 0, 0, 0, 0, longest - c.joints.shape[1])) for c in corpora]
    return torch.cat(joints), torch.cat([corpus.lengths for corpus in corpora])


def _command(args: argparse.Namespace) -> str:
    """How the result was made, without the places of files."""
    own = ["--family", args.family, "--clips", str(args.clips)] if args.data == "procedural" else []
    clip = ["--clip", args.clip.name] if args.clip else []
    return f"{PROGRAM} {shlex.join([args.name, '--data', args.data, *own, *clip])}"


if __name__ == "__main__":
    sys.exit(main())
