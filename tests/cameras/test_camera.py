import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm import cameras
from videomdm.cameras import Camera, estimate_pnp, orbit, reprojection_error, sample_orbit

F64 = torch.float64


def random_rotation(*batch, generator=None):
    q, _ = torch.linalg.qr(torch.randn(*batch, 3, 3, dtype=F64, generator=generator))
    return q * torch.linalg.det(q).sign()[..., None, None]


def random_scene(seed, batch=(2,), extra=(5, 4)):
    """Cameras about 4 m in front of points, in float64."""
    g = torch.Generator().manual_seed(seed)
    rotation = random_rotation(*batch, generator=g)
    translation = torch.randn(*batch, 3, dtype=F64, generator=g) * 0.3 + torch.tensor([0, 0, 6.0], dtype=F64)
    points = torch.rand(*batch, *extra, 3, dtype=F64, generator=g) * 2 - 1
    return Camera(rotation, translation), points, g


class TestCamera:
    def test_hand_computed(self):
        # standing at (0, 1, 4) and looking along -Z: right is +X, down is -Y
        camera = Camera(torch.diag(torch.tensor([1.0, -1.0, -1.0])), torch.tensor([0.0, 1.0, 4.0]))
        assert camera.center.tolist() == [0, 1, 4]
        xy, depth = camera.project(torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [0.0, 0.0, 5.0]]))
        assert xy[:2].tolist() == [[0.25, 0.0], [0.0, -0.5]]
        assert depth.tolist() == [4, 2, -1]

    def test_points_behind_stay_finite_with_finite_gradients(self):
        camera = Camera(torch.eye(3), torch.zeros(3))
        points = torch.tensor([[1.0, 1.0, 0.0], [1.0, 2.0, -3.0], [0.0, 0.0, 1e-8]], requires_grad=True)
        xy, depth = camera.project(points)
        xy.sum().backward()
        assert depth.tolist() == pytest.approx([0, -3, 1e-8])
        assert xy[1].tolist() == pytest.approx([1 / cameras.MIN_DEPTH, 2 / cameras.MIN_DEPTH])
        assert xy.isfinite().all() and points.grad.isfinite().all()

    @pytest.mark.parametrize("extra", [(), (4,), (5, 4), (3, 5, 4)])
    def test_batch_dimensions_lead(self, extra):
        camera, points, g = random_scene(0, batch=(2, 3), extra=extra)
        keypoints = torch.randn(*points.shape[:-1], 2, dtype=F64, generator=g)
        xy, depth = camera.project(points)
        rays = camera.project_to_rays(points, keypoints)
        assert xy.shape == (2, 3, *extra, 2) and depth.shape == (2, 3, *extra) and rays.shape == points.shape
        for i in range(2):
            for j in range(3):
                one = camera[i, j]
                expected = points[i, j] @ one.rotation.T + one.translation
                torch.testing.assert_close(one.to_camera(points[i, j]), expected)
                torch.testing.assert_close(xy[i, j], expected[..., :2] / expected[..., 2:])
                torch.testing.assert_close(rays[i, j], one.project_to_rays(points[i, j], keypoints[i, j]))

    def test_too_few_dimensions(self):
        camera, _, _ = random_scene(0, batch=(2, 3))
        with pytest.raises(ValueError, match=r"\(2, 3\).*batch \(2, 3\)"):
            camera.project(torch.zeros(2, 3))

    def test_gradcheck(self):
        camera, points, g = random_scene(1, batch=(2,), extra=(3,))
        keypoints = torch.randn(2, 3, 2, dtype=F64, generator=g)
        inputs = [x.requires_grad_() for x in (camera.rotation, camera.translation, points, keypoints)]

        def both(rotation, translation, points, keypoints):
            c = Camera(rotation, translation, validate=False)
            return *c.project(points), c.project_to_rays(points, keypoints)

        assert torch.autograd.gradcheck(both, inputs)

    def test_stays_float32_under_autocast(self):
        camera, points, _ = random_scene(2)
        camera, points = camera.to(torch.float32), points.float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            under = Camera(camera.rotation, camera.translation).project(points)[0]
        torch.testing.assert_close(under, camera.project(points)[0], rtol=0, atol=0)

    def test_index_length_and_move(self):
        camera, _, _ = random_scene(3, batch=(4,))
        assert len(camera) == 4 and camera[None].batch_shape == (1, 4)
        assert [c.batch_shape for c in camera] == [()] * 4
        assert torch.equal(camera[torch.tensor([2, 0])].translation, camera.translation[[2, 0]])
        assert camera.to(torch.float32).rotation.dtype == torch.float32
        with pytest.raises(TypeError, match="single camera"):
            len(camera[0])


