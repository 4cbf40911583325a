"""Films that a browser plays: Jupyter, Colab and VS Code show them, and so does every player.

MPEG-4 part 2, which OpenCV writes everywhere, stays black in all browsers.  H.264 plays everywhere, but not every
machine may encode it: it is taken from PyAV where that is installed (``pip install 'videomdm[film]'``), else from
OpenCV where its build has it; OpenCV from PyPI on Linux has not.  What is left is VP9 in the same mp4 file: browsers
play it, some older players do not, and it takes several times as long to write.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

H264, VP9 = "H.264", "VP9"


class Film(Protocol):
    """A film that is being written."""

    def write(self, image: np.ndarray) -> None:
        """Append a frame, BGR uint8 (height, width, 3)."""

    def release(self) -> None:
        """Finish the file."""


def open_film(path: str | Path, width: int, height: int, fps: float) -> Film:
    """Begin an mp4 file that a browser plays.

    Args:
        path: file to write, ending in .mp4; its folder must be there.
        width, height: of its frames, pixels; where they are odd, the last column or row is left out of the film.
        fps: frames per second.

    Raises:
        ValueError: another ending.
        OSError: the file cannot be written there, or nothing on this machine encodes H.264 or VP9.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"{path}: expected a name that ends in .mp4")
    if not path.parent.is_dir():
        raise OSError(f"{path}: no folder {path.parent}, expected one to write the film to")
    width, height = width // 2 * 2, height // 2 * 2  # the colours of two rows and columns are kept together
    if _has_pyav():
        return _PyAVFilm(path, width, height, fps)
    fourcc = "avc1" if codec() == H264 else "vp09"
    return _OpenCVFilm(path, width, height, fps, fourcc)


@functools.cache
def codec() -> str:
    """What films are written in on this machine: "H.264", or "VP9" where it cannot be encoded."""
    if _has_pyav():
        return H264
    with tempfile.TemporaryDirectory() as folder:  # in a process of its own: FFmpeg complains where it cannot
        asked = subprocess.run([sys.executable, "-c", _ASK, str(Path(folder) / "x.mp4")], capture_output=True)
    return H264 if asked.returncode == 0 else VP9


_ASK = """
import cv2, sys
sys.exit(not cv2.VideoWriter(sys.argv[1], cv2.VideoWriter_fourcc(*"avc1"), 20.0, (64, 64)).isOpened())
"""


@functools.cache
def _has_pyav() -> bool:
    """Whether PyAV is installed, with an encoder of H.264."""
    try:
        import av
    except ImportError:
        return False
    return "libx264" in av.codecs_available


class _OpenCVFilm:
    def __init__(self, path: Path, width: int, height: int, fps: float, fourcc: str) -> None:
        self._size = width, height
        self._film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), fps, self._size)
        if not self._film.isOpened():
            raise OSError(
                f"{path}: OpenCV cannot write a film ({fourcc}) there; pip install 'videomdm[film]' brings an encoder "
                "of H.264, and export.to_gif needs none"
            )

    def write(self, image: np.ndarray) -> None:
        width, height = self._size
        self._film.write(np.ascontiguousarray(image[:height, :width]))

    def release(self) -> None:
        self._film.release()


class _PyAVFilm:
    def __init__(self, path: Path, width: int, height: int, fps: float) -> None:
        import av

        self._frame, self._size = av.VideoFrame, (width, height)
        self._file = av.open(str(path), "w", options={"movflags": "faststart"})
        rate = Fraction(fps).limit_denominator(1000)
        self._stream = self._file.add_stream("libx264", rate=rate, width=width, height=height, pix_fmt="yuv420p")
        self._stream.options = {"preset": "veryfast", "crf": "20"}

    def write(self, image: np.ndarray) -> None:
        width, height = self._size
        frame = self._frame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="bgr24")
        self._file.mux(self._stream.encode(frame))

    def release(self) -> None:
        self._file.mux(self._stream.encode())
        self._file.close()
