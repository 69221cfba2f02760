"""What the drift of a feature costs."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.causes.harm import feature_harm, leaf_loss
from barograph.causes.losses import CellLosses
from barograph.errors import MismatchError
from barograph.outcome import Estimate, Undefined

LOSS = np.array([0.05, 0.1, 0.3, 0.4])


def world(rng: np.random.Generator, n: int, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return codes of a feature and the leaves that they lead to, not always the same."""
    code = rng.choice(len(shares), n, p=shares)
    leaf = np.where(rng.random(n) < 0.7, code % 4, rng.integers(0, 4, n))
    return code, leaf


def counted(code: np.ndarray, leaf: np.ndarray, codes: int) -> np.ndarray:
    return np.bincount(leaf * codes + code, minlength=4 * codes).reshape(4, codes)


def test_it_is_the_change_that_the_feature_makes() -> None:
    rng = np.random.default_rng(0)
    before, after = np.full(8, 1 / 8), np.array([1, 1, 1, 1, 3, 3, 5, 5]) / 20
    reference, current = world(rng, 200_000, before), world(rng, 100_000, after)
    harm = feature_harm(counted(*reference, 8), np.bincount(current[0], minlength=8), LOSS)
    true = LOSS[current[1]].mean() - LOSS[reference[1]].mean()
    assert isinstance(harm.change, Estimate)
    assert harm.change.value == pytest.approx(true, abs=0.002)
    assert harm.unknown_share == 0.0


def test_without_drift_it_is_zero_and_covers() -> None:
    rng = np.random.default_rng(1)
    shares = np.full(8, 1 / 8)
    table = counted(*world(rng, 50_000, shares), 8)
    inside = []
    for _ in range(200):
        change = feature_harm(table, np.bincount(world(rng, 800, shares)[0], minlength=8), LOSS).change
        assert isinstance(change, Estimate)
        inside.append(change.lower <= 0 <= change.upper)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_a_feature_that_says_nothing_of_the_leaf_does_no_harm() -> None:
    rng = np.random.default_rng(2)
    leaf, code = rng.integers(0, 4, 40_000), rng.integers(0, 5, 40_000)
    harm = feature_harm(counted(code, leaf, 5), np.array([0, 0, 0, 0, 4000]), LOSS)
    assert isinstance(harm.change, Estimate)
    assert abs(harm.change.value) < 0.006


def test_unknown_values_are_said_and_not_guessed() -> None:
    table = np.array([[50, 50, 0], [50, 50, 0], [50, 50, 0], [50, 50, 0]])
    harm = feature_harm(table, np.array([50, 50, 100]), LOSS)
    assert harm.unknown_share == 0.5
    assert isinstance(harm.change, Estimate)
    assert harm.change.value == pytest.approx(0.0, abs=1e-9)


def test_no_rows_and_other_references() -> None:
    table = np.ones((4, 3), np.int64)
    assert feature_harm(table, np.zeros(3, np.int64), LOSS).change == Undefined("current has no rows")
    assert feature_harm(table * 0, np.ones(3, np.int64), LOSS).change == Undefined("reference has no rows")
    with pytest.raises(MismatchError, match="one reference"):
        feature_harm(table, np.ones(5, np.int64), LOSS)


def test_the_loss_of_a_leaf_with_few_rows_is_drawn_to_the_mean() -> None:
    rows, total = np.array([[1000.0, 0.0], [1.0, 0.0]]), np.array([[100.0, 0.0], [1.0, 0.0]])
    found = leaf_loss(CellLosses(rows=rows, total=total, squares=total))
    assert found[0] == pytest.approx(0.1, abs=0.001)
    assert 0.1 < found[1] < 0.3
