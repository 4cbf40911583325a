"""Training: what it may see, and that it can be killed at any moment."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from videomdm import sample, train
from videomdm.conventions import ROOT_PATHS, DataError
from videomdm.data import observations, sources
from videomdm.diffusion import Multistep
from videomdm.losses import Weights
from videomdm.methods import METHODS, Method
from videomdm.skeletons import kinematics
from videomdm.storage import checkpoints
from videomdm.train import dataset, loop, observe, rounds
from videomdm.train.trainer import Trainer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return train.profile("smoke", runs=str(tmp_path_factory.mktemp("runs")), warmup_steps=8, steps=6, t_star=12)


@pytest.fixture(scope="module")
def corpus(config):
    return observe.load(config, "train")


@pytest.fixture(scope="module")
def observed(corpus):
    """Observations with a teacher that errs by 3 cm."""
    footage = observations.film(corpus, seed=1, noise=0.002)
    error = 0.03 * torch.randn(corpus.joints.shape, generator=torch.Generator().manual_seed(0))
    return observations.observe(corpus, footage, corpus.joints + error, "truth")


def weights_of(run):
    return checkpoints.read_tensors(run / "weights.safetensors")


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


class TestWhatItSees:
    def test_observations_have_no_field_with_true_motion(self, observed, corpus):
        for field in dataclasses.fields(observed):
            value = getattr(observed, field.name)
            if isinstance(value, torch.Tensor) and value.shape == corpus.joints.shape:
                assert not torch.allclose(value, corpus.joints, atol=1e-3), field.name

    def test_truth_replaced_by_nan_gives_identical_weights(self, config, observed, monkeypatch, tmp_path):
        """From the moment the clips are filmed and lifted, nothing of the truth is read."""
        first = weights_of(train.fit(config, observed))

        def poisoned(*arguments, **named):
            corpus = true_load(*arguments, **named)
            return dataclasses.replace(corpus, joints=torch.full_like(corpus.joints, float("nan")))

        true_load = sources.load
        monkeypatch.setattr(sources, "load", poisoned)
        assert observe.load(config, "train").joints.isnan().all()
        second = weights_of(train.fit(config.but(runs=str(tmp_path)), observed))
        assert_same(first, second)

    def test_supervision_in_3d_refuses_observations(self, config, observed):
        with pytest.raises(ValueError, match="'mdm-3d' needs true 3-D motions"):
            train.fit(config.but(method="mdm-3d"), observed)

    def test_nan_motions_stop_before_training(self, config, observed, tmp_path):
        bad = dataclasses.replace(observed, teacher=observed.teacher.clone())
        bad.teacher[3, 5, 2] = float("nan")
        with pytest.raises(DataError, match="NaN or infinite"):
            train.fit(config.but(runs=str(tmp_path)), bad)
        assert not list(tmp_path.glob("*/config.json"))


class TestTeachers:
    def test_each_has_its_own_files_and_motions(self, config, corpus, tmp_path):
        few, config = corpus.select(range(3)), config.but(runs=str(tmp_path))
        naive, predicted = (observe.observe(config.but(root_path=t), few, "teacher") for t in ROOT_PATHS)
        assert torch.equal(naive.keypoints, predicted.keypoints)
        assert not torch.allclose(naive.teacher, predicted.teacher, atol=1e-3)
        assert len(list(config.cache.glob("observations-*"))) == len(list(config.cache.glob("teacher-*"))) == 2
        again = observe.observe(config.but(root_path="network"), few, "teacher")
        assert torch.equal(again.teacher, predicted.teacher)

    def test_warm_up_on_true_motions_has_none(self, config):
        other = config.but(root_path="network")
        assert loop.warmup_of(other.but(method="mdm-3d")) == loop.warmup_of(config.but(method="mdm-3d"))
        assert loop.warmup_of(other).key() != loop.warmup_of(config).key()


class TestRuns:
    def test_a_finished_run_is_reused_and_explains_itself(self, config, observed):
        run = train.fit(config, observed)
        stamp = (run / "weights.safetensors").stat().st_mtime_ns
        assert train.fit(config, observed) == run
        assert (run / "weights.safetensors").stat().st_mtime_ns == stamp
        assert train.Config.from_json((run / "config.json").read_text()) == config
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [5, 6]
        assert {"loss", "reprojection", "velocity", "representation", "gradient"} <= set(lines[0])
        progress = (run / "progress.log").read_text().splitlines()
        assert "videomdm: 0/6 [" in progress[0] and "videomdm: 6/6 [" in progress[-1]
        assert f"loss={lines[-1]['loss']:.4f}" in progress[-1]

    def test_history_counts_on_from_the_warm_up(self, config, observed):
        train.fit(config, observed)
        rows = train.history(config)
        assert [(row["stage"], row["step"]) for row in rows] == [
            ("warm-up", 5), ("warm-up", 8), ("videomdm", 13), ("videomdm", 14),
        ]  # fmt: skip
        assert train.seconds(config) == rows[1]["seconds"] + rows[3]["seconds"]

    def test_methods_share_the_warm_up(self, config, observed):
        train.fit(config, observed)
        before = set(os.listdir(config.runs))
        train.fit(config.but(weights=Weights(1.0, 10.0, 0.0), n_buckets=2, t_star=4), observed)
        assert len(set(os.listdir(config.runs)) - before) == 1

    def test_learning_rate_rises_then_falls(self, config):
        decaying = config.but(steps=1000, lr_decay=0.1)
        rates = [loop.learning_rate(decaying, step) for step in range(1000)]
        assert rates[0] == pytest.approx(config.optimiser.lr / 100, rel=1e-3)
        assert max(rates) < config.optimiser.lr and rates[-1] == pytest.approx(0.1 * config.optimiser.lr, rel=1e-2)

    def test_loss_falls(self, config, observed, tmp_path):
        run = train.fit(config.but(runs=str(tmp_path), warmup_steps=0, steps=120, method="mdm-teacher"), observed)
        losses = [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]
        assert losses[-1] < 0.8 * losses[0]


class TestDivergence:
    @pytest.mark.parametrize(("log_every", "rate", "batch"), [(1, 1e9, 2), (50, 1e9, 4), (1, 1e30, 2)])
    def test_it_stops_and_leaves_no_weights(self, config, observed, tmp_path, log_every, rate, batch):
        wild = config.but(
            runs=str(tmp_path), method="mdm-teacher", warmup_steps=0, log_every=log_every, checkpoint_every=4, lr=rate
        )
        expected = rf"{wild.folder}: the loss is nan at batch {batch} of 6, .* a lower learning rate \(lr is "
        for _ in range(2):
            with pytest.raises(RuntimeError, match=expected):
                train.fit(wild, observed)
        assert not list(wild.folder.rglob("*.safetensors"))

    def test_the_last_update_counts_too(self, config, observed, tmp_path, monkeypatch):
        def spoilt(trainer, step, lr):
            parts = true_step(trainer, step, lr)
            if step == 5:
                next(trainer.model.parameters()).data.view(-1)[0] = float("inf")
            return parts

        true_step = Trainer.step
        monkeypatch.setattr(Trainer, "step", spoilt)
        with pytest.raises(RuntimeError, match="is inf at batch 6 of 6"):
            train.fit(config.but(runs=str(tmp_path), method="mdm-teacher", warmup_steps=0), observed)
        assert not list(tmp_path.glob("*-mdm-teacher-*/*.safetensors"))


class TestDamagedLog:
    def test_bad_lines_are_left_out_and_named(self, config, observed, tmp_path, caplog):
        short = config.but(runs=str(tmp_path), method="mdm-teacher", warmup_steps=0, log_every=2, checkpoint_every=9)
        log = train.fit(short, observed) / "log.jsonl"
        whole = log.read_text()
        log.write_text('{"step": 1, "sec\n' + whole + "3\n{}\n\0\0}")
        assert [row["step"] for row in train.history(short)] == [2, 4, 6]
        assert all(f"{log}: line {number} is damaged" in caplog.text for number in (1, 5, 6, 7))
        loop._Log(short, 4)
        assert log.read_text().splitlines() == whole.splitlines()[:2]


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from videomdm import train
from videomdm.data.observations import Observations
config = train.Config.from_json(open(sys.argv[1]).read())
train.fit(config, Observations.load(sys.argv[2]))
"""


