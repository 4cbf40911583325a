"""Results of WHAM: the ``wham_output.pkl`` of its demo, or the same as an npz.

The file holds, for each person, ``pose`` and ``pose_world`` (T, 72: SMPL's axis-angle rotations, root first),
``trans`` and ``trans_world`` (T, 3) metres, ``betas`` (T, 10), ``verts`` and ``frame_ids`` (T,).  The world has
Y up; ``pose`` and ``trans`` are in the camera's axes.  It is read as plain data (:mod:`videomdm.lifters.pickles`);
to read an npz instead, convert it where you trust the file:

.. code-block:: bash

   python -c "import joblib, numpy as np; r = joblib.load('wham_output.pkl'); np.savez('wham_output.npz',
   **{f'{p}/{k}': v for p, d in r.items() for k, v in d.items() if k != 'verts'})"

Joints follow from the rotations and a body's rest joints.  SMPL's are licensed; write them once, where WHAM
runs, and give the file as ``body``.  Without it the mean of the built-in bodies is taken, which is near SMPL's.

.. code-block:: bash

   python -c "import numpy as np, smplx; b = smplx.SMPL('dataset/body_models/smpl'); R = b.J_regressor.numpy();
   np.savez('smpl_joints.npz', template=R @ b.v_template.numpy(),
   directions=np.einsum('jv,vdk->jdk', R, b.shapedirs.numpy()[..., :10]))"
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.data.procedural.body import draw_bodies
from videomdm.lifters import pickles
from videomdm.lifters.results import Lifted, RootPath, fill_gaps
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import forward_kinematics
from videomdm.storage.arrays import read_npz

TURNS = 2.0  # full turns of a joint at most, though every rotation is half a turn or less: optimisers run past that
# Radians that a joint is off for a single frame, at least, and in terms of its usual step, while its neighbours agree.
SPIKE = (1.0, 6.0, 0.5)
_KEYS = {RootPath.WORLD: ("pose_world", "trans_world"), RootPath.CAMERA: ("pose", "trans")}


def read(
    path: str | Path,
    body: str | Path | None = None,
    person: Any = None,
    root: RootPath | str = RootPath.WORLD,
    fps: float = 30.0,
) -> Lifted:
    """Read one person's motion.

    Args:
        path: ``wham_output.pkl``, or an npz as converted above.
        body: SMPL's rest joints, an npz as written above; None takes the mean built-in body.
        person: key of the person in the file; None takes the one seen longest.
        root: ``"world"`` for WHAM's world, ``"camera"`` for the camera's axes (turned so that Y is up for a
            level camera).
        fps: of the video; WHAM's file does not say.

    Returns:
        SMPL-22 joints; frames between those of the file are interpolated and not valid.

    Raises:
        DataError: names the file, what was found and what was expected.
        ValueError: a ``root`` other than those two.
    """
    root = RootPath(root)
    if root not in _KEYS:
        raise ValueError(f"root is {root.value!r}, expected 'world' or 'camera'")
    people = _people(Path(path))
    if person is None:
        person = max(people, key=lambda p: np.size(people[p].get("frame_ids", ())))
    if person not in people:
        raise DataError(f"{path}: no person {person!r}, the file has {', '.join(map(repr, people))}")
    joints, frames = _joints(people[person], root, body, f"{path}, person {person}")
    if root is RootPath.CAMERA:
        joints = joints * joints.new_tensor((1.0, -1.0, -1.0))
    joints, valid = fill_gaps(joints, frames)
    name = f"{Path(path).parent.name or Path(path).stem}-{person}"
    return Lifted(joints, valid, fps, root, SMPL22, "wham", name, int(frames[0]))


@dataclass(frozen=True, eq=False)
class Person:
    """One of a file's people: somebody, or a piece of somebody whom WHAM lost and found again.

    Attributes:
        key: in the file.
        frames: (N,) the video's frames, ascending.
        joints: (N, 22, 3) in the person's own world, metres, Y up.
        in_camera: (N, 22, 3) in the camera's axes, y down; None where the file does not tell.
    """

    key: Any
    frames: np.ndarray
    joints: Tensor
    in_camera: Tensor | None


def people(path: str | Path, body: str | Path | None = None) -> list[Person]:
    """Everybody in a file; arguments and errors as for :func:`read`."""
    found = []
    for key, one in _people(Path(path)).items():
        name = f"{path}, person {key}"
        joints, frames = _joints(one, RootPath.WORLD, body, name)
        in_camera = _joints(one, RootPath.CAMERA, body, name)[0] if "pose" in one and "trans" in one else None
        found.append(Person(key, frames, joints, in_camera))
    return found


def _joints(found: dict, root: RootPath, body: str | Path | None, name: str) -> tuple[Tensor, np.ndarray]:
    """SMPL's joints (N, 22, 3) in the world's or the camera's axes, and their frames (N,)."""
    pose, translation, betas, frames = _checked(found, *_KEYS[root], name)
    return pose_joints(pose, translation, rest_joints(betas, body)), frames


