# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Multistep training
#
# A teacher makes mistakes.
# If the denoiser is trained to correct them at every noise level, its samples shrink: people who hardly walk,
# with arms that hardly swing.
# In the paper's ablation, taking multistep training away does more harm than anything else: FID goes from 1.05
# to 9.85, and diversity falls from 9.60 to 7.15 {cite:p}`videomdm`.
# This page shows the shrinkage in one dimension, derives it with pencil and paper, checks the result against
# the package's own sampler, and derives from the same formula where the threshold $t^*$ belongs.

# %%
import dataclasses
import math

import matplotlib.pyplot as plt
import sympy
import torch
from scipy.ndimage import gaussian_filter1d

from videomdm import features
from videomdm.config import PROFILES
from videomdm.data import observations, procedural
from videomdm.diffusion import Diffusion, Multistep
from videomdm.features.normaliser import Normaliser
from videomdm.lifters import teacher as teachers
from videomdm.pages.claims import Claims
from videomdm.pages.linear import LinearDenoiser
from videomdm.plots import keep, metrics_table, panels
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT, SERIES

claims = Claims()
diffusion = Diffusion(50)

# %% [markdown]
# ## A sampler that forgets
#
# Let a motion be a single number $x$, normally distributed with mean 0 and standard deviation $s = 1$.
# The teacher does not know $x$.
# It says $y = x + \epsilon$, with an error $\epsilon$ of standard deviation $e = 0.6$ that has nothing to do
# with $x$.
#
# As in the paper, training diffuses what the teacher said, and compares the prediction with the truth.
# (The truth comes in through keypoints, but on average over cameras the depth-weighted 2-D loss is the 3-D error.)
# For such data the best denoiser of all is linear, and {py:class}`videomdm.pages.linear.LinearDenoiser` computes it
# exactly.
# We make three: one trained on the truth, one on the teacher, and one on the teacher with multistep training,
# $t^* = 12$ and $N = 4$ buckets.


# %%
def toy(error, scheme=None, diffusion=diffusion):
    one = torch.ones(1, 1, dtype=torch.float64)
    return LinearDenoiser.fit(diffusion, cross=one, teacher=one * (1 + error**2), scheme=scheme)


scheme = Multistep(50, t_star=12, n_buckets=4)
denoisers = {
    "trained on the truth": toy(0.0),
    "on a teacher, one step": toy(0.6),
    "on a teacher, multistep": toy(0.6, scheme),
}


# %% [markdown]
# Each now samples with DDIM in 50 steps, from the same noise.


# %%
def trajectories(denoiser, n, method="ddim"):
    """What the sampler hands the denoiser, step by step, and the samples: (n, T + 1)."""
    met = []

    def denoise(x_t, t):
        met.append(x_t)
        return denoiser(x_t, t)

    last = diffusion.sample(denoise, (n, 1), method=method, generator=torch.Generator().manual_seed(0))
    return torch.cat([*met, last], dim=1)


# %%
figure, axes = panels(*denoisers, height=3.4, share_y=True)
for panel, denoiser in zip(axes, denoisers.values(), strict=True):
    paths = trajectories(denoiser, 20_000)
    panel.axhspan(-2, 2, color=GHOST, alpha=0.2, linewidth=0)
    panel.plot(range(49, -2, -1), paths[:60].T, color=LEFT, linewidth=0.7, alpha=0.6)
    panel.set(xlim=(49, -1), xlabel="step t", xticks=(49, 40, 30, 20, 10, 0))
    panel.text(0.97, 0.03, f"spread {paths[:, -1].std():.2f}", ha="right", transform=panel.transAxes, color=INK)
axes[0].set_ylabel("$x_t$")
keep(figure, "multistep_trajectories")

# %% [markdown]
# Sixty samples on their way from noise (left) to a motion (right); the grey band holds 95 % of the true motions.
# The denoiser in the middle has made no mistake that anyone could see in its loss: for the inputs that it was
# trained on no denoiser is better.
# Yet its samples have little more than a third of the spread they should have.
#
# ## One step: regression dilution
#
# Divide a diffused motion by $\sqrt{\bar\alpha_t}$, and it is the motion plus noise of standard deviation
#
# $$\sigma_t = \sqrt{(1 - \bar\alpha_t) / \bar\alpha_t}.$$ (eq:ms-sigma)
#
# What the denoiser is shown in training is the truth with *two* disturbances,
#
# $$z_t = x_t / \sqrt{\bar\alpha_t} = x + \epsilon + \sigma_t n.$$ (eq:ms-input)
#
# It cannot tell them apart.
# The best guess at $x$ is $g_t z_t$ with
#
# $$g_t = \frac{E[x z_t]}{E[z_t^2]} = \frac{s^2}{s^2 + e^2 + \sigma_t^2}.$$ (eq:ms-gain)
#
# Statisticians know this as *regression dilution*: an error in what one regresses on pulls the slope towards
# zero {cite:p}`spearman1904`.
# As the noise goes to zero, the right denoiser should believe what it sees, $g \to 1$.
# This one goes on subtracting an error, $g \to s^2/(s^2 + e^2)$.

