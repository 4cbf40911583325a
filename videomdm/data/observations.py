"""2-D-only training data: what one static camera per clip saw, and a teacher's guess at the 3-D."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import roma
import torch
from torch import Tensor

from videomdm import cameras, features
from videomdm.cameras import ground, pnp
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.keypoints import fill_missing, smooth
from videomdm.conventions import FPS, DataError
from videomdm.data.corpus import Corpus
from videomdm.data.procedural.body import mean_body
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import Skeleton, by_name
from videomdm.skeletons.padding import valid_frames
from videomdm.storage import checkpoints
from videomdm.storage.files import digest

#: Coordinate frames in which cameras are given.
FRAMES = ("truth", "teacher", "pnp")
_FOCAL = 1_000_003  # where the seeds of focal lengths begin


@dataclass
class Observations:
    """Everything that training from 2-D may see; no field holds true 3-D.

    Attributes:
        seen: keypoints, and one camera per clip in the frame that ``frame`` names.
        teacher: (C, T, J, 3) the teacher's joints in their own canonical frame, metres.
        frame: coordinate frame of the given cameras.  ``"truth"``: the true motion's canonical frame (the paper's
            ground-truth cameras on synthetic data), which also gives heading, origin and floor of frame 0 away;
            ``"teacher"``: the same camera in the teacher's own canonical frame; ``"pnp"``: estimated from teacher and
            keypoints alone (appendix I).
        names, captions, skeleton, fps: as in :class:`videomdm.data.corpus.Corpus`.
    """

    seen: Footage
    teacher: Tensor
    frame: str
    names: list[str]
    captions: list[tuple[str, ...]]
    skeleton: Skeleton
    fps: float = FPS

    def __len__(self) -> int:
        return len(self.names)

    @property
    def keypoints(self) -> Tensor:
        """(C, T, J, 2) normalised image coordinates."""
        return self.seen.keypoints

    @property
    def confidence(self) -> Tensor:
        """(C, T, J) in 0..1, 0 where a joint was not seen."""
        return self.seen.confidence

    @property
    def camera(self) -> Camera:
        """Batch (C,), in the frame that ``frame`` names."""
        return self.seen.camera

    @property
    def lengths(self) -> Tensor:
        """(C,) frames that count."""
        return self.seen.lengths

    def select(self, indices: Sequence[int]) -> Observations:
        """The clips at ``indices``, in that order, padded to the longest of them."""
        chosen = torch.as_tensor(indices, dtype=torch.long)
        longest = int(self.lengths[chosen].max())
        return replace(
            self, seen=self.seen.select(chosen, longest), teacher=self.teacher[chosen, :longest],
            names=[self.names[i] for i in indices], captions=[self.captions[i] for i in indices],
        )  # fmt: skip

    def fingerprint(self) -> str:
        """Short hash of the content, for the names of runs on these data."""
        return digest(self.seen, self.teacher, [self.frame, self.captions, self.skeleton.name, self.fps])

    def save(self, path: Path) -> None:
        """Write to one safetensors file."""
        tensors = {
            "keypoints": self.keypoints, "confidence": self.confidence, "lengths": self.lengths,
            "teacher": self.teacher, "rotation": self.camera.rotation, "translation": self.camera.translation,
        }  # fmt: skip
        about = {
            "frame": self.frame, "names": self.names, "captions": self.captions, "skeleton": self.skeleton.name,
            "fps": self.fps,
        }  # fmt: skip
        checkpoints.write_tensors(path, tensors, about)

    @classmethod
    def load(cls, path: Path) -> Observations:
        """Read what :meth:`save` wrote; raises ``DataError`` (a ``ValueError``) naming a file that is not that."""
        about, tensors = checkpoints.read_metadata(path), checkpoints.read_tensors(path)
        if "frame" not in about or "teacher" not in tensors:
            raise DataError(f"{path}: no observations file; expected a header with a frame and a tensor 'teacher'")
        camera = Camera(tensors["rotation"], tensors["translation"])
        return cls(
            Footage(tensors["keypoints"], tensors["confidence"], camera, tensors["lengths"]), tensors["teacher"],
            about["frame"], about["names"], [tuple(c) for c in about["captions"]], by_name(about["skeleton"]),
            about["fps"],
        )  # fmt: skip


def film(corpus: Corpus, seed: int = 0, noise: float = 0.0, missing: float = 0.0, smoothed: bool = False) -> Footage:
    """Film every clip with one random static camera (appendix C.1) and detect its joints.

    Args:
        corpus: canonical clips.
        seed: of cameras and noise.
        noise: standard deviation of a joint's 2-D error in normalised image units, for a joint of full
            confidence; each joint and frame draws its own confidence in 0.5..1 and errs by ``noise / confidence``.
        missing: fraction of joints that the detector does not report; confidence 0, keypoint of no meaning.
        smoothed: whether keypoints are filled and smoothed in time as those of real videos are (appendix C.3).
    """
    generator = torch.Generator().manual_seed(seed)
    camera = cameras.sample_orbit(corpus.joints, corpus.lengths, generator)
    keypoints, _ = camera.project(corpus.joints)
    confidence = torch.ones(keypoints.shape[:-1])
    if noise:
        confidence = 0.5 + 0.5 * torch.rand(confidence.shape, generator=generator)
        keypoints = keypoints + noise / confidence[..., None] * torch.randn(keypoints.shape, generator=generator)
    if missing:
        unseen = torch.rand(confidence.shape, generator=generator) < missing
        confidence = confidence.masked_fill(unseen, 0.0)
        keypoints = keypoints.masked_fill(unseen[..., None], 0.0)
    inside = valid_frames(corpus.lengths, keypoints.shape[1])[..., None].to(keypoints)
    confidence = confidence * inside
    if smoothed:
        keypoints = smooth(fill_missing(keypoints, confidence), corpus.lengths)
    return Footage(keypoints * inside[..., None], confidence, camera, corpus.lengths)


def observe(
    corpus: Corpus, footage: Footage, estimate: Tensor, frame: str, camera: Camera | None = None
) -> Observations:
    """Join footage and a teacher's estimate; of ``corpus`` only names and captions are read.

    Args:
        corpus: the clips that were filmed.
        footage: what :func:`film` gave.
        estimate: (C, T, J, 3) the teacher's joints, metres, Y up.
        frame: which camera training gets, one of :data:`FRAMES`.
        camera: batch (C,), in the frame of ``estimate``; the footage's own when None.

    Raises:
        DataError: a clip for which PnP finds no camera; those that explain its keypoints badly are warned of.
        ValueError: an unknown ``frame``.
    """
    if frame not in FRAMES:
        raise ValueError(f"frame is {frame!r}, expected one of {', '.join(FRAMES)}")
    teacher, camera = features.canonicalise_with_camera(
        estimate, footage.camera if camera is None else camera, corpus.skeleton, footage.lengths
    )
    if frame == "truth":
        camera = footage.camera
    elif frame == "pnp":
        camera, report = pnp.estimate(
            teacher, footage.keypoints, footage.confidence, footage.lengths, names=corpus.names
        )
        if report.failed:
            raise DataError(str(report))
    return Observations(footage.by(camera), teacher, frame, corpus.names, corpus.captions, corpus.skeleton, corpus.fps)


def to_uniform_skeleton(estimate: Tensor, camera: Camera, skeleton: Skeleton) -> Tensor:
    """A teacher's joints with the one body of all (:func:`videomdm.data.sources.canonical`), as HumanML3D encodes any.

    The path is scaled as the legs are, about the camera.  So where the people who are filmed have that body too, the
    teacher has no error of size, and cameras by PnP, which find the distance at which its body is seen as large as the
    keypoints, stand nearer to the true ones.  What remains wrong is where bones point, and the path: by the length of
    the leg that was lifted in frame 0, and by an error in depth that a wrong size had made up for, as it does for the
    naive teacher (:mod:`videomdm.lifters.teacher`).  PnP mends that too; a camera in the teacher's frame does not.

    Args:
        estimate: (C, T, J, 3) metres, in the world of ``camera``.
        camera: batch (C,).
        skeleton: the joint layout.
    """
    return camera.to_world(kinematics.uniform_skeleton(camera.to_camera(estimate), mean_body(), skeleton))


def levelled(estimate: Tensor, footage: Footage, skeleton: Skeleton) -> tuple[Tensor, Camera]:
    """A teacher's joints with up where they show it themselves, and the cameras that see them there as before.

    As for recordings, the camera counts as held level at first; then feet that stand, and balance, say where the floor
    is (:func:`videomdm.cameras.ground.estimate_floor`).  Neither pitch nor roll of the true camera is read.

    Args:
        estimate: (C, T, J, 3) metres, in the world of the footage's cameras.
        footage: of the clips.
        skeleton: the joint layout.

    Returns:
        Joints (C, T, J, 3), metres, Y up, and cameras of batch (C,) in their frame.
    """
    zero = torch.zeros(len(footage)).to(estimate)
    held_level = cameras.orbit(zero, zero, torch.zeros(len(footage), 3).to(estimate), zero)
    joints = held_level.to_world(footage.camera.to_camera(estimate))
    floor = ground.estimate_floor(joints, skeleton, footage.lengths, confidence=footage.confidence)
    return ground.level(joints, floor, held_level)


def with_focal_error(footage: Footage, deviation: float, seed: int = 0) -> Footage:
    """Keypoints of clips (C,) that were divided by another focal length than the true one.

    Args:
        footage: normalised by the true focal length.
        deviation: standard deviation of the logarithm of believed over true focal length; each clip draws its own.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(_FOCAL + seed)  # apart from the numbers that placed the cameras
    believed = (deviation * torch.randn(len(footage), generator=generator)).exp().to(footage.keypoints)
    return replace(footage, keypoints=footage.keypoints / believed[:, None, None, None])


def turned(camera: Camera, degrees: float, seed: int = 0) -> Camera:
    """Cameras (C,), each with an error: turned about the origin of its frame by ``degrees``, about a random axis."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.nn.functional.normalize(torch.randn(len(camera), 3, generator=generator), dim=-1)
    turn = roma.rotvec_to_rotmat(math.radians(degrees) * axis)
    return camera.in_frame(turn, torch.zeros_like(axis))
