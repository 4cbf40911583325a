"""The losses of eqs. 1-4, against hand computation and their own claims."""

import math

import pytest
import torch

from videomdm import cameras, features, losses
from videomdm.cameras import Camera, Footage
from videomdm.features.normaliser import Normaliser
from videomdm.losses import Weights
from videomdm.skeletons import SMPL22

J = len(SMPL22)


def frontal(distance: float = 4.0, batch: int = 1) -> Camera:
    """Cameras at (0, 0, distance) that look along -Z: x right stays +X, y down is -Y."""
    rotation = torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(batch, 3, 3).clone()
    return Camera(rotation, torch.tensor([0.0, 0.0, distance]).expand(batch, 3).clone())


@pytest.fixture
def walk() -> torch.Tensor:
    """(2, 24, J, 3) a plausible body that sways and moves forward."""
    generator = torch.Generator().manual_seed(0)
    rest = torch.randn(J, 3, generator=generator) * 0.2 + torch.tensor([0.0, 1.0, 0.0])
    rest[[1, 4, 7, 10, 16], 0] += 0.3
    rest[[2, 5, 8, 11, 17], 0] -= 0.3
    time = torch.linspace(0, 2, 24)[:, None, None]
    sway = 0.1 * torch.sin(3 * time + torch.arange(J)[None, :, None])
    return torch.stack([rest + sway + torch.tensor([0.0, 0.0, v]) * time for v in (0.3, 0.6)])


class TestReprojection:
    def test_by_hand(self):
        """One joint 4 m away, seen 0.1 to the right of where it is: weighted residual 0.4 m."""
        joints = torch.zeros(1, 1, 1, 3)
        seen = torch.tensor([0.1, 0.0]).reshape(1, 1, 1, 2)
        length = torch.tensor([1])
        loss = losses.reprojection(joints, seen, frontal(4.0), length)
        assert loss.item() == pytest.approx(0.16, rel=1e-5)
        plain = losses.reprojection(joints, seen, frontal(4.0), length, weighting="none")
        assert plain.item() == pytest.approx(0.01, rel=1e-5)
        half_sure = losses.reprojection(joints, seen, frontal(4.0), length, torch.full((1, 1, 1), 0.5))
        assert half_sure.item() == pytest.approx(0.04, rel=1e-5)

    def test_zero_for_the_truth_and_padding_never_counts(self, walk):
        camera = frontal(5.0, 2)
        seen, _ = camera.project(walk)
        lengths = torch.tensor([24, 10])
        damaged = seen.clone()
        damaged[1, 10:] = 1e3
        for loss in (losses.reprojection, losses.velocity):
            assert loss(walk, damaged, camera, lengths).item() == pytest.approx(0, abs=1e-9)
            assert loss(walk, damaged, camera, torch.tensor([24, 11])).item() > 1

    def test_too_near_joints_are_dropped_but_still_counted(self):
        """Two joints, both 0.1 off in the image; the one 0.4 m away (nearer than tau) adds nothing."""
        joints = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 3.6]]).reshape(1, 1, 2, 3)
        camera = frontal(4.0)
        seen = camera.project(joints)[0] + torch.tensor([0.1, 0.0])
        loss = losses.reprojection(joints, seen, camera, torch.tensor([1]))
        assert loss.item() == pytest.approx(0.16 / 2, rel=1e-4)

    def test_behind_the_camera_gives_no_gradient(self):
        joints = torch.tensor([0.3, 0.1, 9.0]).reshape(1, 1, 1, 3).requires_grad_()
        loss = losses.reprojection(joints, torch.zeros(1, 1, 1, 2), frontal(4.0), torch.tensor([1]))
        loss.backward()
        assert loss.item() == 0
        assert torch.equal(joints.grad, torch.zeros_like(joints))

    def test_depth_is_a_weight_not_a_path_for_gradients(self):
        """With the weight held, the gradient along the optical axis is that of the projection alone."""
        joints = torch.tensor([0.5, 0.0, 0.0], dtype=torch.float64).reshape(1, 1, 1, 3).requires_grad_()
        camera = Camera(frontal().rotation.double(), frontal().translation.double())
        seen = torch.zeros(1, 1, 1, 2, dtype=torch.float64)
        losses.reprojection(joints, seen, camera, torch.tensor([1])).backward()
        u, d = 0.5 / 4, 4.0
        # L = d^2 u^2 with d^2 held: dL/dz = 2 d^2 u du/dz, and du/dz = x / d^2 as depth falls with z
        assert joints.grad[0, 0, 0, 2].item() == pytest.approx(2 * d**2 * u * 0.5 / d**2)

    def test_exact_weights_equal_3d_error_on_average(self):
        """Appendix A: over azimuths, the exactly weighted 2-D error is the squared 3-D displacement."""
        n, elevation = 40_000, 0.4
        azimuth = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
        camera = cameras.orbit(azimuth, torch.full_like(azimuth, elevation), torch.zeros(n, 3).double(), 50.0)
        moved = torch.tensor([0.03, -0.02, 0.05], dtype=torch.float64)
        seen, _ = camera.project(torch.zeros(n, 1, 1, 3, dtype=torch.float64))
        joints = moved.expand(n, 1, 1, 3)
        exact = losses.reprojection(joints, seen, camera, torch.ones(n), weighting="exact").item()
        single = losses.reprojection(joints, seen, camera, torch.ones(n)).item()
        assert exact == pytest.approx(moved.square().sum().item(), rel=2e-3)
        assert single < 0.9 * exact


