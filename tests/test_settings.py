"""Settings from the command line."""

import dataclasses
import json
import typing

import pytest

from videomdm import settings
from videomdm.config import PROFILES, TYPES, profile
from videomdm.losses import Weights
from videomdm.parameters import expectation, parse


def config(*changes, start=("--profile", "smoke")):
    return settings.config([*start, *(["--set", *changes] if changes else [])], "python -m videomdm.train", "Trains.")


def test_values_have_the_types_of_their_fields():
    found = config("n_clips=8.0", "lr=1e-4", "keypoint_smoothing=False", "data_root=2024_06", "compile=none", "seed=12")
    expected = profile("smoke", n_clips=8, lr=1e-4, keypoint_smoothing=False, data_root="2024_06", seed=12)
    assert found == expected and type(found.data.n_clips) is int


def test_weights_are_json():
    found = config('weights={"velocity": 0, "ray_projection": false}')
    assert found.optimiser.weights == Weights(velocity=0.0, ray_projection=False)


def test_of_two_values_the_last_counts():
    assert config("seed=1", "seed=2").seed == 2


def test_a_runs_own_configuration(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(profile("laptop", seed=3).to_json())
    assert config("steps=7", start=("--config", str(path))) == profile("laptop", seed=3, steps=7)


def test_every_setting_can_be_given():
    paper = PROFILES["paper"]
    for name, kind in TYPES.items():
        value = paper.value(name)
        text = json.dumps(dataclasses.asdict(value)) if name == "weights" else str(value)
        assert expectation(kind) and parse(name, text, kind) == value
    assert TYPES["weights"] is Weights and typing.get_args(TYPES["start"]) == (str, type(None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("keypoint_smoothing=falsch", "smoke: keypoint_smoothing is 'falsch', expected true or false"),
        ("keypoint_noise=0,01", "keypoint_noise is '0,01', expected a number with a point, such as 0.01"),
        ("steps=2024_06", "steps is '2024_06', expected a whole number such as 8"),
        ("steps=7.5", "steps is '7.5', expected a whole number"),
        ("steps=", "steps is '', expected a whole number"),
        ("data_root=", "data_root is '', expected text, or none"),
        ("steps=0", "steps is 0, expected at least 1"),
        ("ema=2", "ema is 2.0, expected 0 or more and below 1"),
        ("checkpoint_every=0", "checkpoint_every is 0, expected at least 1"),
        ("sampler=nope", "sampler is 'nope', expected one of '', ddpm, ddim"),
        ("runs=", "runs is '', expected a folder"),
        ("stpes=7", "unknown setting stpes; known: base, batch_size, "),
        ("steps", "--set 'steps', expected NAME=VALUE"),
        ("weights=16", "weights is '16', expected JSON with some of reprojection"),
        ('weights={"velocity": "fast"}', "weights.velocity is 'fast', expected a number"),
    ],
)
def test_bad_values_end_the_program_with_a_sentence(change, message, capsys):
    with pytest.raises(SystemExit) as end:
        config(change)
    assert end.value.code == 2
    assert f"python -m videomdm.train: error: smoke: {message.removeprefix('smoke: ')}" in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        config(start=("--config", "nothing.json"))
    assert "nothing.json" in capsys.readouterr().err
