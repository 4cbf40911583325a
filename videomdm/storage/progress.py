"""Progress bars: one line that moves on a terminal and in a notebook, a line now and then where output is kept.

:class:`Bar` takes the arguments of :class:`tqdm.tqdm` and looks at where standard error goes:

- a terminal gets tqdm's bars, one under another where they are nested;
- a notebook's cell gets one line that is written over, the innermost bar's (:mod:`videomdm.pages.papermill_engine`
  shows it on papermill's terminal and stores only its last state);
- a file or a pipe gets a whole line at most every :data:`INTERVAL` seconds, and one at the end of each bar;
- where it is closed, nothing is shown.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

INTERVAL = 30.0  #: seconds between two lines of the same file
REFRESH = 0.5  # seconds between two states of a line that is written over
_PLAIN = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"  # a bar without the bar


class Lines:
    """Passes lines on to ``write``, one every :data:`INTERVAL` seconds, and any that is to ``stay``."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write, self._last = write, -float("inf")

    def add(self, line: str, stay: bool = False) -> None:
        """Pass a line on, if it is time or the line is to ``stay``."""
        now = time.monotonic()
        if stay or now - self._last >= INTERVAL:
            self._write(line)
            self._last = now


def _to_stderr(line: str) -> None:
    if sys.stderr is not None:  # where it is closed, print would take stdout
        print(line, file=sys.stderr, flush=True)


_stderr = Lines(_to_stderr)  # all bars of a process share the file


def _in_notebook() -> bool:
    """Whether standard error is shown below a notebook's cell."""
    return type(sys.stderr).__module__ == "ipykernel.iostream"


class Bar(tqdm):
    """A progress bar; nested ones vanish when they are done.

    Args:
        arguments, options: of :class:`tqdm.tqdm`, such as ``iterable``, ``desc``, ``total``, ``unit``, ``disable``.
        log: a file to which the bar's state is added as lines with the time of day.
    """

    def __init__(self, *arguments: object, log: Path | None = None, **options: object) -> None:
        self._notebook = _in_notebook()
        self._moves = self._notebook or (sys.stderr is not None and sys.stderr.isatty())
        self._lines = [Lines(lambda line: _append(log, line))] if log else []
        if not self._moves:
            self._lines.append(_stderr)
            options["file"] = io.StringIO()  # for the line's end that tqdm writes at the bar's
        super().__init__(*arguments, **{"leave": None, "mininterval": REFRESH, **options})
        if self._notebook:
            self.ncols = None  # all that there is to say, whatever the width of the terminal that papermill runs on

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        if msg is None:
            self._tell()
        return super().display(msg, pos) if self._moves else True

    def close(self) -> None:
        if not self.disable and self.pos == 0 and self.last_print_t >= self.start_t + self.delay:
            self._tell(stay=True)
        super().close()

    def moveto(self, n: int) -> None:
        """To the line ``n`` below; a cell has but one."""
        if not self._notebook:
            super().moveto(n)

    def _tell(self, stay: bool = False) -> None:
        described = {"prefix": self.desc.removesuffix(": ") or "progress", "bar_format": _PLAIN, "ncols": None}
        line = self.format_meter(**{**self.format_dict, **described})
        for lines in self._lines:
            lines.add(line, stay)


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")
