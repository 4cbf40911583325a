"""BlazePose: 33 keypoints of the people in a video, by two small networks that come with the package.

Nothing is downloaded.  The networks are MediaPipe's (Apache-2.0; ``blazepose_weights`` holds them, their licence and
the script that converted them).  OpenCV runs them, which is installed anyway, or onnxruntime where it is there
(the extra ``video``), which takes half the time.

MediaPipe itself was not made a dependency: the releases that hold the networks want numpy 1, later ones hold none, and
both bring a second OpenCV that overwrites the first.  What it does around the networks is little, and is written out
here: the first network finds people in the whole image, as a centre and a radius each; the second finds the keypoints
in a square around one person, and where that square has to be in the next frame.  So the first network runs only
where nobody is followed yet, or the person was lost.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020.
"""

from __future__ import annotations

import math
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np
from scipy.special import expit

from videomdm.skeletons.definitions import BLAZEPOSE33

Found = tuple[np.ndarray, np.ndarray]  # a person: keypoints (33, 3) and the square (4,) to look into next

WEIGHTS = Path(__file__).parent / "blazepose_weights"
PERSON_SIZE, CROP_SIZE, HEAT_SIZE = 224, 256, 64  # pixels of the networks' square images and of the heat maps
STRIDES = ((8, 2), (16, 2), (32, 6))  # pixels between anchors, and how many lie on one place
PERSON, PRESENT = 0.5, 0.5  # scores from which there is a person in the image, in the square
SAME = 0.3  # intersection over union from which two boxes are of one person
MARGIN = 1.25  # side of the square, in diameters of the circle around the person
WINDOW = 3  # cells on each side of a keypoint in which its heat map is averaged
PEAK = 0.5  #: of a heat map, from which it is believed
EVERY = 20  #: images after which the whole image is searched again
MOST = 3  #: people who are followed at once, the largest
APART, RESIZED = 0.15, 1.5  # sides of the square between two people's middles, or times their sizes differ


class BlazePose:
    """Call it with the BGR images (H, W, 3) of one video, in order, for the people in it (P, 33, 3).

    A keypoint is x and y in pixels and a confidence in 0..1: the network's presence (that the keypoint is in the
    picture) times its visibility (that nothing hides it).  Outside the image, where the network only guesses, it is 0.

    Everybody is followed in a square of their own, up to :data:`MOST` people, and the whole image is searched for
    others when one is lost, and at every :data:`EVERY`-th image.  So somebody who passes behind the main person has a
    square too, which is what keeps the main person's from going along with them.

    Attributes:
        state: (1 + 4 P,) what is carried from image to image: the images since the whole of one was searched, and each
            person's square (centre x and y, side, angle).  Empty before a video; set it to go on in the middle of one.

    Raises:
        FileNotFoundError: the package was installed without its networks.
    """

    layout = BLAZEPOSE33
    name = "blazepose-full"

    def __init__(self) -> None:
        self.state = np.zeros(0)

    @cached_property
    def _find(self) -> Network:
        return Network(WEIGHTS / "person.onnx")

    @cached_property
    def _look(self) -> Network:
        return Network(WEIGHTS / "landmarks.onnx")

    def __call__(self, image: np.ndarray) -> np.ndarray:
        age, squares = self.state[:1].sum() + 1, self.state[1:].reshape(-1, 4)
        found = self._people(image, squares, [], 1)
        if len(found) < max(len(squares), 1) or age >= EVERY:
            age, found = 0, self._people(image, self._search(image), found, 2)
        self.state = np.concatenate([[age], *(square for _, square in found)])
        return np.array([keypoints for keypoints, _ in found]).reshape(-1, len(self.layout), 3)

    def _people(self, image: np.ndarray, squares: np.ndarray, found: list[Found], looks: int) -> list[Found]:
        """The people in the squares (P, 4), after those who were ``found`` before and are nobody else."""
        for square in squares:
            one = self._person(image, square, found, looks)
            found = found if one is None else [*found, one]
        return found

    def _person(self, image: np.ndarray, square: np.ndarray, found: list[Found], looks: int) -> Found | None:
        """The person in a square (4,) who is none of the ``found``, or None.

        At somebody new a second look is taken, in the square that the first one gave: who is gone then was never there.
        """
        one = None
        for _ in range(looks):
            if len(found) == MOST or is_known(square, found) or (one := self._keypoints(image, square)) is None:
                return None
            square = one[1]
        return None if is_known(square, found) else one

    def _search(self, image: np.ndarray) -> np.ndarray:
        """Squares (P, 4) around everybody in the image, the largest and likeliest first; several for some people."""
        squares, scores = [], []
        for part in parts(image.shape[1], image.shape[0]):
            pixels, to_image = crop(image, part, PERSON_SIZE, cv2.BORDER_CONSTANT)
            boxes, logits = self._find(2 * pixels - 1)
            circles, likely = people(boxes[0], logits[0, :, 0])
            squares.append(square_around(transform(circles, to_image)))
            scores.append(likely)
        found = np.concatenate(squares)
        return found[np.argsort(-np.concatenate(scores) * found[:, 2])]

    def _keypoints(self, image: np.ndarray, square: np.ndarray) -> Found | None:
        """The person in a square (4,); None when there is nobody."""
        pixels, to_image = crop(image, square, CROP_SIZE, cv2.BORDER_REPLICATE)
        points, present, heat = self._look(pixels)
        if present[0, 0] < PRESENT:
            return None
        points = points.reshape(-1, 5).astype(float)
        places = transform(refined(points[:, :2], heat[0]), to_image)
        body, circle = np.split(places[: len(self.layout) + 2], [len(self.layout)])
        inside = ((body >= 0) & (body <= (image.shape[1], image.shape[0]))).all(-1)
        confidence = expit(points[: len(self.layout), 3:]).prod(-1) * inside
        return np.column_stack([body, confidence]), square_around(circle[None])[0]


