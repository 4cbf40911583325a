"""Text files from any editor, in every reader of the package."""

import codecs
import json

import numpy as np
import pytest

from videomdm.conventions import DataError
from videomdm.data import bvh, humanml3d
from videomdm.data.recordings import captions, keypoint_json
from videomdm.storage import text

EDITORS = {
    "plain": lambda s: s.encode(),
    "byte order mark": lambda s: codecs.BOM_UTF8 + s.encode(),
    "Windows lines": lambda s: s.replace("\n", "\r\n").encode(),
    "Notepad": lambda s: codecs.BOM_UTF8 + s.replace("\n", "\r\n").encode(),
    "old Mac lines": lambda s: s.replace("\n", "\r").encode(),
    "UTF-16": lambda s: s.encode("utf-16"),
    "UTF-16 big-endian, Windows lines": lambda s: codecs.BOM_UTF16_BE + s.replace("\n", "\r\n").encode("utf-16-be"),
    "UTF-32": lambda s: s.encode("utf-32"),
}
each_editor = pytest.mark.parametrize("editor", EDITORS)


@each_editor
class TestEditors:
    def save(self, path, content, editor):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(EDITORS[editor](content))
        return path

    def test_text(self, tmp_path, editor):
        assert text.read(self.save(tmp_path / "a.txt", "läuft\n\nhüpft\n", editor)) == "läuft\n\nhüpft\n"

    def test_json(self, tmp_path, editor):
        assert text.read_json(self.save(tmp_path / "a.json", '{"a":\n "ü"}', editor)) == {"a": "ü"}

    def test_captions(self, tmp_path, editor):
        self.save(tmp_path / "squat.txt", "a squat\n\nsomebody bends the knees\n", editor)
        assert captions.of(tmp_path, "squat", {}) == ("a squat", "somebody bends the knees")

    def test_table(self, tmp_path, editor):
        self.save(tmp_path / "captions.csv", 'file,caption\nsquat.mp4,"deep, slow"\nwalk,a person walks\n', editor)
        assert captions.read_table(tmp_path) == {"squat": ("deep, slow",), "walk": ("a person walks",)}

    def test_humanml3d(self, tmp_path, editor):
        (tmp_path / "new_joints").mkdir()
        np.save(tmp_path / "new_joints" / "1.npy", np.random.default_rng(0).normal(size=(60, 22, 3)).astype("f4"))
        self.save(
            tmp_path / "texts" / "1.txt", "a man walks.#a/DET man/NOUN#0.0#0.0\nsomeone goes#a/DET#0.0#0.0\n", editor
        )
        self.save(tmp_path / "train.txt", "1\n", editor)
        with pytest.warns(UserWarning, match="no bodies"):
            corpus = humanml3d.load(tmp_path, "train")
        assert corpus.captions == [("a man walks.", "someone goes")]

    def test_bvh(self, tmp_path, editor):
        joints = (
            "HIERARCHY\nROOT Hüfte\n{\nOFFSET 0 0 0\nCHANNELS 1 Yrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.05\n7\n"
        )
        motion = bvh.read(self.save(tmp_path / "a.bvh", joints, editor))
        assert motion.names == ("Hüfte",) and motion.values.tolist() == [[7.0]]

    def test_keypoints(self, tmp_path, editor):
        frames = [
            {"frame_id": t, "instances": [{"keypoints": [[50, 50]] * 17, "keypoint_scores": [1] * 17}]} for t in (0, 1)
        ]
        path = self.save(tmp_path / "a.json", json.dumps(frames, indent=1), editor)
        assert len(keypoint_json.read(path, 100, 100, 20).people) == 2


class TestBad:
    def test_other_encodings_are_refused(self, tmp_path):
        (tmp_path / "a.txt").write_bytes("läuft".encode("latin-1"))
        with pytest.raises(DataError, match=r"a\.txt: not UTF-8 text at byte 1, expected captions; save it as UTF-8"):
            text.read(tmp_path / "a.txt", "captions")

    def test_utf_16_without_its_mark(self, tmp_path):
        (tmp_path / "a.txt").write_bytes("walks".encode("utf-16-le"))
        with pytest.raises(DataError, match="zero bytes in it"):
            text.read(tmp_path / "a.txt")

    def test_nothing_there(self, tmp_path):
        with pytest.raises(DataError, match="a.txt: cannot be read .No such file"):
            text.read(tmp_path / "a.txt")
        with pytest.raises(DataError, match="cannot be read"):
            text.read(tmp_path)

    @pytest.mark.parametrize("content", ["", "{", "[1,]", "[" * 100_000, "[" * 100_000 + "]" * 100_000])
    def test_no_json(self, tmp_path, content):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(DataError, match=r"a\.json: (no JSON|JSON nested too deep)"):
            text.read_json(tmp_path / "a.json")
