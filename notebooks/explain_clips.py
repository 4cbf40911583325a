# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Clips from long recordings
#
# A prior is trained on clips of two to ten seconds.
# A recording is as long as it is.
# Where should it be cut?
# Appendix C.4 of {cite}`videomdm` says: where somebody stands still in their resting pose, and so that no clip becomes
# too short or too long.
# This page turns that into a cost, finds the cheapest of all ways to cut, and shows what becomes of a recording in
# which the person cannot be seen for a while.

# %%
import itertools
import math
import time

import numpy as np
import torch

from videomdm import cameras, features
from videomdm.data import clips, procedural
from videomdm.pages.claims import Claims
from videomdm.plots import Table, film_strip, keep, panels
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT, SERIES
from videomdm.skeletons.kinematics import rest_offsets

claims = Claims()
rule = clips.Rule()

# %% [markdown]
# ## A recording
#
# We make one whose pauses are known: sixteen built-in motions of one person, with a moment of standing about before
# each, as in a video of somebody who exercises.

# %%
corpus = procedural.generate(352, seed=0, min_frames=60, max_frames=120)
exercises = (
    "squat", "wave_both", "walk_and_return", "kick", "box", "stretch_up", "jumping_jacks", "bow", "walk_curve", "lunge",
    "punch", "sit_down", "raise_hand", "jump_forward", "walk_and_wave", "turn_in_place",
)  # fmt: skip
standing = corpus.clip(corpus.actions.index("idle"))
body = rest_offsets(standing[0])


def own(joints):
    """The motion on one body, from the origin, facing +Z."""
    return features.canonicalise(joints, target_offsets=body)


def lead(start, end, frames=12):
    """Poses (frames, J, 3) that go softly from one pose to another."""
    share = (1 - torch.cos(torch.linspace(0, math.pi, frames + 2)[1:-1])) / 2
    return start + share[:, None, None] * (end - start)


# %% tags=["hide-input"]
generator = torch.Generator().manual_seed(1)
rest, parts, pauses, last = own(standing), [], [], torch.zeros(1, 22, 3)
for name in exercises:
    place = last[-1, 0] * torch.tensor([1.0, 0.0, 1.0])
    start, length = (int(torch.randint(low, high, (1,), generator=generator)) for low, high in ((0, 30), (8, 24)))
    pause = rest[start : start + length]
    pause = pause - pause[:1, :1] * torch.tensor([1.0, 0.0, 1.0]) + place
    motion = own(corpus.clip(corpus.actions.index(name))) + place
    if parts:
        parts.append(lead(last[-1], pause[0]))
    begin = sum(map(len, parts))
    pauses.append((begin, begin + length))
    parts += [pause, lead(pause[-1], motion[0]), motion]
    last = motion
x = torch.cat(parts)
seconds = torch.arange(len(x)) / corpus.fps

# %%
# NBVAL_CHECK_OUTPUT
print(f"{len(x)} frames, {len(x) / corpus.fps:.1f} s, {len(pauses)} pauses of {min(b - a for a, b in pauses)} to "
      f"{max(b - a for a, b in pauses)} frames")  # fmt: skip

# %% [markdown]
# The obvious cut is every five seconds.
# Here are the frames at which the first eight clips would begin.

# %%
equal = np.arange(100, len(x) - rule.min_frames, 100)
film_strip(x, frames=equal[:8], title="every five seconds: in a squat, waving, in a step, boxing, stretching")

# %% [markdown]
# Clips that begin and end in the middle of things teach a prior that motions do.
# They also put half of one exercise and half of the next under one caption.
#
# ## What a cut costs
#
# Let $p_f$ be the pose of frame $f$ without place and heading: the root at the origin, the body turned to face +Z.
# Let $\bar p$ be the rest pose, and $v_f$ the mean speed of the joints of $p$ around frame $f$.
# A cut before frame $f$ costs
#
# $$
# c_f = \alpha\, \frac1J \sum_j \lvert p_{f,j} - \bar p_j \rvert^2 + \beta\, v_f .
# $$ (eq:clips-cost)
#
# The paper gives these two terms in words; the numbers are lost from its text.
# Ours are $\alpha = 10$ per square metre and $\beta = 1$ per metre per second, which make both terms about equally
# large on ordinary motion.
# Speed is averaged over a quarter of a second on either side.
# Nobody has to say what the rest pose is: it is the median of the slowest fifth of all frames.

