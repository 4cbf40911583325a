"""A recording lifted and taken away: what ``videomdm lift`` and the page :doc:`/runs/lift_video` hand out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from videomdm.cameras.camera import Camera
from videomdm.conventions import REPORT, DataError
from videomdm.data import recordings
from videomdm.data.recordings import names
from videomdm.data.recordings.detections import KeypointTrack
from videomdm.data.recordings.reading import Source
from videomdm.data.recordings.video import Video
from videomdm.evaluation.lifting import without_truth
from videomdm.export.bvh import write_both
from videomdm.export.npz import AXES
from videomdm.sample.prior import Prior
from videomdm.skeletons.definitions import SMPL22
from videomdm.storage.files import written_whole
from videomdm.videos.heights import unknown_height
from videomdm.videos.other_lifters import usable_lifter
from videomdm.videos.windows import Mixing, Whole, lift_recording, windows

#: Units of measures, by name.
UNITS = {
    "from, to": "seconds of the recording", "unseen": "share of all joints in all frames",
    "camera_error, error": "of the camera from PnP, share of the person's size in the image",
    "reprojection": "% of the person's size in the image", "acceleration": "m/s^2", "skating": "share of frames",
    "bones": "%, by how much bones change their length over time",
}  # fmt: skip
#: Whose motion is the result, "prior" or "teacher": whose errors are smaller on recordings of people who were not made
#: here (``results/real_people``, :doc:`/runs/evaluate_real_people`).  "prior" is the prior's motion mixed with the
#: teacher's, fitted to the recording, in shares that were chosen (:class:`videomdm.videos.windows.Mixing`); reports
#: say how much of it is the prior's (``prior_share``), which may be nothing.
DELIVERED = "prior"


@dataclass(frozen=True)
class LiftedRecording:
    """A recording, its lifted motions, and what is known of them.

    Attributes:
        track: the keypoints.
        caption: that the prior was given.
        motions: the prior's and the teacher's.
        teacher: ``"own"``, or the name of the lifter whose file lay beside the recording.
        windows: frames (first, end) that were lifted together, in the order of ``motions.report``.
        notes: everything worth knowing, in sentences.
        unused: (from second, to second, reason) of what was not lifted.
    """

    track: KeypointTrack
    caption: str
    motions: Whole
    teacher: str
    windows: list[tuple[int, int]]
    notes: list[str]
    unused: list[tuple[float, float, str]]

    @property
    def ways(self) -> dict[str, tuple[Tensor, Camera]]:
        """By whom it was lifted -> joints (T, 22, 3) in metres, level, Y up, and the camera in their frame."""
        return {
            "teacher": (self.motions.teacher, self.motions.teacher_camera),
            "prior": (self.motions.joints, self.motions.camera),
        }

    @property
    def joints(self) -> Tensor:
        """(T, 22, 3) the motion that is delivered."""
        return self.ways[DELIVERED][0]

    @property
    def unseen(self) -> Tensor:
        """(T, 22) bool: joints that no keypoint tells of."""
        return self.track.unseen

    def measures(self) -> dict[str, dict[str, float]]:
        """By whom it was lifted -> what is known of a motion without the truth (:func:`without_truth`)."""
        seen = recordings.footage([self.track])
        return {
            way: {name: float(value) for name, value in without_truth(joints[None], seen.by(camera[None])).items()}
            for way, (joints, camera) in self.ways.items()
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What :func:`save` writes: both motions and their cameras (world -> camera), and which one is delivered."""
        found: dict[str, np.ndarray] = {}
        for way, (joints, camera) in self.ways.items():
            found |= {way: joints.numpy(), f"{way}_rotation": camera.rotation.numpy()}
            found |= {f"{way}_translation": camera.translation.numpy()}
        own = {name: found[f"{DELIVERED}_{name}"] for name in ("rotation", "translation")}
        return found | own | {
            "joints": found[DELIVERED], "delivered": np.array(DELIVERED), "unseen": self.unseen.numpy(),
            "times": self.track.start + np.arange(len(self.track)) / self.track.fps, "fps": np.float64(self.track.fps),
            "caption": np.array(self.caption), "joint_names": np.array(SMPL22.joints),
            "parents": np.array(SMPL22.parents), "units": np.array("metres, seconds"),
            "axes": np.array(AXES),
        }  # fmt: skip

    def report(self) -> dict[str, object]:
        """What became of the recording, as JSON can say it, in :data:`UNITS`; None where PnP found no camera."""
        track, found = self.track, self.motions.report
        at = [round(track.start + frame / track.fps, 3) for frame in range(len(track) + 1)]
        cameras = [
            {
                "from": at[first], "to": at[end], "error": _finite(relative), "trusted": not bad,
                **({"failed": found.failed[name]} if name in found.failed else {}),
            }
            for (first, end), name, relative, bad in zip(
                self.windows, found.names, found.relative.tolist(), found.bad.tolist(), strict=True
            )
        ]  # fmt: skip
        return {
            "name": track.name, "used": True, "caption": self.caption, "frames": len(track), "fps": track.fps,
            "from": at[0], "to": at[-1], "delivered": DELIVERED, "prior_share": Mixing().share,
            "teacher": self.teacher,
            "unseen": float(self.unseen.double().mean()), "camera_error": _finite(float(found.relative.median())),
            "cameras": cameras,
            "measures": {w: {k: _finite(v) for k, v in own.items()} for w, own in self.measures().items()},
            "cut": [{"from": a, "to": b, "reason": why} for a, b, why in self.unused], "notes": self.notes,
        }  # fmt: skip


