# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Table 2: from videos to a prior that goes beyond its lifter
#
# The paper's second regime starts from a prior of one kind of motion, and from videos of another.
# A lifter makes poor 3-D of the videos; the prior is fine-tuned on their keypoints; then it lifts the same keypoints,
# and is compared with motion capture that nobody trained on.
# The paper does this from HumanML3D to Fit3D, with WHAM as the lifter, and finds the lifter's error halved and its motion
# 5.5 times smoother.
#
# Fit3D is not open to everybody, so this page simulates the regime with open motion capture.
# The numbers come from the files in `results/table2` alone.
#
# | | the paper | here |
# | :-- | :-- | :-- |
# | prior before | VideoMDM on HumanML3D from 2-D, 400,000 + 200,000 batches of 64 | VideoMDM from 2-D on bandai's second set (walking, running, waving, raising hands), a small model, 2,000 + 600 batches of 32 |
# | videos | Fit3D, 611 sequences | bandai's first set (bows, dances, kicks, punches, guides ...), filmed by simulated cameras |
# | keypoints | RTMPose, smoothed by (.25, .5, .25) | the true ones plus noise, smoothed alike |
# | lifter | WHAM, which sees the image | our small lifter with predicted root path, which sees keypoints only |
# | cameras | the data set's, or PnP | the simulated ones, or PnP |
# | fine-tuning | 20,000 batches | 400 batches |
# | measured on | the sequences trained on, so far as the paper says | 128 of these, and clips held out by style and take |
#
# The noise is such that the truth, moved onto the rays of the noisy keypoints, errs in acceleration by as much as the
# paper's rows do, about 3 m/s².
# Noise of a real detector is larger and slower, so it is its jitter that is matched here, not its error.
#
# `python -m videomdm.table2 --data fit3d --data-root DIR --source humanml3d --source-root DIR --profile paper` is the same
# study on Fit3D itself.

# %% tags=["parameters"]
results_folder = "results"
runs = "runs"  # where the fine-tuned runs lie, for the figure of one motion

# %%
from IPython.display import display

from videomdm import report, table2
from videomdm.papermill_io import check_parameters
from videomdm.plots import dot_plot, film_strip, metrics_table

check_parameters(globals(), {"results_folder", "runs"})
found, corpora = report.find(results_folder, "table2")
for name, rows in corpora.items():
    print(f"{name}: {', '.join(rows)}")

# %% [markdown]
# ## What is measured
#
# Appendix C.3 aligns WHAM "to the dataset frame on the first frame of each clip", because it was not told the camera.
# It does not say how.
# Here a clip is turned and shifted as a whole, never scaled, so that the joints of its first frame fit the true ones best,
# for every row alike.
# So MPJPE and PCK count a wrong path and a wrong size, and not where a clip begins.
# PA-MPJPE aligns every frame by itself, with scale.
# Acceleration errors are of second differences; KID is that of lifted against true motions, in the embedding of a judge
# that learned the prior's own corpus, as HumanML3D's judge does in the paper.
#
# ## The paper's table
#
# KID is lost from the text that we have.

# %%
columns = ("MPJPE mm", "PA-MPJPE mm", "PCK@50 %", "PCK@100 %", "acceleration error m/s²")
published = {
    "WHAM (lifter)": (228.47, 51.12, 2.89, 17.39, 17.66),
    "MVLift": (283.06, 94.45, 5.84, 22.99, 3.14),
    "MDM": (440.33, 114.06, 6.34, 24.20, 7.71),
    "VideoMDM": (111.24, 61.69, 22.26, 62.80, 3.16),
    "VideoMDM, PnP": (185.81, 74.03, 15.49, 52.82, 3.04),
}
metrics_table([{"": row, **dict(zip(columns, values, strict=True))} for row, values in published.items()])

# %% [markdown]
# ## Ours
#
# *teacher* is the lifter, *prior* the start before any fine-tuning, *mdm-teacher* plain MDM fine-tuned on the lifter's 3-D.
# All priors lift with the camera of their own training, and with the true one otherwise.
# *rays* is no method: the truth, moved onto the noisy keypoints' rays.
# Intervals are over clips.

# %%
measures = ("mpjpe", "pa_mpjpe", "pck_50", "pck_100", "acceleration_error")
sets = {"seen": "clips trained on", "held_out": "held-out clips", "new": "held-out clips of actions new to the prior"}
for name, rows in corpora.items():
    for which, title in sets.items():
        clips = next(iter(rows.values())).get(f"{which}_clips")
        if clips:
            print(f"{name}, {title}: {report.mean(clips):.0f}")
            wanted = {title: f"{which}_{key}" for title, key in zip(columns, measures, strict=True)}
            display(report.table(rows, wanted | {"KID": f"{which}_kid", "its deviation": f"{which}_kid_std"}))

