"""``videomdm survey analyse``: what votes say, how surely, and how many are needed.

Shares of votes have Wilson's intervals, which treat votes as independent; strengths (Bradley and Terry) and the
intervals beside them come from resampling participants, who each cast several votes and may share a taste.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import optimize, stats

from videomdm.conventions import DataError
from videomdm.storage.text import read_json
from videomdm.survey import store

LEVEL = 0.95
RESAMPLES = 2000
PRIOR = 0.1  # votes added to each side of every pair, so that a method that never lost has a finite strength
RULES = (
    "a participant who preferred shuffled frames in an attention check is left out altogether",
    "a vote that came sooner than its clips last is left out: they cannot have been watched",
)


@dataclass
class Votes:
    """Votes of a survey, one element each; participants, scenes and methods are numbered from 0.

    Attributes:
        participant, scene, winner, loser: int64 (V,).
        methods: their names.
    """

    participant: np.ndarray
    scene: np.ndarray
    winner: np.ndarray
    loser: np.ndarray
    methods: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.winner)

    def wins(self) -> np.ndarray:
        """float64 (P, M, M): how often each participant preferred one method (row) to another (column)."""
        n, m = self.participant.max(initial=-1) + 1, len(self.methods)
        wins = np.zeros((n, m, m))
        np.add.at(wins, (self.participant, self.winner, self.loser), 1)
        return wins


# ---- shares -----------------------------------------------------------------------------------------------


def wilson(wins: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval of a share of ``wins`` among ``n`` independent votes."""
    interval = stats.binomtest(int(wins), int(n)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def votes_for(margin: float, share: float = 0.5, level: float = LEVEL) -> int:
    """How many independent votes make half of Wilson's interval around ``share`` at most ``margin``.

    Raises:
        ValueError: a margin or share that no number of votes has.
    """
    if not 0 < margin < 0.5 or not 0 < share < 1:
        raise ValueError(f"margin {margin} around a share of {share}, expected 0 to 0.5 and 0 to 1, exclusive")
    z2 = stats.norm.ppf((1 + level) / 2) ** 2

    def excess(n: float) -> float:
        return np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n) - margin

    return int(np.ceil(optimize.brentq(excess, 1e-6, 10 * z2 / margin**2) - 1e-9))


def detectable(n: int, power: float = 0.8, level: float = LEVEL) -> float:
    """The least true share above one half that ``n`` independent votes tell from one half, with this power.

    The test is the exact binomial one, two-sided, at ``1 - level``; NaN where not even unanimous votes pass it.
    """
    least = stats.binom.isf((1 - level) / 2, n, 0.5) + 1  # as many wins are significant
    if least > n:
        return float("nan")
    return float(optimize.brentq(lambda share: stats.binom.sf(least - 1, n, share) - power, 0.5, 1 - 1e-12))


# ---- strengths --------------------------------------------------------------------------------------------


def bradley_terry(wins: np.ndarray, prior: float = PRIOR) -> np.ndarray:
    """Strengths of the model P(a is preferred to b) = 1 / (1 + exp(b - a)), by maximum likelihood.

    Args:
        wins: (..., M, M), how often a row's method was preferred to a column's.
        prior: votes added to both sides of every pair.

    Returns:
        (..., M), with mean 0.  Hunter's (2004) minorisation-maximisation, all leading dimensions at once.
    """
    n_methods = wins.shape[-1]
    wins = wins + prior * (1 - np.eye(n_methods))
    pairs = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(-1)
    strength = np.ones_like(won)
    for _ in range(10_000):
        before = strength
        strength = won / (pairs / (strength[..., :, None] + strength[..., None, :])).sum(-1)
        strength = strength / np.exp(np.log(strength).mean(-1, keepdims=True))
        if np.abs(np.log(strength / before)).max() < 1e-10:
            break
    return np.log(strength)


def resampled(wins: np.ndarray, n: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """(n, M, M): sums of the votes of as many participants as there are, drawn with replacement from (P, M, M)."""
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(wins), np.full(len(wins), 1 / len(wins)), size=n)
    return np.tensordot(times.astype(float), wins, axes=1)


