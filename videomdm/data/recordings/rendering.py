"""Videos made from motions: shaded figures before a textured scene, and what a detector would see of them.

They are for tests and demonstrations, where everything must be known: the motion, the camera, its intrinsics
and the true keypoints.  Figures are made of capsules, the floor and the wall behind are textured (so that a
moving camera shows), and a simulated detector errs as real ones do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.conventions import FPS
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.video import writer
from videomdm.skeletons.definitions import HALPE26, SMPL22, Skeleton
from videomdm.skeletons.kinematics import body_axes, unit

#: Radius in metres of the capsule that ends at a joint; left and right alike.
RADII = {
    "hip": 0.10, "knee": 0.075, "ankle": 0.055, "foot": 0.045, "spine1": 0.12, "spine2": 0.125, "spine3": 0.13,
    "neck": 0.06, "collar": 0.10, "head": 0.07, "shoulder": 0.07, "elbow": 0.05, "wrist": 0.042,
}  # fmt: skip
SKULL = 0.11  # metres, radius of the head's ball
CLOTHES = ((70, 90, 200), (190, 120, 60), (80, 160, 90))  # BGR of the first, second ... person's trunk
SKIN, TROUSERS = (150, 180, 225), (90, 70, 60)
SHADES = 6  # nested strokes of a capsule, from its dark rim to its lit middle
ROOM = 6.0  # metres from the origin to the walls
NEAREST = 0.2  # metres: what is nearer to the camera is not drawn


def landmarks(joints: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """The 26 landmarks of Halpe, in 3-D, on bodies given by SMPL's joints.

    Limbs are taken over; hips stand 0.10 m from the middle; face, toes and heels are placed by the body's
    axes, as listed in :mod:`videomdm.skeletons.layouts`, whose Halpe-26 table leads back.

    Args:
        joints: (..., 22, 3) metres, Y up.
        skeleton: their layout.

    Returns:
        (..., 26, 3) in the order of :data:`videomdm.skeletons.definitions.HALPE26`.
    """

    def at(name: str) -> Tensor:
        return joints[..., skeleton.index(name), :]

    left, up, front = body_axes(joints, skeleton).unbind(-1)
    hips = (at("left_hip") + at("right_hip")) / 2
    shoulders = (at("left_shoulder") + at("right_shoulder")) / 2
    # the head's own up: from the neck's base to SMPL's head joint, leaning as the head leans
    rise = unit(at("head") - at("neck") - 0.03 * front, up)
    skull = at("neck") + 0.09 * rise + 0.02 * front
    places = {
        "nose": skull + 0.01 * rise + 0.10 * front, "head": skull + 0.15 * rise, "pelvis": hips,
        "neck": shoulders + 0.035 * up,
    }  # fmt: skip
    for side, outward in (("left", left), ("right", -left)):
        ankle = at(f"{side}_ankle")
        toes, instep = _foot_axes(at(f"{side}_foot") - ankle, left, front)
        sole = ankle - 0.07 * instep
        places |= {f"{side}_{j}": at(f"{side}_{j}") for j in ("shoulder", "elbow", "wrist", "knee", "ankle")}
        places |= {
            f"{side}_hip": hips + 0.10 * unit(at(f"{side}_hip") - hips, outward),
            f"{side}_eye": skull + 0.03 * rise + 0.08 * front + 0.03 * outward,
            f"{side}_ear": skull + 0.01 * rise + 0.07 * outward,
            f"{side}_big_toe": sole + 0.19 * toes, f"{side}_heel": sole - 0.06 * toes,
            f"{side}_small_toe": sole + 0.15 * toes + 0.05 * outward,
        }  # fmt: skip
    return torch.stack([places[name] for name in HALPE26.joints], dim=-2)


@dataclass(frozen=True)
class Noise:
    """Errors of a simulated detector, which reports every person once per frame.

    Attributes:
        jitter: standard deviation of a keypoint, in shares of the person's height in the image.
        unsure: share of keypoints that are hardly seen: confidence 0.1 to 0.4 and four times the jitter.
        swaps: share of frames in which left and right legs are exchanged.
        dropouts: share of frames in which a person is not found.
    """

    jitter: float = 0.006
    unsure: float = 0.03
    swaps: float = 0.01
    dropouts: float = 0.02


def detect(
    people: Sequence[Tensor],
    camera: Camera,
    intrinsics: Intrinsics,
    times: np.ndarray | None = None,
    noise: Noise | None = None,
    seed: int = 0,
    name: str = "rendered",
) -> Detections:
    """What a detector sees of people before a camera: true keypoints, or noisy ones.

    Keypoints outside the image have confidence 0, and people of whom most are outside are not found.

    Args:
        people: (T, 22, 3) metres, Y up, for each person.
        camera: one camera, or one per frame: batch () or (T,).
        intrinsics: turn normalised coordinates into pixels.
        times: (T,) seconds of the frames; 20 fps when None.
        noise: errors; none when None, and every confidence is 1.
        seed: of the errors and of the order in which people are listed.
        name: of the recording.
    """
    generator = np.random.default_rng(seed)
    seen = [_seen(landmarks(p), camera, intrinsics) for p in people]
    found = np.array([points[..., 2].mean(1) > 0.5 for points in seen])
    if noise is not None:
        seen = [_spoil(points, noise, generator) for points in seen]
        found &= generator.random(found.shape) >= noise.dropouts
    frames = []
    for t in range(len(seen[0])):
        listed = [p[t] for p, there in zip(seen, found, strict=True) if there[t]]
        generator.shuffle(listed)
        frames.append(np.array(listed).reshape(-1, len(HALPE26), 3))
    times = np.arange(len(frames)) / FPS if times is None else times
    return Detections(frames, times, HALPE26, intrinsics.width, intrinsics.height, name)


def film(
    path: str | Path,
    people: Sequence[Tensor],
    camera: Camera,
    intrinsics: Intrinsics,
    fps: float = FPS,
    seed: int = 0,
    textured: bool = True,
) -> None:
    """Write an mp4 video of people in a room.

    Args:
        path: file to write.
        people: (T, 22, 3) metres, Y up, floor at 0, for each person.
        camera: one camera, or one per frame (then the background moves as it must): batch () or (T,).
        intrinsics: of the camera; its image size is the video's.
        fps: frame rate.
        seed: of the room's texture.
        textured: False leaves floor and walls plain.

    Raises:
        OSError: the file cannot be written.
    """
    out = writer(path, intrinsics.width, intrinsics.height, fps)
    for image in frames(people, camera, intrinsics, seed, textured):
        out.write(image)
    out.release()


def frames(
    people: Sequence[Tensor], camera: Camera, intrinsics: Intrinsics, seed: int = 0, textured: bool = True
) -> Iterator[np.ndarray]:
    """Yield the images of :func:`film`, BGR, uint8 (height, width, 3)."""
    paint = _Room(intrinsics, seed, textured)
    moving = bool(camera.batch_shape)
    background = None
    for t in range(len(people[0])):
        view = camera[t] if moving else camera
        if background is None or moving:
            background = paint(view)
        yield _draw(background.copy(), [p[t] for p in people], view, intrinsics)


def _foot_axes(bone: Tensor, left: Tensor, front: Tensor) -> tuple[Tensor, Tensor]:
    """A foot's directions to its toes and up, from SMPL's bone ankle to foot, which leads 0.12 on and 0.07 down."""
    bone = unit(bone, front)
    rise = unit(torch.linalg.cross(bone, left), bone)
    cos, sin = 0.12 / math.hypot(0.12, 0.07), 0.07 / math.hypot(0.12, 0.07)
    return cos * bone + sin * rise, cos * rise - sin * bone


def _seen(points: Tensor, camera: Camera, intrinsics: Intrinsics) -> np.ndarray:
    """Points (T, J, 3) of the world as pixels and confidence (T, J, 3): 1 inside the image, else all zero."""
    image, depth = camera.project(points)
    pixels = intrinsics.to_pixels(image.double()).numpy()
    size = (intrinsics.width, intrinsics.height)
    inside = (pixels >= 0).all(-1) & (pixels < size).all(-1) & (depth.numpy() > NEAREST)
    return np.concatenate([pixels, np.ones((*inside.shape, 1))], axis=-1) * inside[..., None]


def _spoil(seen: np.ndarray, noise: Noise, generator: np.random.Generator) -> np.ndarray:
    """Jitter, unsure keypoints and swapped legs for one person's (T, 26, 3)."""
    seen = seen.copy()
    there = seen[..., 2] > 0
    top, bottom = (f(np.where(there, seen[..., 1], fill), axis=1) for f, fill in ((np.min, np.inf), (np.max, -np.inf)))
    height = np.maximum(bottom - top, 0)[:, None]
    unsure = generator.random(seen.shape[:2]) < noise.unsure
    seen[..., 2] = np.where(unsure, generator.uniform(0.1, 0.4, unsure.shape), generator.uniform(0.7, 1, unsure.shape))
    deviation = noise.jitter * height * np.where(unsure, 4, 1)
    seen[..., :2] += deviation[..., None] * generator.standard_normal((*unsure.shape, 2))
    legs = np.array([name.endswith(("knee", "ankle", "toe", "heel")) for name in HALPE26.joints])
    swapped = (generator.random(len(seen)) < noise.swaps)[:, None] & legs
    seen = seen * there[..., None]
    return np.where(swapped[..., None], seen[:, list(HALPE26.mirrored)], seen)


