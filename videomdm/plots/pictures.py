"""Photographs on a page: frames of a video, as JPEG, which keeps pages small."""

from __future__ import annotations

import cv2
import numpy as np

QUALITY = 80  # of 100


class Picture:
    """An image that notebooks and the book show.

    Args:
        image: BGR uint8 (height, width, 3), as OpenCV has it.
        width: pixels that it is scaled down to where it is wider.

    Raises:
        ValueError: another shape or type.
    """

    def __init__(self, image: np.ndarray, width: int = 1480) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"Picture: image is {image.dtype} {image.shape}, expected uint8 (height, width, 3)")
        scale = min(1.0, width / image.shape[1])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
        self.jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()

    def _repr_jpeg_(self) -> bytes:
        return self.jpeg
