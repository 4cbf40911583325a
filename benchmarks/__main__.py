"""``python -m benchmarks [NAME ...]``: all that need no file, or those that are named; see the package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    busy,
    detection,
    features,
    lift,
    metrics,
    multiview,
    precision,
    quality,
    sampling,
    scaling,
    static_camera,
    step,
    timing,
)
from videomdm.config import PROFILES

KINDS = ("full", "humanml3d")
NAMES = (
    "step", "sampling", "features", "metrics", "precision", "scaling", "busy", "quality", "detection", "static_camera",
    "multiview", "lift",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES) + "; all by default")
    parser.add_argument("--profile", choices=PROFILES, help="whose model; laptop for some, else paper")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, nargs="+", help="8 on a CPU, 64 and 512 on a GPU")
    parser.add_argument("--lengths", nargs="+", choices=KINDS, default=KINDS, help="distributions of clips' lengths")
    parser.add_argument("--samples", type=int, help="4 on a CPU, 1000 on a GPU")
    parser.add_argument("--clips", type=int, help="128 on a CPU, 4096 on a GPU")
    parser.add_argument("--embeddings", type=int, default=1000)
    parser.add_argument("--steps", nargs="+", choices=list(step.CANDIDATES), help="versions of the step to compare")
    parser.add_argument("--samplers", nargs="+", choices=sampling.VERSIONS, help="versions of sampling to compare")
    parser.add_argument("--train-steps", type=int, default=200, help="of precision")
    parser.add_argument("--adam-steps", type=int, default=20, help="multiview's, of 1,000 that are extrapolated")
    parser.add_argument("--films", type=int, default=20, help="static_camera's, of every kind and set of seeds")
    parser.add_argument(
        "--run", type=Path, help="prior of quality, which is left out without one, and of lift, else the package's"
    )
    parser.add_argument(
        "--video", type=Path, help="detection's and lift's: a film of a person; without one they are left out"
    )
    parser.add_argument("--runs", default="runs", help="keeps observations and films")
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if "quality" in given.names and not given.run:
        parser.error("quality needs --run, the folder of a finished run")
    for name in {"detection", "lift"} & set(given.names):
        if not given.video:
            parser.error(f"{name} needs --video, a film of a person")
    config, cuda = PROFILES[given.profile or "paper"], timing.device().type == "cuda"
    senseless = {"busy": cuda, "scaling": not scaling.possible()}
    names = given.names or [name for name in NAMES if not senseless.get(name)]
    if "step" in names:
        for batch in given.batch or ([64, 512] if cuda else [8]):
            for kind in given.lengths:
                print(step.run(config.but(batch_size=batch), given.results, given.repeats, kind, given.steps))
    if "sampling" in names:
        samples = given.samples or (1000 if cuda else 4)
        print(sampling.run(config, given.results, given.repeats, samples, given.lengths, given.samplers))
    if "features" in names:
        print(features.run(config, given.results, given.repeats, given.clips or (4096 if cuda else 128)))
    if "metrics" in names:
        print(metrics.run(config, given.results, given.repeats, given.embeddings))
    small = PROFILES[given.profile or "laptop"].but(runs=given.runs)
    if "multiview" in names:
        print(multiview.run(small, given.results, given.repeats, given.samples or 100, given.adam_steps))
    if "precision" in names:
        print(precision.run(small, given.results, given.train_steps))
    if "scaling" in names:
        batch = (given.batch or [64 if cuda else 8])[0]
        print(scaling.run(config.but(batch_size=batch), given.results, given.repeats))
    if "busy" in names:
        print(busy.run(small, given.results, given.repeats))
    if "static_camera" in names:
        print(static_camera.run(PROFILES["laptop"].but(runs=given.runs), given.results, given.films))
    if "quality" in names and given.run:
        print(quality.run(given.run, given.results, given.repeats, given.samples or (1000 if cuda else 256)))
    if "detection" in names and given.video:
        print(detection.run(config, given.results, given.repeats, given.video))
    if "lift" in names and given.video:
        print(lift.run(given.results, given.video, given.run))


if __name__ == "__main__":
    main()
