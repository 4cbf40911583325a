import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from videomdm.data import observations, procedural
from videomdm.evaluation.pose import errors
from videomdm.lifters import lifter as module
from videomdm.lifters.lifter import Lifter, normalise, turn_to_axis
from videomdm.lifters.weight_sets import SETS
from videomdm.skeletons import SMPL22


@pytest.fixture
def lifter() -> Lifter:
    torch.manual_seed(0)
    model = Lifter(n_joints=4, window=8, width=8, depth=1, n_heads=2)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model.eval()


def clip(frames: int, joints: int = 4, seed: int = 0) -> Tensor:
    """Joints (frames, joints, 3) in camera axes, the root on the optical axis, 4 m away."""
    generator = torch.Generator().manual_seed(seed)
    points = 0.5 * torch.randn(frames, joints, 3, generator=generator)
    points[:, 0] = 0
    return points + torch.tensor([0.0, 0.0, 4.0])


def project(points: Tensor) -> Tensor:
    return points[..., :2] / points[..., 2:]


class TestTurn:
    @settings(deadline=None)  # the first call warms torch up
    @given(st.floats(-3, 3), st.floats(-3, 3))
    def test_is_a_rotation_to_the_axis(self, u, v):
        direction = torch.tensor([u, v, 1.0], dtype=torch.float64)
        turn = turn_to_axis(direction)
        torch.testing.assert_close(turn @ turn.T, torch.eye(3, dtype=torch.float64))
        assert torch.linalg.det(turn) > 0
        axis = turn @ direction / direction.norm()
        torch.testing.assert_close(axis, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))

    def test_axis_itself_does_not_turn(self):
        assert torch.equal(turn_to_axis(torch.tensor([0.0, 0.0, 2.0])), torch.eye(3))


