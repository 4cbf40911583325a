"""From recordings of real people to what training sees (appendices C.3, C.4, D and I).

Every recording is cut into clips, the clips are lifted by a teacher, and each gets the camera that explains its
keypoints (:mod:`videomdm.cameras.pnp`).  What is lifted in the axes of an uncalibrated camera does not know where up
is, so
motion and camera are then levelled on the floor that the feet stand on (:mod:`videomdm.cameras.ground`), and put into
the
motion's canonical frame.

Teachers: the package's own (:mod:`videomdm.lifters.teacher`), or what another lifter found, in a file beside the
video (:data:`videomdm.data.recordings.reading.LIFTED`): ``squat.wham.pkl`` or ``.wham.npz``, ``squat.motionbert.npy``,
``squat.mvlift.npy``, ``squat.elepose.npy``.

What levelling buys, measured on the 8 recordings of :mod:`videomdm.data.recordings.demonstration`: up is off by 7.3
degrees with the cameras from PnP and by 2.2 afterwards, and the root's height errs over a clip by 32 mm and by 14.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from videomdm import features, sample
from videomdm.cameras import ground, pnp
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.keypoints import bridge
from videomdm.cameras.unseen import invented, seen_parts
from videomdm.conventions import MIN_FRAMES, DataError
from videomdm.data import body, clips, recordings
from videomdm.data.observations import Observations, to_body_height
from videomdm.data.recordings import reading
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.data.recordings.folder import Recordings
from videomdm.data.recordings.reading import Source
from videomdm.lifters import elepose, motionbert, mvlift, results, teacher
from videomdm.lifters.results import Lifted, RootPath
from videomdm.sample.prior import Prior
from videomdm.skeletons import kinematics
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.padding import valid_frames
from videomdm.videos import matching

#: Y up, towards the viewer -> x right, y down, z forward, and back.
CAMERA_AXES = (1.0, -1.0, -1.0)
#: Body height as :func:`videomdm.skeletons.kinematics.body_height` measures it, ankle to head joint bone by bone,
#: over a person's height from the floor to the crown.  By Drillis and Contini's proportions (1966) these joints are .88
#: of the height apart, and bones are not all upright.
BONES_OF_HEIGHT = 0.9
HEIGHTS = (0.5, 2.5)  # metres that somebody's height may be
#: Metres: mean height of adults and its deviation, men and women in equal shares (NHANES 2015-2018, Fryar et al. 2021,
#: Vital and Health Statistics 3(46): men 1.75, women 1.61, each with a deviation of about 0.07).
HEIGHT, HEIGHT_SPREAD = 1.68, 0.10
SIZE_SMOOTHING = 5.0  # frames, standard deviation of the gaussian over a person's size
#: Readers of what other lifters found, by their name in the file's (:data:`videomdm.data.recordings.reading.LIFTED`);
#: WHAM's files hold several people, and :mod:`videomdm.videos.matching` reads them.
LIFTERS: dict[str, Callable[[Path], Lifted]] = {
    "motionbert": motionbert.read, "mvlift": mvlift.read, "elepose": elepose.read,
}  # fmt: skip
OWN_RATE = ("mvlift", "elepose")  # these work at a rate of their own; others give a pose for each frame of the video


@dataclass(frozen=True)
class Clip:
    """A stretch of a recording that training takes.

    Attributes:
        track: its keypoints; ``track.start`` is where it begins, in seconds of the recording.
        recording: index of the recording.
        lifted: (T, 22, 3) metres, Y up, what another lifter found; None for the package's teacher.
        path: whether ``lifted`` has a root path of its own.
    """

    track: KeypointTrack
    recording: int
    lifted: Tensor | None = None
    path: bool = True


@dataclass(frozen=True)
class Unused:
    """A stretch of a recording (an index) that no clip holds: from and to, in seconds of it, and why."""

    recording: int
    first: float
    last: float
    reason: str


@dataclass
class Material:
    """What training takes from recordings, and what became of all the rest.

    Attributes:
        observations: the clips, levelled, with their cameras, in their canonical frames.
        clips: for each of them where it is from.
        before: their cameras before levelling, which saw the same image.
        report: how well cameras explain keypoints, of all clips, also those left out.
        recordings: what was read.
        unused: stretches that no clip holds.
        teachers: for each recording who lifted it.
    """

    observations: Observations
    clips: list[Clip]
    before: Camera
    report: pnp.Report
    recordings: Recordings
    unused: list[Unused] = field(default_factory=list)
    teachers: list[str] = field(default_factory=list)

    def unlevelled(self) -> Tensor:
        """The teacher's motions (C, T, J, 3) before levelling, in the frame of ``before``."""
        return self.before.to_world(self.observations.camera.to_camera(self.observations.teacher))

    def rows(self) -> list[dict[str, object]]:
        """A table: a row per recording, used or not, with the reason and everything that was noticed."""
        return table(self.recordings, self.clips, self.unused, self.teachers)


