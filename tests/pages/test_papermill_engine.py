"""What papermill shows while a cell runs, and what it stores."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import nbformat
import pytest

from videomdm.pages.papermill_engine import overwrite

pytestmark = pytest.mark.slow

SCRIPT = """\
# %%
import os, sys, time
from pathlib import Path
from videomdm.storage.progress import Bar

print("OpenMP turns", os.environ.get("GOMP_SPINCOUNT"))
bar = Bar(total=20, desc="videomdm", unit="batch", mininterval=0.2, log=Path("run/progress.log"))
for i in range(20):
    time.sleep(0.1)
    bar.set_postfix({"loss": f"{1 / (i + 1):.4f}", "more": "-" * 100}, refresh=False)
    bar.update()
bar.close()

# %%
for probe in Bar(range(2), "lifting", unit="probe"):
    print("probe", probe)
    for _ in Bar(range(3), "denoising"):
        time.sleep(0.1)
print("a warning", file=sys.stderr)
"""
ROOT = Path(__file__).parents[2]
STATE = re.compile(r"videomdm: +\d+%\|[^|\r\n]*\| (\d+)/20 \[\d\d:\d\d<(\d\d:\d\d|\?),[^\r\n]*loss=(0\.\d{4})")


def start(folder, stderr, *flags):
    """Papermill on :data:`SCRIPT`, as somebody types it."""
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "page.py").write_text(SCRIPT)
    given = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    return subprocess.Popen(
        [sys.executable, "-m", "papermill", "notebooks/page.py", "out.ipynb", *flags], cwd=folder,
        env={**given, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
    )  # fmt: skip


def outputs(folder, cell, name):
    cells = [c for c in nbformat.read(folder / "out.ipynb", as_version=4).cells if c.cell_type == "code"]
    return [output.text for output in cells[cell].outputs if output.name == name]


@pytest.fixture(scope="module")
def on_terminal(tmp_path_factory):
    """The folder of a run, and all that its terminal of 120 columns was sent."""
    folder = tmp_path_factory.mktemp("terminal")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = start(folder, theirs)
    os.close(theirs)
    sent = b""
    try:
        while part := os.read(ours, 65536):
            sent += part
    except OSError:  # how Linux says that nobody writes to a terminal any more
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0, sent.decode()
    return folder, sent.decode()


@pytest.fixture(scope="module")
def in_file(tmp_path_factory):
    """The folder of a run whose standard error is a file, and the file's text."""
    folder = tmp_path_factory.mktemp("file")
    with (folder / "err").open("wb") as err:
        assert start(folder, err).wait(timeout=300) == 0
    return folder, (folder / "err").read_text()


class TestTerminal:
    def test_shows_stage_step_time_left_and_loss_of_the_running_cell(self, on_terminal):
        states = {int(step): (left, float(loss)) for step, left, loss in STATE.findall(on_terminal[1])}
        on_the_way = states.keys() - {20}
        assert len(on_the_way) >= 4, "several states before the last"
        assert all(states[step][1] == pytest.approx(1 / step, abs=1e-4) for step in states)
        assert any(left != "?" for left, _ in states.values())

    def test_papermills_own_bar_stays(self, on_terminal):
        assert re.search(r"Executing: +50%\|.*\| 1/2 ", on_terminal[1])
        assert re.search(r"Executing: 100%\|.*\| 2/2 ", on_terminal[1])

    def test_a_line_that_is_written_over_is_no_wider_than_the_terminal(self, on_terminal):
        shown = re.findall(r"\r(videomdm:[^\r\n\x1b]*)\x1b\[A", on_terminal[1])
        assert 100 < max(map(len, shown)) < 120

    def test_whole_lines_are_shown(self, on_terminal):
        assert "a warning\r\n" in on_terminal[1]


class TestFile:
    def test_whole_lines_that_name_the_cell(self, in_file):
        err = in_file[1]
        lines = [line for line in err.splitlines() if line.startswith("cell ")]
        assert len(lines) <= 6, "not every state"
        assert re.search(r"^cell 1 of 2: videomdm: 100%.*20/20.*loss=0\.0500, more=-+\]$", err, re.MULTILINE)
        assert re.search(r"^cell 2 of 2: lifting: 100%.*2/2", err, re.MULTILINE)
        assert "cell 2 of 2: a warning\n" in err and "denoising: 100%" not in err


@pytest.mark.parametrize("run", ["on_terminal", "in_file"])
class TestStored:
    @pytest.fixture
    def folder(self, run, request):
        return request.getfixturevalue(run)[0]

    def test_a_line_per_bar_its_last_state(self, folder):
        (text,) = outputs(folder, 0, "stderr")
        assert text.count("\n") == 1 and "\r" not in text and "\x1b" not in text
        assert "20/20" in text and text.endswith(f", loss=0.0500, more={'-' * 100}]\n"), "all of it"

    def test_nested_bars_leave_the_outer_ones_line(self, folder):
        (text,) = outputs(folder, 1, "stderr")
        bar, warning = text.splitlines()
        assert bar.startswith("lifting: 100%") and "2/2" in bar and warning == "a warning"

    def test_what_was_printed_is_whole(self, folder):
        assert "".join(outputs(folder, 1, "stdout")) == "probe 0\nprobe 1\n"

    def test_the_log_has_the_stage(self, folder):
        first, *_, last = (folder / "run" / "progress.log").read_text().splitlines()
        assert "videomdm: 0/20 [" in first
        assert re.search(r"videomdm: 20/20 \[\S+<\S+ +\S+batch/s, loss=0\.0500, more=-{100}\]$", last)

    def test_threads_wait_shortly_whatever_the_page_imports_first(self, folder):
        assert outputs(folder, 0, "stdout")[0] == "OpenMP turns 1000\n"


def test_nothing_is_shown_where_no_bar_is_wanted(tmp_path):
    process = start(tmp_path, subprocess.PIPE, "--no-progress-bar")
    err = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 0
    assert "videomdm:" not in err and "Executing:" not in err
    assert outputs(tmp_path, 0, "stderr")[0].count("\n") == 1


class TestOverwrite:
    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("\r 0%\r 50%\r100%\n", "100%\n"),
            ("one\n\r 0%\r 50%", "one\n 50%"),
            ("a line\r\nanother\r\n", "a line\r\nanother\r\n"),
            ("\rinner\r     \r", ""),
            ("\rlong one\rshort   \nnext", "short\nnext"),
            ("half a line ", "half a line "),
        ],
    )
    def test_what_a_terminal_shows(self, text, left):
        assert overwrite(text) == left

    def test_in_pieces_as_in_one(self):
        text, left = "\r 0%\r 50%\r 100%\nwarning\n\rnext", ""
        for piece in re.findall(r"..?.?", text, re.DOTALL):
            left = overwrite(left + piece)
        assert left == overwrite(text)
