"""Cameras around a motion: from where the pictures that a 2-D prior knows are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from videomdm.cameras.camera import Camera, orbit


@dataclass(frozen=True)
class Views:
    """From where the pictures that a 2-D prior knows are taken.

    Attributes:
        elevation: radians above the horizon.
        distance: from the camera to the point that it looks at: metres, or units of centred data.
        height: of that point.
    """

    elevation: float
    distance: float
    height: float = 0.0

    @classmethod
    def of(cls, camera: Camera) -> Views:
        """The mean of cameras (C,) from all sides, each of which looks at the middle of its clip, wherever that is.

        That middle is D before the camera and h above the ground.  The origin's depth is on average ``D + h sin e``,
        and the camera's height ``h + D sin e``; from both follow D and h.
        """
        elevation = camera.elevation.mean()
        depth, height, sin = camera.translation[:, 2].mean(), camera.center[:, 1].mean(), elevation.sin()
        distance = (depth - height * sin) / elevation.cos().square()
        return cls(float(elevation), float(distance), float(height - distance * sin))

    def cameras(self, n: int, turn: float = 0.0, device: torch.device | str = "cpu") -> Camera:
        """``n`` cameras at equal angles around the axis, the first at azimuth ``turn - pi``."""
        azimuth = turn - math.pi + 2 * math.pi * torch.arange(n, device=device) / n
        target = torch.tensor([0.0, self.height, 0.0], device=device).expand(n, 3)
        return orbit(azimuth, self.elevation, target, self.distance)
