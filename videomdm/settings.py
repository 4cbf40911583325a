"""The command line of programs that take a configuration: a file of one, or a profile with some values changed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from videomdm import programs
from videomdm.config import PROFILES, TYPES, Config, profile
from videomdm.parameters import argument, parse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that describe a configuration, for :func:`read`."""
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--config", type=argument(Path), metavar="FILE", help="a configuration as JSON, such as a run's")
    start.add_argument("--profile", choices=list(PROFILES), help="sizes and budgets")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE",
        help="settings to change, such as data=bandai lr=1e-4 on_error=skip",
    )  # fmt: skip
    parser.epilog = f"settings: {', '.join(TYPES)}; videomdm.config says what each is"


def read(given: argparse.Namespace) -> Config:
    """The configuration that arguments describe.

    Raises:
        OSError: no such file.
        ValueError: a file that is no configuration, an unknown setting or a value that it cannot have.
    """
    start = given.config or given.profile
    try:
        base = profile(given.profile) if given.profile else Config.from_json(given.config.read_text())
        return base.but(**changes(given.set))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{start}: {error}") from error


def config(arguments: Sequence[str] | None, program: str, description: str) -> Config:
    """The configuration that a program's arguments describe; a bad one ends it with a message.

    Args:
        arguments: those of this process when None.
        program: how it is called, for messages.
        description: what it does, for ``--help``.
    """
    parser = argparse.ArgumentParser(prog=program, description=description.split("\n")[0])
    add_arguments(parser)
    programs.add_debug(parser)
    given = parser.parse_args(arguments)
    try:
        return read(given)
    except (OSError, ValueError) as error:
        parser.error(str(error))


def changes(given: Sequence[str]) -> dict[str, Any]:
    """Settings given as ``NAME=VALUE``, by their flat names; raises ``ValueError`` for one that there is not."""
    return dict(_setting(text) for text in given)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text!r}, expected NAME=VALUE")
    if name not in TYPES:
        raise ValueError(f"unknown setting {name}; known: {', '.join(sorted(TYPES))}")
    return name, parse(name, value, TYPES[name])
