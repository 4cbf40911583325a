"""Bars: what is written where there is no terminal, and to a run's log."""

import re
import sys
import time

import pytest

from videomdm.storage import progress
from videomdm.storage.progress import Bar, Lines


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass by being added."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


class TestLines:
    def test_one_in_every_interval(self, clock):
        written = []
        lines = Lines(written.append)
        for second in range(100):
            lines.add(second)
            clock[0] += 1
        assert written == [0, 30, 60, 90]

    def test_one_that_is_to_stay_is_written_at_once(self, clock):
        written = []
        lines = Lines(written.append)
        lines.add("first")
        lines.add("too soon")
        lines.add("last", stay=True)
        assert written == ["first", "last"]


class TestFile:
    """Standard error is no terminal where pytest captures it."""

    @pytest.fixture(autouse=True)
    def fresh(self, monkeypatch):
        monkeypatch.setattr(progress, "_stderr", Lines(progress._to_stderr))

    def test_few_whole_lines(self, capsys):
        for _ in Bar(range(40), "counting", mininterval=0):
            time.sleep(0.001)
        written = capsys.readouterr().err
        assert "\r" not in written
        first, last = written.splitlines()
        assert first.startswith("counting: 0/40 [") and last.startswith("counting: 40/40 [")

    def test_lines_while_it_works(self, capsys, monkeypatch):
        monkeypatch.setattr(progress, "INTERVAL", 0.1)
        bar = Bar(total=40, desc="videomdm", unit="batch", mininterval=0)
        for i in range(40):
            time.sleep(0.01)
            bar.set_postfix(loss=f"{i / 100:.2f}", refresh=False)
            bar.update()
        bar.close()
        lines = capsys.readouterr().err.splitlines()
        assert 3 <= len(lines) <= 7
        states = [re.fullmatch(r"videomdm: (\d+)/40 \[\S+<\S+, +\S+batch/s, loss=(\S+)\]", line) for line in lines[1:]]
        steps = [int(state[1]) for state in states]
        assert steps == sorted(steps) and steps[-1] == 40
        assert [float(state[2]) for state in states] == [(step - 1) / 100 for step in steps]

    def test_a_nested_one_leaves_nothing(self, capsys):
        for _ in Bar(range(2), "outer"):
            list(Bar(range(3), "inner"))
        assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["outer", "outer"]

    def test_a_disabled_one_writes_nothing(self, capsys, tmp_path):
        list(Bar(range(3), "quiet", disable=True, log=tmp_path / "log"))
        assert capsys.readouterr().err == "" and not (tmp_path / "log").exists()

    def test_a_short_one_that_may_wait_writes_nothing(self, capsys):
        list(Bar(range(3), "reading", delay=2))
        assert capsys.readouterr().err == ""


def test_closed_standard_error_shows_nothing(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_stderr", Lines(progress._to_stderr))
    monkeypatch.setattr(sys, "stderr", None)
    assert list(Bar(range(3), "counting")) == [0, 1, 2]
    assert capsys.readouterr().out == ""


def test_a_log_goes_on_where_it_was(tmp_path):
    path = tmp_path / "run" / "progress.log"
    for first in (0, 3):
        with Bar(total=5, initial=first, desc="videomdm", log=path) as bar:
            bar.update(2)
    found = [line.split("  ", 1) for line in path.read_text().splitlines()]
    assert [state.split(" [")[0] for _, state in found] == [f"videomdm: {step}/5" for step in (0, 2, 3, 5)]
    assert all(time.strptime(when, "%Y-%m-%d %H:%M:%S") for when, _ in found)
