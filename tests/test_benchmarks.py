"""The benchmarks run, and compare what they say they compare.  Nothing here looks at a time."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement

from benchmarks import __main__ as entry
from benchmarks import baseline, busy, detection, features, gpu, precision, scaling, step, synthetic, timing
from videomdm import cameras, sample, train
from videomdm.data import procedural
from videomdm.data.recordings import rendering as render
from videomdm.data.recordings.detections import Intrinsics
from videomdm.denoiser import MDM, official_name
from videomdm.skeletons.kinematics import rest_offsets
from videomdm.study import results

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def rates(monkeypatch):
    """No time for the machine's."""
    monkeypatch.setattr(timing, "matmul_rate", lambda precision: 1e11)
    monkeypatch.setattr(timing, "bandwidth", lambda: 1e10)


class TestBaselines:
    def test_features_clip_by_clip_are_the_same(self):
        joints = synthetic.motions(3, 60).double()
        offsets = rest_offsets(synthetic.motions(4, 1)[3, 0]).double()
        batched = features.batch_features(joints, offsets)
        for clip, expected in zip(joints, batched, strict=True):
            np.testing.assert_allclose(features.clip_features(clip.numpy(), offsets.numpy()), expected, atol=1e-9)

    def test_model_is_the_same(self):
        config = train.profile("smoke")
        plain, ours = baseline.PlainMDM(config, 263, 512).eval(), MDM(263, 32, 2, 4, 64).eval()
        names = {
            "embed_motion": "embed_motion", "embed_text": "embed_text", "embed_step": "embed_step",
            "predict": "predict",
        }  # fmt: skip
        state = {}
        for name, tensor in ours.state_dict().items():
            head = name.split(".")[0]
            state[name if head in names else official_name(name).replace("seqTransEncoder", "encoder")] = tensor
        plain.load_state_dict({**state, "positions": plain.positions})
        x, t, text = torch.randn(2, 30, 263), torch.tensor([3, 40]), torch.randn(2, 512)
        torch.testing.assert_close(plain(x, t, text), ours(x, t, text), rtol=1e-4, atol=1e-5)

    def test_lengths_of_humanml3d(self):
        lengths = synthetic.lengths(20_000, "humanml3d")
        assert lengths.min() == 40 and lengths.max() == 196
        assert float(lengths.double().mean()) / 20 == pytest.approx(7.1, abs=0.05)  # seconds, as published


class TestWork:
    def test_flops_of_the_recipe(self):
        """1.48 TFLOP per pass forwards and backwards of 64 clips of 196 frames."""
        assert step.work(train.profile("paper"), 196, 1).flops == pytest.approx(1.48e12, rel=0.05)

    def test_passes_add_up(self):
        config = train.profile("paper")
        one, four = step.work(config, 100, 1), step.work(config, 100, 4)
        assert four.flops == 4 * one.flops and one.bytes < four.bytes < 4 * one.bytes

    def test_the_slower_of_both_is_the_floor(self):
        assert timing.Work(2e11, 1e9).floor() == 2.0
        assert timing.Work(1e9, 3e10).floor() == 3.0

    def test_gains_are_taken_within_pairs(self, capsys):
        found = timing.summary("x", {"baseline": [2.0, 4.0], "fast": [1.0, 2.0]}, timing.Work(1e11))
        assert found["x_fast_gain"] == [2.0, 0.0] and found["x_fast_floors"] == 1.5
        assert "2.00 +- 0.00 x the baseline" in capsys.readouterr().out

    def test_a_gain_is_that_of_the_whole_time(self):
        """Three seconds against three, not the mean of 2 and 0.5 times."""
        gain, half = timing.summary("x", {"baseline": [2.0, 1.0], "fast": [1.0, 2.0]})["x_fast_gain"]
        assert gain == 1.0 and half == pytest.approx(1.96 * 2**0.5 / 2**0.5 / 1.5)


