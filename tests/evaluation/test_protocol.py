"""The protocol: the same probes for every row, on the smoke profile."""

import dataclasses

import pytest
import torch

from videomdm import features, sample, train
from videomdm.denoiser import MDM
from videomdm.evaluation import body_height, lifting, protocol
from videomdm.train import observe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return train.profile("smoke", runs=str(tmp_path_factory.mktemp("runs")), lift_samples=4, repeats=2)


@pytest.fixture(scope="module")
def evaluator(config):
    return protocol.evaluator(config)


class TestEvaluator:
    def test_is_trained_once(self, config, evaluator):
        files = list(config.cache.glob("evaluator-*"))
        again = protocol.evaluator(config)
        assert list(config.cache.glob("evaluator-*")) == files and len(files) == 1
        joints = observe.load(config, "test")
        first, second = (j.joints(joints.joints, joints.lengths, joints.skeleton) for j in (evaluator, again))
        assert torch.equal(first, second)

    def test_padding_does_not_matter(self, config, evaluator):
        test = observe.load(config, "test")
        shortest = int(test.lengths.argmin())
        alone = test.select([shortest])
        together = evaluator.joints(test.joints, test.lengths, test.skeleton)[shortest]
        torch.testing.assert_close(
            evaluator.joints(alone.joints, alone.lengths, test.skeleton)[0], together, atol=1e-3, rtol=1e-3
        )


class TestRows:
    def test_real_row_is_near_itself_and_kept(self, config):
        row = protocol.evaluate(config, "real")
        assert row["bone_deviation"] < 0.1 and row["skating"] < 0.1
        assert 0 <= row["r_precision_1"][0] <= row["r_precision_3"][0] <= 1
        assert protocol.evaluate(config, "real") == row
        for evaluator in ("", "tmr_"):
            cost = {size: row[f"{evaluator}fid_of_size_{size}"][0] for size in body_height.SIZES}
            assert cost[100] == pytest.approx(row[f"{evaluator}fid"][0], rel=1e-3)
            assert min(cost[min(cost)], cost[max(cost)]) > cost[100]

    def test_method_row_has_both_probes(self, config):
        run = train.fit(config)
        row = protocol.evaluate(config, "videomdm", run)
        assert {"fid", "fid_raw", "r_precision_3", "acceleration", "lift_truth_mpjpe", "lift_pnp_absolute"} <= set(row)
        assert {"tmr_fid", "tmr_r_precision_1", "kid", "recall_dagger", "multimodality", "jitter"} <= set(row)
        assert {"root_height_distance", "lift_silent_pck_100"} <= set(row) and row["protocol"] == "smoke"
        assert {"learned_body_height", "predicted_size_90"} <= set(row)
        for name in ("fid", "diversity"):
            mean, half = row[name]
            assert 0 < half < mean  # both repeats draw captions of their own
        assert len(list(run.glob("metrics-*.json"))) == 3
        assert protocol.evaluate(config, "videomdm", run) == row
        assert row["evaluators"] == protocol.evaluate(config, "real")["evaluators"] != ""

    def test_other_clips_are_measured_anew(self, config, monkeypatch):
        run = train.fit(config)
        row, clips = protocol.evaluate(config, "videomdm", run), protocol.held_out(config)
        monkeypatch.setattr(protocol, "held_out", lambda config: clips.select(range(len(clips) - 1)))
        assert protocol.evaluate(config, "videomdm", run)["fid"] != row["fid"]

    def test_row_that_is_not_told_up_says_how_its_motions_lean(self, config):
        unlevel = config.but(method="mdm-teacher/unlevel")
        row = protocol.evaluate(unlevel, "mdm-teacher/unlevel", train.fit(unlevel))
        assert 3 < row["learned_up_error"] < 8  # degrees
        assert "learned_up_error" not in protocol.evaluate(config, "videomdm", train.fit(config))

    def test_row_of_a_round_says_what_its_motions_lack(self, config):
        round_1 = config.but(method="videomdm/round-1")
        row = protocol.evaluate(round_1, "videomdm/round-1", train.fit(round_1))
        assert row["learned_body_height"] != pytest.approx(100, abs=0.1)
        better = [row[f"lifted_fid_true_{name}"] for name in ("size", "size_height", "bones_height")]
        assert min(better) > 0 and len({row["lifted_fid"], *better}) == 4

    def test_same_captions_for_every_method(self, config):
        test = observe.load(config, "test")
        rows, captions = protocol.draw_captions(test, 25, seed=1)
        again, same = protocol.draw_captions(test, 25, seed=1)
        assert torch.equal(rows, again) and captions == same
        assert all(caption in test.captions[i] for i, caption in zip(rows.tolist(), captions, strict=True))
        counts = torch.bincount(rows, minlength=len(test))
        assert counts.max() - counts.min() <= 1


