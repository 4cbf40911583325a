"""What every room of the package agrees on: frame rate, lengths of clips, and how bad input is reported."""

from __future__ import annotations

MIN_FRAMES = 40  #: shortest clip, 2 s at 20 fps, as in HumanML3D
MIN_LIFTED = 10  #: shortest recording that is lifted, 0.5 s at 20 fps
MAX_FRAMES = 196  #: longest clip, 9.8 s
FPS = 20.0
SPLITS = ("train", "val", "test")  #: of every corpus
#: How a teacher finds the root's path: from how long bones look (appendix D), or by a network that sees the whole clip.
ROOT_PATHS = ("bones", "network")
#: Whose bones people have: their own, or all those of one body, as after HumanML3D's first step.
SKELETONS = ("own", "uniform")
#: Feet of generated motions: held where they stand, or free, as a model has them (:mod:`videomdm.sample.feet`).
FEET = ("held", "free")
#: Sources of pictures alone, centred on the hip (:mod:`videomdm.data.nba`): no path, no true cameras, no text.
CENTRED = ("nba", "nba-like")

#: Sets of weights of the package's teacher (:mod:`videomdm.lifters.weight_sets`); the one that real people get, and the
#: one of studies on filmed corpora, which has seen none of them.
LIFTERS = ("procedural", "real")
DEFAULT_LIFTER, STUDY_LIFTER = "real", "procedural"
REPORT = "report.json"  #: what is said of results, beside them
TRIAL = "trial"  #: a file in the folder of a run that a search for settings made


class DataError(ValueError):
    """Bad input: the message names the file or clip, the value found and what was expected."""
