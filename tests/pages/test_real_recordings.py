"""The page on real recordings without the recordings: it runs, says so, and shows nothing that it has not seen."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_without_the_recordings(tmp_path):
    page = ROOT / "notebooks" / "lift_real_recordings.py"
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(page), str(tmp_path / "out.ipynb")]
    without = {name: value for name, value in os.environ.items() if name != "VIDEOMDM_DATA"}
    command += ["-p", "runs", str(tmp_path / "runs")]
    done = subprocess.run(command, cwd=ROOT, env=without, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    assert "built WITHOUT the recordings" in outputs[0]["text"]
    assert not [o for o in outputs if {"image/jpeg", "text/html"} & set(o.get("data", {}))]
    assert sum(o.get("data", {}).get("text/markdown") == "*no recordings*" for o in outputs) == 6
