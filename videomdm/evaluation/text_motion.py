"""The text-motion evaluator of Guo et al. (2022, "T2M"): motions and captions in one space, and its metrics.

The architecture and the names of the weights are those of the published checkpoint
(``text_mot_match/model/finest.tar``), so it loads unchanged; :func:`train_evaluator` trains the same
architecture, usually smaller, where no checkpoint fits the data.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from videomdm.conventions import DataError
from videomdm.evaluation.distribution import check_pair
from videomdm.evaluation.evaluator import Evaluator, check_motions, train_seeded
from videomdm.evaluation.vocabulary import PARTS_OF_SPEECH, WORD_WIDTH, Caption, HashedVocabulary, Vocabulary

FEET = 4  # the contact channels at the end of the features, which the evaluator does not see
FRAMES_PER_STEP = 4  # two convolutions of stride 2


class MovementEncoder(nn.Module):
    """Features without feet (B, T, n) -> one vector per four frames (B, T // 4, width)."""

    def __init__(self, n_channels: int, hidden: int, width: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv1d(n_channels, hidden, 4, 2, 1), nn.Dropout(0.2), nn.LeakyReLU(0.2),
            nn.Conv1d(hidden, width, 4, 2, 1), nn.Dropout(0.2), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.out_net = nn.Linear(width, width)
        self.apply(_initialise)

    def forward(self, features: Tensor) -> Tensor:
        return self.out_net(self.main(features.mT).mT)


class _GRUEncoder(nn.Module):
    """A sequence (B, L, n_inputs) -> (B, width) from the last states of both directions of a GRU."""

    def __init__(self, n_inputs: int, hidden: int, width: int) -> None:
        super().__init__()
        self.input_emb = nn.Linear(n_inputs, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, width)
        )
        self.hidden = nn.Parameter(torch.randn(2, 1, hidden))
        self.apply(_initialise)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.input_emb(inputs), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed, self.hidden.repeat(1, len(inputs), 1))
        return self.output_net(torch.cat([last[0], last[1]], -1))


class MotionEncoder(_GRUEncoder):
    """Movements (B, L, n) with lengths (B,) -> motion embeddings (B, width)."""


