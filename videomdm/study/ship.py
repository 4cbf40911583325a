"""The prior that comes with the package: ``python -m videomdm.study.ship make | judge | card``.

``make`` turns finished runs of profile ``shipped`` into the files of ``videomdm/sample/weights``: ``prior``, trained
from 2-D, and ``twin``, the same network under 3-D supervision, which says what the lack of 3-D costs.  ``judge``
measures how their motions move, for captions of no training split, and writes ``results/shipped``.  ``card`` writes the
README beside the weights from these results.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from videomdm import features, programs, sample
from videomdm.config import DEFAULTS, Config
from videomdm.conventions import FPS, DataError
from videomdm.data import cmu_actors
from videomdm.evaluation import motion
from videomdm.evaluation.measures import MEASURES, seed_interval
from videomdm.sample.prior import WEIGHTS
from videomdm.skeletons.definitions import SMPL22
from videomdm.storage import checkpoints
from videomdm.storage.files import write_json
from videomdm.study import results
from videomdm.study.train_lifter import LICENCE
from videomdm.train import observe

STUDY, CLIPS = "shipped", 96
ROWS = {"prior": "trained from 2-D, as it ships", "twin": "its twin, trained from 3-D"}
TUNED, TUNED_METHOD = "the prior after a 2-D stage", "videomdm-pnp/sized"  # measured; it does not ship
TITLES = {
    "acceleration": "acceleration, m/s²", "jitter": "jitter, m/s³", "path_length": "path, m", "skating": "skating",
    "bone_deviation": "bones change by, %", "root_height": "height of the root, m",
}  # fmt: skip


def make(run: Path, out: Path) -> Path:
    """Write the weights of a run as a run folder that can be shipped; returns it.

    Weights become half precision, the normaliser stays as it is, and the machine's paths go.

    Raises:
        DataError: the run is not finished, or a weight does not fit into half precision.
    """
    path = run / "weights.safetensors"
    if not path.is_file():
        raise DataError(f"{run}: no finished run there, expected a folder with {path.name}")
    tensors, about = checkpoints.read_tensors(path), checkpoints.read_metadata(path)
    trained = Config.from_json(about["config"])
    config = _portable(trained)
    halves = {name: x if name.startswith("normaliser.") else x.half() for name, x in tensors.items()}
    if wrong := [name for name, x in halves.items() if not x.isfinite().all()]:
        raise DataError(f"{path}: {wrong[0]} is past the range of half precision, expected weights below 65,504")
    out.mkdir(parents=True, exist_ok=True)
    checkpoints.write_tensors(out / path.name, halves, about | {"config": config.to_json()})
    (out / "config.json").write_text(config.to_json() + "\n", encoding="utf-8")
    clips = len(observe.load(trained, "train"))
    write_json(out / "about.json", {"run": run.name, "commit": results.commit(), "clips": clips,
                                    "losses": _losses(run), "licence": LICENCE})  # fmt: skip
    return out


def _portable(config: Config) -> Config:
    """Without the places where things lay on one machine."""
    return config.but(data_root=None, runs=DEFAULTS.runs, start=None)


def _losses(run: Path) -> list[float]:
    """The loss over the last tenth of the run and over the tenth before: whether it still fell."""
    log = [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]
    n = max(1, len(log) // 10)
    return [sum(part) / len(part) for part in (log[-n:], log[-2 * n : -n] or log[:n])]


def judge(data_root: str, folder: Path, tuned: Path) -> list[Path]:
    """Measure how real motions move, the shipped prior's, its twin's and the tuned one's; returns the files of results.

    ``CLIPS`` clips of the test split of both corpora, evenly spaced: the priors are asked for their captions, as
    long as they are.

    Args:
        data_root: the folder that ``videomdm prepare-cmu`` made.
        folder: of results.
        tuned: run folder of the prior after a 2-D stage.
    """
    priors = {name: sample.load(weights) for name, weights in (WEIGHTS | {"tuned": tuned}).items()}
    config = priors["prior"].config.but(data_root=data_root)
    test = observe.load(config, "test")
    test = test.select(test.spaced(CLIPS))
    texts = [captions[0] for captions in test.captions]
    written = [_measured(folder, config, "real", test.joints, test.lengths)]
    for prior in priors.values():
        began = time.monotonic()
        joints = sample.generate(prior, texts, test.lengths, progress=True)
        own = prior.config.but(data_root=data_root)
        written.append(_measured(folder, own, own.method, joints, test.lengths, time.monotonic() - began))
    return written


def _measured(folder: Path, config: Config, row: str, joints: Tensor, lengths: Tensor, seconds: float = 0.0) -> Path:
    held = features.hold_last(joints, lengths)
    found = {name: measure(held, lengths, SMPL22, FPS) for name, measure in MEASURES.items()}
    found["root_height"] = motion.root_height(held, lengths, per_clip=True)
    command = "python -m videomdm.study.ship judge --data-root CMU --tuned RUN"
    metrics = {name: seed_interval(values.tolist()) for name, values in found.items()}
    return results.write(folder, STUDY, config, command, seconds, metrics, row)


CARD = """# The prior that comes with the package

