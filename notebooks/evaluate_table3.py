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
# So nothing on the way to these motions has seen 3-D.
#
# The players' files cannot be had by everybody, so open motions are filmed as the players were ({py:mod}`videomdm.data.nba`).
# `python -m videomdm.study.table3 --base NAME` makes the rows; `--data nba --data-root DIR` makes them of the players.
# The numbers come from `results/table3-NAME` alone.

# %% tags=["parameters"]
results_folder: str = "results"
bases: str = "procedural bandai cmu"  # corpora whose results are shown, where they are there

# %%
from dataclasses import replace
from pathlib import Path

from IPython.display import SVG, display

from videomdm.pages.parameters import check_parameters
from videomdm.plots import dot_plot, film_strip, metrics_table, player
from videomdm.skeletons.definitions import NBA16
from videomdm.study import report, reproduction, table3, verdicts
from videomdm.survey import scenes

check_parameters(globals())
folder = next(place for place in (Path(results_folder), Path("..") / results_folder) if place.is_dir())
studies = [f"table3-{base}" for base in bases.split() if (folder / f"table3-{base}").is_dir()]
found, corpora = [], {}
for study in studies:
    results, rows_of = report.find(results_folder, study)
    found += results
    corpora |= {name: {row: rows[row] for row in table3.ROWS if row in rows} for name, rows in rows_of.items()}
for name, rows in corpora.items():
    print(f"{name}: {', '.join(rows)}")

# %% [markdown]
# ## The rows
#
# | row | what it is |
# |:---|:---|
# | training-data | pictures of the training split themselves: what a method would reach that made new motions of the same kind |
# | elepose | the training pictures, lifted frame by frame by ElePose, which learned from them |
# | package | the same pictures, lifted by the lifter that comes with the package; it learned from other bodies in 3-D, and takes the place of the paper's MotionBERT |
# | mdm-2d | **MAS**: a 2-D prior of the pictures, sampled in seven views |
# | mdm-teacher | MDM on ElePose's motions |
# | videomdm-frame | **VideoMDM** with ElePose as its teacher |
# | videomdm-frame/round-1-assumed | one round of it: MDM on the motions that VideoMDM's prior lifts from the training pictures |
#
# All priors have the same sizes and as many batches of as many clips: MDM's stage first, VideoMDM's after it, and for all others MDM's throughout.
# A corpus has one ElePose and one judge; a row with several seeds is a prior trained several times.
# These are small budgets, minutes on one core; the last table has the commands, and rows that it lacks have not been run.

# %% [markdown]
# ## How sets of motions are compared
#
# Nobody knows the true motions in 3-D, so the comparison is between pictures.
# Every generated motion is filmed by a camera at the data's elevation and a random azimuth.
# A motion VAE, trained on the training split's pictures, turns each clip into one vector ({py:mod}`videomdm.evaluation.motion_vae`), and the two sets of vectors are compared: FID and KID (lower is better), precision, recall and recall† ({doc}`explained here </notebooks/explain_recall>`), diversity (the nearer to the training data's, the better).
# Each of the two repeats draws as many motions as the test split has, up to 256.
# Intervals are over repeats, or, where a row was trained with several seeds, Student's over the seeds.
# *s per 100* is processor time of sampling 100 motions.

# %%
distances = {"FID": "fid", "KID": "kid", "diversity": "diversity", "s per 100": "seconds_per_100"}
shares = {"precision": "precision", "recall": "recall", "recall†": "recall_dagger"}
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, distances), report.table(rows, shares))

# %%
panels = {"fid": "FID", "precision": "precision", "recall_dagger": "recall†", "diversity": "diversity"}
for name, rows in corpora.items():
    print(name)
    display(dot_plot(rows, panels, reference="training-data", logarithmic=("fid",)))

# %% [markdown]
# ## What the paper claims of it
#
# The verdicts are by the rule of {doc}`the page on reproduction </runs/evaluate_reproduction>`: a ratio of two rows, a limit, and an interval over seeds.

# %%
claims = [replace(claim, studies=tuple(studies)) for claim in reproduction.CLAIMS if claim.where == "Table 3"]
verdicts.table(verdicts.find(results_folder, studies), claims)

# %% [markdown]
# The paper's own figures are lost from the text at hand, so a limit is 1: better or not, behind or not.
#
# **On the built-in corpus most of it stands.**
# VideoMDM's motions are likely ones: their precision is above that of MAS's, of ElePose's and of the training pictures themselves.
# In FID and diversity it is behind MAS, as the paper says, but not slightly: its FID is more than twice as high.
# A round on top of it, plain MDM on the motions that its prior lifts from the training pictures, is ahead of MAS in FID (4.8 against 7.9) and recall† (.72 against .62, with an interval that tells them apart); in precision and diversity the two hardly differ.
# So motions that nobody supervised in 3-D, of a teacher that saw none either, are the better ones here.
# And it samples ten times as fast, where the paper has 2.4 times: it takes one network over few steps, MAS seven views over all of them.
#
# **On people's own motions it does not.**
# Bandai's motion capture is filmed in the same way, and MAS is far ahead there in every column but time: FID 2.9 against 32, and 10 with a round.
# The teacher is the reason.
# ElePose lifts these pictures with an error of 61 mm, where the built-in corpus' have 37, and seen from another side its motions are no longer like the pictures that they were made from: precision .49, FID 13.
# MAS never lifts, so it has nothing of that; whatever learns from such a teacher inherits it, with a 2-D stage or without.
# With the package's lifter in ElePose's place (the tables of bandai without *elepose teacher*) the built-in corpus' picture is back: precision .97 where MAS has .87, FID 11 (three seeds).
# That lifter errs by 57 mm, so it is not the size of ElePose's error that counts but what kind it is, and the judge does not say which.
# It has also learned from bodies in 3-D, if from other ones.
#
# **What comes out nowhere.**
# Recall† should be the best of all rows, and without a round it is below MAS's and far below ElePose's.
# A lifter's motions are the training motions, so they have all of their variety for nothing; a prior has to learn it.
# But MAS's is a prior too, of the same size and of as many batches, so the variety of VideoMDM's motions gets lost on the way.
# That they lack it is known from [Table 1](evaluate_table1.ipynb).
#
# **Where does it get lost?**
# Not in sampling: VideoMDM walks over few low steps, as it was trained, and the same prior by all steps of DDPM has a little more recall and no better FID.
# The other rows have 1,200 batches of MDM's stage in common, after which MDM goes on for 600 batches and VideoMDM's own stage for 100 or 600 (the built-in corpus, seed 0).

