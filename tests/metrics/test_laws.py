"""Laws that hold for every registered metric, whatever it measures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import reduce
from types import UnionType
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import barograph.metrics
from barograph.metrics import Metric
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.cells import REGRESSION_SUMS, BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.confusion import Confusion
from barograph.sketches.counts import Counts
from barograph.sketches.distinct import Distinct
from barograph.sketches.histogram import Categories, Histogram
from barograph.sketches.moments import Covariance, Moments
from barograph.sketches.sample import Sample
from barograph.sketches.scores import ScoreTable

LAWS = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
sizes = st.sampled_from((1, 2, 3, 10, 60, 400))

COUNTS_ZERO = {"row_count"}  # that nothing came is what it is for
OPTIONS = {"business_value": {"values": (0.0, -1.0, -5.0, 3.0)}}  # what nobody else can know has no default

Rng = np.random.Generator
CLASSES = ("a", "b", "c")
SCORE_EDGES = np.linspace(0, 1, 21)[1:-1]
PREDICTION_EDGES = np.array([-1.0, 0.0, 0.5, 2.0])


# Sketches of random rows. Each builder has one layout, so that any two of its sketches can be compared.


def counts(rng: Rng, n: int) -> Counts:
    names = ("null", "nan", "negative_inf", "positive_inf", "below", "above", "other", "unseen", "type_errors")
    drawn = rng.multinomial(n, np.append(rng.dirichlet(np.full(len(names), 0.2)) * 0.5, 0.5))
    return Counts(rows=n, **dict(zip(names, drawn[:-1].tolist(), strict=True)))


def distinct(rng: Rng, n: int) -> Distinct:
    return Distinct.of(rng.integers(0, max(1, 2 * n), n).astype(np.uint64), k=100)


def histogram(rng: Rng, n: int) -> Histogram:
    x = np.where(rng.random(n) < 0.2, 0.0, rng.normal(rng.normal(), 1.0, n))
    edges = np.union1d(np.linspace(-2, 2, 9), np.nextafter(0.0, 1.0))
    found = np.bincount(np.searchsorted(edges, x, "right"), minlength=len(edges) + 1)
    ends = (float(x.min()), float(x.max())) if n else (np.inf, -np.inf)
    return Histogram(edges, found, float(x[x < edges[0]].sum()), float(x[x >= edges[-1]].sum()), *ends)


def categories(rng: Rng, n: int) -> Categories:
    return Categories(tuple("abcdefgh"), rng.multinomial(n, rng.dirichlet(np.full(10, 0.5))))


def moments(rng: Rng, n: int) -> Moments:
    z = rng.normal(size=n)
    return Moments(center=3.0, scale=2.0, n=n, z=float(z.sum()), zz=float(z @ z))


def covariance(rng: Rng, n: int) -> Covariance:
    z = rng.normal(size=(n, 4)) @ np.triu(np.full((4, 4), 0.5)) + 0.3 * rng.normal(size=4)
    return Covariance(names=tuple("abcd"), n=n, z=z.sum(axis=0), zz=z.T @ z)


def sample(rng: Rng, n: int) -> Sample:
    codes = rng.binomial(20, rng.beta(5, 5, size=3), (n, 3)).astype(np.uint16)
    outputs = np.column_stack((rng.random(n), rng.integers(0, 2, n), rng.integers(0, 2, n))).astype(np.float64)
    return Sample.of(rng.integers(0, 2**62, n).astype(np.uint64), codes, outputs, k=1_000)


def score_table(rng: Rng, n: int) -> ScoreTable:
    score, outcome = rng.beta(2, 2, n), rng.integers(0, 3, n)
    missing = rng.random(n) < 0.05
    return ScoreTable.of(np.where(missing, np.nan, score), outcome, (score >= 0.5).astype(int), edges=SCORE_EDGES)


def class_tables(rng: Rng, n: int) -> ClassTables:
    k = len(CLASSES)
    scores = rng.dirichlet(np.ones(k), n).reshape(n, k)
    label, predicted = rng.integers(0, k + 2, n), scores.argmax(axis=1)
    confusion = Confusion.empty(CLASSES)
    np.add.at(confusion.counts, (predicted, label), 1)
    known = label < k
    losses = -np.log(np.maximum(scores[known, label[known]], 1e-15))
    confusion.loss[:] = known.sum(), losses.sum(), (losses**2).sum()
    tables = []
    for i in range(k):
        outcome = np.where(label >= k, 2, (label == i).astype(int))
        tables.append(ScoreTable.of(scores[:, i], outcome, (predicted == i).astype(int), edges=SCORE_EDGES))
    return ClassTables(scores=tuple(tables), confusion=confusion)


def binary_cells(rng: Rng, n: int) -> BinaryCells:
    leaves, bins = 4, 5
    shape = (leaves, bins, 3)
    found = rng.multinomial(n, rng.dirichlet(np.ones(leaves * bins * 3))).reshape(shape)
    return BinaryCells(
        predicted=np.arange(bins) >= 3,
        order=np.arange(bins),
        first_fine=np.array([0, 4, 8, 12, 16, 20]),
        counts=found.astype(np.int64),
    )


def regression_cells(rng: Rng, n: int) -> RegressionCells:
    cells = RegressionCells.empty(PREDICTION_EDGES, leaves=3)
    p = np.abs(rng.normal(0.5, 1.5, n)) - 0.2
    y, labelled = np.abs(p + rng.normal(0, 0.7, n)), rng.random(n) < 0.7
    leaf = rng.choice(3, n, p=rng.dirichlet(np.ones(3)))
    y[rng.random(n) < 0.05] = 0.0
    e, cell = p - y, np.searchsorted(PREDICTION_EDGES, p, "right")
    np.add.at(cells.counts, (leaf, cell, (~labelled).astype(int)), 1)
    share = np.divide(np.abs(e), np.abs(y), out=np.zeros(n), where=y != 0)
    logs = (y > -1) & (p > -1)
    log_error = np.log1p(np.where(logs, p, 0.0)) - np.log1p(np.where(logs, y, 0.0))
    parts = (e, np.abs(e), e**2, e**4, y, y**2, y != 0, share, share**2, logs, log_error**2, log_error**4)
    assert len(parts) == len(REGRESSION_SUMS)
    np.add.at(cells.sums, (leaf[labelled], cell[labelled]), np.column_stack(parts)[labelled])
    return cells


BUILDERS: Mapping[type, Callable[[Rng, int], Any]] = {
    Counts: counts,
    Distinct: distinct,
    Histogram: histogram,
    Categories: categories,
    Moments: moments,
    Covariance: covariance,
    Sample: sample,
    ScoreTable: score_table,
    ClassTables: class_tables,
    BinaryCells: binary_cells,
    RegressionCells: regression_cells,
}

METRICS = list(barograph.metrics.catalogue().values())
PAIRS = [
    pytest.param(metric, kind, id=f"{metric.family}-{metric.name}-{kind.__name__}")
    for metric in METRICS
    for annotation in [metric.inputs["current"]]
    for kind in (get_args(annotation) if isinstance(annotation, UnionType) else (annotation,))
]
every_metric = pytest.mark.parametrize(("metric", "kind"), PAIRS)


def measure(metric: Metric, reference: Any, current: Any) -> Outcome:
    options = OPTIONS.get(metric.name, {})
    if "reference" in metric.inputs:
        return metric.function(reference, current, **options)
    return metric.function(current, **options)


def draw(kind: type, seed: int, n: int) -> Any:
    return BUILDERS[kind](np.random.default_rng(seed), n)


@every_metric
def test_options_have_defaults_and_go_by_keyword(metric: Metric, kind: type) -> None:
    parameters = inspect.signature(metric.function).parameters
    assert [name for name in parameters if name in ("reference", "current")] == list(parameters)[: len(metric.inputs)]
    for parameter in list(parameters.values())[len(metric.inputs) :]:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty or parameter.name in OPTIONS.get(metric.name, {})
    assert kind in BUILDERS


@every_metric
@LAWS
@given(seed=seeds, n=sizes, m=sizes)
def test_values_and_intervals_lie_within_the_bounds(metric: Metric, kind: type, seed: int, n: int, m: int) -> None:
    outcome = measure(metric, draw(kind, seed, m), draw(kind, seed + 1, n))
    if isinstance(outcome, Undefined):
        assert outcome.reason
        assert not outcome.reason.endswith(".")
        return
    low, high = metric.bounds
    assert low - 1e-9 <= outcome.value <= high + 1e-9
    assert 0 <= outcome.n <= n
    assert (outcome.lower is None) == (outcome.upper is None)
    if outcome.lower is not None and outcome.upper is not None:
        assert low - 1e-9 <= outcome.lower <= outcome.value + 1e-9
        assert outcome.value - 1e-9 <= outcome.upper <= high + 1e-9
    assert all(s is None or s >= 0 for s in (outcome.standard_error, outcome.null_sd))


@every_metric
def test_no_rows_are_undefined(metric: Metric, kind: type) -> None:
    rows, nothing = draw(kind, 1, 400), draw(kind, 2, 0)
    if metric.name in COUNTS_ZERO:
        assert measure(metric, rows, nothing) == Estimate(value=0.0, n=0)
        return
    assert isinstance(measure(metric, rows, nothing), Undefined)
    assert isinstance(measure(metric, nothing, nothing), Undefined)
    if "reference" in metric.inputs:
        assert isinstance(measure(metric, nothing, rows), Undefined)


@every_metric
def test_many_rows_are_defined(metric: Metric, kind: type) -> None:
    assert isinstance(measure(metric, draw(kind, 1, 400), draw(kind, 2, 400)), Estimate)


@every_metric
def test_measuring_changes_nothing_and_repeats_exactly(metric: Metric, kind: type) -> None:
    reference, current = draw(kind, 1, 400), draw(kind, 2, 400)
    before = asdict(reference), asdict(current)  # copies
    assert measure(metric, reference, current) == measure(metric, reference, current)
    np.testing.assert_equal((asdict(reference), asdict(current)), before)


@pytest.mark.parametrize(("metric", "kind"), [pair for pair in PAIRS if pair.values[0].symmetric])
@LAWS
@given(seed=seeds, n=sizes, m=sizes)
def test_symmetric_metrics_are_symmetric(metric: Metric, kind: type, seed: int, n: int, m: int) -> None:
    a, b = draw(kind, seed, m), draw(kind, seed + 1, n)
    there, back = metric.function(a, b), metric.function(b, a)
    assert isinstance(there, Undefined) == isinstance(back, Undefined)
    if isinstance(there, Estimate) and isinstance(back, Estimate):
        assert there.value == pytest.approx(back.value, rel=1e-9, abs=1e-9)


every_drift = pytest.mark.parametrize(
    ("metric", "kind"),
    [
        pair for pair in PAIRS if pair.values[0].family == "drift" and not pair.values[0].foretells
    ],  # those are no distance
)


@every_drift
@LAWS
@given(seed=seeds, n=st.sampled_from((60, 400)))
def test_drift_is_smallest_where_nothing_differs(metric: Metric, kind: type, seed: int, n: int) -> None:
    a, b = draw(kind, seed, n), draw(kind, seed + 1, n)
    same, other = metric.function(a, a), metric.function(a, b)
    assert isinstance(same, Estimate)
    assert isinstance(other, Estimate)
    assert same.null_mean is not None
    assert same.null_sd is not None
    # Zero, or what the reference has by itself.
    assert same.value <= same.null_mean + 1e-9
    assert same.value <= max(other.value, same.null_mean) + 1e-9


@pytest.mark.parametrize(
    ("metric", "kind"),
    # Rows and second moments also show relations: a mixture can by accident be nearer than its parts. And what is new
    # may well be of kinds of which the reference has much.
    [
        pair
        for pair in PAIRS
        if pair.values[0].family == "drift"
        and pair.values[0].name != "little_experience_share"
        and pair.values[1] not in (Sample, Covariance)
    ],
)
def test_drift_grows_with_the_change(metric: Metric, kind: type) -> None:
    """Putting more and more of something else into the current rows moves every distance up."""
    reference, other = draw(kind, 3, 400), draw(kind, 4, 400)
    values = []
    for changed in (0, 1, 3, 9):
        outcome = metric.function(
            reference, reduce(lambda a, b: a.merge(b), [other] * changed + [reference] * (9 - changed))
        )
        assert isinstance(outcome, Estimate)
        values.append(outcome.value)
    assert values == sorted(values)
    assert values[0] < values[-1]
