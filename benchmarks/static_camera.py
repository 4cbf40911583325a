"""Does the camera stand still?  The check (:mod:`videomdm.data.recordings.static_camera`) on films of all four kinds.

Rooms with a moving person are filmed by a camera that stands, pans (or tilts, or travels), shakes, or whose film is
cut; some rooms are plain, sensors are noisy, the light flickers, and pictures are compressed twice.  The check sees the
file and the keypoints of a detector that errs, as it does with people's own videos.  Its thresholds were chosen on the
films of :data:`CHOSEN` (and on 25 of each kind from seed 1000); those of :data:`HELD_OUT` were not looked at before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import roma
import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import timing
from benchmarks.timing import Metrics
from videomdm.cameras.camera import Camera
from videomdm.config import Config
from videomdm.conventions import FPS
from videomdm.data.recordings import demonstration, rendering
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.static_camera import VERDICTS
from videomdm.data.recordings.video import Video, watch_camera, writer

KINDS = ("stands", "moves", "shakes", "cut")
FRAMES = 50  # of a film, at 20 per second
SIZES = ((480, 270), (270, 480), (384, 288))  # pixels
CHOSEN, HELD_OUT = 0, 4000  # first seed of the films that thresholds were chosen on, and of those they were not


@dataclass(frozen=True)
class Shot:
    """Everything that is drawn for a film before its pictures are spoilt.

    Attributes:
        joints: (FRAMES, 22, 3) of the person.
        camera: one, or one per frame; ``second`` takes over at frame ``cut`` where there is a cut.
        intrinsics: of both.
        room, second_room: seeds of the rooms' texture.
        plain: whether the rooms have none.
        generator: has drawn all of it.
    """

    joints: Tensor
    camera: Camera
    intrinsics: Intrinsics
    plain: bool
    room: int
    generator: np.random.Generator
    second: Camera | None = None
    second_room: int = 0
    cut: int = FRAMES


def draw(kind: str, seed: int, plain: bool) -> Shot:
    generator = np.random.default_rng((seed, KINDS.index(kind), plain))
    width, height = SIZES[generator.integers(len(SIZES))]
    intrinsics = Intrinsics.from_field_of_view(width, height, generator.uniform(45, 70))
    joints, standing = _scene(generator)
    camera = standing if kind in ("stands", "cut") else _moved(standing, kind, generator)
    shot = Shot(joints, camera, intrinsics, plain, int(generator.integers(1000)), generator)
    if kind != "cut":
        return shot
    # by 90 degrees a plain square room is the same picture again
    second = _around(standing, joints, generator.uniform(20, 70) + 90 * generator.integers(2))
    at = int(generator.integers(12, FRAMES - 12))
    return replace(shot, second=second, cut=at, second_room=shot.room + int(generator.integers(2)))


def detections(shot: Shot, seed: int) -> Detections:
    """What a detector that errs finds in a film."""
    seen = rendering.detect([shot.joints], shot.camera, shot.intrinsics, noise=rendering.Noise(), seed=seed)
    if shot.second is not None:
        other = rendering.detect([shot.joints], shot.second, shot.intrinsics, noise=rendering.Noise(), seed=seed)
        seen.people[shot.cut :] = other.people[shot.cut :]
    return seen


def film(path: Path, shot: Shot) -> None:
    """Write a film; an interrupted one leaves no file of this name."""
    images = list(rendering.frames([shot.joints], shot.camera, shot.intrinsics, shot.room, not shot.plain))
    if shot.second is not None:
        after = [shot.joints[shot.cut :]]
        images[shot.cut :] = rendering.frames(after, shot.second, shot.intrinsics, shot.second_room, not shot.plain)
    partial = path.with_name(f"partial-{path.name}")
    out = writer(partial, shot.intrinsics.width, shot.intrinsics.height, FPS)
    for image in _spoilt(images, shot.generator):
        out.write(image)
    out.release()
    partial.replace(path)


def _scene(generator: np.random.Generator) -> tuple[Tensor, Camera]:
    """Some built-in motion (:data:`FRAMES`, 22, 3) and a camera that stands, as near as all of the person allows."""
    action = demonstration.ACTIONS[generator.integers(len(demonstration.ACTIONS))]
    joints = _scenes()[f"{action}_01"].joints[:FRAMES]
    azimuth, elevation = generator.uniform(-math.pi, math.pi), generator.uniform(0, 0.3)
    return joints, demonstration.framed(joints, azimuth, elevation)


@cache
def _scenes() -> dict[str, demonstration.Scene]:
    return demonstration.scenes(len(demonstration.ACTIONS))


def _moved(camera: Camera, kind: str, generator: np.random.Generator) -> Camera:
    """One camera per frame: it turns or travels, or shakes about the pose where it was."""
    at = torch.arange(FRAMES) / FPS
    if kind == "shakes":
        amplitude, rate = np.radians(generator.uniform(1.5, 4, 3)) * (1, 1, 0.5), generator.uniform(1.5, 5, 3)
        phase = generator.uniform(0, 2 * math.pi, 3)
        angles = torch.stack(
            [a * torch.sin(2 * math.pi * r * at + p) for a, r, p in zip(amplitude, rate, phase, strict=True)], -1
        )
        return _turned(camera, angles.float())
    way, sign = generator.integers(3), generator.choice((-1, 1))
    if way == 2:  # travels to a side
        side = camera.rotation[0] * sign * generator.uniform(0.2, 0.7)
        return Camera(
            camera.rotation.expand(FRAMES, 3, 3),
            -(camera.rotation @ (camera.center + side * at[:, None])[..., None])[..., 0],
        )
    axis = torch.tensor([0.0, 1.0, 0.0]) if way == 0 else torch.tensor([1.0, 0.0, 0.0])
    speed = math.radians(generator.uniform(2, 25) if way == 0 else generator.uniform(2, 8))
    return _turned(camera, sign * speed * at[:, None] * axis)


def _turned(camera: Camera, angles: Tensor) -> Camera:
    """The camera turned by rotation vectors (F, 3) in its own axes, about where it stands."""
    rotation = roma.rotvec_to_rotmat(angles) @ camera.rotation
    return Camera(rotation, -(rotation @ camera.center))


def _around(camera: Camera, joints: Tensor, degrees: float) -> Camera:
    """Another camera, so many degrees further around the person."""
    x, y, z = (camera.center - joints[:, 0].mean(0)).tolist()
    return demonstration.framed(
        joints, math.atan2(x, z) + math.radians(degrees), math.atan2(max(y, 0), math.hypot(x, z))
    )


def _spoilt(images: list[np.ndarray], generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Light that flickers, a sensor's noise, and JPEG: the film's own compression comes on top."""
    noise, quality = generator.uniform(0, 6), int(generator.integers(25, 90))
    flicker, rate = generator.uniform(0, 0.04), generator.uniform(0.2, 8)
    for t, image in enumerate(images):
        light = 1 + flicker * math.sin(2 * math.pi * rate * t / FPS)
        image = image * light + noise * generator.standard_normal((*image.shape[:2], 1))
        _, packed = cv2.imencode(".jpg", image.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        yield cv2.imdecode(packed, cv2.IMREAD_COLOR)


def confusion(n: int, first_seed: int, folder: Path) -> dict[str, dict[str, int]]:
    """For each kind, in rooms with and without texture, how many of ``n`` films get which verdict.

    Films are kept in ``folder``.
    """
    counts = {f"{kind}{room}": dict.fromkeys(VERDICTS, 0) for kind in KINDS for room in ("", "_plain")}
    folder.mkdir(parents=True, exist_ok=True)
    films = product(range(first_seed, first_seed + n), KINDS, (False, True))
    for seed, kind, plain in tqdm(list(films), "filming", unit="film"):
        row = kind + "_plain" * plain
        path, shot = folder / f"{row}-{seed}.mp4", draw(kind, seed, plain)
        if not path.exists():
            film(path, shot)
        counts[row][watch_camera(Video(path), detections(shot, seed)).verdict] += 1
    return counts


def show(counts: dict[str, dict[str, int]]) -> None:
    print(f"{'':14s}" + "".join(f"{verdict:>9s}" for verdict in VERDICTS))
    for kind, row in counts.items():
        print(f"{kind:14s}" + "".join(f"{n:9d}" for n in row.values()), flush=True)


def run(config: Config, results: Path, films: int) -> Path:
    """Films of every kind from both sets of seeds; how many got which verdict.

    Films stay in ``config.runs/static_camera``, and a second start takes those that are there.
    """
    began = time.monotonic()
    metrics: Metrics = {"films_of_a_kind": films}
    for name, first in (("chosen", CHOSEN), ("held_out", HELD_OUT)):
        counts = confusion(films, first, Path(config.runs) / "static_camera")
        print(f"{name}: filmed as in the rows, called as in the columns")
        show(counts)
        metrics |= {f"{name}_{kind}_called_{v}": n for kind, row in counts.items() for v, n in row.items()}
    return timing.write(results, "static_camera", config, metrics, began)
