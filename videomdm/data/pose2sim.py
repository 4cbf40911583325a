"""Markerless motion capture as Pose2Sim writes it: 3-D joints from several calibrated cameras, as the truth for one.

A ``.trc`` file (OpenSim's track rows) holds named points in metres or millimetres, Y up; ``Calib.toml`` holds a table
for each camera, whose world is Z up.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.conventions import DataError
from videomdm.storage import text

_UNITS = {"m": 1.0, "mm": 0.001}
_HEADER = 5  # lines before the first frame


@dataclass(frozen=True)
class Track:
    """Points of a recording: (T, J, 3) metres, Y up, NaN where a cell is empty; their names; frames per second."""

    points: Tensor
    names: tuple[str, ...]
    fps: float

    def of(self, *names: str) -> Tensor:
        """(T, n, 3) of the points called so; raises ``DataError`` where there is none."""
        if missing := [name for name in names if name not in self.names]:
            raise DataError(f"no point {missing[0]}, expected some of {', '.join(self.names)}")
        return self.points[:, [self.names.index(name) for name in names]]


def read_trc(path: str | Path) -> Track:
    """Read a ``.trc`` file.

    Raises:
        DataError: names the file, the line and what was expected there.
    """
    lines = text.read(Path(path)).split("\n")
    if len(lines) <= _HEADER or not lines[0].startswith("PathFileType"):
        raise DataError(f"{path}: begins {lines[0][:40]!r}, expected PathFileType: a .trc file with frames")
    about = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = tuple(name.strip() for name in lines[3].split("\t")[2:] if name.strip())
    unit = _UNITS.get(about.get("Units", "").strip())
    if unit is None:
        raise DataError(f"{path}: units {about.get('Units')!r}, expected {' or '.join(_UNITS)}")
    rows = []
    for n, line in enumerate(lines[_HEADER:], _HEADER + 1):
        if not line.strip():
            continue
        cells = line.split("\t")[2 : 2 + 3 * len(names)]
        try:
            rows.append([float(cell) if cell.strip() else np.nan for cell in cells])
        except ValueError:
            raise DataError(f"{path}, line {n}: {line[:60]!r}, expected numbers") from None
        if len(cells) != 3 * len(names):
            raise DataError(f"{path}, line {n}: {len(cells)} coordinates, expected 3 for each of {len(names)} points")
    if not rows:
        raise DataError(f"{path}: no frames, expected lines of numbers below the header")
    points = torch.tensor(rows, dtype=torch.float32).reshape(len(rows), len(names), 3) * unit
    return Track(points, names, float(about["DataRate"]))


def read_camera(path: str | Path, name: str) -> tuple[Camera, Tensor]:
    """One camera of ``Calib.toml``, and its (3, 3) intrinsic matrix; lens distortion is left out.

    The camera's world is that of :func:`read_trc`, whose Y is the calibration's Z.

    Raises:
        DataError: no such camera, or a table without rotation, translation and matrix.
    """
    try:
        table = tomllib.loads(text.read(Path(path)))
        own = table[name]
        turn, _ = cv2.Rodrigues(np.array(own["rotation"], dtype=np.float64))
        translation, matrix = (np.array(own[key], dtype=np.float64) for key in ("translation", "matrix"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path}: {error}, expected TOML") from None
    except KeyError as error:
        raise DataError(f"{path}: no {error}, expected [{name}] with rotation, translation, matrix") from None
    from_y_up = np.eye(3)[[2, 0, 1]]  # (x, y, z) -> (z, x, y)
    rotation = torch.from_numpy(turn @ from_y_up).float()
    return Camera(rotation, torch.from_numpy(translation).float()), torch.from_numpy(matrix).float()
