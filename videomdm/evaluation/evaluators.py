"""The evaluators: networks trained on a corpus' true motions, with the statistics that they read features by.

HumanML3D has a published one, which may stand in the place of the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from videomdm import features
from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.data import humanml3d
from videomdm.data.corpus import Corpus
from videomdm.evaluation.evaluator import Evaluator
from videomdm.evaluation.text_motion import load_evaluator, load_t2m_checkpoint, train_evaluator
from videomdm.evaluation.tmr import load_tmr, train_tmr
from videomdm.evaluation.vocabulary import Caption, GloveVocabulary
from videomdm.features.normaliser import Normaliser
from videomdm.skeletons.definitions import Skeleton
from videomdm.storage.cache import cached_tensors
from videomdm.train import distributed, observe, provenance

#: What an evaluator's metrics are prefixed by -> the stem of its file, how it is trained and loaded.  The first is
#: the one in tables; the second, of another architecture, shows whether a conclusion hangs on the first.
ARCHITECTURES = {
    "": ("evaluator", train_evaluator, load_evaluator),
    "tmr_": ("tmr", train_tmr, load_tmr),
}
#: Where the published evaluator's files lie in its folder: weights, the statistics of its features, GloVe.
PUBLISHED = ("text_mot_match/model/finest.tar", "Comp_v6_KLD*/meta", "glove")
UNIT = 4  # frames: its data loader cuts every motion to a multiple of these


@dataclass
class CorpusEvaluator:
    """An evaluator with the statistics of the true motions that it was trained on.

    Attributes:
        network, normaliser: on one device.
        prefix: of its metrics' names.
        tagged: captions whose words somebody tagged -> their ``word/TAG`` tokens; others are tagged by rule.
        unit: motions are cut to a multiple of so many frames.
    """

    network: Evaluator
    normaliser: Normaliser
    prefix: str = ""
    tagged: Mapping[str, Caption] = field(default_factory=dict)
    unit: int = 1

    def motions(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings of features (N, T, D) of which the first ``lengths`` rows count.

        T2M's convolutions look up to three frames past the end, so there is always padding there: otherwise a
        clip's embedding would depend on how long the others of its batch are.
        """
        lengths = lengths - lengths % self.unit
        normalised = self.normaliser.normalise(encoded.to(self.normaliser.mean.device))
        return self.network.encode_motions(torch.nn.functional.pad(normalised, (0, 0, 0, 4)), lengths)

    def joints(self, joints: Tensor, lengths: Tensor, skeleton: Skeleton) -> Tensor:
        """Embeddings of joints (N, T, J, 3), encoded anew; ``lengths`` in frames."""
        return self.motions(features.encode(features.hold_last(joints, lengths), skeleton), lengths - 1)

    def texts(self, captions: list[str]) -> Tensor:
        """Embeddings (N, width) of captions, on the CPU."""
        return self.network.encode_texts([self.tagged.get(caption, caption) for caption in captions]).cpu()

    @cached_property
    def digest(self) -> str:
        """Short hash of weights and statistics: embeddings are cached by it."""
        digest = hashlib.sha256()
        for tensor in (*self.network.state_dict().values(), self.normaliser.mean, self.normaliser.std):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:10]

    def to(self, device: torch.device | str) -> CorpusEvaluator:
        """The same evaluator on another device."""
        return replace(self, network=self.network.to(device), normaliser=self.normaliser.to(device))


#: All evaluators of a corpus; the first is the one in tables.
Evaluators = Sequence[CorpusEvaluator]


def published(folder: str | Path, tagged: Mapping[str, Caption]) -> CorpusEvaluator:
    """The evaluator of Guo et al. (2022) as published, by which HumanML3D's figures are measured.

    Before anything is compared with published figures, the row *real* has to be near the published one (R-precision
    top 1 of about .51).  What differs here: motions are encoded from joints on a floor that is robust
    (:func:`videomdm.features.canonicalise`), and generated ones too, but for ``fid_raw``.

    Args:
        folder: holds :data:`PUBLISHED`: what the authors' archives ``t2m`` and ``glove`` unpack to.
        tagged: captions -> tokens, see :func:`videomdm.data.humanml3d.tagged`.

    Raises:
        DataError: names the file that is missing or not what it should be.
    """
    weights, statistics, glove = PUBLISHED
    if not (found := sorted(Path(folder).glob(statistics))):
        raise DataError(f"{folder}: no {statistics}, expected what the authors' archive t2m unpacks to")
    network = load_t2m_checkpoint(Path(folder) / weights, GloveVocabulary(Path(folder) / glove))
    normaliser = Normaliser(*humanml3d.statistics(found[0], ("mean.npy", "std.npy")))
    return CorpusEvaluator(network, normaliser, tagged=tagged, unit=UNIT)


def evaluator(config: Config, prefix: str = "", corpus: Corpus | None = None) -> CorpusEvaluator:
    """An evaluator for a corpus, trained on the true motions of the training split; cached.

    The first is the published one where ``config.evaluation.evaluator`` names its folder.
    It judges; no prior is ever trained with it.

    Args:
        config: names the data, the training steps and the published evaluator, where there is one.
        prefix: a key of :data:`ARCHITECTURES`.
        corpus: the training split, where it is already loaded.
    """
    if config.evaluation.evaluator and not prefix:
        is_humanml3d = config.data.source == "humanml3d"
        tagged = (
            humanml3d.tagged(config.data.root, config.evaluation.split, config.data.on_error) if is_humanml3d else {}
        )
        return published(config.evaluation.evaluator, tagged)
    corpus = corpus or observe.load(config, "train")
    stem, train, load = ARCHITECTURES[prefix]
    lengths, name = corpus.lengths - 1, provenance.corpus(corpus)

    def encoded() -> Tensor:
        return features.encode(features.hold_last(corpus.joints, corpus.lengths), corpus.skeleton)

    statistics = cached_tensors(
        config.cache / f"normaliser-{name}.safetensors",
        lambda: vars(Normaliser.fit(encoded(), lengths, len(corpus.skeleton))),
    )
    normaliser = Normaliser(**statistics)
    path = config.cache / f"{stem}-{name}-{config.evaluation.evaluator_steps}.safetensors"
    if path.exists():
        return CorpusEvaluator(load(path), normaliser, prefix)
    network = train(
        normaliser.normalise(encoded()), lengths, corpus.captions, steps=config.evaluation.evaluator_steps,
        device=distributed.device(),
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    return CorpusEvaluator(network.cpu(), normaliser, prefix)


def evaluators(config: Config, corpus: Corpus | None = None) -> tuple[CorpusEvaluator, ...]:
    """All evaluators of :data:`ARCHITECTURES`, see :func:`evaluator`."""
    corpus = corpus or observe.load(config, "train")
    return tuple(evaluator(config, prefix, corpus) for prefix in ARCHITECTURES)
