"""Tracks, and what other programs write of keypoints and films, for tests of what reads them."""

import numpy as np
import torch

from videomdm.data.recordings.detections import Intrinsics, KeypointTrack
from videomdm.data.recordings.video import writer
from videomdm.skeletons import COCO17


def track(frames=6, layout=COCO17, name="a"):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(frames, len(layout), 2, generator=generator)
    camera = Intrinsics.from_field_of_view(640, 480)
    return KeypointTrack(
        points, torch.ones(points.shape[:2]), torch.zeros(frames, dtype=torch.bool), layout, 20.0, camera, name
    )


def alphapose(people):
    """(frame, (J, 3)) as AlphaPose writes them."""
    return [
        {
            "image_id": f"{t}.jpg",
            "category_id": 1,
            "keypoints": p.ravel().tolist(),
            "score": 2.9,
            "box": [0, 0, 9, 9],
            "idx": 1,
        }
        for t, p in people
    ]


def mmpose(frames):
    """A list of frames, each a list of (J, 3), as MMPose's inferencer writes them."""
    return [
        {
            "frame_id": t,
            "instances": [
                {
                    "keypoints": p[:, :2].tolist(),
                    "keypoint_scores": p[:, 2].tolist(),
                    "bbox": [[0, 0, 9, 9]],
                    "bbox_score": 0.9,
                }
                for p in people
            ],
        }
        for t, people in enumerate(frames)
    ]


def write_images(path, images):
    film = writer(path, images[0].shape[1], images[0].shape[0], 20.0)
    for image in images:
        film.write(image)
    film.release()
    return path


def write_npz(path, detections, **others):
    points = np.concatenate(detections.people)
    arrays = {
        "keypoints": points[..., :2],
        "confidence": points[..., 2],
        "layout": "halpe26",
        "fps": 20,
        "size": (256, 192),
    }
    np.savez(path, **arrays | others)
