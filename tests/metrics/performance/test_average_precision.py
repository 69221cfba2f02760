"""Average precision."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from barograph.metrics.performance.average_precision import average_precision
from barograph.outcome import Estimate, Undefined

CASES = [(p, s, d) for p in (0.01, 0.1, 0.5) for s in (0.3, 1.5, 3.5) for d in (None, 2)]


@pytest.mark.parametrize(("prevalence", "strength", "decimals"), CASES)
def test_equal_to_scikit_learn(tables: ModuleType, prevalence: float, strength: float, decimals: int | None) -> None:
    """The difference of binning is small beside the standard error, and below 1e-3 in large samples."""
    rng = np.random.default_rng(12)
    model = {"prevalence": prevalence, "strength": strength, "decimals": decimals}
    reference = tables.binary_rows(rng, 30_000, **model)
    edges = tables.score_edges(reference.score, reference.label)
    for n, tolerance in ((200, None), (2_000, None), (20_000, 2.5e-3), (100_000, 1.5e-3)):
        rows = tables.binary_rows(rng, n, **model)
        if rows.label.any():
            outcome = average_precision(tables.score_table(rows, edges))
            assert isinstance(outcome, Estimate)
            allowed = tolerance or 0.25 * outcome.standard_error
            assert outcome.value == pytest.approx(average_precision_score(rows.label, rows.score), abs=allowed)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20))
def test_exact_when_each_bin_is_one_score(tables: ModuleType, counts: list[tuple[int, int]]) -> None:
    negatives, positives = np.array(counts).T
    if not positives.any():
        return
    scores = np.arange(1, len(counts) + 1) / 32
    score = np.concatenate((np.repeat(scores, negatives), np.repeat(scores, positives)))
    label = np.repeat([0, 1], (negatives.sum(), positives.sum()))
    outcome = average_precision(tables.score_table(tables.Rows(score, label, label), scores))
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(average_precision_score(label, score), abs=1e-12)
    assert 0 <= outcome.lower <= outcome.value <= outcome.upper <= 1


def test_standard_error_is_that_of_the_bootstrap(tables: ModuleType) -> None:
    rng = np.random.default_rng(4)
    rows = tables.binary_rows(rng, 2_000, prevalence=0.2, strength=1.5)
    outcome = average_precision(tables.score_table(rows, tables.score_edges(rows.score, rows.label)))
    draws = rng.integers(0, 2_000, (400, 2_000))
    expected = np.std([average_precision_score(rows.label[d], rows.score[d]) for d in draws])
    assert isinstance(outcome, Estimate)
    assert outcome.standard_error == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize("shift", [-3.0, 3.0])
def test_scores_that_crowd_in_a_few_bins_are_still_ranked(tables: ModuleType, shift: float) -> None:
    rng = np.random.default_rng(5)
    reference = tables.binary_rows(rng, 30_000, strength=1.0)
    rows = tables.binary_rows(rng, 20_000, strength=1.0)
    moved = tables.Rows(1 / (1 + np.exp(-shift) * (1 / rows.score - 1)), rows.label, rows.predicted)
    outcome = average_precision(tables.score_table(moved, tables.score_edges(reference.score, reference.label)))
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(average_precision_score(rows.label, rows.score), abs=0.03)


def test_a_perfect_order_is_one_with_an_interval(tables: ModuleType) -> None:
    score, label = np.linspace(0.01, 0.99, 40), np.repeat([0, 1], 20)
    outcome = average_precision(tables.score_table(tables.Rows(score, label, label), np.linspace(0.1, 0.9, 9)))
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(1, abs=1e-3)
    assert 0.6 < outcome.lower < 0.95
    assert outcome.standard_error > 0


def test_only_negatives_is_undefined_and_only_positives_is_one(tables: ModuleType) -> None:
    score = np.array([0.2, 0.8])
    none, all_of_them = (
        average_precision(tables.score_table(tables.Rows(score, np.full(2, y), np.full(2, y)), np.array([0.5])))
        for y in (0, 1)
    )
    assert none == Undefined("only negative labels: average precision needs positive ones")
    assert isinstance(all_of_them, Estimate)
    assert all_of_them.value == 1
