"""How likely a 2-D pose is: ElePose's normalising flow (Wandt et al. 2022), learned from keypoints alone.

Poses are reduced to their principal components, and a chain of affine coupling blocks (FrEIA) maps those to a normal
distribution.  It needs the extra ``elepose``.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from videomdm.conventions import DataError
from videomdm.storage import checkpoints

FLOW_WEIGHTS = Path(__file__).parent / "weights" / "elepose_flow.safetensors"  # of the NBA-like built-in corpus


class PoseFlow(nn.Module):
    """A density over hip-centred 2-D poses.

    Args:
        n_joints: keypoints of a pose, the root first; the root lies at the origin and has no density.
        n_components: principal components that are kept.
        n_blocks: affine coupling blocks.
        width: hidden units of a block's network.
    """

    def __init__(self, n_joints: int = 16, n_components: int = 26, n_blocks: int = 8, width: int = 1024) -> None:
        super().__init__()
        self.sizes = {"n_joints": n_joints, "n_components": n_components, "n_blocks": n_blocks, "width": width}
        inputs = 2 * (n_joints - 1)
        if not 2 <= n_components <= inputs:
            raise ValueError(f"n_components is {n_components}, expected 2..{inputs} for {n_joints} joints")
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("components", torch.eye(inputs, n_components))  # divided by their deviations
        self.register_buffer("log_scale", torch.zeros(()))
        self.blocks = _coupling_blocks(n_components, n_blocks, width)

    @torch.no_grad()
    def fit_components(self, poses: Tensor) -> float:
        """Set mean and principal components from poses (N, J, 2); the share of the variance that they keep."""
        values = poses[:, 1:].flatten(1).double()
        self.mean.copy_(values.mean(0))
        variance, directions = torch.linalg.eigh(torch.cov(values.mT))
        kept = len(self.components[0])
        deviation = variance[-kept:].clamp(min=1e-12).sqrt()
        self.components.copy_(directions[:, -kept:] / deviation)
        self.log_scale.copy_(-deviation.log().sum())
        return float(variance[-kept:].sum() / variance.sum())

    def forward(self, poses: Tensor) -> Tensor:
        """Logarithm of the density (B,) of poses (B, J, 2), over the space of the principal components."""
        z, log_determinant = self.blocks((poses[:, 1:].flatten(1) - self.mean) @ self.components)
        normal = -0.5 * z.square().sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
        return normal + log_determinant + self.log_scale

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """``n`` poses (n, J, 2), of the components that are kept."""
        z = torch.randn(n, self.components.shape[1], generator=generator)
        components, _ = self.blocks(z.to(self.mean), rev=True)
        values = components @ torch.linalg.pinv(self.components) + self.mean
        return nn.functional.pad(values.unflatten(1, (-1, 2)), (0, 0, 1, 0))

    def save(self, path: str | Path) -> None:
        """Write weights and sizes to one safetensors file."""
        checkpoints.save_weights(path, self, {"pose_flow": self.sizes})

    @classmethod
    def load(cls, path: str | Path = FLOW_WEIGHTS) -> PoseFlow:
        """Read what :meth:`save` wrote, by default the weights that come with the package.

        Raises:
            FileNotFoundError: no such file.
            DataError: not such a file.
        """
        try:
            flow = cls(**checkpoints.read_metadata(path)["pose_flow"])
            checkpoints.load_weights(path, flow)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: {error}; expected a pose flow's safetensors file") from error
        return flow.eval()


def _coupling_blocks(n_channels: int, n_blocks: int, width: int) -> nn.Module:
    """The blocks, with rotations between them that torch's generator draws (FrEIA's come from numpy's global one)."""
    try:
        from FrEIA.framework import SequenceINN
        from FrEIA.modules import AllInOneBlock
    except ImportError as error:
        raise ImportError("ElePose's flow needs FrEIA: pip install 'videomdm[elepose]'") from error

    def subnet(n_in: int, n_out: int) -> nn.Module:
        return nn.Sequential(nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, n_out))

    blocks = SequenceINN(n_channels)
    for _ in range(n_blocks):
        blocks.append(AllInOneBlock, subnet_constructor=subnet, permute_soft=False)
        rotation = nn.init.orthogonal_(torch.empty(n_channels, n_channels))
        blocks[-1].w_perm.data.copy_(rotation)
        blocks[-1].w_perm_inv.data.copy_(rotation.mT)
    return blocks
