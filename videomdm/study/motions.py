"""A few motions of each method, to look at beside a table: ``python -m videomdm.study.motions table1``.

Results hold numbers alone.  This keeps six motions a method in ``results/motions/NAME``, and when the book is built
they become a page of ``videomdm compare``: methods in columns, captions in rows.  The motions are of the built-in
corpus and of priors trained on it, in a small profile, not of the runs that a table was measured on; ``made.json``
says by which command and commit.  ``--rows`` makes some of them and leaves the others.

``table1``: what test clips show, their teacher's motion, and what priors generate for their captions.
``videos``: the built-in films of :mod:`videomdm.data.recordings.demonstration`, lifted by the teacher and by a prior,
with the truth.
``table3``: what two lifters make of training pictures of an NBA-like corpus, and motions of the rows that are
generated; ``--set`` as for :mod:`videomdm.study.table3`, whose runs are taken where they are there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from videomdm import features, programs, sample, settings, train
from videomdm.config import Config
from videomdm.conventions import STUDY_LIFTER
from videomdm.data import nba, recordings
from videomdm.data.recordings import demonstration
from videomdm.export import to_npz
from videomdm.lifters import centred
from videomdm.methods import METHODS
from videomdm.skeletons.definitions import NBA16, SMPL22
from videomdm.storage.files import write_json
from videomdm.study import results, table3
from videomdm.train import observe
from videomdm.videos import lift_track

PROGRAM = "python -m videomdm.study.motions"
MOTIONS = 6
TRUTH = "truth"  # the method that a page draws as ghosts
#: Rows of the pages, in the order of their columns.
ROWS = {
    "table1": ("real", "teacher", "mdm-3d", "mdm-teacher", "videomdm"),
    "videos": ("teacher", "prior", TRUTH),
    "table3": ("elepose", "package", "mas", "videomdm", "round-1"),
}  # fmt: skip
#: Those of table 3 that are generated, by the methods that make them.
GENERATED = {"mas": "mdm-2d", "videomdm": "videomdm-frame", "round-1": table3.ROUND}

Motions = Mapping[str, list[Tensor]]  # method -> (T, J, 3) metres, Y up


def table1(base: Config, rows: Sequence[str] = ROWS["table1"]) -> tuple[list[str], Motions]:
    """Captions of test clips of different actions, and for each method a motion of each."""
    test = observe.load(base, "test")
    firsts: dict[str, int] = {}
    for i, action in enumerate(test.actions):
        firsts.setdefault(action, i)
    clips = test.select(list(firsts.values())[:MOTIONS])
    captions = [words[0] for words in clips.captions]
    motions = {"real": clips.joints, "teacher": observe.observe(base, clips, "teacher", "test").teacher}
    for method in (row for row in rows if row in METHODS):
        prior = sample.load(train.fit(base.but(method=method)))
        motions[method] = sample.generate(prior, captions, clips.lengths, seed=base.seed)
    return captions, {row: _cut(motions[row], clips.lengths) for row in rows}


def videos(base: Config, rows: Sequence[str] = ROWS["videos"]) -> tuple[list[str], Motions]:
    """Captions of built-in films, and the motions that teacher and prior make of their keypoints."""
    folder, prior = Path(base.runs) / "demonstration", sample.load(train.fit(base))
    scenes = demonstration.write(folder, MOTIONS, unfit=False)
    found = [recordings.load_one(folder / f"{name}.mp4", cache=base.cache) for name in scenes]
    lifted = [lift_track(prior, track, source, words[0], base.seed) for track, words, source in found]
    truth = demonstration.ground_truth([track for track, _, _ in found], scenes)[0]
    motions = {way: [one.ways[way][0] for one in lifted] for way in rows if way != TRUTH}
    true = features.canonicalise(truth.joints, floor="median", lengths=truth.lengths)  # as the lifted motions are
    motions[TRUTH] = _cut(true, truth.lengths)
    return [one.caption for one in lifted], {row: motions[row] for row in rows}


def centred_motions(base: Config, rows: Sequence[str] = ROWS["table3"]) -> tuple[list[str], Motions]:
    """Motions of every row of table 3 around the hip, in metres of people of average size, on the floor.

    Those of a lifter are of the same training clips as the other's; generated ones are as long as these.
    """
    config = table3.configuration(base, "laptop")
    pictures = observe.tracks(config, "train")
    clips = pictures.select(pictures.lengths.argsort(descending=True, stable=True)[:MOTIONS])
    lengths = clips.lengths.clamp(max=config.data.max_frames)
    made = {"elepose": centred.lift(clips, config.data.lifter), "package": centred.lift(clips, STUDY_LIFTER)}
    for row in (row for row in rows if row in GENERATED):
        prior = sample.load(train.fit(config.but(method=GENERATED[row])))
        made[row] = sample.generate(prior, [""] * len(clips), lengths, seed=config.seed)
    standing = {row: [_stand(nba.METRES * motion) for motion in _cut(made[row], lengths)] for row in rows}
    return [f"motion {i + 1}" for i in range(len(clips))], standing


def _stand(motion: Tensor) -> Tensor:
    """A motion (T, J, 3) whose lowest joint is on the floor."""
    return motion - motion.new_tensor((0.0, 1.0, 0.0)) * motion[..., 1].min()


STUDIES = {"table1": table1, "videos": videos, "table3": centred_motions}


def write(
    folder: Path, config: Config, command: str, captions: Sequence[str], motions: Motions, order: Sequence[str]
) -> Path:
    """``METHOD.npz`` of each method (coordinates in whole millimetres, which pack well) and ``made.json``.

    Methods that the folder has of the same profile, data and seed stay beside them, all in ``order``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    layouts = {len(skeleton): skeleton for skeleton in (SMPL22, NBA16)}
    for method, own in motions.items():
        packed = [motion.mul(1000).round() / 1000 for motion in own]
        to_npz(folder / f"{method}.npz", packed, captions=captions, skeleton=layouts[packed[0].shape[1]])
    about = {"profile": config.profile, "data": config.data.source, "seed": config.seed}
    made = {"command": command, "commit": results.commit(), "machine": results.machine()}
    file = folder / "made.json"
    before = results.load(file) if file.exists() else {}
    kept = before["methods"] if about.items() <= before.items() else {}
    methods = kept | dict.fromkeys(motions, made)
    write_json(file, about | {"methods": {method: methods[method] for method in order if method in methods}})
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
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="settings to change"
    )
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="some of the page's rows; all by default")
    parser.add_argument("--runs", default="runs", help="folder of run folders")
    parser.add_argument("--out", type=Path, default=Path("results/motions"), help="results/motions")
    given = parser.parse_args(arguments)
    rows = tuple(given.rows or ROWS[given.study])
    if unknown := set(rows) - set(ROWS[given.study]):
        parser.error(f"rows {', '.join(sorted(unknown))}, expected some of {', '.join(ROWS[given.study])}")
    config = train.profile(given.profile, runs=given.runs, **settings.changes(given.set))
    command = f"{PROGRAM} {given.study} --profile {given.profile}"
    if given.set:
        command += f" --set {' '.join(given.set)}"
    if given.rows:
        command += f" --rows {' '.join(rows)}"
    captions, motions = STUDIES[given.study](config, rows)
    print(write(given.out / given.study, config, command, captions, motions, ROWS[given.study]))


if __name__ == "__main__":
    sys.exit(main())
