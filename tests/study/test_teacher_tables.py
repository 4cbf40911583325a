import json

import pytest

from videomdm.study import results, teacher_tables


def metrics(error: float) -> dict[str, float]:
    """Every metric that the tables read, all alike."""
    keys = [f"{c}_{k}" for c in teacher_tables.CORPORA for k in teacher_tables.FILMED.values()]
    keys += [f"balance_{s}_{k}" for s in teacher_tables.KEYPOINTS for k in teacher_tables.TRIAL.values()]
    angles = [f"standing_{v}_{j}" for v in teacher_tables.VIDEOS for j in ("knee", "hip")]
    return dict.fromkeys(keys, error) | dict.fromkeys(angles, 160.0) | {f"{a}_blazepose": 165.0 for a in angles}


@pytest.fixture
def folder(tmp_path):
    for name, split, error in (("procedural", "test", 90.0), ("real", "test", 47.0), ("real", "val", 1.0)):
        row = dict.fromkeys(results.KEYS) | {"data": split, "method": f"teacher-{name}", "metrics": metrics(error)}
        (tmp_path / "teachers").mkdir(exist_ok=True)
        (tmp_path / "teachers" / f"{name}-{split}.json").write_text(json.dumps(row))
    return tmp_path


def test_only_test_data_are_shown_side_by_side(folder):
    found = teacher_tables.find(folder)
    assert list(found) == ["procedural", "real"] and found["real"]["cmu_mpjpe"] == 47.0
    lines = str(teacher_tables.filmed(found)).splitlines()
    assert sum("CMU, other actors" in line for line in lines) == 2
    assert "90" in next(line for line in lines if "procedural" in line)
    assert "projected truth" in str(teacher_tables.trial(found)) and "165" in str(teacher_tables.standing(found))


def test_goals_say_what_was_missed(folder):
    lines = str(teacher_tables.goals(teacher_tables.find(folder)["real"])).splitlines()
    assert next(line for line in lines if "bandai" in line).split("|")[-2].strip() == "no"  # 47 of 46
    assert next(line for line in lines if "Procrustes" in line).split("|")[-2].strip() == "yes"
    assert sum("off by degrees" in line and "yes" in line for line in lines) == 6


def test_without_results_it_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="judge_teachers"):
        teacher_tables.find(tmp_path / "results")
