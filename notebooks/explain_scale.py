# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Scale
#
# A prior of all the motion that people have filmed wants several GPUs and more clips than memory holds.
# Neither may change what is learned.
# This page trains on two processes and on one and compares the curves, trains on a million clips and watches memory,
# and works out how long the paper's recipe should take on how many GPUs.

# %%
import shutil
import tempfile
from pathlib import Path

import torch

from videomdm import losses, train
from videomdm.data import shards
from videomdm.pages.claims import Claims
from videomdm.plots import panels
from videomdm.plots.style import GHOST, LEFT, RIGHT
from videomdm.sample.prior import build_denoiser
from videomdm.train import distributed
from videomdm.train.trainer import Trainer

claims = Claims()
folder = Path(tempfile.mkdtemp())
config = train.profile("smoke", runs=str(folder), n_clips=60, max_frames=80, batch_size=10, warmup_steps=0, steps=50)
config = config.but(log_every=1, shard_clips=50)

# %% [markdown]
# ## One batch, two processes
#
# The loss of a batch is a mean over everything that was observed in it, $L = \sum_i n_i / \sum_i d_i$, with the squared
# errors $n_i$ of clip $i$ and the number $d_i$ of its frames.
# Process $r$ of $W$ has the clips $B_r$, and what the processes average is their gradients.
# The mean of their own losses would count the frames of short clips for more than others'.
# So each weighs its loss by what it has of the batch's frames:
#
# $$
# L = \frac{1}{W} \sum_r w_r \frac{\sum_{i \in B_r} n_i}{\sum_{i \in B_r} d_i}, \qquad
# w_r = W \frac{\sum_{i \in B_r} d_i}{\sum_i d_i}
# $$
#
# No message is needed for $w_r$, because every process draws the whole batch: rows, timesteps, noise and which captions
# are dropped come from the batch's number, and each process keeps its own rows.
# Velocities have their own weights, for a clip has one pair of frames less than frames.

# %%
# NBVAL_CHECK_OUTPUT
lengths = torch.tensor([190, 170, 60, 48])
for mine in (slice(0, 2), slice(2, 4)):
    weights = losses.shares_of(lengths, mine, n_processes=2)
    print({name: round(float(weight), 4) for name, weight in weights.items()})

# %% [markdown]
# Now the same run three times, with VideoMDM's losses and multistep batches: on one process; on two that hold all weights
# each (DDP); on two that hold half of every weight, of its average and of its moments each, and put a layer together
# when it computes (FSDP, the setting `shard_weights`).
# {py:func}`videomdm.train.distributed.fit` starts the processes as `accelerate launch` does.

# %%
runs = {}
for name, processes, sharded in (("one", 1, False), ("DDP", 2, False), ("FSDP", 2, True)):
    ours = config.but(runs=str(folder / name), shard_weights=sharded)
    if runs:
        shutil.copytree(folder / "one" / "cache", ours.cache)  # the same clips, filmed and lifted
    distributed.fit(ours, processes, cpu=True)
    runs[name] = train.history(ours)
one = runs.pop("one")
difference = {name: [abs(a["loss"] - b["loss"]) for a, b in zip(one, run, strict=True)] for name, run in runs.items()}

# %% tags=["hide-input"]
figure, (left, right) = panels("loss", "difference between the two")
left.plot([row["loss"] for row in one], color=GHOST, linewidth=5, label="one process")
for (name, run), color, style in zip(runs.items(), (LEFT, RIGHT), ("-", "--"), strict=True):
    left.plot(
        [row["loss"] for row in run], style, color=color, linewidth=1.5, label=f"two, half the batch each ({name})"
    )
    right.semilogy([max(d, 1e-9) for d in difference[name]], ".", color=color, label=name)
left.set(xlabel="batch", ylim=(0, None))
left.legend(frameon=False, fontsize=9)
right.axhline(1e-4, color=GHOST, linestyle="--")
right.set(xlabel="batch", ylim=(1e-9, 1e-3))
right.legend(frameon=False, fontsize=9, loc="lower right")
figure

# %%
# NBVAL_CHECK_OUTPUT
for name, values in difference.items():
    claims.check(f"largest difference of the loss over 50 batches, {name}", max(values), 0, 1e-4)
    print(name, len(values), "batches, within 1e-4:", max(values) < 1e-4, "| equal to the last bit:", max(values) == 0)

# %% [markdown]
# The curves lie on each other; what differs is the order in which sums are taken, and it does not grow.
# What is *not* the same on several processes is dropout inside the model (0 in this profile, 0.1 in the paper's), whose
# masks each process draws for itself.
# Drawing the whole batch's noise costs each process a batch of random numbers, little beside a forward pass.
#
# ## A million clips
#
# A training set in shards is a folder of files that are mapped, not loaded, and an index of lengths and statistics.
# We make a corpus of a million clips by naming one small shard, again and again, in an index.

