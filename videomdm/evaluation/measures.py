"""From motions to metrics in two steps: every motion is measured once, then sets of measured motions are compared.

What is measured of a motion (its embeddings, how it moves) is small, so that it can be kept where the motion
cannot: an interrupted evaluation resumes from it, and that of real data is cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from scipy.stats import t as student
from scipy.stats import wasserstein_distance
from torch import Tensor

from videomdm import features
from videomdm.evaluation import distribution, motion, pose
from videomdm.evaluation.evaluators import Evaluators
from videomdm.evaluation.text_motion import mm_distance, r_precision
from videomdm.skeletons.definitions import Skeleton
from videomdm.skeletons.padding import valid_frames

VERSION = 1  # count up when a measure changes: caches go by it, and by the names of measures
POOL = 32  # R-precision's pool
DIVERSITY_PAIRS = 300
MULTIMODALITY_PAIRS = 10

#: What motions are measured as: name -> (N, ...) tensor on the CPU, a row per motion.
Measured = Mapping[str, Tensor]
#: From joints (N, T, J, 3) in metres that hold their last pose, lengths (N,), skeleton and fps to (N,).
Measure = Callable[[Tensor, Tensor, Skeleton, float], Tensor]
#: How a motion moves, by name; the metric of this name is the mean over motions.
MEASURES: dict[str, Measure] = {
    "skating": lambda joints, lengths, skeleton, fps: motion.skating_ratio(joints, lengths, skeleton, fps, True),
    "bone_deviation": lambda joints, lengths, skeleton, fps: motion.bone_length_deviation(
        joints, lengths, skeleton, True
    ),
    "acceleration": lambda joints, lengths, skeleton, fps: motion.mean_acceleration(joints, lengths, fps, True),
    "jitter": lambda joints, lengths, skeleton, fps: pose.jitter(joints, fps, lengths, True),
    "path_length": lambda joints, lengths, skeleton, fps: motion.path_length(joints, lengths, per_clip=True),
}


def version() -> list[object]:
    """What caches of measured motions go by."""
    return [VERSION, *MEASURES]


def measure(
    joints: Tensor, lengths: Tensor, skeleton: Skeleton, fps: float, evaluators: Evaluators, raw: Tensor | None = None
) -> dict[str, Tensor]:
    """Embeddings of motions by every evaluator, and how each motion moves.

    Args:
        joints: (N, T, J, 3) metres, Y up.
        lengths: (N,) frames.
        skeleton, fps: how joints are read.
        evaluators: embed the joints, encoded anew, as ``<prefix>embedding`` (N, width).
        raw: (N, T, D) features as they were generated, embedded by the first evaluator as ``raw_embedding``.
    Returns:
        The embeddings; each of :data:`MEASURES` (N,): ``skating``, ``bone_deviation`` (%), ``acceleration`` (m/s^2),
        ``jitter`` (m/s^3) and ``path_length`` (m); ``root_height`` (N, T) in m, NaN past a motion's end.
    """
    joints = features.hold_last(joints, lengths)
    encoded = features.encode(joints, skeleton)
    found = {f"{evaluator.prefix}embedding": evaluator.motions(encoded, lengths - 1) for evaluator in evaluators}
    if raw is not None:
        found["raw_embedding"] = evaluators[0].motions(raw, lengths - 1)
    past = ~valid_frames(lengths.to(joints.device), joints.shape[1])
    found |= {
        **{name: of(joints, lengths, skeleton, fps) for name, of in MEASURES.items()},
        "root_height": joints[..., 0, 1].masked_fill(past, torch.nan),
    }
    return {name: value.cpu() for name, value in found.items()}


def select(measured: Measured, rows: Tensor | slice) -> dict[str, Tensor]:
    """The measured motions at ``rows``."""
    return {name: value[rows] for name, value in measured.items()}


def join(parts: Sequence[Measured]) -> dict[str, Tensor]:
    """Measured motions one after the other; root heights are padded to the longest motion's frames."""
    longest = max(part["root_height"].shape[1] for part in parts)
    padded = [
        {
            **part,
            "root_height": torch.nn.functional.pad(
                part["root_height"], (0, longest - part["root_height"].shape[1]), value=torch.nan
            ),
        }
        for part in parts
    ]
    return {name: torch.cat([part[name] for part in padded]) for name in parts[0]}