def test_every_benchmark_leaves_a_result(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(synthetic, "training_set", partial(synthetic.training_set, n=64))
    sizes = ["--repeats", "2", "--batch", "4", "--samples", "2", "--clips", "8", "--embeddings", "64", "--films", "1"]
    sizes += ["--adam-steps", "2"]
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: None)
    run = train.fit(train.profile("smoke", runs=str(tmp_path / "runs"), n_clips=400, method="mdm-3d"))
    times = lambda config, processes: config.cache.mkdir(parents=True, exist_ok=True) or [1.0, 1.0]  # noqa: E731
    monkeypatch.setattr(scaling, "times_of_batches", times)
    monkeypatch.setattr(busy, "competitors", nullcontext)
    monkeypatch.setattr(busy, "started_trainer", lambda config, setting: nullcontext())
    monkeypatch.setattr(busy, "train_batches", lambda trainer, batches: {"wall": 1.0, "processor": 2.0, "others": 0.0})
    more = ["--train-steps", "40", "--run", str(run), "--runs", str(tmp_path / "runs")]
    entry.main(["--profile", "smoke", *sizes, *more, "--results", str(tmp_path)])
    found = {r["method"]: r["metrics"] for r in results.read(tmp_path, "benchmarks")}
    assert set(found) == {
        "step-4-full-cpu", "step-4-humanml3d-cpu", "sampling-2-cpu", "features-8-cpu", "metrics-64-cpu",
        "precision-cpu", "scaling-4-cpu", "busy-cpu", "quality-mdm-3d-cpu", "static_camera-cpu",
        "multiview-2-cpu",
    }  # fmt: skip
    called = {name: n for name, n in found["static_camera-cpu"].items() if "_called_" in name}
    for films in ("chosen_cut", "held_out_shakes"):
        assert sum(n for name, n in called.items() if name.startswith(films)) == 2, "a textured and a plain room"
    for case in ("plain", "multistep"):
        assert {f"{case}_baseline_seconds", f"{case}_bf16_gain", f"{case}_bf16_floors"} <= set(found["step-4-full-cpu"])
    assert found["features-8-cpu"]["difference"] < 1e-3
    assert found["multiview-2-cpu"]["closed_gain"][0] > 50 and found["multiview-2-cpu"]["difference"] < 1e-4
    trained, quality = found["precision-cpu"], found["quality-mdm-3d-cpu"]
    assert len(trained["float32_curve"]) == 2 and 0 < trained["bf16_largest_deviation"] < 0.1
    assert quality["reference_fid_over_reference"] == [1.0, 0.0]
    assert quality["bf16_fid_over_reference"][0] == pytest.approx(1, abs=0.1)
    assert {"ddim_fid", "ddim-few_fid", "ddim-few-bf16_fid"} <= set(quality) and "trained_fid" not in quality


def test_scaling_times_runs_of_one_and_of_two(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "VERSIONS", {name: scaling.VERSIONS[name] for name in ("baseline", "fsdp")})
    path = scaling.run(train.profile("smoke"), tmp_path, repeats=1, batches=4)
    metrics = json.loads(path.read_text())["metrics"]
    assert all(metrics[f"scaling_{name}_seconds"][0] > 0 for name in scaling.VERSIONS)
    assert metrics["scaling_fsdp_gain"][0] > 0


class TestBusy:
    def test_share_is_what_others_left(self):
        """Two cores: 2 s of arithmetic per batch, done in 1 s on both, in 2 s beside a process that had one of them."""
        piece = {"wall": 1.0, "processor": 2.0, "others": 0.0}
        shared = {"wall": 2.0, "processor": 2.0, "others": 2.0}
        spinning = {"wall": 6.0, "processor": 5.0, "others": 4.0}
        spent = {(k, name): [shared] * 2 for k in busy.COMPETITORS for name in busy.SETTINGS}
        spent |= {(0, name): [piece] * 2 for name in busy.SETTINGS} | {(2, "baseline"): [spinning] * 2}
        found = busy.summary(spent, cores=2)
        assert found["beside-0_passive_over_share"] == found["beside-1_passive_over_share"] == 1.0
        assert found["beside-1_passive_slower"] == 2.0 and found["beside-1_passive_cores_of_others"] == 1.0
        assert found["beside-2_baseline_over_share"] == 4.0 and found["beside-2_baseline_slower"] == 6.0
        assert found["beside-2_passive_gain"] == [3.0, 0.0]

    def test_trains_beside_a_process_that_keeps_a_core_busy(self, tmp_path, monkeypatch):
        monkeypatch.setattr(busy, "COMPETITORS", (0, 1))
        monkeypatch.setattr(busy, "SETTINGS", {name: busy.SETTINGS[name] for name in ("baseline", "one-thread")})
        path = busy.run(train.profile("smoke"), tmp_path, repeats=1, batches=20)
        metrics = json.loads(path.read_text())["metrics"]
        for name in busy.SETTINGS:
            assert metrics[f"beside-1_{name}_seconds"][0] > 0 and metrics[f"beside-1_{name}_processor_seconds"][0] > 0
            assert metrics[f"beside-1_{name}_cores_of_others"] > 0.3


