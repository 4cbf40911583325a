# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which mean: why samples lose their variety
#
# VideoMDM's motions are good one by one, and too much alike.
# In {doc}`table 1 </runs/evaluate_table1>` on `bandai` its samples cover a fifth of the real motions (recall .20, the mean of five seeds), where the same network with 3-D supervision covers three quarters.
# A perfect teacher and true cameras do not help, nor does multistep training, so the 2-D losses have to do with it.
#
# This page finds a cause that can be written down.
# A sampler needs one kind of mean from its denoiser, and a loss in the picture asks for another one.
# Where noise is high the two are far apart, and the second one stands still.

# %%
import math
from dataclasses import replace
from pathlib import Path

import torch

from videomdm import features, losses
from videomdm.config import SMALL
from videomdm.data import observations, sources
from videomdm.features.normaliser import Normaliser
from videomdm.pages.claims import Claims
from videomdm.plots import keep, metrics_table, panels
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT
from videomdm.study import report

claims = Claims()

# %% [markdown]
# ## The mean that a sampler needs
#
# A step from $x_t$ to $x_{t-1}$ puts the denoiser's answer in the place of the clean motion $x_0$.
# It goes the right way on average only if that answer is
#
# $$\hat x_0(x_t) = E[x_0 \mid x_t],$$ (eq:dv-mean)
#
# the mean of all clean motions that may have become $x_t$, taken in the space to which the noise was added.
# Here that is the space of features ([](explain_features)): how fast the root turns, how fast it moves *as seen by the body*, where joints are *around the root*.
# The squared error of features, MDM's loss, is smallest at exactly this mean.
#
# ## The mean that a picture asks for
#
# The losses of eq. 1 and 2 compare places of joints, after the features were decoded: headings summed up from turns, the path summed up from steps in those headings.
# With cameras from all sides and weights by depth the loss is the squared error of places ([](explain_depth_weighting)), and it is smallest where
#
# $$\operatorname{decode}(\hat x_0) = E[\operatorname{decode}(x_0) \mid x_t],$$ (eq:dv-places)
#
# or as near as a motion can come.
# If decoding were linear, both would be the same.
# It is not: a step forward goes where the body faces.
#
# Take a walker of speed $v$ who changes direction at random, the heading spreading by $\sigma^2$ per second.
# The mean of *features* walks straight on, $vT$ in $T$ seconds, since everybody walks at speed $v$ and turns left as often as right.
# The mean of *places* goes $v \int_0^T E[\cos\theta_s]\,ds$, and as $E[\cos\theta_s] = e^{-\sigma^2 s/2}$ for a normal heading, it has gone
#
# $$\frac{2v}{\sigma^2}\left(1 - e^{-\sigma^2 T/2}\right)$$ (eq:dv-path)
#
# and slows down to a stop.

# %%
# NBVAL_CHECK_OUTPUT
speed, sigma, seconds, fps = 1.2, 0.7, 10.0, 20
generator = torch.Generator().manual_seed(0)
turns = sigma / math.sqrt(fps) * torch.randn(50_000, round(seconds * fps), generator=generator, dtype=torch.float64)
steps = torch.polar(torch.full_like(turns, speed / fps), turns.cumsum(1))
gone = abs(steps.mean(0).sum())
expected = 2 * speed / sigma**2 * (1 - math.exp(-(sigma**2) * seconds / 2))
claims.check("path of the mean of places of 50,000 walkers, m", gone, expected, 0.05)
print(
    f"each walks {speed * seconds:.1f} m, the mean of their features {speed * seconds:.1f} m, of their places {gone:.1f} m"
)

# %% [markdown]
# ## The same in motions
#
# At the highest noise $x_t$ says nothing, and the two means are those of all motions that a caption allows.
# Here are the built-in corpus' walks, straight ones and curves, six seconds of each.

