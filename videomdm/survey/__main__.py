"""``python -m videomdm.survey make | serve | analyse | dry | compare``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake of the user ends with one line and 2."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    compares = arguments[:1] == ["compare"]
    module = importlib.import_module(f"videomdm.survey.{'compare' if compares else 'command'}")
    parser = argparse.ArgumentParser(
        prog=f"python -m videomdm.survey{' compare' if compares else ''}", description=module.__doc__.split("\n\n")[0]
    )
    module.add_arguments(parser)
    given = parser.parse_args(arguments[compares:])
    try:
        module.run(given)
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
