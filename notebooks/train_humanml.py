# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The main job: a 3-D motion prior from 2-D keypoints
#
# This page trains VideoMDM and shows what came out of it.
# No true 3-D motion is used: for every clip one camera sees 2-D keypoints, a lifter guesses the 3-D motion, the guess
# is diffused, and the denoiser is corrected in 2-D.
#
# Run it yourself, on the built-in corpus or on your data:
#
#     papermill notebooks/train_humanml.py out.ipynb
#     papermill notebooks/train_humanml.py out.ipynb -p data bandai -p data_root DIR -p profile study
#     papermill notebooks/train_humanml.py out.ipynb -p data humanml3d -p data_root DIR -p profile paper
#
# A run that was killed goes on from its last checkpoint when it is started again; what is finished is not done twice.

# %% tags=["parameters"]
profile: str = "laptop"  # smoke, laptop, study or paper: sizes and budgets
data: str = "procedural"  # procedural (built in), bandai or humanml3d
data_root: str | None = None  # folder of the data; none for the built-in corpus
method: str = "videomdm"  # see videomdm.config.METHODS
seed: int = 0
on_error: str = "raise"  # or "skip": leave bad clips out and list them here
evaluator: str | None = None  # folder of HumanML3D's published evaluator; None trains an evaluator on the true motions
runs: str = "runs"  # where run folders and caches go

# %%
from collections import Counter

from videomdm import sample, train
from videomdm.data import bvh
from videomdm.evaluation import protocol
from videomdm.export.deliver import deliver
from videomdm.pages.parameters import check_parameters
from videomdm.plots import keypoints_over, loss_curves, metrics_table, player
from videomdm.train import observe

check_parameters(globals())
config = train.profile(
    profile, data=data, data_root=data_root, method=method, seed=seed, on_error=on_error, evaluator=evaluator, runs=runs
)
if evaluator:
    protocol.evaluator(config)  # files that are missing are to be missed before the training
print(f"run folder: {config.folder}")

# %% [markdown]
# ## A motion at once
#
# The prior that comes with the package has learned from keypoints too, of longer clips and of people's motion, but has had the first of the two stages only ([](evaluate_shipped)).
# This is what it makes of three captions; the run below starts from nothing.

# %%
asked = ["a person walks forward and waves", "a person jumps twice", "a person turns around"]
player(dict(zip(asked, sample.generate(sample.load(sample.SHIPPED), asked, seconds=4, seed=seed), strict=True)))

# %% [markdown]
# ## What it is trained on
#
# The clips, each in its own canonical frame: first frame at the origin and facing +Z.

# %%
corpus, test = observe.load(config, "train"), protocol.held_out(config)
print(
    f"{len(corpus)} clips of {int(corpus.lengths.min())} to {int(corpus.lengths.max())} frames, {corpus.fps:g} a second, and {len(test)} to be measured on"
)
print(", ".join(f"{action} {n}" for action, n in Counter(corpus.actions).most_common()))
for clips, what in ((corpus, "training clips"), (test, "clips to be measured on")):
    print(f"left out of the {what}: {len(clips.skipped)}")
    for name, reason in clips.skipped[:10]:
        print(f"  {name}: {reason}")

# %% [markdown]
# Of all this, training sees only the following.
# One camera per clip gives keypoints ...

# %%
observed = observe.observe(config, corpus, "truth")
shown = next((i for i, captions in enumerate(corpus.captions) if "walk" in captions[0]), 0)
n = int(corpus.lengths[shown])
keypoints_over(observed.keypoints[shown, :n], title=corpus.captions[shown][0])

# %% [markdown]
# ... and the lifter makes a 3-D motion of them, the *teacher*.
# It errs as lifters err: depth, heading and floor are off, and it trembles.
# Here it is beside the truth, which training never reads, drawn in grey.

# %%
player(
    {"teacher over truth": observed.teacher[shown, :n]},
    ghosts={"teacher over truth": corpus.clip(shown)},
    camera=observed.camera[shown],
)

# %% [markdown]
# ## Training
#
# First plain MDM on the teacher's motions (the warm-up), then the 2-D stage, in which the prediction is projected into
# the camera and compared with the keypoints there.
# The warm-up is a run of its own, which other methods on the same data share.

# %%
run = train.fit(config)
prior = sample.load(run)
print(f"{sum(p.numel() for p in prior.model.parameters()) / 1e6:.2f} million weights")


# %% [markdown]
# ### Where this run differs from the paper
#
# The paper gives some of its settings, the authors' release has defaults for the others, and a run on two processor cores has to
# be smaller than both.
# A dash stands where the paper's text does not say.

