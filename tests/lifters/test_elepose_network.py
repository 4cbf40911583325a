"""lifters/elepose_network.py and elepose_flow.py: geometry, interface of a teacher, densities, files."""

import math

import pytest
import torch

from videomdm import cameras
from videomdm.cameras.footage import Footage
from videomdm.conventions import DataError
from videomdm.depth import ROOT_DEPTH_UNBIASED
from videomdm.lifters import teacher
from videomdm.lifters.elepose_network import (
    ElePose,
    centre,
    flat_poses,
    relative_lengths,
    turn_about_x,
    turn_about_y,
)
from videomdm.skeletons import NBA16


def person(n: int = 1) -> torch.Tensor:
    """Standing bodies (n, 16, 3) around the hip, Y up, facing +Z, each with knees that bend forwards."""
    rest = torch.zeros(16, 3)
    places = {
        "right_hip": (-0.15, 0, 0), "right_knee": (-0.15, -0.7, 0.12), "right_ankle": (-0.15, -1.4, 0),
        "left_hip": (0.15, 0, 0), "left_knee": (0.15, -0.7, 0.12), "left_ankle": (0.15, -1.4, 0),
        "neck": (0, 0.85, 0), "nose": (0, 1.0, 0.15), "head": (0, 1.2, 0), "left_shoulder": (0.3, 0.8, 0),
        "left_elbow": (0.35, 0.4, 0), "left_wrist": (0.35, 0.0, 0.1), "right_shoulder": (-0.3, 0.8, 0),
        "right_elbow": (-0.35, 0.4, 0), "right_wrist": (-0.35, 0.0, 0.1),
    }  # fmt: skip
    for name, place in places.items():
        rest[NBA16.index(name)] = torch.tensor(place)
    return rest.expand(n, -1, -1)


def network(**config) -> ElePose:
    torch.manual_seed(0)
    return ElePose(width=16, **config).eval()


class Told(torch.nn.Module):
    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self.values = values

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return self.values


def knowing(joints: torch.Tensor, elevation: torch.Tensor, **config) -> ElePose:
    """Answers with the depths of joints (N, 16, 3) and the elevations (N,), whatever it is asked."""
    net = network(**config)
    net.depth, net.elevation = Told(joints[..., 2]), Told(elevation[:, None])
    return net


