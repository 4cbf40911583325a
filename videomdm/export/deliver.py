"""What a run leaves for use elsewhere: generated and lifted motions as arrays and as BVH files.

Bones of generated and lifted motions change their length a little, and there are two ways to write that.  A rig has
bones of one length and joints that turn: for it ``NAME.bvh`` has constant bones, three channels per joint and six for
the root, as every reader expects.  ``NAME-exact.bvh`` has six channels for every joint and meets each joint exactly;
Blender plays it, many readers refuse it.  How far the first is from the motion stands in ``report.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from videomdm import export, features, sample
from videomdm.conventions import FPS, REPORT
from videomdm.data import nba
from videomdm.export.bvh import write_both
from videomdm.sample.prior import Prior
from videomdm.skeletons.definitions import SMPL22, Skeleton


def deliver(
    prior: Prior, captions: str | Sequence[str], folder: str | Path, seconds: float | None = None, seed: int = 0
) -> Tensor:
    """Generate one motion per caption and write ``motions.npz`` and two ``.bvh`` each into ``folder``.

    Args:
        prior: from :func:`videomdm.sample.load`.
        captions: what to generate, one caption or several.
        folder: made if missing, usually the run folder's ``motions``.
        seconds: length of the motions, the longest trained by default.
        seed: of the noise.

    Returns:
        (N, T, J, 3) joints in metres, Y up, starting at the origin and facing +Z; of a prior of centred data around
        the hip, of the size of people of average height.
    """
    captions = [captions] if isinstance(captions, str) else list(captions)
    clean = sample.generate(prior, captions, seconds=seconds, seed=seed, as_features=True).cpu()
    joints = features.decode(clean)
    if prior.config.centred:
        joints = nba.METRES * (joints - joints[:, :, :1])
    write(folder, joints, captions, clean, prior.skeleton, prior.fps)
    return joints


def write(
    folder: str | Path,
    motions: Tensor | Sequence[Tensor],
    captions: str | Sequence[str],
    clean: Tensor | None = None,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    unseen: Sequence[Tensor] | None = None,
) -> dict[str, dict[str, float | str]]:
    """Write ``motions.npz``, and for each motion a ``.bvh`` of constant bones and an exact one, and ``report.json``.

    Args:
        folder: made if missing.
        motions: (T, J, 3) metres, Y up, for each caption, or one alone.
        captions: what they are called, one caption or several; files are named by number and caption.
        clean: (N, T', D) their features, where they are wanted in the file.
        skeleton, fps: of the motions.
        unseen: for each motion (T, J) bool, joints that no camera saw.

    Returns:
        What ``report.json`` holds: for each ``.bvh`` how far its joints are from the motion's, in millimetres (mean,
        and largest with its joint and frame).
    """
    folder = Path(folder)
    captions = [captions] if isinstance(captions, str) else list(captions)
    motions = [motions] if isinstance(motions, Tensor) and motions.ndim == 3 else motions
    folder.mkdir(parents=True, exist_ok=True)
    export.to_npz(folder / "motions.npz", motions, clean, fps, captions, skeleton, unseen)
    report = {}
    for i, (caption, motion) in enumerate(zip(captions, motions, strict=True)):
        words = re.sub(r"[\W_]+", "-", caption.lower()).strip("-")[:60]
        name = f"{i:02d}-{words}" if words else f"{i:02d}"
        written = write_both(folder / f"{name}.bvh", motion, skeleton, fps)
        report |= {file.name: errors for file, errors in written.items()}
    (folder / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return report
