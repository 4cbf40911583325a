"""Real people: what a package and its prior make of people who were not made here: ``python -m
videomdm.study.real_people``.

``lift`` lifts recordings whose truth is known with ``videomdm lift``, of this package or of another checkout
(``--package``), and so puts an old and a new package side by side.  ``keep`` says what a prior makes of clean motions
(:mod:`videomdm.evaluation.keeping`).  ``choose`` lifts validation recordings and finds from which noise the prior is to
start, and how much of its motion is to be taken.  Each writes ``results/real_people/ROW-PART.json``; data come from
``VIDEOMDM_DATA`` (``cmu``, ``bandai``, ``real/balance``), and what is not there is left out and said.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from videomdm import programs, sample
from videomdm.cameras import fitting
from videomdm.conventions import DataError
from videomdm.data import cmu_actors, recordings, sources
from videomdm.data.corpus import Corpus
from videomdm.data.recordings import demonstration
from videomdm.data.recordings.detections import Detections
from videomdm.evaluation import keeping, real_people
from videomdm.evaluation.real_people import Truth
from videomdm.sample.prior import Prior
from videomdm.storage.files import write_json
from videomdm.storage.progress import Bar
from videomdm.storage.text import read_json
from videomdm.study import results
from videomdm.videos.windows import Lifting

STUDY, PARTS = "real_people", ("lift", "keep", "choose")
PROGRAM = "python -m videomdm.study.real_people"
CAMERAS = (1, 3)  # of ``balance``
KEYPOINTS = ("blazepose", "projected_truth")
CLIPS = 12  # recordings of each corpus
FRAMES = 80  # of these, at least: longer than a prior's clips, so that windows are joined
FIRST = (0.08, 0.24, 1.0)  # shares of the steps that lifting may start from; 1 is noise alone
#: Weights of the fit that are tried, one at a time.
FITS = {"image": (0.0, 0.3, 3.0), "bones": (0.0, 10.0), "bend": (0.0, 0.3, 5.0)}
SHARE = (0.0, 0.125, 0.25, 0.5, 1.0)  # of the prior in what is delivered


# ---- recordings ------------------------------------------------------------------------------------------


def corpora(data: Path, split: str, clips: int = CLIPS, frames: int = FRAMES) -> dict[str, Corpus]:
    """Canonical clips of ``frames`` of people who train no shipped weights, evenly spaced in a split, by corpus."""
    found = {}
    if (data / "cmu").is_dir():
        found["cmu"] = cmu_actors.load(data / "cmu", split)
    if (data / "bandai").is_dir():
        found["bandai"] = sources.READERS["bandai"](data / "bandai", split)
    return {name: _pieces(corpus, clips, frames) for name, corpus in found.items()}


def _pieces(corpus: Corpus, clips: int, frames: int) -> Corpus:
    long = corpus.select((corpus.lengths >= min(frames, int(corpus.lengths.max()))).nonzero()[:, 0])
    chosen = long.select(long.spaced(clips))
    chosen.lengths.clamp_(max=frames)
    return sources.canonical(chosen.select(range(len(chosen))))


def _write_filmed(folder: Path, clips: Corpus) -> dict[str, Truth]:
    """Detections of filmed clips as files that ``videomdm lift`` reads; the truth by the recording's name."""
    truths = {}
    for k, (seen, truth, caption) in enumerate(real_people.filmed(clips).values()):
        name = f"clip_{k:03d}"
        _save(seen, folder / f"{name}.npz")
        (folder / f"{name}.txt").write_text(caption + "\n", encoding="utf-8")
        truths[name] = truth
    return truths


def _save(seen: Detections, path: Path) -> None:
    """One person's detections in the project's own format; frames without them have confidence 0."""
    nobody = np.zeros((1, len(seen.layout), 3))
    frames = np.concatenate([people if len(people) else nobody for people in seen.people])
    np.savez_compressed(
        path, keypoints=frames[..., :2], confidence=frames[..., 2], layout=seen.layout.name, times=seen.times,
        size=(seen.width, seen.height),
    )  # fmt: skip


def _write_balance(folder: Path, source: Path) -> dict[str, Truth]:
    truths = {}
    for camera in CAMERAS:
        for keypoints in KEYPOINTS:
            name = f"cam{camera:02d}_{keypoints}"
            shutil.copy(source / f"{name}.npz", folder)
            (folder / f"{name}.txt").write_text("a person balances\n", encoding="utf-8")
            truths[name] = real_people.balance(source, camera)
    return truths


# ---- parts of the study ----------------------------------------------------------------------------------


