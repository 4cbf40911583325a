"""A lifting network whose tokens are whole frames: a transformer over time.

A token of :class:`videomdm.lifters.dstformer.DSTformer` is one joint at one frame, so each weight is used 22 times a
frame.  Here it is used once: on a processor a network of five times the weights learns from a frame in a sixth of the
time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videomdm.lifters.dstformer import MLP, NORM_EPS, Attention


class FrameBlock(nn.Module):
    """A pre-norm transformer layer over the frames of a window."""

    def __init__(self, width: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=NORM_EPS), nn.LayerNorm(width, eps=NORM_EPS)
        self.attention, self.mlp = Attention(width, n_heads), MLP(width, hidden)

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        x = x + self.attention(self.norm1(x), attend)
        return x + self.mlp(self.norm2(x))


class FrameTransformer(nn.Module):
    """Keypoints of a window of frames to joints, every frame one token.

    Args:
        n_joints: joints per frame.
        max_frames: longest window; shorter ones use the first rows of the temporal embedding.
        width: token width.
        depth: number of layers.
        n_heads: attention heads; divides ``width``.
    """

    def __init__(self, n_joints: int, max_frames: int, width: int, depth: int, n_heads: int) -> None:
        super().__init__()
        if width % n_heads:
            raise ValueError(f"n_heads is {n_heads}, expected a divisor of the width {width}")
        self.embed = nn.Linear(3 * n_joints, width)
        self.temp_embed = nn.Parameter(torch.zeros(1, max_frames, width))
        self.blocks = nn.ModuleList(FrameBlock(width, n_heads, 2 * width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.head = nn.Linear(width, 3 * n_joints)
        nn.init.trunc_normal_(self.temp_embed, std=0.02)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor, valid: Tensor) -> Tensor:
        """Joints (B, T, J, 3) from keypoints with confidence (B, T, J, 3) and the frames ``valid`` (B, T)."""
        attend = None if bool(valid.all()) else valid[:, None, None]
        x = self.embed(inputs.flatten(-2)) + self.temp_embed[:, : inputs.shape[1]]
        for block in self.blocks:
            x = block(x, attend)
        return self.head(self.norm(x)).view_as(inputs)
