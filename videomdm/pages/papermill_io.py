"""Papermill reads notebooks kept as scripts: ``papermill notebooks/train_humanml.py out.ipynb``.

Papermill chooses a handler by the beginning of a path.  The entry points in ``pyproject.toml`` name the
usual beginnings; importing this module, which papermill does when it looks for handlers, adds whatever lies
in the current folder, so that ``papermill train_humanml.py out.ipynb`` works inside ``notebooks/`` too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import jupytext
import nbformat

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


def check_parameters(namespace: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise ``ValueError`` when a notebook was given a parameter it does not know.

    Papermill only warns about a misspelt ``-p`` name and runs on with the default.  Call this right after
    the parameters cell.

    Args:
        namespace: the notebook's ``globals()``.
        known: the names that the notebook reads.
    """
    known = sorted(known)
    plain = (str, int, float, bool, list, dict, type(None))
    unknown = [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in ("In", "Out", *known) and isinstance(value, plain)
    ]
    if unknown:
        raise ValueError(f"unknown parameter {', '.join(sorted(unknown))}; known: {', '.join(known)}")
