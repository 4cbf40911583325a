"""Tables of the page on words, from small results."""

import json

import pytest

from videomdm.study import phrasings, word_tables, words
from videomdm.train import profile

APART = {f"{contrast}_{key}": 0.5 for contrast in ("sides", "directions", "amounts") for key in ("apart", "opposites")}
METRICS = {
    "partner_1": [0.3, 0.01], "partner_3": [0.5, 0.01], "verbs": 0.25, "verbs_unlisted": 0.125, **APART,
    "megabytes": 17.0, "load_cpu_seconds": 0.5, "captions_per_cpu_second": 200, "width": 8,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    rows = {
        "words/minilm": words.row("minilm", "python", 1.0, METRICS | {"partner_1": [0.4, 0.01]}),
        "words/hashed": words.row("hashed", "python", 1.0, METRICS),
        "words/clip": words.row("clip", "python", 1.0, {"not_measured": "no weights"}),
        "words/choice": words.row("share-of-hashed", "python", 1.0, {"0.4": METRICS, "1.0": METRICS}),
    }
    for seed, precision in enumerate((0.5, 0.7)):
        config = profile("smoke", seed=seed, method="mdm-3d")
        found = {
            f"{asked}_{metric}": [precision, 0.1]
            for asked in ("corpus", "phrasing")
            for metric in ("r_precision_3", "tmr_r_precision_3")
        }
        rows[f"phrasings/{seed}"] = phrasings.row("hashed", config, "python", 1.0, found)
    for name, row in rows.items():
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(row))
    return tmp_path


def test_encoders_stand_in_their_order_and_the_best_is_bold(folder):
    rows = word_tables.find(folder, "words")
    table = str(word_tables.encoders(rows))
    assert table.index("hashed words") < table.index("minilm: the same beside hashed words")
    assert "**0.400 ± 0.01**" in table and "CLIP" not in table
    assert "17" in str(word_tables.costs(rows))


def test_what_is_missing_is_said(folder):
    assert word_tables.missing(word_tables.find(folder, "words")) == ["CLIP ViT-B/32: no weights"]


def test_shares(folder):
    table = str(word_tables.shares(word_tables.find(folder, "words")))
    assert "0.4" in table and "1.0" in table


def test_priors_of_several_seeds_are_one_row(folder):
    table = str(word_tables.priors(word_tables.find(folder, "phrasings")))
    assert table.count("hashed") == 2 and "never trained on" in table and table.count("0.600 ± ") == 4


def test_one_prior_has_no_interval(folder):
    table = str(word_tables.priors(word_tables.find(folder, "phrasings")[:1]))
    assert "0.500" in table and "±" not in table


def test_a_study_that_was_not_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no words in .*python -m videomdm.study.words"):
        word_tables.find(tmp_path, "words")
