# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The nearest point on the ray
#
# A model says where a joint is in space.
# A camera says where it was seen.
# The two rarely agree, and this page is about the smallest correction that makes them agree: move the joint to the nearest point of the line along which it was seen.
#
# VideoMDM does this in two places.
# In training it makes the target of the representation loss, and in lifting it is applied at every step of the diffusion.
# We derive it, test its properties on random cameras, and then see what it does to a motion, to the loss, and to a lift.

# %%
import math

import roma
import sympy as sp
import torch

from videomdm import cameras, features, losses, sample
from videomdm.cameras import Camera, Footage, placement, refinement
from videomdm.config import Config
from videomdm.data import procedural
from videomdm.features.channels import CONTACT_THRESHOLD
from videomdm.features.normaliser import Normaliser
from videomdm.features.rays import onto_rays
from videomdm.features.rays import placed as placed_by_size
from videomdm.pages.claims import Claims
from videomdm.plots import keep, keypoints_over, metrics_table, panels, player
from videomdm.plots.rays import ray_scene
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT
from videomdm.skeletons import SMPL22, kinematics
from videomdm.skeletons.padding import valid_frames
from videomdm.study import report

torch.set_num_threads(1)  # the same sums in the same order on every machine
claims = Claims()

# %% [markdown]
# ## The problem
#
# Take one person who walks, and one camera.
# The motion $x$ is a tensor of joints in metres, the keypoints $y = \pi(x)$ are what the camera saw, in normalised image coordinates, and both are exact for now.

# %%
corpus = procedural.generate(60, seed=0)
clip = next(i for i, captions in enumerate(corpus.captions) if "walk" in captions[0])
x = features.canonicalise(corpus.clip(clip))[:80]
camera = cameras.sample_orbit(x[None], torch.tensor([80]), torch.Generator().manual_seed(1))[0]
y, d = camera.project(x)
print(corpus.captions[clip][0])

# %% [markdown]
# Now a guess $P$ of the same motion, such as a lifter or a half-trained model would make.
# Every joint is off by 8 cm along every axis (the standard deviation), and the error drifts with time as the errors of lifters do.


