"""The protocol: what is measured of a prior, the same way for every method.

Two probes.  *Generation*: motions for the test split's captions and lengths, compared with the test split's true
motions in the embeddings of two evaluators.  *Lifting* (:mod:`videomdm.evaluation.lifting`): 3-D from the test split's
keypoints.

Every number of a row is the mean over repeats with its 95 % interval, where repeats differ.  A repeat draws its
captions, with the true lengths of their clips, from its own number, and every sampled batch its noise, so all
methods are asked for the same motions with the same noise (on one kind of device: a GPU draws other numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from videomdm import features, sample
from videomdm.cameras.ground import up_error
from videomdm.config import STAGES, Config
from videomdm.data.corpus import Corpus
from videomdm.diffusion import Diffusion
from videomdm.evaluation import body_height, distribution, measures
from videomdm.evaluation.evaluators import CorpusEvaluator, Evaluators, evaluator, evaluators
from videomdm.evaluation.lifting import lifting, teacher_errors
from videomdm.evaluation.measures import POOL, Measured, mean_interval
from videomdm.lifters.teacher import version as teacher_version
from videomdm.sample.prior import Prior
from videomdm.skeletons.padding import valid_frames
from videomdm.storage.cache import cached, cached_json, cached_tensors
from videomdm.storage.files import digest
from videomdm.storage.progress import Bar
from videomdm.train import dataset, distributed, observe, provenance, rounds

__all__ = [
    "PROTOCOLS",
    "CorpusEvaluator",
    "Protocol",
    "evaluate",
    "generation",
    "evaluator",
    "evaluators",
    "lifting",
    "protocol",
    "real",
]

#: From features (n, T, D), not normalised, and lengths (n,) to joints (n, T, J, 3).
JointsOf = Callable[[Tensor, Tensor], Tensor]
CHUNK = 256  # motions sampled together; their noise depends on it


@dataclass(frozen=True)
class Protocol:
    """The size of an evaluation.

    Attributes:
        name: label of everything that is measured with it.
        repeats: of the generation probe.
        samples: motions per repeat, at most as many as the test split has clips (and one pool of R-precision).
        texts, per_text: multimodality's; its motions are sampled once, and each repeat draws its pairs from them.
        lift_clips: clips of the lifting probe.
    """

    name: str
    repeats: int
    samples: int
    texts: int
    per_text: int
    lift_clips: int


PROTOCOLS = {
    "quick": Protocol("quick", repeats=2, samples=400, texts=20, per_text=10, lift_clips=64),  # 1,000 motions
    "full": Protocol("full", repeats=20, samples=1000, texts=100, per_text=30, lift_clips=256),
}


def protocol(config: Config) -> Protocol:
    """The protocol that a configuration names, or the one of its own sizes, called by its profile's name."""
    asked = config.evaluation
    if not asked.protocol:
        texts = max(1, asked.samples // 32)
        return Protocol(config.profile, asked.repeats, asked.samples, texts, 10, asked.lift_samples)
    return PROTOCOLS[asked.protocol]


def evaluate(config: Config, row: str, run: Path | None = None) -> dict[str, object]:
    """All metrics of one row of a table; kept in the run folder, or in the cache where there is no run.

    An interrupted evaluation resumes where it stopped, and ends with the same numbers.

    Args:
        config: names data, method and the protocol.
        row: ``"real"``, ``"teacher"`` or a method.
        run: the method's finished run.
    Returns:
        Metric -> value or [mean, 95 % half-width], and in words ``protocol``, its name, and ``evaluators``, digests.
        A 2-D prior (MAS) is only asked to generate: it lifts nothing and has learned no motions.

    Raises:
        ValueError: centred data, which have a protocol of their own.
    """
    if config.centred:
        own = "the protocol of videomdm.evaluation.unconditional"
        raise ValueError(f"{config.data.source} has no texts and no true motions, expected {own}")
    size, train = protocol(config), observe.load(config, "train")
    evaluators = _evaluators(config, train)
    label, clips = {"protocol": size.name}, provenance.corpus(held_out(config))
    version = _version(config, size, clips, evaluators)
    if run is not None:
        lifts = f"{_version(config, size, clips)}-{teacher_version(config.data.root_path)}"  # no evaluator in these
        generated = cached_json(
            run / f"metrics-generation-{version}.json",
            lambda: generation(_load(run), config, evaluators, run / "evaluation" / f"{_weights(run)}-{version}"),
        )
        if config.recipe.motions == "keypoints":
            return {**label, **generated}
        errors = cached_json(
            run / f"metrics-lifting-{lifts}.json",
            lambda: lifting(_load(run), config, size.lift_clips, run / "evaluation", lifts),
        )
        learned = cached_json(
            run / f"metrics-learned-{_weights(run)}-{version}.json",
            lambda: _learned_motion_metrics(config, run, train, evaluators[0]),
        )
        return {**label, **generated, **errors, **learned}
    make = {"real": real, "teacher": teacher}[row]
    path = config.cache / f"metrics-{row}-{digest(provenance.seen(config), version)}.json"
    return {**label, **cached_json(path, lambda: make(config))}


def real(config: Config) -> dict[str, object]:
    """The real-data row: the test split's own figures.

    The distribution metrics compare as many motions of the training split with it: the best that a method can
    reach.  Its R-precision and MM-distance are the evaluators' own quality.  ``fid_of_size_<percent>`` is FID of the
    same motions by people of another size.
    """
    train, test = observe.load(config, "train"), held_out(config)
    evaluators = _evaluators(config, train)
    true, other = (_measured(corpus.joints, corpus, config, evaluators) for corpus in (test, train))
    size = protocol(config)
    repeats = []
    for seed in range(size.repeats):
        rows, captions = draw_captions(test, max(len(test), POOL), seed)
        chosen, _ = draw_captions(train, _samples(size, test), seed)
        repeats.append({
            **measures.distribution_metrics(true, measures.select(other, chosen), evaluators, seed),
            **measures.diversity(true, seed),
            **measures.text_metrics(measures.select(true, rows), captions, evaluators, seed, _captions_of(train)),
            **_fid_of_sizes(train.select(chosen), true, evaluators),
        })  # fmt: skip
    found = _intervals(repeats)  # of the draws alone; how the test split moves is not drawn
    return {**found, "fid_raw": found["fid"], **measures.motion_metrics(true, true), **_names(evaluators)}


def teacher(config: Config) -> dict[str, object]:
    """The teacher's row: its motions of the training clips, which priors are trained on, and its lifting errors.

    R-precision and MM-distance are of its motions of the test clips, since the evaluators were trained on the
    captions of the others.
    """
    train, test = observe.load(config, "train"), held_out(config)
    evaluators, size = _evaluators(config, train), protocol(config)
    true = _measured(test.joints, test, config, evaluators)
    estimates = {}
    for split, corpus in (("train", train), (config.evaluation.split, test)):
        joints = observe.observe(config, corpus, "teacher", split).teacher
        estimates[split] = _measured(joints, corpus, config, evaluators)
    repeats = []
    for seed in range(size.repeats):
        chosen, _ = draw_captions(train, _samples(size, test), seed)
        rows, captions = draw_captions(test, max(len(test), POOL), seed)
        given = measures.select(estimates["train"], chosen)
        asked = measures.select(estimates[config.evaluation.split], rows)
        repeats.append({
            **measures.distribution_metrics(true, given, evaluators, seed),
            **measures.diversity(given, seed),
            **measures.text_metrics(asked, captions, evaluators, seed, _captions_of(train)),
            **measures.motion_metrics(true, given),
        })  # fmt: skip
    found = {**_intervals(repeats), **_noise_that_hides(config, train)}
    found |= teacher_errors(config, size.lift_clips)
    found |= body_height.learned(observe.observe(config, train, "teacher").teacher, train)
    return {**found, **_names(evaluators)}


def _names(evaluators: Evaluators) -> dict[str, str]:
    """Who judged: the same training on another machine gives other weights, and other FIDs by a few percent."""
    return {"evaluators": " ".join(evaluator.digest for evaluator in evaluators)}


def _noise_that_hides(config: Config, train: Corpus) -> dict[str, float]:
    """The teacher's root mean square error in its normalised features, and the t* that it asks for."""
    observed = observe.observe(config, train, "truth")
    given = dataset.training_set(config.but(method="mdm-teacher"), observed)
    truth = features.encode(features.hold_last(train.joints, train.lengths), train.skeleton)
    inside = valid_frames(given.lengths, truth.shape[1])
    error = (given.normaliser.normalise(truth) - given.features)[inside].square().mean().sqrt()
    return {
        "feature_error": float(error),
        "t_star": Diffusion(config.model.n_steps, tau=config.model.tau).step_of(float(error)),
    }


def generation(
    prior: Prior,
    config: Config,
    evaluators: Evaluators,
    folder: Path | None = None,
    joints_of: JointsOf | None = None,
    sampled: Path | None = None,
) -> dict[str, object]:
    """Metrics of generated motions, see :mod:`videomdm.evaluation.measures`.

    ``fid`` is of the generated joints encoded anew, ``fid_raw`` of the features as they were generated.

    Args:
        prior: generates.
        config: names the data, the protocol and the guidance scale.
        evaluators: the evaluators.
        folder: keeps what was measured of each batch, so that an interrupted evaluation resumes.
        joints_of: what is measured of the features, by default the joints that they hold.
        sampled: keeps the features of each batch, for motions that are measured in several ways.
    """
    train, test, size = observe.load(config, "train"), held_out(config), protocol(config)
    n, (rows, captions) = _samples(size, test), asked(config, test)
    made = sample_measured(
        prior, captions, test.lengths[rows], sampling(config), evaluators, folder, joints_of, sampled
    )
    answers = measures.select(made, slice(size.repeats * n, None))
    true, trained = _measured(test.joints, test, config, evaluators), _captions_of(train)
    repeats = []
    for seed in range(size.repeats):
        given = measures.select(made, slice(seed * n, (seed + 1) * n))
        repeats.append({
            **measures.distribution_metrics(true, given, evaluators, seed),
            **measures.diversity(given, seed),
            **measures.multimodality(answers, size.texts, seed),
            **measures.text_metrics(given, captions[seed * n : (seed + 1) * n], evaluators, seed, trained),
            **measures.motion_metrics(true, given),
        })  # fmt: skip
    return {**_intervals(repeats), **_names(evaluators)}


def asked(config: Config, test: Corpus) -> tuple[Tensor, list[str]]:
    """What :func:`generation` asks for: rows of the corpus and captions, repeat by repeat, then multimodality's."""
    size = protocol(config)
    repeats = [draw_captions(test, _samples(size, test), seed) for seed in range(size.repeats)]
    rows, captions = draw_captions(test, size.texts, size.repeats)
    repeats.append((rows.repeat_interleave(size.per_text), [c for c in captions for _ in range(size.per_text)]))
    return torch.cat([rows for rows, _ in repeats]), [c for _, captions in repeats for c in captions]


def draws(
    prior: Prior, how: Mapping[str, object], captions: list[str], lengths: Tensor, folder: Path | None = None
) -> list[tuple[Tensor, Callable[[], Tensor]]]:
    """Motions to generate, in batches of similar length: short clips are not padded to the longest.

    Args:
        prior: generates.
        how: guidance and method of :func:`videomdm.sample.generate`.
        captions, lengths: N captions and (N,) frames.
        folder: keeps the features of each batch, for motions that are measured in several ways.
    Returns:
        The rows (n,) of each batch, and what generates its features (n, T, D).
    """

    def draw(seed: int, rows: Tensor) -> Tensor:
        texts = [captions[i] for i in rows.tolist()]
        return sample.generate(prior, texts, lengths[rows], seed=seed, as_features=True, **how)

    def kept(seed: int, rows: Tensor) -> Tensor:
        return (
            cached(folder / f"features-{seed:04}.safetensors", lambda: draw(seed, rows)) if folder else draw(seed, rows)
        )

    batches = lengths.argsort(stable=True).split(CHUNK)
    return [(rows, partial(kept, seed, rows)) for seed, rows in enumerate(batches)]


def sample_measured(
    prior: Prior,
    captions: list[str],
    lengths: Tensor,
    how: Mapping[str, object],
    evaluators: Evaluators,
    folder: Path | None = None,
    joints_of: JointsOf | None = None,
    sampled: Path | None = None,
) -> dict[str, Tensor]:
    """Generate motions and measure them, in batches of :func:`draws`.

    Args:
        prior, captions, lengths, how: as of :func:`draws`.
        evaluators: the evaluators.
        folder: keeps what was measured of each batch; batches found there are not sampled again.
        joints_of: what is measured of the features, by default the joints that they hold.
        sampled: keeps the features of each batch, for motions that are measured in several ways.
    Returns:
        What :func:`~videomdm.evaluation.measures.measure` says of the N motions, in the order of the captions.
    """
    drawn, parts = draws(prior, how, captions, lengths, sampled), []
    with Bar(total=len(captions), desc="sampling", unit="motion") as bar:
        for number, (rows, draw) in enumerate(drawn):

            def make(rows: Tensor = rows, draw: Callable[[], Tensor] = draw) -> dict[str, Tensor]:
                raw = draw()
                frames = lengths[rows].to(raw.device)
                joints = joints_of(raw, frames) if joints_of else features.decode(raw)
                return measures.measure(joints, frames, prior.skeleton, prior.fps, evaluators, raw)

            parts.append(cached_tensors(folder / f"batch-{number:04}.safetensors", make) if folder else make())
            bar.update(len(rows))
    order = torch.cat([rows for rows, _ in drawn])
    return measures.select(measures.join(parts), order.argsort())


def sampling(config: Config) -> dict[str, object]:
    """Guidance and method of :func:`videomdm.sample.generate` that a configuration is evaluated with."""
    return {"guidance": config.evaluation.guidance, "method": config.evaluation.sampler or None}


def _fid_of_sizes(motions: Corpus, true: Measured, evaluators: Evaluators) -> dict[str, float]:
    """FID of true motions of people who are larger or smaller: what a wrong size costs by itself."""
    found = {}
    for one in evaluators:
        for size in body_height.SIZES:
            given = one.joints(size / 100 * motions.joints, motions.lengths, motions.skeleton).cpu()
            found[f"{one.prefix}fid_of_size_{size}"] = distribution.fid(true[f"{one.prefix}embedding"], given)
    return found


def draw_captions(corpus: Corpus, n: int, seed: int) -> tuple[Tensor, list[str]]:
    """``n`` clips of a corpus, every clip once before any comes twice, and one caption of each."""
    generator = torch.Generator().manual_seed(seed)
    rounds = [torch.randperm(len(corpus), generator=generator) for _ in range(-(-n // len(corpus)))]
    rows = torch.cat(rounds)[:n]
    draws = torch.rand(n, generator=generator).tolist()
    captions = [corpus.captions[i] for i in rows.tolist()]
    return rows, [c[int(draw * len(c))] for c, draw in zip(captions, draws, strict=True)]


def _learned_motion_metrics(config: Config, run: Path, train: Corpus, evaluator: CorpusEvaluator) -> dict[str, float]:
    """How large people are in the motions that a run learned and in what it predicts; for a round, how good they are.

    ``lifted_fid`` is of the motions that the round's MDM was given, ``lifted_fid_true_*`` of the same with their bodies
    put right (:func:`videomdm.evaluation.body_height.corrected`).  ``learned_up_error``, where the true camera did not
    make a teacher's motions upright, is by how many degrees they lean.
    """
    motions = _learned(config, train)
    found = body_height.learned(motions, train) | body_height.predicted(_load(run), motions, train)
    if not config.recipe.level:
        cameras = (observe.observe(config, train, frame).camera for frame in ("teacher", "truth"))
        found["learned_up_error"] = float(up_error(*cameras).mean())
    if config.recipe.lifter:
        test = held_out(config)
        true = evaluator.joints(test.joints, test.lengths, test.skeleton)
        better = {f"_true_{name}": joints for name, joints in body_height.corrected(motions, train).items()}
        for name, joints in {"": motions, **better}.items():
            found[f"lifted_fid{name}"] = distribution.fid(true, evaluator.joints(joints, train.lengths, train.skeleton))
    return found


def _learned(config: Config, train: Corpus) -> Tensor:
    """The motions (C, T, J, 3) that a finished run of the configuration's method was trained on."""
    method = config.recipe
    if method.motions == "truth":
        return train.joints
    observed = observe.observe(config, train, config.frame)
    if method.lifter:
        run = config.but(method=method.lifter).folder
        observed = rounds.lift_observations(run, observed, config.cache, method)
    return observed.teacher


def _weights(run: Path) -> str:
    return digest(run / "weights.safetensors")


def _measured(joints: Tensor, corpus: Corpus, config: Config, evaluators: Evaluators) -> Measured:
    """Given motions of a corpus' clips, measured; cached by the content of motions, evaluators and measures."""
    content = digest(joints, corpus.lengths, [j.digest for j in evaluators], measures.version())
    return cached_tensors(
        config.cache / f"measured-{content}.safetensors",
        lambda: measures.measure(joints, corpus.lengths, corpus.skeleton, corpus.fps, evaluators),
    )


def _version(config: Config, size: Protocol, clips: str, evaluators: Evaluators = ()) -> str:
    """Short hash of all that metrics depend on besides weights; ``clips`` are those that are measured on."""
    asked = config.evaluation
    about = [STAGES["evaluate"], measures.version(), asked.guidance, asked.evaluator_steps, asked.sampler]
    about += [asked.split] if asked.split != "test" else []
    return digest(size, about, clips, [evaluator.digest for evaluator in evaluators])


def held_out(config: Config) -> Corpus:
    """The clips that are measured on; asked before a training, so that what is wrong with them does not come up after.

    Raises:
        DataError: as :func:`videomdm.data.sources.load`.
    """
    return observe.load(config, config.evaluation.split)


def _evaluators(config: Config, train: Corpus) -> tuple[CorpusEvaluator, ...]:
    return tuple(evaluator.to(distributed.device()) for evaluator in evaluators(config, train))


def _load(run: Path) -> Prior:
    return sample.load(run, distributed.device())


def _samples(size: Protocol, test: Corpus) -> int:
    return min(size.samples, max(len(test), POOL))


def _captions_of(corpus: Corpus) -> set[str]:
    return {caption for captions in corpus.captions for caption in captions}


def _intervals(repeats: list[dict[str, float]]) -> dict[str, object]:
    """Mean and interval of every metric that all repeats have."""
    shared = [name for name in repeats[0] if all(name in r for r in repeats)]
    return {name: mean_interval(r[name] for r in repeats) for name in shared}
