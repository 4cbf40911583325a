"""Fixtures that all tests share."""

import os
from pathlib import Path

import numpy as np
import pytest

from videomdm.data import procedural


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the open data, from the environment variable ``VIDEOMDM_DATA``; skips where there is none."""
    root = os.environ.get("VIDEOMDM_DATA")
    if not root:
        pytest.skip("needs open data: set VIDEOMDM_DATA to their folder")
    if not Path(root).is_dir():
        pytest.skip(f"needs open data: VIDEOMDM_DATA is {root!r}, which is no folder")
    return Path(root)


@pytest.fixture(scope="session")
def cmu_folder(tmp_path_factory) -> Path:
    """A folder as ``videomdm prepare-cmu`` makes it: two motions each of subjects 1 (train), 2 (test), 6 (val)."""
    root = tmp_path_factory.mktemp("cmu")
    corpus = procedural.generate(6, seed=4, max_frames=60)
    names = [f"{subject:02d}_{number:02d}" for subject in (1, 2, 6) for number in (1, 2)]
    for folder in ("new_joints", "texts"):
        (root / folder).mkdir()
    for i, name in enumerate(names):
        for twin in (name, f"M{name}"):
            np.save(root / "new_joints" / f"{twin}.npy", corpus.clip(i).numpy())
            (root / "texts" / f"{twin}.txt").write_text("a person moves#a/DET person/NOUN move/VERB#0.0#0.0\n")
    twins = [f"M{name}" for name in names]
    (root / "train.txt").write_text("\n".join([*names[:5], *twins[:5]]))  # HumanML3D's splits, not the actors'
    (root / "val.txt").write_text(names[5])
    (root / "test.txt").write_text(twins[5])
    rows = [f"{name},train,{name.removeprefix('M')},0,60" for name in (*names, *twins)]
    (root / "index.csv").write_text("\n".join(["name,split,trial,start_frame,end_frame", *rows]))
    return root