class TestValidation:
    def test_reflection(self):
        with pytest.raises(ValueError, match="determinant -1"):
            Camera(torch.diag(torch.tensor([1.0, 1.0, -1.0])), torch.zeros(3))

    def test_scaled_one_of_a_batch(self):
        rotation = torch.eye(3).repeat(2, 2, 1, 1)
        rotation[1, 0] *= 1.1
        with pytest.raises(ValueError, match=r"camera \(1, 0\).*orthonormal.*0\.21.*determinant 1\.33"):
            Camera(rotation, torch.zeros(2, 2, 3))

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_not_finite(self, bad):
        rotation, translation = torch.eye(3), torch.zeros(3)
        with pytest.raises(ValueError, match=f"translation is .*{bad}"):
            Camera(rotation, translation + bad)
        rotation[0, 1] = bad
        with pytest.raises(ValueError, match=f"rotation is .*{bad}"):
            Camera(rotation, translation)

    @pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3, 3), (3,)), ((3, 4), (3,)), ((3, 3), (1, 3))])
    def test_shapes(self, shapes):
        with pytest.raises(ValueError, match="shape"):
            Camera(torch.zeros(shapes[0]), torch.zeros(shapes[1]))

    def test_rounded_rotation_passes_and_validation_can_be_off(self):
        rounded = (random_rotation(50) * 1e4).round() / 1e4
        Camera(rounded, torch.zeros(50, 3))
        Camera(-torch.eye(3), torch.zeros(3), validate=False)


class TestRays:
    """The five properties of appendix B."""

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 10**6))
    def test_properties(self, seed):
        camera, points, g = random_scene(seed)
        keypoints = torch.randn(*points.shape[:-1], 2, dtype=F64, generator=g) * 0.5
        closest = camera.project_to_rays(points, keypoints)

        # the closest point projects onto the keypoint
        xy, depth = camera.project(closest)
        ahead = depth > 0.01
        torch.testing.assert_close(xy[ahead], keypoints[ahead])
        # idempotent
        torch.testing.assert_close(camera.project_to_rays(closest, keypoints), closest)
        # P - P* is orthogonal to the ray
        k = torch.cat([keypoints, torch.ones_like(keypoints[..., :1])], dim=-1)
        ray = torch.einsum("bji,b...j->b...i", camera.rotation, k)
        torch.testing.assert_close(((points - closest) * ray).sum(-1), torch.zeros_like(depth), atol=1e-9, rtol=0)
        # no point of the line is nearer
        along = torch.linspace(-12, 12, 49, dtype=F64)[:, None, None, None, None]
        line = camera.center[:, None, None] + along * ray
        assert ((line - points).norm(dim=-1) >= (closest - points).norm(dim=-1) - 1e-12).all()
        # the camera-frame form agrees: lambda = X_c.k / k.k
        seen = camera.to_camera(points)
        scale = (seen * k).sum(-1, keepdim=True) / (k * k).sum(-1, keepdim=True)
        torch.testing.assert_close(camera.to_camera(closest), scale * k)

    def test_own_projection_is_a_fixed_point(self):
        camera, points, _ = random_scene(5)
        torch.testing.assert_close(camera.project_to_rays(points, camera.project(points)[0]), points)

    def test_uses_the_line_behind_the_camera_too(self):
        camera = Camera(torch.eye(3), torch.zeros(3))
        assert camera.project_to_rays(torch.tensor([1.0, 0, -2]), torch.zeros(2)).tolist() == [0, 0, -2]


