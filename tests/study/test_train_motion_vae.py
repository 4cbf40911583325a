"""study/train_motion_vae.py: the command, its report, and that it goes on where it stopped."""

import json

import pytest
import torch

from videomdm.data import sources
from videomdm.evaluation.motion_vae import MotionVAE
from videomdm.evaluation.unconditional import PlanarEvaluator
from videomdm.study import train_motion_vae


@pytest.fixture(scope="module")
def tracks():
    return sources.tracks("nba-like", None, "test", 44, 120)


def test_report_of_a_vae_that_forgets(tracks):
    torch.manual_seed(0)
    model = MotionVAE(16, 8, 1, 2, 8)
    for parameter in model.predict.parameters():
        torch.nn.init.zeros_(parameter)  # every frame is the corpus' mean pose
    found = train_motion_vae.report(PlanarEvaluator(model.eval(), tracks.statistics), tracks)
    assert found["reconstruction"] == pytest.approx(1.0)
    assert 0 < found["still"] < 1
    assert {"half_fid", "half_precision", "half_recall_dagger"} <= set(found)


@pytest.mark.slow
def test_command(tmp_path):
    arguments = ["--out", str(tmp_path), "--budget", "smoke", "--clips", "120"]
    assert train_motion_vae.main(arguments) == 0
    report = json.loads((tmp_path / "motion_vae.json").read_text())
    assert report["metrics"]["reconstruction"] > 0 and report["budget"]["steps"] == 20
    assert (tmp_path / "reconstructions.svg").stat().st_size > 10_000
    weights = (tmp_path / "motion_vae.safetensors").read_bytes()
    assert train_motion_vae.main(arguments) == 0  # finished: nothing is trained again
    assert (tmp_path / "motion_vae.safetensors").read_bytes() == weights

    tracks = sources.tracks("nba-like", None, "test", train_motion_vae.MAX_FRAMES, 120)
    loaded = train_motion_vae.load(tmp_path / "motion_vae.safetensors")
    assert torch.equal(loaded.statistics.mean, tracks.statistics.mean)
    assert loaded.network.embeddings(tracks.normalised(), tracks.lengths).isfinite().all()