# %%
def drifting(shape: torch.Size, seed: int, frames: int = 15) -> torch.Tensor:
    """Gaussian errors of unit size for joints (..., T, J, 3), averaged over neighbouring frames."""
    errors = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    errors = torch.nn.functional.avg_pool1d(errors.movedim(-3, -1).flatten(0, -2), frames, 1, frames // 2)
    return (errors / errors.std()).unflatten(0, (*shape[:-3], *shape[-2:])).movedim(-1, -3)


P = x + 0.08 * drifting(x.shape, seed=0)

# %% [markdown]
# Seen through the same camera, the guess (in colour) is not where the keypoints are (in grey).

# %%
keypoints_over(camera.project(P)[0], over=y, title="The guess, seen by the camera, over the keypoints")

# %% [markdown]
# So the guess is known to be wrong, joint by joint and frame by frame.
# A keypoint does not say where the joint is, but it leaves only one line of places: the ray from the camera through the keypoint.
# The question of this page is which point of that line to choose.
#
# ## The nearest point
#
# **The ray.** Let $(u, v)$ be a keypoint, and let $X_c = R X + t$ take world points to the camera's axes: x to the right, y down, z forward.
# In the camera's axes everything that is seen at $(u, v)$ lies along
#
# $$
# k = (u, v, 1).
# $$ (eq:ray-direction)
#
# The camera stands where $X_c = 0$.
# Solving $R C + t = 0$, and turning $k$ into the world, gives the ray's start and direction:
#
# $$
# C = -R^\top t, \qquad r = R^\top k .
# $$ (eq:ray-world)
#
# **The distance.** A point of the ray is $C + \lambda r$.
# Its squared distance from the guess $P$ is a parabola in $\lambda$:
#
# $$
# f(\lambda) = |C + \lambda r - P|^2
#            = \lambda^2\, r \cdot r \;-\; 2 \lambda\, r \cdot (P - C) \;+\; |P - C|^2 .
# $$ (eq:ray-parabola)
#
# **The minimum.** Its derivative is $f'(\lambda) = 2 \lambda\, r \cdot r - 2\, r \cdot (P - C)$.
# The second derivative is $2\, r \cdot r \ge 2$, because the last entry of $k$ is 1, so there is one minimum, where $f' = 0$:
#
# $$
# \lambda = \frac{r \cdot (P - C)}{r \cdot r}, \qquad P^\star = C + \lambda r .
# $$ (eq:ray-lambda)
#
# This is $P^\star = \operatorname{proj}_{\text{ray}}(P;\, y, \text{camera})$.
#
# **The form in the code.** A rotation keeps lengths, so $r \cdot r = k \cdot k$.
# And $-r \cdot C = (R^\top k) \cdot (R^\top t) = k \cdot t$.
# With both, neither the centre nor a second rotation is needed:
#
# $$
# \lambda = \frac{r \cdot P + k \cdot t}{k \cdot k} .
# $$ (eq:ray-code)
#
# **The form in the camera's axes.** The numerator is $R^\top k \cdot P + k \cdot t = k \cdot (R P + t) = k \cdot X_c$, so
#
# $$
# P^\star_c = \lambda k, \qquad \lambda = \frac{k \cdot X_c}{k \cdot k} = \frac{u X_c.x + v X_c.y + X_c.z}{1 + u^2 + v^2} .
# $$ (eq:ray-camera)
#
# The last entry of $k$ is 1, so **$\lambda$ is the depth of the new point**.
#
# Algebra can be left to the computer: the minimum of {eq}`eq:ray-parabola`, for a camera with any rotation about the vertical axis, is {eq}`eq:ray-code`.

# %%
u, v, lam, a = sp.symbols("u v lambda a", real=True)
t, point = sp.Matrix(sp.symbols("t_x t_y t_z", real=True)), sp.Matrix(sp.symbols("P_x P_y P_z", real=True))
R, k = sp.rot_axis2(a), sp.Matrix([u, v, 1])
gap = -R.T * t + lam * R.T * k - point
minimum = sp.solve(sp.diff(gap.dot(gap), lam), lam)[0]
sp.simplify(minimum - ((R.T * k).dot(point) + k.dot(t)) / k.dot(k))

# %% [markdown]
# The difference is 0, as it should be.
#
# ## In the package
#
# One call moves all joints of all frames.

# %%
P_star = camera.project_to_rays(P, y)

# %% [markdown]
# The slow and obvious way is to try many depths along each ray and to keep the nearest.
# One pose, one try for every millimetre between 0 and 8 m:

# %%
# NBVAL_CHECK_OUTPUT
k = torch.cat([y[20], torch.ones(22, 1)], dim=-1)
tries = torch.arange(0, 8, 0.001)[:, None, None] * (k @ camera.rotation) + camera.center
best = (tries - P[20]).norm(dim=-1).argmin(dim=0)
difference = (tries[best, torch.arange(22)] - P_star[20]).norm(dim=-1).max()
claims.check("largest distance between search and package, mm", 1000 * difference, 0, 0.8)
print(f"search and package agree within a millimetre: {bool(difference < 0.001)}")

# %% [markdown]
# Half a step of the search is half a millimetre, and that is all they differ by.
#
# Here is the same pose in space, with the camera where the rays meet.
# Grey is the guess, in colour is the corrected pose, and the short purple lines are the moves.
# Turn it: seen from the camera, the moves are as long as they get, because each stands at a right angle to its ray.
# The lines on the floor are half a metre apart.

# %%
ray_scene(P[20], P_star[20], camera, title="One pose, moved onto its rays")

# %% [markdown]
# In the plane the geometry is plain.
# A camera at the left looks along z; a joint was guessed at $P$ and seen along the ray.
# There is another correction that comes to mind: keep the depth of $P$ and shift it sideways until it fits, $P' = X_c.z\, k$.
# It fits the keypoint as well, but it moves the joint further than needed.

# %%
ahead = Camera(torch.eye(3), torch.zeros(3))
guess, seen = torch.tensor([2.0, 0.0, 3.0]), torch.tensor([0.28, 0.0])
nearest, sideways = ahead.project_to_rays(guess, seen), guess[2] * torch.tensor([0.28, 0.0, 1.0])

# %% tags=["hide-input"]
figure, (axes,) = panels("Two points of the ray that fit the keypoint", height=4.6)
axes.plot([0, 5.0], [0, 5.0 * 0.28], color=INK, linewidth=1.2)
for name, point, colour, place in (("$P^*$ nearest", nearest, LEFT, 8), ("$P'$ same depth", sideways, RIGHT, -90)):
    axes.plot(*zip(guess[[2, 0]], point[[2, 0]], strict=True), color=colour, linewidth=2)
    axes.plot(*point[[2, 0]], "o", color=colour, markersize=8)
    axes.annotate(name, point[[2, 0]], (place, -14 if place > 0 else 4), textcoords="offset points", color=colour)
axes.plot(*guess[[2, 0]], "o", color=GHOST, markersize=9)
axes.annotate("$P$ guess", guess[[2, 0]], (10, -3), textcoords="offset points", color=INK)
axes.plot(0, 0, "s", color=INK, markersize=9)
axes.annotate("camera $C$", (0, 0), (8, -14), textcoords="offset points", color=INK)
axes.set(xlabel="depth, m", ylabel="to the right, m", aspect="equal", xlim=(-0.2, 5.2), ylim=(-0.35, 2.25))
keep(figure, "ray_projection_plane")

# %%
# NBVAL_CHECK_OUTPUT
shortest, longer = (nearest - guess).norm(), (sideways - guess).norm()
claims.check("the move to the nearest point, m", shortest, (2 - 0.28 * 3) / (1 + 0.28**2) ** 0.5, 1e-5)
claims.check("the move at constant depth, m", longer, 2 - 0.28 * 3, 1e-5)
print(f"nearest point {shortest:.4f} m away, point of the same depth {longer:.4f} m away")

# %% [markdown]
# ## Five properties, on random cameras
#
# Ten thousand cameras with any rotation, at any place, and as many points and keypoints, in double precision.
# Nothing is tuned: half of the points lie behind their camera.

# %%
n, draw = 10_000, torch.Generator().manual_seed(2)
torch.manual_seed(2)
many = Camera(roma.random_rotmat(n, dtype=torch.float64), 3 * torch.randn(n, 3, generator=draw, dtype=torch.float64))
points = 3 * torch.randn(n, 3, generator=draw, dtype=torch.float64)
keypoints = 0.5 * torch.randn(n, 2, generator=draw, dtype=torch.float64)
on_ray = many.project_to_rays(points, keypoints)

# %% [markdown]
# **It fits the keypoint**, $\pi(P^\star) = (u, v)$.
# The projection of a point behind the camera is not defined, so we look at $P^\star_c = \lambda k$, which says the same for both sides; in front of the camera we look at $\pi$ itself.

# %%
in_camera = many.to_camera(on_ray)
misfit = (in_camera[:, :2] - in_camera[:, 2:] * keypoints).abs().max()
image, depth = many.project(on_ray)
claims.check("share of points behind their camera", (many.to_camera(points)[:, 2] < 0).double().mean(), 0.5, 0.02)
claims.check("1. fits the keypoint (all points)", misfit, 0, 1e-11)
seen = (image - keypoints)[depth > 0.1].abs().max()
claims.check("1. fits the keypoint (deeper than 0.1 m)", seen, 0, 1e-11)
print(f"largest misfit {misfit:.0e}, in the image {seen:.0e}")

# %% [markdown]
# **It is idempotent**: a point that lies on its ray stays.
# **The move is orthogonal to the ray**, $(P - P^\star) \cdot r = 0$, because that is what $f'(\lambda) = 0$ says.

# %%
again = many.project_to_rays(on_ray, keypoints)
k = torch.cat([keypoints, torch.ones(n, 1)], dim=-1)
r = (many.rotation.mT @ k[..., None])[..., 0]
second = (again - on_ray).norm(dim=-1).max()
product = ((points - on_ray) * r).sum(-1).abs().max()
claims.check("2. the second time moves nothing", second, 0, 1e-11)
claims.check("3. the move is orthogonal to the ray", product, 0, 1e-11)
print(f"the second projection moves by at most {second:.0e} m, the product is at most {product:.0e}")

# %% [markdown]
# **No point of the line is nearer**, whatever other $\lambda$ is tried.
# **The form in the camera's axes** {eq}`eq:ray-camera` gives the same point.

# %%
other = on_ray + torch.randn(n, 1, generator=draw, dtype=torch.float64) * r
saved = (points - on_ray).norm(dim=-1) - (points - other).norm(dim=-1)
lam = (k * many.to_camera(points)).sum(-1, keepdim=True) / (k * k).sum(-1, keepdim=True)
claims.check("4. share of other points that are nearer", (saved > 1e-11).double().mean(), 0, 0)
claims.check("5. differs from the camera-frame form by", (in_camera - lam * k).abs().max(), 0, 1e-11)
claims.check("lambda is the depth of the new point", (lam[:, 0] - depth).abs().max(), 0, 1e-11)
print(f"of {n} other points {int((saved > 1e-11).sum())} are nearer")

# %%
# NBVAL_CHECK_OUTPUT
print(f"claims that held so far: {len(claims.rows)}")
print(f"the points moved by {(points - on_ray).norm(dim=-1).mean():.2f} m on average")

# %% [markdown]
# ## What it does to an error
#
# Equation {eq}`eq:ray-lambda` is linear in $P$, so its Jacobian is the same matrix wherever $P$ is:
#
# $$
# P^\star - C = A\,(P - C), \qquad A = \frac{\partial P^\star}{\partial P} = \frac{r\, r^\top}{r \cdot r} .
# $$ (eq:ray-jacobian)
#
# $A$ is symmetric, and $A A = r (r \cdot r) r^\top / (r \cdot r)^2 = A$: it is an *orthogonal projector*.
# It keeps what lies along the ray ($A r = r$, an eigenvalue 1) and removes what is across it (two eigenvalues 0).
#
# Automatic differentiation finds the same matrix in the package.

# %%
# NBVAL_CHECK_OUTPUT
one = many[0]
A = torch.func.jacrev(one.project_to_rays)(points[0], keypoints[0])
eigenvalues = torch.linalg.eigvalsh(A).flip(0)
for value, expected in zip(eigenvalues, (1, 0, 0), strict=True):
    claims.check(f"eigenvalue of the Jacobian, should be {expected}", value, expected, 1e-12)
claims.check("distance of A from r r^T / r.r", (A - torch.outer(r[0], r[0]) / r[0].dot(r[0])).norm(), 0, 1e-12)
print("eigenvalues:", " ".join(f"{abs(value):.3f}" for value in eigenvalues))

# %% [markdown]
# Now let the keypoint be right, so that the true joint $X$ is a point of the ray.
# Then $A (X - C) = X - C$, and the errors before and after are related by $P^\star - X = A (P - X)$.
# The removed part and the part that is left stand at a right angle, so Pythagoras says
#
# $$
# |P - X|^2 = |P^\star - X|^2 + |P - P^\star|^2 .
# $$ (eq:ray-pythagoras)
#
# **With a true keypoint the projection never makes a joint worse**, not in the image and not in space.
# And if the guess errs equally in all directions, with variance $\sigma^2$ along each axis, then of $3 \sigma^2$ there remains $\sigma^2 \operatorname{tr} A = \sigma^2$: one third.
# The other two thirds were visible, and are gone.
#
# On the walk, errors in centimetres (root mean square, all joints and frames) and the largest violation of {eq}`eq:ray-pythagoras`:

# %%
# NBVAL_CHECK_OUTPUT
before, after, moved = ((a - b).square().sum(-1) for a, b in ((P, x), (P_star, x), (P, P_star)))
share = claims.check("share of the walk's squared error that is left", after.mean() / before.mean(), 1 / 3, 0.03)
claims.check("largest violation of Pythagoras, m^2", (before - after - moved).abs().max(), 0, 1e-5)
claims.check("share of joints that became worse", (after > before + 1e-6).float().mean(), 0, 0)
print(f"error before {100 * before.mean().sqrt():.1f} cm, after {100 * after.mean().sqrt():.1f} cm")

# %% [markdown]
# The walk is a small sample.
# A hundred independent errors for each of the ten thousand cameras give the third to three digits.

# %%
# NBVAL_CHECK_OUTPUT
error = torch.randn(n, 100, 3, generator=draw, dtype=torch.float64)
corrected = many.project_to_rays(on_ray[:, None] + error, keypoints[:, None].expand(n, 100, 2))
left = (corrected - on_ray[:, None]).square().mean() / error.square().mean()
claims.check("share of an isotropic squared error that is left", left, 1 / 3, 0.002)
print(f"share of the squared error that is left: {left:.3f}")

# %% [markdown]
# ## A motion, before and after
#
# The same walk, with the truth in grey.
# On the left the guess; on the right each of its joints on its ray.

# %%
player({"the guess": P, "on the rays": P_star}, ghosts={"the guess": x, "on the rays": x})

# %% [markdown]
# The right one still sways, but only towards the camera and away from it.
# To see this, split the errors of all joints and frames into the camera's own axes: right, down, and along the ray.

# %% tags=["hide-input"]
figure, panes = panels("to the right", "down", "along the ray", height=2.9, share_y=True)
along = torch.nn.functional.normalize(torch.cat([y, torch.ones_like(d)[..., None]], -1), dim=-1)
for motion, colour, name in ((P, GHOST, "guess"), (P_star, LEFT, "on the rays")):
    e = motion @ camera.rotation.mT - x @ camera.rotation.mT
    across = e - (e * along).sum(-1, keepdim=True) * along
    for pane, values in zip(panes, (across[..., 0], across[..., 1], (e * along).sum(-1)), strict=True):
        pane.hist(100 * values.flatten(), bins=60, range=(-30, 30), color=colour, alpha=0.75, label=name)
        pane.set(xlabel="error, cm", yscale="log", ylim=(0.8, 3000))
        pane.minorticks_off()
panes[0].set_ylabel("joints (log scale)")
panes[2].legend(frameon=False)
keep(figure, "ray_projection_errors")

# %%
# NBVAL_CHECK_OUTPUT
claims.check("largest error across the ray that is left, m", across.norm(dim=-1).max(), 0, 1e-5)
print(
    f"errors: {across[..., 0].numel()}, largest across the ray after the projection: {across.norm(dim=-1).max():.4f} m"
)

# %% [markdown]
# Across the ray all 1760 errors fall into the one bin at zero.
# Along the ray both histograms are the same: no camera can remove what it cannot see.
# That part is left to the prior, which knows how people move.
#
# ## As a target in training
#
# The denoiser's output holds more than joints.
# Of the 263 numbers of a frame, 67 fix the joints and the other 196 follow from them: rotations, joint velocities, foot contacts.
# The 2-D losses reach only the first kind, through $\pi$.
# For the redundant ones VideoMDM makes a target out of the model's own answer, put onto the rays:
#
# $$
# \begin{aligned}
# \tilde o &= \operatorname{sg}\bigl(\text{redundant}(\operatorname{proj}_{\text{ray}}(\hat x;\, y, \text{camera}))\bigr), \\
# \mathcal{L}_{\text{repr}} &= \operatorname{mean}\, |\hat o - \tilde o|^2 .
# \end{aligned}
# $$ (eq:ray-representation)
#
# Here $\hat o$ are the redundant channels that the denoiser put out, $\hat x$ the joints decoded from its other channels, and $\operatorname{sg}$ stops gradients: the target is a number, not a path.
# Everything is in the normalised feature space, where each block of channels has unit size.
#
# We take all sixty motions of the small corpus, a camera for each, and their exact keypoints.

# %%
x, lengths = features.canonicalise(corpus.joints, lengths=corpus.lengths), corpus.lengths
camera = cameras.sample_orbit(x, lengths, torch.Generator().manual_seed(3))
y, _ = camera.project(x)
truth = features.encode(x)
normaliser = Normaliser.fit(truth, lengths - 1, len(SMPL22))
o = normaliser.normalise(torch.cat([truth, truth[:, -1:]], 1))

# %% [markdown]
# What would be the alternative?
# The ablation of the paper compares with the *naive target*: the redundant channels of the teacher, the lifter's 3-D motion, as they are.
# The paper calls it a direct comparison; this is how we read it.
# A good target is near to the redundant channels of the truth, and so we measure that distance, with the very loss, for
#
# - the naive target: the teacher's channels, the teacher being off by 5 cm per axis;
# - the answer's own channels, without any projection: it would ask the model for no more than to agree with itself;
# - the ray target {eq}`eq:ray-representation`,
#
# while the answer $\hat x$ gets better from right to left.

# %%
teacher = features.hold_last(x + 0.05 * drifting(x.shape, seed=4), lengths)
errors = drifting(x.shape, seed=5)
channels = features.redundant_channels(len(SMPL22))


def distance(target: torch.Tensor) -> float:
    return float(losses.representation(o, normaliser.normalise(target), lengths, len(SMPL22)))


naive = distance(features.encode(teacher))
sizes = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07]
seen = Footage.of(y, camera, lengths)
answers = [features.hold_last(x + size * errors, lengths) for size in sizes]
own = [distance(features.encode(answer)) for answer in answers]
rays = [distance(losses.ray_target(answer, seen, SMPL22)) for answer in answers]

