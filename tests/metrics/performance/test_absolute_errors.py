"""The median and the maximum of absolute errors, against numpy on the rows."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import polars as pl
import pytest

import barograph
from barograph.metrics.performance.error_quantile import error_quantile
from barograph.metrics.performance.max_absolute_error import max_absolute_error
from barograph.metrics.performance.median_absolute_error import median_absolute_error
from barograph.outcome import Estimate, Undefined
from barograph.sketches.histogram import Histogram

SHIFTS = [-4.0, -0.3, 0.0, 0.3, 4.0]


@pytest.mark.parametrize("shift", SHIFTS)
def test_against_the_rows(tables: ModuleType, shift: float) -> None:
    errors = np.random.default_rng(2).normal(shift, 1.0, 5_000)
    binned = tables.histogram(errors, np.unique(np.quantile(errors, np.linspace(0, 1, 257))))
    median, largest = median_absolute_error(binned), max_absolute_error(binned)
    assert isinstance(median, Estimate)
    assert isinstance(largest, Estimate)
    assert median.value == pytest.approx(np.median(np.abs(errors)), abs=0.01)
    assert largest.value == np.abs(errors).max()
    assert median.n == largest.n == 5_000


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_interval_covers_the_median(tables: ModuleType, shift: float) -> None:
    rng = np.random.default_rng(7)
    truth = float(np.median(np.abs(rng.normal(shift, 1.0, 2_000_000))))
    edges = np.linspace(-3, 3, 301)
    found = [median_absolute_error(tables.histogram(rng.normal(shift, 1.0, 200), edges)) for _ in range(1_000)]
    covered = np.mean([f.lower <= truth <= f.upper for f in found])
    assert 0.925 < covered < 0.985
    assert np.mean([f.standard_error for f in found]) == pytest.approx(np.std([f.value for f in found]), rel=0.1)


MOVES = {
    "as they were": lambda e: e,
    "of another unit": lambda e: 40 * e,
    "off by far": lambda e: e + 300,
    "another sign": lambda e: -e,
    "a tenth": lambda e: e / 10,
    "nearly none": lambda e: e / 10_000,
    "none": lambda e: 0 * e,
    "whole": np.round,
    "all one": lambda e: 0 * e + 7,
    "one beyond all others": lambda e: np.append(40 * e[1:], 1e9),
}


@pytest.mark.parametrize("move", MOVES)
def test_quantiles_hold_where_errors_are_not_those_of_the_reference(move: str) -> None:
    rng = np.random.default_rng(8)
    label, noise = rng.normal(50, 10, 20_000), rng.gamma(3, 2, 20_000) - 4
    reference = barograph.fit(pl.DataFrame({"label": label, "prediction": label + noise}), label="label")
    errors = MOVES[move](rng.gamma(3, 2, 20_000) - 4)
    current = pl.DataFrame({"label": label, "prediction": label + errors})
    found = reference.profile(current).total().errors
    assert found is not None
    for outcome, exact in (
        (median_absolute_error(found), np.median(np.abs(errors))),
        *((error_quantile(found, q=q), np.quantile(errors, q)) for q in (0.05, 0.5, 0.95)),
    ):
        assert isinstance(outcome, Estimate)
        told, size = outcome.binning_error or 0.0, np.abs(errors).mean()
        assert abs(outcome.value - exact) <= max(told, 0.005 * size) + 1e-9, (outcome, exact)
        assert outcome.lower is None or outcome.lower - 1e-9 <= exact <= outcome.upper + 1e-9, (outcome, exact)
        if move in ("as they were", "none", "all one"):
            assert not told > 1e-9
        elif move not in ("a tenth", "nearly none"):
            assert told < 0.2 * size, "what is told as a bound says something"


def test_errors_of_one_size_have_no_spread(tables: ModuleType) -> None:
    median = median_absolute_error(tables.histogram(np.full(60, -2.0), np.array([-2.0, np.nextafter(-2.0, 0), 1.0])))
    assert isinstance(median, Estimate)
    assert median.value == pytest.approx(2.0)
    assert median.standard_error is None


def test_few_rows_have_no_interval(tables: ModuleType) -> None:
    median = median_absolute_error(tables.histogram(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.5, 2.5])))
    assert isinstance(median, Estimate)
    assert median.lower is median.upper is median.standard_error is None


def test_without_rows_there_is_none() -> None:
    for function in (median_absolute_error, max_absolute_error):
        assert function(Histogram.empty((0.0, 1.0))) == Undefined("no row has both a prediction and a label")
