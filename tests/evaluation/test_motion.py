"""evaluation/motion.py: statistics of motions with known answers."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter1d

from videomdm.evaluation.motion import (
    bone_length_deviation,
    foot_speed,
    mean_acceleration,
    path_length,
    skating_ratio,
    sunken,
)
from videomdm.skeletons import SMPL22

LEFT_TOE, RIGHT_TOE = SMPL22.index("left_foot"), SMPL22.index("right_foot")


def standing(frames: int) -> torch.Tensor:
    """A rigid body at rest, 1 m up but for its toes."""
    joints = torch.randn(22, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).abs() + 1
    joints[[LEFT_TOE, RIGHT_TOE], 1] = 0.0
    return joints.repeat(frames, 1, 1)


def shuffling(frames: int, seed: int) -> torch.Tensor:
    """Toes that step, slide and lift at random."""
    generator = torch.Generator().manual_seed(seed)
    joints = standing(frames)
    steps = 0.04 * torch.randn(frames, 2, 3, generator=generator, dtype=torch.float64)
    toes = [LEFT_TOE, RIGHT_TOE]
    joints[:, toes] = joints[:, toes] + steps.cumsum(0)
    joints[:, toes, 1] = 0.1 * torch.rand(frames, 2, generator=generator, dtype=torch.float64) ** 2
    return joints


class TestSkating:
    def slide(self, metres_per_frame: float, height: float = 0.0) -> torch.Tensor:
        joints = standing(21)
        joints[:, LEFT_TOE, 0] += torch.arange(21) * metres_per_frame
        joints[:, LEFT_TOE, 1] = height
        return joints

    def test_thresholds(self):
        assert skating_ratio(standing(21)).item() == 0
        assert skating_ratio(self.slide(0.02)).item() == 0
        assert skating_ratio(self.slide(0.2)).item() == 1
        assert skating_ratio(self.slide(0.2, height=0.06)).item() == 0

    def test_the_ends_count_as_rest(self):
        # 3 cm per frame; the first two and last two averages over five hold frames outside the clip:
        # 3/5 and 4/5 of 0.6 m/s are below 0.5 m/s
        assert skating_ratio(self.slide(0.03)).item() == pytest.approx(16 / 20)

    def test_slow_reference(self):
        joints = torch.stack([shuffling(40, seed) for seed in range(4)])
        expected = []
        for clip in joints.numpy():
            slides = np.zeros(39, bool)
            for toe in (LEFT_TOE, RIGHT_TOE):
                speed = np.hypot(np.diff(clip[:, toe, 0]), np.diff(clip[:, toe, 2])) * 20
                around = uniform_filter1d(speed, 5, mode="constant")
                low = clip[:, toe, 1] < 0.05
                slides |= low[1:] & low[:-1] & (speed > 0.5) & (around > 0.5)
            expected.append(slides.mean())
        assert min(expected) > 0 and max(expected) < 1
        assert skating_ratio(joints, per_clip=True).tolist() == pytest.approx(expected)


class TestFootSpeed:
    def test_by_hand(self):
        """Of four foot joints one slides by 2 cm per frame; how high its lowest place is does not matter."""
        joints = standing(11)
        joints[:, list(SMPL22.feet), 1] = 0.3
        joints[:, LEFT_TOE, 2] += 0.02 * torch.arange(11)
        assert foot_speed(joints).item() == pytest.approx(0.4 / 4)
        joints[:6, LEFT_TOE, 1] += 0.06  # raised for the first five of ten steps, and in one end of the sixth
        assert foot_speed(joints).item() == pytest.approx(0.4 * 4 / 34)

    def test_padding_and_a_single_touch(self):
        joints = standing(8)
        joints[5:, :, 1] = -9.0
        joints[5:, LEFT_TOE, 0] += 1.0
        assert foot_speed(joints, torch.tensor(5)).item() == 0
        joints[..., 1] = torch.arange(8.0).double()[:, None]
        assert foot_speed(joints).item() == 0


def test_sunken():
    joints = standing(4)
    joints[1, LEFT_TOE, 1] = -0.02
    assert sunken(joints).item() == pytest.approx(0.5)
    assert sunken(joints, torch.tensor(2)).item() == pytest.approx(1.0)


class TestBoneLengths:
    def test_rigid(self):
        assert bone_length_deviation(standing(5)).item() == pytest.approx(0, abs=1e-9)

    def test_one_breathing_bone(self):
        joints = standing(4)
        head, neck = SMPL22.index("head"), SMPL22.index("neck")
        bone = joints[:, head] - joints[:, neck]
        joints[:, head] += bone * torch.tensor([0.1, -0.1, 0.1, -0.1])[:, None]  # std 10 % of the mean
        assert bone_length_deviation(joints).item() == pytest.approx(10 / 21)


class TestMovement:
    def test_acceleration(self):
        time = torch.arange(9, dtype=torch.float64) / 20
        joints = standing(9) + time[:, None, None] ** 2  # 2 m/s^2 on each axis
        assert mean_acceleration(joints).item() == pytest.approx(2 * 3**0.5)

    def test_path(self):
        joints = standing(5)
        joints[1:, 0, 0] += 3.0
        joints[3:, 0, 2] += 4.0
        joints[:, 0, 1] += torch.arange(5)  # height does not count
        assert path_length(joints).item() == pytest.approx(7)


STATISTICS = [skating_ratio, bone_length_deviation, mean_acceleration, path_length]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda f: f.__name__)
class TestPadding:
    def test_padding_never_counts(self, statistic):
        joints = torch.stack([shuffling(30, seed) for seed in range(3)])
        joints = joints + 0.02 * torch.randn(joints.shape, generator=torch.Generator().manual_seed(1))
        lengths = torch.tensor([30, 12, 21])
        expected = [statistic(clip[:n]).item() for clip, n in zip(joints, lengths, strict=True)]
        assert len(set(expected)) == 3
        for i, n in enumerate(lengths):
            joints[i, n:] = float("nan")
        assert statistic(joints, lengths, per_clip=True).tolist() == pytest.approx(expected)
        assert statistic(joints, lengths).item() == pytest.approx(sum(expected) / 3)
        assert statistic(joints[None], lengths[None], per_clip=True).shape == (1, 3)

    def test_errors(self, statistic):
        joints = standing(8)
        joints[2, 3, 1] = float("inf")
        with pytest.raises(ValueError, match=r"joints: inf at \(2, 3, 1\), expected finite metres"):
            statistic(joints)
        with pytest.raises(ValueError, match="not empty"):
            statistic(joints[:0])


@pytest.mark.parametrize("statistic", [skating_ratio, bone_length_deviation])
def test_wrong_skeleton(statistic):
    with pytest.raises(ValueError, match="17 joints, expected 22 of smpl22"):
        statistic(standing(5)[:, :17])