# %% [markdown]
# Is the package's target the formula's?
# Once more by hand: project, hold the last frame of the shorter clips, and encode.

# %%
projected = features.hold_last(camera.project_to_rays(answers[5], y), lengths)
gap = (losses.ray_target(answers[5], seen, SMPL22) - features.encode(projected)).abs().max()
claims.check("ray target minus the projected joints' channels", gap, 0, 1e-6)
print(f"largest difference {gap:.0e}")

# %% tags=["hide-input"]
figure, (axes,) = panels("How far a target is from the true redundant channels", height=3.8)
axes.plot([100 * s for s in sizes], own, "o-", color=GHOST, label="the answer's own channels")
axes.plot([100 * s for s in sizes], rays, "o-", color=LEFT, label="ray target")
axes.axhline(naive, color=RIGHT, label="naive target (teacher off by 5 cm)")
axes.set(xlabel="error of the answer per axis, cm", ylabel="$L_{repr}$ of the target against the truth", ylim=(0, None))
axes.legend(frameon=False)
keep(figure, "ray_projection_targets")

# %% [markdown]
# The naive target stays where the teacher is.
# The ray target gets better with the model, and reaches the truth when the model does.
# At the teacher's own error, 5 cm, the two compare on equal terms, block by block:

# %%
# NBVAL_CHECK_OUTPUT
on_rays = normaliser.normalise(losses.ray_target(teacher, seen, SMPL22))
plain = normaliser.normalise(features.encode(teacher))
valid = valid_frames(lengths - 1, plain.shape[1])
claims.check("a foot rests below, cm per frame", 100 * CONTACT_THRESHOLD**0.5, 4.47, 0.01)
for name in ("joint_rotations", "joint_velocities", "foot_contacts"):
    block = features.blocks(len(SMPL22))[name]
    ray, direct = ((target - o[:, :-1])[valid][:, block].square().mean() for target in (on_rays, plain))
    print(f"{name:17} ray target's squared error over the naive one's: {ray / direct:.2f}")
    if name == "joint_velocities":
        claims.check("share of squared velocity error left in the ray target", ray / direct, 1 / 3, 0.05)

