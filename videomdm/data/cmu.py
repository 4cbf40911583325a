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
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from torch import Tensor

from videomdm.conventions import FPS, MAX_FRAMES, MIN_FRAMES, DataError
from videomdm.data import cmu_bodies
from videomdm.data import humanml3d_layout as layout
from videomdm.data.humanml3d import SPLITS, TOO_LONG
from videomdm.features.representation import canonicalise
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import bone_vectors
from videomdm.storage import text
from videomdm.storage.progress import Bar

_VERSION = 1  # to be raised when the same files give other clips: what was made before is then made again
_FASTEST = 18.0  # m/s; in good clips no joint exceeds 17
_BONE_RANGE = 0.03  # metres by which a bone may change: in the trunk joints blend two bones, which bend
_JOURNAL = "trials.jsonl"
_COLUMNS = ("name", "split", "trial", "start_frame", "end_frame", "frames", "skeleton", "captions_by")

#: Captured at 60 frames per second, as CMU's index says; all others at 120.  (The frame time in cgspeed's BVH files is
#: 1 / 120 s also for these.)
_SUBJECTS_AT_60 = (33, 34, 42, 60, 61, 62, 74, 75, 77, 79, 80, 87, 88, 89)
_TRIALS_AT_60 = ("136_19",)

_TRIAL = re.compile(r"(?P<subject>\d{1,3})_(?P<number>\d{1,2})(?!\d)")
_AMASS = re.compile(r".*/CMU/(?P<folder>[^/]+)/(?P<trial>\d+_\d+)_poses\.npy")
_TWO_PEOPLE = re.compile(r"(?P<a>\d+)_(?P<b>\d+)_(?P<person>[A-Za-z]+)\d*")


# ---- trials and what is cut out of them ------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of HumanML3D's index with what else HumanML3D says of it; None where it says nothing."""

    name: str
    start: int
    end: int
    split: str | None
    text: str | None
    mirrored_text: str | None


@dataclass(frozen=True)
class Cut:
    """A clip to be made: frames ``start`` to ``end`` (left out) of a trial at 20 fps."""

    name: str
    start: int
    end: int
    split: str
    captions_by: str
    text: str
    mirrored_text: str


@dataclass(frozen=True)
class Trial:
    """A trial and what is known of it.

    Attributes:
        name: subject and number, "02_01".
        motions: its files, the best kind first.
        skeleton: its subject's ASF file.
        rows: HumanML3D's rows of it.
        description: what CMU says of it, if it is wanted.
    """

    name: str
    motions: tuple[Path, ...]
    skeleton: Path | None
    rows: tuple[Row, ...]
    description: str | None

    @property
    def capture_rate(self) -> int:
        """Frames per second of its files."""
        subject = int(self.name.split("_")[0])
        return 60 if subject in _SUBJECTS_AT_60 or self.name in _TRIALS_AT_60 else 120


def trial_name(text: str) -> str | None:
    """The trial after which a file is named: "02_01" of "2_1" or "02_01_walk"; None where there is none."""
    found = _TRIAL.match(text)
    return found and f"{int(found['subject']):02d}_{int(found['number']):02d}"


def trial_of(source: str) -> str | None:
    """The trial from which AMASS made a file, by its path in HumanML3D's index; None outside CMU.

    Of the sessions of two people AMASS keeps both under the first one's number and the name of either: Justin, who is
    CMU's subject A, and Rory, subject B.
    """
    found = _AMASS.fullmatch(source)
    if not found:
        return None
    two = _TWO_PEOPLE.fullmatch(found["folder"])
    if not two:
        return trial_name(found["trial"])
    subject = two["a"] if two["person"].lower() == "justin" else two["b"]
    return trial_name(f"{subject}_{found['trial'].split('_')[1]}")


def plan(trial: Trial, n_frames: int) -> tuple[list[Cut], list[tuple[str, str]]]:
    """What to cut out of a trial: HumanML3D's rows and, of a trial that has a description, what lies between them.

    Gaps are cut into as few equal pieces of at most 196 frames as possible, ``cmu_<trial>_<number>``; those of under
    40 frames are left.  A piece is in the test split if any row of its trial is, else in val if any is, so that it
    cannot tell in training what is tested; trials without rows are split by a hash of their name (80, 5, 15 %).

    Args:
        trial: the trial.
        n_frames: its length at 20 fps.

    Returns:
        The cuts, and (row's name, reason) of the rows that cannot be made.
    """
    cuts, dropped = [], []
    for row in trial.rows:
        if reason := _unusable(row, n_frames, trial):
            dropped.append((row.name, reason))
        elif row.text and row.mirrored_text:
            cuts.append(Cut(row.name, row.start, row.end, row.split, "HumanML3D", row.text, row.mirrored_text))
        else:
            cuts.append(Cut(row.name, row.start, row.end, row.split, "CMU", *_captions(trial.description)))
    if trial.description:
        split = _split_of_pieces(trial)
        pieces = (piece for gap in _gaps(cuts, n_frames) for piece in _pieces(*gap))
        cuts += [
            Cut(f"cmu_{trial.name}_{i}", start, end, split, "CMU", *_captions(trial.description))
            for i, (start, end) in enumerate(pieces)
        ]
    return cuts, dropped


def _unusable(row: Row, n_frames: int, trial: Trial) -> str | None:
    if row.end > n_frames:
        return f"ends at frame {row.end}, the file has {n_frames} at 20 fps (captured at {trial.capture_rate})"
    if row.end - row.start < MIN_FRAMES:
        return f"under {MIN_FRAMES} frames"
    if row.split is None:
        return "in no split file"
    if not (row.text and row.mirrored_text or trial.description):
        return "no captions"
    return None


