"""ElePose (Wandt et al. 2022): a lifter that has never seen 3-D, trained on the 2-D keypoints of a corpus alone.

A network guesses the depth of every joint and the elevation of the camera.  Where the guess is right, the person seen
from elsewhere is again a pose that might be in the corpus; how likely it is says a normalising flow
(:class:`videomdm.lifters.elepose_flow.PoseFlow`).  Frame by frame, as published.

Poses are (B, J, 2) around the root, x right and y down, in units of the corpus' mean distance from root to head.
``python -m videomdm.study.train_elepose`` trains flow and network.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from videomdm.cameras.unseen import fill_unseen
from videomdm.conventions import DataError
from videomdm.lifters.elepose import knee_bend
from videomdm.lifters.lifter import NEAREST, turn_to_axis
from videomdm.lifters.teacher import DEPTH_SMOOTHING, path_from_bones, tells_depth
from videomdm.skeletons.definitions import Skeleton, by_name
from videomdm.skeletons.padding import valid_frames
from videomdm.storage import checkpoints
from videomdm.storage.progress import Bar

WEIGHTS = Path(__file__).parent / "weights" / "elepose.safetensors"  # of the NBA-like built-in corpus
FRAMES = 32  # that a "window" of batch_size stands for, as in other lifters
START_ELEVATION = 0.1  # radians: the network starts from cameras a little above the horizon


class ElePose(nn.Module):
    """Depth of joints and elevation of the camera from single 2-D poses.

    Args:
        skeleton: name of the joint layout; its first joint is the root.
        width: of the residual blocks.
        distance: of the camera from the root, in units of a pose; the farther, the weaker the perspective.
        unit: metres from root to head, across the view, that a pose's unit stands for.
        camera_distance: metres from the camera to the root where that is known, as in the NBA data; where it is None,
            :meth:`lift` takes it from the root's bones (appendix D).
        bone_lengths: (J - 1) metres of the mean body's bones, in the order of ``Skeleton.bones``.
    """

    def __init__(
        self,
        skeleton: str = "nba16",
        width: int = 1024,
        distance: float = 10.0,
        unit: float = 1.0,
        camera_distance: float | None = None,
        bone_lengths: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config = {
            "skeleton": skeleton, "width": width, "distance": distance, "unit": unit,
            "camera_distance": camera_distance,
        }  # fmt: skip
        self.skeleton = by_name(skeleton)
        n_joints = len(self.skeleton)
        self.distance, self.unit, self.camera_distance = distance, unit, camera_distance
        self.embed = nn.Linear(2 * n_joints, width)
        self.shared = ResidualBlock(width)
        self.depth = nn.Sequential(ResidualBlock(width), ResidualBlock(width), nn.Linear(width, n_joints))
        self.elevation = nn.Sequential(ResidualBlock(width), ResidualBlock(width), nn.Linear(width, 1))
        nn.init.constant_(self.elevation[-1].bias, START_ELEVATION)
        self.register_buffer("sign", torch.ones(()))
        self.register_buffer("bone_lengths", torch.ones(n_joints - 1) if bone_lengths is None else bone_lengths)

    def forward(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Lift poses.

        Args:
            poses: (B, J, 2).

        Returns:
            (B, J, 3) joints around the root, in the poses' unit, camera axes (x right, y down, z forward), and the
            camera's elevation (B,) in radians above the horizon.
        """
        hidden = self.shared(self.embed(poses.flatten(1)))
        depth = self.sign * self.depth(hidden)
        depth = (self.distance + nn.functional.pad(depth[:, 1:], (1, 0))).clamp(min=1.0)[..., None]
        joints = torch.cat([poses / self.distance * depth, depth - self.distance], dim=-1)
        return joints, self.sign * self.elevation(hidden)[:, 0]

    def project(self, joints: Tensor) -> Tensor:
        """Joints (B, J, 3) around the root as poses (B, J, 2)."""
        return self.distance * joints[..., :2] / (self.distance + joints[..., 2:]).clamp(min=1.0)

    @torch.no_grad()
    def face_forwards(self, poses: Tensor) -> None:
        """Choose the sign of depth by the knees of poses (B, J, 2): they bend forwards.

        From far away a person, and the same person mirrored in depth and seen from as far below the horizon, look the
        same: which of the two training ends in is a matter of chance.
        """
        joints, elevation = self(poses)
        level = joints @ turn_about_x(-elevation).mT * joints.new_tensor((1.0, -1.0, -1.0))  # y up
        if knee_bend(level, self.skeleton) < 0:
            self.sign.neg_()

    @torch.no_grad()
    def poses(self, keypoints: Tensor, confidence: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clips as the network sees them.

        Args:
            keypoints: (C, T, J, 2) normalised image coordinates; past a clip's length they are not read.
            confidence: (C, T, J) in 0..1; what stands at confidence 0 is not read, fillers take its place.
            lengths: (C,) frames.

        Returns:
            (N, J, 2) poses of all frames that count, the turns (N, 3, 3) from the camera's axes to those of a camera
            that looks at the root, and which frames they are, (C, T) bool.
        """
        seen = keypoints, confidence, lengths
        poses, _, turn, inside = flat_poses(*seen, self.skeleton, self.bone_lengths, self.camera_distance)
        return poses / self.unit, turn, inside

    @torch.no_grad()
    def lift(
        self, keypoints: Tensor, confidence: Tensor, lengths: Tensor, batch_size: int = 64, progress: bool = False
    ) -> Tensor:
        """Lift clips, as :meth:`videomdm.lifters.lifter.Lifter.lift` does, so that this can be a teacher.

        Args:
            keypoints, confidence, lengths: as of :meth:`poses`.
            batch_size: times 32 frames are a batch.
            progress: show a progress bar.

        Returns:
            (C, T, J, 3) metres around the root, camera axes, zero past a clip's length.

        Raises:
            ValueError: shapes that do not fit the network's joints.
        """
        if keypoints.ndim != 4 or keypoints.shape[2:] != (len(self.skeleton), 2):
            expected = f"(clips, frames, {len(self.skeleton)}, 2) for layout {self.skeleton.name}"
            raise ValueError(f"keypoints have shape {tuple(keypoints.shape)}, expected {expected}")
        poses, turn, inside = self.poses(keypoints, confidence, lengths)
        device, batches = self.sign.device, poses.split(FRAMES * batch_size)
        joints = [self(batch.to(device))[0].to(poses) for batch in Bar(batches, desc="lift", disable=not progress)]
        lifted = keypoints.new_zeros(*keypoints.shape[:3], 3)
        lifted[inside] = self.unit * torch.cat(joints) @ turn  # rows times the turn: back from the turned camera
        return lifted

    @property
    def root_bones(self) -> Tensor:
        """(n,) metres: the root's bones of the mean body, by which poses got their size, see :func:`flat_poses`.

        Those of lifted poses are no measure: between joints side by side ElePose makes up most of the depth.
        """
        return root_bones(self.skeleton, self.bone_lengths)

    @torch.no_grad()
    def elevations(self, keypoints: Tensor, confidence: Tensor, lengths: Tensor) -> Tensor:
        """The camera's elevation in degrees above the horizon in each frame (C, T), NaN past a clip's length.

        For a camera that looks at the root; other arguments as of :meth:`poses`.
        """
        poses, _, inside = self.poses(keypoints, confidence, lengths)
        found = keypoints.new_full(inside.shape, torch.nan)
        found[inside] = torch.rad2deg(self(poses.to(self.sign.device))[1]).to(found)
        return found

    def save(self, path: str | Path) -> None:
        """Write weights and sizes to one safetensors file."""
        checkpoints.save_weights(path, self, {"elepose": self.config})

    @classmethod
    def load(cls, path: str | Path = WEIGHTS) -> ElePose:
        """Read what :meth:`save` wrote, by default the weights that come with the package.

        Raises:
            FileNotFoundError: no such file.
            DataError: not such a file.
        """
        try:
            network = cls(**checkpoints.read_metadata(path)["elepose"])
            checkpoints.load_weights(path, network)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: {error}; expected ElePose's safetensors file") from error
        return network.eval()


class ResidualBlock(nn.Module):
    """Two linear layers, each with a leaky ReLU, added to their input, and another leaky ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width) -> (B, width)."""
        activate = nn.functional.leaky_relu
        return activate(x + activate(self.second(activate(self.first(x)))))


def centre(keypoints: Tensor) -> tuple[Tensor, Tensor]:
    """What a camera sees that looks at the root; exact, as turning a camera needs no depth.

    Args:
        keypoints: (N, J, 2) normalised image coordinates.

    Returns:
        (N, J, 2) of the turned camera, the root at the origin, and the turns (N, 3, 3) from the camera's axes to its.
    """
    rays = nn.functional.pad(keypoints, (0, 1), value=1.0)
    turn = turn_to_axis(rays[:, 0])
    rays = rays @ turn.mT
    return rays[..., :2] / rays[..., 2:].clamp(min=NEAREST), turn


def flat_poses(
    keypoints: Tensor,
    confidence: Tensor,
    lengths: Tensor,
    skeleton: Skeleton,
    bone_lengths: Tensor,
    camera_distance: float | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """2-D poses in metres: what a camera sees that looks at the root, times the root's distance.

    Args:
        keypoints, confidence, lengths: as of :meth:`ElePose.poses`.
        skeleton: the joint layout.
        bone_lengths: (J - 1) metres of the mean body's bones.
        camera_distance: metres, where it is known; from the root's bones (appendix D) where it is None.

    Returns:
        (N, J, 2) poses of all frames that count, their roots' distances (N,), both in metres, the turns (N, 3, 3) of
        :func:`centre`, and which frames they are, (C, T) bool.
    """
    inside = valid_frames(lengths.to(keypoints.device), keypoints.shape[1])
    confidence = confidence * inside[..., None].to(confidence)
    seen = fill_unseen(keypoints, confidence, skeleton)
    poses, turn = centre(seen[inside])
    if camera_distance is not None:
        distance = torch.full_like(poses[:, 0, 0], camera_distance)
    else:
        bones = root_bones(skeleton, bone_lengths).to(keypoints).expand(len(seen), -1)
        path = path_from_bones(seen, bones, tells_depth(confidence, skeleton), DEPTH_SMOOTHING, skeleton)
        distance = path[inside].norm(dim=-1)
    return poses * distance[:, None, None], distance, turn, inside


def root_bones(skeleton: Skeleton, bone_lengths: Tensor) -> Tensor:
    """Of the lengths (J - 1) of a skeleton's bones those of the root's, (n,) metres."""
    bones = dict(zip(skeleton.bones, bone_lengths, strict=True))
    return torch.stack([bones[bone] for bone in skeleton.root_bones])


def turn_about_x(angle: Tensor) -> Tensor:
    """Rotations (B, 3, 3) about the axis across the view; by minus its elevation (B,) a camera's y axis is upright."""
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    rows = [one, zero, zero, zero, angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos()]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def turn_about_y(angle: Tensor) -> Tensor:
    """Rotations (B, 3, 3) about the upright axis, angles (B,) in radians."""
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    rows = [angle.cos(), zero, angle.sin(), zero, one, zero, -angle.sin(), zero, angle.cos()]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def relative_lengths(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Bone lengths (B, J - 1) of joints (B, J, 3), divided by their mean over the body."""
    starts, ends = zip(*skeleton.bones, strict=True)
    lengths = (joints[:, ends] - joints[:, starts]).norm(dim=-1)
    return lengths / lengths.mean(1, keepdim=True)
