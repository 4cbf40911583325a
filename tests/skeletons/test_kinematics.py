"""Inverse and forward kinematics, rotations between directions, and the layouts themselves."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm.data import procedural
from videomdm.skeletons import COCO17, H36M17, HALPE26, NBA16, SMPL22, kinematics

BODIES = pytest.mark.parametrize("skeleton", (SMPL22, NBA16, H36M17), ids=lambda s: s.name)


def random_joints(skeleton, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, len(skeleton), 3, generator=generator, dtype=torch.float64)


def about_y(angle):
    direction = torch.tensor((math.sin(angle), math.cos(angle)), dtype=torch.float64)
    return kinematics.facing_z(direction).mT


class TestRotationBetween:
    @settings(deadline=None)
    @given(
        st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: sum(x * x for x in v) > 0.01),
        st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: sum(x * x for x in v) > 0.01),
    )
    def test_is_the_shortest_rotation(self, start, end):
        start, end = (torch.tensor(v, dtype=torch.float64) / math.hypot(*v) for v in (start, end))
        rotation = kinematics.rotation_between(start, end)
        torch.testing.assert_close(rotation @ rotation.T, torch.eye(3).double(), rtol=0, atol=1e-9)
        assert torch.linalg.det(rotation).item() == pytest.approx(1)
        torch.testing.assert_close(rotation @ start, end, rtol=0, atol=2e-4)  # opposite ones within the bound
        cosine = ((rotation.trace() - 1) / 2).item()
        assert cosine == pytest.approx((start @ end).item(), abs=1e-7)

    def test_quarter_turn_by_hand(self):
        x, y = torch.eye(3)[:2]
        expected = torch.tensor(((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
        torch.testing.assert_close(kinematics.rotation_between(x, y), expected)

    @pytest.mark.parametrize("axis", (0, 1, 2))
    def test_opposite_vectors(self, axis):
        start = torch.eye(3)[axis]
        rotation = kinematics.rotation_between(start, -start)
        torch.testing.assert_close(rotation @ start, -start)
        assert torch.linalg.det(rotation).item() == pytest.approx(1)

    def test_is_a_rotation_in_float32_near_opposite_vectors(self):
        """1 + cos is 5e-7 here, of which float32 has lost a fifth."""
        end = torch.tensor((1e-3, -math.sqrt(1 - 1e-6), 0.0))
        rotation = kinematics.rotation_between(torch.tensor((0.0, 1.0, 0.0)), end)
        torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), rtol=0, atol=1e-6)
        torch.testing.assert_close(rotation @ torch.tensor((0.0, 1.0, 0.0)), end, rtol=0, atol=1e-4)


class TestPlanes:
    def test_bisectors_and_rest_half_turns_make_the_shortest_rotation(self):
        joints = random_joints(SMPL22, 2, 5)
        h = kinematics.bisectors(kinematics.bone_planes(kinematics.planes(joints), SMPL22), SMPL22)
        half_turn = 2 * torch.einsum("jabt,jcbt->btjac", h, h) - torch.eye(3).double()
        rotations = half_turn @ kinematics.rest_half_turns(SMPL22, h.dtype, h.device)[1:]
        rest = kinematics.rest_directions(SMPL22, joints)
        bones = kinematics.unit(kinematics.bone_vectors(joints, SMPL22), rest)
        torch.testing.assert_close(rotations, kinematics.rotation_between(rest, bones), rtol=0, atol=1e-12)

    def test_bones_without_a_shortest_rotation(self):
        """Opposite to rest: a half-turn about an axis across it.  Of length zero: no turn."""
        rest = kinematics.rest_directions(SMPL22, torch.zeros(()))[..., None, None]
        torch.testing.assert_close((kinematics.bisectors(-0.3 * rest, SMPL22) * rest).sum(1), torch.zeros(21, 1, 1))
        torch.testing.assert_close(kinematics.bisectors(0 * rest, SMPL22), rest)

    def test_turned_takes_forward_to_z(self):
        angle = torch.tensor(((0.3, -2.0, 3.1),), dtype=torch.float64)
        forward = torch.stack((angle.sin(), angle.cos()))
        vectors = torch.stack((forward[0], torch.full_like(angle, 7.0), forward[1]))
        expected = torch.tensor((0.0, 7.0, 1.0), dtype=torch.float64)[:, None, None].expand(3, 1, 3)
        torch.testing.assert_close(kinematics.turned(vectors, forward), expected)


class TestFacing:
    @pytest.mark.parametrize("angle", (0.0, 1.0, -2.5, math.pi))
    def test_left_is_plus_x_when_facing_z(self, angle):
        joints = torch.zeros(22, 3, dtype=torch.float64)
        for name, x in (
            ("left_hip", 0.1),
            ("left_shoulder", 0.2),
            ("right_hip", -0.1),
            ("right_shoulder", -0.2),
        ):
            joints[SMPL22.index(name), 0] = x
        facing = kinematics.facing(joints @ about_y(angle).T)
        torch.testing.assert_close(facing, torch.tensor((math.sin(angle), math.cos(angle)), dtype=torch.float64))
        turned = kinematics.facing_z(facing) @ torch.stack((facing[0], torch.zeros(()).double(), facing[1]))
        torch.testing.assert_close(turned, torch.tensor((0.0, 0.0, 1.0), dtype=torch.float64))


class TestInverseAndForward:
    @BODIES
    def test_forward_undoes_inverse(self, skeleton):
        """Any pose, also facing away: with each frame's own bone lengths the joints come back."""
        joints = random_joints(skeleton, 2, 5)
        local, _ = kinematics.inverse_kinematics(joints, skeleton)
        assert local.shape == (2, 5, len(skeleton), 3, 3)
        offsets = kinematics.rest_offsets(joints, skeleton)
        again = kinematics.forward_kinematics(local, joints[..., 0, :], offsets, skeleton)
        torch.testing.assert_close(again, joints, rtol=0, atol=1e-12)

    def test_float32_is_exact_to_a_tenth_of_a_millimetre(self):
        joints = random_joints(SMPL22, 50).float()
        local, _ = kinematics.inverse_kinematics(joints)
        again = kinematics.forward_kinematics(local, joints[:, 0], kinematics.rest_offsets(joints))
        assert (again - joints).abs().max() < 1e-4

    def test_own_rest_pose(self):
        """Rotations relative to a rest pose whose bones point anywhere."""
        joints, offsets = random_joints(SMPL22, 4), random_joints(SMPL22, seed=1)
        lengths = (joints[..., 1:, :] - joints[..., SMPL22.parents[1:], :]).norm(dim=-1, keepdim=True)
        scaled = offsets.expand(4, 22, 3).clone()
        scaled[:, 1:] = offsets[1:] / offsets[1:].norm(dim=-1, keepdim=True) * lengths
        local, _ = kinematics.inverse_kinematics(joints, SMPL22, offsets)
        again = kinematics.forward_kinematics(local, joints[:, 0], scaled)
        torch.testing.assert_close(again, joints, rtol=0, atol=1e-12)

    def test_world_is_the_product_along_the_tree(self):
        local, world = kinematics.inverse_kinematics(random_joints(SMPL22, 3))
        for parent, joint in SMPL22.bones:
            torch.testing.assert_close(world[:, joint], world[:, parent] @ local[:, joint])

    @settings(deadline=None, max_examples=20)
    @given(angle=st.floats(-4, 4))
    def test_turning_the_clip_changes_the_root_alone(self, angle):
        joints = random_joints(SMPL22, 3)
        local, _ = kinematics.inverse_kinematics(joints)
        turned, _ = kinematics.inverse_kinematics(joints @ about_y(angle).T)
        torch.testing.assert_close(turned[:, 1:], local[:, 1:], rtol=0, atol=1e-9)
        torch.testing.assert_close(turned[:, 0], about_y(angle) @ local[:, 0], rtol=0, atol=1e-9)

    def test_gradients(self):
        joints = random_joints(NBA16, 2).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: kinematics.inverse_kinematics(x, NBA16)[0], joints, fast_mode=True)


