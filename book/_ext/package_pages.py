"""The package's pages: rooms in the order of their layers, and links to names that a folder hands on.

Pages are made by autosummary, one per module, into ``book/api/modules``, which git ignores.
"""

import importlib
import inspect
import tomllib
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
API = ROOT / "book" / "api"


def rooms(pyproject: str) -> list[str]:
    """Rooms from the lowest layer to the highest, of a contract of import-linter."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [f"videomdm.{room}" for layer in reversed(layers) for room in layer.split(" | ")]


def write_rooms(app, config):
    text = ".. autosummary::\n   :toctree: modules\n   :recursive:\n\n"
    text += "".join(f"   ~{room}\n" for room in rooms((ROOT / "pyproject.toml").read_text()))
    path = API / "rooms.rst"
    if not path.exists() or path.read_text() != text:  # or all pages would be made again
        path.write_text(text)
    for page in API.glob("modules/*.rst"):
        module = ROOT / page.stem.replace(".", "/")
        if not module.is_dir() and not module.with_suffix(".py").exists():
            page.unlink()
    # They are in no _toc.yml: autosummary puts them into the contents itself, on the page that includes the list.
    excluded = [p for p in config.exclude_patterns if not p.startswith("api/modules/")]
    config.exclude_patterns = [*excluded, "api/rooms.rst"]


def home(name: str) -> str | None:
    """Where a class, a function or a member is defined that another module imports or hands on; else None."""
    package, *parts = name.split(".")
    found = importlib.import_module(package) if package == "videomdm" else None
    while inspect.ismodule(found) and parts:
        part = parts.pop(0)
        with suppress(ImportError):  # a sub-module may not be there yet
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part, None)
    if not hasattr(found, "__qualname__"):
        return None
    defined = ".".join([found.__module__, found.__qualname__, *parts])
    return defined if defined != name and defined.startswith("videomdm.") else None


def resolve(app, env, node, contnode):
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    defined = home(target) or home(f"{node.get('py:module')}.{target}")
    if defined is None:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], defined, node, contnode)


def setup(app):
    app.connect("config-inited", write_rooms, priority=950)  # after the table of contents is read
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
