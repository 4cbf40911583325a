"""The protocol: what is measured of a prior, the same way for every method.

Two probes.  *Generation*: motions for the test split's captions and lengths, compared with the test split's true
motions in the embedding of a judge.  *Lifting*: 3-D from the test split's keypoints (G.2), compared with the
truth in camera coordinates, so that the frame in which a camera was given does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from videomdm import features, prepare, sample
from videomdm.cache import cached_json
from videomdm.cameras import Camera
from videomdm.config import METHODS, Config
from videomdm.data.corpus import Corpus
from videomdm.data.observations import FRAMES
from videomdm.evaluation import distribution, motion, pose, text_motion
from videomdm.evaluation.text_motion import TextMotionEvaluator
from videomdm.lifters import teacher as lifted
from videomdm.normaliser import Normaliser
from videomdm.results import mean_interval
from videomdm.sample import Prior
from videomdm.skeletons import Skeleton

POOL = 32  # R-precision's pool


@dataclass
class Judge:
    """An evaluator with the statistics of the true motions that it was trained on."""

    evaluator: TextMotionEvaluator
    normaliser: Normaliser

    def motions(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings of features (N, T, D) of which the first ``lengths`` rows count.

        The evaluator's convolutions look up to three frames past the end, so there is always padding there:
        otherwise a clip's embedding would depend on how long the others of its batch are.
        """
        padded = torch.nn.functional.pad(self.normaliser.normalise(encoded), (0, 0, 0, 4))
        return self.evaluator.encode_motions(padded, lengths)

    def joints(self, joints: Tensor, lengths: Tensor, skeleton: Skeleton) -> Tensor:
        """Embeddings of joints (N, T, J, 3), encoded anew; ``lengths`` in frames."""
        return self.motions(features.encode(features.hold_last(joints, lengths), skeleton), lengths - 1)


