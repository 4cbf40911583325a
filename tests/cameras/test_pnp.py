"""Cameras by PnP with a report: good ones, bad ones, none."""

import warnings

import pytest
import torch

from videomdm import cameras
from videomdm.cameras import pnp
from videomdm.data import observations, procedural


@pytest.fixture(scope="module")
def filmed():
    corpus = procedural.generate(6, seed=2)
    return corpus, observations.film(corpus, seed=1)


class TestEstimate:
    def test_true_joints_give_the_camera(self, filmed):
        corpus, footage = filmed
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            camera, report = pnp.estimate(corpus.joints, footage.keypoints, footage.confidence, corpus.lengths)
        assert torch.allclose(camera.rotation, footage.camera.rotation, atol=1e-3)
        assert report.error.max() < 1e-4
        assert report.whole.max() < 1e-3
        assert not report.bad.any()
        assert str(report).startswith("PnP: 6 of 6 cameras found")

    def test_missing_keypoints_are_filled(self, filmed):
        corpus, _ = filmed
        footage = observations.film(corpus, seed=1, missing=0.1)
        raw = cameras.estimate_pnp(corpus.joints, footage.keypoints)
        camera, report = pnp.estimate(corpus.joints, footage.keypoints, footage.confidence, corpus.lengths)
        true = footage.camera.rotation
        assert (camera.rotation - true).abs().max() < 0.05 < (raw.rotation - true).abs().max()
        assert report.relative.max() < 0.1

    def test_error_by_hand(self):
        corpus = procedural.generate(1, seed=2)
        x = corpus.joints[:, :30]
        keypoints, _ = cameras.orbit(0.3, 0.1, x[0, 0, 0], 4.0).project(x[0])
        keypoints[24:] += 1.0  # after the frames that are used
        _, report = pnp.estimate(x, keypoints[None])
        assert report.error.item() < 1e-4
        assert report.whole.item() == pytest.approx((2 * 6 / 30) ** 0.5, rel=1e-3)

    def test_keypoints_of_another_clip_are_bad(self, filmed):
        corpus, footage = filmed
        keypoints = footage.keypoints.clone()
        keypoints[3] = keypoints[3].flip(-2)  # joints in another order
        with pytest.warns(UserWarning, match="1 not to be trusted.*\n  c3: error"):
            _, report = pnp.estimate(corpus.joints, keypoints, names=[f"c{i}" for i in range(6)])
        assert report.bad.tolist() == [False, False, False, True, False, False]

    def test_a_clip_without_camera_does_not_stop_the_others(self, filmed):
        corpus, footage = filmed
        x = corpus.joints.clone()
        x[2] = torch.nan
        with pytest.warns(UserWarning, match="5 of 6 cameras found"):
            camera, report = pnp.estimate(x, footage.keypoints, lengths=corpus.lengths)
        assert list(report.failed) == ["clip 2"]
        assert "not finite" in report.failed["clip 2"]
        assert report.bad.tolist() == [False, False, True, False, False, False]
        assert torch.isinf(report.relative[2])
        assert torch.allclose(camera[0].rotation, footage.camera[0].rotation, atol=1e-3)

    def test_bad_shapes(self):
        with pytest.raises(ValueError, match=r"expected \(C, T, J, 3\)"):
            pnp.estimate(torch.zeros(5, 22, 3), torch.zeros(5, 22, 2))