# %%
FRAMES = 120
corpus = sources.load("procedural", None, "train", 196, 600)
walks = [k for k, action in enumerate(corpus.actions) if action in ("walk", "walk_curve")]
corpus = corpus.select(torch.tensor([k for k in walks if corpus.lengths[k] >= FRAMES]))
corpus = replace(corpus, joints=corpus.joints[:, :FRAMES], lengths=torch.full((len(corpus),), FRAMES))
encoded = features.encode(corpus.joints, corpus.skeleton)
of_features = features.decode(encoded.mean(0))
of_places = corpus.joints.mean(0)


def path(joints):
    """Metres that the root goes over the floor."""
    return joints[..., 0, ::2].diff(dim=-2).norm(dim=-1).sum(-1)


# %%
figure, (floor, along) = panels("from above, m", "path so far, m", height=4.2)
means = {"mean of features": (of_features, LEFT), "mean of places": (of_places, RIGHT)}
floor.plot(corpus.joints[::2, :, 0, 0].T, corpus.joints[::2, :, 0, 2].T, color=GHOST, linewidth=0.6, alpha=0.7)
for name, (joints, colour) in means.items():
    floor.plot(joints[:, 0, 0], joints[:, 0, 2], color=colour, linewidth=2.5, label=name)
    gone = joints[:, 0, ::2].diff(dim=0).norm(dim=-1).cumsum(0)
    along.plot(torch.arange(len(gone)) / corpus.fps, gone, color=colour, linewidth=2.5, label=name)
each = corpus.joints[:, :, 0, ::2].diff(dim=1).norm(dim=-1).cumsum(1).mean(0)
along.plot(
    torch.arange(len(each)) / corpus.fps, each, color=INK, linewidth=1, linestyle="--", label="a walk, on average"
)
floor.set_aspect("equal")
along.set_xlabel("seconds")
along.legend(frameon=False)
keep(figure, "diversity_means")

# %% [markdown]
# Grey are the walks, which start in the middle and face up.
# The mean of features (blue) walks as far as people do, the mean of places (orange) falls behind the more, the longer it goes.

# %%
# NBVAL_CHECK_OUTPUT
walked, straight, short = (float(path(joints).mean()) for joints in (corpus.joints, of_features, of_places))
claims.check("mean of features: share of a walk's path", straight / walked, 1, 0.03)
claims.check("mean of places: share of a walk's path", short / walked, 0.58, 0.03)
print(f"{len(corpus)} walks of {walked:.2f} m; mean of features {straight:.2f} m, mean of places {short:.2f} m")

# %% [markdown]
# ## What the losses ask for
#
# Is this what the losses do, with their weights and cameras?
# One motion's features are fitted to all of these walks at once, as a denoiser has to that is told nothing: first by MDM's loss, then by all of eq. 4, each walk filmed by a camera of its own.

# %%
normaliser = Normaliser.fit(encoded, corpus.lengths - 1, len(corpus.skeleton))
film = observations.film(corpus, seed=0)
seen = replace(film.select(slice(None), FRAMES - 1), lengths=film.lengths - 1)  # encoding loses the last frame
clean, lengths = normaliser.normalise(encoded), seen.lengths
picture = losses.VideoMDM(SMALL, normaliser, corpus.skeleton)


