"""Lift people in videos, or 2-D keypoints of them, to 3-D motions with a trained prior.
FILE is a video, a keypoint file (.npz, .json beside its video) or an OpenPose folder; of a folder every recording is
lifted.  DIR gets for each a NAME.npz (joints in metres, Y up; cameras; which joints were not seen), a NAME.bvh
(centimetres; bones of one length, for a rig) and a NAME-exact.bvh (every joint where the motion has it), and a
report.json that says what became of each, those that could not be used included.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from videomdm.command import runs
from videomdm.conventions import DataError
from videomdm.parameters import argument, seed

if TYPE_CHECKING:
    from videomdm.data.recordings import Recordings
    from videomdm.sample.prior import Prior


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", type=argument(Path), metavar="FILE_OR_FOLDER", help="a recording, or a folder of recordings"
    )
    parser.add_argument(
        "--height", type=argument(float), metavar="M",
        help="metres from floor to crown that the person has (default: an adult's mean, as the report says)",
    )  # fmt: skip
    parser.add_argument(
        "--field-of-view", type=argument(float), metavar="DEG",
        help="degrees across the image's diagonal (default: the file's own, or assumed, as the report says)",
    )  # fmt: skip
    parser.add_argument(
        "--caption", metavar="TEXT", help="what the person does (default: what lies beside the video, or its name)"
    )
    parser.add_argument(
        "--detector", choices=["auto", "rtmpose", "blazepose"], default="auto",
        help="who finds people in videos without keypoints (default: auto, RTMPose where it is installed)",
    )  # fmt: skip
    parser.add_argument(
        "--person", type=argument(int), default=0, metavar="N",
        help="which of the people in a recording, or in each of a folder, by the numbers in the pages' pictures "
        "(default: 0, the main one)",
    )  # fmt: skip
    parser.add_argument("--moving-camera", action="store_true", help="take recordings whose camera moves all the same")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the noise (default: 0)")
    runs.add_argument(parser)
    parser.add_argument(
        "--out", type=argument(Path), required=True, metavar="DIR", help="folder of the results, made if missing"
    )


def run(given: argparse.Namespace) -> None:
    """Lift, and print the files; raises ``DataError`` where nothing could be lifted."""
    if given.caption is not None and not given.caption.strip():
        raise DataError("--caption is empty, expected what the person does")
    if given.out.exists() and not given.out.is_dir():
        raise DataError(f"--out {given.out} is a file, expected a folder")
    run = runs.chosen(given.run)

    from videomdm import sample, videos

    videos.check_height(given.height)
    if given.height is None:
        print(videos.unknown_height(), file=sys.stderr)
    prior = sample.load(run)
    began = time.perf_counter()
    found = _read(given, runs.cache(run))
    seconds = {"reading": time.perf_counter() - began, "lifting": 0.0, "writing": 0.0}
    rows = _lift(found, prior, given, seconds)
    for name, reason in found.skipped:
        print(f"not used: {name}: {reason.removeprefix(f'{name}: ')}", file=sys.stderr)
    left_out = [{"name": name, "used": False, "reason": reason} for name, reason in found.skipped]
    videos.write_report(given.out / "report.json", [*rows, *left_out], run, found.notes, seconds)
    print(given.out / "report.json")
    if not rows:
        raise DataError(f"{given.path}: nothing could be lifted")


def _lift(
    found: Recordings, prior: Prior, given: argparse.Namespace, seconds: dict[str, float]
) -> list[dict[str, object]]:
    """Lift each recording, write and print its files, and add to ``seconds``; reports of those that could be lifted.

    The others are added to those that are skipped.
    """
    from videomdm import videos
    from videomdm.data.recordings import captions

    rows, names = [], videos.result_names(found.tracks, found.sources, given.out)
    for name, track, words, source in zip(names, found.tracks, found.captions, found.sources, strict=True):
        if given.caption:
            said = captions.notes(words)  # of captions that are not used
            track.notes = [note for note in track.notes if note not in said] + captions.notes([given.caption])
        print(f"lifting {track.name}: {len(track) / track.fps:.1f} s", file=sys.stderr)
        caption, began = given.caption or words[0], time.perf_counter()
        try:
            lifted = videos.lift_track(prior, track, source, caption, given.seed, given.height, progress=True)
        except ValueError as error:
            found.skipped.append((track.name, str(error)))
            continue
        lifted_at = time.perf_counter()
        written = videos.save(lifted, given.out, name)
        off = {path.name: errors for path, errors in written.items() if errors}
        rows.append(lifted.report() | {"files": [str(path) for path in written], "off_the_motion": off})
        seconds["lifting"] += lifted_at - began
        seconds["writing"] += time.perf_counter() - lifted_at
        print(*rows[-1]["files"], sep="\n")
    return rows


def _read(given: argparse.Namespace, cache: Path) -> Recordings:
    """The recordings of a folder, bad ones listed; or one recording, which has to be good."""
    from videomdm.data import recordings
    from videomdm.data.recordings import keypoint_json, reading

    how = {
        "detector": given.detector, "intrinsics": given.field_of_view, "moving_camera": given.moving_camera,
        "cache": cache,
    }  # fmt: skip
    if given.path.is_dir() and not (keypoint_json.recordings_of(given.path) and reading.holds_frames_alone(given.path)):
        return recordings.load(given.path, on_error="skip", person=given.person, **how)
    track, words, source = recordings.load_one(given.path, person=given.person, **how)
    return recordings.Recordings([track], [words], [source])
