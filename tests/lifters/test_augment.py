import pytest
import torch
from torch import Tensor

from videomdm.data import procedural
from videomdm.lifters import augment
from videomdm.skeletons import SMPL22

LEFT, RIGHT = SMPL22.index("left_wrist"), SMPL22.index("right_wrist")


@pytest.fixture(scope="module")
def joints() -> Tensor:
    return procedural.generate(12, seed=3, max_frames=40).joints


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bone_lengths(joints: Tensor) -> Tensor:
    starts, ends = zip(*SMPL22.bones, strict=True)
    return (joints[..., list(ends), :] - joints[..., list(starts), :]).norm(dim=-1)


class TestMirror:
    def test_swaps_sides_and_x(self, joints):
        mirrored = augment.mirror(joints, SMPL22)
        assert torch.equal(mirrored[..., LEFT, 0], -joints[..., RIGHT, 0])
        assert torch.equal(mirrored[..., LEFT, 1:], joints[..., RIGHT, 1:])
        assert torch.equal(mirrored[..., 0, 1:], joints[..., 0, 1:])
        assert torch.equal(augment.mirror(mirrored, SMPL22), joints)

    def test_half(self, joints):
        many = joints[:1].expand(200, -1, -1, -1)
        mirrored = (augment.mirror_half(many, generator()) == augment.mirror(many, SMPL22)).all(-1).all(-1).all(-1)
        kept = (augment.mirror_half(many, generator()) == many).all(-1).all(-1).all(-1)
        assert (mirrored ^ kept).all() and 70 < mirrored.sum() < 130


class TestAugment:
    def test_without_changes_it_gives_the_clip(self, joints, monkeypatch):
        monkeypatch.setattr(augment, "BONES", dict.fromkeys(augment.BONES, (1.0, 1.0)))
        monkeypatch.setattr(augment, "TRUNK", (1.0, 1.0))
        monkeypatch.setattr(augment, "LIMBS", (1.0, 1.0))
        monkeypatch.setattr(augment, "SHIFT", 0.0)
        monkeypatch.setattr(augment, "SWING", {})
        changed = augment.augment(joints, 20.0, generator())
        torch.testing.assert_close(changed, joints, atol=1e-5, rtol=0)

    def test_the_root_path_stays(self, joints):
        assert torch.equal(augment.augment(joints, 20.0, generator())[:, :, 0], joints[:, :, 0])

    def test_one_symmetric_body_per_clip(self, joints):
        lengths = bone_lengths(augment.augment(joints, 20.0, generator()))
        assert lengths.std(1).max() < 0.01
        names = [SMPL22.joints[j] for _, j in SMPL22.bones]
        left = [i for i, name in enumerate(names) if name.startswith("left_")]
        right = [names.index(names[i].replace("left_", "right_")) for i in left]
        torch.testing.assert_close(lengths[..., left], lengths[..., right], atol=0.02, rtol=0)

    def test_bodies_vary_as_far_as_game_characters(self, joints):
        many = augment.augment(joints[:1].expand(400, -1, -1, -1)[:, :1], 20.0, generator())
        factor = (bone_lengths(many) / bone_lengths(joints[:1, :1]))[:, 0]
        names = [SMPL22.joints[j] for _, j in SMPL22.bones]
        hip, shoulder = factor[:, names.index("left_hip")], factor[:, names.index("left_shoulder")]
        assert hip.quantile(0.05) < 0.65 and shoulder.quantile(0.05) < 0.55 and hip.quantile(0.95) > 1.1
        assert 0.8 < factor[:, names.index("left_knee")].min() < factor[:, names.index("left_knee")].max() < 1.2

    def test_motion_stays_smooth(self, joints):
        before, after = (
            (x - x[:, :, :1]).diff(n=2, dim=1).norm(dim=-1).mean()
            for x in (joints, augment.augment(joints, 20.0, generator()))
        )
        assert after < 2 * before

    def test_the_generator_decides(self, joints):
        one, same, other = (augment.augment(joints, 20.0, generator(seed)) for seed in (1, 1, 2))
        assert torch.equal(one, same) and not torch.allclose(one, other, atol=1e-2)


def knees(joints: Tensor) -> Tensor:
    """Degrees between left thigh and shin."""
    hip, knee, ankle = (joints[..., SMPL22.index(f"left_{j}"), :] for j in ("hip", "knee", "ankle"))
    cosine = torch.nn.functional.cosine_similarity(hip - knee, ankle - knee, dim=-1)
    return torch.rad2deg(cosine.clamp(-1, 1).acos())