# %%
folder_of_shards = next((folder / "one" / "cache").glob("shards-*"))
few = shards.Shards(folder_of_shards, two_d=True)
shards.write_index(folder_of_shards, few.files * (1_000_000 // len(few)))
many = shards.Shards(folder_of_shards, two_d=True)


def private():
    """MB of this process that no file backs; pages of mapped files the system drops when it wants."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


held = many.lengths.sum().item() * 4 * (263 + 3 * 22) / 2**20  # MB of all features, keypoints and confidences
trainer, memory = Trainer(config, many), []
for step in range(100):
    trainer.step(step, 1e-3)
    memory.append(private())

# %% tags=["hide-input"]
figure, (axes,) = panels("megabytes since the tenth batch")
axes.plot(
    [config.optimiser.batch_size * held / len(many) * (n - 9) for n in range(100)],
    color=GHOST,
    linewidth=3,
    label="read",
)
axes.plot([m - memory[9] for m in memory], color=LEFT, label="memory of the process")
axes.set(xlabel="batch", xlim=(10, 99))
axes.legend(frameon=False, fontsize=9)
figure

# %%
# NBVAL_CHECK_OUTPUT
growth = claims.check("growth of memory over 90 batches, MB", memory[-1] - memory[9], 0, 20)
index = (folder_of_shards / shards.INDEX).stat().st_size / 2**20
print(f"{len(many):,} clips, {held / 1000:.0f} GB if they were held; an index of {index:.0f} MB")
print("memory grows by less than 20 MB:", growth < 20)

# %% [markdown]
# The statistics by which features are normalised come from the shards' own: means and sums of squared deviations add up
# without a difference of large numbers, and agree with those of a corpus in memory to rounding.
#
# ## How many GPUs
#
# One GPU has been timed (H200, [Speed](../runs/evaluate_speed.ipynb)): the recipe takes it 1.7 hours, at 23 % of its bf16 rate with batches of 64 and at 33 % with 512.
# For several, what follows is arithmetic, and its assumptions are these.
# A forward and backward pass costs 6 FLOP per weight and token, and the attention's products 12 per pair of tokens,
# channel and layer; batches are of 64 clips of full length.
# Of the 600,000 batches of the recipe, 32 % of the last 200,000 go through four passes.
# A GPU reaches 30 % of its bf16 peak; that wants a compiled step, since a layer of width 512 is over before the next
# kernel is launched.
# After each batch gradients are exchanged (ring all-reduce, not overlapped), over NVLink at 300 GB/s or PCIe at 25 GB/s.

# %%
# NBVAL_CHECK_OUTPUT
paper = train.profile("paper")
weights = sum(p.numel() for p in build_denoiser(paper, 263, 512).parameters())
optimiser, frames = paper.optimiser, paper.data.max_frames + 1
tokens = optimiser.batch_size * frames
attention = 12 * paper.model.n_layers * paper.model.width * frames * tokens
flop = 6 * weights * tokens + attention
low = paper.multistep.probability
passes = optimiser.warmup_steps + optimiser.steps * (1 - low + low * optimiser.n_buckets)
print(f"{weights / 1e6:.1f} million weights, {flop / 1e12:.2f} TFLOP a pass, {passes:,.0f} passes")


def hours(peak, gpus, bandwidth):
    exchange = 2 * (gpus - 1) / gpus * 4 * weights / bandwidth * (optimiser.warmup_steps + optimiser.steps)
    return (flop * passes / (0.3 * peak * gpus) + exchange) / 3600


print("hours on       1     2     4     8 GPUs")
for name, peak in (("A100", 312e12), ("H100", 989e12)):
    for link, bandwidth in (("NVLink", 300e9), ("PCIe", 25e9)):
        print(f"{name} {link:6}", *(f"{hours(peak, n, bandwidth):5.1f}" for n in (1, 2, 4, 8)))

# %% [markdown]
# One GPU is enough for the paper's model and batch.
# Two to four share it well where they are linked fast; on eight each has 8 clips, which will not fill it, so the last
# column is a bound that a batch of 64 will not reach.
# More GPUs are for larger batches and models.
# With DDP every device holds the whole model, 20 bytes a weight: weight, gradient, average and two moments (0.4 GB for
# this one).  FSDP divides that by the number of devices and sends the weights twice per pass on top of the gradients, so
# it is for models that a device cannot hold.

# %%
claims.table()

# %% [markdown]
# ## Functions on this page
#
# {py:func}`videomdm.losses.shares_of`, {py:mod}`videomdm.train.distributed`, {py:mod}`videomdm.train.fsdp`,
# {py:class}`videomdm.data.shards.Shards`,
# {py:func}`videomdm.prepare.streamed`, {py:func}`videomdm.train.fit`.
