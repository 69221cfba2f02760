"""The best current estimate."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.estimation.calibration import calibrate
from barograph.estimation.estimate import estimate_binary
from barograph.labels.blend import Cohort, blend, shift_of
from barograph.labels.delay import Shift, delay_curves
from barograph.metrics import catalogue
from barograph.outcome import Estimate, Undefined

NO_SHIFT = Shift(0.0, 1e-9)


def curves_of(rng: np.random.Generator) -> object:
    positive = rng.random(20_000) < 0.3
    delay = np.where(positive, rng.exponential(10, 20_000), rng.normal(40, 6, 20_000).clip(1))
    return delay_curves(delay, positive, np.array([]))


def late(rng: np.random.Generator, drawn: object, age: float) -> np.ndarray:
    """Return which labels have arrived at an age, by the delays of `curves_of`."""
    n = len(drawn)
    return np.where(drawn.label == 1, rng.exponential(10, n), rng.normal(40, 6, n).clip(1)) <= age


def test_with_all_labels_it_is_the_realised_metric(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    cells, scores = world.binary(world.rows(rng, 600))
    found = blend(calibration, Cohort(cells=cells, scores=scores, age=99.0), curves_of(rng), Shift(0.5, 0.1))
    accuracy = found.outcomes["accuracy"]
    assert isinstance(accuracy, Estimate)
    assert accuracy.value == pytest.approx(catalogue()["performance", "accuracy"].function(scores).value)
    assert accuracy.lower == pytest.approx(accuracy.upper)
    assert (found.labelled, found.pending, found.coverage) == (1.0, 0.0, 1.0)
    assert found.maturity == pytest.approx(1.0)


def test_with_no_labels_and_no_delay_known_it_is_the_cell_estimate(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    cells, scores = world.binary(world.rows(rng, 600), labelled=False)
    nothing = delay_curves(np.array([]), np.array([], bool), np.array([]))
    found = blend(calibration, Cohort(cells=cells, scores=scores, age=5.0), nothing, NO_SHIFT)
    plain = estimate_binary(calibration, cells, scores).outcomes["roc_auc"]
    blended = found.outcomes["roc_auc"]
    assert isinstance(plain, Estimate)
    assert isinstance(blended, Estimate)
    assert blended.value == pytest.approx(plain.value)
    assert blended.standard_error == pytest.approx(plain.standard_error, rel=1e-3)
    assert (found.labelled, found.unlabelled, found.maturity) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("age", [3.0, 15.0, 40.0])
def test_it_has_no_bias_and_covers_while_labels_are_late_and_the_rate_shifts(world: ModuleType, age: float) -> None:
    rng = np.random.default_rng(int(age))
    curves = curves_of(rng)
    calibration = calibrate(*world.binary(world.rows(rng, 50_000)))
    inside, errors, naive = [], [], []
    for _ in range(60):
        concept = rng.normal(0, 0.6)
        drawn = world.rows(rng, 1500, concept=concept)
        known = late(rng, drawn, age)
        cells, scores = world.binary(drawn, known)
        cohort = Cohort(cells=cells, scores=scores, age=age)
        found = blend(calibration, cohort, curves, shift_of(calibration, [cohort], curves))
        truth = float((drawn.prediction == drawn.label).mean())
        accuracy = found.outcomes["accuracy"]
        assert isinstance(accuracy, Estimate)
        inside.append(accuracy.lower <= truth <= accuracy.upper)
        errors.append(accuracy.value - truth)
        naive.append((drawn.prediction == drawn.label)[known].mean() - truth)
        assert found.labelled == pytest.approx(known.mean())
    assert np.mean(inside) >= 0.88
    assert abs(np.mean(errors)) < 4 * np.std(errors) / 60**0.5 + 0.003
    assert np.mean(np.abs(errors)) < 0.5 * np.mean(np.abs(naive))


def test_shares_sum_to_one_and_labels_that_never_come_are_said(world: ModuleType) -> None:
    rng = np.random.default_rng(3)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    delays = rng.exponential(5, 900)
    curves = delay_curves(delays, rng.random(900) < 0.4, np.full(100, 1e6))  # one in ten never comes
    drawn = world.rows(rng, 1000)
    cells, scores = world.binary(drawn, rng.random(1000) < 0.6)
    found = blend(calibration, Cohort(cells=cells, scores=scores, age=10.0), curves, NO_SHIFT)
    assert found.labelled + found.pending + found.unlabelled == pytest.approx(1.0)
    assert found.unlabelled == pytest.approx(0.1, abs=0.01)
    assert found.maturity == pytest.approx(1 - np.exp(-2), abs=0.04)


def test_no_rows_and_no_cohorts(world: ModuleType) -> None:
    rng = np.random.default_rng(4)
    calibration = calibrate(*world.binary(world.rows(rng, 500)))
    cells, scores = world.binary(world.rows(rng, 0))
    found = blend(calibration, Cohort(cells=cells, scores=scores, age=1.0), curves_of(rng), NO_SHIFT)
    assert set(found.outcomes.values()) == {Undefined("current has no rows")}
    assert shift_of(calibration, [], curves_of(rng)) == Shift(0.0, 1.0)
