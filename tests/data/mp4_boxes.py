"""Edit mp4 files that OpenCV wrote: what phones, screen recorders and broken copies do to a video."""

import struct

PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def turn_upright(data: bytes) -> bytes:
    """Say in the metadata that the picture must be turned by 90 degrees, as a phone held upright does."""
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix stands 40 bytes after the type
    a, b, _, c, d, _, _, _, one = struct.unpack(">9i", data[at : at + 36])
    assert (a, b, c, d, one) == (65536, 0, 0, 65536, 1 << 30)
    height = struct.unpack(">I", data[at + 40 : at + 44])[0]
    return data[:at] + struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, height, 0, one) + data[at + 36 :]


def set_steps(data: bytes, steps: list[int]) -> bytes:
    """Let frame k last ``steps[k]`` times as long as it did: a variable frame rate."""
    at = data.index(b"stts") - 4
    size, _, count, frames, delta = struct.unpack(">I4x4I", data[at : at + 24])
    assert (size, count, frames) == (24, 1, len(steps))
    table = struct.pack(">I4sII", 16 + 8 * len(steps), b"stts", 0, len(steps))
    table += b"".join(struct.pack(">II", 1, delta * step) for step in steps)
    for parent in PARENTS:  # the movie box is the file's last: no offset into the pictures changes
        start = data.index(parent) - 4
        grown = struct.unpack(">I", data[start : start + 4])[0] + len(table) - size
        data = data[:start] + struct.pack(">I", grown) + data[start + 4 :]
    data = data[:at] + table + data[at + size :]
    at = data.index(b"elst") + 12  # how much of the pictures is shown
    shown = struct.unpack(">I", data[at : at + 4])[0] * sum(steps) // len(steps)
    return data[:at] + struct.pack(">I", shown) + data[at + 4 :]


def contents_first(data: bytes) -> bytes:
    """Move the table of contents before the pictures, as for streaming."""
    start, pictures = data.index(b"moov") - 4, data.index(b"mdat") - 4
    movie = bytearray(data[start:])
    at = movie.index(b"stco") + 8
    (count,) = struct.unpack(">I", movie[at : at + 4])
    for k in range(count):
        place = slice(at + 4 + 4 * k, at + 8 + 4 * k)
        movie[place] = struct.pack(">I", struct.unpack(">I", movie[place])[0] + len(movie))
    return data[:pictures] + bytes(movie) + data[pictures:start]


def taken_at(data: bytes, fps: float, key: bytes = b"com.android.capture.fps") -> bytes:
    """Say in the metadata at what rate the camera took the pictures, as Android does beside its version."""

    def box(kind, content):
        return struct.pack(">I4s", 8 + len(content), kind) + content

    def value(number, kind, content):
        return box(struct.pack(">I", number), box(b"data", struct.pack(">II", kind, 0) + content))

    names = [b"com.android.version", key]
    keys = box(b"keys", struct.pack(">II", 0, 2) + b"".join(box(b"mdta", name) for name in names))
    handler = box(b"hdlr", struct.pack(">II4s12x", 0, 0, b"mdta") + b"\0")
    meta = box(b"meta", handler + keys + box(b"ilst", value(1, 1, b"14") + value(2, 23, struct.pack(">f", fps))))
    start = data.index(b"moov") - 4  # the file's last box
    size = struct.unpack(">I", data[start : start + 4])[0]
    return data[:start] + struct.pack(">I", size + len(meta)) + data[start + 4 : start + size] + meta