`prior/` is a text-to-motion diffusion model ({weights} million weights, half precision) that has learned how
people move from 2-D keypoints alone, plain MDM on what a lifter makes of them: 22 joints at {fps:g} frames a
second, up to {seconds:g} s, English captions. `twin/` is the same network, trained from true 3-D motions ({twin}
batches): what the lack of 3-D costs is the difference.

    videomdm generate "a person walks forward and waves" --seconds 4 --out wave.bvh

`videomdm generate` and `videomdm lift` use it where no run is named and there is none in `runs/`; the pages on
videos lift with it, and fine-tune it, where no run is named.

## What it has seen

- The built-in corpus' prior family, {n_clips:,} clips (80 % of them train).
- HumanML3D's share of CMU's motion capture, as `videomdm prepare-cmu` makes it, of subjects {subjects},
  mirrored too. Subjects whose number modulo 7 is 2 or 6 are kept for tests and validation.

Of all these the training sees keypoints of one simulated camera per clip, whose place is not told, the focal
length, which way is up, people's height, and what the built-in teacher (set `procedural`, which has seen nothing
of CMU) makes of the keypoints.
Nothing of corpora for non-commercial use is in it.

{licence}

## How it was made

    videomdm train --config prior/config.json --set data_root=CMU
    videomdm train --config twin/config.json --set data_root=CMU
    python -m videomdm.study.ship make --prior RUN --twin RUN
    python -m videomdm.study.ship judge --data-root CMU --tuned TUNED
    python -m videomdm.study.ship card --data-root CMU

Commit {commit}; {batches}.
{losses}

## How it does

How motions move, of {clips} captions of the test split of both corpora and as long as the real ones, means with 95 %
intervals over captions (one training seed). What they say has not been measured: a judge of motions of this length,
for FID and R-precision, has not been trained yet.

{table}

## Limits

- A small model after a short training: it has seen every clip some {passes:.0f} times. Limbs change their
  length, feet slide, and captions of CMU's dances are beyond it. Written BVH files have constant bones all the same.
- It has had no 2-D stage, the paper's own: after 350 batches of it ({tuned}) motions slid less,
  but hardly moved, see the last column.
- It knows what its corpora hold: walking, running, jumping, waving, exercises, dances. Objects, other people,
  hands, faces and floors that are not level are none of it.
