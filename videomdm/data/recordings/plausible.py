"""Where something was seen: keypoints against the image and the body, in one place for all readers.

Files say little of their coordinates: the size of the image that they were found in, whether y points down, in which
order joints stand.  What is misread is misread in all frames, so everybody in every frame is judged together, and a
limit is half of them or more.  People may lie, stand on their hands, or be partly outside the image: that is no fault
of a file, and is at most noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.tracking import MIN_JOINTS, SEEN
from videomdm.skeletons.definitions import BODY25, BODY25B, COCO17, H36M17, Skeleton

MARGIN = 0.02  # image sides that keypoints may lie outside: detectors see a little beyond the edge
OUTSIDE_NOTED, OUTSIDE = 0.08, 0.55  # share of confidence outside the image that is said, and that is refused
GONE = 0.2  # share of people whose middle is outside the image from which a file is refused
SMALLEST = 8.0  # pixels: nobody who is smaller can be seen
CORNER, LARGE = 100.0, 600.0  # pixels: keypoints that all lie within 100 of the corner of a large image are no pixels
ENOUGH = 50  # people that tell how far apart joints are
MOST = 0.7  # share of people who are upside down, or on their side, from which all are
#: Share of a layout's mean bone length below which another layout of as many joints is meant: built-in motions from
#: all sides give .73 and more to Human3.6M's bones between COCO's joints, .61 and less to the right layout's elsewhere.
ORDER = 0.62
#: Mean length of a layout's bones over the mean distance of its joints, from which joints are in no order: bodies,
#: seen by detectors and rendered from all sides, have up to .41, shuffled joints at least .63.
SCRAMBLED = 0.55
CLIPPED = 3  # joints of one person on one edge of the image, that no body has there by chance
REPEATED = 0.15  # share of frames equal to the one before that is worth a note; detectors seldom find the same twice
OFF_CENTRE = 0.3  # image sides that the principal point may be off the middle; pictures are cropped
NARROWEST = 3.0  # degrees across the diagonal, of the longest lenses; and of 180 less these, of the widest
OFF_MIDDLE = 0.3  # body sizes that neck or pelvis may be off the middle of shoulders or hips
SHARES = 0.3  # normalised coordinates, x and y of the middle of somebody of whom nothing is left of or above the axis
WIDEST = 3.0  # normalised image coordinates: the edge of a lens of 143 degrees
SIZES = (0.1, 6.0)  # metres, size in the image times depth, that a person may have

#: Layouts of as many joints as another, which readers that count joints mistake for it.
SAME_COUNT = {17: (COCO17, H36M17), 25: (BODY25, BODY25B)}

_HEAD, _FEET = ("nose", "left_ear", "right_ear", "left_eye", "right_eye", "head"), ("left_ankle", "right_ankle")


# ---- all readers -----------------------------------------------------------------------------------------


def examine(detections: Detections) -> Detections:
    """Keypoints that can be somebody's in an image of this size; corrections and doubts are in the notes.

    Raises:
        DataError: coordinates or order of joints are not what they are said to be.
    """
    detections = _without_twins(_without_edges(_without_zeros(detections)))
    if detections.intrinsics is not None:
        check_intrinsics(detections.intrinsics, detections.name)
    points, seen, weight = _bodies(detections)
    if not len(points):
        return detections  # nobody there: following people says so
    name = detections.name
    _check_size(points, seen, weight, detections)
    notes = _check_order(points, seen, detections.layout, name)
    notes += _check_inside(points, seen, weight, detections)
    notes += _check_upright(points, seen, weight, detections)
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
    points, seen, weight = _bodies(detections)
    if len(points) and rotation:
        turned = _turned(detections, rotation, (width, height))
        lying = _upright(points, seen, detections.layout)
        standing = _upright(*_bodies(turned)[:2], turned.layout)
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


def layout_of(people: np.ndarray, candidates: Sequence[Skeleton]) -> Skeleton:
    """Which of several layouts with as many joints makes bodies of people (P, J, 3); the first where no other does."""
    first, *others = candidates
    if not others:
        return first
    lengths = {layout.name: _bone_length(people, layout) for layout in candidates}
    better = [layout for layout in others if lengths[layout.name] < ORDER * lengths[first.name]]
    return min(better, key=lambda layout: lengths[layout.name]) if better else first


def without_zeros(points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Confidence (...,) that is 0 for points (..., 2) at exactly (0, 0) or (-1, -1), and a note where there are any.

    There programs put what they did not see, whatever confidence they give it.
    """
    marked = ((points == 0).all(-1) | (points == -1).all(-1)) & (confidence > 0)
    if not marked.any():
        return confidence, []
    share = 100 * marked.sum() / (confidence > 0).sum()
    note = f"{share:.1f} % of the keypoints are at (0, 0) or (-1, -1) with confidence: counted as not seen"
    return np.where(marked, 0.0, confidence), [note]