# %%
# NBVAL_CHECK_OUTPUT
sigma = (1 / diffusion.alphas_cumprod - 1).sqrt()
gains = {name: d.gains.squeeze() * diffusion.alphas_cumprod.sqrt() for name, d in denoisers.items()}
by_hand = 1 / (1 + 0.6**2 + sigma**2)
worst = (gains["on a teacher, one step"] - by_hand).abs().max()
claims.check("gain of the package's denoiser against the formula", worst, 0, 1e-9)
for t in (0, 4, 12, 24, 36):
    print(f"t = {t:2}: noise {sigma[t]:.5f}, gain {by_hand[t]:.4f}, trained on the truth {1 / (1 + sigma[t] ** 2):.4f}")

# %% [markdown]
# ## Fifty steps: compound interest
#
# One step that is a little too timid would not matter.
# A sampler takes fifty, each from where the one before ended.
# Put the prediction $g z$ into a DDIM step {cite:p}`ddim` from noise $\sigma$ to noise $\sigma'$:
#
# $$z' = g z + \frac{\sigma'}{\sigma}\,(z - g z) = \Big[\, g + (1 - g)\,\frac{\sigma'}{\sigma} \,\Big]\, z.$$ (eq:ms-step)
#
# With small steps this is a differential equation, and {eq}`eq:ms-gain` goes into it; we write $S^2 = s^2 + e^2$:
#
# $$\frac{d \ln z}{d \ln \sigma} = 1 - g = \frac{e^2 + \sigma^2}{S^2 + \sigma^2}.$$ (eq:ms-ode)
#
# The right side splits into $\rho + (1 - \rho)\,\sigma^2/(S^2 + \sigma^2)$, with
#
# $$\rho = \frac{e^2}{s^2 + e^2},$$ (eq:ms-rho)
#
# the share of the teacher's variance that is error.
# Both parts can be integrated, and far out, where there is only noise, $z = \sigma$:
#
# $$z(\sigma) \propto \sigma^{\rho}\, (S^2 + \sigma^2)^{(1 - \rho)/2}.$$ (eq:ms-path)
#
# Sympy agrees:

# %%
# NBVAL_CHECK_OUTPUT
s, e, q = sympy.symbols("s e sigma", positive=True)
S2, rho = s**2 + e**2, e**2 / (s**2 + e**2)
z = q**rho * (S2 + q**2) ** ((1 - rho) / 2)
print(sympy.simplify(q * sympy.diff(sympy.log(z), q) - (e**2 + q**2) / (S2 + q**2)))

# %% [markdown]
# Read {eq}`eq:ms-path` from right to left.
# Without error, $\rho = 0$, and $z(\sigma) = \sqrt{s^2 + \sigma^2}$ comes down to $s$: the sampler finds the
# right spread.
# With any error at all there is the factor $\sigma^\rho$, and it goes to *zero*.
# The spread of the samples does not shrink by some percentage.
# It shrinks for as long as the sampler goes on.
#
# A sampler stops at the last noise level, $\sigma_0$, and then predicts.
# Its samples have the spread
#
# $$f(\sigma_0) = g\, z(\sigma_0) = s^2\, \sigma_0^{\rho}\, (S^2 + \sigma_0^2)^{-(1 + \rho)/2}.$$ (eq:ms-spread)
#
# This makes a prediction that sounds wrong: *more* sampling steps, whose last one is finer, give *worse* samples.


# %%
def formula(sigma, error):
    """Spread of the samples of a sampler that stops at noise ``sigma``, for s = 1."""
    rho = error**2 / (1 + error**2)
    return sigma**rho * (1 + error**2 + sigma**2) ** (-(1 + rho) / 2)


def spread(denoiser, method="ddim"):
    return float(denoiser.sampled(method)[0].squeeze().sqrt())