class _Room:
    """Paints floor and walls: every pixel's ray is followed to a box around the origin."""

    def __init__(self, intrinsics: Intrinsics, seed: int, textured: bool) -> None:
        u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
        image = intrinsics.normalise(np.stack([u, v], axis=-1).astype(float))
        self.rays = np.concatenate([image, np.ones_like(image[..., :1])], axis=-1)
        generator = np.random.default_rng(seed)
        coarse, fine = (generator.random((n, n)).astype(np.float32) for n in (64, 512))
        self.tile = 0.6 * cv2.resize(coarse, (512, 512), interpolation=cv2.INTER_CUBIC) + 0.4 * fine
        self.tile *= float(textured)

    def __call__(self, camera: Camera) -> np.ndarray:
        eye = camera.center.double().numpy()
        rays = self.rays @ camera.rotation.double().numpy()
        rays = np.where(np.abs(rays) < 1e-9, 1e-9, rays)
        sides = np.where(rays > 0, ROOM, -ROOM)
        sides[..., 1] = np.where(rays[..., 1] > 0, ROOM, 0.0)
        distance = (sides - eye) / rays
        wall = distance.argmin(-1)
        hit = eye + distance.min(-1)[..., None] * rays
        across = np.where(wall == 0, hit[..., 2], hit[..., 0])
        along = np.where(wall == 1, hit[..., 2], hit[..., 1])
        scale = self.tile.shape[0] / (2 * ROOM)
        texture = cv2.remap(
            self.tile, (across * scale).astype(np.float32), (along * scale).astype(np.float32),
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        tiles = (np.floor(across) + np.floor(along)) % 2 * (0.12 if self.tile.any() else 0)
        tone = np.choose(wall, (0.62, 0.5, 0.7)) + tiles + 0.35 * (texture - 0.5 * bool(self.tile.any()))
        tint = np.where((wall == 1)[..., None], (0.75, 0.85, 0.95), (0.95, 0.92, 0.88))
        return (255 * np.clip(tone[..., None] * tint, 0, 1)).astype(np.uint8)


def _draw(image: np.ndarray, people: Sequence[Tensor], camera: Camera, intrinsics: Intrinsics) -> np.ndarray:
    for pose in people:
        image = _shadow(image, pose, camera, intrinsics)
    strokes = [
        s for k, pose in enumerate(people) for s in _strokes(pose, CLOTHES[k % len(CLOTHES)], camera, intrinsics)
    ]
    for _, start, end, radius, colour in sorted(strokes, key=lambda s: -s[0]):
        for shade in range(SHADES):
            share = shade / (SHADES - 1)
            tone = tuple(c * (0.45 + 0.55 * share) for c in colour)
            lift = np.array([-0.25, -0.35]) * radius * share  # light falls from the upper left
            a, b = (tuple(int(v) for v in (16 * (p + lift)).round()) for p in (start, end))
            width = max(1, round(2 * radius * (1 - 0.75 * share)))
            cv2.line(image, a, b, tone, width, cv2.LINE_AA, shift=4)
    return image


def _strokes(pose: Tensor, clothes: tuple, camera: Camera, intrinsics: Intrinsics):
    """(depth, start, end, radius in pixels, colour) of each capsule before the camera."""
    points, depth = camera.project(pose)
    points, depth = intrinsics.to_pixels(points.double()).numpy(), depth.numpy()
    for parent, joint in SMPL22.bones:
        name = SMPL22.joints[joint]
        near = (depth[parent] + depth[joint]) / 2
        if min(depth[parent], depth[joint]) < NEAREST:
            continue
        radius = RADII[name.removeprefix("left_").removeprefix("right_")] * intrinsics.fx / near
        colour = TROUSERS if name.endswith(("hip", "knee", "ankle", "foot")) else clothes
        colour = SKIN if name.endswith(("wrist", "neck", "head")) else colour
        yield near, points[parent], points[joint], radius, colour
    skull = pose[SMPL22.index("head")] + 0.3 * (pose[SMPL22.index("head")] - pose[SMPL22.index("neck")])
    place, near = camera.project(skull[None])
    if near > NEAREST:
        place = intrinsics.to_pixels(place.double()).numpy()[0]
        yield float(near), place, place, SKULL * intrinsics.fx / float(near), SKIN


def _shadow(image: np.ndarray, pose: Tensor, camera: Camera, intrinsics: Intrinsics) -> np.ndarray:
    flat = pose * pose.new_tensor([1.0, 0.0, 1.0])
    points, depth = camera.project(flat)
    if depth.min() < NEAREST:
        return image
    points = intrinsics.to_pixels(points.double()).numpy().round().astype(int)
    mask = np.zeros(image.shape[:2], np.uint8)
    for parent, joint in SMPL22.bones:
        width = max(1, int(0.12 * intrinsics.fx / float(depth.mean())))
        cv2.line(mask, tuple(points[parent].tolist()), tuple(points[joint].tolist()), 110, width)
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.03 * intrinsics.fx / float(depth.mean())))
    return (image * (1 - mask[..., None] / 255.0)).astype(np.uint8)
