"""The study of real people: what it lifts, how it chooses, what it writes."""

import json

import numpy as np
import pytest

from videomdm import sample, train
from videomdm.conventions import DataError
from videomdm.data import procedural, recordings, sources
from videomdm.data.recordings import keypoint_npz
from videomdm.evaluation import keeping
from videomdm.study import real_people, results
from videomdm.videos.windows import Mixing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus():
    clips = procedural.generate(2, seed=4, min_frames=44, max_frames=60)
    return sources.canonical(clips)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = train.profile(
        "smoke", method="mdm-3d", n_clips=40, warmup_steps=0, steps=4, runs=str(tmp_path_factory.mktemp("runs"))
    )
    return train.fit(config)


@pytest.fixture
def only(corpus, monkeypatch):
    """One small corpus in place of the open ones."""
    monkeypatch.setattr(real_people, "corpora", lambda data, split, clips=2, frames=80: {"small": corpus})
    monkeypatch.setattr(real_people, "FIRST", (0.1, 1.0))
    monkeypatch.setattr(real_people, "SHARE", (0.0, 0.5, 1.0))
    monkeypatch.setattr(real_people, "FITS", {"image": (0.0, 1.0)})


class TestRecordings:
    def test_keypoint_files_are_good_and_hold_what_was_seen(self, corpus, tmp_path):
        truths = real_people._write_filmed(tmp_path, corpus)
        assert list(truths) == ["clip_000", "clip_001"]
        for name, truth in truths.items():
            assert keypoint_npz.problems(tmp_path / f"{name}.npz") == []
            track, words, _ = recordings.load_one(tmp_path / f"{name}.npz", intrinsics=60.0)
            assert len(track) <= len(truth.joints) and words[0] == corpus.captions[int(name[-1])][0]

    def test_clips_are_long_evenly_spaced_and_cut(self, corpus):
        longest = real_people._pieces(corpus, 1, 50)
        assert longest.lengths.tolist() == [50] and longest.joints.shape[1] == 50


class TestLift:
    def test_this_package_lifts_by_its_command(self, run, only, tmp_path):
        found = real_people.lift(run, None, tmp_path)["small"]
        assert set(found) == {"teacher", "prior", "delivered"}
        assert all(np.isfinite(list(row.values())).all() for row in found.values())
        assert found["delivered"] in (found["teacher"], found["prior"]) and found["teacher"] != found["prior"]

    def test_a_recording_that_was_not_lifted_is_named(self, tmp_path):
        with pytest.raises(DataError, match="clip_000: not lifted"):
            real_people._errors(tmp_path / "clip_000.npz", None)


class TestChoose:
    def test_the_best_way_is_chosen(self, run, only, tmp_path):
        found = real_people.choose(run, tmp_path)
        rows = found["small"]
        assert len(rows) == 2 + 2 + 2 * 3
        assert rows["image=1"] == rows["fitted"] != rows["image=0"]
        best = min((way for way in rows if " " in way), key=lambda way: rows[way]["mpjpe"] + rows[way]["pa_mpjpe"])
        assert best == f"{found['first']} {found['share']}"
        for name, value in rows["0.1 0.0"].items():
            assert value == pytest.approx(rows["1.0 0.0"][name]), (
                "without a share it does not matter what the prior says"
            )
        assert rows["0.1 1.0"] != rows["1.0 1.0"]

    def test_no_data(self, run, tmp_path):
        with pytest.raises(DataError, match="neither cmu nor bandai"):
            real_people.choose(run, tmp_path)


def test_results_are_written_and_read(run, only, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path))
    given = ["--row", "a b", "--run", str(run), "--results", str(tmp_path), "--clips", "2"]
    assert real_people.main(["keep", *given]) == 0
    (found,) = results.read(tmp_path, real_people.STUDY)
    assert capsys.readouterr().out.strip() == str(tmp_path / "real_people" / "a-b-keep.json")
    assert json.loads((tmp_path / "real_people" / "a-b-keep.json").read_text()) == found
    assert found["command"].endswith(f"real_people keep --row 'a b' --run runs/{run.name} --clips 2")
    assert found["row"] == "a b" and found["part"] == "keep" and found["method"] == "mdm-3d"
    assert set(found["metrics"]) == {"built-in", "small"}
    assert list(found["metrics"]["small"]) == [str(t) for t in keeping.STEPS]


def test_shares_of_steps(run):
    n = sample.load(run).config.model.n_steps
    assert Mixing(1.0).step(n) is None and Mixing(0.24).step(50) == 12 and Mixing(0.0).step(50) == 0
