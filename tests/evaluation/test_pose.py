"""evaluation/pose.py: hand-computed errors, alignment, padding."""

import pytest
import roma
import torch

from videomdm.evaluation.pose import (
    acceleration_error,
    align_first_frame,
    errors,
    jitter,
    mpjpe,
    pa_mpjpe,
    pck,
    procrustes,
)


def clips(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def similarity(points: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Every frame moved by a similarity of its own."""
    torch.manual_seed(seed)
    rotation = roma.random_rotmat(points.shape[:-2], dtype=points.dtype)
    scale = 0.5 + torch.rand(points.shape[:-2], dtype=points.dtype)[..., None, None]
    return scale * points @ rotation.mT + torch.randn(*points.shape[:-2], 1, 3, dtype=points.dtype)


class TestMpjpe:
    def test_hand_computed(self):
        true = clips(2, 4, 3)
        predicted = true.clone()
        predicted[0, :, 1] += torch.tensor([0.03, 0.0, 0.04])  # 50 mm on one of three joints of one of two clips
        assert mpjpe(predicted, true).item() == pytest.approx(50 / 3 / 2)
        assert mpjpe(predicted, true, per_clip=True).tolist() == pytest.approx([50 / 3, 0])

    def test_single_precision_input(self):
        true = clips(5, 4).float()
        assert mpjpe(true + 0.001, true).item() == pytest.approx(3**0.5, rel=1e-3)


class TestProcrustes:
    def test_similarity_is_undone(self):
        true = clips(2, 6, 22)
        assert torch.allclose(procrustes(similarity(true), true), true, atol=1e-9)
        assert pa_mpjpe(similarity(true), true).item() == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("mirrored", [False, True])
    def test_no_similarity_is_better(self, mirrored):
        """The fitted scale and rotation are a minimum of the squared error, reflected shapes included."""
        true, predicted = clips(8), clips(8, seed=1) * 0.1
        predicted = predicted + true * torch.tensor([-1.0 if mirrored else 1.0, 1.0, 1.0])
        best = (procrustes(predicted, true) - true).square().sum()
        aligned = procrustes(predicted, true)
        centre = true.mean(0)
        generator = torch.Generator().manual_seed(3)
        for _ in range(200):
            step = 0.05 * torch.randn(3, generator=generator, dtype=torch.float64)
            scale = 1 + 0.05 * torch.randn((), generator=generator, dtype=torch.float64)
            moved = scale * (aligned - centre) @ roma.rotvec_to_rotmat(step).mT + centre
            assert (moved - true).square().sum() >= best

    def test_reflected_case_is_a_proper_rotation(self):
        true = clips(8)
        mirrored = true * torch.tensor([-1.0, 1.0, 1.0])
        aligned = procrustes(mirrored, true)
        volume = [torch.linalg.det(x[1:4] - x[0]) for x in (mirrored, aligned)]
        assert volume[0] * volume[1] > 0  # handedness kept, so the error stays
        assert (aligned - true).norm() > 0.1

    def test_point_prediction(self):
        true = clips(3, 5)
        expected = (true - true.mean(-2, keepdim=True)).norm(dim=-1).mean() * 1000
        assert pa_mpjpe(torch.zeros_like(true), true).item() == pytest.approx(expected.item())


class TestPck:
    def test_strictly_below_the_threshold(self):
        true = torch.zeros(1, 4, 3, dtype=torch.float64)
        predicted = true.clone()
        predicted[0, :, 0] = torch.tensor([0.0, 0.049, 0.05, 0.2])  # metres; one exactly at 50 mm
        assert pck(predicted, true).item() == 50
        assert pck(predicted, true, threshold=100).item() == 75


class TestAcceleration:
    def test_hand_computed(self):
        time = torch.arange(10, dtype=torch.float64) / 20
        true = torch.zeros(10, 2, 3, dtype=torch.float64)
        predicted = true.clone()
        predicted[:, 0, 1] = 0.5 * 3.0 * time**2  # 3 m/s^2 on one of two joints
        assert acceleration_error(predicted, true, 20.0).item() == pytest.approx(1.5)
        assert acceleration_error(predicted, true, fps=40.0).item() == pytest.approx(6.0)

    def test_constant_velocity_is_free(self):
        true = clips(6, 3)
        drift = torch.arange(6, dtype=torch.float64)[:, None, None] * 0.3
        assert acceleration_error(true + drift, true).item() == pytest.approx(0, abs=1e-9)

    def test_jitter(self):
        time = torch.arange(8, dtype=torch.float64) / 20
        joints = torch.zeros(8, 1, 3, dtype=torch.float64)
        joints[:, 0, 2] = time**3  # third derivative 6
        assert jitter(joints).item() == pytest.approx(6)


METRICS = {
    "mpjpe": mpjpe, "pa": pa_mpjpe, "acceleration": acceleration_error,
    "pck": lambda *args, **kwargs: pck(*args, threshold=1500, **kwargs),
}  # fmt: skip


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
class TestPadding:
    def test_padding_never_counts(self, metric):
        true, predicted, lengths = clips(3, 9, 5), clips(3, 9, 5, seed=1), torch.tensor([9, 4, 6])
        expected = [metric(p[:n], t[:n]).item() for p, t, n in zip(predicted, true, lengths, strict=True)]
        for i, n in enumerate(lengths):
            true[i, n:], predicted[i, n:] = float("nan"), float("inf")
        got = metric(predicted, true, lengths=lengths, per_clip=True)
        assert got.tolist() == pytest.approx(expected)
        assert metric(predicted, true, lengths=lengths).item() == pytest.approx(sum(expected) / 3)

    def test_leading_dimensions(self, metric):
        true, predicted = clips(2, 3, 6, 4), clips(2, 3, 6, 4, seed=1)
        assert metric(predicted, true, per_clip=True).shape == (2, 3)
        assert metric(predicted[0, 0], true[0, 0]).shape == ()

    def test_errors(self, metric):
        true, bad = clips(3, 9, 5), clips(3, 9, 5)
        bad[1, 2, 3, 0] = float("nan")
        with pytest.raises(ValueError, match=r"predicted: nan at \(1, 2, 3, 0\)"):
            metric(bad, true)
        with pytest.raises(ValueError, match=r"predicted: shape \(3, 9, 4, 3\), expected \(3, 9, 5, 3\)"):
            metric(bad[:, :, :4], true)
        with pytest.raises(ValueError, match=r"lengths: shape \(2,\), expected \(3,\)"):
            metric(true, true, lengths=torch.tensor([9, 9]))
        with pytest.raises(ValueError, match=r"lengths: 0\.\.9 frames"):
            metric(true, true, lengths=torch.tensor([9, 0, 9]))


def test_too_few_frames_for_acceleration():
    with pytest.raises(ValueError, match=r"2\.\.2 frames, expected within 3\.\.2"):
        acceleration_error(clips(2, 4), clips(2, 4))


class TestAlignFirstFrame:
    def test_undoes_one_rigid_motion_per_clip_but_no_scale(self):
        true = clips(3, 6, 5)
        torch.manual_seed(1)
        rotation = roma.random_rotmat(3, dtype=true.dtype)[:, None]
        moved = true @ rotation.mT + torch.randn(3, 1, 1, 3, dtype=true.dtype)
        assert torch.allclose(align_first_frame(moved, true), true, atol=1e-9)
        larger = align_first_frame(1.5 * moved, true)
        assert torch.allclose(
            (larger - larger[:, :1].mean(-2, keepdim=True)), 1.5 * (true - true[:, :1].mean(-2, keepdim=True))
        )

    def test_what_comes_after_frame_0_does_not_matter(self):
        true, other = clips(2, 6, 5), clips(2, 6, 5, seed=1)
        predicted = torch.cat([true[:, :1], other[:, 1:]], 1)
        assert torch.allclose(align_first_frame(predicted, true), predicted, atol=1e-9)


class TestErrors:
    def test_roots_aligned_only_the_pose_counts(self):
        true = clips(5, 4)
        predicted = true + clips(5, 1, seed=1)
        found = errors(predicted, true, align="root")
        assert found["mpjpe"].item() == pytest.approx(0, abs=1e-9) and found["pck_50"].item() == 100
        assert found["acceleration_error"].item() == pytest.approx(0, abs=1e-6)
        predicted[:, 2, 0] += 0.12
        found = errors(predicted, true, align="root")
        assert found["mpjpe"].item() == pytest.approx(120 / 4)
        assert found["pck_50"].item() == found["pck_100"].item() == pytest.approx(75)

    def test_first_frames_aligned_a_rigid_motion_does_not_count(self):
        true = clips(2, 6, 5)
        moved = true.flip(-1) * true.new_tensor([1.0, -1.0, 1.0]) + 2
        given, aligned = (errors(moved, true, align=align) for align in ("none", "first_frame"))
        assert aligned["mpjpe"].max() < 1e-6 < 1000 < given["mpjpe"].min()
        assert torch.equal(given["mpjpe"], mpjpe(moved, true, per_clip=True))
        assert aligned["pa_mpjpe"].tolist() == given["pa_mpjpe"].tolist()

    @pytest.mark.parametrize("align", ["none", "root", "first_frame"])
    def test_padding_never_counts(self, align):
        true, predicted, lengths = clips(3, 9, 5), clips(3, 9, 5, seed=1), torch.tensor([9, 4, 6])
        alone = [errors(p[:n], t[:n], align=align) for p, t, n in zip(predicted, true, lengths, strict=True)]
        for i, n in enumerate(lengths):
            true[i, n:], predicted[i, n:] = float("nan"), float("inf")
        found = errors(predicted, true, lengths, align=align)
        for name, values in found.items():
            assert values.tolist() == pytest.approx([one[name].item() for one in alone])

    def test_unknown_alignment(self):
        with pytest.raises(ValueError, match="align is 'hip', expected one of none, root, first_frame"):
            errors(clips(4, 4), clips(4, 4), align="hip")
