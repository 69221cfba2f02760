"""The seam: from e-values to a decision."""

from __future__ import annotations

import numpy as np

from barograph.rules.bets import bet_sizes
from barograph.rules.evidence import Evidence
from barograph.rules.observe import observe
from barograph.rules.share import BOTH, share

RULE = share(
    np.full((20, 3), 100), np.full((20, 3), 1000), sizes=bet_sizes(1000, longest=30), tolerance=0.0, sides=BOTH
)
N = np.full(3, 1000)
LOG_E = RULE.log_e([[150]] * 3, N)
RULE_LEVEL = float(Evidence.start(*RULE.shape).add(LOG_E, chunk=0).log_mean()[0])


def test_a_decision_has_its_direction_and_opens_and_closes_at_different_levels() -> None:
    state = Evidence.start(*RULE.shape)
    decision = observe(RULE, state, RULE.log_e([[250], [100], [20]], N), chunk=0, arl=[1000, 1000, 1000])
    assert decision.breach.tolist() == [True, False, True]
    assert decision.direction.tolist() == [1, decision.direction[1], -1]
    for distance, breach, calm in ((-0.1, True, False), (1.0, False, False), (2.5, False, True)):
        level = float(np.exp(RULE_LEVEL + distance))
        between = observe(RULE, Evidence.start(*RULE.shape), LOG_E, chunk=0, arl=level)
        assert (between.breach[0], between.calm[0]) == (breach, calm)


def test_evidence_falls_soon_after_a_repair() -> None:
    decision = observe(RULE, Evidence.start(*RULE.shape), LOG_E, chunk=0, arl=1000)
    for t in range(1, 60):
        assert decision.state is not None
        decision = observe(RULE, decision.state, RULE.log_e([[300 if t < 50 else 100]] * 3, N), chunk=t, arl=1000)
    assert decision.calm.all()


def test_each_monitor_has_its_own_run_length() -> None:
    arl = np.exp([RULE_LEVEL - 1, RULE_LEVEL + 1, np.inf])
    assert observe(RULE, Evidence.start(*RULE.shape), LOG_E, chunk=0, arl=arl).breach.tolist() == [True, False, False]


def test_a_chunk_that_was_counted_is_named_and_changes_nothing() -> None:
    first = observe(RULE, Evidence.start(*RULE.shape), LOG_E, chunk=5, arl=1000)
    assert first.state is not None
    again = observe(RULE, first.state, LOG_E, chunk=5, arl=1000)
    assert again.reason == "chunk 5 was counted before"
    assert again.state is first.state
    assert np.array_equal(again.breach, first.breach)


def test_no_data_yet_is_calm_and_has_no_direction() -> None:
    decision = observe(RULE, Evidence.start(*RULE.shape), RULE.log_e([[0]] * 3, np.zeros(3)), chunk=0, arl=1000)
    assert not decision.breach.any()
    assert decision.calm.all()
    assert decision.direction.tolist() == [0, 0, 0]