# %% [markdown]
# Velocities are linear in the joints, and one third is left, as {eq}`eq:ray-jacobian` says.
# Rotations are directions of bones, which are linear only for small errors, and a little more is left.
# Contacts are yes or no: a foot counts as resting while it moves by less than 4.5 cm in a frame, and one that errs less flips less often.
#
# Is the loss the formula?
# By hand, for one batch, with the last row of every clip left out because it has no velocity:

# %%
# NBVAL_CHECK_OUTPUT
answer = normaliser.normalise(torch.cat([features.encode(answers[3]), torch.zeros(60, 1, 263)], 1)).requires_grad_()
target = normaliser.normalise(losses.ray_target(answers[3], seen, SMPL22))
loss = losses.representation(answer, target, lengths, len(SMPL22))
by_hand = (answer[:, :-1] - target)[valid][:, -196:].square().mean()
ratio = (loss / by_hand).detach()
claims.check("L_repr over the formula by hand", ratio, 1, 1e-5)
print(f"the package's loss over the formula's: {ratio:.4f}")

# %% [markdown]
# And where does its gradient go?
# Only to the 196 redundant channels of the answer: the 67 position channels get nothing from this term, because the path through $\hat x$ is closed by $\operatorname{sg}$.

# %%
# NBVAL_CHECK_OUTPUT
loss.backward()
pull = answer.grad.abs().amax((0, 1))
claims.check("position channels that the gradient of L_repr reaches", (pull[: channels.start] > 0).sum(), 0, 0)
claims.check("redundant channels that it reaches", (pull[channels] > 0).sum(), 196, 0)
print(
    f"channels with a gradient: {int((pull > 0).sum())} of {len(pull)}, the target asks for one: {target.requires_grad}"
)

