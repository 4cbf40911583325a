# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Three sweeps: the teacher's error, the cameras', the keypoints'
#
# How much error can training from 2-D bear, and from where?
# Every row below is VideoMDM with true cameras, or plain MDM on the teacher, with one source of error made larger or
# smaller; data, model, number of batches, captions and noise are the same.
# The numbers come from the files in `results/sweeps` alone.
#
# *error-x*: the teacher's error times x, from a perfect teacher (0) to one half as bad again (1.5), beside MDM trained on
# the same motions.
# *camera-x*: every camera is turned by x degrees about an axis of its own, in training and in the lifting probe.
# *keypoints-x*: the detector errs by x in normalised image units (at a focal length of 1,000 pixels, .01 is 10 pixels),
# which also reaches the teacher.

# %% tags=["parameters"]
results_folder = "results"

# %%
from IPython.display import display

from videomdm import report
from videomdm.papermill_io import check_parameters

check_parameters(globals(), {"results_folder"})
found, corpora = report.find(results_folder, "sweeps")
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, report.ABLATION))
    display(report.changes_plot(rows))

# %%
report.sources(found)
