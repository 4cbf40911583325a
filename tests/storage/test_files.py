"""Files written whole or not at all, and what a digest stands for."""

import os
from pathlib import Path

import pytest
import torch

from videomdm.cameras import Camera, Footage
from videomdm.conventions import DataError
from videomdm.losses import Weights
from videomdm.storage.files import check_output, digest, write_json, written_whole


class TestWrittenWhole:
    def test_an_error_leaves_the_old_file_and_nothing_else(self, tmp_path):
        path = tmp_path / "new" / "a.txt"
        with written_whole(path) as partial:
            partial.write_text("first")
        with pytest.raises(RuntimeError), written_whole(path) as partial:
            partial.write_text("second, cut")
            raise RuntimeError
        assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]

    def test_a_folder_is_named(self, tmp_path):
        with pytest.raises(IsADirectoryError) as found, written_whole(tmp_path) as partial:
            partial.write_text("")
        assert found.value.filename == str(tmp_path)

    def test_json(self, tmp_path):
        write_json(tmp_path / "a.json", {"b": [1, None]})
        assert (tmp_path / "a.json").read_text() == '{\n "b": [\n  1,\n  null\n ]\n}\n'


class TestCheckOutput:
    def test_files_to_be(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("old").write_text("")
        for path in ("new", "old", "deep/down/new"):
            check_output(Path(path), [Path("other")])
        assert [path.name for path in tmp_path.iterdir()] == ["old"]

    @pytest.mark.parametrize("way", ["file", "folder/../file", "link"])
    def test_none_that_is_read(self, tmp_path, way):
        (tmp_path / "file").write_text("")
        (tmp_path / "folder").mkdir()
        (tmp_path / "link").symlink_to("file")
        with pytest.raises(DataError, match=f"{way}: the result would be written over"):
            check_output(tmp_path / way, [tmp_path / "other", tmp_path / "file"])
        with pytest.raises(DataError, match="file: the result would be written over"):
            check_output(tmp_path / "file", [tmp_path / way])

    def test_no_folder_and_no_device(self, tmp_path):
        with pytest.raises(DataError, match=f"{tmp_path}: a folder has this name"):
            check_output(tmp_path)
        with pytest.raises(DataError, match="/dev/null: a device has this name"):
            check_output(Path("/dev/null"))

    def test_not_below_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(DataError, match=r"file/new/a: \S+/file is a file, expected a folder"):
            check_output(tmp_path / "file" / "new" / "a")

    def test_not_where_nothing_can_be_written(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda folder, _: folder != tmp_path)  # root may write anywhere
        with pytest.raises(DataError, match=f"a: nothing can be written to {tmp_path}"):
            check_output(tmp_path / "new" / "a")


class TestDigest:
    def test_content_counts_and_nothing_else(self, tmp_path):
        one, two = tmp_path / "one", tmp_path / "two"
        one.write_bytes(b"x")
        two.write_bytes(b"x")
        assert digest(one) == digest(two) != digest(str(one))
        assert digest(torch.arange(6.0).view(2, 3).T) == digest(torch.arange(6.0).view(2, 3).T.clone())

    def test_parts_are_told_apart(self):
        values = torch.zeros(2, 3)
        parts = [
            ("ab", "c"), ("a", "bc"), ("abc",), (values,), (values.T,), (values.double(),), (values, None), (1,),
            ("1",), (Weights(),), (Weights(2.0),),
        ]  # fmt: skip
        assert len({digest(*part) for part in parts}) == len(parts)

    def test_footage_counts_by_its_tensors(self):
        camera = Camera(torch.eye(3)[None], torch.zeros(1, 3))
        seen = Footage(torch.zeros(1, 2, 3, 2), torch.ones(1, 2, 3), camera, torch.tensor([2]))
        moved = Footage(seen.keypoints, seen.confidence, Camera(torch.eye(3)[None], torch.ones(1, 3)), seen.lengths)
        assert digest(seen) == digest(seen) != digest(moved)

    def test_what_cannot_be_said_is_refused(self):
        with pytest.raises(TypeError):
            digest(Path.cwd)
