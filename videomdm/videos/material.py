"""From recordings of real people to what training sees (appendices C.3, C.4, D and I).

Every recording is cut into clips, the clips are lifted by a teacher, and each gets the camera that explains its
keypoints (:mod:`videomdm.cameras.pnp`).  What is lifted in the axes of an uncalibrated camera does not know where up
is, so motion and camera are then levelled on the floor that the feet stand on (:mod:`videomdm.cameras.ground`), and put
into the motion's canonical frame.

Teachers: the package's own (:mod:`videomdm.lifters.teacher`), or what another lifter found, in a file beside the
video (:mod:`videomdm.videos.other_lifters`): ``squat.wham.pkl`` or ``.wham.npz``, ``squat.motionbert.npy``,
``squat.mvlift.npy``, ``squat.elepose.npy``.

What levelling buys, measured on the 8 recordings of :mod:`videomdm.data.recordings.demonstration`: up is off by 7.8
degrees with the cameras from PnP and by 3.4 afterwards, and the root's height errs over a clip by 35 mm and by 14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from videomdm import features, sample
from videomdm.cameras import pnp
from videomdm.cameras.camera import Camera
from videomdm.cameras.footage import Footage
from videomdm.cameras.keypoints import bridge
from videomdm.cameras.unseen import invented, seen_parts
from videomdm.conventions import MIN_FRAMES, DataError
from videomdm.data import clips, recordings
from videomdm.data.observations import Observations
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.data.recordings.folder import Recordings
from videomdm.lifters import teacher
from videomdm.lifters.results import Lifted, RootPath
from videomdm.sample.prior import Prior
from videomdm.skeletons.definitions import SMPL22
from videomdm.videos import matching
from videomdm.videos.heights import to_height
from videomdm.videos.levelling import level
from videomdm.videos.other_lifters import usable_lifter

#: Y up, towards the viewer -> x right, y down, z forward, and back.
CAMERA_AXES = (1.0, -1.0, -1.0)


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
