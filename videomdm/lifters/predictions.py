"""What ElePose and MotionBERT made of NBA's clips, as MAS publishes it beside them: poses at 60 frames a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.data import nba
from videomdm.data.tracks import Tracks
from videomdm.lifters import elepose
from videomdm.skeletons.padding import pad
from videomdm.storage.files import digest

#: Lifter -> its folder.
FOLDERS = {"elepose": "elepose_predictions", "motionbert": "motionBert_predictions"}
#: How far poses may be off the keypoints, a share of these.  The package's own lifter is .07 off in the median and at
#: most .11 on NBA-like clips; another clip's true motion .5 in the median, and more than this in 95 of 100 cases.
LARGEST_ERROR = 0.25


def read(root: str | Path, by: str, tracks: Tracks) -> Tensor:
    """Poses of clips.

    Args:
        root: NBA's folder.
        by: a key of :data:`FOLDERS`.
        tracks: the clips, as :func:`videomdm.data.nba.load` gave them.

    Returns:
        (C, T, 16, 3) around the hip, of any size, camera axes (x right, y down, z forward), 0 past a clip's length.

    Raises:
        DataError: a clip without predictions, or with those of other frames; names the file.
    """
    whole: dict[str, Tensor] = {}
    poses = []
    for name, length in zip(tracks.names, tracks.lengths.tolist(), strict=True):
        clip, _, start = name.partition("@")
        if clip not in whole:
            whole[clip] = _read(root, by, clip)
        poses.append(whole[clip][int(start or 0) :][:length])
    return pad(poses)[0] * torch.tensor((1.0, -1.0, -1.0))


def version(root: str | Path, by: str, tracks: Tracks) -> str:
    """Changes when the files of clips do, for the names of caches; what is missing is :func:`read`'s to say."""
    clips = dict.fromkeys(name.partition("@")[0] for name in tracks.names)
    paths = (_path(root, by, clip) for clip in clips)
    return digest(by, *(path if path.is_file() else None for path in paths))


def check(root: str | Path, by: str, tracks: Tracks, error: Tensor) -> None:
    """Whether poses are of these clips, by how far (C,) they are off the keypoints, a share of these.

    Raises:
        DataError: names the file that is farthest off.
    """
    worst = int(error.nan_to_num(torch.inf).argmax())
    if not error[worst] <= LARGEST_ERROR:
        raise DataError(
            f"{_path(root, by, tracks.names[worst].partition('@')[0])}: poses are {100 * error[worst]:.0f} % off the "
            f"keypoints, expected at most {100 * LARGEST_ERROR:.0f} %: are they of another clip?"
        )


def _path(root: str | Path, by: str, clip: str) -> Path:
    return nba.folder(root) / FOLDERS[by] / f"{clip}.npy"


def _read(root: str | Path, by: str, clip: str) -> Tensor:
    """(T, 16, 3) at 30 frames a second, y up."""
    path, motion = _path(root, by, clip), nba.folder(root) / "motions" / f"{clip}.npy"
    poses = elepose.read(path, nba.FILE_FPS).joints
    frames = np.load(motion, mmap_mode="r", allow_pickle=False).shape[0]
    if len(poses) != frames:
        half = " (are they at 30 frames a second?)" if len(poses) == (frames + 1) // 2 else ""
        raise DataError(
            f"{path}: {len(poses)} frames{half}, expected {frames} at 60 a second, as {motion.name} in motions has"
        )
    return poses[:: nba.FILE_FPS // nba.FPS]
