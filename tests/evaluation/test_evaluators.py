"""The published evaluator as the first evaluator, from a folder as its authors' archives unpack to."""

import numpy as np
import pytest
import t2m_folder
import torch

from videomdm import features, train
from videomdm.conventions import DataError
from videomdm.evaluation import evaluators, protocol
from videomdm.train import observe

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    return t2m_folder.write(tmp_path / "t2m")


@pytest.fixture
def config(folder, tmp_path):
    return train.profile(
        "smoke", evaluator=str(folder), runs=str(tmp_path / "runs"), n_clips=200, evaluator_steps=2, repeats=1
    )


class TestPublished:
    def test_reads_motions_by_its_own_statistics_in_units_of_four(self, folder, config):
        evaluator = evaluators.evaluator(config)
        test = observe.load(config, "test")
        encoded = features.encode(features.hold_last(test.joints, test.lengths))
        mean, std = (torch.from_numpy(np.load(next(folder.rglob(f"{n}.npy")))) for n in ("mean", "std"))
        padded = torch.nn.functional.pad((encoded - mean) / std, (0, 0, 0, 4))
        rows = test.lengths - 1
        own = evaluator.network.encode_motions(padded, rows // 4 * 4)
        assert not torch.allclose(own, evaluator.network.encode_motions(padded, rows))
        torch.testing.assert_close(evaluator.joints(test.joints, test.lengths, test.skeleton), own)

    def test_reads_tagged_captions_by_their_tags_and_others_by_rule(self, folder):
        evaluator = evaluators.published(folder, {"somebody went": ("person/NOUN", "walk/VERB")})
        by_tag, tokens, by_rule = (
            evaluator.texts(["somebody went"]), evaluator.network.encode_texts([("person/NOUN", "walk/VERB")]),
            evaluators.published(folder, {}).texts(["somebody went"]),
        )  # fmt: skip
        assert torch.equal(by_tag, tokens) and not torch.allclose(by_tag, by_rule)
        assert torch.equal(evaluator.to("cpu").texts(["somebody went"]), by_tag)

    def test_is_the_first_evaluator_of_a_row_and_the_second_is_trained(self, config):
        row = protocol.evaluate(config, "real")
        assert row["evaluators"].split()[0] == evaluators.evaluator(config).digest
        assert [path.name.split("-")[0] for path in sorted(config.cache.glob("*-2.safetensors"))] == ["tmr"]
        assert row["fid"][0] != protocol.evaluate(config.but(evaluator=None), "real")["fid"][0]

    @pytest.mark.parametrize("part", ["finest.tar", "mean.npy", "our_vab_data.npy"])
    def test_missing_files_are_named(self, folder, part):
        next(folder.rglob(part)).unlink()
        with pytest.raises(DataError, match=part):
            evaluators.published(folder, {})

    def test_another_folder(self, tmp_path):
        with pytest.raises(DataError, match=r"no Comp_v6_KLD\*/meta, expected what the authors' archive t2m"):
            evaluators.published(tmp_path / "elsewhere", {})

    def test_humanml3d_brings_its_tags(self, folder, tmp_path):
        root = tmp_path / "humanml3d"
        (root / "texts").mkdir(parents=True)
        (root / "new_joints").mkdir()
        for split in ("train", "val", "test"):
            (root / f"{split}.txt").write_text("000001\n")
        (root / "texts" / "000001.txt").write_text("somebody goes.#person/NOUN walk/VERB#0.0#0.0\n")
        config = train.profile("smoke", data="humanml3d", data_root=str(root), evaluator=str(folder))
        assert evaluators.evaluator(config).tagged == {"somebody goes.": ("person/NOUN", "walk/VERB")}


def test_the_run_does_not_depend_on_the_evaluator(config):
    assert config.key() == config.but(evaluator=None).key()
