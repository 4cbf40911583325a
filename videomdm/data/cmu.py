"""HumanML3D's share of CMU's motion capture, made without AMASS: ``videomdm prepare-cmu``.

A fifth of HumanML3D (2,913 of the 14,616 rows of its ``index.csv``, 6.4 hours) was cut out of CMU's motion capture,
which is free to use and on the web as ASF/AMC and as BVH; HumanML3D's index, splits and captions are MIT.  Put
together they give HumanML3D's official layout (``new_joints``, ``new_joint_vecs``, ``texts``, split files,
``Mean.npy``, ``Std.npy``; official names and splits, mirrored twins ``M...``), which ``data=humanml3d`` reads.

Unlike in HumanML3D every motion keeps its subject's own body, unless ``body="humanml3d"`` asks for HumanML3D's one,
and joints come from the captured skeleton (:mod:`videomdm.data.cmu_bodies`), not from a fitted SMPL body.
``new_joints`` keep the last frame, which HumanML3D loses to a velocity; rows of 200 frames keep 199, because loaders
leave out motions of 200 and more; rows of under 40 frames, which they leave out too, are not written.

Work is done trial by trial on all cores.  ``trials.jsonl`` says what became of each; whoever is interrupted and starts
again does the rest.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from torch import Tensor

from videomdm.conventions import FPS, SPLITS, DataError
from videomdm.data import cmu_bodies, cmu_trials
from videomdm.data import humanml3d_layout as layout
from videomdm.data.cmu_trials import Row, Trial, plan
from videomdm.data.humanml3d import TOO_LONG
from videomdm.features.representation import canonicalise
from videomdm.parameters import argument
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import bone_vectors
from videomdm.storage.progress import Bar

_VERSION = 3  # to be raised when the same files give other clips: what was made before is then made again
_FASTEST = 18.0  # m/s; in good clips no joint exceeds 17
_BONE_RANGE = 0.03  # metres by which a bone may change: in the trunk joints blend two bones, which bend
_JOURNAL = "trials.jsonl"
_COLUMNS = ("name", "split", "trial", "start_frame", "end_frame", "frames", "skeleton", "captions_by")


# ---- one trial -------------------------------------------------------------------------------------------


def convert(trial: Trial, folder: Path, body: Tensor | None) -> dict[str, Any]:
    """Make the clips of a trial and write them, each with its mirror image.

    Args:
        trial: the trial.
        folder: the data set's.
        body: (22, 3) offsets of the one body of all motions, or None for the subject's own.

    Returns:
        The trial's line of ``trials.jsonl``: its ``clips`` by the columns of ``index.csv``, and what was ``dropped``.
    """
    joints, skeleton, dropped = _read(trial)
    if skeleton:
        cuts, unusable = plan(trial, len(joints))
    else:
        cuts, unusable = [], [(row.name, f"no file of trial {trial.name} can be read") for row in trial.rows]
    dropped += unusable
    clips = []
    for cut in cuts:
        clip = joints[cut.start : cut.end][: TOO_LONG - 1]
        if reason := fault(clip):
            dropped.append((cut.name, reason))
            continue
        for name, own, lines in ((cut.name, clip, cut.text), (f"M{cut.name}", mirror(clip), cut.mirrored_text)):
            layout.write_motion(folder, name, canonicalise(own, target_offsets=body), lines)
            clips.append((name, cut.split, trial.name, cut.start, cut.end, len(clip), skeleton, cut.captions_by))
    return {"trial": trial.name, "clips": clips, "dropped": dropped}


def _read(trial: Trial) -> tuple[Tensor, str | None, list[tuple[str, str]]]:
    """Joints of the first of a trial's files that can be read and its kind of skeleton; which cannot, and why."""
    unread = []
    for path in trial.motions:
        try:
            return *cmu_bodies.read(path, trial.skeleton, trial.capture_rate), unread
        except DataError as error:
            unread.append((path.name, f"cannot be read: {error}"))
    return torch.empty(0, len(SMPL22), 3), None, unread


def mirror(joints: Tensor) -> Tensor:
    """Joints (..., 22, 3) seen in a mirror: left is right, x is -x."""
    return joints[..., SMPL22.mirrored, :] * joints.new_tensor((-1.0, 1.0, 1.0))


