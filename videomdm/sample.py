"""Using a trained prior: motions from text, and 3-D motions from 2-D keypoints (appendix G.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from videomdm import checkpoints, features, kinematics, projection, refinement, text
from videomdm.cache import cached
from videomdm.cameras import Camera
from videomdm.config import METHODS, Config, Method
from videomdm.data.observations import Observations, to_stature
from videomdm.denoiser import MDM, guided
from videomdm.diffusion import Diffusion
from videomdm.normaliser import Normaliser
from videomdm.refinement import RIDGE
from videomdm.skeletons import Skeleton, by_name
from videomdm.step import build_denoiser

CHUNK = 64  # clips denoised together, of about one length: enough to fill a device, few enough to cut padding


@dataclass
class Prior:
    """A trained denoiser with all that is needed to use it.

    Attributes:
        model: predicts clean normalised features; ``model.compile()`` pays from some hundred clips on.
        normaliser, skeleton, fps: how features are read; :attr:`config` is the run's configuration.
    """

    model: MDM
    normaliser: Normaliser
    skeleton: Skeleton
    fps: float
    config: Config

    @property
    def diffusion(self) -> Diffusion:
        return Diffusion(self.config.n_steps)

    @property
    def device(self) -> torch.device:
        return self.normaliser.mean.device

    def sampler(self, method: str | None = None, n_steps: int | None = None) -> dict[str, object]:
        """How :meth:`videomdm.diffusion.Diffusion.sample` is to go: ``"ddpm"``, ``"ddim"`` or ``"walk"``.

        Multistep training walks without fresh noise, over few low steps: ``"walk"`` goes that way
        (:attr:`videomdm.diffusion.Multistep.steps`), and is what a prior so trained takes by default; any other takes
        all steps of DDPM.
        """
        method = method or ("walk" if self.config.multistep.t_star else "ddpm")
        if method == "walk":
            return {"method": "ddim", "steps": self.config.multistep.steps}
        return {"method": method, "n_steps": n_steps}


def load(run: str | Path, device: torch.device | str = "cpu") -> Prior:
    """The prior of a run folder that :func:`videomdm.train.fit` made.

    Raises:
        FileNotFoundError: no finished run there.
        ValueError: the weights are not those of such a run.
    """
    path = Path(run) / "weights.safetensors"
    tensors, about = checkpoints.read_tensors(path), checkpoints.read_metadata(path)
    if "normaliser.mean" not in tensors or "config" not in about:
        raise ValueError(f"{path}: not a run's weights; expected normaliser.mean and a config in its header")
    config = Config.from_json(about["config"])
    normaliser = Normaliser(tensors.pop("normaliser.mean"), tensors.pop("normaliser.std")).to(device)
    model = build_denoiser(config, len(normaliser.mean), text.by_name(config.text).width)
    model.load_state_dict(tensors)
    return Prior(model.to(device).eval(), normaliser, by_name(about["skeleton"]), float(about["fps"]), config)


@torch.no_grad()
def generate(
    prior: Prior,
    texts: str | Sequence[str],
    lengths: Tensor | Sequence[int] | None = None,
    *,
    seconds: float | None = None,
    guidance: float | None = None,
    method: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
    as_features: bool = False,
) -> Tensor:
    """Motions from text.

    Args:
        prior: from :func:`load`.
        texts: one caption, or one per motion.
        lengths: frames per motion; ``seconds`` gives one length for all; the longest that was trained by default.
        guidance: classifier-free guidance scale, the run's own by default.
        method, steps: ``"ddpm"``, ``"ddim"``, and how many steps (all by default), or ``"walk"``; without a method as
            the prior was trained (:meth:`Prior.sampler`).
        seed: of the noise.
        progress: show a bar.
        as_features: return the normalised features instead of joints.

    Returns:
        (B, T, J, 3) joints in metres, Y up, starting at the origin and facing +Z; frames at and past a motion's
        length hold its last pose.  One caption gives a batch of one.  As features: (B, T, D), denormalised.

    Raises:
        ValueError: a length that is not within 2 .. the longest trained, or as many lengths as texts are not given.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    lengths = _lengths(prior, len(texts), lengths, seconds)
    condition = text.by_name(prior.config.text).encode(texts).to(prior.device)
    scale = prior.config.guidance if guidance is None else guidance
    clean = prior.diffusion.sample(
        _in_chunks(guided(prior.model, scale), lengths, condition),
        (len(texts), int(lengths.max()), len(prior.normaliser.mean)),
        **prior.sampler(method, steps),
        generator=torch.Generator(prior.device).manual_seed(seed),
        device=prior.device,
        progress=progress,
    )
    clean = prior.normaliser.denormalise(clean)
    return clean if as_features else features.hold_last(features.decode(clean), lengths)


