# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A teacher that has never seen 3-D
#
# Every lifter learned from bodies in 3-D somewhere, so a prior that learns from a lifter inherits 3-D by the back door.
# In its third experiment VideoMDM {cite}`videomdm` takes a teacher that did not: **ElePose** {cite}`elepose`.
# It learns to lift from the keypoints of the corpus alone.
#
# Its idea fits in one sentence: *if the depths are right, then the person, seen from any other side, again looks like somebody in the corpus.*
# This page shows what "looks like" means, when the idea works, and where it cannot.

# %%
import math

import torch

from videomdm.data import nba, sources
from videomdm.evaluation import pose
from videomdm.lifters import centred
from videomdm.lifters.elepose_flow import PoseFlow
from videomdm.lifters.elepose_network import WEIGHTS, ElePose, turn_about_x, turn_about_y
from videomdm.pages.claims import Claims
from videomdm.plots import Table, film_strip, keep, panels, pose_strip
from videomdm.plots.style import LEFT, RIGHT, TRUNK
from videomdm.skeletons import NBA16
from videomdm.study.train_elepose import METRES, errors, mirrored, ranking, whole_poses

torch.set_num_threads(1)
claims = Claims()

# %% [markdown]
# ## The pictures
#
# The corpus is filmed as MAS's basketball players {cite}`mas` were: 16 joints, the hip at the origin of every picture, a camera some 11 degrees above the horizon, people who face any way, and a detector that errs and does not see every limb.
# Flow and network come with the package.
# `python -m videomdm.study.train_elepose` trained them on the training split's pictures; here they meet the test split.

# %%
# NBVAL_CHECK_OUTPUT
true = sources.load("nba-like", None, "test", max_frames=60, n_clips=2000)
true = true.select(true.spaced(48))
seen = nba.film(true, seed=0)
pictures = nba.tracks(true, seen)
network, flow = ElePose.load(), PoseFlow.load()
whole = (pictures.counted.confidence > 0).all(-1)
poses, _ = whole_poses(seen, NBA16, network.bone_lengths, nba.DISTANCE)
poses = poses / network.unit
print(f"{len(poses)} poses of {len(true)} clips in which every joint was seen, of {int(true.lengths.sum())}")

# %% [markdown]
# Here are some of them, the left side of the body blue, the right side orange.

# %% tags=["hide-input"]
shown = torch.linspace(0, len(poses) - 1, 9).long()
keep(pose_strip(poses[shown], NBA16), "elepose_pictures")

# %% [markdown]
# ## What looks like somebody
#
# A *normalising flow* is a function that can be inverted, trained to turn the poses of the corpus into draws from a normal distribution.
# With $f$ the function and $J$ its Jacobian, a pose $y$ has the log-likelihood
#
# $$
# \log p(y) = \log \mathcal{N}\big(f(y)\big) + \log \left|\det J(y)\right| .
# $$ (eq:elepose-flow)
#
# Run backwards, the function draws new poses.
# If it has learned what people look like, then these look like people.

# %% tags=["hide-input"]
drawn = flow.sample(9, torch.Generator().manual_seed(1))
keep(pose_strip(drawn, NBA16), "elepose_flow_samples")

# %% [markdown]
# A sharper question: does it prefer a true pose to the same pose made wrong?
#
# - *Exchanged*: left and right joints have each other's names.
# - *Mirrored*: the picture is flipped, the names stay.
# - *Long limb*: one arm or leg is half as long again.
#
# The first two are harder than they look.
# Seen without perspective by a camera on the horizon, a flipped picture is simply the person from behind.
# Only that the camera looks down, and that what is near looks larger, gives the flip away.

# %%
# NBVAL_CHECK_OUTPUT
shares = ranking(flow, poses, NBA16)
for wrong, share in shares.items():
    claims.check(f"flow prefers the true pose to {wrong.replace('_', ' ')}: share of pairs", share, 0.96, 0.06)
print({wrong: f"{100 * share:.0f} %" for wrong, share in shares.items()})

# %% [markdown]
# A person in a mirror, on the other hand, is a person: flip the picture *and* exchange the names, and about half of the pairs should be won by either.
# Training shows the flow both.

# %%
# NBVAL_CHECK_OUTPUT
with torch.no_grad():
    both = (flow(poses) > flow(mirrored(poses, NBA16))).double().mean()
print(f"{claims.check('flipped and exchanged: share', both, 0.5, 0.1):.1f}")

