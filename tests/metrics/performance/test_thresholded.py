"""Metrics of predicted classes: accuracy, precision, recall, specificity, F1, MCC, the cells, business value."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from barograph.errors import SpecError
from barograph.metrics.performance.accuracy import accuracy
from barograph.metrics.performance.business_value import business_value
from barograph.metrics.performance.f1 import f1
from barograph.metrics.performance.false_negative_share import false_negative_share
from barograph.metrics.performance.false_positive_share import false_positive_share
from barograph.metrics.performance.mcc import mcc
from barograph.metrics.performance.precision import precision
from barograph.metrics.performance.recall import recall
from barograph.metrics.performance.specificity import specificity
from barograph.metrics.performance.true_negative_share import true_negative_share
from barograph.metrics.performance.true_positive_share import true_positive_share
from barograph.outcome import Estimate, Undefined
from barograph.sketches.scores import NONE, PENDING, ScoreTable

EDGES = np.array([0.25, 0.5])
ORACLES = (
    (accuracy, sk.accuracy_score),
    (precision, sk.precision_score),
    (recall, sk.recall_score),
    (specificity, lambda y, p: sk.recall_score(y, p, pos_label=0)),
    (f1, sk.f1_score),
    (mcc, sk.matthews_corrcoef),
    (true_negative_share, lambda y, p: sk.confusion_matrix(y, p, normalize="all")[0, 0]),
    (false_positive_share, lambda y, p: sk.confusion_matrix(y, p, normalize="all")[0, 1]),
    (false_negative_share, lambda y, p: sk.confusion_matrix(y, p, normalize="all")[1, 0]),
    (true_positive_share, lambda y, p: sk.confusion_matrix(y, p, normalize="all")[1, 1]),
)


def of_cells(tn: int, fp: int, fn: int, tp: int) -> ScoreTable:
    table = ScoreTable.empty(EDGES)
    table.counts[0, 0, :2], table.counts[1, 1, :2] = (tn, fn), (fp, tp)
    return table


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.tuples(*[st.integers(1, 2000)] * 4), st.integers(0, 2**32 - 1))
def test_equal_to_scikit_learn(tables: ModuleType, cells: tuple[int, int, int, int], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(sum(cells))
    label = np.repeat([0, 0, 1, 1], cells)[order]
    predicted = np.repeat([0, 1, 0, 1], cells)[order]
    score = np.random.default_rng(seed).random(len(label))
    score[score < 0.1] = np.nan  # rows without a score count here all the same
    table = tables.score_table(tables.Rows(score, label, predicted), EDGES)
    for ours, theirs in ORACLES:
        outcome = ours(table)
        assert isinstance(outcome, Estimate)
        assert outcome.value == pytest.approx(theirs(label, predicted), abs=1e-12), ours.__name__
        assert outcome.lower <= outcome.value <= outcome.upper
        assert outcome.standard_error > 0


@settings(deadline=None, derandomize=True)
@given(st.tuples(*[st.integers(0, 50)] * 4).filter(any), st.tuples(*[st.floats(-100, 100)] * 4))
def test_business_value_is_the_mean_value(cells: tuple[int, ...], values: tuple[float, ...]) -> None:
    outcome = business_value(of_cells(*cells), values=values)
    assert isinstance(outcome, Estimate)
    expected = np.repeat(values, cells)
    assert outcome.value == pytest.approx(expected.mean(), abs=1e-9)
    assert outcome.lower <= outcome.value + 1e-9
    assert outcome.value <= outcome.upper + 1e-9
    assert outcome.n == sum(cells)


def test_business_value_moves_with_a_constant_and_scales() -> None:
    base = business_value(of_cells(70, 5, 10, 15), values=(0, -1, -20, 5))
    moved = business_value(of_cells(70, 5, 10, 15), values=(3, 2, -17, 8))
    scaled = business_value(of_cells(70, 5, 10, 15), values=(0, -2, -40, 10))
    assert isinstance(base, Estimate)
    assert isinstance(moved, Estimate)
    assert isinstance(scaled, Estimate)
    for bound in ("value", "lower", "upper"):
        assert getattr(moved, bound) == pytest.approx(getattr(base, bound) + 3)
        assert getattr(scaled, bound) == pytest.approx(2 * getattr(base, bound))


def test_business_value_of_errors_is_the_error_rate() -> None:
    cells = of_cells(70, 5, 10, 15)
    cost, right = business_value(cells, values=(0, -1, -1, 0)), accuracy(cells)
    assert isinstance(cost, Estimate)
    assert isinstance(right, Estimate)
    assert cost.value == pytest.approx(right.value - 1)
    assert (cost.lower, cost.upper) == pytest.approx((right.lower - 1, right.upper - 1), abs=0.015)


def test_n_is_the_number_of_rows_behind_the_value() -> None:
    table = of_cells(70, 5, 10, 15)
    rows = {f.__name__: f(table).n for f, _ in ORACLES}
    assert rows["precision"] == 20
    assert rows["recall"] == 25
    assert rows["specificity"] == 75
    assert {rows[name] for name in ("accuracy", "f1", "mcc", "true_positive_share", "false_negative_share")} == {100}


def test_pending_and_unpredicted_rows_change_nothing(tables: ModuleType) -> None:
    table = of_cells(70, 5, 10, 15)
    more = of_cells(70, 5, 10, 15)
    more.counts[:, :, PENDING] = 9
    more.counts[NONE] = 7
    for f, _ in ORACLES:
        assert f(more) == f(table)


@pytest.mark.parametrize(
    ("function", "cells", "reason"),
    [
        (precision, (5, 0, 3, 0), "no labelled row was predicted positive"),
        (recall, (5, 2, 0, 0), "only negative labels: recall needs positive ones"),
        (specificity, (0, 0, 3, 2), "only positive labels: specificity needs negative ones"),
        (f1, (5, 0, 0, 0), "no prediction and no label is positive"),
        (mcc, (5, 0, 3, 0), "all predictions are of one class: a correlation needs two"),
        (mcc, (5, 3, 0, 0), "all labels are of one class: a correlation needs two"),
    ],
)
def test_a_zero_denominator_is_undefined(function, cells: tuple[int, ...], reason: str) -> None:
    assert function(of_cells(*cells)) == Undefined(reason)


def test_rows_without_a_prediction_are_named() -> None:
    table = of_cells(0, 0, 0, 0)
    table.counts[NONE, -1, :2] = (3, 2)
    assert accuracy(table) == Undefined("no row has a usable prediction")


def test_one_row_is_right_or_wrong_with_a_wide_interval() -> None:
    outcome = accuracy(of_cells(1, 0, 0, 0))
    assert isinstance(outcome, Estimate)
    assert outcome.value == 1
    assert outcome.lower < 0.25


def test_perfect_predictions_still_have_an_interval() -> None:
    for function in (mcc, f1, accuracy, precision):
        outcome = function(of_cells(30, 0, 0, 30))
        assert isinstance(outcome, Estimate)
        assert outcome.value == pytest.approx(1)
        assert 0.6 < outcome.lower < 0.97
        assert outcome.upper == pytest.approx(1)
        assert outcome.standard_error > 0


@pytest.mark.parametrize("values", [(0, 1, 2), (0, 0, 0, float("nan")), (0, 0, float("inf"), 0)])
def test_values_that_make_no_sense_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(SpecError, match="four finite numbers"):
        business_value(of_cells(1, 1, 1, 1), values=values)
