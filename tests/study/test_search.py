"""The search for settings, on a made-up FID and, slowly, on real runs."""

import json
import math
from functools import partial

import optuna
import pytest
from filelock import FileLock, Timeout

from videomdm import train
from videomdm.command import main
from videomdm.conventions import DataError
from videomdm.study import search

pytestmark = pytest.mark.slow  # optuna and its database
BASE = train.profile("smoke")


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A world in which FID is lowest for t* = 20 and lambda_2D as it is, and a short stage only adds to it."""
    configs = []

    def evaluate(config, row, run):
        configs.append(config)
        off = math.log(config.optimiser.weights.reprojection / BASE.optimiser.weights.reprojection)
        short = BASE.optimiser.steps / config.optimiser.steps
        rest = {name: [0.5, 0.1] for name in search.CONFIRMED}
        return rest | {"fid_raw": [1 + (config.optimiser.t_star / 20 - 1) ** 2 + off**2 + 0.1 * short, 0.1]}

    def fit(config):
        folder = tmp_path / "runs" / config.folder.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    monkeypatch.setattr(search.train, "fit", fit)
    monkeypatch.setattr(search.protocol, "evaluate", evaluate)
    return configs


def found(path):
    return json.loads(path.read_text())


def test_a_search_nears_the_best_settings_on_validation_data(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(optuna.samplers, "TPESampler", partial(optuna.samplers.TPESampler, seed=0))
    result = found(search.search(BASE, tmp_path / "s.db", tmp_path / "s.json", 40))
    states = [t["state"] for t in result["trials"]]
    assert len(states) == 40 and states.count("pruned") > 5 and set(states) == {"complete", "pruned"}
    assert result["spread"][0] < 1.25 < result["spread"][2]
    assert abs(search.best(result)["t_star"] - 20) < 8
    assert result["importance"]["lambda_2d_times"] > result["importance"]["guidance"]
    assert {c.evaluation.split for c in asked} == {"val"}
    first, own = result["trials"][0]["settings"], BASE.optimiser
    assert (first["t_star"], first["n_buckets"], first["lr"]) == (own.t_star, own.n_buckets, own.lr), "the base itself"
    assert first["weights"] == vars(own.weights) and first["guidance"] == BASE.evaluation.guidance
    assert [t["number"] for t in result["trials"] if t["own"]] == [0]
    for trial in result["trials"]:
        assert len(trial["rungs"]) == (1 if trial["state"] == "pruned" else 2)


def test_a_search_goes_on_where_it_stopped(asked, tmp_path):
    storage, out = tmp_path / "s.db", tmp_path / "s.json"
    first = found(search.search(BASE, storage, out, 3))
    trials = found(search.search(BASE, storage, out, 5))["trials"]
    assert trials[:3] == first["trials"] and [t["number"] for t in trials] == list(range(5))
    calls = len(asked)
    assert found(search.search(BASE, storage, out, 5))["trials"] == trials and len(asked) == calls
    assert found(out)["trials"] == trials


def test_trials_are_marked_so_that_nobody_generates_with_them(asked, tmp_path):
    search.search(BASE, tmp_path / "s.db", tmp_path / "s.json", 4)
    runs = list((tmp_path / "runs").iterdir())
    assert len(runs) > 4
    assert {run.name for run in runs if not (run / "trial").exists()} == {BASE.folder.name}


def test_an_interrupted_base_is_measured_all_the_same(asked, tmp_path, monkeypatch):
    storage, out = tmp_path / "s.db", tmp_path / "s.json"

    def interrupted(config):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(search.train, "fit", interrupted)
        search.search(BASE, storage, out, 2)
    search.search(BASE, storage, out, 1)
    trials = found(search.search(BASE, storage, out, 3))["trials"]
    assert [t["number"] for t in trials] == [1, 2, 3], "the one interrupted is no trial"
    assert [t["own"] for t in trials] == [True, False, False], "begun anew, and once"
    assert trials[0]["settings"]["t_star"] == BASE.optimiser.t_star


def test_the_base_is_never_given_up(asked):
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=1))
    for _ in range(2):  # earlier trials that nothing is as good as
        trial = study.ask()
        for rung in range(len(search.RUNGS)):
            trial.report(0.0, rung)
        study.tell(trial, 0.0)
    with pytest.raises(optuna.TrialPruned):
        search.objective(BASE, "fid_raw", study.ask())
    search._enqueue_own(study, BASE)
    own = study.ask()
    assert search.objective(BASE, "fid_raw", own) > 1 and own.user_attrs["own"] and own.user_attrs["settings"]


def test_the_best_is_confirmed_with_other_seeds(asked, tmp_path):
    result = found(search.search(BASE, tmp_path / "s.db", tmp_path / "s.json", 3))
    asked.clear()
    own, best = search.confirm(BASE, result, 2).values()
    assert [config.seed for config in asked] == 2 * [BASE.seed + 1, BASE.seed + 2]
    assert {config.evaluation.split for config in asked} == {"val"}
    assert own["fid_raw"] == 2 * [result["trials"][0]["value"]] and best["fid_raw"] == 2 * [result["spread"][0]]


def test_going_on_keeps_what_was_confirmed(asked, tmp_path):
    storage, out = tmp_path / "s.db", tmp_path / "s.json"
    result = found(search.search(BASE, storage, out, 1))
    confirmed = search.confirm(BASE, result, 2)
    out.write_text(json.dumps(result | {"confirmed": confirmed}))
    result = found(search.search(BASE, storage, out, 2))
    assert result["confirmed"] == confirmed and len(result["trials"]) == 2


@pytest.mark.parametrize(
    ("other", "metric", "name"),
    [({"width": 16}, "fid_raw", "config"), ({"guidance": 1.0}, "fid_raw", "evaluation"), ({}, "fid", "objective")],
)
def test_another_search_leaves_a_result_as_it_is(asked, tmp_path, other, metric, name):
    out = tmp_path / "s.json"
    search.search(BASE, tmp_path / "s.db", out, 1, command="videomdm search")
    former = out.read_text()
    asked.clear()
    with pytest.raises(ValueError, match=rf"s\.json: holds a search with {name} .*\(it is of: videomdm search\)"):
        search.search(BASE.but(**other), tmp_path / "t.db", out, 1, metric=metric)
    assert out.read_text() == former and not asked


def test_a_result_that_does_not_say_its_base_confirms_nothing(asked, tmp_path):
    out = tmp_path / "s.json"
    out.write_text(json.dumps({"command": "videomdm search", "objective": "fid_raw", "confirmed": {"own": {}}}))
    assert "confirmed" not in found(search.search(BASE, tmp_path / "s.db", out, 1))


def test_a_damaged_result_is_named_before_any_trial(asked, tmp_path):
    (tmp_path / "s.json").write_text('{"command": ')
    with pytest.raises(DataError, match=r"s\.json: no JSON .*delete the file"):
        search.search(BASE, tmp_path / "s.db", tmp_path / "s.json", 1)
    assert not asked


def test_several_begin_one_after_the_other(asked, tmp_path, monkeypatch):
    """The file is made, and the base enqueued, by the first alone."""
    lock = tmp_path / "s.db.lock"

    def opened(*arguments):
        with pytest.raises(Timeout):
            FileLock(lock).acquire(blocking=False)
        return true_open(*arguments)

    true_open = search._open
    monkeypatch.setattr(search, "_open", opened)
    search.search(BASE, tmp_path / "s.db", tmp_path / "s.json", 1)
    with FileLock(lock).acquire(blocking=False):
        assert asked


def test_one_seed_confirms_nothing(asked, tmp_path, capsys):
    arguments = ["search", "--profile", "smoke", "--set", f"runs={tmp_path}", "--results", str(tmp_path)]
    assert main([*arguments, "--trials", "1", "--confirm", "1"]) != 0
    assert "--confirm is 1, expected at least 2 seeds" in capsys.readouterr().err and not asked


def test_every_trial_is_a_schedule_that_fits(asked, tmp_path):
    search.search(BASE, tmp_path / "s.db", tmp_path / "s.json", 30, sampler="random")
    for config in asked:
        assert 0 < config.multistep.threshold <= config.model.n_steps


def test_a_file_of_another_search_is_refused(asked, tmp_path):
    search.search(BASE, tmp_path / "s.db", tmp_path / "s.json", 1)
    with pytest.raises(ValueError, match=r"s\.db: holds a search with base"):
        search.search(BASE.but(width=16), tmp_path / "s.db", tmp_path / "t.json", 2)
    with pytest.raises(ValueError, match=r"s\.db: holds a search with evaluation"):
        search.search(BASE.but(guidance=1.0), tmp_path / "s.db", tmp_path / "t.json", 2)
    with pytest.raises(ValueError, match=r"sampler is 'grid', expected one of tpe, random"):
        search.search(BASE, tmp_path / "t.db", tmp_path / "s.json", 1, sampler="grid")
    with pytest.raises(ValueError, match="no complete trial"):
        search.best({"trials": []})


def test_the_command_trains_and_measures(tmp_path, capsys):
    arguments = [
        "search",
        "--profile",
        "smoke",
        "--set",
        f"runs={tmp_path}",
        "steps=3",
        "warmup_steps=2",
        "lift_samples=2",
    ]
    assert main([*arguments, "--trials", "1", "--search-sampler", "random", "--results", str(tmp_path)]) == 0
    (path,) = (tmp_path / "search").glob("*.json")
    trial = found(path)["trials"][0]
    assert trial["state"] == "complete" and len(trial["rungs"]) == 2 and math.isfinite(trial["value"])
    printed = json.loads(capsys.readouterr().out)
    assert printed == trial["settings"] and printed["t_star"] == BASE.optimiser.t_star
    assert str(tmp_path) not in path.read_text(), "no path of this machine"
    assert found(path)["command"].startswith("videomdm search --profile=smoke --set steps=3 warmup_steps=2")
