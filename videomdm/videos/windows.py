"""One motion from one recording of any length, lifted by a prior that knows short clips.

One person, one size, one floor: the teacher lifts the whole recording at once, and its motion tells where up and the
floor are.  The prior's windows overlap, each is lifted in the frame of its first pose (appendix G.2) on that floor by
the one camera, and where windows overlap their motions are blended in the camera's axes.  All of them lie on the rays
that were seen, so the blend differs from both in depth alone; the person's size, the same in all frames, settles that.
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
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.lifters.results import Lifted
from videomdm.sample.prior import Prior
from videomdm.skeletons.padding import triangle
from videomdm.videos import material

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

    As a window is lifted its camera may turn about the vertical and move along the floor, but neither tilt nor come
    nearer: up, floor and size are the recording's.

    Args:
        prior: knows clips of ``prior.config.data.max_frames``.
        track: SMPL-22 keypoints at the prior's frame rate.
        caption: what the person does, where known.
        lifted: the teacher's motion, where another lifter made it.
        root_path: the package's teacher, see :func:`videomdm.lifters.teacher.estimate`.
        seed: of the noise.
        progress: show a bar.
        height: metres from the floor to the crown; where it is not known, adults' mean
            (:data:`videomdm.videos.material.HEIGHT`).

    Raises:
        ValueError: a height that is not in metres.
    """
    size = material.HEIGHT if height is None else height
    teacher, camera = _teacher(track, lifted, root_path, size)
    starts, length = windows(len(track), prior.config.data.max_frames)
    parts = [track.cut(s, s + length) for s in starts]
    seen = recordings.footage(parts)
    motions = torch.stack([teacher[s : s + length] for s in starts])
    frame = _on_the_floor(*features.canonical_frame(motions))
    motions, cameras = _moved(motions, *frame), camera.in_frame(*frame)
    _, report = pnp.estimate(motions, seen.keypoints, seen.confidence, names=[part.name for part in parts])
    texts = None if caption is None else [caption] * len(parts)
    bridged = replace(seen, camera=cameras, confidence=bridge(seen.confidence, track.fps))
    how = sample.Lifting(refine=True, place=True, known_up=True)
    own = sample.lift_footage(prior, bridged, how, texts=texts, seed=seed, progress=progress)
    own = material.to_height(own, cameras, size, seen.lengths)
    joints = camera.to_world(blend(cameras.to_camera(own), starts, len(track)))
    joints, camera_of_joints = _levelled(joints, track, camera, size)
    return Whole(joints, camera_of_joints, teacher, camera, report)


def _teacher(track: KeypointTrack, lifted: Lifted | None, root_path: str, height: float) -> tuple[Tensor, Camera]:
    """The teacher's motion (T, J, 3) of a whole recording on its floor, and the camera: one body, one path.

    Another lifter's motion with a path of its own is not in the camera's axes; PnP says from where it was seen.
    """
    clips = material.as_clips([track], track, lifted)
    seen = recordings.footage([track])
    world = material.lift_clips(clips, seen, root_path)
    if lifted is not None and clips[0].path:
        found, report = pnp.estimate(world, seen.keypoints, seen.confidence, names=[track.name])
        seen = seen.by(refinement.select_cameras(report.bad, seen.camera, found))
    return _levelled(world[0], track, seen.camera[0], height, believed="balance")


def _on_the_floor(rotation: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
    """Frames (rotation, origin) whose own floor is that of the world they are in."""
    return rotation, origin * origin.new_tensor([1.0, 0.0, 1.0])


def _moved(joints: Tensor, rotation: Tensor, origin: Tensor) -> Tensor:
    """Joints (n, T, J, 3) in frames (n,)."""
    return (joints - origin[:, None, None]) @ rotation[:, None].mT


def windows(frames: int, longest: int) -> tuple[list[int], int]:
    """First frames of evenly spread windows of one length, at most ``longest``, and that length."""
    length = min(frames, longest)
    step = max(1, int(length * (1 - OVERLAP)))
    n = 1 + -(-(frames - length) // step)
    return torch.linspace(0, frames - length, n).round().long().tolist(), length


def blend(parts: Tensor, starts: list[int], frames: int) -> Tensor:
    """One motion (frames, J, 3) from windows (n, T, J, 3) in one frame, each with a weight that falls to its ends."""
    length = parts.shape[1]
    weight = triangle(length).to(parts)
    total, weights = parts.new_zeros(frames, *parts.shape[2:]), parts.new_zeros(frames)
    for part, start in zip(parts, starts, strict=True):
        total[start : start + length] += part * weight[:, None, None]
        weights[start : start + length] += weight
    return total / weights[:, None, None]


def _levelled(
    joints: Tensor, track: KeypointTrack, camera: Camera, height: float, believed: str = "given"
) -> tuple[Tensor, Camera]:
    """A recording's motion (T, J, 3) of one size, on one level floor, in its canonical frame, and its camera.

    ``believed``: whether up is given by the world or to be found from balance.
    """
    seen = recordings.footage([track]).by(camera[None])
    joints, camera = material.level(material.steady_size(joints[None], seen, height), seen, believed)
    return joints[0], camera[0]