def fault(joints: Tensor) -> str | None:
    """What is wrong with a clip (T, 22, 3) at 20 fps, metres; None for a good one."""
    if not joints.isfinite().all():
        return "not finite"
    speed = joints.diff(dim=0).norm(dim=-1).amax() * FPS
    if speed > _FASTEST:
        return f"a joint moves at {speed:.0f} m/s, expected at most {_FASTEST:.0f}"
    lengths = bone_vectors(joints, SMPL22).norm(dim=-1)
    change, bone = (lengths.amax(0) - lengths.amin(0)).max(0)
    if change > _BONE_RANGE:
        return f"the bone to {SMPL22.joints[int(bone) + 1]} changes by {100 * change:.1f} cm"
    return None


# ---- all trials ------------------------------------------------------------------------------------------


def prepare(
    motions: Path, humanml3d: Path, out: Path, descriptions: Path | None = None, body: str = "own",
    workers: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write HumanML3D's layout of what CMU's files in a folder have of it.

    Args:
        motions: folder of CMU's ``.asf`` and ``.amc`` files, of cgspeed's ``.bvh`` files, or of both, however nested;
            their names begin with subject and trial ("02_01"), an ``.asf`` file's is its subject's number.
        humanml3d: a copy of the HumanML3D repository: ``index.csv``, split files, ``texts.zip``.
        out: the folder to write.
        descriptions: CMU's table of trials (columns "Subject", "Trial #", "Motion Description"): rows without captions
            and what lies between the rows become clips as well, captioned "a person performs: <description>".
        body: "own", or "humanml3d" for the one body of HumanML3D's motions, which its published evaluators know.
        workers: processes; None for one per core.

    Returns:
        What was written, what is missing and what was dropped; ``report.json`` holds the same.

    Raises:
        DataError: a folder lacks what it should hold, or no clip could be made.
        ValueError: unknown ``body``.
    """
    if body not in ("own", "humanml3d"):
        raise ValueError(f"body is {body!r}, expected 'own' or 'humanml3d'")
    if out.resolve() in (humanml3d.resolve(), (humanml3d / "HumanML3D").resolve(), motions.resolve()):
        raise DataError(f"{out}: is a folder that is read, expected another one to write to")
    rows = cmu_trials.read_rows(humanml3d)
    listed = cmu_trials.find(motions, rows, cmu_trials.read_descriptions(descriptions) if descriptions else {})
    offsets = layout.read_body(humanml3d) if body == "humanml3d" else None
    keys = {trial.name: _key(trial, body) for trial in listed}
    done = _read_journal(out, keys)
    todo = [trial for trial in listed if trial.name not in done]
    out.mkdir(parents=True, exist_ok=True)
    with (out / _JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write("\n")  # ends a line that an interruption may have left half written
        work = partial(convert, folder=out, body=offsets)
        for line in Bar(_each(work, todo, workers), "trials", total=len(listed), initial=len(done)):
            done[line["trial"]] = line
            journal.write(json.dumps(line | {"key": keys[line["trial"]]}) + "\n")
            journal.flush()
    return _finish(out, rows, [done[trial.name] for trial in listed])


def _key(trial: Trial, body: str) -> str:
    """Changes with all that a trial's clips are made from."""
    paths = (*trial.motions, *([trial.skeleton] if trial.skeleton else []))
    stats = [(path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr((_VERSION, trial, body, stats)).encode()).hexdigest()[:16]


def _read_journal(out: Path, keys: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The lines of trials that were finished, from the same files, and whose clips are still there."""
    path = out / _JOURNAL
    done = {}
    for row in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(row)
        except json.JSONDecodeError:  # the line that an interruption left half written
            continue
        made = (file for clip in line["clips"] for file in layout.files(out, clip[0]))
        if line["key"] == keys.get(line["trial"]) and all(map(Path.exists, made)):
            done[line["trial"]] = line
    return done


def _each(work: Callable[[Trial], dict], trials: Sequence[Trial], workers: int | None) -> Iterator[dict]:
    """Results in the order in which they are done."""
    workers = min((os.cpu_count() or 1) if workers is None else workers, len(trials))
    if workers <= 1:
        yield from map(work, trials)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
    try:
        for future in as_completed([pool.submit(work, trial) for trial in trials]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Workers of a parent that was killed would otherwise wait for it forever."""
    parent_process().join()
    os._exit(1)


def _finish(out: Path, rows: dict[str, list[Row]], lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write split files, statistics, ``index.csv`` and ``report.json``; returns the report."""
    clips = [clip for line in lines for clip in line["clips"]]
    report = _report(rows, lines, clips)
    _write_json(out / "report.json", report)
    if not clips:
        raise DataError(f"{out}: no clip could be made; report.json says why, the first reason is {_first(report)}")
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([_COLUMNS, *clips])
    layout.write_file(out / "index.csv", lambda file: file.write(table.getvalue().encode()))
    layout.write_index(out, {split: [clip[0] for clip in clips if clip[1] == split] for split in SPLITS})
    return report


def _report(rows: dict[str, list[Row]], lines: Sequence[dict], clips: Sequence[Sequence]) -> dict[str, Any]:
    originals = [clip for clip in clips if not clip[0].startswith("M")]
    official = {row.name for own in rows.values() for row in own}
    missing = {trial: [row.name for row in own] for trial, own in sorted(rows.items())}
    for line in lines:
        missing.pop(line["trial"], None)
    return {
        "rows": {"in_index": len(official), "written": sum(clip[0] in official for clip in originals)},
        "clips": len(originals),
        "minutes": round(sum(clip[5] for clip in originals) / FPS / 60, 2),
        "splits": dict(Counter(clip[1] for clip in originals)),
        "skeletons": dict(Counter(clip[6] for clip in originals)),
        "captions_by": dict(Counter(clip[7] for clip in originals)),
        "dropped": sorted(tuple(entry) for line in lines for entry in line["dropped"]),
        "missing_trials": missing,
    }


def _first(report: dict[str, Any]) -> str:
    for name, reason in report["dropped"]:
        return f"{name}: {reason}"
    return "that none of the trials found is in HumanML3D's index"


def _write_json(path: Path, value: Any) -> None:
    layout.write_file(path, lambda file: file.write((json.dumps(value, indent=1) + "\n").encode()))


# ---- command ---------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``videomdm prepare-cmu``."""
    parser.add_argument(
        "--motions", type=argument(Path), required=True, metavar="DIR", help="CMU's files: .asf and .amc, .bvh"
    )
    parser.add_argument(
        "--humanml3d", type=argument(Path), required=True, metavar="DIR", help="a copy of HumanML3D's repository"
    )
    parser.add_argument("--out", type=argument(Path), required=True, metavar="DIR", help="the folder to write")
    parser.add_argument(
        "--descriptions", type=argument(Path), metavar="FILE",
        help="CMU's table of trials: makes clips of what lies between HumanML3D's rows, captioned by it",
    )  # fmt: skip
    parser.add_argument(
        "--body", choices=("own", "humanml3d"), default="own",
        help="the subject's own, or HumanML3D's one body, which its published evaluators know",
    )  # fmt: skip


def run(given: argparse.Namespace) -> None:
    """Do what the arguments say and print what came of it; raises ``DataError`` as :func:`prepare` does."""
    report = prepare(given.motions, given.humanml3d, given.out, given.descriptions, given.body)
    print("\n".join(_lines(report, given.out)))


def _lines(report: dict[str, Any], out: Path) -> Iterable[str]:
    rows, missing = report["rows"], report["missing_trials"]
    splits = ", ".join(f"{report['splits'].get(split, 0)} {split}" for split in SPLITS)
    yield f"{out}: {report['clips']} clips and their mirror images, {report['minutes']:.1f} minutes ({splits})"
    yield f"{rows['written']} of the {rows['in_index']} rows that HumanML3D took from CMU"
    if missing:
        shown = ", ".join(list(missing)[:5]) + (" ..." if len(missing) > 5 else "")
        yield f"missing: {sum(map(len, missing.values()))} rows of {len(missing)} trials without a file: {shown}"
    kinds = Counter(re.sub(r"\d[\d.]*", "N", reason).split(": ")[0] for _, reason in report["dropped"])
    yield from (f"dropped: {count}, {kind}" for kind, count in kinds.most_common())
    yield f"{out / 'report.json'} lists them; data=humanml3d data_root={out} reads the clips"
