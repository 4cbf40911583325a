"""Claims, the paper's and our own, and the rule that gives them a verdict."""

import json
import math
from itertools import chain
from pathlib import Path

import pytest

from videomdm.methods import METHODS
from videomdm.study import findings, reproduction, verdicts
from videomdm.study.verdicts import Claim, interval, ratios, verdict

OWN = {"gap": findings.GAP, "controls": findings.CONTROLS, "sweeps": findings.SWEEPS}

BELOW = Claim("Table 1", "a is below b", 0.5, ("a", "b"), at_most=1.0, studies=("first", "second"))


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({}, "not tried"),
        ({"x": [0.5]}, "rather yes"),
        ({"x": [0.5, 0.51]}, "rather yes"),  # two seeds are too few
        ({"x": [0.5, 0.51, 0.52]}, "holds"),
        ({"x": [0.2, 0.51, 1.9]}, "rather yes"),  # the interval crosses the limit
        ({"x": [1.5, 1.51, 1.52]}, "does not hold"),
        ({"x": [0.9, 1.0, 1.9]}, "rather no"),
        ({"x": [0.5, 0.51, 0.52], "y": [0.7]}, "rather yes"),
        ({"x": [0.5, 0.51, 0.52], "y": [1.1]}, "mixed"),
    ],
)
def test_verdict(measured, expected):
    assert verdict(BELOW, measured) == expected


def test_a_limit_from_below_is_the_mirror_of_one_from_above():
    above = Claim("Table 1", "a is above b", 2.0, ("a", "b"), at_least=1.0)
    for ratio in (0.5, 2.0):
        assert above.meets(ratio) == (not BELOW.meets(ratio))


def test_ratios_pair_seeds_and_take_the_first_study_that_has_the_corpus():
    found = {
        "first": {
            ("x", "a", 0): {"fid_raw": [2.0, 0.1], "mpjpe": 10.0}, ("x", "b", 0): {"fid_raw": 4.0, "absolute": 40.0},
            ("x", "a", 1): {"fid_raw": 3.0}, ("x", "b", 2): {"fid_raw": 9.0},
        },
        "second": {
            ("x", "a", 0): {"fid_raw": 8.0}, ("x", "b", 0): {"fid_raw": 1.0},
            ("y", "a", 0): {"fid_raw": 8.0}, ("y", "b", 0): {"fid_raw": 2.0},
        },
    }  # fmt: skip
    assert ratios(BELOW, found, "fid_raw") == {"x": [0.5], "y": [4.0]}
    assert ratios(BELOW, found, "mpjpe/absolute") == {"x": [0.25]}
    assert ratios(Claim("Table 3", "MAS"), found, "fid_raw") == {}


def test_interval_of_a_ratio_does_not_depend_on_which_row_is_above():
    mean, low, high = interval([0.4, 0.5, 0.8])
    assert low < mean < high and mean == pytest.approx(math.prod([0.4, 0.5, 0.8]) ** (1 / 3))
    assert interval([1 / 0.4, 1 / 0.5, 1 / 0.8]) == pytest.approx([1 / mean, 1 / high, 1 / low])
    assert interval([0.4]) == pytest.approx([0.4, 0.4, 0.4])


def test_every_claim_is_about_rows_that_studies_have():
    rows = {*METHODS, "teacher", "real", "elepose", verdicts.SEARCHED, verdicts.BEST}
    for claim in chain(reproduction.CLAIMS, *OWN.values()):
        assert claim.rows is None or set(claim.rows) <= rows, claim
        assert (claim.rows is None) == bool(claim.why), claim
        assert claim.rows is None or (claim.at_most is None) != (claim.at_least is None), claim


def test_results_at_hand_answer_every_claim_that_names_rows():
    found = verdicts.find(Path("results"), reproduction.sources())
    lines = str(verdicts.table(found, reproduction.CLAIMS)).splitlines()[2:]
    assert len(lines) == len(reproduction.CLAIMS)
    for claim, line in zip(reproduction.CLAIMS, lines, strict=True):
        assert ("**not tried**" in line) == (claim.rows is None), line
    assert len(str(verdicts.second_reading(found, reproduction.CLAIMS)).splitlines()) > 5


@pytest.mark.parametrize("study", OWN)
def test_results_at_hand_answer_every_claim_of_our_own(study):
    shown = str(verdicts.table(verdicts.find(Path("results"), [study]), OWN[study]))
    titles, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines()]
    assert titles == ["", "it says", "verdict", "limit", "here"]  # no column of the paper's
    assert len(lines) == len(OWN[study]) and all(line[2] != "**not tried**" and line[4] for line in lines)


def test_a_search_is_its_best_trial_and_the_upper_quartile_of_all(tmp_path):
    """Trials that were given up count with what they had reached."""
    reached = [[8.0, 2.0], [6.0, 3.0], [9.0], [5.0, 4.0], [20.0]]
    one = {"method": "videomdm", "data": "x", "profile": "p", "sampler": "tpe", "objective": "fid_raw",
           "trials": [{"rungs": rungs} for rungs in reached]}  # fmt: skip
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "a.json").write_text(json.dumps(one))
    found = verdicts.find(tmp_path, ["search"])
    (claim,) = (claim for claim in reproduction.CLAIMS if claim.where == "Appendix F")
    assert ratios(claim, found, claim.metric) == {"videomdm on x (p, tpe)": [9.0 / 2.0]}
    assert reproduction.sources([claim]) == {"search": "videomdm search"}
    others = {study: command for study, command in reproduction.sources().items() if study in ("table2", "cost")}
    assert others == {"table2": "python -m videomdm.study.table2", "cost": "python -m benchmarks.cost"}


@pytest.mark.parametrize(
    ("corpus", "short"),
    [
        ("bandai (study)", "bandai: 2.00"),
        ("bandai (study, trajectory teacher)", "bandai (trajectory teacher): 2.00"),
        ("nba-like of x (laptop, quick protocol, elepose teacher)", "nba-like of x (elepose teacher): 2.00"),
    ],
)
def test_a_corpus_is_named_without_what_all_have_in_common(corpus, short):
    found = {"first": {(corpus, "a", 0): {"fid_raw": 2.0}, (corpus, "b", 0): {"fid_raw": 1.0}}, "second": {}}
    assert f"| {short}" in verdicts.table(found, [BELOW])
