"""Video files: upright frames with their times, and keypoints drawn over them.

Everything is read and written with OpenCV; phones' portrait videos are turned upright by their metadata, and
a frame's time is the one in the file, so that a variable frame rate does no harm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from videomdm.cameras.unseen import body_parts
from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections, KeypointTrack
from videomdm.data.recordings.slow_motion import capture_rate
from videomdm.data.recordings.static_camera import CameraWatch
from videomdm.data.recordings.tracking import box
from videomdm.skeletons.definitions import Skeleton
from videomdm.storage.film import open_film

#: Endings of videos that OpenCV reads.
SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".m2t", ".mod", ".tod", ".vob",
    ".wmv", ".asf", ".3gp", ".3g2", ".flv", ".f4v", ".ogv", ".mxf", ".dv",
)  # fmt: skip
CLOSEST = 1 / 42  # seconds: frames closer to the last one used than this are passed over (60 fps gives 30)
SLOWED = 1.5  # times as fast as it plays, from which on a film was taken in slow motion
UNEVEN = 1.5  # longest step between frames, in median steps, from which the frame rate is called variable
MISSING_FRAMES = 0.03  # share of the promised frames, and seconds, that may lack before a file is called truncated


class Video:
    """A video file; iterate over it for ``(seconds, image)``.

    Frames come in the order of the file, thinned to about 25 to 42 per second; images are BGR, uint8
    (height, width, 3), upright.

    Args:
        path: the file.
        closest: seconds; a frame that is closer to the last one used is passed over, 0 uses all.

    Attributes:
        path: the file.
        width, height: pixels of an upright frame.
        slowed: how many times slower it plays than it was taken.
        fps: the nominal frame rate, at which it was taken.
        promised: number of frames that the file claims.
        rotation: degrees by which the metadata turn the picture.
        pixel_aspect: width of an upright frame's pixel over its height; camcorders' and DVDs' are not square.
        notes: what iterating found: an early end, a variable frame rate.

    Raises:
        DataError: no such file, or no picture can be read from it.
    """

    def __init__(self, path: str | Path, closest: float = CLOSEST) -> None:
        self.path, self.closest = Path(path), closest
        if not self.path.is_file():
            raise DataError(f"{path}: no such file, expected a video")
        capture = self._open()
        good, image = capture.read()
        if not good:
            raise DataError(f"{path}: not one frame can be read, expected a video")
        self.height, self.width = image.shape[:2]
        nominal = capture.get(cv2.CAP_PROP_FPS)
        played = nominal if math.isfinite(nominal) and 0 < nominal < 1000 else 30.0
        self.slowed = self._slowed(played)
        self.fps = played * self.slowed
        self.promised = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        self.rotation = int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self.pixel_aspect = self._pixel_aspect(capture)
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        capture, times, last_used = self._open(), [], -math.inf
        while capture.grab():
            time = self._time(capture, times)
            times.append(time)
            if time - last_used < self.closest:
                continue
            good, image = capture.retrieve()
            if not good:
                break
            last_used = time
            yield time, image
        self.notes = self._findings(np.array(times))

    def stamps(self) -> np.ndarray:
        """Seconds (F,) of every frame in the file, none passed over."""
        capture, times = self._open(), []
        while capture.grab():
            times.append(self._time(capture, times))
        return np.array(times)

    def _time(self, capture: cv2.VideoCapture, before: list[float]) -> float:
        time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 / self.slowed
        return time if not before or time > before[-1] else before[-1] + 1 / self.fps  # no usable time stamp

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.path.absolute()))  # FFmpeg takes what stands before a colon for a protocol
        if not capture.isOpened():
            raise DataError(
                f"{self.path}: cannot be opened as a video (truncated, damaged, or no video at all: an mp4 file keeps "
                "its table of contents at the end, so an interrupted copy or recording cannot be read)"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        return capture

    def _slowed(self, played: float) -> float:
        """How many times slower than it was the film plays; 1 also for the small change of a telephone's rate."""
        taken = capture_rate(self.path) or played
        return taken / played if max(taken / played, played / taken) >= SLOWED else 1.0

    @staticmethod
    def _seconds(times: np.ndarray) -> float:
        """How long frames (F,) last; some files count frames by their duration, as if their rate did not vary."""
        return float(times[-1] - times[0] + np.median(np.diff(times))) if len(times) > 1 else 0.0

    def _pixel_aspect(self, capture: cv2.VideoCapture) -> float:
        across, up = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
        if not (across > 0 and up > 0 and 1 / 4 <= across / up <= 4):
            return 1.0
        return up / across if self.rotation % 180 else across / up

    def _findings(self, times: np.ndarray) -> list[str]:
        notes, steps = [], np.diff(times)
        if self.rotation:
            notes.append(f"turned upright by {self.rotation} degrees, as the file's metadata say")
        seconds, promised = self._seconds(times), self.promised / self.fps
        if self.slowed != 1:
            kind = "slow motion" if self.slowed > 1 else "time lapse"
            notes.append(
                f"{kind}: taken at {self.fps:g} frames a second and played at {self.fps / self.slowed:g}, as the "
                "file's metadata say: times are those of the motion"
            )
        if self.pixel_aspect != 1:
            notes.append(f"pixels are {self.pixel_aspect:.3g} times as wide as high, as the file's metadata say")
        if len(times) < (1 - MISSING_FRAMES) * self.promised - 1 and seconds < (1 - MISSING_FRAMES) * promised:
            notes.append(f"truncated: {len(times)} of {self.promised} frames can be read")
        if len(steps) > 1 and steps.max() > UNEVEN * np.median(steps):
            rates = f"{1 / steps.max():.0f} to {1 / steps.min():.0f} fps"
            notes.append(f"variable frame rate ({rates}): frames are used by their time stamps")
        return notes