# %%
# NBVAL_CHECK_OUTPUT
costs = clips.frame_costs(x)
speed_term = clips.frame_costs(x, rule=clips.Rule(alpha=0))
pose_term = clips.frame_costs(x, rule=clips.Rule(beta=0))
print(f"mean cost: pose {pose_term.mean():.4f}, speed {speed_term.mean():.4f}, both {costs.mean():.4f}")

# %% tags=["hide-input"]
shown = slice(0, 900)
figure, (axes,) = panels("cost of a cut before each frame, the first 45 seconds")
axes.fill_between(seconds[shown], 0, speed_term[shown], color=LEFT, alpha=0.75, linewidth=0, label="speed")
axes.fill_between(seconds[shown], speed_term[shown], costs[shown], color=RIGHT, alpha=0.6, linewidth=0, label="pose")
for start, stop in pauses[:7]:
    axes.axvspan(start / 20, stop / 20, color=GHOST, alpha=0.45, linewidth=0, label="pause" if not start else None)
axes.set(xlabel="time (s)", ylabel="cost", ylim=(0, 1.6), xlim=(0, 45))
axes.legend(frameon=False, fontsize=9, ncols=3, loc="upper right")
keep(figure, "clips_costs")

# %% [markdown]
# The cost is near zero in the pauses (grey), and where motions begin and end at rest.
# Neither term tells them alone: deep in a squat, after four seconds, the body is still, and a walker, from 16 to 22
# seconds, comes near the rest pose with every step.

# %%
in_pause = np.zeros(len(x), dtype=bool)
for start, stop in pauses:
    in_pause[start:stop] = True
claims.check("mean cost in the pauses", costs[in_pause].mean(), 0.036, 0.005)
_ = claims.check(
    "mean cost elsewhere, times that in the pauses", costs[~in_pause].mean() / costs[in_pause].mean(), 12.5, 1
)

# %% [markdown]
# ## What a length costs
#
# HumanML3D's clips have 40 to 196 frames {cite}`humanml3d`, and so have ours; nothing else is allowed.
# Within these limits a length $n$ beyond the preferred $[n_1, n_2]$, 3 to 8 seconds, pays for its seconds outside:
#
# $$
# r(n) = \gamma \left( \frac{\max(n_1 - n,\; n - n_2,\; 0)}{\mathrm{fps}} \right)^2, \qquad \gamma = \tfrac12 .
# $$ (eq:clips-length)
#
# The form of this penalty is lost as well; this one is ours.

# %%
# NBVAL_CHECK_OUTPUT
lengths = np.array([40, 50, 60, 100, 160, 180, 196])
print(dict(zip(lengths.tolist(), clips.length_penalty(lengths).round(4).tolist(), strict=True)))

# %% [markdown]
# ## The cheapest way to cut
#
# How many ways are there to divide the whole recording?
# Counting them needs no list: the number of ways that end at frame $f$ is the sum of those that end one clip earlier.

# %%
ways = [1] + [0] * len(x)
for f in range(1, len(x) + 1):
    ways[f] = sum(ways[max(0, f - rule.max_frames) : max(0, f - rule.min_frames + 1)])
exponent = math.log10(ways[-1])
print(f"10^{exponent:.0f} ways to cut {len(x)} frames")
_ = claims.check("ways to cut this recording into clips, power of ten", exponent, 60.29, 0.01)

# %% [markdown]
# The least cost can be found in the same way.
# Let $D_f$ be the least cost of clips of which the last one ends at frame $f$.
# That last clip begins somewhere, at $p$, and whatever was best before $p$ stays best:
#
# $$
# D_f = c_f + \min_{p\, \in\, [f - 196,\; f - 40]} \bigl( D_p + r(f - p) \bigr) .
# $$ (eq:clips-program)
#
# Noting for each $f$ which $p$ was best, and walking back from the end, gives the clips.
# A recording rarely begins and ends with a motion, so frames before the first clip and after the last may be left
# out, at 0.05 each; the recording's own two ends cost nothing.
#
# Written for a reader, and slow:


