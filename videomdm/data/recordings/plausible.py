"""Where something was seen: keypoints against the image and the body, in one place for all readers.

Files say little of their coordinates: the size of the image that they were found in, whether y points down, in which
order joints stand.  What is misread is misread in all frames, so everybody in every frame is judged together, and a
limit is half of them or more.  People may lie, stand on their hands, or be partly outside the image: that is no fault
of a file, and is at most noted.

Parts of it: what stands for nothing (:mod:`videomdm.data.recordings.fillers`), the order of joints
(:mod:`videomdm.data.recordings.joint_order`), the camera's units (:mod:`videomdm.data.recordings.camera_units`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from videomdm.conventions import DataError
from videomdm.data.recordings.camera_units import check_intrinsics
from videomdm.data.recordings.detections import Detections
from videomdm.data.recordings.fillers import without_fillers
from videomdm.data.recordings.joint_order import check_order
from videomdm.data.recordings.people import bodies, sizes, upright
from videomdm.data.recordings.tracking import MIN_JOINTS
from videomdm.skeletons.definitions import Skeleton

MARGIN = 0.02  # image sides that keypoints may lie outside: detectors see a little beyond the edge
OUTSIDE_NOTED, OUTSIDE = 0.08, 0.55  # share of confidence outside the image that is said, and that is refused
GONE = 0.2  # share of people whose middle is outside the image from which a file is refused
SMALLEST = 8.0  # pixels: nobody who is smaller can be seen
CORNER, LARGE = 100.0, 600.0  # pixels: keypoints that all lie within 100 of the corner of a large image are no pixels
MOST = 0.7  # share of people who are upside down, or on their side, from which all are
SURE = 0.3  # confidence of joints that tell left from right
FRONTAL = 0.012  # body sizes squared: toes from heels times left from right, of people who face the camera or turn away
REPEATED = 0.15  # share of frames equal to the one before that is worth a note; detectors seldom find the same twice


def examine(detections: Detections) -> Detections:
    """Keypoints that can be somebody's in an image of this size; corrections and doubts are in the notes.

    Raises:
        DataError: coordinates or order of joints are not what they are said to be.
    """
    detections = without_fillers(detections)
    if detections.intrinsics is not None:
        check_intrinsics(detections.intrinsics, detections.name)
    points, seen, weight = bodies(detections)
    if not len(points):
        return detections  # nobody there: following people says so
    _check_size(points, seen, weight, detections)
    notes = check_order(points, seen, detections.layout, detections.name)
    notes += _check_inside(points, seen, weight, detections)
    notes += _check_upright(points, seen, weight, detections)
    notes += _check_sides(points, seen, weight, detections.layout)
    notes += _check_new(detections.people)
    return replace(detections, notes=detections.notes + notes)


def against_film(detections: Detections, width: int, height: int, rotation: int) -> Detections:
    """Keypoints against the film that they are of: size given in the wrong order, and frames that were not turned.

    Args:
        detections: from a file, which may tell an image size of its own.
        width, height: of the film's upright frames, pixels.
        rotation: degrees by which its metadata turn the picture.
    """
    own, notes = (detections.width, detections.height), []
    detections = replace(detections, sized=True)
    points, seen, weight = bodies(detections)
    if len(points) and rotation:
        turned = _turned(detections, rotation, (width, height))
        lying = upright(points, seen, detections.layout)
        standing = upright(*bodies(turned)[:2], turned.layout)
        flat = np.abs(lying[:, 0]) > np.abs(lying[:, 1]) if rotation % 180 else lying[:, 1] < 0
        if np.average(flat, weights=weight) > MOST and np.average(standing[:, 1] > 0, weights=weight) > MOST:
            note = f"keypoints are of frames as stored: turned upright by {rotation} degrees like the video"
            return replace(turned, notes=[*detections.notes, note])
    if own == (height, width) != (width, height):
        notes.append(f"size {own[0]} x {own[1]} has width and height exchanged: the video's {width} x {height} is used")
        camera = detections.intrinsics
        camera = camera and replace(camera, width=width, height=height)
        return replace(detections, width=width, height=height, intrinsics=camera, notes=detections.notes + notes)
    if abs(own[0] / own[1] / (width / height) - 1) > 0.02:
        notes.append(
            f"keypoints of images of {own[0]} x {own[1]} beside a video of {width} x {height}: of another shape"
        )
    elif max(own[0] / width, width / own[0]) > 1.02:
        notes.append(f"keypoints are of a copy of the video in {own[0]} x {own[1]} pixels")
    return replace(detections, notes=detections.notes + notes)


def _check_size(points: np.ndarray, seen: np.ndarray, size: np.ndarray, detections: Detections) -> None:
    width, height = detections.width, detections.height
    shown = points[seen > 0]
    low, high = shown.min(0), shown.max(0)
    span = f"x from {low[0]:.4g} to {high[0]:.4g}, y from {low[1]:.4g} to {high[1]:.4g}"
    if np.quantile(size, 0.9) < SMALLEST:
        meant = "from -1 to 1" if low.min() < -0.05 else "shares of the image"
        raise DataError(
            f"{detections.name}: people of {np.median(size):.3g} pixels ({span}), expected pixels of an image of "
            f"{width} x {height}, not coordinates {meant}: multiply them by its size"
        )
    if high.max() <= CORNER and low.min() >= 0 and min(width, height) >= LARGE:
        raise DataError(
            f"{detections.name}: all keypoints are in one corner of an image of {width} x {height} ({span}), expected "
            "pixels (are they percent, or of a smaller image?)"
        )


def _check_inside(points: np.ndarray, seen: np.ndarray, weight: np.ndarray, detections: Detections) -> list[str]:
    size = np.array([detections.width, detections.height], float)
    share = _outside(points, seen, size)
    middle = np.ma.median(np.ma.masked_array(points, np.repeat((seen == 0)[..., None], 2, -1)), axis=1).filled(0)
    gone = float(np.average(((middle < 0) | (middle > size)).any(-1), weights=weight))
    if share <= OUTSIDE_NOTED and gone <= GONE:
        return _check_corner(points, seen, detections)
    shown = points[seen > 0]
    found = f"{100 * share:.0f} % of the keypoints lie outside the image of {size[0]:.0f} x {size[1]:.0f} pixels"
    rise = upright(points, seen, detections.layout)
    lying = np.average(np.abs(rise[:, 0]) > np.abs(rise[:, 1]), weights=weight) > MOST
    swapped = lying and _outside(points[..., ::-1], seen, size) < 0.005
    # detectors are unsure of what they place beyond the edge
    exchanged = not (detections.sized or swapped) and _outside(points, seen, size[::-1]) < 0.005
    exchanged = exchanged and size[0] != size[1] and _beyond_sure(points, seen, size)
    reach = shown.max(0)
    if swapped:
        hint = "none would with x and y exchanged: are they rows and columns? Give x, then y"
    elif exchanged:
        hint = "none would with width and height exchanged: is the size (height, width)? Give width, then height"
    elif shown.min() < 0 and (np.abs(shown) <= size / 2 * (1 + MARGIN)).mean() > 0.99:
        hint = "none would if they were measured from its middle; expected pixels from its upper left corner"
    elif np.median(shown[:, 1]) < 0:
        hint = "y is negative: expected y down, from the upper edge"
    else:
        hint = f"they reach ({reach[0]:.0f}, {reach[1]:.0f}): of an image of another size? Scale them to this one"
    if gone > GONE or share > OUTSIDE or exchanged or swapped:
        raise DataError(f"{detections.name}: {found}; {hint}")
    return [f"{found}: people at its edge, or keypoints of an image of another size"]


def _check_corner(points: np.ndarray, seen: np.ndarray, detections: Detections) -> list[str]:
    width, height = detections.width, detections.height
    reach = np.quantile(points[seen > 0], 0.999, axis=0) / (width, height)
    if reach.max() > 0.52:
        if detections.sized or reach[1] * height > width or width >= height:
            return []
        return [  # people who are filmed upright stand in the lower part, too
            f"all keypoints lie in the upper {100 * reach[1]:.0f} % of the image of {width} x {height} pixels, and "
            f"within one of {height} x {width}: is the size (height, width)?"
        ]
    return [
        f"all keypoints lie in the upper left quarter of the image of {detections.width} x {detections.height} pixels: "
        "were they found in a smaller copy?"
    ]


def _outside(points: np.ndarray, seen: np.ndarray, size: np.ndarray) -> float:
    """Share of the confidence that lies outside an image by more than a margin."""
    beyond = ((points < -MARGIN * size) | (points > (1 + MARGIN) * size)).any(-1)
    return float(seen[beyond].sum() / seen.sum())


def _beyond_sure(points: np.ndarray, seen: np.ndarray, size: np.ndarray) -> bool:
    """Whether keypoints outside an image are nearly as sure as those within."""
    beyond = ((points < 0) | (points > size)).any(-1) & (seen > 0)
    within = ~beyond & (seen > 0)
    return bool(beyond.any() and within.any() and seen[beyond].mean() > 0.6 * seen[within].mean())


def _check_upright(points: np.ndarray, seen: np.ndarray, weight: np.ndarray, detections: Detections) -> list[str]:
    layout, size = detections.layout, sizes(points, seen)
    rise = upright(points, seen, layout)
    below = (rise[:, 1] < -0.2) & (np.abs(rise[:, 1]) > np.abs(rise[:, 0]))
    share = float(np.average(below, weights=weight))
    if share > MOST:
        hands = [layout.index(f"{side}_wrist") for side in ("left", "right")]
        shoulders = [layout.index(f"{side}_shoulder") for side in ("left", "right")]
        both = (seen[:, hands] > 0) & (seen[:, shoulders] > 0) & below[:, None]
        reach = ((points[:, hands, 1] - points[:, shoulders, 1]) / size[:, None])[both]
        found = f"heads are below feet in {100 * share:.0f} % of the frames"
        if not len(reach) or np.median(reach) < 0.1:  # nobody stands on these hands
            raise DataError(
                f"{detections.name}: {found}, expected y down from the upper edge (y = {detections.height} - y), and a "
                "picture that is not upside down"
            )
        return [f"{found}: a handstand, or y points up"]
    flat = float(np.average(np.abs(rise[:, 0]) > 2 * np.abs(rise[:, 1]), weights=weight))
    if flat > MOST:
        return [
            f"people lie on their side in {100 * flat:.0f} % of the frames: lying down, a picture on its side, or x "
            "and y exchanged"
        ]
    return []


def _check_sides(points: np.ndarray, seen: np.ndarray, weight: np.ndarray, layout: Skeleton) -> list[str]:
    """A note where left and right are exchanged: toes point towards the camera, but the left side is to the left.

    A camera is above the floor, so toes that point towards it are lower in the image than heels.
    """
    toes = next((toe for toe in ("big_toe", "foot_index") if f"left_{toe}" in layout.joints), None)
    if toes is None:
        return []

    def apart(first: str, second: str, axis: int) -> np.ndarray:
        own = [layout.index(first), layout.index(second)]
        ways = np.where((seen[:, own] >= SURE).all(1), points[:, own[0], axis] - points[:, own[1], axis], np.nan)
        return ways / weight

    ahead = apart(f"left_{toes}", "left_heel", 1) + apart(f"right_{toes}", "right_heel", 1)
    leftwards = apart("left_shoulder", "right_shoulder", 0) + apart("left_hip", "right_hip", 0)
    facing = (ahead * leftwards)[np.isfinite(ahead * leftwards)]
    if len(facing) < MIN_JOINTS or facing.mean() > -FRONTAL or facing.sum() > -MOST * np.abs(facing).sum():
        return []
    return [
        "left and right are exchanged, as toes tell: found in a mirrored picture, or named as the viewer sees them; "
        "what is lifted is mirrored"
    ]


def _check_new(people: Sequence[np.ndarray]) -> list[str]:
    """A note where many frames show exactly what the one before showed."""
    pairs = [(a, b) for a, b in zip(people[:-1], people[1:], strict=True) if len(a) and len(b)]
    pairs = [(a, b) for a, b in pairs if (a[..., 2] > 0).any() and (b[..., 2] > 0).any()]
    same = sum(a.shape == b.shape and bool((a == b).all()) for a, b in pairs)
    if not pairs or same <= REPEATED * len(pairs):
        return []
    return [
        f"{100 * same / len(pairs):.0f} % of the frames repeat the keypoints of the one before: were they found at a "
        "lower rate, and held?"
    ]


def _turned(detections: Detections, rotation: int, size: tuple[int, int]) -> Detections:
    """Keypoints of frames as stored, and their camera, turned clockwise by 90, 180 or 270 degrees into upright ones."""
    width, height = size
    maps = {
        90: lambda x, y: (width - 1 - y, x), 180: lambda x, y: (width - 1 - x, height - 1 - y),
        270: lambda x, y: (y, height - 1 - x),
    }  # fmt: skip
    stored = (height, width) if rotation % 180 else size
    scale = stored[0] / detections.width if rotation % 180 and (detections.width, detections.height) != size else 1.0
    people = []
    for p in detections.people:
        x, y = maps[rotation](p[..., 0] * scale, p[..., 1] * scale)
        seen = p[..., 2] > 0
        people.append(np.stack([np.where(seen, x, 0.0), np.where(seen, y, 0.0), p[..., 2]], -1))
    camera = detections.intrinsics
    if camera is not None:
        cx, cy = maps[rotation](camera.cx * scale, camera.cy * scale)
        fx, fy = (camera.fy, camera.fx) if rotation % 180 else (camera.fx, camera.fy)
        camera = replace(camera, fx=fx * scale, fy=fy * scale, cx=cx, cy=cy, width=width, height=height)
    return replace(detections, people=people, width=width, height=height, intrinsics=camera)
