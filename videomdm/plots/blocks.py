"""One row of features, every block of it drawn on the body that it describes."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from videomdm import features as feat
from videomdm.conventions import FPS
from videomdm.plots.style import GHOST, GRID, INK, SERIES, SIDES, TRUNK, side
from videomdm.skeletons.definitions import SMPL22, Skeleton
from videomdm.skeletons.kinematics import facing_z, rest_directions

COLOURS = dict(
    zip(feat.blocks(len(SMPL22)), (SERIES[4], SERIES[2], SERIES[3], *SERIES[:2], "#4f9fb3", TRUNK), strict=True)
)
AHEAD = 0.3  # seconds: arrows show where a joint would be if it kept its velocity so long
AZIMUTH = math.radians(50)  # by which the viewer has walked from +Z towards +X


def feature_blocks(features: Tensor, frame: int, skeleton: Skeleton = SMPL22, fps: float = FPS) -> Figure:
    """The blocks of one row: where they lie in the row, and what they say about the body.

    Everything is drawn from the features alone, in the heading of ``frame``.

    Args:
        features: (T, 12 J - 1) of one clip, not normalised.
        frame: the row, 0..T - 2; the next one says where the step leads.
        skeleton: their joint layout.
        fps: frames per second.

    Raises:
        ValueError: features of another shape, or a frame outside the clip.

    Explained in :doc:`/notebooks/explain_features`.
    """
    if features.ndim != 2 or features.shape[1] != feat.n_features(len(skeleton)):
        expected = f"(T, {feat.n_features(len(skeleton))})"
        raise ValueError(f"feature_blocks: features have shape {tuple(features.shape)}, expected {expected}")
    if not 0 <= frame < len(features) - 1:
        raise ValueError(f"feature_blocks: frame {frame}, expected 0..{len(features) - 2}")
    features = features.detach().cpu().float()
    row = {name: features[frame, channels].numpy() for name, channels in feat.blocks(len(skeleton)).items()}
    pose = np.concatenate([[[0, row["root_height"][0], 0]], row["joint_positions"].reshape(-1, 3)])

    figure = plt.figure(figsize=(10, 7.9))
    grid = figure.add_gridspec(
        3, 3, height_ratios=(0.45, 4, 4), hspace=0.22, wspace=0.05, top=0.96, bottom=0.01, left=0.03, right=0.97
    )
    _bar(figure.add_subplot(grid[0, :]), len(skeleton))
    axes = dict(zip(COLOURS, ("top", grid[1, 0], grid[1, 1], grid[1, 2], *(grid[2, k] for k in range(3))), strict=True))
    axes = {name: figure.add_subplot(place) for name, place in axes.items() if place != "top"}
    _steps(axes["root_velocity"], features, frame)
    _height(axes["root_height"], pose, skeleton)
    _positions(axes["joint_positions"], pose, skeleton)
    _rotations(axes["joint_rotations"], pose, bone_directions(features, frame, skeleton), skeleton)
    _velocities(axes["joint_velocities"], pose, row["joint_velocities"].reshape(-1, 3) * fps * AHEAD, skeleton)
    _contacts(axes["foot_contacts"], pose, row["foot_contacts"] > 0.5, skeleton)
    for name in list(axes)[1:]:
        axes[name].set(xlim=(-0.8, 0.8), ylim=(-0.12, 1.75), aspect="equal")
        _scale(axes[name])
    for name, panel in axes.items():
        title = "root_yaw_velocity, root_velocity" if name == "root_velocity" else name
        panel.set_title(title, color=COLOURS[name], size=10, family="monospace")
        panel.set_axis_off()
    plt.close(figure)
    return figure


def _flat(points: np.ndarray) -> np.ndarray:
    """World points (..., 3) as the viewer sees them from the side (..., 2)."""
    points = np.asarray(points)
    across = points[..., 0] * math.cos(AZIMUTH) - points[..., 2] * math.sin(AZIMUTH)
    return np.stack([across, points[..., 1]], -1)


def _body(axes: Axes, pose: np.ndarray, skeleton: Skeleton, colour: str | None = GHOST) -> None:
    axes.axhline(0, color=GRID, linewidth=1, zorder=0)
    for parent, child in skeleton.bones:
        limb = colour or SIDES[side(skeleton.joints[child])]
        axes.plot(*_flat(pose[[parent, child]]).T, color=limb, linewidth=2.2, solid_capstyle="round", zorder=1)


def _arrow(axes: Axes, start: np.ndarray, end: np.ndarray, colour: str, width: float = 1.4) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    axes.annotate("", xy=end, xytext=start, arrowprops=style, zorder=3)


def _bar(axes: Axes, n_joints: int) -> None:
    """The row itself, to scale; the four root channels are too narrow for their names."""
    for name, channels in feat.blocks(n_joints).items():
        width = channels.stop - channels.start
        axes.barh(0, width, left=channels.start, color=COLOURS[name], edgecolor="white", linewidth=0.5)
        if width > 20:
            axes.text(channels.start + width / 2, 0, name, ha="center", va="center", color="white", size=9)
    edges = [channels.start for channels in feat.blocks(n_joints).values() if channels.start > 3]
    axes.set_xticks([0, *edges])
    axes.text(feat.n_features(n_joints) + 1, 0, feat.n_features(n_joints), va="center", size=8, color=INK)
    axes.tick_params(axis="x", length=0, labelsize=8, colors=INK)
    axes.set(xlim=(0, feat.n_features(n_joints)), yticks=[])
    axes.text(0, 0.55, "root", ha="left", size=8, color=INK)
    axes.spines[:].set_visible(False)


def _scale(axes: Axes) -> None:
    """Half a metre, at the right of the floor."""
    axes.plot((0.3, 0.8), (-0.06, -0.06), color=INK, linewidth=1.2, solid_capstyle="butt")
    axes.text(0.55, -0.08, "0.5 m", ha="center", va="top", size=8, color=INK)


def _steps(axes: Axes, features: Tensor, frame: int, stride: int = 20) -> None:
    """The path from above, the body facing up the page in ``frame``: its left is on the page's left."""
    heading, path = feat.root_trajectory(features)
    turn = facing_z(torch.stack((heading[frame].sin(), heading[frame].cos())))
    path = ((path - path[frame]) @ turn.T.float()).numpy() * [-1, 1, 1]
    angle = (heading - heading[frame]).numpy()
    way = slice(max(frame - stride, 0), frame + 4 * stride + 1)
    axes.plot(*path[way, ::2].T, color=GHOST, linewidth=1.5, zorder=1)
    for k in range(frame, min(frame + 3 * stride + 1, len(features) - stride), stride):
        _arrow(axes, path[k, ::2], path[k + stride, ::2], COLOURS["root_velocity"], 2.2)
    reach = 0.3 * np.ptp(path[way, ::2], axis=0).max()
    for k in range(frame, min(frame + 4 * stride + 1, len(features)), stride):
        ahead = path[k, ::2] + reach * np.array([-math.sin(angle[k]), math.cos(angle[k])])
        _arrow(axes, path[k, ::2], ahead, COLOURS["root_yaw_velocity"])
    axes.plot(*path[frame, ::2], "o", color=INK, markersize=5)
    axes.margins(0.15)
    axes.set_aspect("equal", adjustable="datalim")
    notes = (("step", "root_velocity"), ("heading", "root_yaw_velocity"))
    for line, (text, name) in enumerate(notes):
        axes.text(0.0, 0.07 * line, text, color=COLOURS[name], size=9, transform=axes.transAxes)
    axes.text(0.0, 0.14, f"seen from above, every {stride} frames", color=INK, size=9, transform=axes.transAxes)


