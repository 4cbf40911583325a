"""The motion diffusion model (MDM, Tevet et al. 2022) that predicts the clean motion from a noisy one.

A transformer encoder over one token per frame, preceded by one token for the text and the diffusion step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from videomdm.storage.checkpoints import load_tensors, read_tensors

MAX_TOKENS = 5000  # rows of the table of positions; diffusion steps are looked up in the same table

UNKNOWN = 0.05  # mean square error of a network's own prediction at a low noise, in units of the features' variance
Denoiser = Callable[..., Tensor]  # (x, t, text=None, lengths=None) -> x0


class MDM(nn.Module):
    """MDM's transformer encoder (post-norm, exact GELU, no norm at the end).

    Args:
        n_features: channels D of a frame's features.
        width, n_layers, n_heads, feedforward: sizes of the encoder.
        text_width: width of the text vectors.
        dropout: probability, on attention weights, after every sub-layer and on the tokens.
        mask_padding: frames at and past a clip's length are not attended.  Published code leaves them in;
            switch this off to compare with it.
        precision: ``"float32"``, or ``"bf16"``: matrix products in bfloat16 (autocast); weights, normalisation and
            what goes in and out stay float32.
        skip: frames, standard deviation of the gaussian of a low-pass skip (:func:`low_pass`): the network F then
            predicts what the smoothed input lacks, ``x0 = gain(t) smooth(x_t) + F(x_t)`` (:func:`skip_gain`).  0 is
            MDM's own form, ``x0 = F(x_t)``.
        signal: (T,) ``sqrt(abar)`` of the diffusion's steps, which a skip needs.

    Raises:
        ValueError: a width that the heads do not divide, or a skip that is negative or without ``signal``.

    Explained in :doc:`/runs/evaluate_real_people`.
    """

    def __init__(
        self,
        n_features: int,
        width: int = 512,
        n_layers: int = 8,
        n_heads: int = 4,
        feedforward: int = 1024,
        text_width: int = 512,
        dropout: float = 0.1,
        mask_padding: bool = True,
        precision: str = "float32",
        skip: float = 0.0,
        signal: Tensor | None = None,
    ) -> None:
        super().__init__()
        if skip < 0 or (skip and signal is None):
            raise ValueError(f"skip is {skip} with signal {signal}, expected at least 0, and the steps' sqrt(abar)")
        if width % n_heads or width % 2:
            raise ValueError(f"width {width}: expected an even multiple of n_heads {n_heads}")
        self.n_features, self.width, self.text_width = n_features, width, text_width
        self.mask_padding, self.precision, self.skip = mask_padding, precision, skip
        self.embed_motion = nn.Linear(n_features, width)
        self.embed_text = nn.Linear(text_width, width)
        self.embed_step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.dropout = Dropout(dropout)
        layers = (EncoderLayer(width, n_heads, feedforward, dropout) for _ in range(n_layers))
        self.layers = nn.ModuleList(layers)
        self.predict = nn.Linear(width, n_features)
        self.register_buffer("positions", sinusoids(MAX_TOKENS, width), persistent=False)
        gain = skip_gain(signal.float(), skip) if skip else None
        self.register_buffer("gain", gain, persistent=False)

    def forward(
        self,
        x: Tensor,
        t: int | Tensor,
        text: Tensor | None = None,
        lengths: Tensor | None = None,
        drop: Tensor | None = None,
    ) -> Tensor:
        """Predict the clean motion.

        Args:
            x: (B, T, D) noisy features, normalised.
            t: diffusion step, 0-based, an int or (B,) integers.
            text: (B, text_width) text vectors, or None for no condition.
            lengths: (B,) true numbers of frames, or None where all T count.
            drop: (B,) bool, samples whose text is dropped (classifier-free guidance is trained with it).

        Returns:
            (B, T, D) prediction of the clean features; frames at and past a clip's length mean nothing.

        Raises:
            ValueError: x or text has another shape than the model was made for.
        """
        self._check(x, text)
        if self.precision == "float32":  # as the caller's context has it
            predicted = self._predict(x, t, text, lengths, drop)
        else:
            with torch.autocast(x.device.type, torch.bfloat16):
                predicted = self._predict(x, t, text, lengths, drop).float()
        if not self.skip:
            return predicted
        return predicted + self.gain[t].reshape(-1, 1, 1) * low_pass(x, self.skip, lengths)

    def _predict(
        self, x: Tensor, t: int | Tensor, text: Tensor | None, lengths: Tensor | None, drop: Tensor | None
    ) -> Tensor:
        B, T, _ = x.shape
        if text is None:
            text = x.new_zeros(B, self.text_width)
        elif drop is not None:
            text = text.masked_fill(drop[:, None], 0)  # the Linear's bias stays

        step = self.positions[t.reshape(-1) if isinstance(t, Tensor) else t].expand(B, -1)
        token = self.embed_text(text) + self.embed_step(step)  # (B, W)
        h = torch.cat([token[:, None], self.embed_motion(x)], dim=1)  # (B, 1+T, W)
        h = self.dropout(h + self.positions[: T + 1])
        if h.is_cuda and self.precision == "bf16":
            h = h.bfloat16()  # what layers hand on, too: half of what a GPU has to read and write

        attended = None
        if self.mask_padding and lengths is not None:
            attended = torch.arange(T + 1, device=x.device) <= lengths[:, None]  # token 0 comes first
            attended = attended[:, None, None]  # (B, heads, queries, 1+T)
        for layer in self.layers:
            h = layer(h, attended)
        return self.predict(h[:, 1:])

    def _check(self, x: Tensor, text: Tensor | None) -> None:
        if x.ndim != 3 or x.shape[-1] != self.n_features or x.shape[1] >= MAX_TOKENS:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (batch, frames < {MAX_TOKENS}, {self.n_features})"
            )
        if text is not None and text.shape != (len(x), self.text_width):
            raise ValueError(f"text has shape {tuple(text.shape)}, expected {(len(x), self.text_width)}")


class EncoderLayer(nn.Module):
    """One post-norm layer: self-attention, then feed-forward, each added and normalised.

    The same function as ``torch.nn.TransformerEncoderLayer(norm_first=False, activation="gelu")``.
    """

    def __init__(self, width: int, n_heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, feedforward)
        self.down = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, h: Tensor, attended: Tensor | None) -> Tensor:
        """(B, S, W) tokens and the (B, 1, 1, S) mask of keys that count -> (B, S, W)."""
        kind = h.dtype  # autocast normalises in float32
        h = self.norm1(h + self.dropout(self._attend(h, attended))).to(kind)
        hidden = self.dropout(F.gelu(self.up(h)))
        return self.norm2(h + self.dropout(self.down(hidden))).to(kind)

    def _attend(self, h: Tensor, attended: Tensor | None) -> Tensor:
        B, S, W = h.shape
        qkv = self.qkv(h).view(B, S, 3, self.n_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()  # each (B, heads, S, W/heads)
        p = self.dropout.p if self.training else 0.0
        attention = (
            _attention if q.dtype == torch.bfloat16 and q.device.type == "cpu" else F.scaled_dot_product_attention
        )
        mixed = attention(q, k, v, attn_mask=attended, dropout_p=p)
        return self.out(mixed.transpose(1, 2).reshape(B, S, W))


def _attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None, dropout_p: float) -> Tensor:
    """``F.scaled_dot_product_attention`` step by step: on CPUs the fused one's bfloat16 backward is 8 times slower."""
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    return F.dropout(scores.softmax(-1), dropout_p) @ v


