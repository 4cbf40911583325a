"""Motions from text, and motions in other formats."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from videomdm import sample
from videomdm.command import MISTAKE, main, runs
from videomdm.config import PROFILES
from videomdm.data import bvh
from videomdm.skeletons import H36M17, SMPL22, kinematics
from videomdm.train.loop import warmup_of

TEXTS = ["a person walks forward and waves", "a person jumps"]


def arrays(path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def joints_of(path) -> torch.Tensor:
    motion = bvh.read(path)
    return motion.joints()[:, motion.index(SMPL22.joints)] / 100


def bones_vary(path) -> float:
    """Metres, the most that a bone changes its length."""
    sizes = kinematics.bone_vectors(joints_of(path), SMPL22).norm(dim=-1)
    return float((sizes.amax(0) - sizes.amin(0)).max())


class TestGenerate:
    def test_arrays(self, run, here, capsys):
        assert main(["generate", *TEXTS, "--seconds", "2", "--seed", "3", "--run", str(run), "--out", "new/m.npz"]) == 0
        assert capsys.readouterr().out == "new/m.npz\n"
        found = arrays(here / "new" / "m.npz")
        expected = sample.generate(sample.load(run), TEXTS, seconds=2, seed=3, feet="held")
        assert found["joints"].shape == (2, 40, 22, 3) and np.array_equal(found["joints"], expected)
        assert found["lengths"].tolist() == [40, 40] and found["fps"] == 20 and found["captions"].tolist() == TEXTS

    def test_texts_of_a_file(self, run, here, capsys):
        (here / "captions.txt").write_text("\ufeff" + "\r\n\r\n".join(TEXTS) + "\r\n", newline="")
        given = ["generate", "--seconds", "2", "--seed", "3", "--run", str(run)]
        assert main([*given, "--captions", "captions.txt", "--out", "file.npz"]) == 0
        assert main([*given, *TEXTS, "--out", "line.npz"]) == 0
        from_file, from_line = arrays(here / "file.npz"), arrays(here / "line.npz")
        assert all(np.array_equal(from_file[name], from_line[name]) for name in from_line)

    @pytest.mark.parametrize("given, told", [
        ([], "TEXT or --captions FILE: neither is given, expected one of the two"),
        (["a person jumps", "--captions", "none.txt"], "both are given, expected one of the two"),
        (["--captions", "none.txt"], "none.txt: empty, expected texts, one a line"),
        (["--captions", "missing.txt"], "missing.txt: cannot be read"),
    ])  # fmt: skip
    def test_no_texts(self, run, here, capsys, given, told):
        (here / "none.txt").write_text(" \n\n")
        assert main(["generate", *given, "--run", str(run), "--out", "m.npz"]) == MISTAKE
        assert re.search(told, capsys.readouterr().err) and not (here / "m.npz").exists()

    def test_feet_are_free_where_it_is_said(self, run, here):
        given = ["generate", *TEXTS, "--seconds", "2", "--seed", "3", "--run", str(run), "--out", "free.npz"]
        assert main([*given, "--feet", "free"]) == 0
        free = sample.generate(sample.load(run), TEXTS, seconds=2, seed=3)
        assert np.array_equal(arrays(here / "free.npz")["joints"], free)

    def test_no_floor_no_standing(self, run, here, monkeypatch, capsys):
        monkeypatch.setattr(sample.Prior, "grounded", False)
        given = ["generate", "a person walks", "--seconds", "1", "--run", str(run), "--out", "n.npz"]
        assert main([*given, "--feet", "held"]) == MISTAKE
        assert "--feet is held, expected free: motions of" in capsys.readouterr().err
        assert main(given) == 0
        assert np.array_equal(
            arrays(here / "n.npz")["joints"], sample.generate(sample.load(run), "a person walks", seconds=1)
        )

    def test_the_longest_by_default(self, here):
        assert main(["generate", "a person walks", "--out", "long.npz"]) == 0
        assert arrays(here / "long.npz")["lengths"].tolist() == [44]

    def test_several_animations_are_numbered(self, here, capsys):
        assert main(["generate", *TEXTS, "--seconds", "2", "--out", "m.npz"]) == 0
        assert main(["generate", *TEXTS, "--seconds", "2.0", "--out", "w.v2.bvh"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "m.npz", "w.v2-00.bvh", "w.v2-00-exact.bvh", "w.v2-01.bvh", "w.v2-01-exact.bvh",
        ]  # fmt: skip
        for i, expected in enumerate(arrays(here / "m.npz")["joints"]):
            assert bones_vary(here / f"w.v2-{i:02d}.bvh") < 1e-3 and bones_vary(here / f"w.v2-{i:02d}-exact.bvh") < 1e-3
            assert (joints_of(here / f"w.v2-{i:02d}-exact.bvh") - torch.from_numpy(expected)).abs().max() < 1e-3

    def test_bones_of_free_motions_stretch(self, here):
        assert main(["generate", *TEXTS, "--seconds", "2", "--feet", "free", "--out", "f.bvh"]) == 0
        assert bones_vary(here / "f-00.bvh") < 1e-3 < bones_vary(here / "f-00-exact.bvh")

    @pytest.mark.slow
    def test_films(self, here):
        assert main(["generate", "a person walks", "--seconds", "1", "--out", "w.mp4"]) == 0
        assert cv2.VideoCapture(str(here / "w.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 20
        assert main(["generate", "a person walks", "--seconds", "1", "--out", "w.GIF"]) == 0
        assert Image.open(here / "w.GIF").n_frames == 20

    def test_an_interrupted_run_is_none(self, run, tmp_path, capsys):
        (tmp_path / "config.json").write_text((run / "config.json").read_text())
        assert main(["generate", "x", "--run", str(tmp_path), "--out", "a.npz"]) == MISTAKE
        assert "no finished run there" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("out", "message"),
        [
            ("folder.npz", "folder.npz: a folder has this name, expected a file"),
            ("file/a.npz", "file/a.npz: {here}/file is a file, expected a folder"),
        ],
    )
    def test_what_cannot_be_written_is_said_before_the_work(self, run, tmp_path, monkeypatch, capsys, out, message):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sample, "load", None)
        (tmp_path / "folder.npz").mkdir()
        (tmp_path / "file").write_text("")
        assert main(["generate", "x", "--run", str(run), "--out", out]) == MISTAKE
        assert capsys.readouterr().err == f"videomdm generate: {message.format(here=tmp_path)}\n"

    def test_home(self, here, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert main(["generate", "x", "--seconds", "1", "--out", "~/x.npz"]) == 0
        assert (tmp_path / "x.npz").is_file() and not (here / "~").exists()


class TestChosen:
    @pytest.fixture
    def folders(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        def finished(name, age, config=PROFILES["smoke"]):
            folder = tmp_path / "runs" / name
            folder.mkdir(parents=True)
            (folder / runs.WEIGHTS).write_text("")
            (folder / "config.json").write_text(config.to_json())
            os.utime(folder / runs.WEIGHTS, (1e9 - age, 1e9 - age))

        return finished

    def test_the_newest_and_says_so(self, folders, tmp_path, capsys):
        folders("old", 9)
        folders("new", 1)
        folders("older", 10)
        folders("pictures", 0, PROFILES["smoke"].but(method="mdm-2d"))
        folders("around the hip", 0, PROFILES["nba"].but(data="nba-like"))
        folders("of an earlier version", 0)
        (tmp_path / "runs" / "of an earlier version" / "config.json").write_text("{}")
        folders("a search's", 0)
        (tmp_path / "runs" / "a search's" / runs.TRIAL).touch()
        (tmp_path / "runs" / "unfinished").mkdir()
        (tmp_path / "runs" / "cache").mkdir()
        (tmp_path / "runs" / "cache" / runs.WEIGHTS).write_text("")
        assert runs.chosen(None).name == "new"
        assert capsys.readouterr().err == "run: runs/new\n"

    def test_a_trial_that_is_trained_on_purpose_is_one(self, folders, tmp_path):
        config = PROFILES["smoke"].but(runs="runs")
        folders(config.folder.name, 0)
        (tmp_path / config.folder / runs.TRIAL).touch()
        assert runs.chosen(None) == runs.SHIPPED
        assert main(["train", "--profile", "smoke"]) == 0
        assert runs.chosen(None) == config.folder

    def test_a_warm_up_is_none_even_of_a_run_that_is_not_finished(self, folders, tmp_path, capsys):
        config = PROFILES["smoke"]
        folders(config.folder.name, 1)
        folders(warmup_of(config).folder.name, 0, warmup_of(config))
        assert runs.chosen(None).name == config.folder.name
        (tmp_path / config.folder / runs.WEIGHTS).unlink()
        assert runs.chosen(None) == runs.SHIPPED

    def test_none_takes_the_one_that_ships(self, folders, capsys):
        assert runs.chosen(None) == runs.SHIPPED == sample.SHIPPED
        assert capsys.readouterr().err == "prior: the one that comes with the package\n"

    def test_nothing_is_kept_in_the_package(self, tmp_path):
        assert runs.cache(tmp_path / "mine" / "run") == tmp_path / "mine" / "cache"
        for name in ("prior", "twin"):
            assert runs.cache(runs.SHIPPED.parent / name) == runs.RUNS / "cache"
            assert runs.cache(Path(os.path.relpath(runs.SHIPPED.parent / name))) == runs.RUNS / "cache"


class TestExport:
    @pytest.fixture
    def motions(self, tmp_path):
        generator = np.random.default_rng(0)
        joints = generator.normal(size=(2, 6, 22, 3)).astype("f4")
        path = tmp_path / "m.npz"
        np.savez(path, joints=joints, lengths=[6, 4], fps=25.0, captions=TEXTS)
        return path, joints

    def test_animations_have_the_same_joints(self, motions, tmp_path):
        path, joints = motions
        assert main(["export", str(path), "--out", str(tmp_path / "x.bvh")]) == 0
        for i, length in enumerate((6, 4)):
            found = bvh.read(tmp_path / f"x-{i:02d}-exact.bvh")
            assert found.frame_time == pytest.approx(1 / 25) and len(found.values) == length
            assert (
                joints_of(tmp_path / f"x-{i:02d}-exact.bvh") - torch.from_numpy(joints[i, :length])
            ).abs().max() < 1e-3

    def test_arrays_again(self, motions, tmp_path):
        path, joints = motions
        assert main(["export", str(path), "--out", str(tmp_path / "x.npz")]) == 0
        found = arrays(tmp_path / "x.npz")
        assert np.array_equal(found["joints"][1, :4], joints[1, :4]) and not found["joints"][1, 4:].any()
        assert found["captions"].tolist() == TEXTS and found["lengths"].tolist() == [6, 4] and found["fps"] == 25

    @pytest.mark.parametrize("linked", [False, True])
    def test_never_over_what_is_read(self, motions, tmp_path, capsys, linked):
        path, _ = motions
        before, given = path.read_bytes(), path
        if linked:
            given = tmp_path / "link.npz"
            given.symlink_to(path)
        assert main(["export", str(given), "--out", str(path)]) == MISTAKE
        assert f"{path}: the result would be written over what it is made from" in capsys.readouterr().err
        assert path.read_bytes() == before

    def test_one_motion_of_another_skeleton(self, tmp_path):
        joints = np.random.default_rng(0).normal(size=(5, 17, 3))
        np.savez(tmp_path / "m.npz", joints=joints, fps=50, joint_names=H36M17.joints, caption="a person sits")
        assert main(["export", str(tmp_path / "m.npz"), "--out", str(tmp_path / "x.npz")]) == 0
        found = arrays(tmp_path / "x.npz")
        assert found["joints"].shape == (1, 5, 17, 3) and found["captions"].tolist() == ["a person sits"]

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"joints": None}, "no array joints, expected joints and fps; it has lengths, fps, captions"),
            ({"fps": None}, "no array fps"),
            ({"fps": 0.0}, "fps is 0.0, expected 1 to 240 frames per second"),
            ({"fps": 1e6}, "fps is 1000000.0, expected 1 to 240 frames per second"),
            ({"fps": [20.0, 20.0]}, "expected 1 to 240 frames per second"),
            ({"units": "millimetres"}, "units are 'millimetres', expected 'metres'"),
            ({"axes": "z up"}, "axes are 'z up', expected 'right-handed"),
            ({"joints": np.full((2, 6, 22, 3), 400.0)}, "motion 0: a coordinate of 400, expected metres"),
            ({"joints": np.zeros((2, 6, 21, 3))}, "(2, 6, 21, 3), expected metres (frames, 22, 3) or (motions"),
            ({"joints": np.zeros((2, 6, 22, 3), int)}, "joints are int64"),
            ({"joints": np.full((2, 6, 22, 3), np.nan)}, "motion 0: pelvis at frame 0 is [nan, nan, nan]"),
            ({"lengths": None}, "lengths are None, expected a number of frames, 1 to 6, for each of 2"),
            ({"lengths": [6, 7]}, "lengths are [6 7]"),
            ({"lengths": [0, 6]}, "lengths are [0 6]"),
            ({"captions": ["one"]}, "captions have shape (1,), expected a text for each of 2 motions"),
            ({"captions": np.array([{}, 1])}, "cannot be read as an .npz of motions"),
            ({"joint_names": ["a", "b"]}, "joint_names are ('a', 'b'), expected those of smpl22 or h36m17"),
        ],
    )
    def test_bad_arrays(self, motions, tmp_path, capsys, changed, message):
        path, _ = motions
        kept = {name: value for name, value in (arrays(path) | changed).items() if value is not None}
        np.savez(path, **kept)
        assert main(["export", str(path), "--out", str(tmp_path / "x.bvh")]) == MISTAKE
        text = capsys.readouterr().err
        assert f"videomdm export: {path}" in text and message in text and "Traceback" not in text
        assert not list(tmp_path.glob("x*"))

    @pytest.mark.parametrize(
        ("content", "message"), [(b"", "not a zip file"), (b"hello", "not a zip file"), (b"PK\x03\x04", "zip")]
    )
    def test_what_is_no_npz(self, tmp_path, capsys, content, message):
        (tmp_path / "m.npz").write_bytes(content)
        assert main(["export", str(tmp_path / "m.npz"), "--out", str(tmp_path / "x.bvh")]) == MISTAKE
        assert message in capsys.readouterr().err

    def test_one_array_is_no_npz(self, tmp_path, capsys):
        np.save(tmp_path / "m.npy", np.zeros((5, 22, 3)))
        assert main(["export", str(tmp_path / "m.npy"), "--out", str(tmp_path / "x.bvh")]) == MISTAKE
        assert "m.npy: cannot be read as an .npz of motions" in capsys.readouterr().err