def _gaps(cuts: Sequence[Cut], n_frames: int) -> Iterator[tuple[int, int]]:
    """Runs of frames that no cut has and that are long enough for a clip."""
    covered = 0
    for start, end in sorted([*((cut.start, cut.end) for cut in cuts), (n_frames, n_frames)]):
        if start - covered >= MIN_FRAMES:
            yield covered, start
        covered = max(covered, end)


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    count = -(-(end - start) // MAX_FRAMES)
    return pairwise(start + (end - start) * i // count for i in range(count + 1))


def _split_of_pieces(trial: Trial) -> str:
    splits = {row.split for row in trial.rows}
    if trial.rows:
        return next((split for split in ("test", "val") if split in splits), "train")
    percent = int.from_bytes(hashlib.sha256(trial.name.encode()).digest(), "big") % 100
    return "train" if percent < 80 else "val" if percent < 85 else "test"


def _captions(description: str) -> tuple[str, str]:
    """Caption files of a trial and of its mirror image, without parts of speech."""
    other = {"left": "right", "clockwise": "counterclockwise"}
    other |= {b: a for a, b in other.items()}
    sentence = f"a person performs: {description}"
    mirrored = re.sub(rf"\b({'|'.join(other)})\b", lambda word: other[word[0]], sentence)
    return tuple(
        f"{text}#{' '.join(f'{word}/OTHER' for word in re.findall(r'[a-z]+', text.lower()))}#0.0#0.0\n"
        for text in (sentence, mirrored)
    )


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
            return *cmu_bodies.read(path, trial.skeleton, trial.capture_rate // int(FPS)), unread
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
    rows = read_rows(humanml3d)
    listed = _trials(motions, rows, _descriptions(descriptions) if descriptions else {})
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


def read_rows(humanml3d: Path) -> dict[str, list[Row]]:
    """HumanML3D's rows of each trial of CMU, from a copy of its repository; raises ``DataError`` as that does."""
    index = [(trial_of(row.source), row) for row in layout.read_index(humanml3d)]
    index = [(trial, row) for trial, row in index if trial]
    splits = layout.read_splits(humanml3d)
    texts = layout.read_texts(humanml3d, [name for _, row in index for name in (row.name, f"M{row.name}")])
    rows = defaultdict(list)
    for trial, row in index:
        said = texts.get(row.name), texts.get(f"M{row.name}")
        rows[trial].append(Row(row.name, row.start, row.end, splits.get(row.name), *said))
    return dict(rows)


def _descriptions(path: Path) -> dict[str, str]:
    try:
        table = list(csv.DictReader(io.StringIO(text.read(path))))
        return {
            trial_name(f"{row['Subject']}_{row['Trial #']}"): " ".join(row["Motion Description"].split())
            for row in table
            if row["Motion Description"].strip()
        }
    except (OSError, UnicodeDecodeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path}: {error}, expected a table with the columns Subject, Trial #, Motion Description"
        ) from None


def _trials(motions: Path, rows: dict[str, list[Row]], descriptions: dict[str, str]) -> list[Trial]:
    """The trials that have files and something to be cut out."""
    if not motions.is_dir():
        raise DataError(f"{motions}: no such folder, expected CMU's motions")
    by_ending: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(motions.rglob("*.*")):
        by_ending[path.suffix.lower()].append(path)
    skeletons = {int(path.stem): path for path in by_ending[".asf"] if path.stem.isdigit()}
    files: dict[str, list[Path]] = defaultdict(list)
    for path in (*by_ending[".amc"], *by_ending[".bvh"]):
        if name := trial_name(path.stem):
            files[name].append(path)
    if not files:
        raise DataError(
            f"{motions}: no .amc or .bvh file that is named after a trial of CMU (02_01.amc), in it or below; "
            "archives have to be unpacked"
        )
    trials = []
    for name in sorted(files.keys() & (rows.keys() | descriptions.keys())):
        skeleton = skeletons.get(int(name.split("_")[0]))
        ranked = sorted(files[name], key=partial(_rank, has_skeleton=skeleton is not None))
        own = tuple(sorted(rows.get(name, ()), key=lambda row: row.name))
        trials.append(Trial(name, tuple(ranked), skeleton, own, descriptions.get(name)))
    return trials


def _rank(path: Path, has_skeleton: bool) -> int:
    """Which of a trial's files to take: CMU's own, else the same body in BVH, else Daz's figure."""
    if path.suffix.lower() == ".amc":
        return 0 if has_skeleton else 3
    with path.open("rb") as file:
        return 1 if b"LHipJoint" in file.read(1024) else 2


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
    parser.add_argument("--motions", type=Path, required=True, metavar="DIR", help="CMU's files: .asf and .amc, .bvh")
    parser.add_argument("--humanml3d", type=Path, required=True, metavar="DIR", help="a copy of HumanML3D's repository")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    parser.add_argument(
        "--descriptions", type=Path, metavar="FILE",
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


def main(arguments: Sequence[str] | None = None) -> None:
    """``python -m videomdm.data.cmu``."""
    parser = argparse.ArgumentParser(prog="videomdm prepare-cmu", description=(__doc__ or "").split("\n")[0])
    add_arguments(parser)
    try:
        run(parser.parse_args(arguments))
    except DataError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
