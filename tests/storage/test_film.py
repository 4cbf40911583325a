"""Films that a browser plays, whatever this machine can encode."""

import sys

import cv2
import numpy as np
import pytest

from videomdm.storage import film

PLAYED = {"avc1", "h264", "vp90", "vp09"}


@pytest.fixture(params=["with PyAV", "without"])
def machine(request, monkeypatch):
    if request.param == "with PyAV":
        pytest.importorskip("av", reason="PyAV is not installed (extra film)")
    else:
        monkeypatch.setitem(sys.modules, "av", None)
    film._has_pyav.cache_clear()
    film.codec.cache_clear()
    yield request.param
    film._has_pyav.cache_clear()
    film.codec.cache_clear()


def codec_of(path):
    code = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FOURCC))
    return "".join(chr(code >> 8 * i & 255) for i in range(4)).lower()


def images(path):
    capture, found = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        found.append(read[1])
    return np.array(found)


@pytest.mark.parametrize("width, height", [(96, 64), (97, 65), (64, 97)])
def test_frames_come_back(machine, tmp_path, width, height):
    path = tmp_path / "x.mp4"
    drawn = np.zeros((12, height, width, 3), np.uint8)
    for t, image in enumerate(drawn):
        cv2.circle(image, (20 + 3 * t, 30), 12, (40, 160, 250), -1)
    out = film.open_film(path, width, height, 20.0)
    for image in drawn:
        out.write(image)
    out.release()
    back = images(path)
    assert back.shape == (12, height // 2 * 2, width // 2 * 2, 3)
    assert np.abs(back.astype(int) - drawn[:, : height // 2 * 2, : width // 2 * 2]).mean() < 4
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(20)


def test_a_browser_plays_it(machine, tmp_path):
    out = film.open_film(tmp_path / "x.mp4", 64, 64, 20.0)
    for _ in range(3):
        out.write(np.full((64, 64, 3), 128, np.uint8))
    out.release()
    kind = codec_of(tmp_path / "x.mp4")
    assert kind in PLAYED and (film.codec() == film.H264) == (kind in {"avc1", "h264"})
    assert film.codec() == film.H264 or machine == "without"


def test_asking_is_quiet(machine, capfd):
    film.codec()
    assert capfd.readouterr() == ("", "")


def test_where_it_cannot_be_written(machine, tmp_path):
    with pytest.raises(OSError, match="x.mp4: no folder"):
        film.open_film(tmp_path / "none" / "x.mp4", 64, 64, 20.0)
    with pytest.raises(ValueError, match="x.avi: expected a name that ends in .mp4"):
        film.open_film(tmp_path / "x.avi", 64, 64, 20.0)
