"""Open motion capture: the Bandai-Namco-Research-Motiondataset, as published (BVH) or as prepared arrays.

Both give the same clips within 0.5 mm: 22 joints in SMPL's order, metres, Y up, 20 fps, 40..196 frames, each
facing +Z above the origin on its own floor.  The data are CC BY-NC 4.0, (c) 2022 Bandai Namco Research Inc.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import FPS, MAX_FRAMES, MIN_FRAMES, SPLITS, DataError
from videomdm.data import bandai_captions, body, bvh
from videomdm.data.corpus import Corpus, check_joints, check_on_error, check_split, from_clips
from videomdm.features.representation import canonical_frame
from videomdm.skeletons.definitions import SMPL22
from videomdm.storage import text
from videomdm.storage.arrays import read_npz
from videomdm.storage.progress import Bar

SOURCE_FPS = 30.0
_METRES = 0.01  # the files are in centimetres
_LO_UNIT = 1 / 32000  # metres per step of motions_lo.npz
_FILE_NAME = re.compile(r"dataset-(?P<dataset>\d)_(?P<content>[^_]+)_(?P<style>[^_]+)_(?P<number>\d+)")
_CLIP_NAME = re.compile(r"bn(?P<dataset>\d)_(?P<content>[^_]+)_(?P<style>[^_]+)_\d+(_p\d+)?")

#: Dataset 1 alone is split by style: held out is how somebody moves, not one take of many.  What was taken in one
#: style only (fights, dances, calls) is split by take and by piece of a take.
_STYLES = {"val": ("giant",), "test": ("angry", "old", "proud")}
_TEST_TAKES = (
    "punch_normal_002", "slash_normal_002", "call_normal_002", "kick_normal_001_p1", "dance-short_normal_001_p5",
    "dance-short_normal_001_p6",
)  # fmt: skip

#: SMPL-22 joint <- joint of the files; spine1, which they lack, lies 60 % of the way from Hips to Spine.
JOINTS = {
    "pelvis": "Hips", "left_hip": "UpperLeg_L", "right_hip": "UpperLeg_R", "spine1": "Spine",
    "left_knee": "LowerLeg_L", "right_knee": "LowerLeg_R", "spine2": "Spine", "left_ankle": "Foot_L",
    "right_ankle": "Foot_R", "spine3": "Chest", "left_foot": "Toes_L", "right_foot": "Toes_R", "neck": "Neck",
    "left_collar": "Shoulder_L", "right_collar": "Shoulder_R", "head": "Head", "left_shoulder": "UpperArm_L",
    "right_shoulder": "UpperArm_R", "left_elbow": "LowerArm_L", "right_elbow": "LowerArm_R",
    "left_wrist": "Hand_L", "right_wrist": "Hand_R",
}  # fmt: skip
_SPINE1 = 0.6


@dataclass(frozen=True)
class _Clip:
    name: str
    joints: Tensor
    captions: tuple[str, ...]
    action: str


def load(root: str | Path, split: str | None = None, on_error: str = "raise", dataset: int | None = None) -> Corpus:
    """Read the corpus; ``actions`` are the data set's content labels ("walk", "wave-left-hand", ...).

    What is in ``root`` decides.  With ``motions.npz`` it is the prepared form: ``meta.csv`` gives the splits
    and ``texts.json`` the captions; without ``motions_lo.npz`` positions are off by up to 4 mm far from the
    origin.  Otherwise every ``.bvh`` file in or below ``root`` is read: captions come from the file name's
    content and style, and a file's split from a hash of its name (80 / 10 / 10 %), so it never depends on the
    other files.

    Args:
        root: folder of either form.
        split: ``"train"``, ``"val"``, ``"test"``, or None for all.
        on_error: ``"raise"``, or ``"skip"`` to list bad clips or files in ``corpus.skipped`` and go on.
            Files shorter than 40 frames (2 s) are no error: the data set's rule is to leave them out, and
            they are listed too.
        dataset: 1 (16 kinds of motion, few takes, 15 styles), split by :func:`style_split`, or 2 (10 kinds, thousands
            of takes), split as the two together are, which None gives.

    Returns:
        Clips in canonical frames (:func:`style` tells a clip's style).

    Raises:
        DataError: names the file or clip, what was found and what was expected.
        ValueError: unknown ``split`` or ``on_error``.
    """
    root = Path(root)
    if split is not None:
        check_split(split)
    check_on_error(on_error)
    if dataset not in (None, 1, 2):
        raise ValueError(f"dataset is {dataset!r}, expected 1, 2 or None")
    if dataset is not None:
        return _of(load(root, None if dataset == 1 else split, on_error), dataset, split)
    expected = "expected a folder with motions.npz, meta.csv and texts.json, or with the data set's .bvh files"
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; {expected}")
    if (root / "motions.npz").exists():
        sources = _prepared(root, split)
    else:
        files = sorted(root.rglob("*.bvh"))
        if not files:
            raise DataError(f"{root}: neither motions.npz nor any .bvh file; {expected}")
        files = [file for file in files if split in (None, hashed_split(file.stem))]
        sources = ((file.name, lambda file=file: _from_bvh(file)) for file in Bar(files, "reading BVH", delay=2))
    return _collect(sources, on_error)


def style(name: str) -> str:
    """The style in a clip's name: ``"proud"`` for ``"bn1_walk_proud_001_p0"``.

    Raises:
        ValueError: no name of a clip of this data set.
    """
    match = _CLIP_NAME.match(name)
    if not match:
        raise ValueError(f"{name!r} is no clip name of this data set, such as 'bn1_walk_proud_001_p0'")
    return match["style"]


def style_split(name: str) -> str:
    """Split of a clip of dataset 1: three of its fifteen styles are the test, and some takes of the one-style kinds."""
    match = _CLIP_NAME.match(name)
    if any(take in name for take in _TEST_TAKES):
        return "test"
    return next((split for split, styles in _STYLES.items() if match["style"] in styles), "train")


def hashed_split(stem: str) -> str:
    """Split of a published file by a hash of its name: train 80 %, val 10 %, test 10 %."""
    place = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:4], "big") / 2**32
    return "train" if place < 0.8 else "val" if place < 0.9 else "test"


def _of(corpus: Corpus, dataset: int, split: str | None) -> Corpus:
    """The clips of one of the two sets."""
    own = [i for i, name in enumerate(corpus.names) if _CLIP_NAME.match(name)["dataset"] == str(dataset)]
    if dataset == 1 and split:
        own = [i for i in own if style_split(corpus.names[i]) == split]
    if not own:
        raise DataError(f"no clip of dataset {dataset} in split {split!r}, expected at least one")
    return corpus.select(own)


class _TooShort(DataError):
    """Shorter than the data set's rule wants: left out and listed, whatever ``on_error`` says."""


def _collect(sources: Iterable[tuple[str, Callable[[], list[_Clip]]]], on_error: str) -> Corpus:
    clips: list[_Clip] = []
    skipped: list[tuple[str, str]] = []
    for name, read in sources:
        try:
            clips += read()
        except DataError as error:
            if on_error == "raise" and not isinstance(error, _TooShort):
                raise
            skipped.append((name, str(error)))
    faults = dict(body.check_corpus([clip.joints for clip in clips], [clip.name for clip in clips], "Bandai-Namco"))
    if faults and on_error == "raise":
        raise DataError(next(iter(faults.values())))
    skipped += [(clips[i].name, fault) for i, fault in faults.items()]
    clips = [clip for i, clip in enumerate(clips) if i not in faults]
    return from_clips(
        [clip.joints for clip in clips], [clip.name for clip in clips], [clip.captions for clip in clips],
        [clip.action for clip in clips], SMPL22, FPS, skipped,
    )  # fmt: skip


# ---- the published BVH files ------------------------------------------------------------------------------


def _from_bvh(path: Path) -> list[_Clip]:
    """Clips of one published file: one, or several equal consecutive pieces of a long one."""
    match = _FILE_NAME.fullmatch(path.stem)
    if not match:
        raise DataError(f"{path}: file name, expected dataset-<1 or 2>_<content>_<style>_<number>.bvh")
    motion = bvh.read(path)
    if abs(motion.frame_time * SOURCE_FPS - 1) > 1e-3:
        raise DataError(f"{path}: Frame Time is {motion.frame_time} s, expected {1 / SOURCE_FPS:.7f} (30 fps)")
    joints = resample(smpl_joints(motion))
    if len(joints) < MIN_FRAMES:
        raise _TooShort(f"{path}: {len(joints)} frames at 20 fps, expected at least {MIN_FRAMES}")
    pieces = -(-len(joints) // MAX_FRAMES)
    bounds = [round(k * len(joints) / pieces) for k in range(pieces + 1)]
    name = f"bn{match['dataset']}_{match['content']}_{match['style']}_{match['number']}"
    captions = bandai_captions.captions(match["content"], match["style"])
    return [
        _Clip(clip, check_joints(ground(joints[start:stop]), str(path), SMPL22), captions, match["content"])
        for k, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True))
        for clip in [name if pieces == 1 else f"{name}_p{k}"]
    ]


