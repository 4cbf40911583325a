"""A training step: its batches, its precision, and what it does when compiled."""

import json
import warnings

import pytest
import torch

from videomdm import losses, train
from videomdm.data import observations, procedural
from videomdm.train.dataset import training_set
from videomdm.train.trainer import Buckets, Trainer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return train.profile("smoke", runs=str(tmp_path_factory.mktemp("runs")), method="mdm-3d", warmup_steps=0)


@pytest.fixture(scope="module")
def corpus():
    return procedural.load("train", n_clips=60, max_frames=44)


@pytest.fixture(scope="module")
def data(config, corpus):
    return training_set(config, corpus)


@pytest.fixture(scope="module")
def observed(corpus):
    footage = observations.film(corpus, seed=1)
    error = 0.03 * torch.randn(corpus.joints.shape, generator=torch.Generator().manual_seed(0))
    return observations.observe(corpus, footage, corpus.joints + error, "truth")


class TestBuckets:
    lengths = torch.cat([torch.full((300,), 196), torch.arange(40, 190)])

    def test_one_bucket_keeps_everything(self):
        torch.manual_seed(3)
        rows, frames = Buckets(self.lengths, 196, 1).draw(1000)
        torch.manual_seed(3)
        assert frames == 196 and torch.equal(rows, torch.randint(450, (1000,)))
        assert Buckets(self.lengths, 196, 1).weight(self.lengths[rows]) == 1.0

    def test_clips_fit_and_little_is_padded(self):
        torch.manual_seed(0)
        buckets, padded, valid = Buckets(self.lengths, 196, 8), 0, 0
        for _ in range(400):
            rows, frames = buckets.draw(16)
            lengths = self.lengths[rows]
            assert frames - 25 < lengths.min() and lengths.max() <= frames <= 196
            padded, valid = padded + 16 * frames, valid + int(lengths.sum())
        assert padded < 1.05 * valid < 196 * 16 * 400

    def test_every_clip_is_equally_likely(self):
        torch.manual_seed(0)
        counts = torch.zeros(len(self.lengths))
        buckets = Buckets(self.lengths, 196, 8)
        for _ in range(3000):
            counts += torch.bincount(buckets.draw(32)[0], minlength=len(counts))
        short, long = counts[300:].mean(), counts[:300].mean()
        assert short / long == pytest.approx(1, abs=0.1)
        assert counts.min() > 0.5 * counts.mean()

    def test_a_frame_counts_the_same_in_every_bucket(self):
        """Mean over batches of weight times mean over frames = mean over all frames."""
        torch.manual_seed(0)
        values, buckets, total = self.lengths.double().square(), Buckets(self.lengths, 196, 8), 0.0
        for _ in range(3000):
            lengths = self.lengths[buckets.draw(32)[0]]
            mean = (lengths.double().square() * lengths).sum() / lengths.sum()
            total += float(mean * buckets.weight(lengths)) / 3000
        assert total == pytest.approx(float((values * self.lengths).sum() / self.lengths.sum()), rel=0.02)

    def test_buckets_without_clips_are_left_out(self):
        buckets = Buckets(torch.tensor([1, 1, 1, 40]), 40, 4)
        assert buckets.frames == [10, 40] and [r.tolist() for r in buckets.rows] == [[0, 1, 2], [3]]


class TestStep:
    def test_steps_depend_on_nothing_before_them(self, config, data):
        """Two trainers that did different things meet the same batch at the same number."""
        first, second = Trainer(config, data), Trainer(config, data)
        first.buckets.draw(5)
        torch.rand(100)
        losses = [trainer.step(7, 0.0)["loss"] for trainer in (first, second)]
        assert torch.equal(*losses)

    def test_buckets_learn_the_same(self, config, data):
        """Not the same batches, but the same loss within what batches differ by."""
        means = []
        for buckets in (1, 4):
            trainer = Trainer(config.but(length_buckets=buckets), data)
            rows = [trainer.step(i, 1e-3)["loss"] for i in range(60)]
            means.append(float(torch.stack(rows[-20:]).mean()))
        assert means[1] == pytest.approx(means[0], rel=0.1)

    def test_resumes_with_buckets(self, config, tmp_path, monkeypatch):
        bucketed = config.but(length_buckets=4, precision="bf16", steps=8, checkpoint_every=3, log_every=1)
        whole, broken = bucketed.but(runs=str(tmp_path / "a")), bucketed.but(runs=str(tmp_path / "b"))
        train.fit(whole)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Trainer, "step", _interrupted_at(5, Trainer.step))
            train.fit(broken)
        train.fit(broken)
        logs = [[json.loads(x) for x in (c.folder / "log.jsonl").read_text().splitlines()] for c in (whole, broken)]
        for line in (line for log in logs for line in log):
            del line["seconds"]
        assert logs[0] == logs[1] and len(logs[0]) == 8


def _interrupted_at(last, step):
    def interrupted(self, number, lr):
        if number == last:
            raise KeyboardInterrupt
        return step(self, number, lr)

    return interrupted


class TestPrecision:
    def test_200_steps_follow_float32_within_a_per_cent(self, config, observed):
        data = training_set(config.but(method="videomdm"), observed)
        means = {}
        for precision in ("float32", "bf16"):
            trainer = Trainer(config.but(method="videomdm", t_star=0, precision=precision), data)
            rows = [trainer.step(i, 1e-3)["loss"] for i in range(200)]
            means[precision] = torch.stack(rows).reshape(10, 20).mean(1)
        assert not torch.equal(means["bf16"], means["float32"])
        torch.testing.assert_close(means["bf16"], means["float32"], rtol=0.01, atol=0.0)


class TestCompile:
    def test_settings_reach_model_losses_and_optimiser(self, config, data, monkeypatch):
        asked = []

        def compile(function, **options):
            asked.append((function, options))
            return function

        monkeypatch.setattr(torch, "compile", compile)
        trainer = Trainer(config.but(compile="default"), data)
        assert all(options == {"dynamic": False, "options": None} for _, options in asked)
        asked = [function for function, _ in asked]
        assert losses.x0 in asked and any(isinstance(f, losses.VideoMDM) for f in asked) and len(asked) == 3
        assert trainer.optimizer.defaults["fused"]
        assert trainer.step(0, 1e-3)["loss"].isfinite()

    def test_losses_are_one_graph(self, config, observed):
        data = training_set(config.but(method="videomdm"), observed)
        rows = slice(0, 4)
        arguments = data.features[rows] + 0.1, data.features[rows], data.seen.select(rows)
        loss = losses.VideoMDM(losses.Weights(), data.normaliser, data.skeleton)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = torch.compile(loss, backend="eager", fullgraph=True)
            total, parts = compiled(*arguments)
        expected, expected_parts = loss(*arguments)
        torch.testing.assert_close(total, expected)
        torch.testing.assert_close(parts, expected_parts)
