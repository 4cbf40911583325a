"""Figures that stand still: training curves, tables of metrics, strips of poses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from videomdm.conventions import FPS
from videomdm.plots.offline import InteractiveFigure
from videomdm.plots.style import GHOST, GRID, INK, SERIES, SIDES, checked_joints, checked_keypoints, layout, side
from videomdm.skeletons.definitions import SMPL22, Skeleton


def loss_curves(log: Sequence[Mapping], title: str = "") -> InteractiveFigure:
    """Training curves, one line per term, on a logarithmic axis.

    Args:
        log: rows with ``"step"``, numbers, and optionally ``"stage"`` (a vertical line marks its changes);
            a term missing from a row is not drawn there.
        title: a line above the figure.

    Raises:
        ValueError: an empty log, or a row without ``"step"``.
    """
    if not log:
        raise ValueError("loss_curves: the log is empty, expected rows with 'step' and losses")
    for i, row in enumerate(log):
        if "step" not in row:
            raise ValueError(f"loss_curves: row {i} has keys {sorted(row)}, expected 'step' among them")
    terms = dict.fromkeys(k for row in log for k, v in row.items() if k not in ("step", "stage") and _is_number(v))
    figure = InteractiveFigure()
    lowest, highest = math.inf, 0.0
    for term, colour in zip(terms, cycle(SERIES), strict=False):
        rows = [row for row in log if _is_number(row.get(term))]
        values = [float(f"{row[term]:.4g}") for row in rows]
        positive = [v for v in values if v > 0] or [1.0]
        lowest, highest = min(lowest, *positive), max(highest, *positive)
        line = {"color": colour, "width": 1.8}
        figure.add_scatter(x=[row["step"] for row in rows], y=values, name=term, mode="lines", line=line)
    for before, row in pairwise(log):
        if row.get("stage") != before.get("stage"):
            mark = {"color": GHOST, "dash": "dot", "width": 1}
            text = f"{row.get('stage')} →"
            figure.add_vline(row["step"], line=mark, annotation={"text": text, "font": {"color": INK, "size": 12}})
    figure.update_layout(layout(height=360, title=title), showlegend=True, hovermode="x unified")
    lines = {"gridcolor": "#ece9e2", "linecolor": GRID, "zeroline": False}
    figure.update_xaxes(lines, title={"text": "step", "font": {"size": 13}})
    whole_decades = 1 if highest > 10 * lowest else None
    figure.update_yaxes(lines, type="log", tickformat="~g", dtick=whole_decades)
    return figure


class Table(str):
    """Markdown text that notebooks and the book show as a table."""

    def _repr_markdown_(self) -> str:
        return str(self)


PHRASE = 20  # letters from which on a cell is no number, and may be broken
ROOM = 114  # letters that stand beside each other on a page of the book, at 1,200 pixels
GAP = 2  # letters between columns


def metrics_table(rows: Sequence[Mapping], best: Mapping[str, Callable] | None = None, reference: int = 1) -> Table:
    """A table of metrics; columns in the order in which the rows first name them.

    One that is wider than a page is several, one below the other, with the first column in each, where that tells rows
    apart.

    Args:
        rows: column -> text, number, or (mean, half width of the 95 % interval); the real-data row first.
            Numbers stand at the right of their column, phrases at the left.
        best: column -> ``min`` or ``max``; the best value after the first ``reference`` rows is bold.
        reference: how many rows at the top are references (real data) and not candidates.

    Raises:
        ValueError: no rows, or ``best`` names a column that no row has.
    """
    if not rows:
        raise ValueError("metrics_table: no rows, expected at least one")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if unknown := set(best or {}) - set(columns):
        raise ValueError(f"metrics_table: best names {sorted(unknown)}, the columns are {columns}")
    winners = {}
    for column, choose in (best or {}).items():
        values = [_mean(row[column]) for row in rows[reference:] if column in row]
        winners[column] = choose(values) if values else None

    def cell(row: Mapping, column: str, is_candidate: bool) -> str:
        if column not in row:
            return "–"
        won = is_candidate and column in winners and _mean(row[column]) == winners[column]
        text = _text(row[column])
        return f"**{text}**" if won else text

    cells = [[cell(row, column, i >= reference) for column in columns] for i, row in enumerate(rows)]
    words = [max(map(len, column)) > PHRASE for column in zip(*cells, strict=True)]
    sides = [":--" if i == 0 or phrase else "--:" for i, phrase in enumerate(words)]
    lines = [columns, sides, *cells]
    widths = [_width(*column) for column in zip(columns, *cells, strict=True)]
    apart = len({first for first, *_ in cells}) == len(cells)
    parts = _that_fit(widths) if apart else [range(len(columns))]
    return Table("\n\n".join(_markdown([[line[k] for k in part] for line in lines]) for part in parts))


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _width(title: str, *cells: str) -> int:
    """Letters that a column takes: titles and phrases are broken between words, numbers are not."""
    return GAP + min(PHRASE, max(map(len, (*title.split(), *cells))))


def _that_fit(widths: Sequence[int]) -> list[list[int]]:
    """Columns of the fewest tables, with about as many in each, that fit on a page; the first is in all of them."""
    first, *others = range(len(widths))
    for tables in range(1, max(len(others), 1) + 1):
        parts = [[first, *part.tolist()] for part in np.array_split(others, tables)]
        if all(sum(widths[k] for k in part) <= ROOM for part in parts):
            break
    return parts


def film_strip(
    joints: Tensor,
    skeleton: Skeleton = SMPL22,
    n_poses: int = 8,
    fps: float = FPS,
    ghost: Tensor | None = None,
    azimuth: float = 35.0,
    title: str = "",
    frames: Sequence[int] | None = None,
) -> Figure:
    """Poses at equal distances in time, side by side, as a static drawing.

    Args:
        joints: (T, J, 3) in metres, Y up.
        skeleton: their joint layout.
        n_poses: how many poses to draw.
        fps: frames per second, for the times under the poses.
        ghost: (T, J, 3) drawn in grey behind, in the same frame.
        azimuth: degrees by which the viewer has walked from +Z towards +X.
        title: a line above the drawing.
        frames: the frames to draw, instead of ``n_poses`` at equal distances.

    Raises:
        ValueError: a wrong shape, different lengths, or values that are not finite.
    """
    sets = [checked_joints(joints, "joints", skeleton)]
    if ghost is not None:
        sets.append(checked_joints(ghost, "ghost", skeleton))
        if len(sets[1]) != len(sets[0]):
            raise ValueError(f"film_strip: {len(sets[0])} frames over a ghost of {len(sets[1])}, expected as many")
    chosen = np.linspace(0, len(sets[0]) - 1, n_poses).round().astype(int) if frames is None else np.asarray(frames)
    n_poses = len(chosen)
    angle = math.radians(azimuth)
    to_right = np.array([math.cos(angle), 0, -math.sin(angle)])
    roots = sets[0][chosen, :1] * [1, 0, 1]
    drawn = [np.stack([(s[chosen] - roots) @ to_right, s[chosen][..., 1]], -1) for s in sets]
    pitch = max(1.1, 1.15 * max(np.ptp(d[..., 0], axis=1).max() for d in drawn))
    top, bottom = max(d[..., 1].max() for d in drawn), min(0.0, *(d[..., 1].min() for d in drawn))

    figure, axes = plt.subplots(figsize=(10, 10 * (top - bottom + 0.45) / (pitch * n_poses)), layout="tight")
    axes.axhline(0, color=GRID, linewidth=1, zorder=0)
    for k, frame in enumerate(chosen):
        for pose in drawn[1:]:
            draw_pose(axes, pose[k] + [k * pitch, 0], skeleton, dict.fromkeys(SIDES, GHOST))
        draw_pose(axes, drawn[0][k] + [k * pitch, 0], skeleton, SIDES)
        axes.text(k * pitch, bottom - 0.06, f"{frame / fps:.2f} s", ha="center", va="top", color=INK, size=8)
    axes.set(xlim=(-pitch / 2, pitch * (n_poses - 0.5)), ylim=(bottom - 0.3, top + 0.15), aspect="equal")
    return _titled(figure, axes, title)


def pose_strip(
    poses: Tensor,
    skeleton: Skeleton,
    ghost: Tensor | None = None,
    title: str = "",
    per_row: int = 9,
) -> Figure:
    """2-D poses side by side, as a camera saw them.

    Args:
        poses: (N, J, 2) around the root, x right and y down, of any unit.
        skeleton: their joint layout.
        ghost: (N, J, 2) drawn in grey behind.
        title: a line above the drawing.
        per_row: poses in a row.

    Raises:
        ValueError: a wrong shape, or values that are not finite.
    """
    sets = [checked_keypoints(x, name, skeleton) for x, name in ((poses, "poses"), (ghost, "ghost")) if x is not None]
    sets = [x * [1, -1] for x in sets]
    low, high = min(x[..., 1].min() for x in sets), max(x[..., 1].max() for x in sets)
    pitch = 1.1 * max(max(np.ptp(x[..., 0], axis=1).max() for x in sets), 0.5 * (high - low))
    line = 1.15 * (high - low)
    rows = -(-len(sets[0]) // per_row)

    figure, axes = plt.subplots(figsize=(10, 10 * rows * line / (pitch * per_row) + 0.3), layout="tight")
    for k in range(len(sets[0])):
        place = [(k % per_row) * pitch, -(k // per_row) * line]
        for others in sets[1:]:
            draw_pose(axes, others[k] + place, skeleton, dict.fromkeys(SIDES, GHOST))
        draw_pose(axes, sets[0][k] + place, skeleton, SIDES)
    bottom = -(rows - 1) * line + low - 0.15 * line
    axes.set(xlim=(-0.6 * pitch, (per_row - 0.4) * pitch), ylim=(bottom, high + 0.05 * line))
    axes.set_aspect("equal")
    return _titled(figure, axes, title)


def _titled(figure: Figure, axes: Axes, title: str) -> Figure:
    """A drawing without axes; closed, since a notebook is to show what is returned and only that."""
    axes.set_axis_off()
    axes.set_title(title, loc="left", color=INK, size=11)
    plt.close(figure)
    return figure


def draw_pose(axes: Axes, pose: np.ndarray, skeleton: Skeleton, colours: Mapping[str, str]) -> None:
    """One pose (J, 2), y up, with a colour for each of the body's sides."""
    for parent, child in skeleton.bones:
        colour = colours[side(skeleton.joints[child])]
        axes.plot(*pose[[parent, child]].T, color=colour, linewidth=2, solid_capstyle="round")
    if "head" in skeleton.joints:
        axes.plot(*pose[skeleton.index("head")], "o", color=colours["trunk"], markersize=5)


def _is_number(value) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _mean(value) -> float:
    return float(value[0] if isinstance(value, (tuple, list)) else value)


def _text(value) -> str:
    """Three digits, and never an exponent for a large number."""
    if isinstance(value, (tuple, list)):
        mean, half = map(float, value)
        half = 0.0 if half < 1e-9 * abs(mean) else half  # what equal values leave after rounding
        return f"{_text(mean)} ± {half:{'.2g' if half < 99.5 else '.0f'}}"
    if not isinstance(value, (float, np.floating)) or not np.isfinite(value):
        return str(value)
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(decimals, 0)}f}"
