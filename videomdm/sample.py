"""Using a trained prior: motions from text, and 3-D motions from 2-D keypoints (appendix G.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from videomdm import checkpoints, features, text
from videomdm.cache import cached
from videomdm.cameras import Camera
from videomdm.config import Config
from videomdm.data.observations import Observations
from videomdm.denoiser import MDM, guided
from videomdm.diffusion import Diffusion
from videomdm.normaliser import Normaliser
from videomdm.skeletons import Skeleton, by_name

CHUNK = 256  # clips denoised together


@dataclass
class Prior:
    """A trained denoiser with all that is needed to use it.

    Attributes:
        model: predicts clean normalised features.
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
    model = MDM(
        len(normaliser.mean), config.width, config.n_layers, config.n_heads, config.feedforward,
        text.by_name(config.text).width, config.dropout, precision=config.precision,
    )  # fmt: skip
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
    method: str = "ddpm",
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
        method, steps: ``"ddpm"`` or ``"ddim"``, and how many steps (all by default).
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
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(texts), int(lengths.max()), len(prior.normaliser.mean), generator=generator)
    denoise = guided(prior.model, scale)
    chunks = []
    for rows in torch.arange(len(texts)).split(CHUNK):
        chunks.append(
            prior.diffusion.sample(
                lambda x, t, rows=rows: denoise(x, t, condition[rows], lengths[rows]),
                (len(rows), *noise.shape[1:]),
                noise=noise[rows].to(prior.device),
                method=method,
                n_steps=steps,
                generator=generator,
                device=prior.device,
                progress=progress,
            )  # fmt: skip
        )
    clean = prior.normaliser.denormalise(torch.cat(chunks))
    return clean if as_features else features.hold_last(features.decode(clean), lengths)


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
    seed: int = 0,
    progress: bool = False,
) -> Tensor:
    """3-D motion from 2-D keypoints with the prior: appendix G.2.

    DDPM sampling in which every predicted clean motion is moved onto the observed rays, encoded again, and takes
    the prediction's place in the posterior mean.

    Args:
        prior: from :func:`load`.
        keypoints: (B, T, J, 2) or (T, J, 2) in normalised image coordinates.
        camera: batch (B,) or a single one, in the motion's canonical frame.
        confidence: (B, T, J); a joint with 0 is left where the prior puts it.
        lengths: (B,) frames; all T by default.
        texts: captions, where known.
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
        return lift(prior, keypoints[None], one, given, texts=texts, seed=seed, progress=progress)[0]
    if keypoints.shape[-2:] != (len(prior.skeleton), 2):
        raise ValueError(f"keypoints {tuple(keypoints.shape)}, expected (clips, frames, {len(prior.skeleton)}, 2)")
    n, frames = keypoints.shape[:2]
    lengths = torch.full((n,), frames) if lengths is None else lengths
    confidence = torch.ones(keypoints.shape[:-1]) if confidence is None else confidence
    condition = text.by_name(prior.config.text).encode(list(texts)) if texts is not None else None
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, frames, len(prior.normaliser.mean), generator=generator)
    lifted = []
    for rows in torch.arange(n).split(CHUNK):
        batch = [x[rows].to(prior.device) for x in (keypoints, confidence, lengths, noise)]
        words = None if condition is None else condition[rows].to(prior.device)
        lifted.append(_lift(prior, *batch, camera[rows].to(prior.device), words, generator, progress).cpu())
    return torch.cat(lifted)


def _lift(
    prior: Prior, keypoints: Tensor, confidence: Tensor, lengths: Tensor, noise: Tensor, camera: Camera,
    words: Tensor | None, generator: torch.Generator, progress: bool,
) -> Tensor:  # fmt: skip
    projected = torch.empty(0)

    def project(clean: Tensor, t: int) -> Tensor:
        nonlocal projected
        joints = features.decode(prior.normaliser.denormalise(clean))
        onto = torch.where(confidence[..., None] > 0, camera.project_to_rays(joints, keypoints), joints)
        projected = features.hold_last(onto, lengths)
        encoded = features.encode(projected, prior.skeleton)
        return prior.normaliser.normalise(torch.cat((encoded, encoded[:, -1:]), 1))

    prior.diffusion.sample(
        lambda x, t: prior.model(x, t, words, lengths), noise.shape, noise=noise, generator=generator,
        device=prior.device, project=project, progress=progress,
    )  # fmt: skip
    return projected


def lift_observations(run: Path, observed: Observations, cache: Path) -> Tensor:
    """The training keypoints lifted with a run's prior: a round's motions (C, T, J, 3), canonical; cached on disk."""
    digest = hashlib.sha256((run / "weights.safetensors").read_bytes())
    digest.update(observed.keypoints.contiguous().numpy().tobytes())

    def motions() -> Tensor:
        prior = load(run, "cuda" if torch.cuda.is_available() else "cpu")
        captions = [clip[0] for clip in observed.captions]
        world = lift(
            prior, observed.keypoints, observed.camera, observed.confidence, observed.lengths, texts=captions,
            progress=True,
        )  # fmt: skip
        return features.canonicalise(world, observed.skeleton, floor="median", lengths=observed.lengths)

    return cached(cache / f"round-{digest.hexdigest()[:10]}.safetensors", motions)
