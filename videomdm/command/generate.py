"""Generate motions from text with a trained prior.
One text or several make as many motions: together in one .npz, each in a .bvh, .mp4 or .gif of its own (wave-00.bvh,
wave-01.bvh ...).  A .bvh has bones of one length, for a rig; beside it wave-exact.bvh has every joint where the motion
has it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from videomdm.command import runs
from videomdm.conventions import FEET, DataError
from videomdm.parameters import argument, seed
from videomdm.storage import text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("texts", nargs="*", metavar="TEXT", help='what a person does, such as "a person waves"')
    parser.add_argument(
        "--captions", type=argument(Path), metavar="FILE", help="take the texts from a file instead, a line each"
    )
    parser.add_argument(
        "--seconds", type=argument(float), metavar="S",
        help="length of the motions in seconds (default: the longest that the run was trained on)",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the noise (default: 0)")
    parser.add_argument(
        "--feet", choices=FEET,
        help="held where they stand, with bones of one length, or free, as the model has them, which slide (default: "
        "held, but free for a run whose motions stand on no floor)",
    )  # fmt: skip
    runs.add_argument(parser)
    parser.add_argument(
        "--out", type=argument(Path), required=True, metavar="FILE",
        help="by its ending: .npz (joints in metres, Y up), .bvh (centimetres, Y up), .mp4 or .gif",
    )  # fmt: skip


def run(given: argparse.Namespace) -> None:
    """Generate, and print the files.

    Raises:
        DataError: a text, seconds or feet that the prior does not know, or a file that cannot be written.
    """
    texts = _texts(given)

    from videomdm import sample
    from videomdm.export import files
    from videomdm.storage.files import check_output

    files.check_ending(given.out)
    check_output(given.out, [given.captions] if given.captions else [])
    run = runs.chosen(given.run)
    prior = sample.load(run)
    longest = prior.config.data.max_frames / prior.fps
    if given.seconds is not None and not 2 / prior.fps <= given.seconds <= longest:
        raise DataError(
            f"--seconds is {given.seconds:g}, expected {2 / prior.fps:g} to {longest:g}, the longest that {run} was "
            "trained on"
        )
    if given.feet == "held" and not prior.grounded:
        raise DataError(f"--feet is held, expected free: motions of {run} stand on no floor")
    feet = given.feet or ("held" if prior.grounded else "free")
    how = {"seconds": given.seconds, "seed": given.seed, "feet": feet}
    motions = sample.generate(prior, texts, **how, progress=True).cpu()
    for path in files.write(given.out, motions, texts, prior.skeleton, prior.fps):
        print(path)


def _texts(given: argparse.Namespace) -> list[str]:
    """What people are to do, in the order of the motions; empty lines of a file count nowhere."""
    expected = "texts, one a line"
    if bool(given.texts) == bool(given.captions):
        found = "both are given" if given.texts else "neither is given"
        raise DataError(f"TEXT or --captions FILE: {found}, expected one of the two")
    if given.captions is None:
        if any(not text.strip() for text in given.texts):
            raise DataError("TEXT is empty, expected what a person does")
        return given.texts
    texts = [line.strip() for line in text.read(given.captions, expected).split("\n") if line.strip()]
    if not texts:
        raise DataError(f"{given.captions}: empty, expected {expected}")
    return texts