# %%
def slow(c, rule):
    """Equation (3) with two loops; returns the least cost."""
    n, cut = len(c), [0.0, *c[1:], 0.0]
    best = [math.inf] * (n + 1)
    for f in range(n + 1):
        for p in range(max(0, f - rule.max_frames), f - rule.min_frames + 1):
            before = min(best[p], rule.unused * p + cut[p])
            best[f] = min(best[f], before + clips.length_penalty(np.array(f - p), rule) + cut[f])
    return min(best[f] + rule.unused * (n - f) for f in range(n + 1))


def price(found, c, rule):
    """What a list of consecutive clips costs, by definition."""
    bounds = [found[0][0], *(stop for _, stop in found)]
    cut = [0.0, *c[1:], 0.0]
    outside = bounds[0] + len(c) - bounds[-1]
    return (sum(cut[b] for b in bounds) + rule.unused * outside
            + sum(clips.length_penalty(np.array(b - a), rule) for a, b in found))  # fmt: skip


# %% [markdown]
# The package looks at all $p$ of one $f$ in one array operation.
# Both find the same cost, on the first 25 seconds and on random costs.

# %%
# NBVAL_CHECK_OUTPUT
rng = np.random.default_rng(0)
examples = {"recording": costs[:500], "random": rng.uniform(0, 1, 400), "no rest": np.full(330, 0.4)}
examples["late start"] = np.where(np.arange(200) == 30, 0.0, 5.0)
for name, c in examples.items():
    fast = price(clips.segment(c), c, rule)
    print(f"{name:11s}{fast:.4f} {slow(c, rule):.4f}")
    claims.check(f"least cost, fast minus slow, {name}", fast - slow(c, rule), 0, 1e-9)

# %% [markdown]
# In the third row every cut costs the same; then only lengths count, and two clips of 165 frames, each a little beyond
# eight seconds, are cheaper than a third cut.
# In the last row there is one place where a cut is free, and to leave out the 30 frames before it is cheaper than any
# other cut.
#
# Ten thousand frames, more than eight minutes of video, take a fraction of a second:

# %%
long = rng.uniform(0, 1, 10_000)
begin = time.process_time()
found = clips.segment(long)
took = time.process_time() - begin
print(f"{took:.3f} s for 10,000 frames, {len(found)} clips")
_ = claims.check("seconds for 10,000 frames, at most 1", took, 0.5, 0.5)

# %% [markdown]
# ## The recording, cut

# %%
# NBVAL_CHECK_OUTPUT
cut = clips.split(x)
begins = np.array([start for start, _ in cut.clips])
print(len(cut.clips), "clips of", [stop - start for start, stop in cut.clips], "frames")
print("left out:", cut.unused or "nothing")

# %%
film_strip(x, frames=begins[1:9], title="where the second to ninth clip begin")

# %% tags=["hide-input"]
figure, (axes,) = panels("cost, and where it was cut")
axes.plot(seconds, costs, color=GHOST, linewidth=1)
for start in begins[1:]:
    axes.axvline(start / 20, color=RIGHT, linewidth=1.2)
axes.plot(begins[1:] / 20, costs[begins[1:]], "o", color=RIGHT, markersize=4, label="cut")
axes.plot(equal / 20, costs[equal], "o", color=LEFT, markersize=4, label="every five seconds")
axes.set(xlabel="time (s)", ylabel="cost", ylim=(0, 1.8), xlim=(0, len(x) / 20))
axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper right")
keep(figure, "clips_cuts")

# %%
# NBVAL_CHECK_OUTPUT
inside = sum(any(a <= f <= b for a, b in pauses) for f in begins[1:])
print(f"{inside} of {len(begins) - 1} cuts in a pause; {sum(in_pause[equal])} of {len(equal)} with equal clips")
print(f"mean cost of a cut {costs[begins[1:]].mean():.3f}, of one every five seconds {costs[equal].mean():.3f}")

