import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm.diffusion import Diffusion, Multistep

F64 = torch.float64


def pair(seed=0, shape=(4, 6, 3), dtype=F64):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=dtype), torch.randn(shape, generator=g, dtype=dtype)


class TestSchedule:
    def test_cosine_by_definition(self):
        d = Diffusion(50)

        def signal(u):
            return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

        betas = [min(1 - signal((i + 1) / 50) / signal(i / 50), 0.999) for i in range(50)]
        np.testing.assert_allclose(d.betas.numpy(), betas, rtol=1e-12)
        np.testing.assert_allclose(d.alphas_cumprod.numpy(), np.cumprod(1 - np.array(betas)), rtol=1e-12)
        assert d.betas.dtype == F64 and float(d.betas[-1]) == 0.999

    def test_cosine_telescopes_to_its_signal(self):
        expected = [math.cos(((t + 1) / 50 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(49)]
        ratio = Diffusion(50).alphas_cumprod[:49].numpy() / np.array(expected)
        np.testing.assert_allclose(ratio, 1 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2, rtol=1e-10)

    def test_tau_is_a_power_of_the_signal(self):
        plain, half = Diffusion(50).alphas_cumprod, Diffusion(50, tau=0.5).alphas_cumprod
        torch.testing.assert_close(half[:49], plain[:49].sqrt())

    def test_linear_end_points(self):
        d = Diffusion(1000, "linear")
        assert d.betas[[0, -1]].tolist() == pytest.approx([1e-4, 0.02])
        assert Diffusion(50, "linear").betas[[0, -1]].tolist() == pytest.approx([2e-3, 0.4])
        assert float(Diffusion(5, "linear").betas[-1]) == 0.999

    @pytest.mark.parametrize("schedule", ["cosine", "linear"])
    @pytest.mark.parametrize("n_steps", [2, 10, 50, 1000])
    def test_signal_falls_to_almost_nothing(self, schedule, n_steps):
        d = Diffusion(n_steps, schedule)
        assert d.betas.shape == d.alphas_cumprod.shape == d.posterior_variance.shape == (n_steps,)
        assert ((d.betas > 0) & (d.betas <= 0.999)).all()
        assert (d.alphas_cumprod.diff() < 0).all() and d.alphas_cumprod[-1] < 1e-3
        assert d.posterior_variance[0] == 0 and (d.posterior_variance[1:] > 0).all()
        assert (d.posterior_variance <= d.betas).all()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n_steps": 1}, "n_steps is 1"),
            ({"schedule": "sigmoid"}, "'sigmoid'"),
            ({"tau": 0.0}, "tau is 0.0"),
            ({"schedule": "linear", "tau": 2.0}, "tau is 2.0 with the linear"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Diffusion(**arguments)


class TestSteps:
    d = Diffusion(50)

    def test_q_sample_by_hand(self):
        x0, noise = pair()
        a = float(self.d.alphas_cumprod[7])
        torch.testing.assert_close(self.d.q_sample(x0, 7, noise), math.sqrt(a) * x0 + math.sqrt(1 - a) * noise)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(0, 49), min_size=4, max_size=4), st.integers(-1, 49))
    def test_batched_steps_are_single_steps(self, ts, t_next):
        (x, x0), t = pair(), torch.tensor(ts)
        noise = torch.randn_like(x)
        several = (
            self.d.q_sample(x0, t, noise), self.d.predict_noise(x, x0, t), self.d.ddpm_step(x, x0, t, noise),
            self.d.ddim_step(x, x0, t, torch.full((4,), t_next)), self.d.posterior_mean(x, x0, t),
        )  # fmt: skip
        for i, ti in enumerate(ts):
            single = (
                self.d.q_sample(x0[i], ti, noise[i]), self.d.predict_noise(x[i], x0[i], ti),
                self.d.ddpm_step(x[i], x0[i], ti, noise[i]), self.d.ddim_step(x[i], x0[i], ti, t_next),
                self.d.posterior_mean(x[i], x0[i], ti),
            )  # fmt: skip
            for a, b in zip(several, single, strict=True):
                torch.testing.assert_close(a[i], b)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 49), st.integers(-1, 49))
    def test_ddim_with_the_true_x0_stays_on_the_diffusion_path(self, t, t_next):
        x0, noise = pair(t)
        x_t = self.d.q_sample(x0, t, noise)
        torch.testing.assert_close(self.d.predict_noise(x_t, x0, t), noise)
        expected = x0 if t_next == -1 else self.d.q_sample(x0, t_next, noise)
        torch.testing.assert_close(self.d.ddim_step(x_t, x0, t, t_next), expected)

    def test_ddim_steps_compose(self):
        x_t, x0 = pair()
        once = self.d.ddim_step(x_t, x0, 40, 3)
        twice = self.d.ddim_step(self.d.ddim_step(x_t, x0, 40, 17), x0, 17, 3)
        torch.testing.assert_close(once, twice)

    @pytest.mark.parametrize("t", [1, 2, 10, 49])
    def test_posterior_is_bayes_rule(self, t):
        """Product of the Gaussians q(x_{t-1} | x0) and q(x_t | x_{t-1}), by precision weighting."""
        x_t, x0 = pair()
        beta, before = float(self.d.betas[t]), float(self.d.alphas_cumprod[t - 1])
        precision = 1 / (1 - before) + (1 - beta) / beta
        mean = (math.sqrt(before) * x0 / (1 - before) + math.sqrt(1 - beta) * x_t / beta) / precision
        torch.testing.assert_close(self.d.posterior_mean(x_t, x0, t), mean)
        assert float(self.d.posterior_variance[t]) == pytest.approx(1 / precision)

    def test_ddpm_noise_has_the_posterior_variance_and_none_at_zero(self):
        x_t, x0 = pair()
        noise = torch.ones_like(x_t)
        t = torch.tensor([0, 1, 20, 49])
        added = self.d.ddpm_step(x_t, x0, t, noise) - self.d.posterior_mean(x_t, x0, t)
        torch.testing.assert_close(added[:, 0, 0].square(), self.d.posterior_variance[t])
        torch.testing.assert_close(self.d.ddpm_step(x_t, x0, 0, noise), x0)

    def test_ddpm_step_keeps_the_marginal(self):
        """q(x_t | x0), one ancestral step with the true x0, is q(x_{t-1} | x0)."""
        t = 30
        variance = float(self.d._mean_xt[t]) ** 2 * float(1 - self.d.alphas_cumprod[t])
        variance += float(self.d.posterior_variance[t])
        assert variance == pytest.approx(float(1 - self.d.alphas_cumprod[t - 1]))

    def test_dtype_follows_the_motion(self):
        for dtype in (torch.float32, torch.float64):
            x, x0 = pair(dtype=dtype)
            t = torch.tensor([0, 1, 20, 49])
            assert self.d.ddim_step(x, x0, t, t - 1).dtype == dtype
            assert self.d.ddpm_step(x, x0, t, x).dtype == dtype
        (x, x0), (x64, x064) = pair(dtype=torch.float32), pair(dtype=torch.float32)
        single = self.d.predict_noise(x, x0, 0)
        torch.testing.assert_close(
            single.double(), self.d.predict_noise(x64.double(), x064.double(), 0), atol=1e-4, rtol=1e-5
        )

    def test_gradcheck(self):
        x_t, x0 = (x.requires_grad_() for x in pair(shape=(2, 3)))
        t = torch.tensor([5, 30])
        noise = torch.ones(2, 3, dtype=F64)
        assert torch.autograd.gradcheck(lambda a, b: self.d.ddim_step(a, b, t, t - 3), (x_t, x0))
        assert torch.autograd.gradcheck(lambda a, b: self.d.ddpm_step(a, b, t, noise), (x_t, x0))

    @pytest.mark.parametrize("t", [-1, 50, torch.tensor([0, 50, 3, 3]), torch.tensor([0, -1, 3, 3])])
    def test_timestep_out_of_range(self, t):
        x, x0 = pair()
        for call in (self.d.q_sample, self.d.posterior_mean):
            with pytest.raises(ValueError, match=r"timestep (-1|50), expected 0 to 49"):
                call(x, t, x0) if call == self.d.q_sample else call(x, x0, t)
        with pytest.raises(ValueError, match="timestep -2, expected -1 to 49"):
            self.d.ddim_step(x, x0, 3, -2)


