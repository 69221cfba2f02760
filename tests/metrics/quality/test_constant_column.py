from __future__ import annotations

from math import nextafter

import pytest

from barograph.metrics.quality.constant_column import constant_column
from barograph.outcome import Estimate, Undefined
from barograph.sketches.histogram import Binned, Categories, Histogram

NEXT = nextafter(4.0, 5.0)


@pytest.mark.parametrize(
    ("current", "constant"),
    [
        (Histogram((0, 10), (0, 50, 0), minimum=4.0, maximum=4.0), True),
        (Histogram((0, 10), (0, 50, 0), minimum=4.0, maximum=NEXT), False),  # two values in one bin
        (Histogram((0, 10), (0, 0, 2), above_sum=40.0, minimum=20.0, maximum=20.0), True),
        (Categories(("a", "b"), (9, 0, 0, 0)), True),
        (Categories(("a", "b"), (9, 1, 0, 0)), False),
        (Categories(("a", "b"), (9, 0, 0, 1)), False),
        (Categories(("a", "b"), (0, 0, 4, 5)), False),  # known and unseen: two categories at least
    ],
)
def test_a_column_is_constant_if_all_its_values_are_the_same(current: Binned, constant: bool) -> None:
    assert constant_column(current) == Estimate(value=float(constant), n=current.n)


def test_what_cannot_be_known_is_undefined() -> None:
    assert constant_column(Histogram.empty((0, 10))) == Undefined("current has no rows")
    assert constant_column(Categories(("a",), (1, 0, 0))) == Undefined("current has fewer than two rows")
    for counts in ((0, 0, 9), (0, 9, 0)):
        assert constant_column(Categories(("a",), counts)) == Undefined(
            "all rows have categories that are not counted one by one"
        )
