"""``videomdm survey make``: one folder with everything that participants see, and a key that they do not.

``public/`` is what a static host or ``videomdm survey serve`` shows: the page, ``survey.json`` and the clips, which
are numbered in random order.  ``key.json`` beside it says which clip is whose; nothing in ``public/`` does.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch

from videomdm.conventions import DataError
from videomdm.skeletons import Skeleton
from videomdm.storage.progress import Bar
from videomdm.survey import drawing
from videomdm.survey.design import balanced, frequencies
from videomdm.survey.scenes import Result, Scene, match

PAGE = resources.files("videomdm.survey") / "page"
QUESTION = "Which motion looks more realistic and natural?"
CHECK_CLIPS = 4  # different attention checks of a survey at most
VOTE_SECONDS = 4  # that a vote takes beside watching

Clip = tuple[int, int, bool]  # scene, method, whether its frames are shuffled
Trial = tuple[str, str, int]  # clips on the left and on the right, scene


@dataclass(frozen=True)
class Settings:
    """What a survey asks, and of how many.

    Attributes:
        participants: how many the pairs are dealt out to.
        pairs: comparisons of each.
        checks: attention checks of each: a clip against its own frames in random order.
        question: shown above every pair.
        floor: see :func:`videomdm.survey.scenes.match`.
        post: address that the page sends the answers to when it ends, "" to offer them as a download.
        seed: of the pairs, their sides, the clips' numbers and the shuffled frames.
    """

    participants: int = 20
    pairs: int = 10
    checks: int = 0
    question: str = QUESTION
    floor: str = "zero"
    post: str = ""
    seed: int = 0


def make(
    folder: Path, results: Sequence[Result], settings: Settings, captions: Path | None = None, consent: str = ""
) -> Path:
    """Draw the clips of a survey and deal out its pairs.

    A killed call goes on where it was when it is called again with the same arguments.

    Args:
        folder: made if missing.
        results: motions of two or more methods.
        settings: what is asked.
        captions: see :func:`videomdm.survey.scenes.match`.
        consent: text of the consent form, see ``page/consent.txt``, which is used without one.

    Returns:
        ``folder / "key.json"``.

    Raises:
        DataError: results that do not go together, or a folder that holds another survey.
    """
    if len(results) < 2:
        raise DataError(f"{len(results)} result, expected two or more methods to compare")
    if settings.pairs < 1 or settings.participants < 1 or settings.checks < 0:
        raise DataError(f"{settings.participants} participants, {settings.pairs} pairs and {settings.checks} checks "
                        "each, expected at least one, one and none")  # fmt: skip
    if settings.post and not settings.post.startswith(("https://", "http://")):
        raise DataError(f"post is {settings.post!r}, expected an address that begins with https://")
    scenes = match(results, captions, settings.floor)
    plan = draw_plan(results, scenes, settings, consent)
    key, unfinished = folder / "key.json", folder / "key.partial.json"
    text = json.dumps(plan["key"], indent=1) + "\n"
    if key.exists() and key.read_text() != text:
        raise DataError(f"{key}: another survey is in this folder, expected a new one; its votes need its key")
    public = folder / "public"
    if not key.exists() and not (unfinished.exists() and unfinished.read_text() == text):
        shutil.rmtree(public, ignore_errors=True)
        (public / "clips").mkdir(parents=True)
        unfinished.write_text(text)
    _draw(public / "clips", plan, scenes, results[0].skeleton, results[0].fps)
    _write_page(public, plan["survey"])
    if not key.exists():
        os.replace(unfinished, key)
    return key


def draw_plan(results: Sequence[Result], scenes: Sequence[Scene], settings: Settings, consent: str) -> dict:
    """Everything but the pictures.

    Returns:
        ``survey``, which is published; ``key``, which is kept; and what each clip shows: ``shown``, (scene, method,
        whether its frames are shuffled) -> name, and ``references``, scene -> name of its reference video.
    """
    rng = np.random.default_rng(settings.seed)
    methods = [result.name for result in results]
    design = balanced(len(methods), len(scenes), settings.participants, settings.pairs, settings.seed)
    checked = [] if not settings.checks else rng.choice(len(scenes), min(CHECK_CLIPS, len(scenes)), replace=False)
    checks = [(int(scene), int(rng.integers(len(methods))), True) for scene in checked]
    shown = [(scene, method, False) for scene in range(len(scenes)) for method in range(len(methods))] + checks
    names = [f"c{k:03d}" for k in rng.permutation(len(shown))]
    name_of = dict(zip(shown, names, strict=True))
    slots = [_trials(row, name_of, checks, settings.checks, rng) for row in design.tolist()]
    references = {k: f"r{i:03d}" for i, k in enumerate(k for k, scene in enumerate(scenes) if scene.reference)}
    seconds = [len(next(iter(scene.motions.values()))) / results[0].fps for scene in scenes]
    survey = _survey(slots, scenes, seconds, references, settings, consent)
    key = {
        "survey": survey["survey"],
        "seed": settings.seed,
        "methods": methods,
        "motions": {result.name: result.digest for result in results},
        "settings": {name: getattr(settings, name) for name in ("participants", "pairs", "checks", "floor")},
        "compared": [
            {"methods": [methods[a], methods[b]], "times": n, "first_on_the_left": first}
            for (a, b), (n, first) in frequencies(design).items()
        ],
        "clips": {
            name: {"method": methods[method], "caption": scenes[scene].caption, "scene": scene,
                   "seconds": round(seconds[scene], 2), "shuffled": shuffled}
            for (scene, method, shuffled), name in sorted(name_of.items(), key=lambda item: item[1])
        },
    }  # fmt: skip
    return {"survey": survey, "key": key, "shown": name_of, "references": references}


def _trials(
    row: list[list[int]], name_of: dict[Clip, str], checks: Sequence[Clip], n_checks: int, rng: np.random.Generator
) -> list[Trial]:
    """What one participant is shown: the pairs of a row of the design, attention checks strewn in after the first."""
    trials = [(name_of[c, left, False], name_of[c, right, False], c) for c, left, right in row]
    for k in rng.choice(len(checks), n_checks, replace=n_checks > len(checks)) if checks else ():
        scene, method, _ = checks[k]
        pair = [name_of[scene, method, True], name_of[scene, method, False]]
        left, right = pair if rng.integers(2) else pair[::-1]
        trials.insert(int(rng.integers(1, len(trials) + 1)), (left, right, scene))
    return trials


def _survey(
    slots: Sequence[Sequence[Trial]], scenes: Sequence[Scene], seconds: Sequence[float], references: dict[int, str],
    settings: Settings, consent: str,
) -> dict:  # fmt: skip
    """What is published, with a digest of itself."""
    minutes = np.mean([sum(seconds[c] + VOTE_SECONDS for _, _, c in trials) for trials in slots]) / 60
    survey = {
        "question": settings.question,
        "consent": _filled(consent or (PAGE / "consent.txt").read_text(), len(slots[0]), minutes),
        "pairs": len(slots[0]),
        "post": settings.post,
        "slots": [
            [
                {"left": left, "right": right, "caption": scenes[c].caption, "seconds": round(seconds[c], 2)}
                | ({"reference": references[c]} if c in references else {})
                for left, right, c in trials
            ]
            for trials in slots
        ],
    }
    digest = hashlib.sha256(json.dumps(survey, sort_keys=True).encode()).hexdigest()[:12]
    return survey | {"survey": digest}


def _filled(consent: str, pairs: int, minutes: float) -> str:
    about = f"{max(1, int(minutes))} to {int(minutes) + 2} minutes"
    return consent.replace("{pairs}", str(pairs)).replace("{minutes}", about).strip()


def _draw(folder: Path, plan: dict, scenes: Sequence[Scene], skeleton: Skeleton, fps: float) -> None:
    """Draw the clips that are missing, in the order of their numbers: not even a file's age says whose it is."""
    views = {}
    for (scene, method, shuffled), name in Bar(sorted(plan["shown"].items(), key=lambda item: item[1]), "clips"):
        path = folder / f"{name}.webm"
        if path.exists():
            continue
        motions = scenes[scene].motions
        if scene not in views:
            views[scene] = drawing.view_of(list(motions.values()))
        joints = list(motions.values())[method]
        if shuffled:
            order = torch.Generator().manual_seed(plan["key"]["seed"] + scene)
            joints = joints[torch.randperm(len(joints), generator=order)]
        drawing.write_film(path, drawing.draw(joints, skeleton, views[scene]), fps)
    for scene, name in plan["references"].items():
        if not (folder / f"{name}.webm").exists():
            drawing.write_film(folder / f"{name}.webm", *drawing.read_film(scenes[scene].reference))


def _write_page(public: Path, survey: dict) -> None:
    """The page carries the survey in itself, so that it opens from a folder too, where nothing can be fetched."""
    text = json.dumps(survey, indent=1)
    (public / "survey.json").write_text(text + "\n")
    page = (PAGE / "index.html").read_text()
    page = page.replace("@votes@", html.escape(survey["post"] or "download"))
    (public / "index.html").write_text(page.replace("@survey@", text.replace("<", "\\u003c")))
    for name in ("survey.css", "survey.js"):
        shutil.copyfile(PAGE / name, public / name)
