"""The numbers that a page claims, checked while it runs and listed at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from videomdm.plots import Table


@dataclass
class Claims:
    """Claims of a page: each is asserted when it is made, and all are shown in one table."""

    rows: list[tuple[str, float, float, float]] = field(default_factory=list)

    def check(self, claim: str, value: float, expected: float, tolerance: float) -> float:
        """Assert ``|value - expected| <= tolerance``, note the claim, and return ``value``.

        Raises:
            AssertionError: the claim does not hold; names the claim, the value and what was expected.
        """
        value = float(value)
        if not abs(value - expected) <= tolerance:
            raise AssertionError(f"{claim}: {value:.6g}, expected {expected:.6g} within {tolerance:.2g}")
        self.rows.append((claim, value, float(expected), tolerance))
        return value

    def table(self) -> Table:
        """Claim, value, expected and tolerance as a markdown table."""
        lines = ["| claim | value | expected | tolerance |", "|:---|---:|---:|---:|"]
        lines += [
            f"| {claim} | {value:.5g} | {expected:.5g} | {tol:.1g} |" for claim, value, expected, tol in self.rows
        ]
        return Table("\n".join(lines))
