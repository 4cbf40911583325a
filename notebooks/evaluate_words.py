# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Words: which captions mean the same motion
#
# A prior knows a caption only by the vector that a text encoder gives for it.
# MDM and the paper take CLIP's, whose weights have to be fetched.
# This page compares encoders that need no download: hashed words, static word vectors, a small sentence encoder, and what
# `text=minilm`, the default, makes of the last and the first ({py:mod}`videomdm.text.minilm`).
# The numbers are from `results/words` and `results/phrasings` alone, which
# `python -m videomdm.study.words --data $VIDEOMDM_DATA` and `python -m videomdm.study.phrasings` write.
#
# ## How people speak of motions
#
# Several people described each clip of HumanML3D.
# Half of its test captions answer the following questions; choices were made on the other half.
#
# - **partner**: given one person's caption, is another person's caption of the same clip the nearest of 32 by cosine (top 1),
#   or one of the three nearest?
#   Guessing finds 1 and 3 of 32.
# - **rare verbs**: is "a person strolls" nearest to "a person walks" among sixteen common verbs?
#   *Unlisted* are those that the table of synonyms of the hashed words does not have.
# - **apart**: is another person's caption with the same side nearer than that caption with left and right exchanged?
#   The same is asked of directions (forward and backward, clockwise and counterclockwise, up and down) and of amounts
#   (once and twice, slowly and quickly).

# %% tags=["parameters"]
results_folder: str = "results"

# %%
from videomdm.pages.parameters import check_parameters
from videomdm.study import word_tables

check_parameters(globals())
rows = word_tables.find(results_folder, "words")
word_tables.encoders(rows)

# %% [markdown]
# Of verbs that no table lists, hashed words guess, and a sentence encoder knows about half.
# But to it a caption with left and right exchanged is nearer, one time in four, than one that says the same: it was trained to find
# texts on one topic.
# Hashed words tell them apart, since every word has a direction of its own.
# Side by side in one vector, both keep what they are good at.
# Leaving function words out of the mean helps with whole captions, and costs something where a verb stands alone.
#
# Not measured here:

# %%
print("\n".join(word_tables.missing(rows)))

# %% [markdown]
# ## What they cost

# %%
word_tables.costs(rows)

# %% [markdown]
# ## How much of the vector the hashed words have
#
# More of them bring left and right further apart, and, from .2 on, captions of one motion with them.
# The share that is used, .4, is the one with the best partners among those that bring left and right to a cosine of at most .85.
# It was chosen on clips that the first table does not count.

# %%
word_tables.shares(rows)

# %% [markdown]
# ## What a prior makes of them
#
# Small priors with 3-D supervision, alike but for the encoder, learned the built-in corpus.
# Each is asked for the test clips twice: in the corpus' own words ("a person walks in a curve to the left"), and in words that
# nobody wrote for the corpus ("a pedestrian strolls, veering left"; {py:data}`videomdm.study.phrasings.PHRASINGS`).
# Both times two evaluators say how often the clip's caption of the corpus is among the three nearest of 32 to the motion.
# The evaluators never read the other words.

# %%
word_tables.priors(word_tables.find(results_folder, "phrasings"))