def judge(config: Config) -> Judge:
    """The project's own evaluator for a corpus, trained on the true motions of the training split; cached.

    It judges; no prior is ever trained with it.
    """
    corpus = prepare.load(config, "train")
    encoded = features.encode(features.hold_last(corpus.joints, corpus.lengths), corpus.skeleton)
    lengths = corpus.lengths - 1
    normaliser = Normaliser.fit(encoded, lengths, len(corpus.skeleton))
    path = config.cache / f"evaluator-{prepare.fingerprint(corpus)}-{config.evaluator_steps}.safetensors"
    if path.exists():
        return Judge(text_motion.load_evaluator(path), normaliser)
    evaluator = text_motion.train_evaluator(
        normaliser.normalise(encoded), lengths, corpus.captions, steps=config.evaluator_steps
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    evaluator.save(path)
    return Judge(evaluator, normaliser)


def evaluate(config: Config, row: str, run: Path | None = None) -> dict[str, object]:
    """All metrics of one row of a table; kept in the run folder, or in the cache where there is no run.

    Args:
        config: names data, method and the size of the evaluation.
        row: ``"real"``, ``"teacher"`` or a method.
        run: the method's finished run.
    """
    size = config.key("evaluator_steps", "evaluation_samples", "lift_samples", "repeats", "guidance")
    if run is not None:
        version = f"{size}-{lifted.version()}"
        generated = cached_json(run / f"metrics-generation-{size}.json", lambda: _of_generation(config, run))
        return {**generated, **cached_json(run / f"metrics-lifting-{version}.json", lambda: _of_lifting(config, run))}
    make = {"real": _of_real, "teacher": _of_teacher}[row]
    test = prepare.fingerprint(prepare.load(config, "test"))
    version = f"{config.key('keypoint_noise', 'keypoint_missing')}-{lifted.version()}"
    return cached_json(config.cache / f"metrics-{row}-{test}-{version}-{size}.json", lambda: make(config))


def _load(run: Path) -> Prior:
    return sample.load(run, "cuda" if torch.cuda.is_available() else "cpu")


def _of_generation(config: Config, run: Path) -> dict[str, object]:
    metrics = generation(_load(run), config, judge(config))
    if lifter := METHODS[config.method].lifter:  # a round: how good are the motions that its MDM was given?
        observed = prepare.observe(config, prepare.load(config, "train"), config.frame)
        lifted = sample.lift_observations(config.but(method=lifter).folder, observed, config.cache)
        metrics["lifted_fid"] = motions_fid(lifted.teacher, lifted.lengths, prepare.load(config, "test"), judge(config))
    return metrics


def _of_lifting(config: Config, run: Path) -> dict[str, float]:
    return lifting(_load(run), config)


def _of_real(config: Config) -> dict[str, object]:
    return real(config, judge(config))


def _of_teacher(config: Config) -> dict[str, object]:
    test, observed = prepare.load(config, "test"), prepare.observe(config, prepare.load(config, "train"), "teacher")
    return {"fid": motions_fid(observed.teacher, observed.lengths, test, judge(config)), **teacher(config)}


def real(config: Config, judge: Judge) -> dict[str, object]:
    """The real-data row: the test split's own figures, with FID of as many training motions against it."""
    test, train = prepare.load(config, "test"), prepare.load(config, "train")
    embedded = judge.joints(test.joints, test.lengths, test.skeleton)
    chosen = train.select(torch.randperm(len(train), generator=_generator(0))[: config.evaluation_samples])
    floor = distribution.fid(embedded, judge.joints(chosen.joints, chosen.lengths, chosen.skeleton))
    repeats = []
    for seed in range(config.repeats):
        rows, captions = _captions(test, max(len(test), POOL), seed)
        words = judge.evaluator.encode_texts(captions)
        repeats.append(_embedding_metrics(embedded[rows], words, seed))
    return {
        "fid": floor, "fid_percent": 100 * floor / _spread(embedded), "fid_raw": floor,
        **_intervals(repeats), **motion_metrics(test.joints, test.lengths, test.skeleton, test.fps),
    }  # fmt: skip


def generation(prior: Prior, config: Config, judge: Judge) -> dict[str, object]:
    """Distribution and text metrics of generated motions, mean and 95 % interval over repeats.

    Every repeat draws its captions (with the true lengths of their clips) and noise from its own number, so all
    methods are asked for the same motions with the same noise.  ``fid`` is of the generated joints encoded anew,
    ``fid_raw`` of the features as they were generated; ``fid_percent`` is ``fid`` over the true total variance.
    ``r_precision_3_unseen`` counts only captions that no training clip has: how well the text encoder carries over.
    """
    test = prepare.load(config, "test")
    true = judge.joints(test.joints, test.lengths, test.skeleton)
    trained = {caption for captions in prepare.load(config, "train").captions for caption in captions}
    repeats = []
    for seed in tqdm(range(config.repeats), desc="repeats", unit="repeat"):
        rows, captions = _captions(test, config.evaluation_samples, seed)
        lengths = test.lengths[rows]
        raw = sample.generate(prior, captions, lengths, seed=seed, as_features=True).cpu()
        joints = features.hold_last(features.decode(raw), lengths)
        embedded = judge.joints(joints, lengths, test.skeleton)
        words, fid = judge.evaluator.encode_texts(captions), distribution.fid(true, embedded)
        unseen = torch.tensor([caption not in trained for caption in captions])
        repeats.append({
            "fid": fid, "fid_percent": 100 * fid / _spread(true),
            "fid_raw": distribution.fid(true, judge.motions(raw, lengths - 1)),
            **_embedding_metrics(embedded, words, seed),
            **_new_phrasings(words[unseen], embedded[unseen], seed),
            **motion_metrics(joints, lengths, test.skeleton, test.fps),
        })  # fmt: skip
    return _intervals(repeats)


def lifting(prior: Prior, config: Config, frames: tuple[str, ...] = FRAMES) -> dict[str, float]:
    """Errors of :func:`videomdm.sample.lift` on held-out clips, for cameras given in each of ``frames``.

    The prior is told each clip's first caption; ``lift_silent_*`` are the errors without (camera in the truth's
    frame), where a model that saw a tenth of its training without text has less to go by.
    """
    test = _lifting_clips(config)
    filmed = prepare.observe(config, test, "truth", "test")
    captions = [clip[0] for clip in test.captions]
    metrics = {}
    for name, frame, texts in [*((frame, frame, captions) for frame in frames), ("silent", "truth", None)]:
        seen = prepare.observe(config, test, frame, "test")
        lifted = sample.lift(prior, seen.keypoints, seen.camera, seen.confidence, seen.lengths, texts=texts)
        errors = _lifting_errors(lifted, seen.camera, test, filmed.camera)
        metrics |= {f"lift_{name}_{error}": value for error, value in errors.items()}
    return metrics


def teacher(config: Config) -> dict[str, float]:
    """The teacher's own errors on the clips that :func:`lifting` uses, and its motions' statistics."""
    test = _lifting_clips(config)
    filmed = prepare.observe(config, test, "truth", "test")
    observed = prepare.observe(config, test, "teacher", "test")
    errors = _lifting_errors(observed.teacher, observed.camera, test, filmed.camera)
    return {
        **{f"lift_{frame}_{name}": value for frame in (*FRAMES, "silent") for name, value in errors.items()},
        **motion_metrics(observed.teacher, observed.lengths, test.skeleton, test.fps),
    }


def motions_fid(joints: Tensor, lengths: Tensor, test: Corpus, judge: Judge) -> float:
    """FID of given motions against the test split."""
    true = judge.joints(test.joints, test.lengths, test.skeleton)
    return distribution.fid(true, judge.joints(joints, lengths, test.skeleton))


def motion_metrics(joints: Tensor, lengths: Tensor, skeleton: Skeleton, fps: float) -> dict[str, float]:
    """How motions move: skating ratio, bone length deviation (%), acceleration (m/s^2), path length (m)."""
    return {
        "skating": float(motion.skating_ratio(joints, lengths, skeleton, fps)),
        "bone_deviation": float(motion.bone_length_deviation(joints, lengths, skeleton)),
        "acceleration": float(motion.mean_acceleration(joints, lengths, fps)),
        "path_length": float(motion.path_length(joints, lengths)),
    }


def _embedding_metrics(embedded: Tensor, words: Tensor, seed: int) -> dict[str, float]:
    pairs = min(300, len(embedded) // 2)
    top = text_motion.r_precision(words, embedded, generator=_generator(seed))
    return {
        "diversity": distribution.diversity(embedded, pairs, generator=_generator(seed)),
        **{f"r_precision_{k + 1}": float(share) for k, share in enumerate(top)},
        "mm_distance": text_motion.mm_distance(words, embedded),
    }


def _new_phrasings(words: Tensor, embedded: Tensor, seed: int) -> dict[str, float]:
    """R-precision top 3 of captions that were never trained on; nothing where they do not fill a pool."""
    if len(words) < POOL:
        return {}
    return {"r_precision_3_unseen": float(text_motion.r_precision(words, embedded, generator=_generator(seed))[2])}


def _lifting_clips(config: Config) -> Corpus:
    """Evenly spaced clips of the test split, few enough to lift."""
    test = prepare.load(config, "test")
    n = min(config.lift_samples, len(test))
    return test.select(torch.linspace(0, len(test) - 1, n).long())


def _lifting_errors(predicted: Tensor, camera: Camera, truth: Corpus, true_camera: Camera) -> dict[str, float]:
    seen, true = camera.to_camera(predicted), true_camera.to_camera(truth.joints)
    return {
        "mpjpe": float(pose.root_aligned_mpjpe(seen, true, truth.lengths)),
        "pa_mpjpe": float(pose.pa_mpjpe(seen, true, truth.lengths)),
        "absolute": float(pose.mpjpe(seen, true, truth.lengths)),
        "acceleration_error": float(pose.acceleration_error(seen, true, truth.fps, truth.lengths)),
    }


def _captions(corpus: Corpus, n: int, seed: int) -> tuple[Tensor, list[str]]:
    """``n`` clips of a corpus, every clip once before any comes twice, and one caption of each."""
    generator = _generator(seed)
    rounds = [torch.randperm(len(corpus), generator=generator) for _ in range(-(-n // len(corpus)))]
    rows = torch.cat(rounds)[:n]
    draws = torch.rand(n, generator=generator).tolist()
    captions = [corpus.captions[i] for i in rows.tolist()]
    return rows, [c[int(draw * len(c))] for c, draw in zip(captions, draws, strict=True)]


def _spread(embedded: Tensor) -> float:
    """Total variance of embeddings (N, D)."""
    return float(embedded.double().var(0).sum())


def _intervals(repeats: list[dict[str, float]]) -> dict[str, list[float]]:
    """Mean and interval of every metric that all repeats have."""
    shared = [name for name in repeats[0] if all(name in r for r in repeats)]
    return {name: mean_interval(r[name] for r in repeats) for name in shared}


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
