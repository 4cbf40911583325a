"""``videomdm survey dry``: a whole survey without people, from training to the analysis.

Two methods are trained in their smallest profile on the built-in motions, both generate motions for the same
captions, the survey is made and served, simulated voters with known preferences take part over HTTP,
and their votes are analysed.  It rehearses a survey; it says nothing about the methods.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np

from videomdm import sample, train
from videomdm.data import procedural
from videomdm.export.deliver import deliver
from videomdm.survey import analyse, make, scenes, serve, store
from videomdm.survey.simulate import Voters, choose

METHODS = ("mdm-teacher", "videomdm")
VOTERS = Voters(strengths=(-0.3, 0.3), taste=0.3, careless=0.1)
SETTINGS = make.Settings(participants=20, pairs=10, checks=1)
CAPTIONS, SECONDS = 10, 2.2


def run(folder: Path, settings: make.Settings = SETTINGS, voters: Voters = VOTERS) -> dict:
    """Do all of it in ``folder`` and return what the analysis finds; what is there already is not made again.

    Raises:
        ValueError: the folder holds another survey.
    """
    captions = [caption[0] for caption in procedural.load("test", 200).captions[:CAPTIONS]]
    for method in METHODS:
        target = folder / "motions" / method
        if not (target / "motions.npz").exists():
            run_folder = train.fit(replace(train.profile("smoke"), method=method))
            deliver(sample.load(run_folder), captions, target, SECONDS)
    results = [scenes.read(f"{method}={folder / 'motions' / method}") for method in METHODS]
    make.make(folder, results, settings)
    votes, expected = folder / "votes.sqlite", settings.participants * (settings.pairs + settings.checks)
    if not votes.exists() or len(store.read_votes(votes)) < expected:
        for cut_off in folder.glob("votes.sqlite*"):  # killed in the middle: all vote again, as they would have
            cut_off.unlink()
        vote(folder, voters, settings.participants)
    found = analyse.analyse(folder)
    analyse.write(found, folder / "analysis.json")
    return found


def vote(folder: Path, voters: Voters, n: int, seed: int = 0) -> None:
    """Serve a survey on this machine and let ``n`` simulated voters take part, one after another."""
    key = json.loads((folder / "key.json").read_text())
    slots = json.loads((folder / "public" / "survey.json").read_text())["slots"]
    rng = np.random.default_rng(seed)
    own, careless = voters.drawn(n, rng)
    limits = serve.Limits(starts=(10 * n, 1e3), votes=(1e3, 1e3), requests=(1e5, 1e5))  # voters who need no time
    with serve.running(folder, limits) as address:
        for k in range(n):
            _take_part(f"{address}/api", slots, key, own[k], bool(careless[k]), [seed, k])


def _take_part(address: str, slots: list, key: dict, own: np.ndarray, careless: bool, seed: list[int]) -> None:
    rng = np.random.default_rng(seed)
    strengths = dict(zip(key["methods"], own.tolist(), strict=True))
    started = _post(f"{address}/start", {})
    for trial, shown in enumerate(slots[started["slot"]]):
        answer = choose(shown, key["clips"], strengths, careless, rng)
        _post(f"{address}/vote", {"participant": started["participant"], "trial": trial, **answer})
    _post(f"{address}/finish", {"participant": started["participant"]})


def _post(address: str, content: dict) -> dict:
    request = urllib.request.Request(address, json.dumps(content).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())
