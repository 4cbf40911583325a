"""Skeletons: joint layouts, conversions between them, kinematics, and clips of different lengths."""

from videomdm.skeletons.definitions import (
    BLAZEPOSE33,
    BODY25,
    BODY25B,
    COCO17,
    H36M17,
    HALPE26,
    NBA16,
    SMPL22,
    Skeleton,
    by_name,
)

__all__ = [
    "BLAZEPOSE33",
    "BODY25",
    "BODY25B",
    "by_name",
    "COCO17",
    "H36M17",
    "HALPE26",
    "NBA16",
    "Skeleton",
    "SMPL22",
]
