"""Clip extraction: the dynamic program against every possible split, and what recordings are split into."""

import itertools
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm.data import clips, procedural
from videomdm.skeletons import SMPL22

SMALL = clips.Rule(min_frames=2, max_frames=5, preferred=(3, 4), gamma=300.0, unused=0.3)


def total_cost(found, costs, rule, fps=20.0):
    """The definition, written out: what a list of consecutive clips costs."""
    n = len(costs)
    cut = [0.0, *costs[1:], 0.0]
    bounds = [found[0][0], *(stop for _, stop in found)]
    lengths = np.array([stop - start for start, stop in found])
    outside = bounds[0] + n - bounds[-1]
    return sum(cut[b] for b in bounds) + clips.length_penalty(lengths, rule, fps).sum() + rule.unused * outside


def every_split(n, rule):
    for count in range(1, n // rule.min_frames + 1):
        for bounds in itertools.combinations(range(n + 1), count + 1):
            found = list(zip(bounds[:-1], bounds[1:], strict=True))
            if all(rule.min_frames <= b - a <= rule.max_frames for a, b in found):
                yield found


def recording(n_clips=4, seed=3):
    """Procedural motions one after the other, each led into from standing still, and where each begins."""
    corpus = procedural.generate(n_clips, seed=seed, min_frames=60, max_frames=100)
    standing = corpus.clip(0)[:1]
    parts, borders = [], []
    for i in range(n_clips):
        clip = corpus.clip(i)
        borders.append(sum(map(len, parts)) + 10)
        parts += [standing.expand(20, -1, -1), clip]
    return torch.cat(parts), borders


class TestSegment:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.floats(0, 3), min_size=1, max_size=11))
    def test_no_other_split_is_cheaper(self, costs):
        costs = np.array(costs)
        found = clips.segment(costs, SMALL)
        others = [total_cost(s, costs, SMALL) for s in every_split(len(costs), SMALL)]
        if not others:
            assert found == []
        else:
            assert total_cost(found, costs, SMALL) == pytest.approx(min(others), abs=1e-9)

    def test_no_other_split_is_cheaper_where_some_frames_are_forbidden(self):
        generator = np.random.default_rng(0)
        for _ in range(30):
            costs = generator.uniform(0, 2, 11)
            costs[generator.random(11) < 0.4] = np.inf
            found = clips.segment(costs, SMALL)
            least = min(total_cost(s, costs, SMALL) for s in every_split(11, SMALL))
            if np.isinf(least):
                assert found == []
            else:
                assert total_cost(found, costs, SMALL) == pytest.approx(least)

    def test_by_hand(self):
        rule = clips.Rule(min_frames=2, max_frames=4, preferred=(3, 3), gamma=20.0**2, unused=10.0)
        assert clips.segment(np.array([9.0, 9, 9, 9, 9, 9]), rule) == [(0, 3), (3, 6)]
        assert clips.segment(np.array([9.0, 9, 0, 9, 9, 9]), rule) == [(0, 2), (2, 6)]  # 1 + 1 is less than 9
        assert clips.segment(np.array([9.0, 9, 8, 9, 9, 9]), rule) == [(0, 3), (3, 6)]  # 8 + 2 is more

    def test_frames_at_the_ends_may_be_left_over(self):
        rule = clips.Rule(min_frames=4, max_frames=4, preferred=(4, 4), unused=0.1)
        costs = np.ones(6)
        costs[1] = 0.0
        assert clips.segment(costs, rule) == [(0, 4)]  # the beginning is free, its end costs 1
        costs[[1, 5]] = 0.0
        assert clips.segment(costs, rule) == [(1, 5)]

    def test_clips_are_consecutive_and_within_limits(self):
        costs = np.random.default_rng(1).uniform(0, 2, 3000)
        found = clips.segment(costs)
        assert all(40 <= stop - start <= 196 for start, stop in found)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
        assert found[0][0] < 20
        assert found[-1][1] > 2980

    def test_ten_thousand_frames_take_less_than_a_second(self):
        costs = np.random.default_rng(2).uniform(0, 2, 10_000)
        begin = time.process_time()
        clips.segment(costs)
        assert time.process_time() - begin < 1.0

    @pytest.mark.parametrize("n", [0, 1, 39])
    def test_too_short(self, n):
        assert clips.segment(np.zeros(n)) == []

    def test_shortest(self):
        assert clips.segment(np.ones(40)) == [(0, 40)]

    @pytest.mark.parametrize("costs", [[1.0, np.nan], [1.0, -0.1], [[1.0]]])
    def test_bad_costs(self, costs):
        with pytest.raises(ValueError, match="expected \\(frames,\\) of at least 0"):
            clips.segment(np.array(costs))


