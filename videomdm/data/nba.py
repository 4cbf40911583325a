"""The third regime: 16 joints, centred on the hip in every frame, no text, and no motion in 3-D anywhere.

Two sources have this form.  ``nba`` is MAS's data set of basketball players in its official layout (:func:`load`).
``nba-like`` stands in for it: the motions of any other corpus here, filmed as those players were (:func:`bodies`,
:func:`film`); what it gives to training are pictures alone.

Nobody knows the cameras of such clips.  As MAS does, one is assumed: 7 units before the hip, looking down at
``ELEVATION``, the hip in the middle of its picture (appendix C.5).  Units are those in which a person is about 2.5
high, not metres: scale is lost as the path is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool1d, pad

from videomdm import cameras
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.conventions import SPLITS, DataError
from videomdm.data.corpus import Corpus, check_on_error, from_clips
from videomdm.data.recordings.rendering import landmarks
from videomdm.data.tracks import PICTURE, Statistics, Tracks, from_picture
from videomdm.skeletons import layouts
from videomdm.skeletons.definitions import H36M17, HALPE26, NBA16, SMPL22
from videomdm.skeletons.padding import hold_last, valid_frames
from videomdm.storage.arrays import read_npy

DISTANCE = 7.0  #: units from the assumed camera to the hip
ELEVATION = math.pi / 16  #: radians above the horizon of the assumed camera
SPREAD = math.radians(2)  # standard deviation of the elevation of NBA-like cameras
SIZE = 2.2  # units: torso, thigh and shin of every NBA-like body, so that its ankles are about where NBA's are
TORSO_AND_LEG = 1.36  # metres of torso, thigh and shin of the person whom units stand for
METRES = TORSO_AND_LEG / SIZE  #: of a unit
NOISE = 0.03  # picture units: error of a keypoint of full confidence, 1.4 cm on that person
HIDDEN = 0.07  # share of the limbs' keypoints that are hidden at any time, twice that on the far side
HIDDEN_FRAMES = 10  # for how long
HIDDEN_ERROR = 0.25  # picture units: how far a hidden keypoint is off, the same for as long as it is hidden

FPS, FILE_FPS = 30, 60  # frames a second that are read of those in NBA's files
MIN_FRAMES = 10  # of a clip, at 30 frames a second
LARGEST = 20.0  # picture units: a coordinate beyond is in pixels, or an error
OFF_CENTRE = 0.05  # picture units that a hip may be off the origin
LAYOUT = "expected NBA's official layout: motions/<clip>.npy (T, 16, 3) at 60 frames a second, Mean.npy, Std.npy"

#: Of Human3.6M's 17 joints, in NBA's order: all but the spine.
FROM_H36M = [j for j, joint in enumerate(H36M17.joints) if joint != "spine"]
_LIMBS = [j for j, joint in enumerate(NBA16.joints) if joint.endswith(("knee", "ankle", "elbow", "wrist"))]


def camera(n: int, azimuth: float | Tensor = 0.0, elevation: float | Tensor = ELEVATION) -> Camera:
    """The cameras (n,) that are assumed of centred clips: they look at the origin, where the hip is, without roll.

    Args:
        n: how many.
        azimuth, elevation: radians, of all or (n,) each (:func:`videomdm.cameras.orbit`).
    """
    return cameras.orbit(azimuth, elevation, torch.zeros(n, 3), DISTANCE)


# ---- NBA's files -----------------------------------------------------------------------------------------


def load(root: str | Path, split: str, max_frames: int, on_error: str = "raise") -> Tracks:
    """NBA as MAS publishes it, at 30 frames a second.

    Args:
        root: the folder that holds ``motions``, ``Mean.npy`` and ``Std.npy``, or the one that holds it as ``nba``.
        split: ``"train"``, ``"val"`` or ``"test"``, see :func:`names`.
        max_frames: longer clips are cut into equal pieces.
        on_error: ``"raise"``, or ``"skip"`` to list bad clips in ``skipped`` and go on.

    Returns:
        The clips of the split, named as their files; pieces are ``clip@start``, in frames at 30 a second.

    Raises:
        DataError: names the file, what was found and what was expected.
        ValueError: unknown ``on_error``.
    """
    check_on_error(on_error)
    statistics = Statistics(*(_statistic(root, file) for file in ("Mean.npy", "Std.npy")))
    clips, found, skipped = [], [], []
    for name in names(root, split):
        try:
            clips.append(_clip(folder(root) / "motions" / f"{name}.npy"))
            found.append(name)
        except DataError as error:
            if on_error == "raise":
                raise
            skipped.append((name, str(error)))
    blank = [""] * len(clips)
    corpus = from_clips(clips, found, [blank[:1]] * len(clips), blank, NBA16, FPS, skipped)
    corpus = corpus.cut(max_frames, MIN_FRAMES)
    keypoints, confidence = from_picture(corpus.joints[..., :2]), corpus.joints[..., 2]
    seen = Footage(keypoints, confidence, camera(len(corpus)), corpus.lengths)
    return Tracks(seen, corpus.names, corpus.captions, NBA16, FPS, statistics, True, skipped)


def folder(root: str | Path) -> Path:
    """Where ``motions`` is: ``root`` or its ``nba``; raises ``DataError`` where neither has it."""
    for path in (Path(root), Path(root) / "nba"):
        if (path / "motions").is_dir():
            return path
    raise DataError(f"{root}: no folder motions, {LAYOUT}")


def names(root: str | Path, split: str) -> list[str]:
    """The clips of a split.

    MAS tests on the first tenth of the names in the order in which a file system lists them, which is another on
    another machine.  Here they are sorted: the first tenth is the test, the second the validation.  Lists of names,
    one a line, in ``test.txt``, ``val.txt`` and ``train.txt`` beside ``motions``, take the place of that.

    Raises:
        DataError: no clips, an unknown split, a list that names a clip that is not there, or no list of this split.
    """
    if split not in SPLITS:
        raise DataError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
    own = folder(root)
    known = sorted(path.stem for path in (own / "motions").glob("*.npy"))
    if not known:
        raise DataError(f"{own / 'motions'}: no clips, {LAYOUT}")
    lists = {name: own / f"{name}.txt" for name in SPLITS}
    if any(path.exists() for path in lists.values()):
        return _listed(lists[split], known)
    tenth = max(1, len(known) // 10)
    return {"test": known[:tenth], "val": known[tenth : 2 * tenth], "train": known[2 * tenth :]}[split]


def _listed(path: Path, known: Sequence[str]) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path}: no such list, expected one, as other splits have theirs")
    listed = path.read_text().split()
    if missing := sorted(set(listed) - set(known)):
        raise DataError(f"{path}: {len(missing)} names are not in motions, the first {missing[0]!r}, expected clips")
    return listed


def array(path: Path, what: str) -> np.ndarray:
    """An ``.npy`` file of finite floating point numbers.

    Args:
        path: the file.
        what: it should be, for messages.

    Raises:
        DataError: no such file, or no plain array of such numbers.
    """
    values = read_npy(path, what)
    if values.dtype.kind != "f":
        raise DataError(f"{path}: {values.dtype}, expected {what} as floating point numbers")
    if not np.isfinite(values).all():
        raise DataError(f"{path}: NaN or infinite at {np.argwhere(~np.isfinite(values))[0].tolist()}, expected {what}")
    return values


def _statistic(root: str | Path, file: str) -> Tensor:
    own = folder(root)
    path = next((p for p in (own / file, Path(root) / file) if p.exists()), own / file)
    values = array(path, f"the {file[:-4].lower()} (16, 2) of all keypoints")
    if values.shape != (16, 2):
        raise DataError(f"{path}: shape {values.shape}, expected (16, 2): 16 joints, x and y")
    return torch.from_numpy(values.astype(np.float32))


def _clip(path: Path) -> Tensor:
    """(T, 16, 3) x, y and confidence in picture units, at 30 frames a second."""
    values = array(path, "keypoints (T, 16, 3): x, y, confidence")
    if values.ndim != 3 or values.shape[1:] != (16, 3):
        joints = f"{values.shape[1]} joints, " if values.ndim == 3 and values.shape[1] != 16 else ""
        raise DataError(f"{path}: {joints}shape {values.shape}, expected (frames, 16, 3): x, y, confidence")
    clip = torch.from_numpy(values[:: FILE_FPS // FPS].astype(np.float32))
    points, confidence = clip[..., :2], clip[..., 2]
    if len(clip) < MIN_FRAMES:
        expected = MIN_FRAMES * FILE_FPS // FPS
        raise DataError(f"{path}: {len(values)} frames, expected at least {expected} at {FILE_FPS} a second")
    if confidence.min() < 0 or confidence.max() > 1:
        raise DataError(f"{path}: confidences {confidence.min():.3g}..{confidence.max():.3g}, expected 0..1")
    if points.abs().max() > LARGEST:
        raise DataError(f"{path}: a coordinate of {points.abs().max():.0f}, expected at most {LARGEST:.0f}: pixels?")
    if (off := float(points[:, 0].norm(dim=-1).max())) > OFF_CENTRE:
        raise DataError(f"{path}: the hip is {off:.3g} off the origin, expected motions centred on it in every frame")
    if points[:, NBA16.index("neck"), 1].median() < points[:, NBA16.index("left_ankle"), 1].median():
        raise DataError(f"{path}: necks are below ankles, expected y up")
    return clip


# ---- NBA-like corpora ------------------------------------------------------------------------------------


def to_nba16(joints: Tensor) -> Tensor:
    """SMPL's joints (..., 22, 3) as the 16 of NBA, same units.

    The hip is the middle between the hips; neck, nose and top of the head are where detectors mark them.
    """
    marks = landmarks(joints, SMPL22)
    return layouts.convert(marks, torch.ones_like(marks[..., 0]), HALPE26, H36M17)[0][..., FROM_H36M, :]


def bodies(corpus: Corpus) -> Corpus:
    """The true motions of an NBA-like corpus, for filming and evaluation: 16 joints, centred, all people of one size.

    Args:
        corpus: clips of SMPL's joints.

    Returns:
        The same clips in units (``SIZE``), Y up, the hip at the origin in every frame; headings as they were.
    """
    joints = to_nba16(hold_last(corpus.joints, corpus.lengths))
    joints = joints - joints[:, :, :1]
    inside = valid_frames(corpus.lengths, joints.shape[1])
    joints = joints * (SIZE / _size(joints, inside))[:, None, None, None] * inside[..., None, None]
    captions = [("",)] * len(corpus)
    return Corpus(joints, corpus.lengths, corpus.names, captions, corpus.actions, NBA16, corpus.fps, corpus.skipped)


def _size(joints: Tensor, inside: Tensor) -> Tensor:
    """Mean length (C,) of torso, thigh and shin in the frames (C, T) that count, of centred joints (C, T, 16, 3)."""
    bones = [(0, NBA16.index("neck"))]
    bones += [(NBA16.index(f"{s}_{a}"), NBA16.index(f"{s}_{b}")) for s in ("left", "right")
              for a, b in (("hip", "knee"), ("knee", "ankle"))]  # fmt: skip
    first, second = zip(*bones, strict=True)
    lengths = (joints[:, :, list(second)] - joints[:, :, list(first)]).norm(dim=-1)
    both = lengths[..., 0] + lengths[..., 1:].sum(-1) / 2
    return (both * inside).sum(1) / inside.sum(1)


def film(corpus: Corpus, seed: int = 0) -> Footage:
    """Pictures of centred motions as a detector reports them, and the true cameras.

    The camera stands somewhere on the half circle along one side of a court on which people face any way: relative
    to a body its azimuth is uniform.  Its elevation is near ``ELEVATION``.  A detector errs by ``NOISE`` over its
    confidence; now and then it does not see a limb's joint, most often on the far side of the body, and then guesses
    it at a confidence below .3.  As in NBA's files the detected hip is the origin of every frame.

    Args:
        corpus: from :func:`bodies`.
        seed: of cameras, noise and what is hidden.
    """
    generator = torch.Generator().manual_seed(seed)
    n, frames = corpus.joints.shape[:2]
    azimuth = 2 * math.pi * torch.rand(n, generator=generator)
    elevation = ELEVATION + SPREAD * torch.randn(n, generator=generator)
    seen_by = camera(n, azimuth, elevation)
    keypoints, depth = seen_by.project(corpus.joints)
    hidden = _hidden(depth - DISTANCE, generator)
    confidence = 0.6 + 0.4 * torch.rand(n, frames, 16, generator=generator)
    confidence = confidence.where(~hidden, 0.3 * torch.rand(confidence.shape, generator=generator))
    error = NOISE / confidence.clamp(min=0.6)[..., None] * torch.randn(keypoints.shape, generator=generator)
    guess = HIDDEN_ERROR * torch.randn(n, 1, 16, 2, generator=generator)
    keypoints = keypoints + (error + guess * hidden[..., None]) / PICTURE
    inside = valid_frames(corpus.lengths, frames)[..., None]
    keypoints = (keypoints - keypoints[:, :, :1]) * inside[..., None]
    return Footage(keypoints, confidence * inside, seen_by, corpus.lengths)


def _hidden(behind: Tensor, generator: torch.Generator) -> Tensor:
    """Which joints are hidden, (C, T, 16) bool, by how far they are behind the hip (units); spells of frames."""
    far = behind > 0
    begins = HIDDEN / HIDDEN_FRAMES * torch.where(far, 4 / 3, 2 / 3)
    begins = (torch.rand(behind.shape, generator=generator) < begins).float()
    spells = max_pool1d(pad(begins.transpose(1, 2), (HIDDEN_FRAMES - 1, 0)), HIDDEN_FRAMES, stride=1).transpose(1, 2)
    limbs = torch.zeros(behind.shape[-1], dtype=torch.bool)
    limbs[_LIMBS] = True
    return (spells > 0) & limbs


def tracks(corpus: Corpus, footage: Footage, statistics: Statistics | None = None) -> Tracks:
    """What training sees of an NBA-like corpus: the pictures, with the assumed camera in place of the true one.

    Args:
        corpus: from :func:`bodies`; only names and the frame rate are read.
        footage: from :func:`film`.
        statistics: of the training split; the clips' own when None.
    """
    seen = footage.by(camera(len(footage)))
    captions = [("",)] * len(corpus)
    return Tracks(
        seen, corpus.names, captions, NBA16, corpus.fps, statistics or Statistics.fit(seen), True, corpus.skipped
    )
