"""Taking motions away: arrays, BVH files that pose the same joints, and films of stick figures."""

import dataclasses

import cv2
import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from videomdm import export
from videomdm.data import bvh
from videomdm.export import bvh as writer
from videomdm.skeletons import H36M17, NBA16, SMPL22

FRAMES = 80


def body(skeleton=SMPL22) -> torch.Tensor:
    """A lopsided body of rigid bones in no particular rest pose, (J, 3) metres."""
    generator = torch.Generator().manual_seed(3)
    offsets = torch.randn(len(skeleton), 3, generator=generator, dtype=torch.float64) * 0.05
    sides = {"left": 1.0, "right": -1.0}
    for j, name in enumerate(skeleton.joints):
        part = name.rpartition("_")[2]
        x = sides.get(name.partition("_")[0], 0.0)
        y = {
            "knee": -0.4,
            "ankle": -0.4,
            "hip": -0.1,
            "elbow": -0.25,
            "wrist": -0.25,
            "foot": -0.05,
            "shoulder": 0,
        }.get(part, 0.12)
        offsets[j] += torch.tensor([0.1 * x, y, 0.12 * (part == "foot")], dtype=torch.float64)
    offsets[0] = 0
    return offsets


def pose(turns: torch.Tensor, root: torch.Tensor, skeleton=SMPL22) -> torch.Tensor:
    """Joints (T, J, 3) of :func:`body` from rotation vectors (T, J, 3) of each joint and a root path (T, 3)."""
    offsets, local = body(skeleton), roma.rotvec_to_rotmat(turns)
    world, joints = [], []
    for j, parent in enumerate(skeleton.parents):
        world.append(local[:, j] if parent < 0 else world[parent] @ local[:, j])
        joints.append(root if parent < 0 else joints[parent] + world[parent] @ offsets[j])
    return torch.stack(joints, dim=1)


def sway(seed: int = 0, skeleton=SMPL22, size: float = 0.4) -> torch.Tensor:
    """Smooth rotation vectors (T, J, 3) of all joints but the root."""
    generator = torch.Generator().manual_seed(seed)
    rate, phase = torch.rand(2, len(skeleton), 3, generator=generator, dtype=torch.float64) * 6
    turns = size * torch.sin(0.05 * rate * torch.arange(FRAMES, dtype=torch.float64)[:, None, None] + phase)
    turns[:, 0] = 0
    return turns


def motions() -> dict[str, torch.Tensor]:
    time = torch.linspace(0, 1, FRAMES, dtype=torch.float64)
    root = torch.stack((time, 0.9 + 0 * time, 2 * time), dim=-1)
    up = torch.tensor([0.0, 1, 0], dtype=torch.float64)
    away, around, sit, lie, somersault = (sway(k) for k in range(5))
    away[:, 0] = torch.pi * up
    around[:, 0] = (-2.5 * torch.pi * time)[:, None] * up
    sit[:, [1, 2], 0] = (-torch.pi / 2 * (time * 3).clamp(max=1))[:, None]  # thighs go level, exactly
    sit[:, [1, 2], 1:] = 0
    sit[:, [4, 5]] = 0
    sit[:, [4, 5], 0] = (torch.pi / 2 * (time * 3).clamp(max=1))[:, None]
    lie[:, 0, 0] = -torch.pi / 2  # on the back: the pole of Z X Y
    somersault[:, 0, 0] = 4 * torch.pi * time
    poses = {"facing away": away, "turning": around, "sitting": sit, "lying": lie, "somersault": somersault}
    return {name: pose(turns, root) for name, turns in poses.items()}


MOTIONS = motions()


def read_back(path, skeleton=SMPL22) -> torch.Tensor:
    motion = bvh.read(path)
    return motion.joints()[:, motion.index(skeleton.joints)] / 100


