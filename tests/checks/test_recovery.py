"""That a model is as good as before is shown by chunks that were judged, and seldom of one that is not."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from barograph.checks.recovery import is_equivalent


def shown_at(mean: float, spread: float, tolerance: float, *, runs: int, chunks: int) -> list[int | None]:
    """Return after how many chunks each of some runs is called as good as before, asked after every chunk."""
    rng = np.random.default_rng(4)
    found: list[int | None] = []
    for _ in range(runs):
        worse = rng.normal(mean, spread, chunks)
        spreads = np.full(chunks, spread)
        found.append(next((n for n in range(chunks) if is_equivalent(worse[:n], spreads[:n], tolerance)), None))
    return found


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.05])
def test_a_loss_of_the_size_of_the_tolerance_is_seldom_called_nothing(spread: float) -> None:
    found = shown_at(0.02, spread, 0.02, runs=200, chunks=120)
    assert sum(at is not None for at in found) <= 0.05 * 200


def test_what_is_as_before_is_shown_after_as_many_chunks_as_their_spread_needs() -> None:
    found = shown_at(0.0, 0.013, 0.02, runs=200, chunks=60)  # accuracy of 1,000 rows
    assert all(at is not None for at in found)
    # The half-width alone is below the tolerance from here on.
    needed = next(n for n in range(3, 60) if 0.013 * sqrt((n + 1) * log((n + 1) / 0.05**2)) / n < 0.02)
    assert abs(float(np.median([at for at in found if at is not None])) - needed) <= 2


def test_little_shows_nothing() -> None:
    assert not is_equivalent(np.full(2, -1.0), np.full(2, 1e-9), 0.02)
    assert not is_equivalent(np.zeros(500), np.full(500, 0.01), 0.0)
    assert not is_equivalent(np.zeros(9), np.full(9, np.inf), 0.02)