class TextEncoder(_GRUEncoder):
    """Word vectors and parts of speech -> text embeddings (B, width)."""

    def __init__(self, word_width: int, n_parts_of_speech: int, hidden: int, width: int) -> None:
        super().__init__(word_width, hidden, width)
        self.pos_emb = nn.Linear(n_parts_of_speech, word_width)
        self.pos_emb.apply(_initialise)

    def forward(self, words: Tensor, pos: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(words + self.pos_emb(pos), lengths)


class TextMotionEvaluator(Evaluator):
    """Embeds motions and captions so that a motion is near the captions that describe it.

    The default sizes are the published ones.

    Args:
        n_features: channels of a motion, the four feet included.
        movement_hidden, movement_width: of the convolutions and of their output.
        motion_hidden, text_hidden: of the two GRUs.
        width: of the embeddings.
        word_width, n_parts_of_speech: of the captions' tokens.
        vocabulary: reads captions in ``encode_texts``; hashed vectors by default, the GloVe files for the
            published checkpoint.
    """

    def __init__(
        self,
        n_features: int = 263,
        movement_hidden: int = 512,
        movement_width: int = 512,
        motion_hidden: int = 1024,
        text_hidden: int = 512,
        width: int = 512,
        word_width: int = WORD_WIDTH,
        n_parts_of_speech: int = len(PARTS_OF_SPEECH),
        vocabulary: Vocabulary | None = None,
    ) -> None:
        super().__init__()
        self.n_features = n_features
        self.movement_encoder = MovementEncoder(n_features - FEET, movement_hidden, movement_width)
        self.text_encoder = TextEncoder(word_width, n_parts_of_speech, text_hidden, width)
        self.motion_encoder = MotionEncoder(movement_width, motion_hidden, width)
        self.vocabulary = vocabulary or HashedVocabulary(word_width)

    def encode_motion(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings of motions, differentiable.

        The convolutions look up to three frames past a clip's end: put zeros there, as T2M's data does, or
        use :meth:`~videomdm.evaluation.evaluator.Evaluator.encode_motions`, which does it.

        Args:
            features: (B, T, n_features), normalised as in training, the feet channels included (and ignored).
            lengths: (B,) numbers of valid frames, 4..T.
        Returns:
            (B, width), in the order of the input (the published code sorts by length).
        Raises:
            ValueError: shapes or lengths that do not fit.
        """
        check_motions(features, lengths, self.n_features)
        movements = self.movement_encoder(features[..., :-FEET])
        return self.motion_encoder(movements, lengths // FRAMES_PER_STEP)

    def encode_text_vectors(self, words: Tensor, pos: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings of captions given as vectors, differentiable.

        Args:
            words: (B, L, 300) word vectors.
            pos: (B, L, 15) one-hot parts of speech.
            lengths: (B,) numbers of tokens, sos and eos included.
        Returns:
            (B, width), in the order of the input.
        """
        return self.text_encoder(words, pos, lengths)

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors; the vocabulary's kind is noted, its vectors are not stored."""
        kind = type(self.vocabulary).__name__
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        save_file(tensors, path, metadata={"vocabulary": kind})


def load_evaluator(path: str | Path, vocabulary: Vocabulary | None = None) -> TextMotionEvaluator:
    """An evaluator written by :meth:`TextMotionEvaluator.save`, in evaluation mode; sizes from the tensors.

    Raises:
        DataError: not such a file, or it was trained with another kind of vocabulary than the one given.
    """
    try:
        with safe_open(path, "pt") as file:
            state = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (no mapping)
            kind = (file.metadata() or {}).get("vocabulary")
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: {error}; expected an evaluator's safetensors file") from error
    evaluator = _from_state(state, path, vocabulary)
    given = type(evaluator.vocabulary).__name__
    if kind not in (None, given):
        raise DataError(f"{path}: trained with a {kind}, expected a {given}, as was given")
    return evaluator


def load_t2m_checkpoint(path: str | Path, vocabulary: Vocabulary | None = None) -> TextMotionEvaluator:
    """The published evaluator (``text_mot_match/model/finest.tar``), in evaluation mode.

    Loaded with ``weights_only=True``; sizes are read from the tensors.

    Args:
        path: of a dictionary with the state dicts ``movement_encoder``, ``text_encoder``, ``motion_encoder``,
            or of one flat state dict with these as prefixes.
        vocabulary: a :class:`~videomdm.evaluation.vocabulary.GloveVocabulary` to embed captions; without one,
            only :meth:`~TextMotionEvaluator.encode_text_vectors` means anything for text.
    Raises:
        DataError: unreadable, something else than weights, or another layout (names the key and its shape).
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: not a readable weights-only checkpoint: {error}") from error
    if not isinstance(content, Mapping):
        raise DataError(f"{path}: holds a {type(content).__name__}, expected a dictionary of state dicts")
    state = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            state |= {f"{key}.{name}": tensor for name, tensor in value.items()}
        else:
            state[key] = value
    parts = ("movement_encoder.", "text_encoder.", "motion_encoder.")
    state = {k: v for k, v in state.items() if str(k).startswith(parts)}
    for part in parts:
        if not any(key.startswith(part) for key in state):
            raise DataError(f"{path}: no {part[:-1]!r}; its keys are {', '.join(map(str, content))}")
    return _from_state(state, path, vocabulary)


def train_evaluator(
    features: Tensor,
    lengths: Tensor,
    captions: Sequence[Sequence[Caption]],
    *,
    steps: int = 600,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    movement_width: int = 128,
    hidden: int = 192,
    width: int = 128,
    vocabulary: Vocabulary | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> TextMotionEvaluator:
    """Train an evaluator on true motions and their captions.

    Symmetric InfoNCE over the batch with half the negative squared distance as the score, so that training
    ranks by the distance that R-precision ranks by; a pair is no negative where its captions are identical.
    Each step draws clips without replacement, one caption of each, and a random crop of at least 3/4 of it.
    The same arguments give the same weights (bitwise on CPU, same machine and thread count).

    Args:
        features: (C, T, D), normalised by the training split's statistics.
        lengths: (C,) numbers of valid frames.
        captions: the captions of each clip, at least one.
        steps, batch_size, learning_rate: of AdamW; the rate warms up and then falls as a cosine.
        movement_width, hidden, width: sizes (convolutions, both GRUs, embeddings).
        vocabulary: how captions become vectors; hashed by default.
        seed: of the weights, batches and dropout.
        device: where to train; the features' device if None.
        progress: show a bar.
    Returns:
        The evaluator, in evaluation mode, on ``device``.
    Raises:
        ValueError: shapes that do not fit, NaN or infinite features, a clip without captions.

    Explained in :doc:`/notebooks/explain_recall`.
    """
    vocabulary = vocabulary or HashedVocabulary()

    def make() -> TextMotionEvaluator:
        return TextMotionEvaluator(
            features.shape[-1], movement_width, movement_width, hidden, hidden, width, vocabulary.width,
            vocabulary=vocabulary,
        )  # fmt: skip

    return train_seeded(
        make, features, lengths, captions, steps, batch_size, learning_rate, seed, device, progress
    )  # fmt: skip


def r_precision(
    text: Tensor, motion: Tensor, top_k: int = 3, pool: int = 32, generator: torch.Generator | None = None
) -> Tensor:
    """How often a text's own motion is among the 1, 2, ... top_k nearest of its pool (Guo et al. 2022).

    Args:
        text, motion: (N, D) embeddings, row i of both belonging together, N >= pool.
        top_k: largest k.
        pool: motions per pool; the published figures use 32, and the remainder of N is left out.
        generator: shuffles the rows before they are pooled; without one, pools are consecutive rows.
    Returns:
        (top_k,) float64 shares, top-1 first.
    Raises:
        ValueError: fewer rows than one pool, shapes that do not match, NaN or infinite values.
    """
    text, motion = _aligned(text, motion)
    n_pools = len(text) // pool
    if n_pools == 0 or not 1 <= top_k <= pool:
        raise ValueError(f"text: {len(text)} rows, top_k {top_k}; expected at least {pool} rows, top_k 1..{pool}")
    order = torch.arange(len(text))
    if generator is not None:
        order = torch.randperm(len(text), generator=generator, device=generator.device)
    order = order[: n_pools * pool].to(text.device)
    text, motion = (x[order].reshape(n_pools, pool, -1) for x in (text, motion))
    ranking = torch.cdist(text, motion).argsort(dim=-1, stable=True)[..., :top_k]
    own = torch.arange(pool, device=text.device)[:, None]
    return (ranking == own).cumsum(-1).double().mean((0, 1))


def mm_distance(text: Tensor, motion: Tensor) -> float:
    """Mean distance of a text's embedding to its motion's (N, D), "MM-distance" or "matching score"."""
    text, motion = _aligned(text, motion)
    return float((text - motion).norm(dim=-1).mean())


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)


def _aligned(text: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    text, motion = check_pair(text, motion, least=1, names=("text", "motion"))
    if len(text) != len(motion):
        raise ValueError(f"motion: {len(motion)} rows, expected {len(text)} as in text")
    return text, motion


def _from_state(state: dict[str, Tensor], path: str | Path, vocabulary: Vocabulary | None) -> TextMotionEvaluator:
    """An evaluator of the sizes that the tensors have."""

    def shape(key: str, ndim: int) -> torch.Size:
        if key not in state:
            raise DataError(f"{path}: key {key!r} is missing, expected the layout of a text-motion evaluator")
        if not isinstance(state[key], Tensor) or state[key].ndim != ndim:
            found = tuple(getattr(state[key], "shape", ())) or type(state[key]).__name__
            raise DataError(f"{path}: {key!r} is {found}, expected a tensor of {ndim} dimensions")
        return state[key].shape

    movement_hidden, n_channels, _ = shape("movement_encoder.main.0.weight", 3)
    word_width, n_parts_of_speech = shape("text_encoder.pos_emb.weight", 2)
    with torch.device("meta"):
        model = TextMotionEvaluator(
            n_channels + FEET, movement_hidden, shape("movement_encoder.out_net.weight", 2)[0],
            shape("motion_encoder.hidden", 3)[-1], shape("text_encoder.hidden", 3)[-1],
            shape("motion_encoder.output_net.3.bias", 1)[0], word_width, n_parts_of_speech, vocabulary,
        )  # fmt: skip
    _check_layout(model.state_dict(), state, path)
    model.load_state_dict(state, assign=True)
    return model.float().eval()


def _check_layout(expected: dict[str, Tensor], state: dict[str, Tensor], path: str | Path) -> None:
    for key, tensor in expected.items():
        if key not in state:
            raise DataError(f"{path}: key {key!r} {tuple(tensor.shape)} is missing, expected {len(expected)} tensors")
        if state[key].shape != tensor.shape:
            raise DataError(f"{path}: {key!r} has shape {tuple(state[key].shape)}, expected {tuple(tensor.shape)}")
    unknown = [key for key in state if key not in expected]
    if unknown:
        found = f"{unknown[0]!r} {tuple(state[unknown[0]].shape)}"
        raise DataError(f"{path}: unknown key {found}, expected {len(expected)} others")
