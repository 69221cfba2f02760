"""Metrics of a user's own, from another module than barograph's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

import barograph
from barograph.errors import SpecError
from barograph.metrics import _REGISTERED, catalogue, metric
from barograph.monitors.defaults import default_monitors
from barograph.outcome import Estimate, Outcome
from barograph.reference.fit import fit
from barograph.report.check import check
from barograph.sketches.cells import RegressionCells
from barograph.sketches.counts import Counts
from barograph.sketches.histogram import Binned


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    """Forget what a test has registered."""
    before = dict(catalogue())
    yield
    _REGISTERED.clear()
    _REGISTERED.update(before)
    catalogue.cache_clear()


def frame(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=600)
    return pl.DataFrame({"x": x, "y_pred": 2 * x, "y_true": 2 * x + rng.normal(size=600)})


def test_a_metric_is_computed_where_it_is_asked_for() -> None:
    @barograph.metric(unit="label", bounds=(0.0, float("inf")), better="lower", relative_tolerance=0.1)
    def half_of_mae(current: RegressionCells) -> Outcome:
        """Measure half of the mean absolute error."""
        return Estimate(value=current.total("absolute_error") / current.n / 2, n=current.n)

    assert ("performance", "half_of_mae") in catalogue()
    now = frame(1)
    assert "half_of_mae" not in {m.metric.name for m in default_monitors(fit(frame(0)).yardstick)}
    report = check(frame(0), now, spec='[[monitors]]\nmetric = "half_of_mae"', chunk="600rows")
    (row,) = [r for r in report.rows if r.metric == "half_of_mae" and not r.segment]
    assert row.value == pytest.approx((now["y_pred"] - now["y_true"]).abs().mean() / 2)
    assert row.family == "performance"


def test_the_family_follows_from_what_a_metric_takes() -> None:
    @metric(unit="", bounds=(0.0, 1.0), better="lower")
    def of_counts(current: Counts) -> Outcome:
        return Estimate(value=0.0, n=current.rows)

    @metric(unit="", bounds=(0.0, 1.0), better="lower")
    def of_two(reference: Binned, current: Binned) -> Outcome:
        return Estimate(value=0.0, n=current.n)

    @metric(unit="", bounds=(0.0, 1.0), better="lower")
    def of_anything(current):  # type: ignore[no-untyped-def]  # as users write
        return Estimate(value=0.0, n=1)

    @metric(unit="", bounds=(0.0, 1.0), better="lower", family="performance")
    def given(current: RegressionCells) -> Outcome:
        return Estimate(value=0.0, n=current.n)

    names = {"of_counts": "quality", "of_two": "drift", "of_anything": "custom", "given": "performance"}
    assert {name: family for family, name in catalogue() if name in names} == names
    with pytest.raises(SpecError, match=r"family must be one of .* Did you mean 'quality'"):
        metric(unit="", bounds=(0.0, 1.0), better="lower", family="qualty")
    for name in ("of_counts", "of_two"):
        report = check(frame(0), frame(1), spec=f'[[monitors]]\nmetric = "{name}"\ncolumns = ["x"]')
        assert {r.column for r in report.rows if r.metric == name} == {"x"}
    with pytest.raises(SpecError, match="Annotate its `current` with the sketch that it takes"):
        check(frame(0), frame(1), spec='[[monitors]]\nmetric = "of_anything"')


def test_a_name_can_be_registered_again_but_not_taken_from_barograph() -> None:
    for value in (0.25, 0.75):

        @metric(unit="", bounds=(0.0, 1.0), better="lower")
        def again(current: RegressionCells, *, value: float = value) -> Outcome:
            return Estimate(value=value, n=current.n)

    report = check(frame(0), frame(1), spec='[[monitors]]\nmetric = "again"')
    assert {r.value for r in report.rows if r.metric == "again"} == {0.75}

    with pytest.raises(SpecError, match="There is a metric 'mae' already"):

        @metric(unit="", bounds=(0.0, 1.0), better="lower")
        def mae(current: RegressionCells) -> Outcome:
            return Estimate(value=0.0, n=current.n)


def test_what_is_no_outcome_is_one_clear_error() -> None:
    @metric(unit="", bounds=(0.0, 1.0), better="lower")
    def careless(current: RegressionCells) -> Outcome:
        return 0.5  # type: ignore[return-value]  # on purpose

    with pytest.raises(SpecError, match=r"metric 'careless' must return an Estimate or Undefined. It returned 0.5"):
        check(frame(0), frame(1), spec='[[monitors]]\nmetric = "careless"')
