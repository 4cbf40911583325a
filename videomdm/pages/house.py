"""The package as a house: rooms, floors and who imports whom, made from the imports.

``python -m videomdm.pages.house`` prints its figures and draws ``figures/house.svg``, the picture on the page
*Contributing*.  A room is a folder or a file at the top of the package; it stands one floor above the highest room that
it imports from, and an arrow is an import of one room by another, however many lines say so.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("svg")  # a file is drawn; nothing needs a screen

from matplotlib.figure import Figure

from videomdm.plots.style import GHOST, INK, RIGHT, SERIES

ROOT = Path(__file__).parents[2]
WIDTH, STEP = 1.9, 2.2  # of a room, and from room to room, on a floor 1 high


@dataclass(frozen=True)
class House:
    """Attributes:
    lines: room -> lines of code.
    arrows: (importer, imported), each once.
    floors: room -> floor, the lowest is 0.
    """

    lines: dict[str, int]
    arrows: frozenset[tuple[str, str]]
    floors: dict[str, int]

    @property
    def figures(self) -> dict[str, int]:
        """Rooms, floors, arrows, and arrows that close a circle, which no order of floors could hold."""
        circular = sum(self.floors[a] <= self.floors[b] for a, b in self.arrows)
        floors = len(set(self.floors.values()))
        return {"rooms": len(self.lines), "floors": floors, "arrows": len(self.arrows), "upward arrows": circular}


def read(package: Path) -> House:
    """The house of a package's folder; nothing of it is run."""
    files = [f for f in package.rglob("*.py") if f.parent != package or not f.name.startswith("__")]
    lines: dict[str, int] = {}
    arrows = set()
    for file in files:
        room, text = _room(file.relative_to(package)), file.read_text()
        lines[room] = lines.get(room, 0) + text.count("\n")
        arrows |= {(room, other) for other in _imports(text, package) if other != room}
    return House(dict(sorted(lines.items())), frozenset(arrows), _floors(set(lines), arrows))


def _room(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else path.stem


def _imports(text: str, package: Path) -> set[str]:
    """Rooms that a module's imports name."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == package.name:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package.name}."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith(f"{package.name}.")}
    return {name for name in found if (package / name).is_dir() or (package / f"{name}.py").exists()}


def _floors(rooms: set[str], arrows: set[tuple[str, str]]) -> dict[str, int]:
    """One above the highest room that is imported; rooms of a circle share what is left of the order."""
    floors = dict.fromkeys(rooms, 0)
    for _ in rooms:
        for importer, imported in sorted(arrows):
            if floors[importer] <= floors[imported] < len(rooms):
                floors[importer] = floors[imported] + 1
    return floors


def draw(house: House, path: Path) -> None:
    """The house as a picture: importers above, arrows as lines, from a room's lower edge to the upper of another."""
    stories = [sorted(r for r in house.floors if house.floors[r] == n) for n in range(max(house.floors.values()) + 1)]
    at = {
        room: (STEP * (k - (len(story) - 1) / 2), float(n))
        for n, story in enumerate(stories)
        for k, room in enumerate(story)
    }
    wide = STEP * max(len(story) for story in stories)
    figure = Figure(figsize=(0.62 * wide + 2.2, 0.72 * len(stories)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-wide / 2 - 0.4, wide / 2 + 0.4), ylim=(-0.6, len(stories) - 0.4))
    axes.axis("off")
    for importer, imported in sorted(house.arrows):
        (x, y), (u, v) = at[importer], at[imported]
        axes.plot([x, u], [y - 0.24, v + 0.24], color=GHOST, linewidth=0.8, zorder=1)
    for k, (room, (x, y)) in enumerate(at.items()):
        colour = SERIES[0] if (ROOT / "videomdm" / room).is_dir() else RIGHT
        box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": colour, "linewidth": 1.2}
        patch = matplotlib.patches.FancyBboxPatch((x - WIDTH / 2, y - 0.2), WIDTH, 0.4, **box, zorder=2)
        axes.add_patch(patch)
        name = f"{room}/" if (ROOT / "videomdm" / room).is_dir() else f"{room}.py"
        axes.text(x, y, name, ha="center", va="center", color=INK, fontsize=11, zorder=3, gid=f"room-{k}")
    matplotlib.rcParams["svg.hashsalt"] = "house"  # the same file every time
    figure.savefig(path, metadata={"Date": None, "Description": description(house)})


def description(house: House) -> str:
    """What a picture holds, in words; a stored one that says otherwise is out of date."""
    rooms = ", ".join(f"{room} on floor {house.floors[room] + 1}" for room in sorted(house.floors))
    return f"{rooms}; {', '.join(f'{a} imports {b}' for a, b in sorted(house.arrows))}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m videomdm.pages.house", description=__doc__.split("\n")[0])
    parser.add_argument("--package", type=Path, default=ROOT / "videomdm", help="folder of the package")
    parser.add_argument("--out", type=Path, default=ROOT / "figures" / "house.svg", help="picture to write")
    given = parser.parse_args(arguments)
    house = read(given.package)
    print(
        ", ".join(f"{value} {name}" for name, value in house.figures.items()) + f", {sum(house.lines.values())} lines"
    )
    draw(house, given.out)


if __name__ == "__main__":
    main()