class TestInFrame:
    @pytest.mark.parametrize(("camera_batch", "frame_batch"), [((2,), (2,)), ((), (2,)), ((2,), ())])
    def test_sees_the_moved_points_where_it_saw_them(self, camera_batch, frame_batch):
        camera, _, g = random_scene(7, batch=camera_batch)
        points = torch.rand(2, 5, 4, 3, dtype=F64, generator=g)
        q, p = (
            random_rotation(*frame_batch, generator=g),
            torch.randn(*frame_batch, 3, dtype=F64, generator=g),
        )
        spread = (*frame_batch, *(1,) * (2 if frame_batch else 3))
        moved = ((points - p.reshape(*spread, 3))[..., None, :] @ q.reshape(*spread, 3, 3).mT).squeeze(-2)
        inside = camera.in_frame(q, p)
        torch.testing.assert_close(inside.to_camera(moved), camera.to_camera(points))
        Camera(inside.rotation, inside.translation)  # still a rotation


class TestOrbit:
    def test_front_view_sees_the_left_hand_on_the_right(self):
        camera = orbit(0.0, 0.0, (0.0, 1.0, 0.0), 3.0)
        torch.testing.assert_close(camera.center, torch.tensor([0.0, 1.0, 3.0]))
        xy, depth = camera.project(torch.tensor([[0.0, 1.0, 0.0], [0.6, 1.0, 0.0], [0.0, 1.6, 0.0]]))
        torch.testing.assert_close(xy, torch.tensor([[0.0, 0.0], [0.2, 0.0], [0.0, -0.2]]))
        torch.testing.assert_close(depth, torch.full((3,), 3.0))

    def test_azimuth_grows_to_the_left_and_elevation_upwards(self):
        left = orbit(math.pi / 2, 0.0, torch.zeros(3), 2.0)
        torch.testing.assert_close(left.center, torch.tensor([2.0, 0, 0]), atol=1e-6, rtol=0)
        above = orbit(0.0, math.pi / 6, torch.zeros(3), 2.0)
        torch.testing.assert_close(above.center, torch.tensor([0, 1.0, math.sqrt(3)]))

    @settings(max_examples=40, deadline=None)
    @given(st.floats(-7, 7), st.floats(-1.57, 1.57), st.floats(0.5, 20), st.integers(0, 1000))
    def test_looks_at_the_target_without_roll(self, azimuth, elevation, distance, seed):
        target = torch.randn(3, dtype=F64, generator=torch.Generator().manual_seed(seed))
        camera = orbit(azimuth, elevation, target, distance)
        torch.testing.assert_close(camera.to_camera(target), torch.tensor([0, 0, distance], dtype=F64))
        assert float(camera.rotation[0, 1]) == 0  # the image's horizontal is the world's
        assert float(camera.rotation[1, 1]) <= 0  # up is up
        assert float(camera.elevation) == pytest.approx(elevation, abs=1e-6)

    def test_linearised_projection_is_appendix_a(self):
        azimuth, elevation = torch.meshgrid(
            torch.linspace(0, 6, 7, dtype=F64), torch.linspace(-0.9, 0.9, 5, dtype=F64), indexing="ij"
        )
        target = torch.tensor([0.3, 1.0, -0.2], dtype=F64)
        camera = orbit(azimuth, elevation, target, 4.0)
        jacobian = torch.autograd.functional.jacobian(
            lambda x: camera.project(x.expand(7, 5, 3))[0], target
        )  # (7, 5, 2, 3)
        theta, phi, d = -azimuth, -elevation, 4.0
        du = torch.stack([theta.cos(), 0 * theta, theta.sin()], dim=-1) / d
        dv = torch.stack([-theta.sin() * phi.sin(), phi.cos(), theta.cos() * phi.sin()], dim=-1) / d
        torch.testing.assert_close(jacobian[..., 0, :], du)
        torch.testing.assert_close(jacobian[..., 1, :], -dv)  # v points down

    def test_broadcasts(self):
        assert orbit(torch.zeros(5, 1), 0.1, torch.zeros(4, 3), torch.ones(4)).batch_shape == (5, 4)

    def test_not_finite(self):
        with pytest.raises(ValueError, match="nan"):
            orbit(math.nan, 0.0, torch.zeros(3), 1.0)


