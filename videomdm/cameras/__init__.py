"""Cameras: projection, estimation, refinement, the ground, and what a camera saw."""

from videomdm.cameras.camera import (
    MIN_DEPTH,
    ORBIT_ELEVATION,
    ORBIT_MIN_DEPTH,
    PNP_FRAMES,
    ROTATION_TOLERANCE,
    Camera,
    estimate_pnp,
    orbit,
    reprojection_error,
    sample_orbit,
)
from videomdm.cameras.footage import Footage

__all__ = [
    "Camera",
    "estimate_pnp",
    "Footage",
    "MIN_DEPTH",
    "orbit",
    "ORBIT_ELEVATION",
    "ORBIT_MIN_DEPTH",
    "PNP_FRAMES",
    "reprojection_error",
    "ROTATION_TOLERANCE",
    "sample_orbit",
]
