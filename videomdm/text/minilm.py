"""Captions by a sentence encoder that comes with the package, beside their hashed words.

The sentence encoder is all-MiniLM-L6-v2 of sentence-transformers (Apache-2.0; ``minilm_weights`` holds it in 8 bits,
its licence and the script that makes it), a BERT of six layers.  It knows that to stroll is to walk, but "left" and
"right" are nearly the same to it.  Hashed words keep these apart, so a vector holds both.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from tokenizers.implementations import BertWordPieceTokenizer
from torch import Tensor, nn
from torch.nn.functional import normalize

from videomdm.storage import checkpoints
from videomdm.storage.progress import Bar
from videomdm.text.hashed import FUNCTION_WORDS, HashedText
from videomdm.text.quantised import unpack

WEIGHTS = Path(__file__).parent / "minilm_weights"
WIDTH, N_LAYERS, N_HEADS, FEEDFORWARD = 384, 6, 12, 1536
MAX_TOKENS = 128
HASHED_SHARE = 0.4  # of a vector's square
MINOR = 0.1  # weight of a token that says nothing of the motion, as hashed function words have
BATCH = 64


class MiniLM(nn.Module):
    """The transformer: BERT with one segment, without its pooler (Devlin et al. 2019)."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(MAX_TOKENS, WIDTH)  # the segment's embedding is added to them
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            WIDTH, N_HEADS, FEEDFORWARD, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, N_LAYERS, enable_nested_tensor=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Tokens (B, L) of sentences that are equally long -> (B, L, 384)."""
        return self.encoder(self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]]))


@cache
def tokenizer() -> BertWordPieceTokenizer:
    """Cuts lower-case text into words and pieces of words."""
    tokens = BertWordPieceTokenizer(str(WEIGHTS / "vocab.txt"))
    tokens.enable_truncation(MAX_TOKENS)
    return tokens


@cache
def network() -> tuple[MiniLM, Tensor]:
    """The transformer with its weights, and the mean (384,) of the unit vectors of motion captions."""
    tensors = unpack(checkpoints.read_tensors(WEIGHTS / "model.safetensors"))
    centre = tensors.pop("centre")
    with torch.device("meta"):  # no random numbers are drawn for weights that are read
        model = MiniLM(len(tensors["words.weight"]))
    model.load_state_dict(tensors, assign=True)
    return model.eval().requires_grad_(False), centre


@cache
def importance() -> Tensor:
    """Weight (vocabulary,) of each token in the mean over a sentence: function words and marks hardly count."""
    vocabulary = tokenizer().get_vocab()
    minor = [i for token, i in vocabulary.items() if token in FUNCTION_WORDS or not token.removeprefix("##").isalnum()]
    weights = torch.ones(len(vocabulary))
    weights[minor] = MINOR
    return weights


class MiniLMText:
    """Captions as the sentence's meaning and its hashed words (:class:`~videomdm.text.hashed.HashedText`).

    The first 384 channels are the mean of MiniLM's token vectors without function words, as a unit vector from the
    mean of motion captions, which all captions share; the other 512 are the hashed words.  They have 60 % and 40 % of
    the square.  A vector has unit mean square; a caption without any word gives zeros, the same as no condition.
    """

    name = "minilm-v1"  # count up when a caption's vector changes: caches go by the name

    def __init__(self) -> None:
        self._hashed = HashedText()
        self.width = WIDTH + self._hashed.width

    def encode(self, texts: list[str]) -> Tensor:
        """N captions -> (N, 896) float32.  Captions that cannot be read, or are cut to 128 tokens, are said."""
        words = normalize(self._hashed.encode(texts), dim=1)
        said = words.any(1)
        sentences = torch.zeros(len(texts), WIDTH)
        sentences[said] = sentence_vectors([text for text, says in zip(texts, said, strict=True) if says])
        parts = [sentences * (1 - HASHED_SHARE) ** 0.5, words * HASHED_SHARE**0.5]
        return torch.cat(parts, 1) * self.width**0.5


def sentence_vectors(texts: list[str]) -> Tensor:
    """N captions -> (N, 384) unit vectors of their meaning, from the mean of motion captions."""
    model, centre = network()
    pooled = torch.zeros(len(texts), WIDTH)
    for rows, ids in equally_long(token_ids(texts)):
        weights = importance()[ids][..., None]
        pooled[rows] = (model(ids) * weights).sum(1) / weights.sum(1)
    return normalize(normalize(pooled, dim=1) - centre, dim=1)


def token_ids(texts: list[str]) -> list[list[int]]:
    """Each caption's tokens between BERT's two marks; one that is cut to 128 is said."""
    encodings = tokenizer().encode_batch(texts)
    if cut := [text for text, encoding in zip(texts, encodings, strict=True) if encoding.overflowing]:
        warnings.warn(f"caption cut to {MAX_TOKENS} tokens, as are {len(cut) - 1} others: {cut[0]!r}", stacklevel=4)
    return [encoding.ids for encoding in encodings]


def equally_long(sentences: list[list[int]]) -> Iterator[tuple[list[int], Tensor]]:
    """Batches of equally long sentences, which need no padding: their places and their ids (B, L)."""
    places: dict[int, list[int]] = {}
    for place, ids in enumerate(sentences):
        places.setdefault(len(ids), []).append(place)
    with Bar(total=len(sentences), desc="captions", delay=2) as bar:
        for same in places.values():
            for start in range(0, len(same), BATCH):
                rows = same[start : start + BATCH]
                yield rows, torch.tensor([sentences[row] for row in rows])
                bar.update(len(rows))
