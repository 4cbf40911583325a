"""The judges: evaluators trained on a corpus' true motions, with the statistics that they read features by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from videomdm import features, prepare
from videomdm.cache import cached_tensors
from videomdm.config import Config
from videomdm.data.corpus import Corpus
from videomdm.evaluation.evaluator import Evaluator
from videomdm.evaluation.text_motion import load_evaluator, train_evaluator
from videomdm.evaluation.tmr import load_tmr, train_tmr
from videomdm.normaliser import Normaliser
from videomdm.skeletons import Skeleton

#: What a judge's metrics are prefixed by -> the stem of its file, how it is trained and loaded.  The first judges
#: in tables; the second, of another architecture, shows whether a conclusion hangs on the first.
ARCHITECTURES = {
    "": ("evaluator", train_evaluator, load_evaluator),
    "tmr_": ("tmr", train_tmr, load_tmr),
}


@dataclass
class Judge:
    """An evaluator with the statistics of the true motions that it was trained on.

    Attributes:
        evaluator, normaliser: on one device.
        prefix: of its metrics' names.
    """

    evaluator: Evaluator
    normaliser: Normaliser
    prefix: str = ""

    def motions(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings of features (N, T, D) of which the first ``lengths`` rows count.

        T2M's convolutions look up to three frames past the end, so there is always padding there: otherwise a
        clip's embedding would depend on how long the others of its batch are.
        """
        normalised = self.normaliser.normalise(encoded.to(self.normaliser.mean.device))
        return self.evaluator.encode_motions(torch.nn.functional.pad(normalised, (0, 0, 0, 4)), lengths)

    def joints(self, joints: Tensor, lengths: Tensor, skeleton: Skeleton) -> Tensor:
        """Embeddings of joints (N, T, J, 3), encoded anew; ``lengths`` in frames."""
        return self.motions(features.encode(features.hold_last(joints, lengths), skeleton), lengths - 1)

    def texts(self, captions: list[str]) -> Tensor:
        """Embeddings of captions, on the CPU."""
        return self.evaluator.encode_texts(captions).cpu()

    @cached_property
    def digest(self) -> str:
        """Short hash of weights and statistics: embeddings are cached by it."""
        digest = hashlib.sha256()
        for tensor in (*self.evaluator.state_dict().values(), self.normaliser.mean, self.normaliser.std):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:10]

    def to(self, device: torch.device | str) -> Judge:
        return Judge(self.evaluator.to(device), self.normaliser.to(device), self.prefix)


def judge(config: Config, prefix: str = "", corpus: Corpus | None = None) -> Judge:
    """A judge for a corpus, trained on the true motions of the training split; cached.

    It judges; no prior is ever trained with it.

    Args:
        config: names the data and the training steps.
        prefix: a key of :data:`ARCHITECTURES`.
        corpus: the training split, where it is already loaded.
    """
    corpus = corpus or prepare.load(config, "train")
    stem, train, load = ARCHITECTURES[prefix]
    lengths, name = corpus.lengths - 1, prepare.fingerprint(corpus)

    def encoded() -> Tensor:
        return features.encode(features.hold_last(corpus.joints, corpus.lengths), corpus.skeleton)

    statistics = cached_tensors(
        config.cache / f"normaliser-{name}.safetensors",
        lambda: vars(Normaliser.fit(encoded(), lengths, len(corpus.skeleton))),
    )
    normaliser = Normaliser(**statistics)
    path = config.cache / f"{stem}-{name}-{config.evaluator_steps}.safetensors"
    if path.exists():
        return Judge(load(path), normaliser, prefix)
    evaluator = train(normaliser.normalise(encoded()), lengths, corpus.captions, steps=config.evaluator_steps)
    path.parent.mkdir(parents=True, exist_ok=True)
    evaluator.save(path)
    return Judge(evaluator, normaliser, prefix)


def judges(config: Config, corpus: Corpus | None = None) -> tuple[Judge, ...]:
    """All judges of :data:`ARCHITECTURES`, see :func:`judge`."""
    corpus = corpus or prepare.load(config, "train")
    return tuple(judge(config, prefix, corpus) for prefix in ARCHITECTURES)