class TestLayouts:
    @pytest.mark.parametrize("skeleton", (SMPL22, H36M17, COCO17, HALPE26, NBA16), ids=lambda s: s.name)
    def test_is_one_tree(self, skeleton):
        assert len(set(skeleton.joints)) == len(skeleton)
        assert skeleton.parents.count(-1) == 1
        for joint in range(len(skeleton)):
            seen = set()
            while joint >= 0:  # walks up and ends at the root
                assert joint not in seen
                seen.add(joint)
                joint = skeleton.parents[joint]

    @pytest.mark.parametrize("skeleton", (SMPL22, H36M17, COCO17, HALPE26, NBA16), ids=lambda s: s.name)
    def test_sides_do_not_mix(self, skeleton):
        """A left joint hangs on a left or a middle joint, and its right twin on that one's twin."""
        twin = lambda name: name.replace("left_", "right_")  # noqa: E731
        for joint, parent in zip(skeleton.joints, skeleton.parents, strict=True):
            assert twin(joint) in skeleton.joints
            if joint.startswith("left_"):
                above = skeleton.parents[skeleton.index(twin(joint))]
                assert skeleton.joints[above] == twin(skeleton.joints[parent])

    @pytest.mark.parametrize("skeleton", (SMPL22, NBA16), ids=lambda s: s.name)
    def test_chains_walk_every_bone_once(self, skeleton):
        walked = [pair for chain in skeleton.chains for pair in zip(chain[:-1], chain[1:], strict=True)]
        assert sorted(walked) == sorted(skeleton.bones)
        for name, rest in zip(skeleton.joints, skeleton.rest_directions, strict=True):
            right = skeleton.rest_directions[skeleton.index(name.replace("left_", "right_"))]
            if name.startswith("left_"):
                assert right == (-rest[0], *rest[1:])

    def test_root_bones(self):
        assert {HALPE26.joints[j] for _, j in HALPE26.root_bones} == {"neck", "left_hip", "right_hip"}
        assert SMPL22.root_bones == ((0, 1), (0, 2), (0, 3))


