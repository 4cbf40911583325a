"""The console command ``videomdm``: one door to training, generating, lifting and exporting.

Each subcommand is a module with two functions, ``add_arguments(parser)`` and ``run(given)``, and a line in
:data:`COMMANDS`.  It is imported when it is called, so that ``videomdm --help`` answers at once.

Results go to stdout, progress and notes to stderr.  The command ends with 0; 1 after a run that failed, a full disk
included; 2 after a user's mistake, which is said in one sentence; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import videomdm

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

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
#: What a user can put right: bad input, a file that is not there or not to be read or written, a missing extra.
MISTAKES = (
    ValueError, ImportError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: those of this process when None.

    Raises:
        SystemExit: of ``argparse``, for ``--help`` (0) and arguments that it refuses (2).
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = next((word for word in arguments if not word.startswith("-")), "")
    try:
        with _short_warnings():
            run, given = _parse(name, arguments)
            return run(given) or DONE
    except KeyboardInterrupt:
        print(f"\nvideomdm {name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        print(f"videomdm {name}: {_sentence(error)}", file=sys.stderr)
        return MISTAKE if isinstance(error, MISTAKES) else FAILED


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
        sub.add_argument("--debug", action="store_true", help="show where an error comes from")
    return run, parser.parse_args(arguments)


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Warnings as notes, without the line of code that gave them."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
        yield


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    kind = "" if isinstance(error, MISTAKES) else f"{type(error).__name__}: "
    return f"{kind}{error}"