class TestKilled:
    def test_killed_five_times_it_ends_bitwise_equal(self, config, observed, tmp_path):
        observed.save(tmp_path / "observations.safetensors")
        whole, broken = (
            config.but(runs=str(tmp_path / name), warmup_steps=20, steps=30, checkpoint_every=3, log_every=3)
            for name in ("whole", "broken")
        )
        self._start(whole, tmp_path).wait(timeout=120)
        assert (whole.folder / "weights.safetensors").exists()
        moment, kills = random.Random(4), 0
        while kills < 5:
            process = self._start(broken, tmp_path)
            self._wait_for(broken, process, moment.uniform(0.0, 0.25))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.wait()
            if (broken.folder / "weights.safetensors").exists():
                break
        assert kills >= 3  # on a fast machine the run may finish before the fifth
        assert self._start(broken, tmp_path).wait(timeout=120) == 0
        assert_same(weights_of(whole.folder), weights_of(broken.folder))
        logs = [[json.loads(x) for x in (c.folder / "log.jsonl").read_text().splitlines()] for c in (whole, broken)]
        for log in logs:
            times = [line.pop("seconds") for line in log]
            assert times == sorted(times) and times[0] > 0
        assert logs[0] == logs[1]
        assert train.seconds(broken) > 0

    def test_two_at_once_train_it_once(self, config, observed, tmp_path):
        observed.save(tmp_path / "observations.safetensors")
        shared = config.but(runs=str(tmp_path / "shared"), warmup_steps=40, steps=20, checkpoint_every=1, log_every=1)
        processes = [self._start(shared, tmp_path) for _ in range(2)]
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
        for run in (shared, loop.warmup_of(shared)):
            lines = (run.folder / "log.jsonl").read_text().splitlines()
            steps = run.optimiser.steps
            assert [json.loads(line)["step"] for line in lines] == list(range(1, steps + 1))

    @staticmethod
    def _start(config, folder):
        path = folder / f"{os.path.basename(config.runs)}.json"
        path.write_text(config.to_json())
        command = [sys.executable, "-c", SCRIPT, str(path), str(folder / "observations.safetensors")]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    @staticmethod
    def _wait_for(config, process, extra):
        """Until a checkpoint was written that was not there before, then a random while longer."""
        seen = set(_checkpoints(config))
        deadline = time.time() + 60
        while process.poll() is None and time.time() < deadline and not set(_checkpoints(config)) - seen:
            time.sleep(0.01)
        time.sleep(extra)

    @pytest.mark.parametrize("precision", ["float32", "bf16"])
    def test_a_truncated_checkpoint_is_noticed_and_the_one_before_used(
        self, config, observed, tmp_path, monkeypatch, precision
    ):
        reference = config.but(
            runs=str(tmp_path / "a"), warmup_steps=0, steps=12, checkpoint_every=4, precision=precision
        )
        expected = weights_of(train.fit(reference, observed))
        damaged = reference.but(runs=str(tmp_path / "b"))
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(loop, "_write_weights", _interrupted)
            train.fit(damaged, observed)
        last = max(_checkpoints(damaged))
        last.write_bytes(last.read_bytes()[:-100])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert_same(weights_of(train.fit(damaged, observed)), expected)
        assert any(last.name in str(w.message) for w in caught)


