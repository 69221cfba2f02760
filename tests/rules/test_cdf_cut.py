"""Cut points of distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.rules.bets import bet_sizes
from barograph.rules.cdf_cut import CdfCut, quantile_cuts
from barograph.rules.evidence import Evidence
from barograph.rules.observe import observe
from barograph.rules.share import BOTH, Share

SIZES = bet_sizes(1000, longest=50)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 50), min_size=3, max_size=12).filter(lambda c: sum(x > 0 for x in c) > 1))
def test_cuts_are_the_nearest_edges_with_mass_on_both_sides(counts: list[int]) -> None:
    total = sum(counts)
    for q, cut in zip((0.25, 0.5, 0.75), quantile_cuts(np.array([counts], float), 3)[0], strict=True):
        below = sum(counts[:cut])
        assert 0 < below < total
        edges = [sum(counts[:k]) for k in range(1, len(counts))]
        assert abs(below - q * total) == min(abs(b - q * total) for b in edges if 0 < b < total)


def test_it_is_a_share_below_each_cut_point() -> None:
    rng = np.random.default_rng(1)
    counts = rng.multinomial(300, np.full(10, 0.1), size=(20, 3))
    rule = CdfCut.learn(counts, sizes=SIZES, tolerance=0.01)
    assert rule.cuts.tolist() == [list(range(1, 10))] * 3
    now = rng.multinomial(300, np.full(10, 0.1), size=3)
    shares = Share.build(rule.shares.baseline, tolerance=0.01, sides=BOTH, sizes=SIZES)
    expected = shares.log_e(np.cumsum(now, axis=1)[:, :9], np.full(3, 300))
    assert np.array_equal(rule.log_e(now), expected)


def test_padding_changes_nothing() -> None:
    counts = np.random.default_rng(2).multinomial(300, np.full(5, 0.2), size=(20, 1))
    padded = np.concatenate((counts, np.zeros((20, 1, 4), int)), axis=2)
    a, b = (CdfCut.learn(c, sizes=SIZES) for c in (counts, padded))
    assert np.array_equal(a.cuts, b.cuts)
    assert np.array_equal(a.log_e(counts[0]), b.log_e(padded[0]))


@pytest.mark.parametrize(
    ("shares", "direction"), [([0.4, 0.3, 0.2, 0.1], 1), ([0.1, 0.2, 0.3, 0.4], -1), ([0.25] * 4, 0)]
)
def test_mass_that_moves_is_found_with_its_direction(shares: list[float], direction: int) -> None:
    counts = np.full((30, 1, 4), 100)
    rule = CdfCut.learn(counts, sizes=SIZES)
    now = (np.array([shares]) * 400).astype(int)
    decision = observe(rule, Evidence.start(*rule.shape), rule.log_e(now), chunk=0, arl=1000)
    assert decision.breach.item() is bool(direction)
    if direction:
        assert decision.direction.item() == direction


def test_a_constant_column_and_an_empty_one_are_quiet_until_they_change() -> None:
    counts = np.zeros((10, 2, 4), int)
    counts[:, 0, 2] = 200
    rule = CdfCut.learn(counts, sizes=SIZES)
    assert rule.log_e(counts[0]).max() <= 0
    moved = np.array([[200, 0, 0, 0], [200, 0, 0, 0]])
    log_e = rule.log_e(moved)
    assert log_e[0].max() > 5
    assert log_e[1].max() <= 0  # nothing is known of it


def test_tolerance_ignores_a_small_shift_however_many_rows_there_are() -> None:
    from scipy.special import ndtr, ndtri

    edges = ndtri(np.arange(1, 10) / 10)
    shifted = np.diff(np.concatenate(([0.0], ndtr(edges - 0.05), [1.0])))
    rule = CdfCut.learn(np.full((50, 1, 10), 100_000), sizes=SIZES)
    assert rule.log_e(shifted[None] * 1e6).max() < 0
    strict = CdfCut.learn(np.full((50, 1, 10), 100_000), sizes=SIZES, tolerance=0.0)
    assert strict.log_e(shifted[None] * 1e6).max() > 100


def test_more_rows_more_patience_and_less_budget_see_smaller_shifts() -> None:
    counts = np.random.default_rng(3).multinomial(500, np.full(10, 0.1), size=(60, 1))
    rule = CdfCut.learn(counts, sizes=SIZES, tolerance=0.0)

    def shift(n: float = 500, arl: float = 1000, steps: float = 30) -> float:
        return float(rule.smallest_shift(n, arl, steps).item())

    assert 0.03 < shift() < 0.25
    assert shift(n=250) > shift()
    assert shift(arl=1e6) > shift()
    assert shift(steps=10) > shift()
    assert 0.2 * shift() < rule.smallest_detectable(500, 1000, 30).item() <= 0.4 * shift()  # less in the tails
