"""Pictures on a page."""

import cv2
import numpy as np
import pytest

from videomdm.plots import Picture


def shown(picture):
    return cv2.imdecode(np.frombuffer(picture._repr_jpeg_(), np.uint8), cv2.IMREAD_COLOR)


def test_a_wide_image_is_scaled_down_and_keeps_its_colours():
    image = np.zeros((100, 400, 3), np.uint8)
    image[:, :200] = (30, 200, 90)
    small = shown(Picture(image, width=200))
    assert small.shape == (50, 200, 3)
    assert np.abs(small[25, 40].astype(int) - (30, 200, 90)).max() < 6 and small[25, 160].max() < 6
    assert shown(Picture(image)).shape == image.shape, "never scaled up"


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
def test_bad_input_is_named(image):
    with pytest.raises(ValueError, match=r"Picture: image is .*expected uint8 \(height, width, 3\)"):
        Picture(image)
