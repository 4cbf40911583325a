"""One motion from one recording of any length, lifted by a prior that knows short clips.

The recording is covered by windows that overlap, and where they overlap motions are blended in the camera's axes.  The
teacher's motion of the whole recording is held against it (:func:`videomdm.cameras.fitting.fit`).  From there the prior
lifts every window (appendix G.2), beginning at a low noise, and its motion and the fitted one are averaged and fitted
again: a prior that has not seen such people or poses moves them towards those that it knows, and errs otherwise than
the teacher does.
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
from videomdm.videos import material
from videomdm.videos.material import CAMERA_AXES

OVERLAP = 0.25  # least share of a window that the next one covers too


@dataclass(frozen=True)
class Mixing:
    """How much of a recording's motion is the prior's.

    The defaults are those of ``results/real_people/choice.json``, which ``python -m videomdm.study.real_people choose``
    writes.

    Attributes:
        first: where the prior begins, as a share of the diffusion's steps from the clean end; 1 begins with noise
            alone, as the paper does.
        share: of its motion in the average; 1 leaves the teacher out.
    """

    first: float = 0.24
    share: float = 0.25

    def step(self, n_steps: int) -> int | None:
        """The step, 0-based, at which lifting begins; None for noise."""
        return None if self.first >= 1 else round(self.first * n_steps)


@dataclass(frozen=True)
class Whole:
    """A lifted recording.

    Attributes:
        joints: (T, J, 3) metres, level, in the motion's canonical frame: the prior's, mixed with the fitted teacher's.
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

    A window's camera comes from PnP on its teacher's motion and is refined as the window is lifted; where PnP finds
    none that can be trusted, the camera is taken for level.  What the prior starts from is levelled on its own floor.

    Args:
        prior: knows clips of ``prior.config.data.max_frames``.
        track: SMPL-22 keypoints at the prior's frame rate.
        caption: what the person does, where known.
        lifted: the teacher's motion, where another lifter made it.
        root_path: the package's teacher, see :func:`videomdm.lifters.teacher.estimate`.
        seed: of the noise.
        progress: show a bar.
        height: metres from the floor to the crown, where it is known (:func:`videomdm.videos.material.to_height`).
        mixing: of the prior's motion and the teacher's.
    """
    lifting = Lifting(prior, track, lifted, root_path, height)
    own = lifting.by_prior(mixing.first, caption, seed, progress)
    joints = lifting.mixed(own, mixing.share)
    return Whole(*_level(joints, track), *_level(lifting.teacher, track), lifting.report)


class Lifting:
    """A recording while it is lifted; motions are whole, (T, J, 3) metres in camera axes.

    Args:
        prior, track, lifted, root_path, height: as for :func:`lift_recording`.

    Attributes:
        teacher: what the teacher made of it.
        fitted: the same, held against the recording.
        report: how well the windows' cameras explain the keypoints of their teacher's motions.
    """

    def __init__(
        self, prior: Prior, track: KeypointTrack, lifted: Lifted | None = None, root_path: str = "bones",
        height: float | None = None,
    ) -> None:  # fmt: skip
        self.prior, self.track, self.height = prior, track, height
        self.starts, length = windows(len(track), prior.config.data.max_frames)
        parts = material.as_clips([track.cut(s, s + length) for s in self.starts], track, lifted)
        seen = recordings.footage([part.track for part in parts])
        world = material.lift_clips(parts, seen, root_path, height)
        motions, level_camera = features.canonicalise_with_camera(world, seen.camera)
        found, self.report = pnp.estimate(motions, seen.keypoints, seen.confidence, names=[p.track.name for p in parts])
        camera = refinement.select_cameras(self.report.bad, level_camera, found)
        motions, camera = material.level(motions, seen.by(camera))
        self.seen = replace(seen, camera=camera, confidence=bridge(seen.confidence, track.fps))
        self.teacher = self._whole(camera.to_camera(motions))
        self.fitted = self._fit(self._whole(camera.to_camera(placement.place(motions, self.seen))))

    def by_prior(self, first: float, caption: str | None = None, seed: int = 0, progress: bool = False) -> Tensor:
        """What the prior makes of the fitted motion, diffused to ``first`` (:class:`Mixing`); of noise alone for 1."""
        motions, camera = self.windows_of_fitted()
        step = Mixing(first).step(self.prior.config.model.n_steps)
        own = sample.lift_footage(
            self.prior, self.seen.by(camera),
            sample.Lifting(refine=True, place=True, known_distance=self.height is not None, first=step),
            start=None if step is None else motions, texts=None if caption is None else [caption] * len(motions),
            seed=seed, progress=progress,
        )  # fmt: skip
        if self.height is not None:
            own = material.to_height(own, camera, self.height, self.seen.lengths)
        return self._whole(camera.to_camera(own))

    def windows_of_fitted(self) -> tuple[Tensor, Camera]:
        """Windows (n, T, J, 3) of the fitted motion, each level and in its canonical frame, and their cameras (n,)."""
        length = self.seen.keypoints.shape[1]
        parts = torch.stack([self.fitted[start : start + length] for start in self.starts])
        level_cameras = recordings.level_camera(len(parts))
        return material.level(parts * parts.new_tensor(CAMERA_AXES), self.seen.by(level_cameras))

    def mixed(self, own: Tensor, share: float) -> Tensor:
        """The prior's motion and the fitted one, averaged, with the latter's bones."""
        bones = fitting.bone_lengths(self.fitted[None], torch.tensor([len(self.fitted)]))
        return self._fit(torch.lerp(self.fitted, own, share), bones)

    def _whole(self, parts: Tensor) -> Tensor:
        return blend(parts, self.starts, len(self.track))

    def _fit(self, motion: Tensor, bones: Tensor | None = None) -> Tensor:
        seen = recordings.footage([self.track])
        camera = Camera(torch.eye(3)[None], torch.zeros(1, 3))
        bridged = replace(seen, camera=camera, confidence=bridge(seen.confidence, self.track.fps))
        return fitting.fit(motion[None], bridged, fps=self.track.fps, bones=bones)[0]


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


def _level(in_camera: Tensor, track: KeypointTrack) -> tuple[Tensor, Camera]:
    """A track's motion (T, J, 3) in the camera's axes, levelled, in its canonical frame, and its camera."""
    world = in_camera[None] * in_camera.new_tensor(CAMERA_AXES)
    joints, camera = material.level(world, recordings.footage([track]))
    return joints[0], camera[0]
