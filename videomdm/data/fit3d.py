"""Fit3D in its official layout: what training may see (keypoints, cameras), and joints for evaluation only.

<root>/train/<subject>/videos/<camera>/<exercise>.mp4
<root>/train/<subject>/camera_parameters/<camera>/<exercise>.json    extrinsics R, T; intrinsics f, c (and k, p)
<root>/train/<subject>/joints3d_25/<exercise>.json                   {"joints3d_25": frames x 25 x 3}, metres, Z up

Four cameras see every exercise at 50 frames per second and 900 x 900 pixels.  ``T`` is where the camera
stands: ``X_c = R (X - T)``.  The test subjects come without joints.  Keypoints are not part of the data set;
a detector's are put beside it as ``<keypoints>/<subject>/<camera>/<exercise>.npz``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.conventions import DataError
from videomdm.data.corpus import check_joints
from videomdm.skeletons.definitions import Skeleton
from videomdm.storage import text
from videomdm.storage.arrays import read_npz

FPS = 50.0
_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # (x, y, z) -> (x, z, -y)
_UNDISTORT_ROUNDS = 20

#: The data set's 25 joints: Human3.6M's 17, left before right at the legs too, then two points per foot and hand.
FIT3D25 = Skeleton(
    name="fit3d25",
    joints=(
        "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "spine", "thorax",
        "neck", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
        "left_toe_inner", "left_toe_outer", "right_toe_inner", "right_toe_outer", "left_hand_inner",
        "left_hand_outer", "right_hand_inner", "right_hand_outer",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15, 3, 3, 6, 6, 13, 13, 16, 16),
    left_feet=("left_ankle", "left_toe_inner"),
    right_feet=("right_ankle", "right_toe_inner"),
)  # fmt: skip


@dataclass(frozen=True)
class Intrinsics:
    """Of one camera, in pixels.

    Attributes:
        focal, centre: (2,) focal lengths and principal point.
        radial: (3,), tangential: (2,) distortion; zero without.
    """

    focal: np.ndarray
    centre: np.ndarray
    radial: np.ndarray
    tangential: np.ndarray

    def to_pixels(self, points: Tensor) -> Tensor:
        """Normalised image coordinates (..., 2) to pixels, distorted as the data set's own tools do it."""
        x = points.double().numpy()
        return torch.from_numpy(self.focal * self._distort(x) + self.centre).to(points)

    def to_normalised(self, pixels: Tensor) -> Tensor:
        """Pixels (..., 2) to normalised image coordinates; distortion is taken out by fixed-point iteration."""
        wanted = (pixels.double().numpy() - self.centre) / self.focal
        x = wanted
        for _ in range(_UNDISTORT_ROUNDS):
            x = x + wanted - self._distort(x)
        return torch.from_numpy(x).to(pixels)

    def _distort(self, x: np.ndarray) -> np.ndarray:
        p = self.tangential[::-1]
        r2 = (x * x).sum(-1, keepdims=True)
        radial = 1 + (self.radial * np.concatenate([r2, r2**2, r2**3], -1)).sum(-1, keepdims=True)
        return x * (radial + (x * p).sum(-1, keepdims=True)) + r2 * p


@dataclass(frozen=True)
class Sequence:
    """One exercise of one subject, seen by one camera.

    Attributes:
        root: the data set's folder.
        split: ``"train"`` or ``"test"``.
        subject, camera, exercise: names in the data set; a test subject's camera has none.
    """

    root: Path
    split: str
    subject: str
    camera: str
    exercise: str

    @property
    def name(self) -> str:
        """Unique in the data set."""
        return f"{self.subject}_{self.camera}_{self.exercise}".replace(" ", "_")

    @property
    def video(self) -> Path:
        """The video file."""
        return self.root / self.split / self.subject / "videos" / self.camera / f"{self.exercise}.mp4"

    @property
    def captions(self) -> tuple[str, ...]:
        """As :func:`captions` of the exercise."""
        return captions(self.exercise)

    def calibration(self) -> tuple[Camera, Intrinsics]:
        """The camera in the data set's world turned Y up, and its intrinsics; raises ``DataError``."""
        folder = self.root / self.split / self.subject / "camera_parameters"
        path = folder / self.camera / f"{self.exercise}.json"
        if not path.exists():  # the test archive has one camera per exercise and no folder for it
            path = folder / f"{self.exercise}.json"
        return read_camera(path)

    def joints(self) -> Tensor:
        """(T, 25, 3) metres, Y up, at 50 frames per second: **for evaluation only**; raises ``DataError``."""
        return read_joints(self.root / self.split / self.subject / "joints3d_25" / f"{self.exercise}.json")

    def keypoints(self, folder: str | Path) -> tuple[Tensor, Tensor]:
        """A detector's keypoints (T, J, 2) in normalised image coordinates, and their confidence (T, J).

        Read from ``<folder>/<subject>/<camera>/<exercise>.npz`` with arrays ``keypoints`` (pixels) and
        ``confidence``; raises ``DataError``.
        """
        path = Path(folder) / self.subject / self.camera / f"{self.exercise}.npz"
        found = read_npz(path, f"an npz of the keypoints of {self.name}")
        if missing := {"keypoints", "confidence"} - set(found):
            raise DataError(f"{path}: no array {', '.join(sorted(missing))}, expected keypoints and confidence")
        pixels, confidence = (found[key].astype(np.float32) for key in ("keypoints", "confidence"))
        if pixels.ndim != 3 or pixels.shape[2] != 2 or confidence.shape != pixels.shape[:2]:
            raise DataError(f"{path}: shapes {pixels.shape} and {confidence.shape}, expected (T, J, 2) and (T, J)")
        for name, numbers in (("keypoints", pixels), ("confidence", confidence)):
            if not np.isfinite(numbers).all():
                raise DataError(f"{path}: {name} hold NaN or infinite numbers, expected finite ones")
        return self.calibration()[1].to_normalised(torch.from_numpy(pixels)), torch.from_numpy(confidence)


