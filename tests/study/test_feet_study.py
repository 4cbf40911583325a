"""How feet are held was chosen: the rule, and what it says of the results that are stored."""

import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from videomdm import sample
from videomdm.data import procedural
from videomdm.study import feet

RESULTS = Path(__file__).parents[2] / "results"
REAL = {
    "skating": 0.04,
    "foot_speed": 0.05,
    "acceleration": 4.0,
    "knees": 5.0,
    "jitter": 80.0,
    "path_length": 3.0,
    "root_height": 0.8,
}


class TestUnlikeness:
    def test_by_hand(self):
        assert feet.unlikeness(REAL, REAL) == 0
        given = REAL | {"skating": 0.08, "acceleration": 2.0, "path_length": 6.0}
        assert feet.unlikeness(given, REAL) == pytest.approx(3 * math.log(2) / 7)

    def test_fewer_slides_than_real_ones_are_no_fault_but_in_real_motions(self):
        still = REAL | {"skating": 0.02, "foot_speed": 0.025}
        assert feet.unlikeness(still, REAL) == 0
        assert feet.unlikeness(still, REAL, less_is_fine=False) == pytest.approx(2 * math.log(2) / 7)


def test_moves_are_in_the_order_of_the_captions():
    corpus = procedural.generate(5, max_frames=50)
    prior = sample.load(sample.SHIPPED)
    rows = [torch.tensor([3, 0]), torch.tensor([4, 1, 2])]
    batches = [(part, corpus.joints[part], corpus.lengths[part]) for part in rows]
    whole = feet.moves(corpus.joints, corpus.lengths, corpus.skeleton, corpus.fps)
    for name, found in feet.held_moves(batches, None, prior).items():
        torch.testing.assert_close(found, whole[name])
    held = feet.held_moves(batches, sample.Holding(), prior)
    assert not torch.equal(held["path_length"], whole["path_length"])


class TestChosen:
    def test_the_defaults_are_the_best_way_that_was_tried(self):
        real, free, best, *others = feet.ways(RESULTS)
        assert {name: best[name] for name in asdict(sample.Holding())} == asdict(sample.Holding())
        assert best["skating"] < free["skating"] and best["foot_speed"] < free["foot_speed"]
        for name, values in feet.TRIED.items():
            assert {row[name] for row in (best, *others)} == set(values)
        assert best["unlikeness"] == pytest.approx(feet.unlikeness(best, real))

    def test_the_table_shows_all_of_them(self):
        rows = feet.table(RESULTS)
        assert [row[""] for row in rows[:4]] == ["real", "free", "held, 1", "held, 2"] and len(rows) == len(
            feet.ways(RESULTS)
        )
        assert list(rows[2]) == ["", *feet.TITLES.values()]
