"""The built-in corpus: a kinematic generator of captioned human motion, deterministic from a seed.

Actions move a body by smooth control curves (:class:`~videomdm.data.procedural.body.Pose`); feet are placed
on the floor and reached by two-bone inverse kinematics, so they stay where they stand.  There are two
families, disjoint in kinds of action and in body proportions: ``"prior"`` is what a motion prior is trained
and judged on, ``"teacher"`` is what a 2-D-to-3-D lifter may be trained on.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from videomdm.conventions import FPS, MAX_FRAMES, MIN_FRAMES, SPLITS
from videomdm.data.corpus import Corpus, check_split
from videomdm.data.procedural import (  # noqa: F401  (they register their actions)
    prior_exercises,
    prior_gaits,
    prior_gestures,
    teacher_actions,
    teacher_gaits,
)
from videomdm.data.procedural.body import animate, draw_bodies, mirror, turn
from videomdm.data.procedural.captions import Writer
from videomdm.data.procedural.registry import FAMILIES, Action
from videomdm.data.procedural.take import MARGIN, Take
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.padding import valid_frames

PRIOR_ACTIONS = tuple(FAMILIES["prior"])
TEACHER_ACTIONS = tuple(FAMILIES["teacher"])
SHARES = (0.8, 0.1, 0.1)  # of SPLITS


def generate(
    n_clips: int,
    seed: int = 0,
    family: str = "prior",
    min_frames: int = MIN_FRAMES,
    max_frames: int = MAX_FRAMES,
) -> Corpus:
    """Make a corpus of ``n_clips`` captioned motions on SMPL-22 at 20 fps.

    Args:
        n_clips: number of clips; kinds of action alternate, so every prefix is a mixture.
        seed: the same arguments give the same corpus.
        family: ``"prior"`` or ``"teacher"``: disjoint kinds of action and body proportions.
        min_frames, max_frames: limits of the clips' lengths.

    Returns:
        A corpus: joints in metres, Y up, the lowest joint of a clip at y = 0, the body within a step of the
        origin in frame 0 with any heading; three or four captions for each clip.

    Raises:
        ValueError: on an unknown family, no clips, or limits outside 40..196 frames.

    Seen in :doc:`/notebooks/explain_first_look`.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}")
    if n_clips < 1:
        raise ValueError(f"n_clips is {n_clips}, expected at least 1")
    if not MIN_FRAMES <= min_frames <= max_frames <= MAX_FRAMES:
        raise ValueError(f"clip lengths {min_frames}..{max_frames}, expected limits within {MIN_FRAMES}..{MAX_FRAMES}")
    actions = [a for w in range(1, 9) for a in FAMILIES[family].values() if w <= a.weight]
    kinds = [actions[i % len(actions)].name for i in range(n_clips)]
    joints = torch.zeros(n_clips, max_frames, len(SMPL22), 3)
    lengths = torch.zeros(n_clips, dtype=torch.long)
    captions: list[tuple[str, ...]] = [()] * n_clips
    for k, kind in enumerate(FAMILIES[family].values()):
        clips = [i for i, name in enumerate(kinds) if name == kind.name]
        if not clips:
            continue
        generator = torch.Generator().manual_seed(1_000_003 * seed + 1_009 * k + (family == "teacher"))
        moves, frames, texts = _make(kind, len(clips), family, min_frames, max_frames, generator)
        joints[clips, : moves.shape[1]] = moves
        lengths[clips] = frames
        for i, text in zip(clips, texts, strict=True):
            captions[i] = text
    names = [f"{family}_{seed}_{i:05d}" for i in range(n_clips)]
    return Corpus(joints[:, : int(lengths.max())], lengths, names, captions, kinds, SMPL22, FPS)


def load(split: str = "train", n_clips: int = 2000, seed: int = 0, family: str = "prior", **limits: int) -> Corpus:
    """One split (``"train"``, ``"val"``, ``"test"``) of ``generate(n_clips, seed, family, **limits)``.

    Raises:
        ValueError: an unknown split, or as of :func:`generate`.
    """
    check_split(split)
    return splits(generate(n_clips, seed, family, **limits), seed)[split]


def splits(corpus: Corpus, seed: int = 0) -> dict[str, Corpus]:
    """Train, val and test (80, 10 and 10 percent), stratified by action, deterministic from the seed."""
    generator = torch.Generator().manual_seed(seed)
    parts: dict[str, list[int]] = {name: [] for name in SPLITS}
    bounds = torch.tensor([0.0, *SHARES]).cumsum(0).tolist()
    for kind in dict.fromkeys(corpus.actions):
        clips = torch.tensor([i for i, name in enumerate(corpus.actions) if name == kind])
        clips = clips[torch.randperm(len(clips), generator=generator)].tolist()
        for name, low, high in zip(SPLITS, bounds, bounds[1:], strict=False):
            parts[name] += clips[round(low * len(clips)) : round(high * len(clips))]
    return {name: corpus.select(sorted(clips)) for name, clips in parts.items()}


def _make(
    kind: Action, n: int, family: str, min_frames: int, max_frames: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, list[tuple[str, ...]]]:
    """Joints (n, T, 22, 3), lengths (n,) and captions of ``n`` clips of one action."""
    low = min(max(min_frames, math.ceil(kind.shortest * FPS)), max_frames)
    high = max(min(max_frames, int(kind.longest * FPS)), low)
    lengths = torch.randint(low, high + 1, (n,), generator=generator)
    take = Take(lengths, draw_bodies(n, family, generator), generator)
    slots = kind.perform(take)
    _loosen(take, family)
    joints = animate(take.offsets, take.pose)[:, MARGIN : MARGIN + int(lengths.max())]
    joints = torch.where(take.mirrored[:, None, None, None], mirror(joints), joints)

    valid = valid_frames(lengths, joints.shape[1])[..., None, None]
    floor = torch.where(valid[..., 0], joints[..., 1], torch.inf).amin((1, 2))
    joints = joints - joints[:, :1, :1] * torch.tensor([1.0, 0.0, 1.0])
    joints = torch.cat([joints[..., :1], joints[..., 1:2] - floor[:, None, None, None], joints[..., 2:]], -1)
    joints = turn(joints, 2.0 * math.pi * take.uniform(0.0, 1.0)[:, :, None])
    start = 0.3 * torch.randn(n, 1, 1, 3, generator=generator).clamp(-2.0, 2.0) * torch.tensor([1.0, 0.0, 1.0])
    joints = (joints + start) * valid

    writer = Writer(generator)
    sides = [("right", "left") if m else ("left", "right") for m in take.mirrored.tolist()]
    texts = [
        writer.write(kind.captions, {"side": a, "other": b, **{k: v[i] for k, v in slots.items()}})
        for i, (a, b) in enumerate(sides)
    ]
    return joints, lengths, texts


def _loosen(take: Take, family: str) -> None:
    """Smooth noise on everything but the feet: nobody moves like a formula, and a teacher must see more."""
    pose = take.pose
    strength = 0.6 + 0.8 * take.uniform(0.0, 1.0)[..., None] if family == "prior" else take.uniform(0.5, 4.0)[..., None]
    pose.tilt += 0.015 * strength * take.noise(3)
    pose.torso += 0.03 * strength * take.noise(3)
    pose.head += 0.05 * strength * take.noise(3)
    pose.pelvis += 0.005 * strength * take.noise(3)
    pose.hands += 0.035 * (strength * take.noise(6, 0.8)).unflatten(-1, (2, 3))
    pose.swivel += 0.06 * strength * take.noise(2)