def test_scaling_needs_a_device_for_every_process(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert not scaling.possible()
    with pytest.raises(SystemExit, match="one GPU, expected two or more"):
        scaling.run(train.profile("smoke"), tmp_path, repeats=1)


def test_windows_are_means_of_whole_ones():
    assert precision.windows(torch.arange(45.0)).tolist() == [9.5, 29.5]


def test_quality_and_detection_need_something(capsys):
    for name, said in (("quality", "finished run"), ("detection", "film of a person"), ("lift", "film of a person")):
        with pytest.raises(SystemExit):
            entry.main([name])
        assert said in capsys.readouterr().err


def filmed(path, frames):
    joints = procedural.generate(1).clip(0)[:frames]
    camera = cameras.orbit(0.5, 0.1, [0, 0.9, 0], 4.0)
    render.film(path, [joints], camera, Intrinsics.from_field_of_view(256, 192, 60))
    return path


@pytest.fixture
def film(tmp_path):
    return filmed(tmp_path / "a.mp4", 24)


class TestLift:
    def test_stages_add_up(self, tmp_path):
        film = filmed(tmp_path / "a.mp4", 50)
        entry.main(["lift", "--video", str(film), "--results", str(tmp_path)])
        [found] = results.read(tmp_path, "benchmarks")
        metrics = found["metrics"]
        assert found["method"] == "lift-cpu" and metrics["video"] == "a.mp4" and metrics["film_seconds"] == 2.5
        stages = [metrics[f"{stage}_seconds"] for stage in ("start", "detection", "lifting", "export")]
        assert min(stages) > 0 and sum(stages) == pytest.approx(metrics["command_seconds"])


class TestDetection:
    def test_leaves_a_result(self, film, tmp_path):
        entry.main(["detection", "--video", str(film), "--repeats", "1", "--results", str(tmp_path)])
        [found] = results.read(tmp_path, "benchmarks")
        metrics = found["metrics"]
        assert found["method"] == "detection-cpu" and metrics["frames"] == metrics["people"] == 24
        assert metrics["person"] == 2 * 3, "in the first frame and in the 21st, in all of it and in two parts"
        assert metrics["landmarks"] >= 24 + 1, "and a second look at the person, who is new in the first frame"
        for name in ("baseline", "detect", "opencv", "networks", "decoding"):
            seconds = metrics[f"video_{name}_seconds"][0]
            assert metrics[f"video_{name}_frames_per_second"] == pytest.approx(24 / seconds)

    def test_onnxruntime_is_back_afterwards(self):
        there = sys.modules.get("onnxruntime")
        with detection.without_onnxruntime(), pytest.raises(ImportError):
            importlib.import_module("onnxruntime")
        assert sys.modules.get("onnxruntime") is there


def install(distributions, folder):
    """Links to some packages and to all that these need, on this platform and without extras."""
    done, left = set(), [*distributions]
    while left:
        name = left.pop()
        if name in done:
            continue
        done.add(name)
        package = metadata.distribution(name)
        for top in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(package.locate_file(top))
        needs = (Requirement(need) for need in package.requires or ())
        left += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]