class TestVelocity:
    def test_by_hand(self):
        """A joint that stands while the image says it moves 0.01 per frame at 4 m: 0.04^2."""
        seen = torch.zeros(1, 3, 1, 2)
        seen[0, :, 0, 0] = torch.tensor([0.0, 0.01, 0.02])
        loss = losses.velocity(torch.zeros(1, 3, 1, 3), seen, frontal(), torch.tensor([3]))
        assert loss.item() == pytest.approx(0.0016, rel=1e-4)

    def test_blind_to_a_constant_offset(self, walk):
        camera = frontal(5.0, 2)
        seen, _ = camera.project(walk)
        lengths = torch.tensor([24, 24])
        assert losses.velocity(walk, seen + 0.3, camera, lengths).item() == pytest.approx(0, abs=1e-9)
        assert losses.reprojection(walk, seen + 0.3, camera, lengths).item() > 0.1


class TestRepresentation:
    def test_target_has_no_gradient_and_last_row_is_free(self, walk):
        encoded = features.encode(walk, SMPL22)
        predicted = torch.cat((encoded, encoded[:, -1:]), 1).requires_grad_()
        target = encoded.clone().requires_grad_()
        lengths = torch.tensor([24, 12])
        loss = losses.representation(predicted, target + 1, lengths, J)
        assert loss.item() == pytest.approx(1, rel=1e-5)
        loss.backward()
        assert target.grad is None
        redundant = features.redundant_channels(J)
        assert predicted.grad[0, 23].abs().max() == 0 and predicted.grad[1, 11:].abs().max() == 0
        assert predicted.grad[1, 10, redundant].abs().min() > 0
        assert predicted.grad[..., features.position_channels(J)].abs().max() == 0

    def test_unseen_joints_stay_where_they_were_predicted(self, walk):
        camera = frontal(5.0, 2)
        seen, _ = camera.project(walk)
        confidence = torch.ones(seen.shape[:-1])
        confidence[..., 20] = 0
        seen[..., 20, :] = 7.0
        lengths = torch.tensor([24, 24])
        target = losses.ray_target(walk, Footage.of(seen, camera, lengths, confidence), SMPL22)
        torch.testing.assert_close(target, features.encode(walk, SMPL22), atol=1e-4, rtol=1e-4)


