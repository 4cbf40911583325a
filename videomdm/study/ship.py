"""The prior that comes with the package: ``python -m videomdm.study.ship choose | make | feet | judge | card``.

``choose`` measures finished runs of profile ``shipped`` on validation data and says which has the lowest FID.
``make`` turns it into the files of ``videomdm/sample/weights``: ``prior``, trained from 2-D, and ``twin``, the same
network under 3-D supervision, which says what the lack of 3-D costs.  ``feet`` chooses how their feet are held, on
validation captions (:mod:`videomdm.study.feet`).  ``judge`` measures what ships on the test split, with free and with
held feet, by the protocol of :mod:`videomdm.evaluation.protocol`, and ``card`` writes the README beside the weights
from these results.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from videomdm import features, programs, sample
from videomdm.config import DEFAULTS, Config
from videomdm.conventions import DataError
from videomdm.data import cmu_actors
from videomdm.evaluation import protocol
from videomdm.evaluation.evaluators import evaluators
from videomdm.evaluation.measures import mean_interval
from videomdm.sample.feet import VERSION
from videomdm.sample.prior import WEIGHTS
from videomdm.storage import checkpoints
from videomdm.storage.files import digest, write_json
from videomdm.study import feet, results
from videomdm.study.train_lifter import LICENCE
from videomdm.train import finetune, observe

PROGRAM = "python -m videomdm.study.ship"
STUDY, CANDIDATES = "shipped", "shipped-val"  # folders of results: what ships on test, what might have on val
ROWS = {"prior": "prior, from 2-D", "twin": "twin, from 3-D"}
OWN = ("foot_speed", "sunken", "knees")  # measured here beside the protocol's figures
HELD = "/held"  # behind the name of a method, where its motions' feet are held
TITLES = {
    "fid": "FID, joints encoded anew", "fid_raw": "FID, features as generated", "tmr_fid": "FID, second evaluator",
    "r_precision_3": "R-precision, top 3", "recall": "recall", "diversity": "diversity",
    "multimodality": "multimodality", "acceleration": "acceleration, m/s²",
    "knees": "acceleration of the knees, m/s²", "jitter": "jitter, m/s³",
    "path_length": "path, m", "skating": "skating",
    "foot_speed": "feet that are down, m/s", "sunken": "below the floor, cm", "bone_deviation": "bones change by, %",
    "root_height": "height of the root, m",
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
    about = {"run": run.name, "commit": results.commit(), "clips": clips, "stages": _stages(trained)}
    write_json(out / "about.json", about | {"losses": _losses(run), "licence": LICENCE})
    return out


def _portable(config: Config) -> Config:
    """Without the places where things lay on one machine."""
    return config.but(data_root=None, runs=DEFAULTS.runs, start=None)


def _stages(config: Config) -> list[tuple[str, int]]:
    """The runs that led to these weights: method and number of batches, the first one first."""
    before = config.start and finetune.config_of(config)
    return [*(_stages(before) if before else []), (config.method, config.optimiser.steps)]


def _losses(run: Path) -> list[float]:
    """The loss over the last tenth of the run and over the tenth before: whether it still fell."""
    log = [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]
    n = max(1, len(log) // 10)
    return [sum(part) / len(part) for part in (log[-n:], log[-2 * n : -n] or log[:n])]


def choose(runs: Sequence[Path], data_root: str, folder: Path) -> Path:
    """Measure finished runs on the validation split, and say which of them has the lowest FID.

    Args:
        runs: folders of runs of different methods.
        data_root: the folder that ``videomdm prepare-cmu`` made.
        folder: of results.

    Raises:
        DataError: two runs of one method, whose results would have one name.
    """
    of_method = {sample.load(run).config.method: run for run in runs}
    if len(of_method) < len(runs):
        raise DataError(f"runs of the methods {', '.join(of_method)}: {len(runs)} runs, expected one of each method")
    for run in runs:
        config = sample.load(run).config.but(data_root=data_root, evaluation_split="val")
        command = f"{PROGRAM} choose --data-root CMU {' '.join(['RUN'] * len(runs))}"
        began, found = time.monotonic(), _generated(run, config)
        results.write(folder, CANDIDATES, config, command, time.monotonic() - began, found)
    measured = [row for row in candidates(folder) if row["method"] in of_method]
    return of_method[min(measured, key=lambda row: row["fid"][0])["method"]]


def candidates(folder: Path) -> list[dict[str, object]]:
    """What :func:`choose` measured: a row each, with ``method`` and metrics by name."""
    return [row["metrics"] | {"method": row["method"]} for row in results.read(folder, CANDIDATES)]


def judge(data_root: str, folder: Path) -> list[Path]:
    """Measure real motions, the shipped prior's and its twin's on the test split; returns the files of results.

    Motions of both are measured as the model has them, and with held feet, as ``videomdm generate`` writes them.

    Args:
        data_root: the folder that ``videomdm prepare-cmu`` made.
        folder: of results.
    """
    command = f"{PROGRAM} judge --data-root CMU"
    written = []
    for name, weights in WEIGHTS.items():
        config = sample.load(weights).config.but(data_root=data_root)
        run = _outside(name)
        for row, how in ((config.method, None), (config.method + HELD, sample.Holding())):
            began, found = time.monotonic(), _generated(run, config, how) | _own(run, config, how)
            written.append(results.write(folder, STUDY, config, command, time.monotonic() - began, found, row))
    test = observe.load(config, "test")
    moves = feet.moves(features.hold_last(test.joints, test.lengths), test.lengths, test.skeleton, test.fps)
    real = protocol.real(config) | {name: float(moves[name].mean()) for name in OWN}
    return [*written, results.write(folder, STUDY, config, command, 0.0, real, "real")]


def choose_feet(data_root: str, folder: Path) -> sample.Holding:
    """How the shipped prior's feet are best held, by validation captions, see :func:`videomdm.study.feet.choose`."""
    prior, run = sample.load(WEIGHTS["prior"]), _outside("prior")
    config = prior.config.but(data_root=data_root, evaluation_split="val")
    return feet.choose(prior, config, _kept(run, config), folder)


