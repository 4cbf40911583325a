"""Sentences about rows of studies as ratios with a limit, and a verdict on each by one rule.

A claim says that one row of a table lies below, or above, another on one metric.  So it is a ratio with a limit, and
the ratio of two rows is taken seed by seed.  The rule (:func:`verdict`):

- *holds* and *does not hold*: on every corpus the 95 % interval over at least three seeds lies wholly on the claim's
  side of the limit, or wholly on the other;
- *rather yes* and *rather no*: so does the ratio itself, but seeds are fewer or the interval crosses the limit;
- *mixed*: corpora disagree;
- *not tried*: no row here answers it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from videomdm.evaluation.measures import seed_interval
from videomdm.plots import Table, metrics_table
from videomdm.study import report, search_tables

SEEDS = 3  # for an interval to count
PAPER = "fid_raw"  # MDM's evaluation embeds features as they are generated
OURS = "fid"  # joints encoded anew, which redundant channels neither flatter nor spoil

SEARCH = "search"  # its results are those of :mod:`videomdm.study.search`, of one training seed
SEARCHED, BEST = "upper quartile of trials", "best trial"  # its rows

#: (corpus, row, seed) -> metrics.
Results = Mapping[tuple[str, str, int], Mapping[str, object]]


@dataclass(frozen=True)
class Claim:
    """One sentence, the paper's or our own, as a ratio between two rows.

    Attributes:
        where: table, figure or section of the paper; "" for a sentence of our own.
        says: the sentence, in our words.
        published: the ratio in the paper; None where the figure is lost from the text or was never given.
        rows: the row above and the row below; None where nothing here answers the claim.
        metric: what is compared; ``above/below`` where the two rows are measured differently.
        at_most, at_least: the limit that the sentence sets.
        studies: whose results answer it; a corpus is taken from the first that has both rows.
        why: what is missing, for a claim that was not tried.
    """

    where: str
    says: str
    published: float | None = None
    rows: tuple[str, str] | None = None
    metric: str = PAPER
    at_most: float | None = None
    at_least: float | None = None
    studies: tuple[str, ...] = ("table1", "first-light", "controls")
    why: str = ""

    def meets(self, ratio: float) -> bool:
        """Whether a ratio lies on the claim's side of its limit."""
        return (self.at_least or 0) <= ratio <= (self.at_most or math.inf)


def find(folder: str | Path, studies: Iterable[str]) -> dict[str, Results]:
    """Results of studies by corpus, row and seed, as :func:`report.find` reads them, and of searches.

    Raises:
        FileNotFoundError: no such study.
    """
    return {
        study: _searched(folder)
        if study == SEARCH
        else {(report.corpus(r), r["method"], r["seed"]): r["metrics"] for r in report.find(folder, study)[0]}
        for study in studies
    }


def _searched(folder: str | Path) -> Results:
    """Two rows for each search (:func:`videomdm.study.search_tables.quartiles`)."""
    found: dict[tuple[str, str, int], dict[str, object]] = {}
    for name, one in search_tables.find(folder).items():
        least, upper = search_tables.quartiles(one)
        found |= {(name, row, 0): {one["objective"]: value} for row, value in ((SEARCHED, upper), (BEST, least))}
    return found


def ratios(claim: Claim, found: Mapping[str, Results], metric: str) -> dict[str, list[float]]:
    """Of the claim's two rows by corpus, one for each seed that both have; from the first study that has the corpus.

    ``metric`` is as in :class:`Claim`.
    """
    measured: dict[str, list[float]] = {}
    over, under = metric.split("/") if "/" in metric else (metric, metric)
    for study in claim.studies if claim.rows else ():
        own: dict[str, list[float]] = {}
        above, below = claim.rows
        for (corpus, row, seed), metrics in found[study].items():
            other = found[study].get((corpus, below, seed), {})
            if row == above and over in metrics and under in other:
                own.setdefault(corpus, []).append(report.mean(metrics[over]) / report.mean(other[under]))
        measured |= {corpus: values for corpus, values in own.items() if corpus not in measured}
    return measured


def interval(values: Sequence[float]) -> list[float]:
    """[mean, low, high] of ratios: the geometric mean and Student's 95 % interval of the logarithm."""
    middle, half = seed_interval(math.log(value) for value in values)
    return [math.exp(middle), math.exp(middle - half), math.exp(middle + half)]


def verdict(claim: Claim, measured: Mapping[str, Sequence[float]]) -> str:
    """By the rule at the top of this module; ``measured`` is corpus -> ratio of every seed."""
    if not measured:
        return "not tried"
    met = {claim.meets(interval(values)[0]) for values in measured.values()}
    if len(met) > 1:
        return "mixed"
    (yes,) = met
    sure = all(
        len(values) >= SEEDS and all(claim.meets(end) == yes for end in interval(values)[1:])
        for values in measured.values()
    )
    return ("holds" if yes else "does not hold") if sure else ("rather yes" if yes else "rather no")


def table(found: Mapping[str, Results], claims: Sequence[Claim]) -> Table:
    """Claims with the paper's ratio, ours by corpus, and the verdict; FID as the paper reads it.

    A column that none of them fills is left out.
    """
    lines = []
    for i, claim in enumerate(claims, 1):
        measured = ratios(claim, found, claim.metric)
        lines.append({
            "": str(i), "in": claim.where, "it says": claim.says, "verdict": f"**{verdict(claim, measured)}**",
            "paper": "" if claim.published is None else f"{claim.published:.2f}", "limit": _limit(claim),
            "here": _words(measured) or claim.why,
        })  # fmt: skip
    filled = {title for line in lines for title, value in line.items() if value}
    return metrics_table([{title: line[title] for title in line if title in filled} for line in lines])


def second_reading(found: Mapping[str, Results], claims: Sequence[Claim]) -> Table:
    """The claims on FID once more, with the joints of generated motions encoded anew; numbered as in :func:`table`."""
    lines = []
    for i, claim in enumerate(claims, 1):
        if claim.metric == PAPER and (anew := ratios(claim, found, OURS)):
            as_generated = verdict(claim, ratios(claim, found, PAPER))
            lines.append({
                "": str(i), "it says": claim.says, "verdict": f"**{verdict(claim, anew)}**",
                "as generated": as_generated, "limit": _limit(claim), "here, joints anew": _words(anew),
            })  # fmt: skip
    return metrics_table(lines)


def _limit(claim: Claim) -> str:
    if claim.at_most is not None:
        return f"≤ {claim.at_most:.2f}"
    return "" if claim.at_least is None else f"≥ {claim.at_least:.2f}"


def _words(measured: Mapping[str, Sequence[float]]) -> str:
    """The ratio on every corpus, with its interval where there are seeds."""
    lines = []
    for corpus, values in measured.items():
        mean, low, high = interval(values)
        seeds = f" ({low:.2f} to {high:.2f}, {len(values)} seeds)" if len(values) > 1 else " (1 seed)"
        lines.append(f"{_short(corpus)}: {mean:.2f}{seeds}")
    return "<br>".join(lines)


def _short(corpus: str) -> str:
    """A corpus without what all results of its kind have in common: profile and protocol."""
    name, _, label = corpus.partition(" (")
    left = [part for part in label.rstrip(")").split(", ") if part not in ("study", "laptop", "quick protocol")]
    return f"{name} ({', '.join(left)})" if left else name