# %%
# NBVAL_CHECK_OUTPUT
rows = []
for n_steps in (25, 50, 100, 200, 1000):
    finer = Diffusion(n_steps)
    last = float((1 / finer.alphas_cumprod[0] - 1).sqrt())
    found = {m: f"{spread(toy(0.6, None, finer), m):.3f}" for m in ("ddim", "ddpm")}
    truth = f"{spread(toy(0.0, None, finer)):.3f}"
    rows.append(
        {"steps": n_steps, "formula": f"{formula(last, 0.6):.3f}", **found, "ddim, trained on the truth": truth}
    )
metrics_table(rows)

# %% [markdown]
# So it is.
# With the truth as a teacher, more steps bring the spread closer to 1; with a wrong teacher they take it
# further away.
# The formula is that of infinitely small steps, and with 50 it is right to 5 %.
# Ancestral sampling (DDPM {cite:p}`ddpm`, the column beside DDIM) does worse still: it adds fresh noise at each
# step, of which the next steps take away too much again.

# %%
# NBVAL_CHECK_OUTPUT
for method in ("ddpm", "ddim"):
    exact = spread(denoisers["on a teacher, one step"], method)
    sampled = trajectories(denoisers["on a teacher, one step"], 200_000, method)[:, -1].std()
    claims.check(f"spread after 50 {method} steps, sampler against exact", sampled / exact, 1, 0.005)
claims.check("spread after 50 steps, formula against exact", formula(float(sigma[0]), 0.6) / exact, 1, 0.05)
print(f"spread {exact:.4f} of a true 1")

# %% [markdown]
# ## Buckets
#
# At high noise the error is hidden: where $\sigma_t$ is much larger than $e$, {eq}`eq:ms-gain` is almost what
# it should be.
# So one trains as before for steps above some $t^*$.
# Below, the denoiser must not see the teacher's motions any more.
# What should it see instead?
# What it will meet: its own predictions, a few steps down from where the error was still hidden.
# The idea is from Lesson in Splats {cite:p}`lesson_in_splats`, and appendix G.1 of the paper spells it out.
#
# The steps below the threshold are cut into $N$ *buckets* of
#
# $$b = \big\lceil t^* / (N - 1) \big\rceil$$ (eq:ms-bucket)
#
# steps each, so that the noisiest bucket starts at $t^*$ or above.
# A *low* batch draws one step from each bucket, starts in the noisiest from the diffused teacher motion, and
# walks down with DDIM steps on its own predictions.
# There is a loss at each of the $N$ steps, and their mean counts; no gradient flows along the walk.
# A *high* batch is as before.

# %%
# NBVAL_CHECK_OUTPUT
b, top = scheme.bucket_size, scheme.threshold
buckets = ", ".join(f"{k * b}..{(k + 1) * b - 1}" for k in range(3, -1, -1))
print(f"bucket size {b}, buckets {buckets}, high steps {top}..49, low batches {scheme.probability:.0%}")
claims.check("bucket size for t* = 12, N = 4", b, 4, 0)
claims.check("first high step", top, 16, 0)
claims.check("probability of a low batch", scheme.probability, 16 / 50, 1e-12)

# %% [markdown]
# Note that the walk begins *above* $t^*$, between 12 and 15 here.
# Low batches are drawn with probability $N b / T$, so that every step has the same weight in the mean loss,
# $1/T = 0.02$, as in plain diffusion training.
# Six thousand batches of one motion show it.

# %%
generator = torch.Generator().manual_seed(0)
weight, walks = torch.zeros(50), []
for _ in range(6000):
    steps = scheme.sample(1, generator)[:, 0]
    weight[steps] += 1 / len(steps) / 6000
    walks += [steps] if len(steps) > 1 else []

# %%
figure, (left, right) = panels("eight low batches", "share of each step in the loss", height=3.2)
for row, walk in enumerate(walks[:8]):
    left.plot(walk, [row] * 4, color=GHOST, linewidth=1, zorder=1)
    left.scatter(walk, [row] * 4, c=SERIES[:4], s=28, zorder=2)
for k in range(5):
    left.axvline(k * b - 0.5, color=INK, linewidth=0.6)
