"""What the page *Contributing* says is enough: a corpus and a metric of one's own, in the lines that stand there."""

from pathlib import Path

import numpy as np
import pytest

from videomdm import train
from videomdm.data import procedural, sources
from videomdm.data.corpus import check_joints, from_clips
from videomdm.evaluation import measures, protocol
from videomdm.pages import house
from videomdm.skeletons import SMPL22

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def load(root, split, on_error="raise"):
    files = sorted((root / split).glob("*.npy"))  # (T, 22, 3): metres, Y up, 20 fps
    clips = [check_joints(np.load(file), file.name, SMPL22) for file in files]
    names = [file.stem for file in files]
    captions = [[name.rpartition("-")[0].replace("_", " ")] for name in names]
    return from_clips(clips, names, captions, [""] * len(names), SMPL22)


def height_range(joints, lengths, skeleton, fps):
    root = joints[:, :, 0, 1]  # past its end a clip holds its last pose
    return root.amax(1) - root.amin(1)


@pytest.fixture
def folder(tmp_path):
    """Motions of the built-in corpus as files of a layout that no reader of the package knows."""
    for split, n_clips in (("train", 80), ("val", 8), ("test", 32)):
        (tmp_path / split).mkdir()
        corpus = procedural.generate(n_clips, seed=len(split), max_frames=44)
        for i, action in enumerate(corpus.actions):
            np.save(tmp_path / split / f"a_person_does_{action}-{i}.npy", corpus.clip(i).numpy())
    return tmp_path


@pytest.mark.slow
def test_a_corpus_and_a_metric_of_ones_own(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sources.READERS, "mine", load)
    monkeypatch.setitem(measures.MEASURES, "height_range", height_range)
    config = train.profile("smoke", data="mine", data_root=str(folder), runs=str(tmp_path / "runs"))
    run = train.fit(config)
    metrics = protocol.evaluate(config, config.method, run)
    mean, half_width = metrics["height_range"]
    assert 0 < half_width < mean < 3
    real = protocol.evaluate(config, "real")["height_range"]
    corpus = sources.load("mine", folder, "test", config.data.max_frames)
    clips = [corpus.clip(i)[:, 0, 1] for i in range(len(corpus))]
    assert real == pytest.approx(np.mean([float(y.max() - y.min()) for y in clips]), rel=1e-5)


def test_picture_of_the_house_is_not_out_of_date():
    said = house.description(house.read(ROOT / "videomdm"))
    assert said in (ROOT / "figures" / "house.svg").read_text(), "run `python -m videomdm.pages.house`"
