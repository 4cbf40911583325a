"""Papermill reads notebooks kept as scripts: ``papermill notebooks/train_humanml.py out.ipynb``.

This module is papermill's plug-in: papermill imports it, and nothing else should.  Papermill chooses a handler by the
beginning of a path.  The entry points in ``pyproject.toml`` name the usual beginnings, and :func:`plug_in`, called at
the end of the import, adds what lies in the current folder, so that ``papermill train_humanml.py out.ipynb`` works
inside ``notebooks/`` too.

Papermill makes numbers of what looks like one (``-p videos 2024_06`` is the number 202406 to it), so the handler tells
the page what was typed (:mod:`videomdm.pages.parameters`).
"""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path

import jupytext
import nbformat

from videomdm.pages.parameters import TYPED

_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def read_script(text: str) -> str:
    """A jupytext script (percent format) as the JSON text of a notebook that names a kernel."""
    notebook = jupytext.reads(text, fmt="py")
    notebook.metadata.setdefault("kernelspec", _KERNEL)
    notebook.metadata.setdefault("language_info", {"name": "python"})
    return nbformat.writes(notebook)


class ScriptHandler:
    """A papermill handler that reads ``.py`` as notebooks and leaves the rest to papermill's local one.

    Having read a script, papermill runs it with :class:`videomdm.pages.papermill_engine.ScriptEngine`, unless another
    engine is asked for.
    """

    @property
    def _local(self):
        from papermill.iorw import papermill_io

        return papermill_io.get_handler("local")

    def read(self, path: str) -> str:
        os.environ[TYPED] = json.dumps(_typed())  # for the page's kernel, which papermill starts next
        text = self._local.read(path)
        if not path.endswith(".py"):
            return text
        _show_what_cells_do()
        return read_script(text)

    def write(self, text: str, path: str) -> None:
        """Write a notebook; raises ``ValueError`` for a ``.py``, which would overwrite a source."""
        if path.endswith(".py"):
            raise ValueError(f"{path}: a run is written as .ipynb, expected an output path that ends so")
        self._local.write(text, path)

    def listdir(self, path: str) -> list[str]:
        return self._local.listdir(path)

    def pretty_path(self, path: str) -> str:
        return self._local.pretty_path(path)


handler = ScriptHandler()


def _typed() -> dict[str, str]:
    """The parameters as they were typed after ``-p``; none where papermill was not started by its command."""
    import click

    context = click.get_current_context(silent=True)
    if context is None or context.command.name != "papermill":
        return {}
    raw = dict(context.params["parameters_raw"])  # -r, which papermill leaves as they are and prefers
    return {name: text for name, text in context.params["parameters"] if name not in raw}


def _accept_unions() -> None:
    """Papermill calls parameters unknown that are annotated ``X | None``: teach it the bar."""
    from papermill.translators import PythonTranslator, papermill_translators

    class Translator(PythonTranslator):
        PARAMETER_PATTERN = re.compile(PythonTranslator.PARAMETER_PATTERN.pattern.replace(r"\],\s", r"\],\s|"))

    papermill_translators.register("python", Translator)


def _show_what_cells_do() -> None:
    """Make our engine the one that papermill takes when none is named."""
    # Imported late, because papermill's engines import its readers, and these this module.
    from papermill.engines import papermill_engines

    from videomdm.pages.papermill_engine import ScriptEngine

    papermill_engines.register(None, ScriptEngine)


def _register_current_folder() -> None:
    from papermill.iorw import papermill_io

    here = Path.cwd()
    names = [f"{p.name}/" if p.is_dir() else p.name for p in here.iterdir() if p.is_dir() or p.suffix == ".py"]
    for start in [*names, here.anchor]:
        papermill_io.register(start, handler)


def plug_in() -> None:
    """Tell papermill of the current folder's scripts and of unions in annotations, and stop a warning about scripts."""
    # Papermill warns about every input that does not end in .ipynb; here a script is what is meant.
    warnings.filterwarnings("ignore", message=r"The specified file \(.*\.py\) does not end in")
    _register_current_folder()
    _accept_unions()


plug_in()  # last, because papermill's import asks this module for `handler`