- Captions are read by a sentence encoder for English; what it cannot read counts as no caption, and is said.
- Bodies are those of its corpora, adults of 1.5 to 1.9 m.
- It is no judge of people: motions are averages of what was seen, not of anybody in particular.
"""


def rows(folder: Path) -> list[dict[str, object]]:
    """A table of what :func:`judge` measured, a row each for real motions, the prior and its twin.

    Raises:
        DataError: a result is missing.
    """
    return [
        {"": name, **{title: metrics[key] for key, title in TITLES.items()}}
        for name, metrics in _results(folder).items()
    ]


def _results(folder: Path) -> dict[str, Mapping[str, object]]:
    prior, twin = (sample.load(weights).config for weights in WEIGHTS.values())
    found = {}
    for title, row, config in (
        ("real motions", "real", prior),
        (ROWS["prior"], prior.method, prior),
        (ROWS["twin"], twin.method, twin),
        (TUNED, TUNED_METHOD, prior),
    ):
        path = results.path(folder, STUDY, config, row)
        if not path.is_file():
            raise DataError(f"{path}: no such file, expected what 'python -m videomdm.study.ship judge' writes")
        found[title] = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    return found


def card(data_root: str, folder: Path) -> str:
    """The model card, from the results of :func:`judge`.

    Raises:
        DataError: a result is missing.
    """
    prior = sample.load(WEIGHTS["prior"])
    config, about = prior.config, json.loads((WEIGHTS["prior"] / "about.json").read_text(encoding="utf-8"))
    late, early = about["losses"]
    optimiser, twin = config.optimiser, sample.load(WEIGHTS["twin"]).config.optimiser
    return CARD.format(
        weights=f"{sum(p.numel() for p in prior.model.parameters()) / 1e6:.1f}", fps=prior.fps,
        seconds=config.data.max_frames / prior.fps, n_clips=config.data.n_clips,
        subjects=", ".join(map(str, cmu_actors.actors(data_root, "train"))), licence=LICENCE, commit=about["commit"],
        batches=f"{optimiser.steps:,} batches of {optimiser.batch_size} clips", tuned=TUNED_METHOD,
        losses=f"Over the last tenth of the training the loss was {late:.4f}, over the tenth before {early:.4f}"
        + (": it still fell, and longer training would help." if late < 0.99 * early else "."),
        clips=CLIPS, table=_table(_results(folder)),
        passes=optimiser.steps * optimiser.batch_size / about["clips"],
        twin=f"{twin.warmup_steps + twin.steps:,}",
    )  # fmt: skip


def _table(found: Mapping[str, Mapping[str, object]]) -> str:
    head = f"| | {' | '.join(found)} |\n|{' --- |' * (len(found) + 1)}"
    rows = [
        f"| {title} | {' | '.join(_figure(metrics[key]) for metrics in found.values())} |"
        for key, title in TITLES.items()
    ]
    return "\n".join([head, *rows])


def _figure(value: Sequence[float]) -> str:
    return f"{value[0]:.3g} ± {value[1]:.2g}"


# ---- the command -----------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m videomdm.study.ship", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for part in ("make", "judge", "card"):
        own = parts.add_parser(part)
        programs.add_debug(own)
        if part == "make":
            for name, what in ROWS.items():
                own.add_argument(f"--{name}", type=Path, required=True, metavar="RUN", help=f"run folder: {what}")
        else:
            own.add_argument("--data-root", required=True, help="folder that videomdm prepare-cmu made")
            own.add_argument("--results", type=Path, default=Path("results"))
        if part == "judge":
            own.add_argument("--tuned", type=Path, required=True, metavar="RUN", help=f"run folder: {TUNED}")
    return parser


def _carry_out(given: argparse.Namespace) -> None:
    if given.part == "make":
        for name, folder in WEIGHTS.items():
            print(make(getattr(given, name), folder))
    elif given.part == "judge":
        print(*judge(given.data_root, given.results, given.tuned), sep="\n")
    else:
        path = WEIGHTS["prior"].parent / "README.md"
        path.write_text(card(given.data_root, given.results), encoding="utf-8")
        print(path)


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    return programs.carry_out(lambda: _carry_out(given), "python -m videomdm.study.ship", given.debug)


if __name__ == "__main__":
    sys.exit(main())
