"""A trained prior: its denoiser, its statistics, its configuration, and how it is sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from videomdm import text
from videomdm.cameras.camera import Camera
from videomdm.cameras.views import Views
from videomdm.config import Config
from videomdm.data.tracks import Statistics
from videomdm.denoiser import MDM
from videomdm.diffusion import Diffusion
from videomdm.features.normaliser import Normaliser
from videomdm.skeletons import by_name
from videomdm.skeletons.definitions import Skeleton
from videomdm.storage import checkpoints

#: Run folders that come with the package, with a README that is their card: the prior, trained from 2-D, and the same
#: network trained from 3-D.
WEIGHTS = {name: Path(__file__).parent / "weights" / name for name in ("prior", "twin")}
SHIPPED = WEIGHTS["prior"]


def build_denoiser(config: Config, n_features: int, text_width: int) -> MDM:
    """The denoiser that a configuration describes, with initial weights from torch's global generator.

    Args:
        config: of the run.
        n_features: channels D of a frame.
        text_width: of the vectors that captions become.
    """
    return MDM(
        n_features,
        config.model.width,
        config.model.n_layers,
        config.model.n_heads,
        config.model.feedforward,
        text_width,
        config.model.dropout,
        precision=config.model.precision,
        skip=config.model.skip,
        signal=Diffusion(config.model.n_steps, tau=config.model.tau).alphas_cumprod.sqrt(),
    )


@dataclass
class Prior:
    """A trained denoiser with all that is needed to use it.

    Attributes:
        model: predicts clean normalised features; ``model.compile()`` pays from some hundred clips on.
        normaliser, skeleton, fps: how features are read; ``config`` is the run's configuration.
        views: of a 2-D prior (method ``mdm-2d``), from where its pictures are taken; None for one of 3-D motions.
    """

    model: MDM
    normaliser: Normaliser
    skeleton: Skeleton
    fps: float
    config: Config
    views: Views | None = None

    @property
    def statistics(self) -> Statistics:
        """Of a 2-D prior: how keypoints are read."""
        return Statistics(self.normaliser.mean.view(-1, 2), self.normaliser.std.view(-1, 2))

    @property
    def grounded(self) -> bool:
        """Whether its motions go about on a floor, in metres: not those of pictures, nor of centred data."""
        return self.views is None and not self.config.centred

    @property
    def diffusion(self) -> Diffusion:
        """The noise schedule that it was trained with."""
        return Diffusion(self.config.model.n_steps, tau=self.config.model.tau)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.normaliser.mean.device

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Captions as the vectors (N, width) that condition its denoiser, on its device.

        Raises:
            ValueError: a caption for a prior without text.
        """
        return text.by_name(self.config.model.text).encode(list(texts)).to(self.device)

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
    model = build_denoiser(config, len(normaliser.mean), text.by_name(config.model.text).width)
    model.load_state_dict(tensors)
    views = Views(**about["views"]) if "views" in about else None
    return Prior(model.to(device).eval(), normaliser, by_name(about["skeleton"]), float(about["fps"]), config, views)


CHUNK = 64  # clips denoised together, of about one length: enough to fill a device, few enough to cut padding


def in_chunks(
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

    def evaluate(x: Tensor, *others: Tensor, **how: object) -> Tensor:
        result = torch.zeros_like(x)
        for rows, frames, chosen in chunks:
            rest = *(o[rows] for o in others), *chosen, lengths[rows]
            result[rows, :frames] = function(x[rows, :frames], *rest, **how)
        return result

    return evaluate
