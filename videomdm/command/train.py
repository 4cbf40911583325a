"""Train a motion prior: the same as ``python -m videomdm.train``.
A run that was interrupted goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from videomdm import settings

    settings.add_arguments(parser)


def run(given: argparse.Namespace) -> None:
    """Train, and print the run's folder."""
    from videomdm import settings
    from videomdm.train.__main__ import train

    train(settings.read(given))
