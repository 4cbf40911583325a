"""Ship one copy of plotly.js with the book, to the pages that have a figure; nothing is fetched from elsewhere."""

import os
from pathlib import Path

from plotly.offline import get_plotlyjs

from videomdm.plots import offline


def ship(app):
    if app.builder.format == "html":
        target = Path(app.outdir, "_static", "plotly.min.js")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(get_plotlyjs(), encoding="utf-8")


def add_to_page(app, pagename, templatename, context, doctree):
    if offline.FIGURE_CLASS in context.get("body", ""):
        app.add_js_file("plotly.min.js", loading_method="defer")


def setup(app):
    os.environ[offline.SOURCE_VARIABLE] = "page"  # for the kernels that execute the pages
    app.connect("builder-inited", ship)
    app.connect("html-page-context", add_to_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