def check_normalised(keypoints: Tensor, confidence: Tensor, depth: Tensor | None = None) -> None:
    """Refuse what cannot be people's normalised image coordinates.

    Args:
        keypoints: (C, T, J, 2) pixels times the inverse intrinsic matrix.
        confidence: (C, T, J); keypoints of confidence 0 are not looked at.
        depth: (C,) metres from the camera to the person, where known: size in the image times depth is metres.

    Raises:
        ValueError: NaN or infinite where something is said to be seen; pixels, or shares of the image.
    """
    seen = confidence > 0
    if not confidence.isfinite().all():
        raise ValueError("confidence is not finite, expected 0 to 1")
    lost = seen & ~keypoints.isfinite().all(-1)
    if lost.any():
        clip, frame, joint = lost.nonzero()[0].tolist()
        raise ValueError(
            f"clip {clip}, frame {frame}: the keypoint of joint {joint} is not finite; give confidence 0 where nothing "
            "was seen"
        )
    expected = (
        "expected normalised image coordinates: pixels times the inverse intrinsic matrix, ((x - cx) / fx, "
        "(y - cy) / fy), as videomdm.data.recordings.detections.Intrinsics.normalise makes them"
    )
    reach = keypoints.abs().amax(-1).masked_fill(~seen, torch.nan).flatten(1).nanquantile(0.9, dim=1)
    if (reach > WIDEST).any():
        clip = int((reach > WIDEST).nonzero()[0])
        raise ValueError(f"clip {clip}: keypoints reach {float(reach[clip]):.4g}, {expected}")
    middle = keypoints.masked_fill(~seen[..., None], torch.nan).flatten(1, 2).nanmedian(dim=1).values
    lowest = keypoints.masked_fill(~seen[..., None], torch.inf).flatten(1, 2).amin(1)
    shares = (lowest >= 0).all(-1) & (middle > SHARES).all(-1)
    if shares.any():
        raise ValueError(f"clip {int(shares.nonzero()[0])}: all keypoints are right of and below the image's middle, "
                         f"as shares of the image (0 to 1) are; {expected}")  # fmt: skip
    if depth is None:
        return
    low, high = (keypoints.masked_fill(~seen[..., None], end) for end in (torch.inf, -torch.inf))
    extent = (high.amax(-2) - low.amin(-2)).amax(-1).masked_fill(~seen.any(-1), torch.nan)
    size = extent.nanmedian(dim=1).values * depth
    wrong = (depth > 0) & ((size < SIZES[0]) | (size > SIZES[1]))
    if wrong.any():
        clip = int(wrong.nonzero()[0])
        raise ValueError(
            f"clip {clip}: a person of {float(size[clip]):.2f} m at {float(depth[clip]):.2f} m from the camera, "
            f"expected {SIZES[0]} to {SIZES[1]} m; {expected}"
        )


def check_intrinsics(camera: Intrinsics, name: str) -> None:
    """Refuse the intrinsics of another image, or in other units than pixels.

    Raises:
        DataError: the principal point is far from the image's middle, or no lens sees so narrow or so wide.
    """
    off = max(abs(camera.cx / camera.width - 0.5), abs(camera.cy / camera.height - 0.5))
    if off > OFF_CENTRE:
        raise DataError(
            f"{name}: the intrinsics' principal point ({camera.cx:.4g}, {camera.cy:.4g}) is far from the middle of an "
            f"image of {camera.width} x {camera.height}: are they of images of another size?"
        )
    diagonal = float(np.hypot(camera.width, camera.height))
    if not NARROWEST <= np.degrees(2 * np.arctan(diagonal / 2 / camera.fx)) <= 180 - NARROWEST:
        raise DataError(
            f"{name}: a focal length of {camera.fx:.4g} for an image of {camera.width} x {camera.height}, expected "
            "pixels, about the image's diagonal (not millimetres)"
        )


