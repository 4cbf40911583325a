"""One motion from one recording of any length, lifted by a prior that knows short clips.

The recording is covered by windows that overlap, each is lifted on its own (appendix G.2), and where windows overlap
their motions are blended in the camera's axes.  All of them lie on the rays that were seen, so the blend differs from
both in depth alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from videomdm import features, sample
from videomdm.cameras import pnp, refinement
from videomdm.cameras.camera import Camera
from videomdm.cameras.keypoints import bridge
from videomdm.data import recordings
from videomdm.data.observations import to_body_height
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.lifters.results import Lifted
from videomdm.sample.prior import Prior
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.padding import triangle
from videomdm.videos import material
from videomdm.videos.material import CAMERA_AXES

OVERLAP = 0.25  # least share of a window that the next one covers too


@dataclass(frozen=True)
class Whole:
    """A lifted recording.

    Attributes:
        joints: (T, J, 3) metres, level, in the motion's canonical frame.
        camera: the static camera in that frame, batch ().
        teacher: (T, J, 3) what the teacher made of it, in the same manner, and ``teacher_camera`` its camera.
        report: how well the windows' cameras explain the keypoints of their teacher's motions.
    """

    joints: Tensor
    camera: Camera
    teacher: Tensor
    teacher_camera: Camera
    report: pnp.Report


def lift_recording(
    prior: Prior,
    track: KeypointTrack,
    caption: str | None = None,
    lifted: Lifted | None = None,
    root_path: str = "bones",
    seed: int = 0,
    progress: bool = False,
    height: float | None = None,
) -> Whole:
    """Lift a whole recording.

    A window's camera comes from PnP on its teacher's motion and is refined as the window is lifted; where PnP finds
    none that can be trusted, the camera is taken for level.

    Args:
        prior: knows clips of ``prior.config.data.max_frames``.
        track: SMPL-22 keypoints at the prior's frame rate.
        caption: what the person does, where known.
        lifted: the teacher's motion, where another lifter made it.
        root_path: the package's teacher, see :func:`videomdm.lifters.teacher.estimate`.
        seed: of the noise.
        progress: show a bar.
        height: metres from the floor to the crown, where it is known (:func:`videomdm.videos.material.to_height`).
    """
    starts, length = windows(len(track), prior.config.data.max_frames)
    parts = material.as_clips([track.cut(s, s + length) for s in starts], track, lifted)
    seen = recordings.footage([part.track for part in parts])
    world = material.lift_clips(parts, seen, root_path, height)
    if height is None and lifted is None:
        world = one_size(world, seen.camera, seen.lengths)
    motions, level_camera = features.canonicalise_with_camera(world, seen.camera)
    found, report = pnp.estimate(motions, seen.keypoints, seen.confidence, names=[p.track.name for p in parts])
    camera = refinement.select_cameras(report.bad, level_camera, found)
    motions, camera = material.level(motions, seen.by(camera))
    texts = None if caption is None else [caption] * len(parts)
    bridged = replace(seen, camera=camera, confidence=bridge(seen.confidence, track.fps))
    how = sample.Lifting(refine=True, place=True, known_distance=height is not None)
    own = sample.lift_footage(prior, bridged, how, texts=texts, seed=seed, progress=progress)
    if height is None:
        own = one_size(own, camera, seen.lengths)
    else:
        own = material.to_height(own, camera, height, seen.lengths)
    joints, teacher = (blend(camera.to_camera(x), starts, len(track)) for x in (own, motions))
    return Whole(*_level(joints, track), *_level(teacher, track), report)


def windows(frames: int, longest: int) -> tuple[list[int], int]:
    """First frames of evenly spread windows of one length, at most ``longest``, and that length."""
    length = min(frames, longest)
    step = max(1, int(length * (1 - OVERLAP)))
    n = 1 + -(-(frames - length) // step)
    return torch.linspace(0, frames - length, n).round().long().tolist(), length


def one_size(parts: Tensor, camera: Camera, lengths: Tensor) -> Tensor:
    """Windows (n, T, J, 3) of one person, all of the size of the median one: scaled about their cameras (n,).

    From one camera size and distance cannot be told apart, so each window guesses; somebody who shrank from window to
    window would approach the camera, and lean on the floor.
    """
    size = kinematics.body_height(parts, lengths).median()
    return to_body_height(parts, camera, size.expand(len(parts)), lengths, SMPL22)


def blend(parts: Tensor, starts: list[int], frames: int) -> Tensor:
    """One motion (frames, J, 3) from windows (n, T, J, 3) in one frame, each with a weight that falls to its ends."""
    length = parts.shape[1]
    weight = triangle(length).to(parts)
    total, weights = parts.new_zeros(frames, *parts.shape[2:]), parts.new_zeros(frames)
    for part, start in zip(parts, starts, strict=True):
        total[start : start + length] += part * weight[:, None, None]
        weights[start : start + length] += weight
    return total / weights[:, None, None]


def _level(in_camera: Tensor, track: KeypointTrack) -> tuple[Tensor, Camera]:
    """A track's motion (T, J, 3) in the camera's axes, levelled, in its canonical frame, and its camera."""
    world = in_camera[None] * in_camera.new_tensor(CAMERA_AXES)
    joints, camera = material.level(world, recordings.footage([track]))
    return joints[0], camera[0]
