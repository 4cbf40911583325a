"""Table 2's measures by both protocols, on motions whose errors are known by hand."""

import pytest
import torch

from videomdm.cameras import orbit
from videomdm.data import procedural
from videomdm.data.corpus import from_clips
from videomdm.evaluation import videos
from videomdm.skeletons import SMPL22
from videomdm.study import video_tables

FRAMES = 41


@pytest.fixture(scope="module")
def truth():
    """Somebody who stands still for two seconds."""
    pose = procedural.generate(1, seed=0, max_frames=40).joints[0, 0]
    return from_clips([pose.expand(FRAMES, -1, -1)], ["still"], [["a person stands"]], [""], SMPL22)


@pytest.fixture(scope="module")
def camera(truth):
    angle = torch.tensor([0.7])
    return orbit(angle, 0.2 * angle, torch.tensor([[0.0, 0.9, 0.0]]), torch.tensor([4.0]))


def errors(moved, truth, camera):
    """Of the truth moved in camera axes by (T, 3) metres."""
    predicted = camera.to_world(camera.to_camera(truth.joints) + moved[None, :, None])
    return {name: float(value) for name, value in videos.errors(predicted, camera, truth, camera).items()}


def test_a_wrong_place_counts_only_without_alignment(truth, camera):
    found = errors(torch.tensor([0.0, 0.0, 0.06]).expand(FRAMES, 3), truth, camera)
    aligned = found["mpjpe"], found["pck_50"], found["pck_100"], found["acceleration_error"]
    assert aligned == pytest.approx((0, 100, 100, 0), abs=0.05)
    absolute = found["absolute"], found["absolute_pck_50"], found["absolute_pck_100"]
    assert absolute == pytest.approx((60, 0, 100), abs=0.05)
    assert found["absolute_acceleration_error"] == pytest.approx(0, abs=0.05)


def test_a_start_that_is_off_costs_by_alignment_what_is_right_afterwards(truth, camera):
    """80 mm off in the first of 41 frames and right in all others: aligned, it is the other way round."""
    moved = torch.zeros(FRAMES, 3)
    moved[0, 2] = 0.08
    found = errors(moved, truth, camera)
    assert found["absolute"] == pytest.approx(80 / 41, abs=0.05)
    assert found["mpjpe"] == pytest.approx(80 * 40 / 41, abs=0.05)
    assert found["absolute_pck_50"] == pytest.approx(100 * 40 / 41, abs=0.05)
    assert found["pck_50"] == pytest.approx(100 / 41, abs=0.05)


def test_people_who_are_too_large_are_put_right_by_their_size(truth, camera):
    """5 % too large and 5 % too far away: the picture is the same."""
    predicted = camera.to_world(1.05 * camera.to_camera(truth.joints))
    found = {name: float(value) for name, value in videos.errors(predicted, camera, truth, camera).items()}
    assert found["absolute"] == pytest.approx(0.05 * 4000, rel=0.05)  # of the camera's distance
    assert found["sized"] == pytest.approx(0, abs=0.05) and found["pa_mpjpe"] == pytest.approx(0, abs=0.05)


def test_acceleration_of_a_path_that_speeds_up(truth, camera):
    seconds = torch.arange(FRAMES) / 20
    moved = torch.stack([seconds.square(), 0 * seconds, 0 * seconds], -1)  # x = t^2: 2 m/s^2
    found = errors(moved, truth, camera)
    assert found["absolute_acceleration_error"] == pytest.approx(2, abs=0.01)
    assert found["acceleration_error"] == pytest.approx(2, abs=0.01)
    assert found["absolute"] == pytest.approx(1000 * float(seconds.square().mean()), rel=1e-3)


def test_appendix_c3_aligns_the_lifter_and_nobody_else(truth, camera):
    found = errors(torch.tensor([0.0, 0.0, 0.06]).expand(FRAMES, 3), truth, camera)
    metrics = {f"seen_{name}": [value, 0.0] for name, value in found.items()}
    rows = video_tables.as_in_c3({"teacher": metrics, "teacher, placed": metrics, "videomdm": metrics}, "seen")
    measured = {row: [m[name][0] for name in ("mpjpe", "pck_50", "pck_100")] for row, m in rows.items()}
    assert measured["teacher"] == measured["teacher, placed"] == pytest.approx([0, 100, 100], abs=0.05)
    assert measured["videomdm"] == pytest.approx([60, 0, 100], abs=0.05)


def test_results_of_before_have_what_they_have():
    before = {"seen_mpjpe": [2.0, 0.1], "seen_absolute": [3.0, 0.1], "seen_pa_mpjpe": [1.0, 0.1], "seen_pck_50": 9.0}
    rows = video_tables.as_in_c3({"teacher": before, "prior": before}, "seen")
    assert rows["prior"] == {"mpjpe": [3.0, 0.1], "pa_mpjpe": [1.0, 0.1]}
    assert rows["teacher"] == {"mpjpe": [2.0, 0.1], "pa_mpjpe": [1.0, 0.1], "pck_50": 9.0}


def test_noise_limits_how_much_smoother_anything_can_be():
    key = "held_out_acceleration_error"
    rows = {
        "rays": {key: [3.0, 0.1]}, "videomdm": {key: [4.0, 0.1]},
        "teacher": {key: [6.0, 0.1], "lifter_alone_acceleration_error": [24.0, 0.1]},
    }  # fmt: skip
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in str(video_tables.acceleration_limits(rows)).splitlines()
    ]
    assert [line[2:] for line in lines[2:]] == [["2.00", "1.50"], ["8.00", "6.00"]]
