"""Fit3D as clips: what one camera per exercise saw, cut as appendix C.4 says, and apart from it the truth.

Keypoints are a detector's, ``<root>/keypoints/<subject>/<camera>/<exercise>.npz``, of 26 (Halpe), 22 (SMPL) or 17
(COCO) joints.  ``python -m videomdm.data.fit3d_clips ROOT`` makes those that are missing, with RTMPose as in the paper.
Clips are found in the keypoints alone; the true joints only say how good what was made of them is, and in which frame
a camera is the "true" one.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence as Ordered
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm import features, programs
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.conventions import FPS, DataError
from videomdm.data import clips, fit3d, recordings
from videomdm.data.corpus import Corpus, check_on_error, from_clips
from videomdm.data.fit3d import FIT3D25, Sequence
from videomdm.data.recordings import detections
from videomdm.data.recordings.detection import Detector
from videomdm.data.recordings.detections import Detections, KeypointTrack
from videomdm.data.recordings.video import Video
from videomdm.parameters import argument
from videomdm.skeletons import layouts
from videomdm.skeletons.definitions import COCO17, H36M17, HALPE26, SMPL22
from videomdm.storage.progress import Bar

PROGRAM = "python -m videomdm.data.fit3d_clips"
SIZE = 900  # pixels, both sides of every video
LAYOUTS = {len(layout): layout for layout in (HALPE26, SMPL22, COCO17)}
#: SMPL's foot joint lies so far from the ankle to the toes (see :mod:`videomdm.skeletons.layouts`).
FOOT = 0.7


@dataclass(frozen=True)
class Clip:
    """A stretch of one sequence, 20 frames per second.

    Attributes:
        sequence: which exercise, seen by which camera.
        track: the keypoints in SMPL's layout, filled and smoothed (C.3).
        joints: (T, 22, 3) the truth in the data set's world, Y up; for evaluation.
    """

    sequence: Sequence
    track: KeypointTrack
    joints: Tensor


def load(root: str | Path, split: str, on_error: str = "raise") -> Corpus:
    """The true motions of a split, for evaluation; ``actions`` are the exercises.

    Of the subjects that come with joints, in the order of their names, the last is the test and the one before it the
    validation; the official test has no joints.

    Args:
        root: the data set's folder, that of ``train``, with ``keypoints`` in it.
        split: ``"train"``, ``"val"`` or ``"test"``.
        on_error: ``"raise"``, or ``"skip"`` to list bad sequences in ``corpus.skipped`` and go on.

    Raises:
        DataError: names the file, what was found and what was expected.
    """
    found, skipped = _clips(Path(root), split, on_error)
    return _corpus(found, [c.joints for c in found], skipped)


def footage(root: str | Path, split: str, max_frames: int, names: Ordered[str], on_error: str = "raise") -> Footage:
    """What training sees of clips: keypoints, and the calibrated camera in the true motion's canonical frame.

    Args:
        root, split, on_error: as for :func:`load`.
        max_frames: to which the corpus was cut (:meth:`videomdm.data.corpus.Corpus.cut`).
        names: of the clips that are wanted, of the corpus so cut.
    """
    found, skipped = _clips(Path(root), split, on_error)
    seen = [torch.cat([c.track.keypoints, c.track.confidence[..., None]], -1) for c in found]
    truth, seen = (_corpus(found, values, skipped).cut(max_frames) for values in ([c.joints for c in found], seen))
    rows = [truth.names.index(name) for name in names]
    truth, seen = truth.select(rows), seen.select(rows)
    calibrated = {c.track.name: c.sequence.calibration()[0] for c in found}
    own = [calibrated[name.rpartition("@")[0] if name not in calibrated else name] for name in names]
    camera = Camera(torch.stack([c.rotation for c in own]), torch.stack([c.translation for c in own]))
    _, camera = features.canonicalise_with_camera(truth.joints, camera, lengths=truth.lengths)
    return Footage(seen.joints[..., :2], seen.joints[..., 2], camera, truth.lengths)


def chosen(root: str | Path, subjects: tuple[str, ...] | None = None) -> list[Sequence]:
    """One sequence per subject and exercise: of its cameras one by a hash of both, the same every time.

    Raises:
        DataError: as of :func:`videomdm.data.fit3d.find`.
    """
    cameras: dict[tuple[str, str], list[Sequence]] = {}
    for sequence in fit3d.find(root, "train", subjects):
        cameras.setdefault((sequence.subject, sequence.exercise), []).append(sequence)
    return [
        views[int.from_bytes(hashlib.sha256("/".join(which).encode()).digest()[:4], "big") % len(views)]
        for which, views in cameras.items()
    ]


def detect(root: str | Path, detector: Detector | None = None) -> list[Path]:
    """Write the keypoint files that are missing, in pixels of the video as it is; returns their paths.

    Args:
        root: the data set's folder.
        detector: gives 26, 22 or 17 joints; RTMPose when None.  Of several people it is the largest that counts.
    """
    missing = [s for s in chosen(root) if not _keypoint_file(Path(root), s).exists()]
    if missing and detector is None:
        from videomdm.data.recordings.rtmpose import RTMPose

        detector = RTMPose()
    written = []
    for sequence in Bar(missing, "detecting", unit="video"):
        path = _keypoint_file(Path(root), sequence)
        # Every frame counts here, also of 50 per second: the joints to compare with have as many.
        people = [_largest(detector(image)) for _, image in Video(sequence.video, closest=0.0)]
        absent = np.zeros_like(next((p for p in people if p is not None), np.zeros((len(HALPE26), 3))))
        frames = np.stack([absent if p is None else p for p in people]).astype(np.float32)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, keypoints=frames[..., :2], confidence=frames[..., 2].clip(0, 1))
        written.append(partial.replace(path))
    return written


def smpl22(joints: Tensor) -> Tensor:
    """Fit3D's joints (..., 25, 3) as SMPL's (..., 22, 3), by :mod:`videomdm.skeletons.layouts`, with the feet that it
    has."""
    body = joints[..., [FIT3D25.index(joint) for joint in H36M17.joints], :]
    own, _ = layouts.convert(body, torch.ones_like(body[..., 0]), H36M17, SMPL22)
    for side in ("left", "right"):
        toes = [FIT3D25.index(f"{side}_toe_{part}") for part in ("inner", "outer")]
        ankle = joints[..., FIT3D25.index(f"{side}_ankle"), :]
        own[..., SMPL22.index(f"{side}_foot"), :] = torch.lerp(ankle, joints[..., toes, :].mean(-2), FOOT)
    return own


@lru_cache(maxsize=4)
def _clips(root: Path, split: str, on_error: str) -> tuple[list[Clip], list[tuple[str, str]]]:
    check_on_error(on_error)
    subjects = sorted({s.subject for s in fit3d.find(root, "train")})
    if len(subjects) < 3:
        raise DataError(f"{root / 'train'}: subjects {', '.join(subjects)}, expected at least three: one is the test")
    own = {"train": subjects[:-2], "val": subjects[-2:-1], "test": subjects[-1:]}[split]
    found, skipped = [], []
    for sequence in Bar(chosen(root, tuple(own)), "reading Fit3D", delay=2):
        try:
            found += _of_sequence(root, sequence)
        except DataError as error:
            if on_error == "raise":
                raise
            skipped.append((sequence.name, str(error)))
    return found, skipped


def _of_sequence(root: Path, sequence: Sequence) -> list[Clip]:
    file = _keypoint_file(root, sequence)
    if not file.exists():
        raise DataError(f"{file}: no such file; python -m videomdm.data.fit3d_clips makes it with RTMPose")
    points, confidence = sequence.keypoints(root / "keypoints")
    joints = sequence.joints()
    if points.shape[1] not in LAYOUTS or len(points) != len(joints):
        raise DataError(
            f"{file}: {points.shape[1]} joints in {len(points)} frames, expected {', '.join(map(str, LAYOUTS))} joints "
            f"and the {len(joints)} frames of joints3d_25"
        )
    track = recordings.track(_detections(sequence, points, confidence), _pinhole(sequence))
    truth = smpl22(joints_at(joints, (track.start + torch.arange(len(track)) / FPS) * fit3d.FPS))
    split = clips.split(track.keypoints, SMPL22, track.confidence)
    return [Clip(sequence, track.cut(a, b), truth[a:b]) for a, b in split.clips]


def _keypoint_file(root: Path, sequence: Sequence) -> Path:
    return root / "keypoints" / sequence.subject / sequence.camera / f"{sequence.exercise}.npz"


def _pinhole(sequence: Sequence) -> detections.Intrinsics:
    """The camera without its distortion, which the reader of keypoints takes out."""
    inner = sequence.calibration()[1]
    return detections.Intrinsics(*inner.focal.tolist(), *inner.centre.tolist(), SIZE, SIZE)


def _detections(sequence: Sequence, points: Tensor, confidence: Tensor) -> Detections:
    pixels = _pinhole(sequence).to_pixels(points.double())
    people = torch.cat([pixels, confidence[..., None].double()], -1).numpy()[:, None]
    times = np.arange(len(points)) / fit3d.FPS
    return Detections(list(people), times, LAYOUTS[points.shape[1]], SIZE, SIZE, sequence.name)


def joints_at(joints: Tensor, frames: Tensor) -> Tensor:
    """Joints (T, J, 3) at fractional frames (N,), linear in between."""
    before = frames.floor().long().clamp(max=len(joints) - 1)
    after = (before + 1).clamp(max=len(joints) - 1)
    return torch.lerp(joints[before], joints[after], (frames - before)[:, None, None].to(joints))


def _corpus(found: list[Clip], values: list[Tensor], skipped: list[tuple[str, str]]) -> Corpus:
    return from_clips(
        values, [c.track.name for c in found], [c.sequence.captions for c in found],
        [c.sequence.exercise for c in found], SMPL22, FPS, skipped,
    )  # fmt: skip


def _largest(people: np.ndarray) -> np.ndarray | None:
    """Of people (P, J, 3) the one of the largest spread in the image; None of nobody."""
    return max(people, key=lambda person: np.ptp(person[:, :2], axis=0).prod(), default=None)


def main(arguments: Ordered[str] | None = None) -> int:
    """Write keypoint files, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Ordered[str]) -> None:
    """Detect what is missing, and say how many files were written."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=detect.__doc__.partition("\n")[0])
    programs.add_debug(parser)
    parser.add_argument("root", type=argument(Path), help="the data set's folder")
    print(f"{len(detect(parser.parse_args(arguments).root))} keypoint files written")


if __name__ == "__main__":
    sys.exit(main())
