"""Using a trained prior: motions from text, and 3-D motions from 2-D keypoints (appendix G.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from videomdm import features
from videomdm.cameras import refinement
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.data.recordings import camera_units
from videomdm.features import rays
from videomdm.sample.prior import Prior, in_chunks


@dataclass(frozen=True)
class Lifting:
    """What lifting does beside moving predicted joints onto the rays that were seen.

    Attributes:
        refine: move the camera at every step below the highest noise so that it sees the prediction at the keypoints
            (:func:`videomdm.cameras.refinement.refine`).
        place: shift every frame at every step to where it is seen at its size, before joints are moved onto their
            rays (ours, :func:`videomdm.features.rays.placed`).
        known_distance: refined cameras keep their distance, as where people's height is known.
        known_up: refined cameras keep their pitch and roll, as where the floor is known.
        first: the step, 0-based, at which lifting begins where it is given a motion to start from: that motion is
            diffused to this step, so what is coarser than its noise stays as it was given; None begins with noise.
    """

    refine: bool = False
    place: bool = False
    known_distance: bool = False
    known_up: bool = False
    first: int | None = None


def lift(
    prior: Prior,
    keypoints: Tensor | np.ndarray,
    camera: Camera,
    confidence: Tensor | np.ndarray | None = None,
    lengths: Tensor | None = None,
    *,
    texts: Sequence[str] | None = None,
    refine: bool = False,
    known_distance: bool = False,
    place: bool = False,
    start: Tensor | np.ndarray | None = None,
    first: int | None = None,
    method: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Tensor:
    """3-D motion from 2-D keypoints with the prior: appendix G.2.

    Sampling in which every predicted clean motion is moved onto the observed rays, encoded again, and takes the
    prediction's place in the step to the next, less noisy motion.  Numbers of any precision are taken as float32.

    Args:
        prior: from :func:`~videomdm.sample.prior.load`.
        keypoints: (B, T, J, 2) or (T, J, 2) in normalised image coordinates; what is not finite needs confidence 0.
        camera: batch (B,) or a single one, in the motion's canonical frame; where it is only near that (a teacher's
            frame, PnP), let it be refined.
        confidence: (B, T, J); a joint with 0 is left where the prior puts it.
        lengths: (B,) frames; all T by default.
        texts: captions, where known.
        refine, known_distance, place, first: see :class:`Lifting`.
        start: (B, T, J, 3) or (T, J, 3) the motion that lifting starts from at step ``first``, such as a teacher's:
            metres, in the camera's world.
        method, steps: as in :func:`~videomdm.sample.generation.generate`, but without a method all steps are taken: the
            keypoints restore at every step the motion that repeated denoising would shrink, and more steps make
            smoother motions.  From a motion those steps are taken that are not above ``first``.
        seed: of the noise.
        progress: show a bar.

    Returns:
        (B, T, J, 3) joints in the camera's world, metres, as projected in the last step (encoding them once more
        would move the clip); frames past a length hold its last pose.  Unbatched input gives unbatched output.

    Raises:
        ValueError: keypoints, confidence or a motion to start from that is no tensor or array of real numbers;
            keypoints of another shape, in pixels or shares of the image, or not finite where they have
            confidence (:func:`videomdm.data.recordings.camera_units.check_normalised`); a motion to start from without
            its step or the other way round; a prior of 2-D pictures.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    if prior.views is not None:
        raise ValueError("a prior of 2-D pictures knows no motions to lift with, expected one of 3-D motions")
    keypoints = _float32("keypoints", keypoints)
    confidence = None if confidence is None else _float32("confidence", confidence)
    start = None if start is None else _float32("start", start)
    camera = Camera(camera.rotation.float(), camera.translation.float(), validate=False)
    if keypoints.shape[-2:] != (len(prior.skeleton), 2):
        raise ValueError(f"keypoints {tuple(keypoints.shape)}, expected (clips, frames, {len(prior.skeleton)}, 2)")
    single = keypoints.ndim == 3
    if single:
        keypoints, confidence = keypoints[None], None if confidence is None else confidence[None]
        camera = Camera(camera.rotation.reshape(1, 3, 3), camera.translation.reshape(1, 3))
        lengths = None if lengths is None else lengths.reshape(1)
        start = None if start is None else start[None]
    seen, how = Footage.of(keypoints, camera, lengths, confidence), Lifting(refine, place, known_distance, first=first)
    joints = lift_footage(
        prior, seen, how, start=start, texts=texts, method=method, steps=steps, seed=seed, progress=progress
    )
    return joints[0] if single else joints


def _float32(name: str, given: object) -> Tensor:
    """Numbers as users compute them, such as NumPy's float64, in the precision of the prior."""
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiub":
        return torch.from_numpy(given.astype(np.float32))
    if isinstance(given, Tensor) and not given.is_complex():
        return given.float()
    kind = f"of {given.dtype}" if isinstance(given, Tensor | np.ndarray) else f"a {type(given).__name__}"
    raise ValueError(f"{name} is {kind}, expected a tensor or a NumPy array of real numbers")


