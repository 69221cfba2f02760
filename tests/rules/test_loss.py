"""Bounded losses from histograms."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.errors import SpecError
from barograph.rules.bets import bet_sizes, log_e_shares
from barograph.rules.loss import Loss
from barograph.rules.share import BELOW, BOTH, share

SIZES = bet_sizes(1000, longest=50)
EDGES = np.linspace(0, 1, 6)


def test_two_bins_of_loss_are_a_share_of_errors() -> None:
    s = np.array([[300]])
    as_loss = Loss.learn(np.stack((3000 - s, s), axis=2), [0.0, 1.0, 1.0], sizes=SIZES, chunk_rows=100.0)
    as_share = share(s, np.array([[3000]]), sizes=SIZES, tolerance=0.0, chunk_rows=100.0)
    assert as_loss.upper.item() == pytest.approx(as_share.upper.item(), abs=6e-4)  # normal against exact bounds
    same = log_e_shares(np.array([20.0]), np.array([100.0]), as_loss.upper[0], as_loss.theta[:, 0])
    assert as_loss.log_e([[80, 20]]) == pytest.approx(same)


def test_a_stated_level_is_held_exactly() -> None:
    counts = np.array([[[700, 200, 100, 0, 0]]])
    rule = Loss.learn(counts, EDGES, sizes=SIZES, allowed=[0.25])
    assert rule.upper.item() == 0.25
    theta = rule.theta[0, 0]
    bet = np.expm1(theta) / (1 + 0.25 * np.expm1(theta))
    now = np.array([10, 20, 30, 0, 40])
    expected = sum(c * np.log1p(bet * (edge - 0.25)) for c, edge in zip(now, EDGES, strict=False))
    assert rule.log_e(now[None])[0] == pytest.approx(expected)


def test_improvement_is_the_mirror_image() -> None:
    rng = np.random.default_rng(1)
    p = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    rule = Loss.learn(rng.multinomial(300, p, size=(60, 1)), EDGES, sizes=SIZES, sides=BELOW)
    mirror = Loss.learn(rng.multinomial(300, p[::-1], size=(60, 1)), EDGES, sizes=SIZES)
    better = np.array([[270, 30, 0, 0, 0]])
    assert rule.log_e(better).max() > 20
    assert mirror.log_e(better[:, ::-1]).max() == pytest.approx(rule.log_e(better).max(), rel=0.3)
    assert rule.meaning(np.array([0]))[1].item() == -1


def test_both_sides_together_and_what_they_can_see() -> None:
    counts = np.random.default_rng(2).multinomial(300, [0.4, 0.3, 0.15, 0.1, 0.05], size=(60, 2))
    rule = Loss.learn(counts, EDGES, sizes=SIZES, sides=BOTH)
    assert rule.shape == (2, 2 * len(SIZES))
    quick, slow = (rule.smallest_detectable(300, 1000, steps) for steps in (1, 50))
    assert np.all((slow > 0.005) & (slow < quick))
    # Moving that share of the mass is enough evidence in that time, by the definition.
    mean = (rule.shares * EDGES[:-1]).sum(axis=1)
    moved = slow[:, 0] / (EDGES[-2] - mean)
    now = (1 - moved)[:, None] * rule.shares + moved[:, None] * np.eye(5)[4]
    growth = 50 * rule.log_e(now * 300).reshape(2, 2, -1)[:, 0].max(axis=1)
    assert growth == pytest.approx(np.log(1000 * rule.shape[1]), rel=1e-6)


def test_nothing_arrived_says_nothing() -> None:
    rule = Loss.learn(np.full((5, 1, 5), 20), EDGES, sizes=SIZES, sides=BOTH)
    assert not rule.log_e(np.zeros((1, 5))).any()


@pytest.mark.parametrize(
    ("edges", "options", "words"),
    [
        (np.linspace(0, 2, 6), {}, "within 0 to 1"),
        (np.linspace(0, 1, 4), {}, "5 bins of loss need 6 edges"),
        (EDGES, {"allowed": [1.5]}, "`allowed` is a mean loss"),
    ],
)
def test_impossible_losses_are_errors(edges: np.ndarray, options: dict[str, list[float]], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        Loss.learn(np.full((3, 1, 5), 20), edges, sizes=SIZES, **options)
