"""What a run leaves for use elsewhere."""

import numpy as np
import pytest
import torch

from videomdm import features, train
from videomdm.data import bvh
from videomdm.export.deliver import deliver
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior
from videomdm.skeletons import SMPL22


@pytest.fixture(scope="module")
def prior():
    """An untrained prior: its motions are wild, which is the harder case for a file of a skeleton."""
    config = train.profile("smoke", n_steps=6, t_star=3)
    torch.manual_seed(0)
    normaliser = Normaliser(torch.zeros(263), torch.full((263,), 0.1))
    return Prior(train.build_denoiser(config, 263, 512).eval(), normaliser, SMPL22, 20.0, config)


def test_arrays_and_bvh_agree_with_what_was_generated(prior, tmp_path):
    captions = ["A person walks!", "turns  around"]
    joints = deliver(prior, captions, tmp_path, seconds=2.0)
    assert joints.shape == (2, 40, 22, 3)
    arrays = np.load(tmp_path / "motions.npz")
    np.testing.assert_allclose(arrays["joints"], joints)
    np.testing.assert_allclose(features.decode(torch.from_numpy(arrays["features"])), joints, atol=1e-6)
    assert arrays["fps"] == 20 and str(arrays["units"]) == "metres" and list(arrays["captions"]) == captions
    files = sorted(tmp_path.glob("*.bvh"))
    assert [f.name for f in files] == ["00-a-person-walks.bvh", "01-turns-around.bvh"]
    for path, motion in zip(files, joints, strict=True):
        read = bvh.read(path)
        found = read.joints()[:, read.index(SMPL22.joints)] / 100
        assert (found - motion).norm(dim=-1).max() < 0.01
