"""Metrics of regressions."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from barograph.errors import SpecError
from barograph.metrics.performance.bias import bias
from barograph.metrics.performance.error_quantile import error_quantile
from barograph.metrics.performance.mae import mae
from barograph.metrics.performance.mape import mape
from barograph.metrics.performance.mse import mse
from barograph.metrics.performance.msle import msle
from barograph.metrics.performance.r2 import r2
from barograph.metrics.performance.rmse import rmse
from barograph.metrics.performance.rmsle import rmsle
from barograph.outcome import Estimate, Undefined
from barograph.sketches.histogram import Histogram

ORACLES = (
    (mae, sk.mean_absolute_error),
    (mse, sk.mean_squared_error),
    (rmse, sk.root_mean_squared_error),
    (mape, sk.mean_absolute_percentage_error),
    (msle, sk.mean_squared_log_error),
    (rmsle, sk.root_mean_squared_log_error),
    (r2, sk.r2_score),
    (bias, lambda y, p: np.mean(p - y)),
)
values = st.integers(2, 60).flatmap(lambda n: arrays(np.float64, (2, n), elements=st.floats(0.01, 1000)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(values.filter(lambda v: np.ptp(v[0]) > 0.1), st.integers(1, 4))
def test_equal_to_scikit_learn(tables: ModuleType, label_and_prediction: Any, leaves: int) -> None:
    y, p = label_and_prediction
    cells = tables.regression_cells(p, y, leaf=np.arange(len(y)) % leaves, bins=5)
    for ours, theirs in ORACLES:
        outcome = ours(cells)
        assert isinstance(outcome, Estimate), outcome
        assert outcome.value == pytest.approx(theirs(y, p), rel=1e-9, abs=1e-9), ours.__name__
        assert outcome.n == len(y)
        if outcome.lower is not None:
            assert outcome.lower <= outcome.value <= outcome.upper


@pytest.mark.parametrize("function", [mae, mse, mape, msle, bias])
def test_standard_error_is_that_of_the_rows(tables: ModuleType, function: Any) -> None:
    rng = np.random.default_rng(1)
    p = rng.gamma(5, size=500)
    y = p * np.exp(rng.normal(0, 0.2, 500))
    each = {mae: abs(p - y), mse: (p - y) ** 2, mape: abs(p / y - 1), msle: np.log((1 + p) / (1 + y)) ** 2, bias: p - y}
    outcome = function(tables.regression_cells(p, y))
    assert outcome.standard_error == pytest.approx(each[function].std(ddof=1) / np.sqrt(500), rel=1e-9)


@pytest.mark.parametrize(("slope", "tolerance"), [(1.0, 0.02), (0.3, 0.05), (-0.2, 0.15)])
def test_standard_error_of_r2_is_that_of_its_influence(tables: ModuleType, slope: float, tolerance: float) -> None:
    rng = np.random.default_rng(2)
    p = rng.normal(3, 1, 20_000)
    y = slope * p + rng.normal(0, 0.8, 20_000)
    outcome = r2(tables.regression_cells(p, y, bins=30))
    ratio = np.mean((p - y) ** 2) / y.var()
    influence = ((p - y) ** 2 - ratio * (y - y.mean()) ** 2) / y.var()
    assert isinstance(outcome, Estimate)
    assert outcome.standard_error == pytest.approx(influence.std() / np.sqrt(20_000), rel=tolerance)


def test_quantiles_are_those_of_the_rows(tables: ModuleType) -> None:
    rng = np.random.default_rng(3)
    e = rng.standard_t(4, 50_000)
    histogram = tables.histogram(e, np.unique(np.quantile(rng.standard_t(4, 50_000), np.linspace(0, 1, 257)[1:-1])))
    for q, tolerance in ((0.01, 1), (0.05, 0.25), (0.5, 0.25), (0.9, 0.25), (0.99, 1)):
        outcome = error_quantile(histogram, q=q)
        assert isinstance(outcome, Estimate)
        assert outcome.value == pytest.approx(np.quantile(e, q), abs=tolerance * outcome.standard_error)
        assert outcome.lower < outcome.value < outcome.upper


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_quantile_lies_within_the_data_and_grows_with_q(tables: ModuleType, e: list[float], q: float) -> None:
    histogram = tables.histogram(np.array(e), np.array([-50.0, -1.0, 0.0, 1e-300, 1.0, 50.0]))
    low, high = error_quantile(histogram, q=q / 2), error_quantile(histogram, q=q)
    assert isinstance(low, Estimate)
    assert isinstance(high, Estimate)
    assert min(e) <= low.value <= high.value <= max(e)
    for bound in (high.lower, high.upper):
        assert bound is None or min(e) <= bound <= max(e)


def test_a_small_sample_has_no_bound_for_a_far_quantile(tables: ModuleType) -> None:
    for n, known in ((71, False), (72, True)):
        outcome = error_quantile(tables.histogram(np.linspace(0, 1, n), np.linspace(0.1, 0.9, 9)), q=0.95)
        assert isinstance(outcome, Estimate)
        assert (outcome.upper is not None) is known
        assert outcome.lower is not None
        assert (outcome.standard_error is not None) is known


def test_a_heavy_value_in_its_own_bin_is_its_own_quantile() -> None:
    h = Histogram((-1, 0, np.nextafter(0, 1), 1), (10, 10, 60, 10, 10), minimum=-2, maximum=2)
    outcome = error_quantile(h, q=0.5)
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(0, abs=1e-300)


@pytest.mark.parametrize("q", [0, 1, -0.1, float("nan")])
def test_q_outside_its_range_is_refused(q: float) -> None:
    with pytest.raises(SpecError, match="between 0 and 1"):
        error_quantile(Histogram((0,), (1, 1), minimum=-1, maximum=1), q=q)


def test_no_errors_have_no_quantile() -> None:
    assert error_quantile(Histogram.empty((0,))) == Undefined("no row has both a prediction and a label")


def test_rows_whose_label_is_zero_have_no_percentage(tables: ModuleType) -> None:
    p, y = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 4.0])
    outcome = mape(tables.regression_cells(p, y))
    assert isinstance(outcome, Estimate)
    assert (outcome.value, outcome.n) == (pytest.approx((1 + 0.25) / 2), 2)
    assert mape(tables.regression_cells(p, np.zeros(3))) == Undefined(
        "all labels are 0: an error has no size relative to 0"
    )


@pytest.mark.parametrize("function", [msle, rmsle])
@pytest.mark.parametrize(("p", "y"), [([1.0, 2.0], [-1.0, 3.0]), ([-5.0, 2.0], [1.0, 3.0])])
def test_minus_one_has_no_logarithm(tables: ModuleType, function: Any, p: list[float], y: list[float]) -> None:
    outcome = function(tables.regression_cells(np.array(p), np.array(y)))
    assert outcome == Undefined("1 of 2 rows have a prediction or label of -1 or less, which has no ln(1 + x)")


def test_constant_labels_have_no_variance_to_explain(tables: ModuleType) -> None:
    cells = tables.regression_cells(np.arange(5.0), np.full(5, 0.1))
    assert r2(cells) == Undefined("the labels are constant: there is no variance to explain")


def test_one_row(tables: ModuleType) -> None:
    cells = tables.regression_cells(np.array([2.0]), np.array([3.0]))
    assert r2(cells) == Undefined("R² needs two rows with a label, there is one")
    assert mae(cells) == Estimate(value=1.0, n=1)
    assert bias(cells) == Estimate(value=-1.0, n=1)


def test_perfect_predictions_have_a_value_but_no_interval(tables: ModuleType) -> None:
    cells = tables.regression_cells(np.arange(5.0), np.arange(5.0))
    for function in (mae, mse, rmse, msle, rmsle, mape):
        outcome = function(cells)
        assert isinstance(outcome, Estimate)
        assert (outcome.value, outcome.standard_error, outcome.upper) == (0, None, None)
    outcome = r2(cells)
    assert isinstance(outcome, Estimate)
    assert (outcome.value, outcome.standard_error) == (1, None)


def test_rows_without_a_prediction_are_named(tables: ModuleType) -> None:
    cells = tables.regression_cells(np.array([np.nan, np.nan]), np.array([1.0, 2.0]))
    assert mae(cells) == Undefined("no row has a usable prediction")
