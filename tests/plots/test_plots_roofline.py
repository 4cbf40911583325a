"""plots/roofline.py: the roof is where rates and bandwidth put it, and points where they were given."""

import pytest

from videomdm.plots import panels
from videomdm.plots.roofline import roofline


def test_slope_then_flat_roof():
    _, (axes,) = panels("")
    roofline(axes, {"bf16": 1e12}, 1e10, {"step": [(50.0, 4e11), (400.0, 9e11)]})
    roof, points = axes.lines
    x, y = roof.get_xdata(), roof.get_ydata()
    assert y[0] == pytest.approx(1e10 * x[0]) and y[-1] == 1e12 and x[0] < 50 and x[-1] > 400
    assert points.get_xdata().tolist() == [50.0, 400.0] and points.get_ydata().tolist() == [4e11, 9e11]
    assert axes.get_legend().get_texts()[0].get_text() == "step"


def test_nothing_to_draw():
    _, (axes,) = panels("")
    with pytest.raises(ValueError, match="1 roofs and 0 points"):
        roofline(axes, {"bf16": 1e12}, 1e10, {})
