"""The one kind of sample that every source hands out: clips of 3-D joints with captions, padded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from videomdm.conventions import FPS, MIN_FRAMES, SPLITS, DataError
from videomdm.skeletons.definitions import Skeleton
from videomdm.skeletons.padding import pad

PLAUSIBLE_METRES = 100.0  # a coordinate beyond this is a unit error (millimetres, centimetres), not a motion


@dataclass
class Corpus:
    """Clips of one skeleton, padded to the longest.

    Attributes:
        joints: (C, T, J, 3) float32, metres, Y up; frames at and past a clip's length are zero.
        lengths: (C,) int64, true number of frames.
        names: one unique name per clip.
        captions: for each clip its captions (at least one).
        actions: for each clip a label of its kind of action ("" where the source has none).
        skeleton: the joint layout.
        fps: frames per second.
        skipped: (name or file, reason) of the clips a reader left out under ``on_error="skip"``.
    """

    joints: Tensor
    lengths: Tensor
    names: list[str]
    captions: list[tuple[str, ...]]
    actions: list[str]
    skeleton: Skeleton
    fps: float = FPS
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    def clip(self, i: int) -> Tensor:
        """Joints of clip ``i`` without padding, (T_i, J, 3)."""
        return self.joints[i, : int(self.lengths[i])]

    def select(self, indices: Sequence[int] | Tensor) -> Corpus:
        """The clips at ``indices``, in that order, padded to the longest of them."""
        indices = torch.as_tensor(indices, dtype=torch.long)
        lengths = self.lengths[indices]
        longest = int(lengths.max()) if len(indices) else 0
        chosen = indices.tolist()
        return Corpus(
            self.joints[indices, :longest], lengths, [self.names[i] for i in chosen],
            [self.captions[i] for i in chosen], [self.actions[i] for i in chosen], self.skeleton, self.fps,
            list(self.skipped),
        )  # fmt: skip

    def varied(self, n: int) -> list[int]:
        """Up to ``n`` clips to look at: one of each action where the corpus names these, else evenly spaced ones."""
        first: dict[str, int] = {}
        for i, action in enumerate(self.actions):
            first.setdefault(action, i)
        if len(first) > 1:
            return list(first.values())[:n]
        return self.spaced(n).tolist()

    def spaced(self, n: int) -> Tensor:
        """Indices (n,) of ``n`` clips, or of all where there are fewer, evenly spaced."""
        return torch.linspace(0, len(self) - 1, min(n, len(self))).long()

    def cut(self, max_frames: int, min_frames: int = MIN_FRAMES) -> Corpus:
        """Cut every clip longer than ``max_frames`` into equal consecutive pieces of at most ``max_frames``.

        Pieces keep their clip's captions and are named ``name@start``; a clip whose equal pieces would be
        shorter than ``min_frames`` gives as many whole pieces of ``max_frames`` as fit.  Pieces are not moved:
        canonicalise them before use.
        """
        clips, names, sources = [], [], []
        for i, n in enumerate(self.lengths.tolist()):
            pieces = -(-n // max_frames)
            size = n // pieces
            if size < min_frames:
                pieces, size = n // max_frames, max_frames
            for k in range(pieces):
                clips.append(self.joints[i, k * size : (k + 1) * size])
                names.append(self.names[i] if pieces == 1 else f"{self.names[i]}@{k * size}")
                sources.append(i)
        return from_clips(
            clips, names, [self.captions[i] for i in sources], [self.actions[i] for i in sources],
            self.skeleton, self.fps, list(self.skipped),
        )  # fmt: skip


def from_clips(
    clips: Sequence[Tensor],
    names: Sequence[str],
    captions: Sequence[Sequence[str]],
    actions: Sequence[str],
    skeleton: Skeleton,
    fps: float = FPS,
    skipped: Sequence[tuple[str, str]] = (),
) -> Corpus:
    """A corpus from unpadded clips (T_i, J, 3); raises ``DataError`` when there are none."""
    if not clips:
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in skipped[:10])
        raise DataError(f"no usable clip: expected at least one{reasons}")
    joints, lengths = pad([c.float() for c in clips])
    return Corpus(
        joints,
        lengths,
        list(names),
        [tuple(c) for c in captions],
        list(actions),
        skeleton,
        fps,
        list(skipped),
    )


def joined(corpora: Sequence[Corpus]) -> Corpus:
    """The clips of several corpora as one, in their order, padded to the longest.

    Raises:
        DataError: corpora of several skeletons or frame rates, or two clips of one name.
    """
    first = corpora[0]
    for other in corpora[1:]:
        if (other.skeleton, other.fps) != (first.skeleton, first.fps):
            raise DataError(
                f"a corpus of {other.skeleton.name} at {other.fps:g} fps, expected all to join of "
                f"{first.skeleton.name} at {first.fps:g} fps"
            )
    names = [name for corpus in corpora for name in corpus.names]
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise DataError(f"clip {repeated[0]} is in several corpora, expected each name once")
    clips = [corpus.clip(i) for corpus in corpora for i in range(len(corpus))]
    captions = [own for corpus in corpora for own in corpus.captions]
    actions = [action for corpus in corpora for action in corpus.actions]
    skipped = [clip for corpus in corpora for clip in corpus.skipped]
    return from_clips(clips, names, captions, actions, first.skeleton, first.fps, skipped)


def check_split(split: str) -> None:
    """Raise ``ValueError`` for a split that no corpus has."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")


def check_on_error(on_error: str) -> None:
    """Raise ``ValueError`` for what no reader does about bad clips."""
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is {on_error!r}, expected 'raise' or 'skip'")


def check_joints(joints: Tensor, name: str, skeleton: Skeleton, min_frames: int = MIN_FRAMES) -> Tensor:
    """Return ``joints`` (T, J, 3) as float32, or raise ``DataError`` naming the clip and what is wrong."""
    joints = torch.as_tensor(joints)
    expected = f"(frames, {len(skeleton)}, 3) for skeleton {skeleton.name}"
    if joints.ndim != 3 or joints.shape[-1] != 3:
        raise DataError(f"{name}: joints have shape {tuple(joints.shape)}, expected {expected}")
    if joints.shape[1] != len(skeleton):
        raise DataError(f"{name}: {joints.shape[1]} joints, expected {len(skeleton)}: {expected}")
    if not joints.is_floating_point():
        raise DataError(f"{name}: joints are {joints.dtype}, expected floating point metres")
    if len(joints) < min_frames:
        raise DataError(f"{name}: {len(joints)} frames, expected at least {min_frames}")
    finite = joints.isfinite()
    if not finite.all():
        frame, joint = (int(k) for k in (~finite).any(-1).nonzero()[0])
        value = joints[frame, joint].tolist()
        raise DataError(f"{name}: {skeleton.joints[joint]} at frame {frame} is {value}, expected finite metres")
    if joints.abs().max() > PLAUSIBLE_METRES:
        raise DataError(
            f"{name}: a coordinate of {joints.abs().max():.0f}, expected metres within {PLAUSIBLE_METRES:.0f}; "
            "are these centimetres or millimetres?"
        )
    return joints.float()
