"""Docstrings are written to be read in an editor: ``(*, 3)`` is a shape and ``|x|`` a norm, not markup."""

import re

LITERAL = re.compile(r"(``.*?``|:\w+:`.*?`)")


def escape(app, what, name, obj, options, lines):
    for i, line in enumerate(lines):
        parts = LITERAL.split(line)
        parts[::2] = [re.sub(r"(?<=\()\*(?!\*)|\|", r"\\\g<0>", part) for part in parts[::2]]
        lines[i] = "".join(parts)


HELD: dict[str, list[str]] = {}


def hold(app, what, name, obj, options, lines):
    """Napoleon would take what stands before a colon in a constant's sentence for its type."""
    if what in ("attribute", "data", "property"):
        HELD[name] = lines[:]
        lines[:] = ["held"]


def give_back(app, what, name, obj, options, lines):
    if name in HELD:
        lines[:] = HELD.pop(name)


def setup(app):
    app.connect("autodoc-process-docstring", hold, priority=100)  # napoleon has 500
    app.connect("autodoc-process-docstring", give_back, priority=800)
    app.connect("autodoc-process-docstring", escape, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
