"""Focal lengths in the metadata of videos."""

import math
import struct

import pytest

from videomdm.data.recordings import lens


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def tagged(value, version=b"", name=lens.FOCAL_LENGTH):
    """A metadata box with another name before the one that is wanted."""
    names = [box(b"mdta", n.encode()) for n in ("com.apple.quicktime.make", name)]
    keys = box(b"keys", struct.pack(">II", 0, len(names)) + b"".join(names))
    make = box(b"\0\0\0\1", box(b"data", struct.pack(">II", 1, 0) + b"Apple"))
    return box(b"meta", version + keys + box(b"ilst", make + box(b"\0\0\0\2", box(b"data", value))))


def movie(tmp_path, content):
    path = tmp_path / "phone.mov"
    path.write_bytes(box(b"ftyp", b"qt  ") + box(b"mdat", bytes(100)) + box(b"moov", box(b"mvhd", bytes(20)) + content))
    return path


@pytest.mark.parametrize(
    ("kind", "value"),
    [(67, struct.pack(">i", 26)), (22, b"\x1a"), (21, b"\x00\x1a"), (23, struct.pack(">f", 26.0)), (1, b"26")],
)
def test_numbers_of_all_types(tmp_path, kind, value):
    assert lens.focal_length(movie(tmp_path, tagged(struct.pack(">II", kind, 0) + value))) == 26.0


@pytest.mark.parametrize("version", [b"", bytes(4)])
def test_of_the_movie_and_of_its_tracks(tmp_path, version):
    meta = tagged(struct.pack(">IIi", 67, 0, 13), version)
    assert lens.focal_length(movie(tmp_path, meta)) == 13.0
    assert lens.focal_length(movie(tmp_path, box(b"trak", box(b"tkhd", bytes(9)) + meta))) == 13.0


def test_files_that_tell_nothing(tmp_path):
    other = tagged(struct.pack(">IIi", 67, 0, 26), name="com.apple.quicktime.model")
    absurd = tagged(struct.pack(">IIi", 67, 0, 0))
    for content in (b"", other, absurd, tagged(b""), box(b"meta", b"\xff" * 30)):
        assert lens.focal_length(movie(tmp_path, content)) is None
    whole = movie(tmp_path, tagged(struct.pack(">IIi", 67, 0, 26))).read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / "cut.mov").write_bytes(whole[:end])
        assert lens.focal_length(tmp_path / "cut.mov") is None


def test_the_field_of_view(tmp_path):
    """A full-frame 50 mm lens sees 46.8 degrees across the diagonal."""
    path = movie(tmp_path, tagged(struct.pack(">IIi", 67, 0, 50)))
    found = lens.intrinsics(path, 1080, 1920)
    assert (found.width, found.height, found.cx) == (1080, 1920, 540)
    diagonal = 2 * math.degrees(math.atan(math.hypot(1080, 1920) / 2 / found.fx))
    assert diagonal == pytest.approx(46.8, abs=0.05) and "50 mm" in found.origin and "46.8" in found.origin
