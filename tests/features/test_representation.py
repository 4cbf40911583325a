"""Features against HumanML3D's published clip, a frame-by-frame quaternion version, and by properties."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm import features
from videomdm.cameras import orbit
from videomdm.skeletons import H36M17, HALPE26, NBA16, SMPL22, Skeleton
from videomdm.skeletons.kinematics import facing_z, forward_kinematics, rest_offsets

LAYOUTS = pytest.mark.parametrize("skeleton", (SMPL22, NBA16, H36M17), ids=lambda s: s.name)


def turn(angle):
    """Rotation matrices (..., 3, 3) about Y that take +Z to the heading ``angle``."""
    angle = torch.as_tensor(angle, dtype=torch.float64)
    return facing_z(torch.stack((angle.sin(), angle.cos()), dim=-1)).mT


def standing(skeleton: Skeleton) -> torch.Tensor:
    """One pose (J, 3): facing +Z, feet on the floor, root above the origin, arms to the sides."""
    bone = {
        "hip": (0.1, -0.05, 0), "knee": (0, -0.4, 0), "ankle": (0, -0.4, 0), "foot": (0, -0.05, 0.12),
        "collar": (0.08, 0.1, 0), "shoulder": (0.18, 0.02, 0), "elbow": (0.2, -0.15, 0.02),
        "wrist": (0.2, -0.1, 0.1),
    }  # fmt: skip
    pose = torch.zeros(len(skeleton), 3, dtype=torch.float64)
    for parent, joint in skeleton.bones:
        name = skeleton.joints[joint]
        side = -1.0 if name.startswith("right_") else 1.0
        x, y, z = bone.get(name.split("_")[-1], (0, 0.12, 0.01))
        pose[joint] = pose[parent] + torch.tensor((side * x, y, z))
    return pose - torch.tensor((0.0, 1.0, 0.0)) * pose[:, 1].min()


def moving(skeleton=SMPL22, n_frames=30, turns=0.0, seed=0, batch=()) -> torch.Tensor:
    """A canonical clip (*batch, T, J, 3) of a body that walks, sways its joints and turns ``turns`` times."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 1, n_frames, dtype=torch.float64)[:, None, None]
    draw = lambda *shape: torch.randn(*batch, *shape, generator=generator, dtype=torch.float64)  # noqa: E731
    pace = 2 * math.pi * (1 + draw(1, len(skeleton), 1).abs())
    sway = 0.05 * draw(1, len(skeleton), 3) * torch.sin(pace * t)
    body = (standing(skeleton) + sway) @ turn(2 * math.pi * turns * t[:, 0, 0]).mT
    return features.canonicalise(body + torch.tensor((0.3, 0.0, 1.2)) * t + 0.05 * draw(1, 1, 3) * t**2, skeleton)


# ---- the published clip ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(data_root):
    """The published rows (170, 263), and their 171 frames; the last one comes from the last velocities."""
    rows = torch.from_numpy(np.load(data_root / "humanml3d_sample/new_joint_vecs/012314.npy")).double()
    joints = features.decode(rows)
    heading, _ = features.root_trajectory(rows)
    velocity = rows[-1, features.blocks(22)["joint_velocities"]].reshape(22, 3)
    return rows, torch.cat((joints, joints[-1:] + velocity @ turn(heading[-1]).mT))


@pytest.mark.data
class TestPublishedClip:
    TOLERANCES = {
        "root_yaw_velocity": 1.5e-7, "root_velocity": 1.5e-7, "root_height": 1.5e-7,
        "joint_positions": 3.6e-7, "joint_rotations": 7.5e-6, "joint_velocities": 3.4e-7,
        "foot_contacts": 0.0,
    }  # fmt: skip

    @pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
    def test_encode_gives_every_published_row(self, published, dtype):
        rows, joints = published
        error = (features.encode(joints.to(dtype)).double() - rows).abs()
        for name, channels in features.blocks(22).items():
            assert error[:, channels].max() <= self.TOLERANCES[name], name

    def test_published_frames_alone_agree_before_the_smoothing_window(self, published):
        rows, joints = published
        error = (features.encode(joints[:170]) - rows[:169]).abs()
        error = torch.cat((error[:, :67], error[:, 193:]), dim=-1)
        assert error[:89].max() < 4e-7
        assert 1e-3 < error.max() < 1.4e-2  # the missing frame is felt afterwards: the comparison can fail

    def test_decode_gives_the_published_joints(self, published, data_root):
        joints = torch.from_numpy(np.load(data_root / "humanml3d_sample/new_joints/012314.npy"))
        assert (features.decode(published[0].float()) - joints).abs().max() < 5e-7

    def test_encode_and_decode_are_inverse(self, published):
        _, joints = published
        canonical = features.canonicalise(joints.float())
        assert (canonical - joints).abs().max() < 1e-6  # published clips are canonical
        assert (features.decode(features.encode(canonical)) - canonical[:-1]).abs().max() < 1e-4

    def test_statistics_have_one_number_per_channel(self, data_root):
        for name in ("Mean.npy", "Std.npy"):
            assert np.load(data_root / "humanml3d_sample" / name).shape == (features.n_features(22),)


