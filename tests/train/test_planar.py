"""Training on pictures: a 2-D prior, and centred clips that have no path."""

import math

import pytest
import torch

from videomdm import features, losses, sample, train
from videomdm.config import NBA
from videomdm.conventions import DataError
from videomdm.data.observations import Observations
from videomdm.methods import METHODS
from videomdm.storage import checkpoints
from videomdm.train import dataset, observe, rounds

SMALL = {**NBA, "data": "nba-like", "lifter": "procedural"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return str(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def planar(runs):
    return train.profile("smoke", **SMALL | {"method": "mdm-2d"}, runs=runs)


class TestLoss:
    def test_a_keypoint_that_was_not_seen_contributes_nothing(self):
        predicted, target = torch.randn(2, 3, 5, 32)
        lengths, counts = torch.tensor([5, 3, 4]), (torch.rand(3, 5, 16) > 0.3).float()
        loss = losses.x0(predicted, target, lengths, counts)
        by_hand, n = 0.0, 0
        for clip in range(3):
            for frame in range(int(lengths[clip])):
                for joint in range(16):
                    here = slice(2 * joint, 2 * joint + 2)
                    error = (predicted[clip, frame, here] - target[clip, frame, here]).square().sum()
                    by_hand, n = by_hand + float(counts[clip, frame, joint] * error), n + 2
        assert float(loss) == pytest.approx(by_hand / n, rel=1e-5)
        assert torch.equal(
            losses.x0(predicted, target, lengths, torch.ones(3, 5, 16)), losses.x0(predicted, target, lengths)
        )


class TestPlanarSet:
    def test_features_are_normalised_keypoints(self, planar):
        tracks = observe.tracks(planar, "train")
        data = dataset.planar_set(planar, tracks)
        assert data.n_features == 32 and torch.equal(data.lengths, tracks.lengths)
        torch.testing.assert_close(data.features.unflatten(-1, (16, 2)), tracks.normalised())
        assert torch.equal(data.seen.confidence, tracks.counted.confidence)
        assert data.text_width == 1 and not data.text.any(), "no text"

    @pytest.mark.slow
    def test_with_text_and_path_it_is_what_videomdm_sees(self, runs):
        config = train.profile("smoke", method="mdm-2d", runs=runs)
        tracks = observe.tracks(config, "train")
        corpus = observe.load(config, "train")
        observed = observe.observe(config.but(method="videomdm"), corpus, "truth")
        torch.testing.assert_close(tracks.seen.keypoints, observed.keypoints)
        assert tracks.captions == corpus.captions and not tracks.centred
        from_observations = observe.planar(observed, observed.seen)
        torch.testing.assert_close(from_observations.normalised(), tracks.normalised())


@pytest.mark.slow
class TestRuns:
    def test_a_killed_run_ends_with_the_same_weights(self, planar, tmp_path):
        whole = train.fit(planar.but(runs=str(tmp_path / "whole"), warmup_steps=0))
        config = planar.but(runs=str(tmp_path / "killed"), warmup_steps=0)
        from videomdm.train import loop

        class Killed(Exception):
            pass

        step, calls = loop.Trainer.step, []

        def until_seven(self, number, lr):
            calls.append(number)
            if number == 7:
                raise Killed
            return step(self, number, lr)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop.Trainer, "step", until_seven)
            with pytest.raises(Killed):
                train.fit(config)
        resumed = train.fit(config)
        found, expected = (checkpoints.read_tensors(run / "weights.safetensors") for run in (resumed, whole))
        assert all(torch.equal(found[name], expected[name]) for name in expected)

    def test_it_learns(self, planar):
        config = planar.but(warmup_steps=0, steps=150, ema=0.95)
        train.fit(config)
        log = train.history(config)
        assert log[-1]["loss"] < 0.7 * log[0]["loss"]

    def test_centred_motions_stay_around_the_hip(self, runs):
        config = train.profile("smoke", **SMALL, runs=runs)
        assert config.centred and config.frame == "teacher"
        prior = sample.load(train.fit(config))
        assert prior.config.model.tau == 2 and prior.diffusion.alphas_cumprod[25] < 0.3, "the noisier schedule"
        motions = sample.generate(prior, ["", ""], [30, 20])
        assert motions.shape == (2, 30, 16, 3) and not motions[:, :, 0].any()
        assert features.n_features(16) == 191 == len(prior.normaliser.mean)
        with pytest.raises(ValueError, match="trained without text"):
            sample.generate(prior, "a man walks")
        assert not prior.grounded
        with pytest.raises(ValueError, match="feet is 'held' for motions that stand on no floor"):
            sample.generate(prior, "", feet="held")

    def test_lifting_keeps_to_the_rays(self, runs):
        config = train.profile("smoke", **SMALL, runs=runs)
        prior = sample.load(train.fit(config))
        observed = observe.centred(config, observe.tracks(config, "test"))
        lifted = sample.lift(
            prior,
            observed.keypoints,
            observed.camera,
            observed.confidence,
            observed.lengths,
            texts=[""] * len(observed),
        )
        seen = observed.seen
        off = (seen.camera.project(lifted)[0] - seen.keypoints).norm(dim=-1)[seen.weight > 0]
        assert off.max() < 1e-3

    def test_motions_of_a_round_stay_around_the_hip(self, runs):
        config = train.profile("smoke", **SMALL | {"method": "videomdm-frame/round-1-assumed"}, runs=runs)
        observed = observe.centred(config, observe.tracks(config, "train"))
        run = train.fit(config.but(method="videomdm-frame"))
        lifted = rounds.lift_observations(run, observed, config.cache, config.recipe)
        assert (lifted.teacher[:, :, 0] - lifted.teacher[:, :1, 0]).abs().max() < 1e-4, "one place a clip"
        seen, valid = lifted.seen, lifted.seen.valid
        off = (seen.camera.project(lifted.teacher)[0] - seen.keypoints).norm(dim=-1)
        assert off[valid][:, 0].max() < 1e-5, "the hip in the middle of every picture"
        before = (observed.camera.project(observed.teacher)[0] - observed.keypoints).norm(dim=-1)
        counted = observed.confidence[valid] > 0
        assert off[valid][counted].mean() < 0.2 * before[valid][counted].mean()


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "needs"),
        [
            ("videomdm", "true cameras"),
            ("videomdm-pnp", "cameras by PnP, impossible"),
            ("mdm-3d", "true motions in 3-D"),
            ("videomdm-frame/refined", "a root path"),
            ("mdm-teacher/sized", "a root path"),
            ("videomdm/round-1", "true cameras"),
            ("mdm-teacher/error-0.5", "true motions in 3-D"),
            ("mdm-teacher/keypoints-0.01", "a detector whose error can be chosen"),
        ],
    )
    def test_centred_data_and_a_method_with_a_root_path(self, runs, method, needs):
        config = train.profile("smoke", **SMALL | {"method": method}, runs=runs)
        with pytest.raises(DataError, match=f"method '{method}' needs {needs}.*'nba-like' has pictures alone.*mdm-2d"):
            train.fit(config)

    def test_a_detector_that_is_not_simulated(self, planar):
        with pytest.raises(DataError, match="keypoint_missing is 0.1, expected 0: 'nba-like' has keypoints of its own"):
            observe.check(planar.but(keypoint_missing=0.1))

    def test_what_is_left(self):
        assert {name for name, method in METHODS.items() if not method.needs} == {
            "mdm-teacher", "mdm-2d", "videomdm-frame", "videomdm-frame/round-1-assumed",
        }  # fmt: skip

    def test_streaming(self, planar):
        with pytest.raises(ValueError, match="shard_clips is 5, expected 0"):
            train.fit(planar.but(shard_clips=5))

    def test_a_folder_of_observations(self, planar, tmp_path):
        with pytest.raises(ValueError, match="expected observations in memory for method 'mdm-2d'"):
            train.fit(planar.but(data="procedural"), tmp_path)
        with pytest.raises(ValueError, match="expected a configuration with shard_clips of 1 or more"):
            train.fit(planar.but(data="procedural", method="videomdm"), tmp_path)

    @pytest.mark.slow
    def test_true_motions_never_reach_what_training_sees(self, planar, monkeypatch):
        tracks = observe.tracks(planar, "train")
        observed = observe.centred(planar.but(method="videomdm-frame"), tracks)
        held = [value for value in vars(observed.seen).values() if isinstance(value, torch.Tensor)]
        assert isinstance(observed, Observations) and all(value.isfinite().all() for value in held)
        # the camera's azimuth is that of the teacher's own heading, not the true one
        assert observed.camera.elevation.sub(math.pi / 16).abs().max() < 1e-4
        assert observed.frame == "teacher"
