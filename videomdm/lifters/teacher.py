"""The teacher: 3-D motions from 2-D keypoints alone, with the errors that lifters have.

The lifter gives root-centred poses.  There are two teachers, which differ in the root's path:

- ``"bones"``: its depth comes from how long the root's bones look (appendix D), with the lifter's own bones, as
  the paper does with MotionBERT's poses;
- ``"network"``: a network that sees the whole clip predicts it (:class:`videomdm.lifters.trajectory.Trajectory`),
  in the manner of lifters that give global motion (MVLift).

So a teacher's size, depth, jitter and sliding are off as a real lifter's are, and nothing of the true motion is
used.

Where bodies are of the size that the lifter was trained on, the network's path is nearer, drifts less, and its joints
lie on the keypoints.  What remains is mostly body size, which no camera sees: bandai's smaller actor is lifted too
large and, to fit the image, too far away, while the naive depth, too near for its poses, is less wrong there by
chance.

Each has two sets of weights (:mod:`videomdm.lifters.weight_sets`).  How far both come on people whom they never saw
is in ``results/teachers`` and on the page *Teachers*.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.keypoints import fill_missing
from videomdm.cameras.unseen import fill_unseen
from videomdm.conventions import DEFAULT_LIFTER, ROOT_PATHS, STUDY_LIFTER
from videomdm.depth import root_depth
from videomdm.lifters import weight_sets
from videomdm.lifters.augment import swap_sides
from videomdm.lifters.lifter import Lifter
from videomdm.lifters.trajectory import Trajectory
from videomdm.lifters.weight_sets import WeightSet
from videomdm.skeletons.definitions import SMPL22, Skeleton

#: Frames, standard deviation of the gaussian over the root's depth.  On held-out motion capture the acceleration
#: error is 2.4 m/s^2 for the poses alone and 9.4 with frame-by-frame depth; 3 frames give 2.9, 6 give 2.7 but
#: a larger root error.
DEPTH_SMOOTHING = 3.0
NEAREST, FARTHEST = 0.3, 100.0  # metres: plausible depths of a root


def estimate(
    seen: Footage,
    lifter: Lifter | str = DEFAULT_LIFTER,
    smoothing: float = DEPTH_SMOOTHING,
    skeleton: Skeleton = SMPL22,
    batch_size: int = 64,
    progress: bool = True,
    root_path: str | Trajectory = "bones",
    device: torch.device | str = "cpu",
) -> Tensor:
    """3-D motions from 2-D keypoints.

    Args:
        seen: clips' keypoints; what stands past a clip's length or at confidence 0 is not read, fillers take its place
            (:func:`videomdm.cameras.unseen.fill_unseen`).  The cameras only take the result to their worlds, they help
            no estimate.
        lifter: gives root-centred poses: a network, or the name of a set of weights
            (:data:`videomdm.conventions.LIFTERS`).
        smoothing: standard deviation, in frames, of a gaussian over the root's depth (and over the logarithm of
            the network's correction); 0 keeps appendix D's frame-by-frame estimate.
        skeleton: joint layout; its root bones measure depth.
        batch_size: windows of the lifter per batch.
        progress: show a progress bar.
        root_path: which teacher: ``"bones"``, ``"network"`` (that of the same set of weights; beside a lifter of
            one's own that of ``videomdm.conventions.STUDY_LIFTER``), or a network.
        device: where the networks that come with the package compute; others stay where they are.

    Returns:
        (C, T, J, 3) metres in the cameras' world, zero past a clip's length.

    Raises:
        ValueError: shapes that do not fit together, or an unknown teacher.
    """
    named = lifter if isinstance(lifter, str) else STUDY_LIFTER
    network = weight_sets.loaded(lifter)[0].to(device) if isinstance(lifter, str) else lifter
    pose = network.lift(seen.keypoints, seen.confidence, seen.lengths, batch_size, progress)
    bones = getattr(network, "root_bones", None)  # of ElePose, whose poses' own are no measure
    return place(pose, seen, smoothing, skeleton, batch_size, root_path, device, named, bones)


def place(
    pose: Tensor,
    seen: Footage,
    smoothing: float = DEPTH_SMOOTHING,
    skeleton: Skeleton = SMPL22,
    batch_size: int = 64,
    root_path: str | Trajectory = "bones",
    device: torch.device | str = "cpu",
    lifter: str = DEFAULT_LIFTER,
    root_bones: Tensor | None = None,
) -> Tensor:
    """Put a lifter's poses where they were seen; other arguments, result and errors as of :func:`estimate`.

    Args:
        pose: (C, T, J, 3) joints minus the root, metres, camera axes.
        lifter: the set of weights of which ``"network"`` is.
        root_bones: (n,) metres, lengths of the root's bones, by which its depth is found; those of the poses when None.
    """
    network = _network(root_path, lifter, device)
    inside, confidence = seen.valid, seen.weight
    keypoints = fill_unseen(seen.keypoints, confidence, skeleton)
    bones = bone_lengths(pose, inside, skeleton) if root_bones is None else root_bones.to(pose).expand(len(pose), -1)
    path = path_from_bones(keypoints, bones, tells_depth(confidence, skeleton), smoothing, skeleton)
    if network is not None:
        path = _in_batches(network, batch_size, smoothing, path, pose, keypoints, confidence, inside)
    return to_world(pose + path[..., None, :], seen.camera).where(inside[..., None, None], 0)


def bone_lengths(pose: Tensor, inside: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """Lengths (C, n) of the root's bones in poses (C, T, J, 3).

    Medians over the frames ``inside`` (C, T), left and right averaged.
    """
    starts, ends = zip(*skeleton.root_bones, strict=True)
    lengths = (pose[..., ends, :] - pose[..., starts, :]).norm(dim=-1)
    lengths = lengths.masked_fill(~inside[..., None], math.nan).nanmedian(dim=1).values.clamp(min=1e-3)
    other = [ends.index(skeleton.index(swap_sides(skeleton.joints[j]))) for j in ends]
    return (lengths + lengths[..., other]) / 2


def path_from_bones(
    keypoints: Tensor, lengths: Tensor, inside: Tensor, smoothing: float, skeleton: Skeleton = SMPL22
) -> Tensor:
    """The root's path from a 2-D skeleton (appendix D), ``z (u, v, 1)`` with the root's keypoint (u, v).

    Args:
        keypoints: (C, T, J, 2) normalised image coordinates.
        lengths: (C, n) metres of the root's bones.
        inside: (C, T) bool, the frames that tell a depth; others lie between them.
        smoothing: standard deviation in frames of a gaussian over the depth.

    Returns:
        (C, T, 3) metres, camera axes.

    Explained in :doc:`/notebooks/explain_root_depth`.
    """
    depth = root_depth(keypoints, lengths[:, None].expand(*inside.shape, -1), skeleton.root_bones)
    usable = (inside & depth.isfinite()).to(depth)
    depth = fill_missing(depth.where(usable > 0, 0)[..., None, None], usable[..., None])[..., 0, 0]
    depth = smooth(depth.clamp(NEAREST, FARTHEST), inside, smoothing)
    image = keypoints[..., 0, :]
    return depth[..., None] * torch.cat([image, torch.ones_like(image[..., :1])], dim=-1)


def tells_depth(confidence: Tensor, skeleton: Skeleton) -> Tensor:
    """Frames (C, T) that saw the root's bones; all in which anybody was seen where a clip has none of the former."""
    bones = sorted({joint for bone in skeleton.root_bones for joint in bone})
    seen = confidence > 0
    tells = seen[..., bones].all(-1)
    return tells.where(tells.any(1, keepdim=True), seen.any(-1))


def corrected_path(
    network: Trajectory,
    first: Tensor,
    pose: Tensor,
    keypoints: Tensor,
    confidence: Tensor,
    inside: Tensor,
    smoothing: float = DEPTH_SMOOTHING,
) -> Tensor:
    """A first estimate of the root's path (C, T, 3), moved along its rays as the network says.

    Arguments as in :meth:`videomdm.lifters.trajectory.Trajectory.forward`; ``smoothing`` as in :func:`estimate`.
    """
    factor = smooth(network(first, pose, keypoints, confidence, inside), inside, smoothing)
    return first * factor.exp()[..., None]


def smooth(values: Tensor, inside: Tensor, deviation: float) -> Tensor:
    """Gaussian average over time of ``values`` (C, T), over the frames ``inside`` (C, T) only.

    A frame with none of these within three deviations, whose average would come to 0 / 0, lies on a straight line
    between those that have some; past the last one it is held.
    """
    if deviation == 0:
        return values
    reach = math.ceil(6 * deviation)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1).to(values) / deviation) ** 2)[None, None]
    weight = inside.to(values)
    total, weights = (torch.conv1d(x[:, None], kernel, padding=reach)[:, 0] for x in (values * weight, weight))
    average, near = total / weights.clamp(min=1e-6), weights >= math.exp(-4.5)
    return fill_missing(average[..., None, None], near[..., None])[..., 0, 0]


