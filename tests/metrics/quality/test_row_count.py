from __future__ import annotations

from barograph.metrics.quality.row_count import row_count
from barograph.outcome import Estimate
from barograph.sketches.counts import Counts


def test_all_rows_count_whatever_is_in_them() -> None:
    assert row_count(Counts(rows=7, null=3, type_errors=4)) == Estimate(value=7.0, n=7)


def test_no_rows_are_a_count_of_zero() -> None:
    assert row_count(Counts()) == Estimate(value=0.0, n=0)
