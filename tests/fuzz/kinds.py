"""Files of every kind that people bring, each with its reader and what the reader makes of it.

All of them are of one motion of three seconds, so that what a damaged file gives can be held against the good one.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm import cameras, videos
from videomdm.conventions import DataError
from videomdm.data import body, bvh, procedural, recordings
from videomdm.data.recordings import captions, clock, keypoint_json, keypoint_npz, plausible
from videomdm.data.recordings.detections import Detections, Intrinsics, KeypointTrack
from videomdm.data.recordings.reading import Source
from videomdm.data.recordings.video import Video, writer
from videomdm.export import to_bvh
from videomdm.lifters import wham
from videomdm.skeletons import BODY25, H36M17, HALPE26, SMPL22

FRAMES, FPS, WIDTH, HEIGHT = 60, 20.0, 640, 480
STATURE = 1.7  # metres: what a body's size in the image stands for
FILM = clock.Film(np.arange(FRAMES) / FPS, FPS)


@dataclass(frozen=True)
class Found:
    """What a reader made of a file.

    Attributes:
        joints: (T, J, D) in metres, or in the image at the person's size; None where a file holds no motion.
        notes: all that was said.
    """

    joints: np.ndarray | None
    notes: list[str]


@dataclass(frozen=True)
class Kind:
    """A kind of file: how a good one is written into a folder (it returns the path), and how it is read."""

    write: Callable[[Path], Path]
    read: Callable[[Path], Found]


# ---- the motion ------------------------------------------------------------------------------------------


@cache
def rotations() -> tuple[np.ndarray, np.ndarray]:
    """Somebody who walks: SMPL's rotations (T, 24, 3) and translation (T, 3)."""
    t = np.arange(FRAMES) / FPS
    pose, swing = np.zeros((FRAMES, 24, 3)), 0.6 * np.sin(5.6 * t)
    knees = 0.5 + 0.4 * np.sin(5.6 * t + 1)
    pose[:, 0, 1] = 0.5
    pose[:, 1, 0], pose[:, 2, 0], pose[:, 4, 0], pose[:, 5, 0] = -swing, swing, knees, 1 - knees
    pose[:, 16, 2], pose[:, 17, 2] = -1.2, 1.2
    pose[:, 16, 1] = pose[:, 17, 1] = swing
    return pose, np.array([0, 0.9, 0]) + np.stack([0.35 * t, 0.02 * np.cos(11.2 * t), 0 * t], -1)


@cache
def walk() -> Tensor:
    """(T, 22, 3) metres, Y up."""
    pose, place = rotations()
    flat = torch.from_numpy(pose.reshape(FRAMES, 72)).float()
    return wham.pose_joints(flat, torch.from_numpy(place).float(), wham.rest_joints(torch.zeros(1, 10)))


CAMERA = cameras.orbit(math.radians(25), math.radians(6), [0.7, 0.9, 0], 5.0)
INTRINSICS = Intrinsics.from_field_of_view(WIDTH, HEIGHT)


def named(joints: Tensor, names: tuple[str, ...]) -> np.ndarray:
    """Joints (T, J, D) of other names, from SMPL-22's: heads and toes are good enough to be a body's."""
    at = {
        "thorax": "neck", "spine": "spine2", "nose": "head", "upper_neck": "neck", "left_heel": "left_ankle",
        "right_heel": "right_ankle", "pelvis": "pelvis",
    }  # fmt: skip
    out = []
    for name in names:
        side = name.partition("_")[0]
        source = f"{side}_foot" if name.endswith("toe") else "head" if name.endswith(("eye", "ear")) else name
        out.append(joints[:, SMPL22.index(at.get(source, source))])
    return torch.stack(out, 1).numpy().astype("f4")


@cache
def seen() -> Tensor:
    """(T, 22, 2) pixels."""
    return INTRINSICS.to_pixels(CAMERA.project(walk())[0])


def points(names: tuple[str, ...]) -> np.ndarray:
    """(T, J, 3) pixels and confidence."""
    keypoints = named(seen(), names)
    return np.concatenate([keypoints, np.full((*keypoints.shape[:2], 1), 0.9, "f4")], -1).astype(float)


# ---- keypoints -------------------------------------------------------------------------------------------


def write_alphapose(folder: Path) -> Path:
    rows = [
        {"image_id": f"{t}.jpg", "category_id": 1, "keypoints": p.ravel().round(2).tolist(), "score": 2.5}
        for t, p in enumerate(points(HALPE26.joints))
    ]
    return _json(folder / "clip.json", rows)


