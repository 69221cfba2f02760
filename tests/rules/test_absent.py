"""Too few events."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.errors import InputError, SpecError
from barograph.rules.absent import Absent
from barograph.rules.bets import bet_sizes
from barograph.rules.evidence import Evidence
from barograph.rules.observe import observe

SIZES = bet_sizes(1000, longest=24)


def hours(rule: Absent, counts: list[int], phase: list[int] | None = None) -> int | None:
    """Return after how many empty or full chunks there is an alarm."""
    state = Evidence.start(*rule.shape)
    for t, y in enumerate(counts):
        log_e = rule.log_e(np.full(rule.shape[0], y), phase=phase[t] if phase else 0)
        decision = observe(rule, state, log_e, chunk=t, arl=1000)
        assert decision.state is not None
        state = decision.state
        if decision.breach.any():
            return t + 1
    return None


def test_a_steady_feed_is_missed_at_once_and_an_irregular_one_after_a_while() -> None:
    rng = np.random.default_rng(1)
    steady = Absent.learn(rng.poisson(500, (200, 1)), sizes=SIZES)
    irregular = Absent.learn(rng.poisson(rng.gamma(2, 250, (200, 1))), sizes=SIZES)
    assert hours(steady, [0] * 50) == 1
    later = hours(irregular, [0] * 200)
    assert later is not None
    assert 3 < later < 60
    assert hours(steady, [300] * 200) is None  # within the tolerance of half
    assert hours(steady, [200] * 200) is not None


def test_a_quiet_night_is_no_absence_and_a_quiet_day_is_one() -> None:
    rng = np.random.default_rng(2)
    phase = np.arange(240) % 24
    expected = np.where(phase < 8, 3.0, 400.0)
    rule = Absent.learn(rng.poisson(expected)[:, None], sizes=SIZES, phase=phase)
    night = [*range(8)] * 10
    assert hours(rule, [2] * 80, night) is None
    assert hours(rule, [2] * 5, [12] * 5) == 1
    assert hours(rule, [0] * 80, night) is not None
    assert rule.worst_phase().lower.item() == rule.lower.min()


def test_evidence_is_poissons_for_a_level_below_the_reference() -> None:
    rule = Absent.learn([[100.0]], sizes=SIZES, tolerance=0.2)
    allowed = (100 - 1.6448536 * 10) * 0.8
    assert rule.lower.item() == pytest.approx(allowed)
    got = rule.log_e([30])[0]
    assert got == pytest.approx(-rule.theta[0] * 30 + allowed * (1 - np.exp(-rule.theta[0])))
    assert rule.meaning(np.array([0]))[1].item() == -1


def test_the_smallest_detectable_loss_of_events() -> None:
    rule = Absent.learn(np.random.default_rng(3).poisson(500, (100, 1)), sizes=SIZES)
    slow, quick = rule.smallest_detectable(1000, 24).item(), rule.smallest_detectable(1000, 1).item()
    assert 0.5 < slow < quick <= 1
    rare = Absent.learn(np.random.default_rng(3).poisson(0.05, (100, 1)), sizes=SIZES)
    assert np.isinf(rare.smallest_detectable(1000, 24)).all()


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match=r"\(blocks, monitors\)"):
        Absent.learn([1.0, 2.0], sizes=SIZES)
    with pytest.raises(SpecError, match="`tolerance`"):
        Absent.learn([[1.0]], sizes=SIZES, tolerance=-1)
