"""Who compares what: pairs of methods in equal numbers, sides at random."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def balanced(n_methods: int, n_captions: int, n_participants: int, n_pairs: int, seed: int = 0) -> np.ndarray:
    """Deal out pairs of methods so that all are compared equally often.

    Pairs of methods, captions and combinations of both are used as evenly as they go: at any moment the numbers of
    comparisons of two pairs of methods differ by at most 1, and so do those of two captions.  A participant sees
    a caption again only after all others.  Sides come in blocks of two: of two comparisons of the same methods in
    a row, one has the first method on the left and one on the right, in random order.

    Args:
        n_methods, n_captions, n_participants: how many there are.
        n_pairs: comparisons of one participant.
        seed: of all random choices.

    Returns:
        int64 (n_participants, n_pairs, 3): caption, method on the left, method on the right.

    Raises:
        ValueError: fewer than two methods, or nothing to compare.
    """
    if n_methods < 2 or min(n_captions, n_participants, n_pairs) < 1:
        raise ValueError(
            f"{n_methods} methods, {n_captions} captions, {n_participants} participants with {n_pairs} pairs each; "
            "expected at least two methods and one of the others"
        )
    rng = np.random.default_rng(seed)
    couples = list(combinations(range(n_methods), 2))
    couple_used, caption_used = np.zeros(len(couples), int), np.zeros(n_captions, int)
    both_used = np.zeros((n_captions, len(couples)), int)
    flipped = rng.integers(2, size=len(couples))
    design = np.empty((n_participants, n_pairs, 3), np.int64)
    for participant in range(n_participants):
        seen = np.zeros(n_captions, int)
        for trial in range(n_pairs):
            caption = _least(rng, seen, caption_used)
            couple = _least(rng, couple_used, both_used[caption])
            if couple_used[couple] % 2 == 0:
                flipped[couple] = rng.integers(2)
            is_flipped = flipped[couple] ^ (couple_used[couple] % 2)
            left, right = couples[couple][::-1] if is_flipped else couples[couple]
            design[participant, trial] = caption, left, right
            seen[caption] += 1
            caption_used[caption] += 1
            couple_used[couple] += 1
            both_used[caption, couple] += 1
        rng.shuffle(design[participant])
    return design


def _least(rng: np.random.Generator, *counts: np.ndarray) -> int:
    """Where the first count is least, among these where the second is least, at random among equals."""
    left = np.arange(len(counts[0]))
    for count in counts:
        left = left[count[left] == count[left].min()]
    return int(rng.choice(left))


def frequencies(design: np.ndarray) -> dict[tuple[int, int], tuple[int, int]]:
    """For each pair of methods (a, b), a < b: how often it is compared, and how often with a on the left."""
    counts: dict[tuple[int, int], list[int]] = {}
    for left, right in design[..., 1:].reshape(-1, 2).tolist():
        count = counts.setdefault((min(left, right), max(left, right)), [0, 0])
        count[0] += 1
        count[1] += left < right
    return {pair: (n, first) for pair, (n, first) in sorted(counts.items())}
