"""Fine-tuning: what a run takes over from a finished one in place of a warm-up (section 4.2's recipe).

A prior's weights read features in units of its own statistics, so weights and normaliser go together: the new
motions are normalised with the old run's mean and deviation, whatever their own are.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from videomdm.config import Config
from videomdm.features.normaliser import Normaliser
from videomdm.skeletons.definitions import Skeleton
from videomdm.storage import checkpoints

#: Settings that weights only fit if they are alike; most show in the tensors' shapes, some do not.
SIZES = ("width", "n_layers", "n_heads", "feedforward", "n_steps", "tau", "text", "skip")
_STATISTICS = "normaliser."


def config_of(config: Config) -> Config:
    """The configuration of the run that ``config.start`` names; errors as of :func:`check`."""
    path = config.start_weights
    about = checkpoints.read_metadata(path)
    if "config" not in about:
        raise ValueError(f"{path}: not a run's weights, expected a config in its header")
    return Config.from_json(about["config"])


def check(config: Config) -> None:
    """Whether the run that ``config.start`` names is one that this configuration can go on from.

    Raises:
        FileNotFoundError: no finished run there.
        ValueError: not a run's weights, or of other sizes; names the file, what it has and what was expected.
    """
    path, own = config.start_weights, config_of(config)
    differ = [name for name in SIZES if own.value(name) != config.value(name)]
    if differ:
        found, expected = (", ".join(f"{name} {c.value(name)!r}" for name in differ) for c in (own, config))
        raise ValueError(f"{path}: weights of {found}, expected {expected}: a run has the sizes of its start")


def weights(path: Path) -> dict[str, Tensor]:
    """The denoiser's tensors in a run's weights file."""
    return {k: v for k, v in checkpoints.read_tensors(path).items() if not k.startswith(_STATISTICS)}


def normaliser(path: Path, skeleton: Skeleton, fps: float) -> Normaliser:
    """The statistics in a run's weights file.

    Raises:
        ValueError: they are of another skeleton or frame rate than the motions to be trained on.
    """
    about, tensors = checkpoints.read_metadata(path), checkpoints.read_tensors(path)
    if (about["skeleton"], about["fps"]) != (skeleton.name, fps):
        raise ValueError(
            f"{path}: a prior of {about['skeleton']} at {about['fps']:g} fps, expected that of the motions to train "
            f"on, {skeleton.name} at {fps:g} fps"
        )
    return Normaliser(tensors[f"{_STATISTICS}mean"], tensors[f"{_STATISTICS}std"])