# ---- single checks ---------------------------------------------------------------------------------------


def _without_zeros(detections: Detections) -> Detections:
    everybody = np.concatenate(detections.people)
    confidence, notes = without_zeros(everybody[..., :2], everybody[..., 2])
    if not notes:
        return detections
    if not confidence.any():
        raise DataError(f"{detections.name}: every keypoint is at (0, 0), expected pixels")
    return _with(detections, confidence, notes[0])


def _without_edges(detections: Detections) -> Detections:
    """Joints that lie exactly on the image's edge, several of one person at once, were outside and moved there."""
    everybody = np.concatenate(detections.people)
    x, y, confidence = np.moveaxis(everybody, -1, 0)
    clipped = np.zeros(confidence.shape, bool)
    for values, size in ((x, detections.width), (y, detections.height)):
        for edge in (0, size - 1, size):
            on = (values == edge) & (confidence > 0)
            clipped |= on & (on.sum(1, keepdims=True) >= CLIPPED)
    if not clipped.any():
        return detections
    share = 100 * clipped.sum() / (confidence > 0).sum()
    note = f"{share:.1f} % of the keypoints lie exactly on the image's edge, where what is outside was put: not seen"
    return _with(detections, np.where(clipped, 0.0, confidence), note)


def _without_twins(detections: Detections) -> Detections:
    """Everybody once: the same keypoints twice in a frame are one person."""
    people, twins = [], 0
    for found in detections.people:
        kept = np.unique(found, axis=0, return_index=True)[1] if len(found) > 1 else np.arange(len(found))
        twins += len(found) - len(kept)
        people.append(found[np.sort(kept)])
    if not twins:
        return detections
    note = f"{twins} people stand in a frame twice: counted once (are frames or files doubled?)"
    return replace(detections, people=people, notes=[*detections.notes, note])


def _with(detections: Detections, confidence: np.ndarray, note: str) -> Detections:
    """Detections with another confidence of everybody in all frames (P, J), and a note."""
    everybody = np.concatenate([np.concatenate(detections.people)[..., :2], confidence[..., None]], -1)
    people = np.split(everybody, np.cumsum([len(p) for p in detections.people])[:-1])
    return replace(detections, people=people, notes=[*detections.notes, note])


def _check_new(people: Sequence[np.ndarray]) -> list[str]:
    """A note where many frames show exactly what the one before showed."""
    pairs = [(a, b) for a, b in zip(people[:-1], people[1:], strict=True) if len(a) and len(b)]
    same = sum(a.shape == b.shape and bool((a == b).all()) for a, b in pairs)
    if not pairs or same <= REPEATED * len(pairs):
        return []
    return [
        f"{100 * same / len(pairs):.0f} % of the frames repeat the keypoints of the one before: were they found at a "
        "lower rate, and held?"
    ]


