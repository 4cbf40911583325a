"""Pages of ``videomdm compare`` for the motions in ``results/motions``: ``_static/compare/NAME.html``."""

import json
from pathlib import Path

from videomdm.survey import compare, scenes

ROOT = Path(__file__).parents[2]
TRUTH = "truth"


def write(motions: Path, page: Path) -> None:
    """The page of one folder of motions; what is called "truth" becomes the ghosts."""
    methods = json.loads((motions / "made.json").read_text())["methods"]
    read = {method: scenes.read(f"{method}={motions / method}.npz") for method in methods}
    truth = read.pop(TRUTH, None)
    shown = list(read.values())
    compare.write(page, scenes.match(shown, truth=truth), shown[0])


def ship(app):
    if app.builder.format == "html":
        for made in sorted(ROOT.glob("results/motions/*/made.json")):
            write(made.parent, Path(app.outdir, "_static", "compare", f"{made.parent.name}.html"))


def setup(app):
    app.connect("builder-inited", ship)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