# ---- an independent version: HumanML3D's definitions, frame by frame, in quaternions ---------------------


def q_multiply(a, b):
    (aw, ax, ay, az), (bw, bx, by, bz) = a, b
    return np.array((
        aw * bw - ax * bx - ay * by - az * bz, aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx, aw * bz + ax * by - ay * bx + az * bw,
    ))  # fmt: skip


def q_inverse(q):
    return q * np.array((1, -1, -1, -1))


def q_rotate(q, v):
    return q_multiply(q_multiply(q, np.array((0.0, *v))), q_inverse(q))[1:]


def q_between(u, v):
    q = np.array((np.linalg.norm(u) * np.linalg.norm(v) + u @ v, *np.cross(u, v)))
    return q / np.linalg.norm(q)


def rows_by_quaternions(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    right_hip, left_hip, right_shoulder, left_shoulder = (skeleton.index(j) for j in skeleton.face)
    n_frames = len(joints)
    forward = []
    for frame in joints:
        across = frame[left_hip] - frame[right_hip] + frame[right_shoulder] - frame[left_shoulder]
        forward.append(np.cross((0, 1, 0), across / np.linalg.norm(across)))
    window = np.arange(-80, 81)
    weights = np.exp(-0.5 * (window / 20) ** 2)
    weights /= weights.sum()
    heading = [np.array((1.0, 0, 0, 0))]
    for t in range(1, n_frames):
        smooth = sum(w * forward[min(max(t + k, 0), n_frames - 1)] for w, k in zip(weights, window, strict=True))
        heading.append(q_between(smooth, np.array((0.0, 0, 1))))

    rows = []
    for t in range(n_frames - 1):
        q, after, frame, step = heading[t], heading[t + 1], joints[t], joints[t + 1] - joints[t]
        turned = q_multiply(after, q_inverse(q))
        moved = q_rotate(after, step[0])
        local = [q_rotate(q, joint - frame[0] * (1, 0, 1)) for joint in frame[1:]]
        rotations = {}
        for chain in skeleton.chains:
            above = q
            for parent, joint in zip(chain[:-1], chain[1:], strict=True):
                bone = q_between(np.array(skeleton.rest_directions[joint]), frame[joint] - frame[parent])
                rotation = q_multiply(q_inverse(above), bone)
                rotations[joint] = np.concatenate([q_rotate(rotation, axis) for axis in np.eye(3)[:2]])
                above = q_multiply(above, rotation)
        velocities = [q_rotate(q, v) for v in step]
        contacts = [float((step[j] ** 2).sum() < 0.002) for j in skeleton.feet]
        contacts = contacts if len(contacts) == 4 else [contacts[0]] * 2 + [contacts[1]] * 2
        rows.append(np.concatenate([
            [np.arcsin(turned[2])], moved[[0, 2]], [frame[0, 1]], np.ravel(local),
            np.ravel([rotations[j] for j in range(1, len(skeleton))]), np.ravel(velocities), contacts,
        ]))  # fmt: skip
    return np.array(rows)


#: Rest directions along no axis: SMPL's, turned about two of them.
OBLIQUE = replace(
    SMPL22,
    name="oblique",
    rest_directions=tuple((0.6 * x - 0.8 * y, 0.48 * x + 0.36 * y - 0.8 * z, 0.64 * x + 0.48 * y + 0.6 * z)
                          for x, y, z in SMPL22.rest_directions),
)  # fmt: skip


@pytest.mark.parametrize("skeleton", (SMPL22, NBA16, OBLIQUE), ids=lambda s: s.name)
def test_encode_agrees_with_quaternions_frame_by_frame(skeleton):
    joints = moving(skeleton, n_frames=25, turns=0.3, seed=1)
    expected = torch.from_numpy(rows_by_quaternions(joints.numpy(), skeleton))
    torch.testing.assert_close(features.encode(joints, skeleton), expected, rtol=0, atol=1e-9)


# ---- channels --------------------------------------------------------------------------------------------


class TestChannels:
    def test_sizes_of_smpl(self):
        slices = features.blocks(22)
        assert features.n_features(22) == 263
        assert slices["joint_rotations"] == slice(67, 193)
        assert slices["foot_contacts"] == slice(259, 263)
        assert (features.position_channels(22), features.redundant_channels(22)) == (
            slice(0, 67),
            slice(67, 263),
        )

    def test_sizes_of_nba(self):
        assert features.n_features(16) == 191
        assert (features.position_channels(16), features.redundant_channels(16)) == (
            slice(0, 49),
            slice(49, 191),
        )

    @given(n_joints=st.integers(2, 60))
    def test_blocks_tile_the_row(self, n_joints):
        slices = list(features.blocks(n_joints).values())
        assert slices[0].start == 0 and slices[-1].stop == features.n_features(n_joints)
        assert all(a.stop == b.start for a, b in zip(slices[:-1], slices[1:], strict=True))

    def test_values_of_a_straight_walk(self):
        """0.1 m per frame along +Z, without turning: every channel by hand."""
        pose = standing(SMPL22)
        joints = pose + torch.tensor((0.0, 0.0, 0.1)) * torch.arange(5.0)[:, None, None]
        named = {k: features.encode(joints)[2, s] for k, s in features.blocks(22).items()}
        torch.testing.assert_close(named["root_yaw_velocity"], torch.zeros(1, dtype=torch.float64))
        assert named["root_velocity"].tolist() == pytest.approx([0, 0.1], abs=1e-7)
        assert named["root_height"].item() == pytest.approx(pose[0, 1].item())
        torch.testing.assert_close(named["joint_positions"].reshape(21, 3), pose[1:], rtol=0, atol=1e-7)
        torch.testing.assert_close(named["joint_velocities"].reshape(22, 3), (joints[3] - joints[2]))
        left_hip = named["joint_rotations"].reshape(21, 2, 3)[0]  # at rest along +X, so column 0 is the bone
        torch.testing.assert_close(left_hip[0], (pose[1] - pose[0]) / (pose[1] - pose[0]).norm())
        assert named["foot_contacts"].tolist() == [0, 0, 0, 0]

    def test_yaw_velocity_is_half_the_turn_positive_to_the_right(self):
        left = turn(0.02 * torch.arange(400.0))  # towards +X, the left; the middle is free of edge effects
        rows = features.encode(standing(SMPL22) @ left.mT)
        assert rows[200, 0].item() == pytest.approx(-0.01, rel=1e-6)

    def test_feet_left_before_right(self):
        joints = standing(SMPL22).repeat(4, 1, 1)
        joints[:, SMPL22.index("left_foot"), 2] += 0.05 * torch.arange(4)  # 0.0025 m^2 per frame
        joints[:, SMPL22.index("right_ankle"), 2] += 0.044 * torch.arange(4)  # 0.0019 m^2: still a contact
        assert features.encode(joints)[:, -4:].unique(dim=0).tolist() == [[1, 0, 1, 1]]

    def test_one_foot_joint_per_side_fills_both_flags(self):
        joints = standing(NBA16).repeat(4, 1, 1)
        joints[:, NBA16.index("right_ankle"), 2] += 0.05 * torch.arange(4)
        assert features.encode(joints, NBA16)[:, -4:].unique(dim=0).tolist() == [[1, 1, 0, 0]]


# ---- joints and back -------------------------------------------------------------------------------------


class TestRoundTrip:
    @LAYOUTS
    def test_decode_undoes_encode(self, skeleton):
        joints = moving(skeleton, n_frames=120, turns=0.4).float()
        rows = features.encode(joints, skeleton)
        assert rows.shape == (119, features.n_features(len(skeleton))) and rows.dtype == torch.float32
        decoded = features.decode(rows)
        assert decoded.dtype == torch.float32
        assert (decoded - joints[:-1]).norm(dim=-1).max() < 1e-4

    @LAYOUTS
    def test_position_channels_are_enough(self, skeleton):
        rows = features.encode(moving(skeleton, turns=0.4, batch=(2,)), skeleton)
        positions = rows[..., features.position_channels(len(skeleton))]
        assert torch.equal(features.decode_positions(positions), features.decode(rows))

    @pytest.mark.parametrize("turns", (0.5, -0.5, 1.0, 2.0, -2.0))
    def test_turning_past_180_degrees(self, turns):
        joints = moving(n_frames=160, turns=turns).float()
        rows = features.encode(joints)
        assert (features.decode(rows) - joints[:-1]).norm(dim=-1).max() < 1e-4

    @pytest.mark.parametrize("rate", (0.03, -0.03))
    def test_heading_goes_on_past_180_degrees(self, rate):
        """1.4 turns at a steady rate: the headings are not wrapped, and the nearer way round is taken."""
        true = rate * torch.arange(300.0)
        rows = features.encode(standing(SMPL22) @ turn(true).mT)
        heading, _ = features.root_trajectory(rows)
        torch.testing.assert_close(heading[81:219], true[81:219].double(), rtol=0, atol=1e-5)
        assert rows[:, 0].abs().max() < 0.5  # no jump by pi, as HumanML3D has where its quaternion flips

    @pytest.mark.parametrize("heading", (math.pi, -math.pi, math.pi / 2, 0.0))
    def test_any_constant_heading(self, heading):
        joints = moving(n_frames=40)
        rows = features.encode(joints @ turn(heading).mT)
        torch.testing.assert_close(rows, features.encode(joints), rtol=0, atol=1e-9)

    def test_exactly_minus_z_within_the_clip(self):
        """Half a turn in one step, to exactly -Z: HumanML3D's quaternion is 0/0 there."""
        pose = standing(SMPL22)
        joints = torch.stack([pose] + [pose * torch.tensor((-1.0, 1.0, -1.0))] * 200)
        rows = features.encode(joints)
        assert rows.isfinite().all()
        assert (features.decode(rows) - joints[:-1]).norm(dim=-1).max() < 1e-9
        assert abs(features.root_trajectory(rows)[0][-1].item()) == pytest.approx(math.pi)

    @settings(deadline=None, max_examples=25)
    @given(
        heading=st.floats(-10, 10), x=st.floats(-50, 50), z=st.floats(-50, 50), turns=st.floats(-1, 1),
        n_frames=st.integers(2, 60), seed=st.integers(0, 1000),
    )  # fmt: skip
    def test_place_and_heading_do_not_matter(self, heading, x, z, turns, n_frames, seed):
        joints = moving(n_frames=n_frames, turns=turns, seed=seed)
        moved = joints @ turn(heading).mT + torch.tensor((x, 0.0, z), dtype=torch.float64)
        rows = features.encode(moved)
        torch.testing.assert_close(rows, features.encode(joints), rtol=0, atol=1e-8)
        assert (features.decode(rows) - joints[:-1]).norm(dim=-1).max() < 1e-8

    @LAYOUTS
    def test_batches_are_clips_side_by_side(self, skeleton):
        joints = moving(skeleton, n_frames=20, batch=(2, 3))
        rows = features.encode(joints, skeleton)
        assert rows.shape == (2, 3, 19, features.n_features(len(skeleton)))
        torch.testing.assert_close(rows[1, 2], features.encode(joints[1, 2], skeleton), rtol=0, atol=1e-12)
        decoded = features.decode(rows)
        torch.testing.assert_close(decoded[1, 2], features.decode(rows[1, 2]), rtol=0, atol=1e-12)

    def test_some_clips_at_a_time_are_all_clips(self, monkeypatch):
        """Seven clips in parts of two, with gradients, and their lengths with them."""
        joints, lengths = moving(n_frames=20, batch=(7,)), torch.tensor((20, 9, 12, 20, 3, 18, 11))
        target = rest_offsets(standing(SMPL22))
        whole = features.encode(features.canonicalise(joints, SMPL22, target, "median", lengths))
        monkeypatch.setattr("videomdm.features.channels.FRAMES_AT_ONCE", 45)
        parts = features.encode(features.canonicalise(joints, SMPL22, target, "median", lengths))
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-12)
        joints.requires_grad_()
        parts = features.encode(features.canonicalise(joints, SMPL22, target, "median", lengths))
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-12)
        parts.sum().backward()
        assert (joints.grad[:, 0].abs().amax((1, 2)) > 0).all()

    def test_empty_batch(self):
        rows = features.encode(torch.zeros(0, 9, 22, 3))
        assert rows.shape == (0, 8, 263) and features.decode(rows).shape == (0, 8, 22, 3)

    def test_a_layout_without_chains_and_rest_directions(self):
        plain = Skeleton("plain", SMPL22.joints, SMPL22.parents, left_feet=("left_foot",), right_feet=("right_foot",))
        joints = moving(plain)
        rotations = features.encode(joints, plain)[:, features.blocks(22)["joint_rotations"]]
        columns = rotations.unflatten(-1, (21, 2, 3))
        torch.testing.assert_close(columns @ columns.mT, torch.eye(2).double().expand(29, 21, 2, 2))