def _bodies(detections: Detections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Everybody with enough joints: points (P, J, 2), confidence (P, J) with guesses at 0, weights (P,) by size."""
    people = np.concatenate(detections.people)
    confidence = np.where(people[..., 2] >= SEEN, people[..., 2], 0.0)
    enough = (confidence > 0).sum(1) >= MIN_JOINTS
    points, confidence = people[enough, :, :2], confidence[enough]
    return points, confidence, np.maximum(_sizes(points, confidence), 1e-9)


def _sizes(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Longer side (P,) of people's boxes."""
    inside = (seen > 0)[..., None]
    low, high = np.where(inside, points, np.inf).min(1), np.where(inside, points, -np.inf).max(1)
    return (high - low).max(-1) if len(points) else np.zeros(0)


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
    rise = _upright(points, seen, detections.layout)
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
    reach = np.quantile(points[seen > 0], 0.999, axis=0) / (detections.width, detections.height)
    if reach.max() > 0.52:
        return []
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


def _upright(points: np.ndarray, seen: np.ndarray, layout: Skeleton) -> np.ndarray:
    """(P, 2) from feet to head in body sizes, y up; shoulders and hips stand in for what is not seen."""
    ends = []
    for groups in ((_HEAD, ("left_shoulder", "right_shoulder")), (_FEET, ("left_hip", "right_hip"))):
        middle = np.full((len(points), 2), np.nan)
        for names in groups:
            own = [layout.index(n) for n in names if n in layout.joints]
            weight = (seen[:, own] > 0)[..., None]
            with np.errstate(invalid="ignore"):
                found = np.where(weight, points[:, own], 0).sum(1) / weight.sum(1)
            middle = np.where(np.isnan(middle), found, middle)
        ends.append(middle)
    rise = (ends[0] - ends[1]) / np.maximum(_sizes(points, seen), 1e-9)[:, None]
    return np.nan_to_num(rise) * (1, -1)


def _check_upright(points: np.ndarray, seen: np.ndarray, weight: np.ndarray, detections: Detections) -> list[str]:
    layout, size = detections.layout, _sizes(points, seen)
    rise = _upright(points, seen, layout)
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
        return [f"people lie on their side in {100 * flat:.0f} % of the frames: lying down, or a picture on its side"]
    return []


def _check_order(points: np.ndarray, seen: np.ndarray, layout: Skeleton, name: str) -> list[str]:
    """Refuse joints that stand in another order than their layout says."""
    people = np.concatenate([points, seen[..., None]], -1)
    candidates = [layout, *(other for other in SAME_COUNT.get(len(layout), ()) if other != layout)]
    meant = layout_of(people, candidates)
    if meant != layout:
        raise DataError(f"{name}: joints are in the order of {meant.name}, not of {layout.name} as they are said to be")
    spread = _bone_length(people, layout) / max(_spread(people), 1e-9)
    if spread > SCRAMBLED:
        raise DataError(
            f"{name}: joints that {layout.name} connects are as far apart as any (bones of {spread:.2f} of the joints' "
            f"mean distance, expected at most {SCRAMBLED}): joints are in another order"
        )
    off = _off_middle(points, seen, layout)
    if off > OFF_MIDDLE:
        raise DataError(
            f"{name}: neck or pelvis of {layout.name} is {off:.2f} body sizes from the middle of shoulders or hips: "
            "joints are in another order"
        )
    return []


def _off_middle(points: np.ndarray, seen: np.ndarray, layout: Skeleton) -> float:
    """Median distance in body sizes of neck (thorax) and pelvis from the middle of shoulders and hips; 0 without."""
    size, worst = _sizes(points, seen), 0.0
    neck = "thorax" if "thorax" in layout.joints else "neck"
    for joint, pair in ((neck, "shoulder"), ("pelvis", "hip")):
        if joint not in layout.joints:
            continue
        own = [layout.index(j) for j in (joint, f"left_{pair}", f"right_{pair}")]
        all_seen = (seen[:, own] > 0).all(1)
        if all_seen.sum() < MIN_JOINTS:
            continue
        at = points[all_seen][:, own]
        distance = np.linalg.norm(at[:, 0] - at[:, 1:].mean(1), axis=-1) / size[all_seen]
        worst = max(worst, float(np.median(distance)))
    return worst


def _bone_length(people: np.ndarray, layout: Skeleton) -> float:
    """Mean over a layout's bones of their median length among people (P, J, 3), in body sizes."""
    points, seen = people[..., :2], people[..., 2] >= SEEN
    size = np.maximum(_sizes(points, seen), 1e-9)[:, None]
    parents, joints = (list(ends) for ends in zip(*layout.bones, strict=True))
    length = np.linalg.norm(points[:, parents] - points[:, joints], axis=-1) / size
    both = seen[:, parents] & seen[:, joints]
    medians = [np.median(own[b]) for own, b in zip(length.T, both.T, strict=True) if b.any()]
    return float(np.mean(medians)) if medians else np.inf


def _spread(people: np.ndarray) -> float:
    """Mean over pairs of joints of their median distance among people (P, J, 3), in body sizes."""
    some = people[np.linspace(0, len(people) - 1, min(len(people), ENOUGH)).round().astype(int)]
    points, seen = some[..., :2], some[..., 2] >= SEEN
    both = seen[:, :, None] & seen[:, None] & ~np.eye(points.shape[1], dtype=bool)
    size = np.maximum(_sizes(points, seen), 1e-9)[:, None, None]
    apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1) / size
    median = np.ma.median(np.ma.masked_array(apart, ~both), axis=0)
    return float(median.mean()) if median.count() else 0.0


def _turned(detections: Detections, rotation: int, size: tuple[int, int]) -> Detections:
    """Keypoints of frames as stored, turned clockwise by 90, 180 or 270 degrees into upright frames of a size."""
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
    return replace(detections, people=people, width=width, height=height, intrinsics=None)