class TestBvh:
    @pytest.mark.parametrize("name", MOTIONS)
    def test_rigid_bodies_come_back(self, tmp_path, name):
        joints = MOTIONS[name]
        error = export.to_bvh(tmp_path / "clip.bvh", joints)
        back = read_back(tmp_path / "clip.bvh")
        assert (back - joints).norm(dim=-1).max() < 1e-5
        assert torch.allclose(error, (back - joints).norm(dim=-1), atol=1e-6)

    @pytest.mark.parametrize("name", MOTIONS)
    def test_interpolated_angles_stay_near_the_shortest_way(self, tmp_path, name):
        export.to_bvh(tmp_path / "clip.bvh", MOTIONS[name])
        motion = bvh.read(tmp_path / "clip.bvh")
        between = dataclasses.replace(motion, values=(motion.values[1:] + motion.values[:-1]) / 2).rotations
        before, after = motion.rotations[:-1], motion.rotations[1:]
        step = roma.rotmat_to_rotvec(before.mT @ after)
        shortest = before @ roma.rotvec_to_rotmat(step / 2)
        off = roma.rotmat_to_rotvec(shortest.mT @ between).norm(dim=-1).rad2deg()
        assert off.max() < 10 and off.mean() < 0.2

    def test_a_full_turn_runs_past_180_degrees(self, tmp_path):
        time = torch.linspace(0, 1, FRAMES, dtype=torch.float64)
        turns = torch.zeros(FRAMES, 22, 3, dtype=torch.float64)
        turns[:, 0, 1] = 2 * torch.pi * time
        export.to_bvh(tmp_path / "clip.bvh", pose(turns, torch.zeros(FRAMES, 3).double()))
        y = bvh.read(tmp_path / "clip.bvh").values[:, 5]
        assert y[-1] - y[0] == pytest.approx(360, abs=1e-4)
        assert (y.diff() > 0).all()

    def test_file(self, tmp_path):
        export.to_bvh(tmp_path / "clip.bvh", MOTIONS["turning"], fps=20)
        motion = bvh.read(tmp_path / "clip.bvh")
        assert motion.frame_time == 0.05 and len(motion) == FRAMES and len(motion.names) == 22
        assert motion.channels[0][3:] == motion.channels[1] == ("Zrotation", "Xrotation", "Yrotation")
        assert {motion.names[j] for j in motion.end_sites} == {
            "head", "left_foot", "right_foot", "left_wrist", "right_wrist",
        }  # fmt: skip
        height = bvh.read(tmp_path / "clip.bvh").values[0, 1]
        assert height == pytest.approx(90, abs=1e-4)  # centimetres

    def test_rest_pose_is_a_t_pose_facing_z(self):
        joints = MOTIONS["facing away"]
        offsets = export.rest_pose(joints)
        for parent, child in SMPL22.bones:  # the clip's own bone lengths
            assert offsets[child].norm() == pytest.approx((joints[0, child] - joints[0, parent]).norm().item())
        place = torch.zeros(22, 3, dtype=torch.float64)
        for parent, child in SMPL22.bones:
            place[child] = place[parent] + offsets[child]
        at = dict(zip(SMPL22.joints, place, strict=True))
        assert at["left_wrist"][0] > 0.5 and at["right_wrist"][0] < -0.5
        assert abs(at["left_wrist"][1] - at["left_shoulder"][1]) < 1e-9
        assert at["head"][1] > 0.3 and at["left_ankle"][1] < -0.6
        assert at["left_foot"][2] > at["left_ankle"][2]

    def test_limbs_take_no_roll(self):
        """A clip that stands in the T-pose has no rotation at all, at any heading but the root's."""
        rest = export.rest_pose(MOTIONS["turning"])
        place = [torch.zeros(3, dtype=torch.float64)]
        for parent, child in SMPL22.bones:
            place.append(place[parent] + rest[child])
        turned = torch.stack(place) @ roma.rotvec_to_rotmat(torch.tensor([0, 2.0, 0]).double()).T
        local, _ = writer.solve(turned[None], rest, SMPL22, False)
        assert torch.allclose(local[:, 1:], torch.eye(3, dtype=torch.float64).expand(1, 21, 3, 3), atol=1e-9)

    def test_varying_bones_are_reported(self, tmp_path):
        joints = MOTIONS["turning"].clone()
        arm = [SMPL22.index("left_wrist")]
        joints[40:, arm] = 2 * joints[40:, arm] - joints[40:][:, [SMPL22.index("left_elbow")]]
        with pytest.warns(UserWarning, match=r"clip\.bvh: left_wrist is \d+\.\d cm off at frame \d+"):
            error = export.to_bvh(tmp_path / "clip.bvh", joints)
        length = body()[arm].norm()
        assert error[:, arm].max() == pytest.approx(length.item(), rel=1e-3)
        assert error[:, :20].max() < 1e-5  # nothing else moves

    def test_errors_hardly_add_up_along_a_chain(self, tmp_path):
        """Bones 3 % too long in half of the frames: the hand is off by less than its chain is too long."""
        joints = MOTIONS["facing away"].clone()
        centre = joints[::2, :1]
        joints[::2] = centre + 1.03 * (joints[::2] - centre)
        with pytest.warns(UserWarning, match="not rigid"):
            error = export.to_bvh(tmp_path / "clip.bvh", joints)
        chain = [j for j in range(22) if SMPL22.joints[j] in ("spine1", "spine2", "spine3", "left_collar",
                 "left_shoulder", "left_elbow", "left_wrist")]  # fmt: skip
        assert error[:, SMPL22.index("left_wrist")].max() < 0.03 * body()[chain].norm(dim=-1).sum()

    def test_stretch_follows_any_motion(self, tmp_path):
        joints = torch.randn(5, 22, 3, generator=torch.Generator().manual_seed(0))
        error = export.to_bvh(tmp_path / "clip.bvh", joints, stretch=True)
        assert error.dtype == torch.float32 and error.max() < 1e-5
        assert (read_back(tmp_path / "clip.bvh") - joints).norm(dim=-1).max() < 1e-5

    @pytest.mark.parametrize("skeleton", [H36M17, NBA16], ids=lambda skeleton: skeleton.name)
    def test_another_skeleton(self, tmp_path, skeleton):
        turns = sway(1, skeleton)
        turns[:, 0, 1] = 3.0
        joints = pose(turns, torch.zeros(FRAMES, 3).double(), skeleton)
        export.to_bvh(tmp_path / "clip.bvh", joints, skeleton)
        assert (read_back(tmp_path / "clip.bvh", skeleton) - joints).norm(dim=-1).max() < 1e-5

    def test_single_frame_and_collapsed_body(self, tmp_path):
        joints = torch.ones(1, 22, 3)
        assert export.to_bvh(tmp_path / "clip.bvh", joints).max() < 1e-6
        assert (read_back(tmp_path / "clip.bvh") - joints).abs().max() < 1e-6

    @pytest.mark.data
    def test_published_clip(self, tmp_path, data_root):
        joints = torch.from_numpy(np.load(data_root / "humanml3d_sample" / "new_joints" / "012314.npy"))
        export.to_bvh(tmp_path / "clip.bvh", joints)
        assert (read_back(tmp_path / "clip.bvh") - joints).norm(dim=-1).max() < 1e-4

    @pytest.mark.parametrize(
        "joints, message",
        [
            (torch.zeros(4, 21, 3), r"shape \(4, 21, 3\), expected \(frames, 22, 3\)"),
            (torch.zeros(0, 22, 3), r"frames > 0"),
            (torch.full((4, 22, 3), torch.nan), r"frame 0 are not finite"),
        ],
    )
    def test_bad_joints(self, tmp_path, joints, message):
        with pytest.raises(ValueError, match=message):
            export.to_bvh(tmp_path / "clip.bvh", joints)
        assert not (tmp_path / "clip.bvh").exists()


