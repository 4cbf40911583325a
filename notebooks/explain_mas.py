# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Motions in 3-D from a prior of pictures
#
# VideoMDM learns motions in 3-D from pictures.
# Its strongest rival learns the pictures themselves.
# Multi-view ancestral sampling, MAS {cite:p}`mas`, trains a diffusion model of 2-D motions and makes a 3-D motion only
# when it samples: the motion is denoised from seven sides at once, and at every step the seven pictures are made to
# agree.
# It needs no lifter, no camera and no 3-D, which is why the paper takes it as the baseline for its basketball players.
#
# This page shows the three things that make it work.
# One motion is fitted to the pictures of all views, and there is a closed form for it.
# One noise is shared by all views.
# And where the views disagree, depth is what suffers.

# %%
import math
import time
from pathlib import Path

import torch
from matplotlib.patches import Circle

from videomdm.cameras.views import Views
from videomdm.data import nba, sources
from videomdm.data.tracks import Statistics, to_picture
from videomdm.diffusion import Diffusion
from videomdm.pages.claims import Claims
from videomdm.pages.linear import LinearDenoiser
from videomdm.plots import keep, metrics_table, panels
from videomdm.plots.style import GHOST, GRID, INK, LEFT, SERIES, SIDES, side
from videomdm.sample import multiview
from videomdm.skeletons.definitions import NBA16
from videomdm.study import results

claims = Claims()

# %% [markdown]
# ## Pictures without a path
#
# MAS was made for motions that have lost their path: in every frame the hip is in the middle of the picture, and
# everybody is of one size.
# The data on this page are like that, made from the built-in corpus ({py:mod}`videomdm.data.nba`): 16 joints, a camera
# 7 units before the hip that looks down by $\pi/16$.
# A unit is about 62 cm of a person of average size ({py:data}`videomdm.data.nba.METRES`).
#
# A *view* is such a camera at one azimuth.
# MAS takes seven of them, at equal angles.
# The first panel shows them from above, with the person three times as large; the others show one pose in five of the
# views.

# %%
corpus = nba.bodies(sources.load("procedural", None, "test", 60, 400))
walking = next(i for i, name in enumerate(corpus.actions) if "walk" in name)
motion = corpus.clip(walking)[None]
views = Views(nba.ELEVATION, nba.DISTANCE)
camera = views.cameras(7)
pictures = multiview.project(motion, camera)  # (7 views, 1 motion, frames, 16 joints, 2)


# %%
def stick(axes, points, colour=None, width=1.8):
    """Draw a body (16, 2), left and right in their colours or all in one."""
    for parent, child in NBA16.bones:
        own = colour or SIDES[side(NBA16.joints[child])]
        axes.plot(*points[[parent, child]].T, color=own, linewidth=width, solid_capstyle="round")
    axes.set_aspect("equal")
    axes.set_axis_off()


figure, (above, *pages) = panels("from above", *(f"view {v + 1}" for v in range(5)), height=3.0)
for v, center in enumerate(camera.center):
    above.plot([0.85 * center[2], 0.7 * center[2]], [0.85 * center[0], 0.7 * center[0]], color=INK, linewidth=1)
    above.text(center[2], center[0], v + 1, ha="center", va="center", fontsize=9, color=INK)
above.add_patch(Circle((0, 0), 0.85 * nba.DISTANCE, fill=False, color=GRID))
for parent, child in NBA16.bones:
    z, x = 3 * motion[0, 10, [parent, child]][:, [2, 0]].T
    above.plot(z, x, color=SIDES[side(NBA16.joints[child])])
above.set(xlim=(-8.5, 8.5), ylim=(-8.5, 8.5), aspect="equal")
above.set_axis_off()
for v, axes in enumerate(pages):
    stick(axes, to_picture(pictures[v, 0, 10]))
    axes.set(xlim=(-1.1, 1.1), ylim=(-2.1, 2.1))
keep(figure, "mas_views")