class TestProtocols:
    def test_named_and_a_profile_s_own(self, config):
        own = protocol.protocol(config)
        assert (own.name, own.repeats, own.samples, own.lift_clips) == ("smoke", 2, 32, 4)
        full = protocol.protocol(config.but(protocol="full"))
        assert (full.repeats, full.samples, full.texts, full.per_text) == (20, 1000, 100, 30)
        quick = protocol.protocol(config.but(protocol="quick"))
        assert quick.name == "quick" and quick.repeats * quick.samples + quick.texts * quick.per_text == 1000
        with pytest.raises(ValueError, match="protocol is 'fast', expected one of '', quick, full"):
            protocol.protocol(config.but(protocol="fast"))

    def test_choosing_one_does_not_train_anew(self, config):
        assert config.but(protocol="full").folder == config.folder


@pytest.fixture(scope="module")
def prior(config, evaluator):
    """An untrained prior: what it makes does not matter here."""
    torch.manual_seed(0)
    size = config.model.width, config.model.n_layers, config.model.n_heads, config.model.feedforward
    model = MDM(len(evaluator.normaliser.mean), *size).eval()
    test = observe.load(config, "test")
    return sample.Prior(model, evaluator.normaliser, test.skeleton, test.fps, config.but(n_steps=3, t_star=0))


