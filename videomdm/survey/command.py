"""A blind human preference survey: draw its clips, serve it, analyse its votes.

Each command imports what it needs when it runs: the server starts without PyTorch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from videomdm.parameters import argument, seed

RESULT = "motions of one method: a .npz file or a folder of them, from `videomdm generate` or `videomdm lift`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``videomdm survey``."""
    commands = parser.add_subparsers(dest="step", required=True, metavar="COMMAND")

    make = commands.add_parser("make", help="draw the clips and deal out the pairs")
    make.add_argument("results", nargs="+", metavar="[NAME=]PATH", help=f"{RESULT}; two or more")
    make.add_argument("--out", type=argument(Path), required=True, metavar="DIR", help="folder of the survey")
    add_captions(make)
    make.add_argument("--participants", type=argument(int), default=20, help="how many the pairs are dealt out to (20)")
    make.add_argument("--pairs", type=argument(int), default=10, help="comparisons of each participant (10)")
    make.add_argument("--checks", type=argument(int), default=0, metavar="N",
                      help="attention checks of each: a clip against its own frames shuffled (0)")  # fmt: skip
    make.add_argument("--question", help="what is asked about every pair")
    make.add_argument("--consent", type=argument(Path), metavar="FILE",
                      help="text of the consent form; {pairs} and {minutes} are filled in")  # fmt: skip
    make.add_argument("--post", default="", metavar="URL",
                      help="where the static page sends the answers, instead of offering them as a file")  # fmt: skip
    make.add_argument("--seed", type=seed, default=0)

    serve = commands.add_parser("serve", help="show the survey and keep its votes")
    serve.add_argument("folder", type=argument(Path), metavar="DIR", help="folder of the survey")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=argument(int), default=8000)

    analyse = commands.add_parser("analyse", help="preference shares, strengths and their intervals")
    analyse.add_argument("folder", type=argument(Path), metavar="DIR", help="folder of the survey")
    analyse.add_argument("--votes", type=argument(Path), nargs="+", metavar="FILE",
                         help="answers that participants handed in, or folders of them; "
                         "the server's votes.sqlite is read where there is one")  # fmt: skip
    analyse.add_argument("--out", type=argument(Path), metavar="FILE", help="results as JSON (DIR/analysis.json)")

    dry = commands.add_parser("dry", help="a whole survey with simulated voters: train, generate, serve, analyse")
    dry.add_argument("--out", type=argument(Path), required=True, metavar="DIR", help="folder of the survey")


def add_captions(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which motions belong together, see :func:`videomdm.survey.scenes.match`."""
    parser.add_argument("--captions", type=argument(Path), metavar="FILE",
                        help="a caption a line, or a table .csv with the columns caption and perhaps "
                        "file (name of a recording) and video (a reference); default: all that they share")  # fmt: skip
    parser.add_argument("--floor", choices=("zero", "lowest"), default="zero",
                        help="floor at height 0 (default), or at the lowest joint, for centred motions")  # fmt: skip


def run(given: argparse.Namespace) -> None:
    """Run a command of ``videomdm survey``.

    Raises:
        OSError, ValueError, ImportError: a mistake in what was given.
    """
    {"make": _make, "serve": _serve, "analyse": _analyse, "dry": _dry}[given.step](given)


def _make(given: argparse.Namespace) -> None:
    from videomdm.storage import text
    from videomdm.survey import make, scenes

    settings = make.Settings(
        participants=given.participants, pairs=given.pairs, checks=given.checks, floor=given.floor, post=given.post,
        seed=given.seed, question=given.question or make.QUESTION,
    )  # fmt: skip
    consent = text.read(given.consent, "the text of a consent form") if given.consent else ""
    results = [scenes.read(result) for result in given.results]
    key = make.make(given.out, results, settings, given.captions, consent)
    print(f"{given.out / 'public'} can be hosted as it is; keep {key} to yourself")


def _serve(given: argparse.Namespace) -> None:
    try:
        from videomdm.survey import serve
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; the server needs pip install 'videomdm[survey]'") from None
    serve.serve(given.folder, given.host, given.port)


def _analyse(given: argparse.Namespace) -> None:
    from videomdm.survey import analyse

    out = given.out or given.folder / "analysis.json"
    found = analyse.analyse(given.folder, given.votes or ())
    analyse.write(found, out)
    print(analyse.report(found))


def _dry(given: argparse.Namespace) -> None:
    from videomdm.survey import analyse, dry

    print(analyse.report(dry.run(given.out)))