# %%
panels = {
    "held_out_mpjpe": "MPJPE mm",
    "held_out_pa_mpjpe": "PA-MPJPE mm",
    "held_out_acceleration_error": "accel. error",
}
for rows in corpora.values():
    display(dot_plot(rows, panels, reference="rays"))

# %% [markdown]
# ## What was claimed, and what came out

# %%
for rows in corpora.values():
    display(report.table2_goals(rows))

# %% [markdown]
# Neither claim holds at this size.
# What fine-tuning on keypoints does reach: the motions are far more like the true ones (KID a third of the lifter's and
# of the start's, and less on held-out clips), more joints than the lifter's lie within 50 mm, and poses are a little
# better.
# VideoMDM errs little more than half as much as plain MDM on the lifter's 3-D.
# But it does not halve the lifter's error, because of the path, and it is only a little smoother, because of the rays.
# Both are measured below.
# With cameras by PnP most of this is lost: only PA-MPJPE and smoothness stay better than the lifter's, and its KID is the
# worst of all.
# By joints within 50 mm the start is even better than what is fine-tuned from it; we do not know why.
#
# ## Where the error sits
#
# *path* is the error of the root alone after the alignment, *pose* that of all joints about it, *absolute* the MPJPE in
# camera coordinates without any alignment; both accelerations likewise.

# %%
parts = ("mpjpe", "path", "pose", "absolute", "acceleration_error", "acceleration_path", "acceleration_pose")
for rows in corpora.values():
    display(report.table(rows, {part.replace("_", " "): f"held_out_{part}" for part in parts}))

# %% [markdown]
# Almost all of it is the root's path, for the lifter and for every prior, and across the camera's view the rays leave no
# room for an error: what is wrong is depth.
# About the root, VideoMDM is the best row.
#
# We think that training is too short.
# The prior does not know these motions, and 400 batches do not teach them: in the figure of the last section somebody bows on the spot,
# and is lifted as if drifting along the rays.
# On the clips trained on, the path's error falls by a fifth from *prior* to *videomdm*, hardly at all on those held out,
# and the paper's fine-tuning is 50 times as long.
# Trained within one corpus for 2,000 + 2,000 batches, on clean keypoints, the same small model has an absolute error of
# 131 mm ([First light](evaluate_first_light)), half of what it has here.
# A longer fine-tuning has not been run, so this is a guess, and the table stands as it is.
#
# ## How smooth can it be?
#
# The same priors on the held-out clips, seen with less and with more noise.
# Lifting ends on the keypoints' rays, so what a detector's jitter does to the truth (*rays*) it does to every method that
# ends there.

# %%
for rows in corpora.values():
    for key, title in (("acceleration_error", "acceleration error"), ("mpjpe", "MPJPE")):
        display(report.table(rows, {f"{title}, noise {n:g}": f"noise_{n:g}_{key}" for n in table2.NOISES}))

# %% [markdown]
# At the noise that was trained with, the rays alone cost about 3.1 m/s² of VideoMDM's error, and a lifter would have to err
# by more than 9 for anything on the rays to be three times as smooth.
# The path's error hardly depends on the noise; the lifter's does.
#
# And the other half of the ratio, the lifter.
# WHAM's 17.66 m/s² are those of a lifter that is not made to be smooth; MVLift's 3.14 are no worse than VideoMDM's.
# Ours smooths the depth of its root; taken frame by frame, as appendix D has it, it jitters as the first column says.

# %%
for rows in corpora.values():
    display(
        metrics_table([
            {"": title, **{column: rows["teacher"][f"lifter_{how}_{key}"] for column, key in
                           zip(columns, measures, strict=True)}}
            for how, title in (("frame_by_frame", "root's depth from each frame alone (appendix D)"),
                               ("naive", "the same, smoothed"), ("trajectory", "root's path predicted"))
        ])
    )  # fmt: skip

# %% [markdown]
# ## One held-out motion
#
# From above: the keypoints as the camera sees them, then from its side, where depth shows, what the lifter and VideoMDM
# make of them, each over the truth in grey, all aligned on the first frame.
# The motion capture may not be passed on, so the book's own copy of this page is made without the figure; run the page
# beside the runs to see it.

# %%
example = table2.example(found, runs)
if example is None:
    print(f"the run is not in {runs}: no figure")
else:
    side = example.azimuth + 90
    display(film_strip(example.keypoints, azimuth=0, title=f"{example.name}: the keypoints"))
    for row, joints in example.lifted.items():
        display(film_strip(joints, ghost=example.truth, azimuth=side, title=f"{row}, from the camera's side"))

# %%
report.sources(found)