def distribution_metrics(real: Measured, given: Measured, evaluators: Evaluators, seed: int) -> dict[str, float]:
    """How far a set of motions is from the real ones.

    FID for every evaluator, also in percent of the real embeddings' total variance; for the first KID (mean and
    deviation over 100 subsets), precision, recall and recall-dagger as well, and where features were generated,
    the FID of these (``fid_raw``).
    """
    found = {}
    for evaluator in evaluators:
        true, embedded = (x[f"{evaluator.prefix}embedding"] for x in (real, given))
        fid = distribution.fid(true, embedded)
        found |= {f"{evaluator.prefix}fid": fid, f"{evaluator.prefix}fid_percent": 100 * fid / _spread(true)}
    true, embedded = real["embedding"], given["embedding"]
    if "raw_embedding" in given:
        found["fid_raw"] = distribution.fid(true, given["raw_embedding"])
    kid, deviation = distribution.kid(true, embedded, generator=_generator(seed))
    return found | {
        "kid": kid,
        "kid_std": deviation,
        "precision": distribution.precision(true, embedded),
        "recall": distribution.recall(true, embedded),
        "recall_dagger": distribution.recall_dagger(true, embedded),
    }


def diversity(given: Measured, seed: int) -> dict[str, float]:
    """Diversity in the first evaluator's embedding, of 300 pairs, or as many as there are motions."""
    embedded = given["embedding"]
    pairs = min(DIVERSITY_PAIRS, len(embedded))
    return {"diversity": distribution.diversity(embedded, pairs, generator=_generator(seed))}


def multimodality(given: Measured, texts: int, seed: int) -> dict[str, float]:
    """Multimodality in the first evaluator's embedding of ``texts`` x samples motions, text by text."""
    embedded = given["embedding"].unflatten(0, (texts, -1))
    pairs = min(MULTIMODALITY_PAIRS, embedded.shape[1])
    return {"multimodality": distribution.multimodality(embedded, pairs, generator=_generator(seed))}


def text_metrics(
    given: Measured, captions: list[str], evaluators: Evaluators, seed: int, trained: set[str] = frozenset()
) -> dict[str, float]:
    """R-precision and MM-distance for every evaluator.

    Args:
        given: the measured motions.
        captions: one per motion.
        evaluators: rank them.
        seed: shuffles the motions before they are pooled.
        trained: captions of the training split.  ``r_precision_3_unseen`` counts only others: how well the
            evaluator's text encoder carries over.  Left out where these do not fill a pool.
    """
    found = {}
    unseen = torch.tensor([caption not in trained for caption in captions])
    for evaluator in evaluators:
        words, embedded = evaluator.texts(captions), given[f"{evaluator.prefix}embedding"]
        top = r_precision(words, embedded, generator=_generator(seed))
        found |= {f"{evaluator.prefix}r_precision_{k + 1}": float(share) for k, share in enumerate(top)}
        found[f"{evaluator.prefix}mm_distance"] = mm_distance(words, embedded)
        if unseen.sum() >= POOL:
            top = r_precision(words[unseen], embedded[unseen], generator=_generator(seed))
            found[f"{evaluator.prefix}r_precision_3_unseen"] = float(top[2])
    return found


def motion_metrics(real: Measured, given: Measured) -> dict[str, float]:
    """Means over motions of :data:`MEASURES`, and how high the root is.

    ``root_height`` and ``root_height_std`` (m) are over all frames; ``root_height_distance`` (mm) is the
    Wasserstein distance of that distribution from the real one: the mean deviation of equally ranked heights.
    """
    true, own = (x["root_height"][~x["root_height"].isnan()].double() for x in (real, given))
    return {
        **{name: float(given[name].double().mean()) for name in MEASURES},
        "root_height": float(own.mean()),
        "root_height_std": float(own.std()),
        "root_height_distance": pose.MILLIMETRES * float(wasserstein_distance(true, own)),
    }


def _spread(embedded: Tensor) -> float:
    """Total variance of embeddings (N, D)."""
    return float(embedded.double().var(0).sum())


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mean_interval(values: Iterable[float]) -> list[float]:
    """[mean, 1.96 standard errors] over repeats, the field's 95 % interval (half-width 0 for one repeat)."""
    values = torch.tensor(list(values), dtype=torch.float64)
    spread = values.std().item() if len(values) > 1 else 0.0
    return [values.mean().item(), 1.96 * spread / len(values) ** 0.5]


def seed_interval(values: Iterable[float]) -> list[float]:
    """[mean, half width] over training seeds: Student's 95 % interval of the mean (half-width 0 for one seed).

    Seeds are few, and with two or three of them 1.96 standard errors hold the mean in 70 and 81 % of cases only.
    """
    values = torch.tensor(list(values), dtype=torch.float64)
    if len(values) < 2:
        return [values.mean().item(), 0.0]
    error = values.std().item() / len(values) ** 0.5
    return [values.mean().item(), float(student.ppf(0.975, len(values) - 1)) * error]