def strengths(votes: Votes, level: float = LEVEL, n: int = RESAMPLES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bradley-Terry strengths (M,) and their intervals (2, M) from resampled participants."""
    wins = votes.wins()
    tails = [(1 - level) / 2, (1 + level) / 2]
    return bradley_terry(wins.sum(0)), np.quantile(bradley_terry(resampled(wins, n, seed)), tails, axis=0)


# ---- agreement --------------------------------------------------------------------------------------------


def agreement(votes: Votes) -> tuple[float, float]:
    """How far participants agree on the same two clips, and Krippendorff's alpha for nominal votes.

    Returns:
        The probability that two votes on the same clips agree, and alpha: 1 where they always do, 0 where only as
        often as votes on different clips of the same two methods.  Both NaN where no clips were judged twice; alpha
        is NaN where all votes are the same.  With more than two methods, observed and expected disagreements are
        added up over pairs of methods.
    """
    n_methods, first = len(votes.methods), np.minimum(votes.winner, votes.loser)
    couple = first * n_methods + np.maximum(votes.winner, votes.loser)
    _, unit = np.unique(np.stack([couple, votes.scene]), axis=1, return_inverse=True)
    n_units = unit.max(initial=-1) + 1
    counts = np.zeros((n_units, 2))
    np.add.at(counts, (unit, (votes.winner != first).astype(int)), 1)
    couple_of = np.zeros(n_units, int)
    couple_of[unit] = couple
    judged = counts.sum(1) >= 2
    counts, couple_of = counts[judged], couple_of[judged]
    n = counts.sum(1)
    disagreeing = 2 * counts.prod(1)
    if not len(counts):
        return float("nan"), float("nan")
    totals = np.stack([counts[couple_of == one].sum(0) for one in np.unique(couple_of)])
    expected = (2 * totals.prod(1) / (totals.sum(1) - 1)).sum()
    alpha = 1 - (disagreeing / (n - 1)).sum() / expected if expected else float("nan")
    return float(1 - disagreeing.sum() / (n * (n - 1)).sum()), float(alpha)


# ---- a survey's folder ------------------------------------------------------------------------------------


def analyse(folder: Path, handed_in: Sequence[Path] = ()) -> dict:
    """Everything about the votes of a survey.

    Args:
        folder: that ``videomdm survey make`` made; its ``votes.sqlite`` is read where there is one.
        handed_in: files of answers that participants saved, or folders of them.

    Returns:
        What :func:`report` prints, ready for JSON.

    Raises:
        ValueError: no votes, or an answer that does not belong to this survey.
    """
    key, survey = (
        read_json(folder / name, "a folder that `videomdm survey make` made")
        for name in ("key.json", Path("public") / "survey.json")
    )
    rows = list(_server_votes(folder / "votes.sqlite")) + list(_handed_in(handed_in, survey))
    if not rows:
        raise ValueError(f"{folder}: no votes; expected votes.sqlite from `videomdm survey serve`, or --votes FILE")
    return summary(rows, key)


def _server_votes(path: Path) -> Iterable[dict]:
    return store.read_votes(path) if path.exists() else ()


def _handed_in(paths: Sequence[Path], survey: dict) -> Iterable[dict]:
    seen = set()
    for path in paths:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{path}: no .json files, expected answers that participants handed in")
        for file in files:
            for vote in _checked(file, survey):
                which = vote["participant"], vote["trial"]
                if which not in seen:  # a file handed in twice
                    seen.add(which)
                    yield vote


def _checked(path: Path, survey: dict) -> Iterable[dict]:
    try:
        answers = read_json(path, "answers that a participant handed in")
        if answers["survey"] != survey["survey"]:
            raise ValueError(f"answers to survey {answers['survey']!r}, expected {survey['survey']!r}")
        trials = survey["slots"][answers["slot"]]
        for vote in answers["votes"]:
            trial = trials[vote["trial"]]
            if (vote["left"], vote["right"]) != (trial["left"], trial["right"]):
                raise ValueError(f"trial {vote['trial']} shows {vote['left']} and {vote['right']}, expected "
                                 f"{trial['left']} and {trial['right']}")  # fmt: skip
            if vote["chosen"] not in ("left", "right"):
                raise ValueError(f"chosen {vote['chosen']!r}, expected 'left' or 'right'")
            yield {"participant": str(answers["participant"]), "trial": int(vote["trial"]),
                   "left": vote["left"], "right": vote["right"], "chosen": vote["chosen"],
                   "seconds": float(vote["seconds"]), "replays": int(vote["replays"])}  # fmt: skip
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{path}: not a file of answers ({type(error).__name__}: {error})") from None
    except DataError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def kept(rows: Sequence[dict], key: dict) -> tuple[Votes, dict]:
    """The votes that count by ``RULES``, and how many do not."""
    clips, methods = key["clips"], tuple(key["methods"])
    failed, checks = set(), 0
    comparisons = []
    for row in rows:
        other = "right" if row["chosen"] == "left" else "left"
        row = row | {"winner": clips[row[row["chosen"]]], "loser": clips[row[other]]}
        if row["winner"]["shuffled"] or row["loser"]["shuffled"]:
            checks += 1
            if row["winner"]["shuffled"]:
                failed.add(row["participant"])
        else:
            comparisons.append(row)
    watched = [row for row in comparisons if row["seconds"] >= row["winner"]["seconds"]]
    counted = [row for row in watched if row["participant"] not in failed]
    numbers: dict[str, int] = {}
    for row in counted:
        numbers.setdefault(row["participant"], len(numbers))
    index = {name: k for k, name in enumerate(methods)}
    votes = Votes(
        np.array([numbers[row["participant"]] for row in counted], np.int64),
        np.array([row["winner"]["scene"] for row in counted], np.int64),
        np.array([index[row["winner"]["method"]] for row in counted], np.int64),
        np.array([index[row["loser"]["method"]] for row in counted], np.int64),
        methods,
    )
    report = {
        "rules": list(RULES), "participants": len({row["participant"] for row in rows}),
        "comparisons": len(comparisons), "checks": checks,
        "participants left out": len(failed), "votes too quick": len(comparisons) - len(watched),
        "votes counted": len(counted), "participants counted": len(numbers),
        "left chosen": sum(row["chosen"] == "left" for row in counted),
        "median seconds": float(np.median([row["seconds"] for row in counted])) if counted else None,
    }  # fmt: skip
    return votes, report


def summary(rows: Sequence[dict], key: dict) -> dict:
    """Shares, strengths and agreement of votes with the keys of ``store.VOTE``, given a survey's key.

    Raises:
        ValueError: no vote counts.
    """
    votes, report = kept(rows, key)
    if not len(votes):
        raise ValueError(f"none of {report['comparisons']} votes counts after the exclusion rules")
    wins = votes.wins()
    total = wins.sum(0)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    again = resampled(wins)
    pairs = []
    for a, b in combinations(range(len(votes.methods)), 2):
        n = int(total[a, b] + total[b, a])
        if not n:
            continue
        with np.errstate(invalid="ignore"):
            shares = again[:, a, b] / (again[:, a, b] + again[:, b, a])
        pairs.append({
            "methods": [votes.methods[a], votes.methods[b]], "votes": n, "preferred": int(total[a, b]),
            "share": total[a, b] / n, "wilson": wilson(total[a, b], n),
            "resampled": np.nanquantile(shares, tails).tolist(),
            "p": float(stats.binomtest(int(total[a, b]), n).pvalue),
            "detectable": detectable(n),
        })  # fmt: skip
    found, intervals = strengths(votes)
    same, alpha = agreement(votes)
    return {
        "survey": key["survey"], "counts": report, "pairs": pairs,
        "left": wilson(report["left chosen"], len(votes)),
        "strengths": [
            {"method": name, "strength": float(found[k]), "interval": intervals[:, k].tolist()}
            for k, name in enumerate(votes.methods)
        ],
        "agreement": same, "alpha": alpha,
    }  # fmt: skip


def write(found: dict, path: Path) -> None:
    """Write what :func:`analyse` found as JSON, at once or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(_finite(found), indent=1) + "\n")
    os.replace(partial, path)