def write_mmpose(folder: Path) -> Path:
    frames = [{"frame_id": t, "instances": [_instance(p)]} for t, p in enumerate(points(HALPE26.joints))]
    return _json(folder / "clip.json", {"meta_info": {}, "instance_info": frames})


def write_openpose(folder: Path) -> Path:
    (folder / "clip").mkdir()
    for t, p in enumerate(points(BODY25.joints)):
        people = [{"person_id": [-1], "pose_keypoints_2d": p.ravel().round(2).tolist()}]
        _json(folder / "clip" / f"clip_{t:012d}_keypoints.json", {"version": 1.3, "people": people})
    return folder / "clip"


def write_frames(folder: Path) -> Path:
    (folder / "clip").mkdir()
    for t, p in enumerate(points(HALPE26.joints)):
        _json(folder / "clip" / f"{t:06d}.json", [_instance(p)])
    return folder / "clip"


def _instance(p: np.ndarray) -> dict:
    return {"keypoints": p[:, :2].round(2).tolist(), "keypoint_scores": p[:, 2].tolist()}


def _json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def read_json(path: Path) -> Found:
    found = keypoint_json.read(path, WIDTH, HEIGHT, FPS, "clip")
    found = plausible.against_film(found, WIDTH, HEIGHT, 0)
    return of_track(recordings.track(clock.number(found, FILM)))


def write_npz(folder: Path, **others: object) -> Path:
    p = points(HALPE26.joints).astype("f4")
    arrays = {"keypoints": p[..., :2], "confidence": p[..., 2], "layout": "halpe26", "fps": FPS,
              "size": (WIDTH, HEIGHT)}  # fmt: skip
    np.savez(folder / "clip.npz", **(arrays | others))
    return folder / "clip.npz"


def write_normalised(folder: Path) -> Path:
    keypoints = INTRINSICS.normalise(points(HALPE26.joints)[..., :2])
    times = np.arange(FRAMES) / FPS
    return write_npz(folder, keypoints=keypoints, units="normalised", intrinsics=INTRINSICS.matrix, times=times)


def read_npz(path: Path) -> Found:
    return of_track(recordings.track(clock.of_no_film(keypoint_npz.read(path))))


def read_npz_of_film(path: Path) -> Found:
    found = plausible.against_film(keypoint_npz.read(path), WIDTH, HEIGHT, 0)
    return of_track(recordings.track(clock.seconds(found, FILM)))


def write_track(folder: Path) -> Path:
    keypoint_npz.save(good_track(), folder / "clip.npz")
    return folder / "clip.npz"


def read_track(path: Path) -> Found:
    finished = keypoint_npz.is_track(path)
    return of_track(keypoint_npz.load(path) if finished else recordings.track(keypoint_npz.read(path)))


def of_track(track: KeypointTrack) -> Found:
    """A track's keypoints on the frames of the film, at the size of a person of :data:`STATURE`; NaN: not seen."""
    size = float((track.keypoints.amax((1, 2)) - track.keypoints.amin((1, 2))).median()) or 1.0
    placed = np.full((FRAMES, *track.keypoints.shape[1:]), np.nan)
    known = track.keypoints.masked_fill(track.unseen[..., None], torch.nan).numpy() * (good_size() or size)
    first = round(track.start * track.fps)
    for k in range(len(known)):
        if 0 <= first + k < FRAMES:
            placed[first + k] = known[k]
    return Found(placed, list(track.notes))


@cache
def good_track() -> KeypointTrack:
    p = points(HALPE26.joints)
    found = Detections(list(p[:, None]), FILM.stamps, HALPE26, WIDTH, HEIGHT, "clip", sized=True)
    return recordings.track(found)


@cache
def good_size() -> float:
    """Metres for a unit of normalised keypoints."""
    k = good_track().keypoints
    return STATURE / float((k[..., 1].amax(1) - k[..., 1].amin(1)).median())


# ---- other lifters ---------------------------------------------------------------------------------------


def read_lifted(path: Path) -> Found:
    """As the pages do; what cannot be used is said in a note, and the package's own teacher lifts."""
    write_npz(path.parent)
    track = good_track().cut(0, FRAMES)
    source = Source("clip", keypoints=path.parent / "clip.npz", lifted=path)
    found, notes = videos.usable_lifter(track, source)
    if found is None:
        raise DataError(notes[0])
    joints = found.joints - (found.joints[:, :1] if found.root == "none" else 0)
    joints = torch.where(found.valid[:, None, None], joints, torch.nan).numpy()
    placed = np.full((FRAMES, 22, 3), np.nan)
    inside = slice(max(found.first_frame, 0), min(found.first_frame + len(joints), FRAMES))
    placed[inside] = joints[inside.start - found.first_frame : inside.stop - found.first_frame]
    return Found(placed, track.notes + notes)