def gather(
    found: Recordings, max_frames: int, root_path: str = "bones", height: float | None = None,
    keep_invented: bool = False,
) -> Material:  # fmt: skip
    """Clips of recordings: cut, lifted, with cameras, level, in their canonical frames.

    Clips whose legs, or half of the body, were not seen (:func:`videomdm.cameras.unseen.invented`) are left out, and
    so are those whose camera cannot be trusted (:data:`videomdm.cameras.pnp.LIMIT`); both are said to be.

    Args:
        found: SMPL-22 tracks.
        max_frames: longest clip.
        root_path: which of the package's teachers, see :func:`videomdm.lifters.teacher.estimate`.
        height: metres from the floor to the crown that the people in the recordings have, where that is known.
        keep_invented: take clips all the same whose legs or half of the body are a guess.

    Raises:
        DataError: no clip is left; the message says what became of each recording.
        ValueError: a height that is not in metres.
    """
    cut, unused, teachers = _cut(found, max_frames)
    if not keep_invented:
        cut, guesses = _without_guesses(cut)
        unused += guesses
    report = None
    if cut:
        seen = recordings.footage([clip.track for clip in cut])
        world = lift_clips(cut, seen, root_path, height)
        motions = features.canonicalise(world, floor="median", lengths=seen.lengths)
        names = [clip.track.name for clip in cut]
        camera, report = pnp.estimate(motions, seen.keypoints, seen.confidence, seen.lengths, names=names)
        unused += [_without_camera(cut[k], report, k) for k in report.bad.nonzero()[:, 0].tolist()]
        kept = ~report.bad
        cut = [clip for clip, good in zip(cut, kept.tolist(), strict=True) if good]
    if not cut:
        lines = "".join(f"\n  {row['recording']}: {row['notes']}" for row in table(found, [], unused, teachers))
        raise DataError(f"no usable clip in {len(found) + len(found.skipped)} recordings: expected at least one{lines}")
    seen = seen.select(kept).by(camera[kept])
    joints, level_camera = level(motions[kept], seen)
    observed = Observations(
        seen.by(level_camera), joints, "pnp", [clip.track.name for clip in cut],
        [found.captions[clip.recording] for clip in cut], SMPL22, cut[0].track.fps,
    )  # fmt: skip
    return Material(observed, cut, seen.camera, report, found, unused, teachers)


def cut(
    track: KeypointTrack, max_frames: int, seen: Tensor | None = None
) -> tuple[list[KeypointTrack], list[tuple[float, float, str]]]:
    """Cut a recording where the person rests (C.4).

    Args:
        track: of a whole recording.
        max_frames: longest clip, at least :data:`videomdm.conventions.MIN_FRAMES`.
        seen: (T,) bool, the frames that may be used; all when None.

    Returns:
        The clips, and (from second, to second, reason) of what is in none.
    """
    rule = clips.Rule(
        preferred=(min(clips.Rule.preferred[0], max_frames), min(clips.Rule.preferred[1], max_frames)),
        min_frames=min(MIN_FRAMES, max_frames), max_frames=max_frames,
    )  # fmt: skip
    confidence = track.confidence if seen is None else track.confidence * seen[:, None]
    split = clips.split(track.keypoints, track.layout, confidence, rule, track.fps)
    at = [track.start + frame / track.fps for frame in range(len(track) + 1)]
    return [track.cut(*ends) for ends in split.clips], [(at[a], at[b], why) for a, b, why in split.unused]


