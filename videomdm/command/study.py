"""Run the methods of a study on a corpus and keep what they measured: the same as ``python -m videomdm.study``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from videomdm.study import study

    study.add_arguments(parser)


def run(given: argparse.Namespace) -> None:
    """Train and measure every row of the study that has no result yet."""
    from videomdm.study import study

    study.conduct(given)
