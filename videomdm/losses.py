"""The losses of VideoMDM: a 3-D prediction is compared in 2-D, equations 1 to 4.

Every loss is a true mean over what was observed: frames past a clip's length never count, and a joint that
the predicted depth puts nearer than ``tau`` contributes zero, as the indicator of eq. 1 says.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from videomdm import depth as depth_weights
from videomdm import features as feat
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.refinement import refine, ridge, select_cameras
from videomdm.features.normaliser import Normaliser
from videomdm.features.rays import onto_rays
from videomdm.skeletons.definitions import Skeleton
from videomdm.skeletons.padding import masked_mean, valid_frames

TAU = 0.5  # metres; eq. 1 drops joints predicted nearer than this


@dataclass(frozen=True)
class Weights:
    """The lambdas of eq. 4 and the choices that the ablations take apart.

    Attributes:
        reprojection, velocity, representation: lambda_2D, lambda_vel and lambda_repr.
        weighting: ``"depth"`` (eq. 1), ``"exact"`` (per axis, appendix A), ``"none"`` (the ablation without depth
            weights) or ``"clip"`` (the mean depth of the clip, as the authors' release weighs).
        ray_projection: whether eq. 3's pseudo-target is the prediction moved onto the observed rays; without it
            the target is the teacher's own redundant channels (the ablation).
    """

    reprojection: float = 1.0
    velocity: float = 100.0
    representation: float = 1.0
    weighting: str = "depth"
    ray_projection: bool = True


def _axis_weights(depth: Tensor, camera: Camera, valid: Tensor, kind: str) -> Tensor:
    """Weights (B, T, J, 2) of the image residuals for predicted depths (B, T, J); no gradient."""
    if kind == "none":
        return torch.ones_like(depth)[..., None].expand(*depth.shape, 2)
    if kind == "clip":
        frames = valid.to(depth)[..., None].expand_as(depth)
        mean = (depth.detach() * frames).sum((1, 2)) / frames.sum((1, 2)).clamp(min=1)
        return mean[:, None, None, None].expand(*depth.shape, 2)
    elevation = camera.elevation[:, None, None] if kind == "exact" else None
    return depth_weights.weights(depth, elevation, kind)


@dataclass(frozen=True)
class _Residuals:
    """What a projection misses: eqs. 1 and 2 both start from it.

    Attributes:
        image: (B, T, J, 2) projected minus observed, normalised image coordinates.
        weights: (B, T, J, 2), metres.
        seen: (B, T, J), the confidence, 0 for joints nearer than tau.
        valid: (B, T), frames that count.
    """

    image: Tensor
    weights: Tensor
    seen: Tensor
    valid: Tensor

    def reprojection(self) -> Tensor:
        squared = (self.weights * self.image).square().sum(-1) * self.seen.square()
        return masked_mean(squared, self.valid[..., None].to(squared))

    def velocity(self) -> Tensor:
        weights = (self.weights[:, 1:] + self.weights[:, :-1]) / 2
        squared = (weights * self.image.diff(dim=1)).square().sum(-1) * self.seen[:, 1:] * self.seen[:, :-1]
        return masked_mean(squared, self.valid[:, 1:, None].to(squared))


def _residuals(joints: Tensor, seen: Footage, weighting: str, tau: float) -> _Residuals:
    image, depth = seen.camera.project(joints)
    counts = (depth.detach() > tau).to(image) * seen.confidence
    weights = _axis_weights(depth, seen.camera, seen.valid, weighting)
    return _Residuals(image - seen.keypoints, weights, counts, seen.valid)


def reprojection(
    joints: Tensor,
    keypoints: Tensor,
    camera: Camera,
    lengths: Tensor,
    confidence: Tensor | None = None,
    weighting: str = "depth",
    tau: float = TAU,
) -> Tensor:
    """Depth-weighted reprojection loss, eq. 1.

    Args:
        joints: (B, T, J, 3) predicted joints in metres, in the frame that the camera is given in.
        keypoints: (B, T, J, 2) observed keypoints in normalised image coordinates.
        camera: one camera per clip, batch (B,).
        lengths: (B,) frames that count.
        confidence: (B, T, J) in 0..1, multiplies squared residuals as c^2.
        weighting: see :class:`Weights`.
        tau: joints predicted nearer than this (metres) are dropped.

    Returns:
        Mean over clips, frames and joints of the squared weighted residual (metres^2).

    Explained in :doc:`/notebooks/explain_depth_weighting`.
    """
    return _residuals(joints, Footage.of(keypoints, camera, lengths, confidence), weighting, tau).reprojection()


def velocity(
    joints: Tensor,
    keypoints: Tensor,
    camera: Camera,
    lengths: Tensor,
    confidence: Tensor | None = None,
    weighting: str = "depth",
    tau: float = TAU,
) -> Tensor:
    """Image-velocity loss, eq. 2: arguments as in :func:`reprojection`.

    The weight is the mean of the two frames' weights; a step counts only where both frames are valid and deeper
    than ``tau``, and with the product of their confidences.
    """
    return _residuals(joints, Footage.of(keypoints, camera, lengths, confidence), weighting, tau).velocity()


def ray_target(joints: Tensor, seen: Footage, skeleton: Skeleton) -> Tensor:
    """Features (B, T-1, D) of the predicted joints moved onto the observed rays (eq. 3's pseudo-target).

    A joint that was not seen (confidence 0) stays where it was predicted.  No gradient flows.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    with torch.no_grad():
        return feat.encode(onto_rays(joints, seen), skeleton)


def representation(predicted: Tensor, target: Tensor, lengths: Tensor, n_joints: int) -> Tensor:
    """Representation alignment, eq. 3, in normalised feature space.

    Args:
        predicted: (B, T, D) predicted features, normalised.
        target: (B, T', D) pseudo-target, normalised, T' <= T; no gradient flows into it.  Encoding loses the last
            frame, so T' is T - 1: the last row of every clip has no target and is left out.
        lengths: (B,) rows of ``predicted`` that count.
        n_joints: J, which names the redundant channels.

    Returns:
        Mean squared difference over rows and redundant channels.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    redundant = feat.redundant_channels(n_joints)
    return _alignment(predicted[..., redundant], target[..., redundant], lengths)


def _alignment(predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    """Eq. 3 on redundant channels; the target is filled up with rows that do not count."""
    rows = predicted.shape[1]
    difference = predicted - pad(target.detach(), (0, 0, 0, rows - target.shape[1]))
    counts = valid_frames((lengths - 1).clamp(max=target.shape[1]), rows)
    return masked_mean(difference.square(), counts[..., None].to(difference))


def x0(predicted: Tensor, target: Tensor, lengths: Tensor, counts: Tensor | None = None) -> Tensor:
    """Plain MDM: mean squared error of the predicted clean features (B, T, D) over valid rows.

    Args:
        predicted, target: (B, T, D) normalised.
        lengths: (B,) rows that count.
        counts: (B, T, J) in 0..1, for features that are J keypoints: one that was not seen contributes zero.
    """
    squared = (predicted - target).square()
    if counts is not None:
        squared = (squared.unflatten(-1, (counts.shape[-1], -1)) * counts[..., None]).flatten(-2)
    return masked_mean(squared, valid_frames(lengths, target.shape[1])[..., None].to(target))


@dataclass(frozen=True)
class VideoMDM:
    """Eq. 4: ``lambda_2D L_2D + lambda_vel L_vel + lambda_repr L_repr``.

    Attributes:
        weights: lambdas and variants; a term of weight 0 is not computed.
        normaliser: maps features to normalised features and back.
        skeleton: the joint layout.
        known_distance: whether refined cameras keep their distance, as where people's height is known.
        tau: metres; joints predicted nearer do not count.
    """

    weights: Weights
    normaliser: Normaliser
    skeleton: Skeleton
    known_distance: bool = False
    tau: float = TAU

    def __call__(
        self,
        predicted: Tensor,
        teacher: Tensor,
        seen: Footage,
        refined: Tensor | None = None,
        shares: dict[str, Tensor] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch.

        Args:
            predicted: (B, T, D) the denoiser's clean features, normalised.
            teacher: (B, T, D) the teacher's clean features, normalised; used only without ray projection.
            seen: keypoints, cameras and lengths of the clips, T frames.
            refined: (B,) bool, clips whose camera is first refined to see the prediction (ours,
                :func:`videomdm.cameras.refinement.refine`); none by default.
            shares: of a batch that is spread over processes, what this process' terms count for (:func:`shares_of`).

        Returns:
            The total, and its unweighted parts by name (``reprojection``, ``velocity``, ``representation``), detached.
        """
        weights, n_joints = self.weights, len(self.skeleton)
        named = feat.position_channels(n_joints), feat.redundant_channels(n_joints)
        # Split once: the gradient of every slice is as large as what it was taken from.
        positions, redundant = predicted.split([channels.stop - channels.start for channels in named], dim=-1)
        joints = feat.decode_positions(self.normaliser.denormalise(positions.float(), named[0]))
        if refined is not None:
            seen = seen.by(select_cameras(refined, refine(joints, seen, ridge=ridge(self.known_distance)), seen.camera))
        residuals = _residuals(joints, seen, weights.weighting, self.tau)
        parts = {}
        if weights.reprojection:
            parts["reprojection"] = residuals.reprojection()
        if weights.velocity:
            parts["velocity"] = residuals.velocity()
        if weights.representation:
            if weights.ray_projection:
                target = ray_target(joints.detach(), seen, self.skeleton)
                target = self.normaliser.normalise(target[..., named[1]], named[1])
            else:
                target = teacher[:, :-1, named[1]]
            parts["representation"] = _alignment(redundant, target, seen.lengths)
        if shares is not None:
            parts = {name: shares[name] * part for name, part in parts.items()}
        total = sum(getattr(weights, name) * part for name, part in parts.items())
        return total, {name: part.detach() for name, part in parts.items()}


def videomdm(
    predicted: Tensor,
    teacher: Tensor,
    keypoints: Tensor,
    camera: Camera,
    lengths: Tensor,
    normaliser: Normaliser,
    skeleton: Skeleton,
    confidence: Tensor | None = None,
    weights: Weights = Weights(),
    refined: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 4 of loose tensors, see :class:`VideoMDM`; keypoints to confidence as in :func:`reprojection`."""
    seen = Footage.of(keypoints, camera, lengths, confidence)
    return VideoMDM(weights, normaliser, skeleton)(predicted, teacher, seen, refined)


def shares_of(lengths: Tensor, mine: slice, n_processes: int) -> dict[str, Tensor]:
    """Factors on the loss terms of some rows of a batch that make their mean over processes the batch's term.

    Terms are means over what was observed, frames or pairs of frames, and a mean of means over unequal numbers is
    not the mean of all.

    Args:
        lengths: (B,) frames of every clip of the whole batch.
        mine: the rows of one process.
        n_processes: over how many the batch is spread.
    """
    frames, pairs = lengths.double(), (lengths - 1).clamp(min=0).double()
    frames, pairs = (n_processes * x[mine].sum() / x.sum().clamp(min=1) for x in (frames, pairs))
    return {"x0": frames, "reprojection": frames, "velocity": pairs, "representation": pairs}
