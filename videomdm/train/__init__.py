"""Training: plain MDM on 3-D motions, then the 2-D stage of VideoMDM; resumable at any moment."""

from videomdm.config import PROFILES, Config, profile
from videomdm.methods import METHODS
from videomdm.train.loop import fit, history, seconds

__all__ = [
    "Config",
    "fit",
    "history",
    "METHODS",
    "profile",
    "PROFILES",
    "seconds",
]
