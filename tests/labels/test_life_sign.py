"""A label feed that lives is hardly ever told silent, and one that has stopped is, as soon as its delays allow."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from barograph.labels.delay import DelayCurves, delay_curves
from barograph.labels.life_sign import allowed_silence


def curves_of(delays: np.ndarray) -> DelayCurves:
    return delay_curves(delays, np.arange(len(delays)) % 2 == 0, np.array([]))


def gap_of(rng: np.random.Generator, delays: np.ndarray, pending: np.ndarray) -> float:
    """Return how long a feed is silent whose events wait at these ages: by simulation of each."""
    firsts = [rng.choice(delays[delays > age]) - age for age in pending if (delays > age).any()]
    return min(firsts, default=inf)


@pytest.mark.parametrize(("mean", "waiting"), [(1.0, 30), (20.0, 30), (20.0, 400)])
def test_a_feed_that_lives_is_not_told_silent(mean: float, waiting: int) -> None:
    rng = np.random.default_rng(1)
    delays = rng.gamma(3.0, mean / 3, 4_000)
    curves = curves_of(delays)
    told = 0
    for _ in range(300):
        pending = rng.uniform(0, mean, waiting)
        told += gap_of(rng, delays, pending) > allowed_silence(curves, pending)
    assert told <= 2  # of 300: delays are known to a thousandth, and so is the chance


def test_the_more_labels_are_due_the_sooner_silence_is_told() -> None:
    curves = curves_of(np.random.default_rng(2).gamma(3.0, 5.0, 4_000))
    allowed = [allowed_silence(curves, np.full(n, 5.0)) for n in (3, 30, 3_000)]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[2] < 0.5 < 5.0 < allowed[0]


def test_labels_that_are_not_due_yet_are_not_missed() -> None:
    month = curves_of(np.random.default_rng(3).uniform(28, 32, 1_000))
    young = allowed_silence(month, np.full(500, 1.0))
    assert 27 <= young <= 29
    assert allowed_silence(month, np.full(500, 27.5)) < 2


def test_events_that_came_since_the_last_label_are_due_later_by_as_much() -> None:
    day = curves_of(np.random.default_rng(4).uniform(0, 1, 1_000))
    now = allowed_silence(day, np.zeros(500))
    assert allowed_silence(day, np.full(500, -7.0)) == pytest.approx(now + 7.0)
    assert allowed_silence(day, np.repeat([0.0, -7.0], 500)) == pytest.approx(now)


@pytest.mark.parametrize("pending", [np.array([]), np.full(10, 99.0)])
def test_where_none_is_due_any_silence_is_allowed(pending: np.ndarray) -> None:
    curves = curves_of(np.linspace(1, 5, 100))
    assert allowed_silence(curves, pending) == inf
    assert allowed_silence(curves_of(np.array([])), np.zeros(10)) == inf