def smpl_joints(motion: bvh.BvhMotion) -> Tensor:
    """(T, 22, 3) joints in SMPL's order, metres, at the file's frame rate and place.

    Raises:
        DataError: the file's joints are not this data set's.
    """
    joints = motion.joints()[:, motion.index([JOINTS[joint] for joint in SMPL22.joints])]
    pelvis, spine1 = SMPL22.index("pelvis"), SMPL22.index("spine1")
    joints[:, spine1] = torch.lerp(joints[:, pelvis], joints[:, spine1], _SPINE1)
    return joints * _METRES


def resample(joints: Tensor) -> Tensor:
    """30 to 20 fps: frame k is source frame 1.5 k, a Catmull-Rom midpoint where that is no whole number.

    Midpoints of positions shorten bones that turn, so every bone gets its length back, root to leaves.

    Args:
        joints: (T, 22, 3).

    Returns:
        (1 + floor((T - 1) / 1.5), 22, 3).
    """
    if len(joints) < 2:
        return joints
    before, after = 2 * joints[:1] - joints[1:2], 2 * joints[-1:] - joints[-2:-1]
    a, b, c, d = (torch.cat((before, joints, after))[k : k + len(joints) - 1] for k in range(4))
    middle = (9 * (b + c) - a - d) / 16
    half_steps = torch.cat((torch.stack((joints[:-1], middle), dim=1).flatten(0, 1), joints[-1:]))
    return _with_bone_lengths(half_steps[::3], joints[0])


