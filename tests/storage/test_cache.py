"""Things kept on disk."""

import logging

import pytest
import torch

from videomdm.storage.cache import cached, cached_json


@pytest.mark.parametrize(
    ("store", "name", "value"),
    [(cached, "x.safetensors", torch.arange(3.0)), (cached_json, "x.json", {"a": [1.5, 0.0]})],
)
def test_made_once_and_made_anew_when_damaged(store, name, value, tmp_path, caplog):
    path, calls = tmp_path / "deep" / name, []

    def make():
        calls.append(1)
        return value

    for _ in range(2):
        assert torch.equal(store(path, make), value) if store is cached else store(path, make) == value
    assert len(calls) == 1
    path.write_bytes(path.read_bytes()[:5])
    with caplog.at_level(logging.WARNING):
        store(path, make)
    assert len(calls) == 2 and str(path) in caplog.text
    store(path, make)
    assert len(calls) == 2
    assert [p.name for p in path.parent.iterdir()] == [name]
