"""Joints of one layout from those of another: a linear regressor, fitted on paired data (appendix C.3).

Every joint of the target is an affine combination (weights that sum to 1) of the few source joints that lie
nearest to it.  Such a rule does not care where the person is, how large, or how the view is turned, and the
same weights serve in 2-D and in 3-D.  The weights come from ridge regression towards "copy the nearest
joint"; what they leave is measured on poses that were held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.skeletons.definitions import Skeleton, by_name
from videomdm.storage import checkpoints

NEIGHBOURS = 6
RIDGE = 1e-4  # of the neighbours' own mean square spread
HELD_OUT = 0.2  # share of the poses, the last ones, that measure the error


@dataclass(frozen=True)
class JointRegressor:
    """Affine combinations of source joints.

    Attributes:
        source, target: layouts.
        weights: (J_target, J_source), rows sum to 1.
        error: (J_target,) root mean square distance of held-out poses' joints from the true ones, as a share
            of the person's size (root mean square distance of the source joints from their mean).
    """

    source: Skeleton
    target: Skeleton
    weights: Tensor
    error: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Points (..., J_source, D) of the source layout in the target's, (..., J_target, D)."""
        if points.ndim < 2 or points.shape[-2] != len(self.source):
            raise ValueError(f"points have shape {tuple(points.shape)}, expected (..., {len(self.source)}, D) "
                             f"for layout {self.source.name}")  # fmt: skip
        return self.weights.to(points) @ points

    def confidence(self, confidence: Tensor) -> Tensor:
        """Confidence (..., J_target) of regressed joints: the mean of the (..., J_source), weights as shares."""
        share = self.weights.abs() / self.weights.abs().sum(-1, keepdim=True)
        return confidence @ share.to(confidence).mT

    def save(self, path: str | Path) -> None:
        """Write to one safetensors file."""
        about = {"regressor": [self.source.name, self.target.name]}
        checkpoints.write_tensors(Path(path), {"weights": self.weights, "error": self.error}, about)

    @classmethod
    def load(cls, path: str | Path) -> JointRegressor:
        """Read what :meth:`save` wrote; raises ``DataError`` naming a file that is not that."""
        about, tensors = checkpoints.read_metadata(Path(path)), checkpoints.read_tensors(Path(path))
        if "regressor" not in about or {"weights", "error"} - set(tensors):
            raise DataError(f"{path}: no joint regressor; expected tensors 'weights' and 'error' and two layouts")
        source, target = (by_name(name) for name in about["regressor"])
        if tensors["weights"].shape != (len(target), len(source)):
            raise DataError(f"{path}: weights have shape {tuple(tensors['weights'].shape)}, expected "
                            f"{(len(target), len(source))} for {source.name} to {target.name}")  # fmt: skip
        return cls(source, target, **tensors)


def fit(
    source_points: Tensor,
    target_points: Tensor,
    source: Skeleton,
    target: Skeleton,
    neighbours: int = NEIGHBOURS,
    ridge: float = RIDGE,
) -> JointRegressor:
    """Fit a regressor to poses known in both layouts.

    For target joint j, its nearest source joint n (on average) and the other neighbours k,

        x_j - s_n = sum over k of w_k (s_k - s_n),

    in the least squares sense over poses and coordinates, with ``ridge`` on the w_k; n has 1 - sum w_k.
    Every pose counts alike, whatever its size.

    Args:
        source_points: (N, J_source, D) poses.
        target_points: (N, J_target, D) the same poses, in the same coordinates.
        source, target: the layouts.
        neighbours: source joints that a target joint may use.
        ridge: strength, as a share of the neighbours' mean square distance from the nearest one.

    Raises:
        ValueError: shapes that do not fit together, fewer than ten poses, values that are not finite.
    """
    _check(source_points, target_points, source, target, neighbours)
    s, x = source_points.double(), target_points.double()
    size = (s - s.mean(-2, keepdim=True)).square().sum(-1).mean(-1).sqrt()[:, None, None].clamp(min=1e-9)
    s, x = s / size, x / size
    n_fit = len(s) - round(HELD_OUT * len(s))
    distance = torch.cdist(x[:n_fit], s[:n_fit]).mean(0)  # (J_target, J_source)
    weights = torch.zeros(len(target), len(source), dtype=torch.float64)
    for j, near in enumerate(distance.argsort(dim=-1, stable=True)[:, :neighbours]):
        first, others = near[0], near[1:]
        design = (s[:n_fit, others] - s[:n_fit, first, None]).mT.flatten(0, 1)  # (poses * D, k)
        wanted = (x[:n_fit, j] - s[:n_fit, first]).flatten()
        gram = design.mT @ design
        gram = gram + ridge * gram.diagonal().mean() * torch.eye(len(others), dtype=gram.dtype)
        w = torch.linalg.solve(gram, design.mT @ wanted) if len(others) else wanted.new_zeros(0)
        weights[j, others], weights[j, first] = w, 1 - w.sum()
    left = (weights @ s[n_fit:] - x[n_fit:]).square().sum(-1).mean(0).sqrt()
    return JointRegressor(source, target, weights.float(), left.float())


def _check(source_points: Tensor, target_points: Tensor, source: Skeleton, target: Skeleton, neighbours: int) -> None:
    shapes = tuple(source_points.shape), tuple(target_points.shape)
    fits = len(shapes[0]) == len(shapes[1]) == 3 and shapes[0][::2] == shapes[1][::2]
    if not fits or shapes[0][1] != len(source) or shapes[1][1] != len(target):
        raise ValueError(f"points have shapes {shapes[0]} and {shapes[1]}, expected (N, {len(source)}, D) for "
                         f"{source.name} and (N, {len(target)}, D) for {target.name}")  # fmt: skip
    if shapes[0][0] < 10:
        raise ValueError(f"{shapes[0][0]} poses, expected at least 10 to fit and to measure the error")
    if not (source_points.isfinite().all() and target_points.isfinite().all()):
        raise ValueError("points are not all finite, expected coordinates")
    if not 1 <= neighbours <= len(source):
        raise ValueError(f"neighbours is {neighbours}, expected within 1..{len(source)}")