def _with_bone_lengths(joints: Tensor, like: Tensor) -> Tensor:
    """``joints`` (T, J, 3) with bone directions kept and the bone lengths of the pose ``like`` (J, 3)."""
    placed = [joints[:, 0]]
    for parent, child in SMPL22.bones:
        direction = torch.nn.functional.normalize(joints[:, child] - joints[:, parent], dim=-1)
        placed.append(placed[parent] + direction * (like[child] - like[parent]).norm())
    return torch.stack(placed, dim=1)


def ground(joints: Tensor) -> Tensor:
    """A clip (T, 22, 3) in its own frame: above the origin facing +Z, its lowest ankle or toe at height 0."""
    rotation, origin = canonical_frame(joints, SMPL22)
    origin[1] = joints[:, SMPL22.feet, 1].min()
    return (joints - origin) @ rotation.mT


# ---- the prepared arrays ----------------------------------------------------------------------------------


def _prepared(root: Path, split: str | None) -> list[tuple[str, Callable[[], list[_Clip]]]]:
    """Name and reader of each clip of the split, after checking that the four files agree."""
    joints, spans = _arrays(root)
    texts, meta = _texts(root / "texts.json"), _meta(root / "meta.csv")
    for file, names in (("meta.csv", meta), ("texts.json", texts)):
        for name in sorted(names.keys() ^ spans.keys())[:1]:
            lacking = file if name in spans else "motions.npz"
            raise DataError(
                f"{root}: {name} is missing from {lacking}; motions.npz and {file} must name the same clips"
            )

    def clip(name: str) -> list[_Clip]:
        start, stop = spans[name]
        if not texts[name]:
            raise DataError(f"{root / 'texts.json'}: {name} has no caption, expected at least one")
        motion = check_joints(joints(start, stop), f"{root / 'motions.npz'}: {name}", SMPL22)
        return [_Clip(name, motion, texts[name], meta[name]["content"])]

    chosen = [name for name in spans if split in (None, meta[name]["split"])]
    return [(name, lambda name=name: clip(name)) for name in chosen]


