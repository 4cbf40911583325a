import math

import pytest
import torch

from videomdm import cameras
from videomdm.cameras import Camera
from videomdm.data import procedural
from videomdm.refinement import refine, where


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(12, seed=3)


@pytest.fixture(scope="module")
def camera(corpus):
    return cameras.sample_orbit(corpus.joints, corpus.lengths, torch.Generator().manual_seed(0))


def moved(camera, yaw=0.0, shift=(0.0, 0.0, 0.0)):
    """The camera told in a frame that is turned by ``yaw`` and shifted."""
    c, s = math.cos(yaw), math.sin(yaw)
    turn = torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]).expand(len(camera), 3, 3)
    return camera.in_frame(turn, torch.tensor(shift).expand(len(camera), 3))


def distance(a, b):
    return (a.rotation - b.rotation).abs().amax((1, 2)), (a.center - b.center).norm(dim=-1)


class TestRefine:
    def test_finds_the_camera_that_saw_the_joints(self, corpus, camera):
        wrong = moved(camera, 0.15, (0.1, -0.05, 0.2))
        keypoints = camera.project(corpus.joints)[0]
        found = refine(wrong, corpus.joints, keypoints, corpus.lengths, steps=3, ridge=(1e-6,) * 6)
        turn, shift = distance(found, camera)
        assert turn.max() < 1e-3 and shift.max() < 5e-3
        before = cameras.reprojection_error(wrong, corpus.joints, keypoints, corpus.lengths)
        after = cameras.reprojection_error(found, corpus.joints, keypoints, corpus.lengths)
        assert (after < 0.01 * before).all()

    def test_default_ridge_turns_with_care_and_moves_at_once(self, corpus, camera):
        keypoints = camera.project(corpus.joints)[0]
        shifted = refine(moved(camera, shift=(0.1, -0.05, 0.2)), corpus.joints, keypoints, corpus.lengths)
        assert distance(shifted, camera)[1].mean() < 0.1 * 0.23
        turned = refine(moved(camera, 0.3), corpus.joints, keypoints, corpus.lengths)
        left = distance(turned, camera)[0]
        assert (left < math.sin(0.3)).all() and left.mean() > 0.03  # towards the truth, not in one leap

    def test_a_camera_that_is_right_stays(self, corpus, camera):
        keypoints = camera.project(corpus.joints)[0]
        turn, shift = distance(refine(camera, corpus.joints, keypoints, corpus.lengths), camera)
        assert turn.max() < 1e-5 and shift.max() < 1e-4

    def test_padding_and_unseen_joints_do_not_count(self, corpus, camera):
        wrong, keypoints = moved(camera, 0.1), camera.project(corpus.joints)[0]
        confidence = torch.ones(keypoints.shape[:-1])
        confidence[:, :, 5] = 0
        expected = refine(wrong, corpus.joints, keypoints, corpus.lengths, confidence)
        keypoints[:, :, 5] = 7.0
        beyond = torch.arange(keypoints.shape[1]) >= corpus.lengths[:, None]
        keypoints[beyond] = -3.0
        found = refine(wrong, corpus.joints, keypoints, corpus.lengths, confidence)
        torch.testing.assert_close(found.rotation, expected.rotation)
        torch.testing.assert_close(found.translation, expected.translation)

    def test_rotations_stay_rotations_and_no_gradient_flows(self, corpus, camera):
        joints = corpus.joints.clone().requires_grad_()
        found = refine(moved(camera, 1.0), joints, camera.project(corpus.joints)[0], corpus.lengths, steps=5)
        Camera(found.rotation, found.translation)  # raises where it is none
        assert not found.rotation.requires_grad


def test_where_takes_each_clips_camera(camera):
    other = moved(camera, 0.5)
    chosen = torch.arange(len(camera)) % 2 == 0
    mixed = where(chosen, other, camera)
    assert torch.equal(mixed.rotation[::2], other.rotation[::2])
    assert torch.equal(mixed.translation[1::2], camera.translation[1::2])
