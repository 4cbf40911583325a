"""Feet that stay: slides taken out of motions whose feet are known to stand."""

from dataclasses import replace

import pytest
import torch

from videomdm.data import procedural
from videomdm.evaluation import motion
from videomdm.features import hold_last
from videomdm.sample import feet
from videomdm.skeletons import COCO17, H36M17, SMPL22, kinematics

TOES = [SMPL22.index("left_foot"), SMPL22.index("right_foot")]
SLIDE = 0.02  # metres per frame


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(48, seed=3, min_frames=50, max_frames=70)


@pytest.fixture(scope="module")
def walks(corpus):
    """Joints and lengths of clips that walk, whose feet stand on y = 0 and do not slide."""
    rows = [i for i, captions in enumerate(corpus.captions) if "walk" in captions[0]]
    assert len(rows) > 3
    chosen = corpus.select(rows)
    return hold_last(chosen.joints, chosen.lengths), chosen.lengths


def slid(joints):
    """The whole body carried off by :data:`SLIDE`, this way and that over two seconds."""
    time = torch.arange(joints.shape[-3]) / 20
    way = torch.stack([torch.sin(torch.pi * time), torch.zeros_like(time), 1 - torch.cos(torch.pi * time)], dim=-1)
    return joints + SLIDE * 20 / torch.pi * way[:, None]


def stood(joints, lengths):
    """(B, T - 1, 2): where the toes of a motion without slides stand."""
    toes = joints[..., TOES, :]
    still = toes.diff(dim=1).norm(dim=-1) < 1e-3
    return still & (toes[:, 1:, :, 1] < 0.02) & (torch.arange(1, joints.shape[1]) < lengths[:, None])[..., None]


def steps(joints):
    """(B, T - 1, 2) metres, how far toes go on the floor from frame to frame."""
    return joints[..., TOES, :][..., [0, 2]].diff(dim=1).norm(dim=-1)


def sizes(joints):
    return kinematics.bone_vectors(joints, SMPL22).norm(dim=-1)


class TestHold:
    def test_a_walk_that_slides_gets_its_feet_back(self, walks):
        joints, lengths = walks
        given, stands = slid(joints), stood(joints, lengths)
        assert steps(given)[stands].mean() == pytest.approx(SLIDE, rel=0.01)
        held = feet.hold(given, lengths)
        assert steps(held)[stands].mean() < 0.002 and steps(held)[stands].quantile(0.99) < 0.01
        free, mine, true = (motion.foot_speed(x, lengths) for x in (given, held, joints))
        assert mine - true < 0.2 * (free - true)

    def test_nothing_is_jerked(self, walks):
        joints, lengths = walks
        given = hold_last(slid(joints), lengths)
        before, after = (motion.mean_acceleration(x, lengths) for x in (given, feet.hold(given, lengths)))
        assert after < 1.1 * before

    def test_a_walk_that_does_not_slide_keeps_its_pace(self, walks):
        """But for the frames in which a foot comes and goes, low and slow."""
        joints, lengths = walks
        held = feet.hold(joints, lengths)
        true, mine = (motion.path_length(x, lengths, per_clip=True) for x in (joints, held))
        assert ((mine / true - 1).abs() < 0.08).all()
        around_hip = (held - held[..., :1, :]) - (joints - joints[..., :1, :])
        assert around_hip.norm(dim=-1).mean() < 0.01
        assert (held[:, 0, 0] - joints[:, 0, 0]).abs().max() < 1e-5

    def test_bones_keep_one_length(self, walks):
        joints, lengths = walks
        noise = 0.01 * torch.randn(joints.shape, generator=torch.Generator().manual_seed(0))
        given = hold_last(joints + noise, lengths)
        of_held = sizes(feet.hold(given, lengths))
        assert float((of_held - kinematics.bone_lengths(given, lengths)[:, None]).abs().max()) < 1e-4

    def test_legs_do_not_lock(self, walks):
        """A foot that is held pulls no leg straighter than a bent one, or than it was."""
        joints, lengths = walks
        given = slid(joints)

        def reach(motion):
            hip, knee, ankle = (
                motion[..., [SMPL22.index(f"{s}_{j}") for s in ("left", "right")], :] for j in ("hip", "knee", "ankle")
            )
            return (ankle - hip).norm(dim=-1) / ((knee - hip).norm(dim=-1) + (ankle - knee).norm(dim=-1))

        pulled = reach(feet.hold(given, lengths)) - reach(kinematics.constant_bones(given, lengths, SMPL22))
        straight = reach(feet.hold(given, lengths)) > feet.BENT + 1e-4
        assert straight.any() and pulled[straight].max() < 1e-4

    def test_at_another_frame_rate_motions_are_held_alike(self, walks):
        given, lengths = slid(walks[0]), walks[1]
        twice = torch.nn.functional.interpolate(
            given.flatten(2).mT, 2 * given.shape[1] - 1, mode="linear", align_corners=True
        ).mT.unflatten(2, (22, 3))
        off = feet.hold(twice, 2 * lengths - 1, fps=40.0)[:, ::2] - feet.hold(given, lengths)
        assert off.norm(dim=-1).mean() < 0.01

    def test_lengths_are_whole_numbers(self, walks):
        with pytest.raises(ValueError, match="lengths are torch.float32, expected whole numbers"):
            feet.hold(walks[0], walks[1].float())

    def test_what_touches_no_floor_is_left_alone(self, walks):
        joints, lengths = walks
        given = slid(joints) + torch.tensor((0.0, 0.5, 0.0))
        torch.testing.assert_close(feet.hold(given, lengths), hold_last(given, lengths), rtol=0, atol=2e-3)

    def test_a_jump_is_not_nailed_down(self, corpus):
        rows = [i for i, captions in enumerate(corpus.captions) if "jump" in captions[0]]
        joints, lengths = corpus.joints[rows], corpus.lengths[rows]
        held = feet.hold(joints, lengths)
        flies = joints[..., TOES, 1].amin(-1) > 0.1
        assert flies.any()
        assert (held - joints)[flies][..., 1].abs().max() < 0.01
        assert motion.path_length(held, lengths) == pytest.approx(float(motion.path_length(joints, lengths)), rel=0.1)

    def test_a_foot_that_swings_past_the_body_is_free(self, walks):
        """Where it swings a foot goes as far as before, though it was never higher than 3 cm."""
        joints, lengths = walks
        low = joints.clone()
        low[..., TOES, 1] = low[..., TOES, 1].clamp(max=0.03)
        fast = steps(low) > 0.1
        assert fast.any()
        assert steps(feet.hold(low, lengths))[fast].mean() > 0.9 * steps(low)[fast].mean()

    def test_feet_do_not_sink_in(self, walks):
        joints, lengths = walks
        given = joints.clone()
        given[..., [*SMPL22.feet], 1] -= 0.03
        before, after = (float(motion.sunken(x, lengths)) for x in (given, feet.hold(given, lengths)))
        assert before > 2 and after < 0.2

    def test_out_of_reach_a_foot_slides_on(self):
        """A stiff body of straight legs that is carried away by a metre: no leg stretches."""
        joints = procedural.generate(1).clip(0)[:1].repeat(40, 1, 1)
        joints = joints + torch.linspace(0, 1, 40)[:, None, None] * torch.tensor((1.0, 0.0, 0.0))
        held = feet.hold(joints, how=replace(feet.HOLDING, path=1e6, foot=1e-6))
        assert (sizes(held) - sizes(joints)).abs().max() < 1e-4
        assert held.isfinite().all()


