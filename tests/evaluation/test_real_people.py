"""Recordings of people with their 3-D truth."""

import math

import pytest
import torch

from videomdm.data import pose2sim, procedural, recordings, sources
from videomdm.data.recordings import demonstration
from videomdm.evaluation import real_people
from videomdm.evaluation.real_people import HEIGHT, LIMBS, Truth
from videomdm.skeletons import SMPL22, kinematics


@pytest.fixture(scope="module")
def corpus():
    return sources.canonical(procedural.generate(3, seed=0, min_frames=40, max_frames=60))


@pytest.fixture(scope="module")
def filmed(corpus):
    return real_people.filmed(corpus, seed=3)


def level_world(truth, corpus, i):
    """The true motion as a lifted one: in the world, with its camera; only limbs are right."""
    turn = torch.eye(3)
    turn[1, 1] = turn[2, 2] = -1.0
    joints = torch.zeros(len(truth.joints), 22, 3)
    joints[:, [SMPL22.index(j) for j in LIMBS]] = truth.joints @ turn
    return joints, turn


class TestTruth:
    def test_between_frames_on_straight_lines(self):
        path = torch.arange(4.0)[:, None, None].expand(4, 12, 3)
        truth = Truth(path, fps=2.0, up=torch.tensor([0.0, -1, 0]))
        at = truth.at(torch.tensor([0.0, 0.25, 1.5, 9.0]))
        assert at[:, 0, 0].tolist() == [0, 0.5, 3, 3]


class TestFilmed:
    def test_everybody_has_one_height_and_is_seen_by_a_camera_off_the_level(self, corpus, filmed):
        assert list(filmed) == corpus.names
        for i, (seen, truth, caption) in enumerate(filmed.values()):
            scale = 0.9 * HEIGHT / kinematics.body_height(corpus.joints[i : i + 1], corpus.lengths[i : i + 1])
            thigh = [LIMBS.index("left_hip"), LIMBS.index("left_knee")]
            own = (truth.joints[:, thigh[0]] - truth.joints[:, thigh[1]]).norm(dim=-1)
            clip = corpus.clip(i)
            expected = scale * (clip[:, SMPL22.index("left_hip")] - clip[:, SMPL22.index("left_knee")]).norm(dim=-1)
            torch.testing.assert_close(own, expected, atol=1e-4, rtol=0)
            assert len(seen.people) == len(clip) and caption == corpus.captions[i][0]
            elevation = math.degrees(math.asin(float(truth.up[2])) * -1)
            assert -6 < elevation < 26 and truth.up.norm() == pytest.approx(1)

    def test_keypoints_are_near_the_truth_and_not_on_it(self, filmed):
        seen, truth, _ = next(iter(filmed.values()))
        track = recordings.track(seen, demonstration.INTRINSICS)
        knee = truth.joints[:, LIMBS.index("left_knee")]
        off = (track.keypoints[:, SMPL22.index("left_knee")] - knee[: len(track), :2] / knee[: len(track), 2:]) * knee[
            : len(track), 2:
        ]
        assert 0.003 < off.norm(dim=-1).median() < 0.06, "metres at the person"


class TestErrors:
    def test_of_the_truth_and_of_one_turned_away(self, corpus, filmed):
        _, truth, _ = next(iter(filmed.values()))
        joints, turn = level_world(truth, corpus, 0)
        seconds = torch.arange(len(joints)) / 20
        found = real_people.errors(joints, turn, torch.zeros(3), seconds, truth)
        assert found["mpjpe"] < 1e-2 and found["pa_mpjpe"] < 1e-2
        lean = math.degrees(math.acos(float(turn[:, 1] @ truth.up)))
        assert found["up"] == pytest.approx(lean, abs=0.01)
        moved = real_people.errors(joints + torch.tensor([1.0, 2, 3]), turn, torch.zeros(3), seconds, truth)
        assert moved["mpjpe"] < 1e-2, "root-aligned"
        larger = real_people.errors(1.1 * joints, turn, torch.zeros(3), seconds, truth)
        assert larger["mpjpe"] > 20 and larger["pa_mpjpe"] < 1e-2

    def test_mean_of_recordings(self):
        assert real_people.mean({"a": {"x": 1.0, "y": 4.0}, "b": {"x": 3.0, "y": 6.0}}) == {"x": 2.0, "y": 5.0}


@pytest.mark.data
def test_balance(data_root):
    """The true joints, projected by the calibrated camera, are the keypoints that others projected."""
    folder = data_root / "real" / "balance"
    if not folder.is_dir():
        pytest.skip(f"needs the balancing trial in {folder}")
    truth = real_people.balance(folder, 3)
    track, _, _ = recordings.load_one(folder / "cam03_projected_truth.npz", intrinsics=66.6)
    seconds = track.start + torch.arange(len(track)) / track.fps
    limbs = truth.at(seconds)
    _, matrix = pose2sim.read_camera(folder / "Calib.toml", "cam_03")
    expected = limbs[..., :2] / limbs[..., 2:] * matrix[0, 0] + matrix[:2, 2]
    off = (track.pixels[:, [SMPL22.index(j) for j in LIMBS]] - expected).norm(dim=-1)[:, 2:]  # SMPL's hips are others
    assert off.median() < 3, "pixels, of a person 1300 high"
    assert truth.up[1] < -0.9 and truth.joints[..., 2].min() > 1
