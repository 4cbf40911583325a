# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # First light: does 2-D supervision work?
#
# One teacher, one model size, one number of batches, and six ways to train.
# Every figure on this page is read from the files in `results/first-light`, one per run.
# Each file names the command that made it, the commit, and the kind of machine.
#
# | row | diffused motions | compared with |
# |:---|:---|:---|
# | real | | training clips against test clips: the floor of every distribution metric |
# | teacher | | the lifter's own motions, as they are |
# | mdm-3d | true 3-D | true 3-D: the upper bound |
# | mdm-teacher | the teacher's | the teacher's 3-D |
# | videomdm | the teacher's | keypoints, with the camera in the truth's canonical frame (the paper's setting) |
# | videomdm-frame | the teacher's | keypoints, with the same camera in the teacher's own frame |
# | videomdm-pnp | the teacher's | keypoints, with the camera that PnP estimates from teacher and keypoints |
# | videomdm/round-1 | keypoints lifted by videomdm | those lifted motions, by plain MDM |
#
# All rows start from the same number of plain MDM batches on their motions, and then take the same number of batches of
# their own stage; the round is trained from scratch for as many in all.
# A 2-D batch costs more time than a plain one, so equal batches are not equal hours; the hours are in the last table.
# Every prior samples as it was trained ({py:meth}`videomdm.sample.Prior.sampler`): VideoMDM takes the walk of its
# multistep training, one step per bucket at low noise, and plain MDM all steps of DDPM.
# Lifting takes all steps, without fresh noise for VideoMDM.

# %% tags=["parameters"]
results_folder: str = "results"
study: str = "first-light"

# %%
from IPython.display import display

from videomdm.pages.parameters import check_parameters
from videomdm.plots import dot_plot
from videomdm.study import goals, report

check_parameters(globals())
found, corpora = report.find(results_folder, study)
for name, rows in corpora.items():
    print(f"{name}: {', '.join(rows)}")
if note := report.corpus_note(found):
    print(note)

# %% [markdown]
# ## The distribution of generated motions
#
# FID is read in two ways.
# The paper's, MDM's evaluation, embeds features as they are generated; ours embeds those that the generated joints give when
# they are encoded anew, which redundant channels can neither flatter nor spoil.
# In the text *FID* alone means joints encoded anew.
# A model whose redundant channels disagree with its joints can be good in one and bad in the other.
# *FID %* is FID over the total variance of true embeddings, so that it can be read without knowing the evaluator.
# *New phrasings* is R-precision over captions that no training clip has: how far the text encoder carries over.

# %%
generation = {
    "FID, the paper's": "fid_raw", "FID, joints anew": "fid", "the same, %": "fid_percent", "R-precision top 3": "r_precision_3",
    "new phrasings": "r_precision_3_unseen",
    "MM-distance": "mm_distance", "diversity": "diversity",
}  # fmt: skip

for name, rows in corpora.items():
    print(name)
    display(report.table(rows, generation))

# %%
for name, rows in corpora.items():
    print(name)
    panels = {"fid": "FID, joints encoded anew", "fid_raw": "FID, raw features", "r_precision_3": "R-precision top 3"}
    display(dot_plot(rows, panels, reference="real", logarithmic=("fid", "fid_raw")))

# %% [markdown]
# ## How the motions move
#
# Averages shrink: a denoiser that cannot tell error from motion predicts less motion, and sampling compounds it.
# On bandai every trained row accelerates less than real motions, on the built-in corpus every one walks less far; the dashed line is
# the real data.
# How much of it is the sampler's doing, *The walk, against all steps* in [closing the gap](evaluate_gap.ipynb) shows.

# %%
moving = {
    "acceleration m/s²": "acceleration", "path m": "path_length", "skating": "skating", "bones %": "bone_deviation",
}  # fmt: skip
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, moving))
    display(dot_plot(rows, {key: title for title, key in moving.items()}, reference="real"))

# %% [markdown]
# ## To look at
#
# <a href="../_static/compare/table1.html">Motions of five rows side by side</a>: methods in columns, captions in rows, one clock for all, and dragging one turns all cameras.
# The motions of the runs in these tables were not kept; these are of the built-in corpus and of priors that `python -m videomdm.study.motions table1` trains on it in the profile *laptop*, so they show what kinds of errors the methods make, not how large those of the table are.

# %% [markdown]
# ## Lifting held-out keypoints
#
# The probe of the prior: 3-D from keypoints that it has never seen and their caption (appendix G.2), in millimetres
# after the root is aligned, and in m/s² of acceleration.
# *True frame* gives the camera in the truth's canonical frame, which also tells where the body stands and faces in
# frame 0; *teacher's frame* does not; *PnP* estimates it.
# *Silent* is the true frame without the caption.
# The teacher's error does not depend on the camera.

# %%
lifting = {
    f"{metric} ({frame})": f"lift_{frame}_{key}"
    for metric, key in (("MPJPE", "mpjpe"), ("acceleration error", "acceleration_error"))
    for frame in ("truth", "teacher", "pnp", "silent")
}
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, lifting))
    panels = {f"lift_{f}_mpjpe": f"MPJPE mm, camera: {f}" for f in ("truth", "teacher", "pnp")}
    panels["lift_truth_acceleration_error"] = "acceleration error m/s²"
    display(dot_plot(rows, panels, reference="real"))

# %% [markdown]
# ## What was asked of it, and what came out
#
# Before the study ran, these were set as its goals.

# %%
for name, rows in corpora.items():
    if {"real", "teacher", "mdm-3d", "mdm-teacher", "videomdm"} <= set(rows):
        print(name)
        display(goals.first_light(rows))

# %% [markdown]
# 2-D supervision shows in both: VideoMDM's FID is a third of that of MDM on the teacher's motions on bandai and a half on the
# built-in corpus, and it lifts with less than half and less than two thirds of the error.
# Lifted motions are nearer to the truth than the teacher's, because the keypoints put the movement back at every step.
# That is why a round, which trains plain MDM on lifted motions, is the method to look at for generation.
# [Closing the gap](evaluate_gap.ipynb) gives the FID of the lifted motions as well, the best that a round could learn.
#
# Where the camera is given in the teacher's frame, or found by PnP, the prior inherits the teacher's floor and size: the
# generated roots stand as high as the teacher's, and FID sees it.
# [Closing the gap](evaluate_gap.ipynb) shows what refined cameras and rounds do about it.

# %% [markdown]
# ## Where the numbers come from

# %%
report.sources(found)