def _checkpoints(config):
    return list(Path(config.runs).glob("*/checkpoints/step-*.safetensors"))


def _interrupted(*arguments, **named):
    raise KeyboardInterrupt


class TestPrior:
    @pytest.fixture(scope="class")
    def prior(self, config, observed):
        return sample.load(train.fit(config, observed))

    def test_generate_one_caption(self, prior):
        motion = sample.generate(prior, "a person walks forward and waves", seconds=2.0)
        assert motion.shape == (1, 40, 22, 3) and motion.isfinite().all()
        assert motion[0, 0, 0, [0, 2]].abs().max() < 1e-6

    def test_same_seed_same_motion_whatever_the_batch(self, prior):
        texts = ["a person walks", "a person jumps"]
        first = sample.generate(prior, texts, [40, 30], seed=3)
        assert torch.equal(first, sample.generate(prior, texts, [40, 30], seed=3))
        assert not torch.equal(first, sample.generate(prior, texts, [40, 30], seed=4))
        assert torch.equal(first[1, 29:], first[1, 29:30].expand(11, -1, -1))

    def test_held_feet_are_those_of_the_free_motion(self, prior):
        texts, lengths = ["a person walks", "a person jumps"], torch.tensor([40, 30])
        free, held = (sample.generate(prior, texts, lengths, seed=3, feet=feet) for feet in ("free", "held"))
        assert torch.equal(held, sample.hold(free, lengths)) and not torch.equal(held, free)
        with pytest.raises(ValueError, match="feet is 'nailed', expected one of held, free"):
            sample.generate(prior, texts, lengths, feet="nailed")
        with pytest.raises(ValueError, match="feet is 'held' for features"):
            sample.generate(prior, texts, lengths, feet="held", as_features=True)

    def test_chunks_change_nothing_but_rounding(self, prior, observed, monkeypatch):
        """Clips of like length are denoised together, and no clip's noise depends on with which."""
        texts, lengths = ["walk", "run", "jump", "sit", "wave"], [44, 20, 31, 44, 25]
        few = observed.keypoints[:5], observed.camera[:5], observed.confidence[:5], torch.tensor(lengths)
        whole = sample.generate(prior, texts, lengths, seed=2), sample.lift(prior, *few, seed=2)
        monkeypatch.setattr(sample, "CHUNK", 2)
        parts = sample.generate(prior, texts, lengths, seed=2), sample.lift(prior, *few, seed=2)
        for one, other in zip(whole, parts, strict=True):
            assert (one - other).abs().max() < 1e-3  # metres

    @pytest.mark.parametrize("lengths", [[1], [45]])
    def test_impossible_lengths(self, prior, lengths):
        with pytest.raises(ValueError, match="expected 2..44"):
            sample.generate(prior, ["x"], lengths)

    def test_bf16_in_training_sampling_and_lifting(self, config, observed, tmp_path):
        half = sample.load(train.fit(config.but(runs=str(tmp_path), precision="bf16"), observed))
        assert half.model.precision == "bf16"
        rounded = sample.generate(half, "a person walks", [30])
        lifted = sample.lift(half, observed.keypoints[:1], observed.camera[:1], lengths=observed.lengths[:1])
        assert rounded.dtype == lifted.dtype == torch.float32
        half.model.precision = "float32"
        difference = (rounded - sample.generate(half, "a person walks", [30])).abs().max()
        assert 0 < difference < 0.05  # metres, after 50 steps

    def test_lift_ends_on_the_rays(self, prior, observed):
        lifted = sample.lift(prior, observed.keypoints[:3], observed.camera[:3], lengths=observed.lengths[:3])
        seen, depth = observed.camera[:3].project(lifted)
        inside = torch.arange(seen.shape[1]) < observed.lengths[:3, None]
        difference = (seen - observed.keypoints[:3]).abs()[inside & (depth > 0.5).all(-1)]
        assert difference.max() < 1e-4
        one = sample.lift(prior, observed.keypoints[0], observed.camera[0], observed.confidence[0])
        assert one.shape == lifted.shape[1:]

    def test_samples_as_it_was_trained(self, prior, config):
        assert prior.sampler() == {"method": "ddim", "steps": config.multistep.steps}
        assert prior.sampler("ddim", 5) == {"method": "ddim", "n_steps": 5}
        plain = dataclasses.replace(prior, config=config.but(method="mdm-teacher"))
        assert plain.sampler() == {"method": "ddpm", "n_steps": None}
        assert plain.sampler("walk") == {"method": "ddim", "steps": list(range(49, -1, -1))}

    def test_lifts_with_all_steps_unless_told(self, prior, observed):
        given = (prior, observed.keypoints[:2], observed.camera[:2], observed.confidence[:2], observed.lengths[:2])
        assert torch.equal(sample.lift(*given), sample.lift(*given, method="ddim"))
        assert not torch.equal(sample.lift(*given), sample.lift(*given, method="walk"))

    def test_refinement_moves_a_wrong_camera_and_keeps_the_image(self, prior, observed):
        """Where the given camera is wrong, its image of the lifted motion still is the keypoints'."""
        wrong = observations.turned(observed.camera[:3], 10.0)
        given = (prior, observed.keypoints[:3], wrong, observed.confidence[:3], observed.lengths[:3])
        lifted, refined = sample.lift(*given), sample.lift(*given, refine=True)
        assert (lifted - refined).abs().max() > 1e-3
        seen, depth = wrong.project(refined)
        inside = torch.arange(seen.shape[1]) < observed.lengths[:3, None]
        difference = (seen - observed.keypoints[:3]).abs()[inside & (depth > 0.5).all(-1)]
        assert difference.max() < 1e-4

    def test_lift_refuses_another_skeleton(self, prior, observed):
        with pytest.raises(ValueError, match=r"expected \(clips, frames, 22, 2\)"):
            sample.lift(prior, observed.keypoints[:2, :, :17], observed.camera[:2])

    def test_weights_of_something_else(self, tmp_path):
        checkpoints.write_tensors(tmp_path / "weights.safetensors", {"a": torch.zeros(1)}, {})
        with pytest.raises(ValueError, match="not a run's weights"):
            sample.load(tmp_path)


