"""Using a trained prior: motions from text, and 3-D motions from 2-D keypoints (appendix G.2)."""

from videomdm.sample.feet import Holding, hold
from videomdm.sample.generation import generate
from videomdm.sample.lifting import Lifting, lift, lift_footage
from videomdm.sample.prior import CHUNK, SHIPPED, Prior, build_denoiser, load

__all__ = [
    "build_denoiser",
    "CHUNK",
    "generate",
    "hold",
    "Holding",
    "lift",
    "lift_footage",
    "Lifting",
    "load",
    "Prior",
    "SHIPPED",
]