def pose_joints(pose: Tensor, translation: Tensor, rest: Tensor) -> Tensor:
    """SMPL's joints (T, 22, 3) for rotations (T, 72), a translation (T, 3) and rest joints (22, 3)."""
    turns = roma.rotvec_to_rotmat(pose.unflatten(-1, (-1, 3))[:, : len(SMPL22)])
    parents = list(SMPL22.parents)
    # SMPL turns what hangs on a joint, our kinematics the bone that ends in it: one joint further down.
    turns = torch.cat([torch.eye(3).expand(len(pose), 1, 3, 3).to(pose), turns[:, parents[1:]]], dim=1)
    offsets = rest - rest[[0, *parents[1:]]]
    return forward_kinematics(turns, translation + rest[0], offsets)


def rest_joints(betas: Tensor, body: str | Path | None = None) -> Tensor:
    """Rest joints (22, 3) of SMPL, metres, for shapes ``betas`` (T, 10), whose median over frames is taken.

    Args:
        betas: as WHAM writes them.
        body: as for :func:`read`; the mean built-in body when None, whatever the shape.

    Raises:
        DataError: a file of another content.
    """
    if body is None:
        offsets = draw_bodies(512, "prior", torch.Generator().manual_seed(0)).mean(0)
        joints = [torch.tensor([0.0, -0.24, 0.03])]  # SMPL's pelvis from its origin, at the breastbone
        for j, parent in enumerate(SMPL22.parents[1:], 1):
            joints.append(joints[parent] + offsets[j])
        return torch.stack(joints)
    arrays = read_npz(Path(body))
    template, directions = (arrays.get(k) for k in ("template", "directions"))
    n = len(SMPL22)
    if template is None or directions is None or template.shape[1:] != (3,) or len(template) < n or (
        directions.shape[:2] != template.shape or directions.shape[2:] != betas.shape[-1:]
    ):  # fmt: skip
        shapes = {k: v.shape for k, v in arrays.items()}
        raise DataError(f"{body}: arrays {shapes}, expected template (24, 3) and directions (24, 3, "
                        f"{betas.shape[-1]}) as the command in videomdm.lifters.wham writes them")  # fmt: skip
    template, directions = (torch.from_numpy(a[:n].astype(np.float32)) for a in (template, directions))
    return template + directions @ betas.median(0).values


def _people(path: Path) -> dict[Any, dict[str, Any]]:
    if path.suffix == ".npz":
        people: dict[Any, dict[str, Any]] = {}
        for key, value in read_npz(path).items():
            person, _, name = key.partition("/")
            people.setdefault(int(person) if person.isdigit() else person, {})[name] = value
    else:
        people = pickles.load(path)
    if not isinstance(people, dict) or not people or not all(isinstance(p, dict) for p in people.values()):
        raise DataError(f"{path}: expected a dictionary of people, each with pose_world, trans_world, betas, frame_ids")
    return people


def _checked(found: dict, pose_key: str, trans_key: str, name: str) -> tuple[Tensor, Tensor, Tensor, np.ndarray]:
    widths = {pose_key: 72, trans_key: 3, "betas": 10}
    if missing := [k for k in (*widths, "frame_ids") if not isinstance(found.get(k), np.ndarray)]:
        raise DataError(f"{name}: lacks {', '.join(missing)}; it has {', '.join(map(str, found))}")
    frames = found["frame_ids"].reshape(-1)
    if not len(frames) or frames.dtype.kind not in "iu" or (np.diff(frames.astype(np.int64)) <= 0).any():
        raise DataError(f"{name}: frame_ids {frames[:5]}..., expected ascending whole numbers")
    arrays = []
    for key, width in widths.items():
        array = found[key]
        if array.shape != (len(frames), width) or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise DataError(f"{name}: {key} has shape {array.shape} and type {array.dtype}, expected finite "
                            f"numbers ({len(frames)}, {width})")  # fmt: skip
        arrays.append(torch.from_numpy(array.astype(np.float32)))
    if fault := _no_turns(arrays[0].unflatten(-1, (-1, 3))[:, : len(SMPL22)]):
        raise DataError(f"{name}: {pose_key} {fault}")
    return *arrays, frames.astype(np.int64)


def _no_turns(pose: Tensor) -> str | None:
    """What is wrong with rotation vectors (T, J, 3): degrees, or a number that was damaged; bones stay as they were."""
    turn = pose.norm(dim=-1)
    frame, joint = divmod(int(turn.argmax()), turn.shape[1])
    if turn.max() > TURNS * 2 * math.pi:
        return (
            f"turns joint {joint} by {turn.max():.5g} in frame {frame}, expected rotation vectors in radians, at most "
            f"{TURNS * 2 * math.pi:.1f} long"
        )
    turns = roma.rotvec_to_rotmat(pose)
    step, across = (roma.rotmat_geodesic_distance(turns[:-n], turns[n:]) for n in (1, 2))
    if not len(across):
        return None
    limit = (SPIKE[1] * step.median(0).values).clamp(min=SPIKE[0])
    off = ((torch.minimum(step[:-1], step[1:]) > limit) & (across < SPIKE[2])).nonzero()
    if not len(off):
        return None
    before, joint = off[0].tolist()
    return f"jumps at joint {joint} in frame {before + 1}, and back: a damaged frame"
