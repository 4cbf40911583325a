import math

import pytest
import torch

from videomdm import cameras
from videomdm.cameras import Camera, Footage
from videomdm.cameras.placement import SMOOTH, STAY, place
from videomdm.cameras.refinement import refine, ridge, select_cameras
from videomdm.data import procedural


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(12, seed=3)


@pytest.fixture(scope="module")
def camera(corpus):
    return cameras.sample_orbit(corpus.joints, corpus.lengths, torch.Generator().manual_seed(0))


def moved(camera, yaw=0.0, shift=(0.0, 0.0, 0.0)):
    """The camera in a frame that is turned by ``yaw`` and shifted."""
    c, s = math.cos(yaw), math.sin(yaw)
    turn = torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]).expand(len(camera), 3, 3)
    return camera.in_frame(turn, torch.tensor(shift).expand(len(camera), 3))


def distance(a, b):
    return (a.rotation - b.rotation).abs().amax((1, 2)), (a.center - b.center).norm(dim=-1)


class TestRefine:
    def test_finds_the_camera_that_saw_the_joints(self, corpus, camera):
        wrong = moved(camera, 0.15, (0.1, -0.05, 0.2))
        keypoints = camera.project(corpus.joints)[0]
        found = refine(corpus.joints, Footage.of(keypoints, wrong, corpus.lengths), steps=3, ridge=(1e-6,) * 6)
        turn, shift = distance(found, camera)
        assert turn.max() < 1e-3 and shift.max() < 5e-3
        before = cameras.reprojection_error(wrong, corpus.joints, keypoints, corpus.lengths)
        after = cameras.reprojection_error(found, corpus.joints, keypoints, corpus.lengths)
        assert (after < 0.01 * before).all()

    def test_default_ridge_turns_with_care_and_moves_at_once(self, corpus, camera):
        keypoints = camera.project(corpus.joints)[0]
        shifted = refine(corpus.joints, Footage.of(keypoints, moved(camera, shift=(0.1, -0.05, 0.2)), corpus.lengths))
        assert distance(shifted, camera)[1].mean() < 0.1 * 0.23
        turned = refine(corpus.joints, Footage.of(keypoints, moved(camera, 0.3), corpus.lengths))
        left = distance(turned, camera)[0]
        assert (left < math.sin(0.3)).all() and left.mean() > 0.03  # towards the truth, not in one leap

    def test_a_camera_that_is_right_stays(self, corpus, camera):
        keypoints = camera.project(corpus.joints)[0]
        turn, shift = distance(refine(corpus.joints, Footage.of(keypoints, camera, corpus.lengths)), camera)
        assert turn.max() < 1e-5 and shift.max() < 1e-4

    def test_smaller_people_seem_nearer_but_a_known_distance_stays(self, corpus, camera):
        keypoints, middle = camera.project(corpus.joints)[0], corpus.joints.mean((1, 2), keepdim=True)
        smaller = middle + 0.9 * (corpus.joints - middle)
        nearer, kept = (
            refine(smaller, Footage.of(keypoints, camera, corpus.lengths), **how)
            for how in ({}, {"ridge": ridge(known_distance=True)})
        )
        depth, free, held = (c.to_camera(middle)[:, 0, 0, 2] for c in (camera, nearer, kept))
        assert (free / depth).mean() == pytest.approx(0.9, abs=0.02)
        assert (held / depth - 1).abs().max() < 0.01

    def test_a_known_floor_keeps_pitch_and_roll(self, corpus, camera):
        """Motions tilted by 5 degrees turn a camera, but not one whose up is known."""
        angle = torch.tensor(5.0).deg2rad()
        c, s = angle.cos(), angle.sin()
        tilted = corpus.joints @ torch.tensor([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])
        seen = Footage.of(camera.project(corpus.joints)[0], camera, corpus.lengths)
        free, held = (refine(tilted, seen, ridge=ridge(known_up=known)) for known in (False, True))
        moved = [(c.rotation[:, :, 1] - camera.rotation[:, :, 1]).norm(dim=-1).rad2deg() for c in (free, held)]
        assert moved[1].max() < 0.5 and moved[1].max() < 0.2 * moved[0].max()

    def test_what_varies_less_than_the_truth_keeps_its_distance(self, corpus, camera):
        """A prediction is the mean of what may be true: the truth is that and an error independent of it."""
        error = 0.15 * torch.randn(corpus.joints.shape, generator=torch.Generator().manual_seed(1))
        keypoints, middle = camera.project(corpus.joints + error)[0], corpus.joints.mean((1, 2), keepdim=True)
        found = refine(corpus.joints, Footage.of(keypoints, camera, corpus.lengths), steps=5)
        moved = found.to_camera(middle)[:, 0, 0, 2] / camera.to_camera(middle)[:, 0, 0, 2]
        assert moved.mean() == pytest.approx(1, abs=0.005)

    def test_padding_and_unseen_joints_do_not_count(self, corpus, camera):
        wrong, keypoints = moved(camera, 0.1), camera.project(corpus.joints)[0]
        confidence = torch.ones(keypoints.shape[:-1])
        confidence[:, :, 5] = 0
        expected = refine(corpus.joints, Footage.of(keypoints, wrong, corpus.lengths, confidence))
        keypoints[:, :, 5] = 7.0
        beyond = torch.arange(keypoints.shape[1]) >= corpus.lengths[:, None]
        keypoints[beyond] = -3.0
        found = refine(corpus.joints, Footage.of(keypoints, wrong, corpus.lengths, confidence))
        torch.testing.assert_close(found.rotation, expected.rotation)
        torch.testing.assert_close(found.translation, expected.translation)

    def test_joints_predicted_at_the_camera_do_not_count(self, corpus, camera):
        wrong, keypoints = moved(camera, 0.1), camera.project(corpus.joints)[0]
        confidence = torch.ones(keypoints.shape[:-1])
        confidence[:, :, 5] = 0
        expected = refine(corpus.joints, Footage.of(keypoints, wrong, corpus.lengths, confidence))
        joints = corpus.joints.clone()
        joints[:, :, 5] = wrong.to_world(torch.tensor([0.0, 0.1, 0.2]).expand(len(joints), joints.shape[1], 3))
        found = refine(joints, Footage.of(keypoints, wrong, corpus.lengths))
        torch.testing.assert_close(found.rotation, expected.rotation, atol=1e-4, rtol=0)
        torch.testing.assert_close(found.translation, expected.translation, atol=1e-3, rtol=0)

    def test_rotations_stay_rotations_and_no_gradient_flows(self, corpus, camera):
        joints = corpus.joints.clone().requires_grad_()
        found = refine(
            joints, Footage.of(camera.project(corpus.joints)[0], moved(camera, 1.0), corpus.lengths), steps=5
        )
        Camera(found.rotation, found.translation)  # raises where it is none
        assert not found.rotation.requires_grad


