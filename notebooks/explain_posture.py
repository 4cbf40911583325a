# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How people stand and walk
#
# The built-in corpus is made by formulas, and whatever learns from it believes that people hold themselves as its
# formulas do.
# In its first version nearly all standing knees were bent by the same 18 degrees: a lifter that has only seen such
# people cannot answer with any others.
# This page compares its people with captured ones, joint by joint, before and after it was changed.

# %%
import json
from pathlib import Path

from videomdm.data import procedural
from videomdm.evaluation import posture
from videomdm.pages.claims import Claims
from videomdm.plots import film_strip, metrics_table
from videomdm.plots.dots import span_plot

claims = Claims()
folder = Path("../results/posture")
results = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
rows = {
    "CMU": "cmu", "Bandai Namco": "bandai", "prior family, version 1": "prior-1", "prior family": "prior",
    "teacher family, version 1": "teacher-1", "teacher family": "teacher",
}  # fmt: skip

# %% [markdown]
# ## What is measured
#
# A frame counts as *standing* when root and both ankles move by less than 0.15 m/s, the hips are high above the ankles
# and the trunk leans by less than 30 degrees; as *walking* when the root moves forward at 0.5 to 1.8 m/s
# ({py:mod}`videomdm.evaluation.posture`).
# Neither asks for straight knees.
# Angles are between bones, so that a straight limb has 180 degrees: *hip* is between trunk and thigh, *ankle* between
# shin and foot; *arm* is between upper arm and trunk, 0 when it hangs; *lean* and *thigh* are forward from upright.
#
# The captured people are clips of CMU's motion capture, each also mirrored, and the Bandai-Namco-Research-Motiondataset.
# `python -m videomdm.study.posture` measured each corpus; version 1 was measured on the last commit that had it.

# %%
metrics_table([
    {
        "people": name, "corpus version": results[file].get("corpus", ""), "clips": results[file]["clips"],
        "standing frames": results[file]["metrics"]["standing"]["frames"],
        "walking frames": results[file]["metrics"]["walking"]["frames"], "commit": results[file]["commit"],
    }
    for name, file in rows.items()
])  # fmt: skip

# %% tags=["hide-input"]
angles = {name: name for name in ("knee", "hip", "ankle", "elbow", "arm", "spine", "head", "lean")}


def measured(state, kind):
    """Quantiles of one kind of measure in one state, by row."""
    return {name: results[file]["metrics"][state].get(kind, {}) for name, file in rows.items()}


# %% [markdown]
# ## Standing
#
# The line goes from the 5th to the 95th percentile, the bar over the middle half, the dot is the median, and the dashed
# line CMU's median.

# %%
span_plot(measured("standing", "angles"), angles)

# %% [markdown]
# Captured people are less straight than one thinks, and differ more from each other.
# What was wrong with version 1 was its narrowness: no one in it could be told to stand straighter, or less straight.
# Now every clip draws a knee, an elbow and a posture of its own, from nearly straight to well bent.

# %%
# NBVAL_CHECK_OUTPUT
spread = {
    file: results[file]["metrics"]["standing"]["angles"]["knee"] for file in ("cmu", "bandai", "prior-1", "prior")
}
for file, (_, left, middle, right, _) in spread.items():
    print(f"{file:8s} knee {middle:5.1f} degrees, the middle half within {right - left:4.1f}")

# %% [markdown]
# ## Walking

# %%
span_plot(measured("walking", "angles"), angles)

# %% [markdown]
# A walker of version 1 vaulted over a stiff leg.
# The knee of a standing leg now keeps near its owner's habit, and the body is a little lower.
# Speeds are in m/s (ankles in the world, wrists against the root); *legs*, *arms* and *crossed* are correlations of left
# with right thigh, left with right upper arm, and an arm with the leg of the other side.

# %%
moving = {
    name: measured("walking", "speeds")[name] | measured("walking", "symmetry")[name] for name in rows
}  # fmt: skip
titles = {"root": "root, m/s", "ankle": "ankle, m/s", "wrist": "wrist, m/s", "legs": "legs", "arms": "arms"}
span_plot(moving, {**titles, "crossed": "crossed"})

# %% [markdown]
# ## Bodies
#
# Lengths as shares of the leg from hip to ankle.
# Skeletons put joints in different places (SMPL's pelvis is high above the hips, CMU's toes are nearly level with the
# ankle), so no body can agree with all; the built-in bodies vary within what the skeletons say.
# The two families differ in how long their trunks are against their legs, and never meet there.

# %%
bodies = {name: results[file]["metrics"]["bodies"]["proportions"] for name, file in rows.items()}
span_plot(bodies, {name: name for name in posture.PROPORTIONS}, columns=5)

# %% [markdown]
# ## How near the corpus is
#
# Medians against CMU's, in degrees: those of the prior's family agree within about 5 degrees in all joints.
# The teacher's people use their arms and bend their trunks on purpose, for a lifter must have seen that too.

# %%
# NBVAL_CHECK_OUTPUT
for state in ("standing", "walking"):
    cmu = results["cmu"]["metrics"][state]["angles"]
    for family in ("prior", "teacher"):
        old, new = (results[name]["metrics"][state]["angles"] for name in (f"{family}-1", family))
        apart = {name: (old[name][2] - cmu[name][2], new[name][2] - cmu[name][2]) for name in angles}
        words = "  ".join(f"{name} {before:+.0f} -> {after:+.0f}" for name, (before, after) in apart.items())
        print(f"{state}, {family}: {words}")
        worst = max(abs(after) for _, after in apart.values())
        if family == "prior":
            claims.check(f"{state}: largest distance of a median from CMU's, degrees", worst, 0, 5.5)

# %% [markdown]
# The same for 400 clips that are made now:

# %%
# NBVAL_CHECK_OUTPUT
corpus = procedural.generate(400, seed=1)
now = posture.distributions(corpus.joints, corpus.lengths)
for state in ("standing", "walking"):
    knee, cmu = now[state]["angles"]["knee"][2], results["cmu"]["metrics"][state]["angles"]["knee"][2]
    print(f"{state}: knee {knee:.0f} degrees, CMU {cmu:.0f}")
    claims.check(f"{state}: median knee, degrees", knee, cmu, 6)

# %% [markdown]
# Two who stand, and one who walks:

# %%
clips = [corpus.actions.index(action) for action in ("idle", "bow", "walk")]
film_strip(corpus.clip(clips[0]))

# %%
film_strip(corpus.clip(clips[1]))

# %%
film_strip(corpus.clip(clips[2]))

# %% [markdown]
# ## What was verified

# %%
claims.table()

# %% [markdown]
# CMU's motion capture is from mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.
# The Bandai-Namco-Research-Motiondataset is CC BY-NC 4.0, (c) 2022 Bandai Namco Research Inc.; only quantiles of it are
# here.
