"""Concept drift by cells: silent under covariate shift."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.errors import InputError, SpecError
from barograph.rules.bets import bet_sizes
from barograph.rules.evidence import Evidence
from barograph.rules.observe import observe
from barograph.rules.residual import Residual

SIZES = bet_sizes(1000, longest=50)
P = np.array([0.05, 0.2, 0.5])


def learned(seed: int = 1, blocks: int = 100, monitors: int = 4) -> Residual:
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(300, [0.6, 0.3, 0.1], size=(blocks, monitors))
    return Residual.learn(rng.binomial(rows, P), rows, sizes=SIZES)


def run(rule: Residual, mix: list[float], p: np.ndarray, chunks: int) -> float:
    """Return the share of monitors in breach at any time."""
    rng = np.random.default_rng(9)
    state, ever = Evidence.start(*rule.shape), np.zeros(rule.shape[0], bool)
    for t in range(chunks):
        rows = rng.multinomial(300, mix, size=rule.shape[0])
        decision = observe(rule, state, rule.log_e(rng.binomial(rows, p), rows), chunk=t, arl=1000)
        assert decision.state is not None
        state, ever = decision.state, ever | decision.breach
    return float(ever.mean())


def test_covariate_shift_is_silent_and_a_changed_concept_is_not() -> None:
    rule = learned(monitors=40)
    assert run(rule, [0.1, 0.3, 0.6], P, 150) <= 0.1  # the error rate rises from 0.14 to 0.37, as it has to
    assert run(rule, [0.6, 0.3, 0.1], P + np.array([0.05, 0.0, 0.0]), 40) >= 0.9
    assert run(rule, [0.6, 0.3, 0.1], P - np.array([0.0, 0.1, 0.2]), 40) >= 0.9


def test_evidence_is_that_of_its_rows_less_the_doubt_about_the_reference() -> None:
    rule = learned(monitors=1)
    s, n = np.array([[15.0, 30, 10]]), np.array([[200.0, 80, 20]])
    got = rule.log_e(s, n).reshape(2, -1)
    worth = 1 / (1 + 299 * rule.excess[0])
    for i, (hits, mean) in enumerate(((s[0], rule.expected[0]), (n[0] - s[0], 1 - rule.expected[0]))):
        for k, theta in enumerate(rule.theta[0, i]):
            g = np.expm1(theta)
            plain = sum(hits * theta - n[0] * np.log(1 + mean * g)) * worth
            doubt = rule.quantile[0] * g * np.sqrt(sum((worth * n[0] * rule.standard_errors[0] / (1 + mean * g)) ** 2))
            assert got[i, k] == pytest.approx(plain - doubt)


def test_a_reference_that_is_off_by_its_standard_errors_is_no_evidence() -> None:
    # The expected log wealth, with each true share 1.6 standard errors above what the reference says, stays below zero
    # on average over the mix: that is what the doubt is for.
    rule = learned(blocks=20, monitors=1)
    truth = rule.expected + 1.6 * rule.standard_errors * np.array([[1.0, 0.0, 0.0]])
    n = np.array([[180.0, 90, 30]])
    assert rule.log_e(truth * n, n).reshape(2, -1)[0].max() < 0


def test_an_unknown_cell_is_doubted() -> None:
    rows = np.zeros((10, 1, 2), int)
    rows[:, :, 0] = 300
    rule = Residual.learn((rows * 0.1).astype(int), rows, sizes=SIZES)
    assert rule.expected[0, 1] == 0.5
    assert rule.log_e([[0, 100]], [[0, 100]]).max() < np.log(1000)
    assert rule.log_e([[200, 0]], [[300, 0]]).max() > np.log(1000)


def test_no_labels_say_nothing_and_more_of_them_see_more() -> None:
    rule = learned()
    assert not rule.log_e(np.zeros((4, 3)), np.zeros((4, 3))).any()
    few, many = (rule.smallest_detectable(n, 1000, 30) for n in (100, 300))
    assert np.all((many > 0) & (many < few))


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match="of outcomes and rows"):
        Residual.learn([[1]], [[2]], sizes=SIZES)
    with pytest.raises(SpecError, match="`tolerance`"):
        Residual.learn([[[1]]], [[[2]]], sizes=SIZES, tolerance=1.0)
