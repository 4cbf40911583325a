"""evaluation/measures.py: what is kept of a motion, and what sets of measured motions say."""

import math

import pytest
import torch

from videomdm.data import procedural
from videomdm.evaluation import distribution, measures, motion, pose
from videomdm.skeletons import SMPL22


class FirstFrames:
    """An evaluator that embeds motions as some of their features, and captions by what they say."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def motions(self, encoded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return encoded[:, 3, :6] * (10 if self.prefix else 1)

    def texts(self, captions: list[str]) -> torch.Tensor:
        return torch.tensor([[float(caption)] for caption in captions])


@pytest.fixture(scope="module")
def corpus():
    return procedural.load("train", n_clips=30, seed=0, max_frames=44)


def measured(corpus, evaluators=None):
    return measures.measure(corpus.joints, corpus.lengths, SMPL22, corpus.fps, evaluators or [FirstFrames()])


class TestMeasure:
    def test_a_row_per_motion_whatever_the_batch(self, corpus):
        together = measured(corpus)
        assert all(len(value) == len(corpus) for value in together.values())
        pieces = [measured(corpus.select(rows)) for rows in (range(5), range(5, len(corpus)))]
        joined = measures.join(pieces)
        for name, value in measures.select(together, slice(None)).items():
            torch.testing.assert_close(joined[name], value, equal_nan=True, atol=1e-5, rtol=1e-5)

    def test_values_are_those_of_the_metrics(self, corpus):
        found = measured(corpus)
        clip, n = corpus.clip(2)[None], int(corpus.lengths[2])
        assert found["path_length"][2] == pytest.approx(float(motion.path_length(clip)))
        assert found["jitter"][2] == pytest.approx(float(pose.jitter(clip, corpus.fps)))
        heights = found["root_height"][2]
        assert torch.equal(heights[:n], clip[0, :, 0, 1]) and heights[n:].isnan().all()
        means = measures.motion_metrics(found, found)
        assert means["skating"] == pytest.approx(float(motion.skating_ratio(corpus.joints, corpus.lengths)))

    def test_generated_features_are_embedded_as_they_are(self, corpus):
        raw = torch.randn(len(corpus), 43, 263)
        found = measures.measure(corpus.joints, corpus.lengths, SMPL22, 20.0, [FirstFrames()], raw)
        assert torch.equal(found["raw_embedding"], raw[:, 3, :6])


class TestSets:
    def test_root_heights(self):
        nan = math.nan
        still = {
            name: torch.zeros(2) for name in ("skating", "bone_deviation", "acceleration", "jitter", "path_length")
        }
        real = {**still, "root_height": torch.tensor([[0.9, 1.0, 1.1], [1.0, nan, nan]])}
        given = {**still, "root_height": torch.tensor([[1.1, 1.0, nan], [1.2, 1.1, nan]])}
        found = measures.motion_metrics(real, given)
        assert found["root_height"] == pytest.approx(1.1)
        assert found["root_height_std"] == pytest.approx((0.02 / 3) ** 0.5, rel=1e-5)
        assert found["root_height_distance"] == pytest.approx(100, rel=1e-5)  # each rank is 0.1 m higher

    def test_every_evaluator_and_the_distances_of_the_first(self, corpus):
        evaluators = [FirstFrames(), FirstFrames("tmr_")]
        real, given = (measured(corpus.select(r), evaluators) for r in (range(12), range(12, 24)))
        found = measures.distribution_metrics(real, given, evaluators, seed=3)
        assert found["fid"] == distribution.fid(real["embedding"], given["embedding"])
        assert found["tmr_fid"] == pytest.approx(100 * found["fid"], rel=1e-4)
        assert found["tmr_fid_percent"] == pytest.approx(found["fid_percent"], rel=1e-4)
        generator = torch.Generator().manual_seed(3)
        assert (found["kid"], found["kid_std"]) == distribution.kid(
            real["embedding"], given["embedding"], generator=generator
        )
        assert found["recall_dagger"] == distribution.recall_dagger(real["embedding"], given["embedding"])
        assert "fid_raw" not in found and "tmr_kid" not in found
        same = measures.distribution_metrics(real, {**real, "raw_embedding": given["embedding"]}, evaluators, seed=0)
        assert same["precision"] == same["recall"] == same["recall_dagger"] == 1
        assert same["fid_raw"] == found["fid"] and abs(same["fid"]) < 1e-6

    def test_texts(self):
        given = {"embedding": torch.arange(64.0)[:, None] + 0.25}
        captions = [str(i) for i in range(64)]
        found = measures.text_metrics(given, captions, [FirstFrames()], seed=0)
        assert found["r_precision_1"] == found["r_precision_3_unseen"] == 1
        assert found["mm_distance"] == pytest.approx(0.25)
        known = measures.text_metrics(given, captions, [FirstFrames()], seed=0, trained=set(captions[:40]))
        assert "r_precision_3_unseen" not in known  # 24 captions fill no pool

    def test_multimodality_is_within_texts(self):
        per_text = torch.tensor([0.0, 100.0, 200.0])
        assert measures.multimodality({"embedding": per_text.repeat_interleave(12)[:, None]}, 3, seed=0) == {
            "multimodality": 0
        }
        assert measures.multimodality({"embedding": per_text.repeat(4)[:, None]}, 3, seed=0)["multimodality"] > 0
