"""Prepare a corpus in shards before there is a machine to train on: the same as ``python -m videomdm.prepare``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from videomdm import settings

    settings.add_arguments(parser)


def run(given: argparse.Namespace) -> None:
    """Prepare, and print where the shards are."""
    from videomdm import prepare, settings

    prepare.prepare(settings.read(given))
