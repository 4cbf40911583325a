import json
import math
import sys

import pytest
import torch

from videomdm.data import procedural
from videomdm.lifters.lifter import Lifter
from videomdm.skeletons import Skeleton
from videomdm.study import train_lifter, training

pytestmark = pytest.mark.slow

SIZES = dict(window=8, width=8, depth=1, n_heads=2)


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(6, seed=1, family="teacher", max_frames=50)


def fresh() -> Lifter:
    torch.manual_seed(0)
    return Lifter(**SIZES)


def test_loss_terms_by_hand():
    pair = Skeleton("pair", ("root", "tip"), (-1, 0))
    true = torch.tensor([[[[0.0, 0, 0], [0, 0, 2]], [[0, 0, 0], [0, 0, 2]]]])
    predicted = true.clone()
    predicted[0, 1, 1] = torch.tensor([0.0, 3.0, 6.0])  # off by 5, and sqrt(45) long instead of 2
    terms = train_lifter.loss_terms(predicted, true, pair)
    assert terms["position"] == pytest.approx(5 / 4) and terms["velocity"] == pytest.approx(5 / 2)
    assert terms["bones"] == pytest.approx((45**0.5 - 2) / 2 / 2)
    turn = math.sqrt(2 - 2 * 6 / 45**0.5)  # between the unit vectors (0, 3, 6) and (0, 0, 2)
    assert terms["directions"] == pytest.approx(turn / 2)
    weighted = 5 / 4 + train_lifter.VELOCITY * 5 / 2 + train_lifter.BONES * float(terms["bones"])
    weighted += train_lifter.DIRECTIONS * turn / 2
    assert terms["total"] == pytest.approx(weighted)


def test_batch_is_what_a_camera_sees(corpus, monkeypatch):
    monkeypatch.setattr(train_lifter, "EXACT", 1.0)
    monkeypatch.setattr(train_lifter, "NOISY", 0.0)
    seen, confidence, true = train_lifter.draw_batch([corpus], 32, 8, torch.Generator().manual_seed(0))
    assert seen.shape == (32, 8, 22, 2) and confidence.eq(1).all() and true[:, :, 0].eq(0).all()
    # The root's depth that explains each joint's keypoint: (x - u z) = (u - u0) d is linear in d.
    shift = seen[..., 1:, :] - seen[..., :1, :]
    offset = true[..., 1:, :2] - seen[..., 1:, :] * true[..., 1:, 2:]
    depth = (shift * offset).sum((-1, -2)) / (shift * shift).sum((-1, -2))
    assert (offset - depth[..., None, None] * shift).abs().max() < 1e-3
    assert depth.min() > 0.7 and depth.max() < 30
    assert true[..., 15, 1].mean() < -0.3  # heads are up: y points down


def test_batches_are_half_of_each_corpus(corpus, monkeypatch):
    drawn = []
    original = train_lifter._draw_joints
    monkeypatch.setattr(train_lifter, "_draw_joints", lambda *a: drawn.append(a[:2]) or original(*a))
    other = corpus.select([0, 1])
    scenes = train_lifter.draw_scenes([corpus, other], 41, 8, torch.Generator().manual_seed(0))
    assert drawn == [(corpus, 21), (other, 20)]
    assert [len(x) for x in scenes] == [41] * 3


def test_a_killed_run_ends_with_the_same_weights(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 2)
    arguments = dict(steps=5, batch_size=2, seed=0, device=torch.device("cpu"))
    whole = fresh()
    train_lifter.train(whole, [corpus], tmp_path / "whole", **arguments)

    original, calls = train_lifter.draw_batch, []

    def killed(*args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(train_lifter, "draw_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        train_lifter.train(fresh(), [corpus], tmp_path / "killed", **arguments)
    resumed = Lifter(**SIZES)  # other initial weights: they must come from the checkpoint
    train_lifter.train(resumed, [corpus], tmp_path / "killed", **arguments)
    assert len(calls) == 4 + 3  # batches 3, 4 and 5 again
    for mine, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_another_run_in_the_folder_is_refused(corpus, tmp_path):
    train_lifter.train(fresh(), [corpus], tmp_path, steps=1, batch_size=2, seed=0, device=torch.device("cpu"))
    with pytest.raises(ValueError, match="'seed': 0.*expected.*'seed': 1"):
        train_lifter.train(fresh(), [corpus], tmp_path, steps=1, batch_size=2, seed=1, device=torch.device("cpu"))
    fewer = [corpus.select(range(len(corpus) - 1))]
    with pytest.raises(ValueError, match="use another folder"):
        train_lifter.train(fresh(), fewer, tmp_path, steps=1, batch_size=2, seed=0, device=torch.device("cpu"))


def test_training_lowers_the_loss(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "WARMUP", 5)
    lifter = Lifter(window=8, width=16, depth=1, n_heads=2)
    batch = train_lifter.draw_batch([corpus], 64, 8, torch.Generator().manual_seed(9))

    def loss() -> float:
        with torch.no_grad():
            return train_lifter.loss_terms(lifter(batch[0], batch[1]), batch[2])["total"].item()

    before = loss()
    train_lifter.train(lifter, [corpus], tmp_path, steps=60, batch_size=8, seed=0, device=torch.device("cpu"))
    assert loss() < 0.85 * before


def test_command_writes_weights_and_figures(tmp_path, monkeypatch, cmu_folder):
    monkeypatch.setattr(train_lifter, "HELD_OUT", 2)
    sizes = ["--window=8", "--width=8", "--depth=1", "--heads=2", "--clips=4", "--steps=1", "--batch-size=2"]
    given = ["--out", str(tmp_path), "--device=cpu", "--cmu", str(cmu_folder)]
    monkeypatch.setattr(sys, "argv", ["train", *given, *sizes])
    assert train_lifter.main() == 0
    about = json.loads((tmp_path / "lifter.json").read_text())
    assert about["command"].endswith("--window=8 --width=8 --depth=1 --heads=2 --tokens=frames --seed=0")
    assert str(tmp_path) not in str(about) and str(cmu_folder) not in str(about)
    assert about["trained_on"] == {"procedural": ["teacher"], "cmu": [1]} and "mocap.cs.cmu.edu" in about["licence"]
    assert about["metrics"]["prior family"]["mpjpe"] > 0
    assert Lifter.load(tmp_path / "lifter.safetensors").config == {
        "n_joints": 22, **SIZES, "tokens": "frames", "averaged": True
    }  # fmt: skip
    first, started = about["command"], Lifter.load(tmp_path / "lifter.safetensors")
    given[1] = str(tmp_path / "second")
    monkeypatch.setattr(sys, "argv", ["train", *given, "--start", str(tmp_path), "--lr=0", *sizes])
    assert train_lifter.main() == 0
    about = json.loads((tmp_path / "second" / "lifter.json").read_text())
    assert about["start"]["command"] == first and about["start"]["commit"] and "--start=START" in about["command"]
    continued = Lifter.load(tmp_path / "second" / "lifter.safetensors")
    for mine, theirs in zip(continued.parameters(), started.parameters(), strict=True):
        assert torch.equal(mine, theirs)