@torch.no_grad()
def lift_footage(
    prior: Prior,
    seen: Footage,
    how: Lifting,
    *,
    start: Tensor | None = None,
    texts: Sequence[str] | None = None,
    method: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Tensor:
    """:func:`lift` of clips (B,) as one object; other arguments, result and errors as there."""
    if (start is None) != (how.first is None):
        given = "no" if start is None else "a"
        raise ValueError(f"lifting starts at step {how.first} from {given} motion, expected both or none")
    n, frames = seen.keypoints.shape[:2]
    # where the camera is known, motions stand on the origin of their frame, so a person's size can be checked too
    middle = seen.camera.translation.new_tensor([0.0, 0.9, 0.0]).expand(n, 3)
    depth = None if how.refine else seen.camera.to_camera(middle)[:, 2]
    camera_units.check_normalised(seen.keypoints, seen.weight, depth)
    seen = replace(seen, keypoints=seen.keypoints.where(seen.keypoints.isfinite(), 0.0)).to(prior.device)
    words = None if texts is None else prior.encode(texts)
    lifted = _Lifted(prior, seen, how)
    onto_rays = in_chunks(lifted.onto_rays, seen.lengths, torch.arange(n, device=prior.device))
    known = refinement.BELOW * prior.config.model.n_steps if how.refine else 0
    method = method or ("ddim" if prior.config.multistep.t_star else "ddpm")
    sampler, generator = prior.sampler(method, steps), torch.Generator(prior.device).manual_seed(seed)
    if start is not None:
        sampler = _from_motion(prior, seen, how, start, generator, sampler)
    prior.diffusion.sample(
        in_chunks(prior.model, seen.lengths, words),
        (n, frames, len(prior.normaliser.mean)),
        **sampler,
        generator=generator,
        device=prior.device,
        project=lambda clean, t: onto_rays(clean, moving=t < known),
        progress=progress,
    )
    return features.hold_last(lifted.joints() if how.refine else lifted.projected, seen.lengths).cpu()


def _from_motion(
    prior: Prior, seen: Footage, how: Lifting, start: Tensor, generator: torch.Generator, sampler: dict[str, object]
) -> dict[str, object]:
    """How sampling goes on from a motion (B, T, J, 3): the sampler's steps that are not above the first one."""
    if start.shape[:3] != seen.keypoints.shape[:3]:
        expected = (*seen.keypoints.shape[:3], 3)
        raise ValueError(f"the motion to start from has shape {tuple(start.shape)}, expected {expected}")
    if not 0 <= how.first < prior.diffusion.n_steps:
        raise ValueError(f"lifting starts at step {how.first}, expected 0 to {prior.diffusion.n_steps - 1}")
    steps = sampler.get("steps") or prior.diffusion.timesteps(sampler["n_steps"])
    if how.first < steps[-1]:
        raise ValueError(f"lifting starts at step {how.first}, expected {steps[-1]} at least, the sampler's last")
    steps = [t for t in steps if t <= how.first]
    joints = features.hold_last(start.to(prior.device), seen.lengths)
    clean = rays.encode(joints, seen.lengths, prior.skeleton, prior.normaliser)
    noise = torch.randn(clean.shape, generator=generator, device=generator.device).to(clean)
    return {"method": sampler["method"], "steps": steps, "noise": prior.diffusion.q_sample(clean, steps[0], noise)}


class _Lifted:
    """Clips while they are lifted.

    Attributes:
        given: what was seen, by the cameras as they were given.
        rotation, translation: of the cameras (B,) as they are known so far.
        how: what is done.
        projected: (B, T, J, 3) the latest joints, in the frame of the cameras as they are known so far.
    """

    def __init__(self, prior: Prior, given: Footage, how: Lifting) -> None:
        self.prior, self.given, self.how = prior, given, how
        self.rotation, self.translation = given.camera.rotation.clone(), given.camera.translation.clone()
        self.projected = torch.zeros(*given.keypoints.shape[:-1], 3, device=prior.device)

    def onto_rays(self, clean: Tensor, rows: Tensor, lengths: Tensor, moving: bool) -> Tensor:
        """Predicted clean motions of the clips ``rows`` onto their rays: normalised features in and out.

        Before, their cameras are refined where they are ``moving``.
        """
        frames = clean.shape[1]
        joints = features.decode(self.prior.normaliser.denormalise(clean))
        seen = self.given.select(rows, frames).by(self._camera(rows))
        if moving:
            held = refinement.ridge(self.how.known_distance, self.how.known_up)
            seen = seen.by(refinement.refine(joints, seen, ridge=held))
            self.rotation[rows], self.translation[rows] = seen.camera.rotation, seen.camera.translation
        skeleton = self.prior.skeleton
        onto = rays.placed(joints, seen, skeleton) if self.how.place else rays.onto_rays(joints, seen)
        self.projected[rows, :frames] = onto
        return rays.encode(onto, lengths, skeleton, self.prior.normaliser)

    def joints(self) -> Tensor:
        """The latest joints in the world of the cameras that were given: both cameras see them at the same place."""
        return self.given.camera.to_world(self._camera(slice(None)).to_camera(self.projected))

    def _camera(self, rows: Tensor | slice) -> Camera:
        return Camera(self.rotation[rows], self.translation[rows], validate=False)
