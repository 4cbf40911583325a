"""Rendered videos and the simulated detector."""

import numpy as np
import pytest
import torch

from videomdm import cameras
from videomdm.data.recordings import rendering
from videomdm.data.recordings.video import Video
from videomdm.skeletons import HALPE26, SMPL22

pytestmark = pytest.mark.slow


class TestLandmarks:
    def test_take_limbs_over_and_place_the_rest(self, scene):
        seen = rendering.landmarks(scene.joints)
        assert seen.shape == (60, 26, 3)
        for name in ("left_knee", "right_wrist", "left_shoulder"):
            assert torch.equal(seen[:, HALPE26.index(name)], scene.joints[:, SMPL22.index(name)])

        def distance(a, b):
            return (seen[:, HALPE26.index(a)] - seen[:, HALPE26.index(b)]).norm(dim=-1)

        assert torch.allclose(distance("left_hip", "right_hip"), torch.tensor(0.20), atol=1e-4)
        assert torch.allclose(distance("left_heel", "left_big_toe"), torch.tensor(0.25), atol=1e-4)
        assert (seen[:, HALPE26.index("head"), 1] > scene.joints[:, SMPL22.index("head"), 1]).all()

    def test_turn_with_the_body(self, scene):
        angle = torch.tensor(0.7)
        turn = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
        assert torch.allclose(
            rendering.landmarks(scene.joints @ turn.T), rendering.landmarks(scene.joints) @ turn.T, atol=1e-5
        )


class TestDetect:
    def test_without_noise_is_the_projection(self, scene):
        found = rendering.detect([scene.joints], scene.camera, scene.intrinsics)
        expected, _ = scene.camera.project(rendering.landmarks(scene.joints))
        assert np.allclose(np.stack(found.people)[:, 0, :, :2], scene.intrinsics.to_pixels(expected).numpy(), atol=1e-3)
        assert all((p[..., 2] == 1).all() for p in found.people) and np.allclose(found.times, np.arange(60) / 20)

    def test_what_is_outside_the_image_is_not_seen(self, scene):
        right = scene.camera.rotation[0]
        path = torch.linspace(0, 4, 60)[:, None, None] * right
        found = rendering.detect(
            [scene.joints + path], scene.camera, scene.intrinsics, noise=rendering.Noise(dropouts=0.0)
        )
        counts = [len(p) for p in found.people]
        assert counts[0] == 1 and counts[-1] == 0 and counts == sorted(counts, reverse=True)
        leaving = found.people[sum(counts) - 1][0]
        assert 13 < (leaving[:, 2] > 0).sum() < 26 and (leaving[leaving[:, 2] == 0] == 0).all()
        behind = scene.joints + 8 * scene.camera.rotation[2] * torch.tensor([-1.0, 0, -1])
        assert not any(len(p) for p in rendering.detect([behind], scene.camera, scene.intrinsics).people)

    def test_noise_has_the_size_it_says(self, scene):
        joints = scene.joints.repeat(20, 1, 1)
        truth = np.concatenate(rendering.detect([joints], scene.camera, scene.intrinsics).people)
        noise = rendering.Noise(jitter=0.01, unsure=0.1, swaps=0.0, dropouts=0.0)
        found = np.concatenate(rendering.detect([joints], scene.camera, scene.intrinsics, noise=noise).people)
        height = np.ptp(truth[..., 1], axis=1)[:, None, None]
        error = (found - truth)[..., :2] / height
        unsure = found[..., 2] < 0.5
        assert unsure.mean() == pytest.approx(0.1, abs=0.01)
        assert error[~unsure].std() == pytest.approx(0.01, rel=0.05)
        assert error[unsure].std() == pytest.approx(0.04, rel=0.05)

    def test_dropouts_and_swaps(self, scene):
        joints = scene.joints.repeat(20, 1, 1)
        noise = rendering.Noise(jitter=0.0, unsure=0.0, swaps=0.2, dropouts=0.1)
        found = rendering.detect([joints], scene.camera, scene.intrinsics, noise=noise)
        seen = np.array([len(p) for p in found.people])
        assert 1 - seen.mean() == pytest.approx(0.1, abs=0.02)
        truth = rendering.detect([joints], scene.camera, scene.intrinsics)
        left, right = HALPE26.index("left_ankle"), HALPE26.index("right_ankle")
        both = [(p[0], t[0]) for p, t in zip(found.people, truth.people, strict=True) if len(p)]
        swapped = [np.allclose(p[left, :2], t[right, :2]) for p, t in both]
        assert np.mean(swapped) == pytest.approx(0.2, abs=0.04)

    def test_seed(self, scene):
        def people(seed):
            return rendering.detect(
                [scene.joints], scene.camera, scene.intrinsics, noise=rendering.Noise(), seed=seed
            ).people

        first, again, other = people(0), people(0), people(1)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


class TestFilm:
    def test_video(self, clip_mp4):
        video = Video(clip_mp4)
        assert (video.width, video.height, video.promised) == (256, 192, 60)

    def test_figure_covers_its_joints_and_nothing_else_moves(self, scene):
        images = np.stack(list(rendering.frames([scene.joints[:2]], scene.camera, scene.intrinsics))).astype(int)
        empty = next(
            rendering.frames([scene.joints[:1] + torch.tensor([0.0, 0, 50])], scene.camera, scene.intrinsics)
        ).astype(int)
        points = scene.intrinsics.to_pixels(scene.camera.project(scene.joints[:2])[0])
        changed = np.abs(images - empty).max(-1) > 25
        for t in range(2):
            at = points[t].round().long()
            assert changed[t][at[:, 1], at[:, 0]].mean() > 0.9
            rows, columns = np.nonzero(changed[t])
            assert columns.max() - columns.min() < float(points[t, :, 0].max() - points[t, :, 0].min()) + 40
            assert changed[t].mean() < 0.2

    def test_the_nearer_person_hides_the_other(self, scene):
        camera = cameras.orbit(0.0, 0.1, [0, 0.9, 0], 4.0)
        stand = scene.joints[:1]
        behind = stand - torch.tensor([0.0, 0, 1.5])
        chest = scene.intrinsics.to_pixels(camera.project(stand[0])[0])[SMPL22.index("spine3")].round().long()
        for people in ([stand, behind], [behind, stand]):
            image = next(rendering.frames(people, camera, scene.intrinsics))
            blue, _, red = image[chest[1], chest[0]].astype(int)
            assert (red > blue) == (people[0] is stand)

    def test_folder_that_is_not_there(self, scene, tmp_path):
        with pytest.raises(OSError, match="cannot write an mp4 file there"):
            rendering.film(tmp_path / "none" / "a.mp4", [scene.joints], scene.camera, scene.intrinsics)
