# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The 263 numbers
#
# Motion models do not read joint positions.
# They read *features*: 263 numbers for each frame, in a layout that HumanML3D {cite:p}`humanml3d` introduced
# and that nearly every text-to-motion model since has taken over {cite:p}`mdm`.
# This page says what each number is, proves it in numbers, and then lists what features cannot hold, which is
# where most of the trouble with them starts.

# %%
import math
import os
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from videomdm import cameras, features
from videomdm.conventions import FPS
from videomdm.data import procedural
from videomdm.pages.claims import Claims
from videomdm.plots import film_strip, keep, metrics_table, panels, player
from videomdm.plots.blocks import feature_blocks
from videomdm.plots.style import GHOST, LEFT, RIGHT, SERIES
from videomdm.skeletons import SMPL22, kinematics

claims = Claims()

# %% [markdown]
# ## One walk, eight ways
#
# Someone walks along an arc.
# A clip is a tensor of joints $x$ of shape $(T, J, 3)$: frames, joints, metres, with Y up, and a body that
# faces +Z has its left side at +X.

# %%
x = procedural.generate(60, seed=0).clip(54).double()
print(f"{len(x)} frames, {len(SMPL22)} joints")

# %% [markdown]
# We turn the clip about the vertical axis, by eighths of a full turn, and put each copy somewhere else.


# %%
def turn(angle):
    """The rotation about Y that takes a body that faces +Z to the heading ``angle``."""
    angle = torch.as_tensor(angle, dtype=torch.float64)
    return kinematics.facing_z(torch.stack((angle.sin(), angle.cos()), dim=-1)).mT


