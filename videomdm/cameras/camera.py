"""Cameras: projection to normalised image coordinates, rays, synthetic orbits, pose from points (PnP).

World: metres, Y up.  Camera: OpenCV axes, x right, y down, z forward, ``X_c = R X + t``.  Image points are
normalised, ``(X_c.x, X_c.y) / X_c.z``: pixel coordinates times the inverse intrinsic matrix.  A camera
belongs to the frame of the points it is given, usually a clip's canonical frame; :meth:`Camera.in_frame`
carries it to another.

A rigid transform is applied as a sum of products rather than a matrix product, so that mixed precision
(autocast) leaves geometry in the precision of its inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from itertools import product

import cv2
import numpy as np
import torch
from torch import Tensor

from videomdm.skeletons.padding import valid_frames

MIN_DEPTH = 1e-3  # metres: `project` divides by no less
ROTATION_TOLERANCE = 1e-3  # largest entry of R R^T - 1 that still passes: cameras are stored with few digits

ORBIT_ELEVATION = (-7.5, 22.5)  # degrees above the horizon, the band of `sample_orbit`
ORBIT_MIN_DEPTH = 3.0  # metres from the camera to the closest joint of a clip (appendix C.1)
PNP_FRAMES = 24  # frames at the start of a clip that `estimate_pnp` uses (appendix I)


@dataclass(frozen=True, eq=False)
class Camera:
    """One camera or a batch of cameras, ``X_c = R X + t`` with OpenCV axes (x right, y down, z forward).

    The batch dimensions of a camera are the *leading* dimensions of the points it is given: a camera of batch
    ``(B,)`` takes points (B, 3), (B, J, 3), (B, T, J, 3) ...; ``camera[None]`` adds a dimension in front.

    Args:
        rotation: (*batch, 3, 3) world to camera.
        translation: (*batch, 3) metres, in camera axes.
        validate: check that ``rotation`` is one; waits for the device, so turn it off in a training loop.

    Raises:
        ValueError: wrong shapes; a reflection, a matrix that is not orthonormal, or a value that is not
            finite (the message names the camera's index and the value).
    """

    rotation: Tensor
    translation: Tensor
    validate: InitVar[bool] = True

    def __post_init__(self, validate: bool) -> None:
        rotation, translation = tuple(self.rotation.shape), tuple(self.translation.shape)
        if rotation[-2:] != (3, 3) or translation != rotation[:-1]:
            raise ValueError(
                f"camera: rotation has shape {rotation} and translation {translation}, "
                "expected (*batch, 3, 3) and (*batch, 3)"
            )
        if validate:
            _check_pose(self.rotation.detach(), self.translation.detach())

    @property
    def batch_shape(self) -> torch.Size:
        """The leading dimensions, ``torch.Size([])`` for a single camera."""
        return self.translation.shape[:-1]

    @property
    def center(self) -> Tensor:
        """Where the camera stands, ``-R^T t``: (*batch, 3), world metres.

        Explained in :doc:`/notebooks/explain_first_look`.
        """
        return -_rotate(self.rotation.mT, self.translation)

    @property
    def elevation(self) -> Tensor:
        """Angle (*batch) in radians by which the optical axis points down; that of :func:`orbit`."""
        return torch.asin((-self.rotation[..., 2, 1]).clamp(-1, 1))

    def to_camera(self, points: Tensor) -> Tensor:
        """World points (*batch, ..., 3) in camera axes, same shape, metres."""
        rotation, translation = self._spread(points)
        return _rotate(rotation, points) + translation

    def to_world(self, points: Tensor) -> Tensor:
        """Points (*batch, ..., 3) in camera axes in the world, same shape, metres; undoes :meth:`to_camera`."""
        rotation, translation = self._spread(points)
        return _rotate(rotation.mT, points - translation)

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Perspective projection.

        Args:
            points: (*batch, ..., 3) world points in metres.

        Returns:
            Normalised image coordinates (*batch, ..., 2), u right and v down, and the signed depth
            (*batch, ...) in metres.  The division uses a depth of at least ``MIN_DEPTH``, so points at or
            behind the camera (depth <= 0) have finite but meaningless coordinates: mask them by depth.

        Explained in :doc:`/notebooks/explain_depth_weighting`.
        """
        x, y, depth = self.to_camera(points).unbind(-1)
        nearness = depth.clamp(min=MIN_DEPTH).reciprocal()
        return _components(x * nearness, y * nearness), depth

    def project_to_rays(self, points: Tensor, keypoints: Tensor) -> Tensor:
        """The point of each keypoint's viewing ray that is closest to each point (appendix B).

        The ray is taken as a whole line through the camera centre: a point behind the camera lands on the
        line's extension behind it (depth <= 0), so that the map stays linear in the points.

        Args:
            points: (*batch, ..., 3) world points in metres.
            keypoints: (*batch, ..., 2) normalised image coordinates.

        Returns:
            (*batch, ..., 3) world points that project onto ``keypoints``.

        Explained in :doc:`/notebooks/explain_ray_projection`.
        """
        x, y, z = self.to_camera(points).unbind(-1)
        u, v = keypoints.unbind(-1)
        # With k = (u, v, 1): lambda = (k . X_c) / (k . k), and lambda k is the point in camera axes.
        along = (u * x + v * y + z) / (u * u + v * v + 1)
        return self.to_world(_components(along * u, along * v, along))

    def in_frame(self, rotation: Tensor, origin: Tensor) -> Camera:
        """The same camera for moved points ``x' = Q (x - p)``: ``X_c = R (Q^T x' + p) + t``.

        Args:
            rotation: (*batch, 3, 3) the rotation ``Q``.
            origin: (*batch, 3) the point ``p`` that becomes the origin, metres; both as
                :func:`videomdm.features.canonical_frame` gives them.

        Returns:
            A camera that sees ``x'`` where this one sees ``x``.

        Explained in :doc:`/notebooks/explain_features`.
        """
        turned = _rotate(self.rotation[..., None, :, :], rotation).mT
        return Camera(turned, _rotate(self.rotation, origin) + self.translation, validate=False)

    def to(self, *args, **kwargs) -> Camera:
        """The camera with both tensors moved as ``torch.Tensor.to`` moves one (device, dtype)."""
        return Camera(self.rotation.to(*args, **kwargs), self.translation.to(*args, **kwargs), validate=False)

    def __getitem__(self, index) -> Camera:
        """Cameras at ``index`` of the batch: an int, slice, None, index tensor or mask."""
        return Camera(self.rotation[index], self.translation[index], validate=False)

    def __len__(self) -> int:
        if not self.batch_shape:
            raise TypeError("a single camera has no length")
        return self.batch_shape[0]

    def _spread(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Rotation and translation with batch dimensions that broadcast against those of ``points``."""
        extra = points.ndim - 1 - len(self.batch_shape)
        if extra < 0 or points.shape[-1] != 3:
            raise ValueError(
                f"points have shape {tuple(points.shape)}, expected (*batch, ..., 3) "
                f"for cameras of batch {tuple(self.batch_shape)}"
            )
        ones = (1,) * extra
        return (
            self.rotation.reshape(*self.batch_shape, *ones, 3, 3),
            self.translation.reshape(*self.batch_shape, *ones, 3),
        )


def _rotate(rotation: Tensor, points: Tensor) -> Tensor:
    """``R x`` for (..., 3, 3) and (..., 3) that broadcast, one component after the other."""
    x, y, z = points.unbind(-1)
    return _components(*(row[..., 0] * x + row[..., 1] * y + row[..., 2] * z for row in rotation.unbind(-2)))


def _components(*components: Tensor) -> Tensor:
    """Vectors (..., d) from their components (...), which stay side by side in memory: sums over them are fast."""
    return torch.stack(components).movedim(0, -1)


def _check_pose(rotation: Tensor, translation: Tensor) -> None:
    """Raise ValueError for the first camera that is no rigid pose."""
    flat, shifts = rotation.reshape(-1, 3, 3), translation.reshape(-1, 3)
    eye = torch.eye(3, dtype=flat.dtype, device=flat.device)
    deviation = (_rotate(flat[:, None], flat) - eye).abs().amax((-1, -2))
    determinant = (flat[:, 0] * torch.linalg.cross(flat[:, 1], flat[:, 2])).sum(-1)
    good = (deviation < ROTATION_TOLERANCE) & (determinant > 0) & shifts.isfinite().all(-1)
    if good.all():
        return
    i = int((~good).nonzero()[0])
    index = tuple(int(k) for k in np.unravel_index(i, rotation.shape[:-2]))
    where = f"camera {index}" if index else "camera"
    if not flat[i].isfinite().all():
        raise ValueError(f"{where}: rotation is {flat[i].tolist()}, expected finite values")
    if not shifts[i].isfinite().all():
        raise ValueError(f"{where}: translation is {shifts[i].tolist()}, expected finite metres")
    if deviation[i] >= ROTATION_TOLERANCE:
        raise ValueError(
            f"{where}: rotation is not orthonormal, R R^T differs from 1 by {deviation[i]:.3g} "
            f"(determinant {determinant[i]:.3g}), expected less than {ROTATION_TOLERANCE}"
        )
    raise ValueError(f"{where}: rotation has determinant {determinant[i]:.3g}: a reflection, expected +1")


def orbit(
    azimuth: Tensor | float,
    elevation: Tensor | float,
    target: Tensor | Sequence[float],
    distance: Tensor | float,
) -> Camera:
    """A camera on a sphere around ``target``, looking at it, without roll.

    At azimuth 0 it stands on the +Z side and looks towards -Z: it sees the front of a body that faces +Z.
    Azimuth grows towards +X (the body's left), elevation upwards.  For a small displacement (Dx, Dy, Dz) of
    a point at depth d this gives the equations of appendix A with ``theta = -azimuth``, ``phi = -elevation``
    and, since our v points down, ``-dv``.  The depth weights depend on none of these signs.

    Args:
        azimuth: (*batch) radians.
        elevation: (*batch) radians above the horizon; positive looks down from above.
        target: (*batch, 3) metres, the point at the image's centre.
        distance: (*batch) metres from the camera to ``target``.

    Returns:
        Cameras of the broadcast batch, in the dtype and on the device of ``target``.

    Raises:
        ValueError: an argument that is not finite.

    Explained in :doc:`/notebooks/explain_depth_weighting`.
    """
    target = target if isinstance(target, Tensor) else torch.tensor(target, dtype=torch.float32)
    azimuth, elevation, distance = (
        torch.as_tensor(a, dtype=target.dtype, device=target.device) for a in (azimuth, elevation, distance)
    )
    azimuth, elevation, distance, _ = torch.broadcast_tensors(azimuth, elevation, distance, target[..., 0])
    rotation = _look_in(azimuth, elevation)
    translation = -_rotate(rotation, target)
    # target = (0, 0, distance) in camera axes
    translation = torch.cat([translation[..., :2], translation[..., 2:] + distance[..., None]], dim=-1)
    return Camera(rotation, translation)


def _look_in(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Rotation (*batch, 3, 3) of an orbit camera; its rows are the camera's right, down and forward."""
    sin_a, cos_a, sin_e, cos_e = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    right = torch.stack([cos_a, torch.zeros_like(cos_a), -sin_a], dim=-1)
    down = torch.stack([sin_a * sin_e, -cos_e, cos_a * sin_e], dim=-1)
    forward = torch.stack([-sin_a * cos_e, -sin_e, -cos_a * cos_e], dim=-1)
    return torch.stack([right, down, forward], dim=-2)


def sample_orbit(joints: Tensor, lengths: Tensor, generator: torch.Generator | None = None) -> Camera:
    """A random static camera for each clip (appendix C.1).

    Azimuth is uniform on [0, 2 pi), elevation uniform on ``ORBIT_ELEVATION`` (degrees above the horizon).
    The camera looks at the centre of the box around the whole clip and is moved back until the closest joint
    of any frame has a depth of exactly ``ORBIT_MIN_DEPTH``; no joint is then nearer than that in straight
    distance either.

    Args:
        joints: (B, T, J, 3) metres, Y up.
        lengths: (B,) true numbers of frames; later frames are ignored.
        generator: makes the draw reproducible, on any device (numbers are drawn on the generator's device).

    Returns:
        Cameras of batch (B,) in the frame of ``joints``.

    Raises:
        ValueError: a clip without frames, or with joints that are not finite (the message names it).

    Explained in :doc:`/notebooks/explain_depth_weighting`.
    """
    source = generator.device if generator is not None else "cpu"
    draws = torch.rand(2, len(joints), generator=generator, device=source).to(joints)
    low, high = (math.radians(e) for e in ORBIT_ELEVATION)
    azimuth, elevation = 2 * math.pi * draws[0], low + (high - low) * draws[1]

    frames = torch.arange(joints.shape[1], device=joints.device)
    padded = (frames >= lengths.to(joints.device)[:, None])[..., None]  # (B, T, 1), broadcasts over joints
    points = joints.detach()
    lowest = points.masked_fill(padded[..., None], math.inf).amin((1, 2))
    highest = points.masked_fill(padded[..., None], -math.inf).amax((1, 2))
    target = (lowest + highest) / 2  # not finite for an empty clip
    if not target.isfinite().all():
        i = int((~target.isfinite().all(-1)).nonzero()[0])
        raise ValueError(f"clip {i}: {int(lengths[i])} frames with joints centred at {target[i].tolist()}, "
                         "expected at least one frame and finite metres")  # fmt: skip

    forward = _look_in(azimuth, elevation)[:, None, None, 2]  # (B, 1, 1, 3)
    ahead = (forward * (points - target[:, None, None])).sum(-1).masked_fill(padded, math.inf)
    return orbit(azimuth, elevation, target, ORBIT_MIN_DEPTH - ahead.amin((1, 2)))


def estimate_pnp(
    joints: Tensor,
    keypoints: Tensor,
    lengths: Tensor | None = None,
    frames: int = PNP_FRAMES,
    confidence: Tensor | None = None,
) -> Camera:
    """The static camera that best explains 2-D keypoints of given 3-D joints (appendix I).

    EPnP, then Levenberg-Marquardt refinement, both with OpenCV's defaults, on the joints of the first
    ``frames`` frames.  OpenCV solves one clip at a time, so a batch is a loop on the CPU (about 1 ms per
    clip); nothing is differentiable.

    Args:
        joints: (*batch, T, J, 3) metres, any frame; the camera is in this frame.
        keypoints: (*batch, T, J, 2) normalised image coordinates.
        lengths: (*batch) true numbers of frames, where clips are padded.
        frames: number of frames used, fewer where a clip is shorter.
        confidence: (*batch, T, J); joints of confidence 0 are left out.  None uses all.

    Returns:
        Cameras of batch (*batch), in the dtype and on the device of ``joints``.  Judge them with
        :func:`reprojection_error`.

    Raises:
        ValueError: shapes that do not match, values that are not finite, points on one line, or points that
            no camera before them explains; the message names the clip.
    """
    batch = joints.shape[:-3]
    if joints.shape[-1:] != (3,) or keypoints.shape != (*joints.shape[:-1], 2):
        raise ValueError(
            f"joints have shape {tuple(joints.shape)} and keypoints {tuple(keypoints.shape)}, "
            "expected (*batch, T, J, 3) and (*batch, T, J, 2)"
        )
    if lengths is not None:
        lengths = torch.as_tensor(lengths).reshape(batch)
    rotations, translations = [], []
    for index in product(*(range(n) for n in batch)):
        used = frames if lengths is None else min(frames, int(lengths[index]))
        world = joints[index][:used].reshape(-1, 3).detach().double().cpu().numpy()
        image = keypoints[index][:used].reshape(-1, 2).detach().double().cpu().numpy()
        if confidence is not None:
            seen = (confidence[index][:used] > 0).reshape(-1).cpu().numpy()
            world, image = world[seen], image[seen]
        rotation, translation = _solve_pnp(world, image, f"clip {index}" if batch else "clip")
        rotations.append(rotation)
        translations.append(translation)
    return Camera(
        torch.from_numpy(np.array(rotations)).to(joints).reshape(*batch, 3, 3),
        torch.from_numpy(np.array(translations)).to(joints).reshape(*batch, 3),
    )


def _solve_pnp(world: np.ndarray, image: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) for points (n, 3) seen at (n, 2); see :func:`estimate_pnp`."""
    if len(world) < 6:
        raise ValueError(f"{name}: PnP with {len(world)} points, expected at least 6")
    if not (np.isfinite(world).all() and np.isfinite(image).all()):
        raise ValueError(f"{name}: PnP with joints or keypoints that are not finite, expected finite ones")
    # With all points on a line the camera may turn about it freely.
    spread = np.linalg.svd(world - world.mean(0), compute_uv=False)
    if spread[1] <= 1e-4 * spread[0]:
        raise ValueError(f"{name}: PnP with points on one line (singular values {spread}), expected a body")
    found, vector, translation = cv2.solvePnP(world, image, np.eye(3), None, flags=cv2.SOLVEPNP_EPNP)
    if not found:
        raise ValueError(f"{name}: EPnP found no camera for {len(world)} points, expected a body's")
    vector, translation = cv2.solvePnPRefineLM(world, image, np.eye(3), None, vector, translation)
    rotation, translation = cv2.Rodrigues(vector)[0], translation[:, 0]
    nearest = (world @ rotation[2] + translation[2]).min()
    if not nearest > 0:  # NaN fails as well
        raise ValueError(
            f"{name}: PnP found no camera with all joints before it (nearest depth {nearest:.3g} m); "
            "do joints and keypoints belong together?"
        )
    return rotation, translation


def reprojection_error(
    camera: Camera,
    joints: Tensor,
    keypoints: Tensor,
    lengths: Tensor | None = None,
    confidence: Tensor | None = None,
) -> Tensor:
    """Root mean square distance between projected joints and keypoints, per clip.

    Args:
        camera: cameras of batch (*batch).
        joints: (*batch, T, J, 3) metres, in the camera's world frame.
        keypoints: (*batch, T, J, 2) normalised image coordinates.
        lengths: (*batch) true numbers of frames, where clips are padded.
        confidence: (*batch, T, J); joints of confidence 0 are left out.  None counts all.

    Returns:
        (*batch) in normalised image units (times the focal length: pixels); NaN where nothing counts.
    """
    squared = (camera.project(joints)[0] - keypoints).square().sum(-1)  # (*batch, T, J)
    counts = torch.ones_like(squared, dtype=torch.bool) if confidence is None else confidence > 0
    if lengths is not None:
        valid = valid_frames(lengths.to(joints.device), joints.shape[-3])
        counts = counts & valid[..., None]
    return squared.where(counts, 0).sum((-1, -2)).div(counts.sum((-1, -2))).sqrt()
