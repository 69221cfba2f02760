"""How late labels come."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from barograph.labels.delay import delay_curves, fit_shift, pending_rate, shifted


def stream(rng: np.random.Generator, n: int, *, never: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ages, outcomes and delays: positives come after 10 days, negatives around 40, some never."""
    positive = rng.random(n) < 0.3
    delay = np.where(positive, rng.exponential(10, n), rng.normal(40, 6, n).clip(1))
    return rng.uniform(0, 120, n), positive, np.where(rng.random(n) < never, np.inf, delay)


@pytest.mark.parametrize("never", [0.0, 0.2])
def test_curves_are_those_of_all_events_though_many_still_wait(never: float) -> None:
    age, positive, delay = stream(np.random.default_rng(0), 60_000, never=never)
    known = delay <= age
    curves = delay_curves(delay[known], positive[known], age[~known])
    at = np.array([2.0, 10.0, 30.0, 40.0, 50.0, 90.0])
    negatives, positives = curves.at(at)
    for share, outcome in ((negatives, ~positive), (positives, positive)):
        expected = (delay[outcome][:, None] <= at).mean(axis=0)
        assert share == pytest.approx(expected, abs=0.02)
    assert curves.never == pytest.approx(never, abs=0.02)


def test_without_censoring_curves_are_the_shares_that_have_arrived() -> None:
    _, positive, delay = stream(np.random.default_rng(1), 5000)
    curves = delay_curves(delay, positive, np.array([]))
    negatives, positives = curves.at(np.array([15.0, 38.0]))
    assert positives == pytest.approx([(delay[positive] <= a).mean() for a in (15, 38)], abs=0.01)
    assert negatives == pytest.approx([(delay[~positive] <= a).mean() for a in (15, 38)], abs=0.01)
    assert curves.never == 0.0


def test_one_outcome_and_none() -> None:
    only = delay_curves(np.array([1.0, 2.0]), np.array([True, True]), np.array([0.5]))
    assert only.at(1.5)[0] == only.at(1.5)[1]
    nothing = delay_curves(np.array([]), np.array([], bool), np.array([3.0]))
    assert (nothing.never, nothing.n) == (1.0, 0)
    assert float(nothing.at(9.0)[0]) == 0.0


def test_pending_rate_is_that_of_the_events_that_wait() -> None:
    rng = np.random.default_rng(2)
    for f0, f1 in ((0.1, 0.8), (0.7, 0.2), (0.0, 0.0)):
        positive = rng.random(400_000) < 0.3
        waits = rng.random(400_000) >= np.where(positive, f1, f0)
        assert pending_rate(np.array([0.3]), np.array([f0]), np.array([f1]))[0] == pytest.approx(
            positive[waits].mean(), abs=0.005
        )
    assert pending_rate(np.array([0.3]), np.array([1.0]), np.array([1.0]))[0] == 0.3


def drawn(rng: np.random.Generator, shift: float) -> tuple[np.ndarray, ...]:
    rate = rng.uniform(0.05, 0.9, 200)
    n = rng.integers(1, 40, 200)
    k = rng.binomial(n, shifted(rate, shift))
    f0, f1 = rng.uniform(0, 0.5, 200), rng.uniform(0.2, 1.0, 200)
    here = rng.binomial(k, f1), rng.binomial(n - k, f0)
    return rate, np.column_stack((here[1], here[0], n - here[0] - here[1])).astype(float), f0, f1


def test_shift_is_the_maximum_of_the_penalised_likelihood() -> None:
    rate, counts, f0, f1 = drawn(np.random.default_rng(3), 0.8)

    def loss(delta: float) -> float:
        p = shifted(rate, delta)
        parts = counts * np.log(np.column_stack((1 - p, p, 1 - p * f1 - (1 - p) * f0)))
        return float(delta**2 / 2 - parts.sum())

    best = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-8})
    assert fit_shift(rate, counts, f0, f1).value == pytest.approx(best.x, abs=1e-5)


def test_shift_is_found_within_its_standard_error() -> None:
    rng = np.random.default_rng(4)
    z = []
    for _ in range(200):
        truth = rng.normal(0, 0.7)
        found = fit_shift(*drawn(rng, truth))
        z.append((found.value - truth) / found.standard_error)
    assert abs(np.mean(z)) < 0.3
    assert np.std(z) == pytest.approx(1.0, abs=0.15)


def test_early_positives_are_not_taken_for_a_shift() -> None:
    rng = np.random.default_rng(5)
    rate = np.full(1, 0.3)
    k = rng.binomial(10_000, 0.3)
    here = rng.binomial(k, 0.9)  # nine in ten positives are there, and no negative
    counts = np.array([[0.0, here, 10_000.0 - here]])
    found = fit_shift(rate, counts, np.zeros(1), np.full(1, 0.9))
    assert abs(found.value) < 4 * found.standard_error
    assert found.standard_error < 0.1


def test_without_rows_nothing_is_known() -> None:
    found = fit_shift(np.array([0.5]), np.zeros((1, 3)), np.zeros(1), np.zeros(1))
    assert (found.value, found.standard_error) == (0.0, 1.0)
