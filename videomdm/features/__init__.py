"""HumanML3D's representation of motions: 12 J - 1 channels a frame."""

from videomdm.features.representation import (
    blocks,
    canonical_frame,
    canonicalise,
    canonicalise_with_camera,
    decode,
    decode_positions,
    encode,
    n_features,
    position_channels,
    redundant_channels,
    root_trajectory,
)
from videomdm.skeletons.padding import hold_last

__all__ = [
    "blocks",
    "canonical_frame",
    "canonicalise",
    "canonicalise_with_camera",
    "decode",
    "decode_positions",
    "encode",
    "hold_last",
    "n_features",
    "position_channels",
    "redundant_channels",
    "root_trajectory",
]
