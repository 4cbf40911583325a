"""What methods cost; nothing here looks at a time."""

import pytest

from benchmarks import cost
from videomdm import results, train


def test_a_row_per_method(tmp_path):
    cost.main(["--profile", "smoke", "--steps", "1", "--methods", "videomdm", "--results", str(tmp_path)])
    (found,) = results.read(tmp_path, "cost")
    assert found["method"] == "videomdm" and "--profile smoke" in found["command"]
    metrics = found["metrics"]
    assert set(metrics) == {"batches_per_second", "peak_memory_mb", "seconds_per_100_motions", "training_hours"}
    assert all(value > 0 for value in metrics.values())


def test_the_mean_step_weighs_low_batches_by_their_share(monkeypatch):
    config = train.profile("smoke", method="videomdm", warmup_steps=300, steps=100)
    monkeypatch.setattr(cost, "_seconds_per_step", lambda c, data, steps, multistep: 4.0 if multistep else 1.0)
    monkeypatch.setattr(cost.sample, "generate", lambda *_: None)
    found = cost.measure(config, 1)
    share = 32 / 50  # t* = 24 in four buckets of eight
    assert found["batches_per_second"] == pytest.approx(1 / (1 + 3 * share))
    assert found["training_hours"] == pytest.approx((300 + 100 * (1 + 3 * share)) / 3600)