class TestBodies:
    def clips(self):
        """Four clips of two bodies that differ in size by a tenth, with noisy bones and padding of no meaning."""
        corpus = procedural.generate(4, seed=5)
        joints = corpus.joints * torch.tensor([1.0, 1.1, 1.0, 1.1])[:, None, None, None]
        outside = torch.arange(joints.shape[1]) >= corpus.lengths[:, None]
        joints[outside] = 7.0
        return joints, corpus.lengths

    def test_body_height_follows_the_size_and_nothing_else(self):
        joints, lengths = self.clips()
        turned = torch.einsum("ij,ctkj->ctki", about_y(0.7).float(), joints) + torch.tensor([1.0, 2.0, 3.0])
        found = kinematics.body_height(joints, lengths)
        assert torch.allclose(kinematics.body_height(turned, lengths), found, rtol=1e-4)
        assert torch.allclose(kinematics.body_height(1.3 * joints, lengths), 1.3 * found, rtol=1e-5)
        assert ((found > 1.2) & (found < 2.2)).all()  # ankle to head, metres

    def test_body_height_by_hand(self):
        """A body whose bones are all half a metre: ankle, knee and hip, then five bones from the pelvis up."""
        joints = torch.zeros(1, 3, 22, 3)
        for joint in range(1, 22):
            joints[:, :, joint] = joints[:, :, SMPL22.parents[joint]] + torch.tensor([0.5, 0.0, 0.0])
        assert kinematics.body_height(joints, torch.tensor([3])).item() == pytest.approx(8 * 0.5)

    def test_constant_bones(self):
        joints, lengths = self.clips()
        noisy = joints + 0.01 * torch.randn(joints.shape, generator=torch.Generator().manual_seed(0))
        rigid = kinematics.constant_bones(noisy, lengths)
        bones, before = kinematics.bone_vectors(rigid, SMPL22), kinematics.bone_vectors(noisy, SMPL22)
        sizes, true = bones.norm(dim=-1), kinematics.bone_vectors(joints, SMPL22)[:, :1].norm(dim=-1)
        assert torch.allclose(sizes, sizes[:, :1].expand_as(sizes), atol=1e-5)
        assert ((sizes[:, :1] - true).abs() < 0.01).all()  # nearer to the truth than one frame's noise
        assert torch.equal(rigid[:, :, 0], noisy[:, :, 0])
        inside = (torch.arange(joints.shape[1]) < lengths[:, None])[..., None]
        cosines = torch.nn.functional.cosine_similarity(bones, before, dim=-1)
        assert cosines[inside.expand_as(cosines)].min() > 0.9999


