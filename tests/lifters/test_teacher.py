import json
import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from videomdm.cameras import Camera, Footage, orbit
from videomdm.conventions import ROOT_PATHS
from videomdm.data import observations, procedural
from videomdm.depth import ROOT_DEPTH_UNBIASED
from videomdm.evaluation import teachers
from videomdm.lifters import teacher
from videomdm.lifters.trajectory import Trajectory
from videomdm.lifters.weight_sets import SETS, WeightSet
from videomdm.skeletons import SMPL22

pytestmark = pytest.mark.slow

SPINE = SMPL22.index("spine1")


class Oracle:
    """A lifter that knows the poses."""

    def __init__(self, pose: Tensor) -> None:
        self.pose = pose

    def lift(self, keypoints, confidence, lengths, batch_size, progress):
        return self.pose


def walk(frames: int = 30) -> Tensor:
    """Joints (1, frames, 22, 3) in camera axes: a rigid upright body that comes nearer and moves sideways.

    Its spine lies across the view, so that appendix D's smallest ratio is exactly the root's depth.
    """
    generator = torch.Generator().manual_seed(0)
    pose = 0.3 * torch.randn(22, 3, generator=generator)
    pose[0] = 0
    pose[SMPL22.index("left_hip")] = torch.tensor([0.04, 0.05, 0.09])
    pose[SMPL22.index("right_hip")] = torch.tensor([-0.04, 0.05, -0.09])
    pose[SPINE] = torch.tensor([0.0, -0.12, 0.0])
    path = torch.stack([torch.linspace(-1, 1, frames), torch.full((frames,), 0.2), torch.linspace(6, 4, frames)], -1)
    return (pose + path[:, None])[None]


def project(joints: Tensor) -> Tensor:
    return joints[..., :2] / joints[..., 2:]


def filmed(joints: Tensor, lengths: Sequence[int], camera: Camera | None = None) -> Footage:
    """Joints (C, T, 22, 3) in camera axes, as seen; the world is the camera's axes where no camera is given."""
    n = len(joints)
    camera = camera or Camera(torch.eye(3).expand(n, 3, 3), torch.zeros(n, 3))
    return Footage.of(project(joints), camera, torch.tensor(lengths))


class TestRootPath:
    def test_known_bones_give_the_path_times_the_constant(self):
        joints = walk()
        inside = torch.ones(1, 30, dtype=torch.bool)
        lengths = teacher.bone_lengths(joints, inside)
        path = teacher.path_from_bones(project(joints), lengths, inside, smoothing=0.0)
        torch.testing.assert_close(path, ROOT_DEPTH_UNBIASED * joints[:, :, 0], atol=1e-3, rtol=1e-3)

    def test_bones_are_medians_over_valid_frames(self):
        pose = torch.zeros(1, 5, 22, 3)
        pose[0, :, SPINE, 1] = torch.tensor([0.1, 0.12, 0.5, 9.0, 9.0])
        inside = torch.tensor([[True, True, True, False, False]])
        bone = SMPL22.root_bones.index((0, SPINE))
        assert teacher.bone_lengths(pose, inside)[0, bone] == pytest.approx(0.12)

    def test_left_and_right_are_the_same(self):
        pose = torch.zeros(1, 3, 22, 3)
        pose[..., SMPL22.index("left_hip"), 0] = 0.08
        pose[..., SMPL22.index("right_hip"), 0] = -0.12
        lengths = teacher.bone_lengths(pose, torch.ones(1, 3, dtype=torch.bool))[0]
        hips = [i for i, (_, j) in enumerate(SMPL22.root_bones) if "hip" in SMPL22.joints[j]]
        assert lengths[hips].tolist() == pytest.approx([0.1, 0.1])

    def test_a_frame_that_says_nothing_is_bridged(self):
        joints, inside = walk(), torch.ones(1, 30, dtype=torch.bool)
        seen, lengths = project(joints), teacher.bone_lengths(joints, inside)
        whole = teacher.path_from_bones(seen, lengths, inside, 0.0)
        seen[0, 10, 1:] = seen[0, 10, 0]  # all bones end on: no length in the image
        bridged = teacher.path_from_bones(seen, lengths, inside, 0.0)
        assert bridged.isfinite().all()
        torch.testing.assert_close(bridged, whole, atol=0.01, rtol=0)

    def test_hips_that_are_hidden_for_seconds_do_not_pull_the_root_into_the_camera(self):
        joints, inside = walk(120), torch.ones(1, 120, dtype=torch.bool)
        given = project(joints), teacher.bone_lengths(joints, inside)
        whole = teacher.path_from_bones(*given, inside, teacher.DEPTH_SMOOTHING)
        inside[:, 30:80] = False
        path = teacher.path_from_bones(*given, inside, teacher.DEPTH_SMOOTHING)
        torch.testing.assert_close(path, whole, atol=0.2, rtol=0)  # they come 0.8 m nearer meanwhile


