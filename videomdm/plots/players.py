"""Moving stick figures, in space and in the image.

Players stay small: coordinates are whole millimetres, and frames are dropped evenly from long clips so that
a player has less than 300 KB of JSON.  All bodies of a player share one scene: browsers draw only about 16.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.conventions import FPS
from videomdm.plots.offline import InteractiveFigure
from videomdm.plots.style import (
    FLOOR,
    GHOST,
    GRID,
    INK,
    SIDES,
    TRUNK,
    checked_joints,
    checked_keypoints,
    layout,
    strokes,
)
from videomdm.skeletons.definitions import SMPL22, Skeleton

MAX_BYTES = 270_000  # of a player's frames
LANE_GAP = 0.7  # metres of floor between two motions
CAMERA = 0.3  # half the width of a camera's drawing, metres
PAGE_WIDTH, CONTROLS_HEIGHT = 740, 70  # pixels
GAP = (np.nan,) * 3


def player(
    motions: Mapping[str, Tensor],
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    ghosts: Mapping[str, Tensor] | None = None,
    camera: Camera | None = None,
    title: str = "",
) -> InteractiveFigure:
    """Stick figures that move side by side on one floor, with play, pause and a slider.

    Args:
        motions: label -> joints (T, J, 3) in metres, Y up; a shorter motion holds its last pose.
        skeleton: joint layout of all of them.
        fps: frames per second of the motions; the player keeps this speed.
        ghosts: label -> joints drawn in grey over the motion of that label, for instance the teacher.
        camera: the camera, or batch (n,) of cameras, that saw the first motion, in that motion's frame; drawn
            as pyramids.
        title: a line above the figure.

    Raises:
        ValueError: no motions, a wrong shape, values that are not finite, a ghost without its motion.
    """
    ghosts = ghosts or {}
    if not motions:
        raise ValueError("player: motions is empty, expected at least one label with joints (T, J, 3)")
    if unknown := set(ghosts) - set(motions):
        raise ValueError(f"player: ghosts {sorted(unknown)} without a motion; motions: {list(motions)}")
    bodies = [checked_joints(joints, f"motion {name!r}", skeleton) for name, joints in motions.items()]
    shades = [checked_joints(joints, f"ghost {name!r}", skeleton) for name, joints in ghosts.items()]
    n_frames = max(map(len, bodies + shades))
    lanes = dict(zip(motions, _lanes(bodies), strict=True))
    bodies = [_hold(body, n_frames) + shift for body, shift in zip(bodies, lanes.values(), strict=True)]
    shades = [_hold(shade, n_frames) + lanes[name] for name, shade in zip(ghosts, shades, strict=True)]

    low, high = _bounds(bodies + shades)
    content = [np.array([[x, low[1], z] for x in (low[0], high[0]) for z in (low[2], high[2])])]
    content += [body[::5].reshape(-1, 3) for body in bodies]
    content += [_above(body)[None] for body in bodies]  # the head's ball, and the name
    fixed = _floor(low, high) + [_line(body[:, 0] * [1, 0, 1], GHOST, 2.5) for body in bodies]
    if camera is not None:
        for one in camera if camera.batch_shape else camera[None]:
            corners = camera_outline(one) + lanes[next(iter(motions))]
            fixed.append(_line(corners, INK, 2.5))
            content.append(corners[np.isfinite(corners).all(1)])
    content = np.concatenate(content)
    low, high = content.min(0), content.max(0)
    view = _view(content)
    parts = _parts(bodies, shades, skeleton)
    frames, stride = _frames(parts)
    figure = InteractiveFigure([*_limbs(parts, view.pixels_per_metre), *fixed], frames=frames)
    figure.update_layout(_controls(len(frames), fps / stride, view.height, title))
    labels = [_label(name, body) for name, body in zip(motions, bodies, strict=True)]
    figure.update_layout(scene=_scene(low, high, view, labels))
    return figure


def keypoints_over(
    keypoints: Tensor,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    over: Tensor | None = None,
    title: str = "",
) -> InteractiveFigure:
    """2-D keypoints that move in the image, optionally over a second set in grey (a reprojection, the truth).

    Args:
        keypoints: (T, J, 2) in normalised image coordinates: x to the right, y down.
        skeleton: their joint layout.
        fps: frames per second.
        over: (T, J, 2), the set that ``keypoints`` is drawn over.
        title: a line above the figure.

    Raises:
        ValueError: a wrong shape, different lengths, or values that are not finite.
    """
    sets = [checked_keypoints(keypoints, "keypoints", skeleton)]
    if over is not None:
        sets.append(checked_keypoints(over, "over", skeleton))
        if len(sets[1]) != len(sets[0]):
            raise ValueError(f"keypoints_over: {len(sets[0])} frames of keypoints over {len(sets[1])}")
    parts = _parts(sets[:1], sets[1:], skeleton)
    frames, stride = _frames(parts)
    figure = InteractiveFigure(_limbs(parts), frames=frames)
    figure.update_layout(_controls(len(frames), fps / stride, 400, title))
    seen = 1000 * np.concatenate(sets)
    low, high = seen.min((0, 1)), seen.max((0, 1))
    margin = 0.08 * (high - low).max() + 1
    border = {"visible": True, "showticklabels": False, "showgrid": False, "zeroline": False, "mirror": True}
    border |= {"linecolor": GRID, "linewidth": 1, "ticks": "", "constrain": "domain"}
    figure.update_xaxes(border, range=[low[0] - margin, high[0] + margin])
    figure.update_yaxes(border, range=[high[1] + margin, low[1] - margin], scaleanchor="x")
    return figure


def _hold(joints: np.ndarray, n_frames: int) -> np.ndarray:
    return np.concatenate([joints, np.repeat(joints[-1:], n_frames - len(joints), 0)])


def _lanes(bodies: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A shift along X for each body that sets it beside the one before, to the viewer's right."""
    shifts, edge = [], 0.0
    for body in bodies:
        low, high = body[..., 0].min(), body[..., 0].max()
        shifts.append(np.array([edge - low, 0, 0], dtype=np.float32) if len(bodies) > 1 else np.zeros(3))
        edge += high - low + LANE_GAP
    return shifts