def fitted(loss, steps=150):
    """Features (T, D) of the one motion that a loss likes best."""
    motion = clean.mean(0, keepdim=True).clone().requires_grad_()
    optimiser = torch.optim.Adam([motion], lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(motion.expand_as(clean)).backward()
        optimiser.step()
    return features.decode(normaliser.denormalise(motion.detach()[0]))


best = {
    "MDM's loss": fitted(lambda x: losses.x0(x, clean, lengths), steps=50),
    "eq. 4": fitted(lambda x: picture(x, clean, seen)[0]),
}
claims.check("path of MDM's best, share of the mean of features", path(best["MDM's loss"]) / straight, 1, 0.02)
claims.check("path of eq. 4's best, share of the mean of places", path(best["eq. 4"]) / short, 1, 0.1)
for name, joints in best.items():
    print(f"{name}: the best motion walks {float(path(joints)):.2f} m")

# %% [markdown]
# So eq. 4 trains a denoiser whose first answers, where noise is high, are people who walk little more than half as far, and a sampler takes these for the mean that it needs.
# What is lost at the first steps does not come back: the steps after it refine a motion of which the large features are settled.
# The same holds for everything that lies behind a turn: where one faces, which way one goes, how far the arms reach from the path.
#
# ## A mend: a round
#
# A loss whose mean is the right one needs motions to compare with, and keypoints are none.
# But a prior that was trained with eq. 4 *lifts* well: where keypoints are given, little is left open, and both means agree.
# So it lifts the training keypoints, and plain MDM learns from these motions, a *round* ([](explain_ray_projection), {doc}`Closing the gap </runs/evaluate_gap>`).
# No 3-D comes in, the pictures have said what they know, and the loss asks for the mean of features.
#
# On `bandai`'s test split (`python -m videomdm.study gap`; where several seeds were trained the mean is over them, with Student's interval):

# %%
studies = Path("results" if Path("results").is_dir() else "../results")
COLUMNS = {
    "FID": "fid", "FID, as generated": "fid_raw", "recall": "recall", "multimodality": "multimodality",
    "path, m": "path_length", "acceleration, m/s²": "acceleration",
}  # fmt: skip


def table(study, corpus_name, rows):
    measured = report.find(studies, study)[1][corpus_name]
    return metrics_table([
        {"": title, **{column: measured[row].get(key, "") for column, key in COLUMNS.items()}}
        for row, title in rows.items()
    ])  # fmt: skip


table("gap", "bandai (study)", {
    "real": "real motions", "mdm-3d": "MDM, true 3-D",
    "videomdm": "VideoMDM, cameras known", "videomdm/round-1": "its round",
    "videomdm-pnp/sized": "VideoMDM, height known", "videomdm-pnp/sized-round-1": "its round",
    "videomdm-pnp/sized-round-2": "a second round",
})  # fmt: skip

# %% [markdown]
# The round brings recall from a quarter to nearly nine tenths of what 3-D supervision has, and FID falls with it; where cameras are not known, from a fifth to eight tenths.
# On these clips of two seconds nobody turns far, and the path is what it was; what comes back is variety.
#
# ## A shorter way, which is not enough
#
# Multistep training splits the noise levels in two ([](explain_multistep)): above the threshold, noise hides the teacher's errors.
# If it does, the teacher's own motion is as good a target there as the true one, and MDM's loss may stand in for the picture's without a round.
# That is the row `videomdm/teacher-above`, tried with the small profile on the validation split (`python -m videomdm.study diversity --profile laptop --data bandai --precision bf16 --evaluation-split val`; three seeds):

# %%
table("diversity", "bandai (laptop)", {
    "real": "real motions", "mdm-3d": "MDM, true 3-D", "mdm-teacher": "MDM, the teacher's motions",
    "videomdm": "VideoMDM", "videomdm/teacher-above": "MDM's loss above the threshold",
})  # fmt: skip

# %% [markdown]
# MDM's own recall with true 3-D is .76 here.
# Part of the recall and of the multimodality that VideoMDM has lost against plain MDM on the teacher's motions comes back (recall is 1.4 times VideoMDM's, 1.2 to 1.7), so the noisy levels are where it was lost.
# But the teacher's trembling comes back too (accelerations are 2.8 times as large), and FID as generated doubles (1.3 to 2.9 times): noise does not hide everything that a teacher does wrong.
# A round is better.

# %% [markdown]
# ## Claims

# %%
claims.table()

# %% [markdown]
# ## Functions on this page
#
# {py:class}`videomdm.losses.VideoMDM`, {py:func}`videomdm.losses.x0`, {py:class}`videomdm.methods.Method`, {py:func}`videomdm.features.decode`.