left.set(xlim=(16, -1), xlabel="step t", ylabel="batch", yticks=[])
shades = [SERIES[3 - t // b] if t < top else GHOST for t in range(50)]
right.bar(range(50), weight, color=shades)
right.axhline(0.02, color=INK, linewidth=0.8)
right.set(xlim=(50, -1), xlabel="step t", ylabel="share")
keep(figure, "multistep_buckets")

# %% [markdown]
# Left: each walk goes down to the right, with one draw in every bucket.
# Right: coloured bars are steps of low batches; the line is at $1/50$.

# %%
low = float(weight[:top].sum())
low = claims.check("share of the low steps in the loss, 6000 batches", low, 16 / 50, 0.02)

# %% [markdown]
# ## What that changes
#
# Follow one walk.
# It starts with $z$ at noise $\sigma$, predicts $g z$, and arrives at $z' = r z$ with the bracket $r$ of
# {eq}`eq:ms-step`.
# There is nothing in $z'$ that was not in $z$: the noise of the input is old, and so is the teacher's error.
# So the best guess at $x$ is the one it had, $g z = (g / r)\, z'$, and the gain at the lower step is
#
# $$g' = \frac{g}{g + (1 - g)\,\sigma'/\sigma} \;\longrightarrow\; 1 \quad (\sigma' \to 0).$$ (eq:ms-walk)
#
# Nothing is left to subtract.
# A model trained in this way learns at low noise what it should have learned anyway: keep what you see.
#
# To measure it we do as a training loop does, draw by draw, with the package's own pieces, and fit a slope at
# every step.


# %%
def training_inputs(denoiser, scheme, error=0.6, n_batches=3000, size=400):
    """Steps, inputs and truths of training batches, as the training loop makes them."""
    generator, seen = torch.Generator().manual_seed(1), []
    for _ in range(n_batches):
        steps = scheme.sample(size, generator)
        x, eps, noise = torch.randn(3, size, 1, generator=generator, dtype=torch.float64)
        x_t = diffusion.q_sample(x + error * eps, steps[0], noise)
        for i, t in enumerate(steps):
            seen.append(torch.stack((t, x_t[:, 0], x[:, 0])))
            if i + 1 < len(steps):
                x_t = diffusion.ddim_step(x_t, denoiser(x_t, t), t, steps[i + 1])
    t, x_t, x = torch.cat(seen, dim=1)
    return t.long(), x_t, x


# %%
names = ("on a teacher, one step", "on a teacher, multistep")
shown = {n: training_inputs(denoisers[n], m) for n, m in zip(names, (Multistep(50, 0), scheme), strict=True)}
slopes = {}
for name, (t, x_t, x) in shown.items():
    squares, products = (torch.zeros(50, dtype=torch.float64).index_add(0, t, v * x_t) for v in (x_t, x))
    slopes[name] = products / squares * diffusion.alphas_cumprod.sqrt()
    worst = claims.check(f"fitted against exact gains, {name}", (slopes[name] - gains[name]).abs().max(), 0, 0.03)

# %%
figure, (axes,) = panels("how much of what it sees the denoiser keeps", height=3.6)
for (name, values), colour in zip(gains.items(), (GHOST, RIGHT, LEFT), strict=True):
    axes.plot(values, color=colour, linewidth=2, label=name)
    if name in slopes:
        axes.plot(slopes[name], "o", color=colour, markersize=4, fillstyle="none")
axes.axvspan(-1, top - 0.5, color=LEFT, alpha=0.07, linewidth=0)
axes.set(xlim=(49, -1), ylim=(0, 1.03), xlabel="step t", ylabel="gain $g_t$")
axes.legend(frameon=False, loc="upper left")
keep(figure, "multistep_gains")

# %% [markdown]
# Lines are exact, circles are fitted; the shaded steps belong to low batches.
# Below the threshold the multistep denoiser leaves the curve that ends at 0.73 and makes for 1, as the one does
# that was trained on the truth.

# %%
# NBVAL_CHECK_OUTPUT
multistep = gains["on a teacher, multistep"]
start = multistep[12:16]
from_13_5 = start.mean() / (start.mean() + (1 - start.mean()) * sigma[0] / sigma[12:16].mean())
claims.check("gain at t = 0, package against one walk from the mean of the bucket", multistep[0], from_13_5, 0.01)
for name in names:
    print(f"{name}: gains at t = 0, 6, 12: " + ", ".join(f"{gains[name][t]:.4f}" for t in (0, 6, 12)))

# %% [markdown]
# ## Shown and met
#
# Here is the same thing from the other side.
# A model is good on inputs like those that it was *shown* in training.
# What does it *meet* when it samples?
# First at one step, $t = 2$, as histograms.

# %%
figure, axes = panels(*names, height=3, share_y=True)
for panel, name in zip(axes, names, strict=True):
    t, x_t, _ = shown[name]
    met = trajectories(denoisers[name], 20_000)[:, 49 - 2]
    style = {"bins": 80, "range": (-4, 4), "density": True}
    panel.hist(x_t[t == 2], color=GHOST, alpha=0.7, label="shown in training", **style)
    panel.hist(met, color=LEFT, histtype="step", linewidth=1.6, label="met in sampling", **style)
    panel.set(xlabel="input $x_2$", ylabel="density")
axes[1].legend(frameon=False)
keep(figure, "multistep_inputs")

# %% [markdown]
# Then at all steps, by the standard deviation alone (all of these are normal distributions around 0).

# %%
figure, axes = panels(*names, height=3.2, share_y=True)
for panel, name in zip(axes, names, strict=True):
    panel.plot(denoisers[name].seen.squeeze().sqrt(), color=GHOST, linewidth=4, label="shown in training")
    panel.plot(denoisers[name].sampled()[1:].squeeze().sqrt(), color=LEFT, linewidth=2, label="met in sampling")
    panel.plot((1 + 0 * sigma), color=INK, linewidth=0.8, linestyle="--", label="diffused truth")
    panel.set(xlim=(49, -1), ylim=(0, 1.3), xlabel="step t", ylabel="standard deviation of $x_t$")
axes[0].legend(frameon=False, loc="lower left")
keep(figure, "multistep_spread")

# %%
# NBVAL_CHECK_OUTPUT
for name in names:
    d = denoisers[name]
    ratio = (d.sampled()[1:] / d.seen).sqrt().squeeze()
    print(f"{name}: met over shown {ratio[0]:.3f} at t = 0, {ratio[15]:.3f} at t = 15, samples {spread(d):.4f}")
t, x_t, _ = shown[names[1]]
measured = trajectories(denoisers[names[1]], 200_000)[:, 49].std() / x_t[t == 0].std()
_ = claims.check("met over shown at t = 0, multistep: measured against exact", measured / ratio[0], 1, 0.02)

# %% [markdown]
# Without multistep training the two part as the noise falls: shown inputs are *wider* than the truth, by the
# teacher's error, and the ones met are narrower, because samples have shrunk.
# With it, the distance at the threshold is carried down and hardly grows.
# What remains comes from the high steps, which nobody corrected.
#
# ## Where to put the threshold
#
# Suppose that shrinking stops where the walk begins, at noise $\sigma$, and the prediction made there is kept.
# Then the spread of the samples is $f(\sigma)$ of {eq}`eq:ms-spread`, with the threshold's noise in place of
# the last one.
# Too low a threshold, and $\sigma^\rho$ has done its work.
# Too high, and the prediction is made when there is little to be seen: it is the mean of all motions that are
# possible, and means are timid as well.
# In between there is a best place:
#
# $$\frac{d \ln f}{d \ln \sigma} = \rho - (1 + \rho)\,\frac{\sigma^2}{S^2 + \sigma^2} = 0 \quad\Longrightarrow\quad \sigma^2 = \rho\, S^2 = e^2.$$ (eq:ms-best)
#
# **The best threshold is where the noise is as large as the teacher's error**, whatever the spread of the data is.

# %%
# NBVAL_CHECK_OUTPUT
f = z * s**2 / (S2 + q**2)
print(sympy.simplify(sympy.diff(sympy.log(f), q).subs(q, e)))

# %% [markdown]
# For the cosine schedule {cite:p}`improved_ddpm` the noise is almost exactly a tangent,
# $\sigma_t \approx \tan\big(\tfrac{\pi}{2}\,\tfrac{(t+1)/T + 0.008}{1.008}\big)$, so that
#
# $$t^* \approx T \Big( 1.008\,\tfrac{2}{\pi} \arctan e - 0.008 \Big) - 1.$$ (eq:ms-tstar)
#
# We try thresholds from 0 to 36 with four buckets and the exact denoiser, for teachers of several errors.


# %%
def best_threshold(error):
    return 50 * (1.008 * 2 / math.pi * math.atan(error) - 0.008) - 1


errors, thresholds = (0.2, 0.4, 0.6, 0.8, 1.0), range(0, 37, 3)
found = {error: [spread(toy(error, Multistep(50, t, 4) if t else None)) for t in thresholds] for error in errors}

# %%
figure, (axes,) = panels("spread of the samples over the threshold", height=3.8)
for (error, values), shade in zip(found.items(), plt.cm.Blues_r([0, 0.15, 0.3, 0.45, 0.6]), strict=True):
    axes.plot(thresholds, values, color=shade, linewidth=2, label=f"e = {error}")
    axes.plot(thresholds[1:], [formula(float(sigma[t]), error) for t in thresholds[1:]], ":", color=shade)
    axes.plot(best_threshold(error), formula(error, error), "o", color=RIGHT, markersize=6)
axes.axhline(1, color=GHOST, linewidth=1)
axes.set(xlabel="$t^*$", ylabel="spread, truth = 1", ylim=(0, 1.05))
axes.legend(frameon=False, ncols=5, loc="upper right", bbox_to_anchor=(1, 0.98))
keep(figure, "multistep_threshold")

# %% [markdown]
# Lines are exact, dotted ones follow {eq}`eq:ms-spread`, dots mark $\sigma_{t^*} = e$.
# The formula's maximum is where the true one is, and the curves are flat around it: a few steps more or less do
# not matter.

# %%
# NBVAL_CHECK_OUTPUT
for error, values in found.items():
    best = thresholds[values.index(max(values))]
    claims.check(f"best threshold for e = {error}, tried against formula", best, best_threshold(error), 3)
    where = f"best of those tried {best}, formula {best_threshold(error):.1f}"
    print(f"e = {error}: {where}; spread {values[0]:.3f} -> {max(values):.3f}")

# %% [markdown]
# What error do the paper's numbers fit?

# %%
# NBVAL_CHECK_OUTPUT
claims.check("noise at t* = 12", sigma[12], 0.4435, 5e-4)
for t_star in (12, 16, 24):
    print(f"t* = {t_star}: a teacher that errs by {sigma[t_star]:.3f} standard deviations")

# %% [markdown]
# ## On motions
#
# A motion is not one number.
# We take short clips from the built-in corpus, 32 frames each, and a teacher whose error we know: every joint
# is off by 5 cm (in each direction, on average), smoothly over time.
# Position channels, normalised, are projected onto the 64 directions in which the true motions vary most.

# %%
corpus = procedural.generate(600, seed=0, min_frames=48, max_frames=64)
x_true = features.canonicalise(corpus.joints[:, :33])
smooth = gaussian_filter1d(torch.randn(x_true.shape, generator=torch.Generator().manual_seed(0)).numpy(), 3.0, axis=1)
wrong = x_true + 0.05 * torch.from_numpy(smooth / smooth.std())
true, taught = features.encode(x_true), features.encode(features.canonicalise(wrong, floor="median"))
normaliser = Normaliser.fit(true, torch.full((len(x_true),), 32), 22)

# %%
positions = features.position_channels(22)
rows = [normaliser.normalise(f)[..., positions].flatten(1).double() for f in (true, taught)]
rows = [r - r.mean(0) for r in rows]
directions = torch.linalg.svd(rows[0], full_matrices=False).Vh[:64].T
x, y = (r @ directions for r in rows)
cross, teacher, truth = (a.T @ b / len(x) for a, b in ((x, y), (y, y), (x, x)))

# %% [markdown]
# How large is the error?
# Number by number it is of the size of the data, which are normalised.
# But direction by direction, it is not:

# %%
figure, (axes,) = panels("spread of the motions and of the teacher's error", height=3.4)
axes.semilogy(range(1, 65), x.std(0), color=INK, linewidth=2, label="true motions")
axes.semilogy(range(1, 65), (y - x).std(0), color=RIGHT, linewidth=2, label="error")
for t in (12, 24):
    axes.axhline(sigma[t], color=LEFT, linewidth=1)
    axes.text(1, 1.06 * sigma[t], f"noise at t = {t}", color=LEFT, size=9)
axes.set(xlabel="direction", ylabel="standard deviation")
axes.legend(frameon=False)
keep(figure, "multistep_directions")

# %% [markdown]
#
# %%
# NBVAL_CHECK_OUTPUT
per_number, largest = (rows[1] - rows[0]).square().mean().sqrt(), (y - x).std(0).max()
claims.check("largest component of the error over the noise at t = 12", largest / sigma[12], 22, 1)
print(f"error: {per_number:.1f} per number, up to {largest:.1f} in a direction")

# %% [markdown]
# Noise is white: it has the same spread in every direction.
# A teacher's error is not; a wrong heading or a drifting root is wrong in all frames alike, and adds up to a
# few large components.
# White noise at $t = 12$ hides an error of 0.44 in a direction, and here the largest is more than twenty times that.
# So the size of the error *per number* is a lower bound for the threshold, and the true optimum is a compromise
# between directions.
#
# Now the same three denoisers, in 64 dimensions, and with two thresholds.

# %%
fits = {"truth": LinearDenoiser.fit(diffusion, truth, truth), "one step": LinearDenoiser.fit(diffusion, cross, teacher)}
for t_star in (12, 24):
    fits[f"multistep, $t^*$ = {t_star}"] = LinearDenoiser.fit(diffusion, cross, teacher, Multistep(50, t_star, 4))
ratios = {n: (d.sampled()[0].diagonal() / truth.diagonal()).sqrt() for n, d in fits.items()}
gaps = {n: d.mismatch() for n, d in fits.items()}

# %%
figure, (left, right) = panels("spread of the samples", "inputs met against inputs shown", height=3.8)
for name, colour in zip(fits, (GHOST, RIGHT, LEFT, SERIES[2]), strict=True):
    left.plot(range(1, 65), ratios[name], color=colour, linewidth=1.6, label=name)
    right.plot(gaps[name], color=colour, linewidth=1.6)
left.set(xlabel="direction", ylabel="samples / true motions", ylim=(0, 1.3))
right.set(xlim=(49, -1), xlabel="step t", ylabel="KL divergence, nats per direction")
left.legend(frameon=False, ncols=2, loc="upper right", fontsize=9)
keep(figure, "multistep_motions")

# %% [markdown]
# Left, what shrinks: not the large directions, such as how far someone walks, but the fine ones, in which the
# error is larger than the motion.
# These are the details, swing and bounce; a model that has lost them moves as if under water.
# (The truth's own line is below 1 where the spread is large: 50 steps are few for that.)
# Right, the Kullback-Leibler divergence of the inputs that sampling meets from those that training showed:
# multistep training takes away most of it, and more with a higher threshold.

# %%
# NBVAL_CHECK_OUTPUT
fine = slice(32, 64)
share = ((y - x).var(0) / ((y - x).var(0) + x.var(0)))[fine].mean()
claims.check("share of error in the fine directions", share, 0.77, 0.05)
claims.check("spread that fine directions keep, one step", ratios["one step"][fine].mean(), 0.37, 0.03)
one, two = (gaps[n][0] for n in ("one step", "multistep, $t^*$ = 12"))
claims.check("mismatch at t = 0 that multistep takes away", 1 - two / one, 0.62, 0.05)
for name, gap in gaps.items():
    kept = ratios[name][fine].mean()
    print(f"{name}: fine directions keep {kept:.2f}, mismatch {gap[0]:.2f} at t = 0, {gap[24]:.2f} at t = 24")

# %% [markdown]
# The spread of the fine directions gains less than the mismatch does.
# In those directions three quarters of what the teacher says is error, and the high steps alone have lost much
# of the motion.
# The smaller the error, the more there is to save.
#
# ## The package's own teacher
#
# What error does a real lifter make?
# The one that comes with the package sees the same clips through one camera each.
# For every block of the features: its error in standard deviations, and the threshold that {eq}`eq:ms-tstar`
# gives for it.

# %%
few = dataclasses.replace(corpus, joints=x_true[:100], lengths=torch.full((100,), 33))
footage = observations.film(few, seed=0)
lifted = teachers.estimate(footage, "procedural", progress=False)
says = features.encode(features.canonicalise(lifted, floor="median"))
off = (normaliser.normalise(says) - normaliser.normalise(true[:100])).square()
sizes = {name: float(off[..., c].mean().sqrt()) for name, c in features.blocks(22).items()}

# %%
metrics_table([{"block": n, "error": v, "threshold": f"{best_threshold(v):.0f}"} for n, v in sizes.items()])

# %% [markdown]
# Blocks differ, and a threshold serves them all at once.
# For small models and a teacher as poor as these, the package's profiles put $t^*$ at 24; the paper's 12 is
# the default.

# %%
# NBVAL_CHECK_OUTPUT
print({name: profile.optimiser.t_star for name, profile in PROFILES.items()})

# %% [markdown]
# ## What to keep in mind
#
# - Asking for the truth while showing the teacher's mistakes teaches timidity, and sampling compounds it:
#   $\sigma^\rho$.
# - Multistep training shows the model its own predictions at low noise, where it then learns to keep what it sees.
# - The threshold belongs where the noise is as large as the error ({py:meth}`videomdm.diffusion.Diffusion.step_of`).
# - What repeats is what shrinks, and fresh noise doubles it (exercise 3).
#   So a prior trained this way also samples this way: every high step, then one step per bucket, as DDIM
#   ({py:attr}`videomdm.diffusion.Multistep.steps`).
# - Nothing here repairs the high steps.
#   The better teacher is still the better remedy: $\rho$ is the share of error in what it says.
#
# Two things were left out.
# Real denoisers are not linear: they can tell some errors from motion, since motions are not normally
# distributed, and then they shrink less.
# And only errors that have nothing to do with the truth were looked at; a teacher that always exaggerates would
# be believed.
#
# ## What was verified

# %%
claims.table()

# %% [markdown]
# ## Exercises
#
# **1. Other buckets.**
# What are the buckets for $t^* = 20$ and $N = 5$, where do high steps begin, and how often is a batch low?
#
# :::{admonition} Solution
# :class: dropdown
# $b = \lceil 20/4 \rceil = 5$, so the buckets are 20..24, 15..19, 10..14, 5..9 and 0..4.
# High steps begin at 25, and half of the batches are low: $25/50$.
# :::
#
# **2. Train on the teacher alone.**
# Plain MDM on the teacher's motions asks for $y$, not for $x$.
# What is its gain, what is the spread of its samples, and why is that no remedy?
#
# :::{admonition} Solution
# :class: dropdown
# With $y$ as both input and target the data simply have the variance $S^2 = s^2 + e^2$, so
# $g = S^2/(S^2 + \sigma^2)$, and nothing shrinks: the samples come out with spread $S$.
# They are samples of the *teacher's* motions, with its error in them, 17 % too wide for $e = 0.6$; in fine
# directions, where the error is larger than the motion, they are mostly error.
# :::
#
# **3. Ancestral sampling.**
# Let $V$ be the variance of $z$ and $v = \sigma^2$.
# DDPM with small steps obeys $dV/dv = 2(1 - g)\,V/v - 1$.
# Check that $V = s^2 + v$ solves it without error.
# Then show that with a small error $V$ goes to zero like $v^{2\rho}$ as $v \to 0$, twice the exponent of DDIM.
#
# :::{admonition} Solution
# :class: dropdown
# Without error $1 - g = v/(s^2 + v)$, and $2 \frac{v}{s^2 + v}\,\frac{s^2 + v}{v} - 1 = 1 = dV/dv$.
# With error, $1 - g \to \rho$ as $v \to 0$.
# The equation becomes $dV/dv = 2\rho V/v - 1$.
# Its homogeneous solution is $v^{2\rho}$, and a particular one is $v/(2\rho - 1)$.
# For $\rho < \tfrac12$ the first is the larger of the two near zero, so the variance falls like
# $\sigma^{4\rho}$; DDIM's falls like $\sigma^{2\rho}$.
# The cell below measures both exponents.
# :::

# %% tags=["hide-cell"]
other = Multistep(50, t_star=20, n_buckets=5)
assert (other.bucket_size, other.threshold, other.probability) == (5, 25, 0.5)
one = torch.ones(1, 1)
assert abs(spread(LinearDenoiser.fit(Diffusion(1000), 1.36 * one, 1.36 * one)) - 1.17) < 0.01
for method, exponent in (("ddim", 1), ("ddpm", 2)):
    coarse, fine = Diffusion(500), Diffusion(4000)
    finest = [(1 / d.alphas_cumprod[0] - 1).sqrt() for d in (coarse, fine)]
    fall = math.log(spread(toy(0.4, None, coarse), method) / spread(toy(0.4, None, fine), method))
    slope = fall / float((finest[0] / finest[1]).log()) / (0.4**2 / (1 + 0.4**2))
    assert abs(slope / exponent - 1) < 0.1, (method, slope)

# %% [markdown]
# ## Functions on this page
#
# {py:class}`videomdm.diffusion.Diffusion`, {py:class}`videomdm.diffusion.Multistep`,
# {py:class}`videomdm.pages.linear.LinearDenoiser`, {py:func}`videomdm.train.fit`.
#
# Where the teacher's error comes from is the matter of [](explain_root_depth); what the losses compare the prediction
# with, of [](explain_depth_weighting) and [](explain_ray_projection).
