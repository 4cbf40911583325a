"""What all text-motion evaluators share: motions and captions embedded in batches, and the checks of their input.

An evaluator judges: it never trains a prior, and it sees true motions of the training split only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from videomdm.evaluation.contrastive import MIN_FRAMES, Similar, fit_contrastive, zero_padding
from videomdm.evaluation.vocabulary import Caption, Vocabulary, encode_captions


class Evaluator(nn.Module):
    """Embeds motions and captions so that a motion is near the captions that describe it.

    Subclasses give the two encoders.

    Attributes:
        n_features: channels of a motion.
        vocabulary: reads captions in :meth:`encode_texts`.
    """

    n_features: int
    vocabulary: Vocabulary

    def encode_motion(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, width) of normalised features (B, T, n_features) with (B,) valid frames; differentiable."""
        raise NotImplementedError

    def encode_text_vectors(self, words: Tensor, pos: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, width) of captions given as vectors.

        Args:
            words: (B, L, 300) word vectors.
            pos: (B, L, 15) one-hot parts of speech.
            lengths: (B,) numbers of tokens, sos and eos included.
        """
        raise NotImplementedError

    @torch.no_grad()
    def encode_motions(self, features: Tensor, lengths: Tensor, batch_size: int = 256) -> Tensor:
        """Embeddings (N, width) of many motions: in batches, padding zeroed, without dropout or gradients.

        Arguments as of :meth:`encode_motion`; features may lie on another device than the evaluator.
        """
        check_motions(features, lengths, self.n_features)
        device, mode = self._begin()
        batches = zip(features.split(batch_size), lengths.split(batch_size), strict=True)
        embeddings = [self.encode_motion(zero_padding(x, n).to(device), n.to(device)) for x, n in batches]
        self.train(mode)
        return torch.cat(embeddings)

    @torch.no_grad()
    def encode_texts(self, captions: Sequence[Caption], batch_size: int = 256) -> Tensor:
        """Embeddings (N, width) of captions: sentences, or sequences of ``word/TAG`` tokens.

        Raises:
            ValueError: no captions.
        """
        if not captions:
            raise ValueError("captions: none, expected at least one")
        device, mode = self._begin()
        embeddings = []
        for start in range(0, len(captions), batch_size):
            vectors = encode_captions(captions[start : start + batch_size], self.vocabulary)
            embeddings.append(self.encode_text_vectors(*(v.to(device) for v in vectors)))
        self.train(mode)
        return torch.cat(embeddings)

    def _begin(self) -> tuple[torch.device, bool]:
        mode = self.training
        self.eval()
        return next(self.parameters()).device, mode


def train_seeded(
    make: Callable[[], Evaluator],
    features: Tensor,
    lengths: Tensor,
    captions: Sequence[Sequence[Caption]],
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: torch.device | str | None,
    progress: bool,
    similar: Similar | None = None,
) -> Evaluator:
    """A new evaluator, trained by :func:`~videomdm.evaluation.contrastive.fit_contrastive` on checked input.

    The same arguments give the same weights (bitwise on CPU, same machine and thread count), and torch's global
    generators are left as they were.

    Args:
        make: gives the untrained evaluator; called with the generators seeded.
        features: (C, T, D), normalised by the training split's statistics.
        lengths: (C,) numbers of valid frames.
        captions: the captions of each clip, at least one.
        steps, batch_size, learning_rate, similar: as of ``fit_contrastive``.
        seed: of the weights, batches and dropout.
        device: where to train; the features' device if None.
        progress: show a bar.
    Raises:
        ValueError: shapes that do not fit, NaN or infinite features, a clip without captions.
    """
    check_motions(features, lengths, features.shape[-1])
    _check_training(features, lengths, captions)
    device = torch.device(device or features.device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        model = make().to(device)
        generator = torch.Generator().manual_seed(seed)
        fit_contrastive(
            model, features, lengths, captions, steps, batch_size, learning_rate, generator, progress, similar
        )
    return model.eval()


def check_motions(features: Tensor, lengths: Tensor, n_features: int) -> None:
    """Raises ``ValueError`` unless features are (N, T, n_features) and lengths (N,) within 4..T."""
    if features.ndim != 3 or features.shape[-1] != n_features or len(features) == 0:
        raise ValueError(f"features: shape {tuple(features.shape)}, expected (motions, frames, {n_features})")
    if lengths.shape != features.shape[:1]:
        raise ValueError(f"lengths: shape {tuple(lengths.shape)}, expected {tuple(features.shape[:1])}")
    if lengths.min() < MIN_FRAMES or lengths.max() > features.shape[1]:
        raise ValueError(
            f"lengths: {int(lengths.min())}..{int(lengths.max())} frames, "
            f"expected within {MIN_FRAMES}..{features.shape[1]}"
        )


def _check_training(features: Tensor, lengths: Tensor, captions: Sequence[Sequence[Caption]]) -> None:
    if len(captions) != len(features) or len(features) < 2:
        raise ValueError(f"captions: of {len(captions)} clips, expected {len(features)} (at least 2)")
    empty = next((i for i, c in enumerate(captions) if isinstance(c, str) or not len(c)), None)
    if empty is not None:
        raise ValueError(f"captions: {captions[empty]!r} for clip {empty}, expected a sequence of at least one")
    for start in range(0, len(features), 256):  # in pieces: a copy of a large corpus may not fit
        rows = slice(start, start + 256)
        finite = zero_padding(features[rows], lengths[rows]).isfinite().all(-1).all(-1)
        if not finite.all():
            clip = start + int((~finite).nonzero()[0])
            raise ValueError(f"features: clip {clip} is not finite, expected finite features")
