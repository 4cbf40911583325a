"""How plotly figures get into notebooks and pages: small, offline, alive wherever they are opened.

A figure is shown as two things at once.  JupyterLab and VS Code take the plotly JSON; the book, ``nbconvert``
and any other HTML page take a ``div`` with a short script that waits for plotly.js.  The library itself comes
from the page (the book ships one copy, see ``book/_ext/plotly_js.py``) or else is written into the notebook
once, before its first figure, compressed to 2 MB, so that a run's notebook needs nothing but itself.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import sys

import plotly.graph_objects as go
import plotly.io as pio
from plotly.offline import get_plotlyjs

#: Set this variable to ``page`` where a page brings plotly.js itself: figures are HTML only, and small.
SOURCE_VARIABLE = "VIDEOMDM_PLOTLY_JS"

#: The class of every figure's ``div``; the book gives plotly.js to pages that have one.
FIGURE_CLASS = "videomdm-figure"

_CONFIG = {"responsive": True, "displayModeBar": False}

_FIGURE = """\
<div class="{css}" data-figure="{key}" style="width:100%;height:{height}px"></div>
<script>
(function draw() {{
  if (!window.Plotly) return setTimeout(draw, 50);
  for (const box of document.querySelectorAll('[data-figure="{key}"]:empty')) Plotly.newPlot(box, {figure});
}})();
</script>
"""

_LIBRARY = """\
<script class="videomdm-plotly-js">
(async function () {{
  if (window.Plotly) return;
  const packed = Uint8Array.from(atob("{packed}"), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  if (!window.Plotly) document.head.appendChild(script);
}})();
</script>
"""


def figure_html(figure: dict) -> str:
    """A figure (``to_plotly_json`` form) as a ``div`` and a script that draws once plotly.js is there."""
    text = pio.to_json({**figure, "config": _CONFIG}, validate=False)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    height = figure.get("layout", {}).get("height", 450)
    # A "<" inside a script could end it.
    return _FIGURE.format(css=FIGURE_CLASS, key=key, height=height, figure=text.replace("<", "\\u003c"))


def library_html() -> str:
    """plotly.js, compressed, in a script that unpacks it unless the page has it."""
    packed = gzip.compress(get_plotlyjs().encode(), mtime=0)
    return _LIBRARY.format(packed=base64.b64encode(packed).decode())


def mimebundle(figure: dict) -> dict[str, object]:
    """What a notebook keeps of a figure: JSON for JupyterLab, a ``div`` and a script for pages."""
    html = {"text/html": figure_html(figure)}
    if os.environ.get(SOURCE_VARIABLE) == "page":
        return html
    text = pio.to_json({**figure, "config": _CONFIG}, validate=False)
    return {"application/vnd.plotly.v1+json": json.loads(text)} | html


_shown: list[bool] = []  # a first figure of this notebook: plotly.js is in it once


class InteractiveFigure(go.Figure):
    """A plotly figure that notebooks show in this way; figures of other classes keep plotly's own."""

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        if "google.colab" in sys.modules:  # shows every output in a frame of its own, with no plotly.js of the page's
            super()._ipython_display_()
            return
        if os.environ.get(SOURCE_VARIABLE) != "page" and not _shown:
            display(HTML(library_html()))
        _shown.append(True)
        display(mimebundle(self.to_dict()), raw=True)
