"""The pages on videos, from films of real people alone: no keypoints beside them, nothing downloaded."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.data]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FILMS = ("walk_park.mp4", "balance/cam01.mp4")


@pytest.fixture
def films(data_root, tmp_path):
    if not (data_root / "real").is_dir():
        pytest.skip(f"needs real/ in {data_root}")
    folder = tmp_path / "films"
    folder.mkdir()
    for film in FILMS:
        shutil.copy(data_root / "real" / film, folder)
    return folder


def papermill(page, folder, *parameters):
    """What a page printed, run in a folder in the smallest profile."""
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(NOTEBOOKS / page), "out.ipynb"]
    command += ["-p", "profile", "smoke", "-p", "detector", "blazepose", *parameters]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    outputs = [o for cell in nbformat.read(folder / "out.ipynb", as_version=4).cells for o in cell.get("outputs", [])]
    return "\n".join(o.get("text", "") or o.get("data", {}).get("text/markdown", "") for o in outputs)


@pytest.mark.parametrize("film", ["walk_park", "cam01"])
def test_one_video(films, tmp_path, film):
    said = papermill("lift_video.py", tmp_path, "-p", "video", f"films/{film}.mp4")
    for file in (f"{film}.npz", f"{film}.bvh", "lifted.mp4", "keypoints.npz"):
        assert any(line.split()[0].endswith(file) for line in said.splitlines() if " MB" in line), file


def test_a_folder(films, tmp_path):
    said = papermill("train_video.py", tmp_path, "-p", "videos", "films")
    assert f"{len(FILMS)} recordings are used, 0 are not" in said