def to_world(joints: Tensor, camera: Camera) -> Tensor:
    """Joints (C, T, J, 3) in camera axes to the camera's world, ``X = R^T (X_c - t)``."""
    return (joints - camera.translation[:, None, None]) @ camera.rotation[:, None]


def version(root_path: str = "bones", lifter: str | WeightSet = DEFAULT_LIFTER) -> str:
    """Changes whenever a teacher that comes with the package would answer differently; for cache names."""
    weights = weight_sets.SETS[lifter] if isinstance(lifter, str) else lifter
    bones = f"{weights.digest('lifter')}-s{DEPTH_SMOOTHING:g}"
    return bones if root_path == "bones" else f"{bones}-{root_path}-{weights.digest('trajectory')}"


def _network(root_path: str | Trajectory, lifter: str, device: torch.device | str) -> Trajectory | None:
    """The network that corrects appendix D's path, if there is one."""
    if not isinstance(root_path, str):
        return root_path
    if root_path not in ROOT_PATHS:
        raise ValueError(f"root_path is {root_path!r}, expected one of {', '.join(ROOT_PATHS)}")
    return weight_sets.loaded(lifter)[1].to(device) if root_path == "network" else None


@torch.no_grad()
def _in_batches(network: Trajectory, batch_size: int, smoothing: float, *seen: Tensor) -> Tensor:
    """:func:`corrected_path`, in batches of clips on the device of the weights."""
    device = network.head.weight.device
    batches = zip(*(x.split(batch_size) for x in seen), strict=True)
    paths = [corrected_path(network, *(x.to(device) for x in batch), smoothing) for batch in batches]
    return torch.cat(paths).to(seen[0])