# %%
claims.check("cuts that fall into a pause", inside, len(begins) - 1, 0)
claims.check("pauses that were found, of 15", inside, 15, 0)
_ = claims.check(
    "mean cost of a cut, as a share of equal cuts'", costs[begins[1:]].mean() / costs[equal].mean(), 0.065, 0.01
)

# %% [markdown]
# Every pause is found, and every cut is in one.
# This recording is easy, because its pauses are where clips want to end.
# The constants hardly matter here, as the table shows: $c_f$ may be ten times as large or a hundredth of it.
# Only without it, when lengths alone count, are pauses missed.

# %% tags=["hide-input"]
rows = ["| scale of $c_f$ | clips | cuts in a pause | shortest | longest |", "|---:|---:|---:|---:|---:|"]
for scale in (10, 1, 0.1, 0.01, 0):
    own_rule = clips.Rule(alpha=10 * scale, beta=scale)
    made = clips.split(x, rule=own_rule).clips
    hits = sum(bool(in_pause[a]) for a, _ in made[1:])
    size = [b - a for a, b in made]
    rows.append(f"| {scale:g} | {len(made)} | {hits} | {min(size)} | {max(size)} |")
Table("\n".join(rows))

# %% [markdown]
# ## When the person cannot be seen
#
# Real recordings are keypoints in an image, with a confidence.
# We film ours, hide the person for three seconds, and let the detector lose them for six frames in one of the pauses.

# %%
camera = cameras.sample_orbit(x[None], torch.tensor([len(x)]), torch.Generator().manual_seed(3))[0]
y, _ = camera.project(x)
generator = torch.Generator().manual_seed(4)
y = y + 0.002 * torch.randn(y.shape, generator=generator)
y[1:-1] = y[:-2] / 4 + y[1:-1] / 2 + y[2:] / 4  # the paper's smoothing of keypoints (appendix C.3)
confidence = torch.ones(y.shape[:2])
hidden, lost = slice(680, 740), slice(pauses[3][0] + 3, pauses[3][0] + 9)
for bad, level in ((hidden, 0.1), (lost, 0.0)):
    confidence[bad] = level
    y[bad] = y[bad] + 0.3 * torch.randn(y[bad].shape, generator=generator)

# %% [markdown]
# Poses in the image have no metres, and no heading can be taken out.
# The package scales them so that the person, when standing straight, is as high as an average one; then the same
# constants serve.
# It takes speeds over a fifth of a second, because a detector's jitter from one frame to the next is faster than people.
#
# What is not seen has no cost that could be believed.
# A frame whose mean confidence is below 0.3 costs infinitely much, so no clip ends there.
# Up to ten such frames in a row may lie within a clip, where they can be interpolated.
# A longer stretch breaks the recording, and each side is cut on its own.

# %%
# NBVAL_CHECK_OUTPUT
seen = clips.split(y, confidence=confidence)
finite = seen.costs[np.isfinite(seen.costs)]
print(f"{len(seen.clips)} clips, mean cost {finite.mean():.3f} over {len(finite)} of {len(y)} frames")
for start, stop, reason in seen.unused:
    print(f"frames {start} to {stop}: {reason}")

# %% tags=["hide-input"]
figure, (axes,) = panels("cost from keypoints, 20 to 45 seconds")
axes.plot(seconds, seen.costs, color=GHOST, linewidth=1.2)
axes.axvspan(hidden.start / 20, hidden.stop / 20, color=INK, alpha=0.18, linewidth=0, label="hidden")
axes.axvspan(lost.start / 20, lost.stop / 20, color=SERIES[4], alpha=0.6, linewidth=0, label="lost for six frames")
for k, (start, stop) in enumerate(seen.clips):
    axes.axvspan(start / 20, stop / 20, ymin=0.94, color=(LEFT, RIGHT)[k % 2], alpha=0.7, linewidth=0)
    axes.axvline(start / 20, color=RIGHT, linewidth=1)
    axes.axvline(stop / 20, color=RIGHT, linewidth=1)