class TestRule:
    def test_penalty(self):
        rule = clips.Rule(gamma=2.0, preferred=(60, 160))
        frames = np.array([40, 60, 100, 160, 190])
        assert clips.length_penalty(frames, rule, fps=20.0) == pytest.approx([2.0, 0, 0, 0, 2 * 1.5**2])

    @pytest.mark.parametrize(
        "values", [{"preferred": (30, 160)}, {"preferred": (160, 60)}, {"min_frames": 0}, {"max_frames": 100}]
    )
    def test_limits_out_of_order(self, values):
        with pytest.raises(ValueError, match="1 <= min_frames <= preferred"):
            clips.Rule(**values)

    def test_window(self):
        with pytest.raises(ValueError, match="window is 1, expected at least 2"):
            clips.Rule(window=1)

    @pytest.mark.parametrize("name", ["alpha", "beta", "gamma", "unused"])
    def test_negative_costs(self, name):
        with pytest.raises(ValueError, match=f"{name} is -1"):
            clips.Rule(**{name: -1.0})


class TestFrameCosts:
    def test_by_hand(self):
        pose = torch.zeros(21, 22, 3, dtype=torch.float64)
        pose[10:, 15, 1] = 0.44  # one of 22 joints jumps by 0.44 m between frames 9 and 10
        speed = clips.local_speed(pose, window=3, fps=20.0)
        jump = 0.44 / 22 * 20 / 4  # of a displacement over four frames that holds the jump
        assert speed[4].item() == 0
        # Of frame 9 the displacements from 6, 7 and 8 hold the jump, all three; of frame 7 that from 6, one of three.
        assert speed[9].item() == pytest.approx(jump)
        assert speed[7].item() == pytest.approx(jump / 3)
        assert (speed[0].item(), speed[20].item()) == (0, 0)
        assert clips.rest_pose(pose, speed)[15, 1].item() == 0  # frames 0..3 are slowest, in order

    def test_rest_pose_is_the_median_of_the_slowest_fifth(self):
        pose = torch.arange(1000.0)[:, None, None].expand(1000, 22, 3)
        assert clips.rest_pose(pose, torch.arange(1000.0)).eq(99).all()  # of 0..199

    def test_jitter_is_not_speed(self):
        pose = 0.01 * torch.randn(200, 22, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        from_frame_to_frame = pose.diff(dim=0).norm(dim=-1).mean() * 20
        assert clips.local_speed(pose, 5).mean() < 0.3 * from_frame_to_frame

    def test_steady_motion_has_its_speed(self):
        pose = torch.arange(50.0).double()[:, None, None] * torch.tensor([0.03, 0.0, 0.04]) * torch.ones(22, 1)
        assert clips.local_speed(pose, 5).numpy() == pytest.approx(1.0)

    @pytest.mark.parametrize("n", [1, 2, 4, 5])
    def test_few_frames(self, n):
        assert clips.local_speed(torch.zeros(n, 22, 3), 5).tolist() == [0.0] * n

    def test_place_and_heading_do_not_matter(self):
        x = procedural.generate(1, seed=1).clip(0).double()
        angle = torch.tensor(1.1, dtype=torch.float64)
        turn = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]]).double()
        moved = x @ turn.mT + torch.tensor([3.0, 0.2, -5.0], dtype=torch.float64)
        assert clips.frame_costs(moved) == pytest.approx(clips.frame_costs(x), abs=1e-9)

    def test_2d_does_not_depend_on_units_and_is_like_3d(self):
        x, _ = recording()
        y = x[..., :2] * torch.tensor([1.0, -1.0])  # seen from the front, without perspective
        costs = clips.frame_costs(y)
        assert clips.frame_costs(1000 * y + 7) == pytest.approx(costs, rel=1e-4)
        assert np.corrcoef(costs, clips.frame_costs(x))[0, 1] > 0.8

    def test_2d_follows_a_person_who_comes_nearer(self):
        x = procedural.generate(1, seed=1).clip(0)[:1].expand(800, -1, -1)
        depth = torch.linspace(9.0, 3.0, 800)[:, None, None]
        pose = clips.local_pose(x[..., :2] / depth)
        size = pose.square().sum(-1).mean(-1).sqrt()
        assert (size[100:700].max() / size[100:700].min()).item() < 1.2  # 2.3 before it is scaled

    def test_terms_add_up(self):
        x = procedural.generate(1, seed=1).clip(0)
        whole, pose, speed = (
            clips.frame_costs(x, rule=clips.Rule(alpha=a, beta=b)) for a, b in ((10.0, 1.0), (10.0, 0.0), (0.0, 1.0))
        )
        assert whole == pytest.approx(pose + speed)
        assert min(pose.mean(), speed.mean()) > 0.1


