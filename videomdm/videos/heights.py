"""How tall people are: known, or adults' mean; and motions of that size, which the image does not tell from others."""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.placement import to_body_height
from videomdm.lifters import teacher
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22

#: Body height as :func:`videomdm.skeletons.kinematics.body_height` measures it, ankle to head joint bone by bone,
#: over a person's height from the floor to the crown.  By Drillis and Contini's proportions (1966) these joints are .88
#: of the height apart, and bones are not all upright.
BONES_OF_HEIGHT = 0.9
HEIGHTS = (0.5, 2.5)  # metres that somebody's height may be
#: Metres: mean height of adults and its deviation, men and women in equal shares (NHANES 2015-2018, Fryar et al. 2021,
#: Vital and Health Statistics 3(46): men 1.75, women 1.61, each with a deviation of about 0.07).
HEIGHT, HEIGHT_SPREAD = 1.68, 0.10
SIZE_SMOOTHING = 5.0  # frames, standard deviation of the gaussian over a person's size


def to_height(joints: Tensor, camera: Camera, height: float, lengths: Tensor) -> Tensor:
    """People (C, T, 22, 3) scaled to a known height about their cameras (C,), so that the image stays as it is.

    Args:
        joints: metres, in the world of ``camera``.
        camera: batch (C,).
        height: metres, from the floor to the crown.
        lengths: (C,) frames that count.

    Raises:
        ValueError: a height that is not in metres.
    """
    check_height(height)
    return to_body_height(joints, camera, torch.full((len(joints),), BONES_OF_HEIGHT * height), lengths, SMPL22)


def steady_size(joints: Tensor, seen: Footage, height: float) -> Tensor:
    """People (C, T, 22, 3) of one known height in all frames, each frame scaled about its camera, as :func:`to_height`.

    A camera cannot tell a person who shrinks from one who walks away, and nobody shrinks.  Sizes are smoothed over
    time, so that no tremble comes in.

    Args:
        joints: metres, in the world of the cameras of ``seen``.
        seen: keypoints' cameras and lengths.
        height: metres, from the floor to the crown.

    Raises:
        ValueError: a height that is not in metres.
    """
    check_height(height)
    frames = joints.flatten(0, 1)[:, None]
    one = torch.ones(len(frames), dtype=torch.long)
    sides = [kinematics.body_height(x, one) for x in (frames, frames[:, :, SMPL22.mirrored])]
    sizes = torch.stack(sides).mean(0).reshape(joints.shape[:2]).clamp(min=0.1)
    scale = BONES_OF_HEIGHT * height / teacher.smooth(sizes, seen.valid, SIZE_SMOOTHING)
    return seen.camera.to_world(seen.camera.to_camera(joints) * scale[..., None, None])


def unknown_height() -> str:
    """A sentence for people whose height is not known: what is assumed, and what it changes."""
    share = 100 * HEIGHT_SPREAD / HEIGHT
    return (
        f"height not given: {HEIGHT:.2f} m is taken, the mean of adults (deviation {HEIGHT_SPREAD:.2f} m); of somebody "
        f"{HEIGHT_SPREAD:.2f} m taller all sizes, distances and speeds would be {share:.0f} % larger, poses and angles "
        "the same"
    )


def check_height(height: float | None) -> None:
    """Raises ``ValueError`` for a height, where one is known, that cannot be somebody's in metres."""
    if height is not None and not HEIGHTS[0] <= height <= HEIGHTS[1]:
        raise ValueError(f"height is {height}, expected metres, {HEIGHTS[0]} to {HEIGHTS[1]}")
