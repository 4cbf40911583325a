import json
import math
import sys

import pytest
import torch
from torch import Tensor

from videomdm.lifters.weight_sets import SETS
from videomdm.skeletons import BLAZEPOSE33, SMPL22
from videomdm.study import judge_teachers
from videomdm.study.judge_teachers import LIMBS


def limbs() -> Tensor:
    """(2, 12, 3): somebody who stands, y down, 1.4 m from shoulders to ankles."""
    height = {"hip": 0.0, "knee": 0.45, "ankle": 0.9, "shoulder": -0.5, "elbow": -0.2, "wrist": 0.05}
    across = {"right": -0.15, "left": 0.15}
    points = [[across[side], height[joint], 0.0] for side, _, joint in (name.partition("_") for name in LIMBS)]
    return torch.tensor(points).expand(2, -1, -1)


def turn(degrees: float) -> Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[1.0, 0, 0], [0, c, -s], [0, s, c]])


class TestLimbErrors:
    def test_where_somebody_stands_does_not_matter(self):
        errors = judge_teachers._limb_errors(limbs() + torch.tensor([0.3, 0.1, 4.0]), limbs())
        assert all(float(value) == pytest.approx(0, abs=0.03) for value in errors.values())

    def test_a_lean_is_told_apart_from_a_pose(self):
        errors = judge_teachers._limb_errors(limbs() @ turn(10.0).mT, limbs())
        assert float(errors["lean"]) == pytest.approx(10, abs=1e-2)
        assert float(errors["pa_mpjpe"]) < 0.1 and float(errors["mpjpe"]) > 40

    def test_one_wrong_wrist_is_a_twelfth(self):
        own = limbs().clone()
        own[:, LIMBS.index("left_wrist"), 2] += 0.12
        assert float(judge_teachers._limb_errors(own, limbs())["mpjpe"]) == pytest.approx(10, abs=1e-3)


@pytest.mark.parametrize("skeleton", [SMPL22, BLAZEPOSE33], ids=lambda s: s.name)
def test_angles_by_hand(skeleton):
    joints = torch.zeros(len(skeleton), 3)
    places = {"shoulder": (0, 1.4, 0), "hip": (0, 0.9, 0), "knee": (0, 0.5, 0), "ankle": (0, 0.1, 0)}
    for name, place in places.items():
        for side in ("left", "right"):
            joints[skeleton.index(f"{side}_{name}")] = torch.tensor(place)
    joints[skeleton.index("left_ankle")] = torch.tensor([0.0, 0.5, -0.4])
    found = judge_teachers.angles(joints, skeleton)
    torch.testing.assert_close(found["knee"], torch.tensor([180.0, 90.0]), atol=0.05, rtol=0)  # right, left
    torch.testing.assert_close(found["hip"], torch.tensor([180.0, 180.0]), atol=0.05, rtol=0)


@pytest.mark.slow
def test_a_result_is_written_for_each_set(monkeypatch, tmp_path):
    corpus = judge_teachers.procedural.generate(3, seed=1, max_frames=44)
    monkeypatch.setattr(
        judge_teachers, "judges", lambda data, split: {"own": lambda weights: judge_teachers.filmed(weights, corpus)}
    )
    monkeypatch.setattr(sys, "argv", ["judge", "--data", "nowhere", "--out", str(tmp_path), "--split", "val"])
    assert judge_teachers.main() == 0
    for name in SETS:
        result = json.loads((tmp_path / "teachers" / f"{name}-val.json").read_text())
        assert 20 < result["metrics"]["own_mpjpe"] < 150 and result["trained_on"] == SETS[name].trained_on
        assert result["metrics"]["own_network_reprojection"] < result["metrics"]["own_reprojection"]
        assert set(judge_teachers.results.KEYS) <= set(result)


@pytest.mark.slow
class TestRealPeople:
    def test_the_trial_is_read_as_it_was_measured(self, data_root):
        """Its truth, projected, is what the file of projected keypoints holds."""
        folder = data_root / "real" / "balance"
        track, _, _ = judge_teachers.recordings.load_one(folder / "cam01_projected_truth.npz", intrinsics=66.6)
        truth = judge_teachers._truth(folder, 1, track.start + torch.arange(len(track)) / track.fps)
        knee = LIMBS.index("left_knee")
        flat = truth[:, knee, :2] / truth[:, knee, 2:]
        error = (track.keypoints[:, SMPL22.index("left_knee")] - flat).norm(dim=-1)
        assert error.median() < 0.02  # the camera's true middle and focal length differ a little from what is assumed

    def test_the_teacher_for_real_people_reaches_its_goals(self, data_root):
        folder = data_root / "real"
        old, new = (judge_teachers.balance(SETS[name], folder / "balance") for name in ("procedural", "real"))
        means = {name: value for name, value in old.items() if name.endswith("mpjpe") and "_cam" not in name}
        assert means and all(new[name] < value for name, value in means.items())  # over both cameras
        assert new["blazepose_mpjpe"] < 110 and new["blazepose_pa_mpjpe"] < 78
        assert new["projected_truth_mpjpe"] < 85 and new["projected_truth_pa_mpjpe"] < 62
        upright = judge_teachers.standing(SETS["real"], folder)
        assert upright["lateral_raise_frames"] > 100
        for video in ("lateral_raise", "sit_walk", "walk_park"):
            assert abs(upright[f"{video}_knee"] - upright[f"{video}_knee_blazepose"]) < 6