def watch_camera(video: Video, detections: Detections) -> CameraWatch:
    """The camera's motion in a video whose people are known already (from another program's keypoints)."""
    watch = CameraWatch()
    for time, image in video:
        frame = int(np.abs(detections.times - time).argmin())
        watch.look(image, time, [box(k) for k in detections.people[frame] if (k[:, 2] > 0).any()])
    watch.ask_feet(detections)
    return watch


def write_overlay(video: Video, track: KeypointTrack, path: str | Path) -> None:
    """Draw a track over its video, to check by eye what training will see.

    Left limbs are blue, right ones orange, unsure ones thin (:data:`UNSURE`).  Joints that were not seen are grey rings
    on thin grey limbs, and the parts of the body of which none was seen are named; frames that were filled in are drawn
    in grey and say so.  Where several people were seen, each has a box with the number by which
    :func:`videomdm.data.recordings.load_one` takes them as ``person``.

    Args:
        video: the recording that the track is from.
        track: keypoints, in any layout.
        path: mp4 file to write, at the track's frame rate; a browser plays it (:mod:`videomdm.storage.film`).

    Raises:
        ValueError: a track of another image size.
        OSError: the file cannot be written.
    """
    _check_size(video, track)
    film = open_film(path, video.width, video.height, track.fps)
    at, image = 0, None
    for time, following in video:
        # every frame of the track is drawn on the last image that is not after it
        while at < len(track) and image is not None and track.start + at / track.fps < time - 1e-6:
            film.write(draw_track(image, track, at))
            at += 1
        image = following
    for k in range(at, len(track)):
        film.write(draw_track(image, track, k))
    film.release()


def overlay_video(track: KeypointTrack, path: str | Path | None) -> Video | None:
    """The video that a track can be drawn over: None without a file, or for keypoints of another image size."""
    video = None if path is None else Video(path)
    size = (track.intrinsics.width, track.intrinsics.height)
    return video if video is not None and size == (video.width, video.height) else None


def _check_size(video: Video, track: KeypointTrack) -> None:
    size = (track.intrinsics.width, track.intrinsics.height)
    if size != (video.width, video.height):
        found = f"{video.width} x {video.height} pixels"
        raise ValueError(f"{video.path}: {found}, expected the track's {size[0]} x {size[1]}")


