# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Closing the gap: walking as trained, rounds, refined cameras, frames placed by size
#
# Trained as the paper says, a prior from 2-D lifts well and generates motions that are too calm, and it needs to be told
# cameras in a frame that nobody with a video knows.
# This page takes four ideas that close part of the distance to 3-D supervision, and measures them.
# The numbers come from the files in `results/gap` alone.
#
# **Walk as trained.**
# Multistep training (appendix G.1) visits four low noise levels, one after the other, on the model's own predictions.
# Sampling with all the low steps visits eight times as many (32 against 4 here), and each repeats the small loss of
# movement that training corrected once per bucket.
# So sampling takes every high step and then one step per bucket, without fresh noise in between, as training does
# ({py:attr}`videomdm.diffusion.Multistep.steps`): fewer steps, and the movement stays.
#
# **Rounds.**
# A trained VideoMDM is a better lifter than its teacher.
# So it lifts the training keypoints, and plain MDM learns the lifted motions (*round-1*).
# The lifted motions can also be the teacher of a second VideoMDM (*lifter-2*), which lifts for a second round.
#
# **Refined cameras.**
# A camera told in the teacher's frame, or found by PnP, is off by the teacher's heading, origin and floor in the first
# frames.
# A predicted motion stands in its canonical frame by construction.
# So at each step below the highest noise, two Gauss-Newton steps move the camera to where it sees the prediction at the
# keypoints ({py:func}`videomdm.refinement.refine`).
# With $K$ the keypoint of a joint, $X_c$ its predicted place in camera axes, the residual is
#
# $$
# r = X_c^{xy} - K\, X_c^{z}
# $$ (eq:refine-residual)
#
# in metres: the error in the image times depth, as in eq. 1.
# It is linear in the camera's translation, and turning is damped so that no outlier turns a body round.
# The same is done inside the 2-D losses while training.
#
# **Placed frames.**
# Moving joints onto rays says nothing about depth, though the size at which somebody is seen does.
# So before that, every frame is shifted to where its size says ({py:func}`videomdm.refinement.place`,
# {doc}`derived here </notebooks/explain_ray_projection>`).
#
# And one thing that somebody who films may know: **stature** (*sized*), to which the teacher's motions are scaled.

# %% tags=["parameters"]
results_folder = "results"
study = "gap"

# %%
from IPython.display import display

from videomdm import report
from videomdm.papermill_io import check_parameters
from videomdm.plots import dot_plot

check_parameters(globals(), {"results_folder", "study"})
found, corpora = report.find(results_folder, study)
for name, rows in corpora.items():
    print(f"{name}: {', '.join(rows)}")

# %% [markdown]
# ## The threshold t*
#
# Above t* one step from a diffused teacher motion will do, because the noise there hides what the teacher gets wrong.
# So t* is where the noise, against the signal, is as large as the teacher's error in normalised features
# ({py:meth}`videomdm.diffusion.Diffusion.step_of`).
# The small profiles use 24.

# %%
for name, rows in corpora.items():
    if "teacher" in rows:
        error, t_star = rows["teacher"]["feature_error"], rows["teacher"]["t_star"]
        print(f"{name}: error {report.mean(error):.2f}, t* = {report.mean(t_star):.0f}")

# %% [markdown]
# ## Generated motions
#
# *Lifted FID* is that of the motions a round is trained on: what plain MDM could reach if it learned them perfectly.

# %%
columns = {
    "FID": "fid", "FID raw": "fid_raw", "FID, second judge": "tmr_fid", "lifted FID": "lifted_fid",
    "R-precision top 3": "r_precision_3", "recall†": "recall_dagger", "acceleration m/s²": "acceleration",
    "path m": "path_length", "bones %": "bone_deviation", "root height, mm": "root_height_distance",
}  # fmt: skip
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, columns))

# %%
panels = {"fid": "FID", "tmr_fid": "FID, second judge", "acceleration": "acceleration m/s²", "path_length": "path m"}
for name, rows in corpora.items():
    print(name)
    display(dot_plot(rows, panels, reference="real", logarithmic=("fid", "tmr_fid")))

# %% [markdown]
# ## The walk, against all steps
#
# The runs of *first light*, as they were trained (VideoMDM walks, plain MDM takes DDPM), and VideoMDM with all steps of
# DDPM as well.

