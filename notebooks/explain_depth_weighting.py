# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Depth weighting
#
# The loss of {cite}`videomdm` compares a predicted motion with keypoints in the image, and multiplies each
# difference by the depth at which the prediction stands.
# The paper says that this is as good as comparing in space.
# This page derives the statement line by line, lets cameras thrown at random confirm it, and then looks for the
# places where it stops being true.

# %%
import math
from pathlib import Path

import sympy as sp
import torch
from torch import nn

from videomdm import cameras, depth, losses
from videomdm.data import procedural
from videomdm.evaluation.measures import seed_interval
from videomdm.pages.claims import Claims
from videomdm.plots import Table, keep, metrics_table, panels, player
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT, SERIES
from videomdm.skeletons import SMPL22
from videomdm.study import results

claims = Claims()

# %% [markdown]
# ## The same error, seen from further away
#
# A person walks, in grey.
# Every joint of the coloured body is 5 cm away from where it should be, each in a direction of its own.
# Three cameras stand one behind the other, 3, 5 and 8 metres from the body.

# %%
corpus = procedural.generate(440, seed=0, min_frames=40, max_frames=40)
x = corpus.clip(corpus.actions.index("walk"))
directions = torch.randn(len(SMPL22), 3, generator=torch.Generator().manual_seed(3))
wrong = x + 0.05 * directions / directions.norm(dim=-1, keepdim=True)

distances = torch.tensor([3.0, 5.0, 8.0])
target = x[20].mean(0)
row = cameras.orbit(0.7, 0.2, target.expand(3, 3), distances)
player({"5 cm off": wrong}, ghosts={"5 cm off": x}, camera=row, title="One error, three cameras")

# %% [markdown]
# These are the three pictures of one frame, drawn to the same scale.
# Nothing in space has changed, but the further camera hardly sees that something is wrong.

# %%
y, _ = row.project(x.expand(3, *x.shape))
xhat, dhat = row.project(wrong.expand(3, *x.shape))
figure, drawn = panels(*(f"seen from {z:.0f} m" for z in distances), height=4.4, share_y=True)
for k, axes in enumerate(drawn):
    for points, colour in ((y, GHOST), (xhat, RIGHT)):
        for bone in SMPL22.bones:
            axes.plot(*points[k, 20, list(bone)].T, color=colour, linewidth=2, solid_capstyle="round")
    axes.set(aspect="equal", xlim=(-0.24, 0.24), ylim=(0.34, -0.34), xlabel="u (image units, 1 = focal length)")
drawn[0].set_ylabel("v (image units)")
keep(figure, "depth_weighting_seen_from")

# %% [markdown]
# In numbers: the root mean square error in the image, and the same times depth.

# %%
# NBVAL_CHECK_OUTPUT
in_image = (xhat - y).square().sum(-1).mean((1, 2)).sqrt()
in_metres = (depth.weights(dhat) * (xhat - y)).square().sum(-1).mean((1, 2)).sqrt()
for z, a, b in zip(distances, in_image, in_metres, strict=True):
    print(f"{z:.0f} m: {1000 * a:4.1f} thousandths of a focal length; times depth {1000 * b:.0f} mm")
claims.check("image error at 8 m over that at 3 m", in_image[2] / in_image[0], 3 / 8, 0.05)
claims.check("the same, inverted and squared", (in_image[0] / in_image[2]) ** 2, 7.9, 0.1)
_ = claims.check("times depth: 8 m over 3 m", in_metres[2] / in_metres[0], 1, 0.02)

# %% [markdown]
# A loss on raw image errors would hear the near person three times as loudly as the far one, and more than eight
# times as loudly once errors are squared.
# Times depth the three agree, but on 4 cm rather than 5: each camera misses the part of the error that lies along
# its line of sight.
#
# ## What is claimed
#
# A joint stands at $X$ and is predicted at $\hat X$; the displacement is $D = X - \hat X = (D_x, D_y, D_z)$ with
# Y up.
# Cameras stand on a circle around it at *elevation* $\varphi$ (the angle above the horizon) and at an *azimuth*
# $\theta$ that is drawn uniformly, and they do not roll.
# Then there are two weights, $w_u$ and $w_v$, for the two image axes, with which the squared image error is, on
# average over azimuth, the squared error in space:
#
# $$
# \mathbb{E}_\theta\bigl[(w_u\,\Delta u)^2 + (w_v\,\Delta v)^2\bigr] \;=\; D_x^2 + D_y^2 + D_z^2 .
# $$ (eq:depth-claim)
#
# ## The proof, step by step
#
# Five steps follow; sympy does the algebra of each, so nothing has to be believed.
#
# **Step 1: one depth for both points.**
# Projection divides by depth.
# The paper's *depth assumption* is that both points are divided by the same depth $d$.
# The image error is then the displacement across the view, divided by $d$: with $R$ the camera's rotation,
#
# $$
# \Delta u = \frac{(R D)_x}{d}, \qquad \Delta v = \frac{(R D)_y}{d} .
# $$ (eq:depth-assumption)
#
# **Step 2: the two axes.**
# The camera's horizontal axis turns with the azimuth and stays level.
# Its vertical axis leans by the elevation.
# (Here $v$ grows upwards, as in the paper; a squared error does not see the sign.)

# %%
Dx, Dy, Dz, theta, phi = sp.symbols("D_x D_y D_z theta phi", real=True)
d, wu, wv = sp.symbols("d w_u w_v", positive=True)
D = sp.Matrix([Dx, Dy, Dz])
right = sp.Matrix([sp.cos(theta), 0, sp.sin(theta)])
up = sp.Matrix([-sp.sin(theta) * sp.sin(phi), sp.cos(phi), sp.cos(theta) * sp.sin(phi)])
du, dv = right.dot(D) / d, up.dot(D) / d
sp.Matrix([du, dv])

# %% [markdown]
# The two axes are those of a rotation, and they are the package's own: its orbit cameras measure azimuth and
# elevation with the opposite sign, and $v$ downwards.