def _height(axes: Axes, pose: np.ndarray, skeleton: Skeleton) -> None:
    _body(axes, pose, skeleton)
    _arrow(axes, (0, 0), (0, pose[0, 1]), COLOURS["root_height"], 2.2)
    axes.text(0.05, pose[0, 1] / 2, f"{pose[0, 1]:.2f} m", color=COLOURS["root_height"], size=9)


def _positions(axes: Axes, pose: np.ndarray, skeleton: Skeleton) -> None:
    _body(axes, pose, skeleton)
    for joint in pose[1:]:
        axes.plot(*_flat(np.stack([0 * joint, joint])).T, color=COLOURS["joint_positions"], linewidth=0.6, zorder=2)
        axes.plot(*_flat(joint), "o", color=COLOURS["joint_positions"], markersize=3.5, zorder=3)


def bone_directions(features: Tensor, frame: int, skeleton: Skeleton) -> np.ndarray:
    """Directions (J - 1, 3) that the rotation channels say, with the conventions of the features."""
    columns = features[frame, feat.blocks(len(skeleton))["joint_rotations"]].unflatten(0, (-1, 2, 3))
    first, second = columns.unbind(-2)
    local = torch.stack((first, second, torch.linalg.cross(first, second)), -1)
    heading = feat.root_trajectory(features)[0][frame]
    turn = facing_z(torch.stack((heading.sin(), heading.cos()))).to(local)
    world = {0: turn}
    for chain in skeleton.chains:
        above = turn
        for joint in chain[1:]:
            above = world[joint] = above @ local[joint - 1]
    rest = rest_directions(skeleton, local)
    return torch.stack([turn @ world[j] @ rest[j - 1] for j in range(1, len(skeleton))]).numpy()