class TestSplit:
    def test_finds_where_motions_were_joined(self):
        x, borders = recording()
        found = clips.split(x)
        ends = np.array([start for start, _ in found.clips[1:]])
        assert len(found.clips) >= len(borders)
        for border in borders[1:]:
            assert np.abs(ends - border).min() <= 10, (border, ends)

    def test_long_unseen_stretches_are_in_no_clip(self):
        x, _ = recording()
        confidence = torch.ones(x.shape[:2])
        confidence[150:190] = 0.1
        found = clips.split(x, confidence=confidence)
        assert (150, 190, "not seen") in found.unused
        assert not [c for c in found.clips if c[0] < 190 and c[1] > 150]
        covered = sorted([*found.clips, *(u[:2] for u in found.unused)])
        assert covered[0][0] == 0
        assert covered[-1][1] == len(x)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(covered))

    def test_short_unseen_stretches_are_held_but_not_split_at(self):
        x, _ = recording()
        where = clips.split(x).clips[0][1]
        x[where - 4 : where + 4] = torch.nan
        found = clips.split(x)
        assert np.isinf(found.costs[where - 4 : where + 4]).all()
        assert np.isfinite(found.costs[where + 4 :]).all()
        assert [c for c in found.clips if c[0] < where - 4 and c[1] >= where + 4]

    def test_nothing_seen(self):
        found = clips.split(torch.zeros(50, 22, 3), confidence=torch.zeros(50, 22))
        assert found.clips == []
        assert found.unused == [(0, 50, "not seen")]

    def test_too_short(self):
        found = clips.split(procedural.generate(1).clip(0)[:30])
        assert found.clips == []
        assert found.unused == [(0, 30, "too short")]

    def test_empty(self):
        assert clips.split(torch.zeros(0, 22, 3)).clips == []

    def test_bad_shapes(self):
        with pytest.raises(ValueError, match=r"shape \(50, 17, 3\), expected \(frames, 22, 2 or 3\)"):
            clips.split(torch.zeros(50, 17, 3), SMPL22)
        with pytest.raises(ValueError, match=r"confidence has shape \(50,\), expected \(50, 22\)"):
            clips.split(torch.zeros(50, 22, 3), confidence=torch.zeros(50))
        with pytest.raises(ValueError, match="fps is 0"):
            clips.split(torch.zeros(50, 22, 3), fps=0)
