"""train, prepare and study are the programs that `python -m` runs."""

import errno
import json

import pytest

from videomdm import prepare, programs, study, train
from videomdm.command import main
from videomdm.data import fit3d_clips
from videomdm.study import convert_minilm, phrasings, table3, train_elepose, train_motion_vae, words
from videomdm.study import recordings as study_of_recordings
from videomdm.train.__main__ import main as train_program


def test_a_finished_run_is_found_by_both(runs, run, settings, capsys):
    arguments = ["--profile", "smoke", "--set", *settings, f"runs={runs}"]
    assert main(["train", *arguments]) == 0
    assert train_program(arguments) == 0
    assert capsys.readouterr().out.splitlines() == [str(run)] * 2


def test_errors_of_a_run_are_sentences(tmp_path, capsys, monkeypatch):
    """A missing folder and a full disk, by the programs of `python -m` as by the command."""
    arguments = ["--profile", "smoke", "--set", "data=bandai", f"data_root={tmp_path / 'missing'}", f"runs={tmp_path}"]
    assert train_program(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("python -m videomdm.train: ") and "missing" in said and "Traceback" not in said
    assert prepare.main([*arguments, "shard_clips=10"]) == 2
    assert capsys.readouterr().err.startswith("python -m videomdm.prepare: ")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "weights.safetensors")

    monkeypatch.setattr("videomdm.train.__main__.fit", full)
    assert train_program(["--profile", "smoke"]) == 1
    assert capsys.readouterr().err == "python -m videomdm.train: weights.safetensors: No space left on device\n"
    assert train_program(["--profile", "smoke", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setattr(study.study, "conduct", full)
    assert study.main(["t"]) == 1
    assert capsys.readouterr().err == "python -m videomdm.study: weights.safetensors: No space left on device\n"


@pytest.mark.parametrize(
    ("program", "arguments", "named"),
    [
        (table3, "--data nba --data-root MISSING --runs OUT --results OUT", "MISSING"),
        (table3, "--set steps=many --runs OUT --results OUT", "steps is 'many', expected"),
        (train_elepose, "--base bandai --root MISSING --out OUT", "MISSING"),
        (train_motion_vae, "--base bandai --root MISSING --out OUT", "MISSING"),
        (fit3d_clips, "MISSING", "MISSING"),
        (study, "t --data bandai --data-root MISSING --rows mdm-3d --runs OUT --results OUT", "MISSING"),
        (study, "t --lifter MISSING --rows teacher --runs OUT --results OUT", "MISSING', expected procedural, real or"),
        (study, "t --profile tiny --runs OUT --results OUT", "profile is 'tiny', expected one of"),
        (study_of_recordings, "MISSING film.mp4 --results OUT", "MISSING"),
        (words, "--data MISSING --out OUT", "MISSING"),
        (convert_minilm, "MISSING", "MISSING"),
        (phrasings, "--encoders braille --profile smoke --runs OUT --out OUT", "braille"),
    ],
)
def test_a_users_mistake_is_a_sentence(program, arguments, named, tmp_path, capsys):
    """Programs of the study end as the command does, and write nothing."""
    missing, out = str(tmp_path / "missing"), str(tmp_path / "out")
    given = arguments.replace("MISSING", missing).replace("OUT", out).split()
    name = "python -m videomdm.study" if program is study else program.PROGRAM
    assert program.main(given) == programs.MISTAKE
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"{name}: ") and named.replace("MISSING", missing) in said
    assert not list(tmp_path.rglob("*.json"))


def test_values_are_typed(runs, run, capsys):
    typed = [
        "n_clips=40.0",
        "warmup_steps=0",
        "steps=4",
        "checkpoint_every=2",
        "keypoint_smoothing=FALSE",
        "data_root=none",
    ]
    assert main(["train", "--profile", "smoke", "--set", "method=mdm-3d", *typed, f"runs={runs}"]) == 0
    assert capsys.readouterr().out == f"{run}\n"


def test_a_runs_own_configuration(run, capsys):
    assert main(["train", "--config", str(run / "config.json")]) == 0
    assert capsys.readouterr().out == f"{run}\n"


def test_prepare(tmp_path, capsys):
    settings = ["method=mdm-3d", "n_clips=20", "shard_clips=10", f"runs={tmp_path}"]
    assert main(["prepare", "--profile", "smoke", "--set", *settings]) == 0
    assert "clips in 2 shards" in capsys.readouterr().out


@pytest.mark.slow
def test_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["study", "t", "--profile", "smoke", "--rows", "real", "--seed", "2.0"]
    assert main(arguments) == 0
    (result,) = (tmp_path / "results" / "t").glob("*.json")
    found = json.loads(result.read_text())
    assert found["seed"] == 2 and found["command"].startswith("python -m videomdm.study t --profile smoke")
    assert train.profile("smoke").runs == "runs" and (tmp_path / "runs").is_dir()