class TestStraighter:
    def stretched(self, joints, monkeypatch, most: float) -> Tensor:
        monkeypatch.setattr(augment, "SWING", {})
        monkeypatch.setattr(augment, "BONES", dict.fromkeys(augment.BONES, (1.0, 1.0)))
        monkeypatch.setattr(augment, "SHIFT", 0.0)
        monkeypatch.setattr(augment, "STRAIGHTER", most)
        return augment.augment(joints.repeat(8, 1, 1, 1), 20.0, generator(), limber=True)

    def test_half_stand_straight_and_keep_their_feet_level(self, joints, monkeypatch):
        before = joints.repeat(8, 1, 1, 1)
        after = self.stretched(joints, monkeypatch, 1e4)
        changed = (knees(after) - knees(before)).abs().amax(1) > 1
        assert 0.3 < changed.float().mean() < 0.7
        straight = 180 - augment.STRAIGHT
        assert knees(after)[changed].min() > straight - 0.5
        foot = [SMPL22.index(f"left_{j}") for j in ("ankle", "foot")]
        one, two = (x[:, :, foot[1]] - x[:, :, foot[0]] for x in (before, after))
        assert torch.nn.functional.cosine_similarity(one, two, dim=-1).min() > 0.9999

    def test_no_knee_opens_further_than_allowed(self, joints, monkeypatch):
        opened = knees(self.stretched(joints, monkeypatch, 20.0)) - knees(joints.repeat(8, 1, 1, 1))
        assert opened.min() > -0.1 and 10 < opened.max() < 20.1


class TestWindows:
    def test_at_its_own_speed_it_is_a_stretch_of_the_clip(self, joints):
        lengths = torch.full((len(joints),), 40)
        cut = augment.windows(joints, lengths, 40, generator(), speed=(1.0, 1.0))
        torch.testing.assert_close(cut, joints[:, :40])

    def test_speed_scales_displacements(self):
        line = torch.arange(100.0)[None, :, None, None].expand(300, -1, 2, 3)
        cut = augment.windows(line, torch.full((300,), 100), 16, generator(), speed=(0.5, 2.0))
        steps = cut.diff(dim=1)[:, :, 0, 0]
        assert (steps - steps[:, :1]).abs().max() < 1e-3 and 0.5 <= steps.min() < 0.6 and 1.8 < steps.max() <= 2.0001
        assert cut.min() >= 0 and cut.max() <= 99

    def test_short_clips_go_as_fast_as_they_can(self):
        line = torch.arange(100.0)[None, :, None, None].expand(50, -1, 2, 3)
        cut = augment.windows(line, torch.full((50,), 20), 20, generator(), speed=(2.0, 2.0))
        assert cut.max() <= 19 and cut.isfinite().all()


def test_body_axes_of_a_turned_body():
    joints = torch.zeros(22, 3)
    joints[SMPL22.index("left_hip")] = torch.tensor([0.0, -0.1, -0.1])  # left is -Z: the body faces +X
    joints[SMPL22.index("right_hip")] = torch.tensor([0.0, -0.1, 0.1])
    joints[SMPL22.index("neck")] = torch.tensor([0.0, 0.5, 0.0])
    expected = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    torch.testing.assert_close(augment.body_axes(joints, SMPL22), expected)


class TestDetect:
    def test_half_of_the_clips_are_perfect(self):
        clean = torch.randn(400, 10, 22, 2)
        seen, confidence = augment.detect(clean, generator())
        perfect = (seen == clean).all(-1).all(-1).all(-1)
        assert 0.4 < perfect.float().mean() < 0.6
        assert confidence[perfect].eq(1).all()

    def test_noise_goes_with_confidence(self):
        clean = torch.zeros(400, 10, 22, 2)
        seen, confidence = augment.detect(clean, generator())
        reported = confidence[confidence > 0]
        assert reported.min() >= 0.5 and 0 < (confidence == 0).float().mean() < augment.MISSING
        noisy = confidence < 1
        unsure, sure = noisy & (confidence < 0.6) & (confidence > 0), noisy & (confidence > 0.9)
        assert 1.4 < seen[unsure].std() / seen[sure].std() < 2.1
        assert seen.abs().max() < 6 * augment.NOISE[1] / 0.5
