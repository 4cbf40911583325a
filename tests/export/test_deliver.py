"""What a run leaves for use elsewhere."""

import json

import numpy as np
import pytest
import torch

from videomdm import features, sample, train
from videomdm.data import bvh
from videomdm.export.deliver import deliver, write
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior
from videomdm.skeletons import SMPL22


@pytest.fixture(scope="module")
def prior():
    """An untrained prior: its motions are wild, which is the harder case for a file of a skeleton."""
    config = train.profile("smoke", n_steps=6, t_star=3)
    torch.manual_seed(0)
    normaliser = Normaliser(torch.zeros(263), torch.full((263,), 0.1))
    return Prior(sample.build_denoiser(config, 263, 512).eval(), normaliser, SMPL22, 20.0, config)


def test_arrays_and_bvh_agree_with_what_was_generated(prior, tmp_path):
    captions = ["A person walks!", "turns  around"]
    joints = deliver(prior, captions, tmp_path, seconds=2.0)
    assert joints.shape == (2, 40, 22, 3)
    arrays = np.load(tmp_path / "motions.npz")
    np.testing.assert_allclose(arrays["joints"], joints)
    np.testing.assert_allclose(features.decode(torch.from_numpy(arrays["features"])), joints, atol=1e-6)
    assert arrays["fps"] == 20 and str(arrays["units"]) == "metres" and list(arrays["captions"]) == captions
    files = sorted(tmp_path.glob("*.bvh"))
    assert [f.name for f in files] == [
        "00-a-person-walks-exact.bvh", "00-a-person-walks.bvh", "01-turns-around-exact.bvh", "01-turns-around.bvh",
    ]  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert list(report) == [files[1].name, files[0].name, files[3].name, files[2].name]
    for path, motion in zip(files, joints.repeat_interleave(2, dim=0), strict=True):
        read = bvh.read(path)
        error = (read.joints()[:, read.index(SMPL22.joints)] / 100 - motion).norm(dim=-1)
        exact = path.stem.endswith("-exact")
        assert [len(channels) for channels in read.channels] == [6] + 21 * [6 if exact else 3]
        assert error.max() < 0.01 or not exact
        own = report[path.name]
        assert own["max_mm"] == pytest.approx(1000 * float(error.max()), abs=0.1)
        assert own["mean_mm"] == pytest.approx(1000 * float(error.mean()), abs=0.1)
        at = error[own["frame"], SMPL22.index(own["joint"])]
        assert at == pytest.approx(float(error.max()), abs=1e-4)


@pytest.mark.parametrize("captions", ["a person walks", ["a person walks"], ("a person walks",)])
@pytest.mark.parametrize("as_text", [True, False])
def test_one_caption_and_a_folder_of_any_kind(prior, tmp_path, captions, as_text):
    folder = tmp_path / "deep" / "out.v1"
    assert deliver(prior, captions, str(folder) if as_text else folder, seconds=2.0).shape == (1, 40, 22, 3)
    assert {p.name for p in folder.iterdir()} == {
        "motions.npz", "report.json", "00-a-person-walks.bvh", "00-a-person-walks-exact.bvh",
    }  # fmt: skip


@pytest.mark.parametrize(
    "captions, expected",
    [
        (["", ""], ["00", "01"]), (["!?"], ["00"]), (["läuft", "歩く"], ["00-läuft", "01-歩く"]),
        (["a/b\\c:d"], ["00-a-b-c-d"]),
        (["same", "same"], ["00-same", "01-same"]), (["x" * 300], ["00-" + "x" * 60]),
    ],
)  # fmt: skip
def test_names_of_files(tmp_path, captions, expected):
    write(tmp_path, torch.zeros(len(captions), 3, 22, 3) + torch.arange(22)[:, None], captions)
    assert sorted(p.stem for p in tmp_path.glob("*.bvh") if not p.stem.endswith("-exact")) == expected