def lift_clips(chosen: Sequence[Clip], seen: Footage, root_path: str = "bones", height: float | None = None) -> Tensor:
    """The teacher's motions (C, T, 22, 3) in a world with Y up: another lifter's where there is one, else our own.

    Poses that have no path are put where they were seen (appendix D).  Where the people's ``height`` is known (metres),
    they get it (:func:`to_height`).

    Raises:
        ValueError: a height that is not in metres.
    """
    own = torch.tensor([clip.lifted is None for clip in chosen])
    world = torch.zeros(*seen.keypoints.shape[:-1], 3)
    if own.any():
        world[own] = teacher.estimate(seen.select(own), root_path=root_path)
    for i, clip in enumerate(chosen):
        if clip.lifted is None:
            continue
        world[i, : len(clip.lifted)] = clip.lifted
        if not clip.path:
            one = slice(i, i + 1)
            pose = (world[one] - world[one, :, :1]) * world.new_tensor(CAMERA_AXES)
            world[one] = teacher.place(pose, seen.select(one), root_path=root_path)
    return world if height is None else to_height(world, seen.camera, height, seen.lengths)


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


def lift_observed(
    prior: Prior, observed: Observations, seed: int = 0, progress: bool = False, height: float | None = None
) -> tuple[Tensor, Camera]:
    """Clips lifted by a prior (appendix G.2), each frame placed by its size (:func:`videomdm.cameras.placement.place`).

    Conditioned on each clip's first caption.  Cameras are refined on the way where they are only near the canonical
    frame.  Short gaps in the keypoints are bridged (:func:`videomdm.cameras.keypoints.bridge`), or joints would jump.
    Where the people's ``height`` is known (metres), they get it, and cameras keep their distance.

    Returns:
        (C, T, J, 3) metres, level, in their canonical frames, and the cameras (C,) in these.
    """
    bridged = replace(observed.seen, confidence=bridge(observed.confidence, observed.fps))
    how = sample.Lifting(observed.frame != "truth", place=True, known_distance=height is not None)
    texts = [clip[0] for clip in observed.captions]
    joints = sample.lift_footage(prior, bridged, how, texts=texts, seed=seed, progress=progress)
    if height is not None:
        joints = to_height(joints, observed.camera, height, observed.lengths)
    return level(joints, observed.seen)


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


def other_lifter(source: Source, fps: float, track: KeypointTrack | None = None) -> Lifted | None:
    """What another lifter found in a recording, as SMPL-22 at ``fps``; None where there is no file of one.

    Its time is the film's (:mod:`videomdm.data.recordings.clock`).

    Args:
        source: the recording's files.
        fps: of the result.
        track: of the person who is wanted, where the lifter found several (:mod:`videomdm.videos.matching`); gets
            notes on what was taken.

    Raises:
        DataError: the file is not what its ending says, or not of this film.
    """
    if source.lifted is None:
        return None
    kind, film = source.lifted.name.rsplit(".", 2)[1], reading.film(source)
    if kind == "wham":
        found, notes = matching.from_wham(source.lifted, film, fps, track)
        body.check(found.joints[found.valid], str(source.lifted))
    else:
        found = LIFTERS[kind](source.lifted)
        if found.skeleton != SMPL22:
            found = replace(found, joints=results.to_smpl22(found.joints, found.skeleton), skeleton=SMPL22)
        body.check(found.joints, str(source.lifted))  # as written: between frames of a fast turn bones shrink
        found, notes = matching.poses(found, film, fps, found.fps if kind in OWN_RATE else None)
    if track is not None:
        notes += matching.out_of_step(found, track)
        track.notes += [note for note in notes if note not in track.notes]
    return found


def usable_lifter(track: KeypointTrack, source: Source) -> tuple[Lifted | None, list[str]]:
    """:func:`other_lifter`'s motion, held against the track (:func:`videomdm.data.body.check_upright`), and notes.

    None, with a note, where there is a file of another lifter but it cannot be used.
    """
    try:
        lifted = other_lifter(source, track.fps, track)
        return lifted, [] if lifted is None else _check_up(track, lifted, source)
    except DataError as error:
        return None, [f"{error}; the package's teacher lifts instead"]