# %% [markdown]
# ## Depth from likelihood
#
# Now the idea itself.
# Take the true depths of the test poses, make them wrong on purpose, turn each person about the upright axis by a random angle, and ask the flow what it thinks of the new pictures.
# The page may do this because it knows the truth; training never does.
#
# On the left, all depths are multiplied by one factor: 0 is a cardboard figure, negative factors turn people inside out.
# On the right, depths are right but the elevation of the camera is misjudged, so that people lean.


# %%
def unlikelihood(joints, elevation, generator):
    """Median of -log p of poses (N, 16, 3) in camera axes, levelled, turned at random and filmed again."""
    azimuth = 2 * math.pi * torch.rand(len(joints), generator=generator)
    tilt = elevation[torch.randperm(len(elevation), generator=generator)]
    turn = turn_about_x(tilt) @ turn_about_y(azimuth) @ turn_about_x(-elevation)
    with torch.no_grad():
        return -flow(network.project(joints @ turn.mT)).median().item()


depths = seen.camera.to_camera(true.joints)[whole] - torch.tensor([0.0, 0.0, nba.DISTANCE])
depths = depths / network.unit
elevation = seen.camera.elevation[:, None].expand(whole.shape)[whole]
generator = torch.Generator().manual_seed(0)
factors = torch.linspace(-1.5, 2.0, 29)
scaled = [depths * torch.tensor([1.0, 1.0, factor]) for factor in factors.tolist()]
as_it_is = [unlikelihood(joints, elevation, generator) for joints in scaled]
from_below = [unlikelihood(joints, -elevation, generator) for joints in scaled]
degrees = torch.linspace(-20, 20, 21)
leaning = [unlikelihood(depths, elevation + angle, generator) for angle in torch.deg2rad(degrees)]

# %% tags=["hide-input"]
figure, (left, right) = panels("depth times a factor", "elevation off by an angle", share_y=True)
left.plot(factors, as_it_is, color=LEFT, label="camera above, as it is")
left.plot(factors, from_below, color=RIGHT, label="camera believed below")
left.legend(frameon=False, fontsize=9)
right.plot(degrees, leaning, color=TRUNK)
left.set(xlabel="factor", ylabel="median of −log p", ylim=(-50, 0))
right.set(xlabel="degrees")
keep(figure, "elepose_depth_from_likelihood")

# %% [markdown]
# The least is where the truth is.
# No picture said what depth is: the flow has only ever seen flat poses, and yet it knows how deep people are, and from which height they are filmed.

# %%
# NBVAL_CHECK_OUTPUT
best = factors[torch.tensor(as_it_is).argmin()]
claims.check("depth factor that looks most like somebody", best, 1.0, 0.13)
level = degrees[torch.tensor(leaning).argmin()]
claims.check("error of the elevation that looks most like somebody (degrees)", level, 0.0, 2.1)
print(f"depth x {best:.2f}, elevation {level:+.0f} degrees")

# %% [markdown]
# The orange curve has a second, shallower valley at $-1$.
# A person turned inside out, and seen from below instead of from above, differs from the true one by perspective alone.
# The farther away the camera, the less the two differ, until nothing tells them apart:

# %%
# NBVAL_CHECK_OUTPUT


def inside_out(distance):
    """How far the picture of a person turned inside out is off, as a share of the person's size in it."""
    wrong = depths * torch.tensor([1.0, 1.0, -1.0])
    turns = [turn_about_x(sign * elevation) for sign in (-1, 1)]
    level = [depths @ turns[0].mT, wrong @ turns[1].mT]
    ahead = turn_about_y(torch.tensor(math.pi / 3))
    views = [level[0] @ ahead.mT @ turns[1].mT, level[1] @ ahead.mT.mT @ turns[0].mT]
    seen = [x[..., :2] / (1 + x[..., 2:] / distance) for x in views]
    return ((seen[0] - seen[1]).norm(dim=-1).mean() / seen[0].norm(dim=-1).mean()).item()


shares = {distance: inside_out(distance) for distance in (network.distance, 10.0, 100.0)}
claims.check("inside out, at 100 head heights: share of the size", shares[100.0], 0.0, 0.02)
print({f"camera {distance:.0f} head heights away": f"{100 * share:.1f} %" for distance, share in shares.items()})

