"""Motions of several methods side by side on one page: methods in columns, captions in rows.
The page is one file that needs nothing else: one clock moves all motions, dragging turns all cameras at once, and
true motions can be shown as ghosts.
"""

from __future__ import annotations

import argparse
import base64
import json
import webbrowser
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from torch import Tensor

from videomdm.parameters import argument
from videomdm.plots.style import GHOST, SIDES, side
from videomdm.storage.files import check_output, written_whole
from videomdm.survey.command import RESULT, add_captions
from videomdm.survey.scenes import Result, Scene, files_of, match, read

PAGE = resources.files("videomdm.survey") / "page"
_MAX_METRES = np.iinfo(np.int16).max / 1000  # coordinates are whole millimetres in 16 bits


def write(path: Path, scenes: Sequence[Scene], like: Result) -> None:
    """Write the page.

    Args:
        path: file to write.
        scenes: from :func:`videomdm.survey.scenes.match`; motions of one method or more.
        like: one of the results they come from, for the skeleton and the frames per second.

    Raises:
        ValueError: a motion that goes farther than 32 m.
    """
    skeleton = like.skeleton
    data = {
        "methods": list(scenes[0].motions),
        "fps": like.fps,
        "joints": len(skeleton),
        "bones": [[parent, child, SIDES[side(skeleton.joints[child])]] for parent, child in skeleton.bones],
        "head": skeleton.joints.index("head") if "head" in skeleton.joints else None,
        "ghost": GHOST,
        "scenes": [
            {
                "caption": scene.caption,
                "motions": [_packed(motion, scene.caption) for motion in scene.motions.values()],
                "truth": None if scene.truth is None else _packed(scene.truth, scene.caption),
            }
            for scene in scenes
        ],
    }
    page = (PAGE / "compare.html").read_text()
    page = page.replace("@style@", (PAGE / "compare.css").read_text())
    page = page.replace("@script@", (PAGE / "compare.js").read_text())
    with written_whole(path) as partial:
        partial.write_text(page.replace("@data@", json.dumps(data).replace("<", "\\u003c")), encoding="utf-8")


def _packed(motion: Tensor, caption: str) -> str:
    """Joints (T, J, 3) as base64 of little-endian int16 millimetres."""
    if motion.abs().max() > _MAX_METRES:
        raise ValueError(f"{caption!r}: a motion that reaches {motion.abs().max():.0f} m, expected at most 32")
    return base64.b64encode((1000 * motion).round().numpy().astype("<i2").tobytes()).decode()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``videomdm compare``."""
    parser.add_argument("results", nargs="+", metavar="[NAME=]PATH", help=f"{RESULT}; one or more")
    parser.add_argument("--truth", metavar="PATH", help="true motions of the same captions, drawn as ghosts")
    add_captions(parser)
    parser.add_argument(
        "--out", type=argument(Path), default=Path("compare.html"), metavar="FILE", help="page (compare.html)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def run(given: argparse.Namespace) -> None:
    """Write the page and say where it is.

    Raises:
        OSError, ValueError: a mistake in what was given, such as a page that would be written over what is read.
    """
    named = [*given.results, *([f"truth={given.truth}"] if given.truth else [])]
    captions = [given.captions] if given.captions else []
    check_output(given.out, [*(file for one in named for file in files_of(one)), *captions])
    truth = read(named[-1]) if given.truth else None
    results = [read(result) for result in given.results]
    write(given.out, match(results, given.captions, given.floor, truth), results[0])
    print(given.out)
    if given.open:
        webbrowser.open(given.out.resolve().as_uri())
