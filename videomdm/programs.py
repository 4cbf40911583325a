"""How the package's programs end: ``videomdm`` and those of ``python -m`` alike.

They end with 0; 1 after a run that failed, a full disk included; 2 after a user's mistake, which is said in one
sentence; 130 after Ctrl-C.  ``--debug`` shows where an error comes from.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
#: What a user can put right: bad input, a file that is not there or not to be read or written, a missing extra.
MISTAKES = (
    ValueError, ImportError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError
)  # fmt: skip


def add_debug(parser: argparse.ArgumentParser) -> None:
    """The option that :func:`carry_out` knows."""
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")


def main(conduct: Callable[[Sequence[str]], int | None], program: str, arguments: Sequence[str] | None = None) -> int:
    """What a program's ``main`` does: :func:`carry_out` with the program's arguments.

    Args:
        conduct: parses arguments (with :func:`add_debug`) and does the work.
        program: how it is called.
        arguments: those of this process when None.

    Raises:
        SystemExit: as of :func:`carry_out`.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    return carry_out(lambda: conduct(arguments), program, "--debug" in arguments)


def carry_out(work: Callable[[], int | None], program: str, debug: bool) -> int:
    """Do a program's work and return its exit status; what goes wrong is said in one sentence on stderr.

    Args:
        work: parses arguments too; its own status, or None where all is well.
        program: how it is called.
        debug: show the traceback of an error as well.

    Raises:
        SystemExit: of ``argparse``, for ``--help`` (0) and arguments that it refuses (2).
    """
    if sys.stderr is None:  # closed, as in a service: what is said there must not go to stdout
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    _print_all_letters()
    try:
        with _short_warnings():
            return work() or DONE
    except KeyboardInterrupt:
        print(f"\n{program}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(f"{program}: {_sentence(error)}", file=sys.stderr)
        return MISTAKE if isinstance(error, MISTAKES) else FAILED


def _print_all_letters() -> None:
    """Let no name of a file end a run: letters that a terminal lacks are shown by their codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
