"""Intervals cover the true value at their level, and standard errors are the spread of the values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from barograph.metrics import Metric
from barograph.outcome import Estimate, Outcome
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

REPLICATES = 1_000
# The interval of the calibration error allows for what is left of its bias, and those of averages over classes for
# any correlation between the classes: they cover more often.
WIDE = {"expected_calibration_error"}
WIDE_OF_CLASSES = WIDE | {"roc_auc", "average_precision", "brier_score"}
OPTIONS: dict[str, dict[str, Any]] = {"business_value": {"values": (0, -1, -20, 5)}}


def coverage(
    measures: Mapping[str, Callable[[Any], Outcome]], population: Any, samples: Iterable[Any]
) -> dict[str, tuple[float, float]]:
    """Return, for each measure, how often its interval holds the population's value, and mean error over spread."""
    truth = {name: measure(population).value for name, measure in measures.items()}
    seen = defaultdict(list)
    for sample in samples:
        for name, measure in measures.items():
            outcome = measure(sample)
            if isinstance(outcome, Estimate):
                covered = outcome.lower <= truth[name] <= outcome.upper
                seen[name].append((covered, outcome.value, outcome.standard_error))
    table = {}
    for name, rows in seen.items():
        covered, value, error = np.array(rows, float).T
        assert len(rows) > 0.9 * REPLICATES
        table[name] = (float(covered.mean()), float(error.mean() / value.std()))
    return table


def check(table: Mapping[str, tuple[float, float]], *, wide: set[str], least: float = 0.92) -> None:
    for name, (covered, error_over_spread) in table.items():
        assert least <= covered <= (1.0 if name in wide else 0.98), (name, covered)
        assert 0.85 <= error_over_spread <= (4.0 if name in wide else 1.15), (name, error_over_spread)


def measures(performance: Mapping[str, Metric], kind: type) -> dict[str, Callable[[Any], Outcome]]:
    def bind(metric: Metric) -> Callable[[Any], Outcome]:
        return lambda current: metric.function(current, **OPTIONS.get(metric.name, {}))

    def takes(metric: Metric) -> bool:
        annotation = metric.inputs["current"]
        return kind is annotation or kind in getattr(annotation, "__args__", ())

    return {name: bind(metric) for name, metric in performance.items() if takes(metric)}


@pytest.mark.parametrize("n", [300, 2_000])
@pytest.mark.parametrize(("prevalence", "strength"), [(0.1, 2.5), (0.3, 1.0), (0.5, 2.0)])
def test_binary(
    tables: ModuleType, performance: Mapping[str, Metric], n: int, prevalence: float, strength: float
) -> None:
    rng = np.random.default_rng(31)
    model = {"prevalence": prevalence, "strength": strength}
    population = tables.binary_rows(rng, 500_000, **model)
    edges = tables.score_edges(population.score[:50_000], population.label[:50_000])
    samples = (tables.score_table(tables.binary_rows(rng, n, **model), edges) for _ in range(REPLICATES))
    table = coverage(measures(performance, ScoreTable), tables.score_table(population, edges), samples)
    check(table, wide=WIDE)


@pytest.mark.parametrize("n", [300, 2_000])
def test_multiclass(tables: ModuleType, performance: Mapping[str, Metric], n: int) -> None:
    rng = np.random.default_rng(32)
    probabilities, label, predicted = tables.multiclass_rows(rng, 500_000, 3)
    edges = [np.unique(np.quantile(probabilities[:, i], np.linspace(0, 1, 101)[1:-1])) for i in range(3)]
    population = tables.class_tables(probabilities, label, predicted, edges)
    samples = (tables.class_tables(*tables.multiclass_rows(rng, n, 3), edges) for _ in range(REPLICATES))
    check(coverage(measures(performance, ClassTables), population, samples), wide=WIDE_OF_CLASSES)


def regression(kind: str, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
    p = rng.gamma(9, size=n) / 3
    match kind:
        case "normal":
            return p, np.abs(p + rng.normal(0, 0.4, n)) + 0.5
        case "skewed":
            return p, p + (rng.gamma(4, size=n) - 4) / 8 + 0.5
        case "multiplicative":
            return p, p * np.exp(rng.normal(0, 0.2, n))
    raise ValueError(kind)


@pytest.mark.parametrize("n", [300, 2_000])
@pytest.mark.parametrize("kind", ["normal", "skewed", "multiplicative"])
def test_regression(tables: ModuleType, performance: Mapping[str, Metric], n: int, kind: str) -> None:
    rng = np.random.default_rng(33)
    p, y = regression(kind, rng, 500_000)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, 51)[1:-1]))
    bins = np.unique(np.quantile(p - y, np.linspace(0, 1, 257)[1:-1]))
    drawn = [regression(kind, rng, n) for _ in range(REPLICATES)]
    cells = (tables.regression_cells_with(edges, *rows) for rows in drawn)
    check(
        coverage(measures(performance, RegressionCells), tables.regression_cells_with(edges, p, y), cells), wide=set()
    )
    quantile = performance["error_quantile"].function
    of_errors = {f"quantile {q}": lambda h, q=q: quantile(h, q=q) for q in (0.05, 0.5, 0.95)}
    histograms = (tables.histogram(p - y, bins) for p, y in drawn)
    check(coverage(of_errors, tables.histogram(p - y, bins), histograms), wide=set())


def test_rare_positives(tables: ModuleType, performance: Mapping[str, Metric]) -> None:
    """Forty positives among 2,000 rows: the hardest case, within a little more."""
    rng = np.random.default_rng(34)
    model = {"prevalence": 0.02, "strength": 2.0}
    population = tables.binary_rows(rng, 500_000, **model)
    edges = tables.score_edges(population.score[:50_000], population.label[:50_000])
    samples = (tables.score_table(tables.binary_rows(rng, 2_000, **model), edges) for _ in range(REPLICATES))
    table = coverage(measures(performance, ScoreTable), tables.score_table(population, edges), samples)
    check(table, wide=WIDE, least=0.91)
