"""study/motions.py: what the pages side by side are made of."""

import json

import numpy as np
import pytest

from videomdm import train
from videomdm.data.recordings import demonstration
from videomdm.study import motions, train_elepose
from videomdm.survey import scenes
from videomdm.train import observe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return train.profile("smoke", runs=str(tmp_path_factory.mktemp("runs")))


@pytest.mark.parametrize("study", ["table1", "videos", "table3"])
def test_every_method_has_a_motion_of_every_caption(base, study, tmp_path, monkeypatch):
    monkeypatch.setattr(motions, "MOTIONS", 2)
    monkeypatch.setitem(train_elepose.BUDGETS, "laptop", train_elepose.BUDGETS["smoke"])
    motions.main([study, "--profile", "smoke", "--runs", base.runs, "--out", str(tmp_path)])
    about = json.loads((tmp_path / study / "made.json").read_text())
    assert list(about["methods"]) == list(motions.ROWS[study]) and about["profile"] == "smoke"
    assert all(made["command"] and made["commit"] for made in about["methods"].values())
    read = [scenes.read(str(tmp_path / study / f"{method}.npz")) for method in about["methods"]]
    matched = scenes.match(read)
    assert len(matched) == 2 and all(list(scene.motions) == list(about["methods"]) for scene in matched)
    for motion in (motion for result in read for motion in result.clips.values()):
        millimetres = 1000 * motion.double().numpy()
        assert np.abs(millimetres - millimetres.round()).max() < 1e-3


def test_methods_are_made_one_by_one(base, tmp_path):
    clip = [observe.load(base, "test").clip(0)]
    order = motions.ROWS["table1"]
    for command, made in (("a", {"videomdm": clip, "teacher": clip}), ("b", {"teacher": clip})):
        motions.write(tmp_path, base, command, ["a word"], made, order)
    about = json.loads((tmp_path / "made.json").read_text())
    commands = [(method, made["command"]) for method, made in about["methods"].items()]
    assert commands == [("teacher", "b"), ("videomdm", "a")]
    motions.write(tmp_path, base.but(seed=1), "c", ["a word"], {"teacher": clip}, order)
    assert list(json.loads((tmp_path / "made.json").read_text())["methods"]) == ["teacher"]


def test_real_motions_are_test_clips(base):
    captions, made = motions.table1(base)
    test = observe.load(base, "test")
    i = [words[0] for words in test.captions].index(captions[0])
    assert np.array_equal(made["real"][0].numpy(), test.clip(i).numpy()) and len(set(captions)) == len(captions) == 6


def test_truth_of_the_videos_is_what_was_filmed(base, monkeypatch):
    monkeypatch.setattr(motions, "MOTIONS", 1)
    captions, made = motions.videos(base)
    [scene] = demonstration.scenes(1).values()
    assert captions == [scene.caption] and len({len(own[0]) for own in made.values()}) == 1
    error = np.linalg.norm(made["teacher"][0].numpy() - made["truth"][0].numpy(), axis=-1).mean()
    assert error < 0.5  # metres: of the same motion in its own frame, by a prior that learned next to nothing
