"""What a prior does with words that it was never trained on: ``python -m videomdm.study.phrasings``.

Trains a small prior with 3-D supervision on the built-in corpus for each text encoder.  It then generates a motion for
every clip of the test split twice: from a caption of the corpus, and from a phrasing that nobody wrote for the corpus.
R-precision asks of both motions whether evaluators find the clip's caption of the corpus for them, so that the
evaluators never read the phrasing.  Writes ``results/phrasings``; a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from videomdm import programs, train
from videomdm.config import PROFILES, Config
from videomdm.data.corpus import Corpus
from videomdm.evaluation import measures, protocol
from videomdm.evaluation.evaluators import evaluators
from videomdm.sample import prior
from videomdm.storage.files import write_json
from videomdm.study import results
from videomdm.train import observe

PROGRAM = "python -m videomdm.study.phrasings"
#: Other words for each action of the built-in corpus' prior family; ``{side}`` is the clip's left or right.
PHRASINGS: dict[str, tuple[str, ...]] = {
    "walk": ("a pedestrian strolls along", "somebody ambles onward", "a soldier marches"),
    "walk_curve": ("a pedestrian strolls, veering {side}", "somebody ambles and drifts {side}"),
    "run": ("an athlete sprints", "somebody dashes onward", "a child races along"),
    "run_curve": ("an athlete sprints, veering {side}", "somebody dashes around a corner to the {side}"),
    "turn_in_place": ("a guard pivots {side}", "a dancer spins to the {side}", "somebody swivels {side}"),
    "walk_and_return": ("a pedestrian strolls off and heads home again", "a nervous guy paces to and fro"),
    "walk_and_wave": (
        "a neighbour strolls over and says hello, {side} hand up", "somebody ambles, then hails with the {side} hand",
    ),
    "jump_up": ("an athlete springs off the ground", "a child bounces vertically"),
    "jump_forward": ("an athlete bounds across the floor", "a frog-like bound over a ditch"),
    "jumping_jacks": ("a gymnast warms up with side straddle hops", "somebody does calisthenics, limbs out and in"),
    "squat": ("somebody hunkers low, then rises", "a weightlifter sinks into a deep knee bend"),
    "lunge": ("a fencer thrusts the {side} leg far out and sinks", "somebody strides out deep onto the {side} foot"),
    "kick": ("a footballer shoots with the {side} foot", "somebody boots a ball, {side} leg"),
    "punch": ("somebody hits an opponent with the {side} fist", "a fighter thrusts the {side} arm out violently"),
    "box": ("a fighter spars in the ring", "somebody pummels a heavy bag with both arms"),
    "wave_hand": ("somebody says hello, {side} hand up", "a tourist hails a taxi with the {side} arm"),
    "wave_both": ("somebody signals for help with both arms", "a fan cheers with both hands overhead"),
    "stretch_up": ("a sleepy guy extends both arms toward the ceiling", "a gymnast extends skyward"),
    "raise_hand": ("a pupil hoists the {side} arm", "a voter elevates the {side} hand"),
    "sit_down": ("an old lady settles into an armchair", "somebody perches on a stool"),
    "bow": ("a performer leans over to thank the audience", "a servant stoops in respect"),
    "idle": ("somebody is motionless", "a guard loiters, barely moving"),
}  # fmt: skip


def phrase(action: str, captions: Sequence[str], draw: random.Random) -> str:
    """Other words for a clip of an action, with the side that its captions name."""
    side = re.search(r"\b(left|right)\b", " ".join(captions))
    return draw.choice(PHRASINGS[action]).format(side=side[1] if side else "")


def measure(config: Config) -> dict[str, object]:
    """Train as the configuration says, and ask for the test clips in both ways.

    Returns:
        ``corpus_<metric>`` and ``phrasing_<metric>``, R-precision and MM-distance of
        :func:`videomdm.evaluation.measures.text_metrics`, as [mean, half width of the 95 % interval over repeats].
    """
    run = train.fit(config)
    given, judges = observe.load(config, "test"), evaluators(config)
    found = {}
    for name in ("corpus", "phrasing"):
        repeats = []
        for seed in range(config.evaluation.repeats):
            rows, captions = protocol.draw_captions(given, config.evaluation.samples, seed)
            asked = captions if name == "corpus" else _phrases(given, rows.tolist(), seed)
            folder = run / "evaluation" / f"{name}-{seed}"
            made = protocol.sample_measured(prior.load(run), asked, given.lengths[rows], {}, judges, folder)
            repeats.append(measures.text_metrics(made, captions, judges, seed))
        for metric in (key for key in repeats[0] if not key.endswith("unseen")):  # to the evaluators none is new
            found[f"{name}_{metric}"] = measures.mean_interval(repeat[metric] for repeat in repeats)
    return found


def _phrases(corpus: Corpus, rows: Sequence[int], seed: int) -> list[str]:
    draw = random.Random(seed)
    return [phrase(corpus.actions[row], corpus.captions[row], draw) for row in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Train what is not trained yet, and write a result for each encoder and seed."""
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--encoders", nargs="+", default=["hashed", "minilm"], help="text encoders, by their names")
    parser.add_argument("--profile", choices=list(PROFILES), default="laptop", help="size of the priors")
    parser.add_argument("--seeds", type=int, default=1, help="priors of each encoder")
    parser.add_argument("--runs", default="runs", help="folder of runs")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of results")
    args = parser.parse_args(arguments)
    for seed in range(args.seeds):
        for encoder in args.encoders:
            started = time.monotonic()
            config = train.profile(args.profile, text=encoder, method="mdm-3d", seed=seed, runs=args.runs)
            found = measure(config)
            name = f"{encoder.replace(':', '-')}-{args.profile}-s{seed}"
            command = f"{PROGRAM} --profile {args.profile} --seeds {args.seeds}"
            kept = row(encoder, config, command, time.monotonic() - started, found)
            write_json(args.out / "phrasings" / f"{name}.json", kept)
            print(name, json.dumps(found, indent=1), flush=True)


def row(encoder: str, config: Config, command: str, seconds: float, metrics: dict[str, object]) -> dict[str, object]:
    """One result, with the keys of all results."""
    return {
        "study": "phrasings", "data": config.data.source, "method": config.method, "text": encoder,
        "profile": config.profile, "seed": config.seed, "command": command,
        **results.provenance("torch", "tokenizers"),
        "seconds": round(seconds, 1), "config": results.key(config), "metrics": metrics,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
