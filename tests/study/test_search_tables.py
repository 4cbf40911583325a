"""Tables and figures of the page on settings, from a small made-up search."""

import json

import pytest

from videomdm.study import search_tables

PARAMETERS = {
    "t_star_share": 0.48, "n_buckets": 4, "lambda_2d_times": 1.0, "lambda_vel_times": 1.0, "lr_times": 1.0,
    "guidance": 2.5,
}  # fmt: skip
NAME = "videomdm on bandai (laptop, tpe)"


def trial(number, rungs, value=None, own=False, **changes):
    state = "pruned" if value is None else "complete"
    return {
        "number": number, "state": state, "own": own, "parameters": PARAMETERS | changes, "settings": {},
        "rungs": rungs, "value": value,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    trials = [
        trial(1, [20.0], guidance=1.5), trial(2, [9.0, 4.0], 4.0, own=True), trial(3, [7.0, 3.25], 3.25, n_buckets=6),
    ]  # fmt: skip
    seeds = {metric: [4.0, 5.0, 6.0] for metric in search_tables.MEASURES}
    one = {
        "method": "videomdm", "data": "bandai", "profile": "laptop", "sampler": "tpe", "objective": "fid_raw",
        "trials": trials, "importance": {"n_buckets": 0.75, "guidance": 0.25}, "spread": [3.25, 4.0, 4.0],
        "confirmed": {"own": seeds, "best": {m: [1.0, 1.0, 1.0] for m in seeds}},
    }  # fmt: skip
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "one.json").write_text(json.dumps(one))
    return tmp_path


def test_a_search_is_told_in_numbers(folder):
    found = search_tables.find(folder)
    assert list(found) == [NAME]
    assert str(search_tables.spread(found)).endswith("| 3, 1 | 4.00 | 3.25 | 4.00 | 4.00 |")
    assert "| buckets | 0.750 |" in str(search_tables.importances(found))
    one = found[NAME]
    assert "| buckets | 4 | 6 |" in str(search_tables.settings(one))
    confirmed = str(search_tables.confirmed(one))
    assert "| in use, 3 seeds | 5.00 ± 2.5 |" in confirmed and "| best, 3 seeds | 1.00 ± 0 |" in confirmed


def test_figures_show_every_trial(folder):
    (one,) = search_tables.find(folder).values()
    complete, given_up, in_use, steps = search_tables.history(one).axes[0].lines
    assert list(complete.get_xdata()) == [2, 3] and list(complete.get_ydata()) == [4.0, 3.25]
    assert list(given_up.get_ydata()) == [20.0] and list(in_use.get_xydata()[0]) == [2, 4.0]
    assert list(steps.get_xdata()) == [1, 2, 3] and list(steps.get_ydata()[1:]) == [4.0, 3.25]
    guidance, rate = search_tables.sensitivity(one, "guidance", "lr_times").axes
    assert sorted(x for line in guidance.lines[:2] for x in line.get_xdata()) == [1.5, 2.5, 2.5]
    assert list(guidance.lines[-1].get_xdata()) == [2.5, 2.5], "in use"
    assert rate.get_xscale() == "log" and rate.get_xlabel().startswith("learning rate")


def labels(axes):
    return {line.get_label() for line in axes.lines}


def test_what_is_not_known_yet_is_left_out(folder):
    (one,) = search_tables.find(folder).values()
    used = one["trials"].pop(1)
    assert str(search_tables.spread({NAME: one})).endswith("| 2, 1 |  | 3.25 | 4.00 | 4.00 |")
    assert "| buckets |  | 6 |" in str(search_tables.settings(one))
    assert labels(search_tables.history(one).axes[0]) == {"complete", "given up after a third", "best so far"}
    (guidance,) = search_tables.sensitivity(one, "guidance").axes
    assert labels(guidance) == {"complete", "given up after a third"}
    one["trials"], one["spread"] = [one["trials"][0], used | {"state": "pruned", "value": None}], []
    assert str(search_tables.spread({NAME: one})).endswith("| 2, 2 |  |  |  |  |")
    assert "| buckets |  |  |" in str(search_tables.settings(one))
    search_tables.history(one).canvas.draw()
    assert labels(search_tables.sensitivity(one, "guidance").axes[0]) == {"given up after a third"}


def test_without_a_search_the_page_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="run videomdm search"):
        search_tables.find(tmp_path)
