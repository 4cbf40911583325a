"""The root's path, predicted: a network on top of a lifter's poses that says where they were seen.

Appendix D takes the root's depth from three short bones, frame by frame.  This network sees all joints, how
they move, and the whole clip, and corrects that estimate; so the path is learned, as in lifters that give global
motion (MVLift), and not computed.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videomdm.lifters.lifter import NEAREST, turn_to_axis
from videomdm.storage.checkpoints import load_weights, read_metadata, save_weights

KERNEL = 5  # frames
DILATIONS = (1, 2, 4, 8, 16)  # a frame sees 62 frames to either side, and the mean of the whole clip
MOST = 0.5  # largest correction of the logarithm of the first estimate's depth


class Trajectory(nn.Module):
    """Temporal convolutions over a clip: by how much the depth of a first estimate of the root's path is wrong.

    Poses come in metres, and the image offsets are multiplied by the first estimate's depth, so everything is
    in metres: where the camera stood in training does not matter.  The body's true size stays
    unobservable; what is learned about it is how poses of typical bodies look and move.

    Args:
        n_joints: joints, the root first.
        width: channels.
    """

    def __init__(self, n_joints: int = 22, width: int = 64) -> None:
        super().__init__()
        self.config = {"n_joints": n_joints, "width": width}
        self.embed = nn.Linear(6 * n_joints - 1, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in DILATIONS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation) for dilation in DILATIONS
        )
        self.wholes = nn.ModuleList(nn.Linear(width, width) for _ in DILATIONS)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)  # training starts from the first estimate
        nn.init.zeros_(self.head.bias)

    def forward(self, first: Tensor, pose: Tensor, keypoints: Tensor, confidence: Tensor, inside: Tensor) -> Tensor:
        """The logarithm of the true depth over the first estimate's; for the root's keypoint there is no better.

        Args:
            first: (C, T, 3) a first estimate of the root's path, metres, camera axes.
            pose: (C, T, J, 3) joints minus the root, metres, camera axes.
            keypoints: (C, T, J, 2) normalised image coordinates, missing ones filled in.
            confidence: (C, T, J) in 0..1.
            inside: (C, T) bool, the frames that count; nothing is read from the others.

        Returns:
            (C, T), of no meaning outside.
        """
        present = inside[..., None].to(pose)
        x = self.embed(evidence(first, pose, keypoints, confidence, inside).where(inside[..., None], 0)) * present
        for norm, convolution, whole in zip(self.norms, self.convolutions, self.wholes, strict=True):
            y = norm(x) * present
            mean = y.sum(1, keepdim=True) / present.sum(1, keepdim=True)
            y = convolution(y.transpose(1, 2)).transpose(1, 2) + whole(mean)
            x = (x + F.gelu(y)) * present
        return self.head(self.norm(x))[..., 0]

    def save(self, path: str | Path) -> None:
        """Write weights and sizes to one safetensors file."""
        save_weights(path, self, self.config)

    @classmethod
    def load(cls, path: str | Path) -> Trajectory:
        """Read what :meth:`save` wrote; those that come with the package: :mod:`videomdm.lifters.weight_sets`.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a trajectory network's weights.
        """
        config = read_metadata(path)
        if sorted(config) != sorted(cls().config):
            raise ValueError(f"{path}: metadata {config}, expected the sizes of a trajectory network: {cls().config}")
        network = cls(**config)
        load_weights(path, network)
        return network.eval()


def evidence(first: Tensor, pose: Tensor, keypoints: Tensor, confidence: Tensor, inside: Tensor) -> Tensor:
    """What is seen and how it differs from the pose at the first estimate; arguments as in :class:`Trajectory`.

    Every frame's camera is turned to look at the root.  There a joint at (x, y, z) beside a root at distance r
    is seen at ``(x, y) / (r + z)``.

    Returns:
        (C, T, 6 J - 1): the turned pose and what is seen minus what it predicts (metres at the root's distance)
        of all joints but the root; confidence; the logarithm of the distance that fits all joints best, over
        the first estimate's; the first path's displacement (metres per frame).
    """
    rays = torch.cat([keypoints, torch.ones_like(keypoints[..., :1])], dim=-1)
    turn = turn_to_axis(rays[..., 0, :])
    rays, pose = (rays @ turn.mT)[..., 1:, :], (pose @ turn.mT)[..., 1:, :]
    seen = rays[..., :2] / rays[..., 2:].clamp(min=NEAREST)
    distance = first.norm(dim=-1)[..., None, None]
    difference = seen * distance - pose[..., :2] * distance / (distance + pose[..., 2:]).clamp(min=NEAREST)

    # (x, y) = seen (r + z), least squares over r
    weight = confidence[..., 1:, None]
    fitted = (weight * seen * (pose[..., :2] - seen * pose[..., 2:])).sum((-1, -2))
    fitted = fitted / (weight * seen * seen).sum((-1, -2)).clamp(min=1e-8)
    fitted = (fitted.clamp(min=NEAREST) / distance[..., 0, 0]).log().clamp(-MOST, MOST)[..., None]

    step = F.pad(first.diff(dim=1), (0, 0, 1, 0)) * (inside & inside.roll(1, 1))[..., None].to(first)
    return torch.cat([pose.flatten(-2), difference.flatten(-2), confidence, fitted, step], dim=-1)
