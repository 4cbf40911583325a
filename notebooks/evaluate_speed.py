# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Speed: what was gained, what is left, what it costs
#
# A 3-D motion prior is a small transformer on short clips, so neither its arithmetic nor its memory excuses slow code.
# This page compares three hot paths with the version that one writes first, and with what the machine could do at best:
# the training step, guided sampling, and the encoder that makes HumanML3D's channels.
# Then it asks what the fast settings cost: do losses and motions stay what they were?
# All numbers come from the files in `results/benchmarks` alone, and each names its machine.
#
# **Gains** are ratios of times within a pair.
# The versions run in turn, so that whatever else the machine does meets all alike, and a gain is given with the 95 %
# interval over the pairs.
# The baseline (`benchmarks/baseline.py`, `benchmarks/features.py`) is eager, float32, pads every clip to the longest and
# encodes clip by clip and joint by joint in numpy, as published code of this kind does.
#
# **Floors** say how much is left.
# A computation of $F$ floating point operations in matrix products, which must move $B$ bytes, takes at least
#
# $$
# t_{\min} = \max\left(\frac{F}{\text{matmul rate}}, \frac{B}{\text{bandwidth}}\right)
# $$ (eq:roofline)
#
# with the rate of a large bf16 product and the bandwidth of a large copy, both measured on the same machine in the same
# run.
# *× floor* is the time over this; 1 would be perfect and is never reached, as softmax, normalisation, dropout and the
# optimiser's arithmetic are not counted in $F$.

# %% tags=["parameters"]
results_folder: str = "results"

# %%
from IPython.display import display

from videomdm.pages.parameters import check_parameters
from videomdm.plots import panels, style
from videomdm.plots.roofline import roofline
from videomdm.study import report, timings

check_parameters(globals())
found = timings.find(results_folder)
if note := report.corpus_note(found):
    print(note)
timings.machines(found)

# %% [markdown]
# ## What was asked for on two CPU cores, and what came out
#
# A *no* below is a target missed, and stays in the table.
# Gains are over the baseline, deviations of losses from float32's.

# %%
timings.goals(found)

# %% [markdown]
# ## What was asked for on a GPU
#
# `make gpu` in parts, on one H200.
# What it computes there equals the CPU's: a prediction, every loss, features and samples to 3e-6, a prediction in bf16 to a per cent, and a training step never waits for the GPU (the result `check`).

# %%
timings.gpu_goals(found)

# %% [markdown]
# The best step is one CUDA graph ({py:mod}`videomdm.train.graphs`): compiled kernels, recorded once for each shape of a batch and launched together, so that the GPU need not wait for a host that launches them one by one.
# Motions are made in 50 steps with guidance.
# Hours of the paper's training are what its 792,000 passes take with batches of 64.
#
# The rate of 512 clips misses what was asked, and without dropout it does not.
# MDM drops entries of the attention, of both sub-layers and within the second: two billion random numbers a step, which are drawn, and whose masks are read forwards and backwards.
# What else lies between matrix products takes the rest: normalisation and GELU read and write every activation several times, with little arithmetic in between at this width.
#
# ## The training step
#
# The full-size model (8 layers, width 512).
# *plain* is one pass forwards and backwards, *multistep* four, each on the prediction of the one before (appendix G.1),
# with the 2-D losses.
# `full` batches hold clips of 196 frames; there nothing is padded, so that all of the gain is arithmetic in bf16 and
# fewer passes over memory.
# `humanml3d` batches have its distribution of lengths, a mean of 7.1 seconds; there buckets of like lengths
# (`Config.length_buckets`) also save the padding.
# On a GPU a time is that of ten steps, as its host runs ahead.

# %%
timings.gains(found, "step")

# %% [markdown]
# ## Guided sampling
#
# Classifier-free guidance takes two predictions per step; ours go through the model as one batch.
# A version that ends in `-ddim` takes ten steps instead of fifty; what that costs in FID is below.

# %%
timings.gains(found, "sampling")

# %% [markdown]
# ## The encoder
#
# From joints to 263 channels per frame: another body, floor, origin, heading, inverse kinematics, velocities, contacts.
# *baseline* is numpy, clip by clip, in float64; the others take many clips at once, in float32.
#
# Two things make the difference.
# Joints are kept as planes: all values of one coordinate of one joint lie side by side in memory, as vector units want
# them, and a share of the clips that fits the caches goes through at a time.
# And no joint's rotation is ever a matrix: every shortest rotation is two half-turns, of which the first is a constant of
# the layout and the second is one unit vector ({py:mod}`videomdm.features.channels`).
#
# Compiling the encoder is compared as well; the time to compile is not in the table, so below it says from how many clips
# on that would pay.

# %%
timings.gains(found, "features")

