"""From a fresh install to a film in 3-D: ``videomdm lift`` with the prior that comes with it and an empty cache."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import timing
from benchmarks.timing import Metrics
from videomdm import sample
from videomdm.data.recordings.video import Video

ROOT = Path(__file__).parents[1]
STAGES = {"reading": "detection", "lifting": "lifting", "writing": "export"}  # of the command's report


def run(results: Path, video: Path, prior: Path | None = None) -> Path:
    """Seconds of the stages, once: starting the program, detection, lifting, and writing npz and BVH.

    Args:
        results: where the result goes.
        video: a film of a person.
        prior: a finished run; the package's prior when None.
    """
    began, prior = time.monotonic(), prior or sample.SHIPPED
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(shutil.copytree(prior, Path(folder) / prior.name))
        whole, used, report = _command(video, fresh, Path(folder) / "out")
    row = report["recordings"][0]
    stages = {own: report["seconds"][stage] for stage, own in STAGES.items()}
    seconds = {"start": whole - sum(stages.values()), **stages, "command": whole}
    film = Video(video)
    metrics: Metrics = {"video": video.name, "film_seconds": film.promised / film.fps, "lifted_frames": row["frames"]}
    metrics |= {f"{stage}_seconds": value for stage, value in seconds.items()}
    metrics["command_cpu_seconds"] = used
    print(*(f"{stage:10s} {value:7.1f} s" for stage, value in seconds.items()), sep="\n")
    return timing.write(results, "lift", sample.load(prior).config, metrics, began)


def _command(video: Path, prior: Path, out: Path) -> tuple[float, float, dict]:
    """Seconds of ``videomdm lift`` in a process of its own, processor seconds, and its report."""
    arguments = ["lift", str(video.resolve()), "--detector", "blazepose", "--run", str(prior), "--out", str(out)]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    before, began = _used(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "videomdm", *arguments], env={**os.environ, "PYTHONPATH": paths}, check=True)
    seconds = time.perf_counter() - began
    return seconds, _used() - before, json.loads((out / "report.json").read_text())


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
