import math

import pytest
import torch
from torch import Tensor

from videomdm.lifters.trajectory import Trajectory, evidence
from videomdm.lifters.weight_sets import SETS


def scene(clips: int = 2, frames: int = 20, joints: int = 5, seed: int = 0) -> dict[str, Tensor]:
    """Exact arguments of a trajectory network: first path, poses and keypoints agree."""
    generator = torch.Generator().manual_seed(seed)
    pose = 0.4 * torch.randn(clips, 1, joints, 3, generator=generator) + torch.zeros(clips, frames, joints, 3)
    pose[..., 0, :] = 0
    start = torch.tensor([0.5, 0.2, 4.0]) + 0.3 * torch.randn(clips, 1, 3, generator=generator)
    path = start + torch.tensor([0.05, 0.0, -0.03]) * torch.arange(frames)[:, None]
    joints_seen = pose + path[..., None, :]
    return {
        "first": path,
        "pose": pose,
        "keypoints": joints_seen[..., :2] / joints_seen[..., 2:],
        "confidence": torch.ones(clips, frames, joints),
        "inside": torch.ones(clips, frames, dtype=torch.bool),
    }


def trained(joints: int = 5) -> Trajectory:
    """A network whose head says something."""
    torch.manual_seed(0)
    network = Trajectory(joints, width=8)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    return network.eval()


def parts(values: Tensor, joints: int = 5) -> tuple[Tensor, ...]:
    """Pose, difference, confidence, fitted, step."""
    return values.split([3 * (joints - 1), 2 * (joints - 1), joints, 1, 3], dim=-1)


class TestEvidence:
    def test_the_truth_leaves_no_difference(self):
        _, difference, confidence, fitted, step = parts(evidence(**scene()))
        torch.testing.assert_close(difference, torch.zeros_like(difference), atol=1e-5, rtol=0)
        torch.testing.assert_close(fitted, torch.zeros_like(fitted), atol=1e-5, rtol=0)
        assert confidence.eq(1).all() and step[:, 0].eq(0).all()
        torch.testing.assert_close(step[:, 1:], torch.tensor([0.05, 0, -0.03]).expand_as(step[:, 1:]))

    def test_a_path_too_far_is_told_by_the_fit(self):
        given = scene()
        given["first"] = 1.25 * given["first"]
        _, difference, _, fitted, _ = parts(evidence(**given))
        torch.testing.assert_close(fitted, torch.full_like(fitted, -math.log(1.25)), atol=1e-4, rtol=0)
        assert difference.abs().mean() > 0.03

    def test_turned_pose_keeps_its_size(self):
        given = scene()
        pose = parts(evidence(**given))[0].unflatten(-1, (4, 3))
        torch.testing.assert_close(pose.norm(dim=-1), given["pose"][..., 1:, :].norm(dim=-1))

    def test_a_joint_not_seen_does_not_move_the_fit(self):
        given = scene()
        given["keypoints"][:, 7, 3] += 0.2
        assert parts(evidence(**given))[3][:, 7].abs().min() > 1e-3
        given["confidence"][:, 7, 3] = 0
        assert parts(evidence(**given))[3][:, 7].abs().max() < 1e-4

    def test_how_far_away_the_camera_stood_does_not_matter(self):
        """Perspective aside: the same mistake is told by the same metres."""
        given, told = scene(), []
        for times in (20, 40):
            path = times * scene()["first"]
            seen = given["pose"] + path[..., None, :]
            given |= {"first": 0.8 * path, "keypoints": seen[..., :2] / seen[..., 2:]}
            told.append(evidence(**given)[..., :-3])  # all but the step, which is twice as long
        torch.testing.assert_close(*told, atol=0.01, rtol=0)
        assert parts(evidence(**given))[1].abs().mean() > 0.03


class TestTrajectory:
    def test_training_starts_from_the_first_estimate(self):
        assert torch.equal(Trajectory(5)(**scene()), torch.zeros(2, 20))

    def test_padding_is_not_read(self):
        given, network = scene(), trained()
        given["inside"][:, 12:] = False
        expected = network(**given)[:, :12]
        for name in ("first", "pose", "keypoints", "confidence"):
            given[name][:, 12:] = float("nan") if name == "pose" else 7.0
        torch.testing.assert_close(network(**given)[:, :12], expected)
        short = {name: values[:, :12] for name, values in given.items()}
        torch.testing.assert_close(network(**short), expected)

    def test_clips_do_not_see_each_other(self):
        given, network = scene(3), trained()
        alone = network(**{name: values[1:2] for name, values in given.items()})
        torch.testing.assert_close(network(**given)[1:2], alone)

    def test_every_input_counts(self):
        given, network = scene(), trained()
        for name in ("first", "pose", "keypoints", "confidence"):
            given[name].requires_grad_()
        network(**given).sum().backward()
        for name in ("first", "pose", "keypoints", "confidence"):
            assert given[name].grad.abs().sum() > 0, name

    def test_saved_and_loaded(self, tmp_path):
        network, given = trained(), scene()
        network.save(tmp_path / "t.safetensors")
        assert torch.equal(Trajectory.load(tmp_path / "t.safetensors")(**given), network(**given))

    def test_other_weights_are_refused(self):
        with pytest.raises(ValueError, match="lifter.safetensors.*expected the sizes of a trajectory network"):
            Trajectory.load(SETS["procedural"].folder / "lifter.safetensors")