# %% [markdown]
# ## One motion for seven pictures
#
# A joint $X$ is seen by view $v$ at
#
# $$ u_v = \frac{r_v X + t_v}{d_v}, \qquad d_v = f_v X + z_v $$ (eq:mas-projection)
#
# where $r_v$ are the first two rows of the camera's rotation, $f_v$ is the third, and $t_v$ and $z_v$ are its
# translation.
# Given pictures $y_v$ that need not agree, MAS looks for the $X$ with the least sum of squares
# $\sum_v |u_v - y_v|^2$, by up to 1,000 steps of gradient descent.
# It holds the depth $d_v$ constant when it takes the gradient.
#
# With $d_v$ constant $u_v$ is linear in $X$, and least squares have a closed form:
#
# $$ \Big(\sum_v \frac{r_v^\top r_v}{d_v^2}\Big) X = \sum_v \frac{r_v^\top (d_v y_v - t_v)}{d_v^2} $$ (eq:mas-normal)
#
# These are three equations for each joint and frame, whatever the number of views.
# Here they are, slowly: one joint after the other, by a general solver of least squares.


# %%
def slowly(pictures, camera, depth):
    """Fit joints one by one: pictures (V, N, 2), depths (V, N) -> (N, 3)."""
    joints = []
    for n in range(pictures.shape[1]):
        rows = (camera.rotation[:, :2] / depth[:, n, None, None]).flatten(0, 1)  # (2 V, 3)
        seen = (pictures[:, n] - camera.translation[:, :2] / depth[:, n, None]).flatten()
        joints.append(torch.linalg.lstsq(rows, seen[:, None]).solution[:, 0])
    return torch.stack(joints)


torch.manual_seed(0)
blurred = pictures[:, 0, 10] + 0.02 * torch.randn(7, 16, 2)
depth = torch.full((7, 16), nba.DISTANCE)
fast = multiview.consistent(blurred[:, None, None], camera, refreshes=1)[0, 0]

# %%
# NBVAL_CHECK_OUTPUT
difference = (slowly(blurred, camera, depth) - fast).norm() / fast.norm()
claims.check("closed form against a general solver, relative", difference, 0, 1e-5)
print(f"joints: {len(fast)}, equal to 5 digits: {bool(difference < 1e-5)}")

# %% [markdown]
# The depth is not known before the motion is.
# It is taken from the fit before, and then again.
# An error of the depth by some share makes an error of the fit by a fraction of that, so every round gains a digit.
# At each step of sampling the first depth is that of the step before, and
# {py:data}`videomdm.sample.multiview.REFRESHES` rounds are enough.
#
# The same figure shows gradient descent, from the same start: it comes to the same motion, and it takes its time.


