"""Metrics of the scores as probabilities: log loss, Brier score, expected calibration error."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from barograph.metrics.performance.brier_score import brier_score
from barograph.metrics.performance.expected_calibration_error import expected_calibration_error
from barograph.metrics.performance.log_loss import log_loss
from barograph.outcome import Estimate, Undefined
from barograph.sketches.scores import ScoreTable


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    n=st.sampled_from([1, 2, 50, 3_000]),
    prevalence=st.floats(0.01, 0.5),
    strength=st.floats(0.1, 6),
    decimals=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equal_to_scikit_learn(
    tables: ModuleType, n: int, prevalence: float, strength: float, decimals: int | None, seed: int
) -> None:
    rows = tables.binary_rows(
        np.random.default_rng(seed), n, prevalence=prevalence, strength=strength, decimals=decimals
    )  # rounding gives scores of 0 and 1, which the log loss cuts
    table = tables.score_table(rows, np.linspace(0, 1, 101)[1:-1])
    loss, brier = log_loss(table), brier_score(table)
    assert isinstance(loss, Estimate)
    assert isinstance(brier, Estimate)
    assert loss.value == pytest.approx(sk.log_loss(rows.label, rows.score, labels=[0, 1]), rel=1e-9, abs=1e-12)
    assert brier.value == pytest.approx(np.mean((rows.score - rows.label) ** 2), abs=1e-12)
    assert loss.n == brier.n == n


@pytest.mark.parametrize("function", [log_loss, brier_score])
def test_standard_error_is_that_of_the_rows(tables: ModuleType, function) -> None:
    rows = tables.binary_rows(np.random.default_rng(2), 5_000, prevalence=0.2, strength=2.0)
    s, y = rows.score, rows.label
    losses = {log_loss: -np.log(np.where(y == 1, s, 1 - s)), brier_score: (s - y) ** 2}[function]
    for bins, tolerance in ((256, 1e-6), (16, 1e-3)):
        outcome = function(tables.score_table(rows, tables.score_edges(s, y, bins)))
        assert isinstance(outcome, Estimate)
        assert outcome.standard_error == pytest.approx(losses.std(ddof=1) / np.sqrt(len(y)), rel=tolerance)


def miscalibrated(tables: ModuleType, rows, slope: float, shift: float):
    log_odds = np.log(rows.score / (1 - rows.score)) * slope + shift
    return tables.Rows(1 / (1 + np.exp(-log_odds)), rows.label, rows.predicted)


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.8), (1.0, -0.5), (0.5, 0.0), (2.0, 0.5)])
def test_calibration_error_is_that_of_groups_of_rows(tables: ModuleType, slope: float, shift: float) -> None:
    rng = np.random.default_rng(6)
    rows = miscalibrated(tables, tables.binary_rows(rng, 100_000, prevalence=0.3, strength=1.5), slope, shift)
    outcome = expected_calibration_error(tables.score_table(rows, tables.score_edges(rows.score, rows.label)))
    groups = np.array_split(np.argsort(rows.score), 15)
    expected = sum(len(g) * abs(rows.score[g].mean() - rows.label[g].mean()) for g in groups) / len(rows.score)
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(expected, abs=0.002)
    assert expected > 0.03


def test_calibration_error_takes_most_of_the_chance_off(tables: ModuleType) -> None:
    """For a calibrated model the plain average of |d| is far from 0 in small samples; this is closer, and covers it."""
    rng = np.random.default_rng(7)
    edges = tables.score_edges(*(lambda r: (r.score, r.label))(tables.binary_rows(rng, 20_000)))
    values, plain, covered = [], [], []
    for _ in range(200):
        rows = tables.binary_rows(rng, 1_000)
        outcome = expected_calibration_error(tables.score_table(rows, edges))
        assert isinstance(outcome, Estimate)
        values.append(outcome.value)
        covered.append(outcome.lower == 0)
        groups = np.array_split(np.argsort(rows.score), 15)
        plain.append(np.mean([abs(rows.score[g].mean() - rows.label[g].mean()) for g in groups]))
    assert np.mean(values) < 0.65 * np.mean(plain)
    assert np.mean(covered) > 0.95


def test_heavy_ties_give_fewer_groups(tables: ModuleType) -> None:
    score, label = np.full(1_000, 0.3), np.repeat([0, 1], (600, 400))
    outcome = expected_calibration_error(tables.score_table(tables.Rows(score, label, label), np.array([0.3, 0.5])))
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(0.1, abs=0.001)


def test_perfect_scores_have_a_value_but_no_interval(tables: ModuleType) -> None:
    label = np.repeat([0, 1], 10)
    table = tables.score_table(tables.Rows(label.astype(float), label, label), np.array([0.5]))
    for function in (log_loss, brier_score):
        outcome = function(table)
        assert isinstance(outcome, Estimate)
        assert outcome.value == pytest.approx(0, abs=1e-12)
        assert (outcome.standard_error, outcome.lower, outcome.upper) == (None, None, None)


@pytest.mark.parametrize("function", [log_loss, brier_score, expected_calibration_error])
def test_no_valid_score_is_undefined(function) -> None:
    table = ScoreTable.empty(np.array([0.5]))
    table.counts[0, -1, :2] = (5, 5)
    assert function(table) == Undefined("no row has a valid score")
    table.counts[0, 0, 2] = 3
    assert function(table) == Undefined("no labels have arrived")
