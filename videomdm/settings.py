"""The command line of programs that take a configuration: a file of one, or a profile with some values changed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from videomdm.config import PROFILES, Config, profile
from videomdm.losses import Weights


def config(arguments: Sequence[str] | None, program: str, description: str) -> Config:
    """The configuration that a program's arguments describe; a bad one ends it with a message.

    Args:
        arguments: those of this process when None.
        program: how it is called, for messages.
        description: what it does, for ``--help``.
    """
    parser = argparse.ArgumentParser(prog=program, description=description.split("\n")[0])
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--config", type=Path, metavar="FILE", help="a configuration as JSON, such as a run's")
    start.add_argument("--profile", choices=list(PROFILES))
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="settings to change; values as JSON, or plain words",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    try:
        base = profile(given.profile) if given.profile else Config.from_json(given.config.read_text())
        return base.but(**dict(_setting(text) for text in given.set))
    except (OSError, TypeError, KeyError, ValueError) as error:
        parser.error(f"{given.config or given.profile}: {error}")


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text!r}, expected KEY=VALUE")
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        parsed = value
    return key, Weights(**parsed) if key == "weights" else parsed