# %%
for result in found:
    if (began := result["metrics"].get("compile_time")) is not None:
        batched, compiled = (result["metrics"][f"clip_{v}_seconds"][0] for v in ("batched", "compiled"))
        saved = batched - compiled
        pays = f"pays from {began / saved:,.0f} clips" if saved > 0 else "never pays"
        print(f"{result['machine']}: compiling takes {began:.0f} s and {pays}")

# %% [markdown]
# ## The metrics of an evaluation

# %%
timings.gains(found, "metrics")

# %% [markdown]
# ## Finding people in a video
#
# BlazePose on a film of a person, from the file to everybody in every frame.
# *baseline* decodes a frame, finds people in it and watches the camera, one after the other; *detect* does the three at
# the same time.
# *networks* is what the detector's two networks take with nothing around them, *decoding* what the frames take, and
# *opencv* is *detect* where onnxruntime is not installed.

# %%
timings.gains(found, "detection")

# %% [markdown]
# ## Beside other processes
#
# A batch takes two threads, which wait for each other; by default a waiting thread spins and keeps its core.
# Where other processes want the cores too, both lose: the one that spins, and the one that is waited for.
# *short* is what the package sets, a short time of spinning; *passive* none; *one-thread* has nobody to wait for.
# The other processes are none, one and two that compute without an end.

# %%
timings.gains(found, "busy")

# %%
for result in found:
    shares = {name: value for name, value in result["metrics"].items() if name.endswith("short_over_share")}
    for name, value in shares.items():
        print(
            f"{name.split('_')[0].removeprefix('beside-')} beside it: {value:.2f} times what its share of the processor explains"
        )

# %% [markdown]
# ## MAS
#
# Motions of MAS are sampled in seven views at once, from a prior of 2-D motion ({doc}`MAS </notebooks/explain_mas>`); the other prior is one of 3-D motion, of the same size.

# %%
for result in found:
    if cost := result["metrics"].get("sampling_cost"):
        metrics = result["metrics"]
        print(
            f"{metrics['motions']} motions of {metrics['frames']} frames in {metrics['steps']} steps: MAS costs {cost[0]:.1f} times the other"
        )
        print(f"its consistency step in closed form is {metrics['closed_gain'][0]:,.0f} times as fast as 1,000 steps of Adam, "
              f"and differs from them by {metrics['difference']:.0e}")  # fmt: skip

# %% [markdown]
# ## A second process
#
# The same batches of 8 full-length clips on one process with one thread, and on two that take 4 clips each; *ddp* holds
# all weights in both, *fsdp* half of them in each ({doc}`Scale </notebooks/explain_scale>`).
# Twice the machine would gain 2 if nothing had to be exchanged.

# %%
timings.gains(found, "scaling")

# %% [markdown]
# ## How far from the roof
#
# Work per byte against rate, one point per case and version.
# The grey lines are the machine's: bandwidth on the slope, then large matrix products in float32 and in bf16.
# All points lie on the right, under the flat roofs: the transformer's work per byte is high, so that arithmetic limits it
# and not memory, and a point in bf16 may lie above the float32 roof.
# The distance upwards is what fused kernels could still win.

# %%
for machine, (roofs, bandwidth) in timings.roofs_of(found).items():
    if points := timings.roofline_points(found, machine):
        figure, (axes,) = panels(machine, height=4.6)
        roofline(axes, roofs, bandwidth, points)
        display(figure)

# %% [markdown]
# ## What bf16 and compiled kernels do to training
#
# The same batches, noise and timesteps from the same weights; runs differ by how they round.
# Losses are means of 20 steps.
# Left the losses, which lie on top of each other if all is well; right how far each is from float32's.

# %%
for name, versions in timings.curves(found).items():
    figure, (losses, deviations) = panels(f"loss ({name})", "deviation from float32, %")
    reference = versions["float32"]
    for colour, (version, curve) in zip(style.SERIES, versions.items(), strict=False):
        losses.plot(curve, color=colour, label=version)
        if version != "float32":
            relative = [100 * (a / b - 1) for a, b in zip(curve, reference, strict=True)]
            deviations.plot(relative, "o-", color=colour, label=version)
    deviations.axhspan(-1, 1, color=style.GHOST, alpha=0.25)
    losses.set(yscale="log", xlabel="window of 20 steps")
    deviations.set(xlabel="window of 20 steps")
    losses.legend(frameon=False)
    display(figure)

# %% [markdown]
# ## What fewer steps and bf16 do to the motions
#
# One finished prior, the same captions, lengths and first noise in every row of a repeat; the first evaluator.
# The reference takes all steps of DDPM in float32.
# *trained* is the sampler that a prior takes by default, `ddim` takes all steps without fresh noise, `ddim-few` ten.
# With as few motions as here FID is biased upwards, alike in every row; the ratios are what to read.
# A ratio whose interval holds 1 says that this many motions show no difference.

# %%
timings.quality(found)

# %% [markdown]
# ## Sources

# %%
report.sources(found)
