"""Trials of CMU's motion capture, what HumanML3D took from them, and what else can be cut out."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from videomdm.conventions import MAX_FRAMES, MIN_FRAMES, DataError
from videomdm.data import humanml3d_layout as layout
from videomdm.storage import text

#: Captured at 60 frames per second, as CMU's index says; all others at 120.  (The frame time in cgspeed's BVH files is
#: 1 / 120 s also for these.)
_SUBJECTS_AT_60 = (33, 34, 42, 60, 61, 62, 74, 75, 77, 79, 80, 87, 88, 89)
_TRIALS_AT_60 = ("136_19",)

_TRIAL = re.compile(r"(?P<subject>\d{1,3})_(?P<number>\d{1,2})(?!\d)")
#: A side in a description, also in words such as ``FeintLeftMoveRight`` and ``Left_Lunges``; a right angle has none.
_SIDE = re.compile(r"(?:(?<![A-Za-z])(?:left|right|(?:counter-?)?clockwise)|Left|Right)(?![a-z])(?! ?[Aa]ngle)")
_OTHER = {
    "left": "right", "right": "left", "clockwise": "counterclockwise", "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise",
}  # fmt: skip
_AMASS = re.compile(r".*/CMU/(?P<folder>[^/]+)/(?P<trial>\d+_\d+)_poses\.npy")
_TWO_PEOPLE = re.compile(r"(?P<a>\d+)_(?P<b>\d+)_(?P<person>[A-Za-z]+)\d*")


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
    sentence = f"a person performs: {description}"
    mirrored = _SIDE.sub(_other_side, sentence)
    return tuple(
        f"{text}#{' '.join(f'{word}/OTHER' for word in re.findall(r'[a-z]+', text.lower()))}#0.0#0.0\n"
        for text in (sentence, mirrored)
    )


def _other_side(side: re.Match) -> str:
    other = _OTHER[side[0].lower()]
    return other.capitalize() if side[0][0].isupper() else other


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


def read_descriptions(path: Path) -> dict[str, str]:
    """CMU's descriptions of its trials, from its table; raises ``DataError`` for another one."""
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


def find(motions: Path, rows: dict[str, list[Row]], descriptions: dict[str, str]) -> list[Trial]:
    """The trials that have files and something to be cut out.

    Raises:
        DataError: no folder ``motions``, or no file of a trial in it.
    """
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
