"""Claims of pages."""

import pytest

from videomdm.pages.claims import Claims


def test_a_claim_that_holds_is_listed_and_one_that_does_not_stops_the_page():
    claims = Claims()
    assert claims.check("two and two", 4.0001, 4, 1e-3) == 4.0001
    with pytest.raises(AssertionError, match="pi: 3.2, expected 3.14159 within 0.01"):
        claims.check("pi", 3.2, 3.14159, 0.01)
    with pytest.raises(AssertionError):
        claims.check("NaN never holds", float("nan"), 0, 1)
    assert claims.table().splitlines()[2:] == ["| two and two | 4.0001 | 4 | 0.001 |"]
