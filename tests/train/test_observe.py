import pytest

from videomdm.config import profile
from videomdm.conventions import DataError
from videomdm.train import observe, provenance


def test_a_teacher_does_not_lift_whom_it_has_learned_from(cmu_folder, tmp_path):
    config = profile("smoke", data="humanml3d", data_root=str(cmu_folder), runs=str(tmp_path), lifter="real")
    corpus = observe.load(config, "train")
    with pytest.raises(DataError, match="lifter 'real' has learned from CMU's subjects 1, .*pass lifter='procedural'"):
        observe.observe(config, corpus, "truth")
    seen = observe.observe(config.but(lifter="procedural"), corpus, "truth")
    assert len(seen) == len(corpus)


def test_each_teacher_has_its_own_caches(tmp_path):
    config = profile("smoke", runs=str(tmp_path))
    assert provenance.seen(config) == provenance.seen(config.but(lifter="procedural"))
    assert provenance.seen(config) != provenance.seen(config.but(lifter="real"))