def _outside(name: str) -> Path:
    """A copy of shipped weights, so that what is measured on the way is kept outside the package."""
    weights = WEIGHTS[name]
    run = Path(DEFAULTS.runs) / "shipped" / f"{name}-{digest(weights / 'weights.safetensors')}"
    shutil.copytree(weights, run, dirs_exist_ok=True)
    return run


def _kept(run: Path, config: Config) -> Path:
    """Where the features are kept that a run generates for a configuration's captions."""
    corpus = observe.load(config, config.evaluation.split)
    rows, captions = protocol.asked(config, corpus)
    return run / "sampled" / digest(config.evaluation_key(), captions, corpus.lengths[rows])


def _generated(run: Path, config: Config, how: sample.Holding | None = None) -> dict[str, object]:
    """The protocol's metrics of a run's motions, with feet held so or free."""
    judges, prior = evaluators(config), sample.load(run)
    about = digest(protocol.protocol(config), config.evaluation_key(), [judge.digest for judge in judges])
    measured = run / "evaluation" / (about if how is None else f"{about}-{digest(how, VERSION)}")
    if how is None:
        return protocol.generation(prior, config, judges, measured, sampled=_kept(run, config))

    def held(raw: Tensor, lengths: Tensor) -> Tensor:
        return sample.hold(features.decode(raw), lengths, prior.skeleton, prior.fps, how)

    found = protocol.generation(prior, config, judges, measured, held, _kept(run, config))
    return {name: value for name, value in found.items() if name != "fid_raw"}  # of features, which are free


def _own(run: Path, config: Config, how: sample.Holding | None) -> dict[str, list[float]]:
    """:data:`OWN` of the motions that :func:`_generated` measures, over its repeats."""
    prior, size = sample.load(run), protocol.protocol(config)
    moves = feet.held_moves(feet.generated(prior, config, _kept(run, config)), how, prior)
    repeats = {name: moves[name][: -size.texts * size.per_text].unflatten(0, (size.repeats, -1)) for name in OWN}
    return {name: mean_interval(values.mean(1).tolist()) for name, values in repeats.items()}