def _in_chunks(
    function: Callable[..., Tensor], lengths: Tensor, *given: Tensor | Camera | None
) -> Callable[..., Tensor]:
    """``function(x, ..., *given, lengths)`` for any number of clips, some of like length at a time, without padding.

    Args:
        function: maps (b, T, D) clips, whatever else it is called with and its rows of ``given`` to (b, T, D).
        lengths: (B,) frames.
        given: tensors or cameras of leading dimension B, on the clips' device.

    Returns:
        The function of x (B, T, D) and the rest; frames that no chunk reaches are 0.  Noise is drawn outside, for
        all clips at once, so a clip's motion does not depend on the chunk that it is in.
    """
    order = lengths.argsort(stable=True) if len(lengths) > CHUNK else torch.arange(len(lengths), device=lengths.device)
    chunks = [
        (rows, int(lengths[rows].max()), [g if g is None else g[rows] for g in given]) for rows in order.split(CHUNK)
    ]

    def evaluate(x: Tensor, *others: Tensor) -> Tensor:
        result = torch.zeros_like(x)
        for rows, frames, chosen in chunks:
            result[rows, :frames] = function(x[rows, :frames], *(o[rows] for o in others), *chosen, lengths[rows])
        return result

    return evaluate


def _lengths(prior: Prior, n: int, lengths: Tensor | Sequence[int] | None, seconds: float | None) -> Tensor:
    longest = prior.config.max_frames
    if lengths is None:
        lengths = [longest if seconds is None else round(seconds * prior.fps)] * n
    lengths = torch.as_tensor(lengths)
    if lengths.shape != (n,):
        raise ValueError(f"lengths have shape {tuple(lengths.shape)}, expected one per text: ({n},)")
    if lengths.min() < 2 or lengths.max() > longest:
        raise ValueError(
            f"lengths {int(lengths.min())}..{int(lengths.max())} frames, expected 2..{longest}, "
            f"the longest this prior was trained on ({longest / prior.fps:.1f} s)"
        )
    return lengths.to(prior.device)


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
    ridge: tuple[float, ...] = RIDGE,
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
        keypoints: (B, T, J, 2) or (T, J, 2) in normalised image coordinates.
        camera: batch (B,) or a single one, in the motion's canonical frame; where it is only near that (a teacher's
            frame, PnP), let it be refined.
        confidence: (B, T, J); a joint with 0 is left where the prior puts it.
        lengths: (B,) frames; all T by default.
        texts: captions, where known.
        refine: move the camera at every step below the highest noise so that it sees the prediction at the
            keypoints (:func:`videomdm.refinement.refine`).
        ridge: that function's damping; :data:`videomdm.refinement.KNOWN_DISTANCE` where people of known size told the
            camera's distance.
        place: shift every frame at every step to where it is seen at its size (ours,
            :func:`videomdm.refinement.place`), before joints are moved onto their rays.
        method, steps: as in :func:`generate`, but without a method all steps are taken: the keypoints put back at
            each what repetition would shrink, and more steps make smoother motions.
        seed: of the noise.
        progress: show a bar.

    Returns:
        (B, T, J, 3) joints in the camera's world, metres, as projected in the last step (encoding them once more
        would move the clip); frames past a length hold its last pose.  Unbatched input gives unbatched output.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    if keypoints.ndim == 3:
        one = Camera(camera.rotation.reshape(1, 3, 3), camera.translation.reshape(1, 3))
        given = None if confidence is None else confidence[None]
        how = {
            "texts": texts, "refine": refine, "ridge": ridge, "place": place, "method": method, "steps": steps,
            "seed": seed,
        }  # fmt: skip
        return lift(prior, keypoints[None], one, given, **how, progress=progress)[0]
    if keypoints.shape[-2:] != (len(prior.skeleton), 2):
        raise ValueError(f"keypoints {tuple(keypoints.shape)}, expected (clips, frames, {len(prior.skeleton)}, 2)")
    n, frames = keypoints.shape[:2]
    lengths = (torch.full((n,), frames) if lengths is None else lengths).to(prior.device)
    confidence = torch.ones(keypoints.shape[:-1]) if confidence is None else confidence
    words = None
    if texts is not None:
        words = text.by_name(prior.config.text).encode(list(texts)).to(prior.device)
    seen = _Seen(prior, *(x.to(prior.device) for x in (keypoints, confidence, camera)), ridge, place)
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
        ridge: damping of their refinement.
        place: whether every frame is shifted to where it is seen at its size.
        projected: (B, T, J, 3) the latest joints, in the frame of ``camera``.
    """

    def __init__(
        self, prior: Prior, keypoints: Tensor, confidence: Tensor, camera: Camera, ridge: tuple[float, ...], place: bool
    ) -> None:
        self.prior, self.keypoints, self.confidence, self.given = prior, keypoints, confidence, camera
        self.ridge, self.place = ridge, place
        self.camera = Camera(camera.rotation.clone(), camera.translation.clone(), validate=False)
        self.projected = torch.zeros(*keypoints.shape[:-1], 3, device=prior.device)

    def onto_rays(self, moving: bool, clean: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """Predicted clean motions of the clips ``rows`` onto their rays: normalised features in and out."""
        frames = clean.shape[1]
        joints = features.decode(self.prior.normaliser.denormalise(clean))
        keypoints, confidence = self.keypoints[rows, :frames], self.confidence[rows, :frames]
        camera = self.camera[rows]
        if moving:
            camera = refinement.refine(camera, joints, keypoints, lengths, confidence, ridge=self.ridge)
            self.camera.rotation[rows], self.camera.translation[rows] = camera.rotation, camera.translation
        if self.place:
            joints = refinement.place(joints, camera, keypoints, lengths, confidence)
        onto = projection.onto_rays(joints, keypoints, camera, lengths, confidence)
        self.projected[rows, :frames] = onto
        return projection.encode(onto, lengths, self.prior.skeleton, self.prior.normaliser)

    def joints(self) -> Tensor:
        """The latest joints in the world of the cameras that were given: both cameras see them at the same place."""
        return self.given.to_world(self.camera.to_camera(self.projected))


def lift_observations(
    run: Path, observed: Observations, cache: Path, method: Method = METHODS["videomdm/round-1"]
) -> Observations:
    """The training keypoints lifted with a run's prior, as the next teacher's motions; cached on disk.

    Thousands of clips are lifted, so this goes the short way of :meth:`Prior.sampler`.
    Cameras are refined where the run's method refined them.  A camera that was told in the true motion's frame stays
    there; any other is told in the lifted motion's own.  ``method`` is that which the motions are for: it says whether
    frames are placed and which body is given; with bones of other lengths joints no longer lie on their rays exactly.
    """
    parts = (observed.keypoints, observed.camera.rotation, observed.camera.translation)
    digest = hashlib.sha256((run / "weights.safetensors").read_bytes())
    for part in parts:
        digest.update(part.contiguous().numpy().tobytes())

    def motions() -> Tensor:
        prior = load(run, "cuda" if torch.cuda.is_available() else "cpu")
        own = METHODS[prior.config.method]
        return lift(
            prior, observed.keypoints, observed.camera, observed.confidence, observed.lengths,
            texts=[clip[0] for clip in observed.captions], refine=own.refine, ridge=own.ridge, place=method.place,
            method="walk", progress=True,
        )  # fmt: skip

    name = f"round-{digest.hexdigest()[:10]}{'-placed' * method.place}.safetensors"
    world = _embodied(cached(cache / name, motions), observed, method)
    how = {"floor": "median", "lengths": observed.lengths}
    teacher = features.canonicalise(world, observed.skeleton, **how)
    camera = observed.camera
    if observed.frame != "truth":
        camera = camera.in_frame(*features.canonical_frame(world, observed.skeleton, **how))
    return replace(observed, teacher=teacher, camera=camera)


def _embodied(world: Tensor, observed: Observations, method: Method) -> Tensor:
    """Lifted motions, in the world of their cameras, with the bodies that ``method`` gives them."""
    lengths, skeleton = observed.lengths, observed.skeleton
    sizes = None
    if method.sized or method.body == "common":
        # A teacher whose person is of known stature has it.
        stature = kinematics.stature(observed.teacher if method.sized else world, lengths, skeleton)
        stature = stature if method.sized else stature.median().expand_as(stature)
        world = to_stature(world, observed.camera, stature, lengths, skeleton)
        if method.body == "common":
            proportions = kinematics.bone_lengths(world, lengths, skeleton) / stature[:, None]
            sizes = stature[:, None] * proportions.median(0).values
    if method.body == "free":
        return world
    return kinematics.constant_bones(world, lengths, skeleton, sizes)
