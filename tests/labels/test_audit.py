"""Few labels, well chosen."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.labels.audit import augmented_mean, propose_audit
from barograph.outcome import Estimate, Undefined


def test_events_are_chosen_with_the_probabilities_that_are_returned() -> None:
    rng = np.random.default_rng(0)
    estimated = rng.beta(0.5, 3, 60)
    chosen, known = np.zeros(60), np.zeros(60)
    for _ in range(4000):
        audit = propose_audit(estimated, 12, generator=rng)
        assert len(set(audit.chosen.tolist())) == 12
        chosen[audit.chosen] += 1
        known[audit.chosen] = audit.propensities
    assert known.sum() == pytest.approx(12)
    assert chosen / 4000 == pytest.approx(known, abs=0.04)


def test_uncertain_events_come_more_often_and_none_is_left_out() -> None:
    estimated = np.repeat([0.0, 0.5, 1.0], 100)
    propensities = np.zeros(300)
    rng = np.random.default_rng(1)
    for _ in range(300):
        audit = propose_audit(estimated, 30, generator=rng)
        propensities[audit.chosen] = audit.propensities
    low, high = propensities[:100].max(), propensities[100:200].max()
    assert high / low == pytest.approx(np.sqrt((0.25 + 0.03) / 0.03), rel=0.01)
    assert (propensities > 0).all()


def drift(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what is expected of 0/1 losses, and losses of which some are of another concept."""
    expected = rng.beta(0.6, 2.5, n)
    truth = np.where(rng.random(n) < 0.1, 0.6, expected)
    return expected, (rng.random(n) < truth).astype(float)


def test_the_mean_is_unbiased_covers_and_beats_random_labels() -> None:
    rng = np.random.default_rng(2)
    errors, random_errors, inside = [], [], []
    for _ in range(1500):
        expected, loss = drift(rng, 1000)
        audit = propose_audit(expected, 100, generator=rng)
        found = augmented_mean(expected, audit.chosen, loss[audit.chosen], audit.propensities)
        assert isinstance(found, Estimate)
        errors.append(found.value - loss.mean())
        random_errors.append(loss[rng.choice(1000, 100, replace=False)].mean() - loss.mean())
        inside.append(found.lower <= loss.mean() <= found.upper)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / 1500**0.5
    assert np.std(errors) < 0.95 * np.std(random_errors)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_wrong_estimates_cost_precision_but_no_bias() -> None:
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(1500):
        _, loss = drift(rng, 500)
        nonsense = rng.random(500)
        audit = propose_audit(nonsense, 60, generator=rng)
        found = augmented_mean(nonsense, audit.chosen, loss[audit.chosen], audit.propensities)
        assert isinstance(found, Estimate)
        errors.append(found.value - loss.mean())
    assert abs(np.mean(errors)) < 4 * np.std(errors) / 1500**0.5 + 0.002


def test_all_labels_give_the_mean_itself() -> None:
    rng = np.random.default_rng(4)
    expected, loss = drift(rng, 50)
    audit = propose_audit(expected, 80, generator=rng)
    found = augmented_mean(expected, audit.chosen, loss[audit.chosen], audit.propensities)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(loss.mean())
    assert found.standard_error == 0.0


def test_nothing_to_choose_from_and_nothing_labelled() -> None:
    rng = np.random.default_rng(5)
    nothing = propose_audit(np.array([]), 5, generator=rng)
    assert len(nothing.chosen) == 0
    assert len(propose_audit(np.full(9, 0.1), 0, generator=rng).chosen) == 0
    none = np.array([], int)
    empty = np.array([])
    assert augmented_mean(np.full(3, 0.1), none, empty, empty) == Undefined("there are no labels")
    assert augmented_mean(empty, none, empty, empty) == Undefined("there are no events")
    one = augmented_mean(np.full(3, 0.1), np.array([0]), np.array([1.0]), np.array([0.5]))
    assert isinstance(one, Estimate)
    assert one.lower is None
