"""A camera's units: normalised image coordinates that can be people's, and intrinsics that can be a camera's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Intrinsics

OFF_CENTRE = 0.3  # image sides that the principal point may be off the middle; pictures are cropped
ALIKE, SCALED = 0.02, 0.08  # image sides: off the middle so much, and both ways alike, it is another image's middle
SQUEEZED = 1.5  # ratio of focal lengths: wide pictures are stored with pixels of up to 1.46
NARROWEST = 3.0  # degrees across the diagonal, of the longest lenses; and of 180 less these, of the widest
SHARES = 0.3  # normalised coordinates, x and y of the middle of somebody of whom nothing is left of or above the axis
WIDEST = 3.0  # normalised image coordinates: the edge of a lens of 143 degrees
SIZES = (0.1, 6.0)  # metres, size in the image times depth, that a person may have


def check_normalised(keypoints: Tensor, confidence: Tensor, depth: Tensor | None = None) -> None:
    """Refuse what cannot be people's normalised image coordinates.

    Args:
        keypoints: (C, T, J, 2) pixels times the inverse intrinsic matrix.
        confidence: (C, T, J); keypoints of confidence 0 are not looked at.
        depth: (C,) metres from the camera to the person, where known: size in the image times depth is metres.

    Raises:
        ValueError: NaN or infinite where something is said to be seen; pixels, or shares of the image.
    """
    seen = confidence > 0
    if not confidence.isfinite().all():
        raise ValueError("confidence is not finite, expected 0 to 1")
    lost = seen & ~keypoints.isfinite().all(-1)
    if lost.any():
        clip, frame, joint = lost.nonzero()[0].tolist()
        raise ValueError(
            f"clip {clip}, frame {frame}: the keypoint of joint {joint} is not finite; give confidence 0 where nothing "
            "was seen"
        )
    expected = (
        "expected normalised image coordinates: pixels times the inverse intrinsic matrix, ((x - cx) / fx, "
        "(y - cy) / fy), as videomdm.data.recordings.detections.Intrinsics.normalise makes them"
    )
    reach = keypoints.abs().amax(-1).masked_fill(~seen, torch.nan).flatten(1).nanquantile(0.9, dim=1)
    if (reach > WIDEST).any():
        clip = int((reach > WIDEST).nonzero()[0])
        raise ValueError(f"clip {clip}: keypoints reach {float(reach[clip]):.4g}, {expected}")
    middle = keypoints.masked_fill(~seen[..., None], torch.nan).flatten(1, 2).nanmedian(dim=1).values
    lowest = keypoints.masked_fill(~seen[..., None], torch.inf).flatten(1, 2).amin(1)
    shares = (lowest >= 0).all(-1) & (middle > SHARES).all(-1)
    if shares.any():
        raise ValueError(f"clip {int(shares.nonzero()[0])}: all keypoints are right of and below the image's middle, "
                         f"as shares of the image (0 to 1) are; {expected}")  # fmt: skip
    if depth is None:
        return
    low, high = (keypoints.masked_fill(~seen[..., None], end) for end in (torch.inf, -torch.inf))
    extent = (high.amax(-2) - low.amin(-2)).amax(-1).masked_fill(~seen.any(-1), torch.nan)
    size = extent.nanmedian(dim=1).values * depth
    wrong = (depth > 0) & ((size < SIZES[0]) | (size > SIZES[1]))
    if wrong.any():
        clip = int(wrong.nonzero()[0])
        raise ValueError(
            f"clip {clip}: a person of {float(size[clip]):.2f} m at {float(depth[clip]):.2f} m from the camera, "
            f"expected {SIZES[0]} to {SIZES[1]} m; {expected}"
        )


def check_intrinsics(camera: Intrinsics, name: str) -> None:
    """Refuse the intrinsics of another image, or in other units than pixels.

    Raises:
        DataError: the principal point is far from the image's middle, or no lens sees so narrow or so wide.
    """
    off = max(abs(camera.cx / camera.width - 0.5), abs(camera.cy / camera.height - 0.5))
    if off > OFF_CENTRE:
        raise DataError(
            f"{name}: the intrinsics' principal point ({camera.cx:.4g}, {camera.cy:.4g}) is far from the middle of an "
            f"image of {camera.width} x {camera.height}: are they of images of another size?"
        )
    shares = np.array([camera.cx / camera.width, camera.cy / camera.height])
    if np.ptp(shares) < ALIKE and np.abs(shares - 0.5).min() > SCALED:
        raise DataError(
            f"{name}: the intrinsics' principal point ({camera.cx:.4g}, {camera.cy:.4g}) is the middle of an image of "
            f"{2 * camera.cx:.4g} x {2 * camera.cy:.4g}, not of {camera.width} x {camera.height}: scale them to that"
        )
    if not 1 / SQUEEZED < camera.fx / camera.fy < SQUEEZED:
        raise DataError(
            f"{name}: focal lengths of {camera.fx:.4g} and {camera.fy:.4g}, expected nearly equal ones, in pixels (are "
            "they shares of width and height, or of an image that was squeezed?)"
        )
    diagonal = float(np.hypot(camera.width, camera.height))
    if not NARROWEST <= np.degrees(2 * np.arctan(diagonal / 2 / camera.fx)) <= 180 - NARROWEST:
        raise DataError(
            f"{name}: a focal length of {camera.fx:.4g} for an image of {camera.width} x {camera.height}, expected "
            "pixels, about the image's diagonal (not millimetres)"
        )
