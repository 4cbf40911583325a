"""Pairs in equal numbers, sides at random."""

import numpy as np
import pytest

from videomdm.survey.design import balanced, frequencies

SIZES = [(2, 10, 20, 10), (6, 37, 52, 20), (3, 4, 7, 9), (5, 1, 3, 4)]  # NBA's, Fit3D's, odd ones


@pytest.mark.parametrize("sizes", SIZES)
def test_all_pairs_equally_often_at_any_moment(sizes):
    design = balanced(*sizes, seed=1)
    n_pairs = sizes[0] * (sizes[0] - 1) // 2
    for n in range(1, len(design) + 1):
        counts = [times for times, _ in frequencies(design[:n]).values()] + [0] * n_pairs
        counts = sorted(counts, reverse=True)[:n_pairs]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == n * sizes[3]


@pytest.mark.parametrize("sizes", SIZES)
def test_sides_and_captions(sizes):
    design = balanced(*sizes, seed=1)
    assert all(abs(2 * first - times) <= 1 for times, first in frequencies(design).values())
    assert (design[..., 1] != design[..., 2]).all()
    captions = np.bincount(design[..., 0].ravel(), minlength=sizes[1])
    assert captions.max() - captions.min() <= 1
    for row in design[..., 0]:
        seen = np.bincount(row, minlength=sizes[1])
        assert seen.max() - seen.min() <= 1  # again only after all others


def test_captions_and_pairs_of_methods_are_crossed():
    design = balanced(6, 37, 52, 20, seed=0)
    low, high = design[..., 1:].min(-1), design[..., 1:].max(-1)
    cells = np.zeros((37, 6, 6), int)
    np.add.at(cells, (design[..., 0], low, high), 1)
    cells = cells[:, *np.triu_indices(6, 1)]
    assert cells.sum() == 1040
    assert 0 <= cells.min() <= cells.max() <= 3  # 1.9 on average


def test_sides_are_random_within_blocks():
    """Over seeds, each of the first comparisons has the first method on the left about half of the time."""
    left = np.array([balanced(2, 10, 1, 10, seed)[0, :, 1] == 0 for seed in range(400)])
    assert np.abs(left.mean(0) - 0.5).max() < 0.1  # 4 standard errors


def test_the_seed_decides():
    assert (balanced(3, 5, 4, 6, 7) == balanced(3, 5, 4, 6, 7)).all()
    assert (balanced(3, 5, 4, 6, 7) != balanced(3, 5, 4, 6, 8)).any()


@pytest.mark.parametrize("sizes", [(1, 3, 2, 2), (2, 0, 2, 2), (2, 3, 0, 2), (2, 3, 2, 0)])
def test_nothing_to_compare(sizes):
    with pytest.raises(ValueError, match="expected at least two methods"):
        balanced(*sizes)
