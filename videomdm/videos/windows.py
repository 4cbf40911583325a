"""One motion from one recording of any length, lifted by a prior that knows short clips.

One person, one size, one floor: the teacher lifts the whole recording at once, and its motion, held against the
recording (:func:`videomdm.cameras.fitting.fit`), tells where up and the floor are.  From there the prior lifts windows
that overlap, each in the frame of its first pose (appendix G.2) on that floor by the one camera, beginning at a low
noise; where windows overlap their motions are blended in the camera's axes.  All of them lie on the rays that were
seen, so the blend differs from both in depth alone; the person's size, the same in all frames, settles that.

What the prior made and the teacher's motion are then averaged, and the average is held against the recording: a prior
that has not seen such people or poses moves them towards those that it knows, and errs otherwise than the teacher does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from videomdm import features, sample
from videomdm.cameras import fitting, placement, pnp, refinement
from videomdm.cameras.camera import Camera
from videomdm.cameras.keypoints import bridge
from videomdm.data import recordings
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.lifters.results import Lifted
from videomdm.sample.prior import Prior
from videomdm.skeletons.padding import triangle
from videomdm.videos import heights, levelling, material

OVERLAP = 0.25  # least share of a window that the next one covers too
FIT = fitting.Weights()


@dataclass(frozen=True)
class Mixing:
    """How much of a recording's motion is the prior's.

    Chosen on validation recordings of people whom no prior had seen (``python -m videomdm.study.real_people choose``)
    for the prior that comes with the package: an eighth of it, the rest is the teacher's, fitted to the recording.

    Attributes:
        first: where the prior begins, as a share of the diffusion's steps from the clean end; 1 begins with noise
            alone, as the paper does.
        share: of its motion in the average; 1 leaves the teacher out, 0 the prior.
    """

    first: float = 0.08
    share: float = 0.125

    def step(self, n_steps: int) -> int | None:
        """The step, 0-based, at which lifting begins; None for noise."""
        return None if self.first >= 1 else round(self.first * n_steps)


@dataclass(frozen=True)
class Whole:
    """A lifted recording.

    Attributes:
        joints: (T, J, 3) metres, level, in the motion's canonical frame: prior's and teacher's, averaged and fitted.
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
    mixing: Mixing = Mixing(),
) -> Whole:
    """Lift a whole recording.

    As a window is lifted its camera may turn about the vertical and move, but not tilt: up and floor are the
    recording's, and the person's size settles the distance afterwards.

    Args:
        prior: knows clips of ``prior.config.data.max_frames``.
        track: SMPL-22 keypoints at the prior's frame rate.
        caption: what the person does, where known.
        lifted: the teacher's motion, where another lifter made it.
        root_path: the package's teacher, see :func:`videomdm.lifters.teacher.estimate`.
        seed: of the noise.
        progress: show a bar.
        height: metres from the floor to the crown; where it is not known, adults' mean
            (:data:`videomdm.videos.heights.HEIGHT`).
        mixing: of the prior's motion and the teacher's.

    Raises:
        ValueError: a height that is not in metres.
    """
    lifting = Lifting(prior, track, lifted, root_path, height)
    own = lifting.by_prior(mixing.first, caption, seed, progress) if mixing.share else lifting.fitted
    joints = lifting.on_floor(lifting.mixed(own, mixing.share))
    joints, camera = _levelled(joints, track, lifting.camera, lifting.height)
    return Whole(joints, camera, lifting.on_floor(lifting.teacher), lifting.camera, lifting.report)


