"""Result files, and the pages made from them."""

import json
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from videomdm import study, train
from videomdm.config import STAGES
from videomdm.conventions import DataError
from videomdm.evaluation import protocol
from videomdm.evaluation.body_height import LEVELS, SIZES
from videomdm.evaluation.measures import mean_interval, seed_interval
from videomdm.methods import METHODS
from videomdm.study import goals, report, results

RESULTS = Path(__file__).parents[2] / "results"
METRICS = {
    "fid": [4.0, 0.2], "fid_raw": [5.0, 0.2], "tmr_fid": [2.0, 0.1], "acceleration": 3.0, "path_length": 1.0,
    "lift_truth_mpjpe": 50.0,
    "lift_truth_acceleration_error": 2.0,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    config = train.profile("smoke")
    worse = {**METRICS, "fid": [10.0, 1.0], "lift_truth_mpjpe": 90.0, "lift_truth_acceleration_error": 3.0}
    for row in ("videomdm", "mdm-3d", "real"):
        results.write(tmp_path, "s", config, "python -m x", 61.0, METRICS, row)
    for row in ("teacher", "mdm-teacher"):
        results.write(tmp_path, "s", config, "python -m x", 0.0, worse, row)
    return tmp_path


def test_a_result_explains_itself(folder):
    for result in results.read(folder, "s"):
        assert set(results.KEYS) <= set(result)
        assert "CPU cores" in result["machine"] or "NVIDIA" in result["machine"]
        assert set(result["versions"]) == {"videomdm", "torch", "numpy"}


def test_incomplete_results_are_named(folder):
    path = next((folder / "s").glob("*real*"))
    content = json.loads(path.read_text())
    del content["commit"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="real.*no commit"):
        results.read(folder, "s")


@pytest.mark.parametrize("content", [b"", b'{"study": "s", "da', b"[]", b"\xff"])
def test_damaged_results_are_named(folder, content):
    path = results.path(folder, "s", train.profile("smoke"), "real")
    path.write_bytes(content)
    for read in (lambda: results.read(folder, "s"), lambda: results.holds(path, train.profile("smoke"))):
        with pytest.raises(DataError, match=r"-real-s0\.json: .*expected the JSON of a result; delete the file"):
            read()


def test_a_file_holds_one_run_and_one_way_to_evaluate_it(tmp_path):
    config = train.profile("smoke")
    path = results.write(tmp_path, "s", config, "python -m x", 1.0, METRICS, "videomdm")
    assert results.holds(path, config) and not results.holds(path.with_name("other.json"), config)
    assert not results.holds(path, config.but(steps=11)) and not results.holds(path, config.but(sampler="ddpm"))


def test_interval():
    assert mean_interval([1.0, 3.0]) == pytest.approx([2.0, 1.96 * 2**0.5 / 2**0.5])
    assert mean_interval([5.0]) == [5.0, 0.0]


def test_interval_over_seeds_holds_the_mean_as_often_as_it_says():
    assert seed_interval([5.0]) == [5.0, 0.0]
    draws = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).tolist()
    held = sum(abs(mean) <= half for mean, half in map(seed_interval, draws)) / len(draws)
    assert held == pytest.approx(0.95, abs=0.012)


def test_a_named_protocol_has_its_own_file_and_label(folder):
    quick = train.profile("smoke", protocol="quick")
    path = results.write(folder, "s", quick, "python -m x", 1.0, {**METRICS, "protocol": "quick"}, "real")
    assert path.name == "procedural-smoke-real-s0-quick.json"
    _, corpora = report.find(folder, "s")
    assert set(corpora) == {"procedural (smoke)", "procedural (smoke, quick protocol)"}


def test_report_orders_rows_and_checks_goals(folder):
    found, corpora = report.find(folder, "s")
    (rows,) = corpora.values()
    assert list(rows) == ["real", "teacher", "mdm-3d", "mdm-teacher", "videomdm"]
    asked = str(goals.first_light(rows)).splitlines()
    met = {line.split("|")[1].strip(): line.split("|")[-2].strip() for line in asked[2:]}
    assert met["lifting MPJPE: teacher over videomdm"] == "yes"
    assert met["lifting acceleration error: teacher over videomdm"] == "yes"
    assert met["FID, joints anew: videomdm over mdm-teacher"] == "yes"
    assert met["FID, the paper's: videomdm over mdm-teacher"] == "no"  # the two readings may disagree
    assert "5" in str(report.table(rows, {"error": "lift_truth_mpjpe"}))
    assert "python -m x" in str(report.sources(found))
    with pytest.raises(FileNotFoundError, match=r"python -m videomdm\.study other"):
        report.find(folder, "other")