class TestRounds:
    @pytest.fixture(scope="class")
    @staticmethod
    def small(config, tmp_path_factory):
        return config.but(runs=str(tmp_path_factory.mktemp("rounds")), n_clips=40, warmup_steps=2, steps=2)

    def test_a_lifted_motion_is_the_next_teacher(self, small, observed):
        run = train.fit(small, observed)
        lifted = rounds.lift_observations(run, observed, small.cache)
        assert lifted.teacher.shape == observed.teacher.shape and not torch.equal(lifted.teacher, observed.teacher)
        assert lifted.camera is observed.camera  # given in the true motion's frame
        own = rounds.lift_observations(run, dataclasses.replace(observed, frame="teacher"), small.cache)
        inside = (torch.arange(own.teacher.shape[1]) < own.lengths[:, None])[..., None]
        seen, depth = own.camera.project(own.teacher)
        near = (seen - own.keypoints).abs().amax(-1)[inside & (depth > 0.5)]
        assert near.median() < 1e-4  # in its own frame the camera sees the lifted motion at the keypoints

    def test_a_rigid_round_learns_constant_bones(self, small, observed, tmp_path):
        small = small.but(runs=str(tmp_path))
        run = train.fit(small, observed)
        methods = ("videomdm/round-1", "videomdm/round-1-rigid")
        free, rigid = (rounds.lift_observations(run, observed, small.cache, METHODS[m]) for m in methods)
        sizes = [kinematics.bone_vectors(o.teacher, o.skeleton).norm(dim=-1) for o in (free, rigid)]
        spread = [torch.stack([x[:n].std(0) for x, n in zip(s, observed.lengths, strict=True)]) for s in sizes]
        assert spread[0].median() > 1e-3 and spread[1].max() < 1e-4
        self.learns(small.but(method="videomdm/round-1-rigid"), observed, rigid)

    def test_a_placed_round_learns_other_paths(self, small, observed, tmp_path):
        small = small.but(runs=str(tmp_path))
        run = train.fit(small, observed)
        methods = ("videomdm/round-1", "videomdm/round-1-placed")
        free, placed = (rounds.lift_observations(run, observed, small.cache, METHODS[m]) for m in methods)
        inside = torch.arange(free.teacher.shape[1]) < free.lengths[:, None]
        seen = observed.camera.to_camera(placed.teacher)[inside], observed.camera.to_camera(free.teacher)[inside]
        assert (seen[0] - seen[1])[:, 0].norm(dim=-1).median() > 0.01
        self.learns(small.but(method="videomdm/round-1-placed"), observed, placed)

    @staticmethod
    def learns(config, observed, lifted):
        """A run is of these motions: its normaliser has their statistics, to the last bit."""
        expected = dataset.training_set(config, lifted).normaliser
        assert torch.equal(weights_of(train.fit(config, observed))["normaliser.mean"], expected.mean)

    def test_one_body_for_all(self, small, observed):
        run = train.fit(small, observed)
        free, common = (
            rounds.lift_observations(run, observed, small.cache, Method("lifted", lifter="videomdm", body=body))
            for body in ("free", "common")
        )
        sizes = kinematics.bone_lengths(common.teacher, common.lengths, common.skeleton)
        assert (sizes - sizes[0]).abs().max() < 1e-4
        heights = [kinematics.body_height(o.teacher, o.lengths, o.skeleton) for o in (free, common)]
        assert heights[1][0] == pytest.approx(heights[0].median().item(), rel=0.02)
        # Directions stay, but for the heading of frame 0, which hips of other widths may turn a little.
        free, common = (kinematics.bone_vectors(o.teacher, o.skeleton) for o in (free, common))
        upright = [torch.nn.functional.normalize(bones, dim=-1)[..., 1] for bones in (free, common)]
        torch.testing.assert_close(*upright, atol=1e-3, rtol=0)

    @pytest.mark.parametrize("body", ["free", "common"])
    def test_a_known_body_height_is_kept(self, small, observed, body):
        """Lifting changes how tall people are; a round of known body heights scales them back about the camera."""
        run = train.fit(small, observed)
        known = kinematics.body_height(observed.teacher, observed.lengths, observed.skeleton)
        method = Method("lifted", lifter="videomdm", known_height=True, body=body)
        lifted = rounds.lift_observations(run, observed, small.cache, method)
        found = kinematics.body_height(lifted.teacher, lifted.lengths, lifted.skeleton)
        free = rounds.lift_observations(run, observed, small.cache)
        assert (kinematics.body_height(free.teacher, free.lengths, free.skeleton) / known - 1).abs().max() > 0.01
        torch.testing.assert_close(found, known, rtol=0.02 if body == "common" else 1e-4, atol=0)

    def test_two_rounds(self, small, observed):
        run = train.fit(small.but(method="videomdm/round-2"), observed)
        made = {path.name.split("-s0")[0].removeprefix("procedural-smoke-") for path in Path(small.runs).glob("p*")}
        assert made == {
            "mdm-teacher", "videomdm", "videomdm-round-1", "videomdm-lifter-2", "videomdm-round-2",
        }  # fmt: skip
        stages = [row["stage"] for row in train.history(small.but(method="videomdm/lifter-2"))]
        assert set(stages) == {"warm-up", "videomdm/lifter-2"}
        assert [row["step"] for row in train.history(small.but(method="videomdm/round-2"))][-1] == 4
        assert run.exists()