class TestSampleOrbit:
    joints = torch.randn(64, 12, 22, 3, generator=torch.Generator().manual_seed(0)) + 5
    lengths = torch.arange(64) % 12 + 1

    def sample(self, joints=None, seed=1):
        joints = self.joints if joints is None else joints
        return sample_orbit(joints, self.lengths, torch.Generator().manual_seed(seed))

    def test_closest_joint_of_the_whole_clip_is_at_the_minimum_depth(self):
        camera = self.sample()
        for i, n in enumerate(self.lengths.tolist()):
            depth = camera[i].project(self.joints[i, :n])[1]
            assert float(depth.min()) == pytest.approx(3.0, abs=1e-5)

    def test_horizontally_centred_and_within_the_band(self):
        camera = self.sample()
        for i, n in enumerate(self.lengths.tolist()):
            clip = self.joints[i, :n].flatten(0, 1)
            centre = (clip.amax(0) + clip.amin(0)) / 2
            assert camera[i].project(centre)[0].abs().max() < 1e-5
        degrees = camera.elevation.rad2deg()
        low, high = cameras.ORBIT_ELEVATION
        assert low <= degrees.min() < low + 3 and high - 3 < degrees.max() <= high
        offset = camera.center - torch.stack(
            [(j[:n].amax((0, 1)) + j[:n].amin((0, 1))) / 2 for j, n in zip(self.joints, self.lengths, strict=True)]
        )
        quadrant = (offset[:, 0] > 0).int() * 2 + (offset[:, 2] > 0).int()
        assert quadrant.bincount(minlength=4).min() >= 8  # 16 expected: all azimuths occur

    def test_padding_is_ignored_and_seeds_repeat(self):
        padded = self.joints.clone()
        for i, n in enumerate(self.lengths.tolist()):
            padded[i, n:] = math.nan
        a, b, c = self.sample(), self.sample(padded), self.sample(seed=2)
        assert torch.equal(a.rotation, b.rotation) and torch.equal(a.translation, b.translation)
        assert not torch.equal(a.rotation, c.rotation)

    def test_bad_clips_are_named(self):
        with pytest.raises(ValueError, match="clip 1: 0 frames"):
            sample_orbit(torch.zeros(2, 3, 22, 3), torch.tensor([3, 0]))
        joints = torch.zeros(2, 3, 22, 3)
        joints[1, 2, 5, 0] = math.nan
        with pytest.raises(ValueError, match="clip 1: 3 frames.*nan"):
            sample_orbit(joints, torch.tensor([3, 3]))


