"""A few motions of each method, to look at beside a table: ``python -m videomdm.study.motions table1``.

Results hold numbers alone.  This keeps six motions a method in ``results/motions/NAME``, and when the book is built
they become a page of ``videomdm compare``: methods in columns, captions in rows.  The motions are of the built-in
corpus and of priors trained on it, in a small profile, not of the runs that a table was measured on; ``made.json``
says by which command and commit.

``table1``: what test clips show, their teacher's motion, and what priors generate for their captions.
``videos``: the built-in films of :mod:`videomdm.data.recordings.demonstration`, lifted by the teacher and by a prior,
with the truth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from videomdm import features, programs, sample, train
from videomdm.config import Config
from videomdm.data import recordings
from videomdm.data.recordings import demonstration
from videomdm.export import to_npz
from videomdm.methods import METHODS
from videomdm.storage.files import write_json
from videomdm.study import results
from videomdm.train import observe
from videomdm.videos import lift_track

PROGRAM = "python -m videomdm.study.motions"
MOTIONS = 6
TRUTH = "truth"  # the method that a page draws as ghosts
#: Rows of the pages, in the order of their columns.
ROWS = {"table1": ("real", "teacher", "mdm-3d", "mdm-teacher", "videomdm"), "videos": ("teacher", "prior", TRUTH)}

Motions = Mapping[str, list[Tensor]]  # method -> (T, 22, 3) metres, Y up


def table1(base: Config) -> tuple[list[str], Motions]:
    """Captions of test clips of different actions, and for each method a motion of each."""
    test = observe.load(base, "test")
    firsts: dict[str, int] = {}
    for i, action in enumerate(test.actions):
        firsts.setdefault(action, i)
    clips = test.select(list(firsts.values())[:MOTIONS])
    captions = [words[0] for words in clips.captions]
    motions = {"real": clips.joints, "teacher": observe.observe(base, clips, "teacher", "test").teacher}
    for method in (row for row in ROWS["table1"] if row in METHODS):
        prior = sample.load(train.fit(base.but(method=method)))
        motions[method] = sample.generate(prior, captions, clips.lengths, seed=base.seed)
    return captions, {row: _cut(motions[row], clips.lengths) for row in ROWS["table1"]}


def videos(base: Config) -> tuple[list[str], Motions]:
    """Captions of built-in films, and the motions that teacher and prior make of their keypoints."""
    folder, prior = Path(base.runs) / "demonstration", sample.load(train.fit(base))
    scenes = demonstration.write(folder, MOTIONS, unfit=False)
    found = [recordings.load_one(folder / f"{name}.mp4", cache=base.cache) for name in scenes]
    lifted = [lift_track(prior, track, source, words[0], base.seed) for track, words, source in found]
    truth = demonstration.ground_truth([track for track, _, _ in found], scenes)[0]
    ways = {way: [one.ways[way][0] for one in lifted] for way in ROWS["videos"] if way != TRUTH}
    true = features.canonicalise(truth.joints, floor="median", lengths=truth.lengths)  # as the lifted motions are
    return [one.caption for one in lifted], ways | {TRUTH: _cut(true, truth.lengths)}


STUDIES = {"table1": table1, "videos": videos}


def write(folder: Path, config: Config, command: str, captions: Sequence[str], motions: Motions) -> Path:
    """``METHOD.npz`` of each method (coordinates in whole millimetres, which pack well) and ``made.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    for method, own in motions.items():
        to_npz(folder / f"{method}.npz", [motion.mul(1000).round() / 1000 for motion in own], captions=captions)
    about = {
        "methods": list(motions), "profile": config.profile, "data": config.data.source, "seed": config.seed,
        "command": command, "commit": results.commit(), "machine": results.machine(),
    }  # fmt: skip
    write_json(folder / "made.json", about)
    return folder


def _cut(joints: Tensor, lengths: Tensor) -> list[Tensor]:
    return [motion[:length] for motion, length in zip(joints, lengths.tolist(), strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep the motions, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Make the motions and write them to ``<out>/STUDY``."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.split("\n\n")[0])
    programs.add_debug(parser)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--profile", default="laptop", help="of the priors, trained where they are missing (laptop)")
    parser.add_argument("--runs", default="runs", help="folder of run folders")
    parser.add_argument("--out", type=Path, default=Path("results/motions"), help="results/motions")
    given = parser.parse_args(arguments)
    config = train.profile(given.profile, runs=given.runs)
    command = f"python -m videomdm.study.motions {given.study} --profile {given.profile}"
    print(write(given.out / given.study, config, command, *STUDIES[given.study](config)))


if __name__ == "__main__":
    sys.exit(main())