class TestNormalise:
    valid = torch.ones(1, 6, dtype=torch.bool)
    sure = torch.ones(1, 6, 4)

    def test_turning_the_camera_changes_nothing(self):
        points = clip(6)[None]
        turn = turn_to_axis(torch.tensor([0.4, -0.2, 1.0]))
        straight, _ = normalise(project(points), self.sure, self.valid)
        turned, back = normalise(project(points @ turn), self.sure, self.valid)  # rows: the inverse turn
        torch.testing.assert_close(turned, straight, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(back, turn.expand(1, 6, 3, 3), atol=1e-5, rtol=1e-5)

    def test_size_in_the_image_changes_nothing(self):
        seen = project(clip(6)[None])
        near, _ = normalise(3 * seen, self.sure, self.valid)
        torch.testing.assert_close(near, normalise(seen, self.sure, self.valid)[0])

    def test_root_channel_is_the_centred_path(self):
        seen = project(clip(6)[None]) + torch.linspace(0, 0.5, 6)[None, :, None, None] * torch.tensor([1.0, 0])
        root = normalise(seen, self.sure, self.valid)[0][0, :, 0]
        steps = root[1:, 0] - root[:-1, 0]
        assert root[:, 0].mean().abs() < 1e-5 and root[:, 1].abs().max() < 1e-5
        assert (steps > 0).all() and steps.std() < 1e-5

    def test_padding_influences_nothing(self):
        seen = project(clip(6)[None])
        valid = torch.arange(6)[None] < 4
        garbage = seen.clone()
        garbage[:, 4:] = 7.0
        a, b = (normalise(x, self.sure, valid)[0][:, :4] for x in (seen, garbage))
        torch.testing.assert_close(a, b)


class TestLift:
    def test_forward_turns_with_the_camera(self, lifter):
        points = clip(6)[None]
        turn = turn_to_axis(torch.tensor([0.3, 0.2, 1.0]))
        sure = torch.ones(1, 6, 4)
        straight, turned = lifter(project(points), sure), lifter(project(points @ turn), sure)
        torch.testing.assert_close(turned, straight @ turn, atol=1e-4, rtol=1e-4)
        assert straight[:, :, 0].abs().max() == 0 and straight.norm() > 0.1

    @pytest.mark.parametrize("length", [1, 5, 8, 9, 12, 13, 30, 31])
    def test_windows_cover_every_frame_and_no_padding(self, length):
        clips, index, valid, weight = module.covering_windows([3, length], 8, 4)
        of_second = clips == 1
        assert set(index[of_second][valid[of_second]].tolist()) == set(range(length))
        assert index.max() < max(3, length) and ((weight > 0) == valid).all()
        starts = index[of_second, 0]
        assert (starts.diff() <= 4).all() and (starts.diff() > 0).all()

    def test_short_clip_is_one_window(self, lifter):
        seen = project(clip(7)[None])
        lifted = lifter.lift(seen, torch.ones(1, 7, 4), torch.tensor([7]))
        with torch.no_grad():
            padded = torch.cat([seen, seen[:, -1:]], 1)
            expected = lifter(padded, torch.ones(1, 8, 4), torch.arange(8)[None] < 7)[:, :7]
        torch.testing.assert_close(lifted, expected, atol=1e-5, rtol=1e-5)

    def test_clips_do_not_mix_and_padding_is_not_read(self, lifter):
        lengths = torch.tensor([20, 6, 13])
        seen = torch.stack([project(clip(20, seed=i)) for i in range(3)])
        garbage = seen.clone()
        for i, n in enumerate(lengths.tolist()):
            garbage[i, n:] = float("nan")
        together = lifter.lift(garbage, torch.ones(3, 20, 4), lengths, batch_size=2)
        for i, n in enumerate(lengths.tolist()):
            alone = lifter.lift(seen[i : i + 1, :n], torch.ones(1, n, 4), lengths[i : i + 1])
            torch.testing.assert_close(together[i, :n], alone[0], atol=1e-5, rtol=1e-5)
            assert together[i, n:].eq(0).all()

    def test_missing_keypoints_are_not_read(self, lifter):
        seen, confidence = project(clip(20)[None]), torch.ones(1, 20, 4)
        confidence[0, 4:7, 0] = 0  # even the root's
        confidence[0, :, 2] = 0
        garbage = seen.clone()
        garbage[0, 4:7, 0] = 50.0
        lengths = torch.tensor([20])
        torch.testing.assert_close(lifter.lift(garbage, confidence, lengths), lifter.lift(seen, confidence, lengths))

    def test_an_averaged_one_lifts_both_sides_alike(self):
        torch.manual_seed(0)
        lifter = Lifter(window=8, width=16, depth=1, n_heads=2, averaged=True).eval()
        keypoints, confidence = torch.randn(2, 11, 22, 2) / 5, torch.rand(2, 11, 22)
        lengths, sides, across = torch.tensor([11, 6]), list(SMPL22.mirrored), torch.tensor([-1.0, 1.0])
        found = lifter.lift(keypoints, confidence, lengths)
        other = lifter.lift(keypoints[:, :, sides] * across, confidence[:, :, sides], lengths)
        torch.testing.assert_close(found, other[:, :, sides] * torch.tensor([-1.0, 1.0, 1.0]))
        lifter.config["averaged"] = False
        assert not torch.allclose(found, lifter.lift(keypoints, confidence, lengths), atol=1e-3)
        with pytest.raises(ValueError, match="averaged with 4 joints, expected the 22 of smpl22"):
            Lifter(n_joints=4, averaged=True)

    def test_bad_shapes_are_named(self, lifter):
        seen, confidence = torch.zeros(2, 5, 4, 2), torch.ones(2, 5, 4)
        with pytest.raises(ValueError, match=r"keypoints have shape \(2, 5, 3, 2\), expected .* 4, 2\)"):
            lifter.lift(seen[:, :, :3], confidence, torch.tensor([5, 5]))
        with pytest.raises(ValueError, match="confidence has shape"):
            lifter.lift(seen, confidence[:, :4], torch.tensor([5, 5]))
        with pytest.raises(ValueError, match=r"lengths are \[5, 6\], expected 2 values in 1..5"):
            lifter.lift(seen, confidence, torch.tensor([5, 6]))


class TestFiles:
    def test_round_trip(self, lifter, tmp_path):
        lifter.save(tmp_path / "l.safetensors")
        loaded, seen = Lifter.load(tmp_path / "l.safetensors"), project(clip(6)[None])
        assert loaded.config == lifter.config and not loaded.training
        assert torch.equal(loaded(seen, torch.ones(1, 6, 4)), lifter(seen, torch.ones(1, 6, 4)))

    def test_bad_files_are_named(self, lifter, tmp_path):
        with pytest.raises(FileNotFoundError, match="nothing.safetensors"):
            Lifter.load(tmp_path / "nothing.safetensors")
        module.save_weights(tmp_path / "odd.safetensors", lifter, {"width": 8})
        with pytest.raises(ValueError, match="odd.safetensors.*expected the sizes of a lifter"):
            Lifter.load(tmp_path / "odd.safetensors")


class TestShippedWeights:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", SETS)
    def test_beat_a_flat_pose_on_bodies_and_actions_never_trained_on(self, name):
        corpus = procedural.generate(24, seed=5, family="prior", max_frames=64)
        footage = observations.film(corpus, seed=1)
        true = footage.camera.to_camera(corpus.joints)

        def error(lifter: Lifter) -> float:
            lifted = lifter.lift(footage.keypoints, footage.confidence, footage.lengths)
            return float(errors(lifted, true, corpus.lengths, align="root")["mpjpe"].mean())

        flat = SETS[name].lifter()  # without its network: the keypoints at a body's usual size, no depth
        flat.network.head.weight.data.zero_()
        flat.network.head.bias.data.zero_()
        assert error(SETS[name].lifter()) < 0.6 * error(flat)
