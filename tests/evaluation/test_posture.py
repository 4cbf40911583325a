"""Angles, states and distributions of people whose posture is known."""

import pytest
import torch

from videomdm.evaluation import posture
from videomdm.skeletons import SMPL22

J = SMPL22.index
PLACES = {
    "pelvis": (0, 0.95, 0), "left_hip": (0.1, 0.9, 0), "left_knee": (0.1, 0.5, 0), "left_ankle": (0.1, 0.1, 0),
    "left_foot": (0.1, 0.0, 0.1), "spine1": (0, 1.05, 0), "spine2": (0, 1.15, 0), "spine3": (0, 1.25, 0),
    "neck": (0, 1.45, 0), "head": (0, 1.6, 0), "left_collar": (0.08, 1.4, 0), "left_shoulder": (0.2, 1.4, 0),
    "left_elbow": (0.2, 1.1, 0), "left_wrist": (0.2, 0.85, 0),
}  # fmt: skip


@pytest.fixture
def pose():
    """(22, 3): somebody who stands straight, arms hanging, facing +Z."""
    pose = torch.zeros(22, 3)
    for name, place in PLACES.items():
        pose[J(name)] = torch.tensor(place)
        if name.startswith("left_"):
            pose[J(name.replace("left", "right"))] = torch.tensor(place) * torch.tensor([-1.0, 1.0, 1.0])
    return pose


def still(pose, frames=40):
    return pose.expand(frames, 22, 3).clone()


def lowered(pose, by):
    """The body ``by`` metres lower over the same feet, knees forward; thigh and shin keep their 0.4 m."""
    low = pose.clone()
    low[[j for j, name in enumerate(SMPL22.joints) if not name.endswith(("ankle", "foot"))], 1] -= by
    half = 0.4 - by / 2
    knees = [J("left_knee"), J("right_knee")]
    low[knees, 1], low[knees, 2] = 0.1 + half, (0.16 - half**2) ** 0.5
    return low


def turned(points, degrees):
    """Points about the vertical."""
    c, s = torch.tensor(degrees).deg2rad().cos(), torch.tensor(degrees).deg2rad().sin()
    return points @ torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]])


class TestAngles:
    def test_a_straight_body(self, pose):
        found = posture.angles(still(pose, 2))
        for name in ("knee", "hip", "elbow", "spine", "head"):
            assert torch.allclose(found[name], torch.full_like(found[name], 180.0), atol=0.1), name
        for name in ("arm", "lean", "thigh"):
            assert found[name].abs().max() < 0.1, name
        assert torch.allclose(found["ankle"], torch.full_like(found["ankle"], 135.0), atol=0.1)

    @pytest.mark.parametrize("heading", (0.0, 130.0))
    def test_sides_and_signs(self, pose, heading):
        pose[J("left_ankle")] = pose[J("left_knee")] + torch.tensor([0.0, 0.0, -0.4])  # heel to the back
        pose[J("right_knee")] = pose[J("right_hip")] + torch.tensor([0.0, 0.0, 0.4])  # thigh level, forward
        pose[J("neck")] = pose[J("pelvis")] + torch.tensor([0.0, 0.5, 0.5 * 3**0.5 / 3])
        found = posture.angles(turned(still(pose, 3), heading))
        assert found["knee"][0, 0] == pytest.approx(90.0, abs=0.1)
        assert found["thigh"][0].tolist() == pytest.approx([0.0, 90.0], abs=0.1)
        assert found["lean"][0] == pytest.approx(30.0, abs=0.1)
        assert found["hip"][0].tolist() == pytest.approx([150.0, 60.0], abs=0.1)


class TestStates:
    def test_who_stands_does_not_walk(self, pose):
        clip = still(pose)
        assert posture.standing(clip).all() and not posture.walking(clip).any()

    def test_bent_knees_stand_too_but_a_squat_does_not(self, pose):
        assert posture.standing(still(lowered(pose, 0.1))).all()
        assert not posture.standing(still(lowered(pose, 0.3))).any()

    def test_walking_is_forward_at_a_walkers_speed(self, pose):
        time = torch.arange(40)[:, None, None] / 20.0
        ahead = torch.tensor([0.0, 0.0, 1.0]) * time
        clip = still(pose)
        moving = clip + ahead
        planted = moving.clone()
        planted[:, J("left_ankle")] = pose[J("left_ankle")] + ahead[20, 0]
        inner = slice(18, 23)  # while the foot that stands is under the body
        assert posture.walking(planted)[inner].all()
        assert not posture.walking(clip - ahead).any() and not posture.walking(clip + 3.0 * ahead).any()


def test_legs_that_take_turns_are_symmetric(pose):
    time = torch.arange(60) / 20.0
    clip = still(pose, 60)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        clip[:, J(f"{side}_knee"), 2] += sign * 0.2 * torch.sin(6.0 * time)
        clip[:, J(f"{side}_elbow"), 2] -= sign * 0.1 * torch.sin(6.0 * time)
    found = posture.symmetry(clip[None], torch.ones(1, 60, dtype=torch.bool))
    assert found["legs"].item() == pytest.approx(-1.0, abs=0.01)
    assert found["arms"].item() == pytest.approx(-1.0, abs=0.01)
    assert found["crossed"].item() == pytest.approx(1.0, abs=0.01)
    none = torch.zeros(1, 60, dtype=torch.bool)
    assert posture.symmetry(clip[None], none)["legs"].isnan().all()


class TestDistributions:
    def test_padding_does_not_count(self, pose):
        clip = still(pose)[None]
        padded = torch.nn.functional.pad(clip, (0, 0, 0, 0, 0, 30))
        assert posture.distributions(padded, torch.tensor([40])) == posture.distributions(clip, torch.tensor([40]))

    def test_a_standing_clip(self, pose):
        found = posture.distributions(still(pose)[None], torch.tensor([40]))
        assert found["standing"]["frames"] == found["all"]["frames"] == 40
        assert found["standing"]["angles"]["knee"] == pytest.approx([180.0] * 5, abs=0.1)
        assert found["walking"] == {"frames": 0}
        assert found["bodies"]["proportions"]["thigh"] == pytest.approx([0.5] * 5, abs=1e-3)

    def test_lengths_that_do_not_fit_are_refused(self, pose):
        with pytest.raises(ValueError, match="lengths"):
            posture.distributions(still(pose)[None], torch.tensor([90]))


class TestSteadiness:
    def test_who_shrinks_and_leans_is_found(self, pose):
        clip = still(pose, 120)
        steady = posture.steadiness(clip)
        assert steady["size_change"] == pytest.approx(0.0, abs=1e-3) and steady["lean"] < 0.1
        assert steady["size"] == pytest.approx(0.8 + 0.0 + 0.5 + 0.2, abs=0.3)
        shrinking = clip * torch.linspace(1.0, 0.8, 120)[:, None, None]
        assert posture.steadiness(shrinking)["size_change"] == pytest.approx(100 * (0.966 - 0.833) / 0.9, abs=1.0)
        angle = torch.linspace(0.0, 20.0, 120).deg2rad()
        leaning = clip.clone()
        leaning[:, J("neck"), 2] = 0.5 * angle.tan()
        assert posture.steadiness(leaning)["lean_change"] == pytest.approx(13.3, abs=0.5)

    def test_too_short(self, pose):
        with pytest.raises(ValueError, match="30 frames"):
            posture.steadiness(still(pose, 30))
