"""The two pictures of the README: what a prior generates, and a video that it lifts.

``python -m videomdm.study.pictures`` takes the prior that comes with the package and writes
``figures/generated.gif`` and ``figures/lifted.gif``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from videomdm import programs, sample, train
from videomdm.data import recordings
from videomdm.data.recordings import demonstration
from videomdm.data.recordings.video import Video, draw_keypoints
from videomdm.export import film
from videomdm.sample.prior import Prior
from videomdm.videos import lift_recording

PROGRAM = "python -m videomdm.study.pictures"
#: What is generated.
CAPTIONS = ("a person walks forward", "a person does jumping jacks", "a person squats down and stands up again")
SCENE = "wave_both_01"  # of :mod:`videomdm.data.recordings.demonstration`
SECONDS = 5.0
HEIGHT = 288  # pixels
COLOURS = 48  # of a GIF's palette: few keep it small


def generated(prior: Prior, path: Path, seed: int = 0) -> None:
    """Draw one generated motion for each of :data:`CAPTIONS`, side by side."""
    seconds = min(SECONDS, prior.config.data.max_frames / prior.fps)
    motions = sample.generate(prior, CAPTIONS, seconds=seconds, seed=seed, feet="held")
    panels = [film.draw(motion, prior.skeleton, text, HEIGHT) for motion, text in zip(motions, CAPTIONS, strict=True)]
    _write(path, (np.concatenate(row, axis=1) for row in zip(*panels, strict=True)), prior.fps)


def lifted(prior: Prior, path: Path, folder: Path, seed: int = 0) -> None:
    """Draw a built-in video with its keypoints, and beside it the motion that a prior lifts from these."""
    demonstration.write(folder, 1 + demonstration.ACTIONS.index(SCENE.removesuffix("_01")), unfit=False)
    video = folder / f"{SCENE}.mp4"
    track, captions, _ = recordings.load_one(video, cache=folder / "cache")
    whole = lift_recording(prior, track, captions[0], root_path=prior.config.data.root_path, seed=seed)
    points, confidence = track.pixels.numpy(), track.confidence.numpy()
    seen = (
        cv2.cvtColor(draw_keypoints(image, points[k], confidence[k], track.layout), cv2.COLOR_BGR2RGB)
        for k, (_, image) in zip(range(len(track)), Video(video), strict=False)
    )
    body = film.draw(whole.joints, track.layout, "lifted, seen from another side", HEIGHT)
    _write(path, (np.concatenate(row, axis=1) for row in zip(seen, body, strict=True)), track.fps)


def _write(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """An animated GIF of every second frame, all of one palette."""
    chosen = [Image.fromarray(frame) for k, frame in enumerate(frames) if k % 2 == 0]
    palette = chosen[0].quantize(COLOURS)
    first, *rest = (image.quantize(palette=palette, dither=Image.Dither.NONE) for image in chosen)
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(path, save_all=True, append_images=rest, duration=round(2000 / fps), loop=0, optimize=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the pictures, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Draw both pictures into ``<out>``."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.split("\n")[0])
    programs.add_debug(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", type=Path, default=sample.SHIPPED, help="finished run (default: the package's prior)")
    which.add_argument("--profile", help="train a prior so, and take that")
    parser.add_argument("--runs", default="runs", help="folder of run folders")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder of the pictures")
    given = parser.parse_args(arguments)
    profile = given.profile and train.profile(given.profile, runs=given.runs)
    prior = sample.load(train.fit(profile) if profile else given.run)
    generated(prior, given.out / "generated.gif")
    lifted(prior, given.out / "lifted.gif", Path(given.runs) / "one-video")


if __name__ == "__main__":
    sys.exit(main())
