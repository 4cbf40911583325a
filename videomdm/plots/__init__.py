"""Figures for readers: 3-D players, 2-D keypoints, training curves, tables, strips of poses.

Left is blue, right is vermilion, the trunk is dark, whatever a motion is compared with is grey.  Importing
this package makes plotly figures in notebooks self-contained (:mod:`videomdm.plots.offline`).
"""

from videomdm.plots import offline
from videomdm.plots.charts import Table, film_strip, loss_curves, metrics_table
from videomdm.plots.players import keypoints_over, player

__all__ = ["Table", "film_strip", "keypoints_over", "loss_curves", "metrics_table", "player"]

offline.use()