def test_goals_not_met_are_said(folder):
    _, corpora = report.find(folder, "s")
    (rows,) = corpora.values()
    rows["videomdm"] = {**METRICS, "fid": [9.9, 0.1], "acceleration": 0.9}
    asked = {
        line.split("|")[1].strip(): line.split("|")[-2].strip()
        for line in str(goals.first_light(rows)).splitlines()[2:]
    }
    assert asked["FID, joints anew: videomdm over mdm-teacher"] == "no"
    assert asked["generated acceleration: videomdm over real"] == "no"


def test_teachers_are_kept_apart(folder):
    other = train.profile("smoke", root_path="network")
    named = results.write(folder, "s", other, "python -m x", 1.0, {**METRICS, "fid": 1.0}, "mdm-teacher")
    assert named.name == "procedural-smoke-mdm-teacher-trajectory-s0.json"
    assert (
        results.path(folder, "s", train.profile("smoke"), "mdm-teacher").name == "procedural-smoke-mdm-teacher-s0.json"
    )
    real = train.profile("smoke", lifter="real")
    assert results.path(folder, "s", real, "teacher").name == "procedural-smoke-teacher-real-s0.json"
    both = results.path(folder, "s", real.but(root_path="network"), "teacher").name
    assert both == "procedural-smoke-teacher-real-trajectory-s0.json"
    found, corpora = report.find(folder, "s")
    assert [r.get("teacher") for r in found].count("trajectory") == 1
    assert corpora["procedural (smoke)"]["mdm-teacher"]["fid"] == [10.0, 1.0]
    assert corpora["procedural (smoke, trajectory teacher)"] == {"mdm-teacher": {**METRICS, "fid": 1.0, "seeds": "1"}}


def test_metrics_of_earlier_versions_are_read_by_their_names_of_today(tmp_path):
    earlier = {**METRICS, "learned_stature": 97.0, "lift_pnp_stature": 103.0}
    path = results.write(tmp_path, "s", train.profile("smoke"), "python -m x", 61.0, earlier)
    (read,) = results.read(tmp_path, "s")
    assert read["metrics"] == {**METRICS, "learned_body_height": 97.0, "lift_pnp_body_height": 103.0}
    assert "learned_stature" in path.read_text()


def test_results_on_a_former_built_in_corpus_are_kept_apart_and_said(folder):
    new = results.write(folder, "s", train.profile("smoke"), "python -m x", 1.0, METRICS, "real")
    assert json.loads(new.read_text())["corpus"] == STAGES["corpus"]
    assert report.corpus_note(results.read(folder, "s")) == ""
    old = next((folder / "s").glob("*videomdm*.json"))
    content = json.loads(old.read_text())
    del content["corpus"]
    old.write_text(json.dumps(content))
    found, corpora = report.find(folder, "s")
    assert list(corpora["procedural (smoke, version 1)"]) == ["videomdm"]
    assert "videomdm" not in corpora["procedural (smoke)"]
    note = report.corpus_note(found)
    assert note.startswith(f"1 of {len(found)} results were measured on version 1 ")


