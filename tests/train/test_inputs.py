"""Data that change under a run are noticed."""

import logging
import shutil

import pytest
import torch

from videomdm import train
from videomdm.conventions import DataError
from videomdm.data import observations, procedural
from videomdm.train import inputs, loop, provenance

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(cmu_folder, tmp_path):
    return shutil.copytree(cmu_folder, tmp_path / "data")


@pytest.fixture
def config(folder, tmp_path):
    return train.profile(
        "smoke", data="humanml3d", data_root=folder, runs=folder / "runs", method="mdm-3d", warmup_steps=0, steps=4,
        checkpoint_every=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def observed():
    corpus = procedural.generate(8, max_frames=44)
    return observations.observe(corpus, observations.film(corpus, seed=1), corpus.joints, "truth")


def change(folder):
    name = (folder / "train.txt").read_text().split()[0]
    with open(folder / "texts" / f"{name}.txt", "a") as file:
        file.write("someone moves#someone/NOUN move/VERB#0.0#0.0\n")


def killed_at(step, config, monkeypatch):
    """A run that ended after so many batches."""
    own = loop.learning_rate

    def stop(config, now):
        if now == step:
            raise KeyboardInterrupt
        return own(config, now)

    with monkeypatch.context() as during:
        during.setattr(loop, "learning_rate", stop)
        with pytest.raises(KeyboardInterrupt):
            train.fit(config)


def test_a_finished_run_says_that_its_data_are_others_now(config, folder, caplog):
    run = train.fit(config)
    for name in (".hidden", "Thumbs.db"):
        (folder / name).write_text("counts nowhere")
    (folder / "broken").symlink_to(folder / "nothing")
    (folder / "round").symlink_to(folder)
    assert train.fit(config) == run and not caplog.records  # its own runs lie in the folder, and do not count
    change(folder)
    with caplog.at_level(logging.WARNING):
        assert train.fit(config) == run
    (line,) = caplog.messages
    assert line.startswith(f"{run}: was trained on ") and "remove its folder to train it anew" in line
    before = inputs.read_json(run / inputs.FILE)["what"]
    assert before in line and inputs.described(config)["what"] in line


def test_a_run_does_not_go_on_with_other_data(config, folder, monkeypatch):
    killed_at(3, config, monkeypatch)
    change(folder)
    with pytest.raises(DataError, match=r"began with .* files of .* bytes in .*expected the same"):
        train.fit(config)


def test_killed_and_begun_again_on_the_same(config, monkeypatch):
    killed_at(3, config, monkeypatch)
    assert (train.fit(config) / "weights.safetensors").exists()


def test_a_finished_run_needs_its_data_no_more(config, folder, tmp_path):
    run = train.fit(config)
    moved = folder.rename(tmp_path / "elsewhere")
    assert train.fit(config.but(runs=moved / "runs")) == moved / "runs" / run.name


def test_other_observations_are_no_other_run(observed, tmp_path):
    config = train.profile("smoke", runs=tmp_path, warmup_steps=0, steps=2)
    run = train.fit(config, observed)
    assert train.fit(config, observed) == run
    assert train.fit(config) == run  # by its name: what was given cannot be known
    moved = observed.select(torch.arange(4))
    with pytest.raises(DataError, match="was trained on 8 observed clips.*4 observed clips"):
        train.fit(config, moved)


def test_a_folder_that_is_elsewhere_is_read_too(config, folder, tmp_path):
    before = inputs.described(config)
    (folder / "texts").rename(tmp_path / "texts")
    (folder / "texts").symlink_to(tmp_path / "texts")
    assert inputs.described(config) == before
    change(folder)
    assert inputs.described(config) != before


def test_shards_are_of_the_files_as_they_are(config, folder):
    sharded = config.but(shard_clips=4)
    before = provenance.shards(sharded, None, None)
    assert provenance.shards(sharded, None, None) == before
    change(folder)
    assert provenance.shards(sharded, None, None) != before
