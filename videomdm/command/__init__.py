"""The console command ``videomdm``: one door to training, generating, lifting and exporting.

Each subcommand is a module with two functions, ``add_arguments(parser)`` and ``run(given)``, and a line in
:data:`COMMANDS`.  It is imported when it is called, so that ``videomdm --help`` answers at once.

Results go to stdout, progress and notes to stderr; how it ends is said in :mod:`videomdm.programs`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import videomdm
from videomdm import programs
from videomdm.programs import DONE, FAILED, INTERRUPTED, MISTAKE

__all__ = ["COMMANDS", "Command", "DONE", "FAILED", "INTERRUPTED", "MISTAKE", "main"]

Run = Callable[[argparse.Namespace], int | None]


class Command(NamedTuple):
    """A subcommand: its module, what it does, and its two functions."""

    module: str
    summary: str
    add_arguments: str = "add_arguments"
    run: str = "run"


#: Subcommands by name.
COMMANDS = {
    "train": Command("videomdm.command.train", "train a motion prior"),
    "prepare": Command("videomdm.command.prepare", "prepare a corpus in shards, before training"),
    "study": Command("videomdm.command.study", "run the methods of a study and keep what they measured"),
    "search": Command("videomdm.study.search", "search for a method's settings on the validation split"),
    "generate": Command("videomdm.command.generate", "motions from text"),
    "lift": Command("videomdm.command.lift", "3-D motions from videos or 2-D keypoints"),
    "export": Command("videomdm.command.export", "motions in another format"),
    "prepare-cmu": Command("videomdm.data.cmu", "HumanML3D's share of CMU's motion capture, in its official layout"),
    "survey": Command("videomdm.survey.command", "ask people which of two motions they prefer"),
    "compare": Command("videomdm.survey.compare", "motions of several methods side by side on one page"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: those of this process when None.

    Raises:
        SystemExit: of ``argparse``, for ``--help`` (0) and arguments that it refuses (2).
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = next((word for word in arguments if not word.startswith("-")), "")

    def work() -> int | None:
        run, given = _parse(name, arguments)
        return run(given)

    return programs.carry_out(work, f"videomdm {name}", "--debug" in arguments)


def _parse(name: str, arguments: Sequence[str]) -> tuple[Run, argparse.Namespace]:
    """What is to be run, and with which arguments; only the module of the subcommand called ``name`` is imported."""
    parser = argparse.ArgumentParser(
        prog="videomdm", description=videomdm.__doc__, allow_abbrev=False,
        epilog="'videomdm COMMAND --help' says more of each.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=videomdm.__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    run: Run | None = None
    for own, command in COMMANDS.items():
        sub = commands.add_parser(own, help=command.summary, allow_abbrev=False)
        if own == name:
            module = importlib.import_module(command.module)
            sub.description = module.__doc__.split("\n\n")[0].replace("``", "")
            getattr(module, command.add_arguments)(sub)
            run = getattr(module, command.run)
        programs.add_debug(sub)
    return run, parser.parse_args(arguments)
