"""Depth: weights that turn image errors into 3-D errors, and a root's depth from its bones' image lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.integrate import quad
from torch import Tensor

#: The mean of the largest of three sines, E[M]: it puts the mean of the *inverse* depth right.
ROOT_DEPTH_MEAN_MAX = 15 * math.pi / 16 - 2
#: One over E[1/M]: it puts the mean of the depth right.
ROOT_DEPTH_UNBIASED = 1 / (9 * math.pi / 4 - 6)


def weights(depth: Tensor, elevation: Tensor | float | None = None, kind: str = "depth") -> Tensor:
    """Factors on a reprojection error's u and v that make it an error in metres (appendix A).

    ``"depth"`` is ``d`` on both axes (eq. 1).  ``"exact"`` is ``w_u = d sqrt(2 - tan^2 phi)`` and
    ``w_v = d / cos phi``: averaged over azimuths, the squared weighted image displacement of a point is then
    its squared 3-D displacement.  A weight is no path for gradients, so the result is detached.

    Args:
        depth: (*batch, ...) metres along the optical axis.
        elevation: radians above the horizon, a number or (*batch), leading dimensions of ``depth``, as for
            cameras; only ``"exact"`` looks at it.
        kind: ``"depth"`` or ``"exact"``.

    Returns:
        (*batch, ..., 2), for u and v.

    Raises:
        ValueError: an unknown kind; ``"exact"`` without an elevation or where ``tan^2 phi >= 2`` (beyond 54.7
            degrees no weight on u can do it).

    Explained in :doc:`/notebooks/explain_depth_weighting`.
    """
    depth = depth.detach()
    if kind == "depth":
        return depth[..., None].expand(*depth.shape, 2)
    if kind != "exact":
        raise ValueError(f"kind is {kind!r}, expected 'depth' or 'exact'")
    if elevation is None:
        raise ValueError("kind 'exact' needs the cameras' elevation in radians, got None")
    phi = torch.as_tensor(elevation, dtype=depth.dtype, device=depth.device).detach()
    tan_squared = phi.tan().square()
    if not (tan_squared < 2).all():
        steepest = math.degrees(phi.abs().max())
        raise ValueError(f"elevation of {steepest:.1f} degrees, exact weights exist below 54.7 degrees only")
    on_u, on_v = (2 - tan_squared).sqrt(), 1 / phi.cos()
    per_axis = torch.stack([on_u, on_v], dim=-1)
    per_axis = per_axis.reshape(*phi.shape, *(1,) * (depth.ndim - phi.ndim), 2)
    return depth[..., None] * per_axis


def root_depth(
    keypoints: Tensor,
    bone_lengths: Tensor,
    bones: Sequence[tuple[int, int]],
    constant: float = ROOT_DEPTH_UNBIASED,
) -> Tensor:
    """Depth of the root from how long its bones look, ``C min_k L_k / l_k`` (appendix D, focal length 1).

    The bone seen most nearly from the side looks longest relative to its true length and bounds the depth
    from above; ``constant`` corrects for its not lying exactly across the view.  If the bones' directions are
    independent and uniform on the sphere, the default constant (for three bones) makes the mean right, with a
    standard deviation of 12 %; :func:`root_depth_constant` has other numbers of bones.

    Args:
        keypoints: (..., J, 2) normalised image coordinates.
        bone_lengths: (..., n) metres, all positive.
        bones: n pairs of joint indices, such as ``skeleton.root_bones``.
        constant: the factor C.

    Returns:
        (...) metres.  A bone without length in the image (seen end on, or keypoints that coincide) says
        nothing and is passed over; infinity where that holds for all.

    Raises:
        ValueError: a number of lengths that is not the number of bones, or a length that is not positive.

    Explained in :doc:`/notebooks/explain_root_depth`.
    """
    if bone_lengths.shape[-1] != len(bones):
        raise ValueError(f"{bone_lengths.shape[-1]} bone lengths for {len(bones)} bones, expected one for each")
    if not (bone_lengths > 0).all():
        raise ValueError(f"a bone length of {bone_lengths.min():.3g}, expected positive metres")
    starts, ends = zip(*bones, strict=True)
    image_lengths = (keypoints[..., list(ends), :] - keypoints[..., list(starts), :]).norm(dim=-1)
    return constant / (image_lengths / bone_lengths).amax(-1)


def root_depth_constant(n_bones: int, kind: str = "unbiased") -> float:
    """The constant of :func:`root_depth` for any number of bones.

    The sine of the angle between a uniform direction and the optical axis has the distribution function
    ``1 - sqrt(1 - s^2)``.  With M the largest of n such sines and ``s = sin a``::

        E[M]   = 1 - int_0^1 (1 - sqrt(1 - s^2))^n ds          = 1 - int_0^{pi/2} (1 - cos a)^n cos a da
        E[1/M] = int_0^1 1/s d(1 - sqrt(1 - s^2))^n            = n int_0^{pi/2} (1 - cos a)^(n-1) da

    Args:
        n_bones: number of bones, at least 1.
        kind: ``"unbiased"`` for ``1 / E[1/M]`` or ``"mean_max"`` for ``E[M]``.

    Returns:
        The constant, to about 1e-10; for three bones ``ROOT_DEPTH_UNBIASED`` or ``ROOT_DEPTH_MEAN_MAX``.

    Raises:
        ValueError: fewer than one bone or an unknown kind.

    Explained in :doc:`/notebooks/explain_root_depth`.
    """
    if n_bones < 1:
        raise ValueError(f"n_bones is {n_bones}, expected at least 1")
    if kind == "mean_max":
        return 1 - quad(lambda a: (1 - math.cos(a)) ** n_bones * math.cos(a), 0, math.pi / 2)[0]
    if kind == "unbiased":
        return 1 / (n_bones * quad(lambda a: (1 - math.cos(a)) ** (n_bones - 1), 0, math.pi / 2)[0])
    raise ValueError(f"kind is {kind!r}, expected 'unbiased' or 'mean_max'")