class Network:
    """One onnx file; call it with a batch of images (1, S, S, 3), float32, for its outputs in the file's order."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; the package was installed without BlazePose's networks")
        try:
            import onnxruntime
        except ImportError:
            self._run = self._opencv(path)
            return
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the next frame is decoded meanwhile
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        self._run = lambda image: session.run(None, {name: image})

    @staticmethod
    def _opencv(path: Path):
        network = cv2.dnn.readNetFromONNX(str(path))
        names = network.getUnconnectedOutLayersNames()

        def run(image: np.ndarray) -> list[np.ndarray]:
            network.setInput(image)
            return network.forward(names)

        return run

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        return self._run(image[None])


def crop(image: np.ndarray, square: np.ndarray, size: int, border: int) -> tuple[np.ndarray, np.ndarray]:
    """What lies in a turned square of an image.

    Args:
        image: (H, W, 3) uint8, BGR.
        square: (4,) centre x and y, side in pixels, and the angle in radians by which it is turned clockwise.
        size: pixels of the result's side.
        border: of OpenCV: what lies outside the image.

    Returns:
        RGB (size, size, 3) float32 in 0..1, and the matrix (2, 3) from its pixels to the image's.
    """
    x, y, side, angle = square
    cos, sin = math.cos(angle) * side / size, math.sin(angle) * side / size
    half = size / 2
    to_image = np.array([[cos, -sin, x - half * (cos - sin)], [sin, cos, y - half * (sin + cos)]])
    pixels = cv2.warpAffine(
        image, to_image, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.float32) / 255, to_image


def parts(width: int, height: int) -> np.ndarray:
    """Squares (S, 4) in which an image is searched: all of it, and parts as large as its shorter side.

    People are small in the whole of a wide image, often too small to be found.
    """
    short, size = min(width, height), np.array([width, height])
    share = np.linspace(0, 1, math.ceil(max(width, height) / short))[:, None]
    middles = short / 2 + share * (size - short)
    pieces = np.column_stack([middles, np.full(len(share), short), np.zeros(len(share))])
    whole = np.array([[width / 2, height / 2, max(width, height), 0.0]])
    return np.concatenate([whole, pieces]) if len(pieces) > 1 else whole


def transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (..., 2) by an affine matrix (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def square_around(circles: np.ndarray) -> np.ndarray:
    """Squares (P, 4) around people: centre, side, angle.

    Args:
        circles: (P, 2, 2) the middle of the hips, and the point on the circle around the person to which the trunk
            points from there.
    """
    middle, upper = circles[:, 0], circles[:, 1]
    x, y = (upper - middle).T
    return np.column_stack([middle, 2 * MARGIN * np.hypot(x, y), np.arctan2(x, -y)])


def is_same(square: np.ndarray, other: np.ndarray) -> bool:
    """Whether two squares (4,) are of one person."""
    larger, smaller = max(square[2], other[2]), min(square[2], other[2])
    return bool(np.hypot(*(square - other)[:2]) < APART * larger and larger < RESIZED * smaller)


def is_known(square: np.ndarray, found: list[Found]) -> bool:
    """Whether a square (4,) is of one of the people found."""
    return any(is_same(square, other) for _, other in found)


@cache
def anchors() -> np.ndarray:
    """Where the person network's outputs are counted from: (2254, 2) pixels of its image."""
    parts = []
    for stride, each in STRIDES:
        line = (np.arange(PERSON_SIZE // stride) + 0.5) * stride
        x, y = np.meshgrid(line, line)
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=-1), each, axis=0))
    return np.concatenate(parts)


