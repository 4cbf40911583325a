"""Motions as moving stick figures: GIF and video."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.export.npz import check_motion
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.storage.film import open_film


def to_gif(
    path: str | Path,
    joints: Tensor,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    title: str = "",
    size: int = 320,
) -> None:
    """Draw a clip as an animated GIF of a stick figure on the ground (needs no ffmpeg).

    Args:
        path: file to write.
        joints: (T, J, 3), metres, Y up.
        skeleton: the joint layout; left limbs are blue, right ones red.
        fps: frames per second; GIF rounds a frame's time to 1/100 s.
        title: a line above the figure.
        size: width and height in pixels.

    Raises:
        ValueError: another shape, or a joint that is not finite.
    """
    first, *rest = (Image.fromarray(frame) for frame in draw(joints, skeleton, title, size))
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)


def to_mp4(
    path: str | Path,
    joints: Tensor,
    skeleton: Skeleton = SMPL22,
    fps: float = FPS,
    title: str = "",
    size: int = 480,
) -> None:
    """Draw a clip as a film of a stick figure that a browser plays; arguments as for :func:`to_gif`.

    It is in H.264 where this machine can encode that, else in VP9 (:mod:`videomdm.storage.film`).

    Raises:
        ValueError: as :func:`to_gif`, or a name that does not end in .mp4.
        OSError: the file cannot be written here.
    """
    frames = draw(joints, skeleton, title, size)
    film = open_film(path, size, size, fps)
    for frame in frames:
        film.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    film.release()


def draw(joints: Tensor, skeleton: Skeleton = SMPL22, title: str = "", size: int = 320) -> Iterator[np.ndarray]:
    """Frames of a stick figure film, uint8 (size, size, 3) RGB, seen from the front left, slightly above."""
    check_motion(joints, skeleton)
    return _draw(joints.detach().cpu().double().numpy()[..., [0, 2, 1]] * (1, -1, 1), skeleton, title, size)


def _draw(points: np.ndarray, skeleton: Skeleton, title: str, size: int) -> Iterator[np.ndarray]:
    """``points`` (T, J, 3) have matplotlib's axes: x right, y away, z up."""
    figure = Figure(figsize=(size / 100, size / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 0.94), projection="3d", computed_zorder=False)
    figure.suptitle("\n".join(textwrap.wrap(title, size // 6)), fontsize=9, y=0.99)
    low, high = points.min((0, 1)) - 0.3, points.max((0, 1)) + 0.3
    low[2], high[2] = low[2] + 0.3, high[2] - 0.2
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(high - low, zoom=1.1)
    axes.view_init(elev=12, azim=-65)
    axes.set_axis_off()
    ground = np.meshgrid(*(np.linspace(low[k], high[k], 2) for k in (0, 1)))
    axes.plot_surface(*ground, np.full((2, 2), low[2]), color="0.85", shade=False, zorder=0)
    axes.plot(*points[:, 0, :2].T, low[2], color="0.6", linewidth=1, zorder=1)
    bones = [
        axes.plot(*points[0, [p, j]].T, color=_colour(skeleton.joints[j]), linewidth=2.5, zorder=2)[0]
        for p, j in skeleton.bones
    ]
    for pose in points:
        for line, (p, j) in zip(bones, skeleton.bones, strict=True):
            line.set_data_3d(*pose[[p, j]].T)
        canvas.draw()
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _colour(joint: str) -> str:
    return {"left": "tab:blue", "right": "tab:red"}.get(joint.partition("_")[0], "0.2")