# %%
def descent(pictures, camera, start, steps, note):
    """MAS' own fit: Adam on picture coordinates with the depth detached; ``note`` is called with every motion."""
    motion = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([motion], lr=0.01)
    target = to_picture(pictures)
    for step in range(steps):
        seen = camera.to_camera(motion.expand(len(camera), *motion.shape))
        loss = (to_picture(seen[..., :2] / seen[..., 2:].detach()) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        note(step, motion.detach())


few = motion[:, :20]
unsure = multiview.project(few, camera) + 0.02 * torch.randn(7, 1, 20, 16, 2)
goal = multiview.consistent(unsure, camera, few, refreshes=20)
start = torch.zeros_like(few)
off = lambda found: float((found - goal).norm() / goal.norm())  # noqa: E731
rounds = [off(multiview.consistent(unsure, camera, start, refreshes=n)) for n in range(1, 8)]
curve = []
began = time.perf_counter()
descent(unsure, camera, start, 1000, lambda step, found: curve.append(off(found)))
slow = time.perf_counter() - began
began = time.perf_counter()
for _ in range(20):
    multiview.consistent(unsure, camera, start)
quick = (time.perf_counter() - began) / 20

# %%
figure, (left, right) = panels("closed form", "gradient descent")
left.semilogy(range(1, 8), rounds, "o-", color=LEFT)
left.set(xlabel="rounds", ylabel="distance from the fixed point, relative", ylim=(1e-8, 2))
right.semilogy(range(1, 1001), curve, color=SERIES[1])
right.set(xlabel="steps of Adam", ylim=(1e-8, 2))
for axes in (left, right):
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
keep(figure, "mas_fit")

# %%
# NBVAL_CHECK_OUTPUT
claims.check("1,000 steps of Adam against the closed form, relative", curve[-1], 0, 1e-4)
claims.check("three rounds against the fixed point, relative", rounds[2], 0, 1e-3)
gain = slow / quick
assert gain > 50
print(f"both come to the same motion; the closed form is at least 50 times faster: {gain > 50}")

# %% [markdown]
# `python -m benchmarks multiview` measures the gain for 100 motions.
#
# If the seven pictures are those of one motion, they give it back: all motions of the test split, to less than a
# thousandth of a unit, which is less than a millimetre.

# %%
# NBVAL_CHECK_OUTPUT
back = multiview.consistent(multiview.project(corpus.joints, camera), camera, refreshes=6)
worst = (back - corpus.joints).norm(dim=-1).max()
claims.check("seven pictures give the motion back: largest distance in units", worst, 0, 1e-3)
print(f"{len(corpus)} motions, largest distance below a thousandth of a unit: {bool(worst < 1e-3)}")

# %% [markdown]
# ## When views disagree
#
# The pictures of a denoiser do not agree.
# Let every coordinate of every picture err on its own by $\sigma$, seen at the distance $D$.
# Then {eq}`eq:mas-normal` says how far the fit is off.
# In the sum each view adds its right axis, which is level, and its down axis, which leans by the elevation $e$:
#
# $$ \sum_v r_v^\top r_v = V \begin{pmatrix} \frac{1 + \sin^2 e}{2} & & \\ & \cos^2 e & \\ & & \frac{1 + \sin^2 e}{2}
# \end{pmatrix} $$
#
# so the errors along the vertical and along each horizontal axis are
#
# $$ \sigma_y = \frac{\sigma D}{\sqrt{V}\,\cos e}, \qquad \sigma_x = \sigma_z = \sigma D
# \sqrt{\frac{2}{V (1 + \sin^2 e)}} $$ (eq:mas-error)
#
# Errors that have nothing to do with each other do not hurt much: seven views take most of them away.

# %%
# NBVAL_CHECK_OUTPUT
sigma = 0.01
truth = torch.zeros(1, 4000, 16, 3)
found = multiview.consistent(sigma * torch.randn(7, 1, 4000, 16, 2), camera)
sin, cos = math.sin(nba.ELEVATION), math.cos(nba.ELEVATION)
expected = {
    "vertical": sigma * nba.DISTANCE / (math.sqrt(7) * cos),
    "horizontal": sigma * nba.DISTANCE * math.sqrt(2 / (7 * (1 + sin**2))),
}
for axis, (name, value) in zip((1, 0), expected.items(), strict=True):
    claims.check(f"{name} error of the fit, in units", found[..., axis].std(), value, 0.02 * value)
    print(f"{name}: {found[..., axis].std():.3f} units, expected {value:.3f}")

# %% [markdown]
# It is otherwise when each view has an idea of its own about what it cannot see.
# Look at a person from the front.
# Whether a hand is stretched towards us or away from us, the picture is nearly the same.
# So the first view says nothing about depth, and whatever the others say is as good.
# In the next cell some of the other six views see the true motion, and the rest see its mirror image, front and back
# exchanged as the first view looks at it.
# Every one of the seven pictures shows a flawless motion.
# The fit lies between the two, and what it keeps of the depth falls with every view that disagrees.
# A view whose line of sight is at an angle $\alpha_v$ to that of the first sees depth shortened by $\sin \alpha_v$, so it
# counts for $\sin^2 \alpha_v$ in {eq}`eq:mas-normal`: with the next $n$ views against the others,
#
# $$ \text{share of the depth that is kept} = 1 - 2\,\frac{\sum_{v=2}^{n+1} \sin^2 \alpha_v}{\sum_{v=2}^{7}
# \sin^2 \alpha_v} $$ (eq:mas-depth)
#
# and half against half leave nothing.

# %%
forward = camera.rotation[0, 2]
mirrored = motion - 2 * (motion @ forward)[..., None] * forward
other = multiview.project(mirrored, camera)
kept, fits = [], []
for disagree in range(7):
    mixed = pictures.clone()
    mixed[1 : 1 + disagree] = other[1 : 1 + disagree]
    fits.append(multiview.consistent(mixed, camera, refreshes=8))
    true_depth, own_depth = motion @ forward, fits[-1] @ forward
    kept.append(float((true_depth * own_depth).sum() / true_depth.square().sum()))
counts = 1 - (camera.rotation[1:, 2] @ forward).square()  # sin^2 of the angle between lines of sight
predicted = [float(1 - 2 * counts[:n].sum() / counts.sum()) for n in range(7)]

# %%
figure, (shares, *bodies) = panels("depth that is kept", *(f"{n} of 6 disagree" for n in (0, 2, 3, 6)), height=3.2)
shares.plot(range(7), predicted, color=GHOST, linewidth=5)
shares.plot(range(7), kept, "o", color=LEFT)
shares.axhline(0, color=GRID, linewidth=1)
shares.set(xlabel="views that see the mirrored motion", ylabel="share of the true depth")
for axes, n in zip(bodies, (0, 2, 3, 6), strict=True):
    beside = torch.stack([fits[n][0, 10] @ forward, fits[n][0, 10, :, 1]], -1)
    stick(axes, torch.stack([motion[0, 10] @ forward, motion[0, 10, :, 1]], -1), GHOST, 1.2)
    stick(axes, beside)
    axes.set(xlim=(-1.1, 1.1), ylim=(-1.7, 1.5))
keep(figure, "mas_disagree")

# %% [markdown]
# The bodies are drawn from the side of the first view, the true one in grey; the grey line is {eq}`eq:mas-depth`.
# With three of six against three the person is flat.
# From where the first view stands nothing shows: its picture is fitted as well as before.

# %%
# NBVAL_CHECK_OUTPUT
claims.check("depth kept when all agree", kept[0], 1, 1e-3)
claims.check("depth kept when half disagree", kept[3], 0, 0.05)
claims.check("depth kept when six disagree", kept[6], -1, 0.05)
off_formula = max(abs(k - p) for k, p in zip(kept, predicted, strict=True))
claims.check("depth kept, largest distance from the formula", off_formula, 0, 0.03)
print("kept:", [round(k, 1) + 0.0 for k in kept])

# %% [markdown]
# ## One noise for all views
#
# What makes views agree while they are still mostly noise?
# The noise itself.
# MAS draws it in 3-D, $n \sim \mathcal{N}(0, 1)$ for every coordinate of every joint, and every view sees $r_v n$.
# Since the two rows of $r_v$ are perpendicular and of length 1, each view's noise is standard normal, as its denoiser
# expects, and all views have the same.
# Seven views of a joint hold fourteen numbers; only three of them are free.

# %%
# NBVAL_CHECK_OUTPUT
noise = torch.randn(50, 60, 16, 3).double()
seen = multiview.shared_noise(noise, camera.to(torch.float64))
covariance = seen.movedim(0, -2).flatten(0, 2).flatten(1).T.double().cov()  # (14, 14)
claims.check("variance of a view's noise", covariance.diagonal().mean(), 1, 0.02)
claims.check("covariance of its two axes", covariance[0, 1], 0, 0.02)
eigenvalues = torch.linalg.eigvalsh(covariance).flip(0)
claims.check("what is left to the fourth direction", eigenvalues[3] / eigenvalues[0], 0, 1e-5)
print(f"{len(eigenvalues)} numbers of which {int((eigenvalues > 1e-3 * eigenvalues[0]).sum())} are free")

# %% [markdown]
# ## The whole sampler
#
# Here is all of MAS, with the noise as an argument.
# {py:func}`videomdm.sample.multiview.sample` is the same with a progress bar, and with views that may turn from step
# to step.


# %%
def mas(denoise, shape, diffusion, noise):
    """A motion of ``shape`` from a denoiser of pictures; ``noise()`` gives that of all views."""
    x, motion = noise(), None
    for t in reversed(range(diffusion.n_steps)):
        clean = denoise(x, t)  # each view by itself
        motion = multiview.consistent(clean, camera, motion)  # one motion for all
        clean = statistics.normalise(multiview.project(motion, camera))  # seen by all
        x = diffusion.ddpm_step(x, clean, t, noise())
    return motion


# %% [markdown]
# What if every view had a noise of its own?
# A prior for which we can say what is right answers that: the best linear denoiser of single poses
# ({py:class}`videomdm.pages.linear.LinearDenoiser`), which knows the covariance of their pictures and nothing else.
# MAS uses it twice, once with the shared noise and once with a noise for each view.

# %%
train = nba.bodies(sources.load("procedural", None, "train", 60, 800))
poses = train.joints[:, 5::10].flatten(0, 1)
poses = poses[poses.abs().amax((1, 2)) > 0].repeat(4, 1, 1)
torch.manual_seed(0)
azimuth = 2 * math.pi * torch.rand(len(poses))
seen = nba.camera(len(poses), azimuth).project(poses)[0]
statistics = Statistics(to_picture(seen).mean(0), to_picture(seen).std(0))
flat = statistics.normalise(seen).flatten(1).double()
diffusion = Diffusion(50)
linear = LinearDenoiser.fit(diffusion, flat.T @ flat / len(flat), flat.T @ flat / len(flat))
shape = (1500, 1, 16, 3)


def denoise(x, t):
    return statistics.denormalise(linear(x.flatten(0, 2).flatten(-2), t).view(x.shape))


made = {}
for name, noise in {
    "one noise": lambda: multiview.shared_noise(torch.randn(shape), camera),
    "a noise for each view": lambda: torch.randn(7, *shape[:-1], 2),
}.items():
    torch.manual_seed(1)
    made[name] = mas(denoise, shape, diffusion, noise)[:, 0]
torch.manual_seed(1)
package = multiview.sample(denoise, shape, views, statistics, diffusion)[:, 0]

# %% [markdown]
# The spread of a set of poses is the standard deviation of a joint from its mean place, along the vertical and along
# one horizontal axis.
# For the true poses, people face any way.

# %%
sin, cos = azimuth.sin()[:, None], azimuth.cos()[:, None]
x, y, z = poses.unbind(-1)
made = {"true poses": torch.stack([cos * x - sin * z, y, sin * x + cos * z], -1), **made}
spread = {name: (p - p.mean(0)).square().mean((0, 1)).sqrt() for name, p in made.items()}
metrics_table([{"": name, "horizontal": float(s[0]), "vertical": float(s[1])} for name, s in spread.items()])

# %%
# NBVAL_CHECK_OUTPUT
one, each = (spread[name] / spread["true poses"] for name in ("one noise", "a noise for each view"))
claims.check("the package's sampler and this page's", (package - made["one noise"]).abs().max(), 0, 1e-3)
claims.check("horizontal spread with one noise, share of the true", one[0], 0.9, 0.05)
claims.check("vertical spread with one noise, share of the true", one[1], 0.96, 0.05)
claims.check("horizontal spread with a noise for each view", each[0], 0.49, 0.05)
claims.check("vertical spread with a noise for each view", each[1], 0.37, 0.05)
print("one noise keeps more than four fifths of the spread:", bool(one[:2].min() > 0.8))
print("a noise for each view keeps less than three fifths:", bool(each[:2].max() < 0.6))

# %% [markdown]
# With a noise of its own every view heads for another pose.
# The fit takes the mean of the seven, and the next step starts nearer to the mean pose than the noise level says.
# So people stand stiffly.
# The shared noise is what the views agree on from the first step on.
#
# Even with it some of the horizontal spread is lost, and the vertical hardly is: all views see the vertical, and
# each has to guess its own depth.

# %%
figure, (level, upright) = panels("along a horizontal axis", "along the vertical", share_y=False)
joints = [NBA16.index(f"left_{j}") for j in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")]
for axis, axes in ((0, level), (1, upright)):
    for (name, poses_made), colour in zip(made.items(), (GHOST, LEFT, SERIES[1]), strict=True):
        deviation = (poses_made - poses_made.mean(0)).square().mean(0).sqrt()[joints, axis]
        axes.plot(range(6), deviation, "o-", color=colour, label=name)
    axes.set_xticks(range(6), [NBA16.joints[j].removeprefix("left_") for j in joints])
    axes.set_ylabel("spread of the left side's joints, units")
level.legend(frameon=False, fontsize=9)
keep(figure, "mas_spread")

# %% [markdown]
# ## What the sampler costs, and what it cannot know
#
# Seven views are seven passes of the denoiser where a 3-D prior needs one.
# The fit adds little to that; `python -m benchmarks multiview` measured the ratio.

# %%
# NBVAL_CHECK_OUTPUT
benchmarks = {result["method"]: result["metrics"] for result in results.read(Path("../results"), "benchmarks")}
measured = benchmarks["multiview-100-cpu"]
cost = measured["sampling_cost"][0]
assert cost < 8
print(f"{measured['motions']} motions of {measured['frames']} frames in {measured['steps']} steps: {cost:.1f} times")

# %% [markdown]
# Other programs ran on that machine, so single pairs of runs differ; a test counts the processor's seconds, which others do not change, and holds them below eight times as well.
#
# - The paper's VideoMDM corrects a 3-D motion by pictures while it *trains*, and samples as any 3-D prior does.
#   MAS trains on pictures alone, and has to invent depth anew in every sample.
# - Nothing tells it how long a bone is, or that both legs are of one length.
# - With a root path (`data` that are not centred) the cameras stand on a circle as wide as those of the training
#   pictures on average.
#   A motion that leaves this circle is behind some of its cameras, where no picture can be.
# - With text every view gets the same caption, and guidance as usual.
#
# ## What to keep in mind
#
# - With the depth held, fitting a motion to seven pictures is a 3 x 3 system per joint and frame
#   ({py:func}`videomdm.sample.multiview.consistent`).
# - Errors of single views average out; ideas of single views about depth do not: they cancel, and people turn flat.
# - The shared noise ({py:func}`videomdm.sample.multiview.shared_noise`) is what makes the ideas agree.
#
# ## What was verified

# %%
claims.table()

# %% [markdown]
# ## Exercises
#
# **1. Two views.**
# Are two views enough for a joint?
# Which two would you choose, and which two give nothing?
#
# :::{admonition} Solution
# :class: dropdown
# Two views give four equations for three unknowns.
# Views at a right angle see both horizontal axes directly.
# Opposite views at elevation 0 have the same right axis up to its sign and the same down axis: the depth along their
# common line of sight is in neither, and the matrix in {eq}`eq:mas-normal` cannot be inverted.
# The cell below shows the condition numbers.
# :::
#
# **2. A view that counts more.**
# Let the first view's squares count a thousand times as much as the others'.
# What becomes of its picture, and what of the depth?
#
# :::{admonition} Solution
# :class: dropdown
# The fit then meets the first picture nearly exactly, whatever the others show.
# Along its line of sight it has no say, at any weight: there the other six decide as before.
# That is how MAS lifts a given motion.
# :::


# %% tags=["hide-cell"]
def condition(azimuths, elevation=0.0):
    two = Views(elevation, nba.DISTANCE).cameras(360)
    rows = two.rotation[[a % 360 for a in azimuths], :2].flatten(0, 1)
    singular = torch.linalg.svdvals(rows)
    return float(singular[0] / singular[-1])


assert condition((0, 90)) < 2
assert condition((0, 180)) > 1e5

# %% [markdown]
# ## Functions on this page
#
# {py:func}`videomdm.sample.multiview.sample`, {py:func}`videomdm.sample.multiview.consistent`,
# {py:func}`videomdm.sample.multiview.shared_noise`, {py:class}`videomdm.cameras.views.Views`,
# {py:func}`videomdm.data.nba.film`.
#
# How pictures correct a 3-D motion in training is the matter of [](explain_depth_weighting) and
# [](explain_ray_projection).
