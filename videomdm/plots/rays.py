"""One pose and the viewing rays that its joints are moved onto."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.plots import space
from videomdm.plots.offline import InteractiveFigure
from videomdm.plots.style import GRID, SERIES, checked_joints, layout
from videomdm.skeletons.definitions import SMPL22, Skeleton

BEYOND = 1.08  # rays end this much farther from the camera than the joints


def ray_scene(
    before: Tensor, after: Tensor, camera: Camera, skeleton: Skeleton = SMPL22, title: str = ""
) -> InteractiveFigure:
    """A pose before (grey) and after it was moved onto the rays, the rays, and how far each joint moved.

    Args:
        before: (J, 3) in metres, Y up.
        after: (J, 3) points of the rays through the camera's centre.
        camera: the unbatched camera, in the joints' frame.
        skeleton: the joint layout.
        title: a line above the figure.

    Raises:
        ValueError: a wrong shape, or values that are not finite.

    Explained in :doc:`/notebooks/explain_ray_projection`.
    """
    body, shade = (checked_joints(x[None], name, skeleton) for x, name in ((after, "after"), (before, "before")))
    centre = camera.center.detach().cpu().numpy()
    fan = [p for joint in body[0] for p in (centre, centre + BEYOND * (joint - centre), space.GAP)]
    moves = [p for pair in zip(shade[0], body[0], strict=True) for p in (*pair, space.GAP)]
    corners = np.concatenate([body[0], shade[0], centre[None]])
    low, high = corners.min(0) - 0.25, corners.max(0) + 0.25
    low[1] = min(low[1], 0)
    view = space.view_of(np.concatenate([corners, corners * [1, 0, 1]]))
    limbs = space.limbs(space.parts_of([body], [shade], skeleton), view.pixels_per_metre)
    lines = [space.line(np.array(fan), GRID, 1.5), space.line(np.array(moves), SERIES[3], 4)]
    figure = InteractiveFigure([*space.floor(low, high), *lines, *limbs])
    figure.update_layout(layout(view.height + (40 if title else 0), title))
    figure.update_layout(scene=space.layout_of(low, high, view, []))
    return figure
