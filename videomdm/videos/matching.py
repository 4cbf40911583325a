"""Which of the people that another lifter found is the one whose keypoints these are, and when.

A lifter follows people on its own: its numbers for them say nothing about the keypoints beside the video, and somebody
whom it lost for a moment goes on as somebody else.  People are told apart by reprojection: seen by the camera that
explains them best (PnP), the right person's joints lie on the keypoints, and so do the other pieces of the same person,
seen by the same camera.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from torch import Tensor

from videomdm.cameras import pnp
from videomdm.cameras.camera import Camera
from videomdm.cameras.keypoints import fill_missing
from videomdm.conventions import DataError
from videomdm.data.recordings import clock
from videomdm.data.recordings.clock import Film
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.lifters import wham
from videomdm.lifters.results import Lifted, RootPath
from videomdm.skeletons.definitions import SMPL22

FRAMES = 48  # at most so many frames, evenly spread, tell people apart
FEWEST = 8  # frames that a piece must share with the keypoints to be compared with them
SHIFTS = 20  # frames earlier and later at which a motion is tried
IN_STEP, BETTER = 0.06, 0.6  # errors below are good at any time; share of its own error that another time must give
DOUBTFUL = 0.12  # errors from which poses are said not to fit
NEAR = 0.02  # shares of the person's size: errors that are nearer to each other are alike


@dataclass(frozen=True, eq=False)
class Piece:
    """One of a lifter's people in the film's time.

    Attributes:
        key: in the lifter's file.
        times: (N,) seconds of the film, increasing.
        joints: (N, 22, 3) metres in a world of its own, Y up.
        in_camera: (N, 22, 3) in the camera's axes; None where the file does not tell.
        file: for messages.
    """

    key: Any
    times: np.ndarray
    joints: Tensor
    in_camera: Tensor | None
    file: str = "wham"

    def lifted(self, fps: float, in_camera: bool = False) -> Lifted:
        """At a constant rate, in the world's or in the camera's axes."""
        joints = self.in_camera if in_camera else self.joints
        valid = torch.ones(len(joints), dtype=torch.bool)
        return Lifted(joints, valid, fps, RootPath.WORLD, SMPL22, "wham", f"{self.file}, person {self.key}").timed(
            self.times, fps
        )


@dataclass(frozen=True)
class Match:
    """How well keypoints show one of the people: PnP's error in the person's size, frames shared, and the camera."""

    piece: Piece
    error: float
    shared: int
    camera: Camera


def matched(track: KeypointTrack, lifted: Lifted) -> tuple[Tensor, Tensor]:
    """For each frame of a track the lifter's frame (T,), and whether it saw that frame."""
    at = torch.arange(len(track)) + round(track.start * track.fps) - lifted.first_frame
    inside = (at >= 0) & (at < len(lifted))
    at = at.clamp(0, len(lifted) - 1)
    return at, inside & lifted.valid[at]


def poses(found: Lifted, film: Film | None, fps: float, own_rate: float | None) -> tuple[Lifted, list[str]]:
    """Consecutive poses of one person at the film's time stamps, and notes.

    Args:
        found: as read, from the film's first frame on.
        film: that was lifted; None where it is not known, and ``found.fps`` is believed.
        fps: of the result.
        own_rate: frames per second at which the lifter works; None where it writes a pose for each of the film's.

    Raises:
        DataError: as many poses as neither the film's frames nor the lifter's rate make.
    """
    if film is None:
        return found.resample(fps), []
    times, notes = clock.pose_times(len(found), film, own_rate, f"{found.lifter}, {found.name}")
    kept = replace(found, joints=found.joints[: len(times)], valid=found.valid[: len(times)])
    return kept.timed(times, fps), notes


def from_wham(
    path: Path, film: Film | None, fps: float, track: KeypointTrack | None = None
) -> tuple[Lifted, list[str]]:
    """The motion of the person whom a track shows, pieces joined; of the one seen longest where there is no track.

    Args:
        path: WHAM's file.
        film: that was lifted; None takes 30 frames a second.
        fps: of the result.
        track: keypoints of the person who is wanted.

    Returns:
        SMPL-22 joints at ``fps``, and notes on whom and what was taken.

    Raises:
        DataError: the file is not WHAM's, does not fit the film, or has nobody at the time of the track.
    """
    people, notes = _in_time(wham.people(path), path, film)
    if track is None or len(people) == 1:
        return max(people, key=lambda p: len(p.times)).lifted(fps), notes
    matches = [own for own in (_match(piece, piece.lifted(fps), track) for piece in people) if own]
    if not matches:
        raise DataError(f"{path}: none of its {len(people)} people is there when the keypoints are")
    best = min(m.error for m in matches)
    chosen = max((m for m in matches if m.error <= best + NEAR), key=lambda m: m.shared)
    pieces = _pieces(chosen.piece, people, track, fps)
    others = sorted(m.error for m in matches if m.piece not in pieces)
    names = " and ".join(str(p.key) for p in pieces)
    told = f"WHAM's file holds {len(people)} people: person {names} fits the keypoints, its error is {chosen.error:.2f}"
    told += f" of its size, the next {others[0]:.2f}" if others else " of its size"
    return _join(pieces).lifted(fps), [told, *notes]


