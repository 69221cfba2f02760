"""The formulas for many tables against the metrics of one table."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType, UnionType
from typing import get_args

import numpy as np
import pytest

from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.estimate import estimate_binary, estimate_classes, estimate_regression
from barograph.estimation.formulas import FORMULAS, BinaryTables, business_value, formulas
from barograph.estimation.regression import calibrate_regression
from barograph.metrics import catalogue
from barograph.outcome import Estimate
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import POSITIVE, ScoreTable

VALUES = (0.0, -1.0, -5.0, 3.0)


def whole(table: ScoreTable) -> BinaryTables:
    rows = np.maximum(table.by_score.sum(axis=1), 1)
    return BinaryTables(
        positive=table.counts[None, :, :, POSITIVE].astype(float),
        negative=table.counts[None, :, :, 0].astype(float),
        means=table.sums.sum(axis=1) / rows[:, None],
    )


@pytest.mark.parametrize("n", [40, 3000])
@pytest.mark.parametrize("name", [*FORMULAS, "business_value"])
def test_a_formula_of_whole_counts_is_the_performance_metric(world: ModuleType, name: str, n: int) -> None:
    rng = np.random.default_rng(n)
    drawn = world.rows(rng, n)
    # A score that many rows share, and predictions that do not follow from the score.
    drawn = world.replace(drawn, score=np.where(rng.random(n) < 0.2, 0.555, drawn.score))
    prediction = np.where(rng.random(n) < 0.1, 1 - drawn.prediction, drawn.prediction)
    # Scores alone cannot say which of a bin's rows was positive: the metric is compared on mean scores.
    of = np.searchsorted(world.EDGES, drawn.score, side="right")
    mean = np.bincount(of, drawn.score) / np.maximum(np.bincount(of), 1)
    _, table = world.count(drawn.leaf, mean[of], prediction, drawn.label)
    options = {"values": VALUES} if name == "business_value" else {}
    expected = catalogue()["performance", name].function(table, **options)
    formula = business_value(VALUES) if name == "business_value" else FORMULAS[name]
    assert isinstance(expected, Estimate)
    # Two approximations of the order of the rows within a bin.
    tolerance = 1e-3 if name == "average_precision" else 1e-12
    assert formula(whole(table)) == pytest.approx([expected.value], abs=tolerance)


def test_a_formula_without_rows_has_no_value(world: ModuleType) -> None:
    empty = whole(ScoreTable.empty(world.EDGES))
    assert all(np.isnan(formula(empty)).all() for formula in FORMULAS.values())


def test_a_metric_brings_its_formula_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(catalogue()["performance", "recall"], name="caught", expected=FORMULAS["recall"])
    monkeypatch.setattr("barograph.estimation.formulas.catalogue", lambda: {("performance", "caught"): own})
    assert formulas() == {**FORMULAS, "caught": FORMULAS["recall"]}


def takes(kind: type) -> set[str]:
    found = set()
    for (family, name), metric in catalogue().items():
        annotation = metric.inputs.get("current")
        kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
        if family == "performance" and kind in kinds:
            found.add(name)
    return found


def test_every_performance_metric_is_estimated(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    cells, scores = world.binary(world.rows(rng, 500))
    binary = estimate_binary(calibrate(cells, scores), cells, scores, values=VALUES)
    assert set(binary.outcomes) == takes(ScoreTable)
    many, tables = world.classes(world.class_rows(rng, 500))
    assert set(estimate_classes(calibrate_classes(many, tables), many, tables).outcomes) == takes(ClassTables)
    numbers = world.regression(world.number_rows(rng, 500))
    assert set(estimate_regression(calibrate_regression(numbers), numbers).outcomes) == takes(RegressionCells)
