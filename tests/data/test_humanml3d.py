"""The official HumanML3D layout, in small trees that the tests make themselves."""

import numpy as np
import pytest
import torch

from videomdm.conventions import DataError
from videomdm.data import humanml3d

WHOLE = "a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0\n"


def joints(frames: int, seed: int = 0, n_joints: int = 22) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, n_joints, 3)).astype("f4")


@pytest.fixture
def root(tmp_path):
    """Two good clips: 000001 in train, 000002 in val and test."""
    (tmp_path / "new_joints").mkdir()
    (tmp_path / "texts").mkdir()
    add(tmp_path, "000001", joints(60, seed=1))
    add(tmp_path, "000002", joints(50, seed=2))
    for split, name in (("train", "000001"), ("val", "000002"), ("test", "000002")):
        (tmp_path / f"{split}.txt").write_text(f"{name}\n")
    np.save(tmp_path / "Mean.npy", np.zeros(263, "f4"))
    np.save(tmp_path / "Std.npy", np.ones(263, "f4"))
    return tmp_path


def add(root, name, motion, text=WHOLE):
    np.save(root / "new_joints" / f"{name}.npy", motion)
    (root / "texts" / f"{name}.txt").write_text(text, encoding="utf-8")


def train_on(root, *names):
    (root / "train.txt").write_text("\n".join(names) + "\n")


class TestLoad:
    def test_splits(self, root):
        train = humanml3d.load(root, "train")
        assert train.names == ["000001"] and train.lengths.tolist() == [60]
        assert train.captions == [("a person walks.",)] and train.actions == [""]
        assert train.fps == 20 and train.skeleton.name == "smpl22" and train.skipped == []
        assert torch.equal(train.clip(0), torch.from_numpy(joints(60, seed=1)))
        assert humanml3d.load(root, None).names == ["000001", "000002"]  # a name in two splits comes once

    def test_tagged_captions_become_clips_of_their_own(self, root):
        text = WHOLE + "turns.#turn/VERB#1.0#4.05\nspins.#spin/VERB#1.0#4.05\nwalks on.#walk/VERB#2.52#6.0\n"
        add(root, "000001", joints(150), text)
        corpus = humanml3d.load(root, "train")
        assert corpus.names == ["000001", "000001@20-81", "000001@50-120"]
        assert corpus.lengths.tolist() == [150, 61, 70]
        assert corpus.captions == [("a person walks.",), ("turns.", "spins."), ("walks on.",)]
        assert torch.equal(corpus.clip(1), torch.from_numpy(joints(150)[20:81]))

    def test_a_part_past_the_end_is_cut_there_and_a_short_one_is_listed(self, root):
        add(root, "000001", joints(100), WHOLE + "late.#late/ADV#2.5#9.0\nshort.#short/ADJ#0.0#1.0\n")
        corpus = humanml3d.load(root, "train")
        assert corpus.names == ["000001", "000001@50-180"] and corpus.lengths.tolist() == [100, 50]
        ((name, reason),) = corpus.skipped
        assert name == "000001@0-20" and "20 frames" in reason and "40 to 199" in reason

    @pytest.mark.parametrize("frames, kept", [(39, None), (40, 40), (196, 196), (199, 196), (200, None)])
    def test_length_rule(self, root, frames, kept):
        add(root, "000003", joints(frames))
        train_on(root, "000001", "000003")
        corpus = humanml3d.load(root, "train")
        assert dict(zip(corpus.names, corpus.lengths.tolist(), strict=True)).get("000003") == kept
        assert [name for name, _ in corpus.skipped] == ([] if kept else ["000003"])

    def test_nan_times_mean_the_whole_clip(self, root):
        add(root, "000001", joints(60), "walks.#walk/VERB#nan#nan\n")
        assert humanml3d.load(root, "train").names == ["000001"]

    def test_double_precision_files(self, root):
        add(root, "000001", joints(60, seed=1).astype("f8"))
        assert humanml3d.load(root, "train").joints.dtype == torch.float32


class TestTagged:
    def test_every_caption_of_the_split_has_its_words(self, root):
        add(root, "000001", joints(150), WHOLE + "turns.#turn/VERB#1.0#4.0\n")
        found = humanml3d.tagged(root, "train")
        assert found == {"a person walks.": ("a/DET", "person/NOUN", "walk/VERB"), "turns.": ("turn/VERB",)}
        assert set(found) == {c for captions in humanml3d.load(root, "train").captions for c in captions}

    def test_bad_files(self, root):
        (root / "texts" / "000002.txt").write_text("no fields\n")
        assert humanml3d.tagged(root, "test", "skip") == {}
        with pytest.raises(DataError, match=r"000002\.txt, line 1: 'no fields', expected caption#tokens"):
            humanml3d.tagged(root, "test")