def out_of_step(lifted: Lifted, track: KeypointTrack) -> list[str]:
    """A note where a motion with a path does not fit the keypoints, or much better at another time than at its own."""
    own, theirs = _shared(track, lifted)
    if len(own) < FEWEST or lifted.root is RootPath.NONE:
        return []
    keypoints = fill_missing(track.keypoints, track.confidence)
    errors: dict[int, float] = {}
    for shift in range(-SHIFTS, SHIFTS + 1, 2):
        at = theirs + shift
        inside = (at >= 0) & (at < len(lifted))
        if inside.float().mean() > 0.5:
            errors[shift] = _pnp(lifted.joints[at[inside]], keypoints[own[inside]])[1]
    best = min(errors, key=errors.get)
    if errors[0] < IN_STEP:
        return []
    if errors[best] > BETTER * errors[0]:
        if errors[0] < DOUBTFUL:
            return []
        return [
            f"{lifted.lifter}'s poses are {errors[0]:.2f} of the person's size off the keypoints, expected at most "
            f"{DOUBTFUL}: are they of this film, and of this person, in metres and radians?"
        ]
    when = f"{abs(best) / track.fps:.1f} s {'later' if best > 0 else 'earlier'}"
    return [
        f"the keypoints show {lifted.lifter}'s poses of {when} better (error {errors[best]:.2f} of size) than those of "
        f"their own time ({errors[0]:.2f}): are they of this film, and of this person?"
    ]


def _in_time(people: list[wham.Person], path: Path, film: Film | None) -> tuple[list[Piece], list[str]]:
    """People at the film's time stamps; their frames are checked against it together."""
    numbers = np.unique(np.concatenate([p.frames for p in people]))
    times, inside, notes = numbers / 30.0, np.ones(len(numbers), bool), []
    if film is not None:
        times, inside, notes = clock.number_times(numbers, film, path.name, "poses")
    pieces = []
    for p in people:
        kept = np.isin(p.frames, numbers[inside])
        if kept.any():
            at, own = times[np.searchsorted(numbers[inside], p.frames[kept])], torch.from_numpy(kept)
            in_camera = None if p.in_camera is None else p.in_camera[own]
            pieces.append(Piece(p.key, at, p.joints[own], in_camera, path.name))
    return pieces, notes


def _shared(track: KeypointTrack, lifted: Lifted) -> tuple[Tensor, Tensor]:
    """Frames of a track and of a lifter's motion that both saw."""
    at, inside = matched(track, lifted)
    own = (inside & ~track.filled).nonzero()[:, 0]
    return own, at[own]


def _match(piece: Piece, lifted: Lifted, track: KeypointTrack) -> Match | None:
    own, theirs = _shared(track, lifted)
    if len(own) < FEWEST:
        return None
    camera, error = _pnp(lifted.joints[theirs], fill_missing(track.keypoints, track.confidence)[own])
    return Match(piece, error, len(own), camera)


def _pnp(joints: Tensor, keypoints: Tensor) -> tuple[Camera, float]:
    """The camera that explains keypoints (T, J, 2) of joints (T, J, 3) best, and its error in the person's size."""
    some = torch.linspace(0, len(joints) - 1, min(FRAMES, len(joints))).round().long()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong person's camera is not to be trusted
        camera, report = pnp.estimate(joints[some][None], keypoints[some][None], frames=len(some))
    return camera, float(report.relative[0])


def _pieces(chosen: Piece, people: list[Piece], track: KeypointTrack, fps: float) -> list[Piece]:
    """The chosen person's pieces in time: others that are never there together and lie where the keypoints do.

    The camera stands still, so the one that explains the chosen piece in the camera's axes must explain the others.
    """
    pieces = [chosen]
    if chosen.in_camera is None:
        return pieces
    camera = _match(chosen, chosen.lifted(fps, in_camera=True), track).camera
    for other in sorted(people, key=lambda p: -len(p.times)):
        if other.in_camera is None or any(_overlap(other, p) for p in pieces):
            continue
        lifted = other.lifted(fps, in_camera=True)
        frames, theirs = _shared(track, lifted)
        if len(frames) and _error(camera, lifted.joints[theirs], track, frames) <= pnp.LIMIT:
            pieces.append(other)
    return sorted(pieces, key=lambda p: p.times[0])


def _overlap(a: Piece, b: Piece) -> bool:
    return a.times[0] <= b.times[-1] and b.times[0] <= a.times[-1]


def _error(camera: Camera, joints: Tensor, track: KeypointTrack, frames: Tensor) -> float:
    """Reprojection error of joints (T, J, 3) at a track's frames (T,), in the person's size there, the median."""
    keypoints = fill_missing(track.keypoints, track.confidence)[frames]
    image, depth = camera.project(joints[None])
    error = (image[0] - keypoints).square().sum(-1).mean(-1).sqrt()
    size = (keypoints - keypoints.mean(1, keepdim=True)).square().sum(-1).mean(-1).sqrt()
    return float((error / size).median()) if (depth > 0).all() else float("inf")


def _join(pieces: list[Piece]) -> Piece:
    """One person from pieces in time, each of which has a world of its own: all in the longest one's world."""
    if len(pieces) == 1:
        return pieces[0]
    main = max(pieces, key=lambda p: len(p.times))
    turn, shift = _rigid(main.in_camera, main.joints)
    joints = []
    for piece in pieces:
        own_turn, own_shift = _rigid(piece.joints, piece.in_camera)
        moved = (piece.joints @ own_turn.mT + own_shift) @ turn.mT + shift
        joints.append(piece.joints if piece is main else moved)
    keys = "+".join(str(p.key) for p in pieces)
    return Piece(keys, np.concatenate([p.times for p in pieces]), torch.cat(joints), None, main.file)


def _rigid(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation and shift that take points (T, J, 3) to others."""
    return roma.rigid_points_registration(source.reshape(-1, 3), target.reshape(-1, 3))
