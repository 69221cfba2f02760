"""Missing, unseen, out-of-range, mistyped and repeated values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from barograph.metrics.quality._shares import share
from barograph.metrics.quality.duplicate_share import duplicate_share
from barograph.metrics.quality.missing_share import missing_share
from barograph.metrics.quality.out_of_range_share import out_of_range_share
from barograph.metrics.quality.type_error_share import type_error_share
from barograph.metrics.quality.unseen_share import unseen_share
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.counts import Counts
from barograph.sketches.distinct import Distinct

COLUMN = Counts(
    rows=1_000, null=30, nan=20, negative_inf=1, positive_inf=2, below=4, above=8, other=16, unseen=32, type_errors=100
)
PRESENT = 1_000 - 30 - 20 - 100


def value(outcome: Outcome) -> float:
    assert isinstance(outcome, Estimate)
    return outcome.value


# Oracle


def test_each_share_counts_its_own_rows_out_of_its_own_whole() -> None:
    assert value(missing_share(COLUMN)) == 50 / 1_000
    assert value(type_error_share(COLUMN)) == 100 / 1_000
    assert value(unseen_share(COLUMN)) == 32 / PRESENT
    assert value(out_of_range_share(COLUMN)) == (1 + 2 + 4 + 8) / PRESENT


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(drawn: tuple[int, int]) -> None:
    part, n = drawn
    estimate = share(part, n)
    expected = binomtest(part, n).proportion_ci(method="wilson")
    assert (estimate.lower, estimate.upper) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert estimate.lower is not None
    assert estimate.upper is not None
    assert estimate.lower <= estimate.value <= estimate.upper
    assert estimate.standard_error is not None
    assert estimate.standard_error > 0


def test_duplicates_are_all_but_the_first_of_each_event() -> None:
    hashes = np.repeat(np.array([3, 5, 9, 12], np.uint64), [1, 4, 2, 1])
    outcome = duplicate_share(Distinct.of(hashes, k=100))
    assert isinstance(outcome, Estimate)
    assert (outcome.value, outcome.n) == (4 / 8, 8)


def test_duplicates_are_estimated_when_there_are_more_events_than_the_sketch_holds() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 2**63, 20_000).astype(np.uint64)
    hashes = np.concatenate((ids, ids[:5_000]))
    outcome = duplicate_share(Distinct.of(hashes, k=1_000))
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(0.2, abs=4 * 0.012)
    assert 1_000 < outcome.n < 1_500


# Laws


def test_one_event_sent_often_is_known_less_well_than_many_sent_twice() -> None:
    often = duplicate_share(Distinct.of(np.append(np.arange(900), np.zeros(100)).astype(np.uint64), k=2_000))
    twice = duplicate_share(Distinct.of(np.append(np.arange(900), np.arange(100)).astype(np.uint64), k=2_000))
    assert isinstance(often, Estimate)
    assert isinstance(twice, Estimate)
    assert often.value == twice.value == 0.1
    assert often.standard_error is not None
    assert twice.standard_error is not None
    assert often.standard_error > 5 * twice.standard_error


# Coverage


@pytest.mark.parametrize("n", [50, 500, 5_000])
@pytest.mark.parametrize("true", [0.01, 0.1, 0.5])
def test_intervals_of_shares_cover(true: float, n: int) -> None:
    parts = np.random.default_rng(1).binomial(n, true, 4_000)
    bounds = {part: share(part, n) for part in set(parts.tolist())}
    covered = np.mean([(bounds[p].lower or 0) <= true <= (bounds[p].upper or 0) for p in parts.tolist()])
    assert 0.9 <= covered <= 0.99  # Wilson's is 0.911 at one expected row of fifty, which counts cannot hit better


@pytest.mark.parametrize("repeats", [1.0, 8.0])
def test_intervals_of_duplicates_cover(repeats: float) -> None:
    """Every twentieth event is sent again, once or in bursts; the share in the long run is known."""
    rng = np.random.default_rng(2)
    extra = 1.0 + (repeats - 1.0)
    true = 0.05 * extra / (1 + 0.05 * extra)
    covered = 0
    for _ in range(400):
        again = rng.random(2_000) < 0.05
        counts = 1 + again * (rng.geometric(1 / repeats, 2_000) if repeats > 1 else 1)
        hashes = np.repeat(np.arange(2_000), counts).astype(np.uint64)
        outcome = duplicate_share(Distinct.of(hashes, k=10_000))
        assert isinstance(outcome, Estimate)
        assert outcome.lower is not None
        assert outcome.upper is not None
        covered += outcome.lower <= true <= outcome.upper
    assert 0.92 <= covered / 400 <= 0.98


# Bad input


def test_no_rows_and_nothing_present_are_undefined() -> None:
    for metric in (missing_share, type_error_share, unseen_share, out_of_range_share):
        assert metric(Counts()) == Undefined("current has no rows")
    assert duplicate_share(Distinct.empty(8)) == Undefined("current has no rows")
    for metric in (unseen_share, out_of_range_share):
        assert metric(Counts(rows=9, null=4, nan=5)) == Undefined("current has no present values")


def test_one_row_is_a_share_with_a_wide_interval() -> None:
    outcome = missing_share(Counts(rows=1, null=1))
    assert isinstance(outcome, Estimate)
    assert (outcome.value, outcome.upper) == (1.0, 1.0)
    assert outcome.lower is not None
    assert outcome.lower < 0.25
