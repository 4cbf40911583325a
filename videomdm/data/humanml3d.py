"""HumanML3D in its official layout, read as its own loader reads it.

new_joints/<name>.npy    (T, 22, 3) float, metres, Y up, 20 fps
texts/<name>.txt         one caption per line: caption#word/POS word/POS ...#start#end, seconds
train.txt val.txt test.txt    names, one per line
Mean.npy Std.npy         (263,) statistics of the features
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import FPS, MAX_FRAMES, MIN_FRAMES, SPLITS, DataError
from videomdm.data import body
from videomdm.data.corpus import Corpus, check_joints, check_on_error, check_split, from_clips
from videomdm.features.representation import n_features
from videomdm.skeletons.definitions import SMPL22
from videomdm.storage import text
from videomdm.storage.arrays import read_npy
from videomdm.storage.progress import Bar

TOO_LONG = 200  # HumanML3D's loader leaves out clips of this many frames and more


@dataclass(frozen=True)
class Caption:
    """What one line of a text file says: of a whole clip, or of its frames from ``start`` to ``stop``."""

    text: str
    tokens: tuple[str, ...]
    start: int | None  # frames; None: the caption is about the whole clip
    stop: int | None

    def clip_name(self, name: str) -> str:
        return name if self.start is None else f"{name}@{self.start}-{self.stop}"


def load(
    root: str | Path, split: str | None = None, on_error: str = "raise", names: Sequence[str] | None = None
) -> Corpus:
    """Read a split.

    As in the data set's own loader: a caption whose start or end is not 0 describes a part of its motion, and
    that part becomes a clip of its own, named ``<name>@<first frame>-<end frame>`` (captions of one part
    share it); motions and parts of under 40, or of 200 and more frames are left out (and listed in
    ``corpus.skipped``, whatever ``on_error`` says); clips of 197..199 frames give their first 196.  Parts
    stay where they are in their motion: canonicalise them before use.

    Args:
        root: the folder that holds ``new_joints``, ``texts`` and the split files.
        split: ``"train"``, ``"val"``, ``"test"``, or None for all three.
        on_error: ``"raise"``, or ``"skip"`` to list bad clips in ``corpus.skipped`` and go on.  The
            published data hold NaN in 007975 and M007975, so a complete copy is read with ``"skip"``.
        names: these motions (of :func:`names`) and no others.

    Returns:
        The clips; ``actions`` are "", the data set has none.

    Raises:
        DataError: names the file, what was found and what was expected.  Missing files are all
            counted, and the first is named, before anything is read.
        ValueError: unknown ``split`` or ``on_error``.
    """
    root = Path(root)
    if split is not None:
        check_split(split)
    check_on_error(on_error)
    names = _names(root, SPLITS if split is None else (split,)) if names is None else list(names)
    skipped = _missing(root, names)
    if skipped and on_error == "raise":
        raise DataError(
            f"{root}: {len(skipped)} of {len(names)} motions lack files, the first is {skipped[0][1]}; "
            "expected new_joints/<name>.npy and texts/<name>.txt for every name in the split file"
        )
    clips: dict[str, Tensor] = {}
    captions: dict[str, tuple[str, ...]] = {}
    without_files = {name for name, _ in skipped}
    for name in Bar([name for name in names if name not in without_files], "reading HumanML3D", delay=2):
        try:
            own_clips, own_captions, too_short_or_long = _clips(root, name)
        except DataError as error:
            if on_error == "raise":
                raise DataError(f'{error}; on_error="skip" leaves such clips out') from None
            skipped.append((name, str(error)))
            continue
        clips |= own_clips
        captions |= own_captions
        skipped += too_short_or_long
    for i, fault in reversed(body.check_corpus(list(clips.values()), list(clips), str(root))):
        if on_error == "raise":
            raise DataError(f'{root}: {fault}; on_error="skip" leaves such clips out')
        name = list(clips)[i]
        skipped.append((name, fault))
        del clips[name], captions[name]
    return from_clips(
        list(clips.values()), list(clips), list(captions.values()), [""] * len(clips), SMPL22, FPS, skipped
    )


def names(root: str | Path, split: str) -> list[str]:
    """The motions of a split, as its file lists them; raises ``DataError`` where it is missing or empty."""
    return _names(Path(root), (split,))


def tagged(root: str | Path, split: str, on_error: str = "raise") -> dict[str, tuple[str, ...]]:
    """The captions of a split -> their words with parts of speech ("walk/VERB"), which the T2M evaluator reads.

    Args:
        root: as for :func:`load`.
        split: ``"train"``, ``"val"`` or ``"test"``.
        on_error: as for :func:`load`, which lists the motions whose text file is missing or malformed.

    Raises:
        DataError: a caption file is missing or malformed.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in names(root, split):
        try:
            found |= {caption.text: caption.tokens for caption in _captions(Path(root) / "texts" / f"{name}.txt")}
        except DataError:
            if on_error == "raise":
                raise
    return found