def _wham() -> dict[str, np.ndarray]:
    pose, place = rotations()
    pose, place = pose.reshape(FRAMES, 72).astype("f4"), place.astype("f4")
    return {"pose_world": pose, "trans_world": place, "pose": pose, "trans": place,
            "betas": np.zeros((FRAMES, 10), "f4"), "frame_ids": np.arange(FRAMES)}  # fmt: skip


def write_wham(folder: Path) -> Path:
    (folder / "clip.wham.pkl").write_bytes(pickle.dumps({0: _wham()}, protocol=4))
    return folder / "clip.wham.pkl"


def write_wham_npz(folder: Path) -> Path:
    np.savez(folder / "clip.wham.npz", **{f"0/{name}": value for name, value in _wham().items()})
    return folder / "clip.wham.npz"


def write_motionbert(folder: Path) -> Path:
    poses = named(CAMERA.to_camera(walk()), H36M17.joints)
    head, thorax = H36M17.index("head"), H36M17.index("thorax")
    poses[:, head] = 2 * poses[:, head] - poses[:, thorax]
    np.save(folder / "clip.motionbert.npy", poses)
    return folder / "clip.motionbert.npy"


def write_mvlift(folder: Path) -> Path:
    at30 = torch.nn.functional.interpolate(walk().flatten(1).T[None], 90, mode="linear", align_corners=True)[0].T
    joints = at30.reshape(90, 22, 3).numpy()
    np.save(folder / "clip.mvlift.npy", joints[..., [0, 2, 1]] * np.array([1, -1, 1], "f4"))
    return folder / "clip.mvlift.npy"


# ---- BVH, captions, films --------------------------------------------------------------------------------


@cache
def _clip() -> Tensor:
    return procedural.generate(4, seed=1).clip(0)[:FRAMES]


def write_bvh(folder: Path) -> Path:
    to_bvh(folder / "clip.bvh", _clip(), SMPL22, FPS)
    return folder / "clip.bvh"


def read_bvh(path: Path) -> Found:
    motion = bvh.read(path)
    joints = motion.joints().float()[:, motion.index(_names(motion))] / 100
    body.check(joints, str(path))
    return Found(joints.numpy(), [])


def _names(motion: bvh.BvhMotion) -> list[str]:
    return [next((n for n in motion.names if n.lower() == j.lower()), j) for j in SMPL22.joints]


def write_text(folder: Path) -> Path:
    (folder / "clip.txt").write_text("a person walks\nsomebody strolls, slowly\n")
    return folder / "clip.txt"


def write_table(folder: Path) -> Path:
    (folder / "captions.csv").write_text('file,caption\nclip.mp4,"a person walks, slowly"\nclip,a stroll\nb,jumps\n')
    return folder / "captions.csv"


def read_captions(path: Path) -> Found:
    words = captions.of(path.parent, "clip", captions.read_table(path.parent))
    return Found(None, captions.notes(words))


def write_film(folder: Path) -> Path:
    path = folder / "clip.mp4"
    out = writer(path, 64, 48, FPS)
    rng = np.random.default_rng(0)
    for _ in range(20):
        out.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    out.release()
    return path


def read_film(path: Path) -> Found:
    video = Video(path)
    stamps = video.stamps()
    if len(stamps) < 2:
        raise DataError(f"{path}: a single frame, expected a video")
    film = clock.Film(stamps, video.fps)
    images = sum(1 for _ in video)
    notes = list(video.notes)
    wrong = not 0.5 < film.seconds < 2 or images < 15
    return Found(np.full((FRAMES, 1, 1), np.inf if wrong else 0.0), notes)


KINDS = {
    "alphapose": Kind(write_alphapose, read_json), "mmpose": Kind(write_mmpose, read_json),
    "openpose": Kind(write_openpose, read_json), "frames": Kind(write_frames, read_json),
    "npz": Kind(write_npz, read_npz), "npz of a film": Kind(write_npz, read_npz_of_film),
    "npz normalised": Kind(write_normalised, read_npz), "track": Kind(write_track, read_track),
    "wham pkl": Kind(write_wham, read_lifted), "wham npz": Kind(write_wham_npz, read_lifted),
    "motionbert": Kind(write_motionbert, read_lifted), "mvlift": Kind(write_mvlift, read_lifted),
    "bvh": Kind(write_bvh, read_bvh), "captions": Kind(write_text, read_captions),
    "captions.csv": Kind(write_table, read_captions), "mp4": Kind(write_film, read_film),
}  # fmt: skip
