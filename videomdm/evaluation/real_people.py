"""People whom no built-in corpus made: recordings with their 3-D truth, to lift and to be compared with.

``balance`` is a real trial: filmed by calibrated cameras, detected by others, its joints triangulated (Pose2Sim's
demonstration).  Everybody else is motion capture of actors, filmed and detected by simulation: framed as a telephone
would, with keypoints that jitter, are unsure, and are not quite where the joints are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.data import pose2sim
from videomdm.data.corpus import Corpus
from videomdm.data.recordings import demonstration, rendering
from videomdm.data.recordings.detections import Detections
from videomdm.evaluation import pose
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22

#: Joints that all layouts mean alike; errors are of these.  The first two, the hips, are the root.
LIMBS = tuple(
    f"{side}_{j}" for j in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in ("left", "right")
)
HEIGHT, BONES_OF_HEIGHT = 1.75, 0.9  # metres of everybody here, and the share of it that bones measure
BALANCE = {"fps": 30.0, "field_of_view": 66.6}  # of its keypoint files: at twice the time, so that it is long enough
#: A detector on real pictures: twice the built-in demonstration's errors, and landmarks that are off by so many metres
#: in each direction of the body for a whole recording.
NOISE, SHIFT = rendering.Noise(jitter=0.012, unsure=0.06, swaps=0.01, dropouts=0.02), 0.015
AZIMUTH, ELEVATION = 180.0, (-5.0, 25.0)  # degrees, of the cameras


@dataclass(frozen=True)
class Truth:
    """The joints of a recording in its camera's axes.

    Attributes:
        joints: (T, 12, 3) metres, x right, y down, z forward, those of :data:`LIMBS`.
        fps: frames per second of the recording's time.
        up: (3,) unit vector, what is up in camera axes.
    """

    joints: Tensor
    fps: float
    up: Tensor

    def at(self, seconds: Tensor) -> Tensor:
        """(N, 12, 3) at seconds (N,) of the recording, between frames on straight lines."""
        place = (seconds * self.fps).clamp(0, len(self.joints) - 1)
        before = place.floor().long().clamp(max=len(self.joints) - 2)
        return torch.lerp(self.joints[before], self.joints[before + 1], (place - before)[:, None, None].float())


def balance(folder: str | Path, camera: int) -> Truth:
    """The truth of the balancing trial for one of its cameras.

    Args:
        folder: holds ``truth.trc`` and ``Calib.toml``.
        camera: its number.

    Raises:
        DataError: a file is missing or wrong.
    """
    track = pose2sim.read_trc(Path(folder) / "truth.trc")
    seen_by, _ = pose2sim.read_camera(Path(folder) / "Calib.toml", f"cam_{camera:02d}")
    names = [f"{side[0].upper()}{joint.capitalize()}" for side, _, joint in (name.partition("_") for name in LIMBS)]
    return Truth(seen_by.to_camera(track.of(*names)), BALANCE["fps"], seen_by.rotation[:, 1])


def filmed(clips: Corpus, seed: int = 0) -> dict[str, tuple[Detections, Truth, str]]:
    """Recordings of motion capture: what a detector reports, the truth, and a caption, by the clip's name.

    Everybody is scaled to ``HEIGHT``.  Cameras are framed and detected as the demonstration's, by
    ``AZIMUTH`` and ``ELEVATION``, with :data:`NOISE` and :data:`SHIFT`.

    Args:
        clips: canonical, of SMPL-22.
        seed: of cameras and errors.
    """
    generator = torch.Generator().manual_seed(seed)
    scale = BONES_OF_HEIGHT * HEIGHT / kinematics.body_height(clips.joints, clips.lengths)
    found = {}
    for i, name in enumerate(clips.names):
        joints = clips.clip(i) * scale[i]
        azimuth, elevation = torch.rand(2, generator=generator).tolist()
        low, high = ELEVATION
        camera = demonstration.framed(
            joints, math.radians(AZIMUTH * (2 * azimuth - 1)), math.radians(low + (high - low) * elevation)
        )
        shift = SHIFT * torch.randn(len(SMPL22), 3, generator=generator)
        moved = joints + torch.einsum("tij,kj->tki", kinematics.body_axes(joints, SMPL22), shift)
        seen = rendering.detect([moved], camera, demonstration.INTRINSICS, noise=NOISE, seed=seed + i, name=name)
        own = camera.to_camera(joints)[:, [SMPL22.index(j) for j in LIMBS]]
        found[name] = (seen, Truth(own, FPS, camera.rotation[:, 1]), clips.captions[i][0])
    return found


def errors(joints: Tensor, rotation: Tensor, translation: Tensor, seconds: Tensor, truth: Truth) -> dict[str, float]:
    """How a lifted motion errs.

    Args:
        joints: (T, 22, 3) metres in a level world, Y up.
        rotation, translation: (3, 3) and (3,), from that world to camera axes.
        seconds: (T,) of the recording.
        truth: of it.

    Returns:
        ``mpjpe``, root-aligned at the middle of the hips, and ``pa_mpjpe``, after Procrustes, in mm, of
        :data:`LIMBS`; ``up``, degrees between the world's up and the true one; ``acceleration``, mean of these joints,
        in m/s^2, and ``true_acceleration``, that of the truth.
    """
    limbs = joints[:, [SMPL22.index(j) for j in LIMBS]] @ rotation.mT + translation
    known = truth.at(seconds)
    own, true = (x - x[:, :2].mean(1, keepdim=True) for x in (limbs, known))
    fps = 1 / float(np.median(np.diff(seconds.numpy())))
    return {
        "mpjpe": float(pose.mpjpe(own, true)), "pa_mpjpe": float(pose.pa_mpjpe(own, true)),
        "up": float(torch.rad2deg(torch.acos((rotation[:, 1] @ truth.up).clamp(-1, 1)))),
        "acceleration": _acceleration(limbs, fps), "true_acceleration": _acceleration(known, fps),
    }  # fmt: skip


def _acceleration(limbs: Tensor, fps: float) -> float:
    return float(limbs.diff(n=2, dim=0).norm(dim=-1).mean() * fps**2)


def mean(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Each measure's mean over recordings."""
    names = next(iter(rows.values()))
    return {name: float(np.mean([row[name] for row in rows.values()])) for name in names}
