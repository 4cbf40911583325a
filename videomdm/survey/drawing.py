"""Films of stick figures as the players draw them: the same colours, a floor with half-metre lines, a still camera.

Every method of a scene is drawn by the same camera on the same floor, so that nothing but the motion differs.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from videomdm.cameras import Camera, orbit
from videomdm.plots.style import FLOOR, GHOST, GRID, SIDES, TRUNK, side
from videomdm.skeletons import Skeleton

SIZE = 480  # pixels, width and height of a film
AZIMUTH, ELEVATION = math.radians(20), math.radians(16)  # from the front, a little from the body's left
FOCAL = 1.7  # focal length in image widths: a calm perspective, 33 degrees across
MARGIN = 0.44  # of the image, from its middle to where content may reach
LIMB, HEAD = 0.06, 0.10  # metres: width of a limb, radius of a head
_OVERSAMPLING = 2  # films are drawn so much larger and scaled down, which smooths edges
_SHADOW = "#e4dfd4"
_MAX_REFERENCE_FRAMES = 30 * 60  # a minute


@dataclass(frozen=True)
class View:
    """What a film looks like before anybody moves.

    Attributes:
        camera: a single camera.
        low, high: (x, z) corners of the floor in metres, at whole half metres.
    """

    camera: Camera
    low: tuple[float, float]
    high: tuple[float, float]

    def pixels(self, points: Tensor, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2) of points (..., 3) in an image of ``size``, and their depth (...) in metres."""
        image, depth = self.camera.project(points.reshape(-1, 3))
        image = (size / 2 + FOCAL * size * image).numpy()
        return image.reshape(*points.shape[:-1], 2), depth.numpy().reshape(points.shape[:-1])


def view_of(motions: Sequence[Tensor]) -> View:
    """The view in which all joints of all motions (T, J, 3) just fit the picture."""
    points = torch.cat([motion.reshape(-1, 3) for motion in motions]).float()
    low, high = points.amin(0), points.amax(0)
    low[1] = low[1].clamp(max=0)
    target = (low + high) / 2
    camera = orbit(AZIMUTH, ELEVATION, target, 0.0)
    x, y, z = camera.to_camera(points).unbind(-1)
    distance = (FOCAL / MARGIN * torch.maximum(x.abs(), y.abs()) - z).max().clamp(min=3.0)
    floor_low, floor_high = (2 * (low - 0.4)).floor() / 2, (2 * (high + 0.4)).ceil() / 2
    return View(
        orbit(AZIMUTH, ELEVATION, target, float(distance)),
        (float(floor_low[0]), float(floor_low[2])),
        (float(floor_high[0]), float(floor_high[2])),
    )