class Dropout(nn.Dropout):
    """``torch.nn.Dropout`` whose backward pass compilers leave alone on a GPU.

    Fused with the backward pass of a normalisation, its mask of single bytes slows that kernel down: apart, a multistep
    step of 512 clips takes .92 of the time (H200, PyTorch 2.11).
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda and self.training and self.p and torch.compiler.is_compiling():
            return _Dropped.apply(x, self.p)
        return super().forward(x)


class _Dropped(torch.autograd.Function):
    """PyTorch's own dropout, forwards and backwards."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, p: float) -> Tensor:
        dropped, kept = torch.native_dropout(x, p, True)
        ctx.save_for_backward(kept)
        ctx.scale = 1 / (1 - p)
        return dropped

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        return _dropout_backward(gradient, *ctx.saved_tensors, ctx.scale), None


@torch.library.custom_op("videomdm::dropout_backward", mutates_args=())
def _dropout_backward(gradient: Tensor, kept: Tensor, scale: float) -> Tensor:
    return torch.ops.aten.native_dropout_backward(gradient.contiguous(), kept, scale)


@_dropout_backward.register_fake
def _(gradient: Tensor, kept: Tensor, scale: float) -> Tensor:
    return torch.empty_like(gradient, memory_format=torch.contiguous_format)


def skip_gain(signal: Tensor, deviation: float) -> Tensor:
    """How much of the smoothed noisy motion a skip passes on at each step: Wiener's gain.

    Of the noise in ``x_t = sqrt(abar) x0 + sqrt(1 - abar) noise`` the gaussian of s frames leaves the power
    ``k = 1 / (2 s sqrt(pi))``.  Where u (``UNKNOWN``) of the motion's power is not known otherwise, ``g x_t`` is
    nearest to it for ``g = sqrt(abar) u / (abar u + (1 - abar) k)``: all of it at a low noise, none at a high one.  A
    skip that does not fall so passes slow noise on, and bones of generated motions stretch.

    Args:
        signal: (T,) ``sqrt(abar)`` of the steps.
        deviation: s, frames.

    Returns:
        (T,) gains.
    """
    abar, left = signal.square(), 1 / (2 * deviation * math.pi**0.5)
    return signal * UNKNOWN / (abar * UNKNOWN + (1 - abar) * left)


