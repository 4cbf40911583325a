"""A figure that waves and walks, as keypoints whose place tells the time, and the files that other programs write."""

import json

import cv2
import numpy as np

from videomdm.data.recordings.video import writer
from videomdm.skeletons import BODY25, BODY25B, COCO17, H36M17, HALPE26

WIDTH, HEIGHT, FPS, FRAMES = 320, 240, 20.0, 125
SPEED = 24.0  # pixels per second to the right

#: x and y in pixels about the pelvis of somebody 170 pixels tall, seen from the front.
BODY = {
    "nose": (0, -68), "left_eye": (3, -71), "right_eye": (-3, -71), "left_ear": (6, -69), "right_ear": (-6, -69),
    "left_shoulder": (18, -52), "right_shoulder": (-18, -52), "left_elbow": (24, -26), "right_elbow": (-24, -26),
    "left_wrist": (26, -2), "right_wrist": (-26, -2), "left_hip": (10, 0), "right_hip": (-10, 0),
    "left_knee": (11, 40), "right_knee": (-11, 40), "left_ankle": (11, 80), "right_ankle": (-11, 80),
    "head": (0, -84), "neck": (0, -56), "upper_neck": (0, -60), "pelvis": (0, 0), "thorax": (0, -54), "spine": (0, -26),
    "left_big_toe": (14, 86), "left_small_toe": (17, 85), "left_heel": (10, 84), "right_big_toe": (-14, 86),
    "right_small_toe": (-17, 85), "right_heel": (-10, 84),
}  # fmt: skip


def figure(times, layout=HALPE26, start=(90.0, 120.0), speed=SPEED, scale=1.0, waves=True):
    """Keypoints (T, J, 3) in pixels with confidence 0.9 at given seconds; the pelvis is at ``start`` at time 0."""
    times = np.asarray(times, float)
    body = {**BODY, "neck": BODY["nose"]} if layout is H36M17 else BODY
    points = np.repeat(np.array([body[j] for j in layout.joints], float)[None], len(times), 0)
    if waves:
        for joint, lift in (("left_wrist", 30), ("right_wrist", 30), ("left_elbow", 12), ("right_elbow", 12)):
            phase = 0 if joint.startswith("left") else np.pi
            points[:, layout.joints.index(joint), 1] -= lift * (1 + np.sin(5 * times + phase))
        points[:, layout.joints.index("left_knee"), 1] -= 6 * (1 + np.sin(6 * times))
    points = points * scale + np.stack([start[0] + speed * times, start[1] + 0 * times], -1)[:, None]
    return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], -1)


def seconds_of(track, start=90.0, speed=SPEED):
    """The times (T,) that the places of a track's hips tell."""
    hips = [track.layout.index("left_hip"), track.layout.index("right_hip")]
    return (track.pixels[:, hips, 0].mean(1).numpy() - start) / speed


def seconds_off(track, start=90.0, speed=SPEED):
    """The largest distance in seconds between the times that a track's places tell and its own."""
    own = track.start + np.arange(len(track)) / track.fps
    seen = ~track.filled.numpy()
    return float(np.abs(seconds_of(track, start, speed) - own)[seen][1:-1].max())


def film(path, frames=FRAMES, fps=FPS, size=(WIDTH, HEIGHT)):
    """An mp4 of a still, textured picture."""
    coarse = np.random.default_rng(0).integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, size)
    out = writer(path, *size, fps)
    for _ in range(frames):
        out.write(picture)
    out.release()
    return path


def alphapose(path, points, numbers=None, name="{}.jpg"):
    numbers = range(len(points)) if numbers is None else numbers
    entries = [
        {"image_id": name.format(n), "keypoints": p.ravel().tolist()} for n, p in zip(numbers, points, strict=True)
    ]
    path.write_text(json.dumps(entries))


def mmpose(path, people, numbers=None):
    """One frame per item of ``people``, each a list of (J, 3)."""
    numbers = range(len(people)) if numbers is None else numbers
    frames = [
        {"frame_id": n, "instances": [
            {"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist()} for p in found
        ]}
        for n, found in zip(numbers, people, strict=True)
    ]  # fmt: skip
    path.write_text(json.dumps(frames))


def openpose(folder, points, numbers=None, name="clip_{:012d}_keypoints.json"):
    folder.mkdir(exist_ok=True)
    numbers = range(len(points)) if numbers is None else numbers
    for n, p in zip(numbers, points, strict=True):
        people = [] if p is None else [{"pose_keypoints_2d": p.ravel().tolist()}]
        (folder / name.format(n)).write_text(json.dumps({"version": 1.3, "people": people}))


def npz(path, points, layout=HALPE26, size=(WIDTH, HEIGHT), **others):
    arrays = {"keypoints": points[..., :2], "confidence": points[..., 2], "layout": layout.name, "size": size}
    np.savez(path, **(arrays | ({} if "times" in others else {"fps": FPS}) | others))


LAYOUTS = (HALPE26, COCO17, BODY25, BODY25B, H36M17)
