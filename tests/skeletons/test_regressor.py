"""Joint regressors: exact where a rule exists, honest where none does."""

import pytest
import torch

from videomdm import cameras
from videomdm.conventions import DataError
from videomdm.data import procedural
from videomdm.skeletons import H36M17, SMPL22, regressor

#: What each H36M-17 joint is made of in the tests: midpoints and points beyond the last joint.
RULES = {
    "pelvis": {"left_hip": 0.5, "right_hip": 0.5},
    "spine": {"spine1": 0.5, "spine2": 0.5},
    "thorax": {"neck": 0.7, "spine3": 0.3},
    "neck": {"head": 1.0},
    "head": {"head": 2.2, "neck": -1.2},
}


def rule_matrix():
    weights = torch.zeros(17, 22)
    for i, joint in enumerate(H36M17.joints):
        for name, w in RULES.get(joint, {joint: 1.0}).items():
            weights[i, SMPL22.index(name)] = w
    return weights


@pytest.fixture(scope="module")
def pairs():
    """Poses in both layouts, 3-D and as two cameras see them."""
    corpus = procedural.generate(24, seed=4, max_frames=60)
    frames = torch.cat([corpus.clip(i)[::4] for i in range(len(corpus))])
    frames = frames[torch.randperm(len(frames), generator=torch.Generator().manual_seed(0))]
    target = rule_matrix() @ frames
    camera = cameras.orbit(0.6, 0.1, (0.0, 0.9, 0.0), 5.0)
    return frames, target, camera.project(frames)[0], camera.project(target)[0]


class TestFit:
    def test_rules_are_found(self, pairs):
        frames, target, _, _ = pairs
        fitted = regressor.fit(frames, target, SMPL22, H36M17, ridge=1e-9)
        assert fitted.error.max() < 1e-3
        assert (fitted(frames) - target).abs().max() < 2e-3
        assert torch.allclose(fitted.weights.sum(-1), torch.ones(17), atol=1e-5)

    def test_in_2d_perspective_leaves_little(self, pairs):
        frames, target, source2d, target2d = pairs
        fitted = regressor.fit(source2d, target2d, SMPL22, H36M17)
        assert fitted.error.max() < 0.03  # the head, which lies beyond the last joint
        limbs = [i for i, j in enumerate(H36M17.joints) if j not in RULES]
        assert fitted.error[limbs].max() < 1e-3
        assert (fitted(frames) - target).norm(dim=-1).mean() < 0.02  # the same weights, in 3-D metres

    def test_error_is_that_of_unseen_poses(self, pairs):
        frames, target, _, _ = pairs
        generator = torch.Generator().manual_seed(1)
        noisy = target + 0.05 * torch.randn(target.shape, generator=generator)
        fitted = regressor.fit(frames, noisy, SMPL22, H36M17)
        n = len(frames) - round(0.2 * len(frames))
        size = (frames - frames.mean(-2, keepdim=True)).square().sum(-1).mean(-1).sqrt()
        expected = ((fitted(frames) - noisy)[n:].norm(dim=-1) / size[n:, None]).square().mean(0).sqrt()
        assert torch.allclose(fitted.error, expected, rtol=1e-3)
        assert fitted.error.mean().item() == pytest.approx(3**0.5 * 0.05 / size.mean().item(), rel=0.15)

    def test_place_size_and_view_do_not_matter(self, pairs):
        frames, target, _, _ = pairs
        fitted = regressor.fit(frames, target, SMPL22, H36M17)
        turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))[0]
        moved = 3 * fitted(frames) @ turn + 5
        assert torch.allclose(fitted(3 * frames @ turn + 5), moved, atol=1e-4)

    def test_one_neighbour_copies_the_nearest(self, pairs):
        frames, target, _, _ = pairs
        fitted = regressor.fit(frames, target, SMPL22, H36M17, neighbours=1)
        assert set(fitted.weights.flatten().tolist()) == {0.0, 1.0}
        assert fitted.weights[H36M17.index("left_knee"), SMPL22.index("left_knee")] == 1

    def test_bad_input(self, pairs):
        frames, target, _, _ = pairs
        with pytest.raises(ValueError, match=r"expected \(N, 22, D\) for smpl22 and \(N, 17, D\) for h36m17"):
            regressor.fit(target, frames, SMPL22, H36M17)
        with pytest.raises(ValueError, match="9 poses, expected at least 10"):
            regressor.fit(frames[:9], target[:9], SMPL22, H36M17)
        with pytest.raises(ValueError, match="not all finite"):
            regressor.fit(frames * torch.nan, target, SMPL22, H36M17)
        with pytest.raises(ValueError, match=r"neighbours is 23, expected within 1\.\.22"):
            regressor.fit(frames, target, SMPL22, H36M17, neighbours=23)


class TestJointRegressor:
    def test_confidence(self):
        weights = torch.zeros(17, 22)
        weights[:, 0] = 1.0
        weights[1, :3] = torch.tensor([2.0, -1.0, 0.0])
        made = regressor.JointRegressor(SMPL22, H36M17, weights, torch.zeros(17))
        confidence = torch.zeros(4, 22)
        confidence[:, 0], confidence[:, 1] = 0.9, 0.3
        assert made.confidence(confidence)[0, :2].tolist() == pytest.approx([0.9, 0.7])

    def test_saved_and_loaded(self, pairs, tmp_path):
        fitted = regressor.fit(pairs[2], pairs[3], SMPL22, H36M17)
        fitted.save(tmp_path / "r.safetensors")
        again = regressor.JointRegressor.load(tmp_path / "r.safetensors")
        assert torch.equal(again.weights, fitted.weights)
        assert torch.equal(again.error, fitted.error)
        assert (again.source, again.target) == (SMPL22, H36M17)

    def test_another_file(self, tmp_path):
        from videomdm.storage import checkpoints

        checkpoints.write_tensors(tmp_path / "x.safetensors", {"weights": torch.zeros(2)}, {})
        with pytest.raises(DataError, match="no joint regressor"):
            regressor.JointRegressor.load(tmp_path / "x.safetensors")

    def test_wrong_points(self):
        made = regressor.JointRegressor(SMPL22, H36M17, torch.zeros(17, 22), torch.zeros(17))
        with pytest.raises(ValueError, match=r"expected \(..., 22, D\) for layout smpl22"):
            made(torch.zeros(5, 17, 2))
