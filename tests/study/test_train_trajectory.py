import json
import math
import sys

import pytest
import torch

from videomdm.data import procedural
from videomdm.lifters import teacher
from videomdm.lifters.lifter import Lifter
from videomdm.lifters.trajectory import Trajectory
from videomdm.lifters.weight_sets import SETS
from videomdm.study import train_lifter, train_trajectory, training

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(6, seed=1, family="teacher", max_frames=60)


@pytest.fixture(scope="module")
def scenes(corpus):
    return train_trajectory.draw_lifted([corpus], SETS["procedural"].lifter(), 70, 40, torch.Generator().manual_seed(0))


def test_scenes_fit_together(scenes):
    assert {name: tuple(values.shape) for name, values in scenes.items()} == {
        "first": (70, 40, 3), "pose": (70, 40, 22, 3), "keypoints": (70, 40, 22, 2), "confidence": (70, 40, 22),
        "true": (70, 40, 3),
    }  # fmt: skip
    perfect = scenes["confidence"].eq(1).all(-1).all(-1)
    assert 20 < perfect.sum() < 40  # EXACT of the detectors are, and a few of the noisy ones
    root, seen = scenes["true"][perfect], scenes["keypoints"][perfect, :, 0]
    torch.testing.assert_close(root[..., :2] / root[..., 2:], seen, atol=1e-4, rtol=0)
    assert root[..., 2].min() > 0.7 and scenes["pose"][:, :, 0].eq(0).all()


def test_short_clips_are_passed_over(corpus):
    lifter = Lifter(window=8, width=8, depth=1, n_heads=2).eval()
    longest = int(corpus.lengths.max())
    drawn = train_trajectory.draw_lifted([corpus], lifter, 2, longest, torch.Generator().manual_seed(0))
    assert drawn["true"].shape == (2, longest, 3) and drawn["true"].isfinite().all()


def test_loss_terms_by_hand():
    true = torch.tensor([[[1.0, 1.0, 2.0], [1.0, 1.0, 4.0]]])
    predicted = true * torch.tensor([1.0, 3.0])[:, None]
    terms = train_trajectory.loss_terms(predicted, true)
    log = math.log(3)
    assert terms["position"] == pytest.approx(log / 2) and terms["drift"] == pytest.approx(log / 2)
    assert terms["velocity"] == pytest.approx(log)
    weighted = log / 2 + train_trajectory.DRIFT * log / 2 + train_trajectory.VELOCITY * log
    assert terms["total"] == pytest.approx(weighted)
    constant = train_trajectory.loss_terms(2 * true, true)
    assert constant["position"] == pytest.approx(math.log(2)) and constant["drift"] == pytest.approx(0, abs=1e-6)


def test_training_lowers_the_loss_and_repeats(scenes, monkeypatch):
    monkeypatch.setattr(training, "WARMUP", 5)

    def run() -> tuple[float, float]:
        torch.manual_seed(0)
        network = Trajectory(width=16)
        inside = torch.ones(70, 40, dtype=torch.bool)
        inputs = {name: values for name, values in scenes.items() if name != "true"} | {"inside": inside}
        losses = [train_trajectory.loss_terms(scenes["first"], scenes["true"])["total"].item()]
        train_trajectory.train(network, scenes, steps=100, batch_size=16, seed=0)
        with torch.no_grad():
            predicted = teacher.corrected_path(network, **inputs)
        losses.append(train_trajectory.loss_terms(predicted, scenes["true"])["total"].item())
        return losses[0], losses[1]

    before, after = run()
    assert after < 0.8 * before and run() == (before, after)


def test_scenes_are_kept_and_never_mixed_up(tmp_path):
    calls = []

    def make() -> dict:
        calls.append(1)
        return {"true": torch.ones(2)}

    path = tmp_path / "scenes.safetensors"
    (made, spent), (kept, recorded) = (train_trajectory.kept_scenes(path, {"seed": 0}, make) for _ in range(2))
    assert len(calls) == 1 and made["true"].tolist() == kept["true"].tolist() == [1, 1]
    assert spent == recorded  # the seconds of the first time
    with pytest.raises(ValueError, match="'seed': 0.*expected.*'seed': 1"):
        train_trajectory.kept_scenes(path, {"seed": 1}, make)


def test_command_writes_weights_and_figures(tmp_path, monkeypatch, cmu_folder):
    monkeypatch.setattr(train_lifter, "HELD_OUT", 2)
    given = ["--cmu", str(cmu_folder), "--lifter", str(SETS["procedural"].folder / "lifter.safetensors")]
    sizes = ["--clips=8", "--scenes=2", "--frames=40", "--steps=1", "--batch-size=2", "--width=8"]
    monkeypatch.setattr(sys, "argv", ["train", "--out", str(tmp_path), *given, *sizes])
    assert train_trajectory.main() == 0
    about = json.loads((tmp_path / "trajectory.json").read_text())
    assert about["command"].endswith("--clips=8 --width=8 --seed=0") and str(tmp_path) not in str(about)
    assert about["trained_on"] == {"procedural": ["teacher"], "cmu": [1]} and about["lifter"]
    for figures in about["metrics"].values():
        assert 0 < figures["naive"]["mpjpe"] == pytest.approx(figures["trajectory"]["mpjpe"], abs=0.1)
    assert Trajectory.load(tmp_path / "trajectory.safetensors").config == {"n_joints": 22, "width": 8}
