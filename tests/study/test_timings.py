"""Pages on speed show what the result files say."""

import json

import pytest

from videomdm.study import results, timings


def result(method, machine="2 CPU cores", **metrics):
    return dict.fromkeys(results.KEYS, "") | {
        "study": "benchmarks", "data": "procedural", "profile": "paper", "method": method, "machine": machine,
        "metrics": metrics,
    }  # fmt: skip


STEP = result(
    "step-8-full-cpu", plain_baseline_seconds=[2.0, 0.1], plain_bf16_seconds=[1.0, 0.1], plain_bf16_gain=[2.0, 0.2],
    plain_float32_seconds=[1.8, 0.1], plain_float32_gain=[1.1, 0.1], plain_baseline_floors=4.0, plain_flops=8e10,
    plain_bytes=4e8, matmul_bf16=2e11, matmul_float32=5e10, bandwidth=1e10,
)  # fmt: skip
SAMPLING = result(
    "sampling-4-cpu", full_baseline_seconds=[10.0, 0.0], full_bf16_seconds=[6.0, 0.0], full_bf16_gain=[1.2, 0.0],
    **{"full_bf16-ddim_seconds": [1.0, 0.0], "full_bf16-ddim_gain": [10.0, 0.0]}, full_flops=1e11, full_bytes=1e9,
    matmul_bf16=3e11, matmul_float32=4e10, bandwidth=2e10,
)  # fmt: skip


def test_find(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m benchmarks"):
        timings.find(tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "one.json").write_text(json.dumps(STEP))
    assert timings.find(tmp_path) == [STEP]


def test_the_best_version_counts_and_misses_stay():
    lines = str(timings.goals([STEP, SAMPLING])).splitlines()
    assert lines[2] == "| step on clips of full length | ≥ 1.3 | 2.00 ± 0.2 | yes |"
    assert lines[6] == "| sampling, equal steps | ≥ 1.3 | 1.20 ± 0 | no |"
    assert lines[7].endswith("| 10.0 ± 0 | yes |")
    assert lines[8] == "| encoder, per clip | ≥ 40 | not run |  |"


def test_goals_are_for_a_cpu():
    assert "| 2.00" not in str(timings.goals([STEP | {"method": "step-8-full-cuda"}]))


def test_losses_within_a_percent():
    line = str(timings.goals([result("precision-cpu", compiled_largest_deviation=0.02)])).splitlines()[-1]
    assert line.endswith("| 0.0200 | no |")


def test_gains_name_every_version():
    lines = str(timings.gains([STEP, SAMPLING], "step")).splitlines()
    assert [line.split(" | ")[2] for line in lines[2:]] == ["baseline", "bf16", "float32"]
    assert "| 2000 ± 100 |  | 4.00 |" in lines[2] and "| 2.00 ± 0.2 |" in lines[3]
    assert timings.gains([STEP], "features") is None


def test_roofs_are_the_best_measured_and_spots_lie_where_work_and_time_say():
    roofs = timings.roofs_of([STEP, SAMPLING])
    assert roofs == {"2 CPU cores": ({"bf16": 3e11, "float32": 5e10}, 2e10)}
    points = timings.roofline_points([STEP, SAMPLING], "2 CPU cores")
    assert points["training step, bf16"] == [(200.0, 8e10)]
    assert points["sampling, baseline"] == [(100.0, 1e10)]
    assert not any("ddim" in name for name in points)  # it does less than the work that is counted
    assert timings.roofline_points([STEP], "another") == {}


def test_quality_says_where_no_difference_shows():
    metrics = {
        "reference_fid": [3.0, 0.1], "reference_fid_over_reference": [1.0, 0.0], "reference_seconds_per_sample": [1, 0],
        "bf16_fid": [3.1, 0.1], "bf16_fid_over_reference": [1.02, 0.03], "bf16_seconds_per_sample": [0.5, 0],
        "ddim-few_fid": [6.0, 0.1], "ddim-few_fid_over_reference": [2.0, 0.1], "ddim-few_seconds_per_sample": [0.2, 0],
    }  # fmt: skip
    lines = str(timings.quality([result("quality-mdm-3d-cpu", **metrics)])).splitlines()[2:]
    assert [line.split(" | ")[4] for line in lines] == ["yes", "yes", "no"]
    assert timings.quality([STEP]) is None


def test_curves_by_version():
    trained = result("precision-cpu", float32_curve=[2.0, 1.0], bf16_curve=[2.1, 1.0])
    assert timings.curves([STEP, trained]) == {
        "paper, precision-cpu": {"float32": [2.0, 1.0], "bf16": [2.1, 1.0]},
    }


def test_goals_of_a_gpu():
    """Steps of 1 ms and multistep ones of 8 ms; 512 clips at half of the rate; what has not run says so."""
    steps = {"plain_graphs_seconds": [0.01, 0.0], "multistep_graphs_seconds": [0.08, 0.0], "steps_per_run": 10}
    small = result("step-64-full-cuda", plain_graphs_gain=[9.0, 0.5], multistep_graphs_gain=[7.0, 0.5], **steps)
    seconds = {"plain_graphs_seconds": [2.0, 0.0], "plain_undropped_seconds": [1.6, 0.0]}
    large = result("step-512-full-cuda", **seconds, plain_flops=1e12, matmul_bf16=1e12)
    lines = str(timings.gpu_goals([small, large])).splitlines()[2:]
    assert [line.split("|")[-2].strip() for line in lines] == ["yes", "no", "yes", "", "", ""]
    assert "| 50.0 |" in lines[2] and "| 62.5 |" in lines[3] and "| not run |" in lines[4]
    hours = timings.recipe_hours(small["metrics"])
    assert hours == pytest.approx((400_000 * 0.001 + 392_000 * 0.002) / 3600, rel=0.01)
    assert "not run" in str(timings.gpu_goals([])).splitlines()[2]
