"""What a method's errors do to the observations it is given."""

import math

import pytest
import torch

from videomdm import train
from videomdm.evaluation import pose
from videomdm.train import observe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return train.profile("smoke", n_clips=40, runs=str(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def corpus(config):
    return observe.load(config, "train")


@pytest.fixture(scope="module")
def observed(config, corpus):
    return observe.observe(config, corpus, "truth")


def error(observed, corpus):
    return float(pose.errors(observed.teacher, corpus.joints, corpus.lengths, align="root")["mpjpe"].mean())


def test_teacher_error_from_perfect_to_poor(config, corpus, observed):
    errors = [
        error(observe.observe(config.but(method=f"videomdm/error-{e}"), corpus, "truth"), corpus)
        for e in (0.0, 0.5, 1.5)
    ]
    own = error(observed, corpus)
    assert errors[0] < 2 and errors[0] < errors[1] < own < errors[2]  # mm; the floor is the median foot's


def test_camera_noise_turns_every_camera_by_its_degrees(config, corpus, observed):
    noisy = observe.observe(config.but(method="videomdm/camera-10.0"), corpus, "truth")
    turn = noisy.camera.rotation @ observed.camera.rotation.mT
    angle = ((turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).acos()
    torch.testing.assert_close(angle, torch.full_like(angle, math.radians(10.0)), atol=1e-3, rtol=0)
    assert torch.equal(noisy.keypoints, observed.keypoints) and torch.equal(noisy.teacher, observed.teacher)
    origin = torch.zeros(len(noisy), 3)
    torch.testing.assert_close(noisy.camera.to_camera(origin), observed.camera.to_camera(origin))


def test_keypoint_noise_reaches_keypoints_and_teacher(config, corpus, observed):
    noisy = observe.observe(config.but(method="videomdm/keypoints-0.01"), corpus, "truth")
    inside = torch.arange(noisy.keypoints.shape[1]) < noisy.lengths[:, None]
    spread = (noisy.keypoints - observed.keypoints)[inside].std()
    assert 0.01 < spread < 0.02  # a joint of half confidence errs twice as much
    assert error(noisy, corpus) > error(observed, corpus)
    own = observe.observe(config.but(keypoint_noise=0.01), corpus, "truth")
    assert torch.equal(own.keypoints, noisy.keypoints)
