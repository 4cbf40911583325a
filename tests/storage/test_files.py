"""Files written whole or not at all, and what a digest stands for."""

from pathlib import Path

import pytest
import torch

from videomdm.cameras import Camera, Footage
from videomdm.losses import Weights
from videomdm.storage.files import digest, write_json, written_whole


class TestWrittenWhole:
    def test_an_error_leaves_the_old_file_and_nothing_else(self, tmp_path):
        path = tmp_path / "new" / "a.txt"
        with written_whole(path) as partial:
            partial.write_text("first")
        with pytest.raises(RuntimeError), written_whole(path) as partial:
            partial.write_text("second, cut")
            raise RuntimeError
        assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]

    def test_json(self, tmp_path):
        write_json(tmp_path / "a.json", {"b": [1, None]})
        assert (tmp_path / "a.json").read_text() == '{\n "b": [\n  1,\n  null\n ]\n}\n'


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