# %%
probes = {
    "MDM's stage throughout": ("table3-procedural", "mdm-teacher"),
    "100 batches of VideoMDM's": ("table3-procedural-100", "videomdm-frame"),
    "600 batches": ("table3-procedural", "videomdm-frame"),
    "the same, by DDPM": ("table3-procedural-ddpm", "videomdm-frame"),
}
probed = {}
for title, (study, row) in probes.items():
    results, rows_of = report.find(results_folder, study)
    found += [result for result in results if study not in studies]
    (rows,) = rows_of.values()
    probed[title] = rows[row]
display(report.table(probed, distances), report.table(probed, shares))

# %% [markdown]
# So the variety is there before VideoMDM's own stage: plain MDM on ElePose's motions is as good as MAS in every column, or better, but for a diversity that is lower by a hundredth.
# A hundred batches of that stage take most of the recall away, and later ones take diversity and FID with it, while precision rises.
# It is the stage's loss that trades variety for likely motions, not a lack of training or of steps ({doc}`Which mean </notebooks/explain_diversity>` says how).
# What the stage has learned about depth is not lost with the variety, though: lifted by that prior, the training pictures become motions from which plain MDM learns as well as from ElePose's own (FID 4.8 against 5.1, intervals that overlap: the rows *mdm-teacher* and *round-1* of the first table, of as many batches of the same loss).
#
# ## From the side, and from anywhere
#
# *Side* films all motions from 90 degrees, *hybrid* from 45 to 135.
# MAS's paper shows that a method can look good from the views that it was made from, and fall apart in between.
# Azimuths count from the direction in which a motion starts, so here *side* shows everybody in profile, while the people of the test split face any way.
# That alone costs FID, also of motions that are nearly true: read these columns against the row *elepose*.

# %%
views = {f"FID, {way}": f"{way}_fid" for way in ("side", "hybrid")} | {"FID, uniform": "fid"}
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, views))

# %% [markdown]
# ## How good are the lifters, and the judge?
#
# The lifters' motions of the training pictures against the truth, which no training saw: the error after Procrustes in each frame, in mm of people of average size, and jitter, the mean third derivative of joints' paths.

# %%
lifters = {"error, mm": "pa_mpjpe", "jitter m/s³": "jitter", "of the truth": "true_jitter"}
for name, rows in corpora.items():
    if "elepose" in rows:
        print(name)
        display(report.table({row: rows[row] for row in ("elepose", "package")}, lifters))

# %% [markdown]
# The judge is asked two things about clips of the test split, which it was not trained on.
# How much of the keypoints' variance is missing after a clip went through its one vector, beside what is missing when every frame is the clip's mean pose?
# And what does it make of one half of the test clips against the other, which differ by chance alone?

# %%
asked = {
    "missing after the VAE": "judge_reconstruction", "missing in the mean pose": "judge_still",
    "FID of halves": "judge_half_fid", "precision": "judge_half_precision", "recall†": "judge_half_recall_dagger",
}  # fmt: skip
metrics_table([
    {"corpus": name, **{title: rows["training-data"][metric] for title, metric in asked.items()}}
    for name, rows in corpora.items() if "training-data" in rows
])  # fmt: skip

# %% [markdown]
# On bandai the judge gives pictures back no better than their mean pose does.
# The training pictures themselves have the FID of two halves of the test split, so that FID tells no two motions of this quality apart.
# ElePose's motions of the built-in corpus have it too, although they tremble as the table above shows: seen through this judge they are the training pictures.
# What it sees is who stands how, less how they move.
#
# Three clips of the built-in corpus after encoding and decoding, over the pictures in grey.
# The paper warns that such reconstructions are poor, and they are.

# %%
SVG(filename=str(folder / "table3-procedural" / "reconstructions.svg"))

# %% [markdown]
# ## Motions of every method
#
# One motion of each row that makes motions in 3-D and has run, in metres of people of average size; drag to turn them.
# The two lifters saw the same training clip.
# <a href="../_static/compare/table3.html">Six motions of each, side by side</a>: methods in columns, one clock for all, and dragging one turns all cameras (`python -m videomdm.study.motions table3`).

# %%
made = sorted((folder / "motions" / "table3").glob("*.npz"))
shown = {path.stem: scenes.read(str(path)) for path in made}
order = [row for row in ("elepose", "package", "mas", "videomdm", "round-1") if row in shown]
clip = "motion 1", 0
fps = next(iter(shown.values())).fps
player({row: shown[row].clips[clip] for row in order}, NBA16, fps)

# %%
for row in order:
    display(film_strip(shown[row].clips[clip], NBA16, 8, fps, title=row, azimuth=60))

# %% [markdown]
# ## Commands
#
# Training minutes are those of a machine that did other work beside, so they are no measure of a method; *s per 100* above counts the processor alone.

# %%
report.sources(found)
