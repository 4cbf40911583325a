"""A second evaluator, of another architecture: a contrastive pair of transformers after TMR (Petrovich et al. 2023).

Conclusions should not hang on one evaluator.  T2M's evaluator has convolutions and recurrent layers, does not see the
feet, is given parts of speech, and ranks by distance.  This one has two ACTOR-style transformer encoders (Petrovich
et al. 2021: a learned token in front of a sequence gathers it), sees all channels but words alone, and ranks by
angle.

Of TMR it keeps the encoders, InfoNCE with a temperature over cosines, and the filter that takes pairs with
similar captions out of the negatives.  Left out is its other half, a variational decoder with the log-variance
token, sampling and KL terms: an evaluator reconstructs nothing, training is shorter without it, and on true motions
retrieval is as good as with T2M's evaluator (the real-data row of every study).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from videomdm.conventions import DataError
from videomdm.denoiser import EncoderLayer, sinusoids
from videomdm.evaluation.evaluator import Evaluator, check_motions, train_seeded
from videomdm.evaluation.vocabulary import VECTOR_LENGTH, WORD_WIDTH, Caption, HashedVocabulary, Vocabulary, split_token
from videomdm.storage import checkpoints
from videomdm.text import HashedText

TEMPERATURE = 0.1  # TMR's
SIMILAR = 0.8  # captions whose vectors have at least this cosine are no negatives of each other
MAX_TOKENS = 1024  # rows of the table of positions
POSITION_SCALE = 0.3  # positions at full size drown what stands there, and the first thousand steps teach little


class SequenceEncoder(nn.Module):
    """A padded sequence (B, L, n_inputs) with lengths (B,) -> (B, width) by a transformer's first token.

    Args:
        n_inputs: channels of a token.
        length: typical norm of a token; the embedding starts so that it gives channels of unit variance.
        width, n_layers, n_heads, feedforward: of the encoder.
        dropout: of the tokens alone; within the layers it would take a third of a training step on a CPU.
    """

    def __init__(
        self, n_inputs: int, length: float, width: int, n_layers: int, n_heads: int, feedforward: int, dropout: float
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(n_inputs, width)
        nn.init.normal_(self.embed.weight, std=1 / length)
        self.first = nn.Parameter(0.02 * torch.randn(width))
        self.layers = nn.ModuleList(EncoderLayer(width, n_heads, feedforward, dropout=0.0) for _ in range(n_layers))
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("positions", POSITION_SCALE * sinusoids(MAX_TOKENS, width), persistent=False)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        B, L, _ = inputs.shape
        h = torch.cat([self.first.expand(B, 1, -1), self.embed(inputs)], 1) + self.positions[: L + 1]
        attended = torch.arange(L + 1, device=h.device) <= lengths[:, None]  # the first token comes on top
        h = self.dropout(h)
        for layer in self.layers:
            h = layer(h, attended[:, None, None])
        return h[:, 0]


class TMREvaluator(Evaluator):
    """Embeds motions and captions on one sphere.

    Embeddings have length ``1 / sqrt(temperature)``, so that half the squared distance of two is, but for a
    constant, their cosine over the temperature: what
    :func:`~videomdm.evaluation.contrastive.contrastive_loss`, R-precision and FID compute from distances is
    then TMR's similarity.

    Args:
        n_features: channels of a motion, the feet included.
        width, n_layers, n_heads, feedforward, dropout: of both encoders, which have the embedding's width.
        word_width: of the captions' word vectors.
        vocabulary: reads captions; hashed vectors by default.
    """

    def __init__(
        self,
        n_features: int,
        width: int = 128,
        n_layers: int = 2,
        n_heads: int = 4,
        feedforward: int = 256,
        dropout: float = 0.1,
        word_width: int = WORD_WIDTH,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        super().__init__()
        self.sizes = {
            "n_features": n_features, "width": width, "n_layers": n_layers, "n_heads": n_heads,
            "feedforward": feedforward, "dropout": dropout, "word_width": word_width,
        }  # fmt: skip
        self.n_features = n_features
        size = width, n_layers, n_heads, feedforward, dropout
        self.motion_encoder = SequenceEncoder(n_features, n_features**0.5, *size)
        self.text_encoder = SequenceEncoder(word_width, VECTOR_LENGTH, *size)
        self.vocabulary = vocabulary or HashedVocabulary(word_width)

    def encode_motion(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings of motions, differentiable.

        Args:
            features: (B, T, n_features), normalised as in training; padding is not looked at.
            lengths: (B,) numbers of valid frames, 4..T.
        Returns:
            (B, width) of length ``1 / sqrt(temperature)``.
        Raises:
            ValueError: shapes or lengths that do not fit.
        """
        check_motions(features, lengths, self.n_features)
        return _on_sphere(self.motion_encoder(features, lengths))

    def encode_text_vectors(self, words: Tensor, pos: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, width) of captions; like TMR's text encoder it is not given the parts of speech."""
        return _on_sphere(self.text_encoder(words, lengths))

    def save(self, path: str | Path) -> None:
        """Write weights and sizes as safetensors; the vocabulary's kind is noted, its vectors are not stored."""
        about = {"sizes": self.sizes, "vocabulary": type(self.vocabulary).__name__}
        checkpoints.write_tensors(path, self.state_dict(), {"tmr": about})


