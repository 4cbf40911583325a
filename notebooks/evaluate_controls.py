# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Controls: what else could explain it
#
# A row of [Table 1](evaluate_table1.ipynb) or of [Closing the gap](evaluate_gap.ipynb) differs from the one beside it in more than the
# loss in the picture.
# Here each has a control that differs in one thing.
# The numbers come from the files in `results/controls` alone.
#
# | row | what it is told | held against it |
# |:---|:---|:---|
# | mdm-teacher/sized | people's body height; plain MDM | *mdm-teacher*: what the height alone is worth |
# | videomdm-pnp/sized-unrefined | the same, and keypoints with cameras by PnP as they were found | *mdm-teacher/sized*: what 2-D adds to it |
# | videomdm-pnp/sized | the same, cameras refined | *videomdm-pnp/sized-unrefined*: what refining is worth |
# | videomdm-pnp/error-0.5 | a teacher of half the error (half-way to the truth) | *mdm-teacher/error-0.5*, *videomdm-pnp* |
# | mdm-teacher/unlevel | neither up nor the focal length | *mdm-teacher*: what a teacher loses by that |
# | videomdm-pnp/unlevel | the same, with keypoints and cameras by PnP | *mdm-teacher/unlevel*, *videomdm-pnp* |
#
# **Neither up nor the focal length** is what a video tells.
# All other rows know both: their teacher's motions, in camera axes, are turned upright by the true camera.
# *Unlevel* rows take the camera for held level and let standing feet and balance of the lifted people correct that
# ({py:func}`videomdm.cameras.ground.estimate_floor`), as is done with recordings, and each clip's keypoints are divided by a focal
# length that is off by a factor of its own (a deviation of 10 %), in training and where held-out keypoints are lifted.
#
# **Uniform skeleton.**
# HumanML3D's first step gives every motion the bones of one person, by turning them as the person's own.
# The paper trains on such motions and passes its teacher's through the same step.
# So its teacher has no error of size, which is what costs cameras by PnP most on bandai.
# Rows of a corpus *with uniform skeleton* were made so: all who are filmed have one body, and so has all that the teacher makes of
# them ({py:func}`videomdm.data.observations.to_uniform_skeleton`).
# Their FIDs are of other motions and by other evaluators than those of people with bodies of their own, so ratios can be compared, and
# not figures.

# %% tags=["parameters"]
results_folder: str = "results"

# %%
from IPython.display import display

from videomdm.pages.parameters import check_parameters
from videomdm.plots import dot_plot
from videomdm.study import findings, report, verdicts

check_parameters(globals())
found, corpora = report.find(results_folder, "controls")
for name, rows in corpora.items():
    print(f"{name}: {', '.join(rows)}")

# %% [markdown]
# ## Generated motions

# %%
columns = {
    "seeds": "seeds", "FID, the paper's": "fid_raw", "FID, joints anew": "fid", "FID, second evaluator": "tmr_fid",
    "R-precision top 3": "r_precision_3", "recall†": "recall_dagger",
}  # fmt: skip
bodies = {
    "acceleration m/s²": "acceleration", "root height, mm": "root_height_distance",
    "learned body height %": "learned_body_height", "learned motions lean by °": "learned_up_error",
}  # fmt: skip
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, columns), report.table(rows, bodies))
    shown = {"fid_raw": "FID, the paper's", "fid": "FID, joints anew", "tmr_fid": "FID, second evaluator"}
    display(dot_plot(rows, shown, reference="real", logarithmic=tuple(shown)))

# %% [markdown]
# ## What was asked of them
#
# Sentences as ratios of two rows, seed by seed, with a limit; the rule of the verdicts is that of {doc}`the page on reproduction </runs/evaluate_reproduction>`.
# First by the paper's reading of FID, then with joints encoded anew.

# %%
measured = verdicts.find(results_folder, ["controls"])
display(verdicts.table(measured, findings.CONTROLS), verdicts.second_reading(measured, findings.CONTROLS))

# %% [markdown]
# ## Lifting held-out keypoints

# %%
errors = {"MPJPE": "mpjpe", "absolute": "absolute"}
for name, rows in corpora.items():
    print(name)
    lifted = {row: metrics for row, metrics in rows.items() if row != "real"}
    display(report.table(lifted, report.lifting_columns(("truth", "pnp", "refined_pnp"), errors)))

# %% [markdown]
# ## What they say
#
# All of it by one training seed.
# In [Table 1](evaluate_table1.ipynb) the FIDs of a row's five seeds differ by a fifth to a third, so differences of that size are not to be read.
#
# **It is not the height alone.**
# Told how tall people are, plain MDM on the teacher's motions comes from FID 13.2 to 10.9 as the paper reads it; with keypoints and cameras by PnP it is 3.9, and the second evaluator says 4.6 and 3.5.
# So the step from *mdm-teacher/sized* to *videomdm-pnp/sized-unrefined* is 2-D's.
#
# **Refining cameras shows no gain in generating.**
# With it FID is 4.8 instead of 3.9, and lifting with the true camera errs by 42 mm instead of 39; people's roots are 6 mm instead of 13 from their true height, and the second evaluator prefers it.
#
# **Neither up nor the focal length cost little.**
# Motions that the rows learned lean by 4.6 degrees.
# As a generator *videomdm-pnp/unlevel* has FID 11.4 where *videomdm-pnp* has 10.8, and .87 instead of .82 times that of plain MDM on the same motions.
# Lifting is where it shows: 56 mm instead of 43 with the true camera, 60 instead of 57 with cameras by PnP.
#
# **Half the teacher's error halves FID, with 2-D or without.**
# Plain MDM comes from 13.1 to 5.7 as the paper reads it, and with keypoints and cameras by PnP from 10.8 to 5.3.
# So 2-D adds less to a generator whose teacher is good (.93 times; with joints encoded anew 1.18, as people are still 3 % too tall); lifting gains as before, 34 mm instead of 53 with the true camera.
#
# **With one body for all, cameras by PnP nearly do.**
# As the paper reads FID, *videomdm-pnp* is at 4.4 there, 1.3 times the 3.3 of known cameras and half of plain MDM's 8.1; where people have bodies of their own it is 10.8, nearly three times known cameras' and four fifths of plain MDM's.
# With joints encoded anew it is 1.3 times and seven tenths.
# So what costs cameras by PnP is the teacher's error of size, and the paper's data have none.
# Known cameras come within 1.5 times of 3-D supervision, nearer than in the paper (1.63).

# %%
report.sources(found)
