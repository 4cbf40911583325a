"""What is typed after `-p` is what a page takes: words as other command lines have them, folders named by date."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from videomdm.data.recordings import demonstration

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def demo(tmp_path):
    demonstration.write(tmp_path, 1, unfit=True)
    return tmp_path


def papermill(page, folder, *parameters):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(NOTEBOOKS / page), "out.ipynb", *parameters]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


def test_false_is_no_true_text(demo):
    last = papermill("lift_video.py", demo, "-p", "video", "panning.mp4", "-p", "moving_camera", "false")
    assert "DataError: panning: the camera moves" in last


def test_a_folder_named_by_date(demo):
    (demo / "2024_06").mkdir()
    shutil.copy(demo / "cut_off.mp4", demo / "2024_06")
    last = papermill("train_video.py", demo, "-p", "videos", "2024_06")
    assert "2024_06/cut_off.mp4: cannot be opened" in last
