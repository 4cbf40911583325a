"""What can be said of lifted motions without the truth."""

import math

import pytest
import torch

from videomdm import cameras
from videomdm.cameras import Footage
from videomdm.data import observations, procedural
from videomdm.evaluation.lifting import without_truth


class TestWithoutTruth:
    def test_the_truth_lies_on_its_keypoints(self):
        corpus = procedural.generate(4, seed=3, max_frames=60)
        seen = observations.film(corpus, seed=1)
        found = without_truth(corpus.joints, seen)
        assert {k: v.shape for k, v in found.items()} == dict.fromkeys(found, (4,))
        assert found["reprojection"].max() < 1e-3
        still = without_truth(corpus.joints[:, :1].expand_as(corpus.joints), seen)
        assert still["acceleration"].max() < 1e-3 < 0.5 < found["acceleration"].min()
        assert still["skating"].max() == 0
        up = torch.tensor([0.0, 0.5, 0.0])
        drift = 0.05 * torch.arange(corpus.joints.shape[1])[:, None, None] * torch.tensor([1.0, 0.0, 0.0])
        sliding = corpus.joints[:, :1] + drift  # a statue pushed at 1 m/s
        slides, floats = (without_truth(sliding + shift, seen)["skating"] for shift in (0 * up, up))
        assert torch.allclose(slides, floats) and slides.min() > 0.9

    def test_reprojection_by_hand(self):
        """Two heaps of joints, one metre on either side of the root at 4 metres, seen 0.1 too low."""
        joints = torch.zeros(1, 4, 22, 3)
        joints[..., :11, 0], joints[..., 11:, 0] = -1.0, 1.0
        camera = cameras.orbit(torch.zeros(1), torch.zeros(1), torch.zeros(1, 3), torch.full((1,), 4.0))
        keypoints = camera.project(joints)[0] + torch.tensor([0, 0.1])
        confidence = torch.ones(1, 4, 22)
        keypoints[0, 1, 5], confidence[0, 1, 5] = 1e3, 0.0  # not seen
        keypoints[0, 3] = math.pi  # past the end
        found = without_truth(joints, Footage.of(keypoints, camera, torch.tensor([3]), confidence))
        assert found["reprojection"].item() == pytest.approx(100 * 0.1 / 0.25, rel=0.01)