def test_where_takes_each_clips_camera(camera):
    other = moved(camera, 0.5)
    chosen = torch.arange(len(camera)) % 2 == 0
    mixed = select_cameras(chosen, other, camera)
    assert torch.equal(mixed.rotation[::2], other.rotation[::2])
    assert torch.equal(mixed.translation[1::2], camera.translation[1::2])


class TestPlace:
    @pytest.fixture
    def drifting(self, corpus, camera):
        """Joints that drift away from the camera, at a metre per 60 frames, and the keypoints of the true ones."""
        away = torch.linspace(0, corpus.joints.shape[1] / 60, corpus.joints.shape[1])[None, :, None, None]
        drift = camera.rotation[:, None, None, 2] * away  # the world's direction of the camera's view
        return corpus.joints + drift, camera.project(corpus.joints)[0]

    @staticmethod
    def errors(joints, corpus):
        valid = torch.arange(joints.shape[1]) < corpus.lengths[:, None]
        return (joints - corpus.joints).norm(dim=-1)[valid].mean()

    def test_size_tells_depth(self, corpus, camera, drifting):
        wrong, keypoints = drifting
        found = place(wrong, Footage.of(keypoints, camera, corpus.lengths))
        assert self.errors(found, corpus) < 0.35 * self.errors(wrong, corpus)
        exact = place(wrong, Footage.of(keypoints, camera, corpus.lengths), stay=1e-6, smooth=0.0)
        assert self.errors(exact, corpus) < 0.01 * self.errors(wrong, corpus)

    def test_only_places_change_and_padding_stays(self, corpus, camera, drifting):
        wrong, keypoints = drifting
        shift = place(wrong, Footage.of(keypoints, camera, corpus.lengths)) - wrong
        torch.testing.assert_close(shift, shift[:, :, :1].expand_as(shift), atol=1e-5, rtol=0)
        padded = torch.arange(wrong.shape[1]) >= corpus.lengths[:, None]
        assert padded.any() and shift[padded].abs().max() < 1e-5

    def test_it_is_the_minimum(self, corpus, camera, drifting):
        """The gradient of what is minimised, written out frame by frame, vanishes there."""
        wrong, keypoints = drifting
        generator = torch.Generator().manual_seed(0)
        confidence = torch.rand(keypoints.shape[:-1], generator=generator).double()
        wrong, keypoints = wrong.double(), keypoints.double()
        camera = Camera(camera.rotation.double(), camera.translation.double(), validate=False)
        found = place(wrong, Footage.of(keypoints, camera, corpus.lengths, confidence))
        inside = camera.to_camera(wrong)
        shift = (camera.to_camera(found) - inside)[:, :, :1].requires_grad_()
        total = 0
        for clip, length in enumerate(corpus.lengths.tolist()):
            for t in range(length):
                at = inside[clip, t] + shift[clip, t]
                residual = at[:, :2] - keypoints[clip, t] * at[:, 2:]
                total = total + (confidence[clip, t] * residual.square().sum(-1)).mean()
                total = total + STAY * shift[clip, t].square().sum()
                if 0 < t < length - 1:
                    bend = shift[clip, t - 1] - 2 * shift[clip, t] + shift[clip, t + 1]
                    total = total + SMOOTH * bend.square().sum()
        (gradient,) = torch.autograd.grad(total, shift)
        valid = torch.arange(wrong.shape[1]) < corpus.lengths[:, None]
        assert shift.abs().max() > 0.1 and gradient[valid].abs().max() < 1e-4

    def test_ten_minutes(self, corpus, camera):
        """A system that grew with the square of the frames would take 10 GB."""
        joints = corpus.joints[:1, :60].repeat(1, 200, 1, 1)
        keypoints = camera[:1].project(joints)[0]
        off = joints + 0.1 * camera.rotation[:1, None, None, 2]
        found = place(off, Footage.of(keypoints, camera[:1]), stay=1e-6)
        assert (found - joints).norm(dim=-1).mean() < 0.02

    def test_unseen_frames_go_with_the_others(self, corpus, camera, drifting):
        wrong, keypoints = drifting
        confidence = torch.ones(keypoints.shape[:-1])
        confidence[:, 10:14] = 0
        spoilt = keypoints.clone()
        spoilt[:, 10:14] = 7.0
        found = place(wrong, Footage.of(spoilt, camera, corpus.lengths, confidence))
        shift = (found - wrong)[:, :, 0]
        between = torch.stack([shift[:, 9], shift[:, 14]])
        assert torch.isfinite(found).all()
        middle = shift[:, 10:14].mean(1)
        assert (middle >= between.amin(0) - 0.01).all() and (middle <= between.amax(0) + 0.01).all()
        nothing = place(wrong, Footage.of(spoilt, camera, corpus.lengths, torch.zeros_like(confidence)))
        torch.testing.assert_close(nothing, wrong, atol=1e-5, rtol=0)
