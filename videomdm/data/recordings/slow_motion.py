"""At what rate a film was taken, where that is not the rate at which it plays: slow motion and time lapse.

Telephones with Android write the rate of the camera into the film (``com.android.capture.fps``), and players show the
frames eight times as slow.  OpenCV does not read that, so the few boxes of MP4 (ISO 14496-12, QuickTime's metadata)
that it stands in are read here.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

KEY = b"com.android.capture.fps"
FLOAT = 23  # QuickTime's type of a 32-bit number
LARGEST = 2**26  # bytes of a table of contents that is looked through


def capture_rate(path: Path) -> float | None:
    """Frames a second at which a film was taken; None where it does not say, or is no MP4 file."""
    try:
        rate = _rate(_contents(path))
    except (struct.error, ValueError, OSError):  # no MP4, or a damaged one: the decoder has its say
        return None
    return rate if rate is not None and math.isfinite(rate) and rate > 0 else None


def _contents(path: Path) -> bytes:
    """The table of contents (moov), empty where there is none."""
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            size = struct.unpack(">Q", file.read(8))[0] - 16 if size == 1 else size - 8
            if kind == b"moov":
                return file.read(min(size, LARGEST))
            if size < 0:  # to the end of the file
                break
            file.seek(size, 1)
    return b""


def _rate(movie: bytes) -> float | None:
    """The value of :data:`KEY` in the list (ilst) of what the names in ``keys`` have."""
    names = movie.find(b"keys")
    values = movie.find(b"ilst", names)  # one before it is a list of another kind, with names of its own
    if min(names, values) < 0:
        return None
    at, number = names + 12, None
    for k in range(struct.unpack_from(">I", movie, names + 8)[0]):
        (size,) = struct.unpack_from(">I", movie, at)
        if movie[at + 8 : at + size] == KEY:
            number = k + 1
        at += max(size, 8)
    at, end = values + 4, values - 4 + struct.unpack_from(">I", movie, values - 4)[0]
    while at < end:
        size, which = struct.unpack_from(">II", movie, at)
        if which == number and struct.unpack_from(">I", movie, at + 16)[0] == FLOAT:
            return struct.unpack_from(">f", movie, at + 24)[0]
        at += max(size, 8)
    return None