class TestPrecision:
    def test_autocast_changes_nothing(self):
        joints = moving().float()
        rows = features.encode(joints)
        decoded = features.decode(rows)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(features.encode(joints), rows)
            assert torch.equal(features.decode(rows), decoded)
            assert features.decode(rows.bfloat16()).dtype == torch.float32

    def test_first_use_under_inference_mode_does_not_spoil_training(self):
        with torch.inference_mode():
            features.encode(moving(n_frames=53))
        features.encode(moving(n_frames=53).requires_grad_()).sum().backward()


@pytest.mark.slow
def test_compiled_is_the_same():
    """All constants of the layout are in one graph, forwards and backwards."""
    joints, target = moving(n_frames=12, batch=(2,)).requires_grad_(), rest_offsets(standing(SMPL22))

    def function(joints):
        rows = features.encode(features.canonicalise(joints, SMPL22, target))
        return rows, features.decode(rows)

    compiled = torch.compile(function, backend="aot_eager", dynamic=False, fullgraph=True)
    found, expected = compiled(joints), function(joints)
    torch.testing.assert_close(found, expected)
    sums = [sum(x.square().sum() for x in pair) for pair in (found, expected)]
    torch.testing.assert_close(*(torch.autograd.grad(x, joints)[0] for x in sums))


