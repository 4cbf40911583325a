"""``python -m benchmarks [step] [sampling] [features] [metrics]``; see the package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import features, metrics, sampling, step, timing
from videomdm.config import PROFILES

KINDS = ("full", "humanml3d")
NAMES = ("step", "sampling", "features", "metrics")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--profile", default="paper", choices=PROFILES, help="whose model is measured")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, nargs="+", help="8 on a CPU, 64 and 512 on a GPU")
    parser.add_argument("--lengths", nargs="+", choices=KINDS, default=KINDS, help="distributions of clips' lengths")
    parser.add_argument("--samples", type=int, help="4 on a CPU, 1000 on a GPU")
    parser.add_argument("--clips", type=int, help="256 on a CPU, 4096 on a GPU")
    parser.add_argument("--embeddings", type=int, default=1000)
    parser.add_argument("--steps", nargs="+", choices=list(step.CANDIDATES), help="versions of the step to compare")
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    config, cuda = PROFILES[given.profile], timing.device().type == "cuda"
    if "step" in given.names:
        for batch in given.batch or ([64, 512] if cuda else [8]):
            for kind in given.lengths:
                print(step.run(config.but(batch_size=batch), given.results, given.repeats, kind, given.steps))
    if "sampling" in given.names:
        print(sampling.run(config, given.results, given.repeats, given.samples or (1000 if cuda else 4), cuda))
    if "features" in given.names:
        print(features.run(config, given.results, given.repeats, given.clips or (4096 if cuda else 256)))
    if "metrics" in given.names:
        print(metrics.run(config, given.results, given.repeats, given.embeddings))


if __name__ == "__main__":
    main()