# %% [markdown]
# The paper reports that the naive target costs a good deal: FID 2.72 instead of 1.05 on the validation set.
#
# ## In lifting
#
# A trained prior can also be asked for the 3-D motion behind given keypoints.
# It denoises from pure noise as usual, but after every step the predicted clean motion $\hat x_0$ is decoded to joints, moved onto the rays, and encoded again; the result $\hat x_0^{\text{ray}}$ takes the prediction's place in the posterior mean:
#
# $$
# x_{t-1} \sim \mathcal{N}\left(
#   \frac{\sqrt{\bar\alpha_{t-1}}\, \beta_t}{1 - \bar\alpha_t}\, \hat x_0^{\text{ray}}
#   + \frac{\sqrt{\alpha_t}\, (1 - \bar\alpha_{t-1})}{1 - \bar\alpha_t}\, x_t,\;\;
#   \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t}\, \beta_t \right) .
# $$ (eq:ray-lifting)
#
# At each step the camera supplies two thirds of every joint, and the prior the third that the camera cannot see.
# A prior that multistep training taught to walk without fresh noise lifts the same way: its steps are DDIM's ({py:meth}`videomdm.sample.Prior.sampler`), and $\hat x_0^{\text{ray}}$ takes the prediction's place in them.
#
# No trained prior is needed to check one thing: that the answer fits the keypoints *whatever the prior says*.
# So we take a stubborn one.
# For any noise and any step it predicts the same motion, the one of the teacher above.
# Lifting with it must give exactly that motion, moved onto the rays.

# %%
T = int(lengths[0])
answer = features.encode(teacher[:1, :T])
stubborn = normaliser.normalise(torch.cat([answer, answer[:, -1:]], 1))
prior = sample.Prior(lambda noisy, step, words, frames: stubborn, normaliser, SMPL22, 20.0, Config())
lifted = sample.lift(prior, y[0, :T], camera[0])

# %%
# NBVAL_CHECK_OUTPUT
expected = camera[0].project_to_rays(features.decode(normaliser.denormalise(stubborn[0])), y[0, :T])
fit = (camera[0].project(lifted)[0] - y[0, :T]).abs().max()
claims.check("lifting: largest distance from the keypoints", fit, 0, 1e-5)
claims.check("lifting: largest distance from the projected answer, m", (lifted - expected).norm(dim=-1).max(), 0, 1e-4)
print(f"lifted motion {tuple(lifted.shape)}, off the keypoints by {fit:.4f}")

# %% [markdown]
# ## What size says about depth
#
# This part is not in the paper.
# The projection takes each joint alone, and a joint alone says nothing about its depth.
# A body does: the same pose, seen half as large, is twice as far away.
# Nothing in lifting uses that.
# A prior that puts somebody a metre too near gets all joints moved onto their rays, a smaller body is what comes out, and
# the next step of the diffusion makes it larger again *where it stands*.
#
# So before the joints go onto their rays we may ask where the whole body should stand, frame by frame.
# Shift frame $t$ by $d_t$, in the camera's axes, and measure what is left of the distances from the rays,
#
# $$
# r_{tj}(d_t) = (X_{tj} + d_t)^{xy} - y_{tj}\, (X_{tj} + d_t)^z ,
# $$ (eq:place-residual)
#
# in metres and linear in $d_t$.
# A prior drifts, it does not jump, so the shifts are held to be small and smooth:
#
# $$
# \min_{d}\; \sum_t \Bigl( \frac1J \sum_j c_{tj}\, |r_{tj}(d_t)|^2 + \rho\, |d_t|^2 + \sigma\, |d_{t-1} - 2 d_t + d_{t+1}|^2 \Bigr)
# $$ (eq:place)
#
# with $\rho = 0.003$ and $\sigma = 100$.
# That is one linear system per clip, symmetric and positive ({py:func}`videomdm.cameras.placement.place`).
# How well does a frame tell its depth?
# Take $d_t$ along the axis: each residual changes by $y_{tj}$ per metre, so that the curvature is the mean square of the
# keypoints about the axis, and errors $\epsilon$ of the pose, independent from joint to joint, give
# $\epsilon / \sqrt{\sum_j |y_{tj}|^2}$.
# A person of whom the joints lie 40 cm from the axis at 4 m has $|y| = 0.1$; poses wrong by 5 cm place a frame within
# $5\,\text{cm} / (0.1 \sqrt{22}) = 11$ cm, and neighbours average that further.
#
# We let every clip of the small corpus drift by up to a metre, away from its camera or towards it, with poses that are
# wrong as the teacher's are above.

# %%
sign = torch.where(torch.arange(len(x)) % 2 == 0, 1.0, -1.0)
drift = torch.linspace(0, 1, x.shape[1])[:, None] * sign[:, None, None] * camera.rotation[:, 2][:, None]
off = teacher + drift[:, :, None]
placed = placement.place(off, seen)
inside = torch.arange(x.shape[1]) < lengths[:, None]


def depth_error(joints: torch.Tensor) -> torch.Tensor:
    """Of the pelvis, in metres, (N, T)."""
    return (camera.to_camera(joints)[..., 0, 2] - camera.to_camera(x)[..., 0, 2]) * sign[:, None]


# %% tags=["hide-input"]
figure, panes = panels("drifting", "on the rays", "placed", "placed, then on the rays", height=2.9, share_y=True)
ways = (off, camera.project_to_rays(off, y), placed, camera.project_to_rays(placed, y))
for pane, joints in zip(panes, ways, strict=True):
    for error, length in zip(depth_error(joints)[:20], lengths, strict=False):
        pane.plot(error[:length], color=LEFT, linewidth=0.8, alpha=0.6)
    pane.axhline(0, color=GHOST, linestyle="--", linewidth=1)
    pane.set(xlabel="frame", ylim=(-0.5, 1.1))
panes[0].set_ylabel("depth error of the pelvis, m")
keep(figure, "ray_projection_placed")

# %%
# NBVAL_CHECK_OUTPUT
left = [float(depth_error(joints)[inside].abs().mean()) for joints in ways]
claims.check("share of a drift in depth that the rays leave", left[1] / left[0], 1, 0.05)
claims.check("share that is left once frames are placed", left[2] / left[0], 0.3, 0.1)
print(f"depth error: rays leave {left[1] / left[0]:.2f} of it, placing {left[2] / left[0]:.2f}")