def statistics(root: str | Path, files: tuple[str, str] = ("Mean.npy", "Std.npy")) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the data set's features, two float32 tensors (263,).

    Args:
        root: the folder that holds them.
        files: their names.

    Raises:
        DataError: a file is missing or of another shape, not finite, or a deviation is not
        positive.
    """
    mean, std = (_statistic(Path(root) / file) for file in files)
    if not (std > 0).all():
        raise DataError(f"{Path(root) / files[1]}: channel {int(std.argmin())} is {std.min()}, expected > 0")
    return mean, std


def _statistic(path: Path) -> Tensor:
    values, expected = _load_npy(path), (n_features(len(SMPL22)),)
    if values.shape != expected:
        raise DataError(f"{path}: shape {tuple(values.shape)}, expected {expected}")
    if not values.isfinite().all():
        channel = int((~values.isfinite()).nonzero()[0])
        raise DataError(f"{path}: channel {channel} is not finite, expected finite statistics")
    return values.float()


def _names(root: Path, splits: Sequence[str]) -> list[str]:
    expected = "expected HumanML3D: new_joints/, texts/, " + ", ".join(f"{split}.txt" for split in SPLITS)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; {expected}")
    absent = [entry for entry in ("new_joints", "texts", *(f"{s}.txt" for s in splits)) if not (root / entry).exists()]
    if absent:
        raise DataError(f"{root}: no {', '.join(absent)}; {expected}")
    names = [name for split in splits for name in text.read(root / f"{split}.txt").split()]
    if not names:
        raise DataError(f"{root}: {', '.join(f'{s}.txt' for s in splits)} is empty, expected one motion name per line")
    return list(dict.fromkeys(names))


def _missing(root: Path, names: Sequence[str]) -> list[tuple[str, str]]:
    missing = []
    for name in names:
        wanted = (("new_joints", f"{name}.npy"), ("texts", f"{name}.txt"))
        absent = [f"{folder}/{file}" for folder, file in wanted if not (root / folder / file).exists()]
        if absent:
            missing.append((name, " and ".join(absent) + ", which is missing"))
    return missing


def _clips(root: Path, name: str):
    """One motion's clips and captions by clip name, and (clip, reason) of those of the wrong length."""
    file = root / "new_joints" / f"{name}.npy"
    joints = check_joints(_load_npy(file), str(file), SMPL22, min_frames=1)
    listed = _captions(root / "texts" / f"{name}.txt")
    if not MIN_FRAMES <= len(joints) < TOO_LONG:
        return {}, {}, [(name, f"{file}: {_wrong_length(len(joints))}")]
    clips: dict[str, Tensor] = {}
    captions: dict[str, tuple[str, ...]] = {}
    skipped = {}
    for caption in listed:
        clip, part = caption.clip_name(name), joints[caption.start : caption.stop]
        if MIN_FRAMES <= len(part) < TOO_LONG:
            clips[clip] = part[:MAX_FRAMES]
            captions[clip] = (*captions.get(clip, ()), caption.text)
        else:
            skipped[clip] = f"{file}: {_wrong_length(len(part))}"
    return clips, captions, list(skipped.items())


def _wrong_length(frames: int) -> str:
    return f"{frames} frames, the data set's loader takes {MIN_FRAMES} to {TOO_LONG - 1}"


def _captions(path: Path) -> list[Caption]:
    captions = [
        read_caption(line, f"{path}, line {n}") for n, line in enumerate(text.read(path).split("\n"), 1) if line.strip()
    ]
    if not captions:
        raise DataError(f"{path}: empty, expected lines of caption#tokens#start#end")
    return captions


def read_caption(line: str, where: str) -> Caption:
    """One line of a text file, ``caption#tokens#start#end``; raises ``DataError`` for another."""
    fields = line.strip().split("#")
    try:
        words, tags = fields[0].strip(), tuple(fields[1].split())
        start, end = (0.0 if second != second else second for second in map(float, fields[2:4]))  # NaN means 0 there
    except (ValueError, IndexError):
        raise DataError(f"{where}: {line[:80]!r}, expected caption#tokens#start#end with seconds") from None
    if not words:
        raise DataError(f"{where}: the caption is empty, expected caption#tokens#start#end with seconds")
    if not (0 <= start < 3600 and 0 <= end < 3600):
        raise DataError(f"{where}: part from {start} s to {end} s, expected seconds of the motion")
    whole = start == end == 0
    return Caption(words, tags, None if whole else int(start * FPS), None if whole else int(end * FPS))


def _load_npy(path: Path) -> Tensor:
    """An array of numbers; pickled objects are refused, not executed."""
    array = read_npy(path)
    if array.dtype.kind != "f":
        raise DataError(f"{path}: expected an .npy array of floating point numbers")
    return torch.from_numpy(array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32))
