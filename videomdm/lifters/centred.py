"""Motions in 3-D from pictures that are centred on the hip: what the third regime's teacher is made of.

Where every picture is centred and scaled there is no path to find, only a pose.  A lifter's pose is put 7 units before
the assumed camera and scaled once per clip, so that it is seen where the keypoints are.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.data import nba
from videomdm.data.tracks import Tracks
from videomdm.lifters import predictions, teacher
from videomdm.lifters.elepose_network import ElePose
from videomdm.lifters.weight_sets import SETS, loaded
from videomdm.skeletons import layouts
from videomdm.skeletons.definitions import NBA16, SMPL22
from videomdm.storage.files import digest

_TO_WORLD = (1.0, -1.0, -1.0)  # camera axes (y down, z forward) to those of a body that faces it (y up), and back


def lift(tracks: Tracks, by: str, root: str | Path | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Teacher's motions of centred clips.

    Args:
        tracks: the pictures.
        by: the name of a set of weights that come with this package (:mod:`videomdm.lifters.weight_sets`), a file
            of an ElePose network (:mod:`videomdm.lifters.elepose_network`), or a key of
            :data:`videomdm.lifters.predictions.FOLDERS`, whose results lie beside NBA's motions.
        root: NBA's folder.
        device: where a network computes.

    Returns:
        (C, T, 16, 3) units, in the world of the assumed cameras, the hip at the origin; 0 past a clip's length.

    Raises:
        DataError: an unknown lifter, clips that are not centred, or predictions that do not belong to the clips.
    """
    if not tracks.centred or tracks.skeleton != NBA16:
        raise DataError(f"{tracks.skeleton.name} clips with a root path, expected the 16 joints of NBA, centred")
    if by in predictions.FOLDERS and root is None:
        raise DataError(f"lifter {by!r} reads NBA's folder, but no data_root was given; expected {', '.join(SETS)}")
    if by in SETS:
        pose = _by_package(tracks, by, device)
    elif by in predictions.FOLDERS:
        pose = predictions.read(root, by, tracks)
    elif Path(by).is_file():
        seen = tracks.counted
        pose = ElePose.load(by).to(device).lift(seen.keypoints, seen.confidence, seen.lengths)
    else:
        known = ", ".join([*SETS, *predictions.FOLDERS])
        raise DataError(f"lifter is {by!r}, expected {known} or the file of an ElePose network")
    scaled, error = to_scale(pose, tracks)
    if by in predictions.FOLDERS:
        predictions.check(root, by, tracks, error)
    before_camera = scaled + scaled.new_tensor((0.0, 0.0, nba.DISTANCE))
    return tracks.seen.camera.to_world(before_camera) * tracks.seen.valid[..., None, None]


def to_scale(pose: Tensor, tracks: Tracks) -> tuple[Tensor, Tensor]:
    """Poses (C, T, 16, 3), camera axes around the hip, each clip of the size in which it is seen.

    A pose of scale s is seen at ``u = s x / (s z + 7)``: ``s (x - u z) = 7 u``, linear in s.

    Returns:
        The scaled poses, and how far (C,) they are off the keypoints: root mean square over that of the keypoints.
    """
    seen = tracks.counted
    weight, image = seen.confidence[..., None], seen.keypoints
    along = pose[..., :2] - image * pose[..., 2:]
    scale = (weight * nba.DISTANCE * image * along).sum((1, 2, 3)) / (weight * along.square()).sum((1, 2, 3))
    scaled = pose * scale[:, None, None, None]
    error = scaled[..., :2] / (scaled[..., 2:] + nba.DISTANCE) - image
    squared = ((weight * x.square()).sum((1, 2, 3)) for x in (error, image))
    return scaled, torch.div(*squared).sqrt()


def version(tracks: Tracks, by: str, root: str | Path | None = None) -> str:
    """Changes when the package's own lifter does, the file of a network, or predictions; for the names of caches.

    Args:
        tracks, by, root: as of :func:`lift`.
    """
    if by in SETS:
        return teacher.version("bones", by)
    if by in predictions.FOLDERS and root is not None:
        return predictions.version(root, by, tracks)
    return digest(Path(by)) if Path(by).is_file() else by


def _by_package(tracks: Tracks, name: str, device: torch.device | str) -> Tensor:
    """Poses (C, T, 16, 3) by a lifter of this package, which reads SMPL's joints."""
    seen = tracks.seen
    keypoints, confidence = layouts.convert(seen.keypoints, tracks.counted.confidence, NBA16, SMPL22)
    pose = loaded(name)[0].to(device).lift(keypoints, confidence, tracks.lengths)
    upright = pose * pose.new_tensor(_TO_WORLD)
    joints = nba.to_nba16(upright)
    return (joints - joints[:, :, :1]) * pose.new_tensor(_TO_WORLD)