eighths = torch.arange(8) * math.pi / 4
places = torch.randn(8, 1, 1, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor((2.0, 0.0, 2.0))
copies = x @ turn(eighths)[:, None].mT + places
encoded = features.encode(copies)
decoded = features.decode(encoded)

# %%
figure, (left, right) = panels("eight copies of one walk", "their features, decoded", height=4.2)
for axes, clips in ((left, copies), (right, decoded)):
    for clip, colour in zip(clips, [*SERIES, GHOST, RIGHT], strict=True):
        axes.plot(clip[:, 0, 2], clip[:, 0, 0], color=colour, linewidth=2)
        axes.plot(*clip[0, 0, [2, 0]], "o", color=colour, markersize=5)
    axes.set(xlabel="z, m", ylabel="x, m", aspect="equal")
keep(figure, "features_invariance")

# %% [markdown]
# The paths of the root seen from above; a dot marks the first frame.
# On the left are eight different tensors, and a network would have to learn each of them.
# On the right lie eight curves on top of each other.

# %%
# NBVAL_CHECK_OUTPUT
apart = (copies - copies[0]).norm(dim=-1).mean()
claims.check("features of eight copies, largest difference", (encoded - encoded[0]).abs().max(), 0, 1e-6)
print(f"copies are {apart:.1f} m apart on average, their features {(encoded - encoded[0]).abs().max():.5f}")

# %% [markdown]
# That is the purpose of features: they say how a body moves *on*, seen from the body itself.
# Where it started and which way it looked at first make no difference, so nothing has to be learned twice.
#
# ## The row
#
# The package names the blocks of a row, and their sizes follow from the number of joints $J$.

# %%
# NBVAL_CHECK_OUTPUT
units = ("half angles, rad per frame", "m per frame", "m", "m", "none", "m per frame", "0 or 1")
rows = [
    {"block": name, "channels": f"{c.start} to {c.stop - 1}", "size": c.stop - c.start, "unit": unit}
    for (name, c), unit in zip(features.blocks(22).items(), units, strict=True)
]
metrics_table(rows)

# %% [markdown]
# Here is the row of one frame, every block drawn on the body that it describes, from the numbers alone.

# %%
clip = features.canonicalise(x)
row = features.encode(clip)
keep(feature_blocks(row, frame=40), "features_blocks")

# %% [markdown]
# *Position channels*, the first $4 + 3(J-1) = 67$, are enough to draw the body.
# The other $6(J-1) + 3J + 4 = 196$ follow from the joints and are *redundant*; the prior has to get them right
# all the same, and the loss $L_{repr}$ is about them.
# Together they are $12 J - 1$.

# %%
# NBVAL_CHECK_OUTPUT
claims.check("channels for 22 joints", features.n_features(22), 263, 0)
claims.check("channels for 16 joints (NBA)", features.n_features(16), 191, 0)
for j in (22, 16):
    position, redundant = features.position_channels(j), features.redundant_channels(j)
    print(f"{j} joints: {position.stop} + {redundant.stop - redundant.start} = {features.n_features(j)}")

# %% [markdown]
# ## Heading
#
# Everything is expressed in the *heading* of a frame, the horizontal direction in which the body faces.
# It comes from the hips and shoulders: a vector $a$ across the body, from left to right, and the direction $f$
# at right angles to it.
#
# $$a = (x_{r.hip} - x_{l.hip}) + (x_{r.shoulder} - x_{l.shoulder})$$ (eq:feat-across)
#
# $$f = (a_z, -a_x) / |(a_z, -a_x)| = (\sin\theta, \cos\theta)$$ (eq:feat-heading)
#
# The pair holds the x and z of the direction, and $\theta$ is the heading: 0 is +Z, and a quarter turn to the
# left is +X.
#
# Bodies sway as they walk, and hips turn against shoulders.
# So the direction is smoothed over time by a gaussian with a standard deviation of 20 frames, which is one
# second, before it is used.
# A body that turns by 90 degrees in a single frame shows the gaussian.
# The heading has then turned by the $\arctan$ of the weight that lies after the turn, over the weight that lies
# before.

# %%
pose = clip[:1]
sudden = torch.cat((pose.repeat(100, 1, 1), (pose @ turn(math.pi / 2).mT).repeat(100, 1, 1)))
heading, _ = features.root_trajectory(features.encode(sudden))
turned = heading[1:] - heading[1]
after = torch.special.ndtr((torch.arange(1, 199) - 99.5) / 20)
by_hand = torch.atan2(after, 1 - after)

# %%
figure, (axes,) = panels("a body turns by 90 degrees between frames 99 and 100", height=3)
axes.plot(torch.rad2deg(turned), color=LEFT, linewidth=2, label="heading that features use")
axes.plot(torch.rad2deg(by_hand), color=GHOST, linestyle="--", label="by hand: a gaussian of 20 frames")
axes.set(xlabel="frame", ylabel="turn since frame 1, degrees")
axes.legend(frameon=False)
keep(figure, "features_smoothing")

# %%
# NBVAL_CHECK_OUTPUT
claims.check("turn of the heading 10 frames after a sudden turn, rad", turned[109], by_hand[109], 5e-4)
print(f"10 frames after the turn the heading has turned by {torch.rad2deg(turned[109]):.2f} degrees")

# %% [markdown]
# One thing is odd.
# In the channels, though not when clips are turned to face +Z, HumanML3D counts the hips backwards: the first
# bracket of {eq}`eq:feat-across` has the wrong sign.
# Shoulders are wider apart than hips, so the sum still points the right way.
# But in a walk hips and shoulders turn against each other; added, much of the sway cancels, and subtracted, it
# adds up.

# %%
# NBVAL_CHECK_OUTPUT
sway = {}
for name, backwards in (("as written above", False), ("hips backwards", True)):
    f = kinematics.forward_of(kinematics.across_body(clip, SMPL22, swapped_hips=backwards))
    angle = torch.atan2(f[:, 0], f[:, 1]).numpy()
    sway[name] = np.degrees(angle - gaussian_filter1d(angle, 20))[40:-40].std()
    print(f"{name}: the heading sways by {sway[name]:.1f} degrees")

# %% [markdown]
# The data set was made so, and a model that is to be compared on it must do the same.
#
# ## The root
#
# Let $r_i$ be the root (the pelvis) in frame $i$, and $Q_i$ the rotation about Y that takes the heading of
# frame $i$ to +Z.
# The first four channels are
#
# $$\omega_i = -\tfrac12 (\theta_{i+1} - \theta_i)$$ (eq:feat-yaw)
#
# $$(v_x, v_z)_i = \big[\, Q_{i+1} (r_{i+1} - r_i) \,\big]_{x, z}$$ (eq:feat-velocity)
#
# $$h_i = [\, r_i \,]_y$$ (eq:feat-height)
#
# Two things surprise everyone.
# The yaw velocity $\omega$ is *half* the angle, because it was read off a quaternion, whose entries are sines
# of half angles; and it is positive when the body turns to its *right*.
# The step $v$ is seen from the *next* frame's heading, not from its own.
#
# A body on a turntable that turns left at one radian per second tests the first: we expect
# $-\tfrac12 \cdot \tfrac1{20} = -0.025$.

# %%
# NBVAL_CHECK_OUTPUT
turntable = pose @ turn(torch.arange(240) / FPS).mT
yaw = features.encode(turntable)[:, 0]
claims.check("yaw velocity of 1 rad/s to the left", yaw[120], -0.025, 1e-6)
print(f"yaw velocity {yaw[120]:.5f} per frame")

# %% [markdown]
# ## Joints, velocities, feet
#
# Let $p_{ij}$ be joint $j$ in frame $i$, and $r_i^{xz}$ the root with its height set to 0, the point of the
# floor below it.
#
# $$\mathtt{joint\_positions}_{ij} = Q_i \big(p_{ij} - r_i^{xz}\big), \qquad j = 1 \dots J-1$$ (eq:feat-positions)
#
# $$\mathtt{joint\_velocities}_{ij} = Q_i \big(p_{i+1,j} - p_{ij}\big), \qquad j = 0 \dots J-1$$ (eq:feat-velocities)
#
# $$\mathtt{foot\_contacts}_{ij} = 1\big[\, |p_{i+1,j} - p_{ij}|^2 < 0.002 \text{ m}^2 \,\big]$$ (eq:feat-contacts)
#
# Contacts are for the left ankle and foot, then the right ankle and foot.
# Height does not come into it: a foot that hangs still in the air is "in contact".
#
# The slow way, for one frame, with no matrix in sight:

# %%
i, cut = 40, features.blocks(22)
theta, _ = features.root_trajectory(row)
sin, cos = float(theta[i].sin()), float(theta[i].cos())
slowly = []
for j in range(1, 22):
    px, py, pz = (clip[i, j] - clip[i, 0] * torch.tensor((1.0, 0.0, 1.0))).tolist()
    slowly += [cos * px - sin * pz, py, sin * px + cos * pz]

# %%
worst = (row[i, cut["joint_positions"]] - torch.tensor(slowly)).abs().max()
claims.check("joint positions, package and by hand, m", worst, 0, 1e-6)
step = clip[i + 1] - clip[i]
slowly = torch.stack((cos * step[:, 0] - sin * step[:, 2], step[:, 1], sin * step[:, 0] + cos * step[:, 2]), -1)
worst = (row[i, cut["joint_velocities"]] - slowly.flatten()).abs().max()
worst = claims.check("joint velocities, package and by hand, m", worst, 0, 1e-6)

# %% [markdown]
# How fast may a foot be and still count as standing?
# We pull one foot along, a little faster in every frame, and watch its flag.

# %%
# NBVAL_CHECK_OUTPUT
speeds = torch.arange(0.040, 0.050, 0.00002, dtype=torch.float64)
dragged = pose.repeat(len(speeds) + 1, 1, 1)
dragged[1:, SMPL22.index("left_foot"), 2] += speeds.cumsum(0)
contact = features.encode(dragged)[:, cut["foot_contacts"]][:, 1]
fastest = float(speeds[contact > 0].max())
claims.check("fastest contact, m per frame", fastest, math.sqrt(0.002), 3e-5)
print(f"contact up to {1000 * fastest:.2f} mm per frame, {fastest * FPS:.3f} m/s")

# %% [markdown]
# That is 0.89 metres per second, the speed of a stroll.
# A contact flag says "not swinging", no more.
#
# ## And back
#
# Position channels hold the joints, so one can come back: sum up the half angles to headings, sum up the steps
# to a path, put the joints around it.
#
# $$\theta_{i} = -2 \sum_{k < i} \omega_k, \qquad r_{i}^{xz} = \sum_{k < i} Q_{k+1}^\top\, (v_x, 0, v_z)_k, \qquad p_{ij} = Q_i^\top\, \mathtt{joint\_positions}_{ij} + r_i^{xz}$$ (eq:feat-decode)
#
# The sums start at zero: a decoded clip begins above the origin and faces +Z.
# This is the clip's *canonical frame*.
# {py:func}`videomdm.features.canonicalise` moves a clip there, and puts its lowest joint on the floor.

# %%
# NBVAL_CHECK_OUTPUT
back = features.decode(row.float())
lost = (back - clip[:-1]).norm(dim=-1).max()
claims.check("round trip in float32, largest error, mm", 1000 * lost, 0, 0.1)
print(f"{len(x)} frames -> {len(row)} rows -> {len(back)} frames, off by less than 0.1 mm: {bool(lost < 1e-4)}")

# %%
player({"in its own world": x[:-1], "decoded": back}, title="The same walk before and after")

# %% [markdown]
# What came back is the same motion, turned and moved, and one frame shorter.
#
# ## Twenty frames a second
#
# No channel holds time.
# Velocities are per *frame*, the contact threshold is per frame, the smoothing counts frames, and all of them
# were chosen for 20 frames a second.
# The same walk filmed at 30 frames a second looks like a slower one to a model.

# %%
# NBVAL_CHECK_OUTPUT
flat = clip.flatten(1).T[None]
thirty = torch.nn.functional.interpolate(flat, size=len(clip) * 3 // 2, mode="linear", align_corners=True)
at_thirty = features.encode(thirty[0].T.unflatten(1, (22, 3)))
for name in ("root_velocity", "joint_velocities"):
    ratio = at_thirty[:, cut[name]].abs().mean() / row[:, cut[name]].abs().mean()
    print(f"{name}: {ratio:.2f} of what it was")
claims.check("joint velocities at 30 fps over those at 20 fps", ratio, 2 / 3, 0.02)
share = [float(r[:, cut["foot_contacts"]].mean()) for r in (row, at_thirty)]
print(f"feet in contact: {100 * share[0]:.0f} % of the time at 20 fps, {100 * share[1]:.0f} % at 30 fps")

# %% [markdown]
# So data at another rate are resampled before they are encoded, never after.
#
# ## Why the rotations are not SMPL's
#
# The block of rotations tempts everyone who wants to pose a character, and disappoints all of them.
# Here is what it holds.
# Let $u_j$ be the direction that the bone ending in joint $j$ has in the *rest pose*, and $b_{ij}$ the one that
# it has in frame $i$ of the canonical clip.
# $R_{ij}$ is the *shortest* rotation from $u_j$ to $b_{ij}$.
# The channels are the first two columns of
#
# $$C_{ij} = R_{i,\text{before}(j)}^\top\, R_{ij}, \qquad R_{i,\text{before}(j)} = Q_i \ \text{ for the first bone of a chain}$$ (eq:feat-rotations)
#
# where before$(j)$ is the joint before $j$ in its *chain*, and there are five chains: two legs, the spine with
# the head, two arms.
# Read with exactly these rules, the channels give the directions of all bones.


# %%
def matrices(rows):
    """The rotation channels (T, 126) as matrices (T, 21, 3, 3)."""
    first, second = rows[:, cut["joint_rotations"]].unflatten(1, (21, 2, 3)).unbind(2)
    return torch.stack((first, second, torch.linalg.cross(first, second)), dim=-1)


local, read = matrices(row), torch.zeros(len(row), 22, 3, dtype=torch.float64)
for chain in SMPL22.chains:
    above = turn(theta).mT
    for j in chain[1:]:
        above = above @ local[:, j - 1]
        read[:, j] = above @ torch.tensor(SMPL22.rest_directions[j], dtype=torch.float64)

# %%
# NBVAL_CHECK_OUTPUT
bones = torch.nn.functional.normalize(kinematics.bone_vectors(clip[:-1], SMPL22), dim=-1)
worst = claims.check("bone directions read from the rotation channels", (read[:, 1:] - bones).abs().max(), 0, 1e-4)
print(f"largest error of a bone's direction: {worst:.3f}")

# %% [markdown]
# SMPL {cite:p}`smpl` has other rules, and five differences matter.
#
# 1. A chain starts from $Q_i$, which turns the world to the body, where one expects $Q_i^\top$, which turns the
#    body into the world.
#    Whoever reads the channels in the expected way turns the body by $2\theta$.
# 2. The arms' chains start from the root as well, not from the spine that they are fixed to.
# 3. A rotation belongs to the bone that *ends* in a joint.
#    SMPL's belongs to the joint and moves all bones that *leave* it: one rotation for the pelvis, where there
#    are three here.
# 4. The rest pose lets the arms hang, with forearms down and feet along +Z; SMPL's stretches the arms to the sides.
# 5. A shortest rotation never twists.
#    Joints do not know how far a forearm is turned about its own length, so features cannot know it; SMPL's
#    rotations do.
#
# Taken for rotations of a skeleton in the usual sense, this is what they make of the walk (the truth in grey):


# %%
def usual_reading(rows, joints):
    """Joints posed by the channels as if each were relative to the parent bone, from the body's heading on."""
    heading, root = features.root_trajectory(rows)
    rotations = torch.cat((turn(heading)[:, None], matrices(rows)), dim=1)
    return kinematics.forward_kinematics(rotations, root, kinematics.rest_offsets(joints[:-1]))


wrong = usual_reading(row, clip)
keep(film_strip(wrong, ghost=clip[:-1], azimuth=60), "features_rotations")

# %% [markdown]
# At the start, where the body still faces +Z, legs and trunk are right and the arms are not far off, which is
# why the mistake so often goes unnoticed.
# Later the body looks another way than it walks.
# A turntable gives the error for every heading.
# We look at the hips, which nothing but the first difference moves.

# %%
slow = pose @ turn(torch.linspace(-0.3, 3.5, 400)).mT
spin = features.encode(slow)
angle = torch.rad2deg(features.root_trajectory(spin)[0])
hips = [kinematics.bone_vectors(b, SMPL22)[:, 0, ::2] for b in (usual_reading(spin, slow), features.decode(spin))]
off = torch.rad2deg(torch.nn.functional.cosine_similarity(*hips, dim=-1).clamp(-1, 1).acos())

# %%
figure, (axes,) = panels("the left hip, if the channels are read as usual", height=3)
axes.plot(angle, off, color=LEFT, linewidth=2)
axes.set(xlabel="heading, degrees", ylabel="error, degrees", xticks=range(0, 211, 30), yticks=range(0, 181, 60))
keep(figure, "features_hip")

# %%
# NBVAL_CHECK_OUTPUT
at = int((angle - 45).abs().argmin())
claims.check("error of the hip over the heading, at 45 degrees", off[at] / angle[at], 2, 0.02)
claims.check("error of a leg in frame 0, m", (wrong - clip[:-1])[0, :12].abs().max(), 0, 1e-3)
by_heading = {degrees: float(off[(angle - degrees).abs().argmin()]) for degrees in (45, 90, 180)}
print(", ".join(f"heading {degrees}: off by {error:.0f}" for degrees, error in by_heading.items()), "degrees")

# %% [markdown]
# The body is worst off when it faces sideways, and right again when it faces away.
#
# Whoever needs rotations makes them from the joints.
# {py:func}`videomdm.skeletons.kinematics.inverse_kinematics` gives rotations in the usual sense, relative to the parent
# bone, and {py:func}`videomdm.skeletons.kinematics.forward_kinematics` poses the skeleton with them.
# That is what the package's BVH export is built on.

# %%
usual, _ = kinematics.inverse_kinematics(clip)
offsets = kinematics.rest_offsets(clip)
posed = kinematics.forward_kinematics(usual, clip[:, 0], offsets)
worst = (posed - clip).norm(dim=-1).max()
worst = claims.check("inverse, then forward kinematics, largest error, m", worst, 0, 1e-6)

# %% [markdown]
# Even so, twist is a guess.
# Turning both forearms by 90 degrees about their own length moves no joint.

# %%
wrists = [SMPL22.index("left_wrist"), SMPL22.index("right_wrist")]
twisted = usual.clone()
twisted[:, wrists] = usual[:, wrists] @ turn(math.pi / 2)
moved = (kinematics.forward_kinematics(twisted, clip[:, 0], offsets) - posed).norm(dim=-1).max()
moved = claims.check("joints moved by twisting forearms, m", moved, 0, 1e-9)

# %% [markdown]
# ## What features cannot hold
#
# - **Place and heading of frame 0.**
#   They are gone, so a camera that saw the clip in its world does not see the decoded one.
# - **The last frame.**
#   The last row would need a velocity that is not there: $T$ frames give $T - 1$ rows, and every round trip
#   costs another one.
# - **Twist**, as we saw.
# - **Time**, as we saw.
# - **Tilt of the world.**
#   Y is taken to be up, and the lowest joint of the clip to stand on the floor, jump or not.
#
# The first matters most here, since cameras are what this method learns from.
# A camera must be given in the clip's canonical frame.
# If canonicalisation turned by $Q$ and moved the point $p$ to the origin, then
#
# $$X_c = R\,X + t = (R\,Q^\top)\, X' + (R\,p + t), \qquad X' = Q\,(X - p)$$ (eq:feat-camera)

# %%
camera = cameras.sample_orbit(x[None], torch.tensor([len(x)]), torch.Generator().manual_seed(2))[0]
seen, depth = camera.project(x)
rotation, origin = features.canonical_frame(x)
same_camera = camera.in_frame(rotation, origin)
pixels = {
    name: 1000 * (c.project(clip)[0] - seen).norm(dim=-1)
    for name, c in (("as it was", camera), ("moved too", same_camera))
}

# %%
# NBVAL_CHECK_OUTPUT
claims.check("reprojection with the camera moved along, pixels", pixels["moved too"].max(), 0, 0.01)
print(f"more than 50 pixels off on average with the camera as it was: {bool(pixels['as it was'].mean() > 50)}")
print(f"with the camera moved along: {pixels['moved too'].max():.2f} pixels")

# %% [markdown]
# (Pixels of a camera with a focal length of 1000 pixels.)
#
# The heading of frame 0 is thrown away *before* anyone could ask whether it was right.
# A teacher's motion and the true one have different headings in frame 0, hence different canonical frames, and
# a camera belongs to one of them.
# The package always says to which.
#
# ## Three variants in circulation
#
# Features with the same name and shape come in at least three kinds, by the way in which the heading is found.
# We write down the position channels as slowly as we can, for any heading, and check that the data set's rule
# gives the package's channels.


# %%
def position_rows(joints, forward):
    """The 67 position channels of joints (T, 22, 3), for directions (T, 2: x and z)."""
    theta = torch.atan2(forward[:, 0], forward[:, 1])
    turned, change = turn(theta).mT, theta.diff()
    half = -torch.atan2(change.sin(), change.cos()) / 2
    steps = (turned[1:] @ joints[:, 0].diff(dim=0)[..., None])[:, ::2, 0]
    floor = joints[:, :1] * torch.tensor((1.0, 0.0, 1.0))
    local = ((joints - floor) @ turned.mT)[:-1, 1:].flatten(1)
    return torch.cat((half[:, None], steps, joints[:-1, 0, 1:2], local), dim=1)


# %%
swapped = kinematics.forward_of(kinematics.across_body(clip, SMPL22, swapped_hips=True))
plain = kinematics.facing(clip)
smooth_swapped, smooth_plain = (torch.from_numpy(gaussian_filter1d(f, 20, 0, mode="nearest")) for f in (swapped, plain))
rules = {
    "HumanML3D, and this package": torch.cat((plain[:1], smooth_swapped[1:])),
    "frame 0 smoothed like the others": smooth_swapped,
    "that, and hips the right way round": smooth_plain,
    "not smoothed at all": plain,
}
variants = {name: position_rows(clip, rule) for name, rule in rules.items()}

# %% [markdown]
# For each rule: how much the channels differ from the published ones, in standard deviations of the channel,
# and how far the joints are off when the rows are decoded.

# %%
# NBVAL_CHECK_OUTPUT
published, table = variants["HumanML3D, and this package"], []
claims.check("position channels by hand and by the package", (published - row[:, :67]).abs().max(), 0, 1e-6)
for name, rows in variants.items():
    change = ((rows - published) / published.std(0))[:, [0, *range(4, 67)]].square().mean().sqrt()
    off = (features.decode(torch.nn.functional.pad(rows, (0, 196))) - clip[:-1]).norm(dim=-1).max()
    table.append({"heading": name, "change, rms": f"{change:.1f}", "decoded, worst": f"{off:.2f} m"})
metrics_table(table)

# %% [markdown]
# The first kind is the published data set.
# The second is how MDM {cite:p}`mdm` makes features from joints, and the third how the authors' release of
# VideoMDM does: the smoothed body need not face +Z in frame 0, so decoded clips come back turned by the
# difference.
# The fourth is the release's second version, for use inside the training loop.
# It decodes well, and is still foreign to a model trained on the first: its inputs have another distribution.
# Files of all kinds look alike.
# If statistics (a mean and a standard deviation for each channel) come with the data, encode a clip of your own
# and see whether it lies where they say.

# %% [markdown]
# ## Past half a turn
#
# All of the variants share one more fault, which this package does not have.
# The published code finds the heading as a quaternion, and the quaternion of a heading $\theta$ between $-180$
# and $180$ degrees is $(\cos\tfrac\theta2, -\sin\tfrac\theta2)$ in its first and third entry.
# When a turning body passes 180 degrees, $\theta$ jumps to $-180$, and the quaternion changes its sign.
# As a rotation it is the same; but the yaw velocity is read off the product of two neighbours,
# $\arcsin\big(\sin(-\tfrac12\Delta\theta)\big)$, and that changes its sign with them.


# %%
whirl = features.canonicalise(pose @ turn(torch.linspace(0, 4.5, 80)).mT)
right = features.encode(whirl)
theta, _ = features.root_trajectory(torch.cat((right, right[-1:])))
wrapped = torch.atan2(theta.sin(), theta.cos())
by_quaternion = torch.asin(torch.sin(-wrapped.diff() / 2))

# %%
figure, (left_axes, right_axes) = panels("yaw velocity", "heading, summed up", height=3.2)
for values, colour, label in ((by_quaternion, RIGHT, "by quaternions"), (right[:, 0], LEFT, "this package")):
    left_axes.plot(values, color=colour, linewidth=2)
    right_axes.plot(torch.rad2deg(-2 * values.cumsum(0)), color=colour, linewidth=2, label=label)
left_axes.set(xlabel="frame", ylabel="half angle, rad per frame")
right_axes.set(xlabel="frame", ylabel="degrees")
right_axes.legend(frameon=False)
keep(figure, "features_half_turn")

# %%
# NBVAL_CHECK_OUTPUT
bad = (by_quaternion - right[:, 0]).abs() > 1e-6
astray = torch.rad2deg(2 * (by_quaternion - right[:, 0]).sum())
claims.check("yaw velocities that differ", bad.sum(), 1, 0)
claims.check("their sum where they differ", (by_quaternion + right[:, 0])[bad].abs().max(), 0, 1e-6)
print(f"{int(bad.sum())} of {len(right)} has the wrong sign; the heading is off by {astray:.1f} degrees from there on")

# %% [markdown]
# (The first value stands out as well: frame 0 has the body's own heading, all others a smoothed one.)
#
# One number in one frame has the wrong sign, and everything after it is turned, by twice the step.
# In a decoded walk the path bends where it should not.
# Here the nearer way round is taken whatever the heading is.
# Exactly at 180 degrees the published code divides zero by zero.

# %%
away = torch.cat((pose, pose @ turn(math.pi).mT)).repeat(20, 1, 1)
assert features.encode(away).isfinite().all()

# %% [markdown]
# ## Against the published clip
#
# One clip of the data set itself is public, as joints and as features.
# Where the environment variable `VIDEOMDM_DATA` names a folder that holds it, the next cell compares; elsewhere
# it says so.
# The published rows were made from one frame more than was published, and that frame can be rebuilt from the
# last velocities.
# Then contacts agree exactly, and rotations, the most delicate of all, to better than 0.00001.

# %%
sample = Path(os.environ.get("VIDEOMDM_DATA", "")) / "humanml3d_sample" / "new_joint_vecs" / "012314.npy"
if sample.is_file():
    rows = torch.from_numpy(np.load(sample)).double()
    frames, theta = features.decode(rows), features.root_trajectory(rows)[0]
    velocity = rows[-1, cut["joint_velocities"]].unflatten(0, (22, 3)) @ turn(theta[-1]).mT
    error = (features.encode(torch.cat((frames, frames[-1:] + velocity))) - rows).abs()
    assert error[:, cut["joint_rotations"]].max() < 1e-5 and error[:, cut["foot_contacts"]].max() == 0
    summary = [{"block": name, "largest difference": f"{float(error[:, c].max()):.1e}"} for name, c in cut.items()]
metrics_table(summary) if sample.is_file() else print("VIDEOMDM_DATA names no such folder: skipped")

# %% [markdown]
# ## What was verified

# %%
claims.table()

# %% [markdown]
# ## Exercises
#
# **1. Which is it?**
# What does channel 66 say?
# And channel 258?
#
# :::{admonition} Solution
# :class: dropdown
# Channels 4 to 66 are the positions of joints 1 to 21, three numbers each, so channel 66 is the last of them:
# the z of joint 21, the right wrist, ahead of the root in metres.
# Channels 193 to 258 are the velocities of joints 0 to 21; channel 258 is the z velocity of the same wrist, in
# metres per frame.
# :::
#
# **2. Another rate.**
# You must train on data at 30 frames a second and want contacts to mean the same speed, and the smoothing the
# same time.
# What are the threshold and the gaussian's width?
#
# :::{admonition} Solution
# :class: dropdown
# The threshold is a squared length per frame.
# Frames are 2/3 as long, so it becomes $0.002 \cdot (2/3)^2 = 0.00089$ square metres.
# One second of smoothing is 30 frames.
# Yaw and root velocities will still be 2/3 of those at 20 fps; only your own statistics know that.
# :::
#
# **3. A dancer.**
# A body turns once per second, at constant speed.
# What does the gaussian leave of its direction?
# What then is the heading, and does the round trip still work?
#
# :::{admonition} Solution
# :class: dropdown
# A gaussian of standard deviation $\sigma$ multiplies a rotation of $\omega$ rad per frame by
# $e^{-\omega^2 \sigma^2 / 2}$.
# With $\omega = 2\pi / 20$ and $\sigma = 20$ that is $e^{-2\pi^2} \approx 3 \cdot 10^{-9}$: nothing is left.
# In the middle of the clip there is no heading to speak of; where nothing is left the package keeps that of frame 0.
# The channels then refer to a heading that is not the body's, but all of them refer to the same one, and the round
# trip works.
# The cell below shows it.
# :::

# %% tags=["hide-cell"]
channels, velocities = cut["joint_positions"], cut["joint_velocities"]
assert (channels.stop - 1, velocities.stop - 1, SMPL22.joints[21]) == (66, 258, "right_wrist")
assert abs(0.002 * (2 / 3) ** 2 - 0.00089) < 1e-5 and abs(math.exp(-2 * math.pi**2) - 3e-9) < 1e-9
dancer = features.canonicalise(pose @ turn(2 * math.pi * torch.arange(200) / FPS).mT)
left_over = torch.from_numpy(gaussian_filter1d(kinematics.facing(dancer).numpy(), 20, axis=0))[100].norm()
again = features.decode(features.encode(dancer))
assert left_over < 1e-4
assert (again - dancer[:-1]).norm(dim=-1).max() < 1e-6

# %% [markdown]
# ## Functions on this page
#
# {py:func}`videomdm.features.encode`, {py:func}`videomdm.features.decode`, {py:func}`videomdm.features.blocks`,
# {py:func}`videomdm.features.root_trajectory`, {py:func}`videomdm.features.position_channels`,
# {py:func}`videomdm.features.redundant_channels`, {py:func}`videomdm.features.canonical_frame`,
# {py:func}`videomdm.features.canonicalise`, {py:func}`videomdm.skeletons.kinematics.inverse_kinematics`,
# {py:func}`videomdm.skeletons.kinematics.forward_kinematics`, {py:meth}`videomdm.cameras.Camera.in_frame`.
#
# How positions are compared in the image is the matter of [](explain_depth_weighting); where the redundant channels get
# their targets from, of [](explain_ray_projection).