class TestTimesteps:
    @settings(max_examples=100, deadline=None)
    @given(st.integers(2, 1000), st.data())
    def test_evenly_spaced_from_the_last_step(self, total, data):
        n = data.draw(st.integers(1, total))
        steps = Diffusion(total, "linear").timesteps(n)
        assert len(steps) == n and steps[0] == total - 1 and (n == 1 or steps[-1] == 0)
        gaps = -np.diff(steps)
        assert n == 1 or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)

    def test_all_by_default(self):
        assert Diffusion(50).timesteps() == list(range(49, -1, -1))

    @pytest.mark.parametrize("n", [0, 51])
    def test_out_of_range(self, n):
        with pytest.raises(ValueError, match=f"n_steps is {n}"):
            Diffusion(50).timesteps(n)


def toy_denoiser(x, t):
    """A deterministic stand-in with a memory of x and t."""
    return torch.tanh(x) * (0.2 + 0.01 * t.reshape(-1, *(1,) * (x.ndim - 1)).to(x)) + 0.3


def test_step_whose_noise_hides_an_error():
    d = Diffusion(50)
    x = torch.ones(1, 1)
    for t in (3, 20, 40):
        noise_to_signal = d.q_sample(0 * x, t, x) / d.q_sample(x, t, 0 * x)
        assert d.step_of(float(noise_to_signal) * 0.999) == t
        assert d.step_of(float(noise_to_signal) * 1.001) == t + 1
    assert d.step_of(0.0) == 0 and d.step_of(1e9) == 50