# %%
# NBVAL_CHECK_OUTPUT
assert sp.simplify(right.dot(right)) == sp.simplify(up.dot(up)) == 1 and sp.simplify(right.dot(up)) == 0
angles = {theta: 0.7, phi: 0.3}
formula = torch.tensor([right.subs(angles), up.subs(angles)], dtype=torch.float64).squeeze(-1)
orbit = cameras.orbit(-0.7, -0.3, torch.zeros(3, dtype=torch.float64), 4.0)
axes_apart = (orbit.rotation[:2] * torch.tensor([[1], [-1]]) - formula).abs().max()
print(f"axes differ by {claims.check('camera axes, formula and package', axes_apart, 0, 1e-9):.6f}")

# %% [markdown]
# **Step 3: average over the azimuth.**
# Each square is integrated over a full turn and divided by $2\pi$.
# All that is used is that $\cos^2\theta$ and $\sin^2\theta$ are $\tfrac12$ on average, and that
# $\sin\theta\cos\theta$, $\sin\theta$ and $\cos\theta$ are 0.


# %%
def over_azimuth(term, start=0, stop=2 * sp.pi):
    mean = sp.integrate(sp.expand(term), (theta, start, stop)) / (stop - start)
    return sp.collect(sp.expand(sp.simplify(mean)), (Dx, Dy, Dz))


mean_u = over_azimuth((wu * du) ** 2)
mean_u

# %% [markdown]
# The horizontal image axis sees half of the horizontal error, and nothing of the height:
#
# $$
# \mathbb{E}\bigl[(w_u \Delta u)^2\bigr] = \frac{w_u^2}{d^2}\,\frac{D_x^2 + D_z^2}{2} .
# $$ (eq:depth-u)

# %%
mean_v = over_azimuth((wv * dv) ** 2)
mean_v

# %% [markdown]
# The vertical image axis sees the height, foreshortened by $\cos\varphi$, and, if the camera looks down or up, some
# of the horizontal error as well:
#
# $$
# \mathbb{E}\bigl[(w_v \Delta v)^2\bigr]
#   = \frac{w_v^2}{d^2}\Bigl(\cos^2\!\varphi\; D_y^2 + \sin^2\!\varphi\;\frac{D_x^2 + D_z^2}{2}\Bigr) .
# $$ (eq:depth-v)
#
# **Step 4: choose the weights.**
# In the sum of {eq}`eq:depth-u` and {eq}`eq:depth-v`, the factor of $D_y^2$ must be 1, and so must that of $D_x^2$.
# These are two equations for two unknowns.

# %%
total = sp.expand(mean_u + mean_v)
(solution,) = sp.solve([total.coeff(Dy, 2) - 1, total.coeff(Dx, 2) - 1], [wu**2, wv**2], dict=True)
assert sp.simplify((solution[wu**2] - d**2 * (2 - sp.tan(phi) ** 2)).rewrite(sp.cos)) == 0
assert sp.simplify(solution[wv**2] - d**2 / sp.cos(phi) ** 2) == 0
sp.Matrix([solution[wu**2], solution[wv**2]])

# %% [markdown]
# These are $w_u^2$ and $w_v^2$.
# With $\sin\varphi/\cos\varphi = \tan\varphi$, and a root taken, the weights are
#
# $$
# w_u = d\,\sqrt{2 - \tan^2\varphi}, \qquad w_v = \frac{d}{\cos\varphi} .
# $$ (eq:depth-weights)
#
# **Step 5: put them in.**
# The factor of $D_z^2$ was not asked for, and comes out right too.

# %%
# NBVAL_CHECK_OUTPUT
proved = total.subs({wu: d * sp.sqrt(2 - sp.tan(phi) ** 2), wv: d / sp.cos(phi)})
print(sp.simplify(proved))
assert sp.simplify(proved - D.dot(D)) == 0

# %% [markdown]
# That is {eq}`eq:depth-claim`.
# Both weights are proportional to the depth $d$: this is where the depth in the loss comes from.
#
# ## Cameras thrown at random
#
# {py:func}`videomdm.depth.weights` has both forms.
# `"exact"` is {eq}`eq:depth-weights`; `"depth"` is what eq. 1 of the paper uses, the plain depth on both axes.
# One fixed displacement is looked at from 200,000 random azimuths.


# %%
def share(D, azimuth, elevation, kind):
    """Weighted squared image error over squared 3-D error, for each camera."""
    centre = torch.zeros(len(azimuth), 3, dtype=torch.float64)
    camera = cameras.orbit(azimuth, elevation, centre, 4.0)
    (xhat, dhat), (y, _) = camera.project(centre + D), camera.project(centre)
    return (depth.weights(dhat, elevation, kind) * (xhat - y)).square().sum(-1) / D.square().sum()