def degenerate():
    """Names and clips (6, 22, 3) in which some direction does not exist."""
    pose = standing(SMPL22).float()
    yield "all joints in one point", torch.zeros(6, 22, 3)
    yield "no motion", pose.repeat(6, 1, 1)
    flat = pose.clone()
    flat[list(SMPL22.face_indices)] = 0.0
    yield "no heading", flat.repeat(6, 1, 1)
    upside_down = pose.clone()
    for parent, joint in SMPL22.bones:  # every bone exactly against its rest direction
        upside_down[joint] = upside_down[parent] - 0.3 * torch.tensor(SMPL22.rest_directions[joint])
    yield "opposite to rest", upside_down.repeat(6, 1, 1)
    half_turn = pose.repeat(6, 1, 1)
    half_turn[3:] = half_turn[3:] * torch.tensor((-1.0, 1.0, -1.0))
    yield "smoothed headings that cancel", half_turn


class TestGradients:
    @pytest.mark.parametrize("skeleton", (SMPL22, NBA16), ids=lambda s: s.name)
    def test_encode(self, skeleton):
        joints = moving(skeleton, n_frames=3, turns=0.2).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: features.encode(x, skeleton), joints, fast_mode=True)

    def test_decode(self):
        rows = features.encode(moving(n_frames=5, turns=0.3)).requires_grad_()
        assert torch.autograd.gradcheck(features.decode, rows)

    @pytest.mark.parametrize("floor", ("lowest", "median"))
    def test_canonicalise(self, floor):
        joints = moving(n_frames=3) @ turn(1.0).mT
        offsets = rest_offsets(1.1 * joints[0])
        assert torch.autograd.gradcheck(
            lambda x: features.canonicalise(x, SMPL22, offsets, floor),
            joints.requires_grad_(),
            fast_mode=True,
        )

    @pytest.mark.parametrize("joints", [pytest.param(x, id=name) for name, x in degenerate()])
    def test_are_finite_on_degenerate_bodies(self, joints):
        joints = joints.clone().requires_grad_()
        rows = features.encode(features.canonicalise(joints, target_offsets=rest_offsets(standing(SMPL22))))
        decoded = features.decode(rows)
        assert rows.isfinite().all() and decoded.isfinite().all()
        (rows.square().sum() + decoded.square().sum()).backward()
        assert joints.grad.isfinite().all()