def find(root: str | Path, split: str = "train", subjects: tuple[str, ...] | None = None) -> list[Sequence]:
    """All sequences of a split that have a video or a camera file, by subject, camera and exercise.

    Args:
        root: the folder that holds ``train`` and ``test``.
        split: one of them.
        subjects: only these; all when None.

    Raises:
        DataError: the folder, or one of ``subjects``, is not there, or holds no sequence.
    """
    root = Path(root)
    folder = root / split
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, expected Fit3D's <subject>/videos/<camera>/<exercise>.mp4 below it")
    present = sorted(p.name for p in folder.iterdir() if p.is_dir())
    if missing := set(subjects or ()) - set(present):
        raise DataError(f"{folder}: no subject {', '.join(sorted(missing))}; there are {', '.join(present)}")
    found = set()
    for subject in subjects or present:
        for kind, suffix in (("videos", "mp4"), ("camera_parameters", "json")):
            for path in (folder / subject / kind).rglob(f"*.{suffix}"):
                camera = path.parent.name if path.parent.name != kind else ""
                found.add(Sequence(root, split, subject, camera, path.stem))
    if not found:
        raise DataError(f"{folder}: no videos/<camera>/<exercise>.mp4 and no camera_parameters below any subject")
    return sorted(found, key=lambda s: (s.subject, s.camera, s.exercise))


def read_camera(path: str | Path) -> tuple[Camera, Intrinsics]:
    """A camera file: the camera in the world turned Y up, and its intrinsics, with distortion where given.

    Raises:
        DataError: names the file, what was found and what was expected.
    """
    data = _json(path)
    try:
        rotation, position = (_numbers(data["extrinsics"][key]) for key in ("R", "T"))
        plain = data.get("intrinsics_w_distortion") or data["intrinsics_wo_distortion"]
        focal, centre = (_numbers(plain[key]) for key in ("f", "c"))
        radial, tangential = (_numbers(plain.get(key, [0.0] * n)) for key, n in (("k", 3), ("p", 2)))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path}: {type(error).__name__} {error}; expected extrinsics with R and T and intrinsics "
                        "with f and c") from None  # fmt: skip
    sizes = [a.size for a in (rotation, position, focal, centre, radial, tangential)]
    if sizes != [9, 3, 2, 2, 3, 2]:
        raise DataError(f"{path}: R, T, f, c, k, p have {sizes} numbers, expected [9, 3, 2, 2, 3, 2]")
    if not all(np.isfinite(a).all() for a in (focal, centre, radial, tangential)) or (focal <= 0).any():
        raise DataError(f"{path}: intrinsics f {focal}, c {centre}, expected finite pixels, f more than 0")
    turned = rotation.reshape(3, 3) @ _Z_UP.T  # X = Z_UP^T X', so R (X - T) = R Z_UP^T X' - R T
    try:
        camera = Camera(*(torch.from_numpy(a).float() for a in (turned, -rotation.reshape(3, 3) @ position)))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return camera, Intrinsics(focal, centre, radial, tangential)


def read_joints(path: str | Path) -> Tensor:
    """The true joints (T, 25, 3) of an exercise, metres, Y up; raises ``DataError``.

    Sides are checked: toes point forward, so hips and toes tell left from right.
    """
    data = _json(path)
    try:
        joints = np.asarray(data["joints3d_25"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: {type(error).__name__} {error}; expected joints3d_25, frames x 25 x 3") from None
    joints = (
        check_joints(torch.from_numpy(joints), str(path), FIT3D25, min_frames=1) @ torch.from_numpy(_Z_UP.T).float()
    )
    if _left_agreement(joints) < -0.5:
        raise DataError(f"{path}: toes point backwards for left and right as in {FIT3D25.name}; are sides swapped?")
    return joints


def captions(exercise: str) -> tuple[str, ...]:
    """Sentences in HumanML3D's manner for an exercise's name, e.g. ``dumbbell_biceps_curls``."""
    words = exercise.replace("_", " ").replace("-", " ").strip().lower().replace("warmup", "warm-up", 1)
    kind, _, number = words.rpartition(" ")
    move = f"{kind} exercise number {number}" if number.isdigit() else f"{words} exercise"
    return f"a person does the {move}.", f"someone repeats the {move}.", f"the person trains with the {move}."


def _left_agreement(joints: Tensor) -> float:
    """Mean cosine between left as the hips have it and as the feet and the vertical have it."""
    index = FIT3D25.index
    across = joints[:, index("left_hip")] - joints[:, index("right_hip")]
    ahead = sum(joints[:, index(f"{s}_toe_{k}")] - joints[:, index(f"{s}_ankle")]
                for s in ("left", "right") for k in ("inner", "outer"))  # fmt: skip
    left = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]).expand_as(ahead), ahead)
    flat = across * torch.tensor([1.0, 0.0, 1.0])
    return float(torch.cosine_similarity(left, flat, dim=-1).mean())


def _numbers(value: Any) -> np.ndarray:
    return np.asarray(value, dtype=np.float64).reshape(-1)


def _json(path: str | Path) -> dict:
    data = text.read_json(path, "Fit3D's json")
    if not isinstance(data, dict):
        raise DataError(f"{path}: holds a {type(data).__name__}, expected a json object")
    return data