# %% [markdown]
# What a trained prior gains by it is on {doc}`Table 2 </runs/evaluate_table2>` and {doc}`Closing the gap </runs/evaluate_gap>`.
# What size cannot tell is body height: a tall person far away and a short one nearby are the same picture, so that a clip as a
# whole may still be too near or too far.
#
# ## A fit that makes people smaller
#
# The poses above were wrong as a point cloud is.
# A prior's are wrong otherwise: its limbs have the right length and point elsewhere.
# Of a limb of length $\ell$ that is turned by an angle $\theta$, only $\ell \cos\theta$ lies along its keypoints, so what agrees with the picture is smaller than the body, and {eq}`eq:place` takes that for distance: it puts people too near.
# On their rays there they *are* smaller, the next prediction starts from these smaller people, and so it goes on, step by step.
# Nothing in the picture can say so, but the prediction itself does: people should be as large as they were predicted.
# So the clip is scaled about the camera, which sees no difference, until they have their predicted body height again ({py:func}`videomdm.features.rays.placed`).
#
# Every bone of every clip, turned by an angle of its own:


# %%
def turned(motion: torch.Tensor, degrees: float) -> torch.Tensor:
    """Bones of (N, T, 22, 3) turned about an axis of any direction, the same in all frames of a clip."""
    angles = math.radians(degrees) * torch.randn(len(motion), 1, 21, 3, generator=torch.Generator().manual_seed(7))
    bones = (roma.rotvec_to_rotmat(angles) @ kinematics.bone_vectors(motion, SMPL22)[..., None])[..., 0]
    joints = [motion[:, :, 0]]
    for bone, parent in enumerate(SMPL22.parents[1:]):
        joints.append(joints[parent] + bones[:, :, bone])
    return torch.stack(joints, 2)


def depth_and_size(joints: torch.Tensor) -> tuple[float, float]:
    """Depth of the pelvis and body height over the true ones, in %, means."""
    depths = camera.to_camera(joints)[..., 0, 2][inside] / camera.to_camera(x)[..., 0, 2][inside]
    heights = kinematics.body_height(joints, lengths) / kinematics.body_height(x, lengths)
    return 100 * float(depths.mean()), 100 * float(heights.mean())


degrees = [0, 5, 10, 15, 20, 25, 30]
guesses = [turned(x, angle) for angle in degrees]
ways = {
    "fitted to the rays": [depth_and_size(onto_rays(placement.place(guess, seen), seen)) for guess in guesses],
    "and given its size back": [depth_and_size(placed_by_size(guess, seen, SMPL22)) for guess in guesses],
}

# %% tags=["hide-input"]
figure, panes = panels("depth, % of the true one", "body height, % of the true one", height=2.9, share_y=True)
for (name, found), colour in zip(ways.items(), (RIGHT, LEFT), strict=True):
    for pane, values in zip(panes, zip(*found, strict=True), strict=True):
        pane.plot(degrees, values, "o-", color=colour, label=name)
for pane in panes:
    pane.axhline(100, color=GHOST, linestyle="--", linewidth=1)
    pane.set(xlabel="limbs turned by, degrees about each axis")
panes[0].legend(frameon=False)
keep(figure, "ray_projection_size")

# %%
# NBVAL_CHECK_OUTPUT
(near, small), (kept, whole) = (found[degrees.index(20)] for found in ways.values())
claims.check("limbs turned by 20 degrees: depth by the fit alone, %", near, 90, 2)
claims.check("body height on the rays there, %", small, 95, 2)
claims.check("body height given back, %", whole, 100, 0.1)
claims.check("share of the error in depth that is left", (100 - kept) / (100 - near), 0.5, 0.15)
print(f"depth {near:.0f} % by the fit alone, {kept:.0f} % once people have their size back")

# %% [markdown]
# In lifting that happens at every step, and what is left of it adds up.
# Two trained priors on `bandai`'s validation clips, with the size as the fit leaves it and given back (`python -m videomdm.study placing --data bandai --precision bf16 --evaluation-split val --seed 2 --rows real videomdm videomdm-pnp/sized`; before it was given back, `placing-before` at the commit that its results name):

# %%
before, after = (report.find("results", study)[1]["bandai (study)"] for study in ("placing-before", "placing"))
cases = {"true camera": "truth_placed", "camera by PnP, refined": "refined_pnp_placed"}
metrics_table([
    {"prior, camera": f"{row}, {case}",
     **{f"{title}, {when}": report.mean(rows[row][f"lift_{probe}_{key}"])
        for title, key in (("absolute mm", "absolute"), ("MPJPE mm", "mpjpe"), ("body height %", "body_height"))
        for when, rows in (("before", before), ("after", after))}}
    for row in ("videomdm", "videomdm-pnp/sized") for case, probe in cases.items()
])  # fmt: skip

# %% [markdown]
# A fifth to a third of the absolute error is gone, and poses are a little better too.
#
# ## Who is wrong, the motion or the picture?
#
# Where nobody measured the camera, lifting and training move it to where it sees the predicted motion at the keypoints
# ({py:func}`videomdm.cameras.refinement.refine`).
# Take its distance alone.
# Let $a_j$ be the place of joint $j$ across the view, about the middle of the body, and $y_j$ its keypoint, about the middle of the keypoints.
# At a distance $d$ the two are proportional, $a_j = d\, y_j$, and there are two ways to fit that line:
#
# $$
# \begin{aligned}
# \min_d \textstyle\sum_j |a_j - d\, y_j|^2 \quad&\Rightarrow\quad d_{\text{rays}} = \frac{\sum_j a_j \cdot y_j}{\sum_j y_j \cdot y_j} , \\
# \min_d \textstyle\sum_j |a_j / d - y_j|^2 \quad&\Rightarrow\quad d_{\text{image}} = \frac{\sum_j a_j \cdot a_j}{\sum_j a_j \cdot y_j} .
# \end{aligned}
# $$ (eq:two-distances)
#
# They agree where every joint is seen where it is.
# Where they do not, it matters who is wrong.
# Write $\sigma^2$ for the mean square of $a_j$, $\varepsilon^2$ for that of the error.
#
# - *A noisy pose*: $a_j = d\, y_j + e_j$.
#   The error has nothing to do with $y_j$, so $d_{\text{rays}}$ is right on average.
#   But it is a part of $a_j$, so $d_{\text{image}}$ is too large, by the factor $\sigma^2 / (\sigma^2 - \varepsilon^2)$.
# - *A mean of what may be true*: $d\, y_j = a_j + e_j$.
#   That is what a denoiser predicts that was trained with squared errors, and what it cannot know is uncorrelated with what it says.
#   Now $d_{\text{image}}$ is right, and $d_{\text{rays}}$ too small, by the factor $\sigma^2 / (\sigma^2 + \varepsilon^2)$: the prediction varies less than the truth, and the camera comes nearer to make up for it.
#
# Statisticians call the two errors classical and Berkson's.
# We make both, from every clip of the small corpus, 8 cm in size, and fit the camera's place both ways.