def people(outputs: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The person network's outputs as people.

    Args:
        outputs: (2254, 12) for each anchor the face's box (centre, width, height) and four points (x, y): the middle
            of the hips, the top of the person's circle, and the same two of the upper body.
        logits: (2254,) of there being a person.

    Returns:
        Circles (P, 2, 2) in pixels of the network's image, and scores (P,), the best first.  Anchors whose boxes
        overlap are one person, the mean of them by score.
    """
    scores = expit(logits.clip(-100, 100).astype(float))
    order = np.flatnonzero(scores >= PERSON)
    order = order[np.argsort(-scores[order], kind="stable")]
    centre = outputs[order, :2] + anchors()[order]
    half = outputs[order, 2:4] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1)
    points = outputs[order, 4:8].reshape(-1, 2, 2) + anchors()[order, None]
    same, left = _overlap(boxes) > SAME, np.ones(len(order), bool)
    np.fill_diagonal(same, True)
    circles, best = [], []
    for k in range(len(order)):
        if left[k]:
            members = same[k] & left
            circles.append(np.average(points[members], axis=0, weights=scores[order[members]]))
            best.append(scores[order[k]])
            left &= ~members
    return np.array(circles).reshape(-1, 2, 2), np.array(best)


def _overlap(boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of every two boxes (N, 4): (N, N)."""
    low, high = np.maximum(boxes[:, None, :2], boxes[:, :2]), np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)
    return shared / np.maximum(area[:, None] + area - shared, 1e-9)


def refined(points: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Keypoints moved to the middle of the heat around them.

    Args:
        points: (K, 2) pixels of the square.
        heat: (64, 64, K) logits.

    Returns:
        (K, 2); a keypoint outside the square, or whose heat stays below :data:`PEAK`, stays where it is.
    """
    scale = CROP_SIZE / HEAT_SIZE
    cell = np.floor(points / scale).astype(int)
    steps = np.arange(-WINDOW, WINDOW + 1)
    columns, rows = (cell[:, axis, None] + steps for axis in (0, 1))
    grid_rows, grid_columns = np.broadcast_arrays(rows[:, :, None], columns[:, None, :])
    real = (grid_rows >= 0) & (grid_rows < HEAT_SIZE) & (grid_columns >= 0) & (grid_columns < HEAT_SIZE)
    joint = np.arange(len(points))[:, None, None]
    heat = expit(heat[grid_rows.clip(0, HEAT_SIZE - 1), grid_columns.clip(0, HEAT_SIZE - 1), joint].astype(float))
    heat = np.where(real, heat, 0.0)
    total = heat.sum((1, 2)).clip(1e-9)
    middle = np.stack([(heat * grid_columns).sum((1, 2)), (heat * grid_rows).sum((1, 2))], axis=-1) / total[:, None]
    inside = ((cell >= 0) & (cell < HEAT_SIZE)).all(-1)
    believed = inside & (heat.max((1, 2)) >= PEAK)
    return np.where(believed[:, None], middle * scale, points)