def sheet(video: Video, track: KeypointTrack, n: int = 4) -> np.ndarray:
    """Frames of a video at equal distances in time with a track drawn over them, side by side: BGR (H, n W, 3).

    Raises:
        ValueError: a track of another image size.
    """
    _check_size(video, track)
    chosen = np.linspace(0, len(track) - 1, n + 2).round().astype(int)[1:-1]
    drawn, last = [], None
    for time, image in chain(video, [(math.inf, None)]):
        while len(drawn) < n and last is not None and track.start + chosen[len(drawn)] / track.fps < time - 1e-6:
            k = chosen[len(drawn)]
            drawn.append(draw_track(last, track, k))
        last = image
    return np.concatenate(drawn, axis=1)


def draw_track(image: np.ndarray, track: KeypointTrack, frame: int) -> np.ndarray:
    """A copy of a BGR image (H, W, 3) with one frame of a track, and the numbers of everybody who was seen."""
    drawn = draw_keypoints(
        image, track.intrinsics.to_pixels(track.keypoints[frame]).numpy(), track.confidence[frame].numpy(),
        track.layout, bool(track.filled[frame]),
    )  # fmt: skip
    for k, edges in enumerate(() if track.boxes is None else track.boxes[:, frame]):
        if np.isfinite(edges).all():
            left, top, right, bottom = (int(v) for v in edges.round())
            colour = MIDDLE if k == track.person else GREY
            cv2.rectangle(drawn, (left, top), (right, bottom), colour, 1, cv2.LINE_AA)
            place = (max(left, 2) + 2, max(top, 0) + 16)
            cv2.putText(drawn, str(k), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 2, cv2.LINE_AA)
    return drawn


COLOURS = {"left": (235, 140, 40), "right": (40, 110, 240)}  # BGR
MIDDLE, GREY = (90, 200, 90), (150, 150, 150)
UNSURE = 0.3  #: limbs of less confidence are drawn thin


def draw_keypoints(
    image: np.ndarray, points: np.ndarray, confidence: np.ndarray, layout: Skeleton, filled: bool = False
) -> np.ndarray:
    """A copy of a BGR image (H, W, 3) with keypoints (J, 2) in pixels drawn over it as a stick figure.

    Colours as in :func:`write_overlay`; ``confidence`` (J,) is 0 for joints that were not seen.
    """
    drawn = image.copy()
    thickness = max(2, round(min(image.shape[:2]) / 180))
    limit = 4 * max(image.shape)
    corners = [tuple(int(v) for v in p) for p in points.clip(-limit, limit).round()]
    for parent, joint in layout.bones:
        least = min(confidence[parent], confidence[joint])
        colour = GREY if filled or not least else COLOURS.get(layout.joints[joint].partition("_")[0], MIDDLE)
        cv2.line(drawn, corners[parent], corners[joint], colour, thickness if least >= UNSURE else 1, cv2.LINE_AA)
    for corner, c in zip(corners, confidence, strict=True):
        if c > 0:
            cv2.circle(drawn, corner, thickness, (255, 255, 255), -1, cv2.LINE_AA)
        else:
            cv2.circle(drawn, corner, 2 * thickness, GREY, max(2, thickness // 2), cv2.LINE_AA)
    hidden = [part for part, joints in body_parts(layout).items() if not confidence[joints].any()]
    if filled or hidden:
        said = "filled in" if filled else f"not seen: {', '.join(hidden)}"
        size = max(0.5, min(image.shape[:2]) / 600)
        for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):  # readable on any picture
            cv2.putText(drawn, said, (10, round(10 + 25 * size)), cv2.FONT_HERSHEY_SIMPLEX, size, colour,
                        max(1, round(width * size)), cv2.LINE_AA)  # fmt: skip
    return drawn


def writer(path: str | Path, width: int, height: int, fps: float) -> cv2.VideoWriter:
    """An open mp4 file in MPEG-4 part 2, quick to write and to read again, which browsers do not play.

    Films for people are :func:`videomdm.storage.film.open_film`'s.  Raises ``OSError`` when it cannot be written.
    """
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
    if not film.isOpened():
        raise OSError(f"{path}: OpenCV cannot write an mp4 file there; does its folder exist?")
    return film
