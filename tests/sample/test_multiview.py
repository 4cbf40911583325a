"""MAS: one motion in 3-D from pictures of it, in closed form, and one noise for all views."""

import math
import time

import pytest
import torch

from benchmarks import synthetic
from videomdm import features, sample, train
from videomdm.cameras.views import Views
from videomdm.data import nba, observations, sources
from videomdm.data.tracks import Statistics, to_picture
from videomdm.diffusion import Diffusion
from videomdm.sample import multiview
from videomdm.skeletons.padding import hold_last

CENTRED = Views(nba.ELEVATION, nba.DISTANCE)


@pytest.fixture(scope="module")
def centred():
    return nba.bodies(sources.load("procedural", None, "test", 60, 300)).joints


@pytest.fixture(scope="module")
def travelling():
    """Motions with a path, around the middle between the cameras."""
    corpus = sources.load("procedural", None, "test", 60, 300)
    joints = hold_last(corpus.joints, corpus.lengths)
    middle = (joints.amin((1, 2)) + joints.amax((1, 2))) / 2
    return joints - middle[:, None, None] + torch.tensor([0.0, 0.85, 0.0])


def adam(keypoints, camera, start, steps, depth=None):
    """MAS' own fit: gradient descent on picture coordinates, with the depth detached or held."""
    motion = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([motion], lr=0.01)
    for _ in range(steps):
        seen = camera.to_camera(motion.expand(len(camera), *motion.shape))
        d = seen[..., 2:].detach() if depth is None else depth
        loss = (to_picture(seen[..., :2] / d) - to_picture(keypoints)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return motion.detach()


def apart(a, b):
    return float((a - b).norm() / b.norm())


class TestViews:
    def test_seven_cameras_around_the_axis(self):
        camera = CENTRED.cameras(7)
        center = camera.center
        torch.testing.assert_close(center.norm(dim=-1), torch.full((7,), 7.0))
        azimuth = torch.atan2(center[:, 0], center[:, 2])
        expected = -math.pi + 2 * math.pi * torch.arange(7) / 7
        torch.testing.assert_close(torch.exp(1j * azimuth), torch.exp(1j * expected))
        assert camera.project(torch.zeros(7, 3))[0].abs().max() < 1e-6

    def test_of_centred_cameras_and_of_a_corpus(self):
        assert Views.of(nba.camera(5)).distance == pytest.approx(7, abs=1e-5)
        assert Views.of(nba.camera(5)).elevation == pytest.approx(math.pi / 16, abs=1e-6)
        corpus = sources.load("procedural", None, "train", 60, 300)
        camera = observations.film(corpus, 1).camera
        joints = hold_last(corpus.joints, corpus.lengths)
        middle = (joints.amin((1, 2)) + joints.amax((1, 2))) / 2
        found = Views.of(camera)
        assert found.distance == pytest.approx(float(camera.to_camera(middle)[:, 2].mean()), rel=0.08)
        assert found.height == pytest.approx(float(middle[:, 1].mean()), abs=0.05)


class TestConsistent:
    def test_seven_exact_pictures_give_the_motion_back(self, centred):
        camera = CENTRED.cameras(7)
        found = multiview.consistent(multiview.project(centred, camera), camera)
        assert (found - centred).norm(dim=-1).max() < 1e-3

    def test_with_a_root_path(self, travelling):
        views = Views(0.14, 6.0, 0.85)
        camera = views.cameras(7)
        found = multiview.consistent(multiview.project(travelling, camera), camera, refreshes=12)
        assert travelling.abs().max() > 1.2
        assert (found - travelling).norm(dim=-1).max() < 1e-3

    def test_two_views_are_enough_and_a_known_depth_needs_one_fit(self, centred):
        camera = CENTRED.cameras(7)[:2]
        keypoints = multiview.project(centred, camera)
        found = multiview.consistent(keypoints, camera, start=centred, refreshes=1)
        assert (found - centred).norm(dim=-1).max() < 1e-3

    def test_its_residual_is_orthogonal_to_what_can_be_seen(self, centred):
        """The normal equations, with autograd in place of the formula."""
        camera = CENTRED.cameras(7)
        start = centred[:3].double()
        camera = camera.to(torch.float64)
        torch.manual_seed(0)
        keypoints = multiview.project(start, camera) + 0.05 * torch.randn(7, *start.shape[:-1], 2).double()
        found = multiview.consistent(keypoints, camera, start, 1).requires_grad_()
        depth = camera.to_camera(start.expand(7, *start.shape))[..., 2:]
        seen = camera.to_camera(found.expand(7, *found.shape))
        (seen[..., :2] / depth - keypoints).square().sum().backward()
        assert found.grad.abs().max() < 1e-12

    @pytest.mark.slow
    def test_a_thousand_steps_of_adam_come_to_the_same(self, centred):
        camera, truth = CENTRED.cameras(7), centred[:1, :20]
        torch.manual_seed(0)
        keypoints = multiview.project(truth, camera) + 0.02 * torch.randn(7, *truth.shape[:-1], 2)
        start = truth + 0.1 * torch.randn_like(truth)
        depth = camera.to_camera(start.expand(7, *start.shape))[..., 2:]
        assert (
            apart(adam(keypoints, camera, start, 1000, depth), multiview.consistent(keypoints, camera, start, 1)) < 1e-4
        )
        assert apart(adam(keypoints, camera, start, 1000), multiview.consistent(keypoints, camera, start)) < 1e-4
        assert apart(start, multiview.consistent(keypoints, camera, start)) > 1e-2, "there was something to do"

    def test_it_is_fifty_times_faster(self, centred):
        camera, start = CENTRED.cameras(7), centred[:8]
        keypoints = multiview.project(start, camera)

        def seconds(function, times):
            began = time.perf_counter()
            for _ in range(times):
                function()
            return (time.perf_counter() - began) / times

        multiview.consistent(keypoints, camera, start)
        closed = seconds(lambda: multiview.consistent(keypoints, camera, start), 10)
        assert 1000 * seconds(lambda: adam(keypoints, camera, start, 20), 1) / 20 > 50 * closed

    def test_joints_behind_a_camera_stay_finite(self):
        camera = CENTRED.cameras(7)
        assert multiview.consistent(5 * torch.randn(7, 2, 4, 16, 2), camera).isfinite().all()


class TestNoise:
    def test_it_is_standard_normal_in_every_view(self):
        torch.manual_seed(0)
        seen = multiview.shared_noise(torch.randn(50, 40, 16, 3), CENTRED.cameras(7))
        assert seen.mean((1, 2, 3)).abs().max() < 0.03
        for view in seen.flatten(1, 3):
            torch.testing.assert_close(view.T.cov(), torch.eye(2), atol=0.03, rtol=0)

    def test_it_is_one_noise(self):
        """Two views tell it, and so every other one."""
        torch.manual_seed(1)
        camera, noise = CENTRED.cameras(7), torch.randn(2, 5, 16, 3)
        seen = multiview.shared_noise(noise, camera)
        axes = (camera.rotation[:, :2] * torch.tensor([1.0, -1.0])[:, None]).flatten(0, 1)  # (14, 3)
        found = seen[:2].movedim(0, -2).flatten(-2) @ torch.linalg.pinv(axes[:4]).mT
        torch.testing.assert_close(found, noise, atol=1e-4, rtol=1e-4)

    def test_up_is_up(self):
        noise = torch.zeros(1, 1, 1, 3)
        noise[..., 1] = 1
        seen = multiview.shared_noise(noise, CENTRED.cameras(7))
        torch.testing.assert_close(seen[..., 1], torch.full((7, 1, 1, 1), math.cos(nba.ELEVATION)))
        motion = noise * 0.1
        picture = to_picture(multiview.project(motion, CENTRED.cameras(7)))
        assert (seen * picture).sum() > 0, "noise and pictures have the same axes"


class TestSample:
    """A denoiser that knows the answer: pictures of one motion."""

    statistics = Statistics(torch.randn(16, 2) * 0.1, torch.rand(16, 2) + 0.3)

    def test_a_denoiser_of_one_motion_gives_that_motion(self, centred):
        truth = centred[:2, :10]
        camera = CENTRED.cameras(7)

        def denoise(x, t):
            assert x.shape == (7, 2, 10, 16, 2)
            return multiview.project(truth, camera)

        generator = torch.Generator().manual_seed(0)
        found = multiview.sample(denoise, truth.shape, CENTRED, self.statistics, Diffusion(10), generator=generator)
        assert (found - truth).norm(dim=-1).max() < 1e-3

    def test_noisy_pictures_are_the_sum_of_their_parts(self, centred):
        """Step after step in one place, or put together anew: the same pictures."""
        diffusion, camera = Diffusion(12, tau=2), CENTRED.cameras(7)
        torch.manual_seed(3)
        noise = torch.randn(2, 6, 16, 3)
        x, parts = multiview.shared_noise(noise, camera), multiview._Parts(noise)
        for i, t in enumerate(diffusion.timesteps()):
            motion, noise = centred[i : i + 2, :6], torch.randn(2, 6, 16, 3)
            clean = self.statistics.normalise(multiview.project(motion, camera))
            x = diffusion.ddpm_step(x, clean, t, multiview.shared_noise(noise, camera))
            parts.step(diffusion, motion, t, noise)
            torch.testing.assert_close(parts.seen(camera, self.statistics), x, atol=1e-4, rtol=1e-4)

    def test_new_angles_see_the_motion_from_new_sides(self, centred):
        truth, seen = centred[:1, :6], []

        def denoise(x, t):
            seen.append(x)
            return multiview.project(truth, CENTRED.cameras(7))

        multiview.sample(denoise, truth.shape, CENTRED, self.statistics, Diffusion(6), new_angles=True)
        assert len(seen) == 6 and all(x.isfinite().all() for x in seen)
        spread = [float(x.std()) for x in seen]
        assert min(spread) > 0.5 and max(spread) < 3


@pytest.mark.slow
class TestGenerate:
    def test_centred_and_without_text(self, tmp_path):
        config = train.profile(
            "smoke", data="nba-like", method="mdm-2d", text="none", guidance=1.0, tau=2.0, runs=str(tmp_path)
        )
        prior = sample.load(train.fit(config))
        motions = sample.generate(prior, ["", ""], [20, 31], seed=1)
        assert motions.shape == (2, 31, 16, 3) and motions[:, :, 0].abs().max() == 0
        assert torch.equal(motions[0, 19], motions[0, 30]), "the last pose is held"
        assert torch.equal(motions, sample.generate(prior, ["", ""], [20, 31], seed=1, method="mas"))
        assert not torch.equal(motions, sample.generate(prior, ["", ""], [20, 31], seed=2))
        with pytest.raises(ValueError, match="trained without text"):
            sample.generate(prior, ["a man walks"], [20])
        with pytest.raises(ValueError, match="method is 'ddim' for a prior of 2-D pictures"):
            sample.generate(prior, [""], [20], method="ddim")
        turning = multiview.generate(prior, [""], torch.tensor([20]), new_angles=True, n_views=3)
        assert turning.isfinite().all()

    def test_with_text_and_a_path(self, tmp_path):
        config = train.profile("smoke", method="mdm-2d", runs=str(tmp_path))
        prior = sample.load(train.fit(config))
        motions = sample.generate(prior, ["a person walks", "someone jumps"], seconds=2)
        assert motions.shape == (2, 40, 22, 3)
        assert motions[:, 0, 0, [0, 2]].abs().max() < 1e-5
        assert motions[:, :, 0].diff(dim=1).abs().max() > 0, "they have a path"
        encoded = sample.generate(prior, ["a person walks", "someone jumps"], seconds=2, as_features=True)
        torch.testing.assert_close(features.decode(encoded), motions, atol=1e-4, rtol=1e-4)
        with pytest.raises(ValueError, match="2-D pictures knows no motions to lift with"):
            sample.lift(prior, torch.zeros(10, 22, 2), observations.turned(CENTRED.cameras(1), 0.0)[0])
        again = sample.generate(prior, ["someone jumps", "a person walks"], seconds=2)
        assert not torch.equal(again[0], motions[0]), "the caption matters"
        with pytest.raises(ValueError, match="method is 'mas' for a prior of 3-D motions"):
            other = sample.load(train.fit(config.but(method="mdm-3d", warmup_steps=0, steps=1)))
            sample.generate(other, ["a person walks"], method="mas")


@pytest.mark.slow
def test_mas_costs_at_most_eight_times_as_much_as_a_prior_of_motions():
    """Seven views of 32 motions, in seconds of the processor, which others at work do not change."""
    config = train.profile("laptop", text="none", n_steps=6, tau=2.0, max_frames=60, t_star=0)
    lengths, seconds = torch.full((32,), 60), {}
    for name, prior in synthetic.centred_priors(config, torch.device("cpu")).items():
        sample.generate(prior, [""] * 32, lengths, guidance=1.0)
        began = time.process_time()
        sample.generate(prior, [""] * 32, lengths, guidance=1.0)
        seconds[name] = time.process_time() - began
    print(seconds)
    assert seconds["mas"] <= 8 * seconds["prior"]
