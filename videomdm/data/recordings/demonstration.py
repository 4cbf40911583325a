"""A folder of videos in which everything is known: built-in motions, rendered, with what a detector would see.

It stands in for a user's own folder where there is none, and what is made of it can be compared with the truth.
Keypoints lie beside the videos, so that no detector is needed, and err as a detector's do
(:class:`videomdm.data.recordings.rendering.Noise`); captions are in ``captions.csv``.  Two recordings are unfit on
purpose: a
camera that pans, and a file that was cut off.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import roma
import torch
from torch import Tensor

from videomdm import cameras
from videomdm.cameras.camera import Camera
from videomdm.conventions import FPS
from videomdm.data import procedural
from videomdm.data.corpus import Corpus, from_clips
from videomdm.data.recordings import keypoint_json, rendering
from videomdm.data.recordings.detections import Intrinsics, KeypointTrack
from videomdm.skeletons.definitions import SMPL22

#: Actions of the built-in corpus that are filmed, in this order.
ACTIONS = ("walk", "wave_both", "squat", "walk_curve", "jumping_jacks", "walk_and_return", "punch", "lunge")
SIZE = (384, 288)  # pixels
FIELD_OF_VIEW = 60.0  # degrees across the diagonal
INTRINSICS = Intrinsics.from_field_of_view(*SIZE, FIELD_OF_VIEW)
SEED = 7  # of motions and bodies; the corpus that priors are trained on has 0
FRAMES = (100, 140)  # shortest and longest recording
MARGIN = 0.06  # of the image's sides that stays empty
PAN = 6.0  # degrees per second of the camera that moves


@dataclass(frozen=True)
class Scene:
    """The truth behind one video.

    Attributes:
        joints: (T, 22, 3) metres, Y up, floor at 0, at 20 fps.
        camera: the static camera.
        caption: what the person does.
    """

    joints: Tensor
    camera: Camera
    caption: str

    def part(self, track: KeypointTrack) -> Tensor:
        """The joints (T', 22, 3) behind a track, or a clip of one, of this video."""
        first = round(track.start * FPS)
        return self.joints[first : first + len(track)]


def ground_truth(tracks: Sequence[KeypointTrack], scenes: Mapping[str, Scene]) -> tuple[Corpus, Camera]:
    """The truth behind clips of these videos, and the cameras (C,) that saw it.

    Args:
        tracks: named ``video`` or ``video@frame``, as :meth:`videomdm.data.recordings.detections.KeypointTrack.cut`
        does.
        scenes: of the videos, from :func:`write`.
    """
    own = [scenes[track.name.partition("@")[0]] for track in tracks]
    clips = [scene.part(track) for scene, track in zip(own, tracks, strict=True)]
    cameras = (torch.stack([getattr(s.camera, part) for s in own]) for part in ("rotation", "translation"))
    names = [track.name for track in tracks]
    return from_clips(clips, names, [(s.caption,) for s in own], [""] * len(own), SMPL22), Camera(*cameras)


def calibrated(track: KeypointTrack) -> KeypointTrack:
    """A track of one of these videos by the lens that filmed it, whatever field of view was assumed on reading."""
    return replace(track, keypoints=INTRINSICS.normalise(track.pixels), intrinsics=INTRINSICS)


def write(folder: str | Path, n_videos: int = 6, unfit: bool = True) -> dict[str, Scene]:
    """Write the folder; films that are there already and show the same are left as they are.

    Args:
        folder: made where it is missing.
        n_videos: good ones, at most as many as :data:`ACTIONS`.
        unfit: add the two that cannot be used, ``panning`` and ``cut_off``.

    Returns:
        The scene behind each good video, by its name without ending.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shown = scenes(n_videos)
    for k, (name, scene) in enumerate(shown.items()):
        _write(folder / name, scene.joints, scene.camera, k)
    if unfit:
        scene = next(iter(shown.values()))
        _write(folder / "panning", scene.joints[:50], _panned(scene.camera, 50), 0)
        whole = (folder / next(iter(shown))).with_suffix(".mp4").read_bytes()
        (folder / "cut_off.mp4").write_bytes(whole[: len(whole) // 2])
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "caption"), *((name, s.caption) for name, s in shown.items())])
    return shown


def scenes(n_videos: int) -> dict[str, Scene]:
    """The scenes of the first so many of :data:`ACTIONS`, each with an orbit camera; people face anywhere."""
    corpus = procedural.generate(5 * len(ACTIONS), SEED, min_frames=FRAMES[0], max_frames=FRAMES[1])
    generator = torch.Generator().manual_seed(SEED)
    made = {}
    for action in ACTIONS[:n_videos]:
        i = corpus.actions.index(action)
        azimuth = math.radians(120) * (float(torch.rand((), generator=generator)) - 0.5)
        low, high = (math.radians(e) for e in cameras.ORBIT_ELEVATION)
        elevation = low + (high - low) * float(torch.rand((), generator=generator))
        joints = corpus.clip(i)
        made[f"{action}_01"] = Scene(joints, framed(joints, azimuth, elevation), corpus.captions[i][0])
    return made


def framed(joints: Tensor, azimuth: float, elevation: float) -> Camera:
    """The nearest orbit camera (radians) that sees all of a motion (T, 22, 3)."""
    target = (joints.amin((0, 1)) + joints.amax((0, 1))) / 2
    size, distance = torch.tensor(SIZE), cameras.ORBIT_MIN_DEPTH
    while True:
        camera = cameras.orbit(azimuth, elevation, target, distance)
        image, depth = camera.project(rendering.landmarks(joints))
        share = INTRINSICS.to_pixels(image) / size
        if depth.min() > 1 and share.min() > MARGIN and share.max() < 1 - MARGIN:
            return camera
        distance *= 1.05


def _write(stem: Path, joints: Tensor, camera: Camera, seed: int) -> None:
    """A film and its keypoints, unless both are there and of this scene: another version's corpus moves otherwise."""
    video, keypoints, own = (stem.with_name(stem.name + ending) for ending in (".mp4", ".json", ".json.part"))
    seen = rendering.detect([joints], camera, INTRINSICS, noise=rendering.Noise(), seed=seed, name=stem.name)
    keypoint_json.save(seen, own)
    if not (video.exists() and keypoints.exists() and keypoints.read_bytes() == own.read_bytes()):
        partial = stem.with_name(f"{stem.name}.part.mp4")
        rendering.film(partial, [joints], camera, INTRINSICS, seed=seed)
        partial.replace(video)
    own.replace(keypoints)


def _panned(camera: Camera, frames: int) -> Camera:
    """The camera turning to its left, batch (frames,)."""
    angle = torch.deg2rad(PAN * torch.arange(frames) / FPS)
    turn = roma.rotvec_to_rotmat(angle[:, None] * torch.tensor([0.0, 1.0, 0.0]))
    rotation = turn @ camera.rotation
    return Camera(rotation, -(rotation @ camera.center))
