# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A body, a camera, and what is lost
#
# One person walks past one camera.
# This page looks at what the camera keeps of the motion, shows that the rest is really gone, and finds in the
# picture the one thing that training will use: an error in the image, times depth, is an error in metres.

# %%
import torch

from videomdm import cameras
from videomdm.data import procedural
from videomdm.pages.claims import Claims
from videomdm.plots import film_strip, keypoints_over, player
from videomdm.skeletons import SMPL22

claims = Claims()

# %% [markdown]
# ## A body in space
#
# The package has a small built-in corpus of motions, so that nothing has to be downloaded.
# A clip is a tensor of joints $x$ of shape $(T, J, 3)$: frames, joints, metres.
# Y points up, and there are 20 frames in a second.

# %%
corpus = procedural.generate(60, seed=0)
clip = next(i for i, caption in enumerate(corpus.captions) if "walk" in caption[0])
x = corpus.clip(clip)
x = x[:80]
print(corpus.captions[clip][0])

# %% [markdown]
# Here is the motion, cut to four seconds: blue is the left side, orange the right.

# %%
film_strip(x)

# %% [markdown]
# Whatever the body does, its bones keep their lengths.
# The longest drift of any bone over the whole clip:

# %%
# NBVAL_CHECK_OUTPUT
parents = torch.tensor([p for p, _ in SMPL22.bones])
children = torch.tensor([c for _, c in SMPL22.bones])
bones = (x[:, children] - x[:, parents]).norm(dim=-1)
drift = (bones.amax(0) - bones.amin(0)).max()
print(f"{len(SMPL22)} joints, {len(SMPL22.bones)} bones, longest drift {1000 * drift:.1f} mm")
_ = claims.check("longest drift of a bone, mm", 1000 * drift, 0, 1)

# %% [markdown]
# ## A camera
#
# A camera turns and moves the world into its own axes, $X_c = R X + t$, with x to the right, y down and z forward;
# $z$ is the *depth* $d$.
# Then it divides by depth, $\pi(x) = (X_c.x, X_c.y) / X_c.z$, and that is the last we see of it.
# Cameras for training stand anywhere around the body, and just far enough away that no joint is ever nearer than
# 3 metres.

# %%
lengths = torch.tensor([len(x)])
camera = cameras.sample_orbit(x[None], lengths, torch.Generator().manual_seed(1))[0]
player({"": x}, camera=camera, title="The body, and the camera that sees it")

# %% [markdown]
# What the camera keeps are the keypoints $y$: two numbers for each joint and frame.

# %%
y, depth = camera.project(x)
keypoints_over(y, title="All that a 2-D detector could report")

# %% [markdown]
# The projection is short enough to be written twice.
# The formula by hand and the package agree, and the nearest joint is where it was promised to be.

# %%
# NBVAL_CHECK_OUTPUT
in_camera = torch.einsum("ij,tkj->tki", camera.rotation, x) + camera.translation
by_hand = in_camera[..., :2] / in_camera[..., 2:]
print(f"largest difference {float((by_hand - y).abs().max()):.4f}, nearest joint {float(depth.min()):.2f} m")
claims.check("projection, formula against package", (by_hand - y).abs().max(), 0, 1e-5)
_ = claims.check("depth of the nearest joint, m", depth.min(), 3, 1e-3)

# %% [markdown]
# ## What is lost
#
# Slide every joint along its own ray, away from the camera, by a smoothly changing amount.
# The picture does not change at all; the body does.

# %%
centre = camera.center
stretch = (
    1 + 0.15 * torch.sin(torch.linspace(0, 12, len(x)))[:, None, None] * torch.linspace(-1, 1, x.shape[1])[:, None]
)
wrong = centre + stretch * (x - centre)

# %%
# NBVAL_CHECK_OUTPUT
seen, _ = camera.project(wrong)
print(f"in the image: at most {float((seen - y).abs().max()):.4f} apart")
print(f"in space: more than 10 cm apart on average: {bool((wrong - x).norm(dim=-1).mean() > 0.1)}")
_ = claims.check("same keypoints from another body", (seen - y).abs().max(), 0, 1e-5)

# %% [markdown]
# Drawn over each other, with the true motion in grey.
# Turn the scene until you look along the camera's line of sight, and the two coincide.

# %%
player({"same keypoints": wrong}, ghosts={"same keypoints": x}, camera=camera)

# %% [markdown]
# No loss on keypoints alone can tell these two apart.
# A lifter guesses between them from what it knows about bodies, and a *prior* over motions, which is what this book
# trains, knows that people do not breathe in and out by half a metre.
#
# ## Depth turns pixels into metres
#
# Move all joints by 5 cm sideways, in the camera's own x.
# In the image a near joint moves far and a far joint moves little; times depth, each has moved by 5 cm again.

# %%
# NBVAL_CHECK_OUTPUT
sideways = x + 0.05 * camera.rotation[0]
moved, _ = camera.project(sideways)
error = (moved - y).norm(dim=-1)
print(f"image errors differ between joints: {bool(error.max() > 1.05 * error.min())}")
print(f"error times depth: {float((error * depth).min()):.4f} to {float((error * depth).max()):.4f} m")
claims.check("smallest image error times depth, m", (error * depth).min(), 0.05, 1e-4)
_ = claims.check("largest image error times depth, m", (error * depth).max(), 0.05, 1e-4)

# %% [markdown]
# That is why every term of the loss carries the factor $\hat d$ of {eq}`eq:first`.
# What remains unseen is motion *along* the ray, and it is cameras from all sides that make up for it.
# [](explain_depth_weighting) proves it.
#
# ## What was verified

# %%
claims.table()

# %% [markdown]
# ## Exercises
#
# 1. A joint 4 m away is seen 0.01 to the right of where it is predicted. How many metres is the prediction off across
#    the ray, and how many along it?
#
# :::{admonition} Solution
# :class: dropdown
# Across: $0.01 \cdot 4 = 0.04$ m. Along it: nobody can tell, every point of the ray has the same keypoint.
# :::
#
# 2. How many cameras are needed to fix a joint in space, and what if they stand on one line with it?
#
# :::{admonition} Solution
# :class: dropdown
# Two, as two rays that are not parallel meet in one point. If both cameras and the joint lie on one line, the rays
# coincide and nothing is gained.
# :::
#
# 3. `wrong` above was made by stretching each joint's distance from the camera. Show that any $c + s\,(x - c)$ with
#    $s > 0$ and the camera's centre $c$ has the keypoint of $x$.
#
# :::{admonition} Solution
# :class: dropdown
# $R x + t = R (x - c)$, because $c = -R^\top t$. The stretched point has camera coordinates $s\,R(x - c)$, and
# $\pi$ divides by the third, which carries the same factor $s$.
# :::
#
# ## Functions on this page
#
# {py:func}`videomdm.data.procedural.generate`, {py:func}`videomdm.cameras.sample_orbit`,
# {py:meth}`videomdm.cameras.Camera.project`, {py:attr}`videomdm.cameras.Camera.center`.