def _bounds(bodies: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a box around all bodies that stands on the floor, which ends at whole half metres."""
    low = np.min([b.min((0, 1)) for b in bodies], 0) - [0.2, 0, 0.2]
    high = np.max([b.max((0, 1)) for b in bodies], 0) + [0.2, 0, 0.2]
    low[[0, 2]], high[[0, 2]] = np.floor(2 * low[[0, 2]]) / 2, np.ceil(2 * high[[0, 2]]) / 2
    return np.minimum(low, [np.inf, 0, np.inf]), high


def _parts(
    bodies: Sequence[np.ndarray], shades: Sequence[np.ndarray], skeleton: Skeleton
) -> dict[str, tuple[str, np.ndarray]]:
    """What moves: name -> colour and points (T, points, 2 or 3); the last drawn lies on top in the image."""
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


def _coordinates(points: np.ndarray) -> dict[str, list]:
    """(points, 2 or 3) as plotly's lists in millimetres.

    Plotly's z is up: its axes are our z, x, y, so that a body facing +Z faces the viewer.
    """
    columns = 1000 * (points.T if points.shape[1] == 2 else points.T[[2, 0, 1]])
    return {a: [None if np.isnan(v) else round(float(v)) for v in c] for a, c in zip("xyz", columns, strict=False)}


def _limbs(parts: Mapping[str, tuple[str, np.ndarray]], pixels_per_metre: float | None = None) -> list:
    """One trace per part in its first pose; in space, limbs and heads have the thickness of real ones."""
    scale = pixels_per_metre or 60.0
    trace = go.Scatter3d if pixels_per_metre else go.Scatter
    limb, head = min(max(0.06 * scale, 2.5), 8.0), min(max(0.1 * scale, 4.0), 14.0)
    limbs = []
    for name, (colour, points) in parts.items():
        marker = {"size": head if name == "head" else limb / 2, "color": colour}
        mode = "markers" if name == "head" else "lines+markers"
        line = {"color": colour, "width": limb}
        limbs.append(trace(_coordinates(points[0]), mode=mode, line=line, marker=marker, hoverinfo="skip"))
    return limbs


def _frames(parts: Mapping[str, tuple[str, np.ndarray]]) -> tuple[list[go.Frame], int]:
    """Animation frames of at most MAX_BYTES in all, and how many frames of the motion each one stands for."""
    moving = [points for _, points in parts.values()]
    kind = "scatter3d" if moving[0].shape[-1] == 3 else "scatter"
    stride = math.ceil(len(moving[0]) * (450 + 5.2 * sum(m[0].size for m in moving)) / MAX_BYTES)
    frames = [
        go.Frame(
            name=str(k),
            traces=list(range(len(moving))),
            data=[{"type": kind, **_coordinates(m[t])} for m in moving],
        )
        for k, t in enumerate(range(0, len(moving[0]), stride))
    ]
    return frames, stride


def _line(points: np.ndarray, colour: str, width: float) -> go.Scatter3d:
    return go.Scatter3d(_coordinates(points), mode="lines", line={"color": colour, "width": width}, hoverinfo="skip")


def _floor(low: np.ndarray, high: np.ndarray) -> list:
    """A plate at height 0 under all bodies, with a line every half metre."""
    (x0, _, z0), (x1, _, z1) = low, high
    corners = np.array([[x0, 0, z0], [x1, 0, z0], [x1, 0, z1], [x0, 0, z1]])
    lines = [p for x in np.arange(x0, x1 + 0.1, 0.5) for p in ([x, 0, z0], [x, 0, z1], GAP)]
    lines += [p for z in np.arange(z0, z1 + 0.1, 0.5) for p in ([x0, 0, z], [x1, 0, z], GAP)]
    light = {"ambient": 1, "diffuse": 0, "specular": 0}
    plate = go.Mesh3d(
        _coordinates(corners), i=[0, 0], j=[1, 2], k=[2, 3], color=FLOOR, lighting=light, hoverinfo="skip"
    )
    return [plate, _line(np.array(lines), GRID, 1.5)]


def camera_outline(camera: Camera) -> np.ndarray:
    """The camera's edges as one line (11, 3), metres, NaN between its parts: it opens towards what it sees."""
    to_world = camera.rotation.detach().cpu().double().numpy().T
    centre = camera.center.detach().cpu().double().numpy()
    a, b, c, d = (centre + CAMERA * to_world @ [u, v, 1.6] for u, v in ((-1, -0.7), (1, -0.7), (1, 0.7), (-1, 0.7)))
    return np.array([a, b, c, d, a, centre, b, GAP, c, centre, d])


def _label(name: str, body: np.ndarray) -> dict:
    """The motion's name above the body's first pose."""
    x, y, z = (1000 * _above(body)).tolist()
    return {"text": name, "x": z, "y": x, "z": y, "showarrow": False, "font": {"color": INK, "size": 13}}


def _above(body: np.ndarray) -> np.ndarray:
    """(3,) metres, a place above the first pose of a body (T, J, 3)."""
    return body[0].mean(0) * [1, 0, 1] + [0, body[0, :, 1].max() + 0.35, 0]


@dataclass
class _View:
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


def _view(content: np.ndarray) -> _View:
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
    return _View(center + distance * towards, center, height, height / (2 * lens * distance * size))


def _scene(low: np.ndarray, high: np.ndarray, view: _View, labels: list[dict]) -> dict:
    """Equal aspect, no axes."""
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


def _controls(n_frames: int, fps: float, height: int, title: str) -> dict:
    """A layout of ``height`` pixels with play, pause and a slider in seconds below."""

    def go_to(target, duration: float) -> list:
        timing = {"frame": {"duration": duration, "redraw": True}, "transition": {"duration": 0}}
        return [target, timing | {"mode": "immediate", "fromcurrent": True}]

    buttons = [
        {"label": "▶", "method": "animate", "args": go_to(None, round(1000 / fps))},
        {"label": "❚❚", "method": "animate", "args": go_to([None], 0)},
    ]
    steps = [{"label": f"{k / fps:.2f}", "method": "animate", "args": go_to([str(k)], 0)} for k in range(n_frames)]
    below = {"y": 0, "yanchor": "top", "xanchor": "left", "bordercolor": GRID, "bgcolor": FLOOR}
    menu = {
        "type": "buttons",
        "direction": "left",
        "buttons": buttons,
        "showactive": False,
        "x": 0,
        "pad": {"t": 8},
    }
    slider = {
        "steps": steps, "x": 0.16, "len": 0.84, "pad": {"t": 4}, "ticklen": 0, "minorticklen": 0,
        "font": {"color": "rgba(0,0,0,0)"},
        "currentvalue": {"suffix": " s", "xanchor": "right", "font": {"color": INK, "size": 12}},
    }  # fmt: skip
    height += CONTROLS_HEIGHT + (40 if title else 0)
    return layout(height, title) | {"updatemenus": [menu | below], "sliders": [slider | below]}
