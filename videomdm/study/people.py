"""The page on real people, from the result files of :mod:`videomdm.study.real_people` alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from videomdm.plots import Table, metrics_table, panels
from videomdm.plots.style import SERIES
from videomdm.study import results
from videomdm.study.real_people import PARTS

Found = Mapping[str, Mapping[str, Mapping]]  # part -> row -> metrics


def find(folder: str | Path) -> Found:
    """The study's results by part and row; a part that has not run has no rows.

    Args:
        folder: the results folder, as seen from the repository's root or from the notebooks.

    Raises:
        FileNotFoundError: the study has not run.
    """
    for place in (Path(folder), Path("..") / folder):
        if found := results.read(place, "real_people"):
            break
    else:
        raise FileNotFoundError(f"no real_people in {folder}; run python -m videomdm.study.real_people")
    parts: dict[str, dict[str, Mapping]] = {part: {} for part in PARTS}
    for result in found:
        parts[result["part"]][result["row"]] = result["metrics"]
    return parts


def lifting_table(found: Found, sets: Mapping[str, str]) -> Table:
    """Every row's errors by whom the motion is: root-aligned / after Procrustes, in mm, and up in degrees.

    Args:
        found: of :func:`find`.
        sets: title of a column -> set of recordings.
    """
    rows = []
    for row, metrics in found["lift"].items():
        for way in ("teacher", "prior"):
            own = {title: metrics[name][way] for title, name in sets.items() if name in metrics}
            if not own:
                continue
            delivered = all(
                metrics[name]["delivered"] == metrics[name][way] for name in sets.values() if name in metrics
            )
            cells = {title: f"{e['mpjpe']:.0f} / {e['pa_mpjpe']:.0f}, {e['up']:.0f}°" for title, e in own.items()}
            rows.append({"package, motion": f"{row}, {way}{' (delivered)' if delivered else ''}", **cells})
    return metrics_table(rows)


def keeping_plot(found: Found) -> Figure:
    """Errors (mpjpe) of what priors make of clean motions: a panel for each row, a line for each corpus."""
    shown = found["keep"]
    figure, axes = panels(*shown, share_y=True)
    for axis, corpora in zip(axes, shown.values(), strict=True):
        for (name, steps), colour in zip(corpora.items(), SERIES, strict=False):
            axis.plot([int(t) for t in steps], [row["mpjpe"] for row in steps.values()], "o-", color=colour, label=name)
        axis.set_xlabel("noised to step, of 50")
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("error after one denoising, mm")
    axes[-1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def choice_plot(metrics: Mapping[str, object], measure: str = "mpjpe") -> Figure:
    """Errors on validation recordings against the prior's share, a panel for each corpus, a line for each start.

    The teacher as it is and fitted to the recording are horizontal lines.
    """
    corpora = {name: rows for name, rows in metrics.items() if isinstance(rows, Mapping)}
    figure, axes = panels(*corpora)
    for axis, rows in zip(axes, corpora.values(), strict=True):
        for way, style in (("teacher", "--"), ("fitted", ":")):
            axis.axhline(rows[way][measure], color=SERIES[-1], linestyle=style, label=way)
        lines: dict[str, list[tuple[float, float]]] = {}
        for way, errors in rows.items():
            if " " in way:
                first, share = way.split()
                lines.setdefault(first, []).append((float(share), errors[measure]))
        for (first, points), colour in zip(lines.items(), SERIES, strict=False):
            title = "from noise" if float(first) >= 1 else f"from {100 * float(first):.0f} % of the steps"
            axis.plot(*zip(*sorted(points), strict=True), "o-", color=colour, label=title)
        axis.set_xlabel("share of the prior")
    axes[0].set_ylabel("MPJPE mm" if measure == "mpjpe" else "after Procrustes, mm")
    axes[-1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def fits_table(metrics: Mapping[str, object]) -> Table:
    """The teacher on validation recordings, as it is, fitted, and fitted with one weight changed: errors and trembling.

    Root-aligned / after Procrustes in mm, then the acceleration of limbs in m/s^2.
    """
    corpora = {name: rows for name, rows in metrics.items() if isinstance(rows, Mapping)}
    ways = [way for way in next(iter(corpora.values())) if " " not in way]
    return metrics_table([
        {"": way, **{name: _fit_cell(rows[way]) for name, rows in corpora.items()}} for way in ways
    ])  # fmt: skip


def _fit_cell(errors: Mapping[str, float]) -> str:
    return f"{errors['mpjpe']:.1f} / {errors['pa_mpjpe']:.1f}, {errors['acceleration']:.1f}"


#: Heading -> metric of :mod:`videomdm.study.recordings`.
STEADY = {
    "size, m": "size", "changes by, %": "size_change", "lean, degrees": "lean", "changes by, degrees": "lean_change",
}  # fmt: skip


def steadiness_table(folder: str | Path) -> Table:
    """How much people change over recordings of which nobody knows the truth, of the delivered motion.

    Raises:
        FileNotFoundError: no recording was measured.
    """
    for place in (Path(folder), Path("..") / folder):
        if found := results.read(place, "recordings"):
            return metrics_table([
                {"recording": row["data"], **{title: row["metrics"]["prior"][name] for title, name in STEADY.items()}}
                for row in found
            ], reference=0)  # fmt: skip
    raise FileNotFoundError(f"no recordings in {folder}; run python -m videomdm.study.recordings")


def better(found: Found, row: str, sets: Mapping[str, str]) -> dict[str, bool]:
    """Whether what a row delivers errs less than its teacher on a set, by either alignment's sum."""
    metrics = found["lift"][row]
    return {
        title: sum(metrics[name]["delivered"][m] - metrics[name]["teacher"][m] for m in ("mpjpe", "pa_mpjpe")) < 0
        for title, name in sets.items()
        if name in metrics
    }
