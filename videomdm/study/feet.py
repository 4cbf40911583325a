"""How feet are held (:mod:`videomdm.sample.feet`): ways to, measured on validation captions, and the one chosen.

Called by ``python -m videomdm.study.ship feet``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from videomdm import features, sample
from videomdm.config import Config
from videomdm.evaluation import motion, pose, protocol
from videomdm.sample.prior import Prior
from videomdm.skeletons.definitions import Skeleton
from videomdm.study import results
from videomdm.train import observe

SIDES = ("left", "right")
STUDY = "shipped-feet"  # folder of results
COMMAND = "python -m videomdm.study.ship feet --data-root CMU"
#: The constants of :class:`videomdm.sample.Holding` and the values tried, those that tell most first.  At a share of 1
#: a foot would stand that only goes with the body.
TRIED = {
    "share": (0.6, 0.7, 0.8, 0.9), "path": (0.3, 1.0, 3.0), "speed": (0.3, 0.5, 0.8), "height": (0.05, 0.06, 0.08),
    "smooth": (0.1, 0.3, 1.0), "foot": (0.0003, 0.001, 0.003, 0.01), "stiff": (1.0, 4.0, 16.0),
}  # fmt: skip
TITLES = {
    **{name: name for name in TRIED}, "skating": "skating", "foot_speed": "feet that are down, m/s",
    "acceleration": "acceleration, m/s²",
    "knees": "of knees", "jitter": "jitter, m/s³", "path_length": "path, m",
    "support": "nearer foot, m, at most", "root_height": "root, m",
    "unlikeness": "unlikeness", "unlikeness_of_real": "of real ones, held",
}  # fmt: skip
#: Places among the captions (n,), joints (n, T, J, 3) and lengths (n,) of motions generated together.
Batch = tuple[Tensor, Tensor, Tensor]
#: What held motions are to have in common with real ones; less of the first two than these have is no fault.
SLIDES = ("skating", "foot_speed")
#: Measures of :func:`moves` in which held motions are to be like real ones.
ALIKE = (*SLIDES, "acceleration", "knees", "jitter", "path_length", "root_height")


def choose(prior: Prior, config: Config, kept: Path, folder: Path) -> sample.Holding:
    """The way to hold feet with which a prior's motions of the captions of a split move most like the real ones.

    It is also to leave real motions, with their glides and jumps, as they are.  From the middle of :data:`TRIED` values
    on, one constant after the other takes the value that has the smallest sum of both :func:`unlikeness`.

    Args:
        prior: generates.
        config: names the data and the split.
        kept: keeps the features that were generated.
        folder: of results, of which free motions, real ones and every way to hold become one each.
    """
    corpus, batches = observe.load(config, config.evaluation.split), generated(prior, config, kept)

    true = (torch.arange(len(corpus)), features.hold_last(corpus.joints, corpus.lengths), corpus.lengths)
    real = means(held_moves([true], None, prior))

    def measured(how: sample.Holding | None, row: str) -> float:
        began = time.monotonic()
        given, left = means(held_moves(batches, how, prior)), means(held_moves([true], how, prior))
        costs = {
            "unlikeness": unlikeness(given, real),
            "unlikeness_of_real": unlikeness(left, real, less_is_fine=False),
        }
        of = {} if how is None else asdict(how)
        found = {**given, **{f"real_{name}": value for name, value in left.items()}, **costs, **of}
        results.write(folder, STUDY, config, COMMAND, time.monotonic() - began, found, row)
        return sum(costs.values())

    for file in (folder / STUDY).glob("*held-*.json"):
        file.unlink()  # ways that were tried with other weights or values are none of this table's
    results.write(folder, STUDY, config, COMMAND, 0.0, real, "real")
    measured(None, "free")
    best = sample.Holding(**{name: values[len(values) // 2] for name, values in TRIED.items()})
    known = {}
    for name, values in TRIED.items():
        ways = [replace(best, **{name: value}) for value in values]
        known |= {how: measured(how, _row(how)) for how in ways if how not in known}
        best = min(ways, key=known.get)
    return best


def generated(prior: Prior, config: Config, kept: Path) -> list[Batch]:
    """What a prior makes of the captions of :func:`videomdm.evaluation.protocol.asked`; its features are kept."""
    corpus = observe.load(config, config.evaluation.split)
    rows, captions = protocol.asked(config, corpus)
    lengths = corpus.lengths[rows]
    drawn = protocol.draws(prior, protocol.sampling(config), captions, lengths, kept)
    return [(batch, features.decode(draw()), lengths[batch]) for batch, draw in drawn]


def held_moves(batches: Sequence[Batch], how: sample.Holding | None, prior: Prior) -> dict[str, Tensor]:
    """:func:`moves` (N,) of generated motions in the order of their captions, with feet held so, or free."""
    parts = []
    for _, joints, lengths in batches:
        held = joints if how is None else sample.hold(joints, lengths, prior.skeleton, prior.fps, how)
        parts.append(moves(held, lengths, prior.skeleton, prior.fps))
    order = torch.cat([rows for rows, *_ in batches]).argsort()
    return {name: torch.cat([part[name] for part in parts])[order] for name in parts[0]}


def moves(joints: Tensor, lengths: Tensor, skeleton: Skeleton, fps: float) -> dict[str, Tensor]:
    """How motions move, (N,) each: :data:`ALIKE`, ``sunken`` (cm) and ``bone_deviation`` (%).

    ``knees`` is the acceleration of the knees alone, which a leg that locks or unlocks jerks.
    """
    how = {"lengths": lengths, "per_clip": True}
    return {
        "skating": motion.skating_ratio(joints, skeleton=skeleton, fps=fps, **how),
        "foot_speed": motion.foot_speed(joints, skeleton=skeleton, fps=fps, **how),
        "sunken": motion.sunken(joints, **how),
        "acceleration": motion.mean_acceleration(joints, fps=fps, **how),
        "knees": motion.mean_acceleration(joints[..., [skeleton.index(f"{s}_knee") for s in SIDES], :], fps=fps, **how),
        "jitter": pose.jitter(joints, fps=fps, **how),
        "path_length": motion.path_length(joints, **how),
        "support": motion.farthest_support(joints, skeleton=skeleton, **how),
        "root_height": motion.root_height(joints, **how),
        "bone_deviation": motion.bone_length_deviation(joints, skeleton=skeleton, **how),
    }


def means(moved: Mapping[str, Tensor]) -> dict[str, float]:
    """Means over motions of :func:`moves`."""
    return {name: float(value.mean()) for name, value in moved.items()}


def unlikeness(given: Mapping[str, float], real: Mapping[str, float], less_is_fine: bool = True) -> float:
    """How far motions are from real ones: over :data:`ALIKE`, the mean size of the logarithm of given over real.

    Args:
        given, real: :func:`means`.
        less_is_fine: take :data:`SLIDES` that are smaller than the real ones for equal.
    """
    ratios = {name: math.log(given[name] / real[name]) for name in ALIKE}
    sizes = (max(0.0, x) if less_is_fine and name in SLIDES else abs(x) for name, x in ratios.items())
    return sum(sizes) / len(ALIKE)


def _row(how: sample.Holding) -> str:
    return "-".join(["held", *(f"{value:g}" for value in asdict(how).values())])


def ways(folder: Path) -> list[dict[str, object]]:
    """What :func:`choose` measured, a row each with ``method`` and metrics by name: real, free, then the best first."""
    rows = {row["method"]: row["metrics"] | {"method": row["method"]} for row in results.read(folder, STUDY)}
    first = [rows.pop("real"), rows.pop("free")]
    return [*first, *sorted(rows.values(), key=lambda row: row["unlikeness"] + row["unlikeness_of_real"])]


def table(folder: Path) -> list[dict[str, object]]:
    """:func:`ways` to be looked at: how like real motions what is held so moves, and the constants; the best is 1."""
    found, references = ways(folder), 2  # real and free
    names = [row["method"] for row in found[:references]]
    names += [f"held, {k}" for k in range(1, len(found) - references + 1)]
    return [
        {"": name} | {title: row[key] for key, title in TITLES.items() if key in row}
        for name, row in zip(names, found, strict=True)
    ]
