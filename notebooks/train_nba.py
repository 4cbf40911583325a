# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The third regime: basketball, without a path, a text or a motion in 3-D
#
# MAS {cite:p}`mas` published 2-D tracks of NBA players: 16 joints, centred on the hip in every frame, seen by a camera
# that nobody knows.
# This page trains VideoMDM on them, or on a corpus that was filmed like them, and MAS on the same pictures.
# Section 4.3 of the paper compares the two; here is how both are made.
#
# The data are laid out as MAS publishes them:
#
#     DIR/nba/motions/<clip>.npy                 x, y (up) and confidence of 16 joints, 60 frames a second
#     DIR/nba/Mean.npy, DIR/nba/Std.npy          of all keypoints
#     DIR/nba/elepose_predictions/<clip>.npy     the teacher: ElePose's poses of the same clips
#
# Run it:
#
#     papermill notebooks/train_nba.py out.ipynb -p data_root DIR
#     papermill notebooks/train_nba.py out.ipynb -p data nba-like -p profile laptop
#     papermill notebooks/train_nba.py out.ipynb -p data nba-like -p base bandai -p data_root DIR -p profile study
#
# A run that was killed goes on from its last checkpoint when it is started again; what is finished is not done twice.
#
# The players' files are not ours to show: in the book this page ran on the built-in corpus, filmed as they were, for minutes on one core; [Table 3](evaluate_table3.ipynb) has more rows, seeds and corpora.

# %% tags=["parameters"]
profile: str = "nba"  # the paper's recipe; smoke, laptop or study: smaller sizes and budgets
data: str = "nba"  # or nba-like: another corpus, filmed as the players were
data_root: str | None = None  # folder of the data; none for the built-in corpus
base: str = "procedural"  # the corpus that is filmed for nba-like
lifter: str | None = None  # the teacher: elepose or motionbert (NBA), procedural, or a file of ElePose
method: str = "videomdm-frame"  # or another that needs no path
with_mas: bool = True  # train a 2-D prior too, and sample it by MAS
evaluator: str | None = None  # MAS's checkpoint of the motion VAE; None trains one on the training split
evaluator_budget: str = "laptop"  # of the one that is trained: smoke, laptop or published
protocol: str = "quick"  # quick, mas or full
settings: list[str] = []  # others to change, such as '["warmup_steps=1200", "steps=600"]'
seed: int = 0
on_error: str = "raise"  # or "skip": leave bad clips out and list them here
runs: str = "runs"  # where run folders and caches go

# %%
import math
from pathlib import Path

from videomdm import config as configuration
from videomdm import sample, train
from videomdm.data import nba
from videomdm.data.tracks import to_picture
from videomdm.evaluation import unconditional
from videomdm.evaluation.motion_vae import load_mas_evaluator
from videomdm.evaluation.unconditional import Motions, PlanarEvaluator
from videomdm.export.deliver import deliver
from videomdm.pages.parameters import check_parameters
from videomdm.plots import keypoints_over, loss_curves, metrics_table, player
from videomdm.settings import changes
from videomdm.study import table3
from videomdm.train import observe

check_parameters(globals())
given = {
    "data": data, "data_root": data_root, "base": base, "method": method, "seed": seed, "on_error": on_error,
    "runs": runs, "lifter": lifter or ("elepose" if data == "nba" else "procedural"),
}  # fmt: skip
config = train.profile(profile, **{**configuration.NBA, **given, **changes(settings)})
observe.check(config)  # what the data cannot tell is to be missed before the training
print(f"run folder: {config.folder}")

# %% [markdown]
# ## What it is trained on
#
# Tracks, each keypoint with the detector's confidence.
# From .3 on it counts.

# %%
pictures, test = observe.tracks(config, "train"), observe.tracks(config, "test")
skeleton, fps = pictures.skeleton, pictures.fps
inside = pictures.seen.valid
print(f"{len(pictures)} clips to train on, {len(test)} to test on, {fps:g} frames a second")
print(f"{100 * float((pictures.counted.confidence[inside] == 0).float().mean()):.1f} % of the keypoints do not count")
print(f"left out: {len(pictures.skipped)}")
for name, reason in pictures.skipped[:10]:
    print(f"  {name}: {reason}")

