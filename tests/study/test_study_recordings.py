"""Measuring real recordings: a file for each, with both motions' steadiness."""

import json

import pytest
import torch

from videomdm import features, train, videos
from videomdm.data import procedural, recordings
from videomdm.data.recordings import demonstration, keypoint_npz, rendering
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior, build_denoiser
from videomdm.skeletons import SMPL22
from videomdm.study import recordings as study

pytestmark = pytest.mark.slow


def test_a_recording_is_measured(tmp_path, monkeypatch):
    config = train.profile("smoke", n_steps=4, t_star=2)
    corpus = procedural.generate(12, seed=2, min_frames=60, max_frames=60)
    clips = features.canonicalise(corpus.joints)
    normaliser = Normaliser.fit(features.encode(clips), corpus.lengths - 1, 22)
    prior = Prior(build_denoiser(config, 263, 512).eval(), normaliser, SMPL22, 20.0, config)
    monkeypatch.setattr(study.sample, "load", lambda run: prior)
    camera = demonstration.INTRINSICS
    seen = rendering.detect([corpus.clip(0)], demonstration.framed(corpus.clip(0), 0.3, 0.2), camera, name="one")
    keypoint_npz.save(recordings.track(seen, camera), tmp_path / "one.npz")
    assert study.main(["RUN", str(tmp_path / "one.npz"), "--results", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "recordings" / "one.json").read_text())
    assert str(tmp_path) not in result["command"] and any("height not given" in note for note in result["notes"])
    for way in ("teacher", "prior"):
        found = result["metrics"][way]
        assert found["size_change"] < 3 and found["reprojection"] >= 0
        assert found["size"] == pytest.approx(0.9 * videos.heights.HEIGHT, rel=0.03)
    assert torch.isfinite(torch.tensor(result["metrics"]["teacher"]["lean"]))