axes.set(xlabel="time (s)", ylabel="cost", ylim=(0, 1.8), xlim=(20, 45))
axes.legend(frameon=False, fontsize=9, loc="upper right", bbox_to_anchor=(1, 0.93))
keep(figure, "clips_unseen")

# %% [markdown]
# The coloured band at the top shows the clips.
# None holds a frame of the hidden stretch.
# No cut is among the frames in which the detector lost them.

# %%
overlap = sum(start < hidden.stop and stop > hidden.start for start, stop in seen.clips)
claims.check("clips that hold hidden frames", overlap, 0, 0)
claims.check("cuts at frames that were not seen", sum(np.isinf(seen.costs[a]) for a, _ in seen.clips), 0, 0)
inner = [start for (_, stop), (start, _) in itertools.pairwise(seen.clips) if start == stop]
share = costs[inner].mean() / costs[equal].mean()
_ = claims.check("true (3-D) cost of cuts made from keypoints, as a share of equal cuts'", share, 0.118, 0.02)

# %% [markdown]
# Judged by the true motion, the cuts made from noisy keypoints are where the body rests, if not always in the pause that
# we put there: some motions begin and end at rest.
# %% [markdown]
# What remains is honest about its losses: the result lists every stretch that is in no clip, and why.
#
# ## What was verified

# %%
claims.table()

# %% [markdown]
# ## Exercises
#
# **1.** A recording of 80 frames costs $c_f = 1$ everywhere but at frame 40, where it costs $0.4$.
# One clip or two?
#
# :::{admonition} Solution
# :class: dropdown
# One clip of 80 frames is within the preferred lengths and pays nothing.
# Two clips of 40 frames pay $0.4$ for the cut and $r(40) = \tfrac12 (20/20)^2 = \tfrac12$ each, $1.4$ together.
# One clip, whatever $c_{40}$ is: cuts are only worth their price in recordings that are too long.
# :::

# %% tags=["hide-cell"]
c = np.ones(80)
c[40] = 0.4
print(clips.segment(c))

# %% [markdown]
# **2.** Without the term for unused frames the best last clip would often end early.
# Why?
# What would the program return if every cut cost the same $c > 0$ and unused frames nothing?
#
# :::{admonition} Solution
# :class: dropdown
# Costs are never negative, so every further clip makes the sum larger, and the cheapest way to cut is to stop as soon as
# one clip is made.
# With equal costs it would be one clip of a preferred length that begins at frame 0, where the cut is free, and the rest
# of the recording would be thrown away.
# :::

# %% tags=["hide-cell"]
print(clips.segment(np.full(600, 0.4), clips.Rule(unused=0.0)))

# %% [markdown]
# **3.** Change the program so that a stretch in the *middle* of a recording may be thrown away as well, at 0.05 per
# frame.
# Which line of {eq}`eq:clips-program` changes?
# What does it do for somebody who ties their shoes between two exercises?
#
# :::{admonition} Solution
# :class: dropdown
# Let $E_p$ be the least cost of everything before $p$ when a clip begins there.
# So far $E_p = D_p$; now a gap may lie in between, $E_p = \min\bigl(D_p,\; c_p + \min_{q < p} (D_q + 0.05\,(p - q))\bigr)$,
# and $D_f = c_f + \min_p (E_p + r(f - p))$.
# The inner minimum needs no second loop: $G_p = \min(D_p, G_{p-1} + 0.05)$ carries it along.
# Ten seconds of shoe tying cost 10 to leave out.
# As a clip of its own they would cost two cuts and the penalty of 2 s beyond the limit, about 2: the program would keep
# them.
# Throwing away needs a reason that costs do not know, a caption for instance.
# :::
#
# ## Functions on this page
#
# - {py:func}`videomdm.data.clips.split`: a recording into clips
# - {py:func}`videomdm.data.clips.frame_costs`: {eq}`eq:clips-cost`
# - {py:func}`videomdm.data.clips.length_penalty`: {eq}`eq:clips-length`
# - {py:func}`videomdm.data.clips.segment`: {eq}`eq:clips-program`
# - {py:class}`videomdm.data.clips.Rule`: the constants
