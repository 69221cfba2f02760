"""Metrics with standard errors."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.errors import InputError, SpecError
from barograph.rules.bets import bet_sizes
from barograph.rules.evidence import Evidence
from barograph.rules.observe import observe
from barograph.rules.share import ABOVE
from barograph.rules.summary import Summary

SIZES = bet_sizes(1000, longest=50)


def reference(spread: float, blocks: int = 200, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.8, np.hypot(0.01, spread), (blocks, 3)), np.full((blocks, 3), 0.01)


def test_evidence_is_normal_with_the_spread_between_chunks() -> None:
    rule = Summary.learn(*reference(0.02), sizes=SIZES, tolerance=0.005)
    assert rule.spread == pytest.approx(np.full(3, 0.02), rel=0.35)
    x, se = np.array([0.7, 0.8, 0.9]), np.array([0.01, 0.02, 0.03])
    got = rule.log_e(x, se).reshape(3, 2, -1)
    sigma = np.hypot(se, rule.spread)
    for side, z in ((0, (x - rule.upper[0]) / sigma), (1, (rule.lower[0] - x) / sigma)):
        assert got[:, side] == pytest.approx(np.minimum(z[:, None] * SIZES - SIZES**2 / 2, 10.0))


def test_chunks_that_vary_as_their_standard_errors_say_have_little_spread() -> None:
    rule = Summary.learn(*reference(0.0), sizes=SIZES)
    assert np.all(rule.spread < 0.007)
    assert np.all(rule.upper[0] - rule.lower[0] < 0.006)


def test_stated_bounds_take_the_place_of_learned_ones() -> None:
    rule = Summary.learn(*reference(0.0), sizes=SIZES, upper=0.9, sides=ABOVE)
    assert rule.upper.tolist() == [[0.9] * 3]
    decision = observe(
        rule, Evidence.start(*rule.shape), rule.log_e([0.89, 0.99, np.nan], [0.01] * 3), chunk=0, arl=1000
    )
    assert decision.breach.tolist() == [False, True, False]
    assert decision.direction.tolist() == [1, 1, 0]


def test_phases_and_the_worst_of_them() -> None:
    phase = np.arange(60) % 2
    x = np.where(phase == 0, 0.7, 0.9)[:, None] + np.random.default_rng(2).normal(0, 0.01, (60, 1))
    rule = Summary.learn(x, np.full((60, 1), 0.01), sizes=SIZES, phase=phase)
    assert rule.log_e([0.9], [0.01], phase=1).max() < 0 < rule.log_e([0.9], [0.01], phase=0).max()
    assert rule.worst_phase().log_e([0.9], [0.01]).max() < 0


def test_what_cannot_be_known_never_alarms() -> None:
    x = np.array([[0.8, np.nan], [0.81, np.nan], [0.79, 0.5]])
    rule = Summary.learn(x, np.full((3, 2), 0.01), sizes=SIZES)
    log_e = rule.log_e([0.1, 0.1], [0.01, 0.01])
    assert log_e[0].max() == 10.0
    assert np.all(np.isneginf(log_e[1]))
    assert not rule.log_e([np.nan, 0.1], [0.01, 0.0]).any()


def test_the_smallest_detectable_change_shrinks_with_patience_and_precision() -> None:
    rule = Summary.learn(*reference(0.0), sizes=SIZES)
    base = rule.smallest_detectable([0.01] * 3, 1000, 10)
    assert np.all((base > 0.01) & (base < 0.05))
    assert np.all(rule.smallest_detectable([0.01] * 3, 1000, 40) < base)
    assert np.all(rule.smallest_detectable([0.03] * 3, 1000, 10) > base)


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match="estimates and errors"):
        Summary.learn([0.1, 0.2], [0.1, 0.1], sizes=SIZES)
    with pytest.raises(SpecError, match="at least 0"):
        Summary.learn([[0.1]], [[0.1]], sizes=SIZES, tolerance=-0.1)