def _finite(value: object) -> object:
    """JSON has no NaN: None."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def report(found: dict) -> str:
    """What :func:`analyse` found, as text for a terminal."""
    counts = found["counts"]
    width = max(len(name) for pair in found["pairs"] for name in pair["methods"])
    lines = [
        f"{counts['votes counted']} votes of {counts['participants counted']} participants count, "
        f"of {counts['comparisons']} votes of {counts['participants']} participants.",
        f"Left out: participants who failed an attention check: {counts['participants left out']}; "
        f"votes quicker than their clips: {counts['votes too quick']}.",
        "",
        "Preferred, with 95 % intervals (Wilson; participants resampled) and the exact test against one half:",
    ]
    for pair in found["pairs"]:
        a, b = pair["methods"]
        lines.append(f"  {a:>{width}} over {b:<{width}}  {pair['share']:6.1%}  of {pair['votes']:4d}  "
                     f"[{_percent(pair['wilson'])}]  [{_percent(pair['resampled'])}]  p = {pair['p']:.2g}")  # fmt: skip
    lines += ["", "Strengths (Bradley-Terry, log odds, mean 0; participants resampled):"]
    for one in sorted(found["strengths"], key=lambda one: -one["strength"]):
        low, high = one["interval"]
        lines.append(f"  {one['method']:>{width}}  {one['strength']:+.2f}  [{low:+.2f}, {high:+.2f}]")
    lines += [
        "",
        f"Two participants agree on the same two clips in {found['agreement']:.0%} of cases; "
        f"Krippendorff's alpha {found['alpha']:.2f}.",
        f"The left clip was chosen in {counts['left chosen'] / counts['votes counted']:.0%} "
        f"[{_percent(found['left'])}]; a vote took {counts['median seconds']:.1f} s (median).",
        f"With 80 % power, {found['pairs'][0]['votes']} votes on a pair show a preference of "
        f"{found['pairs'][0]['detectable']:.0%} or more.",
    ]
    return "\n".join(lines)


def _percent(interval: Sequence[float]) -> str:
    return f"{100 * interval[0]:.1f}, {100 * interval[1]:.1f}"