class TestEuler:
    @given(st.lists(st.floats(-10, 10), min_size=3, max_size=3))
    @settings(max_examples=60, deadline=None)
    def test_gives_the_rotation_back(self, vector):
        rotation = roma.rotvec_to_rotmat(torch.tensor([vector], dtype=torch.float64))
        angles = export.euler_zxy(rotation)
        assert abs(angles[0, 1]) <= torch.pi / 2 + 1e-9
        assert np.allclose(Rotation.from_euler("ZXY", angles.numpy()).as_matrix(), rotation, atol=1e-9)

    @pytest.mark.parametrize("x", [-90.0, 90.0])
    def test_at_the_pole(self, x):
        rotation = torch.tensor(Rotation.from_euler("ZXY", [[20, x, 50]], degrees=True).as_matrix())
        angles = export.euler_zxy(rotation)
        assert np.allclose(Rotation.from_euler("ZXY", angles.numpy()).as_matrix(), rotation, atol=1e-6)

    def test_through_the_pole_without_a_jump(self):
        x = torch.linspace(0, 6 * torch.pi, 200, dtype=torch.float64)
        track = export.euler_zxy(torch.tensor(Rotation.from_euler("X", x.numpy()[:, None]).as_matrix()))
        assert torch.allclose(track, torch.stack((0 * x, x, 0 * x), dim=-1), atol=1e-6)