def up_error(camera: Camera, true: Camera) -> Tensor:
    """Degrees (C,) between a camera's up and the true one's, both batch (C,): how far from level a world is."""
    return torch.rad2deg(torch.acos((camera.rotation[..., 1] * true.rotation[..., 1]).sum(-1).clamp(-1, 1)))


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


def table(
    found: Recordings, used: Sequence[Clip], unused: Sequence[Unused], teachers: Sequence[str]
) -> list[dict[str, object]]:
    """The rows of :meth:`Material.rows`: recordings that were read, then those that could not be."""
    rows: list[dict[str, object]] = []
    for i, track in enumerate(found.tracks):
        own = [clip.track for clip in used if clip.recording == i]
        left = [f"{u.first:.1f} to {u.last:.1f} s in no clip: {u.reason}" for u in unused if u.recording == i]
        rows.append({
            "recording": track.name, "used": "yes" if own else "no", "clips": len(own),
            "seconds": sum(map(len, own)) / track.fps, "of": len(track) / track.fps,
            "filled in %": 100 * float(track.filled.float().mean()), "seen %": _seen(track),
            "keypoints": found.sources[i].origin,
            "teacher": teachers[i], "notes": "; ".join([*track.notes, *left]),
        })  # fmt: skip
    return rows + [{"recording": name, "used": "no", "notes": reason} for name, reason in found.skipped]


def as_clips(
    parts: Sequence[KeypointTrack], track: KeypointTrack, lifted: Lifted | None = None, recording: int = 0
) -> list[Clip]:
    """Parts of a track with the parts of another lifter's motion that belong to them."""
    if lifted is None:
        return [Clip(part, recording) for part in parts]
    at, _ = matching.matched(track, lifted)
    firsts = [round((part.start - track.start) * track.fps) for part in parts]
    motions = [lifted.joints[at[k : k + len(part)]] for k, part in zip(firsts, parts, strict=True)]
    path = lifted.root is not RootPath.NONE
    return [Clip(part, recording, joints, path) for part, joints in zip(parts, motions, strict=True)]


def _cut(found: Recordings, max_frames: int) -> tuple[list[Clip], list[Unused], list[str]]:
    """Clips of all recordings, the stretches between them, and who lifts each recording."""
    used, unused, teachers = [], [], []
    for i, (track, source) in enumerate(zip(found.tracks, found.sources, strict=True)):
        lifted, said = usable_lifter(track, source)
        track.notes += said
        teachers.append("own" if lifted is None else lifted.lifter)
        parts, left = cut(track, max_frames, None if lifted is None else matching.matched(track, lifted)[1])
        used += as_clips(parts, track, lifted, i)
        unused += [Unused(i, *stretch) for stretch in left]
    return used, unused, teachers


def _check_up(track: KeypointTrack, lifted: Lifted, source: Source) -> list[str]:
    at, seen = matching.matched(track, lifted)
    confidence = track.confidence * seen[:, None]
    return body.check_upright(lifted.joints[at], track.keypoints, confidence, source.lifted.name)


def _seen(track: KeypointTrack) -> str:
    """How much was seen of every part of the body, in % of the frames."""
    parts = seen_parts(track.unseen, track.layout)
    return ", ".join(f"{part} {100 * share:.0f}" for part, share in parts.items())


def _without_guesses(cut: Sequence[Clip]) -> tuple[list[Clip], list[Unused]]:
    """Clips of which enough was seen, and why the others are left out."""
    reasons = [invented(clip.track.unseen, clip.track.layout) for clip in cut]
    left = [
        _stretch(clip, f"{reason}; keep_invented=True trains on it all the same")
        for clip, reason in zip(cut, reasons, strict=True)
        if reason
    ]
    return [clip for clip, reason in zip(cut, reasons, strict=True) if not reason], left


def _stretch(clip: Clip, reason: str) -> Unused:
    return Unused(clip.recording, clip.track.start, clip.track.start + len(clip.track) / clip.track.fps, reason)


def _without_camera(clip: Clip, report: pnp.Report, k: int) -> Unused:
    track = clip.track
    reason = report.failed.get(track.name) or (
        f"its camera's error is {report.relative[k]:.2f} of the person's size, expected at most {pnp.LIMIT}"
    )
    return _stretch(clip, reason)