class Lifting:
    """A recording while it is lifted; motions are whole, (T, J, 3) metres in camera axes.

    Args:
        prior, track, lifted, root_path, height: as for :func:`lift_recording`.

    Attributes:
        camera: the static camera in the world of the teacher's motion, which stands on its floor; batch ().
        teacher: what the teacher made of it.
        fitted: the same, held against the recording.
        report: how well windows' cameras, found by PnP, explain the keypoints of their teacher's motions.
    """

    def __init__(
        self, prior: Prior, track: KeypointTrack, lifted: Lifted | None = None, root_path: str = "bones",
        height: float | None = None,
    ) -> None:  # fmt: skip
        self.prior, self.track = prior, track
        self.height = heights.HEIGHT if height is None else height
        world, self.camera = _teacher(track, lifted, root_path, self.height)
        self.teacher = self.camera.to_camera(world)
        whole = recordings.footage([track]).by(self.camera[None])
        self._placed = self.camera.to_camera(placement.place(world[None], whole)[0])
        self.fitted = self.fitted_with(FIT)
        self.starts, length = windows(len(track), prior.config.data.max_frames)
        parts = [track.cut(start, start + length) for start in self.starts]
        seen = recordings.footage(parts)
        motions, _ = self._windows(self.teacher)
        _, self.report = pnp.estimate(motions, seen.keypoints, seen.confidence, names=[part.name for part in parts])
        self.seen = replace(seen, confidence=bridge(seen.confidence, track.fps))

    def by_prior(self, first: float, caption: str | None = None, seed: int = 0, progress: bool = False) -> Tensor:
        """What the prior makes of the fitted motion, diffused to ``first`` (:class:`Mixing`); of noise alone for 1."""
        motions, cameras = self.windows_of_fitted()
        step = Mixing(first).step(self.prior.config.model.n_steps)
        how = sample.Lifting(refine=True, place=True, known_up=True, first=step)
        own = sample.lift_footage(
            self.prior, self.seen.by(cameras), how, start=None if step is None else motions,
            texts=None if caption is None else [caption] * len(motions), seed=seed, progress=progress,
        )  # fmt: skip
        own = heights.to_height(own, cameras, self.height, self.seen.lengths)
        return blend(cameras.to_camera(own), self.starts, len(self.track))

    def fitted_with(self, weights: fitting.Weights) -> Tensor:
        """The teacher's motion (T, J, 3) in camera axes, held against the recording with other weights."""
        return self._fit(self._placed, weights)

    def windows_of_fitted(self) -> tuple[Tensor, Camera]:
        """Windows (n, T, J, 3) of the fitted motion, each in its canonical frame on the floor, and their cameras."""
        return self._windows(self.fitted)

    def mixed(self, own: Tensor, share: float) -> Tensor:
        """The prior's motion (T, J, 3) in camera axes and the teacher's, averaged, held against the recording.

        ``fitted`` for a share of 0.
        """
        return self._fit(torch.lerp(self._placed, own, share))

    def on_floor(self, motion: Tensor) -> Tensor:
        """A motion (..., J, 3) in camera axes in the world in which the teacher's stands on its floor."""
        return self.camera.to_world(motion)

    def _windows(self, motion: Tensor) -> tuple[Tensor, Camera]:
        length = min(len(self.track), self.prior.config.data.max_frames)
        world = self.on_floor(motion)
        motions = torch.stack([world[start : start + length] for start in self.starts])
        rotation, origin = features.canonical_frame(motions)
        origin = origin * origin.new_tensor([1.0, 0.0, 1.0])  # the floor stays the recording's
        moved = (motions - origin[:, None, None]) @ rotation[:, None].mT
        return moved, self.camera.in_frame(rotation, origin)

    def _fit(self, motion: Tensor, weights: fitting.Weights = FIT) -> Tensor:
        seen = recordings.footage([self.track])
        camera = Camera(torch.eye(3)[None], torch.zeros(1, 3))
        bridged = replace(seen, camera=camera, confidence=bridge(seen.confidence, self.track.fps))
        return fitting.fit(motion[None], bridged, weights=weights, fps=self.track.fps)[0]


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
    joints, camera = levelling.level(heights.steady_size(joints[None], seen, height), seen, believed)
    return joints[0], camera[0]
