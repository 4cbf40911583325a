import pytest
import torch
from torch import Tensor

from videomdm.data import procedural
from videomdm.lifters import phones
from videomdm.skeletons import HALPE26, SMPL22
from videomdm.skeletons.layouts import convert


@pytest.fixture(scope="module")
def joints() -> Tensor:
    return procedural.generate(8, seed=3, max_frames=40).joints[:, :16].repeat(40, 1, 1, 1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def filmed(joints) -> Tensor:
    return phones.cameras_of(joints, generator()).to_camera(joints)


def quiet(monkeypatch, *kept: str) -> None:
    """No faults but ``kept``."""
    values = {"SHIFT": 0.0, "NOISE": (0.0, 0.0), "LOST": 0.0, "SWAPPED": 0.0, "HIDDEN_FOR_A_WHILE": {}}
    values |= {"LOST_FOR_A_WHILE": {}, "NEVER": {}}
    for name, value in values.items():
        if name not in kept:
            monkeypatch.setattr(phones, name, value)


def exact(filmed: Tensor) -> Tensor:
    """Where a faultless detector of landmarks sees SMPL's joints."""
    landmarks = phones.landmarks(filmed)
    return convert(landmarks[..., :2] / landmarks[..., 2:], torch.ones(landmarks.shape[:-1]), HALPE26, SMPL22)[0]


class TestCameras:
    def test_the_person_is_in_the_picture(self, filmed):
        assert filmed[..., 2].min() > phones.CLOSEST - 1e-3
        reach = (filmed[..., 1] / filmed[..., 2]).abs().amax((1, 2))
        assert (
            0.5 < reach.max() < 1.0 and 0.02 < reach.min() < 0.1
        )  # half of a wide view, and of a narrow one hardly filled

    def test_from_below_to_overhead(self, joints):
        elevation = torch.rad2deg(phones.cameras_of(joints, generator()).elevation)
        assert elevation.min() < -20 and elevation.max() > 60 and -5 < elevation.median() < 25

    def test_the_generator_decides(self, joints):
        one, same, other = (phones.cameras_of(joints, generator(seed)).translation for seed in (1, 1, 2))
        assert torch.equal(one, same) and not torch.allclose(one, other, atol=1e-2)


class TestReport:
    def test_without_faults_it_is_the_landmarks(self, filmed, monkeypatch):
        quiet(monkeypatch)
        monkeypatch.setattr(phones, "smooth", lambda points: points)
        seen, confidence = phones.report(filmed, generator())
        torch.testing.assert_close(seen, exact(filmed), atol=1e-5, rtol=0)
        assert confidence.min() >= 0.7

    def test_noise_is_of_the_persons_size_and_slow(self, filmed, monkeypatch):
        quiet(monkeypatch)
        monkeypatch.setattr(phones, "NOISE", (0.02, 0.02))
        monkeypatch.setattr(phones, "smooth", lambda points: points)
        wrist = SMPL22.index("left_wrist")
        error = (phones.report(filmed, generator())[0] - exact(filmed))[:, :, wrist]
        metres = error * filmed[:, :, wrist, 2:]
        assert 0.015 < metres.std() < 0.025
        steps = metres.diff(dim=1).std() / metres.std()
        assert steps < 0.9  # of white noise it is 1.4

    def test_never_seen_legs_are_filled_and_say_so(self, filmed, monkeypatch):
        quiet(monkeypatch)
        monkeypatch.setattr(phones, "NEVER", {"legs": 1.0})
        seen, confidence = phones.report(filmed, generator())
        legs = [SMPL22.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "foot")]
        assert confidence[..., legs].eq(0).all() and seen.isfinite().all()
        others = [j for j in range(22) if j not in legs]
        assert confidence[..., others].min() > 0

    def test_hidden_parts_are_unsure_and_err_more(self, filmed, monkeypatch):
        quiet(monkeypatch)
        monkeypatch.setattr(phones, "NOISE", (0.02, 0.02))
        monkeypatch.setattr(phones, "HIDDEN_FOR_A_WHILE", {"left arm": 1.0})
        seen, confidence = phones.report(filmed, generator())
        wrist = SMPL22.index("left_wrist")
        hidden = confidence[..., wrist] < phones.HIDDEN_CONFIDENCE[1]
        assert 0.2 < hidden.float().mean() < 0.9
        error = (seen - exact(filmed))[..., wrist, :] * filmed[..., wrist, 2:]
        assert error[hidden].std() > 2 * error[~hidden].std()

    def test_exchanged_sides(self, filmed, monkeypatch):
        quiet(monkeypatch)
        monkeypatch.setattr(phones, "SWAPPED", 1.0)
        monkeypatch.setattr(phones, "smooth", lambda points: points)
        seen, _ = phones.report(filmed, generator())
        left, right = SMPL22.index("left_knee"), SMPL22.index("right_knee")
        right_ones = exact(filmed)
        changed = (seen[..., left, :] - right_ones[..., right, :]).norm(dim=-1) < 1e-5
        assert 1 <= changed.sum(1).float().mean() <= phones.SWAPPED_FRAMES

    def test_everything_at_once_is_plausible(self, filmed):
        seen, confidence = phones.report(filmed, generator())
        assert seen.isfinite().all() and confidence.min() == 0 and confidence.max() <= 1
        assert 0.03 < (confidence == 0).float().mean() < 0.15
