"""The README's command for HumanML3D, on a tree of the official layout whose motions are built-in ones."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import t2m_folder

from videomdm import features
from videomdm.data import procedural

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "notebooks" / "train_humanml.py"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "HumanML3D"
    for folder in ("new_joints", "texts"):
        (root / folder).mkdir(parents=True)
    corpus = procedural.generate(110, seed=5)
    encoded = features.encode(features.hold_last(corpus.joints, corpus.lengths))
    np.save(root / "Mean.npy", encoded.mean((0, 1)).numpy())
    np.save(root / "Std.npy", encoded.std((0, 1)).clamp(min=0.1).numpy())
    names = [f"{i:06}" for i in range(len(corpus))]
    for i, name in enumerate(names):
        np.save(root / "new_joints" / f"{name}.npy", corpus.clip(i).numpy())
        words = " ".join(f"{word}/NOUN" for word in re.findall("[a-z]+", corpus.captions[i][0].lower()))
        (root / "texts" / f"{name}.txt").write_text(f"{corpus.captions[i][0]}#{words}#0.0#0.0\n")
    for split, own in (("train", names[:70]), ("val", names[70:72]), ("test", names[72:])):
        (root / f"{split}.txt").write_text("\n".join(own))
    return root


def papermill(out, **parameters):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(PAGE), str(out)]
    for name, value in parameters.items():
        command += ["-p", name, str(value)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_page_runs_with_the_published_evaluator(root, tmp_path):
    out, folder = tmp_path / "out.ipynb", t2m_folder.write(tmp_path / "t2m")
    given = {"data": "humanml3d", "data_root": root, "profile": "smoke", "runs": tmp_path / "runs"}
    done = papermill(out, **given, evaluator=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    printed = "".join(
        str(output.get("text", "")) for cell in nbformat.read(out, as_version=4).cells if cell.cell_type == "code"
        for output in cell.outputs
    )  # fmt: skip
    assert int(re.search(r"(\d+) clips of", printed)[1]) >= 70, "longer ones are cut into several"
    assert "6 BVH files" in printed


def test_a_missing_evaluator_is_missed_before_the_training(root, tmp_path):
    given = {"data": "humanml3d", "data_root": root, "profile": "smoke", "runs": tmp_path / "runs"}
    done = papermill(tmp_path / "out.ipynb", **given, evaluator=tmp_path / "nothing")
    assert done.returncode != 0 and "expected what the authors' archive t2m unpacks to" in done.stderr
    assert not list((tmp_path / "runs").glob("humanml3d-*"))


def test_wrong_test_clips_are_told_before_the_training(root, tmp_path):
    name = (root / "test.txt").read_text().split()[0]
    (root / "new_joints" / f"{name}.npy").unlink()
    done = papermill(tmp_path / "out.ipynb", data="humanml3d", data_root=root, profile="smoke", runs=tmp_path / "runs")
    assert done.returncode != 0 and f"new_joints/{name}.npy" in done.stderr
    assert not list((tmp_path / "runs").glob("humanml3d-*"))