def lift(run: Path, package: Path | None, data: Path, clips: int = CLIPS) -> dict[str, object]:
    """Errors of what ``videomdm lift`` makes of each set of recordings, by whom the motion is.

    Args:
        run: folder of the prior.
        package: a checkout whose package lifts; this one when None.
        data: folder of the open data.
        clips: of the test split of each corpus.

    Returns:
        Set -> "prior", "teacher" or "delivered" -> measure; for ``balance`` also recording -> the same.
    """
    sets: dict[str, tuple[Callable[[Path], dict[str, Truth]], float]] = {
        name: (partial(_write_filmed, clips=corpus), demonstration.FIELD_OF_VIEW)
        for name, corpus in corpora(data, "test", clips).items()
    }
    if (balance := data / "real" / "balance").is_dir():
        sets["balance"] = (partial(_write_balance, source=balance), real_people.BALANCE["field_of_view"])
    found: dict[str, object] = {}
    for name, (write, field_of_view) in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            seen, out = Path(folder) / "seen", Path(folder) / "out"
            seen.mkdir()
            truths = write(seen)
            _lift_elsewhere(package, run, seen, out, field_of_view)
            rows = {recording: _errors(out / f"{recording}.npz", truth) for recording, truth in truths.items()}
        if name == "balance":
            found |= {f"balance {recording}": row for recording, row in rows.items()}
            for keypoints in KEYPOINTS:
                found[f"balance {keypoints}"] = _mean({r: row for r, row in rows.items() if r.endswith(keypoints)})
        else:
            found[name] = _mean(rows)
    return found


def _mean(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    return {way: real_people.mean({name: row[way] for name, row in rows.items()}) for way in next(iter(rows.values()))}


def _lift_elsewhere(package: Path | None, run: Path, seen: Path, out: Path, field_of_view: float) -> None:
    """``videomdm lift`` of a folder, as a program of its own: another package's modules are not these."""
    code = "import sys; from videomdm.command import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["lift", seen, "--height", real_people.HEIGHT, "--field-of-view", field_of_view, "--run", run.resolve()]
    path = {} if package is None else {"PYTHONPATH": str(package.resolve())}
    subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments), "--out", str(out)], check=True, env=os.environ | path,
        cwd=package, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _errors(file: Path, truth: Truth) -> dict[str, dict[str, float]]:
    """Of a file that ``videomdm lift`` wrote, by whom the motion is."""
    if not file.is_file():
        raise DataError(f"{file.stem}: not lifted, expected {file.name}; see the notes above")
    with np.load(file, allow_pickle=False) as arrays:
        found = {name: torch.from_numpy(arrays[name]) for name in arrays if arrays[name].dtype.kind == "f"}
        delivered = str(arrays["delivered"])
    by = {
        way: real_people.errors(
            found[way], found[f"{way}_rotation"], found[f"{way}_translation"], found["times"], truth
        )
        for way in ("teacher", "prior")
    }  # fmt: skip
    return by | {"delivered": by[delivered]}


def keep(run: Path, data: Path, clips: int = CLIPS) -> dict[str, object]:
    """What a prior makes of clean motions (:func:`videomdm.evaluation.keeping.errors`).

    Of the built-in corpus, of CMU's and bandai's actors, and of ``balance`` as the fitted teacher has it from the
    projected truth.

    Returns:
        Corpus -> step -> measure.
    """
    prior = sample.load(run)
    frames = prior.config.data.max_frames
    found = {"built-in": sources.load("procedural", None, "val", frames).cut(frames)}
    found |= corpora(data, "val", clips, frames)
    kept = {}
    for name, corpus in found.items():
        chosen = corpus.select(corpus.spaced(clips))
        kept[name] = keeping.errors(prior, chosen.joints, chosen.lengths)
    if (balance := data / "real" / "balance").is_dir():
        motions, lengths = _fitted_balance(prior, balance)
        kept["balance"] = keeping.errors(prior, motions, lengths)
    return {name: {str(t): row for t, row in rows.items()} for name, rows in kept.items()}


