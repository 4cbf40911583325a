"""Small videos, cameras that move and a detector of the renderer's figures."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from videomdm.cameras import Camera
from videomdm.data.recordings import video
from videomdm.skeletons import HALPE26


def write_numbered(path, frames, fps=20.0, size=(64, 48)):
    """Frames of the grey level 8 k."""
    film = video.writer(path, *size, fps)
    for k in range(frames):
        film.write(np.full((size[1], size[0], 3), 8 * k, np.uint8))
    film.release()
    return path


def av_film(path, times, rate=20, size=(64, 48), aspect=None):
    """A film of noise with frames at given seconds, by PyAV; skipped without it."""
    av = pytest.importorskip("av", reason="needs PyAV to write the film")
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=rate, width=size[0], height=size[1], pix_fmt="yuv420p")
        stream.codec_context.time_base = Fraction(1, 1000)
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        for time in times:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def panned(camera, frames, degrees_per_second):
    angles = torch.deg2rad(degrees_per_second * torch.arange(frames) / 20)
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros(frames)
    turn = torch.stack([cos, zero, -sin, zero, zero + 1, zero, sin, zero, cos], dim=-1).unflatten(-1, (3, 3))
    rotation = turn @ camera.rotation
    return Camera(rotation, -(rotation @ camera.center))


class RedShirt:
    """A detector for the renderer's first person: finds the red shirt and puts a standing body around it."""

    layout = HALPE26
    #: x and y in torsos (width and height), the shirt's box being (0, 0) to (1, 1), for the right side of the image
    places = {
        "nose": (0.5, -0.3), "eye": (0.55, -0.35), "ear": (0.6, -0.3), "shoulder": (0.85, 0.1), "elbow": (1.0, 0.5),
        "wrist": (1.0, 0.9), "hip": (0.7, 1.05), "knee": (0.72, 1.8), "ankle": (0.74, 2.5), "head": (0.5, -0.6),
        "neck": (0.5, 0.0), "pelvis": (0.5, 1.05), "big_toe": (0.8, 2.65), "small_toe": (0.9, 2.65), "heel": (0.7, 2.6),
    }  # fmt: skip

    def __call__(self, image):
        blue, green, red = np.moveaxis(image.astype(float), -1, 0)
        shirt = (red > 1.7 * green) & (red > 50)
        if shirt.sum() < 50:
            return np.zeros((0, 26, 3))
        rows, columns = np.nonzero(shirt)
        (top, bottom), (start, end) = (np.percentile(v, (2, 98)) for v in (rows, columns))
        body = []
        for name in HALPE26.joints:
            x, y = self.places[name.removeprefix("left_").removeprefix("right_")]
            x = 1 - x if name.startswith("right_") else x
            body.append((start + x * (end - start), top + y * (bottom - top), 0.9))
        return np.array(body)[None]