# %%
# NBVAL_CHECK_OUTPUT
azimuth = 2 * math.pi * torch.rand(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
displacement = torch.tensor([0.03, 0.02, -0.05], dtype=torch.float64)
lines = ["elevation   exact (standard error)   depth (standard error)"]
for elevation in (0.0, 0.3, -0.5, 0.8):
    drawn = [share(displacement, azimuth, elevation, kind) for kind in ("exact", "depth")]
    pairs = [(float(s.mean()), float(s.std()) / len(s) ** 0.5) for s in drawn]
    lines.append(f"{elevation:9.1f}" + "".join(f"{mean:13.3f} ({error:.4f})  " for mean, error in pairs))
    claims.check(f"random cameras, exact, phi = {elevation}", pairs[0][0], 1, 4 * pairs[0][1])
print("\n".join(lines))

# %% [markdown]
# With the exact weights the average is 1 within two standard errors or so (the rows share their azimuths, so they
# err together).
# With the plain depth it is not; it is a number below 1 that depends on the elevation.
#
# Random numbers cannot tell 1 from 1.001 without much patience, but evenly spaced cameras can.
# What is averaged contains nothing faster than $\cos 2\theta$, so 16 azimuths give its mean without any error.

# %%
# NBVAL_CHECK_OUTPUT
even = torch.arange(16, dtype=torch.float64) * math.pi / 8
for elevation in (0.0, 0.3, -0.5, 0.8):
    print(f"phi = {elevation:4.1f}: {share(displacement, even, elevation, 'exact').mean():.8f}")
    claims.check(
        f"16 even cameras, exact, phi = {elevation}", share(displacement, even, elevation, "exact").mean(), 1, 1e-9
    )

# %% [markdown]
# ## One weight or two
#
# What does eq. 1 do, with the plain $d$ on both axes?
# With $w_u = w_v = d$, equations {eq}`eq:depth-u` and {eq}`eq:depth-v` say
#
# $$
# \mathbb{E} = \frac{1 + \sin^2\varphi}{2}\,\bigl(D_x^2 + D_z^2\bigr) \;+\; \cos^2\!\varphi\; D_y^2 .
# $$ (eq:depth-plain)
#
# A constant factor would not matter, an optimiser's step takes care of it.
# But there are two different factors, one for errors along the floor and one for errors in height.

# %%
sideways, upwards = torch.tensor([[0.05, 0, 0], [0, 0.05, 0]], dtype=torch.float64)
degrees = torch.arange(0, 61.0, 5.0, dtype=torch.float64)
plain = torch.stack(
    [torch.stack([share(D, even, e, "depth").mean() for D in (sideways, upwards)]) for e in degrees.deg2rad()]
)
allowed = torch.arange(0, 54.7, 0.1, dtype=torch.float64)
exact = depth.weights(torch.ones_like(allowed), allowed.deg2rad(), "exact")

# %% tags=["hide-input"]
figure, (left, right_panel) = panels("mean image error over 3-D error, squared", "exact weights over depth")
fine = torch.linspace(0, 60, 200).deg2rad()
left.plot(fine.rad2deg(), fine.cos() ** 2, color=RIGHT, label="depth, errors in height")
left.plot(fine.rad2deg(), (1 + fine.sin() ** 2) / 2, color=LEFT, label="depth, errors along the floor")
left.plot(degrees, plain[:, 1], "o", color=RIGHT, markersize=4)
left.plot(degrees, plain[:, 0], "o", color=LEFT, markersize=4)
left.plot([0, 54.7], [1, 1], color=INK, label="exact, both")
right_panel.plot(allowed, exact[:, 0], color=LEFT, label=r"$w_u / d$")
right_panel.plot(allowed, exact[:, 1], color=RIGHT, label=r"$w_v / d$")
for axes in (left, right_panel):
    axes.axvspan(0, cameras.ORBIT_ELEVATION[1], color=GHOST, alpha=0.18, linewidth=0)
    axes.axvline(math.degrees(math.asin(3**-0.5)), color=INK, linewidth=0.8, linestyle=":")
    axes.set(xlabel="elevation (degrees)", xlim=(0, 60), ylim=(0, 2))
    axes.legend(frameon=False, fontsize=9, loc="upper left")
left.set(ylabel="image / 3-D", ylim=(0, 1.5))
right_panel.set(ylabel="weight / depth")
keep(figure, "depth_weighting_elevation")

# %% [markdown]
# Lines are the formulas, dots the package; the grey band holds the elevations of the package's training cameras.
# Three things can be read off.
#
# A level camera with plain depth counts an error in height **twice** as much as one along the floor.
# Every camera sees all of the height, but on average only half of what happens along the floor.
#
# At 35.3 degrees ($\sin^2\varphi = \tfrac13$, dotted) the two factors meet, at $\tfrac23$.
# There, and only there, eq. 1 is 3-D error up to a constant, and the exact weights are equal on both axes.
#
# For errors that favour no direction, the plain weight gives $\tfrac23$ at *every* elevation: two of three axes are
# seen.

# %%
# NBVAL_CHECK_OUTPUT
equal = math.asin(3**-0.5)
at_level, at_equal = (depth.weights(torch.tensor(1.0).double(), e, "exact").square() for e in (0.0, equal))
claims.check("level camera, plain: height over floor", plain[0, 1] / plain[0, 0], 2, 1e-9)
claims.check("degrees at which both axes weigh the same", math.degrees(equal), 35.26, 0.01)
claims.check("exact w_u^2 / d^2 there", at_equal[0], 1.5, 1e-9)
claims.check("exact w_v^2 / d^2 there", at_equal[1], 1.5, 1e-9)
both = (2 * plain[:, 0] + plain[:, 1]) / 3
claims.check("plain, any direction, any elevation (largest deviation from 2/3)", (both - 2 / 3).abs().max(), 0, 1e-9)
print(
    "squares of the exact weights, level:",
    *(f"{w:.4f}" for w in at_level),
    "at 35.3 degrees:",
    *(f"{w:.4f}" for w in at_equal),
)

# %% [markdown]
# The same holds for whole motions, in perspective, through the loss itself.
# Every clip of the built-in corpus gets a random camera of its own, and its joints an error of 5 cm along each axis.
# {py:func}`videomdm.losses.reprojection` is divided by the true squared error.

# %%
X = corpus.joints.double()
lengths = corpus.lengths
generator = torch.Generator().manual_seed(0)
camera = cameras.sample_orbit(X, lengths, generator)
keypoints, _ = camera.project(X)
noise = 0.05 * torch.randn(X.shape, generator=generator, dtype=torch.float64)

# %%
# NBVAL_CHECK_OUTPUT
truth = noise.square().sum(-1).mean()
ratio = {
    k: float(losses.reprojection(X + noise, keypoints, camera, lengths, weighting=k) / truth)
    for k in ("none", "clip", "depth", "exact")
}
print({kind: round(value, 2) for kind, value in ratio.items()})
claims.check("loss over 3-D error on the corpus, depth", ratio["depth"], 2 / 3, 0.02)
_ = claims.check("loss over 3-D error on the corpus, exact", ratio["exact"], 1, 0.02)

# %% [markdown]
# `"none"` is the ablation without weights, whose scale means nothing; `"clip"` weighs a clip by its mean depth, as
# the authors' released code does.
# `"depth"` is near $\tfrac23$ and `"exact"` near 1, yet both are a little too large.
# The excess is no accident, and the next section finds it.
#
# ## Where it breaks
#
# ### Steep cameras
#
# In {eq}`eq:depth-v` the height must count fully, so $w_v = d/\cos\varphi$.
# That alone already counts $\tfrac12\tan^2\varphi$ of the errors along the floor.
# From $\tan^2\varphi = 2$ on, at 54.7 degrees, this is more than all of it, and $w_u^2$ would have to be negative.
# The package refuses.

# %%
# NBVAL_CHECK_OUTPUT
steepest = claims.check("steepest elevation in degrees", math.degrees(math.atan(math.sqrt(2))), 54.74, 0.01)
depth.weights(torch.ones(1), math.radians(steepest - 0.1), "exact")
try:
    depth.weights(torch.ones(1), math.radians(steepest + 0.1), "exact")
except ValueError as error:
    print(error)

# %% [markdown]
# ### The predicted depth is wrong
#
# The proof gave both points one depth.
# What does the loss really measure, with the predicted depth $\hat d$ as weight and no assumption at all?
# Write the true point in camera axes as $(X, Y, d)$ with keypoint $y = (X, Y)/d$, and the prediction as the truth
# plus $(a, b, c)$.

# %%
X_, Y_, a, b, c = sp.symbols("X Y a b c", real=True)
true, predicted = sp.Matrix([X_, Y_, d]), sp.Matrix([X_ + a, Y_ + b, d + c])


def pi(point):
    return point[:2, :] / point[2]


residual = predicted[2] * (pi(predicted) - pi(true))
assert sp.simplify(residual - (sp.Matrix([a, b]) - c * pi(true))) == sp.zeros(2, 1)

# %% [markdown]
# $$
# \hat d\,\bigl(\pi(\hat x) - y\bigr) \;=\; (a, b) - c\,y .
# $$ (eq:depth-identity)
#
# This is exact, for errors of any size.
# The error across the view, $(a, b)$, arrives in metres, and the error in depth, $c$, leaks in by the keypoint's
# distance $|y|$ from the image centre, and by nothing else.
# So with the *predicted* depth as weight, a wrong depth does no harm at the image centre.
# Towards the border it adds a share of $|y|^2$, however small or large the error is.
#
# A weight that is not the predicted depth does worse.
# Let the joint stand at the centre of the orbit and the prediction be off by a fraction $p$ of its distance, along
# the floor, so that its depth is wrong by up to $\pm p$ as the camera goes around.
# With the true depth as weight, the error across the view is divided by $1 + c/d$, and the average is no longer 1:
#
# $$
# \mathbb{E}_\theta\Bigl[\frac{2\cos^2\theta}{(1 + p\sin\theta)^2}\Bigr]
#   = \frac{2}{p^2}\Bigl(\frac{1}{\sqrt{1-p^2}} - 1\Bigr) .
# $$ (eq:depth-bias)


# %%
def bias(p, weight_from):
    """Loss over 3-D error for a prediction off by p times its distance; weights from either depth."""
    camera = cameras.orbit(around, 0.0, torch.zeros(len(around), 3, dtype=torch.float64), 4.0)
    at = torch.tensor([4.0 * p, 0, 0], dtype=torch.float64).expand(len(around), 3)
    xhat, dhat = camera.project(at)
    weight = dhat if weight_from == "predicted" else torch.full_like(dhat, 4.0)
    return float((depth.weights(weight, 0.0, "exact") * xhat).square().sum(-1).mean() / (4 * p) ** 2)


around = torch.arange(720, dtype=torch.float64) * 2 * math.pi / 720
p_ = sp.symbols("p", positive=True)
biased = sp.lambdify(p_, 2 / p_**2 * (1 / sp.sqrt(1 - p_**2) - 1))

# %%
# NBVAL_CHECK_OUTPUT
for p in (0.05, 0.2, 0.5):
    predicted_depth, true_depth = bias(p, "predicted"), bias(p, "true")
    print(f"off by {100 * p:2.0f} %: predicted depth as weight {predicted_depth:.4f}, true depth {true_depth:.4f}")
    claims.check(f"depth off by {p}: weight from the predicted depth", predicted_depth, 1, 1e-9)
    claims.check(f"depth off by {p}: weight from the true depth", true_depth, biased(p), 1e-6)

# %%
for epsilon, excess in ((0.05, 0.10), (0.2, 0.44), (0.5, 1.25)):
    off = depth.weights(torch.tensor(4.0 * (1 + epsilon))) / depth.weights(torch.tensor(4.0))
    claims.check(f"weight off by {epsilon}: excess of the loss", off[0].square() - 1, excess, 0.005)

# %% [markdown]
# That leaves two sources of bias, both in the next figure beside this one.
# If the weight itself comes from an estimate that is off by a factor $1 + \varepsilon$, the loss is off by
# $(1 + \varepsilon)^2$: 10, 44 and 125 % for 5, 20 and 50 %.
# And a wide field of view lets depth errors in, by {eq}`eq:depth-identity`.
# For errors that favour no direction, seen by level cameras, the ratio is $1 + (2u^2 + v^2)/3$.

# %% tags=["hide-input"]
figure, (left, middle, last) = panels(
    "prediction off by p", "weight off by ε", "joint away from the image centre", height=3.4
)
off = torch.linspace(0.01, 0.6, 60)
left.plot(100 * off, [bias(float(p), "true") for p in off], color=RIGHT, label="weight from true depth")
left.plot(100 * off, [bias(float(p), "predicted") for p in off], color=LEFT, label="weight from predicted depth")
left.set(xlabel="error over distance (%)", ylabel="loss / squared 3-D error")
epsilon = torch.linspace(-0.5, 0.5, 50)
middle.plot(100 * epsilon, (1 + epsilon) ** 2, color=RIGHT)
middle.set(xlabel="error of the weight's depth (%)", ylabel="loss / squared 3-D error")
angle = torch.linspace(0, 30, 50)
last.plot(angle, 1 + 2 * angle.deg2rad().tan() ** 2 / 3, color=LEFT, label="to the side")
last.plot(angle, 1 + angle.deg2rad().tan() ** 2 / 3, color=RIGHT, label="above or below")
last.set(xlabel="angle from the optical axis (degrees)", ylabel="loss / squared 3-D error")
for axes in (left, last):
    axes.legend(frameon=False, fontsize=9)
keep(figure, "depth_weighting_bias")

# %% [markdown]
# Now the small excess on the corpus can be predicted, joint by joint, from where the keypoints lie.

# %%
# NBVAL_CHECK_OUTPUT
w2 = depth.weights(torch.ones(len(X), dtype=torch.float64), camera.elevation, "exact").square()
expected = float((w2[:, None, None] * (1 + keypoints.square())).sum(-1).mean() / 3)
print(f"excess: {100 * (ratio['exact'] - 1):.1f} % measured, {100 * (expected - 1):.1f} % predicted")
_ = claims.check("excess of the exact loss on the corpus", ratio["exact"], expected, 0.003)

# %% [markdown]
# One error no weight can repair: along the ray the loss sees nothing.
# Push a whole body away from its camera by a fifth, every joint along its own ray, and both sides of
# {eq}`eq:depth-identity` are zero.

# %%
# NBVAL_CHECK_OUTPUT
centre = camera.center[:, None, None]
pushed = centre + 1.2 * (X - centre)
loss = losses.reprojection(pushed, keypoints, camera, lengths, weighting="exact")
claims.check("loss of a push along the rays", loss, 0, 1e-9)
print(f"3-D error {(pushed - X).norm(dim=-1).mean():.1f} m, loss {loss:.6f}")

# %% [markdown]
# A teacher's depth of the root is wrong in just this way, see [](explain_root_depth).
# Only cameras from other sides can see it, and a clip has only one.
# {eq}`eq:depth-claim` is a statement about the data set: what one clip's camera misses, another clip's camera must
# see, on a motion that is similar enough for the model to learn from both.
#
# ### Cameras that are not all around
#
# Average the exact weights over some set of cameras, and the expected loss is $D^\top M D$ with a matrix $M$.
# All around, $M$ is the identity: that is the theorem again.
# Its eigenvalues say how much an error counts in the direction that counts most, and in the one that counts least.


# %%
def metric(low, high, elevation, n=3600):
    """M for azimuths spread evenly from low to high (radians)."""
    azimuth = low + (high - low) * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    axes = cameras.orbit(azimuth, elevation, torch.zeros(n, 3, dtype=torch.float64), 1.0).rotation[:, :2]
    w2 = depth.weights(torch.ones(n, dtype=torch.float64), elevation, "exact").square()
    return torch.einsum("nk,nki,nkj->ij", w2, axes, axes) / n


sets = {"all around": math.pi, "half circle": math.pi / 2, "quarter circle": math.pi / 4, "one camera": 1e-6}

# %%
# NBVAL_CHECK_OUTPUT
print("eigenvalues of M       level            20 degrees up")
spectra = {name: [torch.linalg.eigvalsh(metric(-h, h, e)) for e in (0.0, math.radians(20))] for name, h in sets.items()}
for name, pair in spectra.items():
    print(f"{name:15s}" + "".join("   " + " ".join(f"{abs(v):.2f}" for v in values) for values in pair))

# %% [markdown]
# A level half circle is as good as the whole: what is averaged has period $\pi$, so half a turn is a whole period.
# Above the horizon that is not quite so.
# The vertical image axis mixes height and depth, with a cross term $2 D_y D_z \tan\varphi\cos\theta$ of period
# $2\pi$, and on a half circle its mean is not zero.

# %%
# NBVAL_CHECK_OUTPUT
half = over_azimuth((du * sp.sqrt(2 - sp.tan(phi) ** 2) * d) ** 2 + (dv * d / sp.cos(phi)) ** 2, -sp.pi / 2, sp.pi / 2)
cross = sp.simplify(half - D.dot(D))
print(cross)
assert sp.simplify(cross - 4 * Dy * Dz * sp.tan(phi) / sp.pi) == 0

# %% [markdown]
# So a half circle has eigenvalues $1 \pm \tfrac{2}{\pi}\tan\varphi$: errors that go up and towards the cameras at once
# count differently from those that go up and away.
# Cameras above *and* below the horizon cancel this.

# %%
extreme = 2 / math.pi * math.tan(math.radians(20))
claims.check("all around, 20 degrees: smallest eigenvalue", spectra["all around"][1][0], 1, 1e-9)
claims.check("half circle, level: smallest eigenvalue", spectra["half circle"][0][0], 1, 1e-5)
claims.check("half circle, 20 degrees: smallest eigenvalue", spectra["half circle"][1][0], 1 - extreme, 1e-5)
claims.check("quarter circle, level: smallest eigenvalue", spectra["quarter circle"][0][0], 1 - 2 / math.pi, 1e-5)
_ = claims.check("one camera: smallest eigenvalue", abs(spectra["one camera"][0][0]), 0, 1e-5)

# %% tags=["hide-input"]
figure, (left, right_panel) = panels(
    "errors along the floor", "errors in the vertical plane of the middle camera", share_y=True
)
turn = torch.linspace(0, 180, 181, dtype=torch.float64)
s, k, zero = turn.deg2rad().sin(), turn.deg2rad().cos(), torch.zeros_like(turn)
for (name, width), colour, thick in zip(sets.items(), (GHOST, *SERIES), (5, 2, 2, 2), strict=False):
    M = metric(-width, width, math.radians(20))
    for axes, direction in ((left, torch.stack([s, zero, k], -1)), (right_panel, torch.stack([zero, s, k], -1))):
        axes.plot(turn, torch.einsum("ni,ij,nj->n", direction, M, direction), color=colour, linewidth=thick, label=name)
left.set(xlabel="direction of the error (degrees from the line of sight)", ylabel="loss / squared 3-D error")
right_panel.set(xlabel="direction (degrees from towards the camera, over up)")
left.legend(frameon=False, fontsize=9)
keep(figure, "depth_weighting_azimuth")

# %% [markdown]
# All curves are for cameras 20 degrees above the horizon.
# A camera that never moves sees sideways errors almost twice over and hardly sees those along its line of sight.
# Even a quarter circle counts the latter by less than half.
# If a real data set is filmed from the front, this is how its prior will be wrong.
#
# ### Near and behind the camera
#
# Division by depth is only projection where depth is positive.
# Here a joint, whose keypoint is the image centre, is predicted 5 cm beside the optical axis, ever closer to the
# camera, and finally behind it.
# We watch the length of the loss's gradient.


# %%
def pull(depths, weighting, tau):
    """Length of the loss's gradient at joints predicted at these depths, 5 cm beside the optical axis."""
    n = len(depths)
    still = cameras.Camera(torch.eye(3).expand(n, 3, 3), torch.zeros(n, 3))
    joints = torch.stack([torch.full_like(depths, 0.05), torch.zeros(n), depths], -1)[:, None, None].requires_grad_()
    y, ones = torch.zeros(n, 1, 1, 2), torch.ones(n, dtype=torch.long)
    loss = n * losses.reprojection(joints, y, still, ones, weighting=weighting, tau=tau)
    return torch.autograd.grad(loss, joints)[0].norm(dim=-1).flatten()


depths = torch.linspace(-1, 4, 501)
pulls = {
    "no weight": pull(depths, "none", -9.0),
    "depth": pull(depths, "depth", -9.0),
    "depth, nearer than τ dropped": pull(depths, "depth", losses.TAU),
}

# %% tags=["hide-input"]
figure, (axes,) = panels("pull of the loss on one joint, 5 cm off", height=3.4)
for (name, values), colour, thick in zip(pulls.items(), (GHOST, RIGHT, LEFT), (3, 2.5, 1.5), strict=True):
    axes.semilogy(depths, values.clamp(min=1e-4), color=colour, linewidth=thick, label=name)
axes.axvline(losses.TAU, color=INK, linewidth=0.8, linestyle=":")
axes.set(xlabel="predicted depth (m); the camera is at 0", ylabel="gradient (log scale)", ylim=(1e-4, 1e6))
axes.legend(frameon=False, fontsize=9)
keep(figure, "depth_weighting_near_camera")

# %% [markdown]
# Without weights the pull grows like one over depth squared, so that one near joint outshouts a whole batch.
# With them it stays the same until very near the camera.
# Behind the camera both are meaningless, and huge: there the divisor is held at a millimetre.
# The truncation at $\tau = 0.5$ m cuts all of this off.
# It has a price: a joint in there feels no pull at all, so nothing in this loss brings it back.

# %%
# NBVAL_CHECK_OUTPUT
near = torch.tensor([0.6, 3.0, 0.4, -0.5])
plain_pull, weighted, kept = (pull(near, *args) for args in (("none", -9.0), ("depth", -9.0), ("depth", losses.TAU)))
print(
    f"0.6 m over 3 m: no weight {plain_pull[0] / plain_pull[1]:.0f} times, depth {weighted[0] / weighted[1]:.1f} times"
)
claims.check("pull at 0.4 m and behind the camera, truncated", kept[2:].max(), 0, 0)
claims.check("pull without weights, 0.6 m over 3 m", plain_pull[0] / plain_pull[1], 25, 0.5)
claims.check("tau in metres", losses.TAU, 0.5, 1e-9)

# %% [markdown]
# ## Gradients: why the weight is no path
#
# In eq. 1 the weight is $\operatorname{sg}(\hat d)$: *stop-gradient*, a number that is not differentiated.
# Without it there is a neater form.
# By definition $\hat d\,\pi(\hat x)$ is the $x$ and $y$ of the prediction in camera axes, so the residual is
#
# $$
# f \;=\; \hat d\,(\pi(\hat x) - y) \;=\; \hat X_c.xy - \hat d\,y ,
# $$ (eq:depth-linear)
#
# which is *linear* in the prediction; half its square is a parabola with one minimum.
# Both have the same value, so they can only differ in their gradients.
# Sympy takes them, with the weight held fixed and with it free.

# %%
xc, yc, zc, u, v, w = sp.symbols("x_c y_c z_c u v w", real=True)
place, y_ = sp.Matrix([xc, yc, zc]), sp.Matrix([u, v])
fixed = w * (pi(place) - y_)
free = place[:2, :] - zc * y_
stopped = sp.Matrix([fixed.dot(fixed) / 2]).jacobian(place).subs(w, zc)
linear = sp.Matrix([free.dot(free) / 2]).jacobian(place)
difference = sp.simplify(linear - stopped)
assert sp.simplify(difference[2] - free.dot(free) / zc) == 0
difference

# %% [markdown]
# Across the view the two agree.
# In depth they differ by $|f|^2/\hat d$, which is never negative.
# Descent goes against the gradient, so without stop-gradient every residual, whatever its cause, pulls the joint
# **towards the camera**: shrinking the weight is a cheap way of shrinking the loss.
# Autograd and the package agree with sympy:

# %%
# NBVAL_CHECK_OUTPUT
guess = (X + noise)[:8].requires_grad_()
seen, eye = keypoints[:8], camera[torch.arange(8)]
(stopped_gradient,) = torch.autograd.grad(losses.reprojection(guess, seen, eye, lengths[:8]), guess)
in_camera = eye.to_camera(guess)
f = in_camera[..., :2] - in_camera[..., 2:] * seen
(linear_gradient,) = torch.autograd.grad(f.square().sum(-1).mean(), guess)
towards = ((linear_gradient - stopped_gradient) * eye.rotation[:, None, None, 2]).sum(-1) * f[..., 0].numel()
formula = 2 * f.square().sum(-1) / in_camera[..., 2]
apart = ((towards - formula).abs() / formula.max()).max().detach()
print(f"largest relative difference {claims.check('pull towards the camera, autograd and sympy', apart, 0, 1e-9):.6f}")

# %% [markdown]
# Does it matter?
# Detectors are noisy, so residuals never vanish.
# Take true poses, keypoints with noise, and let gradient descent find the one number that is free: how far each body
# stands from its camera.
# For the linear form this is a regression with noise in its regressor $y$, which is known to be drawn towards zero,
# by a fraction $2\sigma^2/(\overline{|y|^2} + 2\sigma^2)$.


# %%
def settle(y, form, steps=60):
    """Relative error of the depth at which bodies come to rest."""
    shift = torch.zeros(len(y), dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        joints = pose + shift[:, None, None, None] * camera.rotation[:, None, None, 2]
        in_camera = camera.to_camera(joints)
        linear = (in_camera[..., :2] - in_camera[..., 2:] * y).square().sum(-1).mean()
        loss = linear if form == "linear" else losses.reprojection(joints, y, camera, one)
        (gradient,) = torch.autograd.grad(loss * len(y), shift)
        shift = (shift - 8 * gradient).detach().requires_grad_()
    return shift.detach() / clean_depth.mean((1, 2))


pose, one = X[:, 20:21], torch.ones(len(X), dtype=torch.long)
clean, clean_depth = camera.project(pose)
sigmas = (0.003, 0.01, 0.02, 0.03)
settled = {
    form: [
        settle(
            clean + s * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64), form
        )
        for s in sigmas
    ]
    for form in ("stop-gradient", "linear")
}

# %%
# NBVAL_CHECK_OUTPUT
shrunk = [-2 * s**2 / (float(clean.square().sum(-1).mean()) + 2 * s**2) for s in sigmas]
for i, s in enumerate(sigmas):
    found = "".join(f"{form} {100 * values[i].mean():5.1f} %, " for form, values in settled.items())
    print(f"noise {s:.3f}: {found}formula {100 * shrunk[i]:5.1f} %")
claims.check("depth with stop-gradient, noise 0.02", settled["stop-gradient"][2].mean(), 0, 0.01)
_ = claims.check("depth with the linear form, noise 0.02", settled["linear"][2].mean(), shrunk[2], 0.015)

# %% tags=["hide-input"]
figure, (axes,) = panels("where the bodies come to rest", height=3.4)
for (form, values), colour in zip(settled.items(), (LEFT, RIGHT), strict=True):
    means, errors = zip(*((100 * v.mean(), 196 * v.std() / len(v) ** 0.5) for v in values), strict=True)
    axes.errorbar(sigmas, means, yerr=errors, fmt="o-", color=colour, capsize=3, label=form)
axes.plot(sigmas, [100 * s for s in shrunk], color=GHOST, linestyle="--", label="regression formula")
axes.axhline(0, color=INK, linewidth=0.8)
axes.set(xlabel="noise of the keypoints (image units; 0.01 is 4 cm at 4 m)", ylabel="error of depth (%)")
axes.legend(frameon=False, fontsize=9)
keep(figure, "depth_weighting_stop_gradient")

# %% [markdown]
# With stop-gradient, noise leaves the depth where it is; without, bodies come nearer with every bit of noise.
# The linear form is the better choice where keypoints are exact, since its minimum can be found by solving one
# linear system.
# For learning from detections the paper's $\operatorname{sg}$ is right.
#
# ## Does `exact` help the model?
#
# Think before measuring.
# For *any* positive weights the loss is zero only where the image error is zero; and if many cameras look at what is
# predicted from the same input, then for any $M$ without a zero eigenvalue the best prediction is the same
# conditional mean.
# A model that can reach it will, with either weight.
# Weights can decide what is learned *first*, and what a model that is too small gives up.
#
# Here is a training small enough for a page.
# A network of two layers takes single poses with 10 cm of noise on each coordinate and returns them clean; it never
# sees 3-D but through one random camera for each clip.
# Three seeds; for each, the four losses share noise, cameras, batches and initial weights.


# %%
def learn(kind, seed, steps=480):
    """Test errors along the floor and in height (mm per axis) every 60 batches."""
    torch.manual_seed(seed)
    noisy, view = poses + 0.1 * torch.randn(poses.shape), cameras.sample_orbit(poses, count)
    (y, _), log = view.project(poses), []
    network = nn.Sequential(nn.Linear(66, 128), nn.GELU(), nn.Linear(128, 66))
    nn.init.zeros_(network[-1].weight)

    def clean(i):
        return noisy[i] + network(noisy[i].flatten(2)).unflatten(-1, (22, 3))

    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(1, steps + 1):
        i = torch.randint(0, n_train, (64,))
        space = (clean(i) - poses[i]).square().sum(-1).mean()
        loss = space if kind == "3-D" else losses.reprojection(clean(i), y[i], view[i], count[i], weighting=kind)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 60 == 0:
            test = (clean(torch.arange(n_train, len(poses))) - poses[n_train:]).detach().square().mean((0, 1, 2))
            log.append([1000 * float(test[[0, 2]].mean().sqrt()), 1000 * float(test[1].sqrt())])
    return log


sample = corpus.joints[:, ::10]
poses = sample - sample[:, :1, :1] * torch.tensor([1.0, 0.0, 1.0])
count, n_train = torch.full((len(poses),), poses.shape[1]), len(poses) * 4 // 5
logs = {kind: torch.tensor([learn(kind, seed) for seed in range(3)]) for kind in ("3-D", "exact", "depth", "none")}

# %% tags=["hide-input"]
figure, drawn = panels("along the floor", "in height", share_y=True)
steps = torch.arange(60, 481, 60)
for kind, colour in zip(("exact", "depth", "none"), (LEFT, RIGHT, GHOST), strict=True):
    behind = logs[kind] - logs["3-D"]  # paired: the same seed
    for axis, axes in enumerate(drawn):
        mean, half_width = torch.tensor([seed_interval(seeds) for seeds in behind[..., axis].T.tolist()]).T
        axes.plot(steps, mean, color=colour, label=kind)
        axes.fill_between(steps, mean - half_width, mean + half_width, color=colour, alpha=0.2, linewidth=0)
for axes in drawn:
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(xlabel="batches")
drawn[0].set(ylabel="test error minus 3-D's (mm per axis)")
drawn[1].legend(frameon=False, fontsize=9)
keep(figure, "depth_weighting_training")

# %%
last = {kind: log[:, -1] for kind, log in logs.items()}
metrics_table(
    [
        {"loss": kind} | {name: seed_interval(e[:, i].tolist()) for i, name in enumerate(("floor, mm", "height, mm"))}
        for kind, e in last.items()
    ]
)

# %%
early = {k: (logs[k] - logs["3-D"])[:, 2].mean(0) for k in ("exact", "depth")}
leans = {k: float(e[0] - e[1]) for k, e in early.items()}
print({k: f"{v:.1f} mm" for k, v in leans.items()})
assert leans["depth"] > leans["exact"]

# %% [markdown]
# The picture is what the theory says.
# Early on, `"depth"` is worse than 3-D supervision along the floor and better in height, because it pays twice for
# height; `"exact"` leans less.
# Then the curves come together.
# The bands are Student's 95 % intervals over three seeds; they overlap, so the order of the means is all that this shows.
# Mind the limits: a tiny network on single poses, three seeds, no diffusion, and cameras that keep to one distance,
# so that even no weights at all do well here.
#
# What the full model says is a matter for the study.

# %%
rows = [r for r in results.read(Path("../results"), "ablations") if "exact" in r["method"] or r["method"] == "videomdm"]
shown = ("fid", "lift_truth_mpjpe")
named = [
    {"method": r["method"], "data": r["data"], "seed": str(r["seed"])} | {k: r["metrics"].get(k, "–") for k in shown}
    for r in rows
]
has_run = any("exact" in r["method"] for r in rows)
metrics_table(named, reference=0) if has_run else Table("The study has not run this ablation yet.")

# %% [markdown]
# ## What was verified

# %%
claims.table()

# %% [markdown]
# ## Exercises
#
# **1.** A camera stands level, 4 m away.
# A joint is predicted 6 cm too high and 6 cm too far to the camera's right, at the right depth.
# What are the loss of eq. 1 and the loss with exact weights for this one joint, and what is the squared error in
# space?
# Why does the exact weight overshoot?
#
# :::{admonition} Solution
# :class: dropdown
# The image error is $0.06/4 = 0.015$ on each axis, and times depth 0.06 m on each.
# Eq. 1 gives $0.06^2 + 0.06^2 = 0.0072\ \mathrm{m}^2$, which is the squared error in space.
# The exact weights are $d\sqrt 2$ and $d$, and give $2 \cdot 0.06^2 + 0.06^2 = 0.0108\ \mathrm{m}^2$.
# This camera happens to see all of the horizontal error.
# The factor 2 makes up for the cameras that see none of it; it is right on average over azimuth, not for each camera.
# :::
#
# **2.** Cameras stand at azimuths 0, 90, 180 and 270 degrees only.
# Is {eq}`eq:depth-claim` still exact?
# And with three cameras, 120 degrees apart?
# Answer by thinking about frequencies, then check.

# %% tags=["hide-cell"]
# Solution: the squares contain cos 2θ and, through the cross term with the height, cos θ.
# n even azimuths average cos kθ to zero unless n divides k, so three cameras are enough, two are not.
for n in (2, 3, 4):
    azimuths = 0.4 + torch.arange(n, dtype=torch.float64) * 2 * math.pi / n
    print(n, f"{share(displacement, azimuths, 0.3, 'exact').mean():.6f}")

# %% [markdown]
# **3.** Use {eq}`eq:depth-identity` to find a weight matrix that removes the bias of a wide field of view: errors
# $(a, b, c)$ are independent with equal variances, and $f = (a, b) - c\,y$.
# Which symmetric matrix $A(y)$ makes $\mathbb{E}[f^\top A f] = \mathbb{E}[a^2 + b^2]$ and treats all directions in the
# image alike?
#
# :::{admonition} Solution
# :class: dropdown
# The covariance of $f$ is $\sigma^2 (I + y y^\top)$.
# "All directions alike" means that $A^{1/2} f$ has covariance $\sigma^2 I$, so $A = (I + y y^\top)^{-1}$.
# By the Sherman–Morrison formula this is $A = I - y y^\top/(1 + |y|^2)$.
# In words: residuals that point away from the image centre are shrunk by $1/\sqrt{1 + |y|^2}$, the cosine of the
# angle from the optical axis; those across are left alone.
# Then $f^\top A f$ is the squared distance of $\hat X$ from the *ray*, the quantity behind
# {py:meth}`videomdm.cameras.Camera.project_to_rays` and the chapter [](explain_ray_projection).
# :::

# %% tags=["hide-cell"]
y1, y2 = sp.symbols("y_1 y_2", real=True)
key = sp.Matrix([y1, y2])
A = sp.eye(2) - key * key.T / (1 + key.dot(key))
assert sp.simplify(A * (sp.eye(2) + key * key.T)) == sp.eye(2)

some = X[:4] + noise[:4]
on_ray = camera[torch.arange(4)].project_to_rays(some, keypoints[:4])
in_camera, k4 = camera[torch.arange(4)].to_camera(some), keypoints[:4]
f4 = in_camera[..., :2] - in_camera[..., 2:] * k4
squared = f4.square().sum(-1) - (f4 * k4).sum(-1).square() / (1 + k4.square().sum(-1))
torch.testing.assert_close(squared, (some - on_ray).square().sum(-1))

# %% [markdown]
# ## Functions on this page
#
# - {py:func}`videomdm.depth.weights`: the weights of {eq}`eq:depth-weights`
# - {py:func}`videomdm.losses.reprojection`: eq. 1 and its variants
# - {py:func}`videomdm.cameras.orbit`, {py:func}`videomdm.cameras.sample_orbit`: the cameras of the proof, and those
#   of training
# - {py:meth}`videomdm.cameras.Camera.project`: projection and depth
