"""What the settings of a configuration may be: their types, choices and ranges, by their flat names."""

from __future__ import annotations

import dataclasses
import math
import typing

from videomdm.conventions import ROOT_PATHS, SKELETONS
from videomdm.methods import METHODS
from videomdm.parameters import LARGEST_SEED, expectation, optional

PRECISIONS = ("float32", "bf16")
EVALUATION_SPLITS = ("test", "val")
#: Settings that are one of a few values.
CHOICES = {
    "method": METHODS,
    "on_error": ("raise", "skip"),
    "root_path": ROOT_PATHS,
    "skeleton": SKELETONS,
    "precision": PRECISIONS,
    "weights.weighting": ("depth", "exact", "none", "clip"),
    "compile": (None, "default", "graphs"),
    "sampler": ("", "ddpm", "ddim"),
    "protocol": ("", "quick", "full"),
    "evaluation_split": EVALUATION_SPLITS,
}
_RANGES = {
    "at least 0": (
        lambda value: value >= 0,
        (
            "warmup_steps", "t_star", "shard_clips", "skip", "keypoint_noise", "guidance", "weights.reprojection",
            "weights.velocity", "weights.representation",
        ),
    ),
    "at least 1": (
        lambda value: value >= 1,
        (
            "n_clips", "max_frames", "width", "n_layers", "n_heads", "feedforward", "steps", "batch_size",
            "length_buckets", "evaluation_samples", "lift_samples", "repeats", "evaluator_steps", "log_every",
            "checkpoint_every",
        ),
    ),
    "at least 2": (lambda value: value >= 2, ("n_steps", "n_buckets")),
    "above 0": (lambda value: value > 0, ("lr", "clip_norm", "tau")),
    "0 to 1": (lambda value: 0 <= value <= 1, ("lr_decay", "condition_drop")),
    "0 or more and below 1": (lambda value: 0 <= value < 1, ("dropout", "ema", "keypoint_missing")),
    f"0 to {LARGEST_SEED}": (lambda value: 0 <= value <= LARGEST_SEED, ("seed",)),
    "a folder": (bool, ("runs",)),
}  # fmt: skip
#: Settings that have a range: the range in words, and whether a value lies in it.
RANGES = {name: (words, holds) for words, (holds, names) in _RANGES.items() for name in names}


def check(name: str, value: object, kind: object) -> None:
    """Refuse a value that is not of its setting's type, none of its choices or out of its range (``ValueError``).

    Args:
        name: the setting's; of a field in a dataclass ``setting.field``.
        value: what was given.
        kind: the setting's type.
    """
    if not _is_of(value, kind):
        raise ValueError(f"{name} is {value!r}, expected {expectation(kind)}")
    if dataclasses.is_dataclass(kind):
        for part, inner in typing.get_type_hints(kind).items():
            check(f"{name}.{part}", getattr(value, part), inner)
    if name in CHOICES and value not in CHOICES[name]:
        known = ", ".join("''" if choice == "" else str(choice) for choice in CHOICES[name])
        raise ValueError(f"{name} is {value!r}, expected one of {known}")
    if name in RANGES:
        words, holds = RANGES[name]
        if not holds(value):
            raise ValueError(f"{name} is {value!r}, expected {words}")


def _is_of(value: object, kind: object) -> bool:
    """Whether a value is of a setting's type: a truth value is no number, and numbers are finite."""
    if inner := optional(kind):
        return value is None or _is_of(value, inner)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind is int:
        return whole
    if kind is float:
        return whole or isinstance(value, float) and math.isfinite(value)
    return isinstance(value, kind)
