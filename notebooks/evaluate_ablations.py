# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The ablations
#
# What does each part of the method buy?
# Every row below is VideoMDM with true cameras and one change; data, teacher, warm-up checkpoint, number of batches,
# captions and noise are the same.
# With several seeds, intervals are Student's over these, else over an evaluation's repeats.
# The numbers come from the files in `results/ablations` alone.
# An evaluation is small (profile *study*): 3 repeats of 384 motions for FID and the rest, 12 captions with 10
# motions each for multimodality, 128 clips to lift.
# The field's 20 repeats of 1,000 motions are `--protocol full`.
#
# | row | what is changed |
# |:---|:---|
# | videomdm | nothing: the full method |
# | no-depth | residuals in the image, not weighted by depth (eq. 1 without $w$) |
# | no-depth-raised | ours: the same, and $\lambda_{2D}$ and $\lambda_{vel}$ times 14, the mean squared depth of bandai's joints in m² |
# | no-multistep | low timesteps are trained one at a time from diffused teacher motions |
# | no-velocity | $\lambda_{vel} = 0$ |
# | no-representation | $\lambda_{repr} = 0$ |
# | no-rays | eq. 3's target is the teacher's features, not the prediction moved onto the rays |
# | exact | ours: the exact weights of appendix A, per axis, in place of the depth |
#
# The paper's figure 6(b) has FID 1.05 in full; without depth weights 1.27; without ray projection 2.72; without one of
# $L_{vel}$ and $L_{repr}$ 1.58 and without the other 5.75 (the text at hand does not say which is which); without
# multistep 9.85.
#
# FID is read in two ways.
# The paper's, MDM's evaluation, embeds features as they are generated; ours embeds those that the generated joints give when
# they are encoded anew, which redundant channels can neither flatter nor spoil.
# In the text *FID* alone means joints encoded anew.

# %% tags=["parameters"]
results_folder: str = "results"

# %%
from IPython.display import display

from videomdm.pages.parameters import check_parameters
from videomdm.study import report, reproduction, verdicts

check_parameters(globals())
found, corpora = report.find(results_folder, "ablations")
for name, rows in corpora.items():
    print(name)
    display(report.table(rows, report.ABLATION))

# %%
for name, rows in corpora.items():
    print(name)
    display(report.changes_plot(rows))

# %% [markdown]
# ## As multiples of the full method's FID
#
# Seed by seed, since all rows of a seed begin with the same weights; the rule of the verdicts is that of {doc}`the page on reproduction </runs/evaluate_reproduction>`.
# By the paper's reading, then with joints encoded anew, and by seed FID as the paper reads it and lifting errors in mm:

# %%
claims = [claim for claim in reproduction.CLAIMS if claim.where == "Fig. 6(b)"]
measured = verdicts.find(results_folder, ["ablations"])
display(verdicts.table(measured, claims), verdicts.second_reading(measured, claims))
for name in corpora:
    display(report.by_seed(found, name, "fid_raw"), report.by_seed(found, name, "lift_truth_mpjpe"))

# %% [markdown]
# ## What they say
#
# By the paper's reading *no-velocity* costs a third and *no-representation* more than five times the full method's FID.
# So the row of 1.58 is $L_{vel}$ and that of 5.75 is $L_{repr}$, whose names the text lost.
#
# **Multistep training** is what the paper's prior cannot do without: nine times the full method's FID; here it is nearly four times, and by joints encoded anew two and a half.
# Without it nothing ties low noise to what the camera saw but motions that the teacher got wrong, and the caption is half lost (R-precision).
# That row samples with all steps of DDPM, as it was trained; the others walk.
#
# **Both parts of $L_{repr}$ matter.**
# Without the term the redundant channels drift away from the joints that they describe: raw features are more than five times as far from real ones, and the joints themselves accelerate half as much as real ones.
# Lifting does not mind: it reads joints and projects them, and is even a little better.
# With the term but without rays its target is the teacher's channels, motions take over more of the teacher, and lifting loses 9 mm.
#
# **Without $L_{vel}$ motions jitter**: accelerations are twice the truth's, where the full method has the truth's own, bones change their length nearly twice as much, and lifting loses 21 mm.
#
# **Depth weights are worth little, once the balance is kept.**
# Leaving them out makes FID 1.7 times the full method's, with joints encoded anew twice; in the paper it is 1.2 times.
# But cameras stand three metres and more away, so a squared residual that is not multiplied by depth is smaller by ten and more, and with the same lambdas $L_{repr}$ takes over: in lifting error the row looks like *no-velocity*.
# With both lambdas raised by the mean squared depth (*no-depth-raised*) FID is 1.08 times the full method's, an interval that holds 1, and lifting and captions are its own.
# Whether the paper's lambdas were chosen anew for that row, it does not say.
#
# **The exact weights** of appendix A lift 2 mm better with every seed; their FID is the full method's within the intervals.
#
# So the order is the paper's but for the last two: depth weights (with the balance kept) matter least, then $L_{vel}$, then rays, then multistep training and $L_{repr}$, which change places.
# By joints encoded anew multistep training costs most, and $L_{repr}$ less than half of what it costs in features: most of what it is worth lies in the channels that it supervises.
#
# Rows have three training seeds.
# What separates depth weights from nothing, and the velocity loss from depth weights, is less than what seeds do.

# %%
report.sources(found)
