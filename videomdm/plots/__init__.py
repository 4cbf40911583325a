"""Figures for readers: 3-D players, 2-D keypoints, training curves, tables, strips of poses.

Left is blue, right is vermilion, the trunk is dark, whatever a motion is compared with is grey.  Figures
show themselves in notebooks that need nothing but themselves (:mod:`videomdm.plots.offline`).
"""

from videomdm.plots.charts import Table, film_strip, loss_curves, metrics_table, pose_strip
from videomdm.plots.dots import dot_plot
from videomdm.plots.offline import InteractiveFigure
from videomdm.plots.panels import keep, panels
from videomdm.plots.pictures import Picture
from videomdm.plots.players import keypoints_over, player

__all__ = [
    "InteractiveFigure",
    "Picture",
    "Table",
    "dot_plot",
    "film_strip",
    "keep",
    "keypoints_over",
    "loss_curves",
    "metrics_table",
    "panels",
    "player",
    "pose_strip",
]
