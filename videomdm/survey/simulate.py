"""Voters with known preferences: what a survey should find is given.

A voter prefers one method to another with the probability of Bradley and Terry's model, for strengths that vary
a little from voter to voter.  Some voters do not look and choose at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from videomdm.survey.analyse import Votes


@dataclass(frozen=True)
class Voters:
    """What simulated voters like.

    Attributes:
        strengths: of each method, in log odds.
        taste: standard deviation over voters of the strength of each method.
        careless: share of voters who choose at random, also in attention checks.
    """

    strengths: Sequence[float]
    taste: float = 0.0
    careless: float = 0.0

    def drawn(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The strengths (n, M) of ``n`` voters, and who of them (n,) is careless."""
        strengths = np.asarray(self.strengths, float)
        own = strengths + self.taste * rng.standard_normal((n, len(strengths)))
        careless = rng.random(n) < self.careless
        return np.where(careless[:, None], 0.0, own), careless


def votes(design: np.ndarray, voters: Voters, methods: Sequence[str], seed: int = 0) -> Votes:
    """One vote on every comparison of a design (P, K, 3) from :func:`videomdm.survey.design.balanced`."""
    rng = np.random.default_rng(seed)
    n, k, _ = design.shape
    own, _ = voters.drawn(n, rng)
    scene, left, right = np.moveaxis(design, -1, 0)
    rows = np.arange(n)[:, None]
    takes_left = rng.random((n, k)) < 1 / (1 + np.exp(own[rows, right] - own[rows, left]))
    return Votes(
        np.repeat(np.arange(n), k), scene.ravel(), np.where(takes_left, left, right).ravel(),
        np.where(takes_left, right, left).ravel(), tuple(methods),
    )  # fmt: skip


def choose(trial: dict, clips: dict, own: dict[str, float], careless: bool, rng: np.random.Generator) -> dict:
    """What a voter of strengths ``own`` (method -> log odds) answers to a trial of ``survey.json``.

    Args:
        trial: the two clips and how long they last.
        clips: what they are, from the survey's key.
        own, careless: of this voter.
        rng: makes all choices.
    """
    left, right = clips[trial["left"]], clips[trial["right"]]
    if careless:
        probability = 0.5
    elif left["shuffled"] or right["shuffled"]:
        probability = float(right["shuffled"])
    else:
        probability = 1 / (1 + np.exp(own[right["method"]] - own[left["method"]]))
    return {
        "left": trial["left"], "right": trial["right"], "chosen": "left" if rng.random() < probability else "right",
        "seconds": round(trial["seconds"] + float(rng.gamma(2, 1.0)), 2), "replays": int(rng.poisson(0.2)),
    }  # fmt: skip
