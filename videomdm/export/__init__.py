"""Motions taken away: arrays (.npz), skeletal animation (.bvh), stick figures (.gif, .mp4)."""

from videomdm.export.bvh import CENTIMETRES, TOLERANCE, as_bvh, euler_zxy, rest_pose, to_bvh
from videomdm.export.film import draw, to_gif, to_mp4
from videomdm.export.npz import to_npz

__all__ = [
    "as_bvh",
    "CENTIMETRES",
    "draw",
    "euler_zxy",
    "rest_pose",
    "to_bvh",
    "to_gif",
    "to_mp4",
    "to_npz",
    "TOLERANCE",
]
