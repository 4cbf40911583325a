"""The page of the third regime, on a small tree of NBA's official layout."""

import subprocess
import sys
from pathlib import Path

import nba_files
import nbformat
import numpy as np
import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "notebooks" / "train_nba.py"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return nba_files.write(tmp_path_factory.mktemp("data"), n=80, frames=44)


def papermill(out, **parameters):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(PAGE), str(out)]
    for name, value in parameters.items():
        command += ["-p", name, str(value)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def printed(out):
    cells = nbformat.read(out, as_version=4).cells
    return "".join(str(o.get("text", "")) for c in cells if c.cell_type == "code" for o in c.outputs)


def test_the_page_runs_on_the_official_folders(tree, tmp_path):
    small = {"profile": "smoke", "evaluator_budget": "smoke", "runs": tmp_path / "runs"}
    done = papermill(tmp_path / "out.ipynb", data_root=tree, **small)
    assert done.returncode == 0, done.stderr[-3000:]
    said = printed(tmp_path / "out.ipynb")
    assert "64 clips to train on, 8 to test on, 30 frames a second" in said
    assert "4 motions of" in said
    runs = sorted(path.name for path in (tmp_path / "runs").glob("nba-smoke-*"))
    assert {name.split("-s0-")[0] for name in runs} == {
        "nba-smoke-mdm-2d", "nba-smoke-mdm-teacher", "nba-smoke-videomdm-frame"
    }  # fmt: skip
    arrays = np.load(next((tmp_path / "runs").glob("nba-smoke-videomdm-frame*")) / "motions" / "motions.npz")
    assert arrays["joints"].shape[2] == 16 and not arrays["joints"][:, :, 0].any(), "around the hip"


@pytest.mark.parametrize(
    ("change", "parameters", "message"),
    [
        (lambda nba: (nba / "Mean.npy").unlink(), {}, "Mean.npy: no such file"),
        (
            lambda nba: None,
            {"method": "videomdm-pnp"},
            "needs cameras by PnP, impossible where",
        ),
        (lambda nba: None, {"method": "videomdm"}, "needs true cameras"),
        (lambda nba: None, {"methods": "videomdm"}, "methods"),
    ],
)
def test_bad_input_is_missed_before_the_training(tmp_path, change, parameters, message):
    tree = nba_files.write(tmp_path / "data", n=5, frames=44)
    change(tree / "nba")
    small = {"profile": "smoke", "runs": tmp_path / "runs"}
    done = papermill(tmp_path / "out.ipynb", data_root=tree, **small, **parameters)
    assert done.returncode != 0 and message in done.stderr
    assert not list((tmp_path / "runs").glob("nba-*"))
