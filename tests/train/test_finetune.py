"""Fine-tuning: what a run takes from the one that it starts from."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from videomdm import features, sample, train
from videomdm.data import observations
from videomdm.storage import checkpoints
from videomdm.train import dataset, loop, observe, streaming
from videomdm.train.trainer import Trainer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    """The configuration of a finished run."""
    config = train.profile("smoke", runs=str(tmp_path_factory.mktemp("prior")), warmup_steps=3, steps=3)
    train.fit(config)
    return config


@pytest.fixture(scope="module")
def videos(prior):
    """2-D only: other motions than the prior's (the built-in corpus' test split), twice as large."""
    corpus = observe.load(prior, "test")
    corpus = dataclasses.replace(corpus, joints=2 * corpus.joints)
    footage = observations.film(corpus, seed=1)
    return observations.observe(corpus, footage, corpus.joints + 0.01, "pnp")


@pytest.fixture
def config(prior, tmp_path):
    return prior.but(start=str(prior.folder), runs=str(tmp_path), steps=4, method="videomdm-pnp")


def tensors(run, name="weights-last"):
    return checkpoints.read_tensors(run / f"{name}.safetensors")


@pytest.mark.parametrize("method", ["videomdm-pnp", "mdm-teacher", "videomdm-pnp/refined", "videomdm-pnp/round-1"])
def test_no_warm_up_and_the_weights_are_moved(config, prior, videos, method, monkeypatch):
    made = []
    monkeypatch.setattr(Trainer, "start_from", lambda self, path: made.append(path) or true_start(self, path))
    run = train.fit(config.but(method=method, steps=2), videos)
    lifters = 2 if method.endswith("round-1") else 1
    assert {path.name for path in Path(config.runs).glob("procedural-*")} >= {run.name}
    assert len(list(Path(config.runs).glob("procedural-*"))) == lifters  # no warm-up; a round has its lifter
    assert made == [prior.folder / "weights-last.safetensors"] * lifters
    before, after = tensors(prior.folder), tensors(run)
    moved = max(float((after[k] - before[k]).abs().max()) for k in before)
    assert 0 < moved < 1e-2  # two batches from there, not from anywhere else
    assert [row["step"] for row in train.history(config.but(method=method, steps=2))] == [2]


true_start = Trainer.start_from


def test_features_are_normalised_as_the_start_was(config, prior, videos):
    run = train.fit(config, videos)
    for name in ("weights", "weights-last"):
        for part in ("normaliser.mean", "normaliser.std"):
            assert torch.equal(tensors(run, name)[part], tensors(prior.folder)[part])
    given = dataset.training_set(config, videos)
    own = dataset.training_set(config.but(start=None), videos)
    statistics = sample.load(prior.folder).normaliser
    encoded = features.encode(features.hold_last(videos.teacher, videos.lengths), videos.skeleton)
    assert torch.equal(given.features, statistics.normalise(encoded))
    assert (given.features - own.features).abs().max() > 1  # motions twice the size are far from the prior's


def test_the_key_is_of_the_weights_not_of_their_place(config, prior, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(prior.folder, copy)
    moved = config.but(start=str(copy))
    assert moved.folder == config.folder == config.but(warmup_steps=99).folder != config.but(start=None).folder
    changed = {k: v + 1e-3 for k, v in tensors(copy).items()}
    about = checkpoints.read_metadata(copy / "weights-last.safetensors")
    checkpoints.write_tensors(copy / "weights-last.safetensors", changed, about)
    assert moved.folder != config.folder


def test_a_killed_run_resumes(config, prior, videos, monkeypatch):
    config = config.but(checkpoint_every=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_write_weights", _interrupted)
        train.fit(config, videos)
    broken = tensors(train.fit(config, videos))
    whole = tensors(train.fit(config.but(runs=f"{config.runs}/whole"), videos))
    assert all(torch.equal(whole[k], broken[k]) for k in whole)
    assert sample.load(config.folder).config.start == str(prior.folder)


def _interrupted(*arguments, **named):
    raise KeyboardInterrupt


class TestRefused:
    def test_sizes_that_differ(self, config, videos):
        with pytest.raises(ValueError, match=r"weights-last\.safetensors: weights of width 32, n_heads 4, expected "
                                             "width 64, n_heads 8"):  # fmt: skip
            train.fit(config.but(width=64, n_heads=8), videos)
        assert not list(Path(config.runs).glob("procedural-*"))

    def test_no_run_there(self, config, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere.*expected the weights of a finished run"):
            train.fit(config.but(start=str(tmp_path / "nowhere")))

    def test_weights_of_something_else(self, config, tmp_path):
        checkpoints.write_tensors(tmp_path / "weights-last.safetensors", {"a": torch.zeros(1)}, {})
        with pytest.raises(ValueError, match="not a run's weights"):
            train.fit(config.but(start=str(tmp_path)))

    def test_another_frame_rate(self, config, videos):
        with pytest.raises(ValueError, match="a prior of smpl22 at 20 fps, expected .* smpl22 at 30 fps"):
            train.fit(config, dataclasses.replace(videos, fps=30.0))


def test_streamed_features_are_normalised_as_the_start_was(config, prior, videos):
    data = streaming.streamed(config.but(shard_clips=4), videos)
    assert torch.equal(data.normaliser.mean, tensors(prior.folder)["normaliser.mean"])
    assert not torch.equal(data.normaliser.mean, streaming.streamed(prior.but(shard_clips=4), videos).normaliser.mean)
    assert torch.equal(data.to("cpu").normaliser.std, data.normaliser.std)