class TestMethods:
    def test_every_method_finds_its_warm_up_and_its_frame(self, config):
        for method in train.METHODS:
            chosen = config.but(method=method)
            warm = loop.warmup_of(chosen)
            assert warm is None or train.METHODS[warm.method].frame is None
            assert chosen.frame in observations.FRAMES
        assert config.but(method="videomdm-pnp/round-2").frame == "pnp"

    ABLATIONS = [name for name, m in train.METHODS.items() if m.weights or not m.multistep]

    @pytest.mark.parametrize("method", ABLATIONS)
    def test_an_ablation_trains_otherwise_than_videomdm(self, method, config, observed, tmp_path):
        """From the same start and the same draws: what an ablation takes away must have been there."""
        small = config.but(runs=str(tmp_path), warmup_steps=0, steps=2)
        reference, other = (weights_of(train.fit(small.but(method=m), observed)) for m in ("videomdm", method))
        assert any(not torch.equal(reference[k], other[k]) for k in reference)

    def test_refined_cameras_change_training(self, config, observed, tmp_path):
        small = config.but(runs=str(tmp_path), warmup_steps=0, steps=2)
        first, second = (
            weights_of(train.fit(small.but(method=f"videomdm-pnp{r}"), observed)) for r in ("", "/refined")
        )
        assert any(not torch.equal(first[k], second[k]) for k in first)


