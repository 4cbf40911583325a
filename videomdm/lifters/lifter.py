"""The project's own small lifter: keypoints of a clip of any length to root-centred 3-D poses."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videomdm.cameras.unseen import fill_unseen
from videomdm.lifters.dstformer import DSTformer
from videomdm.lifters.frames import FrameTransformer
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.padding import triangle, valid_frames
from videomdm.storage.checkpoints import load_weights, read_metadata, save_weights
from videomdm.storage.progress import Bar

EXTENT = 0.46  # metres: about the root mean square distance of joints from the root across the view
TOKENS = ("joints", "frames")
NEAREST = 0.1  # smallest depth of a turned ray: far outliers stay finite


class Lifter(nn.Module):
    """A network of poses without place and size, on windows that overlap.

    What the network sees of a window (see :func:`normalise`) does not change when the camera turns or,
    perspective aside, when the person comes nearer.  So size is not observable and poses come out at the size
    of the bodies it was trained on, as with any monocular lifter.

    Args:
        n_joints: joints, the root first.
        window: frames that the network sees at once; clips are covered by windows that overlap by half.
        width, depth, n_heads: sizes of the network.
        tokens: what a token of the network is, a joint at a frame
            (:class:`~videomdm.lifters.dstformer.DSTformer`) or a frame
            (:class:`~videomdm.lifters.frames.FrameTransformer`): "joints" or "frames".
        averaged: :meth:`lift` averages more readings of every frame, those of the keypoints' mirror image and of
            windows that overlap by three quarters instead of half, at four times the cost.

    Raises:
        ValueError: other tokens, or an averaged one of another layout than SMPL's 22 joints, whose sides are not known.
    """

    def __init__(
        self, n_joints: int = 22, window: int = 32, width: int = 64, depth: int = 3, n_heads: int = 4,
        tokens: str = "joints", averaged: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if tokens not in TOKENS:
            raise ValueError(f"tokens are {tokens!r}, expected one of {', '.join(TOKENS)}")
        if averaged and n_joints != len(SMPL22):
            raise ValueError(f"averaged with {n_joints} joints, expected the {len(SMPL22)} of {SMPL22.name}")
        self.config = {
            "n_joints": n_joints,
            "window": window,
            "width": width,
            "depth": depth,
            "n_heads": n_heads,
            "tokens": tokens,
            "averaged": averaged,
        }
        self.window = window
        if tokens == "frames":
            self.network = FrameTransformer(n_joints, window, width, depth, n_heads)
        else:
            self.network = DSTformer(n_joints, window, width, width, depth, n_heads)

    def forward(self, keypoints: Tensor, confidence: Tensor, valid: Tensor | None = None) -> Tensor:
        """Lift windows.

        Args:
            keypoints: (B, T, J, 2) normalised image coordinates, T at most ``window``.
            confidence: (B, T, J) in 0..1.
            valid: (B, T) bool, false at padded frames; all frames when None.

        Returns:
            (B, T, J, 3) joints minus the root, metres, camera axes (x right, y down, z forward).
        """
        if valid is None:
            valid = torch.ones_like(confidence[..., 0], dtype=torch.bool)
        inputs, turn = normalise(keypoints, confidence, valid)
        pose = self.network(inputs, valid)
        # What is seen is nearly x and y; the network adds depth and corrects perspective and size.
        pose = pose + F.pad(EXTENT * inputs[..., :2], (0, 1))
        pose = torch.cat([torch.zeros_like(pose[:, :, :1]), pose[:, :, 1:]], dim=2)
        return pose @ turn  # rows times the turn: back from the turned camera

    @torch.no_grad()
    def lift(
        self,
        keypoints: Tensor,
        confidence: Tensor,
        lengths: Tensor,
        batch_size: int = 64,
        progress: bool = False,
    ) -> Tensor:
        """Lift clips of any length, in batches of windows, on the device of the weights.

        Where windows overlap their poses are averaged, each with a weight that falls to its borders.  So are, if the
        lifter is so made, the poses of the keypoints and of their mirror image.

        Args:
            keypoints: (C, T, J, 2) normalised image coordinates; what lies past a clip's length is not read.
            confidence: (C, T, J) in 0..1; what stands at confidence 0 is not read, fillers take its place
                (:func:`videomdm.cameras.unseen.fill_unseen`).
            lengths: (C,) frames.
            batch_size: windows per batch.
            progress: show a progress bar.

        Returns:
            (C, T, J, 3) as in ``forward``, zero past a clip's length, on the device of ``keypoints``.

        Raises:
            ValueError: shapes that do not fit together.
        """
        _check(keypoints, confidence, lengths, self.config["n_joints"])
        poses = self._lift(keypoints, confidence, lengths, batch_size, progress)
        if not self.config["averaged"]:
            return poses
        sides = list(SMPL22.mirrored)
        seen = keypoints[:, :, sides] * keypoints.new_tensor([-1.0, 1.0])
        others = self._lift(seen, confidence[:, :, sides], lengths, batch_size, progress)
        return (poses + others[:, :, sides] * poses.new_tensor([-1.0, 1.0, 1.0])) / 2

    def _lift(self, keypoints: Tensor, confidence: Tensor, lengths: Tensor, batch_size: int, progress: bool) -> Tensor:
        frames = keypoints.shape[1]
        inside = valid_frames(lengths, frames)
        confidence = confidence * inside[..., None].to(confidence)
        keypoints = fill_unseen(keypoints, confidence, SMPL22 if self.config["n_joints"] == len(SMPL22) else None)
        stride = self.window // (4 if self.config["averaged"] else 2)
        clips, index, valid, weight = (
            x.to(keypoints.device) for x in covering_windows(lengths.tolist(), self.window, stride)
        )

        total = keypoints.new_zeros(*keypoints.shape[:3], 3)
        weights = keypoints.new_zeros(keypoints.shape[:2])
        device = self.network.temp_embed.device
        for batch in Bar(torch.arange(len(clips)).split(batch_size), desc="lift", disable=not progress, delay=2):
            batch = batch.to(keypoints.device)
            where = clips[batch, None].expand_as(index[batch]), index[batch]
            seen = keypoints[where], confidence[where], valid[batch]
            poses = self(*(x.to(device) for x in seen)).to(total)
            total.index_put_(where, poses * weight[batch, :, None, None].to(total), accumulate=True)
            weights.index_put_(where, weight[batch].to(weights), accumulate=True)
        return total / weights.clamp(min=1e-6)[..., None, None]

    def save(self, path: str | Path) -> None:
        """Write weights and sizes to one safetensors file."""
        save_weights(path, self, self.config)

    @classmethod
    def load(cls, path: str | Path) -> Lifter:
        """Read what :meth:`save` wrote; those that come with the package: :mod:`videomdm.lifters.weight_sets`.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a lifter's weights.
        """
        # Files of before there was a choice do not say.
        config = {"tokens": "joints", "averaged": False, **read_metadata(path)}
        if sorted(config) != sorted(cls().config):
            raise ValueError(f"{path}: metadata {config}, expected the sizes of a lifter: {cls().config}")
        lifter = cls(**config)
        load_weights(path, lifter)
        return lifter.eval()


def normalise(keypoints: Tensor, confidence: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """What the network sees of a window, and the turn that leads back.

    In every frame the camera is turned to look at the root keypoint; this is exact, as turning a camera
    needs no depth.  Turned keypoints are divided by the window's size, the median over valid frames of their
    confidence-weighted root mean square.  The root's own channels, zero after the turn, hold its image path
    instead (relative to the window's mean, in the same unit): which way a person walks tells where they face.

    Args:
        keypoints: (B, T, J, 2) normalised image coordinates.
        confidence: (B, T, J).
        valid: (B, T) bool; padded frames influence nothing.

    Returns:
        (B, T, J, 3) turned and scaled keypoints and confidence, and the turns (B, T, 3, 3) from the camera's
        axes to the turned camera's.
    """
    rays = torch.cat([keypoints, torch.ones_like(keypoints[..., :1])], dim=-1)
    turn = turn_to_axis(rays[..., 0, :])
    rays = rays @ turn.transpose(-1, -2)
    flat = rays[..., :2] / rays[..., 2:].clamp(min=NEAREST)

    weight = confidence.clamp(min=1e-6) * valid[..., None]
    square = (weight * flat.square().sum(-1)).sum(-1) / weight.sum(-1).clamp(min=1e-6)
    size = square.sqrt().masked_fill(~valid, float("nan")).nanmedian(dim=1).values.clamp(min=1e-4)

    inside = valid[..., None].to(flat)
    path = keypoints[:, :, 0] * inside
    path = (path - path.sum(1, keepdim=True) / inside.sum(1, keepdim=True)) * inside
    flat = torch.cat([path[:, :, None], flat[:, :, 1:]], dim=2) / size[:, None, None, None]
    return torch.cat([flat, confidence[..., None]], dim=-1), turn


def turn_to_axis(direction: Tensor) -> Tensor:
    """The smallest rotation (..., 3, 3) that takes ``direction`` (..., 3), with positive z, to +Z."""
    x, y, z = (direction / direction.norm(dim=-1, keepdim=True)).unbind(-1)
    k = 1 / (1 + z)
    rows = [1 - k * x * x, -k * x * y, -x, -k * x * y, 1 - k * y * y, -y, x, y, z]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def covering_windows(lengths: list[int], window: int, stride: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Windows that cover clips, at most ``stride`` frames apart.

    Returns:
        Clip (N,), frame indices, validity and averaging weights (N, window).
    """
    clips, starts = [], []
    for clip, length in enumerate(lengths):
        n = 1 if length <= window else -(-(length - window) // stride) + 1
        clips += [clip] * n
        starts += torch.linspace(0, max(length - window, 0), n).round().long().tolist()
    clip, last = torch.tensor(clips), torch.tensor(lengths)[clips][:, None] - 1
    index = torch.tensor(starts)[:, None] + torch.arange(window)
    valid = index <= last
    return clip, index.minimum(last), valid, triangle(window) * valid


def _check(keypoints: Tensor, confidence: Tensor, lengths: Tensor, n_joints: int) -> None:
    shape = tuple(keypoints.shape)
    if len(shape) != 4 or shape[2:] != (n_joints, 2):
        raise ValueError(f"keypoints have shape {shape}, expected (clips, frames, {n_joints}, 2)")
    if tuple(confidence.shape) != shape[:3]:
        raise ValueError(f"confidence has shape {tuple(confidence.shape)}, expected {shape[:3]}")
    if tuple(lengths.shape) != shape[:1] or lengths.min() < 1 or lengths.max() > shape[1]:
        raise ValueError(f"lengths are {lengths.tolist()[:8]}, expected {shape[0]} values in 1..{shape[1]}")