class TestCentreOfMass:
    def test_of_a_pose_that_is_raised_and_of_an_arm_that_is(self):
        pose = torch.randn(5, 22, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        up = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
        middle = kinematics.centre_of_mass(pose)
        torch.testing.assert_close(kinematics.centre_of_mass(pose + 2 * up), middle + 2 * up)
        pose[:, SMPL22.index("left_wrist")] += up
        torch.testing.assert_close(kinematics.centre_of_mass(pose), middle + 0.022 * 0.682 * up)

    def test_a_layout_without_hips(self):
        with pytest.raises(KeyError, match="coco17 has no joint 'neck'"):
            kinematics.centre_of_mass(torch.zeros(17, 3), COCO17)


class TestTwoBones:
    def limbs(self, n=200):
        return random_joints(SMPL22, n)[:, :4].unbind(1)

    def test_the_end_comes_to_the_goal_and_bones_keep_their_lengths(self):
        start, middle, end, way = self.limbs()
        upper, lower = (middle - start).norm(dim=-1), (end - middle).norm(dim=-1)
        near, far = (upper - lower).abs(), upper + lower
        share = torch.linspace(0.02, 0.98, len(start)).double()
        goal = start + ((near + share * (far - near)) / way.norm(dim=-1))[:, None] * way
        bent, reached = kinematics.two_bones(start, middle, end, goal)
        torch.testing.assert_close(reached, goal, rtol=0, atol=1e-9)
        torch.testing.assert_close((bent - start).norm(dim=-1), upper)
        torch.testing.assert_close((reached - bent).norm(dim=-1), lower)

    def test_it_is_left_as_it_is_where_the_end_is_there_already(self):
        start, middle, end, _ = self.limbs()
        bent, reached = kinematics.two_bones(start, middle, end, end)
        torch.testing.assert_close(bent, middle, rtol=0, atol=1e-7)
        torch.testing.assert_close(reached, end)

    def test_a_knee_stays_in_its_plane_and_on_its_side(self):
        hip, knee, ankle = torch.tensor(((0.0, 1.0, 0.0), (0.0, 0.5, 0.1), (0.0, 0.0, 0.0)))
        bent, _ = kinematics.two_bones(hip, knee, ankle, torch.tensor((0.0, 0.2, 0.3)))
        assert bent[0] == 0 and bent[2] > 0.3

    @pytest.mark.parametrize(("goal", "reached"), [((0.0, -9.0, 0.0), -0.9), ((0.0, 0.0, 0.0), -0.1)])
    def test_out_of_reach(self, goal, reached):
        """Of bones of 0.5 and 0.4 m: stretched at most, and folded at least."""
        joints = torch.tensor(((0.0, 0.0, 0.0), (0.3, -0.4, 0.0), (0.3, -0.8, 0.0)))
        _, end = kinematics.two_bones(*joints, torch.tensor(goal))
        assert float(end.norm()) == pytest.approx(abs(reached), abs=1e-5)

    def test_a_limb_that_is_nearly_straight_bends_forward(self):
        """Its own plane, a tenth of a millimetre to the side, is noise."""
        leg = torch.tensor(((0.0, 1.0, 0.0), (0.0001, 0.5, 0.0), (0.0, 0.0, 0.0)))
        bent, _ = kinematics.two_bones(*leg, torch.tensor((0.0, 0.1, 0.0)), torch.tensor((0.0, 0.0, -1.0)))
        assert bent[2] < -0.2 and abs(bent[0]) < 0.01

    def test_a_limb_without_a_plane_bends_somewhere(self):
        straight = torch.tensor(((0.0, 1.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.0)))
        bent, end = kinematics.two_bones(*straight, torch.tensor((0.0, 0.4, 0.0)))
        torch.testing.assert_close(end, torch.tensor((0.0, 0.4, 0.0)))
        assert float((bent - straight[0]).norm()) == pytest.approx(0.5)
        nowhere = kinematics.two_bones(*torch.zeros(3, 3), torch.zeros(3))
        assert all(joint.isfinite().all() for joint in nowhere)