CARD = """# The prior that comes with the package

`prior/` is a text-to-motion diffusion model ({weights} million weights, half precision) that has learned how
people move from 2-D keypoints alone ({recipe}): 22 joints at {fps:g} frames a second, up to {seconds:g} s,
English captions. `twin/` is the same network, trained from true 3-D motions ({twin} batches): what the lack of 3-D
costs is the difference.

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

{commands}
    videomdm train --config twin/config.json --set data_root=CMU
    python -m videomdm.study.ship choose --data-root CMU RUN ...
    python -m videomdm.study.ship make --prior RUN --twin RUN
    python -m videomdm.study.ship feet --data-root CMU
    python -m videomdm.study.ship judge --data-root CMU
    python -m videomdm.study.ship card --data-root CMU

Commit {commit}; {batches}.
{losses}

## How it does

By motions for {samples} captions of the test split of both corpora, as long as the real ones; means with 95 % intervals
over {repeats} repeats (one training seed). The evaluators of FID and R-precision were trained on the true motions of
the training split; beside *real motions* stand as many of that split.

With *feet held* are motions as `videomdm generate` writes them: feet stay where they stand, each bone keeps one length
(`videomdm.sample.hold`). The others are as the model has them (`--feet free`), and as methods are compared. Feet that
are down are ankles and toes within 5 cm of their lowest place in a motion.

{table}

What ships was chosen on the validation split, by FID:

{candidates}

How feet are held was chosen there, too, by how little held motions differ from real ones (acceleration, the knees' too,
jitter, path, height of the root, slides past the real ones'), and how little real motions change when held; the first
and the last of {n_ways} ways that were tried, with free motions and real ones:

{ways}

## Limits

- A small model: it has seen every clip some {passes:.0f} times.
- Limbs change their length and feet slide. Holding the feet takes out most of that, but no step
  is made where the model makes none: a body that glides in one pose goes on gliding, and paths become shorter.
- It knows what its corpora hold: walking, running, jumping, waving, exercises, dances. Objects, other people,
  hands, faces and floors that are not level are none of it.
- Captions are read by a sentence encoder for English; what it cannot read counts as no caption, and is said.
- Bodies are those of its corpora, adults of 1.5 to 1.9 m.
- It is no judge of people: motions are averages of what was seen, not of anybody in particular.
"""


def rows(folder: Path) -> list[dict[str, object]]:
    """A table of what :func:`judge` measured: a row for each figure, with columns for real motions, and of prior and
    twin for motions with free and with held feet.

    Raises:
        DataError: a result is missing.
    """
    found = _results(folder)
    return [
        {"": title, **{name: metrics[key] for name, metrics in found.items() if key in metrics}}
        for key, title in TITLES.items()
    ]


def _results(folder: Path) -> dict[str, Mapping[str, object]]:
    configs = {name: Config.from_json((weights / "config.json").read_text()) for name, weights in WEIGHTS.items()}
    found = {}
    for title, row, config in (
        ("real motions", "real", configs["prior"]),
        *(
            (ROWS[name] + words, config.method + row, config)
            for name, config in configs.items()
            for words, row in (("", ""), (", feet held", HELD))
        ),
    ):
        path = results.path(folder, STUDY, config, row)
        if not path.is_file():
            raise DataError(f"{path}: no such file, expected what 'python -m videomdm.study.ship judge' writes")
        found[title] = results.load(path)["metrics"]
    return found


def card(data_root: str, folder: Path) -> str:
    """The model card, from the results of :func:`choose` and :func:`judge`.

    Raises:
        DataError: a result is missing.
    """
    prior = sample.load(WEIGHTS["prior"])
    config, about = prior.config, json.loads((WEIGHTS["prior"] / "about.json").read_text(encoding="utf-8"))
    twin = sample.load(WEIGHTS["twin"]).config.optimiser
    late, early = about["losses"]
    size, stages = protocol.protocol(config), about["stages"]
    return CARD.format(
        weights=f"{sum(p.numel() for p in prior.model.parameters()) / 1e6:.1f}", fps=prior.fps,
        seconds=config.data.max_frames / prior.fps, n_clips=config.data.n_clips,
        subjects=", ".join(map(str, cmu_actors.actors(data_root, "train"))), licence=LICENCE, commit=about["commit"],
        recipe=", then ".join(f"method `{method}`, {steps:,} batches" for method, steps in stages),
        commands="\n".join(_commands(stages)), batches=f"batches of {config.optimiser.batch_size} clips",
        losses=f"Over the last tenth of the training the loss was {late:.4f}, over the tenth before {early:.4f}"
        + (": it still fell." if late < 0.99 * early else "."),
        samples=size.samples, repeats=size.repeats, table=_table(_results(folder)),
        candidates=_listed(candidates(folder)), twin=f"{twin.warmup_steps + twin.steps:,}",
        ways=_ways(folder), n_ways=len(feet.ways(folder)) - 2,
        passes=sum(steps for _, steps in stages) * config.optimiser.batch_size / about["clips"],
    )  # fmt: skip