class TestVariants:
    def test_projecting_between_steps_changes_the_walk_alone(self, config, observed, tmp_path):
        """The first pass of a multistep batch is the same; what follows starts from projected motions."""
        config = config.but(runs=str(tmp_path), method="videomdm")
        losses = {}
        for method in ("videomdm", "videomdm/projected"):
            one = config.but(method=method)
            trainer = Trainer(one, dataset.training_set(one, observed))
            trainer.timesteps = Multistep(32, 24, 4)  # every batch walks
            losses[method] = float(trainer.step(0, 0.0)["loss"])
            trainer.timesteps = Multistep(one.model.n_steps, 0, 4)  # none does
            losses[method, "high"] = float(trainer.step(0, 0.0)["loss"])
        assert losses["videomdm", "high"] == losses["videomdm/projected", "high"]
        assert losses["videomdm"] != losses["videomdm/projected"]

    def test_noise_that_hides_the_teacher_is_left_to_plain_mdm(self, config, observed, tmp_path):
        """Above the threshold the loss is plain MDM's on the same batch, below it that of the picture."""
        config = config.but(runs=str(tmp_path), warmup_steps=0)
        losses = {}
        for method in ("mdm-teacher", "videomdm", "videomdm/teacher-above"):
            one = config.but(method=method)
            for walks, timesteps in ((True, Multistep(32, 24, 4)), (False, Multistep(one.model.n_steps, 0, 4))):
                trainer = Trainer(one, dataset.training_set(one, observed))
                trainer.timesteps = timesteps  # every batch walks, or none does
                losses[method, walks] = float(trainer.step(0, 0.0)["loss"])
        own = "videomdm/teacher-above"
        assert losses[own, True] == losses["videomdm", True] != losses["mdm-teacher", True]
        assert losses[own, False] == pytest.approx(losses["mdm-teacher", False], rel=1e-5)
        assert losses[own, False] != pytest.approx(losses["videomdm", False], rel=0.01)

    def test_terms_of_some_batches_alone_are_averaged_over_these(self, config, observed, tmp_path):
        config = config.but(runs=str(tmp_path), warmup_steps=0, steps=12, log_every=12, checkpoint_every=12)
        config = config.but(method="videomdm/teacher-above")
        train.fit(config, observed)
        (row,) = train.history(config)
        assert 0.3 < row["above"] < 3  # an untrained network's error of normalised features
        assert row["representation"] > 0.1

    def test_a_known_body_height_corrects_the_teachers_size(self, config, tmp_path):
        config = config.but(runs=str(tmp_path), n_clips=40)
        corpus = observe.load(config, "train")
        true = kinematics.body_height(corpus.joints, corpus.lengths)
        plain, sized = (
            observe.observe(config.but(method=name), corpus, "pnp")
            for name in ("videomdm-pnp/refined", "videomdm-pnp/sized")
        )
        assert torch.allclose(kinematics.body_height(sized.teacher, sized.lengths), true, rtol=1e-3)
        assert ((kinematics.body_height(plain.teacher, plain.lengths) / true - 1).abs()).mean() > 0.01
        assert torch.equal(sized.keypoints, plain.keypoints)