class TestNpz:
    def test_contents(self, tmp_path):
        clips = [torch.randn(5, 22, 3), torch.randn(3, 22, 3)]
        features = [torch.randn(4, 263), torch.randn(2, 263)]
        export.to_npz(tmp_path / "x.npz", clips, features, captions=["walks", "läuft"])
        file = np.load(tmp_path / "x.npz", allow_pickle=False)
        assert file["joints"].shape == (2, 5, 22, 3) and file["joints"].dtype == np.float32
        assert file["lengths"].tolist() == [5, 3]
        assert np.array_equal(file["joints"][1, :3], clips[1]) and not file["joints"][1, 3:].any()
        assert file["features"].shape == (2, 4, 263) and np.array_equal(file["features"][1, :2], features[1])
        assert file["fps"] == 20 and file["units"] == "metres" and "y: up" in str(file["axes"])
        assert tuple(file["joint_names"]) == SMPL22.joints and tuple(file["parents"]) == SMPL22.parents
        assert file["captions"].tolist() == ["walks", "läuft"]

    def test_one_clip_and_a_batch(self, tmp_path):
        for joints, shape in (
            (torch.zeros(5, 17, 3), (1, 5, 17, 3)),
            (torch.zeros(2, 5, 17, 3), (2, 5, 17, 3)),
        ):
            export.to_npz(tmp_path / "x.npz", joints, fps=30, skeleton=H36M17)
            file = np.load(tmp_path / "x.npz", allow_pickle=False)
            assert file["joints"].shape == shape and file["fps"] == 30 and "features" not in file
            assert file["captions"].tolist() == [""] * shape[0]

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"captions": ["a", "b"]}, "1 clips and 2 captions"),
            ({"features": [torch.zeros(4, 263)] * 2}, "features of 2 clips, expected 1"),
            ({"skeleton": H36M17}, r"expected \(frames, 17, 3\)"),
        ],
    )
    def test_disagreement(self, tmp_path, arguments, message):
        with pytest.raises(ValueError, match=message):
            export.to_npz(tmp_path / "x.npz", torch.zeros(5, 22, 3), **arguments)


class TestFilm:
    def test_gif(self, tmp_path):
        export.to_gif(tmp_path / "x.gif", MOTIONS["turning"][:5].float(), title="a person turns", size=96)
        with Image.open(tmp_path / "x.gif") as film:
            assert film.n_frames == 5 and film.size == (96, 96) and film.info["duration"] == 50

    def test_mp4(self, tmp_path):
        export.to_mp4(tmp_path / "x.mp4", MOTIONS["turning"][:6], size=96)
        film = cv2.VideoCapture(str(tmp_path / "x.mp4"))
        assert film.get(cv2.CAP_PROP_FPS) == 20 and film.get(cv2.CAP_PROP_FRAME_COUNT) == 6
        assert film.read()[1].shape == (96, 96, 3)

    def test_left_is_blue_and_seen_on_the_right(self):
        """The camera looks at a body that faces +Z: its left side (+X) is on the right of the picture."""
        rest = export.rest_pose(MOTIONS["turning"])
        place = [torch.zeros(3, dtype=torch.float64)]
        for parent, child in SMPL22.bones:
            place.append(place[parent] + rest[child])
        (frame,) = export.draw(torch.stack(place)[None], size=200)
        red, _, blue = frame.astype(int).transpose(2, 0, 1)
        columns = np.arange(200)[None].repeat(200, 0)
        assert columns[blue - red > 60].mean() > columns[red - blue > 60].mean() + 20
        rows = np.arange(200)[:, None].repeat(200, 1)
        dark = frame.max(-1) < 90  # spine and head
        assert rows[dark].mean() < rows[blue - red > 60].max()  # up is up

    def test_frames_differ_when_the_body_moves(self):
        first, *_, last = export.draw(MOTIONS["turning"][::20], size=96)
        assert first.dtype == np.uint8 and (first != last).mean() > 0.01

    def test_bad_joints(self, tmp_path):
        with pytest.raises(ValueError, match="expected"):
            export.to_gif(tmp_path / "x.gif", torch.zeros(5, 21, 3))

    def test_unwritable_mp4(self, tmp_path):
        with pytest.raises(OSError, match=r"x\.mp4: no folder .*, expected one to write the film to"):
            export.to_mp4(tmp_path / "none" / "x.mp4", torch.zeros(2, 22, 3))
