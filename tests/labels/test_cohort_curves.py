"""Cohorts at equal age."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.labels.cohort_curves import vintages


def test_counts_are_those_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    cohort, loss = rng.integers(0, 5, 3000), rng.random(3000)
    delay = np.where(rng.random(3000) < 0.1, np.inf, rng.exponential(20, 3000))
    ages, youngest = np.array([5.0, 20.0, 60.0]), np.array([100.0, 70.0, 30.0, 10.0, 1.0])
    table = vintages(cohort, delay, loss, youngest, ages=ages)
    for c in range(5):
        for a, age in enumerate(ages):
            here = (cohort == c) & (delay <= age)
            assert table.labels[c, a] == here.sum()
            assert table.losses[c, a] == pytest.approx(loss[here].sum())
            assert table.complete[c, a] == (youngest[c] >= age)
    assert table.rows.sum() == 3000
    middle = table.mean_loss(1)
    assert np.isnan(middle[3:]).all()
    assert np.isfinite(middle[:3]).all()


def test_young_cohorts_look_better_on_labels_so_far_and_alike_at_equal_age() -> None:
    rng = np.random.default_rng(1)
    cohort = np.repeat([0, 1], 20_000)
    wrong = rng.random(40_000) < 0.3
    delay = np.where(wrong, rng.exponential(40, 40_000), rng.exponential(5, 40_000))  # mistakes show late
    youngest = np.array([200.0, 10.0])
    seen = delay <= youngest[cohort]
    so_far = [wrong[(cohort == c) & seen].mean() for c in (0, 1)]
    assert so_far[0] - so_far[1] > 0.1
    at_ten = vintages(cohort, delay, wrong.astype(float), youngest, ages=np.array([10.0])).mean_loss(0)
    assert at_ten[0] == pytest.approx(at_ten[1], abs=0.01)


def test_no_events() -> None:
    table = vintages(np.array([], int), np.array([]), np.array([]), np.array([3.0]), ages=np.array([1.0]))
    assert np.isnan(table.mean_loss(0)).all()
