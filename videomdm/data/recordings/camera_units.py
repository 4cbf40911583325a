"""A camera's units: normalised image coordinates that can be people's, and intrinsics that can be a camera's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Intrinsics

OFF_CENTRE = 0.3  # image sides that the principal point may be off the middle; pictures are cropped
ALIKE, SCALED = 0.02, 0.08  # image sides: off the middle so much, and both ways alike, it is another image's middle
FEW = 0.01  # share of keypoints that a detector may put anywhere
UNEQUAL = 1.05  # ratio of focal lengths that no calibration of square pixels gives
SQUEEZED = 1.5  # ratio of focal lengths: wide pictures are stored with pixels of up to 1.46
NARROWEST = 3.0  # degrees across the diagonal, of the longest lenses
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


def doubt_normalised(points: np.ndarray) -> list[str]:
    """A note on normalised points (N, 2) of one recording that lie on one side of the camera's axis, both ways."""
    if len(points) == 0 or np.quantile(points, FEW, axis=0).min() < 0:
        return []
    return [
        "no keypoint is left of or above the camera's axis: are they shares of the image (0 to 1), not pixels times "
        "the inverse intrinsic matrix?"
    ]


def of_square_pixels(camera: Intrinsics | None) -> list[str]:
    """A note on focal lengths that differ, of a film whose pixels are as wide as high."""
    if camera is None or max(camera.fx / camera.fy, camera.fy / camera.fx) <= UNEQUAL:
        return []
    return [
        f"focal lengths of {camera.fx:.4g} and {camera.fy:.4g}, though the video's pixels are as wide as high: were "
        "they scaled from an image of another shape?"
    ]


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
    exchanged = np.array([camera.cx / camera.height, camera.cy / camera.width])
    if np.abs(exchanged - 0.5).max() < ALIKE and np.abs(shares - 0.5).min() > SCALED:
        raise DataError(
            f"{name}: the intrinsics' principal point ({camera.cx:.4g}, {camera.cy:.4g}) is the middle of an image of "
            f"{camera.height} x {camera.width}, not of {camera.width} x {camera.height}: are x and y exchanged?"
        )
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
    edge = float(np.hypot(camera.width, camera.height)) / 2 / camera.fx
    if not np.tan(np.radians(NARROWEST / 2)) <= edge <= WIDEST:
        raise DataError(
            f"{name}: a focal length of {camera.fx:.4g} for an image of {camera.width} x {camera.height}, expected "
            "pixels, about the image's diagonal (not millimetres)"
        )