# %% [markdown]
# So ElePose is trained from a start just above the horizon, and what its network settles on is checked once more by the knees, which bend forwards ({py:meth}`videomdm.lifters.elepose_network.ElePose.face_forwards`).
# For people who are all filmed from far away this one bit of knowledge is needed.
#
# ## The network
#
# Trying depths for one pose after another would take long, so a network learns to guess them.
# Five residual blocks look at one pose and give a depth for every joint, and the camera's elevation.
# Training asks five things of the guess:
#
# | term | what it asks |
# |:--|:--|
# | likelihood | turned by a random azimuth, the pose looks like somebody |
# | pose, projection | what the second camera sees is lifted to the same pose, and looks right to the first camera |
# | deformation | two people differ as much after going there and back as before |
# | bones | thighs, shins and arms have the proportions that people have |
#
# The last is the only thing that it is told about bodies: the mean proportions of people, as in an anatomy book.
#
# How well does it lift?
# We compare with the lifter that comes with the package, which learned from bodies in 3-D and sees 32 frames at once, on the same pictures.

# %%
# NBVAL_CHECK_OUTPUT
ours = errors(network, true, pictures, seen.camera)
package = METRES * float(pose.pa_mpjpe(centred.lift(pictures, "procedural"), true.joints, true.lengths))
rows = {"ElePose": ours["pa_mpjpe"], "lifter with 3-D supervision": package}
Table(
    "\n".join(
        ["| lifter | error after Procrustes (mm) |", "|:--|--:|", *(f"| {k} | {v:.0f} |" for k, v in rows.items())]
    )
)

# %%
# NBVAL_CHECK_OUTPUT
claims.check("error after Procrustes, ElePose over the supervised lifter", ours["pa_mpjpe"] / package, 0.7, 0.3)
claims.check("error of the elevation (degrees)", ours["elevation"], 2.0, 1.0)
print(f"elevation: {ours['elevation_mean']:.0f} degrees on average, off by {ours['elevation']:.1f}")

# %% [markdown]
# The comparison is fair in the pictures, not in the people: the supervised lifter has to carry over what it learned from other actions and other joints, while ElePose has learned from the pictures of this very corpus.
# That is its strength: where there are pictures it needs no bodies.
#
# A clip from the side, a view that no camera had, over the truth in grey:

# %% tags=["hide-input"]
clip = true.actions.index("walk_curve") if "walk_curve" in true.actions else 0
length = int(true.lengths[clip])
one = pictures.select([clip])
lifted = one.seen.camera.to_world(
    network.lift(one.seen.keypoints, one.counted.confidence, one.lengths) + torch.tensor([0.0, 0.0, nba.DISTANCE])
)[0, :length]
aligned = pose.procrustes(lifted.flatten(0, 1)[None].double(), true.joints[clip, :length].flatten(0, 1)[None].double())
aligned = aligned[0].unflatten(0, (length, 16)).float()
ground = true.joints[clip, :length, :, 1].min()
up = torch.tensor([0.0, 1.0, 0.0]) * -ground
keep(film_strip(aligned + up, NBA16, 8, true.fps, ghost=true.joints[clip, :length] + up, azimuth=100), "elepose_lifted")

# %% [markdown]
# Each pose is near the true one, but frame by frame means that nothing holds a pose to the one before it.
# So the motion trembles: its jitter, the mean third derivative of the joints' paths, is many times that of the truth.

# %%
# NBVAL_CHECK_OUTPUT
jitter = {
    name: METRES * float(pose.jitter(joints, true.fps, true.lengths))
    for name, joints in {"ElePose": centred.lift(pictures, str(WEIGHTS)), "truth": true.joints}.items()
}
print({name: f"{value:.0f} m/s^3" for name, value in jitter.items()})

# %% [markdown]
# ## As a teacher
#
# The setting `lifter` names who lifts the keypoints that VideoMDM learns from; the file of an ElePose network may stand there, such as the `elepose.safetensors` that training leaves.
# Then nothing on the way to the prior has seen 3-D: not the flow, not the network, not the losses.
# {py:func}`videomdm.lifters.teacher.estimate` takes it too, and stands its poses in the world by the bones of the root, as it does with any lifter's, but by those of the mean body that ElePose was told of ({doc}`explain_root_depth`).
#
# ## Claims of this page

# %% tags=["hide-input"]
claims.table()

# %% [markdown]
# ## Functions on this page
#
# - {py:class}`videomdm.lifters.elepose_flow.PoseFlow`: the flow of {eq}`eq:elepose-flow`
# - {py:class}`videomdm.lifters.elepose_network.ElePose`: the network
# - {py:func}`videomdm.study.train_elepose.loss_terms`: what it is trained by
# - {py:func}`videomdm.study.train_elepose.ranking`: true poses against wrong ones
# - {py:func}`videomdm.lifters.centred.lift`: where the package uses it