def draw(joints: Tensor, skeleton: Skeleton, view: View, size: int = SIZE) -> Iterator[np.ndarray]:
    """Frames of a film, uint8 (size, size, 3) in OpenCV's order of colours (blue, green, red).

    Args:
        joints: (T, J, 3), metres, Y up.
        skeleton: the joint layout; left limbs are blue, right ones orange.
        view: where the camera stands, from :func:`view_of`.
        size: width and height in pixels.
    """
    large = size * _OVERSAMPLING
    joints = joints.detach().cpu().float()
    pixels, depth = view.pixels(joints, large)
    on_floor = joints * torch.tensor([1.0, 0.0, 1.0])
    shadows, shadow_depth = view.pixels(on_floor, large)
    stage = _stage(view, shadows[:, 0], large)
    parents, children = (np.array(ends) for ends in zip(*skeleton.bones, strict=True))
    colours = [_bgr(SIDES[side(skeleton.joints[child])]) for child in children]
    order = np.argsort(-(depth[:, parents] + depth[:, children]), axis=1)  # far bones first
    widths = _pixels_of(LIMB, (depth[:, parents] + depth[:, children]) / 2, large)
    shadow_widths = _pixels_of(LIMB, (shadow_depth[:, parents] + shadow_depth[:, children]) / 2, large)
    head = skeleton.joints.index("head") if "head" in skeleton.joints else None
    radii = _pixels_of(HEAD, depth, large)
    for t in range(len(joints)):
        picture = stage.copy()
        for bone, (a, b) in enumerate(skeleton.bones):
            _stroke(picture, shadows[t, a], shadows[t, b], _bgr(_SHADOW), shadow_widths[t, bone])
        for bone in order[t]:
            ends = pixels[t, parents[bone]], pixels[t, children[bone]]
            _stroke(picture, *ends, (255, 255, 255), widths[t, bone] + 2 * _OVERSAMPLING)
            _stroke(picture, *ends, colours[bone], widths[t, bone])
        if head is not None:
            centre = tuple(np.round(pixels[t, head]).astype(int).tolist())
            cv2.circle(picture, centre, int(radii[t, head]), _bgr(TRUNK), cv2.FILLED)
        yield cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def _stage(view: View, path: np.ndarray, size: int) -> np.ndarray:
    """The floor, its lines and the way of the root (T, 2) on it."""
    picture = np.full((size, size, 3), 255, np.uint8)
    (x0, z0), (x1, z1) = view.low, view.high
    corners = view.pixels(torch.tensor([[x0, 0, z0], [x1, 0, z0], [x1, 0, z1], [x0, 0, z1]]), size)[0]
    cv2.fillConvexPoly(picture, np.round(corners).astype(np.int32), _bgr(FLOOR), cv2.LINE_AA)
    lines = [[[x, 0, z0], [x, 0, z1]] for x in np.arange(x0, x1 + 0.1, 0.5)]
    lines += [[[x0, 0, z], [x1, 0, z]] for z in np.arange(z0, z1 + 0.1, 0.5)]
    for a, b in view.pixels(torch.tensor(lines, dtype=torch.float32), size)[0]:
        _stroke(picture, a, b, _bgr(GRID), _OVERSAMPLING)
    cv2.polylines(picture, [np.round(path).astype(np.int32)], False, _bgr(GHOST), 2 * _OVERSAMPLING, cv2.LINE_AA)
    return picture


def _pixels_of(metres: float, depth: np.ndarray, size: int) -> np.ndarray:
    return np.maximum(FOCAL * size * metres / np.maximum(depth, 0.1), 2.0)


def _stroke(picture: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple, width: float) -> None:
    a, b = (tuple(np.round(point).astype(int).tolist()) for point in (start, end))
    cv2.line(picture, a, b, colour, max(int(round(width)), 1), cv2.LINE_AA)


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red


# ---- files ------------------------------------------------------------------------------------------------


def write_film(path: Path, frames: Iterator[np.ndarray], fps: float) -> None:
    """Write frames as a film that browsers play (WebM with VP8) and the first one beside it as a poster (.jpg).

    Raises:
        OSError: OpenCV cannot write a film there.
    """
    writer = None
    partial = path.with_name(f".{path.stem}.partial.webm")
    for frame in frames:
        if writer is None:
            cv2.imwrite(str(path.with_suffix(".jpg")), frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
            with _quiet():
                size = frame.shape[1::-1]
                writer = cv2.VideoWriter(str(partial), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"VP80"), fps, size)
            if not writer.isOpened():
                raise OSError(f"{path}: OpenCV cannot write a WebM film there; its FFmpeg needs libvpx")
        writer.write(frame)
    if writer is None:
        raise OSError(f"{path}: a film without frames, expected at least one")
    writer.release()
    os.replace(partial, path)


def read_film(path: Path) -> tuple[Iterator[np.ndarray], float]:
    """Frames (H, W, 3) uint8 BGR of a video, at most ``SIZE`` high and a minute long, and its frames per second.

    Raises:
        ValueError: OpenCV cannot read the file.
    """
    video = cv2.VideoCapture(str(path))
    fps = video.get(cv2.CAP_PROP_FPS)
    if not video.isOpened() or not 1 <= fps <= 240:
        raise ValueError(f"{path}: not a video that OpenCV reads")
    return _scaled(video), fps


def _scaled(video: cv2.VideoCapture) -> Iterator[np.ndarray]:
    for _ in range(_MAX_REFERENCE_FRAMES):
        there, frame = video.read()
        if not there:
            break
        scale = min(SIZE / frame.shape[0], 1.0)
        # Colours have half the resolution, so sides are even.
        width, height = (2 * round(scale * length / 2) for length in frame.shape[1::-1])
        yield cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    video.release()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV says on the standard error of every WebM file that it chooses the codec's tag itself."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