def low_pass(x: Tensor, deviation: float, lengths: Tensor | None = None) -> Tensor:
    """Features averaged over time with a gaussian: what of a noisy motion is hardly noise.

    Args:
        x: (B, T, D).
        deviation: of the gaussian, frames.
        lengths: (B,) frames that count, all T when None; the average is over these alone.

    Returns:
        (B, T, D); frames at and past a clip's length mean nothing.
    """
    time = torch.arange(x.shape[1], device=x.device)
    exponent = -0.5 * ((time[:, None] - time) / deviation).square().to(x)
    if lengths is not None:
        exponent = exponent.masked_fill(time >= lengths[:, None, None], -torch.inf)
    return exponent.softmax(-1) @ x  # far past a clip's end, where all weights vanish, its last frame


def sinusoids(n: int, width: int) -> Tensor:
    """Positions 0 .. n-1 as (n, width), sin in even and cos in odd channels (Vaswani et al. 2017)."""
    frequency = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10000.0) / width))
    angle = torch.arange(n).float()[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def guided(model: Denoiser, scale: float) -> Denoiser:
    """Classifier-free guidance, ``u + scale (c - u)``, with both predictions from one batched pass.

    Args:
        model: an :class:`MDM` or anything called like it.
        scale: 1 gives the conditional prediction alone, in a single pass; the paper samples with 2.5.

    Returns:
        A denoiser (x, t, text, lengths) -> x0; without text it predicts unconditionally.
    """
    if scale == 1:
        return model

    def denoise(x: Tensor, t: int | Tensor, text: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        if text is None:
            return model(x, t, None, lengths)
        both = model(
            torch.cat([x, x]),
            t.reshape(-1).expand(len(x)).repeat(2) if isinstance(t, Tensor) else t,
            torch.cat([text, torch.zeros_like(text)]),
            None if lengths is None else lengths.repeat(2),
        )
        conditional, unconditional = both.chunk(2)
        return unconditional + scale * (conditional - unconditional)

    return denoise


# Our names -> those of public MDM checkpoints.
OFFICIAL_NAMES = {
    r"^embed_motion\.": "input_process.poseEmbedding.",
    r"^embed_step\.": "embed_timestep.time_embed.",
    r"^predict\.": "output_process.poseFinal.",
    r"^layers\.": "seqTransEncoder.layers.",
    r"\.qkv\.": ".self_attn.in_proj_",
    r"\.out\.": ".self_attn.out_proj.",
    r"\.up\.": ".linear1.",
    r"\.down\.": ".linear2.",
}
_IGNORED = ("clip_model.", "sequence_pos_encoder.", "embed_timestep.sequence_pos_encoder.")


def official_name(name: str) -> str:
    """What public MDM checkpoints call our weight ``name`` (``embed_text`` and the norms are the same)."""
    for ours, theirs in OFFICIAL_NAMES.items():
        name = re.sub(ours, theirs, name)
    return name


def load_mdm_checkpoint(path: str | Path, n_heads: int = 4, n_features: int | None = None) -> MDM:
    """Read a public MDM checkpoint (a state dict in the official layout, ``.pt`` or ``.safetensors``).

    Sizes come from the tensors.  Of a file with averaged weights (``model_avg``) those are taken; position
    tables and CLIP's weights are ignored.

    Args:
        path: the checkpoint; it is never unpickled beyond plain tensors.
        n_heads: attention heads, which no tensor tells.
        n_features: channels that the checkpoint must have (263 for SMPL-22), or None to accept any.

    Returns:
        The model in evaluation mode, on the CPU.  The published models attend padded frames: set
        ``model.mask_padding = False`` to get their numbers for batches of unequal lengths.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a safe weights file; a missing or unknown tensor or one of another shape; or another
            number of features than ``n_features``.
    """
    state = read_tensors(path)
    state = state.get("model_avg", state.get("model", state))
    tensors = {name: tensor for name, tensor in state.items() if not name.startswith(_IGNORED)}

    def shape(name: str) -> tuple[int, int]:
        tensor = tensors.get(name)
        if not isinstance(tensor, Tensor) or tensor.ndim != 2:
            raise ValueError(f"{path}: no matrix {name}, expected a checkpoint in MDM's official layout")
        return tuple(tensor.shape)

    width, features = shape("input_process.poseEmbedding.weight")
    if n_features not in (None, features):
        raise ValueError(f"{path}: made for {features} features per frame, expected {n_features}: another skeleton's?")
    layers = {m[1] for name in tensors if (m := re.match(r"seqTransEncoder\.layers\.(\d+)\.", name))}
    model = MDM(
        features,
        width,
        n_layers=len(layers),
        n_heads=n_heads,
        feedforward=shape("seqTransEncoder.layers.0.linear1.weight")[0],
        text_width=shape("embed_text.weight")[1],
    )
    load_tensors(model, tensors, str(path), rename=official_name)
    return model.eval()
