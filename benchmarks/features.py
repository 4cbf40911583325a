"""HumanML3D's channels: the whole corpus at once against clip by clip, joint by joint in numpy.

The clip-by-clip version does what is published for this data set: another body, floor, origin and heading, then
inverse kinematics along five chains and the channels.  Frames are vectorised in it, joints are not.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from benchmarks import synthetic, timing
from benchmarks.timing import Metrics, Work
from videomdm import features
from videomdm.config import Config
from videomdm.features.channels import HEADING_SIGMA
from videomdm.skeletons import SMPL22
from videomdm.skeletons.kinematics import rest_offsets
from videomdm.train.trainer import keep_memory

FACE = SMPL22.face_indices
Y = np.array([0.0, 1.0, 0.0])


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Quaternions (T, 4) of the shortest rotations from (T, 3) to (T, 3)."""
    axis = np.cross(start, end)
    w = np.sqrt((start**2).sum(-1) * (end**2).sum(-1)) + (start * end).sum(-1)
    quaternion = np.concatenate([w[:, None], axis], axis=-1)
    return quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)


def _multiply(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    w = p[:, :1] * q[:, :1] - (p[:, 1:] * q[:, 1:]).sum(-1, keepdims=True)
    return np.concatenate([w, p[:, :1] * q[:, 1:] + q[:, :1] * p[:, 1:] + np.cross(p[:, 1:], q[:, 1:])], axis=-1)


def _inverse(q: np.ndarray) -> np.ndarray:
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def _turn(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    cross = np.cross(q[:, 1:], v)
    return v + 2 * (q[:, :1] * cross + np.cross(q[:, 1:], cross))


def _headings(joints: np.ndarray, swapped: bool) -> np.ndarray:
    """Unit forward directions (T, 3); ``swapped`` lets the hips count backwards, as the channels have it."""
    right_hip, left_hip, right_shoulder, left_shoulder = (joints[:, j] for j in FACE)
    hips = left_hip - right_hip if swapped else right_hip - left_hip
    across = hips + right_shoulder - left_shoulder
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    forward = np.cross(Y[None], across)
    if swapped:
        forward = gaussian_filter1d(forward, HEADING_SIGMA, axis=0, mode="nearest")
    return forward / np.linalg.norm(forward, axis=-1, keepdims=True)


def _rotations(joints: np.ndarray, roots: np.ndarray) -> list[np.ndarray]:
    """Local rotations (T, 4) of all joints, along the chains, in the data set's manner."""
    rotations = [roots] + [None] * 21
    rest = np.array(SMPL22.rest_directions)
    for chain in SMPL22.chains:
        before = roots
        for parent, joint in zip(chain[:-1], chain[1:], strict=True):
            bone = joints[:, joint] - joints[:, parent]
            bone = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
            whole = _between(np.repeat(rest[joint][None], len(bone), axis=0), bone)
            rotations[joint] = _multiply(_inverse(before), whole)
            before = _multiply(before, rotations[joint])
    return rotations


def _other_body(joints: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The same bone directions with another body's lengths, the root's path scaled by the legs."""
    legs = [5, 8]
    old = sum(np.linalg.norm(joints[0, j] - joints[0, SMPL22.parents[j]]) for j in legs)
    scale = sum(np.linalg.norm(offsets[j]) for j in legs) / old
    rotations = _rotations(
        joints, _between(_headings(joints, False), np.repeat([[0.0, 0.0, 1.0]], len(joints), axis=0))
    )
    result = np.zeros_like(joints)
    result[:, 0] = joints[:, 0] * scale
    for chain in SMPL22.chains:
        whole = rotations[0]
        for parent, joint in zip(chain[:-1], chain[1:], strict=True):
            whole = _multiply(whole, rotations[joint])
            result[:, joint] = result[:, parent] + _turn(whole, np.repeat(offsets[joint][None], len(joints), axis=0))
    return result


def clip_features(joints: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Features (T - 1, 263) of one clip (T, 22, 3) in float64."""
    joints = _other_body(joints, offsets)
    joints = joints - np.array([joints[0, 0, 0], joints[..., 1].min(), joints[0, 0, 2]])
    ahead = np.repeat([[0.0, 0.0, 1.0]], len(joints), axis=0)
    start = np.repeat(_between(_headings(joints[:1], False), ahead[:1]), len(joints), axis=0)
    joints = np.stack([_turn(start, joints[:, j]) for j in range(22)], axis=1)

    forward = _headings(joints, True)
    forward[0] = ahead[0]
    roots = _between(forward, ahead)
    matrices = []
    for rotation in _rotations(joints, roots)[1:]:
        matrices += [_turn(rotation, np.repeat(np.eye(3)[k : k + 1], len(joints), axis=0)) for k in (0, 1)]
    step = joints[1:] - joints[:-1]
    turns = _multiply(roots[1:], _inverse(roots[:-1]))
    path = _turn(roots[1:], step[:, 0])
    here = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    places = [_turn(roots, here[:, j]) for j in range(1, 22)]
    velocities = [_turn(roots[:-1], step[:, j]) for j in range(22)]
    contacts = [((step[:, j] ** 2).sum(-1) < 0.002)[:, None] for j in (*_feet("left"), *_feet("right"))]
    return np.concatenate(
        [
            np.arcsin(turns[:, 2:3]), path[:, [0, 2]], joints[:-1, 0, 1:2], *(p[:-1] for p in places),
            *(m[:-1] for m in matrices), *velocities, *contacts,
        ],
        axis=-1,
    )  # fmt: skip


def _feet(side: str) -> list[int]:
    return [SMPL22.index(name) for name in getattr(SMPL22, f"{side}_feet")]


def batch_features(joints: Tensor, offsets: Tensor) -> Tensor:
    """The package's own, for any number of clips."""
    return features.encode(features.canonicalise(joints, SMPL22, offsets), SMPL22)


def run(config: Config, results: Path, repeats: int, n: int) -> Path:
    """``n`` clips of full length; seconds and the floor are per clip."""
    began = time.monotonic()
    keep_memory()
    joints = synthetic.motions(n, config.data.max_frames + 1)
    offsets = rest_offsets(synthetic.motions(1, 1)[0, 0])
    there = joints.to(timing.device())
    one = joints[:8].double().numpy()
    compiled = torch.compile(batch_features, dynamic=False)
    compiling = timing.seconds(lambda: compiled(there, offsets.to(there)))
    compared = {
        "baseline": lambda: [clip_features(clip, offsets.double().numpy()) for clip in one],
        "batched": lambda: batch_features(there, offsets.to(there)),
        "compiled": lambda: compiled(there, offsets.to(there)),
    }
    sizes = {"baseline": len(one), "batched": n, "compiled": n}
    times = timing.paired(compared, repeats)
    times = {name: [t / sizes[name] for t in values] for name, values in times.items()}
    values = config.data.max_frames * (66 + 263)
    metrics: Metrics = {
        "clips": n,
        "compile_seconds": compiling,
        **timing.summary("clip", times, Work(bytes=4 * values)),
    }
    metrics["difference"] = float(
        np.abs(clip_features(one[0], offsets.double().numpy()) - batch_features(joints[:1], offsets)[0].numpy()).max()
    )
    return timing.write(results, f"features-{n}", config, metrics, began)
