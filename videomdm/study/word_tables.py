"""The page on words, from the results of :mod:`videomdm.study.words` and :mod:`videomdm.study.phrasings` alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from videomdm.evaluation.measures import seed_interval
from videomdm.plots import Table, metrics_table
from videomdm.study import results
from videomdm.study.words import CANDIDATES

#: Heading -> metric, of encoders and of shares of hashed words.
PARTNERS = {"partner, top 1": "partner_1", "partner, top 3": "partner_3"}
VERBS = {"rare verbs": "verbs", "of these unlisted": "verbs_unlisted"}
APART = {"sides apart": "sides_apart", "directions apart": "directions_apart", "amounts apart": "amounts_apart"}
OPPOSITES = {"left, right: cosine": "sides_opposites", "forward, backward: cosine": "directions_opposites"}
COST = {
    "MB": "megabytes", "first vector, CPU s": "load_cpu_seconds", "captions / CPU s": "captions_per_cpu_second",
    "width": "width",
}  # fmt: skip
#: Heading -> metric after that of what the motion was asked for with.
PRECISION = {"R-precision 3": "r_precision_3", "by the second evaluator": "tmr_r_precision_3"}


def find(folder: str | Path, study: str) -> list[dict]:
    """The results of a study, with the folder as seen from the repository's root or from the notebooks.

    Raises:
        FileNotFoundError: there are none.
    """
    for place in (Path(folder), Path("..") / folder):
        if found := results.read(place, study):
            return found
    raise FileNotFoundError(f"no {study} in {folder}; run python -m videomdm.study.{study}")


def encoders(rows: Sequence[Mapping]) -> Table:
    """What encoders make of how people speak."""
    best = {heading: max for heading in (*PARTNERS, *VERBS, *APART)}
    return metrics_table(_encoders(rows, PARTNERS | VERBS | APART), best=best, reference=0)


def costs(rows: Sequence[Mapping]) -> Table:
    """How large encoders are, and how fast."""
    return metrics_table(_encoders(rows, COST), reference=0)


def missing(rows: Sequence[Mapping]) -> list[str]:
    """Which encoders could not be had, and why."""
    return [
        f"{CANDIDATES[row['method']].title}: {row['metrics']['not_measured']}"
        for row in rows
        if "not_measured" in row["metrics"]
    ]


def shares(rows: Sequence[Mapping]) -> Table:
    """``minilm`` with other shares of hashed words, on the clips for choices."""
    (row,) = [row for row in rows if row["method"] == "share-of-hashed"]
    columns = PARTNERS | VERBS | OPPOSITES
    return metrics_table([
        {"share of hashed words": share, **_figures(metrics, columns)} for share, metrics in row["metrics"].items()
    ])  # fmt: skip


def priors(rows: Sequence[Mapping]) -> Table:
    """R-precision of priors by text encoder, asked in the corpus' words and in others; intervals over several seeds."""
    by_encoder: dict[str, list[Mapping]] = defaultdict(list)
    for row in rows:
        by_encoder[row["text"]].append(row["metrics"])
    found = []
    for encoder, seeds in by_encoder.items():
        for asked, title in (("corpus", "the corpus'"), ("phrasing", "never trained on")):
            figures = {
                heading: [round(x, 3) for x in seed_interval(metrics[f"{asked}_{metric}"][0] for metrics in seeds)]
                for heading, metric in PRECISION.items()
            }
            if len(seeds) == 1:  # nothing is known of other seeds
                figures = {heading: mean for heading, (mean, _) in figures.items()}
            found.append({"encoder": encoder, "words": title, "priors": len(seeds), **figures})
    return metrics_table(found, reference=0)


def _encoders(rows: Sequence[Mapping], columns: Mapping[str, str]) -> list[dict[str, object]]:
    by_name = {row["method"]: row["metrics"] for row in rows}
    measured = [name for name in CANDIDATES if name in by_name and "not_measured" not in by_name[name]]
    return [{"encoder": CANDIDATES[name].title, **_figures(by_name[name], columns)} for name in measured]


def _figures(metrics: Mapping[str, object], columns: Mapping[str, str]) -> dict[str, object]:
    rounded = {heading: metrics[key] for heading, key in columns.items() if key in metrics}
    return {k: [round(x, 3) for x in v] if isinstance(v, list) else round(v, 2) for k, v in rounded.items()}
