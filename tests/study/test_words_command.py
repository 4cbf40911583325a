"""Text encoders side by side, on captions that are made here."""

import json

import pytest

from videomdm import programs
from videomdm.study import results
from videomdm.study import words as command

ACTIONS = ("walks", "runs", "jumps", "kicks", "waves", "bows", "sits down", "turns")
PLACES = ("forward", "backward", "to the left", "to the right", "once", "twice", "slowly", "quickly")


@pytest.fixture
def data(tmp_path):
    clips = {
        f"{i:06}": {"0": [f"a person {action} {place} in room {i}", f"someone {action} {place}, room {i}"]}
        for i, (action, place) in enumerate((a, p) for a in ACTIONS for p in PLACES)
    }
    path = tmp_path / "data" / command.CAPTIONS
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(clips))
    return tmp_path / "data"


@pytest.mark.slow
def test_a_result_for_each_encoder(data, tmp_path):
    command.main(["--data", str(data), "--out", str(tmp_path), "--encoders", "hashed", "minilm", "--pools", "1"])
    hashed, ours = results.read(tmp_path, "words")
    assert (hashed["method"], ours["method"]) == ("hashed", "minilm")
    assert hashed["metrics"]["width"] == 512 and ours["metrics"]["width"] == 896
    assert hashed["metrics"]["megabytes"] == 0 and 15 < ours["metrics"]["megabytes"] < 18
    for found in (hashed["metrics"], ours["metrics"]):
        assert found["sides_apart"] == 1 and found["sides_captions"] > 0 and found["partner_1"][0] > 0.9
    assert ours["metrics"]["verbs"] > hashed["metrics"]["verbs"]
    assert 0 < ours["metrics"]["load_cpu_seconds"] < 20


def test_what_cannot_be_had_is_said(monkeypatch):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert command.measure("wordllama", {}) == {"not_measured": "wordllama is not installed: pip install wordllama"}


@pytest.mark.slow
def test_choose_shares(data, tmp_path, capsys):
    command.main(["--data", str(data), "--out", str(tmp_path), "--choose", "--pools", "1"])
    (kept,) = results.read(tmp_path, "words")
    assert [float(share) for share in kept["metrics"]] == list(command.SHARES)
    opposites = [found["sides_opposites"] for found in kept["metrics"].values()]
    assert opposites == sorted(opposites, reverse=True)  # the more hashed words, the further sides are apart


def test_missing_captions_are_named(tmp_path, capsys):
    assert command.main(["--data", str(tmp_path)]) == programs.MISTAKE
    assert "humanml3d_test.json" in capsys.readouterr().err


def test_what_is_chosen_is_what_is_used():
    """The share that the package uses is one that was measured."""
    from videomdm.text.minilm import HASHED_SHARE

    assert HASHED_SHARE in command.SHARES
