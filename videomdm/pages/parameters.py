"""The parameters of a page that papermill runs: typed by the annotations of its parameters cell."""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping

from videomdm.conventions import DataError
from videomdm.parameters import parse

TYPED = "VIDEOMDM_PAGE_PARAMETERS"  #: environment variable: what was typed after -p, as JSON


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
    typed = json.loads(os.environ.pop(TYPED, "{}"))  # once: notebooks that this page may run have their own
    for name, kind in known.items():
        given = typed.get(name, namespace[name])
        try:
            namespace[name] = parse(name, given, kind)
        except DataError as error:
            hint = f"; papermill's -r {name} TEXT gives it as it is typed" if isinstance(given, int | float) else ""
            raise DataError(f"{error}{hint}") from None