class TestSmooth:
    def test_gaussian_of_an_impulse(self):
        values, inside = torch.zeros(1, 41), torch.ones(1, 41, dtype=torch.bool)
        values[0, 20] = 1.0
        smoothed = teacher.smooth(values, inside, 2.0)[0]
        assert smoothed[20] == pytest.approx(1 / (2 * math.sqrt(2 * math.pi)), rel=1e-3)
        assert smoothed[22] / smoothed[20] == pytest.approx(math.exp(-0.5), rel=1e-3)

    def test_constants_stay_and_padding_is_not_read(self):
        values = torch.full((1, 20), 4.0)
        values[:, 12:] = 1e6
        smoothed = teacher.smooth(values, torch.arange(20)[None] < 12, 3.0)
        torch.testing.assert_close(smoothed[:, :12], torch.full((1, 12), 4.0))

    def test_far_from_all_that_is_inside_is_a_straight_line(self):
        at = torch.arange(140)
        values = (at < 55).float()[None] + 4
        inside = (((at - 55).abs() > 25) & (at < 110))[None]
        smoothed = teacher.smooth(values.masked_fill(~inside, 1e6), inside, 3.0)[0]
        torch.testing.assert_close(smoothed[inside[0]], values[inside])
        assert smoothed.min() > 3.99 and smoothed.max() < 5.01 and smoothed[55] == pytest.approx(4.5, abs=0.05)
        assert smoothed[125:].tolist() == pytest.approx([4.0] * 15)

    def test_zero_is_the_frame_by_frame_estimate(self):
        values = torch.randn(2, 9)
        assert torch.equal(teacher.smooth(values, torch.ones(2, 9, dtype=torch.bool), 0.0), values)


class TestEstimate:
    def test_known_poses_and_bones(self):
        joints = walk()
        oracle = Oracle(joints - joints[:, :, :1])
        lifted = teacher.estimate(filmed(joints, [30]), oracle, smoothing=0.0, progress=False)
        expected = oracle.pose + ROOT_DEPTH_UNBIASED * joints[:, :, :1]
        torch.testing.assert_close(lifted, expected, atol=2e-3, rtol=1e-3)

    def test_camera_only_takes_it_to_the_world(self):
        joints = walk()
        oracle = Oracle(joints - joints[:, :, :1])
        camera = orbit(torch.tensor([0.7]), torch.tensor([0.2]), torch.tensor([[0.1, 0.9, -0.3]]), torch.tensor([4.0]))
        plain = teacher.estimate(filmed(joints, [20]), oracle, progress=False)
        world = teacher.estimate(filmed(joints, [20], camera), oracle, progress=False)
        torch.testing.assert_close(camera.to_camera(world)[:, :20], plain[:, :20], atol=1e-5, rtol=1e-5)
        assert world[:, 20:].eq(0).all() and plain[:, 20:].eq(0).all()
        assert not torch.allclose(world[:, :20], plain[:, :20], atol=0.1)

    def test_a_turned_camera_turns_the_answer(self):
        joints = walk()
        c, s = math.cos(0.3), math.sin(0.3)
        turn = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        lifted, turned = (teacher.estimate(filmed(x, [30]), progress=False) for x in (joints, joints @ turn.T))
        pose, expected = (x - x[:, :, :1] for x in (turned, lifted @ turn.T))
        # Root depth is along the axis, not the ray, and the path is seen in another plane: near, not equal.
        assert (pose - expected).norm(dim=-1).mean() < 0.04 < (pose - (lifted - lifted[:, :, :1])).norm(dim=-1).mean()

    def test_shipped_lifter_is_deterministic_and_finite(self):
        seen = filmed(walk(), [30])
        seen.confidence[0, 3:6, 0] = 0
        first, second = (teacher.estimate(seen, progress=False) for _ in range(2))
        assert torch.equal(first, second) and first.isfinite().all()


