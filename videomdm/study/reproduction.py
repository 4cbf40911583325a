"""The paper's claims in a row: what it found, what we found, and a verdict by a rule that was set before the runs.

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
    """One sentence of the paper as a ratio between two rows.

    Attributes:
        where: table, figure or section of the paper.
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


_ABLATION = {"where": "Fig. 6(b)", "at_least": 1.0, "studies": ("ablations",)}
_LIFTING = {"where": "Table 2", "studies": ("table2",)}
_THIRD = {"where": "Table 3", "studies": ("table3-procedural", "table3-bandai")}  # NBA-like pictures
_ABSOLUTE = "seen_absolute/seen_mpjpe"  # appendix C.3: the lifter is aligned on a clip's first frame, ours is not

CLAIMS = (
    Claim(
        "Table 1", "Learning from 2-D with known cameras nearly closes the gap to 3-D supervision",
        0.88 / 0.54, ("videomdm", "mdm-3d"), at_most=0.88 / 0.54,
    ),
    Claim(
        "Table 1", "With known cameras it is better than MDM on the same lifter's motions",
        None, ("videomdm", "mdm-teacher"), at_most=1.0,
    ),
    Claim("Table 1", "... by roughly two times", 0.5, ("videomdm", "mdm-teacher"), at_most=0.5),
    Claim(
        "Table 1", "With cameras by PnP it is still better than MDM on the same lifter's motions",
        None, ("videomdm-pnp", "mdm-teacher"), at_most=1.0,
    ),
    Claim(
        "Table 1", "Known cameras are better than cameras by PnP", None, ("videomdm", "videomdm-pnp"), at_most=1.0,
    ),
    Claim("Table 1", "MAS is behind, also behind cameras by PnP", None, ("mdm-2d", "videomdm-pnp"), at_least=1.0),
    Claim(
        says="Without depth weights it is a little worse (lambdas raised to keep the balance)",
        published=1.27 / 1.05, rows=("videomdm/no-depth-raised", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without depth weights it is a little worse (lambdas as they are)",
        published=1.27 / 1.05, rows=("videomdm/no-depth", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without multistep training it is far worse",
        published=9.85 / 1.05, rows=("videomdm/no-multistep", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without ray projection in the representation loss it is about three times worse",
        published=2.72 / 1.05, rows=("videomdm/no-rays", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without the velocity loss it is worse (1.5 or 5.5 times: the text lost the rows' names)",
        published=1.58 / 1.05, rows=("videomdm/no-velocity", "videomdm"), **_ABLATION,
    ),
    Claim(
        says="Without the representation loss it is worse (5.5 or 1.5 times)",
        published=5.75 / 1.05, rows=("videomdm/no-representation", "videomdm"), **_ABLATION,
    ),
    Claim(
        "Fig. 6(b)", "Of the two, the representation loss matters more", None,
        ("videomdm/no-representation", "videomdm/no-velocity"), at_least=1.0, studies=("ablations",),
    ),
    Claim(
        says="Fine-tuned on videos, it halves the lifter's error on the clips trained on",
        published=111.24 / 228.47, rows=("videomdm", "teacher"), metric=_ABSOLUTE, at_most=0.5, **_LIFTING,
    ),
    Claim(
        says="... both aligned on the first frame",
        published=111.24 / 228.47, rows=("videomdm", "teacher"), metric="seen_mpjpe", at_most=0.5, **_LIFTING,
    ),
    Claim(
        says="... with every frame placed where its size says (ours)", published=111.24 / 228.47,
        rows=("videomdm", "teacher"), metric="seen_placed_absolute/seen_mpjpe", at_most=0.5, **_LIFTING,
    ),
    Claim(
        says="It errs a quarter of what MDM on the lifter's motions errs", published=111.24 / 440.33,
        rows=("videomdm", "mdm-teacher"), metric="seen_absolute", at_most=0.25, **_LIFTING,
    ),
    Claim(
        says="... both aligned on the first frame",
        published=111.24 / 440.33, rows=("videomdm", "mdm-teacher"), metric="seen_mpjpe", at_most=0.25, **_LIFTING,
    ),
    Claim(
        says="With cameras by PnP it still errs less than the lifter",
        published=185.81 / 228.47, rows=("videomdm-pnp", "teacher"), metric=_ABSOLUTE, at_most=1.0, **_LIFTING,
    ),
    Claim(
        says="... both aligned on the first frame",
        published=185.81 / 228.47, rows=("videomdm-pnp", "teacher"), metric="seen_mpjpe", at_most=1.0, **_LIFTING,
    ),
    Claim(
        says="Its accelerations err 5.5 times less than the lifter's", published=3.16 / 17.66,
        rows=("videomdm", "teacher"), metric="seen_acceleration_error", at_most=3.16 / 17.66, **_LIFTING,
    ),
    Claim(
        says="The lifter keeps an edge on the error after Procrustes",
        published=61.69 / 51.12, rows=("videomdm", "teacher"), metric="seen_pa_mpjpe", at_least=1.0, **_LIFTING,
    ),
    Claim(
        says="Its motions are more like true ones than the lifter's (KID)",
        rows=("videomdm", "teacher"), metric="seen_kid", at_most=1.0, **_LIFTING,
    ),
    Claim("Fig. 5(a)", "People prefer its motions of Fit3D", 0.60, why="nobody was asked; Fit3D is not open"),
    Claim(
        says="From pictures alone, its precision is far better than MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="precision", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="... and better than its teacher's, ElePose's",
        rows=("videomdm-frame", "elepose"), metric="precision", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="Its recall† is better than MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="recall_dagger", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="... and better than its teacher's",
        rows=("videomdm-frame", "elepose"), metric="recall_dagger", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="Its FID is (slightly) behind MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="fid", at_least=1.0, **_THIRD,
    ),
    Claim(
        says="Its diversity is (slightly) behind MAS's",
        rows=("videomdm-frame", "mdm-2d"), metric="diversity", at_most=1.0, **_THIRD,
    ),
    *(
        Claim(says=f"After a round: {says}", rows=("videomdm-frame/round-1-assumed", "mdm-2d"), metric=metric,
              at_least=1.0, **_THIRD)
        for says, metric in (("its precision is better than MAS's", "precision"),
                             ("its recall† is better than MAS's", "recall_dagger"))
    ),
    Claim("Table 3", "People prefer it to MAS in 64 % of votes", 0.64, why="nobody was asked"),
    Claim(
        "Appendix F", "FID hardly depends on t*, buckets and weights: three quarters of the trials end near the best",
        2 / 0.7, (SEARCHED, BEST), at_most=2 / 0.7, studies=(SEARCH,),
    ),
    Claim(
        "Table 4", "Training costs little more than MDM's on the lifter's motions",
        46 / 36, ("videomdm", "mdm-teacher"), "training_hours", at_most=46 / 36, studies=("cost",),
    ),
    Claim(
        "Table 4", "Sampling costs the same",
        1.0, ("videomdm", "mdm-teacher"), "seconds_per_100_motions", at_most=1.0, studies=("cost",),
    ),
    Claim(
        "Table 4", "Sampling is 2.4 times as fast as MAS's", 5 / 12,
        ("videomdm-frame", "mdm-2d"), "seconds_per_100", at_most=5 / 12, studies=_THIRD["studies"],
    ),
)  # fmt: skip


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


def table(found: Mapping[str, Results], claims: Sequence[Claim] = CLAIMS) -> Table:
    """All claims with the paper's ratio, ours by corpus, and the verdict; FID as the paper reads it."""
    lines = []
    for i, claim in enumerate(claims, 1):
        measured = ratios(claim, found, claim.metric)
        lines.append({
            "": str(i), "in": claim.where, "it says": claim.says, "verdict": f"**{verdict(claim, measured)}**",
            "paper": "" if claim.published is None else f"{claim.published:.2f}", "limit": _limit(claim),
            "here": _words(measured) or claim.why,
        })  # fmt: skip
    return metrics_table(lines)


def second_reading(found: Mapping[str, Results], claims: Sequence[Claim] = CLAIMS) -> Table:
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


def sources(claims: Sequence[Claim] = CLAIMS) -> dict[str, str]:
    """Study -> the command that makes its rows."""
    return {study: _command(study) for claim in claims for study in claim.studies}


def _command(study: str) -> str:
    """The command that makes a study's rows; its results name every option."""
    own = {SEARCH: "videomdm search", "table2": "python -m videomdm.study.table2", "cost": "python -m benchmarks.cost"}
    module, _, base = study.partition("-")
    if module == "table3":
        return f"python -m videomdm.study.table3 --base {base}"
    return own.get(study, f"python -m videomdm.study {study}")


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
