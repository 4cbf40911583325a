"""Docstrings are written to be read in an editor: ``(*, 3)`` is a shape and ``|x|`` a norm, not markup."""

import re

LITERAL = re.compile(r"(``.*?``|:\w+:`.*?`)")


def escape(app, what, name, obj, options, lines):
    for i, line in enumerate(lines):
        parts = LITERAL.split(line)
        parts[::2] = [re.sub(r"(?<=\()\*(?!\*)|\|", r"\\\g<0>", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def setup(app):
    app.connect("autodoc-process-docstring", escape, priority=900)  # after napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
