import pytest

from videomdm.conventions import DataError
from videomdm.data import cmu_actors


def test_every_actor_is_in_one_split_and_most_train():
    splits = [cmu_actors.split_of(subject) for subject in range(1, 145)]
    assert {split: splits.count(split) for split in set(splits)} == {"train": 103, "val": 20, "test": 21}


def test_actors_decide_whatever_the_folder_calls_a_split(cmu_folder):
    names = {split: cmu_actors.load(cmu_folder, split).names for split in ("train", "val", "test")}
    assert names == {"train": ["01_01", "01_02"], "test": ["02_01", "02_02"], "val": ["06_01", "06_02"]}
    assert cmu_actors.actors(cmu_folder, "test") == [2]
    twins = cmu_actors.load(cmu_folder, "val", mirrored=True).names
    assert twins == ["06_01", "06_02", "M06_01", "M06_02"]


def test_other_folders_are_refused(cmu_folder, tmp_path):
    with pytest.raises(DataError, match=r"index.csv: columns are \[\], expected name and trial"):
        cmu_actors.load(tmp_path, "train")
    (tmp_path / "index.csv").write_text("source_path,start_frame,end_frame,new_name\n")  # HumanML3D's own
    assert not cmu_actors.is_cmu(tmp_path) and cmu_actors.is_cmu(cmu_folder)
    with pytest.raises(DataError, match="columns are .*source_path"):
        cmu_actors.subjects(tmp_path)
    with pytest.raises(ValueError, match="split is 'all', expected one of train, val, test"):
        cmu_actors.load(cmu_folder, "all")


def test_a_split_without_motions_is_an_error(cmu_folder, monkeypatch):
    monkeypatch.setattr(cmu_actors, "HELD_OUT", {3: "val"})
    with pytest.raises(DataError, match="no motion of the val actors among 12"):
        cmu_actors.load(cmu_folder, "val")


def test_real_actors(data_root):
    clips = {split: cmu_actors.load(data_root / "cmu", split) for split in ("train", "val", "test")}
    frames = {split: int(corpus.lengths.sum()) for split, corpus in clips.items()}
    assert frames["train"] > 40_000 and min(frames.values()) > 2_000
