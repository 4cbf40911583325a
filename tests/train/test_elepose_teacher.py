"""ElePose's file as ``Config.data.lifter``: with a root path, and on centred pictures."""

import pytest
import torch

from videomdm.config import PROFILES
from videomdm.conventions import DataError
from videomdm.data import observations, procedural
from videomdm.lifters import teacher
from videomdm.lifters.elepose_network import ElePose
from videomdm.train import observe, provenance


@pytest.fixture
def config(tmp_path):
    return PROFILES["smoke"].but(n_clips=120, max_frames=44, runs=str(tmp_path / "runs"))


def network(path, **config) -> str:
    torch.manual_seed(0)
    ElePose(width=16, **config).save(path)
    return str(path)


@pytest.mark.slow
def test_with_a_root_path(config, tmp_path):
    file = network(tmp_path / "net.safetensors", skeleton="smpl22", bone_lengths=torch.full((21,), 0.2))
    corpus = observe.load(config, "val").select(range(2))
    plain, ours = (observe.observe(c, corpus, "truth", "val") for c in (config, config.but(lifter=file)))
    assert torch.equal(plain.keypoints, ours.keypoints)
    assert ours.teacher.isfinite().all() and not torch.allclose(plain.teacher, ours.teacher, atol=0.05)


def test_the_root_path_is_the_mean_bodys_whatever_depth_the_network_makes_up():
    corpus = procedural.generate(2, seed=0).cut(44)
    seen, found = observations.film(corpus, 0), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        lifter = ElePose("smpl22", width=16, bone_lengths=torch.full((21,), 0.12))
        assert lifter.root_bones.tolist() == pytest.approx([0.12] * 3)
        found.append(teacher.estimate(seen, lifter, progress=False))
    assert torch.allclose(found[0][:, :, 0], found[1][:, :, 0], atol=1e-5)
    assert not torch.allclose(found[0], found[1], atol=0.05)


def test_a_changed_file_is_another_teacher(config, tmp_path):
    file = network(tmp_path / "net.safetensors")
    before = provenance.seen(config.but(lifter=file))
    network(tmp_path / "net.safetensors", unit=1.5)
    assert len({before, provenance.seen(config.but(lifter=file)), provenance.seen(config)}) == 3


@pytest.mark.slow
def test_centred(config, tmp_path):
    centred = config.but(data="nba-like", method="videomdm-frame")
    tracks = observe.tracks(centred, "val").select(range(2))
    file = network(tmp_path / "net.safetensors", camera_distance=7.0)
    found = [observe.centred(c, tracks).teacher for c in (centred, centred.but(lifter=file))]
    network(tmp_path / "net.safetensors", camera_distance=7.0, unit=1.5)
    found.append(observe.centred(centred.but(lifter=file), tracks).teacher)
    assert not torch.allclose(found[0], found[1], atol=0.05)
    assert not torch.allclose(found[1], found[2], atol=1e-3)  # not the cached one


def test_nbas_results_are_no_lifter_of_other_data(config):
    with pytest.raises(DataError, match="lifter is 'elepose', expected procedural, real or the file"):
        observe.check(config.but(lifter="elepose"))