# %%
samplers = {}
for label, name in (("as trained", "first-light"), ("DDPM", "samplers-ddpm")):
    for corpus, rows in report.find(results_folder, name)[1].items():
        chosen = {f"{row}, {label}": rows[row] for row in ("real", "mdm-3d", "videomdm") if row in rows}
        samplers.setdefault(corpus, {}).update(chosen)
for corpus, rows in samplers.items():
    print(corpus)
    display(report.table(rows, columns | {"lifting MPJPE": "lift_truth_mpjpe"}))

# %% [markdown]
# ## Lifting, camera by camera
#
# Root-aligned error, and absolute error in camera coordinates, in millimetres.
# The plots show the absolute one.
# *refined* starts from the camera of the column before it and knows no more than that; *placed* puts every frame where its
# size says.

# %%
errors = {"MPJPE": "mpjpe", "absolute": "absolute"}
probes = ("truth", "truth_placed", "teacher", "teacher_refined", "pnp", "pnp_refined", "pnp_refined_placed")
for name, rows in corpora.items():
    lifted = {row: metrics for row, metrics in rows.items() if row != "real"}
    print(name)
    display(report.table(lifted, report.lifting_columns(probes, errors)))
    shown = ("truth", "truth_placed", "pnp", "pnp_refined", "pnp_refined_placed")
    display(dot_plot(lifted, {f"lift_{probe}_absolute": probe.replace("_", " ") for probe in shown}))

# %% [markdown]
# ## What was asked of it, and what came out

# %%
for name, rows in corpora.items():
    if asked := report.table1_goals(rows):
        print(name)
        display(asked)

# %% [markdown]
# **Rounds close most of the gap to true 3-D.**
# With known cameras *round-1* has 1.23 times the FID of MDM on true 3-D on bandai, over two seeds, where VideoMDM itself
# has 2.5 times; it moves as fast and as far as real motions do, and stands 7 mm from their height.
# On the built-in corpus it has .97 times that FID, though it moves a third more jerkily than real motions, as MDM on true
# 3-D does.
# The motions that it learned have FID .66 and 1.0 (the two seeds), so what remains lies in learning them.
#
# **Placed frames are for lifting.**
# MDM on true 3-D, which knows exactly how large people are, errs by 43 mm in camera coordinates instead of 223 once frames
# are placed, and by 45 with a camera that PnP found and lifting refined.
# VideoMDM errs by 87 instead of 126 mm; the size that it believes in is the teacher's, in part.
# It does not always pay: on the built-in corpus, with the camera known, MDM on true 3-D gains (53 instead of 92 mm) and
# VideoMDM loses (129 instead of 102), because a body of the wrong size is put at the wrong depth.
# With cameras from PnP both gain.
# A round of placed motions (*round-1-placed*) is no better a generator: where people walk is not what FID sees.
#
# **A known stature helps the prior and not its round.**
# VideoMDM with PnP cameras on motions of the right size (*sized*) stands at the right height (10 mm off, where it was 72),
# but captions suffer; and what it lifts stands 60 mm too high again, so that the round on it is worse than the one without.
# We have not found out why.
#
# ## What to run with nothing but videos
#
# `videomdm-pnp/refined` as the lifter, with frames placed, and `videomdm-pnp/round-1` as the generator: neither is told a
# camera that a video does not give.
# On bandai that generator's FID is 1.7 times the one with known cameras (4.5 against 2.6, first seeds; 1.85 against both
# seeds' mean), so the 1.5 that we set ourselves is missed.
#
# As a generator, the prior with PnP cameras stands on the teacher's floor and has the teacher's size, refined or not: its
# root is too high (the column *root height*).
# The round that learns what it lifted, with the camera refined meanwhile, stands nearer the true height, and still 25 mm off.
#
# Refining pays where the camera is told wrongly.
# Where it is told in the truth's frame there is nothing to win, and that probe is not refined.
#
# Second rounds, the rows in the teacher's frame, rays between the steps of a multistep batch and constant bones are rows of
# `METHODS` that have not run yet (`make study`); neither has any row without cameras on the built-in corpus in this study.

# %%
report.sources(found)