def choose(run: Path, data: Path, clips: int = CLIPS) -> dict[str, object]:
    """Errors on validation recordings for every start and share of the prior, and the choice.

    Returns:
        ``"cmu"``, ``"bandai"`` -> ``"teacher"``, ``"fitted"``, ``"<weight>=<value>"`` (fitted with one weight changed)
        and ``"<first> <share>"`` -> measure; ``"first"`` and ``"share"``, those of the least error after both
        alignments, summed over corpora.

    Raises:
        DataError: neither corpus is there.
    """
    prior = sample.load(run)
    found: dict[str, dict] = {}
    for name, corpus in corpora(data, "val", clips).items():
        rows: dict[str, dict[str, dict[str, float]]] = {}
        filmed = real_people.filmed(corpus).values()
        for seen, truth, caption in Bar(filmed, name, unit="recording"):
            for way, row in _ways(prior, seen, truth, caption):
                rows.setdefault(way, {})[seen.name] = row
        found[name] = {way: real_people.mean(own) for way, own in rows.items()}
    if not found:
        raise DataError(f"{data}: neither cmu nor bandai, expected one of them to choose on")
    ways = [way for way in next(iter(found.values())) if " " in way]
    best = min(ways, key=lambda way: sum(row[way]["mpjpe"] + row[way]["pa_mpjpe"] for row in found.values()))
    first, share = map(float, best.split())
    return {**found, "first": first, "share": share}


def _ways(prior: Prior, seen: Detections, truth: Truth, caption: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Every way of lifting one recording, and how it errs."""
    track = recordings.track(seen, demonstration.INTRINSICS)
    lifting = Lifting(prior, track, height=real_people.HEIGHT)
    seconds = track.start + torch.arange(len(track)) / track.fps
    eye = torch.eye(3), torch.zeros(3)

    def row(motion: torch.Tensor) -> dict[str, float]:
        own = real_people.errors(motion, *eye, seconds, truth)
        return {name: value for name, value in own.items() if name != "up"}

    yield "teacher", row(lifting.teacher)
    yield "fitted", row(lifting.fitted)
    for weight, values in FITS.items():
        for value in values:
            weights = fitting.Weights(**{weight: value})
            yield f"{weight}={value:g}", row(lifting.fitted_with(weights))
    for first in FIRST:
        own = lifting.by_prior(first, caption)
        for share in SHARE:
            yield f"{first} {share}", row(lifting.mixed(own, share))


def _fitted_balance(prior: Prior, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows of the balancing trial as the fitted teacher has it from the projected truth, canonical."""
    parts = []
    for camera in CAMERAS:
        file = folder / f"cam{camera:02d}_projected_truth.npz"
        track, _, _ = recordings.load_one(file, intrinsics=real_people.BALANCE["field_of_view"])
        parts.append(Lifting(prior, track, height=real_people.HEIGHT).windows_of_fitted()[0])
    motions = torch.cat(parts)
    return motions, torch.full((len(motions),), motions.shape[1])


# ---- the command -----------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one part of the study, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Run one part, write ``<results>/real_people/ROW-PART.json`` and print which file that is."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--row", required=True, help="what the result is called")
    parser.add_argument("--run", type=Path, required=True, help="folder of the prior")
    parser.add_argument("--package", type=Path, help="another checkout, whose videomdm lifts (for lift)")
    parser.add_argument("--clips", type=int, default=CLIPS, help="recordings of each corpus")
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args(arguments)
    if "VIDEOMDM_DATA" not in os.environ:
        parser.error("VIDEOMDM_DATA is not set, expected the folder of the open data")
    data, began = Path(os.environ["VIDEOMDM_DATA"]), time.monotonic()
    if given.part == "lift":
        metrics: Mapping[str, object] = lift(given.run, given.package, data, given.clips)
    else:
        metrics = {"keep": keep, "choose": choose}[given.part](given.run, data, given.clips)
    run = f"runs/{given.run.name}" if given.run.is_absolute() else given.run
    command = f"{PROGRAM} {given.part} --row '{given.row}' --run {run}"
    command += (" --package CHECKOUT" if given.package else "") + f" --clips {given.clips}"
    print(write(given.results, given.part, given.row, given.run, metrics, time.monotonic() - began, command))


def write(
    folder: Path, part: str, row: str, run: Path, metrics: Mapping[str, object], seconds: float, command: str
) -> Path:
    """Write one result, in the form of :mod:`videomdm.study.results`; returns its file."""
    about = read_json(run / "config.json", "the configuration of a run")
    result = {
        "study": STUDY, "data": about["data"]["source"], "method": about["method"], "profile": about["profile"],
        "seed": about["seed"], "row": row, "part": part, "run": run.name,
        "command": command,
        **results.provenance(),
        "seconds": round(seconds, 1), "metrics": dict(metrics),
    }  # fmt: skip
    path = folder / STUDY / f"{row.replace(' ', '-')}-{part}.json"
    write_json(path, result)
    return path


if __name__ == "__main__":
    sys.exit(main())
