"""How papermill runs our notebooks: what a cell writes to its standard error is to be seen while it runs.

Papermill stores the output of a cell and shows none of it.  :class:`ScriptEngine` shows the progress of the running
cell under papermill's own bar, or as a line now and then where standard error is a file, and stores a line that is
written over, as bars are, in its last state alone.  :class:`videomdm.pages.papermill_io.ScriptHandler` makes it
papermill's engine when it reads a script.  With ``--no-progress-bar`` or ``--log-output`` nothing is shown here.
"""

from __future__ import annotations

import os
import re
import sys

from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager
from papermill.log import logger
from tqdm import tqdm
from tqdm.utils import disp_trim

from videomdm.storage.progress import Lines


def overwrite(text: str) -> str:
    """What is left to be seen on a terminal: a carriage return begins its line again; blanks that end one are gone."""
    return re.sub(r" +\n", "\n", re.sub(r"[^\n]*\r(?!\n)", "", text))


class _Screen:
    """The running cell's standard error: whole lines, and the one that is being written over."""

    def __init__(self, cells: int) -> None:
        self._cells, self._cell, self._unfinished = cells, 0, ""

    def start(self, cell: int) -> None:
        self._cell, self._unfinished = cell, ""

    def write(self, text: str) -> None:
        *whole, self._unfinished = overwrite(self._unfinished + text).split("\n")
        for line in filter(None, whole):
            self.line(line)
        self.state(self._unfinished)

    def line(self, line: str) -> None: ...

    def state(self, line: str) -> None: ...

    def close(self) -> None: ...


class _Terminal(_Screen):
    """Whole lines move up, the last one stands under papermill's bar."""

    def __init__(self, cells: int) -> None:
        super().__init__(cells)
        self._state = tqdm(bar_format="{desc}", leave=False, mininterval=0)

    def start(self, cell: int) -> None:
        super().start(cell)
        self.state("")

    def line(self, line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    def state(self, line: str) -> None:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
        self._state.set_description_str(disp_trim(line, width - 1) if width else line)

    def close(self) -> None:
        self._state.close()


class _File(_Screen):
    """Lines, each with its cell."""

    def __init__(self, cells: int) -> None:
        super().__init__(cells)
        self._lines = Lines(self._print)

    def _print(self, line: str) -> None:
        print(f"cell {self._cell + 1} of {self._cells}: {line}", file=sys.stderr, flush=True)

    def start(self, cell: int) -> None:
        super().start(cell)
        self._lines.add("running")

    def line(self, line: str) -> None:
        self._lines.add(line, stay=True)

    def state(self, line: str) -> None:
        if line:
            self._lines.add(line)


class _Client(PapermillNotebookClient):
    """Papermill's client, which also hands standard error to a screen and stores it as it is seen there."""

    def __init__(self, manager: NotebookExecutionManager, screen: _Screen, **options: object) -> None:
        super().__init__(manager, **options)
        self._screen = screen

    def execute_cell(self, cell: NotebookNode, cell_index: int, *arguments: object, **options: object) -> NotebookNode:
        if cell.cell_type == "code":
            self._screen.start(cell_index)
        return super().execute_cell(cell, cell_index, *arguments, **options)

    def output(self, outs: list[NotebookNode], *arguments: object) -> NotebookNode | None:
        out = super().output(outs, *arguments)
        if out is None or out.get("name") != "stderr":
            return out
        self._screen.write(out.text)
        kept = next(o for o in outs if o.get("name") == "stderr")
        if kept is out:
            outs[-1] = NotebookNode(out, text=overwrite(out.text))
        else:
            kept.text = overwrite(kept.text + outs.pop().text)
        return out


class ScriptEngine(Engine):
    """Papermill's engine for notebooks that are kept as scripts; see the module."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        input_path: str | None = None,
        **options: object,
    ) -> NotebookNode:
        """What papermill calls; ``options`` are its client's."""
        screen = cls._screen(nb_man)
        options |= {"kernel_name": kernel_name, "startup_timeout": start_timeout, "timeout": execution_timeout}
        try:
            return _Client(nb_man, screen, log=logger, **options).execute()
        finally:
            screen.close()

    @staticmethod
    def _screen(manager: NotebookExecutionManager) -> _Screen:
        cells = len(manager.nb.cells)
        if manager.pbar is None:
            return _Screen(cells)
        if sys.stderr.isatty():
            return _Terminal(cells)
        manager.cleanup_pbar()  # it would write all its states into the file
        return _File(cells)
