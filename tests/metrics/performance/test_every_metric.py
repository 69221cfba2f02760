"""Laws that hold for every metric of the family."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from barograph.metrics import Metric
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.histogram import Histogram
from barograph.sketches.scores import PENDING, ScoreTable

OPTIONS: dict[str, dict[str, Any]] = {"business_value": {"values": (0, -1, -20, 5)}}
SKETCHES = {"ScoreTable": ScoreTable, "ClassTables": ClassTables, "RegressionCells": RegressionCells}
EDGES = np.linspace(0, 1, 65)[1:-1]


def measure(metric: Metric, current: Any) -> Outcome:
    return metric.function(current, **OPTIONS.get(metric.name, {}))


def takes(metric: Metric, kind: type) -> bool:
    annotation = metric.inputs["current"]
    return kind is annotation or kind in getattr(annotation, "__args__", ())


def sketches(tables: ModuleType, kind: type, rows: slice, *, pending: bool = False) -> Any:
    """Return a sketch of some of the 3,000 rows of one model, with labels or with none."""
    rng = np.random.default_rng(20)
    if kind is ScoreTable:
        of_model = tables.binary_rows(rng, 3_000)
        label = np.full(3_000, tables.MISSING) if pending else of_model.label
        return tables.score_table(tables.Rows(of_model.score, label, of_model.predicted)[rows], EDGES)
    if kind is ClassTables:
        probabilities, label, predicted = tables.multiclass_rows(rng, 3_000, 3)
        label = np.full(3_000, tables.MISSING) if pending else label
        return tables.class_tables(probabilities[rows], label[rows], predicted[rows], [EDGES] * 3)
    p = rng.gamma(3, size=3_000)
    y = np.full(3_000, np.nan) if pending else p * np.exp(rng.normal(0, 0.3, 3_000))
    if kind is Histogram:
        return tables.histogram((p - y)[rows], np.linspace(-3, 3, 61))
    return tables.regression_cells_with(np.arange(1.0, 9.0), p[rows], y[rows], leaf=np.arange(3_000)[rows] % 4)


KINDS = (ScoreTable, ClassTables, RegressionCells, Histogram)


@pytest.mark.parametrize("kind", KINDS)
def test_merging_two_halves_gives_the_whole(tables: ModuleType, performance: Mapping[str, Metric], kind: type) -> None:
    first, second, whole = (
        sketches(tables, kind, rows) for rows in (slice(0, 1000), slice(1000, 3000), slice(0, 3000))
    )
    merged = first.merge(second)
    measured = 0
    for metric in performance.values():
        if takes(metric, kind):
            one, other = measure(metric, merged), measure(metric, whole)
            assert isinstance(one, Estimate), (metric.name, one)
            assert isinstance(other, Estimate)
            assert one.n == other.n
            for field in ("value", "standard_error", "lower", "upper"):
                if getattr(other, field) is None:  # no honest one is known
                    assert getattr(one, field) is None
                    continue
                expected = pytest.approx(getattr(other, field), rel=1e-9, abs=1e-12)
                assert getattr(one, field) == expected, (metric.name, field)
            measured += 1
    assert measured


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_intervals_lie_within_the_bounds(
    tables: ModuleType, performance: Mapping[str, Metric], kind: type
) -> None:
    for metric in performance.values():
        for size in (1, 2, 5, 30, 3_000):
            if takes(metric, kind):
                outcome = measure(metric, sketches(tables, kind, slice(0, size)))
                if isinstance(outcome, Estimate):
                    low, high = metric.bounds
                    assert low <= outcome.value <= high, metric.name
                    assert outcome.lower is None or low <= outcome.lower <= outcome.value + 1e-12, metric.name
                    assert outcome.upper is None or outcome.value - 1e-12 <= outcome.upper <= high, metric.name
                    assert 0 < outcome.n <= size
                    assert type(outcome.value) is float


@pytest.mark.parametrize("kind", [ScoreTable, ClassTables, RegressionCells])
def test_no_rows_and_no_labels_have_a_reason(tables: ModuleType, performance: Mapping[str, Metric], kind: type) -> None:
    empty = sketches(tables, kind, slice(0, 0)) if kind is not RegressionCells else RegressionCells.empty([], leaves=2)
    pending = sketches(tables, kind, slice(0, 50), pending=True)
    for metric in performance.values():
        if takes(metric, kind):
            assert measure(metric, empty) == Undefined("current has no rows"), metric.name
            assert measure(metric, pending) == Undefined("no labels have arrived"), metric.name


def test_a_pending_row_never_counts(tables: ModuleType, performance: Mapping[str, Metric]) -> None:
    table = sketches(tables, ScoreTable, slice(0, 3_000))
    more = sketches(tables, ScoreTable, slice(0, 3_000))
    more.counts[:, :, PENDING] += 5
    more.sums[:, PENDING] += 2.0
    for metric in performance.values():
        if takes(metric, ScoreTable):
            assert measure(metric, more) == measure(metric, table), metric.name
