"""What drawings in space are made of: bodies, lines and the floor as plotly's traces, and from where they are seen.

Points are in metres, Y up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from videomdm.cameras.camera import Camera
from videomdm.plots.style import FLOOR, GHOST, GRID, SIDES, TRUNK, strokes
from videomdm.skeletons.definitions import Skeleton

CAMERA = 0.3  # half the width of a camera's drawing, metres
PAGE_WIDTH = 740  # pixels
GAP = (np.nan,) * 3  #: where a line's pen lifts


def parts_of(
    bodies: Sequence[np.ndarray], shades: Sequence[np.ndarray], skeleton: Skeleton
) -> dict[str, tuple[str, np.ndarray]]:
    """What moves: name -> colour and points (T, points, 2 or 3); the last drawn lies on top in the image.

    Args:
        bodies: joints (T, J, 2 or 3) of each.
        shades: the same of those that are drawn in grey, below the others.
        skeleton: the joint layout of all.
    """
    drawn = strokes(skeleton)
    parts = {}
    if shades:
        parts["ghost"] = GHOST, _pen(shades, [j for stroke in drawn.values() for j in (*stroke, -1)])
    parts |= {side: (SIDES[side], _pen(bodies, stroke)) for side, stroke in drawn.items()}
    if "head" in skeleton.joints:
        parts["head"] = TRUNK, _pen(bodies, [skeleton.index("head")])
    return parts


def _pen(bodies: Sequence[np.ndarray], stroke: Sequence[int]) -> np.ndarray:
    """All bodies drawn in one line, NaN where the pen lifts."""
    pieces = []
    for body in bodies:
        lifted = np.full_like(body[:, :1], np.nan)
        pieces += [np.concatenate([body, lifted], 1)[:, list(stroke)], lifted]
    return np.concatenate(pieces, 1)[:, :-1]


def coordinates(points: np.ndarray) -> dict[str, list]:
    """(points, 2 or 3) as plotly's lists in millimetres.

    Plotly's z is up: its axes are our z, x, y, so that a body facing +Z faces the viewer.
    """
    columns = 1000 * (points.T if points.shape[1] == 2 else points.T[[2, 0, 1]])
    return {a: [None if np.isnan(v) else round(float(v)) for v in c] for a, c in zip("xyz", columns, strict=False)}


def limbs(parts: Mapping[str, tuple[str, np.ndarray]], pixels_per_metre: float | None = None) -> list:
    """One trace per part in its first pose; in space, limbs and heads have the thickness of real ones."""
    scale = pixels_per_metre or 60.0
    trace = go.Scatter3d if pixels_per_metre else go.Scatter
    limb, head = min(max(0.06 * scale, 2.5), 8.0), min(max(0.1 * scale, 4.0), 14.0)
    traces = []
    for name, (colour, points) in parts.items():
        marker = {"size": head if name == "head" else limb / 2, "color": colour}
        mode = "markers" if name == "head" else "lines+markers"
        pen = {"color": colour, "width": limb}
        traces.append(trace(coordinates(points[0]), mode=mode, line=pen, marker=marker, hoverinfo="skip"))
    return traces


def line(points: np.ndarray, colour: str, width: float) -> go.Scatter3d:
    """A line through points (N, 3), ``width`` pixels wide, interrupted at NaN."""
    return go.Scatter3d(coordinates(points), mode="lines", line={"color": colour, "width": width}, hoverinfo="skip")


def floor(low: np.ndarray, high: np.ndarray) -> list:
    """A plate at height 0 with a line every half metre, under a box given by its corners (3,)."""
    (x0, _, z0), (x1, _, z1) = low, high
    corners = np.array([[x0, 0, z0], [x1, 0, z0], [x1, 0, z1], [x0, 0, z1]])
    lines = [p for x in np.arange(x0, x1 + 0.1, 0.5) for p in ([x, 0, z0], [x, 0, z1], GAP)]
    lines += [p for z in np.arange(z0, z1 + 0.1, 0.5) for p in ([x0, 0, z], [x1, 0, z], GAP)]
    light = {"ambient": 1, "diffuse": 0, "specular": 0}
    plate = go.Mesh3d(coordinates(corners), i=[0, 0], j=[1, 2], k=[2, 3], color=FLOOR, lighting=light, hoverinfo="skip")
    return [plate, line(np.array(lines), GRID, 1.5)]


def camera_outline(camera: Camera) -> np.ndarray:
    """The camera's edges as one line (11, 3), metres, NaN between its parts: it opens towards what it sees."""
    to_world = camera.rotation.detach().cpu().double().numpy().T
    centre = camera.center.detach().cpu().double().numpy()
    a, b, c, d = (centre + CAMERA * to_world @ [u, v, 1.6] for u, v in ((-1, -0.7), (1, -0.7), (1, 0.7), (-1, 0.7)))
    return np.array([a, b, c, d, a, centre, b, GAP, c, centre, d])


@dataclass
class View:
    """From where a scene is seen, in units of its longest side around the middle of its box.

    Attributes:
        eye, center: plotly's camera position and the point that it looks at.
        height: of the scene in pixels.
        pixels_per_metre: around ``center``.
    """

    eye: np.ndarray
    center: np.ndarray
    height: int
    pixels_per_metre: float


def view_of(content: np.ndarray) -> View:
    """A view in which the points (N, 3) fill the page's width, the long side of the floor across it."""
    low, high = content.min(0), content.max(0)
    size = (high - low).max()
    content = ((content - (low + high) / 2) / size)[:, [2, 0, 1]]

    azimuth = math.radians(20 if np.ptp(content[:, 1]) >= np.ptp(content[:, 0]) else -60)
    elevation = math.radians(18)
    towards = np.array([math.cos(azimuth), math.sin(azimuth), math.tan(elevation)]) * math.cos(elevation)
    right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    up = np.cross(towards, right)
    aspect = min(max(np.ptp(content @ right) / np.ptp(content @ up), 1.8), 2.6)
    lens = math.tan(math.radians(22.5))  # half of plotly's 45 degrees from top to bottom
    center, distance = np.zeros(3), 3.0
    for _ in range(20):  # each pass measures the picture, then moves the camera so that it just fits
        nearness = distance - (content - center) @ towards
        u, v = (content - center) @ right / nearness, (content - center) @ up / nearness
        center = center + distance * ((u.max() + u.min()) / 2 * right + (v.max() + v.min()) / 2 * up)
        too_small = max(np.ptp(u) / (2 * lens * aspect), np.ptp(v) / (2 * lens))
        distance *= 0.3 + 0.7 * 1.04 * too_small
    height = round(PAGE_WIDTH / aspect)
    return View(center + distance * towards, center, height, height / (2 * lens * distance * size))


def layout_of(low: np.ndarray, high: np.ndarray, view: View, labels: list[dict]) -> dict:
    """Plotly's layout of a scene, a box given by its corners (3,): equal aspect, no axes."""
    size = (high - low) / (high - low).max()
    axes = {"x": 2, "y": 0, "z": 1}
    ranges = {f"{a}axis": {"visible": False, "range": [1000 * low[k], 1000 * high[k]]} for a, k in axes.items()}
    places = {"eye": view.eye, "center": view.center}
    return ranges | {
        "aspectmode": "manual",
        "aspectratio": {a: size[k] for a, k in axes.items()},
        "dragmode": "turntable",
        "annotations": labels,
        "camera": {name: dict(zip("xyz", place, strict=True)) for name, place in places.items()},
    }