class TestGeometry:
    def test_a_camera_above_is_levelled(self):
        # 20 degrees above the horizon: the upright axis of the world in the axes of a camera that looks at the origin
        camera = cameras.orbit(0.7, math.radians(20), torch.zeros(1, 3), 5.0)
        up = camera.rotation @ torch.tensor([0.0, 1.0, 0.0])
        level = (turn_about_x(-camera.elevation) @ up[..., None])[..., 0]
        assert torch.allclose(level, torch.tensor([[0.0, -1.0, 0.0]]), atol=1e-6)  # y is down

    def test_turns_are_rotations(self):
        angles = torch.linspace(-3, 3, 7)
        for turn in (turn_about_x(angles), turn_about_y(angles)):
            assert torch.allclose(turn @ turn.mT, torch.eye(3).expand(7, 3, 3), atol=1e-6)
            assert torch.allclose(torch.linalg.det(turn), torch.ones(7), atol=1e-6)

    def test_what_is_lifted_projects_to_the_pose(self):
        net, poses = network(distance=6.0), torch.randn(9, 16, 2)
        poses[:, 0] = 0
        joints, _ = net(poses)
        assert torch.allclose(joints[:, 0], torch.zeros(9, 3))
        assert torch.allclose(net.project(joints), poses, atol=1e-5)
        assert joints[..., 2].abs().max() > 0.01

    def test_lift_of_true_depths_is_the_truth(self):
        camera = cameras.orbit(torch.tensor([0.3, 2.0]), 0.2, torch.zeros(2, 3), 7.0)
        world = person(2)[:, None].repeat(1, 3, 1, 1)  # (2, 3, 16, 3)
        keypoints, _ = camera.project(world)
        seen = camera.to_camera(world) - torch.tensor([0.0, 0.0, 7.0])
        told = seen.flatten(0, 1) / 1.2, camera.elevation.repeat_interleave(3)
        net = knowing(*told, distance=7.0 / 1.2, unit=1.2, camera_distance=7.0)
        clips = keypoints, torch.ones(2, 3, 16), torch.tensor([3, 3])
        assert torch.allclose(net.lift(*clips), seen, atol=1e-5)
        assert torch.allclose(net.elevations(*clips), torch.rad2deg(camera.elevation)[:, None].expand(2, 3), atol=1e-3)

    def test_distance_from_bones(self):
        # a hip and a spine across the view: the root's distance is what appendix D says, whatever the size of the image
        bones = (person()[0, [j for _, j in NBA16.bones]] - person()[0, [i for i, _ in NBA16.bones]]).norm(dim=-1)
        found = {}
        for distance in (4.0, 9.0):
            camera = cameras.orbit(0.0, 0.0, torch.zeros(1, 3), distance)
            keypoints, _ = camera.project(person()[None].repeat(1, 5, 1, 1))
            clips = keypoints, torch.ones(1, 5, 16), torch.tensor([5])
            poses, found[distance], _, _ = flat_poses(*clips, NBA16, bones)
            height = -0.85 * found[distance][0].item() / distance
            assert poses[0, NBA16.index("neck"), 1].item() == pytest.approx(height, rel=1e-5)
            assert found[distance][0].item() == pytest.approx(ROOT_DEPTH_UNBIASED * distance, rel=1e-4)

    def test_centre_turns_to_the_root(self):
        keypoints = torch.tensor([[[0.4, -0.2], [0.5, 0.3], [0.1, 0.0]]])
        poses, turn = centre(keypoints)
        assert torch.allclose(poses[:, 0], torch.zeros(1, 2), atol=1e-6)
        back = torch.nn.functional.pad(poses, (0, 1), value=1.0) @ turn
        assert torch.allclose(back[..., :2] / back[..., 2:], keypoints, atol=1e-6)

    def test_knees_tell_the_sign_of_depth(self):
        camera = cameras.orbit(torch.linspace(0, 6, 8), 0.2, torch.zeros(8, 3), 7.0)
        world = person(8)
        seen = camera.to_camera(world[:, None])[:, 0] - torch.tensor([0.0, 0.0, 7.0])
        poses = camera.project(world[:, None])[0][:, 0] * 7
        for sign in (1.0, -1.0):
            net = knowing(sign * seen, sign * camera.elevation, distance=7.0)
            net.face_forwards(poses)
            assert net.sign.item() == sign

    def test_relative_lengths(self):
        lengths = relative_lengths(torch.cat([person(), 3 * person()]), NBA16)
        assert torch.allclose(lengths[0], lengths[1])
        assert lengths.mean(1).tolist() == pytest.approx([1.0, 1.0])
        thigh, hip = NBA16.bones.index((1, 2)), NBA16.bones.index((0, 1))
        assert (lengths[0, thigh] / lengths[0, hip]).item() == pytest.approx(math.hypot(0.7, 0.12) / 0.15, rel=1e-5)


class TestTeacher:
    def test_lifts_with_a_path(self):
        net = network(skeleton="smpl22", bone_lengths=torch.full((21,), 0.2))
        keypoints = 0.1 * torch.randn(2, 10, 22, 2)
        lengths, confidence = torch.tensor([10, 6]), torch.ones(2, 10, 22)
        camera = cameras.Camera(torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3))
        seen = Footage(keypoints, confidence, camera, lengths)
        lifted = teacher.estimate(seen, net, progress=False)
        assert lifted.shape == (2, 10, 22, 3) and (lifted[1, 6:] == 0).all()
        x, y, z = lifted[0, :, 0].unbind(-1)
        assert torch.allclose(torch.stack([x / z, y / z], -1), keypoints[0, :, 0], atol=1e-4)

    def test_padding_and_unseen_are_not_read(self):
        net = network(camera_distance=7.0)
        keypoints, confidence, lengths = 0.1 * torch.randn(1, 8, 16, 2), torch.ones(1, 8, 16), torch.tensor([6])
        confidence[0, 3, 12] = 0
        expected = net.lift(keypoints, confidence, lengths)
        keypoints[0, 6:], keypoints[0, 3, 12] = 5.0, -3.0
        assert torch.equal(net.lift(keypoints, confidence, lengths), expected)
        assert (expected[0, 6:] == 0).all() and net.elevations(keypoints, confidence, lengths)[0, 6:].isnan().all()

    def test_batches_change_nothing(self):
        net = network(camera_distance=7.0)
        clips = 0.1 * torch.randn(3, 40, 16, 2), torch.ones(3, 40, 16), torch.tensor([40, 7, 33])
        assert torch.allclose(net.lift(*clips, batch_size=1), net.lift(*clips), atol=1e-6)

    def test_another_layout(self):
        with pytest.raises(ValueError, match=r"shape \(1, 4, 22, 2\), expected \(clips, frames, 16, 2\)"):
            network().lift(torch.zeros(1, 4, 22, 2), torch.ones(1, 4, 22), torch.tensor([4]))


