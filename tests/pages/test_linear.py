import pytest
import torch

from videomdm.diffusion import Diffusion, Multistep
from videomdm.pages.linear import LinearDenoiser

DIFFUSION = Diffusion(50)
NOISE = (1 / DIFFUSION.alphas_cumprod - 1).sqrt()


def scalar(error: float, scheme: Multistep | None = None, diffusion=DIFFUSION) -> LinearDenoiser:
    """Truth of variance 1, a teacher with an independent error."""
    one = torch.ones(1, 1)
    return LinearDenoiser.fit(diffusion, one, one * (1 + error**2), scheme)


def spread(denoiser: LinearDenoiser, method: str) -> float:
    return float(denoiser.sampled(method)[0].squeeze().sqrt())


def covariances(seed=0, size=3):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, size, size, generator=generator, dtype=torch.float64)
    return a @ a.T, a @ a.T + 0.3 * b @ b.T


class TestFit:
    @pytest.mark.parametrize("error", (0.0, 0.6))
    def test_scalar_gain_by_hand(self, error):
        gains = scalar(error).gains.squeeze() * DIFFUSION.alphas_cumprod.sqrt()
        torch.testing.assert_close(gains, 1 / (1 + error**2 + NOISE**2))

    def test_multistep_leaves_high_steps_alone_and_trusts_low_ones(self):
        scheme = Multistep(50, 12, 4)
        plain, multistep = scalar(0.6).gains.squeeze(), scalar(0.6, scheme).gains.squeeze()
        assert torch.equal(plain[12:], multistep[12:])
        assert (multistep[:12] > plain[:12]).all() and multistep[0] > 0.95 > 0.75 > plain[0]

    def test_gains_are_least_squares_on_the_walk_of_training(self):
        """Regress the truth on inputs made with the training loop's own draws."""
        cross, teacher = covariances()
        scheme = Multistep(50, 12, 4)
        exact = LinearDenoiser.fit(DIFFUSION, cross, teacher, scheme)
        generator = torch.Generator().manual_seed(1)
        n = 200_000

        def draw(covariance):
            normal = torch.randn(n, 3, generator=generator, dtype=torch.float64)
            return normal @ torch.linalg.cholesky(covariance).T

        x = draw(cross)
        y = x + draw(teacher - cross)
        while len(steps := scheme.sample(n, generator)) == 1:
            pass
        x_t = DIFFUSION.q_sample(y, steps[0], torch.randn(n, 3, generator=generator, dtype=torch.float64))
        for i, t in enumerate(steps):
            at = t == t.min()
            found = torch.linalg.lstsq(x_t[at], x[at]).solution.T
            torch.testing.assert_close(found, exact.gains[t.min()], atol=0.02, rtol=0)
            torch.testing.assert_close(x_t[at].T.cov(), exact.seen[t.min()], atol=0.1, rtol=0.03)
            if i + 1 < len(steps):
                x_t = DIFFUSION.ddim_step(x_t, exact(x_t, t), t, steps[i + 1])

    def test_bad_arguments(self):
        eye = torch.eye(2)
        with pytest.raises(ValueError, match=r"cross \(2, 2\) and teacher \(3, 3\)"):
            LinearDenoiser.fit(DIFFUSION, eye, torch.eye(3))
        with pytest.raises(ValueError, match="scheme for 20 steps"):
            LinearDenoiser.fit(DIFFUSION, eye, eye, Multistep(20, 3, 4))


class TestSampled:
    @pytest.mark.parametrize("method", ("ddim", "ddpm"))
    def test_truth_comes_back_with_many_steps(self, method):
        assert spread(scalar(0.0, diffusion=Diffusion(1000)), method) == pytest.approx(1, abs=3e-3)

    @pytest.mark.parametrize("method", ("ddim", "ddpm"))
    def test_it_is_what_the_sampler_does(self, method):
        denoiser = LinearDenoiser.fit(DIFFUSION, *covariances())
        generator = torch.Generator().manual_seed(0)
        samples = DIFFUSION.sample(denoiser, (100_000, 3), method=method, generator=generator)
        torch.testing.assert_close(samples.double().T.cov(), denoiser.sampled(method)[0], atol=0.05, rtol=0.03)

    def test_shrinkage_follows_the_power_law(self):
        """Nearly sigma^rho (sigma^2 + 1 + e^2)^(-(1 + rho)/2) at the last noise level: finer steps shrink more."""
        error, rho = 0.6, 0.36 / 1.36
        found, expected = [], []
        for n_steps in (1000, 4000):
            diffusion = Diffusion(n_steps)
            last = float((1 / diffusion.alphas_cumprod[0] - 1).sqrt())
            expected.append(last**rho * (last**2 + 1 + error**2) ** (-(1 + rho) / 2))
            found.append(spread(scalar(error, diffusion=diffusion), "ddim"))
        assert found == pytest.approx(expected, rel=0.04)
        assert found[1] / found[0] == pytest.approx(expected[1] / expected[0], rel=0.015)

    def test_mismatch_by_hand(self):
        denoiser = scalar(0.6)
        ratio = denoiser.sampled("ddim")[1:].squeeze() / denoiser.seen.squeeze()
        torch.testing.assert_close(denoiser.mismatch("ddim"), (ratio - 1 - ratio.log()) / 2)

    def test_multistep_lowers_the_mismatch(self):
        plain, multistep = (
            LinearDenoiser.fit(DIFFUSION, *covariances(), scheme).mismatch() for scheme in (None, Multistep(50, 12, 4))
        )
        assert (multistep[:12] < plain[:12]).all() and multistep[0] < 0.6 * plain[0]

    def test_unknown_method(self):
        with pytest.raises(ValueError, match="'euler'"):
            scalar(0.0).sampled("euler")
