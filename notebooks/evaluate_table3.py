# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Table 3: motions from pictures alone
#
# The paper's third regime has no text, no path and no camera: pictures of basketball players, 16 joints each, the hip at the origin of every one.
# The method to beat is MAS {cite}`mas`, which learns to make pictures and denoises seven views at once ({doc}`explained here </notebooks/explain_mas>`).
# VideoMDM's teacher is ElePose {cite}`elepose`, which has never seen 3-D either ({doc}`explained here </notebooks/explain_elepose>`).
#
# The players' files cannot be had by everybody, so open motions are filmed as the players were.
# `python -m videomdm.study.table3 --base NAME` makes the rows; `--data nba --data-root DIR` makes them of the players.
# The numbers come from `results/table3-NAME` alone.

# %% tags=["parameters"]
results_folder: str = "results"
bases: str = "procedural bandai cmu"  # corpora whose results are shown, where they are there

# %%
from pathlib import Path

from IPython.display import display

from videomdm.pages.parameters import check_parameters
from videomdm.plots import dot_plot
from videomdm.study import report

check_parameters(globals())
places = [Path(place) / results_folder for place in (".", "..")]
there = [base for base in bases.split() if any((place / f"table3-{base}").is_dir() for place in places)]
corpora = {}
for base in there:
    _, rows = report.find(results_folder, f"table3-{base}")
    corpora |= {f"{base}: {name}": metrics for name, metrics in rows.items()}
print(*(f"{name}: {', '.join(rows)}" for name, rows in corpora.items()), sep="\n")

# %% [markdown]
# ## How sets of motions are compared
#
# Nobody knows the true motions in 3-D, so the comparison is between pictures.
# Every generated motion is filmed by a camera at the data's elevation and a random azimuth.
# A motion VAE, trained on the training split's pictures, turns each clip into one vector ({py:mod}`videomdm.evaluation.motion_vae`), and the two sets of vectors are compared: FID and KID (lower is better), precision, recall and recall† ({doc}`explained here </notebooks/explain_recall>`), diversity (the nearer to the training data's, the better).
# A repeat draws up to 1,024 motions; intervals are over repeats, or over seeds where a row was trained several times.
#
# *training-data* are pictures of the training split themselves: what a method would reach that made new motions of the same kind.
# *elepose* and *package* are the lifters' motions of these pictures, seen from elsewhere; *mdm-2d* is MAS, *videomdm-frame* VideoMDM with ElePose.

# %%
columns = {
    "FID": "fid", "KID": "kid", "diversity": "diversity", "precision": "precision", "recall": "recall",
    "recall†": "recall_dagger", "s per 100": "seconds_per_100",
}  # fmt: skip
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, columns))

# %% [markdown]
# ## From the side, and from anywhere
#
# *Side* films all motions from 90 degrees, *hybrid* from 45 to 135.
# Azimuths count from the direction in which a generated motion starts.
# MAS's paper shows that a method can look good from the views that it was made from, and fall apart in between.

# %%
views = {f"FID, {way}": f"{way}_fid" for way in ("side", "hybrid")} | {"FID, uniform": "fid"}
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, views))

# %%
panels = {"fid": "FID", "precision": "precision", "recall_dagger": "recall†", "diversity": "diversity"}
for rows in corpora.values():
    display(dot_plot(rows, panels, reference="training-data"))