class TestResuming:
    def test_interrupted_generation_ends_with_the_same_numbers(self, config, evaluator, prior, tmp_path, monkeypatch):
        monkeypatch.setattr(protocol, "CHUNK", 20)
        whole = protocol.generation(prior, config, [evaluator], tmp_path / "whole")
        batches = len(list((tmp_path / "whole").glob("*")))
        assert batches == -(-(2 * 32 + 10) // 20)
        generate, seeds = sample.generate, []

        def killed(*arguments, seed, **options):
            if len(seeds) == 2:
                raise KeyboardInterrupt
            seeds.append(seed)
            return generate(*arguments, seed=seed, **options)

        monkeypatch.setattr(sample, "generate", killed)
        with pytest.raises(KeyboardInterrupt):
            protocol.generation(prior, config, [evaluator], tmp_path / "cut")
        assert seeds == [0, 1] and len(list((tmp_path / "cut").glob("*"))) == 2
        seeds[:] = []
        monkeypatch.setattr(sample, "generate", lambda *a, **o: (seeds.append(o["seed"]), generate(*a, **o))[1])
        assert protocol.generation(prior, config, [evaluator], tmp_path / "cut") == whole
        assert seeds == list(range(2, batches)), "finished batches are not sampled again"
        assert protocol.generation(prior, config, [evaluator]) == whole

    def test_motions_are_measured_in_several_ways_and_sampled_once(
        self, config, evaluator, prior, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(protocol, "CHUNK", 40)
        free = protocol.generation(prior, config, [evaluator], sampled=tmp_path)
        monkeypatch.setattr(sample, "generate", None)
        assert protocol.generation(prior, config, [evaluator], sampled=tmp_path) == free
        raised = protocol.generation(
            prior, config, [evaluator], sampled=tmp_path,
            joints_of=lambda raw, lengths: features.decode(raw) + torch.tensor((0.0, 1.0, 0.0)),
        )  # fmt: skip
        assert raised["root_height"][0] == pytest.approx(free["root_height"][0] + 1, abs=1e-4)
        assert raised["fid_raw"] == free["fid_raw"] and raised["fid"] != free["fid"]

    def test_interrupted_lifting(self, config, prior, tmp_path, monkeypatch):
        whole = lifting.lifting(prior, config, 2, tmp_path / "whole")
        lift, calls = sample.lift_footage, []

        def killed(*arguments, **options):
            if len(calls) == 3:
                raise KeyboardInterrupt
            calls.append(1)
            return lift(*arguments, **options)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(sample, "lift_footage", killed)
            lifting.lifting(prior, config, 2, tmp_path / "cut")
        monkeypatch.setattr(sample, "lift_footage", lambda *a, **o: (calls.append(1), lift(*a, **o))[1])
        assert lifting.lifting(prior, config, 2, tmp_path / "cut") == whole
        assert len(calls) == len(lifting.PROBES), "finished probes are not lifted again"

    def test_batches_hold_motions_of_one_length(self, config, evaluator, prior, monkeypatch):
        """Sorting does not change which motion answers which caption."""
        monkeypatch.setattr(protocol, "CHUNK", 3)
        lengths = torch.tensor([40, 20, 30, 40, 20, 30, 40, 20])
        asked = []

        def generate(prior, texts, lengths, **options):
            asked.append((texts, lengths.tolist()))
            walk = torch.zeros(len(texts), int(lengths.max()), 263)
            walk[..., 3] = torch.tensor([float(text) for text in texts])[:, None]
            return walk

        monkeypatch.setattr(sample, "generate", generate)
        found = protocol.sample_measured(prior, [str(i) for i in range(8)], lengths, {"guidance": 2.5}, [evaluator])
        assert [n for _, n in asked] == [[20, 20, 20], [30, 30, 40], [40, 40]]
        assert found["root_height"][:, 0].tolist() == list(range(8))
        assert (~found["root_height"].isnan()).sum(1).tolist() == lengths.tolist()


class TestLifting:
    def test_errors_do_not_depend_on_the_frame_of_the_camera(self, config):
        """The truth, given in a turned and moved frame with the camera of that frame, has no error."""
        test = observe.load(config, "test").select([0, 1, 2])
        filmed = observe.observe(config, test, "truth", "test")
        turn = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]).expand(3, 3, 3)
        origin = torch.tensor([[1.0, 0.2, -2.0]]).expand(3, 3)
        elsewhere = (test.joints - origin[:, None, None]) @ turn[0].T
        errors = lifting.lifting_errors(elsewhere, filmed.camera.in_frame(turn, origin), test, filmed.camera)
        assert errors.pop("pck_50") == errors.pop("pck_100") == 100
        assert errors.pop("body_height") == pytest.approx(100, abs=1e-3)
        assert all(error < 0.01 for error in errors.values())

    def test_a_moved_root_is_seen_by_the_absolute_error_only(self, config):
        test = observe.load(config, "test").select([0, 1])
        filmed = observe.observe(config, test, "truth", "test")
        moved = test.joints + torch.tensor([0.0, 0.1, 0.0])
        errors = lifting.lifting_errors(moved, filmed.camera, test, filmed.camera)
        assert errors["absolute"] == pytest.approx(100, rel=1e-3)
        assert errors["mpjpe"] < 0.01 and errors["pa_mpjpe"] < 0.01

    def test_a_smaller_body_is_seen_as_such(self, config):
        test = observe.load(config, "test").select([0, 1])
        filmed = observe.observe(config, test, "truth", "test")
        errors = lifting.lifting_errors(0.9 * test.joints, filmed.camera, test, filmed.camera)
        assert errors["body_height"] == pytest.approx(90, abs=1e-3) and errors["mpjpe"] > 1 > errors["pa_mpjpe"]

    def test_teacher_has_the_errors_of_a_lifter(self, config):
        row = protocol.evaluate(config, "teacher")
        assert 10 < row["lift_truth_mpjpe"] < 300
        assert row["lift_truth_absolute"] > row["lift_truth_mpjpe"] > row["lift_truth_pa_mpjpe"]


def test_footage_in_other_frames_shows_the_same_keypoints(config):
    """Teacher-frame cameras and the truth's agree on what the teacher looks like in the image."""
    test = observe.load(config, "test").select([0, 1, 2])
    true, own = (observe.observe(config, test, frame, "test") for frame in ("truth", "teacher"))
    assert torch.equal(true.keypoints, own.keypoints) and torch.equal(true.teacher, own.teacher)
    assert not torch.allclose(true.camera.translation, own.camera.translation)
    seen, _ = own.camera.project(own.teacher)
    inside = torch.arange(seen.shape[1]) < own.lengths[:, None]
    root = (seen - own.keypoints)[..., 0, :].norm(dim=-1)
    assert root[inside].max() < 1e-4, "the teacher's root lies on its ray in its own frame"
    reprojected = dataclasses.replace(own, seen=own.seen.by(true.camera))
    assert (reprojected.camera.project(own.teacher)[0] - own.keypoints)[..., 0, :].norm(dim=-1)[inside].max() > 1e-3
