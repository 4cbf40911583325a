"""Using a trained prior: motions from text, and 3-D motions from 2-D keypoints (appendix G.2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from videomdm import features, text
from videomdm.cameras import placement, refinement
from videomdm.cameras.camera import Camera
from videomdm.data.recordings import plausible
from videomdm.features import rays
from videomdm.sample.prior import Prior, _in_chunks


@torch.no_grad()
def lift(
    prior: Prior,
    keypoints: Tensor,
    camera: Camera,
    confidence: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    texts: Sequence[str] | None = None,
    refine: bool = False,
    known_distance: bool = False,
    place: bool = False,
    method: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Tensor:
    """3-D motion from 2-D keypoints with the prior: appendix G.2.

    Sampling in which every predicted clean motion is moved onto the observed rays, encoded again, and takes the
    prediction's place in the step to the next, less noisy motion.

    Args:
        prior: from :func:`load`.
        keypoints: (B, T, J, 2) or (T, J, 2) in normalised image coordinates; what is not finite needs confidence 0.
        camera: batch (B,) or a single one, in the motion's canonical frame; where it is only near that (a teacher's
            frame, PnP), let it be refined.
        confidence: (B, T, J); a joint with 0 is left where the prior puts it.
        lengths: (B,) frames; all T by default.
        texts: captions, where known.
        refine: move the camera at every step below the highest noise so that it sees the prediction at the
            keypoints (:func:`videomdm.cameras.refinement.refine`).
        known_distance: refined cameras keep their distance, which people of known size told.
        place: shift every frame at every step to where it is seen at its size (ours,
            :func:`videomdm.cameras.placement.place`), before joints are moved onto their rays.
        method, steps: as in :func:`generate`, but without a method all steps are taken: the keypoints put back at
            each what repetition would shrink, and more steps make smoother motions.
        seed: of the noise.
        progress: show a bar.

    Returns:
        (B, T, J, 3) joints in the camera's world, metres, as projected in the last step (encoding them once more
        would move the clip); frames past a length hold its last pose.  Unbatched input gives unbatched output.

    Raises:
        ValueError: keypoints of another shape, in pixels or shares of the image, or not finite where they have
            confidence (:func:`videomdm.data.recordings.plausible.check_normalised`).

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    if keypoints.ndim == 3:
        one = Camera(camera.rotation.reshape(1, 3, 3), camera.translation.reshape(1, 3))
        given = None if confidence is None else confidence[None]
        how = {
            "texts": texts, "refine": refine, "known_distance": known_distance, "place": place, "method": method,
            "steps": steps, "seed": seed,
        }  # fmt: skip
        return lift(prior, keypoints[None], one, given, **how, progress=progress)[0]
    if keypoints.shape[-2:] != (len(prior.skeleton), 2):
        raise ValueError(f"keypoints {tuple(keypoints.shape)}, expected (clips, frames, {len(prior.skeleton)}, 2)")
    n, frames = keypoints.shape[:2]
    confidence = torch.ones(keypoints.shape[:-1]) if confidence is None else confidence
    if lengths is not None:
        confidence = confidence * (torch.arange(frames) < lengths.cpu()[:, None])[..., None].to(confidence)
    # where the camera is told, motions stand on the origin of their frame, so a person's size can be told too
    depth = camera.to_camera(camera.translation.new_tensor([0.0, 0.9, 0.0]).expand(n, 3))[:, 2].to(keypoints.device)
    plausible.check_normalised(keypoints, confidence.to(keypoints.device), None if refine else depth)
    keypoints = keypoints.where(keypoints.isfinite(), 0.0)
    lengths = (torch.full((n,), frames) if lengths is None else lengths).to(prior.device)
    words = None
    if texts is not None:
        words = text.by_name(prior.config.text).encode(list(texts)).to(prior.device)
    seen = _Seen(prior, *(x.to(prior.device) for x in (keypoints, confidence, camera)), known_distance, place)
    rows = torch.arange(n, device=prior.device)
    fixed, moving = (_in_chunks(partial(seen.onto_rays, moving), lengths, rows) for moving in (False, True))
    known = refinement.BELOW * prior.config.n_steps if refine else 0
    method = method or ("ddim" if prior.config.multistep.t_star else "ddpm")
    prior.diffusion.sample(
        _in_chunks(prior.model, lengths, words),
        (n, frames, len(prior.normaliser.mean)),
        **prior.sampler(method, steps),
        generator=torch.Generator(prior.device).manual_seed(seed),
        device=prior.device,
        project=lambda clean, t: (moving if t < known else fixed)(clean),
        progress=progress,
    )
    return features.hold_last(seen.joints() if refine else seen.projected, lengths).cpu()


class _Seen:
    """Clips while they are lifted.

    Attributes:
        keypoints, confidence: what was seen.
        given, camera: the cameras (B,) as they were told, and as they are known so far.
        known_distance: whether they keep their distance as they are refined.
        place: whether every frame is shifted to where it is seen at its size.
        projected: (B, T, J, 3) the latest joints, in the frame of ``camera``.
    """

    def __init__(
        self, prior: Prior, keypoints: Tensor, confidence: Tensor, camera: Camera, known_distance: bool, place: bool
    ) -> None:
        self.prior, self.keypoints, self.confidence, self.given = prior, keypoints, confidence, camera
        self.known_distance, self.place = known_distance, place
        self.camera = Camera(camera.rotation.clone(), camera.translation.clone(), validate=False)
        self.projected = torch.zeros(*keypoints.shape[:-1], 3, device=prior.device)

    def onto_rays(self, moving: bool, clean: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """Predicted clean motions of the clips ``rows`` onto their rays: normalised features in and out."""
        frames = clean.shape[1]
        joints = features.decode(self.prior.normaliser.denormalise(clean))
        keypoints, confidence = self.keypoints[rows, :frames], self.confidence[rows, :frames]
        camera = self.camera[rows]
        if moving:
            camera = refinement.refine(
                camera, joints, keypoints, lengths, confidence, ridge=refinement.ridge(self.known_distance)
            )
            self.camera.rotation[rows], self.camera.translation[rows] = camera.rotation, camera.translation
        if self.place:
            joints = placement.place(joints, camera, keypoints, lengths, confidence)
        onto = rays.onto_rays(joints, keypoints, camera, lengths, confidence)
        self.projected[rows, :frames] = onto
        return rays.encode(onto, lengths, self.prior.skeleton, self.prior.normaliser)

    def joints(self) -> Tensor:
        """The latest joints in the world of the cameras that were given: both cameras see them at the same place."""
        return self.given.to_world(self.camera.to_camera(self.projected))