def _arrays(root: Path) -> tuple[Callable[[int, int], Tensor], dict[str, tuple[int, int]]]:
    """A function from a span of frames to joints (T, 22, 3), and the span of each clip."""
    path = root / "motions.npz"
    arrays = _npz(path, ("joints", "offsets", "lengths", "clip_ids"))
    high, offsets, lengths = arrays["joints"], arrays["offsets"], arrays["lengths"]
    if high.ndim != 3 or high.shape[1:] != (len(SMPL22), 3):
        raise DataError(f"{path}: joints have shape {high.shape}, expected (frames, {len(SMPL22)}, 3)")
    names = arrays["clip_ids"].tolist()
    if not len(offsets) == len(lengths) == len(names) == len(set(names)):
        raise DataError(
            f"{path}: {len(offsets)} offsets, {len(lengths)} lengths and {len(set(names))} different clip_ids, "
            "expected as many of each"
        )
    if len(names) and (offsets.min() < 0 or lengths.min() < 1 or (offsets + lengths).max() > len(high)):
        raise DataError(f"{path}: offsets and lengths point outside the {len(high)} frames, expected within")
    low = _lo_bits(root / "motions_lo.npz", len(high))

    def joints(start: int, stop: int) -> Tensor:
        motion = high[start:stop].astype(np.float32)
        if low is not None:
            motion[..., [0, 2]] += low[start:stop].astype(np.float32) * _LO_UNIT
        return torch.from_numpy(motion)

    ends = (offsets + lengths).tolist()
    return joints, dict(zip(names, zip(offsets.tolist(), ends, strict=True), strict=True))


def _lo_bits(path: Path, n_frames: int) -> np.ndarray | None:
    if not path.exists():
        return None
    low = _npz(path, ("joints_lo_xz",))["joints_lo_xz"]
    if low.shape != (n_frames, len(SMPL22), 2):
        raise DataError(f"{path}: joints_lo_xz has shape {low.shape}, expected {(n_frames, len(SMPL22), 2)}")
    return low


def _npz(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    found = read_npz(path, f"an .npz of {', '.join(keys)}", keys)
    missing = [key for key in keys if key not in found]
    if missing:
        raise DataError(f"{path}: no array {', '.join(missing)}, expected {', '.join(keys)}")
    return found


def _texts(path: Path) -> dict[str, tuple[str, ...]]:
    texts = text.read_json(path, "JSON of clip name to captions")
    if not isinstance(texts, dict) or not all(isinstance(captions, list) for captions in texts.values()):
        raise DataError(f"{path}: expected a JSON object of clip name to a list of captions")
    return {name: tuple(c.strip() for c in captions if str(c).strip()) for name, captions in texts.items()}


def _meta(path: Path) -> dict[str, dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(text.read(path, "a table of clips"), newline="")))
    for number, row in enumerate(rows, 2):
        if not row.get("clip_id") or row.get("content") is None or row.get("split") not in SPLITS:
            raise DataError(
                f"{path}, line {number}: expected columns clip_id, content, and split of {', '.join(SPLITS)}"
            )
    return {row["clip_id"]: row for row in rows}
