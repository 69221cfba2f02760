"""Bounds of a reference: against scipy, their coverage, and the dependence of rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from barograph.errors import InputError, SpecError
from barograph.rules.baseline import (
    carry_over,
    has_rhythm,
    mean_baseline,
    share_baseline,
    share_baseline_in_phases,
    weigh,
)


def test_one_block_of_independent_rows_has_clopper_and_pearsons_bounds() -> None:
    for s, n in ((0, 50), (7, 50), (50, 50), (300, 4000)):
        exact = binomtest(s, n).proportion_ci(0.9, method="exact")  # two-sided: 5 % on each side
        b = share_baseline([[[s]]], [[n]])
        assert (b.lower.item(), b.upper.item()) == pytest.approx((exact.low, exact.high), abs=1e-9)
        assert b.excess.item() == 0.0


def latent(steps: int, replicas: int, persistence: float, rng: np.random.Generator) -> np.ndarray:
    x = np.empty((steps, replicas))
    now = rng.normal(size=replicas)
    for t in range(steps):
        x[t] = now
        now = persistence * now + np.sqrt(1 - persistence**2) * rng.normal(size=replicas)
    return x


@pytest.mark.parametrize(("persistence", "sd", "least"), [(0.0, 0.0, 0.95), (0.0, 0.06, 0.93), (0.5, 0.04, 0.9)])
def test_bounds_cover_the_truth_whatever_the_dependence(persistence: float, sd: float, least: float) -> None:
    # The standard error of i.i.d. rows would cover in 74 % and 63 % of the second and third case.
    rng = np.random.default_rng(3)
    p = 0.3 + sd * latent(40, 3000, persistence, rng)
    s = rng.binomial(100, np.clip(p, 0, 1))
    b = share_baseline(s[:, :, None], np.full(s.shape, 100))
    assert np.mean(b.upper[0, :, 0] >= 0.3) >= least
    assert np.mean(b.lower[0, :, 0] <= 0.3) >= least
    if sd == 0.0:
        assert np.mean(b.upper[0, :, 0] >= 0.3) <= 0.999  # cautious, but not absurd


def test_the_design_effect_of_clustered_rows_is_found() -> None:
    # Beta-binomial blocks: correlation of rows 0.02, hence a design effect of 1 + 199 × 0.02 in blocks of 200.
    rng = np.random.default_rng(4)
    a, b = 0.3 * 49, 0.7 * 49
    s = rng.binomial(200, rng.beta(a, b, (400, 200)))
    found = share_baseline(s[:, :, None], np.full(s.shape, 200))
    effect = found.design_effect(np.full(200, 200.0))
    assert np.median(effect) == pytest.approx(4.98, rel=0.25)
    assert np.mean(effect > 4.98) > 0.8  # with caution: the upper bound of what is measured
    # Rows that depend on each other cost more the larger the chunk is, up to a block; one by one they cost nothing.
    assert found.design_effect(np.ones(200)).tolist() == [1.0] * 200
    assert np.all(found.design_effect(np.full(200, 100.0)) < effect)
    assert np.array_equal(found.design_effect(np.full(200, 400.0)), effect)


@pytest.mark.parametrize(("persistence", "noise"), [(0.0, 1.0), (0.5, 0.0), (0.5, 1.0), (0.8, 1.0)])
def test_the_variance_carried_over_to_the_next_blocks_is_found(persistence: float, noise: float) -> None:
    rng = np.random.default_rng(5)
    x = latent(800, 300, persistence, rng) + noise * rng.normal(size=(800, 300))
    rest = (x - x.mean(axis=0))[:, :, None]
    found = np.median(carry_over(rest, (rest**2).sum(axis=(0, 2)), np.full(300, 800)))
    truth = 1 + 2 * persistence / (1 - persistence) / (1 + noise**2)
    assert found == pytest.approx(truth, rel=0.25)


def test_few_blocks_are_weighed_with_experience_and_many_are_believed() -> None:
    effect, cautious, free = weigh(np.array([9.0, 9.0]), np.array([1, 500]), np.ones(2))
    assert effect[0] < 4 < 8.8 < effect[1]
    assert cautious[0] > 2 * effect[0]
    assert cautious[1] < 1.2 * effect[1]
    assert free.tolist() == [5.0, 504.0]


def test_phases_have_levels_of_their_own_and_the_worst_one_for_all() -> None:
    rng = np.random.default_rng(6)
    phase = np.arange(60) % 3
    s = rng.binomial(500, np.array([0.1, 0.2, 0.4])[phase])[:, None, None]
    told = share_baseline(s, np.full((60, 1), 500), phase=phase)
    assert told.mean[:, 0, 0] == pytest.approx([0.1, 0.2, 0.4], abs=0.02)
    assert np.all((told.lower < told.mean) & (told.mean < told.upper))
    assert told.design_effect(np.array([500.0])).item() < 3
    blind = share_baseline(s, np.full((60, 1), 500))
    assert blind.design_effect(np.array([500.0])).item() > 20  # a rhythm that is not told of looks like chance
    worst = told.worst_phase()
    assert (worst.lower.item(), worst.upper.item()) == (told.lower.min(), told.upper.max())


def test_means_of_losses_agree_with_shares_for_zeros_and_ones() -> None:
    s, n = np.array([[[30.0]], [[22.0]], [[27.0]], [[31.0]]]), np.full((4, 1), 300.0)
    a, b = share_baseline(s, n), mean_baseline(s, s, n)
    assert b.mean.item() == a.mean.item()
    assert b.excess == pytest.approx(a.excess)
    assert b.upper.item() == pytest.approx(a.upper.item(), abs=0.005)


def test_blocks_without_rows_are_left_out_and_monitors_without_rows_allow_everything() -> None:
    s = np.array([[[5.0], [0.0]], [[0.0], [0.0]], [[7.0], [0.0]]])
    n = np.array([[50.0, 0], [0, 0], [50, 0]])
    b = share_baseline(s, n)
    assert b.mean[0, 0, 0] == pytest.approx(0.12)
    assert (b.lower[0, 1, 0], b.upper[0, 1, 0]) == (0.0, 1.0)
    assert np.isfinite(b.excess).all()


def test_a_share_of_zero_allows_a_little() -> None:
    assert 0 < share_baseline([[[0]]] * 5, [[100]] * 5).upper.item() < 0.03


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(InputError, match=r"\(blocks, monitors, groups\)"):
        share_baseline([[1, 2]], [[10, 10]])
    with pytest.raises(InputError, match="for each of the 2 blocks"):
        share_baseline([[[1]], [[2]]], [[10], [10]], phase=[0])
    with pytest.raises(SpecError, match="`level`"):
        share_baseline([[[1]], [[2]]], [[10], [10]], level=0.5)


def in_weeks(weeks: int, replicas: int, weekend: float, day_effects: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hits among 500 rows a day, (days, replicas), of a share of .1 that is higher at weekends; weekdays."""
    rng = np.random.default_rng(seed)
    phase = np.arange(7 * weeks) % 7
    odds = np.log(0.1 / 0.9) + weekend * (phase > 4)[:, None] + day_effects * rng.normal(size=(7 * weeks, replicas))
    return rng.binomial(500, 1 / (1 + np.exp(-odds))), phase


