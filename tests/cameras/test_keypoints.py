"""Keypoints at a constant rate."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm.cameras.keypoints import BRIDGED, bridge, fill_missing, resample, smooth


def straight(times, joints=2):
    """Keypoints that move at constant velocity."""
    x = np.stack([100 * times + 10 * j for j in range(joints)], axis=1)
    return np.stack([x, -x, np.ones_like(x)], axis=-1)


class TestResample:
    def test_whole_frames_stay(self):
        times = np.arange(5) / 20
        points, confidence = resample(straight(times), times, 20)
        assert np.allclose(points, straight(times)[..., :2]) and (confidence == 1).all()

    @given(st.lists(st.floats(0.01, 0.2), min_size=2, max_size=40))
    def test_any_spacing_of_a_straight_line(self, steps):
        times = 3 + np.cumsum(steps)
        points, confidence = resample(straight(times), times, 20)
        at = times[0] + np.arange(len(points)) / 20
        assert at[-1] <= times[-1] + 1e-5 < at[-1] + 1 / 20 + 1e-4
        assert np.allclose(points, straight(at)[..., :2], atol=1e-2) and (confidence == 1).all()

    def test_missing_joint_has_no_confidence(self):
        times = np.arange(5) / 20
        seen = straight(times)
        seen[1:3, 1, 2] = 0
        points, confidence = resample(seen, times, 20)
        assert np.allclose(points, straight(times)[..., :2])
        assert confidence[:, 1].tolist() == [1, 0, 0, 1, 1] and (confidence[:, 0] == 1).all()

    def test_a_joint_seen_in_every_other_frame_of_many_is_seen(self):
        times = np.arange(31) / 30
        seen = straight(times)
        seen[1::2, 1, 2] = 0
        seen[10:15, 0, 2] = 0
        _, confidence = resample(seen, times, 20)
        assert (confidence[:, 1] == 1).all()
        assert np.flatnonzero(confidence[:, 0] == 0).tolist() == [7, 8, 9]  # from .35 to .45 s, seen at .3 and .5

    def test_confidence_is_the_lesser_neighbours(self):
        times = np.array([0.0, 0.1])
        seen = straight(times)
        seen[:, 0, 2] = 0.4, 0.9
        _, confidence = resample(seen, times, 20)
        assert confidence[:, 0].tolist() == [0.4, 0.4, 0.9]

    def test_a_hole_in_the_recording_has_no_confidence(self):
        times = np.array([0.0, 0.05, 1.05, 1.1])
        _, confidence = resample(straight(times), times, 20)
        assert (confidence[2:21] == 0).all() and (confidence[[0, 1, 21, 22]] == 1).all()


class TestSmooth:
    def test_by_hand(self):
        keypoints = torch.tensor([0.0, 4.0, 0.0, 0.0])[:, None, None].expand(4, 1, 2)
        assert smooth(keypoints)[:, 0, 0].tolist() == [0, 2, 1, 0]

    def test_straight_lines_stay(self):
        line = torch.arange(6.0)[:, None, None].expand(2, 6, 3, 2)
        assert torch.allclose(smooth(line), line)

    def test_short_clips_stay(self):
        assert torch.equal(smooth(torch.ones(2, 1, 2)), torch.ones(2, 1, 2))


class TestBridge:
    def test_short_gaps_between_seen_frames(self):
        seen = torch.tensor([0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0.0])[:, None]
        b = BRIDGED
        want = [0, 1, b, b, 1, 1, 0, 0, 0, 0, 0, 0, 1, b, b, b, b, b, 1, 0]
        assert bridge(seen, fps=20)[:, 0].tolist() == pytest.approx(want)  # up to 5 frames, a quarter of a second

    def test_joints_and_clips_are_apart(self):
        seen = torch.rand(2, 30, 3, generator=torch.Generator().manual_seed(0)).round()
        one_by_one = torch.stack([torch.stack([bridge(c[:, j : j + 1], 20)[:, 0] for j in range(3)], -1) for c in seen])
        assert torch.equal(bridge(seen, 20), one_by_one)

    def test_never_seen(self):
        assert (bridge(torch.zeros(4, 2), 20) == 0).all()


class TestFillMissing:
    def test_interpolates_and_holds_the_ends(self):
        values = torch.tensor([9.0, 1.0, 9.0, 9.0, 4.0, 9.0])[:, None, None].expand(6, 1, 2)
        seen = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.5, 0.0])[:, None]
        assert fill_missing(values, seen)[:, 0, 0].tolist() == [1, 1, 2, 3, 4, 4]

    def test_never_seen_stays(self):
        values = torch.randn(5, 2, 2)
        assert torch.equal(fill_missing(values, torch.zeros(5, 2)), values)

    @settings(deadline=None)
    @given(st.lists(st.booleans(), min_size=10, max_size=10))
    def test_seen_stay_and_straight_lines_come_back(self, seen):
        confidence = torch.tensor([1.0, *map(float, seen), 1.0])[:, None]
        line = torch.linspace(-1, 2, 12)[:, None, None].expand(12, 1, 2)
        torch.testing.assert_close(fill_missing(line * confidence[..., None], confidence), line)


def test_a_padded_batch_is_smoothed_clip_by_clip():
    points = torch.randn(2, 9, 3, 2, generator=torch.Generator().manual_seed(0))
    both = smooth(points, torch.tensor([9, 5]))
    assert torch.equal(both[0], smooth(points[0])) and torch.equal(both[1, :5], smooth(points[1, :5]))
    assert torch.equal(both[1, 5:], points[1, 5:])
