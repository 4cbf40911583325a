# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Asking people
#
# FID and its relatives compare two large sets of motions.
# A few dozen clips lifted from real videos are no large set, so for Fit3D and NBA the paper asked people: two clips side by side, which one looks more realistic and natural?
# Appendix H describes two such surveys: 20 participants with 10 pairs each for NBA (200 votes), and 52 participants with 20 pairs each for Fit3D, where six methods compete (1,040 votes).
#
# This package can hold such a survey:
#
# ```bash
# videomdm survey make OURS=runs/ours/motions WHAM=lifted/wham --out survey --participants 52 --pairs 20 --checks 1
# videomdm survey serve survey
# videomdm survey analyse survey
# ```
#
# This page asks what a survey of that size can see.
# All voters on it are simulated and their preferences are known, so every estimate can be compared with what it should be.

# %%
import numpy as np
from matplotlib.ticker import PercentFormatter

from videomdm.pages.claims import Claims
from videomdm.plots import Table, keep, panels
from videomdm.plots.style import GHOST, INK, LEFT, RIGHT
from videomdm.survey import analyse, simulate
from videomdm.survey.design import balanced, frequencies
from videomdm.survey.simulate import Voters

claims = Claims()

# %% [markdown]
# ## Dealing out the pairs
#
# Six methods make 15 pairs.
# In the paper the two methods of a comparison are drawn at random; then some pairs are compared more often than others, and their shares are known less well.
# `balanced` deals instead: at any moment the numbers of comparisons of two pairs of methods differ by at most one, so a survey may be stopped early.
# Captions are used evenly too, and each of two methods stands on the left half of the time, in random order.

# %%
# NBVAL_CHECK_OUTPUT
design = balanced(n_methods=6, n_captions=37, n_participants=52, n_pairs=20)
dealt = [times for times, _ in frequencies(design).values()]
drawn = np.random.default_rng(0).multinomial(design[..., 0].size, np.full(15, 1 / 15))
on_the_left = [abs(2 * first - times) for times, first in frequencies(design).values()]
claims.check("most minus fewest comparisons of a pair, dealt", max(dealt) - min(dealt), 1, 0)
claims.check("most minus fewest times on the left", max(on_the_left), 1, 0)
print(f"comparisons of a pair of methods: dealt {min(dealt)} to {max(dealt)}, drawn {drawn.min()} to {drawn.max()}")

# %% [markdown]
# ## One share, and how sure it is
#
# In the paper's NBA survey nearly two thirds of 200 votes preferred VideoMDM to MAS; say 64 %, which is 128 votes.
# If votes are independent, Wilson's interval says which true shares agree with that:
#
# $$
# \frac{\hat p + \frac{z^2}{2n} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}}, \qquad z = 1.96 .
# $$ (eq:wilson)
#
# Unlike the familiar $\hat p \pm 1.96 \sqrt{\hat p (1 - \hat p) / n}$ it never leaves the range from 0 to 1 and holds for few votes as well.

# %%
# NBVAL_CHECK_OUTPUT
low, high = analyse.wilson(128, 200)
z, n, p = 1.959964, 200, 0.64
middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
claims.check("lower end of 64 % of 200 votes, against the formula", low, (middle - half) / (1 + z**2 / n), 1e-6)
claims.check("upper end", high, (middle + half) / (1 + z**2 / n), 1e-6)
print(f"64 % of 200 votes: {low:.1%} to {high:.1%}")

# %% [markdown]
# So two thirds lie within the interval, and 57 % does nearly; one half does not.
#
# Before a survey the question is the other way round: how many votes does it take?
# Two answers are usual.
# Either the interval should have a given half width, or a true preference of a given size should be found in four of five surveys (a power of 80 %), by the exact binomial test at 5 %.

