"""What a run leaves for use elsewhere: generated and lifted motions as arrays and as BVH files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from videomdm import export, features, sample
from videomdm.conventions import FPS
from videomdm.sample.prior import Prior
from videomdm.skeletons.definitions import SMPL22, Skeleton


def deliver(prior: Prior, captions: Sequence[str], folder: Path, seconds: float | None = None, seed: int = 0) -> Tensor:
    """Generate one motion per caption and write ``motions.npz`` and one ``.bvh`` each into ``folder``.

    Bones of generated motions change their length a little; the BVH files keep every joint where it is by moving
    joints as well as turning them.

    Args:
        prior: from :func:`videomdm.sample.load`.
        captions: what to generate.
        folder: made if missing, usually the run folder's ``motions``.
        seconds: length of the motions, the longest trained by default.
        seed: of the noise.

    Returns:
        (N, T, J, 3) joints in metres, Y up, starting at the origin and facing +Z.
    """
    clean = sample.generate(prior, captions, seconds=seconds, seed=seed, as_features=True).cpu()
    joints = features.decode(clean)
    write(folder, joints, captions, clean, prior.skeleton, prior.fps)
    return joints


def write(
    folder: Path,
    motions: Tensor | Sequence[Tensor],
    captions: Sequence[str],
    clean: Tensor | None = None,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    unseen: Sequence[Tensor] | None = None,
) -> None:
    """Write ``motions.npz`` and one ``.bvh`` per motion, named by number and caption.

    Args:
        folder: made if missing.
        motions: (T, J, 3) metres, Y up, for each caption.
        captions: what they are called.
        clean: (N, T', D) their features, where they are wanted in the file.
        skeleton, fps: of the motions.
        unseen: for each motion (T, J) bool, joints that no camera saw.
    """
    folder.mkdir(parents=True, exist_ok=True)
    export.to_npz(folder / "motions.npz", motions, clean, fps, captions, skeleton, unseen)
    for i, (caption, motion) in enumerate(zip(captions, motions, strict=True)):
        name = re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:60]
        export.to_bvh(folder / f"{i:02d}-{name}.bvh", motion, skeleton, fps, stretch=True)
