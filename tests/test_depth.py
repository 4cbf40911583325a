import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm.cameras import orbit
from videomdm.depth import ROOT_DEPTH_MEAN_MAX, ROOT_DEPTH_UNBIASED, root_depth, root_depth_constant, weights
from videomdm.skeletons import SMPL22

F64 = torch.float64


def uniform_directions(*shape, seed=0):
    d = torch.randn(*shape, 3, dtype=F64, generator=torch.Generator().manual_seed(seed))
    return d / d.norm(dim=-1, keepdim=True)


class TestWeights:
    def test_depth_is_the_depth_on_both_axes(self):
        assert weights(torch.tensor([2.0, 3.0])).tolist() == [[2, 2], [3, 3]]

    def test_exact_by_hand(self):
        on_u, on_v = weights(torch.tensor(3.0), math.pi / 4, kind="exact").tolist()
        assert on_u == pytest.approx(3) and on_v == pytest.approx(3 * math.sqrt(2))
        level = weights(torch.tensor(3.0), 0.0, kind="exact").tolist()
        assert level == pytest.approx([3 * math.sqrt(2), 3])

    def test_elevation_has_the_leading_dimensions(self):
        depth, elevation = torch.rand(2, 5, 4) + 3, torch.tensor([0.1, -0.4])
        result = weights(depth, elevation, kind="exact")
        assert result.shape == (2, 5, 4, 2)
        for i in range(2):
            torch.testing.assert_close(result[i], weights(depth[i], float(elevation[i]), kind="exact"))
        torch.testing.assert_close(weights(depth, elevation[:, None, None], kind="exact"), result)

    def test_no_gradient_flows(self):
        depth = torch.ones(3, requires_grad=True)
        assert not weights(depth).requires_grad
        elevation = torch.zeros(3, requires_grad=True)
        assert not weights(depth, elevation, kind="exact").requires_grad

    @pytest.mark.parametrize("elevation", [0.0, 0.3, -0.5, 0.8])
    def test_exact_weights_make_the_image_error_the_3d_error(self, elevation):
        """The mean over azimuths is exact for 16 equally spaced ones: the integrand has frequency 2."""
        azimuth = torch.arange(16, dtype=F64) * math.pi / 8
        camera = orbit(azimuth, elevation, torch.zeros(3, dtype=F64), 5.0)
        for displacement in uniform_directions(4):
            # linearised projection: a short displacement, magnified
            (moved, _), (still, depth) = (camera.project((s * displacement).expand(16, 3)) for s in (1e-6, 0.0))
            error = (moved - still) * 1e6
            exact = (weights(depth, elevation, kind="exact") * error).square().sum(-1).mean()
            assert float(exact) == pytest.approx(1.0, abs=1e-5)
            # tan(phi) and the displacement's height decide how much the plain weight sees
            assert 0.4 < float((weights(depth) * error).square().sum(-1).mean()) < 1.01

    def test_plain_weight_over_all_displacements(self):
        """Uniform displacements and azimuths, by hand: (2/3)(1/2) + cos^2/3 + sin^2 (2/3)/2 = 2/3."""
        camera = orbit(0.3, 0.4, torch.zeros(3, dtype=F64), 5.0)
        (moved, _), (still, depth) = (camera.project(s * uniform_directions(200_000)) for s in (1e-6, 0.0))
        share = (weights(depth) * (moved - still) * 1e6).square().sum(-1).mean()
        assert float(share) == pytest.approx(2 / 3, abs=0.005)

    @pytest.mark.parametrize("degrees", [54.8, -60.0, 90.0, math.nan])
    def test_too_steep(self, degrees):
        with pytest.raises(ValueError, match="54.7"):
            weights(torch.ones(2), torch.tensor([0.0, math.radians(degrees)]), kind="exact")

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="elevation"):
            weights(torch.ones(2), kind="exact")
        with pytest.raises(ValueError, match="'mean'"):
            weights(torch.ones(2), kind="mean")