# ---- canonical frame -------------------------------------------------------------------------------------


class TestCanonicalise:
    @LAYOUTS
    def test_starts_at_the_origin_facing_z_on_the_floor(self, skeleton):
        joints = moving(skeleton, n_frames=30, turns=0.3) @ turn(2.0).mT + torch.tensor((3.0, -7.0, 1.0))
        canonical = features.canonicalise(joints, skeleton)
        assert canonical[0, 0, 0] == 0 and canonical[0, 0, 2] == 0
        assert canonical[..., 1].min() == 0
        hips = canonical[0, skeleton.index("left_hip")] - canonical[0, skeleton.index("right_hip")]
        shoulders = canonical[0, skeleton.index("left_shoulder")] - canonical[0, skeleton.index("right_shoulder")]
        assert (hips + shoulders)[2].abs() < 1e-12 and (hips + shoulders)[0] > 0

    @pytest.mark.parametrize("floor", ("lowest", "median"))
    def test_is_the_map_of_canonical_frame(self, floor):
        joints = (moving(batch=(2,)) @ turn(-1.0).mT + torch.tensor((3.0, -7.0, 1.0))).float()
        rotation, origin = features.canonical_frame(joints, SMPL22, floor)
        assert rotation.shape == (2, 3, 3) and origin.shape == (2, 3) and rotation.dtype == torch.float32
        mapped = torch.einsum("bij,btnj->btni", rotation, joints - origin[:, None, None])
        torch.testing.assert_close(features.canonicalise(joints, floor=floor), mapped, rtol=0, atol=1e-5)

    def test_median_floor_ignores_outliers(self):
        joints = standing(SMPL22).repeat(21, 1, 1)
        joints[3:6, SMPL22.index("right_foot"), 1] = -2.0  # three wild frames
        joints[:, SMPL22.index("left_wrist"), 1] = -1.0  # not a foot
        assert features.canonical_frame(joints, floor="median")[1][1].abs() < 1e-6
        assert features.canonical_frame(joints, floor="lowest")[1][1] == -2.0

    @pytest.mark.parametrize("floor", ("lowest", "median"))
    def test_padding_does_not_count(self, floor):
        joints = moving(batch=(2,), n_frames=30) @ turn(1.0).mT + torch.tensor((1.0, 2.0, 3.0))
        lengths = torch.tensor((30, 17))
        padded = joints.clone()
        padded[1, 17:] = 0.0
        batch = features.canonicalise(padded, floor=floor, lengths=lengths)
        alone = features.canonicalise(joints[1, :17], floor=floor)
        torch.testing.assert_close(batch[1, :17], alone)
        torch.testing.assert_close(batch[1, 17:], alone[-1:].expand(13, 22, 3))
        torch.testing.assert_close(features.encode(batch)[1, :16], features.encode(alone))
        origin = features.canonical_frame(padded, floor=floor, lengths=lengths)[1]
        torch.testing.assert_close(origin[1], features.canonical_frame(joints[1, :17], floor=floor)[1])

    def test_a_camera_sees_the_same_from_the_canonical_frame(self):
        joints = (moving(batch=(2,)) @ turn(-1.0).mT + torch.tensor((3.0, -7.0, 1.0))).float()
        camera = orbit(torch.tensor([0.3, 2.0]), torch.tensor([0.1, 0.2]), joints[:, 0, 0], torch.tensor([4.0, 5.0]))
        motions, moved = features.canonicalise_with_camera(joints, camera, lengths=torch.tensor((30, 17)))
        lowest_feet = motions[0, :, SMPL22.feet, 1].amin(-1)
        assert lowest_feet.median().abs() < 1e-5 and motions[:, 0, 0, [0, 2]].abs().max() < 1e-5
        torch.testing.assert_close(moved.to_camera(motions)[0], camera.to_camera(joints)[0], rtol=0, atol=1e-4)
        torch.testing.assert_close(
            moved.to_camera(motions)[1, :17], camera.to_camera(joints)[1, :17], rtol=0, atol=1e-4
        )

    def test_uniform_skeleton(self):
        """Target bones, source directions, the root path scaled by the leg: all by hand."""
        joints = moving(n_frames=8)
        target = rest_offsets(standing(SMPL22) * torch.tensor((1.3, 0.8, 1.1)))
        bones = joints[:, 1:] - joints[:, SMPL22.parents[1:]]
        leg = [SMPL22.index("right_knee"), SMPL22.index("right_ankle")]
        ratio = target[leg].norm(dim=-1).sum() / bones[0, [j - 1 for j in leg]].norm(dim=-1).sum()
        expected = [joints[:, 0] * ratio]
        for parent, joint in SMPL22.bones:  # parents come first in this layout
            direction = bones[:, joint - 1] / bones[:, joint - 1].norm(dim=-1, keepdim=True)
            expected.append(expected[parent] + direction * target[joint].norm())
        expected = torch.stack(expected, dim=1)
        result = features.canonicalise(joints, target_offsets=target)
        torch.testing.assert_close(result, features.canonicalise(expected), rtol=0, atol=1e-12)

    @settings(deadline=None, max_examples=20)
    @given(heading=st.floats(-4, 4), turns=st.floats(-1, 1), seed=st.integers(0, 100))
    def test_is_idempotent(self, heading, turns, seed):
        joints = moving(n_frames=12, turns=turns, seed=seed) @ turn(heading).mT
        once = features.canonicalise(joints)
        torch.testing.assert_close(features.canonicalise(once), once, rtol=0, atol=1e-12)


