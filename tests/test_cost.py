"""What methods cost; nothing here looks at a time."""

import json
import subprocess

import pytest

from benchmarks import cost
from videomdm import train
from videomdm.evaluation import protocol
from videomdm.study import results

pytestmark = pytest.mark.slow


def test_one_method(monkeypatch, capsys):
    monkeypatch.setitem(protocol.PROTOCOLS, "quick", protocol.Protocol("quick", 1, 32, 2, 2, 2))
    cost.main(["--profile", "smoke", "--steps", "1", "--one", "videomdm"])
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(metrics) == {
        "batches_per_second", "peak_memory_mb", "seconds_per_100_motions", "training_hours",
        "quick_evaluation_minutes", "full_evaluation_minutes",
    }  # fmt: skip
    assert all(value > 0 for value in metrics.values())
    assert metrics["full_evaluation_minutes"] > 50 * metrics["quick_evaluation_minutes"]  # 20,000 motions for 36


@pytest.mark.parametrize("row, trains", [("teacher", False), ("mdm-2d", True)])
def test_rows_that_lift_or_film(row, trains, capsys):
    cost.main(["--profile", "smoke", "--steps", "1", "--one", row])
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert ("training_hours" in metrics) is trains and "quick_evaluation_minutes" not in metrics
    assert metrics["seconds_per_100_motions"] > 0 and metrics["peak_memory_mb"] > 0


def test_a_result_per_method(tmp_path, monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 0, json.dumps({"method": command[-1]}))

    monkeypatch.setattr(subprocess, "run", run)
    cost.main(["--profile", "smoke", "--results", str(tmp_path)])
    found = results.read(tmp_path, "cost")
    assert {r["method"] for r in found} == set(cost.ROWS)
    assert all(r["metrics"] == {"method": r["method"]} and "--profile smoke" in r["command"] for r in found)


def test_the_mean_step_weighs_low_batches_by_their_share(monkeypatch):
    config = train.profile("smoke", method="videomdm", warmup_steps=300, steps=100)
    monkeypatch.setattr(cost, "seconds_per_step", lambda c, data, steps, multistep: 4.0 if multistep else 1.0)
    monkeypatch.setattr(cost.sample, "generate", lambda *_: None)
    monkeypatch.setattr(cost, "evaluation_minutes", lambda *_: {})
    found = cost.measure(config, 1)
    share = 32 / 50  # t* = 24 in four buckets of eight
    assert found["batches_per_second"] == pytest.approx(1 / (1 + 3 * share))
    assert found["training_hours"] == pytest.approx((300 + 100 * (1 + 3 * share)) / 3600)
