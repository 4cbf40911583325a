"""Papermill reads notebooks kept as scripts: ``papermill notebooks/train_humanml.py out.ipynb``.

Papermill chooses a handler by the beginning of a path.  The entry points in ``pyproject.toml`` name the
usual beginnings; importing this module, which papermill does when it looks for handlers, adds whatever lies
in the current folder, so that ``papermill train_humanml.py out.ipynb`` works inside ``notebooks/`` too.

Parameters are typed by the annotations of a page's parameters cell (:func:`check_parameters`).  Papermill makes numbers
of what looks like one (``-p videos 2024_06`` is the number 202406 to it), so the handler tells the page what was typed.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import MutableMapping
from pathlib import Path

import jupytext
import nbformat

from videomdm.conventions import DataError
from videomdm.parameters import parse

_TYPED = "VIDEOMDM_PAGE_PARAMETERS"  # environment variable: what was typed after -p, as JSON
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
        os.environ[_TYPED] = json.dumps(_typed())  # for the page's kernel, which papermill starts next
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


# Papermill warns about every input that does not end in .ipynb; here a script is what is meant.
warnings.filterwarnings("ignore", message=r"The specified file \(.*\.py\) does not end in")

# Last, because papermill's import asks this module for `handler`.
_register_current_folder()
_accept_unions()


def check_parameters(namespace: MutableMapping[str, object]) -> None:
    """Give a page's parameters the values that their types say; call it right after the parameters cell.

    The cell declares every parameter with its type, ``height: float | None = None``, as
    :func:`videomdm.parameters.parse` knows types.

    Args:
        namespace: the page's ``globals()``.

    Raises:
        DataError: a value of another type, or a name that the page does not declare (papermill only warns about a
            misspelt ``-p`` and runs on with the default).
    """
    known = namespace.get("__annotations__", {})
    plain = (str, int, float, bool, list, dict, type(None))
    unknown = [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in ("In", "Out", *known) and isinstance(value, plain)
    ]
    if unknown:
        raise DataError(f"unknown parameter {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
    typed = json.loads(os.environ.pop(_TYPED, "{}"))  # once: notebooks that this page may run have their own
    for name, kind in known.items():
        given = typed.get(name, namespace[name])
        try:
            namespace[name] = parse(name, given, kind)
        except DataError as error:
            hint = f"; papermill's -r {name} TEXT gives it as it is typed" if isinstance(given, int | float) else ""
            raise DataError(f"{error}{hint}") from None
