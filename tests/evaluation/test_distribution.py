"""evaluation/distribution.py against scipy, prdc and slow references."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc

from videomdm.evaluation import distribution
from videomdm.evaluation.distribution import (
    diversity,
    fid,
    kid,
    multimodality,
    precision,
    recall,
    recall_dagger,
)


def features(n: int, width: int = 8, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(99))
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed)) @ mixing + shift


def slow_distances(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    a, b = a.double().numpy(), b.double().numpy()
    return np.array([[math.sqrt(((x - y) ** 2).sum()) for y in b] for x in a])


def slow_radii(x: torch.Tensor, k: int) -> np.ndarray:
    distances = slow_distances(x, x)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, k - 1]


class TestFid:
    def test_hand_computed_one_dimension(self):
        # variances 1 and 9, means 0 and 5: 5^2 + (3 - 1)^2
        real = torch.tensor([[-1.0], [0.0], [1.0]])
        assert fid(real, 3 * real + 5) == pytest.approx(25 + 4, abs=1e-12)

    def test_matrix_square_root(self):
        real, generated = features(300), 0.7 * features(200, seed=1, shift=0.3)
        a, b = (np.cov(x.double().numpy(), rowvar=False) for x in (real, generated))
        gap = (real.double().mean(0) - generated.double().mean(0)).square().sum()
        expected = float(gap) + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
        assert fid(real, generated) == pytest.approx(expected, rel=1e-10)

    @pytest.mark.parametrize("n", [20, 2000])  # fewer and more samples than channels
    def test_set_with_itself(self, n):
        x = features(n, width=64)
        assert abs(fid(x, x)) < 1e-13 * float(x.double().var(0).sum()) * 64

    def test_singular_covariances(self):
        # rank-one sets along the same axis and along perpendicular ones, in 5 dimensions
        line = torch.linspace(-1, 1, 11, dtype=torch.float64)
        along = torch.zeros(11, 5, dtype=torch.float64)
        along[:, 0] = line
        across = along.roll(1, dims=1)
        variance = float(line.var())
        assert fid(along, 3 * along) == pytest.approx(4 * variance, rel=1e-12)
        assert fid(along, across) == pytest.approx(2 * variance, rel=1e-12)
        assert fid(along, torch.zeros(4, 5)) == pytest.approx(variance, rel=1e-12)

    def test_symmetric_and_invariant_to_rotation(self):
        real, generated = features(50).double(), features(60, seed=3, shift=1).double()
        rotation = torch.linalg.qr(features(8, seed=5).double())[0]
        assert fid(real, generated) == pytest.approx(fid(generated, real), rel=1e-10)
        assert fid(real @ rotation, generated @ rotation) == pytest.approx(fid(real, generated), rel=1e-10)


class TestKid:
    @staticmethod
    def slow(real: torch.Tensor, generated: torch.Tensor, indices: tuple) -> np.ndarray:
        values = []
        for i, j in zip(*indices, strict=True):
            x, y = real.double().numpy()[i], generated.double().numpy()[j]
            m = len(x)
            within = 0.0
            for z in (x, y):
                kernel = (z @ z.T / z.shape[1] + 1) ** 3
                within += (kernel.sum() - np.trace(kernel)) / (m * (m - 1))
            values.append(within - 2 * ((x @ y.T / x.shape[1] + 1) ** 3).mean())
        return np.array(values)

    def test_given_indices(self, monkeypatch):
        monkeypatch.setattr(distribution, "BLOCK", 100)  # several blocks of rows
        real, generated = features(40), features(30, seed=1, shift=0.2)
        random = np.random.default_rng(0)
        indices = random.integers(40, size=(7, 25)), random.integers(30, size=(7, 25))
        expected = self.slow(real, generated, indices)
        mean, std = kid(real, generated, indices=indices)
        assert mean == pytest.approx(expected.mean(), rel=1e-10)
        assert std == pytest.approx(expected.std(), rel=1e-10)

    def test_unbiased(self):
        means = [
            kid(features(200, seed=s), features(200, seed=s + 50), 5, generator=torch.Generator().manual_seed(s))[0]
            for s in range(40)
        ]
        spread = np.std(means) / math.sqrt(len(means))
        shifted = kid(features(200), features(200, seed=1, shift=1.0), generator=torch.Generator().manual_seed(0))[0]
        # with replacement, repeated samples within a subset add a little to each within-set term
        assert -3 * spread < np.mean(means) < 0.2 * shifted

    def test_generator_repeats(self):
        draw = [kid(features(30), features(20, 8, 1), generator=torch.Generator().manual_seed(4)) for _ in "ab"]
        assert draw[0] == draw[1]


class TestPrecisionRecall:
    @pytest.mark.parametrize("k", [1, 3, 5])
    def test_brute_force(self, k, monkeypatch):
        monkeypatch.setattr(distribution, "BLOCK", 200)
        real, generated = features(60), features(45, seed=1, shift=0.8)
        cross = slow_distances(real, generated)
        inside_generated = cross <= slow_radii(generated, k)[None, :]
        inside_real = cross <= slow_radii(real, k)[:, None]
        assert recall(real, generated, k) == pytest.approx(inside_generated.any(1).mean())
        assert precision(real, generated, k) == pytest.approx(inside_real.any(0).mean())
        assert recall_dagger(real, generated, k) == pytest.approx(inside_real.any(1).mean())
        assert 0 < recall_dagger(real, generated, k) < 1

    def test_agrees_with_prdc(self):
        real, generated = features(150), features(120, seed=2, shift=0.5)
        expected = compute_prdc(real.double().numpy(), generated.double().numpy(), nearest_k=3)
        assert precision(real, generated) == pytest.approx(expected["precision"])
        assert recall(real, generated) == pytest.approx(expected["recall"])
        assert recall_dagger(real, generated) == pytest.approx(expected["coverage"])

    def test_one_outlier_fools_recall_only(self):
        real = features(100)
        generated = torch.cat([features(50, seed=1) + 100, features(50, seed=2) - 100])
        generated[0] = 0  # far from its neighbours, so with a ball that holds all real samples
        assert recall(real, generated) == 1
        assert recall_dagger(real, generated) < 0.2

    def test_duplicates(self):
        # a collapsed generator that repeats one real sample: radius 0, which holds exactly that sample
        real = features(10) + 1000
        generated = real[:1].repeat(6, 1)
        assert recall(real, generated) == pytest.approx(1 / 10)
        assert precision(real, generated) == 1

    @settings(max_examples=20, deadline=None)
    @given(n=st.integers(5, 40), seed=st.integers(0, 1000))
    def test_set_with_itself_is_covered(self, n, seed):
        x = features(n, width=3, seed=seed)
        assert precision(x, x) == recall(x, x) == recall_dagger(x, x) == 1


class TestDiversity:
    def test_given_indices(self):
        x = torch.tensor([[0.0, 0], [3, 4], [6, 8]])
        assert diversity(x, indices=([0, 1, 2], [1, 1, 0])) == pytest.approx((5 + 0 + 10) / 3)

    def test_expectation(self):
        x = features(400)
        own = (slow_distances(x, x)).mean()
        assert diversity(x, 400, generator=torch.Generator().manual_seed(0)) == pytest.approx(own, rel=0.05)

    def test_multimodality_uses_the_same_pairs_for_every_text(self):
        x = torch.zeros(2, 3, 1)
        x[0, :, 0] = torch.tensor([0.0, 1, 3])
        x[1, :, 0] = torch.tensor([0.0, 10, 30])
        assert multimodality(x, indices=([0, 1], [2, 2])) == pytest.approx((3 + 2 + 30 + 20) / 4)

    def test_multimodality_of_one_answer_is_zero(self):
        assert multimodality(features(5)[:, None].repeat(1, 12, 1)) == 0


class TestErrors:
    @pytest.mark.parametrize("metric", [fid, kid, precision, recall, recall_dagger])
    def test_sets(self, metric):
        good, nan = features(10), features(10)
        nan[3, 2] = float("nan")
        with pytest.raises(ValueError, match=r"generated: nan at \(3, 2\)"):
            metric(good, nan)
        with pytest.raises(ValueError, match="generated: width 5, expected 8"):
            metric(good, features(10, 5))
        with pytest.raises(ValueError, match=r"real: shape \(10,\)"):
            metric(good[:, 0], good)

    def test_too_few(self):
        with pytest.raises(ValueError, match="real: 1 samples, expected at least 2"):
            fid(features(1), features(5))
        with pytest.raises(ValueError, match="generated: 3 samples, expected more than k = 3"):
            recall(features(9), features(3))
        with pytest.raises(ValueError, match="real: 3 samples"):
            recall_dagger(features(3), features(9))
        with pytest.raises(ValueError, match="generated: 1 samples, expected at least 2"):
            kid(features(5), features(1))
        with pytest.raises(ValueError, match="10 samples, expected at least n_pairs = 300"):
            diversity(features(10))
        with pytest.raises(ValueError, match="4 samples, expected at least n_pairs = 10"):
            multimodality(features(8).reshape(2, 4, 8))

    def test_one_set(self):
        nan = features(12)
        nan[3, 2] = float("nan")
        with pytest.raises(ValueError, match=r"features: nan at \(3, 2\)"):
            diversity(nan, 5)
        with pytest.raises(ValueError, match=r"features: nan at \(1, 0, 2\)"):
            multimodality(nan.reshape(4, 3, 8), 2)

    def test_indices(self):
        with pytest.raises(ValueError, match=r"indices: 0\.\.12, expected within 0\.\.9"):
            diversity(features(10), indices=([0, 12], [1, 1]))
        with pytest.raises(ValueError, match="1 first and 2 second"):
            diversity(features(10), indices=([0], [1, 1]))
        with pytest.raises(ValueError, match="expected equal"):
            kid(features(10), features(10), indices=([[0, 1]], [[0, 1, 2]]))