class TestSample:
    d = Diffusion(20)

    @pytest.mark.parametrize("method", ["ddpm", "ddim"])
    def test_perfect_denoiser(self, method):
        x0 = pair(dtype=torch.float32)[0]
        out = self.d.sample(lambda x, t: x0, x0.shape, method=method)
        torch.testing.assert_close(out, x0)

    def test_perfect_denoiser_on_the_way(self):
        """With the true x0 every x_t of the ancestral chain is distributed as q(x_t | x0)."""
        seen = {}

        def denoise(x, t):
            seen[int(t[0])] = x
            return torch.full_like(x, 2.0)

        self.d.sample(denoise, (20_000, 1), generator=torch.Generator().manual_seed(0))
        assert sorted(seen) == list(range(20))
        for t in (0, 5, 12):
            a = float(self.d.alphas_cumprod[t])
            assert float(seen[t].mean()) == pytest.approx(2 * math.sqrt(a), abs=0.03)
            assert float(seen[t].std()) == pytest.approx(math.sqrt(1 - a), rel=0.03)

    def test_ddpm_against_a_slow_reference(self):
        shape = (2, 3)
        out = self.d.sample(toy_denoiser, shape, generator=torch.Generator().manual_seed(5))

        g = torch.Generator().manual_seed(5)
        betas = self.d.betas.numpy()
        abar = np.cumprod(1 - betas)
        x = torch.randn(shape, generator=g).double().numpy()
        for t in range(19, -1, -1):
            before = abar[t - 1] if t else 1.0
            x0 = toy_denoiser(torch.from_numpy(x), torch.full((2,), t)).numpy()
            mean = betas[t] * np.sqrt(before) / (1 - abar[t]) * x0
            mean += (1 - before) * np.sqrt(1 - betas[t]) / (1 - abar[t]) * x
            # variance "fixed small", its logarithm clipped at index 1, no noise at t = 0
            variance = [betas[s] * (1 - abar[s - 1]) / (1 - abar[s]) for s in (max(t, 1),)][0]
            noise = torch.randn(shape, generator=g).double().numpy()
            x = mean + (t > 0) * np.exp(0.5 * np.log(variance)) * noise
        np.testing.assert_allclose(out.numpy(), x, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("n", [20, 7, 1])
    def test_ddim_against_a_slow_reference(self, n):
        noise = pair(shape=(2, 3))[0]
        out = self.d.sample(toy_denoiser, (2, 3), method="ddim", n_steps=n, noise=noise)

        abar = np.append(self.d.alphas_cumprod.numpy(), 1.0)  # index -1 is "before 0"
        steps = [int(round(s)) for s in np.linspace(19, 0, n)] + [-1]
        x = noise.numpy()
        for t, t_next in zip(steps[:-1], steps[1:], strict=True):
            x0 = toy_denoiser(torch.from_numpy(x), torch.full((2,), t)).numpy()
            eps = (x - np.sqrt(abar[t]) * x0) / np.sqrt(1 - abar[t])
            x = np.sqrt(abar[t_next]) * x0 + np.sqrt(1 - abar[t_next]) * eps
        np.testing.assert_allclose(out.numpy(), x, rtol=1e-10)

    def test_reproducible(self):
        def run(seed, **options):
            return self.d.sample(toy_denoiser, (2, 3), generator=torch.Generator().manual_seed(seed), **options)

        assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))
        first = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
        from_noise = self.d.sample(toy_denoiser, (2, 3), method="ddim", noise=first)
        assert torch.equal(run(1, method="ddim"), from_noise)

    def test_project_takes_the_predictions_place(self):
        calls = []

        def project(x0, t):
            calls.append(t)
            return x0.round()

        options = {"method": "ddpm", "generator": torch.Generator().manual_seed(3)}
        hooked = self.d.sample(toy_denoiser, (2, 3), project=project, **options)
        options["generator"].manual_seed(3)
        inside = self.d.sample(lambda x, t: toy_denoiser(x, t).round(), (2, 3), **options)
        assert torch.equal(hooked, inside) and calls == list(range(19, -1, -1))
        assert all(type(t) is int for t in calls)

    def test_no_graph_is_kept(self):
        weight = torch.ones((), requires_grad=True)
        assert not self.d.sample(lambda x, t: x * weight, (2, 3)).requires_grad

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"method": "euler"}, "'euler'"),
            ({"n_steps": 5}, "ddpm takes every step down to 0"),
            ({"steps": [5, 4, 3]}, "ddpm takes every step down to 0"),
            ({"method": "ddim", "steps": [5, 5, 1]}, "expected descending"),
            ({"method": "ddim", "steps": []}, "expected descending"),
            ({"method": "ddim", "n_steps": 21}, "n_steps is 21"),
            ({"noise": torch.zeros(3, 2)}, r"\(3, 2\), expected \(2, 3\)"),
        ],
    )
    def test_bad_arguments(self, options, message):
        with pytest.raises(ValueError, match=message):
            self.d.sample(toy_denoiser, (2, 3), **options)


