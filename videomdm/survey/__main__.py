"""``python -m videomdm.survey make | serve | analyse | dry | compare``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from videomdm.survey import command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake of the user ends with one line and 2."""
    parser = argparse.ArgumentParser(prog="python -m videomdm.survey", description=command.SURVEY)
    command.add_arguments(parser)
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    command.add_compare_arguments(commands.add_parser("compare", help=command.COMPARE, description=command.COMPARE))
    given = parser.parse_args(arguments)
    return command.run_compare(given) if given.command == "compare" else command.run(given)


if __name__ == "__main__":
    sys.exit(main())
