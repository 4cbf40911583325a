"""The lens that a video's file names: many phones write its 35 mm equivalent focal length into the movie's metadata.

The boxes are those of Apple's QuickTime File Format (*Metadata atoms and types*): a ``meta`` box of the movie or of a
track holds ``keys``, names, and ``ilst``, a value for the number of each name.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from videomdm.data.recordings.detections import Intrinsics

FOCAL_LENGTH = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
DIAGONAL = math.hypot(36.0, 24.0)  # millimetres of a frame of 35 mm film
PLAUSIBLE = (8.0, 800.0)  # millimetres
#: Types of values -> how struct reads them.
_NUMBERS = {23: ">f", 24: ">d", 65: ">b", 66: ">h", 67: ">i", 75: ">B", 76: ">H", 77: ">I", 78: ">Q"}
_INTEGERS = {21: True, 22: False}  # of one to four bytes -> whether they are signed

Box = tuple[bytes, bytes]  # type and content


def intrinsics(path: str | Path, width: int, height: int, pixel_aspect: float = 1.0) -> Intrinsics | None:
    """A camera with the field of view that a video's file tells; None where it tells none.

    Args:
        path: the video, of any kind.
        width, height: pixels of its upright images.
        pixel_aspect: width of a pixel over its height.
    """
    focal = focal_length(path)
    if focal is None:
        return None
    angle = 2 * math.degrees(math.atan(DIAGONAL / 2 / focal))
    found = Intrinsics.from_field_of_view(width, height, angle, pixel_aspect)
    origin = f"field of view of {angle:.1f} degrees across the diagonal, of the {focal:g} mm lens that the file names"
    return Intrinsics(found.fx, found.fy, found.cx, found.cy, width, height, origin)


def focal_length(path: str | Path) -> float | None:
    """The 35 mm equivalent focal length in millimetres that a QuickTime or mp4 file names, where that is plausible."""
    with open(path, "rb") as file:
        movie = _movie(file)
    values = [value for meta in _metadata(movie) if (value := _value(meta, FOCAL_LENGTH)) is not None]
    return next((value for value in values if PLAUSIBLE[0] <= value <= PLAUSIBLE[1]), None)


def _movie(file: BinaryIO) -> bytes:
    """Content of the file's movie box, wherever it stands; empty where there is none."""
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        read = 8
        if size == 1:
            long = file.read(8)
            if len(long) < 8:
                break
            size, read = struct.unpack(">Q", long)[0], 16
        if kind == b"moov":
            return file.read(size - read if size >= read else -1)
        if size < read:
            break
        file.seek(size - read, 1)
    return b""


def _boxes(data: bytes) -> Iterator[Box]:
    """The boxes that some content consists of; what is cut off or no box ends them."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if size < 8 or at + size > len(data):
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _metadata(movie: bytes) -> Iterator[bytes]:
    """Contents of the movie's and its tracks' metadata boxes, which in mp4 files begin with a version."""
    for kind, content in _boxes(movie):
        if kind == b"trak":
            yield from _metadata(content)
        elif kind == b"meta":
            yield content if any(True for kind, _ in _boxes(content) if kind == b"keys") else content[4:]


def _value(meta: bytes, wanted: str) -> float | None:
    """The number that a metadata box has for a name."""
    parts = dict(_boxes(meta))
    names = [name.decode("utf-8", "replace") for _, name in _boxes(parts.get(b"keys", b"")[8:])]
    for number, item in _boxes(parts.get(b"ilst", b"")):
        at = int.from_bytes(number, "big") - 1
        if 0 <= at < len(names) and names[at] == wanted:
            return _number(dict(_boxes(item)).get(b"data", b""))
    return None


def _number(data: bytes) -> float | None:
    """A value: its type, four bytes of locale, and the number itself."""
    if len(data) <= 8:
        return None
    kind, value = int.from_bytes(data[:4], "big"), data[8:]
    try:
        if kind in _INTEGERS:
            return float(int.from_bytes(value, "big", signed=_INTEGERS[kind]))
        return float(struct.unpack(_NUMBERS[kind], value)[0] if kind in _NUMBERS else value.decode())
    except (struct.error, ValueError):
        return None