def lift_track(
    prior: Prior,
    track: KeypointTrack,
    source: Source,
    caption: str,
    seed: int = 0,
    height: float | None = None,
    progress: bool = False,
) -> LiftedRecording:
    """Lift a recording with a prior, from the motion of the lifter whose file lies beside it, else of our own teacher.

    Args:
        prior: from :func:`videomdm.sample.load`.
        track: the SMPL-22 keypoints of the recording (:func:`videomdm.data.recordings.load_one`).
        source: its files.
        caption: what the person does.
        seed: of the noise.
        height: metres from the floor to the crown, where it is known; else adults' mean is taken, and a note says so.
        progress: show a bar.

    Raises:
        DataError: keypoints at another frame rate than the prior's.
        ValueError: a height that is not in metres.
    """
    if track.fps != prior.fps:
        raise DataError(f"{track.name}: keypoints at {track.fps:g} frames a second, expected the prior's {prior.fps:g}")
    other, said = usable_lifter(track, source)
    notes = [*track.notes, *said, *([unknown_height()] if height is None else [])]
    root = prior.config.data.root_path
    found = lift_recording(prior, track, caption, other, root, seed, progress=progress, height=height)
    starts, length = windows(len(track), prior.config.data.max_frames)
    parts = [(first, first + length) for first in starts]
    return LiftedRecording(
        track, caption, found, "own" if other is None else other.lifter, parts, notes, _unused(track, source)
    )


def result_names(tracks: Sequence[KeypointTrack], sources: Sequence[Source], folder: Path) -> list[str]:
    """What the results of recordings are called below a folder, without ending, in sub-folders like theirs.

    Raises:
        DataError: a result, or the report, would be written over a file of one of the recordings.
    """
    own = names.below((track.name for track in tracks), ["-exact"])
    made = {(folder / f"{name}{ending}").resolve() for name in own for ending in (".npz", ".bvh", "-exact.bvh")}
    made.add((folder / REPORT).resolve())
    for file in (file for source in sources for file in source.files):
        if file.resolve() in made:
            raise DataError(f"{file}: a result would be written over it, expected another folder than {folder}")
    return own


def save(lifted: LiftedRecording, folder: str | Path, name: str | None = None) -> dict[Path, dict[str, float | str]]:
    """Write ``NAME.npz`` (:meth:`LiftedRecording.arrays`), and the delivered motion as ``NAME.bvh``, with constant
    bones, and ``NAME-exact.bvh``.

    Args:
        lifted: one recording.
        folder: made where it is missing.
        name: of the files, from :func:`result_names` where there are several; the recording's own when None.

    Returns:
        File -> how far its joints are from the motion's (:func:`videomdm.export.bvh.write_both`), nothing for arrays.
    """
    name = name or names.below([lifted.track.name])[0]
    npz, bvh = (Path(folder) / f"{name}.{ending}" for ending in ("npz", "bvh"))
    with written_whole(npz) as partial:
        np.savez_compressed(partial, **lifted.arrays())
    return {npz: {}, **write_both(bvh, lifted.joints, SMPL22, lifted.track.fps)}


def write_report(
    path: Path, rows: Sequence[Mapping[str, object]], run: Path, notes: Sequence[str] = (),
    seconds: Mapping[str, float] | None = None,
) -> None:  # fmt: skip
    """What became of recordings, as JSON.

    Args:
        path: file to write.
        rows: :meth:`LiftedRecording.report`, or ``{"name", "used": False, "reason"}``, for each recording.
        run: of the prior.
        notes: on the recordings as a whole.
        seconds: that reading (detection included), lifting and writing took, where they were measured.
    """
    report = {"run": str(run), "recordings": list(rows), "notes": list(notes), "units": UNITS}
    if seconds is not None:
        report["seconds"] = {stage: round(value, 3) for stage, value in seconds.items()}
    with written_whole(path) as partial:
        text = json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        # names of files may hold bytes that are no letters: JSON's own escape for these is Python's, too
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def _unused(track: KeypointTrack, source: Source) -> list[tuple[float, float, str]]:
    """What of a recording lies before and after the frames that see the person, where its video tells its length."""
    end, nobody = track.start + len(track) / track.fps, "this person is not seen"
    found = [(0.0, round(track.start, 3), nobody)] if track.start > 1 / track.fps else []
    if source.video is not None:
        video = Video(source.video)
        if (seconds := video.promised / video.fps) > end + 1 / track.fps:
            found.append((round(end, 3), round(seconds, 3), nobody))
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
