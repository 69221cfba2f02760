"""Intervals for shares and means."""

from __future__ import annotations

from typing import Any  # an estimate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from barograph.metrics.intervals import wilson
from barograph.metrics.performance._intervals import (
    bounded_estimate,
    mean_loss,
    mean_of_rows,
    share_of,
    square_root,
    t_quantile,
)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(k_n: tuple[int, int]) -> None:
    k, n = k_n
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("df", [1, 2.5, 10, 1e6])
def test_t_quantile_is_that_of_scipy(df: float) -> None:
    assert t_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-9)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=50).filter(lambda x: np.ptp(x) > 1e-3))
def test_a_mean_has_the_interval_of_student(x: list[float]) -> None:
    outcome: Any = mean_of_rows(len(x), float(np.sum(x)), float(np.sum(np.square(x))))
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert outcome.standard_error == pytest.approx(stats.sem(x), rel=1e-6)
    assert (outcome.lower, outcome.upper) == pytest.approx((expected.low, expected.high), rel=1e-6)


def test_the_interval_of_a_loss_is_symmetric_in_the_logarithm_and_above_zero() -> None:
    outcome: Any = mean_loss(4, 2.0, 4.0)
    assert outcome.lower is not None
    assert outcome.upper is not None
    assert outcome.lower > 0
    assert outcome.lower * outcome.upper == pytest.approx(outcome.value**2)


def test_one_row_and_equal_rows_have_no_interval() -> None:
    for n, value in ((1, 3.0), (5, 3.0), (5, 0.0), (1000, 0.1)):
        outcome: Any = mean_loss(n, n * value, n * value**2)
        assert outcome.value == pytest.approx(value)
        assert (outcome.standard_error, outcome.lower, outcome.upper) == (None, None, None)
        root: Any = square_root(outcome)
        assert root.value == pytest.approx(np.sqrt(value))
        assert root.standard_error is None


def test_a_share_of_nothing_or_all_is_not_certain() -> None:
    for k in (0, 20):
        outcome: Any = share_of(k, 20)
        assert outcome.standard_error is not None
        assert outcome.standard_error > 0.02
        assert outcome.lower is not None
        assert outcome.upper is not None
        assert outcome.upper - outcome.lower > 0.1


def test_a_share_is_the_special_case_of_a_bounded_number() -> None:
    outcome: Any = bounded_estimate(0.3, 1000, variance=0.3 * 0.7 / 1000, effective=1000, df=1e9)
    assert (outcome.lower, outcome.upper) == pytest.approx(wilson(0.3, 1000), abs=1e-6)
