"""Lift real recordings and measure how steady they are: ``python -m videomdm.study.recordings RUN FILE...``.

For each recording, of the teacher's and of the prior's motion: size and lean over the recording
(:func:`videomdm.evaluation.posture.steadiness`), what is known without the truth
(:func:`videomdm.evaluation.lifting.without_truth`), and the median knees and hips of standing frames::

    python -m videomdm.study.recordings RUN $VIDEOMDM_DATA/real/keypoints/sit_walk.npz
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from videomdm import programs, sample, videos
from videomdm.data import recordings
from videomdm.evaluation import posture
from videomdm.storage.files import write_json
from videomdm.study import results

PROGRAM = "python -m videomdm.study.recordings"
JOINTS = ("knee", "hip")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure recordings, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Write ``<results>/recordings/NAME.json`` for each recording."""
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("run", type=Path, help="folder of a prior's run")
    parser.add_argument("files", type=Path, nargs="+", help="videos or keypoint files")
    parser.add_argument("--height", type=float, help="metres, of the people in all of them")
    parser.add_argument("--field-of-view", type=float, help="degrees across the diagonal, of all of them")
    parser.add_argument("--results", type=Path, default=Path("results"))
    args = parser.parse_args(arguments)
    prior = sample.load(args.run)
    given = {"--height": args.height, "--field-of-view": args.field_of_view}
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    for file in args.files:
        started = time.monotonic()
        track, words, source = recordings.load_one(file, intrinsics=args.field_of_view)
        lifted = videos.lift_track(prior, track, source, words[0], height=args.height, progress=True)
        known = lifted.measures()
        found = {way: known[way] | _posture(joints) for way, (joints, _) in lifted.ways.items()}
        write_json(args.results / "recordings" / f"{track.name}.json", {
            "study": "recordings", "data": track.name, "method": prior.config.method, "profile": prior.config.profile,
            "seed": prior.config.seed, "prior": prior.config.key(), "frames": len(track), "notes": lifted.notes,
            "command": f"{PROGRAM} {shlex.join(['RUN', file.name, *options])}",
            **results.provenance(),
            "seconds": round(time.monotonic() - started, 1), "metrics": found,
        })  # fmt: skip
        print(track.name, json.dumps(found, indent=1))


def _posture(joints: Tensor) -> dict[str, float]:
    """Size and lean over a recording, and medians over the frames in which its person (T, 22, 3) stands."""
    frames = posture.standing(joints)
    angles = posture.angles(joints)
    medians = {f"standing_{name}": float(angles[name][frames].median()) for name in JOINTS if frames.any()}
    return posture.steadiness(joints) | {"standing_frames": int(frames.sum())} | medians


if __name__ == "__main__":
    sys.exit(main())
