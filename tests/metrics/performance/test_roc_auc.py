"""Area under the ROC curve."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from barograph.metrics.performance.roc_auc import roc_auc
from barograph.outcome import Estimate, Undefined
from barograph.sketches.scores import ScoreTable

CASES = [(p, s, d) for p in (0.01, 0.1, 0.5) for s in (0.3, 1.5, 3.5) for d in (None, 2)]


def test_the_interval_holds_the_truth_where_all_scores_are_beyond_the_reference(tables: ModuleType) -> None:
    rng = np.random.default_rng(7)
    reference = tables.binary_rows(rng, 20_000, prevalence=0.3, strength=1.5, decimals=None)
    edges = tables.score_edges(reference.score * 0.1, reference.label)  # the reference ends where these rows begin
    held, widest = 0, 0.0
    for power in (0.2, 0.5, 1.0, 2.0, 4.0):
        for _ in range(20):
            rows = tables.binary_rows(rng, 1_500, prevalence=0.3, strength=1.5, decimals=None)
            truth = roc_auc_score(rows.label, rows.score)
            rows = replace(rows, score=0.1 + 0.9 * rows.score**power)
            found = roc_auc(tables.score_table(rows, edges))
            assert isinstance(found, Estimate)
            held += found.lower <= truth <= found.upper
            widest = max(widest, found.upper - found.lower)
    assert held >= 95
    assert widest > 0.1, "all pairs are of one bin: it cannot be known better"


@pytest.mark.parametrize(("prevalence", "strength", "decimals"), CASES)
def test_equal_to_scikit_learn(tables: ModuleType, prevalence: float, strength: float, decimals: int | None) -> None:
    rng = np.random.default_rng(11)
    model = {"prevalence": prevalence, "strength": strength, "decimals": decimals}
    reference = tables.binary_rows(rng, 30_000, **model)
    edges = tables.score_edges(reference.score, reference.label)
    for n, tolerance in ((200, 3e-3), (2_000, 1e-3), (20_000, 4e-4), (100_000, 3e-4)):
        rows = tables.binary_rows(rng, n, **model)
        if 0 < rows.label.sum() < n:
            outcome = roc_auc(tables.score_table(rows, edges))
            assert isinstance(outcome, Estimate)
            assert outcome.value == pytest.approx(roc_auc_score(rows.label, rows.score), abs=tolerance)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20))
def test_exact_when_each_bin_is_one_score(tables: ModuleType, counts: list[tuple[int, int]]) -> None:
    negatives, positives = np.array(counts).T
    if not negatives.any() or not positives.any():
        return
    scores = np.arange(1, len(counts) + 1) / 32
    score = np.concatenate((np.repeat(scores, negatives), np.repeat(scores, positives)))
    label = np.repeat([0, 1], (negatives.sum(), positives.sum()))
    outcome = roc_auc(tables.score_table(tables.Rows(score, label, label), scores))
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert outcome.lower <= outcome.value <= outcome.upper


def test_standard_error_is_that_of_delong_on_rows(tables: ModuleType) -> None:
    rng = np.random.default_rng(3)
    rows = tables.binary_rows(rng, 3_000, prevalence=0.3, strength=1.0)
    outcome = roc_auc(tables.score_table(rows, tables.score_edges(rows.score, rows.label)))
    p, q = rows.score[rows.label == 1], rows.score[rows.label == 0]
    wins = (p[:, None] > q[None, :]).astype(float)
    expected = wins.mean(axis=1).var(ddof=1) / len(p) + wins.mean(axis=0).var(ddof=1) / len(q)
    assert isinstance(outcome, Estimate)
    assert outcome.standard_error == pytest.approx(np.sqrt(expected), rel=0.01)


@pytest.mark.parametrize("shift", [-3.0, 3.0])
def test_scores_that_crowd_in_a_few_bins_are_still_ranked(tables: ModuleType, shift: float) -> None:
    rng = np.random.default_rng(5)
    reference = tables.binary_rows(rng, 30_000, strength=1.0)
    rows = tables.binary_rows(rng, 20_000, strength=1.0)
    moved = tables.Rows(1 / (1 + np.exp(-shift) * (1 / rows.score - 1)), rows.label, rows.predicted)
    table = tables.score_table(moved, tables.score_edges(reference.score, reference.label))
    assert table.by_score.sum(axis=1).max() > 0.3 * table.rows  # the case is as hard as it says
    outcome = roc_auc(table)
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(roc_auc_score(rows.label, rows.score), abs=0.01)


def test_swapping_the_classes_mirrors_the_area(tables: ModuleType) -> None:
    rows = tables.binary_rows(np.random.default_rng(1), 2_000)
    edges = tables.score_edges(rows.score, rows.label)
    swapped = tables.Rows(rows.score, 1 - rows.label, rows.predicted)
    one, other = (roc_auc(tables.score_table(r, edges)) for r in (rows, swapped))
    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    assert one.value == pytest.approx(1 - other.value, abs=1e-9)
    assert one.standard_error == pytest.approx(other.standard_error, rel=1e-6)
    assert (one.lower, one.upper) == pytest.approx((1 - other.upper, 1 - other.lower), abs=1e-6)


def test_a_perfect_order_is_one_with_an_interval(tables: ModuleType) -> None:
    score, label = np.linspace(0.01, 0.99, 40), np.repeat([0, 1], 20)
    outcome = roc_auc(tables.score_table(tables.Rows(score, label, label), np.linspace(0.1, 0.9, 9)))
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(1, abs=1e-6)
    assert 0.7 < outcome.lower < 0.95
    assert outcome.standard_error > 0


def test_one_row_of_each_class_is_very_unsure(tables: ModuleType) -> None:
    rows = tables.Rows(np.array([0.2, 0.8]), np.array([0, 1]), np.array([0, 1]))
    outcome = roc_auc(tables.score_table(rows, np.array([0.5])))
    assert isinstance(outcome, Estimate)
    assert outcome.value == 1
    assert outcome.lower < 0.3


@pytest.mark.parametrize(("label", "word"), [(0, "negative"), (1, "positive")])
def test_one_class_only_is_undefined(tables: ModuleType, label: int, word: str) -> None:
    rows = tables.Rows(np.array([0.2, 0.8]), np.array([label, label]), np.array([0, 1]))
    outcome = roc_auc(tables.score_table(rows, np.array([0.5])))
    assert outcome == Undefined(f"only {word} labels: ROC AUC compares positives with negatives")


def test_no_valid_score_is_undefined() -> None:
    table = ScoreTable.empty(np.array([0.5]))
    table.counts[0, -1, :2] = (5, 5)
    assert roc_auc(table) == Undefined("no row has a valid score")
    table.counts[0, 0, 2] = 3
    assert roc_auc(table) == Undefined("no labels have arrived")
