"""Things kept on disk."""

import logging
import subprocess
import sys
from threading import Timer

import pytest
import torch

from videomdm.storage.cache import cached, cached_json, one_at_a_time


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


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"3", b"\xff\xff"])
def test_json_without_values_is_made_anew(content, tmp_path, caplog):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert cached_json(path, lambda: {"a": 1}) == cached_json(path, dict) == {"a": 1}
    assert f"{path} is damaged" in caplog.text


HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("mine", flush=True)
    time.sleep(60)
"""


def test_one_process_waits_for_the_other_and_says_so(tmp_path, caplog):
    lock = tmp_path / "deep" / "x.lock"
    with one_at_a_time(lock, "the run"):
        pass
    assert not caplog.text
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"mine\n"
        Timer(0.3, holder.kill).start()
        with one_at_a_time(lock, "the run"):
            assert holder.wait() != 0
    assert [record.getMessage() for record in caplog.records] == [
        "the run: another process is at work on it, waiting until it is done"
    ]