class TestMultistep:
    def test_the_papers_numbers(self):
        m = Multistep()
        assert (m.bucket_size, m.threshold, m.probability) == (4, 16, 16 / 50)
        wide = Multistep(t_star=24)
        assert (wide.bucket_size, wide.threshold) == (8, 32)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, 30), st.integers(2, 8))
    def test_threshold_covers_t_star(self, t_star, n_buckets):
        m = Multistep(1000, t_star, n_buckets)
        assert m.threshold >= t_star and (n_buckets - 1) * m.bucket_size >= t_star
        assert (n_buckets - 1) * (m.bucket_size - 1) < t_star or t_star == 0

    @pytest.mark.parametrize("m", [Multistep(), Multistep(t_star=24), Multistep(20, 5, 3)])
    def test_draws(self, m):
        g = torch.Generator().manual_seed(0)
        draws = [m.sample(64, g) for _ in range(2000)]
        low = [t for t in draws if len(t) > 1]
        high = torch.stack([t for t in draws if len(t) == 1])
        assert all(t.dtype == torch.int64 for t in draws)
        assert len(low) / 2000 == pytest.approx(m.probability, abs=0.04)
        assert high.shape[1:] == (1, 64) and set(high.unique().tolist()) == set(range(m.threshold, m.n_steps))
        low, b = torch.stack(low), m.bucket_size
        assert low.shape[1:] == (m.n_buckets, 64) and (low.diff(dim=1) < 0).all()
        for row in range(m.n_buckets):
            counts = low[:, row].flatten().bincount(minlength=m.n_steps)
            first = (m.n_buckets - 1 - row) * b
            assert counts[first : first + b].sum() == counts.sum()
            # uniform in its bucket, 5 standard deviations
            share = counts[first : first + b] / counts.sum()
            assert (share - 1 / b).abs().max() < 5 / math.sqrt(b * counts.sum())

    def test_samples_of_a_batch_draw_their_own_steps(self):
        g = torch.Generator().manual_seed(0)
        for _ in range(20):
            assert (m := Multistep().sample(256, g)).float().std(dim=1).min() > 0, m

    def test_sampling_walks_as_training_did(self):
        assert Multistep(50, 12, 4).steps == [*range(49, 15, -1), 14, 10, 6, 2]
        m = Multistep(50, 24, 4)
        low = torch.tensor(m.steps[-4:])
        drawn = torch.stack(
            [s for s in (m.sample(64, torch.Generator().manual_seed(i)) for i in range(40)) if len(s) == 4]
        )
        assert (drawn.amin((0, 2)) <= low).all() and (low <= drawn.amax((0, 2))).all()
        assert Multistep(50, 0).steps == list(range(49, -1, -1))

    def test_off(self):
        m, g = Multistep(t_star=0), torch.Generator().manual_seed(0)
        assert m.probability == 0 and m.threshold == 0
        draws = torch.cat([m.sample(64, g) for _ in range(50)])
        assert draws.shape == (50, 64) and set(draws.unique().tolist()) == set(range(50))

    def test_all_low(self):
        m = Multistep(16, 12, 4)
        assert m.probability == 1 and all(len(m.sample(3)) == 4 for _ in range(50))

    def test_reproducible(self):
        a, b = (Multistep().sample(8, torch.Generator().manual_seed(4)) for _ in range(2))
        assert torch.equal(a, b)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((50, 40, 4), "step 56.*50.*t_star = 40"),
            ((50, 12, 1), "n_buckets is 1"),
            ((50, -1, 4), "t_star -1"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Multistep(*arguments)

    def test_walk_down_with_a_perfect_denoiser_stays_on_the_path(self):
        """G.1's loop: predict, step to the next bucket with the implied noise, detached."""
        d, (x0, noise) = Diffusion(50), pair(shape=(8, 5))
        t = Multistep(t_star=12).sample(8, torch.Generator().manual_seed(2))
        while len(t) == 1:
            t = Multistep(t_star=12).sample(8)
        x_t = d.q_sample(x0, t[0], noise)
        for now, then in zip(t[:-1], t[1:], strict=True):
            x_t = d.ddim_step(x_t, x0, now, then)
        torch.testing.assert_close(x_t, d.q_sample(x0, t[-1], noise))
