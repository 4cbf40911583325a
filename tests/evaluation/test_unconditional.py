"""evaluation/unconditional.py: azimuths, what is projected, equal sets, repeats, metrics against known sets."""

import math

import pytest
import torch

from videomdm.data import nba
from videomdm.data.tracks import Statistics
from videomdm.evaluation import distribution, unconditional
from videomdm.evaluation.motion_vae import MotionVAE
from videomdm.evaluation.unconditional import Motions, PlanarEvaluator, draw_azimuths, evaluate, metrics


class Recording(MotionVAE):
    """Embeds a motion by its first frame's first two joints, and keeps what it was given."""

    def embeddings(self, keypoints, lengths, batch_size=256):
        self.given = keypoints
        return keypoints[:, 0, :2].flatten(1)


@pytest.fixture
def evaluator() -> PlanarEvaluator:
    statistics = Statistics(torch.full((16, 2), 0.5), torch.full((16, 2), 2.0))
    return PlanarEvaluator(Recording(16, 8, 1, 2, 8), statistics)


def seed(n: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def motions(n: int, dimensions: int, s: int = 0) -> Motions:
    return Motions(torch.randn(n, 6, 16, dimensions, generator=seed(s)), torch.full((n,), 6))


class TestAzimuths:
    @pytest.mark.parametrize(
        ("mode", "least", "most"),
        [("uniform", -math.pi, math.pi), ("side", math.pi / 2, math.pi / 2), ("hybrid", math.pi / 4, 3 * math.pi / 4)],
    )
    def test_range(self, mode, least, most):
        drawn = draw_azimuths(2000, mode, seed())
        assert least - 1e-6 <= drawn.min() and drawn.max() <= most + 1e-6
        assert drawn.max() - drawn.min() >= 0.99 * (most - least)
        assert drawn.mean().item() == pytest.approx((least + most) / 2, abs=0.1)

    def test_unknown(self):
        with pytest.raises(ValueError, match="'front', expected one of uniform, side, hybrid"):
            draw_azimuths(3, "front", seed())


class TestEmbeddings:
    def test_3d_is_filmed_and_normalised(self, evaluator):
        given = motions(5, 3)
        evaluator.embeddings(given, "side", seed())
        seen, _ = nba.camera(5, math.pi / 2).project(given.points)
        expected = (seen * seen.new_tensor((7 / 0.75, -7 / 0.75)) - 0.5) / 2
        assert torch.allclose(evaluator.network.given, expected, atol=1e-5)

    def test_each_motion_has_its_own_azimuth(self, evaluator):
        same = Motions(motions(1, 3).points.expand(6, -1, -1, -1), torch.full((6,), 6))
        embedded = evaluator.embeddings(same, "uniform", seed())
        assert (torch.pdist(embedded) > 1e-3).all()

    def test_2d_is_only_normalised(self, evaluator):
        given = motions(3, 2)
        evaluator.embeddings(given, "uniform", seed())
        assert torch.allclose(evaluator.network.given, evaluator.statistics.normalise(given.points))


class TestMetrics:
    def test_are_those_of_distribution(self):
        real, given = torch.randn(60, 4, generator=seed()), torch.randn(60, 4, generator=seed(1)) + 1
        found = metrics(real, given, seed=0)
        assert found["fid"] == pytest.approx(distribution.fid(real, given))
        for name in ("precision", "recall", "recall_dagger"):
            assert found[name] == pytest.approx(getattr(distribution, name)(real, given, 3))
        assert found == metrics(real, given, seed=0)

    def test_diversity_takes_200_pairs_where_there_are_as_many(self, monkeypatch):
        asked = []
        monkeypatch.setattr(distribution, "diversity", lambda _, n, generator: asked.append(n) or 0.0)
        for n in (40, 300):
            metrics(torch.randn(n, 3), torch.randn(n, 3), seed=0)
        assert asked == [39, 200]

    def test_a_set_and_itself(self):
        real = torch.randn(50, 3, generator=seed())
        found = metrics(real, real, seed=0)
        assert found["fid"] == pytest.approx(0, abs=1e-9)
        assert found["precision"] == found["recall"] == found["recall_dagger"] == 1

    def test_sizes_must_agree(self):
        with pytest.raises(ValueError, match="given: 4 motions, expected 5"):
            metrics(torch.randn(5, 2), torch.randn(4, 2), seed=0)


class TestEvaluate:
    def test_repeats(self, evaluator, monkeypatch):
        monkeypatch.setitem(unconditional.PROTOCOLS, "tiny", unconditional.MotionProtocol(samples=30, repeats=3))
        real, asked = motions(40, 2), []
        lengths = torch.arange(40) % 6 + 1
        real = Motions(real.points, lengths)

        def make(repeat: int, wanted: torch.Tensor) -> Motions:
            asked.append(wanted)
            return Motions(motions(len(wanted), 3, s=repeat).points, wanted)

        found = evaluate(evaluator, real, make, "tiny")
        assert [len(wanted) for wanted in asked] == [30, 30, 30]
        assert not torch.equal(asked[0], asked[1])
        assert sorted(torch.cat(asked).unique().tolist()) == [1, 2, 3, 4, 5, 6]
        assert set(found) == {"fid", "kid", "diversity", "precision", "recall", "recall_dagger"}
        assert all(width > 0 for _, width in (found["fid"], found["diversity"]))
        assert found == evaluate(evaluator, real, make, "tiny")

    def test_small_test_split(self, evaluator):
        real = motions(12, 2)
        found = evaluate(evaluator, real, lambda _, wanted: Motions(real.points[: len(wanted)], wanted), "quick")
        assert found["recall_dagger"] == [1.0, 0.0]

    def test_unknown_protocol(self, evaluator):
        with pytest.raises(ValueError, match="'long', expected one of quick, mas, full"):
            evaluate(evaluator, motions(9, 2), lambda *_: motions(9, 2), "long")

    def test_draw(self):
        given = motions(9, 2)
        drawn = given.draw(9, seed(3))
        assert sorted(drawn.points[:, 0, 0, 0].tolist()) == sorted(given.points[:, 0, 0, 0].tolist())
        with pytest.raises(ValueError, match="10 motions asked for, expected at most 9"):
            given.draw(10, seed())
