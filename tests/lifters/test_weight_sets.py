import json
import shutil

import pytest

from videomdm.config import STAGES
from videomdm.conventions import LIFTERS, DataError
from videomdm.lifters import teacher, weight_sets
from videomdm.lifters.weight_sets import SETS, WeightSet, check_unseen


@pytest.fixture
def seen_one(tmp_path) -> WeightSet:
    """Weights that learned from CMU's subject 1."""
    for network in ("lifter", "trajectory"):
        about = {"trained_on": {"procedural": ["teacher"], "cmu": [1]}}
        (tmp_path / f"{network}.json").write_text(json.dumps(about))
    return WeightSet("mine", tmp_path)


@pytest.mark.parametrize("name", LIFTERS)
def test_shipped_sets_say_what_they_learned_from(name):
    assert SETS[name].trained_on["procedural"] == ["teacher"]
    assert ("cmu" in SETS[name].trained_on) == (name == "real")
    for network in ("lifter", "trajectory"):
        about = json.loads((SETS[name].folder / f"{network}.json").read_text())
        assert about["command"].startswith("python -m videomdm.") and about["metrics"]["prior family"]
        assert "bandai" not in json.dumps(about["trained_on"])
        assert (SETS[name].folder / f"{network}.safetensors").stat().st_size < 10e6
        if "cmu" in about["trained_on"]:
            assert "mocap.cs.cmu.edu" in about["licence"]


def test_weights_and_their_version_change_together():
    """A run's key holds the version, as it cannot hold what is read later: count it up with new weights."""
    versions = {2: "b7b906f1-s3-network-164c8065"}
    assert versions[STAGES["real_teacher"]] == teacher.version("network", SETS["real"])


def test_what_nobody_learned_from_may_be_lifted(seen_one):
    for source in ("procedural", "bandai", "fit3d"):
        check_unseen(seen_one, source, None)


def test_humanml3d_holds_cmu(seen_one, tmp_path):
    with pytest.raises(DataError, match="lifter 'mine' has learned from CMU.*of HumanML3D.*pass lifter='procedural'"):
        check_unseen(seen_one, "humanml3d", tmp_path)
    check_unseen(SETS["procedural"], "humanml3d", tmp_path)


def test_actors_who_were_seen_are_named(seen_one, cmu_folder):
    with pytest.raises(DataError, match="lifter 'mine' has learned from CMU's subjects 1, who are in .*'procedural'"):
        check_unseen(seen_one, "humanml3d", cmu_folder)
    check_unseen(SETS["procedural"], "humanml3d", cmu_folder)


def test_actors_who_were_held_out_may_be_lifted(seen_one, cmu_folder, tmp_path):
    held_out = tmp_path / "held_out"
    shutil.copytree(cmu_folder, held_out)
    for split in ("train", "val", "test"):
        names = (held_out / f"{split}.txt").read_text().split()
        (held_out / f"{split}.txt").write_text("\n".join(n for n in names if not n.removeprefix("M").startswith("01")))
    check_unseen(seen_one, "humanml3d", held_out)


def test_weights_that_do_not_say_are_refused(tmp_path):
    with pytest.raises(DataError, match="lifter.json.*expected 'trained_on'"):
        check_unseen(WeightSet("mute", tmp_path), "humanml3d", tmp_path)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="lifter is 'best', expected one of procedural, real"):
        weight_sets.loaded("best")
