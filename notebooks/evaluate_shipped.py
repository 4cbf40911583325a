# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What it generates
#
# A prior comes with the package, so that the first motion needs no training:
#
#     videomdm generate "a person walks forward and waves" --seconds 4 --out wave.bvh
#
# It has learned from 2-D keypoints alone: of the built-in corpus and of CMU's motion capture as far as HumanML3D has captions of it, filmed by simulated cameras, with the package's own teacher.
# It was not told where the cameras stood, but it was told their focal length, which way is up, and how tall people are.
# Its card lies beside it (`videomdm/sample/weights/README.md`); this page looks at what it does.
#
# Beside it ships its *twin*, the same network trained from true 3-D motions.
# What one has and the other lacks is the price of having seen no 3-D.

# %% tags=["parameters"]
results_folder: str = "results"
seed: int = 0

# %%
import json
import time
from pathlib import Path

from IPython.display import display

from videomdm import sample
from videomdm.data import sources
from videomdm.pages.parameters import check_parameters
from videomdm.plots import metrics_table, player
from videomdm.study import feet, ship

check_parameters(globals())
prior, twin = (sample.load(folder) for folder in ship.WEIGHTS.values())
about = json.loads((sample.SHIPPED / "about.json").read_text())
print(
    f"{sum(p.numel() for p in prior.model.parameters()) / 1e6:.1f} million weights, at most {prior.config.data.max_frames} frames"
)

# %% [markdown]
# ## In numbers
#
# Motions for captions of the test split of both corpora, as long as the real ones, against the real ones: means with 95 % intervals over repeats (`python -m videomdm.study.ship judge`).
# The evaluators behind FID and R-precision were trained on the true motions of the training split; under *real motions* stand as many of these against the test split, a yardstick and no bound: the twin's FID is lower.

# %%
metrics_table(ship.rows(Path(results_folder)))

# %% [markdown]
# Jitter and path of its motions are near those of real ones, and the samples are about as various; accelerations are a sixth lower, those of the knees a third.
# What gives it away are its feet, which slide, and its bones, which change their length.
# The twin says how much of that is the network and its training rather than the lack of 3-D.
#
# Therefore `videomdm generate` holds the feet where they stand, and gives each bone one length ({py:func}`videomdm.sample.hold`): the columns *feet held*.
# A clip is put right as a whole, by least squares: feet are shifted so that they rest while they stand and are hardly below the floor, the root's path gives way for what they have in common, and legs follow by inverse kinematics.
# Skating alone could be had by lifting feet past its threshold, so the speed of ankles and toes that are down stands beside it: those within 5 cm of their lowest place, wherever that is.
# Where the model makes no step, no foot is held for longer than a stride is, and the body goes on gliding; and a foot that glides on purpose, but slowly, is held as well (`--feet free`).
# The price: paths become shorter by a sixth (the twin's by a fourteenth), and the prior's FID rises by an eighth, while the twin's hardly does.
#
# ### How feet are held
#
# The constants of {py:class}`videomdm.sample.Holding` were chosen on validation captions (`ship feet`): one after the other takes the value whose motions are most like real ones, while real motions, with their jumps and glides, are to stay as they are.
# The smaller both *unlikenesses* (the mean size of the logarithm of a figure over the real one's), the better; less skating than in real motions is no fault in generated ones.
# All but `foot` end at an edge of what was tried; nothing beyond was.

# %%
metrics_table(feet.table(Path(results_folder)))

# %% [markdown]
# ## What might have shipped
#
# Which run ships was chosen by FID on the validation split (`ship choose`): the prior after its first stage, plain MDM on what the teacher makes of the keypoints, or after 300 more batches of the paper's second stage, with cameras by PnP (`videomdm-pnp/sized`), in which predictions are compared with the picture.

# %%
shown = "fid", "fid_raw", "r_precision_3", "recall", "multimodality", "path_length", "acceleration", "skating"
candidates = ship.candidates(Path(results_folder))
metrics_table([{"": ship.TITLES[key], **{row["method"]: row[key] for row in candidates}} for key in shown])

# %% [markdown]
# Plain MDM's FID is the lower one, though the difference is within the intervals, and so VideoMDM's own losses have no part in what ships.
# They cost variety (multimodality, {doc}`Which mean </notebooks/explain_diversity>`).
# Whether the loss still fell at the end:

# %%
late, early = about["losses"]
print(f"loss over the last tenth {late:.4f}, over the tenth before {early:.4f}")

# %% [markdown]
# ## One caption of every action
#
# Of the built-in corpus' test split, each as long as the real motion that it describes.

# %%
data = prior.config.data
train, real = (sources.load("procedural", None, split, data.max_frames, data.n_clips) for split in ("train", "test"))
chosen = real.varied(24)
captions, lengths = [real.captions[i][0] for i in chosen], real.lengths[chosen]
began = time.process_time()
motions = {
    name: sample.generate(p, captions, lengths, seed=seed, feet="held")
    for name, p in (("prior", prior), ("twin", twin))
}
seconds = time.process_time() - began
print(
    f"{len(captions)} motions of {float(lengths.float().mean()):.0f} frames on average by each of the two, {seconds:.0f} s of one processor"
)

# %% [markdown]
# All of them, six at a time: the prior's motion, with held feet, in grey the real one.
# They need not be alike: a caption does not say which way or with which arm first.

# %%
for first in range(0, len(chosen), 6):
    group = range(first, min(first + 6, len(chosen)))
    names = {k: f"{k + 1}. {captions[k][:44]}" for k in group}
    display(
        player(
            {names[k]: motions["prior"][k, : lengths[k]] for k in group},
            ghosts={names[k]: real.clip(chosen[k]) for k in group},
        )
    )

# %% [markdown]
# ## Captions in other words
#
# Words that no training caption of the built-in corpus has; the text encoder is to place them near those that it knows.
# CMU's captions, of which the prior has seen some too, are not looked through here.

# %%
free = ["someone strolls along", "a man sneaks forward slowly", "a dancer twirls", "somebody saunters about",
        "a soldier marches on", "a person climbs up some stairs"]  # fmt: skip
known = {word.strip(".,") for clip in train.captions for caption in clip for word in caption.lower().split()}
for caption in free:
    print(f"{caption}: new {', '.join(word for word in caption.split() if word not in known)}")
player(dict(zip(free, sample.generate(prior, free, seconds=5.0, seed=seed, feet="held"), strict=True)))
