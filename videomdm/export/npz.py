"""Motions as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.padding import pad

AXES = "right-handed; x: left of a body facing +z, y: up, z: forward"  # what files say of their axes


def to_npz(
    path: str | Path,
    joints: Tensor | Sequence[Tensor],
    features: Tensor | Sequence[Tensor] | None = None,
    fps: float = FPS,
    captions: Sequence[str] | None = None,
    skeleton: Skeleton = SMPL22,
    unseen: Sequence[Tensor] | None = None,
) -> None:
    """Write clips to one ``.npz`` that ``numpy.load`` reads without pickle.

    ================  ==================================================================================
    ``joints``        float32 (N, T, J, 3), metres; frames at and past a clip's length are zero
    ``lengths``       int64 (N,), valid frames of each clip
    ``features``      float32 (N, T', D), HumanML3D channels, not normalised; only where given
    ``unseen``        bool (N, T, J), joints that no camera saw: a guess; only where given
    ``fps``           float64 (), frames per second
    ``axes``          text: which way x, y and z point
    ``units``         text: "metres"
    ``joint_names``   text (J,)
    ``parents``       int64 (J,), index of each joint's parent, -1 for the root
    ``captions``      text (N,), "" where there is none
    ================  ==================================================================================

    Args:
        path: file to write.
        joints: one clip (T, J, 3), a batch (N, T, J, 3) of equal lengths, or a sequence of clips (T_i, J, 3).
        features: the same of (T', D) where they are wanted in the file; one row fewer than joints is usual.
        fps: frames per second.
        captions: one text per clip.
        skeleton: the joint layout.
        unseen: for each clip (T_i, J) bool, of motions that were lifted from keypoints.

    Raises:
        ValueError: a clip of another shape, or captions, features or ``unseen`` that do not belong to the clips.
    """
    clips = [joints] if isinstance(joints, Tensor) and joints.ndim == 3 else list(joints)
    for clip in clips:
        check_motion(clip, skeleton)
    captions = [""] * len(clips) if captions is None else list(captions)
    if not clips or len(captions) != len(clips):
        raise ValueError(f"{len(clips)} clips and {len(captions)} captions, expected one caption per clip")
    padded, lengths = pad([clip.detach().cpu().float() for clip in clips])
    arrays = {
        "joints": padded.numpy(), "lengths": lengths.numpy(), "fps": np.float64(fps),
        "axes": np.array(AXES),
        "units": np.array("metres"), "joint_names": np.array(skeleton.joints),
        "parents": np.array(skeleton.parents), "captions": np.array(captions),
    }  # fmt: skip
    if features is not None:
        rows = [features] if isinstance(features, Tensor) and features.ndim == 2 else list(features)
        if len(rows) != len(clips):
            raise ValueError(f"features of {len(rows)} clips, expected {len(clips)}")
        arrays["features"] = pad([row.detach().cpu().float() for row in rows])[0].numpy()
    if unseen is not None:
        found, expected = ([tuple(x.shape) for x in u] for u in (unseen, [clip[..., 0] for clip in clips]))
        if found != expected:
            raise ValueError(f"unseen has shapes {found}, expected the clips' frames and joints {expected}")
        arrays["unseen"] = pad([mask.cpu() for mask in unseen])[0].numpy()
    np.savez_compressed(path, **arrays)


def check_motion(joints: Tensor, skeleton: Skeleton) -> None:
    """Raise ``ValueError`` for joints that are not (T, J, 3), finite and of the layout."""
    if joints.ndim != 3 or joints.shape[1:] != (len(skeleton), 3) or not len(joints):
        raise ValueError(f"joints have shape {tuple(joints.shape)}, expected (frames, {len(skeleton)}, 3), frames > 0")
    if not joints.isfinite().all():
        frame = int((~joints.isfinite()).flatten(1).any(1).nonzero()[0])
        raise ValueError(f"joints of frame {frame} are not finite, expected metres")
