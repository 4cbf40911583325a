"""Words that no prior was trained on."""

import json
import random
import re

import pytest

from videomdm.data import procedural
from videomdm.study import phrasings, results
from videomdm.text import tokens
from videomdm.text.hashed import FUNCTION_WORDS


def test_every_action_has_phrasings():
    assert set(phrasings.PHRASINGS) == set(procedural.PRIOR_ACTIONS)


def test_phrasings_have_words_that_the_corpus_lacks():
    corpus = procedural.generate(400, max_frames=44)
    trained = {word for captions in corpus.captions for caption in captions for word in tokens(caption)}
    for action, options in phrasings.PHRASINGS.items():
        for option in options:
            said = set(tokens(option.format(side="left"))) - FUNCTION_WORDS
            assert said - trained, f"{action}: {option}"


def test_the_side_is_the_clips():
    for side in ("left", "right"):
        found = phrasings.phrase("kick", [f"a person kicks with the {side} leg."], random.Random(0))
        assert re.findall("left|right", found) == [side]
    assert "left" not in phrasings.phrase("idle", ["stands still."], random.Random(0))


@pytest.mark.slow
def test_a_result_for_each_encoder_and_seed(tmp_path):
    arguments = ["--profile", "smoke", "--encoders", "hashed", "minilm", "--runs", str(tmp_path / "runs")]
    assert phrasings.main([*arguments, "--out", str(tmp_path)]) == 0
    hashed, ours = results.read(tmp_path, "phrasings")
    assert (hashed["text"], ours["text"]) == ("hashed", "minilm") and hashed["config"] != ours["config"]
    for metrics in (hashed["metrics"], ours["metrics"]):
        for name in ("corpus", "phrasing"):
            assert 0 <= metrics[f"{name}_r_precision_3"][0] <= 1 and 0 <= metrics[f"{name}_tmr_r_precision_3"][0] <= 1
    before = (tmp_path / "phrasings" / "hashed-smoke-s0.json").read_text()
    phrasings.main([*arguments, "--out", str(tmp_path)])  # nothing is trained or sampled again
    again = json.loads((tmp_path / "phrasings" / "hashed-smoke-s0.json").read_text())
    assert again["metrics"] == json.loads(before)["metrics"]