class TestConstants:
    def test_closed_forms_are_the_integrals_for_three_bones(self):
        assert root_depth_constant(3) == pytest.approx(ROOT_DEPTH_UNBIASED, abs=1e-10)
        assert root_depth_constant(3, "mean_max") == pytest.approx(ROOT_DEPTH_MEAN_MAX, abs=1e-10)
        assert pytest.approx(0.93582, abs=5e-6) == ROOT_DEPTH_UNBIASED
        assert pytest.approx(0.94524, abs=5e-6) == ROOT_DEPTH_MEAN_MAX

    def test_one_bone_by_hand(self):
        assert root_depth_constant(1) == pytest.approx(2 / math.pi)  # E[1/sin] = pi/2
        assert root_depth_constant(1, "mean_max") == pytest.approx(math.pi / 4)  # E[sin]

    @pytest.mark.parametrize("n", [2, 3, 5])
    def test_monte_carlo(self, n):
        largest = uniform_directions(400_000, n, seed=n)[..., :2].norm(dim=-1).amax(-1)
        assert 1 / float((1 / largest).mean()) == pytest.approx(root_depth_constant(n), abs=2e-3)
        assert float(largest.mean()) == pytest.approx(root_depth_constant(n, "mean_max"), abs=1e-3)

    def test_more_bones_need_less_correction(self):
        for kind in ("unbiased", "mean_max"):
            values = [root_depth_constant(n, kind) for n in (1, 2, 4, 8, 16, 64)]
            assert values == sorted(values) and values[-1] < 1

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="n_bones is 0"):
            root_depth_constant(0)
        with pytest.raises(ValueError, match="'median'"):
            root_depth_constant(3, "median")


class TestRootDepth:
    bones = SMPL22.root_bones

    def test_by_hand(self):
        # bones of 0.1, 0.2 and 0.4 m that look 0.05, 0.05 and 0.05 long: the first bounds the depth by 2
        keypoints = torch.tensor([[0.0, 0.0], [0.05, 0.0], [0.0, 0.05], [-0.03, 0.04]])
        z = root_depth(keypoints, torch.tensor([0.1, 0.2, 0.4]), [(0, 1), (0, 2), (0, 3)], constant=1.0)
        assert float(z) == pytest.approx(2.0)
        default = root_depth(keypoints, torch.tensor([0.1, 0.2, 0.4]), [(0, 1), (0, 2), (0, 3)])
        assert float(default) == pytest.approx(2.0 * ROOT_DEPTH_UNBIASED)

    @settings(max_examples=30, deadline=None)
    @given(st.floats(0.5, 10), st.integers(0, 1000))
    def test_inverse_to_the_image_size(self, factor, seed):
        g = torch.Generator().manual_seed(seed)
        keypoints = torch.randn(5, 22, 2, dtype=F64, generator=g)
        lengths = torch.rand(5, 3, dtype=F64, generator=g) + 0.05
        z = root_depth(keypoints, lengths, self.bones)
        assert z.shape == (5,)
        torch.testing.assert_close(root_depth(factor * keypoints + 0.3, lengths, self.bones), z / factor)

    def test_unbiased_under_its_assumption(self):
        """Independent uniform bones at depth 4, seen by weak perspective: mean right, deviation 13 %."""
        lengths = torch.tensor([0.1, 0.11, 0.13], dtype=F64)
        keypoints = torch.zeros(200_000, 22, 2, dtype=F64)
        for k, (_, joint) in enumerate(self.bones):
            keypoints[:, joint] = lengths[k] * uniform_directions(200_000, seed=k)[:, :2] / 4
        z = root_depth(keypoints, lengths, self.bones)
        assert float(z.mean()) == pytest.approx(4, abs=0.01)
        assert float(z.std() / 4) == pytest.approx(0.13, abs=0.01)
        inverse = 1 / root_depth(keypoints, lengths, self.bones, constant=ROOT_DEPTH_MEAN_MAX)
        assert float(inverse.mean()) == pytest.approx(1 / 4, abs=1e-3)

    def test_bones_without_image_length_are_passed_over(self):
        keypoints = torch.zeros(2, 22, 2)
        keypoints[0, self.bones[1][1], 0] = 0.1
        z = root_depth(keypoints, torch.full((3,), 0.2), self.bones, constant=1.0)
        assert z.tolist() == pytest.approx([2.0, math.inf])

    def test_gradcheck(self):
        g = torch.Generator().manual_seed(0)
        keypoints = torch.randn(2, 4, 2, dtype=F64, generator=g, requires_grad=True)
        lengths = (torch.rand(2, 3, dtype=F64, generator=g) + 0.1).requires_grad_()
        bones = [(0, 1), (0, 2), (0, 3)]
        assert torch.autograd.gradcheck(lambda k, b: root_depth(k, b, bones), (keypoints, lengths))

    def test_bad_input(self):
        with pytest.raises(ValueError, match="2 bone lengths for 3 bones"):
            root_depth(torch.zeros(22, 2), torch.ones(2), self.bones)
        with pytest.raises(ValueError, match="-0.1"):
            root_depth(torch.zeros(22, 2), torch.tensor([0.1, -0.1, 0.2]), self.bones)