class TestTrajectoryTeacher:
    def test_same_poses_on_another_path(self):
        seen = filmed(walk(), [20])
        naive, predicted = (teacher.estimate(seen, progress=False, root_path=r) for r in ROOT_PATHS)
        centred = [x - x[..., :1, :] for x in (naive, predicted)]
        torch.testing.assert_close(*centred, atol=1e-5, rtol=0)
        assert (naive - predicted)[:, :20, 0].norm(dim=-1).min() > 1e-3
        assert predicted[:, 20:].eq(0).all()

    def test_a_network_of_ones_own_in_batches(self):
        network = Trajectory()  # untrained: leaves the first estimate alone
        network.head.bias.data[:] = math.log(1.5)
        seen = filmed(walk().expand(3, -1, -1, -1), [30, 25, 20])
        naive = teacher.estimate(seen, progress=False, batch_size=2)[:, :, 0]
        scaled = teacher.estimate(seen, progress=False, batch_size=2, root_path=network)[:, :, 0]
        torch.testing.assert_close(scaled, 1.5 * naive)

    def test_unknown_teacher(self):
        with pytest.raises(ValueError, match="root_path is 'mvlift', expected one of bones, network"):
            teacher.estimate(filmed(walk(), [30]), root_path="mvlift")

    def test_its_path_is_nearer_on_unseen_actions(self):
        corpus = procedural.generate(32, seed=3, max_frames=48)
        footage = observations.film(corpus, 0)
        pose = SETS["procedural"].lifter().lift(footage.keypoints, footage.confidence, footage.lengths)
        placed = (teacher.place(pose, footage, root_path=root, lifter="procedural") for root in ROOT_PATHS)
        naive, predicted = (teachers.report(joints, corpus.joints, corpus.lengths) for joints in placed)
        assert predicted["root"] < 0.7 * naive["root"]
        assert predicted["drift"] < 1.05 * naive["drift"] and predicted["acceleration"] < naive["acceleration"]


class TestReport:
    def test_truth_has_no_error(self):
        joints = walk()
        assert all(
            v == pytest.approx(0, abs=1e-2) for v in teachers.report(joints, joints, torch.tensor([30])).values()
        )

    def test_known_errors(self):
        true = walk()
        predicted = true.clone()
        predicted[..., 2] += 0.25  # all joints: a root error only
        predicted[:, 20:] = 9.0  # padding
        found = teachers.report(predicted, true, torch.tensor([20]))
        assert found["root"] == pytest.approx(250, abs=0.1) == found["mpjpe_absolute"]
        assert found["mpjpe"] == pytest.approx(0, abs=1e-2) == found["acceleration"]

    def test_drift_is_what_remains_without_the_mean(self):
        true = walk()
        predicted = true + torch.tensor([0.1, 0.0, 0.5])
        predicted[:, ::2, :, 0] += 0.03  # even frames one way, odd frames the other: 15 mm about the mean
        predicted[:, 20:] = 9.0
        found = teachers.report(predicted, true, torch.tensor([20]))
        assert found["drift"] == pytest.approx(15, abs=0.1) and found["root"] > 500

    def test_heading(self):
        joints = walk()[0, 0] @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        c, s = math.cos(2.5), math.sin(2.5)
        turned = joints @ torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
        assert float(teachers.heading_error(turned, joints)) == pytest.approx(math.degrees(2.5), abs=1e-2)
        assert float(teachers.heading_error(joints, turned)) == pytest.approx(math.degrees(2.5), abs=1e-2)


@pytest.mark.parametrize("name", SETS)
def test_figures_that_ship_with_the_weights(name):
    """Of each set: the trajectory network was trained on its lifter's poses, and places people better than bones do."""
    figures = json.loads((SETS[name].folder / "trajectory.json").read_text())
    assert teacher.version(lifter=name).startswith(figures["lifter"].partition("-")[0])
    for family in ("teacher family, held out", "prior family"):
        naive, predicted = (figures["metrics"][family][root] for root in ("naive", "trajectory"))
        assert predicted["root"] < 0.8 * naive["root"] and predicted["drift"] < 0.85 * naive["drift"]
        assert predicted["mpjpe"] == naive["mpjpe"] and predicted["reprojection"] < 0.4 * naive["reprojection"]


def test_version_follows_the_weights(tmp_path):
    def weights(lifter: bytes, path: bytes) -> WeightSet:
        folder = tmp_path / f"{lifter}{path}"
        folder.mkdir()
        (folder / "lifter.safetensors").write_bytes(lifter)
        (folder / "trajectory.safetensors").write_bytes(path)
        return WeightSet("mine", folder)

    sets = [weights(*pair) for pair in ((b"1", b"1"), (b"1", b"2"), (b"2", b"1"), (b"2", b"2"))]
    naive = [teacher.version("bones", one) for one in sets]
    assert naive[0] == naive[1] != naive[2] == naive[3]
    paths = {teacher.version("network", one) for one in sets}
    assert len(paths) == 4 and not paths & set(naive)


def test_version_of_a_shipped_set_names_its_weights():
    """Caches of earlier versions, which had these weights alone, are found again."""
    assert teacher.version("bones", "procedural") == "27a32c8c-s3"
