"""Measuring how a corpus' people hold themselves, and what the built-in corpus' people do."""

import json
from pathlib import Path

import numpy as np
import pytest

from videomdm import programs
from videomdm.config import STAGES
from videomdm.data import procedural
from videomdm.evaluation import posture as measures
from videomdm.study import posture, results

STORED = Path(__file__).parents[2] / "results"


def test_a_family_is_measured_and_says_which_corpus_it_was(tmp_path, capsys):
    posture.conduct(["small", "--family", "teacher", "--clips", "40", "--results", str(tmp_path)])
    (result,) = results.read(tmp_path, "posture")
    assert capsys.readouterr().out.strip() == str(tmp_path / "posture" / "small.json")
    assert result["corpus"] == STAGES["corpus"] and result["clips"] == 40
    corpus = procedural.generate(40, family="teacher")
    assert result["metrics"] == json.loads(json.dumps(measures.distributions(corpus.joints, corpus.lengths)))


def test_a_lone_clip(tmp_path, capsys):
    clip = procedural.generate(1).clip(0)
    np.save(tmp_path / "one.npy", clip.numpy())
    given = ["one", "--data", "humanml3d", "--clip", str(tmp_path / "one.npy"), "--results", str(tmp_path)]
    assert posture.main(given) == programs.DONE
    result = json.loads((tmp_path / "posture" / "one.json").read_text())
    assert result["metrics"]["all"]["frames"] == len(clip) and "corpus" not in result
    assert str(tmp_path) not in result["command"]
    np.save(tmp_path / "one.npy", clip[:, :5].numpy())
    assert posture.main(given) == programs.MISTAKE
    assert "one.npy" in capsys.readouterr().err


@pytest.mark.slow
def test_the_built_in_corpus_stands_and_walks_like_captured_people():
    """Its own median knees, hips and leans against CMU's, and no family of clones."""
    cmu = json.loads((STORED / "posture" / "cmu.json").read_text())["metrics"]
    corpus = procedural.generate(300, seed=7)
    ours = measures.distributions(corpus.joints, corpus.lengths)
    for state in ("standing", "walking"):
        for name in ("knee", "hip", "lean"):
            assert ours[state]["angles"][name][2] == pytest.approx(cmu[state]["angles"][name][2], abs=6.0), name
    low, left, _, right, high = ours["standing"]["angles"]["knee"]
    assert right - left > 10 and high > 168 and low < 135


@pytest.mark.parametrize("name", ("prior", "teacher"))
def test_the_stored_measurement_is_of_todays_corpus(name):
    assert json.loads((STORED / "posture" / f"{name}.json").read_text())["corpus"] == STAGES["corpus"]
