# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Teachers: lifters on people whom they never saw
#
# Everything here starts from a lifter: a network that guesses 3-D poses from 2-D keypoints, and whose motions a prior
# then learns from.
# Two sets of weights come with the package.
#
# - **procedural** has learned from the built-in corpus' teacher family alone.
#   Studies on filmed corpora use it, because it has seen none of them.
# - **real** has learned from CMU's motion capture too, half and half.
#   Recordings of real people get it.
#
# In training, three fifths of the windows of **real** are filmed by telephones: from below, from eye level and from overhead,
# near and far, with fields of view from 40 to 85 degrees.
# Their bodies are resized bone by bone, their limbs turned, their knees straightened in half of the clips (captured
# knees are rarely straight, people who stand before a camera are), and they are slowed down and sped up.
# In nearly half of the windows a simulated detector reports them
# ({py:func}`videomdm.lifters.phones.report`): it knows landmarks, not joints, its errors last for several frames, it is
# unsure of hidden limbs, sometimes exchanges sides, and now and then never sees the legs.
#
# This page asks how far both come where they never learned.
# Its numbers are from `results/teachers` alone, which
# `python -m videomdm.study.judge_teachers --data $VIDEOMDM_DATA` writes.

# %% tags=["parameters"]
results_folder: str = "results"

# %%
from videomdm.pages.parameters import check_parameters
from videomdm.study import teacher_tables

check_parameters(globals())
found = teacher_tables.find(results_folder)
list(found)

# %% [markdown]
# ## Filmed motion capture
#
# Clips are filmed by random cameras, and keypoints are exact.
# CMU's clips are of actors who are in no training set: their subjects' numbers decide
# ({py:mod}`videomdm.data.cmu_actors`).
# Actors, bodies and actions of bandai were never seen, nor was the built-in corpus' prior family.
#
# Poses are compared root to root, in millimetres.
# The root's own error is that of its distance for the most part, which one camera hardly tells.

# %%
teacher_tables.filmed(found)

# %% [markdown]
# ## A real trial with 3-D truth
#
# Somebody balances in front of calibrated cameras; their joints were triangulated.
# Twelve limb joints count, about the middle of the hips, as the mean of two cameras.
# The field of view and the person's height are given.
# Keypoints are two detectors', and the truth as each camera sees it, which no detector could better.
#
# The truth's hips are landmarks that a detector was trained on, and lie further out than SMPL's hips do; the columns *as
# landmarks* take both for what they are.

# %%
teacher_tables.trial(found)

# %% [markdown]
# ## People who stand
#
# Do people who stand come out with straight knees and hips?
# Median angles in degrees over the frames in which BlazePose's own 3-D stands, beside that 3-D, which is a second
# opinion and no truth.

# %%
teacher_tables.standing(found)

# %% [markdown]
# ## What was asked for, and what came out
#
# A *no* is a goal missed, and stays in the table.

# %%
teacher_tables.goals(found["real"])
