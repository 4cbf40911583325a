"""BlazePose over a video, against decoding, detecting and watching one after the other, and against its parts alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import timing
from benchmarks.timing import Metrics
from videomdm.config import Config
from videomdm.data.recordings.blazepose import CROP_SIZE, PERSON_SIZE, BlazePose
from videomdm.data.recordings.detection import detect
from videomdm.data.recordings.static_camera import CameraWatch
from videomdm.data.recordings.tracking import box
from videomdm.data.recordings.video import Video


class Counted(BlazePose):
    """Counts how often each network runs, and keeps what it was shown last."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = {"person": 0, "landmarks": 0}
        for name, network in (("person", self._find), ("landmarks", self._look)):
            self.__dict__["_find" if name == "person" else "_look"] = self._counting(name, network)

    def _counting(self, name, network):
        def run(image: np.ndarray) -> list[np.ndarray]:
            self.runs[name] += 1
            return network(image)

        return run


def one_after_the_other(path: Path, detector: BlazePose) -> None:
    """What :func:`videomdm.data.recordings.detection.detect` finds, in one thread."""
    detector.state, watch = np.zeros(0), CameraWatch()
    for now, image in Video(path):
        watch.look(image, now, [box(k) for k in detector(image)])


@contextmanager
def without_onnxruntime() -> Iterator[None]:
    there = sys.modules.get("onnxruntime")
    sys.modules["onnxruntime"] = None
    try:
        yield
    finally:
        sys.modules.pop("onnxruntime")
        if there is not None:
            sys.modules["onnxruntime"] = there


def run(config: Config, results: Path, repeats: int, video: Path) -> Path:
    """Seconds for the whole of a video; *networks* is their bare calls, as many as it takes, with nothing around."""
    began = time.monotonic()
    counted = Counted()
    detections, _ = detect(Video(video), counted, counted.layout)
    detector, frames = BlazePose(), len(detections.people)
    images = [np.zeros((size, size, 3), np.float32) for size in (PERSON_SIZE, CROP_SIZE)]
    with without_onnxruntime():
        plain = BlazePose()
        plain(np.zeros((64, 64, 3), np.uint8))
        plain._look(images[1])

    def networks() -> None:
        for _ in range(counted.runs["person"]):
            detector._find(images[0])
        for _ in range(counted.runs["landmarks"]):
            detector._look(images[1])

    times = timing.paired(
        {
            "baseline": lambda: one_after_the_other(video, detector),
            "detect": lambda: detect(Video(video), detector, detector.layout),
            "opencv": lambda: detect(Video(video), plain, plain.layout),
            "networks": networks,
            "decoding": lambda: sum(1 for _ in Video(video)),
        },
        repeats,
    )
    metrics: Metrics = {"frames": frames, "people": sum(map(len, detections.people)), **counted.runs}
    metrics |= timing.summary("video", times)
    for name, values in times.items():
        metrics[f"video_{name}_frames_per_second"] = frames * len(values) / sum(values)
        print(f"{name:10s} {metrics[f'video_{name}_frames_per_second']:6.1f} frames/s")
    return timing.write(results, "detection", config, metrics, began)