class TestGpu:
    def test_says_that_there_is_no_gpu(self, monkeypatch, capsys):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert gpu.main([]) == 1
        assert "no GPU here" in capsys.readouterr().out

    def test_numbers_are_compared(self, tmp_path, monkeypatch):
        config = train.profile("smoke")
        gpu.check(config, tmp_path)
        metrics = json.loads(next(tmp_path.rglob("*.json")).read_text())["metrics"]
        assert metrics["samples_difference"] == metrics["loss_difference"] == 0.0
        honest = gpu.numbers

        def wrong(config, device, calls=[]):  # noqa: B006
            calls.append(device)
            return {
                k: v * (1.01 if len(calls) == 2 and k == "features" else 1) for k, v in honest(config, device).items()
            }

        monkeypatch.setattr(gpu, "numbers", wrong)
        with pytest.raises(SystemExit, match="features: cpu differs from the CPU by 0.01"):
            gpu.check(config, tmp_path)

    def test_fits_and_hands_back_small_weights(self, tmp_path, monkeypatch):
        config = train.profile("smoke", runs=str(tmp_path / "runs"), n_clips=60)
        gpu.fit(config, tmp_path)
        [found] = results.read(tmp_path, "benchmarks")
        assert found["method"] == "prior-cpu" and found["metrics"]["seconds_per_batch"] > 0
        weights = gpu.large(config).folder / "weights.safetensors"
        paths = gpu.split(weights, tmp_path, limit=20_000)
        assert len(paths) > 2 and all(p.stat().st_size < 40_000 for p in paths)
        prior, original = sample.load(gpu.join(tmp_path, tmp_path / "joined")), sample.load(weights.parent)
        assert torch.equal(prior.normaliser.mean, original.normaliser.mean)
        for ours, theirs in zip(prior.model.parameters(), original.model.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0.005, atol=0.0)

    def test_weights_that_came_back_are_judged_on_any_machine(self, tmp_path):
        here = ["--tiny", "--data", "procedural", "--out", str(tmp_path / "out"), "--runs"]
        assert gpu.main([*here, str(tmp_path / "there"), "--pieces", "prior"]) == 0
        assert gpu.main([*here, str(tmp_path / "here"), "--judge", str(tmp_path / "out")]) == 0
        [found] = results.read(tmp_path / "out", "gpu-prior")
        assert found["metrics"]["fid"][0] > 0
        with pytest.raises(FileNotFoundError, match="nowhere: no weights-"):
            gpu.main([*here, str(tmp_path / "here"), "--judge", str(tmp_path / "nowhere")])

    def test_needs_no_more_than_a_bare_machine_has(self, tmp_path):
        """``make gpu`` in a copy of what it needs of the checkout, beside PyTorch and few packages more."""
        root = Path(gpu.__file__).parents[1]
        for name in ("benchmarks", "videomdm"):
            shutil.copytree(root / name, tmp_path / name, ignore=lambda folder, names: {*names} & gpu.NOT_NEEDED)
        shutil.copy(root / "Makefile", tmp_path)
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys._base_executable} -S "$@"\n')
        (tmp_path / "bin" / "python3").chmod(0o755)
        (tmp_path / "site").mkdir()
        install(gpu.NEEDED, tmp_path / "site")
        pieces = "check step-4-full sampling metrics prior study-real"
        done = subprocess.run(
            ["make", "gpu", f"GPUFLAGS=--tiny --pieces {pieces}"], cwd=tmp_path, text=True, capture_output=True,
            env=os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path / "site")},
        )  # fmt: skip
        assert done.returncode == 0 and "all done" in done.stdout, done.stdout + done.stderr
        assert {path.name for path in (tmp_path / "runs" / "gpu" / "done").iterdir()} == set(pieces.split())
        assert sum(f.stat().st_size for f in tmp_path.rglob("videomdm/**/*") if f.is_file()) < 40 * 2**20

    def test_goes_on_where_it_was(self, tmp_path, monkeypatch, capfd):
        """Pieces that are done are not run again; time that is over is said."""
        common = ["--tiny", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path), "--pieces", "metrics", "check"]
        (tmp_path / "runs" / "done").mkdir(parents=True)
        (tmp_path / "runs" / "done" / "check").touch()
        assert gpu.main([*common, "--minutes", "0"]) == 2
        assert "time is over in metrics" in capfd.readouterr().out
        assert gpu.main(common) == 0
        assert (tmp_path / "runs" / "done" / "metrics").exists()
        assert gpu.main(common) == 0
        assert "==" not in capfd.readouterr().out.split("all done", 1)[1]