def _rotations(axes: Axes, pose: np.ndarray, directions: np.ndarray, skeleton: Skeleton) -> None:
    """Each bone, the direction it has in the rest pose, and the angle between the two."""
    rest = rest_directions(skeleton, torch.zeros(1)).numpy()
    for parent, child in skeleton.bones:
        length = np.linalg.norm(pose[child] - pose[parent])
        mix = np.linspace(0, 1, 12)[:, None]
        fan = (1 - mix) * rest[child - 1] + mix * directions[child - 1]
        fan = _flat(pose[parent] + length * fan / np.linalg.norm(fan, axis=1, keepdims=True).clip(1e-6))
        start, colour = _flat(pose[parent]), COLOURS["joint_rotations"]
        axes.fill(*np.concatenate([[start], fan]).T, color=colour, alpha=0.25, linewidth=0, zorder=1)
        axes.plot(*np.stack([start, fan[0]]).T, color=GHOST, linewidth=1.2, linestyle=(0, (2, 1.5)), zorder=2)
        axes.plot(*np.stack([start, fan[-1]]).T, color=colour, linewidth=2.2, solid_capstyle="round", zorder=3)
    axes.axhline(0, color=GRID, linewidth=1, zorder=0)
    axes.text(-0.78, 1.62, "dashed: rest pose", color=INK, size=8.5)


def _velocities(axes: Axes, pose: np.ndarray, ahead: np.ndarray, skeleton: Skeleton) -> None:
    _body(axes, pose, skeleton)
    for joint, move in zip(pose, ahead, strict=True):
        if np.linalg.norm(_flat(move)) > 0.03:
            _arrow(axes, _flat(joint), _flat(joint + move), COLOURS["joint_velocities"])
    axes.text(-0.78, 1.62, f"{AHEAD} s ahead", color=INK, size=8.5)


def _contacts(axes: Axes, pose: np.ndarray, touching: np.ndarray, skeleton: Skeleton) -> None:
    _body(axes, pose, skeleton, colour=None)
    feet = [*(2 * skeleton.left_feet)[:2], *(2 * skeleton.right_feet)[:2]]
    for joint, down in zip(feet, touching, strict=True):
        colour = SIDES[side(joint)]
        axes.plot(
            *_flat(pose[skeleton.index(joint)]), "o", markersize=9, markeredgewidth=1.8, zorder=3,
            markeredgecolor=colour, markerfacecolor=colour if down else "white",
        )  # fmt: skip
    axes.text(-0.78, 1.62, "filled: 1, open: 0", color=INK, size=8.5)
