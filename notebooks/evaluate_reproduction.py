# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What is reproduced, what is not, what was not tried
#
# Every claim of the paper that a run can answer, in a row: what the paper found, what was found here, and a verdict.
# The verdicts are not ours to word.
# A claim is turned into a ratio of two rows of a study and a limit for it, and
# {py:func}`videomdm.study.verdicts.verdict` applies one rule to all:
#
# - **holds** and **does not hold**: on every corpus the 95 % interval of the ratio over at least three training seeds lies
#   wholly on one side of the limit;
# - **rather yes** and **rather no**: so does the ratio itself, but there are fewer seeds, or the interval crosses the limit;
# - **mixed**: corpora disagree;
# - **not tried**: no run here answers it.
#
# Mind what is compared.
# The paper trains on HumanML3D for 600,000 batches of 64 clips of up to 196 frames.
# Here two open corpora stand in for it, bandai's motion capture and the built-in corpus, with clips of 48 frames, a model a quarter as wide,
# and minutes of training on two processor cores.
# So absolute figures are not comparable, and ratios say whether the method's parts do here what they do there.
#
# Rows with cameras by PnP are not told where the camera stands, but they know gravity, the camera's roll and its focal length, which
# a video does not tell for certain ([Table 1](evaluate_table1.ipynb) says how).
#
# FID is the paper's: features are embedded as they are generated.
# A second table reads the same claims with the joints of generated motions encoded anew.
# The numbers come from `results/` alone; the commands that make them are at the end.

# %% tags=["parameters"]
results_folder: str = "results"

# %%
from videomdm.pages.parameters import check_parameters
from videomdm.plots import metrics_table
from videomdm.study import reproduction, verdicts

check_parameters(globals())
studies = reproduction.sources()
found = verdicts.find(results_folder, studies)

# %% [markdown]
# ## What was run
#
# *limit* is what the claim's sentence asks of the ratio, *paper* the ratio in the paper (blank where the text at hand lost it).
# With several seeds, the interval is Student's; with two it is wide, as two values tell little.

# %%
verdicts.table(found, reproduction.CLAIMS)

# %% [markdown]
# ## The other reading of FID
#
# Redundant channels of generated features (rotations, velocities, contacts) need not agree with their joints.
# The paper's reading counts that, this one does not.

# %%
verdicts.second_reading(found, reproduction.CLAIMS)

# %% [markdown]
# **What stands.**
# Over five seeds on bandai, and on the built-in corpus, learning from 2-D with known cameras is better than learning from the lifter's motions, by more than two times, and known cameras are better than cameras by PnP.
# So it is, by the paper's reading, with cameras by PnP.
# Where all people have one body, as the paper's have (*uniform skeleton*), VideoMDM is as near to 3-D supervision as in the paper, 1.6 times its FID (2.3 times with joints encoded anew), and cameras by PnP have one and a half times the FID of known ones instead of nearly three times ([Controls](evaluate_controls.ipynb)).
# The ablations come out in the paper's order but for the last two, which change places; the intervals of all but multistep training hold the paper's own figures ([The ablations](evaluate_ablations.ipynb)).
# MAS is behind in table 1, of the same pictures and with as many batches.
# But there VideoMDM's teacher has learned from 3-D; where it has seen none either, as MAS has, the two have like FID (14.0 and 15.3 over three seeds, [Table 1](evaluate_table1.ipynb)).
# From pictures alone its FID and diversity are behind MAS's, as the paper says, though not slightly.
# Its settings matter little: the best of a search is no better than those in use once other seeds are asked ([How much the settings matter](evaluate_search.ipynb)).
#
# **What hangs on the corpus.**
# From pictures alone VideoMDM's precision is better than MAS's on the built-in corpus, where one round turns FID and recall† around as well, and far worse on people's own motions, where its teacher, ElePose, is worse ([Table 3](evaluate_table3.ipynb)).
#
# **What hangs on the reading.**
# With cameras by PnP, VideoMDM is better than MDM on the lifter's motions as the paper measures it, and not on bandai once joints are encoded
# anew: its people are as tall as the teacher makes them, which is 7 % too tall, and FID of joints sees size.
# With one body for all it is better by both readings.
#
# **What does not come out.**
# Table 2's halving of the lifter's error: as the paper lifts it is hardly less, and half of it only where every frame is placed by its size
# ([Table 2](evaluate_table2.ipynb) has the experiments that say why).
# Accelerations cannot improve by 5.5 times here, as our lifter does not jitter as WHAM does: it works on windows of frames.
# Training costs twice plain MDM's instead of 1.3 times, because two low batches of three take four passes each.
# Nearly closing the gap to 3-D supervision, where people have bodies of their own: on bandai its FID is 1.8 times that of MDM on true motions, where 1.63 would do.
# And its recall†, the best of all in the paper's table 3, is below MAS's without a round: its motions are too much alike.
#
# ## What is derived
#
# The paper's mathematics is worked through on pages of its own, which compute both sides of every equation and fail where they differ.
#
# | in the paper | it says | where it is checked |
# |:---|:---|:---|
# | section 3.4, appendix A | image errors, weighted by depth, are errors in space | [Depth weighting](../notebooks/explain_depth_weighting.ipynb) |
# | appendix B | the nearest point of a ray | [Ray projection](../notebooks/explain_ray_projection.ipynb) |
# | section 3.5, appendix J | channels that joints give | [Features](../notebooks/explain_features.ipynb) |
# | appendix G.1 | low timesteps need the model's own predictions | [Multistep training](../notebooks/explain_multistep.ipynb) |
# | appendix D | the constant of the root's depth | [Root depth](../notebooks/explain_root_depth.ipynb) |
# | appendix E | recall†, and what recall rewards | [Recall](../notebooks/explain_recall.ipynb) |
# | appendix C.4 | where to cut a recording | [Clips](../notebooks/explain_clips.ipynb) |
# | appendix H | what a survey of 200 votes can see | [Asking people](../notebooks/explain_survey.ipynb) |
#
# ## Commands

# %%
metrics_table([{"study": study, "command": f"`{command}`"} for study, command in studies.items()])