class TestTotal:
    def setup_method(self):
        self.normaliser = Normaliser(torch.zeros(263), torch.ones(263))

    def arguments(self, walk):
        canonical = features.canonicalise(walk, SMPL22)
        encoded = features.encode(canonical, SMPL22)
        camera = frontal(5.0, 2)
        seen, _ = camera.project(canonical[:, :-1])
        lengths = torch.tensor([23, 20])
        return encoded, encoded, seen, camera, lengths, self.normaliser, SMPL22

    def test_parts_and_total(self, walk):
        predicted, *rest = self.arguments(walk)
        predicted = (predicted + 0.01 * torch.randn_like(predicted)).requires_grad_()
        total, parts = losses.videomdm(predicted, *rest, weights=Weights(2.0, 30.0, 0.5))
        assert list(parts) == ["reprojection", "velocity", "representation"]
        expected = 2 * parts["reprojection"] + 30 * parts["velocity"] + 0.5 * parts["representation"]
        assert total.item() == pytest.approx(expected.item(), rel=1e-6)
        total.backward()
        assert predicted.grad.isfinite().all() and predicted.grad.abs().max() > 0

    def test_is_the_sum_of_the_terms_that_stand_alone(self, walk):
        """Eq. 4 shares work between its terms; here each is called by itself, channels scaled unlike."""
        generator = torch.Generator().manual_seed(2)
        mean, std = torch.randn(263, generator=generator), 0.5 + torch.rand(263, generator=generator)
        self.normaliser = normaliser = Normaliser(0.01 * mean, std)
        encoded, _, seen, camera, lengths, *_ = self.arguments(walk)
        predicted = normaliser.normalise(encoded + 0.02 * torch.randn(encoded.shape, generator=generator))
        joints = features.decode(normaliser.denormalise(predicted))
        target = normaliser.normalise(losses.ray_target(joints, Footage.of(seen, camera, lengths), SMPL22))
        expected = {
            "reprojection": losses.reprojection(joints, seen, camera, lengths),
            "velocity": losses.velocity(joints, seen, camera, lengths),
            "representation": losses.representation(predicted, target, lengths, J),
        }
        _, parts = losses.videomdm(predicted, predicted, seen, camera, lengths, normaliser, SMPL22)
        torch.testing.assert_close(parts, expected)

    def test_truth_is_a_minimum(self, walk):
        arguments = self.arguments(walk)
        _, parts = losses.videomdm(*arguments)
        assert parts["reprojection"] < 1e-9 and parts["velocity"] < 1e-9
        # encoding one frame fewer smooths the heading a little differently, so this is small, not zero
        assert parts["representation"] < 2e-3

    def test_ablations_change_what_they_name(self, walk):
        predicted, teacher, *rest = self.arguments(walk)
        predicted = predicted + 0.05 * torch.randn(predicted.shape, generator=torch.Generator().manual_seed(1))
        full = losses.videomdm(predicted, teacher, *rest)[1]
        naive = losses.videomdm(predicted, teacher, *rest, weights=Weights(ray_projection=False))[1]
        assert naive["reprojection"] == full["reprojection"]
        assert naive["representation"] != full["representation"]
        assert "velocity" not in losses.videomdm(predicted, teacher, *rest, weights=Weights(velocity=0))[1]
        values = {
            kind: losses.videomdm(predicted, teacher, *rest, weights=Weights(weighting=kind))[1]["reprojection"]
            for kind in ("depth", "exact", "none", "clip")
        }
        assert len({round(v.item(), 9) for v in values.values()}) == 4


def test_masked_mean_is_a_true_mean():
    values = torch.tensor([[1.0, 2.0], [3.0, 100.0]])
    assert losses.masked_mean(values, torch.tensor([[1.0, 1.0], [1.0, 0.0]])).item() == 2.0
    assert losses.masked_mean(values, torch.zeros(2, 2)).item() == 0.0


def test_x0_ignores_padding():
    predicted, target = torch.zeros(1, 4, 3), torch.zeros(1, 4, 3)
    predicted[0, 3] = 5
    assert losses.x0(predicted, target, torch.tensor([3])).item() == 0
    assert losses.x0(predicted, target, torch.tensor([4])).item() == pytest.approx(25 / 4)
