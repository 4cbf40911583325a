"""Fillers for joints that were not seen follow the body, and what was not seen is told."""

import numpy as np
import pytest
import torch

from videomdm import cameras
from videomdm.cameras.unseen import body_parts, fill_unseen, hang, invented, seen_parts, standing_body, unseen
from videomdm.data import procedural
from videomdm.skeletons import COCO17, HALPE26, SMPL22


def joints(*names):
    return [SMPL22.index(name) for name in names]


ARM = joints("right_elbow", "right_wrist")
SHINS = joints("left_ankle", "right_ankle", "left_foot", "right_foot")
LEGS = joints("left_knee", "right_knee") + SHINS


@pytest.fixture(scope="module")
def walk():
    """Somebody who walks across the picture and comes nearer, (60, 22, 2), as seen from the front."""
    corpus = procedural.generate(8)
    joints = corpus.clip(corpus.actions.index("walk"))[:60] if "walk" in corpus.actions else corpus.clip(0)[:60]
    camera = cameras.orbit(0.4, 0.1, [0, 0.9, 2.0], 5.0)
    return camera.project(joints)[0]


def without(keypoints, frames, hidden):
    confidence = torch.ones(keypoints.shape[:-1])
    confidence[frames, torch.tensor(hidden)[:, None]] = 0
    return torch.where(confidence[..., None] > 0, keypoints, 1e4), confidence


class TestFollowsTheBody:
    def test_a_body_that_shifts_and_grows_takes_its_arm_along(self):
        pose = torch.randn(22, 2, generator=torch.Generator().manual_seed(0))
        t = torch.arange(50.0)[:, None, None]
        true = (1 + 0.01 * t) * pose + 0.3 * t  # 50 times as far as the pose is large
        spoilt, confidence = without(true, slice(5, 45), ARM)
        torch.testing.assert_close(fill_unseen(spoilt, confidence), true, atol=1e-3, rtol=1e-4)
        spoilt, confidence = without(true, slice(20, None), ARM)  # never seen again
        torch.testing.assert_close(fill_unseen(spoilt, confidence), true, atol=1e-3, rtol=1e-4)
        spoilt, confidence = without(true, slice(0, 30), ARM)  # not seen yet
        torch.testing.assert_close(fill_unseen(spoilt, confidence), true, atol=1e-3, rtol=1e-4)

    def test_uneven_times(self):
        """The body stands, the arm moves evenly: it is where the time says."""
        times = torch.tensor([0.0, 0.1, 0.7, 1.0]).double()
        true = torch.zeros(4, 3, 2).double()
        true[:, 1] = 1.0
        true[:, 2, 0] = times
        confidence = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 1, 1]])
        torch.testing.assert_close(fill_unseen(true * confidence[..., None], confidence, times=times), true)

    def test_frames_without_anybody_lie_between_their_neighbours(self):
        true = torch.arange(10.0)[:, None, None] + torch.rand(5, 2)
        confidence = torch.ones(10, 5)
        confidence[3:7] = 0
        confidence[2:9, 4] = 0
        torch.testing.assert_close(fill_unseen(true * confidence[..., None], confidence), true)

    def test_what_was_seen_stays_and_batches_are_apart(self):
        generator = torch.Generator().manual_seed(0)
        keypoints = torch.randn(3, 20, 22, 2, generator=generator)
        confidence = (torch.rand(3, 20, 22, generator=generator) < 0.6).float()
        confidence[1, :, LEGS] = 0
        filled = fill_unseen(keypoints, confidence, SMPL22)
        assert torch.equal(filled[confidence > 0], keypoints[confidence > 0]) and filled.isfinite().all()
        for one, k, c in zip(filled, keypoints, confidence, strict=True):
            torch.testing.assert_close(fill_unseen(k, c, SMPL22), one, atol=1e-5, rtol=1e-5)

    def test_nobody_ever(self):
        assert (fill_unseen(torch.full((4, 22, 2), 7.0), torch.zeros(4, 22), SMPL22) == 0).all()


