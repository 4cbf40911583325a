"""Cameras of real clips by PnP (appendix I), with a report of how well each explains what was seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from videomdm.cameras.camera import PNP_FRAMES, Camera, estimate_pnp, reprojection_error
from videomdm.skeletons.padding import valid_frames

#: Reprojection error, as a share of the person's size in the image, above which a camera is not to be trusted.
#: Lifted built-in motions give 0.09 (median) and 0.22 (90th percentile); keypoints of another clip 0.34 (median).
LIMIT = 0.25


@dataclass(frozen=True)
class Report:
    """How well cameras explain the keypoints of their clips; all tensors are (C,).

    Attributes:
        error: root mean square reprojection error over the frames that PnP used, normalised image units.
        whole: the same over all frames of the clip.
        relative: ``error`` divided by the person's size in the image (root mean square distance of the
            keypoints from their mean).
        names: of the clips.
        failed: clip -> why PnP found no camera; its camera is the identity and its errors are infinite.
    """

    error: Tensor
    whole: Tensor
    relative: Tensor
    names: list[str]
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def bad(self) -> Tensor:
        """(C,) bool: cameras not to be trusted."""
        return ~(self.relative <= LIMIT)

    def __str__(self) -> str:
        """One line, and one more for each bad clip."""
        found = self.relative.isfinite()
        middle = self.relative[found].median() if found.any() else float("nan")
        lines = [
            f"PnP: {int(found.sum())} of {len(self.names)} cameras found, median reprojection error {middle:.2f} of "
            f"the person's size; {int(self.bad.sum())} not to be trusted (above {LIMIT} or none)"
        ]
        for i in self.bad.nonzero()[:, 0].tolist():
            name = self.names[i]
            lines.append(f"  {name}: {self.failed.get(name) or f'error {self.relative[i]:.2f} of the size'}")
        return "\n".join(lines)


def estimate(
    joints: Tensor,
    keypoints: Tensor,
    confidence: Tensor | None = None,
    lengths: Tensor | None = None,
    frames: int = PNP_FRAMES,
    names: Sequence[str] | None = None,
) -> tuple[Camera, Report]:
    """Cameras of a set of clips; a clip without one does not stop the others, and is reported.

    Args:
        joints: (C, T, J, 3) metres, a teacher's; the cameras are in their frame.
        keypoints: (C, T, J, 2) normalised image coordinates.
        confidence: (C, T, J); keypoints of confidence 0 are left out, of cameras and of errors.
        lengths: (C,) true numbers of frames.
        frames: at the start of each clip that PnP uses.
        names: of the clips, for the report.

    Returns:
        Cameras of batch (C,) and the report.  Warns (``UserWarning``) when any is not to be trusted.

    Raises:
        ValueError: shapes that do not fit together.
    """
    if joints.ndim != 4 or keypoints.shape != (*joints.shape[:-1], 2):
        raise ValueError(
            f"joints have shape {tuple(joints.shape)} and keypoints {tuple(keypoints.shape)}, "
            "expected (C, T, J, 3) and (C, T, J, 2)"
        )
    n, longest = joints.shape[:2]
    lengths = torch.full((n,), longest) if lengths is None else lengths
    names = [f"clip {i}" for i in range(n)] if names is None else list(names)
    confidence = torch.ones_like(keypoints[..., 0]) if confidence is None else confidence
    rotation, translation = torch.eye(3).repeat(n, 1, 1).to(joints), joints.new_zeros(n, 3)
    failed = {}
    for i in range(n):
        try:
            own = estimate_pnp(joints[i], keypoints[i], lengths[i], frames, confidence[i])
            rotation[i], translation[i] = own.rotation, own.translation
        except ValueError as error:
            failed[names[i]] = str(error)
    camera = Camera(rotation, translation)
    report = _report(camera, joints, keypoints, confidence, lengths, frames, names, failed)
    if report.bad.any():
        warnings.warn(str(report), stacklevel=2)
    return camera, report


def _report(camera, joints, keypoints, confidence, lengths, frames, names, failed) -> Report:
    first = lengths.clamp(max=frames)
    used = (slice(None), slice(frames))
    error = reprojection_error(camera, joints[used], keypoints[used], first, confidence[used])
    whole = reprojection_error(camera, joints, keypoints, lengths, confidence)
    valid = valid_frames(first, keypoints[used].shape[1])
    seen = ((confidence[used] > 0) & valid.to(confidence.device)[..., None]).to(keypoints)[..., None]
    shown = keypoints[used].where(seen > 0, 0)
    from_middle = (shown - shown.sum(2, keepdim=True) / seen.sum(2, keepdim=True).clamp(min=1)) * seen
    size = (from_middle.square().sum((1, 2, 3)) / seen.sum((1, 2, 3)).clamp(min=1)).sqrt()
    lost = torch.tensor([name in failed for name in names], device=error.device)
    error, whole, relative = (x.masked_fill(lost, torch.inf) for x in (error, whole, error / size.clamp(min=1e-9)))
    return Report(error, whole, relative, names, failed)
