"""E-values: their mean is at most one under the null, exactly one at the allowed level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, gamma, norm, poisson

from barograph.rules.bets import (
    bet_sizes,
    log_e_counts,
    log_e_losses,
    log_e_shares,
    log_e_summaries,
    tilts,
)

SIZES = np.array([0.3, 1.0, 3.0])


@pytest.mark.parametrize("mean", [0.001, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("n", [1, 40])
def test_mean_wealth_of_shares(mean: float, n: int) -> None:
    theta = tilts(SIZES, np.array(float(n)), np.array(mean))
    s = np.arange(n + 1, dtype=float)
    wealth = np.exp(log_e_shares(s, np.full(n + 1, float(n)), np.full(n + 1, mean), np.tile(theta, (n + 1, 1))))
    assert binom.pmf(s, n, mean) @ wealth == pytest.approx(np.ones(3), rel=1e-9)
    assert np.all(binom.pmf(s, n, mean * 0.9) @ wealth < 1)
    assert np.all(binom.pmf(s, n, min(mean * 1.3, 0.99)) @ wealth > 1)


@pytest.mark.parametrize(("mean", "effect"), [(0.02, 3.0), (0.1, 2.0), (0.1, 8.0)])
def test_mean_wealth_of_shares_that_vary_from_chunk_to_chunk(mean: float, effect: float) -> None:
    # The share of a chunk of 200 rows is gamma distributed; independent rows vary by `effect` times less.
    n = 200
    variance = mean * (1 - mean) * (effect - 1) / n
    levels = gamma(mean**2 / variance, scale=variance / mean).ppf((np.arange(20_000) + 0.5) / 20_000)
    chance = binom.pmf(np.arange(n + 1), n, np.minimum(levels, 1.0)[:, None]).mean(axis=0)
    s = np.arange(n + 1, dtype=float)
    theta = np.tile(tilts(SIZES, np.array(n / effect), np.array(mean)), (n + 1, 1))
    level, rows = np.full(n + 1, mean), np.full(n + 1, float(n))
    wealth = chance @ np.exp(log_e_shares(s, rows, level, theta, np.full(n + 1, effect)))
    assert np.all(wealth < 1.001)
    assert wealth[0] > 0.99
    assert np.all(chance @ np.exp(log_e_shares(s, rows, level, theta)) > 1.05)  # rows taken as independent
    one = log_e_shares(s, rows, level, theta, np.ones(n + 1))
    assert one == pytest.approx(log_e_shares(s, rows, level, theta), abs=1e-9)


def test_mean_wealth_of_losses_and_the_lower_edges_of_their_bins() -> None:
    edges = np.linspace(0, 1, 6)
    shares = np.array([[0.4, 0.3, 0.15, 0.1, 0.05]])
    lower = edges[None, :-1]
    theta = np.array([[0.3, 1.5]])
    one_row = np.eye(5)
    for mean, expected in (((shares * lower).sum(), 1.0), ((shares * (edges[:-1] + 0.1)).sum(), None)):
        log_e = log_e_losses(one_row, np.tile(lower, (5, 1)), np.full(5, mean), np.tile(theta, (5, 1)))
        wealth = (shares @ np.exp(log_e))[0]
        if expected is None:  # the true mean, with rows in the middle of their bins: what is allowed is higher
            assert np.all(wealth < 1)
        else:
            assert wealth == pytest.approx(expected)


def test_losses_of_zero_and_one_are_shares() -> None:
    theta = np.array([[0.2, 0.9]])
    as_losses = log_e_losses(np.array([[60.0, 40.0]]), np.array([[0.0, 1.0]]), np.array([0.3]), theta)
    as_shares = log_e_shares(np.array([40.0]), np.array([100.0]), np.array([0.3]), theta)
    assert as_losses == pytest.approx(as_shares)


def test_mean_wealth_of_counts_on_both_sides() -> None:
    y = np.arange(200, dtype=float)
    mean = np.full(200, 50.0)
    for theta, better in ((-0.4, 55.0), (0.3, 45.0)):
        wealth = np.exp(log_e_counts(y, mean, np.array([theta])))[:, 0]
        assert poisson.pmf(y, 50.0) @ wealth == pytest.approx(1.0)
        assert poisson.pmf(y, better) @ wealth < 1


def test_mean_wealth_of_summaries_is_at_most_one_and_capped() -> None:
    x = np.linspace(-9, 9, 20_001)
    log_e = log_e_summaries(0.7 + 0.05 * x, np.full(x.shape, 0.05), np.full(x.shape, 0.7), np.array([1.0, 4.0]))
    wealth = norm.pdf(x) @ np.exp(log_e) * (x[1] - x[0])
    assert wealth[0] == pytest.approx(1.0, abs=1e-6)
    assert wealth[1] < 1  # the cap takes something away
    assert log_e.max() == 10.0


def test_no_data_is_no_evidence() -> None:
    theta = np.tile([0.3, 0.6], (2, 1))
    assert not log_e_shares(np.zeros(2), np.zeros(2), np.array([0.1, 1.0]), theta).any()
    assert not log_e_losses(np.zeros((2, 3)), np.zeros((2, 3)), np.array([0.1, 1.0]), theta).any()
    unknown = log_e_summaries(np.array([np.nan, 0.5]), np.array([0.1, 0.0]), np.zeros(2), SIZES)
    assert not unknown.any()


def test_a_level_that_cannot_be_exceeded_loses_the_bet() -> None:
    assert np.isneginf(log_e_shares(np.array([10.0]), np.array([10.0]), np.array([1.0]), np.array([[0.5]]))).all()


def test_sizes_cover_the_times_asked_for_with_small_gaps() -> None:
    sizes = bet_sizes(5000, longest=100)
    assert 2 * np.log(5000) / sizes[[0, -1]] ** 2 == pytest.approx([100.0, 1.0])
    assert np.all(sizes[1:] / sizes[:-1] <= 1.6 + 1e-9)
    assert len(bet_sizes(5000, longest=1)) == 1


def test_bets_on_rare_events_stay_below_one_half() -> None:
    theta = tilts(np.array([50.0]), np.array(10.0), np.array(1e-4))
    odds = np.exp(theta) * 1e-4 / (1 - 1e-4)
    assert odds == pytest.approx(1.0)
