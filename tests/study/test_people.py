"""The page on real people, from result files."""

import json
from pathlib import Path

import pytest

from videomdm.study import people, real_people, results

ERRORS = {"mpjpe": 100.0, "pa_mpjpe": 80.0, "up": 4.0, "acceleration": 3.0}


@pytest.fixture
def found(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    about = {"data": {"source": "procedural"}, "method": "videomdm", "profile": "smoke", "seed": 0}
    (run / "config.json").write_text(json.dumps(about))
    worse = ERRORS | {"mpjpe": 120.0}
    lifted = {"teacher": ERRORS, "prior": ERRORS | {"pa_mpjpe": 70.0}}
    parts = {
        ("lift", "new"): {"balance": lifted | {"delivered": lifted["prior"]}},
        ("lift", "old"): {"balance": {"teacher": ERRORS, "prior": worse, "delivered": worse}},
        ("keep", "laptop"): {"cmu": {"0": ERRORS, "24": worse}, "bandai": {"0": worse, "24": worse}},
        ("choose", "laptop"): {
            "cmu": {"teacher": worse, "fitted": ERRORS, "0.1 0.0": ERRORS, "0.1 1.0": worse, "1.0 0.0": ERRORS},
            "first": 0.1, "share": 0.0,
        },
    }  # fmt: skip
    for (part, row), metrics in parts.items():
        real_people.write(tmp_path, part, row, run, metrics, 1.0, "python -m x")
    return people.find(tmp_path)


def test_parts_and_rows(found, tmp_path):
    assert {part: set(rows) for part, rows in found.items()} == {
        "lift": {"new", "old"}, "keep": {"laptop"}, "choose": {"laptop"},
    }  # fmt: skip
    with pytest.raises(FileNotFoundError, match="no real_people in"):
        people.find(tmp_path / "elsewhere")


def test_table_says_who_is_delivered(found):
    table = str(people.lifting_table(found, {"balance": "balance", "absent": "none"}))
    assert "| new, prior (delivered) | 100 / 70, 4° |" in table and "| new, teacher | 100 / 80, 4° |" in table
    assert "| old, prior (delivered) | 120 / 80, 4° |" in table and "absent" not in table


def test_better(found):
    assert people.better(found, "new", {"b": "balance"}) == {"b": True}
    assert people.better(found, "old", {"b": "balance"}) == {"b": False}


def test_fits_are_listed_and_shares_are_not(found):
    table = str(people.fits_table(found["choose"]["laptop"]))
    assert "| teacher | 120.0 / 80.0, 3.0 |" in table and "| fitted | 100.0 / 80.0, 3.0 |" in table
    assert "0.1" not in table


def test_plots_draw_every_line(found):
    (axis,) = people.keeping_plot(found).axes
    assert [line.get_label() for line in axis.lines] == ["cmu", "bandai"]
    assert list(axis.lines[0].get_ydata()) == [100, 120]
    (axis,) = people.choice_plot(found["choose"]["laptop"]).axes
    labels = [line.get_label() for line in axis.lines]
    assert labels == ["teacher", "fitted", "from 10 % of the steps", "from noise"]
    assert list(axis.lines[2].get_xdata()) == [0, 1]


def test_results_of_the_repository_are_read():
    folder = Path(__file__).parents[2] / "results"
    if not (folder / "real_people").is_dir():
        pytest.skip("no results of this study in the checkout")
    assert people.find(folder)["lift"], "old and new package side by side"


def test_recordings_of_which_nobody_knows_the_truth(tmp_path):
    with pytest.raises(FileNotFoundError, match="run python -m videomdm.study.recordings"):
        people.steadiness_table(tmp_path)
    (tmp_path / "recordings").mkdir()
    known = {"size": 1.5, "size_change": 0.25, "lean": 4.0, "lean_change": 2.0}
    row = dict.fromkeys(results.KEYS, "") | {"data": "walk", "metrics": {"prior": known}}
    (tmp_path / "recordings" / "walk.json").write_text(json.dumps(row))
    table = str(people.steadiness_table(tmp_path)).splitlines()
    assert table[-1] == "| walk | 1.50 | 0.250 | 4.00 | 2.00 |"
