"""2-D keypoints: what a detector saw in a recording, the one person who is used, and the camera's intrinsics.

Lens distortion is not modelled: footage from action cameras must be undistorted first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from videomdm.cameras.unseen import unseen
from videomdm.conventions import DataError
from videomdm.skeletons.definitions import Skeleton
from videomdm.skeletons.layouts import convert
from videomdm.skeletons.padding import pad

#: Degrees across the image's diagonal, assumed where nothing is known: the focal length is then the diagonal.
#: Telephones film at 60 to 75 degrees, hand-held cameras at 40 to 60.
FIELD_OF_VIEW = math.degrees(2 * math.atan(0.5))
LARGEST_ANGLE = 143.0  # degrees: wider lenses bend straight lines, which intrinsics do not
SMALLEST_ANGLE = 3.2  # degrees: less is radians, for no lens that films people sees so little
FARTHEST = 10.0  # image sizes: a keypoint farther than this from the image's corner is an error


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera's inner geometry, in pixels.

    Attributes:
        fx, fy: focal lengths.
        cx, cy: principal point.
        width, height: of the image, as it is shown (a portrait video is higher than wide).
        origin: how they are known, for reports.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    origin: str = "given"

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(math.isfinite(v) for v in values):
            raise ValueError(f"intrinsics fx, fy, cx, cy are {values}, expected finite pixels")
        if min(self.fx, self.fy) <= 0 or min(self.width, self.height) <= 0:
            raise ValueError(f"focal lengths {values[:2]} and size {self.width} x {self.height}, expected more than 0")

    @classmethod
    def from_field_of_view(
        cls, width: int, height: int, degrees: float | None = None, pixel_aspect: float = 1.0
    ) -> Intrinsics:
        """Principal point in the middle, and a field of view across the diagonal.

        Args:
            width, height: pixels.
            degrees: field of view; :data:`FIELD_OF_VIEW` is assumed, and said to be, when None.
            pixel_aspect: width of a pixel over its height.

        Raises:
            ValueError: not within 0 and 180 degrees, or no number.
        """
        angle = FIELD_OF_VIEW if degrees is None else degrees
        if not 0 < angle < 180:
            raise ValueError(f"field of view is {angle} degrees, expected more than 0 and less than 180")
        if angle < SMALLEST_ANGLE:
            raise ValueError(f"field of view is {angle} degrees, expected {SMALLEST_ANGLE:g} or more (not radians)")
        if angle > LARGEST_ANGLE:
            raise ValueError(
                f"field of view is {angle} degrees, expected at most {LARGEST_ANGLE:g}: undistort the film"
            )
        focal = math.hypot(width * pixel_aspect, height) / 2 / math.tan(math.radians(angle) / 2)
        origin = f"{'assumed' if degrees is None else 'given'} field of view of {angle:.1f} degrees across the diagonal"
        return cls(focal / pixel_aspect, focal, width / 2, height / 2, width, height, origin)

    @classmethod
    def from_matrix(cls, matrix: np.ndarray | Tensor, width: int, height: int) -> Intrinsics:
        """From ``[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]``.

        Raises:
            ValueError: another shape, skew, a last row that is not (0, 0, 1), or values that are not finite.
        """
        matrix = np.asarray(matrix, dtype=float)
        if matrix.shape != (3, 3):
            raise ValueError(f"intrinsic matrix has shape {matrix.shape}, expected (3, 3)")
        intrinsics = cls(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], width, height)
        rest = (matrix[0, 1], matrix[1, 0], *matrix[2])
        if rest != (0, 0, 0, 0, 1):
            raise ValueError(f"intrinsic matrix is {matrix.tolist()}, expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
        return intrinsics

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) float64."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])

    def normalise(self, pixels):
        """Pixels (..., 2), a tensor or an array, in normalised image coordinates."""
        return (pixels - self._like(pixels, self.cx, self.cy)) / self._like(pixels, self.fx, self.fy)

    def to_pixels(self, normalised):
        """The inverse of :meth:`normalise`."""
        return normalised * self._like(normalised, self.fx, self.fy) + self._like(normalised, self.cx, self.cy)

    @staticmethod
    def _like(points, x: float, y: float):
        return points.new_tensor([x, y]) if isinstance(points, Tensor) else np.array([x, y])


@dataclass
class Detections:
    """Everybody whom a detector saw.

    Attributes:
        people: for each frame (P, J, 3) float64: x and y in pixels, confidence in 0..1; P differs, 0 is nobody.
        times: (F,) seconds, increasing.
        layout: the detector's joints.
        width, height: of the image in pixels.
        name: of the recording, for messages.
        notes: what a reader found worth saying.
        intrinsics: of the camera, where the source tells them.
        frames: (F,) the numbers that the source gives its frames, where it counts them.
        sized: whether width and height are those of the film, and not only told by a file.
        pixel_aspect: width of a pixel over its height, of the film's.
    """

    people: list[np.ndarray]
    times: np.ndarray
    layout: Skeleton
    width: int
    height: int
    name: str
    notes: list[str] = field(default_factory=list)
    intrinsics: Intrinsics | None = None
    frames: np.ndarray | None = None
    sized: bool = False
    pixel_aspect: float = 1.0

    def __post_init__(self) -> None:
        """Check times, shapes and values; confidence above 1 (some detectors' scores) counts as 1."""
        self.times = np.asarray(self.times, dtype=float)
        if len(self.people) != len(self.times):
            found = f"{len(self.people)} frames of people and {len(self.times)} times"
            raise DataError(f"{self.name}: {found}, expected as many")
        if not len(self.times) or not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
            raise DataError(f"{self.name}: {len(self.times)} times, expected at least one, finite and increasing")
        for frame, people in enumerate(self.people):
            if people.ndim != 3 or people.shape[1:] != (len(self.layout), 3):
                raise DataError(
                    f"{self.name}, frame {frame}: people have shape {people.shape}, expected (people, "
                    f"{len(self.layout)}, 3) for layout {self.layout.name}"
                )
        self.people = [self._checked(people, frame) for frame, people in enumerate(self.people)]

    def _checked(self, people: np.ndarray, frame: int) -> np.ndarray:
        people = np.array(people, dtype=float)
        points, confidence = people[..., :2], people[..., 2]
        where = f"{self.name}, frame {frame}"
        bad = ~(confidence >= 0) | np.isinf(confidence)
        if bad.any():
            raise DataError(f"{where}: confidence is {confidence[bad][0]}, expected finite and at least 0")
        seen = confidence > 0
        if not np.isfinite(points[seen]).all():
            raise DataError(f"{where}: a keypoint is not finite, expected pixels (or confidence 0)")
        far = FARTHEST * max(self.width, self.height)
        if (np.abs(points[seen]) > far).any():
            worst = np.abs(points[seen]).max()
            raise DataError(f"{where}: a keypoint at {worst:.0f}, expected pixels of {self.width} x {self.height}")
        points[~seen] = 0.0
        np.minimum(confidence, 1.0, out=confidence)
        return people


@dataclass
class KeypointTrack:
    """One person through one recording at a constant rate: what training and lifting take.

    Attributes:
        keypoints: (T, J, 2) float32, normalised image coordinates.
        confidence: (T, J) float32 in 0..1; 0 where a joint was not seen and its keypoint is a filler
            (:mod:`videomdm.cameras.unseen`).
        filled: (T,) bool, frames in which the whole person was not seen.
        layout: the joints.
        fps: frames per second.
        intrinsics: how pixels became normalised coordinates.
        name: of the recording.
        start: seconds into the recording of the first frame.
        notes: everything worth knowing, in sentences.
        boxes: (P, T, 4) left, top, right, bottom in pixels of everybody by index, NaN where not there; None where
            nobody else was seen.
        person: the index of this person among them.
    """

    keypoints: Tensor
    confidence: Tensor
    filled: Tensor
    layout: Skeleton
    fps: float
    intrinsics: Intrinsics
    name: str
    start: float = 0.0
    notes: list[str] = field(default_factory=list)
    boxes: np.ndarray | None = None
    person: int = 0

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def pixels(self) -> Tensor:
        """(T, J, 2) keypoints in pixels."""
        return self.intrinsics.to_pixels(self.keypoints)

    @property
    def unseen(self) -> Tensor:
        """(T, J) bool: joints that nobody saw, also not shortly before and after; what is lifted there is a guess."""
        return unseen(self.confidence, self.fps)

    def cut(self, first: int, end: int) -> KeypointTrack:
        """Frames ``first`` up to but not including ``end``, named ``name@first``."""
        part = slice(first, end)
        return replace(
            self, keypoints=self.keypoints[part], confidence=self.confidence[part], filled=self.filled[part],
            name=f"{self.name}@{first}", start=self.start + first / self.fps, notes=list(self.notes),
            boxes=None if self.boxes is None else self.boxes[:, part],
        )  # fmt: skip

    def to_layout(self, layout: Skeleton) -> KeypointTrack:
        """The same person in another layout, by :func:`videomdm.skeletons.layouts.convert`."""
        keypoints, confidence = convert(self.keypoints, self.confidence, self.layout, layout)
        return replace(self, keypoints=keypoints, confidence=confidence, layout=layout)


def pad_tracks(tracks: Sequence[KeypointTrack]) -> tuple[Tensor, Tensor, Tensor]:
    """Tracks padded to the longest: keypoints (C, T, J, 2), confidence (C, T, J), lengths (C,); zero past the end."""
    keypoints, lengths = pad([t.keypoints for t in tracks])
    return keypoints, pad([t.confidence for t in tracks])[0], lengths