class TestNeverSeen:
    @pytest.mark.parametrize("hidden", [SHINS, LEGS], ids=["shins", "legs"])
    def test_legs_hang_from_the_hips(self, walk, hidden):
        spoilt, confidence = without(walk, slice(None), hidden)
        filled = fill_unseen(spoilt, confidence, SMPL22)
        size = (walk[:, SMPL22.index("head")] - walk[:, SMPL22.index("pelvis")]).norm(dim=-1)
        off = (filled - walk).norm(dim=-1)[:, hidden] / size[:, None]
        assert off.mean() < 0.35, "of the trunk; a stride is that long"
        middle = torch.where(confidence[..., None] > 0, walk, 0).sum(1, keepdim=True) / confidence.sum(1)[:, None, None]
        assert off.mean() < 0.3 * ((middle - walk).norm(dim=-1)[:, hidden] / size[:, None]).mean()

    def test_turned_mirrored_and_far(self):
        """A standing body that was turned upside down, seen from behind, small: its legs are where they are."""
        true, _ = without(_standing_body(), slice(None), [0])
        true = _standing_body() * torch.tensor([-1.0, -1.0]) * 0.01 + 0.3
        spoilt, confidence = without(true, slice(None), LEGS)
        off = (fill_unseen(spoilt, confidence, SMPL22) - true).norm(dim=-1)
        assert off.max() < 0.05 * 0.01 * 1.5

    def test_other_layouts_have_the_middle(self):
        keypoints = torch.rand(1, 3, len(COCO17), 2)
        confidence = torch.ones(1, 3, len(COCO17))
        confidence[..., 3] = 0
        seen = [j for j in range(len(COCO17)) if j != 3]
        torch.testing.assert_close(hang(keypoints, confidence, COCO17)[:, :, 3], keypoints[:, :, seen].mean(2))


def _standing_body():
    return standing_body(torch.device("cpu"))[0].expand(5, 22, 2).clone()


class TestTold:
    def test_short_gaps_are_no_guess(self):
        confidence = torch.ones(40, 22)
        confidence[10:14, 3] = 0
        confidence[20:30, 4] = 0
        found = unseen(confidence, 20)
        assert not found[:, 3].any() and found[:, 4].nonzero()[:, 0].tolist() == list(range(20, 30))

    @pytest.mark.parametrize("layout", [SMPL22, HALPE26, COCO17])
    def test_every_joint_is_of_one_part(self, layout):
        parts = body_parts(layout)
        assert sorted(j for part in parts.values() for j in part) == list(range(len(layout)))
        assert [layout.joints[j] for j in parts["left leg"]] == ["left_knee", "left_ankle"]
        assert [layout.joints[j] for j in parts["right arm"]] == ["right_elbow", "right_wrist"]

    def test_shares_of_the_parts(self):
        mask = torch.zeros(40, 22, dtype=torch.bool)
        mask[:10, joints("left_wrist")] = True
        mask[:30, joints("right_knee")] = True
        mask[20:, joints("right_ankle")] = True
        parts = seen_parts(mask)
        assert parts == pytest.approx({"head": 1, "trunk": 1, "left arm": 0.75, "right arm": 1, "left leg": 1,
                                       "right leg": 0, "feet": 1})  # fmt: skip

    def test_invented(self):
        mask = torch.zeros(40, 22, dtype=torch.bool)
        mask[:, joints("left_foot", "right_foot", "left_ankle")] = True  # one leg, and feet that no detector knows
        assert invented(mask) is None
        mask[:10, joints("right_ankle")] = True
        assert invented(mask) == "legs are seen in 38 % of it, expected at least 50 %"
        upper = [j for j in range(22) if "hip" in SMPL22.joints[j] or j not in LEGS][:12]
        mask = torch.zeros(40, 22, dtype=torch.bool)
        mask[:, upper] = True
        assert "of the body are seen" in invented(mask)


def test_resampled_after_filling(walk):
    """As recordings do it: 30 frames a second, an arm hidden for a second and a half, then 20."""
    from videomdm.cameras.keypoints import resample

    spoilt, confidence = without(walk, slice(8, 53), ARM)
    times = np.arange(60) / 30
    places = fill_unseen(spoilt, confidence, times=torch.from_numpy(times))
    points, sure = resample(torch.cat([places, confidence[..., None]], -1).double().numpy(), times, 20)
    at = np.arange(len(points)) * 1.5
    true = np.stack([[np.interp(at, np.arange(60), walk[:, j, a]) for a in range(2)] for j in range(22)], 0).transpose(
        2, 0, 1
    )
    hidden = sure[:, ARM] == 0
    off = np.linalg.norm(points - true, axis=-1)
    assert hidden.mean() > 0.6 and off[:, [j for j in range(22) if j not in ARM]].max() < 1e-3
    arm = np.linalg.norm(true[:, ARM[1]] - true[:, SMPL22.index("right_shoulder")], axis=-1).mean()
    assert off[:, ARM][hidden].mean() < 0.5 * arm
