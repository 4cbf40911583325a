"""Where up is in a world that one camera saw: motions put onto a level floor, and how far off that is."""

from __future__ import annotations

from torch import Tensor

from videomdm import features
from videomdm.cameras import ground
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.skeletons.padding import valid_frames


def level(joints: Tensor, seen: Footage, believed: str = "balance") -> tuple[Tensor, Camera]:
    """Motions with their floor level, in their canonical frames, and the cameras that see them as before.

    Args:
        joints: (C, T, J, 3) metres, Y roughly up.
        seen: their keypoints, by cameras in the frame of ``joints``; feet that were not seen say nothing about the
            floor.
        believed: where up is before the floor is seen (:func:`videomdm.cameras.ground.estimate_floor`).
    """
    floor = ground.estimate_floor(joints, lengths=seen.lengths, prior=believed, confidence=seen.confidence)
    joints, camera = ground.level(joints, floor, seen.camera)
    return features.canonicalise_with_camera(joints, camera, lengths=seen.lengths)


def height_error(joints: Tensor, true: Tensor, lengths: Tensor) -> Tensor:
    """Millimetres (C,) by which the root's height errs over a clip, root mean square about the clip's mean.

    A floor that leans makes people rise or sink as they walk.

    Args:
        joints, true: (C, T, J, 3) metres, Y up.
        lengths: (C,) frames.
    """
    inside = valid_frames(lengths, joints.shape[1]).to(joints)
    error = (joints - true)[..., 0, 1]
    error = error - ((error * inside).sum(1) / lengths)[:, None]
    return 1000 * ((error.square() * inside).sum(1) / lengths).sqrt()