# %%
errors = 0.08 * drifting(x.shape, seed=6)
cases = {"a noisy pose": (x + errors, x), "a mean of what may be true": (x, x + errors)}


def camera_distances(pose: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """By rays and by image, over the true one: (N,) each, for cameras that may move but not turn."""
    keypoints, inside = camera.project(seen)[0], camera.to_camera(pose)
    miss = inside[..., :2] - keypoints * inside[..., 2:]
    slope = torch.cat([torch.eye(2).expand(*keypoints.shape, 2), -keypoints[..., None]], -1)
    miss, slope = miss * valid[..., None, None], slope * valid[..., None, None, None]
    by_rays = torch.linalg.lstsq(slope.flatten(1, 3), -miss.flatten(1)[..., None]).solution[:, 2, 0]
    still = (1e6, 1e6, 1e6, 0.0, 0.0, 0.0)
    moved = refinement.refine(pose, Footage.of(keypoints, camera, lengths), steps=5, ridge=still)
    depth = (inside[..., 0, 2] * valid).sum(1) / lengths
    return 1 + by_rays / depth, 1 + (moved.translation - camera.translation)[:, 2] / depth


valid = (torch.arange(x.shape[1]) < lengths[:, None]).to(x)
fitted = {name: camera_distances(pose, seen) for name, (pose, seen) in cases.items()}

# %% tags=["hide-input"]
figure, panes = panels(*cases, height=2.9, share_y=True)
bins = torch.linspace(0.9, 1.1, 41)
for pane, found in zip(panes, fitted.values(), strict=True):
    for ratio, colour, label in zip(found, (LEFT, RIGHT), ("by rays", "by image"), strict=True):
        pane.hist(ratio.clamp(0.901, 1.099), bins=bins, color=colour, alpha=0.7, label=label)
    pane.axvline(1, color=GHOST, linestyle="--", linewidth=1)
    pane.set(xlabel="fitted distance of the camera over the true one")
panes[0].set_ylabel("clips")
panes[0].legend(frameon=False)
keep(figure, "ray_projection_distances")

# %%
# NBVAL_CHECK_OUTPUT
means = {name: [float(ratio.mean()) for ratio in found] for name, found in fitted.items()}
(rays_noisy, image_noisy), (rays_mean, image_mean) = means.values()
claims.check("noisy pose: distance by rays over the true one", rays_noisy, 1, 0.01)
claims.check("mean: distance by image over the true one", image_mean, 1, 0.01)
claims.check("the two errors mirror each other", rays_mean * image_noisy, 1, 0.01)
for name, (rays, image) in means.items():
    print(f"{name}: {rays:.3f} of the distance by rays, {image:.3f} by image")

# %% [markdown]
# A prediction is a mean, so refinement fits the image.
# It did not always: with the camera fitted by rays, a loss asked for people of the size that they have from too near, the next prediction was smaller, and the next camera nearer again.
# What the change did for priors that learn without known cameras is measured on {doc}`Closing the gap </runs/evaluate_gap>`.
# Placing {eq}`eq:place` fits the rays, and what that costs in size is given back.
#
# ## Where it breaks
#
# **Keypoints err too.** A keypoint that is off by $\delta = (\delta u, \delta v)$ tilts the ray.
# Differentiate {eq}`eq:ray-camera` at a joint that is right, $X_c = d\, k$, where $d$ is its depth:
#
# $$
# \frac{\partial P^\star_c}{\partial (u, v)}\, \delta = d\, (I - A_c)\, (\delta, 0),
# \qquad A_c = \frac{k\, k^\top}{k \cdot k} .
# $$ (eq:ray-keypoint-error)
#
# So the joint moves across the ray, by about depth times the keypoint's error.
# Near the optical axis, with errors of variance $\sigma_y^2$ in $u$ and in $v$, there now remains $\sigma^2 + 2 (d \sigma_y)^2$ of $3 \sigma^2$:
#
# $$
# \frac{E\,|P^\star - X|^2}{E\,|P - X|^2} = \frac{1 + 2 \rho^2}{3}, \qquad \rho = \frac{d\, \sigma_y}{\sigma} .
# $$ (eq:ray-break-even)
#
# The projection pays as long as $\rho < 1$: as long as the keypoint, times depth, is more precise than the guess.

# %%
n, d, sigma, draw = 40_000, 4.0, 0.08, torch.Generator().manual_seed(6)
X = torch.cat([0.4 * torch.randn(n, 2, generator=draw), torch.full((n, 1), d)], -1)
guess, detector = X + sigma * torch.randn(n, 3, generator=draw), torch.randn(n, 2, generator=draw)


def left_over(rho: float) -> float:
    fitted = ahead.project_to_rays(guess, X[:, :2] / d + rho * sigma / d * detector)
    return float((fitted - X).square().sum(-1).mean() / (guess - X).square().sum(-1).mean())


ratios = torch.linspace(0, 1.5, 16)
measured = [left_over(float(rho)) for rho in ratios]

# %% tags=["hide-input"]
figure, (axes,) = panels("Error that is left, against the precision of the keypoints", height=3.6)
axes.plot(ratios, (1 + 2 * ratios**2) / 3, color=INK, linewidth=1.2, label="$(1 + 2 \\rho^2) / 3$")
axes.plot(ratios, measured, "o", color=LEFT, markersize=5, label="measured")
axes.axhline(1, color=GHOST, linestyle="--", linewidth=1)
axes.set(
    xlabel="$\\rho$ = depth × keypoint error / error of the guess", ylabel="squared error, after / before", ylim=(0, 2)
)
axes.legend(frameon=False)
keep(figure, "ray_projection_keypoint_noise")

# %%
# NBVAL_CHECK_OUTPUT
for rho in (0.0, 0.5, 1.0):
    claims.check(f"squared error left at rho = {rho}", left_over(rho), (1 + 2 * rho**2) / 3, 0.02)
print(f"squared error left at the break-even: {left_over(1.0):.2f}")

# %% [markdown]
# A little less than 1, because the joints are not all on the optical axis, where {eq}`eq:ray-break-even` is exact.
# For a guess that is off by 8 cm at 4 m, $\rho = 1$ means $\sigma_y = 0.02$: 20 pixels for a lens with a focal length of 1000 pixels.
# Detectors on clear pictures do far better, and this is what the method builds on.
# For joints that are hidden they do not; a joint with confidence 0 is therefore left where it was predicted, both in {py:func}`~videomdm.losses.ray_target` and in {py:func}`~videomdm.sample.lift`.
#
# **Behind the camera.** The formula knows no "in front": a point behind the camera lands on the line's extension, at a negative depth.
# That keeps the map linear, but the new point is not one that the camera sees.

# %%
# NBVAL_CHECK_OUTPUT
behind = ahead.project_to_rays(torch.tensor([0.3, 0.0, -2.0]), torch.tensor([0.1, 0.0]))
claims.check("depth of a point guessed 2 m behind the camera, m", behind[2], (0.03 - 2) / 1.01, 1e-5)
print(f"lands at depth {behind[2]:.3f} m")

# %% [markdown]
# **Joint by joint.** Every joint is moved alone, so bones change their lengths and the motion can tremble along the rays.
# The projection knows the camera and nothing about bodies.
# It is a step within an algorithm, not an answer.
#
# ## What was verified

# %%
claims.table()

# %% [markdown]
# ## Exercises
#
# **1. By pencil.** A camera stands at the origin with $R = I$ and $t = 0$.
# A joint was guessed at $P = (0.3, 0, 4)$ and seen at $(u, v) = (0.1, 0)$.
# Where is $P^\star$, and how far did the joint move?
# How far would it have moved at constant depth?
#
# :::{admonition} Solution
# :class: dropdown
# $k = (0.1, 0, 1)$, so $k \cdot k = 1.01$ and $k \cdot P = 0.03 + 4 = 4.03$.
# Hence $\lambda = 4.03 / 1.01 = 3.9901$ and $P^\star = (0.39901, 0, 3.9901)$.
# It moved by $(0.09901, 0, -0.0099)$, which is 0.0995 m.
# At constant depth it would have moved to $(0.4, 0, 4)$, by 0.1 m.
# :::

# %% tags=["hide-cell"]
solution = ahead.project_to_rays(torch.tensor([0.3, 0.0, 4.0]), torch.tensor([0.1, 0.0]))
torch.testing.assert_close(solution, torch.tensor([0.39901, 0.0, 3.9901]), atol=1e-4, rtol=0)

# %% [markdown]
# **2. The other correction.** Find the Jacobian $A'$ of the move at constant depth, $P'_c = X_c.z\, k$.
# Show that it is a projector as well, but not an orthogonal one.
# By which factor can it enlarge an error, and for which error does that happen?
# Why does the loss {eq}`eq:first` nevertheless measure its move, $d\,(\pi(x) - y)$, and not the nearest one?
#
# :::{admonition} Solution
# :class: dropdown
# With $e_z = (0, 0, 1)$ we have $P'_c = k\, (e_z \cdot X_c)$, so $A' = k\, e_z^\top$.
# $A' A' = k\, (e_z \cdot k)\, e_z^\top = A'$ because $e_z \cdot k = 1$; but $A'$ is not symmetric unless $u = v = 0$.
# An error straight along the optical axis, $e_z$, becomes $k$: it grows by $|k| = \sqrt{1 + u^2 + v^2}$, and no error grows more.
# At the edge of a wide picture, $u = v = 0.5$, that is a factor of 1.22; the orthogonal projector never enlarges an error.
# The loss uses $X_c.xy - d\, y$ because its mean over cameras is known in closed form.
# The nearest move is only the part of it that is across the ray, between $1 / |k|$ and 1 times as long, so for narrow lenses the two hardly differ.
# :::

# %% tags=["hide-cell"]
k = torch.tensor([0.5, 0.5, 1.0])
constant_depth = torch.outer(k, torch.tensor([0.0, 0.0, 1.0]))
torch.testing.assert_close(constant_depth @ constant_depth, constant_depth)
assert abs(float(torch.linalg.matrix_norm(constant_depth, 2)) - 1.5**0.5) < 1e-6

# %% [markdown]
# **3. Two cameras.** Two cameras see the same joint, and their rays meet in it at an angle $\gamma$.
# Project a guess onto the first ray, then onto the second, then onto the first again, and so on.
# Show that the error shrinks by $\cos \gamma$ with every projection but the first, and check it for $\gamma = 30°$.
# What happens when the two keypoints are a little wrong, so that the rays do not meet?
#
# :::{admonition} Solution
# :class: dropdown
# With unit directions $r_1$, $r_2$, a point on the first ray differs from the joint by $a\, r_1$.
# Projecting onto the second gives $(r_2 \cdot r_1)\, a\, r_2$, of length $|a| \cos \gamma$.
# So the joint is found, quickly for cameras at a right angle (one step), and not at all for cameras along one line.
# If the rays do not meet, the iteration settles at the two points of the rays that are nearest to each other: this is triangulation.
# :::

# %% tags=["hide-cell"]
pair = cameras.orbit(torch.tensor([0.0, torch.pi / 6]), 0.0, torch.zeros(2, 3, dtype=torch.float64), 4.0)
guess, distances = torch.tensor([0.3, 0.2, 0.1], dtype=torch.float64), []
for step in range(8):
    guess = pair[step % 2].project_to_rays(guess, torch.zeros(2, dtype=torch.float64))
    distances.append(float(guess.norm()))
for nearer, farther in zip(distances[1:], distances, strict=False):
    assert abs(nearer / farther - 3**0.5 / 2) < 1e-6

# %% [markdown]
# ## Functions on this page
#
# {py:meth}`videomdm.cameras.Camera.project_to_rays`; {py:func}`videomdm.losses.ray_target`, {py:func}`videomdm.losses.representation`;
# {py:func}`videomdm.cameras.placement.place`, {py:func}`videomdm.cameras.refinement.refine`; {py:func}`videomdm.sample.lift`; {py:func}`videomdm.plots.rays.ray_scene`.
#
# The first correction in 2-D, error times depth, is on [](explain_first_look); the 263 channels are on [](explain_features), depth weights on [](explain_depth_weighting).