def load_tmr(path: str | Path, vocabulary: Vocabulary | None = None) -> TMREvaluator:
    """An evaluator written by :meth:`TMREvaluator.save`, in evaluation mode.

    Raises:
        DataError: not such a file, or it was trained with another kind of vocabulary than the one given.
    """
    try:
        tensors, about = checkpoints.read_tensors(path), checkpoints.read_metadata(path)
        evaluator = TMREvaluator(**about["tmr"]["sizes"], vocabulary=vocabulary)
        checkpoints.load_tensors(evaluator, tensors, str(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: {error}; expected a TMR evaluator's safetensors file") from error
    kind, given = about["tmr"]["vocabulary"], type(evaluator.vocabulary).__name__
    if kind != given:
        raise DataError(f"{path}: trained with a {kind}, expected a {given}, as was given")
    return evaluator.eval()


def train_tmr(
    features: Tensor,
    lengths: Tensor,
    captions: Sequence[Sequence[Caption]],
    *,
    steps: int = 600,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    width: int = 128,
    n_layers: int = 2,
    vocabulary: Vocabulary | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> TMREvaluator:
    """Train an evaluator on true motions and their captions.

    Symmetric InfoNCE over the batch; a pair is no negative where :func:`similar_captions` holds.  Arguments that are
    not named here, and what is promised, are those of :func:`~videomdm.evaluation.text_motion.train_evaluator`.

    Args:
        width, n_layers: sizes of both encoders.

    Returns:
        The evaluator, in evaluation mode, on ``device``.
    Raises:
        ValueError: shapes that do not fit, NaN or infinite features, a clip without captions.
    """
    vocabulary = vocabulary or HashedVocabulary()

    def make() -> TMREvaluator:
        return TMREvaluator(
            features.shape[-1], width, n_layers, feedforward=2 * width, word_width=vocabulary.width,
            vocabulary=vocabulary,
        )  # fmt: skip

    return train_seeded(
        make, features, lengths, captions, steps, batch_size, learning_rate, seed, device, progress,
        similar_captions,
    )  # fmt: skip


def similar_captions(captions: Sequence[Caption]) -> Tensor:
    """(B, B) bool: which of B captions say nearly the same, so that neither is a fair negative of the other.

    TMR compares sentence embeddings; here these are :class:`~videomdm.text.HashedText`'s, in which synonyms are
    near each other and words that tell two motions apart (left, right, fast) count double.
    """
    sentences = [c if isinstance(c, str) else " ".join(split_token(token)[0] for token in c) for c in captions]
    vectors = functional.normalize(HashedText().encode(sentences), dim=-1)
    return vectors @ vectors.mT >= SIMILAR


def _on_sphere(embeddings: Tensor) -> Tensor:
    return functional.normalize(embeddings, dim=-1) / TEMPERATURE**0.5