def _commands(stages: Sequence[tuple[str, int]]) -> list[str]:
    """How the prior was trained, a command for each stage; only the last one's configuration ships."""
    last = "    videomdm train --config prior/config.json --set data_root=CMU"
    first = [f"    videomdm train --profile shipped --set data_root=CMU method={m} steps={n}" for m, n in stages[:-1]]
    return [*first, last + " start=RUN" * bool(first)]


def _table(found: Mapping[str, Mapping[str, object]]) -> str:
    head = f"| | {' | '.join(found)} |\n|{' --- |' * (len(found) + 1)}"
    rows = [
        f"| {title} | {' | '.join(_figure(metrics[key]) if key in metrics else '' for metrics in found.values())} |"
        for key, title in TITLES.items()
    ]
    return "\n".join([head, *rows])


def _listed(rows: Sequence[Mapping[str, object]]) -> str:
    """The candidates as a table in Markdown, the best first."""
    keys = ("fid", "r_precision_3", "acceleration", "path_length", "skating")
    head = f"| | {' | '.join(TITLES[key] for key in keys)} |\n|{' --- |' * (len(keys) + 1)}"
    ordered = sorted(rows, key=lambda row: row["fid"][0])
    return "\n".join(
        [head, *(f"| {row['method']} | {' | '.join(_figure(row[key]) for key in keys)} |" for row in ordered)]
    )


def _ways(folder: Path) -> str:
    """Real and free motions, the best and the worst way to hold feet, as a table in Markdown."""
    real, free, *held = feet.table(folder)
    keys = list(held[0])[1:]
    head = f"| | {' | '.join(keys)} |\n|{' --- |' * (len(keys) + 1)}"
    rows = (
        f"| {row['']} | {' | '.join(_figure(row[key]) if key in row else '' for key in keys)} |"
        for row in (real, free, held[0], held[-1])
    )
    return "\n".join([head, *rows])


def _figure(value: Sequence[float] | float) -> str:
    """A value, or one with its interval; below half a ten-thousandth it is what rounding leaves, and none."""
    if isinstance(value, float):
        return f"{value if abs(value) >= 5e-5 else 0.0:.3g}"
    mean, half = (x if abs(x) >= 5e-5 else 0.0 for x in value)
    return f"{mean:.3g} ± {half:.2g}"


# ---- the command -----------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for part in ("choose", "make", "feet", "judge", "card"):
        own = parts.add_parser(part)
        programs.add_debug(own)
        if part == "make":
            for name, what in ROWS.items():
                own.add_argument(f"--{name}", type=Path, required=True, metavar="RUN", help=f"run folder: {what}")
        else:
            own.add_argument("--data-root", required=True, help="folder that videomdm prepare-cmu made")
            own.add_argument("--results", type=Path, default=Path("results"))
        if part == "choose":
            own.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders of different methods")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Take one step of shipping, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Take one step of shipping, and print what it wrote or chose."""
    given = _parser().parse_args(arguments)
    if given.part == "make":
        for name, folder in WEIGHTS.items():
            print(make(getattr(given, name), folder))
    elif given.part == "choose":
        print(choose(given.runs, given.data_root, given.results))
    elif given.part == "feet":
        print(choose_feet(given.data_root, given.results))
    elif given.part == "judge":
        print(*judge(given.data_root, given.results), sep="\n")
    else:
        path = WEIGHTS["prior"].parent / "README.md"
        path.write_text(card(given.data_root, given.results), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    sys.exit(main())