def test_a_study_with_another_teacher(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(protocol, "evaluate", lambda config, row, run: asked.append(config.data.root_path) or METRICS)
    arguments = ["t", "--profile", "smoke", "--rows", "teacher", "--root-path", "network", "--results", str(tmp_path)]
    assert study.main(arguments) == 0
    (path,) = (tmp_path / "t").glob("*.json")
    assert asked == ["network"] and path.name == "procedural-smoke-teacher-trajectory-s0.json"
    assert "--root-path network --seed 0 --rows teacher" in json.loads(path.read_text())["command"]


def test_people_of_a_uniform_skeleton_are_a_corpus_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(protocol, "evaluate", lambda config, row, run: METRICS)
    arguments = ["t", "--profile", "smoke", "--rows", "teacher", "--results", str(tmp_path)]
    assert study.main(arguments) == study.main([*arguments, "--skeleton", "uniform"]) == 0
    own, uniform = sorted((tmp_path / "t").glob("*.json"))
    assert uniform.name == "procedural-smoke-teacher-uniform-s0.json"
    assert "--skeleton uniform --seed 0 --rows teacher" in json.loads(uniform.read_text())["command"]
    assert json.loads(uniform.read_text())["config"] != json.loads(own.read_text())["config"]
    assert set(report.find(tmp_path, "t")[1]) == {"procedural (smoke)", "procedural (smoke, uniform skeleton)"}


@pytest.mark.parametrize(
    "name",
    (
        "table1/bandai-study-videomdm-s1",
        "table1/bandai-study-videomdm-trajectory-s0",
        "diversity/bandai-laptop-mdm-3d-s0",
        "sweeps/bandai-study-videomdm-camera-10.0-s0",
        "sweeps/bandai-study-mdm-teacher-error-0.5-s0",
        "ablations/bandai-study-videomdm-exact-s0",
    ),
)
def test_rows_that_were_measured_keep_their_keys(name):
    """Later choices must not make anybody train what was trained: a key changes where a stage does, on purpose."""
    result = json.loads((RESULTS / f"{name}.json").read_text())
    assert key_of_today(result) == result["config"]


def test_a_row_whose_stage_has_changed_is_of_the_former_version(monkeypatch):
    result = json.loads((RESULTS / "gap/bandai-study-videomdm-pnp-sized-round-1-s2.json").read_text())
    assert key_of_today(result) == result["config"]
    monkeypatch.setitem(STAGES, "place", 1)
    assert key_of_today(result) != result["config"]


def key_of_today(result):
    """Of the settings that a result's command names."""
    words = shlex.split(result["command"])
    told = {key[2:].replace("-", "_"): value for key, value in pairwise(words) if key.startswith("--")}
    root_path = told.get("root_path", "network" if told.get("teacher") == "trajectory" else "bones")
    config = train.profile(
        told["profile"], data=told["data"], seed=int(told["seed"]), precision=told.get("precision", "float32"),
        root_path=root_path, method=result["method"],
    )  # fmt: skip
    return results.key(config)


@pytest.mark.slow
def test_a_study_writes_one_file_per_row_and_does_not_repeat(tmp_path, monkeypatch):
    arguments = ["first", "--profile", "smoke", "--rows", "real", "--runs", str(tmp_path / "runs")]
    arguments += ["--results", str(tmp_path / "results")]
    assert study.main(arguments) == 0
    (path,) = (tmp_path / "results" / "first").glob("*.json")
    written = path.read_text()
    assert json.loads(written)["command"] == (
        "python -m videomdm.study first --profile smoke --data procedural --seed 0 --rows real"
    )
    monkeypatch.setattr(protocol, "evaluate", None)
    assert study.main(arguments) == 0
    assert path.read_text() == written


@pytest.mark.slow
def test_a_study_misses_its_test_clips_before_it_trains(cmu_folder, tmp_path, capsys):
    root = shutil.copytree(cmu_folder, tmp_path / "data")
    (root / "test.txt").write_text("absent")
    arguments = ["first", "--profile", "smoke", "--data", "humanml3d", "--data-root", str(root), "--rows", "mdm-3d"]
    arguments += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    assert study.main(arguments) != 0
    assert "new_joints/absent.npy" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_seeds_make_a_mean_and_an_interval(folder):
    other = {**METRICS, "fid": [6.0, 0.1], "note": "a word"}
    results.write(folder, "s", train.profile("smoke", seed=1), "python -m x", 61.0, other, "videomdm")
    _, corpora = report.find(folder, "s")
    (rows,) = corpora.values()
    assert rows["videomdm"]["fid"] == pytest.approx([5.0, 12.706], abs=1e-3)  # Student's t of one degree of freedom
    assert rows["videomdm"]["acceleration"] == [3.0, 0.0] and "note" not in rows["videomdm"]
    assert rows["real"]["fid"] == [4.0, 0.2]


def test_a_row_that_trains_nothing_keeps_its_interval_also_where_a_later_result_says_more(folder):
    later = {**METRICS, "recall_dagger": [0.5, 0.1]}
    results.write(folder, "s", train.profile("smoke", seed=1), "python -m x", 0.0, later, "real")
    (rows,) = report.find(folder, "s")[1].values()
    assert rows["real"]["fid"] == [4.0, 0.2] and "recall_dagger" not in rows["real"]


def test_every_seed_is_told(folder):
    other = {**METRICS, "fid": [6.0, 0.1]}
    results.write(folder, "s", train.profile("smoke", seed=1), "python -m x", 61.0, other, "videomdm")
    found, corpora = report.find(folder, "s")
    (name,) = corpora
    told = str(report.by_seed(found, name, "fid")).splitlines()
    assert told[0] == "|  | seed 0 | seed 1 |" and told[2:] == ["| videomdm | 4.00 | 6.00 |"]


def test_a_row_that_is_the_same_for_all_seeds_keeps_its_interval(folder):
    results.write(folder, "s", train.profile("smoke", seed=1), "python -m x", 0.0, METRICS, "real")
    (rows,) = report.find(folder, "s")[1].values()
    assert rows["real"]["fid"] == [4.0, 0.2]


def test_a_corpus_is_that_of_the_first_study_that_has_it(folder):
    for config in (train.profile("smoke", seed=1), train.profile("smoke", data="bandai")):
        results.write(folder, "more", config, "python -m x", 61.0, {**METRICS, "fid": 6.0}, "videomdm")
    found, corpora = report.find(folder, "s", "more")
    ours, theirs = corpora["procedural (smoke)"], corpora["bandai (smoke)"]
    assert ours == report.find(folder, "s")[1]["procedural (smoke)"] and theirs["videomdm"]["fid"] == 6.0
    assert [r["data"] for r in found if r["study"] == "more"] == ["bandai"]
    with pytest.raises(FileNotFoundError, match=r"python -m videomdm\.study other"):
        report.find(folder, "s", "other")


def test_rows_of_different_evaluators_are_not_compared(folder):
    config = train.profile("smoke")
    for row, evaluators in (("mdm-3d", "aa bb"), ("videomdm", "aa cc")):
        results.write(folder, "s", config, "python -m x", 0.0, {**METRICS, "evaluators": evaluators}, row)
    with pytest.raises(ValueError, match="mdm-3d was judged by aa bb, videomdm by aa cc; expected the same evaluators"):
        report.find(folder, "s")


def test_goals_of_table_1_name_the_best_and_leave_out_what_has_not_run(folder):
    config = train.profile("smoke")
    for row, fid in (("videomdm/round-1", 3.0), ("videomdm-pnp", 5.0), ("videomdm-frame", 5.5)):
        results.write(folder, "s", config, "python -m x", 0.0, {**METRICS, "fid": [fid, 0.1]}, row)
    _, corpora = report.find(folder, "s")
    (rows,) = corpora.values()
    lines = [[c.strip() for c in line.split("|")[1:-1]] for line in str(goals.table1(rows)).splitlines()[2:]]
    measured = {line[0]: (line[3], line[4]) for line in lines}
    anew = {goal.removeprefix("FID, joints anew"): found for goal, found in measured.items()}
    assert anew[": videomdm over mdm-teacher"] == ("0.400", "yes")
    assert anew[": the best from 2-D (videomdm/round-1) over mdm-3d"] == ("0.750", "yes")
    assert anew[" without true cameras (videomdm-pnp) over with (videomdm/round-1)"] == ("1.67", "no")
    del rows["mdm-teacher"]
    assert "mdm-teacher" not in str(goals.table1(rows))
    assert goals.table1({"real": METRICS, "teacher": METRICS}) is None


def test_a_study_by_name_has_its_rows():
    for rows in study.STUDIES.values():
        assert set(rows) <= set(study.ROWS) and len(set(rows)) == len(rows)
    assert "videomdm/no-depth" in study.STUDIES["ablations"] and "videomdm-pnp/round-1" in study.STUDIES["gap"]
    assert "mdm-teacher/error-0.5" in study.STUDIES["sweeps"]
    controls = study.STUDIES["controls"]
    methods = [METHODS[row] for row in controls if row in METHODS]
    assert all(method.warmup in methods for method in methods if method.frame)  # beside plain MDM on the same motions


def test_sizes_are_drawn_for_rows_that_have_them():
    sizes = {f"predicted_size_{level}": 100 - level / 10 for level in LEVELS}
    rows = {"mdm-3d": {**METRICS, **sizes}, "videomdm": METRICS}
    (axes,) = report.sizes_plot(rows, ("videomdm", "mdm-3d", "videomdm-pnp")).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mdm-3d"]
    assert axes.lines[0].get_ydata().tolist() == list(sizes.values())


def test_what_size_costs_is_drawn_beside_the_rows_of_that_size():
    cost = {
        f"{evaluator}fid_of_size_{size}": [1 + abs(size - 100) / 5, 0.1] for size in SIZES for evaluator in ("", "tmr_")
    }
    rows = {"real": METRICS | cost, "mdm-3d": METRICS | {"learned_body_height": 105.0, "predicted_size_50": 98.0}}
    rows["videomdm"] = METRICS
    for axes, fid in zip(report.size_costs_plot(rows).axes, (4.0, 2.0), strict=True):
        curve, (dot,) = axes.lines[0], [line for line in axes.lines if line.get_label() == "mdm-3d"]
        assert len(axes.lines) == 2 and curve.get_ydata().tolist() == [1 + abs(size - 100) / 5 for size in SIZES]
        assert dot.get_xydata().tolist() == [pytest.approx([102.9, fid])]


def test_sweeps_go_through_the_method_itself():
    rows = {name: {"fid": [fid, 0.1]} for name, fid in (
        ("real", 0.4), ("videomdm", 4.0), ("videomdm/error-1.5", 5.0), ("videomdm/error-0.0", 3.0),
        ("videomdm/camera-20.0", 6.0), ("mdm-teacher", 9.0),
    ) }  # fmt: skip
    errors, cameras_, keypoints = report.sweeps_plot({k: v for k, v in rows.items() if k != "real"}, "fid", "FID").axes
    (line,) = (c.lines[0] for c in errors.containers)
    assert line.get_xydata().tolist() == [[0.0, 3.0], [1.0, 4.0], [1.5, 5.0]]
    (line,) = (c.lines[0] for c in cameras_.containers)
    assert line.get_xydata().tolist() == [[0.0, 4.0], [20.0, 6.0]]
    assert not keypoints.containers