# %%
shown = int(pictures.lengths.argmax())
n = int(pictures.lengths[shown])
keypoints_over(pictures.seen.keypoints[shown, :n], skeleton=skeleton, fps=fps, title=pictures.names[shown])

# %% [markdown]
# The teacher's motion of that clip.
# Nobody knows the truth, so there is nothing to compare it with but the picture.
# There is no path and no size: PnP, true cameras and what else needs them are refused for these data.

# %%
observed = observe.centred(config, pictures)
player({"teacher": observed.teacher[shown, :n]}, skeleton=skeleton, fps=fps, camera=observed.camera[shown])

# %% [markdown]
# ## Training
#
# Plain MDM on the teacher's motions, then the 2-D stage, in which the prediction is projected into the assumed camera
# and compared with the keypoints there.

# %%
run = train.fit(config)
prior = sample.load(run)
print(f"{sum(p.numel() for p in prior.model.parameters()) / 1e6:.2f} million weights")

# %%
log = [{name: value for name, value in row.items() if name != "seconds"} for row in train.history(config)]
loss_curves(log, title="Each term before its weight; in the warm-up the loss is x0-MSE on the teacher")

# %% [markdown]
# MAS learns the tracks themselves, in as many batches.

# %%
folders = {method: run}
if with_mas:
    planar = config.but(method="mdm-2d")
    folders["mas"] = train.fit(planar)
    log = [{name: value for name, value in row.items() if name != "seconds"} for row in train.history(planar)]
    figure = loss_curves(log, title="The 2-D prior: x0-MSE on keypoints")
figure if with_mas else None

# %% [markdown]
# ## What they learned
#
# Generated motions are seen from a random side and compared with the test split's tracks in the embedding of a 2-D
# motion VAE, which was trained on the training split (section 4.3).
# The first row is the training split itself.

# %%
if evaluator:
    judge = PlanarEvaluator(load_mas_evaluator(evaluator), pictures.statistics)
else:
    judge = table3.evaluator(config, pictures, evaluator_budget)
true, trained = (Motions(t.seen.keypoints, t.lengths) for t in (test, pictures))
around_the_hip = observed.teacher - observed.teacher[:, :, :1]
makers = {
    "training data": table3.drawn(trained),
    "teacher": table3.drawn(Motions(around_the_hip, observed.lengths)),
    **{name: table3.generated(folder) for name, folder in folders.items()},
}
found = {name: unconditional.evaluate(judge, true, make, protocol) for name, make in makers.items()}
titles = {
    "fid": "FID", "kid": "KID", "diversity": "diversity", "precision": "precision", "recall": "recall",
    "recall_dagger": "recall†",
}  # fmt: skip
metrics_table([{"": name, **{titles[k]: v for k, v in row.items()}} for name, row in found.items()])

# %% [markdown]
# ## Motions
#
# Side by side, one of each, then more of the first.

# %%
priors = {name: sample.load(folder) for name, folder in folders.items()}
seconds = min(4.0, config.data.max_frames / fps)
motions = {
    name: sample.generate(one, [""] * 4, seconds=seconds, seed=seed).cpu() for name, one in priors.items()
}  # fmt: skip
player({name: made[0] for name, made in motions.items()}, skeleton=skeleton, fps=fps)

# %%
player({f"{method} {i + 1}": motion for i, motion in enumerate(motions[method])}, skeleton=skeleton, fps=fps)

# %% [markdown]
# From the side, as the players were seen:

# %%
from_side = nba.camera(1, math.pi / 2).project(motions[method][:1])[0][0]
keypoints_over(from_side, skeleton=skeleton, fps=fps, title="generated, as a camera sees it")

# %% [markdown]
# ## Taking it away
#
# The run folder holds the configuration, the log and the weights, and the motions as arrays and as BVH, in metres of
# people of average size.

# %%
delivered = deliver(prior, [""] * 4, run / "motions", seconds, seed=seed)
size = float(to_picture(pictures.seen.keypoints[inside])[:, skeleton.index("neck"), 1].mean())
print(f"{len(delivered)} motions of {delivered.shape[1]} frames; necks of the tracks are {size:.2f} above the hip")
for path in sorted(Path(run).glob("*")) + sorted((run / "motions").glob("*")):
    if path.is_file():
        print(f"{path.relative_to(run)!s:70} {path.stat().st_size / 1e6:8.3f} MB")
