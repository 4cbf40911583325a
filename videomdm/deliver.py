"""What a run leaves for use elsewhere: generated motions as arrays and as BVH files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from videomdm import export, features, sample
from videomdm.sample import Prior


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
    folder.mkdir(parents=True, exist_ok=True)
    export.to_npz(folder / "motions.npz", joints, clean, prior.fps, captions, prior.skeleton)
    for i, (caption, motion) in enumerate(zip(captions, joints, strict=True)):
        name = re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:60]
        export.to_bvh(folder / f"{i:02d}-{name}.bvh", motion, prior.skeleton, prior.fps, stretch=True)
    return joints