# %%
weights, multistep = config.optimiser.weights, config.multistep
deviations = [
    ("batches, warm-up and 2-D stage", "400,000 + 200,000", "", f"{config.optimiser.warmup_steps:,} + {config.optimiser.steps:,}",
     "the budget of the profile"),
    ("clips in a batch", "64", "64", config.optimiser.batch_size, "the budget of the profile"),
    ("frames of a clip", "40 to 196", "40 to 196", f"at most {config.data.max_frames}", "the budget of the profile"),
    ("width, layers", "512, 8 (MDM's)", "512, 8", f"{config.model.width}, {config.model.n_layers}", "the budget of the profile"),
    ("steps of the diffusion", "50", "50", config.model.n_steps, ""),
    ("learning rate", "–", "1e-4", f"{config.optimiser.lr:g}, at the end {config.optimiser.lr_decay:g} of it",
     "small models on few batches learn faster; the cosine ends the noise"),
    ("weight decay of AdamW", "–", "0", "0.01", "PyTorch's default"),
    ("average of the weights", "–", ".9999", f"{config.optimiser.ema:g}", "shorter, as the run is"),
    ("t* and its buckets", "lost from the text", "12, 4: threshold 16", f"{multistep.t_star}, {multistep.n_buckets}: "
     f"threshold {multistep.threshold}", "where the noise exceeds this teacher's error"),
    ("weights of L_2D, L_vel, L_repr", "lost from the text", ".3, 16, 1 in effect",
     f"{weights.reprojection:g}, {weights.velocity:g}, {weights.representation:g}",
     "the release's as they act on means over joints; the small profiles raise velocity"),
    ("depth weight", "every joint by its own depth", "a clip's mean depth, to the first power", "every joint by its own depth",
     "the paper's form; the release's is a named variant"),
    ("text", "CLIP", "CLIP", config.model.text, "an encoder that needs no download; `--set text=clip` is the paper's"),
    ("guidance", "2.5 (MDM's)", "2.5", config.evaluation.guidance, ""),
]  # fmt: skip
metrics_table([dict(zip(("", "paper", "release", "this run", "why"), row, strict=True)) for row in deviations])

# %%
log = [{name: value for name, value in row.items() if name != "seconds"} for row in train.history(config)]
loss_curves(log, title="Each term before its weight; in the warm-up the loss is x0-MSE on the teacher")

# %% [markdown]
# ## What it learned
#
# Motions are generated for captions of the test split and compared with its true motions, in the embedding of an evaluator
# that was trained on true motions (and never trains a prior).
# The first row is real data against real data: as many training clips against the test clips.
# *Lifting* is the other probe: held-out keypoints are turned into 3-D with the prior, and compared with the truth in
# millimetres, root-aligned.

# %%
rows = {"real data": protocol.evaluate(config, "real"), "the teacher": protocol.evaluate(config, "teacher")}
rows[method] = protocol.evaluate(config, method, run)
columns = {
    "FID": "fid", "R-precision top 3": "r_precision_3", "diversity": "diversity", "skating": "skating",
    "bones %": "bone_deviation", "acceleration m/s²": "acceleration", "path m": "path_length",
    "lifting mm": "lift_truth_mpjpe", "lifting acceleration error": "lift_truth_acceleration_error",
}  # fmt: skip
metrics_table([
    {"": name, **{title: row.get(key, "") for title, key in columns.items()}} for name, row in rows.items()
])  # fmt: skip

# %% [markdown]
# ## Motions it generates
#
# Each generated motion stands beside a real one that has the caption.

# %%
chosen = test.varied(6)
captions = [test.captions[i][0] for i in chosen]
seconds = float(test.lengths.max()) / test.fps
motions = deliver(prior, captions, run / "motions", seconds, seed=seed)
print("\n".join(captions))

# %%
player({"generated": motions[0], "real": test.clip(chosen[0])}, title=captions[0])

# %%
player({"generated": motions[1], "real": test.clip(chosen[1])}, title=captions[1])

# %%
player({"generated": motions[2], "real": test.clip(chosen[2])}, title=captions[2])

# %% [markdown]
# Some more of them at once:

# %%
player({caption[:32]: motion for caption, motion in zip(captions[3:], motions[3:], strict=True)})

# %% [markdown]
# ## Lifting with it
#
# The same prior turns the keypoints of a clip that it has never seen into 3-D, moving every prediction onto the
# observed rays while it samples.

# %%
held_out = test.select(chosen[:1])
filmed = observe.observe(config, held_out, "truth", "test")
lifted = sample.lift(prior, filmed.keypoints[0], filmed.camera[0])
player({"lifted over truth": lifted}, ghosts={"lifted over truth": held_out.clip(0)}, camera=filmed.camera[0])

# %% [markdown]
# ## Taking it away
#
# The run folder holds the configuration, the log, the metrics, the weights, and the motions above as arrays
# (`motions.npz`) and as BVH for Blender.
# Reading the BVH files back puts every joint where it was generated:

# %%
files = sorted((run / "motions").glob("*-exact.bvh"))
errors = []
for path, motion in zip(files, motions, strict=True):
    read = bvh.read(path)
    found = read.joints()[:, read.index(prior.skeleton.joints)] / 100  # BVH is in centimetres
    errors.append(float((found - motion).norm(dim=-1).max()))
print(f"{len(files)} BVH files, largest distance of a joint {1000 * max(errors):.2f} mm")
assert max(errors) < 0.01
for path in sorted(run.glob("*")) + sorted((run / "motions").glob("*")):
    if path.is_file():
        print(f"{path.relative_to(run)!s:70} {path.stat().st_size / 1e6:8.3f} MB")