# %%
# NBVAL_CHECK_OUTPUT
rows = ["| votes on a pair | for instance | half width | share found with 80 % power |", "|--:|:--|--:|--:|"]
for n, where in (
    (69, "Fit3D: 1,040 votes on 15 pairs"),
    (200, "NBA"),
    (400, ""),
    (1040, "Fit3D, if it had two methods"),
):
    low, high = analyse.wilson(n // 2, n)
    rows.append(f"| {n:,} | {where} | ±{(high - low) / 2:.1%} | {analyse.detectable(n):.1%} |")
claims.check("share that 200 votes find", analyse.detectable(200), 0.60, 0.005)
print({f"±{margin:.0%}": analyse.votes_for(margin) for margin in (0.1, 0.05, 0.03, 0.02)})
Table("\n".join(rows))

# %% [markdown]
# 200 votes see a preference of 60 to 40 and may miss a smaller one.
# A pair of methods of the Fit3D survey had 69 votes, and sees 68 to 32.
# The margin falls with the square root of the number of votes: ±5 % takes 381 votes and ±2 % takes 2,398, on every pair.
#
# What does that say about the paper's Figure 5 (a)?
# Its two columns are the shares of votes that preferred a baseline to VideoMDM with calibrated cameras, and with cameras found by PnP.
# The numbers of votes are not given; with 1,040 votes on 15 pairs there were about 69 on each.

# %%
PUBLISHED = {
    "MDM/WHAM": (40.0, 62.1),
    "WHAM": (38.7, 60.3),
    "MVLift": (25.0, 42.3),
    "MDM/MVLift": (11.3, 12.5),
}
votes = 69
intervals = {
    (name, k): analyse.wilson(round(votes * share / 100), votes)
    for name, shares in PUBLISHED.items()
    for k, share in enumerate(shares)
}

# %% tags=["hide-input"]
figure, (axes,) = panels("preferred to VideoMDM, with the interval of 69 votes", height=2.6)
for y, (name, shares) in enumerate(reversed(PUBLISHED.items())):
    for k, (share, colour, label) in enumerate(zip(shares, (LEFT, RIGHT), ("calibrated cameras", "PnP"), strict=True)):
        at = y + 0.12 - 0.24 * k
        axes.plot(intervals[name, k], (at, at), color=colour, linewidth=2, solid_capstyle="round")
        axes.plot(share / 100, at, "o", color=colour, label=label if y == 0 else None)
axes.axvline(0.5, color=GHOST, linewidth=1)
axes.set(yticks=range(4), yticklabels=list(reversed(PUBLISHED)), xlim=(0, 1))
axes.xaxis.set_major_formatter(PercentFormatter(1))
axes.legend(frameon=False, loc="lower right")
keep(figure, "survey_published")

# %%
# NBVAL_CHECK_OUTPUT
undecided = [key for key, (low, high) in intervals.items() if low <= 0.5 <= high]
claims.check("of 8 published shares, those whose interval holds one half", len(undecided), 4, 0)
print("may be one half:", ", ".join(f"{name} ({('calibrated', 'PnP')[k]})" for name, k in undecided))

# %% [markdown]
# Four of the eight intervals hold one half, and a fifth ends just above it.
# The survey shows that people prefer VideoMDM to MDM trained on MVLift's motions, whatever the cameras, and with calibrated cameras to MVLift; between VideoMDM and WHAM it is too small to decide.
# A survey of two methods with as many votes would have decided.

# %% [markdown]
# ## From shares to strengths
#
# Six methods have 15 shares, and one would like one number for each method.
# The model of Bradley and Terry gives method $i$ a strength $s_i$ and says that $i$ is preferred to $j$ with probability
#
# $$
# P(i \succ j) = \frac{1}{1 + e^{s_j - s_i}} .
# $$ (eq:bradley-terry)
#
# Its maximum likelihood uses all votes at once: what $i$ won against $k$ and $k$ against $j$ also says something about $i$ and $j$.
# Intervals come from resampling **participants**, not votes, with replacement.
#
# The simulated voters get six strengths; the strengths of each voter differ a little from these, because tastes do.

# %%
# NBVAL_CHECK_OUTPUT
TRUE = np.array([0.9, 0.5, 0.3, 0.0, -0.4, -1.3])
METHODS = tuple("ABCDEF")
voters = Voters(TRUE - TRUE.mean(), taste=0.4)
cast = simulate.votes(design, voters, METHODS, seed=1)
found, (low, high) = analyse.strengths(cast)
inside = int(((low <= voters.strengths) & (voters.strengths <= high)).sum())
claims.check("true strengths within their intervals, of 6", inside, 6, 1)
for name, true, estimate, a, b in zip(METHODS, voters.strengths, found, low, high, strict=True):
    print(f"{name}  true {true:+.2f}  found {estimate:+.2f}  [{a:+.2f}, {b:+.2f}]")

# %% tags=["hide-input"]
figure, (axes,) = panels("strengths found by 52 voters with 20 votes each, and the true ones", height=2.6)
axes.hlines(-np.arange(6), low, high, color=LEFT, linewidth=2)
axes.plot(found, -np.arange(6), "o", color=LEFT, label="found, 95 % interval")
axes.plot(voters.strengths, -np.arange(6), "|", color=INK, markersize=14, markeredgewidth=2, label="true")
axes.set(yticks=-np.arange(6), yticklabels=METHODS, xlabel="log odds")
axes.legend(frameon=False, loc="lower right")
keep(figure, "survey_strengths")

# %% [markdown]
# Over 100 such surveys, how often does an interval hold the truth, and is the estimate right on average?
# Differing tastes flatten the curve {eq}`eq:bradley-terry`: the strengths found are those of the average over voters, smaller by about $(1 + \frac{\pi}{8} \sigma^2)^{-1/2}$, where $\sigma^2 = 2 \cdot 0.4^2$ is the variance of a difference of two strengths.

# %%
# NBVAL_CHECK_OUTPUT
flattened = TRUE - TRUE.mean()
flattened = flattened / np.sqrt(1 + np.pi / 8 * 2 * 0.4**2)
holds, estimates = 0, []
for seed in range(100):
    one, (low, high) = analyse.strengths(simulate.votes(design, voters, METHODS, seed), n=400, seed=seed)
    holds += ((low <= flattened) & (flattened <= high)).mean()
    estimates.append(one)
bias = np.abs(np.mean(estimates, 0) - flattened).max()
claims.check("intervals that hold the truth, of 100", holds, 94, 4)
claims.check("largest bias of a strength", bias, 0, 0.06)
print(
    f"{holds:.0f} of 100 intervals hold the truth; the largest bias is {bias:.2f}, one survey errs by {np.std(estimates, 0).mean():.2f}"
)

# %% [markdown]
# ## Ten votes of one person are not ten persons
#
# Wilson's interval counts votes.
# If people differ, the ten votes of one participant resemble each other and say less than ten votes of ten participants.
# Below, the average voter is indifferent between two methods, and single voters are more and more decided, in one direction or the other.
# How often does an interval hold the true share of one half?

# %%
# NBVAL_CHECK_OUTPUT
rows = ["| spread of tastes | Wilson, votes | resampled participants |", "|--:|--:|--:|"]
held = {}
for taste in (0.0, 0.5, 1.0):
    by_votes = by_people = 0
    for seed in range(300):
        cast = simulate.votes(balanced(2, 10, 20, 10, seed), Voters((0, 0), taste), "ab", seed)
        wins = cast.wins()
        low, high = analyse.wilson(wins[:, 0, 1].sum(), len(cast))
        by_votes += low <= 0.5 <= high
        again = analyse.resampled(wins, 400, seed)
        low, high = np.quantile(again[:, 0, 1] / len(cast), (0.025, 0.975))
        by_people += low <= 0.5 <= high
    held[taste] = by_votes / 300, by_people / 300
    rows.append(f"| {taste} | {by_votes / 3:.0f} % | {by_people / 3:.0f} % |")
claims.check("Wilson where voters are alike", held[0.0][0], 0.95, 0.04)
claims.check("Wilson where they differ", held[1.0][0], 0.75, 0.06)
claims.check("resampled participants where they differ", held[1.0][1], 0.95, 0.04)
Table("\n".join(rows))

# %% [markdown]
# Where voters are alike, both hold; where they differ, Wilson's promises too much.
# `analyse` reports both: if they differ much, believe the wider one, and next time ask more people instead of longer ones.

# %% [markdown]
# ## Voters who do not look
#
# Someone who clicks at random prefers each method half of the time.
# A share $c$ of such voters moves a true share $s$ to $(1 - c) s + c / 2$, towards one half, and a real preference can disappear.
# An **attention check** shows a clip beside its own frames in random order, which nobody prefers who looks.
# Who fails one is left out altogether; a careless voter passes $k$ checks with probability $2^{-k}$.
#
# The rows below are what the server stores, and `summary` is what `videomdm survey analyse` calls.

# %%
CLIPS = {name: {"method": name, "scene": 0, "seconds": 3.0, "shuffled": False} for name in "ab"}
CLIPS["shuffled"] = CLIPS["a"] | {"shuffled": True}
KEY = {"survey": "", "methods": ["a", "b"], "clips": CLIPS}


def survey(n_voters: int, careless: float, checks: int, seed: int) -> list[dict]:
    """What ``n_voters`` answer to ten comparisons of a and b and to some attention checks."""
    rng = np.random.default_rng(seed)
    own, is_careless = Voters((0.4, -0.4), careless=careless).drawn(n_voters, rng)
    trials = [("a", "b"), ("b", "a")] * 5 + [("shuffled", "a")] * checks
    return [
        {"participant": f"{voter}", "trial": k}
        | simulate.choose(
            {"left": left, "right": right, "seconds": 3.0},
            CLIPS,
            dict(zip("ab", own[voter], strict=True)),
            is_careless[voter],
            rng,
        )
        for voter in range(n_voters)
        for k, (left, right) in enumerate(trials)
    ]


# %%
# NBVAL_CHECK_OUTPUT
true_share = 1 / (1 + np.exp(-0.8))
for checks in (0, 1, 2):
    found = analyse.summary(survey(1000, careless=0.3, checks=checks, seed=checks), KEY)
    still = 0.3 * 0.5**checks / (0.7 + 0.3 * 0.5**checks)
    expected = (1 - still) * true_share + still / 2
    share = claims.check(f"share after {checks} checks", found["pairs"][0]["share"], expected, 0.015)
    left_out = found["counts"]["participants left out"]
    print(
        f"checks {checks}: {left_out} of 1,000 left out, share {share:.1%}, expected {expected:.1%}; without careless voters {true_share:.1%}"
    )

# %% [markdown]
# ## Do people agree?
#
# A preference of 64 % does not mean that 64 % of the clips are better; it may be a small preference on all of them.
# Agreement tells the two apart: of two people who see the same two clips, how often do they choose the same one?
# Krippendorff's alpha compares that with what people choose who see different clips of the same two methods: 0 means no more agreement, 1 that everybody agrees on every clip.
#
# Two worlds with the same share: in the first, every vote is for A with a probability of 64 %; in the second, A is better on 64 % of 50 captions, and all see that.

# %%
# NBVAL_CHECK_OUTPUT
log_odds = np.log(0.64 / 0.36)
everywhere = simulate.votes(balanced(2, 50, 20, 50), Voters((log_odds / 2, -log_odds / 2)), "AB")
where = np.repeat(np.arange(50) < 32, 20)
winner = np.where(where, 0, 1)
somewhere = analyse.Votes(np.tile(np.arange(20), 50), np.repeat(np.arange(50), 20), winner, 1 - winner, ("A", "B"))
for name, cast in (("a small preference everywhere", everywhere), ("the better one on 64 % of captions", somewhere)):
    same, alpha = analyse.agreement(cast)
    print(f"{name}: share {np.mean(cast.winner == 0):.0%}, agreement {same:.0%}, alpha {alpha:.2f}")
claims.check("alpha of a preference that is the same everywhere", analyse.agreement(everywhere)[1], 0, 0.02)
claims.check("alpha where all agree", analyse.agreement(somewhere)[1], 1, 1e-12)

# %% [markdown]
# ## A rehearsal
#
# ```bash
# videomdm survey dry --out dry-survey
# ```
#
# goes through a whole survey without people: two priors of this package are trained in their smallest profile, generate motions for the same captions, and are filmed; the survey is served on this machine, 20 simulated voters answer it over HTTP, and their votes are analysed.
# The priors have trained for seconds and their motions are poor; the voters do not look at them but follow the preferences that they were given.
# `videomdm survey serve dry-survey` shows what participants would see.
#
# ## What this page claims

# %%
claims.table()