@pytest.mark.parametrize("day_effects", [0.0, 0.2])
def test_a_rhythm_is_seen_where_there_is_one(day_effects: float) -> None:
    n = np.full((42, 500), 500.0)
    for weekend, least, most in ((0.0, 0.0, 0.02), (0.6, 0.95, 1.0)):
        s, phase = in_weeks(6, 500, weekend, day_effects, 4)
        assert least <= has_rhythm(s[:, :, None].astype(float), n, phase).mean() <= most


def test_levels_by_phase_are_for_those_with_a_rhythm_alone() -> None:
    flat, phase = in_weeks(8, 1, 0.0, 0.0, 5)
    waving, _ = in_weeks(8, 1, 1.0, 0.0, 6)
    s, n = np.stack([flat, waving], axis=1), np.full((56, 2), 500)
    found, plain, own = (
        share_baseline_in_phases(s, n, phase=phase),
        share_baseline(s, n),
        share_baseline(s, n, phase=phase),
    )
    assert found.upper[:, 0] == pytest.approx(np.broadcast_to(plain.upper[0, 0], (7, 1)))
    assert found.upper[:, 1] == pytest.approx(own.upper[:, 1])
    assert found.excess == pytest.approx([plain.excess[0], own.excess[1]])
    assert share_baseline_in_phases(s[:, :1], n[:, :1], phase=phase).upper.shape == (1, 1, 1)


def test_in_a_phase_without_rows_any_level_is_allowed() -> None:
    s, phase = in_weeks(8, 1, 1.0, 0.0, 7)
    n = np.where(phase == 3, 0, 500)[:, None]
    found = share_baseline_in_phases(np.where(n > 0, s, 0)[:, :, None], n, phase=phase)
    others = np.delete(np.arange(7), 3)
    assert found.upper[3].item() == found.upper[others].max()
    assert found.lower[3].item() == found.lower[others].min()