class TestPnP:
    def scene(self, clips=3, frames=40, seed=0):
        g = torch.Generator().manual_seed(seed)
        joints = torch.randn(clips, frames, 22, 3, generator=g) * torch.tensor([0.3, 0.5, 0.3])
        camera = sample_orbit(joints, torch.full((clips,), frames), g)
        return joints, camera, camera.project(joints)[0], g

    def test_finds_the_camera_exactly(self):
        joints, camera, keypoints, _ = self.scene()
        found = estimate_pnp(joints, keypoints)
        torch.testing.assert_close(found.rotation, camera.rotation, atol=1e-4, rtol=0)
        torch.testing.assert_close(found.center, camera.center, atol=1e-3, rtol=0)
        assert found.rotation.dtype == torch.float32
        assert (reprojection_error(found, joints, keypoints) < 1e-5).all()

    def test_one_clip_is_a_batch_of_one(self):
        joints, _, keypoints, g = self.scene()
        keypoints = keypoints + 0.01 * torch.randn(keypoints.shape, generator=g)
        batch, one = estimate_pnp(joints, keypoints), estimate_pnp(joints[1], keypoints[1])
        assert one.batch_shape == () and torch.equal(batch.rotation[1], one.rotation)

    def test_refinement_fits_noisy_keypoints_better_than_the_truth(self):
        joints, camera, keypoints, g = self.scene(frames=24)
        keypoints = keypoints + 0.01 * torch.randn(keypoints.shape, generator=g)
        found, true = (reprojection_error(c, joints, keypoints) for c in (estimate_pnp(joints, keypoints), camera))
        assert (found < true).all()
        torch.testing.assert_close(found, true, rtol=0.05, atol=0)

    def test_refined_to_a_stationary_point(self):
        joints, camera, keypoints, g = self.scene(clips=1, frames=24)
        keypoints = keypoints + 0.01 * torch.randn(keypoints.shape, generator=g)

        def slope(c):
            t = c.translation.double().requires_grad_()
            c = Camera(c.rotation.double(), t)
            return torch.autograd.grad(reprojection_error(c, joints.double(), keypoints.double()).sum(), t)[0].norm()

        assert slope(estimate_pnp(joints.double(), keypoints.double())) < 1e-3 * slope(camera)

    def test_uses_the_first_frames_within_the_length_only(self):
        joints, _, keypoints, _ = self.scene(clips=2)
        spoilt = keypoints.clone()
        spoilt[:, 24:] = math.nan
        spoilt[1, 10:] = 7.0
        found = estimate_pnp(joints, spoilt, lengths=torch.tensor([40, 10]))
        short = reprojection_error(found, joints, keypoints, lengths=torch.tensor([40, 10]))
        assert (short < 1e-5).all()
        whole = reprojection_error(found, joints, spoilt.nan_to_num(), lengths=torch.tensor([24, 24]))
        assert whole[0] < 1e-5 and whole[1] > 1

    def test_reprojection_error_by_hand(self):
        camera = Camera(torch.eye(3), torch.zeros(3))
        joints = torch.tensor([0.0, 0, 2]).expand(2, 1, 3)
        keypoints = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]])
        assert float(reprojection_error(camera, joints, keypoints)) == pytest.approx(math.sqrt(25 / 2))
        assert float(reprojection_error(camera, joints, keypoints, torch.tensor(1))) == pytest.approx(5)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda j, k: (j, k * math.nan), r"clip \(0,\): .*not finite"),
            (lambda j, k: (j * torch.tensor([0.0, 1.0, 0.0]), k), "one line"),
            (lambda j, k: (j * 0, k), "one line"),
            (lambda j, k: (j[:, :1, :5], k[:, :1, :5]), "5 points"),
            (lambda j, k: (j[:, :0], k[:, :0]), "0 points"),
            (lambda j, k: (j, k[:, :, :21]), r"\(3, 40, 22, 3\).*\(3, 40, 21, 2\)"),
        ],
    )
    def test_bad_input(self, spoil, message):
        joints, _, keypoints, _ = self.scene()
        with pytest.raises(ValueError, match=message):
            estimate_pnp(*spoil(joints, keypoints))

    def test_unrelated_keypoints_are_refused_or_seen_in_front(self):
        refused = 0
        for seed in range(30):
            g = torch.Generator().manual_seed(seed)
            joints, keypoints = (
                torch.randn(1, 22, 3, generator=g) * 0.4,
                torch.randn(1, 22, 2, generator=g) * 0.3,
            )
            try:
                assert estimate_pnp(joints, keypoints).project(joints)[1].min() > 0
            except ValueError as error:
                assert "before it" in str(error)
                refused += 1
        assert 0 < refused < 30
