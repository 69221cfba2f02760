"""Shares of rows and what is made of them: categories, rates."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.errors import SpecError
from barograph.rules import Feed
from barograph.rules.baseline import share_baseline
from barograph.rules.bets import bet_sizes
from barograph.rules.category_share import category_share
from barograph.rules.evidence import Evidence
from barograph.rules.observe import observe
from barograph.rules.rate import rate
from barograph.rules.share import BELOW, BOTH, Share, share

SIZES = bet_sizes(1000, longest=50)


def test_evidence_of_independent_rows_is_the_likelihood_ratio() -> None:
    rng = np.random.default_rng(1)
    s = rng.binomial(3600, 0.1, (1, 4))  # one block: nothing is known of dependence
    rule = share(s, np.full(s.shape, 3600), sizes=SIZES, tolerance=0.01, sides=BOTH, chunk_rows=400)
    now = rng.binomial(400, 0.15, 4)
    got = rule.log_e(now[:, None], np.full(4, 400)).reshape(4, 2, len(SIZES))
    base = share_baseline(s[:, :, None], np.full(s.shape, 3600))
    for m in range(4):
        for side, (hits, level) in enumerate(
            ((now[m], base.upper[0, m, 0] + 0.01), (400 - now[m], 1 - base.lower[0, m, 0] + 0.01))
        ):
            theta = rule.theta[m, 0, side]
            other = level * np.exp(theta) / (1 - level + level * np.exp(theta))
            ratio = hits * np.log(other / level) + (400 - hits) * np.log((1 - other) / (1 - level))
            assert got[m, side] == pytest.approx(ratio, rel=1e-9)


def test_rows_that_depend_on_each_other_are_worth_less() -> None:
    even, bursty = np.full((30, 1), 20), np.tile([[2], [38]], (15, 1))
    a, b = (share(s, np.full((30, 1), 200), sizes=SIZES, tolerance=0.0) for s in (even, bursty))
    assert a.baseline.mean.item() == b.baseline.mean.item()
    assert a.log_e([[40]], [200]).max() > 3 * b.log_e([[40]], [200]).max()


def test_both_directions_are_mirror_images() -> None:
    s = np.array([[30], [25], [35], [31]])
    up = share(s, np.full((4, 1), 100), sizes=SIZES)
    down = share(100 - s, np.full((4, 1), 100), sizes=SIZES, sides=BELOW)
    assert up.log_e([[60]], [100]) == pytest.approx(down.log_e([[40]], [100]))
    assert down.meaning(np.array([0]))[1].tolist() == [-1]


def test_phases_are_compared_with_themselves() -> None:
    phase = np.arange(40) % 2
    s = np.where(phase == 0, 10, 60)[:, None]
    rule = share(s, np.full((40, 1), 100), sizes=SIZES, phase=phase)
    assert rule.log_e([[60]], [100], phase=1).max() < 0 < rule.log_e([[60]], [100], phase=0).max()
    assert rule.worst_phase().log_e([[60]], [100]).max() < 0


def test_tolerance_is_one_for_all_or_one_a_monitor() -> None:
    s, n = np.full((10, 2), 5), np.full((10, 2), 100)
    rule = share(s, n, sizes=SIZES, tolerance=np.array([0.0, 0.1]))
    upper = rule.upper[0, :, 0]
    assert upper[1] - upper[0] == pytest.approx(0.1)
    with pytest.raises(SpecError, match="`tolerance` is a share"):
        share(s, n, sizes=SIZES, tolerance=1.5)


def test_an_empty_chunk_and_an_empty_reference_say_nothing() -> None:
    s = np.array([[3, 0], [2, 0]])
    rule = share(s, np.array([[50, 0], [50, 0]]), sizes=SIZES, sides=BOTH)
    assert not rule.log_e([[0], [0]], [0, 0]).any()
    assert rule.log_e([[3], [40]], [50, 50])[1].max() < 0  # without a reference everything is allowed
    assert np.isinf(rule.smallest_detectable([50, 50], 1000, 30)[1]).all()


@pytest.mark.parametrize(("n", "steps"), [(100, 10.0), (500, 30.0), (2000, 3.0)])
def test_the_smallest_detectable_change_is_found_in_about_that_time(n: int, steps: float) -> None:
    rng = np.random.default_rng(n)
    replicas, arl = 400, 1000.0
    s = rng.binomial(n, 0.1, (100, replicas))
    rule = share(s, np.full(s.shape, n), sizes=SIZES, tolerance=0.0)
    change = float(np.median(rule.smallest_detectable(n, arl, steps)))
    evidence, found = Evidence.start(*rule.shape), np.full(replicas, np.inf)
    for t in range(200):
        now = rng.binomial(n, 0.1 + change if t >= 20 else 0.1, replicas)
        evidence = evidence.add(rule.log_e(now[:, None], np.full(replicas, n)), chunk=t)
        hit = evidence.log_mean() >= np.log(arl)
        found[hit & np.isinf(found) & (t >= 20)] = t - 19
    assert steps / 2.5 <= np.median(found) <= steps * 1.5


def test_category_share_finds_the_category_and_its_direction() -> None:
    rng = np.random.default_rng(3)
    p = np.array([0.5, 0.3, 0.15, 0.05])
    counts = rng.multinomial(400, p, size=(30, 2))
    rule = category_share(counts, sizes=SIZES)
    state = Evidence.start(*rule.shape)
    now = np.array([[120, 200, 60, 20], [200, 120, 60, 20]])
    decision = observe(rule, state, rule.log_e(now, [400, 400]), chunk=0, arl=1000)
    assert decision.breach.tolist() == [True, False]
    assert (decision.group[0], decision.direction[0]) in {(0, -1), (1, 1)}


def test_a_promised_rate_is_exact_and_has_no_margin() -> None:
    rule = rate([0.1, 0.2], sizes=SIZES, chunk_rows=200)
    assert isinstance(rule, Share)
    assert rule.upper[0, :, 0].tolist() == [0.1, 0.2]
    log_e = rule.log_e([[30], [30]], [200, 200])
    theta = rule.theta[0, 0, 0]
    assert log_e[0] == pytest.approx(30 * theta - 200 * np.log(1 + 0.1 * np.expm1(theta)))
    assert log_e[0].max() > 0 > log_e[1].max()


@pytest.mark.parametrize(
    "wrong",
    [lambda: rate(0.0, sizes=SIZES, chunk_rows=10), lambda: rate([0.5, 1.0], sizes=SIZES, chunk_rows=10)],
)
def test_impossible_rates_are_errors(wrong: object) -> None:
    with pytest.raises(SpecError):
        wrong()  # type: ignore[operator]


def test_a_chunk_is_judged_in_its_own_phase() -> None:
    phase = np.arange(28) % 2
    s = np.where(phase == 0, 10, 60)[:, None]
    rule = share(s, np.full((28, 1), 100), sizes=SIZES, phase=phase)

    def bets(hits: int, now: int | None) -> float:
        feed = Feed(
            days=np.ones(1),
            came=np.ones(1, np.bool_),
            order=np.zeros(1, np.int64),
            counts=np.array([[[hits]]], np.float64),
            rows=np.array([[100.0]]),
            phase=None if now is None else np.array([now]),
        )
        return float(rule.bets_on(feed, 0).max())

    assert bets(60, 1) < 0 < bets(60, 0)
    assert bets(60, None) < 0  # without a time, and in a phase that was never seen, any level is allowed
    assert bets(60, 5) < 0 < bets(90, 5)
