"""Moving stick figures, in space and in the image.

Players stay small: coordinates are whole millimetres, and frames are dropped evenly from long clips so that
a player has less than 300 KB of JSON.  All bodies of a player share one scene: browsers draw only about 16.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.conventions import FPS
from videomdm.plots import space
from videomdm.plots.offline import InteractiveFigure
from videomdm.plots.style import (
    FLOOR,
    GHOST,
    GRID,
    INK,
    checked_joints,
    checked_keypoints,
    layout,
)
from videomdm.skeletons.definitions import SMPL22, Skeleton

MAX_BYTES = 270_000  # of a player's frames
LANE_GAP = 0.7  # metres of floor between two motions
CONTROLS_HEIGHT = 70  # pixels


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
    fixed = space.floor(low, high) + [space.line(body[:, 0] * [1, 0, 1], GHOST, 2.5) for body in bodies]
    if camera is not None:
        for one in camera if camera.batch_shape else camera[None]:
            corners = space.camera_outline(one) + lanes[next(iter(motions))]
            fixed.append(space.line(corners, INK, 2.5))
            content.append(corners[np.isfinite(corners).all(1)])
    content = np.concatenate(content)
    low, high = content.min(0), content.max(0)
    view = space.view_of(content)
    parts = space.parts_of(bodies, shades, skeleton)
    frames, stride = _frames(parts)
    figure = InteractiveFigure([*space.limbs(parts, view.pixels_per_metre), *fixed], frames=frames)
    figure.update_layout(_controls(len(frames), fps / stride, view.height, title))
    labels = [_label(name, body) for name, body in zip(motions, bodies, strict=True)]
    figure.update_layout(scene=space.layout_of(low, high, view, labels))
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
            raise ValueError(f"over: {len(sets[0])} frames of keypoints over {len(sets[1])}, expected as many")
    parts = space.parts_of(sets[:1], sets[1:], skeleton)
    frames, stride = _frames(parts)
    figure = InteractiveFigure(space.limbs(parts), frames=frames)
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


def _frames(parts: Mapping[str, tuple[str, np.ndarray]]) -> tuple[list[go.Frame], int]:
    """Animation frames of at most MAX_BYTES in all, and how many frames of the motion each one stands for."""
    moving = [points for _, points in parts.values()]
    kind = "scatter3d" if moving[0].shape[-1] == 3 else "scatter"
    stride = math.ceil(len(moving[0]) * (450 + 5.2 * sum(m[0].size for m in moving)) / MAX_BYTES)
    frames = [
        go.Frame(
            name=str(k),
            traces=list(range(len(moving))),
            data=[{"type": kind, **space.coordinates(m[t])} for m in moving],
        )
        for k, t in enumerate(range(0, len(moving[0]), stride))
    ]
    return frames, stride


def _label(name: str, body: np.ndarray) -> dict:
    """The motion's name above the body's first pose."""
    x, y, z = (1000 * _above(body)).tolist()
    return {"text": name, "x": z, "y": x, "z": y, "showarrow": False, "font": {"color": INK, "size": 13}}


def _above(body: np.ndarray) -> np.ndarray:
    """(3,) metres, a place above the first pose of a body (T, J, 3)."""
    return body[0].mean(0) * [1, 0, 1] + [0, body[0, :, 1].max() + 0.35, 0]


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