class TestHoldLast:
    def test_repeats_the_last_valid_frame(self):
        joints = torch.arange(2 * 4 * 1 * 3, dtype=torch.float32).reshape(2, 4, 1, 3)
        held = features.hold_last(joints, torch.tensor((2, 4)))
        assert torch.equal(held[0], joints[0, [0, 1, 1, 1]]) and torch.equal(held[1], joints[1])

    @pytest.mark.parametrize("lengths", ((0, 3), (2, 5), (2,)))
    def test_refuses_bad_lengths(self, lengths):
        with pytest.raises(ValueError, match="lengths"):
            features.hold_last(torch.zeros(2, 4, 1, 3), torch.tensor(lengths))


class TestBadInput:
    def test_joint_count(self):
        with pytest.raises(ValueError, match=r"\(9, 21, 3\).*22, 3\) for skeleton smpl22"):
            features.encode(torch.zeros(9, 21, 3))

    def test_single_frame(self):
        with pytest.raises(ValueError, match="1 frames, expected at least 2"):
            features.encode(torch.zeros(1, 22, 3))

    def test_layout_without_feet_or_root(self):
        with pytest.raises(ValueError, match="halpe26 has no features"):
            features.encode(torch.zeros(9, 26, 3), HALPE26)

    def test_channel_count(self):
        with pytest.raises(ValueError, match=r"\(9, 262\).*12 J - 1"):
            features.decode(torch.zeros(9, 262))

    def test_floor(self):
        with pytest.raises(ValueError, match="'mean'"):
            features.canonicalise(torch.zeros(9, 22, 3), floor="mean")

    def test_target_offsets(self):
        with pytest.raises(ValueError, match=r"target_offsets.*\(21, 3\)"):
            features.canonicalise(torch.zeros(9, 22, 3), target_offsets=torch.zeros(21, 3))


def test_a_posed_rest_skeleton_has_identity_rotations():
    """A clip in the rest pose: every rotation channel is the identity's two columns."""
    offsets = rest_offsets(standing(NBA16), NBA16)
    identity = torch.eye(3, dtype=torch.float64).expand(6, 16, 3, 3)
    joints = forward_kinematics(identity, torch.zeros(6, 3, dtype=torch.float64), offsets, NBA16)
    rotations = features.encode(joints, NBA16)[:, features.blocks(16)["joint_rotations"]]
    expected = torch.tensor((1.0, 0, 0, 0, 1, 0), dtype=torch.float64).repeat(5, 15)
    torch.testing.assert_close(rotations, expected, rtol=0, atol=1e-12)