class TestStatistics:
    def test_values(self, root):
        mean, std = humanml3d.statistics(root)
        assert mean.shape == std.shape == (263,) and mean.dtype == std.dtype == torch.float32
        assert std.sum() == 263 and mean.sum() == 0

    def test_wrong_mean_shape(self, root):
        np.save(root / "Mean.npy", np.zeros(251, "f4"))
        with pytest.raises(DataError, match=r"Mean\.npy: shape \(251,\), expected \(263,\)"):
            humanml3d.statistics(root)

    def test_missing(self, root):
        (root / "Std.npy").unlink()
        with pytest.raises(DataError, match=r"Std\.npy: no such file"):
            humanml3d.statistics(root)

    def test_zero_deviation(self, root):
        std = np.ones(263, "f4")
        std[17] = 0
        np.save(root / "Std.npy", std)
        with pytest.raises(DataError, match=r"Std\.npy: channel 17 is 0\.0, expected > 0"):
            humanml3d.statistics(root)

    def test_nan(self, root):
        mean = np.zeros(263, "f4")
        mean[5] = np.nan
        np.save(root / "Mean.npy", mean)
        with pytest.raises(DataError, match=r"Mean\.npy: channel 5 is not finite"):
            humanml3d.statistics(root)

    @pytest.mark.data
    def test_published(self, data_root):
        mean, std = humanml3d.statistics(data_root / "humanml3d_sample")
        assert 0.8 < mean[3] < 1.0  # root height, metres
        assert std.min() > 0


class Malicious:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


class TestBadInput:
    def test_no_folder(self, tmp_path):
        with pytest.raises(DataError, match=r"nowhere: no such folder; expected HumanML3D: new_joints/, texts/, train"):
            humanml3d.load(tmp_path / "nowhere", "train")

    def test_missing_parts_of_the_layout(self, root):
        (root / "train.txt").unlink()
        (root / "texts").rename(root / "text")
        with pytest.raises(DataError, match=r"no texts, train\.txt; expected HumanML3D"):
            humanml3d.load(root, "train")

    def test_empty_split_file(self, root):
        train_on(root)
        with pytest.raises(DataError, match=r"train\.txt is empty"):
            humanml3d.load(root, "train")

    def test_missing_files_are_counted(self, root):
        add(root, "000003", joints(60))
        (root / "texts" / "000003.txt").unlink()
        (root / "texts" / "000008.txt").write_text(WHOLE)
        train_on(root, "000001", "000003", "000008", "000009")
        with pytest.raises(DataError, match=r"3 of 4 motions lack files, the first is texts/000003\.txt"):
            humanml3d.load(root, "train")
        corpus = humanml3d.load(root, "train", on_error="skip")
        assert corpus.names == ["000001"]
        reasons = dict(corpus.skipped)
        assert reasons["000008"] == "new_joints/000008.npy, which is missing"
        assert reasons["000009"] == "new_joints/000009.npy and texts/000009.txt, which is missing"

    @pytest.mark.parametrize(
        "motion, message",
        [
            (
                np.where(np.arange(60)[:, None, None] == 7, np.nan, joints(60)),
                r"007975\.npy: pelvis at frame 7 is \[nan",
            ),
            (joints(60, n_joints=21), r"007975\.npy: 21 joints, expected 22"),
            (joints(60)[:, :, :2], r"007975\.npy: joints have shape \(60, 22, 2\)"),
            (joints(60) * 1000, r"007975\.npy: a coordinate of \d+, .*millimetres"),
            (joints(60).astype("i8"), r"007975\.npy: expected an \.npy array of floating point"),
            (joints(0), r"007975\.npy: 0 frames"),
        ],
    )
    def test_bad_motion(self, root, motion, message):
        add(root, "007975", motion)
        train_on(root, "000001", "007975")
        with pytest.raises(DataError, match=message + '.*on_error="skip"'):
            humanml3d.load(root, "train")
        corpus = humanml3d.load(root, "train", on_error="skip")
        assert corpus.names == ["000001"]
        assert [name for name, _ in corpus.skipped] == ["007975"]

    @pytest.mark.parametrize(
        "text, message",
        [
            ("", r"000001\.txt: empty, expected lines of caption#tokens#start#end"),
            ("\n \n", r"000001\.txt: empty"),
            ("a person walks\n", r"000001\.txt, line 1: 'a person walks', expected caption#tokens"),
            (WHOLE + "walks.#walk/VERB#0.0\n", r"line 2: 'walks\.#walk/VERB#0\.0', expected caption#tokens"),
            (WHOLE + "walks.#walk/VERB#soon#later\n", r"line 2: .*with seconds"),
            ("#walk/VERB#0.0#0.0\n", r"line 1: the caption is empty"),
            ("walks.#walk/VERB#-1.0#3.0\n", r"line 1: part from -1\.0 s to 3\.0 s"),
        ],
    )
    def test_bad_texts(self, root, text, message):
        add(root, "000001", joints(60), text)
        with pytest.raises(DataError, match=message):
            humanml3d.load(root, "train")

    def test_pickled_array_is_refused_and_not_executed(self, root, tmp_path):
        np.save(
            root / "new_joints" / "000001.npy",
            np.array([Malicious(tmp_path / "executed")]),
            allow_pickle=True,
        )
        with pytest.raises(DataError, match=r"000001\.npy: cannot be read as a plain \.npy array"):
            humanml3d.load(root, "train")
        assert not (tmp_path / "executed").exists()

    def test_truncated_array(self, root):
        file = root / "new_joints" / "000001.npy"
        file.write_bytes(file.read_bytes()[:-100])
        with pytest.raises(DataError, match=r"000001\.npy: cannot be read"):
            humanml3d.load(root, "train")

    def test_nothing_left_gives_the_reasons(self, root):
        add(root, "000001", joints(30))
        with pytest.raises(DataError, match=r"no usable clip[^$]*000001\.npy: 30 frames"):
            humanml3d.load(root, "train")

    @pytest.mark.parametrize("arguments", [{"split": "dev"}, {"on_error": "ignore"}])
    def test_unknown_option(self, root, arguments):
        with pytest.raises(ValueError, match="dev|ignore"):
            humanml3d.load(root, **arguments)
