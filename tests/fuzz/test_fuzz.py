"""Files spoilt at random are refused by name, noted, or read as they were; see ``fuzz.py``, which does many more."""

import fuzz
import numpy as np
import pytest

MUTATIONS = 1600  # half a minute of processor time; 10,000 by `python tests/fuzz/fuzz.py`


@pytest.mark.slow
def test_spoilt_files():
    outcomes, faults = fuzz.run(MUTATIONS)
    assert not faults, "\n".join(faults)
    assert sum(outcomes.values()) == MUTATIONS
    for outcome in ("refused", "noted", "read alike"):
        assert outcomes[outcome] > 0.02 * MUTATIONS, "the mutations would show nothing"


class TestMoved:
    """What the fuzz calls another motion."""

    GOOD = np.zeros((60, 22, 3))

    def moved(self, change):
        found = self.GOOD.copy()
        change(found)
        return fuzz.moved(self.GOOD, found)

    def test_little_or_seldom_is_none(self):
        assert self.moved(lambda x: x.__iadd__(0.02)) is None
        assert self.moved(lambda x: x[10:14, 3].__iadd__(0.3)) is None
        assert self.moved(lambda x: x[:, 3].fill(np.nan)) is None

    def test_much_or_often_is(self):
        assert "more than 5 cm in 100 %" in self.moved(lambda x: x[:, 3].__iadd__(0.06))
        assert "0.87 m off" in self.moved(lambda x: x[10, 3].__iadd__(0.5))
        assert "not (60, 22, 3)" in fuzz.moved(self.GOOD, self.GOOD[:, :17])

    def test_two_frames_are_the_same_time(self):
        good = np.linspace(0, 3, 60)[:, None, None] * np.ones((1, 22, 3))
        assert fuzz.moved(good, good[2:]) is None and fuzz.moved(good, good[4:]) is not None