class TestBatches:
    def test_one_alone_is_as_in_a_batch_whatever_the_padding_holds(self, walks, monkeypatch):
        joints, lengths = slid(walks[0][:3]), torch.tensor([60, 31, 2])
        padded = joints.clone()
        for clip, length in zip(padded, lengths.tolist(), strict=True):
            clip[length:] = torch.nan
        together = feet.hold(padded, lengths)
        assert together.isfinite().all()
        for one, length, held in zip(joints, lengths.tolist(), together, strict=True):
            alone = feet.hold(one[:length])
            torch.testing.assert_close(held[:length], alone, rtol=0, atol=1e-4)
            assert torch.equal(held[length:], held[length - 1 : length].expand_as(held[length:]))
        monkeypatch.setattr(feet, "CLIPS", 2)
        torch.testing.assert_close(feet.hold(padded, lengths), together, rtol=0, atol=1e-5)

    def test_leading_dimensions(self, walks):
        joints = slid(walks[0][:4])
        found = feet.hold(joints.unflatten(0, (2, 2)), walks[1][:4].view(2, 2))
        torch.testing.assert_close(found.flatten(0, 1), feet.hold(joints, walks[1][:4]), rtol=0, atol=1e-5)

    def test_the_input_is_left_as_it_is(self, walks):
        joints = slid(walks[0][:1])
        before = joints.clone()
        feet.hold(joints)
        assert torch.equal(joints, before)

    @pytest.mark.parametrize("frames", (1, 2, 3))
    def test_short_ones(self, walks, frames):
        assert feet.hold(walks[0][0, :frames]).shape == (frames, 22, 3)


class TestOtherLayouts:
    def test_feet_of_one_joint(self):
        """Human3.6M's skeleton ends at the ankles."""
        clips = procedural.generate(6, seed=1, min_frames=40, max_frames=40)
        own = clips.joints[..., [SMPL22.index({"hip": "pelvis"}.get(name, name)) for name in _near(H36M17)], :]
        held = feet.hold(own, skeleton=H36M17)
        assert held.shape == own.shape and held.isfinite().all()

    def test_bad_input(self, walks):
        joints = walks[0][:2]
        for wrong in (joints[..., :21, :], joints[0, 0], joints[:, :0], joints[..., :2]):
            with pytest.raises(ValueError, match=r"joints have shape .* expected \(\.\.\., frames, 22, 3\)"):
                feet.hold(wrong)
        with pytest.raises(ValueError, match="lengths"):
            feet.hold(joints, torch.tensor([5, 900]))
        with pytest.raises(ValueError, match="lengths"):
            feet.hold(joints, torch.tensor([5]))
        with pytest.raises(ValueError, match="not all finite"):
            feet.hold(joints.clone().index_fill_(1, torch.tensor(3), torch.nan))
        with pytest.raises(ValueError, match="coco17 names no feet"):
            feet.hold(joints[..., :17, :], skeleton=COCO17)


def _near(skeleton):
    """Joints of SMPL-22 that stand near those of Human3.6M's skeleton."""
    other = {"spine": "spine2", "thorax": "spine3"}
    return [other.get(name, name) for name in skeleton.joints]
