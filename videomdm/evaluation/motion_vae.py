"""The evaluator of section 4.3: a variational autoencoder of 2-D motions (Kapon et al. 2024, "MAS").

A motion of keypoints becomes one vector, the mean of the posterior, and sets of such vectors are compared by
:mod:`videomdm.evaluation.distribution`.  The architecture is that of MAS's published checkpoint, so
:func:`load_mas_evaluator` reads it unchanged; ``python -m videomdm.study.train_motion_vae`` trains the same
architecture, usually smaller, where no checkpoint fits the data.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from videomdm.conventions import DataError
from videomdm.denoiser import MAX_TOKENS, sinusoids
from videomdm.skeletons.padding import masked_mean, valid_frames
from videomdm.storage import checkpoints

KL_WEIGHT = 1e-5
N_JOINTS, WIDTH, N_HEADS = 16, 256, 4  # of MAS's evaluator of the NBA data


class MotionVAE(nn.Module):
    """Two tokens that ask for mean and variance stand before the frames; the decoder sees their answer alone.

    Encoder and decoder are transformers as of 2017 (norms after the sums, none at the end) with exact GELU and
    sinusoidal positions.  The decoder starts from nothing but positions: all that it knows is the one vector.

    Args:
        n_joints: keypoints of a frame.
        width: of the transformers and of the embedding.
        n_layers, n_heads, feedforward, dropout: of encoder and decoder each.
    """

    def __init__(
        self,
        n_joints: int = N_JOINTS,
        width: int = WIDTH,
        n_layers: int = 6,
        n_heads: int = N_HEADS,
        feedforward: int = 1024,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.n_joints, self.width = n_joints, width
        self.sizes = {
            "n_joints": n_joints, "width": width, "n_layers": n_layers, "n_heads": n_heads, "feedforward": feedforward,
        }  # fmt: skip
        shape = {"dropout": dropout, "activation": "gelu", "batch_first": True}
        self.embed = nn.Linear(2 * n_joints, width)
        self.mean_query, self.variance_query = (nn.Parameter(torch.randn(width)) for _ in range(2))
        layer = nn.TransformerEncoderLayer(width, n_heads, feedforward, **shape)
        self.encoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(width, n_heads, feedforward, **shape), n_layers)
        self.predict = nn.Linear(width, 2 * n_joints)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("positions", sinusoids(MAX_TOKENS, width), persistent=False)

    def encode(self, keypoints: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, width) of motions: the posterior's mean, differentiable.

        Args:
            keypoints: (B, T, n_joints, 2), minus the corpus' mean, divided by its standard deviation.
            lengths: (B,) frames that count; what stands behind them changes nothing.

        Raises:
            ValueError: shapes that do not fit the network, or lengths outside 1..T.
        """
        return self.posterior(keypoints, lengths)[0]

    def posterior(self, keypoints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, (B, width) each; arguments and errors of :meth:`encode`."""
        self._check(keypoints, lengths)
        valid = valid_frames(lengths, keypoints.shape[1])
        frames = self.embed(keypoints.where(valid[..., None, None], 0).flatten(2))
        queries = torch.stack([self.mean_query, self.variance_query]).expand(len(frames), -1, -1)
        padding = nn.functional.pad(~valid, (2, 0), value=False)
        tokens = self.encoder(self._placed(torch.cat([queries, frames], dim=1)), src_key_padding_mask=padding)
        return tokens[:, 0], tokens[:, 1]

    def decode(self, embedding: Tensor, lengths: Tensor) -> Tensor:
        """Normalised keypoints (B, T, n_joints, 2) of embeddings (B, width); T is the greatest of ``lengths`` (B,)."""
        frames = int(lengths.max())
        start = self._placed(embedding.new_zeros(len(embedding), frames, self.width))
        padding = ~valid_frames(lengths, frames)
        tokens = self.decoder(start, embedding[:, None], tgt_key_padding_mask=padding)
        return self.predict(tokens).unflatten(-1, (self.n_joints, 2))

    @torch.no_grad()
    def embeddings(self, keypoints: Tensor, lengths: Tensor, batch_size: int = 256) -> Tensor:
        """:meth:`encode` of many motions, in batches, without dropout, on the device of the weights; (N, width)."""
        device, mode = self.predict.weight.device, self.training
        self.eval()
        batches = zip(keypoints.split(batch_size), lengths.split(batch_size), strict=True)
        found = torch.cat([self.encode(x[:, : int(n.max())].to(device), n.to(device)) for x, n in batches])
        self.train(mode)
        return found

    def save(self, path: str | Path, mean: Tensor, std: Tensor) -> None:
        """Write weights, sizes and the statistics (n_joints, 2) that keypoints are normalised by, as safetensors."""
        tensors = {**self.state_dict(), "statistics.mean": mean, "statistics.std": std}
        checkpoints.write_tensors(path, tensors, {"motion_vae": self.sizes})

    def _placed(self, tokens: Tensor) -> Tensor:
        return self.dropout(tokens + self.positions[: tokens.shape[1]])

    def _check(self, keypoints: Tensor, lengths: Tensor) -> None:
        if keypoints.ndim != 4 or keypoints.shape[2:] != (self.n_joints, 2) or keypoints.shape[1] > MAX_TOKENS - 2:
            expected = f"(motions, frames <= {MAX_TOKENS - 2}, {self.n_joints}, 2)"
            raise ValueError(f"keypoints: shape {tuple(keypoints.shape)}, expected {expected}")
        if lengths.shape != keypoints.shape[:1]:
            raise ValueError(f"lengths: shape {tuple(lengths.shape)}, expected {tuple(keypoints.shape[:1])}")
        if lengths.min() < 1 or lengths.max() > keypoints.shape[1]:
            raise ValueError(
                f"lengths: {int(lengths.min())}..{int(lengths.max())} frames, expected within 1..{keypoints.shape[1]}"
            )


def loss_terms(model: MotionVAE, keypoints: Tensor, lengths: Tensor) -> dict[str, Tensor]:
    """What a VAE is trained by.

    Args:
        model: the VAE.
        keypoints, lengths: as of :meth:`MotionVAE.encode`.

    Returns:
        ``reconstruction``, the mean squared error over frames that count; ``kl``, the divergence of the posteriors
        from the normal distribution, summed over the batch; ``total`` with MAS's weight of 1e-5.  As that sum grows
        with the batch, the weight belongs to its batches of 32.
    """
    mean, log_variance = model.posterior(keypoints, lengths)
    latent = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    found = model.decode(latent, lengths)
    true = keypoints[:, : found.shape[1]]
    inside = valid_frames(lengths, found.shape[1])[..., None, None]
    error = masked_mean((found - true).square().where(inside, 0), inside)
    kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
    return {"total": error + KL_WEIGHT * kl, "reconstruction": error, "kl": kl}


def load_motion_vae(path: str | Path) -> tuple[MotionVAE, Tensor, Tensor]:
    """What :meth:`MotionVAE.save` wrote: the VAE in evaluation mode, mean and standard deviation (n_joints, 2).

    Raises:
        FileNotFoundError: no such file.
        DataError: not such a file.
    """
    try:
        tensors, about = checkpoints.read_tensors(path), checkpoints.read_metadata(path)
        model = MotionVAE(**about["motion_vae"])
        mean, std = (tensors.pop(f"statistics.{name}") for name in ("mean", "std"))
        checkpoints.load_tensors(model, tensors, str(path))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: {error}; expected a motion VAE's safetensors file") from error
    return model.eval(), mean, std


# Our names -> those of MAS's checkpoints.
OFFICIAL_NAMES = {
    r"^embed\.": "encoder.input_process.poseEmbedding.",
    r"^mean_query$": "encoder.mu_query",
    r"^variance_query$": "encoder.sigma_query",
    r"^encoder\.layers\.": "encoder.seqTransEncoder.layers.",
    r"^decoder\.layers\.": "decoder.seqTransDecoder.layers.",
    r"^predict\.": "decoder.output_process.poseFinal.",
}
_POSITIONS = ("encoder.sequence_pos_encoder.", "decoder.sequence_pos_encoder.")  # tables of sinusoids


def official_name(name: str) -> str:
    """What MAS's checkpoints call our weight ``name``."""
    for ours, theirs in OFFICIAL_NAMES.items():
        if re.match(ours, name):
            return re.sub(ours, theirs, name)
    return name


def load_mas_evaluator(path: str | Path) -> MotionVAE:
    """Read the published evaluator: ``torch.save({"model": state dict, ...})`` of MAS's training.

    Keypoints are normalised by ``Mean.npy`` and ``Std.npy`` of the data, which the file does not hold.

    Args:
        path: the checkpoint; it is never unpickled beyond plain tensors.

    Returns:
        The VAE in evaluation mode, on the CPU.  Depth and feed-forward width are read from the tensors.

    Raises:
        FileNotFoundError: no such file.
        DataError: not a safe weights file; a missing or unknown tensor, or one of another shape; another number of
            joints than 16 or another width than 256.  Names the file, what was found and what was expected.
    """
    try:
        state = checkpoints.read_tensors(path)
        tensors = state.get("model", state)
        if not isinstance(tensors, dict):
            raise ValueError(f"{path}: 'model' is a {type(tensors).__name__}, expected a state dict")
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_POSITIONS)}
        model = _of_sizes(tensors, path)
        checkpoints.load_tensors(model, tensors, str(path), rename=official_name)
    except FileNotFoundError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from error
    return model.eval()


def _of_sizes(tensors: dict[str, Tensor], path: str | Path) -> MotionVAE:
    """An untrained VAE with as many layers, and as wide ones, as the tensors have."""

    def shape(name: str) -> tuple[int, int]:
        tensor = tensors.get(name)
        if not isinstance(tensor, Tensor) or tensor.ndim != 2:
            raise ValueError(f"{path}: no matrix {name}, expected the layout of MAS's evaluator")
        return tuple(tensor.shape)

    name = "encoder.input_process.poseEmbedding.weight"
    width, inputs = shape(name)
    if (width, inputs) != (WIDTH, 2 * N_JOINTS):
        raise ValueError(
            f"{path}: {name} is {(width, inputs)}, expected {(WIDTH, 2 * N_JOINTS)}: embeddings of {WIDTH} numbers "
            f"from frames of {N_JOINTS} keypoints"
        )
    layers = {m[1] for key in tensors if (m := re.match(r"encoder\.seqTransEncoder\.layers\.(\d+)\.", key))}
    feedforward = shape("encoder.seqTransEncoder.layers.0.linear1.weight")[0]
    return MotionVAE(N_JOINTS, WIDTH, len(layers), N_HEADS, feedforward)