class TestFiles:
    def test_saved_and_loaded(self, tmp_path):
        net = network(distance=5.5, unit=1.3, camera_distance=7.0)
        net.sign.neg_()
        net.save(tmp_path / "net.safetensors")
        loaded, poses = ElePose.load(tmp_path / "net.safetensors"), torch.randn(2, 16, 2)
        assert loaded.config == net.config
        for a, b in zip(loaded(poses), net(poses), strict=True):
            assert torch.equal(a, b)

    def test_others_are_refused(self, tmp_path):
        torch.save({"a": torch.zeros(1)}, tmp_path / "net.pt")
        with pytest.raises(DataError, match="net.pt"):
            ElePose.load(tmp_path / "net.pt")


class TestFlow:
    @pytest.fixture(autouse=True)
    def flows(self):
        pytest.importorskip("FrEIA", reason="needs the extra elepose")
        from videomdm.lifters.elepose_flow import PoseFlow

        torch.manual_seed(0)
        self.flow = PoseFlow(n_joints=4, n_components=6, n_blocks=3, width=8)
        self.poses = torch.randn(400, 4, 2) @ torch.tensor([[2.0, 0.3], [0.0, 0.5]]) + 1.0
        self.poses[:, 0] = 0
        self.flow.fit_components(self.poses)

    def test_density_is_that_of_the_map(self):
        # change of variables: the determinant of the whole map, from poses to the normal distribution, by autograd
        pose = self.poses[:1]

        def to_normal(values: torch.Tensor) -> torch.Tensor:
            return self.flow.blocks(((values - self.flow.mean) @ self.flow.components)[None])[0][0]

        jacobian = torch.autograd.functional.jacobian(to_normal, pose[0, 1:].flatten())
        normal = torch.distributions.Normal(0.0, 1.0).log_prob(to_normal(pose[0, 1:].flatten())).sum()
        assert self.flow(pose).item() == pytest.approx((normal + jacobian.det().abs().log()).item(), rel=1e-4)

    def test_components(self):
        whitened = (self.poses[:, 1:].flatten(1) - self.flow.mean) @ self.flow.components
        assert torch.allclose(torch.cov(whitened.mT), torch.eye(6), atol=1e-3)

    def test_share_of_the_variance(self):
        from videomdm.lifters.elepose_flow import PoseFlow

        poses = torch.zeros(500, 4, 2)
        poses[:, 1] = torch.randn(500, 2) * 3
        poses[:, 2] = torch.randn(500, 2)
        poses[:, 3, 0] = poses[:, 1, 0]
        assert PoseFlow(4, 2, 1, 8).fit_components(poses) == pytest.approx(27 / 29, abs=0.03)

    def test_samples_come_back(self):
        drawn = self.flow.sample(50, torch.Generator().manual_seed(0))
        assert drawn.shape == (50, 4, 2) and (drawn[:, 0] == 0).all()
        again = self.flow.sample(50, torch.Generator().manual_seed(0))
        assert torch.equal(drawn, again)
        z, _ = self.flow.blocks((drawn[:, 1:].flatten(1) - self.flow.mean) @ self.flow.components)
        expected = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(z, expected, atol=1e-3)

    def test_saved_and_loaded(self, tmp_path):
        from videomdm.lifters.elepose_flow import PoseFlow

        self.flow.save(tmp_path / "flow.safetensors")
        assert torch.equal(PoseFlow.load(tmp_path / "flow.safetensors")(self.poses), self.flow(self.poses))
        network().save(tmp_path / "net.safetensors")
        with pytest.raises(DataError, match="expected a pose flow"):
            PoseFlow.load(tmp_path / "net.safetensors")

    def test_too_many_components(self):
        from videomdm.lifters.elepose_flow import PoseFlow

        with pytest.raises(ValueError, match=r"n_components is 7, expected 2\.\.6"):
            PoseFlow(n_joints=4, n_components=7)
