"""DSTformer, the network of MotionBERT: 2-D keypoint sequences to 3-D joints, with two streams of attention.

A token is one joint at one frame.  Every layer runs two blocks side by side: one attends over the joints
of a frame and then over a joint's frames, the other in the opposite order; a softmax per token decides how
much of each goes on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videomdm.storage.checkpoints import load_tensors, read_tensors

NORM_EPS = 1e-6  # MotionBERT's; torch's default is 1e-5

# An official checkpoint also stores its best error as a numpy scalar: these build one, and nothing else.
_NUMPY_SCALAR = [(np._core.multiarray.scalar, "numpy.core.multiarray.scalar"), np._core.multiarray.scalar]
_NUMPY_SCALAR += [np.dtype, type(np.dtype("float64")), type(np.dtype("float32"))]


class Attention(nn.Module):
    """Multi-head self-attention over the second-last axis of (N, L, width)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, attend: Tensor | None = None) -> Tensor:
        """``attend`` (N, 1, 1, L) is true at the tokens that may be looked at."""
        n, length, width = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, self.n_heads, width // self.n_heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=attend)
        return self.proj(x.transpose(1, 2).reshape(n, length, width))


class MLP(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A spatial and a temporal pre-norm transformer layer, in the order that ``spatial_first`` says."""

    def __init__(self, width: int, n_heads: int, hidden: int, spatial_first: bool) -> None:
        super().__init__()
        self.spatial_first = spatial_first
        for axis in "st":
            self.add_module(f"norm1_{axis}", nn.LayerNorm(width, eps=NORM_EPS))
            self.add_module(f"attn_{axis}", Attention(width, n_heads))
            self.add_module(f"norm2_{axis}", nn.LayerNorm(width, eps=NORM_EPS))
            self.add_module(f"mlp_{axis}", MLP(width, hidden))

    def spatial(self, x: Tensor) -> Tensor:
        x = x + self.attn_s(self.norm1_s(x).flatten(0, 1)).view_as(x)
        return x + self.mlp_s(self.norm2_s(x))

    def temporal(self, x: Tensor, attend: Tensor | None) -> Tensor:
        by_joint = self.norm1_t(x).transpose(1, 2)  # (B, J, T, width)
        attended = self.attn_t(by_joint.flatten(0, 1), attend).view_as(by_joint)
        x = x + attended.transpose(1, 2)
        return x + self.mlp_t(self.norm2_t(x))

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        if self.spatial_first:
            return self.temporal(self.spatial(x), attend)
        return self.spatial(self.temporal(x, attend))


class DSTformer(nn.Module):
    """Dual-stream spatio-temporal transformer (Zhu et al., MotionBERT, 2023).

    The defaults are the full model of the public checkpoint, 42,466,317 parameters in 260 tensors.  Modules
    are named as there.

    Args:
        n_joints: joints per frame.
        max_frames: longest clip; shorter ones use the first rows of the temporal embedding.
        width: token width.
        representation: width of the motion representation (linear + tanh) before the head.
        depth: number of layers, each with two blocks.
        n_heads: attention heads; divides ``width``.
        hidden: hidden width of the MLPs, twice ``width`` when None.
        in_channels: channels of a keypoint (u, v, confidence).
        out_channels: channels of a joint.
    """

    def __init__(
        self,
        n_joints: int = 17,
        max_frames: int = 243,
        width: int = 512,
        representation: int = 512,
        depth: int = 5,
        n_heads: int = 8,
        hidden: int | None = None,
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        if width % n_heads:
            raise ValueError(f"n_heads is {n_heads}, expected a divisor of the width {width}")
        hidden = hidden or 2 * width
        self.joints_embed = nn.Linear(in_channels, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, n_joints, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, max_frames, 1, width))
        self.blocks_st = nn.ModuleList(Block(width, n_heads, hidden, True) for _ in range(depth))
        self.blocks_ts = nn.ModuleList(Block(width, n_heads, hidden, False) for _ in range(depth))
        self.ts_attn = nn.ModuleList(nn.Linear(2 * width, 2) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.pre_logits = nn.ModuleDict({"fc": nn.Linear(width, representation)})
        self.head = nn.Linear(representation, out_channels)
        self._initialise()

    def _initialise(self) -> None:
        deviation = 0.02 * (512 / self.pos_embed.shape[-1]) ** 0.5  # 0.02 as MotionBERT
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=deviation)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.pos_embed, std=deviation)
        nn.init.trunc_normal_(self.temp_embed, std=deviation)
        for fuse in self.ts_attn:  # both streams count the same at the start
            nn.init.zeros_(fuse.weight)
            nn.init.constant_(fuse.bias, 0.5)

    def represent(self, keypoints: Tensor, valid: Tensor | None = None) -> Tensor:
        """The motion representation (B, T, J, representation); arguments as in ``forward``."""
        batch, frames, joints, _ = keypoints.shape
        n_joints, max_frames = self.pos_embed.shape[1], self.temp_embed.shape[1]
        if joints != n_joints or frames > max_frames:
            expected = f"(batch, at most {max_frames}, {n_joints}, {self.joints_embed.in_features})"
            raise ValueError(f"keypoints have shape {tuple(keypoints.shape)}, expected {expected}")
        attend = None
        if valid is not None:  # one row per joint's sequence: (B J, 1, 1, T)
            attend = valid[:, None].expand(batch, joints, frames).reshape(batch * joints, 1, 1, frames)

        x = self.joints_embed(keypoints) + self.pos_embed + self.temp_embed[:, :frames]
        for st, ts, fuse in zip(self.blocks_st, self.blocks_ts, self.ts_attn, strict=True):
            x_st, x_ts = st(x, attend), ts(x, attend)
            share = fuse(torch.cat([x_st, x_ts], dim=-1)).softmax(dim=-1)
            x = share[..., :1] * x_st + share[..., 1:] * x_ts
        return self.pre_logits["fc"](self.norm(x)).tanh()

    def forward(self, keypoints: Tensor, valid: Tensor | None = None) -> Tensor:
        """Lift keypoints.

        Args:
            keypoints: (B, T, J, in_channels), T at most ``max_frames``.
            valid: (B, T) bool, false at padded frames, which no frame then attends to; all frames when None.

        Returns:
            (B, T, J, out_channels).

        Raises:
            ValueError: wrong joint count or more than ``max_frames`` frames.
        """
        return self.head(self.represent(keypoints, valid))


def load_motionbert_checkpoint(path: str | Path, n_heads: int = 8) -> DSTformer:
    """Read an official MotionBERT checkpoint of 3-D pose (``model_pos``, keys prefixed ``module.``).

    Sizes are read from the tensors; no pickled code is executed.

    Args:
        path: the checkpoint file.
        n_heads: attention heads, which no tensor tells.

    Returns:
        The model in evaluation mode: keypoints (B, T, 17, 3), u, v and confidence normalised as MotionBERT
        does, in Human3.6M's order (``skeletons.H36M17``) -> joints (B, T, 17, 3) in the same unit.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a checkpoint, or one that asks to run code.
    """
    with torch.serialization.safe_globals(_NUMPY_SCALAR):
        checkpoint = read_tensors(path)
    weights = checkpoint.get("model_pos")
    if not isinstance(weights, dict):
        raise ValueError(f"{path}: found {_names(checkpoint)}, expected the weights under 'model_pos'")
    prefix = "module." if any(name.startswith("module.") for name in weights) else ""
    try:
        model = DSTformer(**_sizes(weights, prefix), n_heads=n_heads)
    except (ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"{path}: {error}; expected DSTformer's tensors, found {_names(weights)}") from error
    load_tensors(model, weights, str(path), lambda name: prefix + name)
    return model.eval()


def _names(entries: dict) -> str:
    return ", ".join(sorted(map(str, entries))[:5]) or "nothing"


def _sizes(weights: dict[str, Tensor], prefix: str) -> dict[str, int]:
    """DSTformer's arguments, read off the shapes of ``weights``."""

    def size(name: str, axis: int) -> int:
        if prefix + name not in weights:
            raise ValueError(f"no tensor {prefix + name}")
        return weights[prefix + name].shape[axis]

    return {
        "n_joints": size("pos_embed", 1),
        "max_frames": size("temp_embed", 1),
        "width": size("temp_embed", 3),
        "representation": size("pre_logits.fc.weight", 0),
        "depth": len({n.split("blocks_st.")[1].split(".")[0] for n in weights if "blocks_st." in n}),
        "hidden": size("blocks_st.0.mlp_s.fc1.weight", 0),
        "in_channels": size("joints_embed.weight", 1),
        "out_channels": size("head.weight", 0),
    }
