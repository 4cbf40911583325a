"""``python -m benchmarks [NAME ...]``: all that need no file, or those that are named; see the package."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
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
    "step", "sampling", "features", "metrics", "multiview", "precision", "scaling", "busy", "static_camera", "quality",
    "detection", "lift",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that are named, else all that make sense on this machine and have what they need."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if "quality" in given.names and not given.run:
        parser.error("quality needs --run, the folder of a finished run")
    for name in {"detection", "lift"} & set(given.names):
        if not given.video:
            parser.error(f"{name} needs --video, a film of a person")
    cuda = timing.device().type == "cuda"
    left_out = {
        "busy": cuda, "scaling": not scaling.possible(), "quality": not given.run, "detection": not given.video,
        "lift": not given.video,
    }  # fmt: skip
    names = given.names or [name for name in NAMES if not left_out.get(name)]
    runs = _runs(given, cuda)
    for name in (name for name in NAMES if name in names):
        for file in runs[name]():
            print(file)


def _parser() -> argparse.ArgumentParser:
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
    return parser


def _runs(given: argparse.Namespace, cuda: bool) -> dict[str, Callable[[], Iterable[Path]]]:
    """What runs each benchmark, in their order, and gives the files of its results."""
    config = PROFILES[given.profile or "paper"]
    small = PROFILES[given.profile or "laptop"].but(runs=given.runs)
    laptop = PROFILES["laptop"].but(runs=given.runs)
    out, repeats, samples = given.results, given.repeats, given.samples
    batches = given.batch or ([64, 512] if cuda else [8])
    clips = given.clips or (4096 if cuda else 128)
    return {
        "step": lambda: (
            step.run(config.but(batch_size=batch), out, repeats, kind, given.steps)
            for batch in batches
            for kind in given.lengths
        ),
        "sampling": lambda: [
            sampling.run(config, out, repeats, samples or (1000 if cuda else 4), given.lengths, given.samplers)
        ],
        "features": lambda: [features.run(config, out, repeats, clips)],
        "metrics": lambda: [metrics.run(config, out, repeats, given.embeddings)],
        "multiview": lambda: [multiview.run(small, out, repeats, samples or 100, given.adam_steps)],
        "precision": lambda: [precision.run(small, out, given.train_steps)],
        "scaling": lambda: [scaling.run(config.but(batch_size=batches[0]), out, repeats)],
        "busy": lambda: [busy.run(small, out, repeats)],
        "static_camera": lambda: [static_camera.run(laptop, out, given.films)],
        "quality": lambda: [quality.run(given.run, out, repeats, samples or (1000 if cuda else 256))],
        "detection": lambda: [detection.run(config, out, repeats, given.video)],
        "lift": lambda: [lift.run(out, given.video, given.run)],
    }


if __name__ == "__main__":
    main()
