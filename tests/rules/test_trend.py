"""A reference that is steady, that gets worse, and that wanders."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.rules.trend import Steadiness, steadiness

SERIES, CHUNKS = 60, 90


def of(natural: npt.NDArray[np.float64]) -> Steadiness:
    rng = np.random.default_rng(1)
    y = natural + rng.normal(0, 0.07, (SERIES, CHUNKS))
    s2 = np.full(y.shape, 0.07**2)
    return steadiness(y, s2)


def test_a_steady_reference_has_neither_trend_nor_wandering() -> None:
    found = of(np.random.default_rng(2).normal(0, 0.12, (SERIES, CHUNKS)))
    assert (np.abs(found.t) > 2.5).mean() <= 0.05
    assert (found.wanders > 0.5).mean() <= 0.05


def test_a_reference_that_gets_worse_has_a_trend() -> None:
    slope = np.linspace(0, 0.35, CHUNKS)
    found = of(np.random.default_rng(3).normal(0, 0.12, (SERIES, CHUNKS)) + slope)
    assert (found.t > 2.5).mean() > 0.7
    assert (of(-np.broadcast_to(slope, (SERIES, CHUNKS))).t < 0).all()


def test_a_random_walk_wanders() -> None:
    walk = np.random.default_rng(4).normal(0, 0.05, (SERIES, CHUNKS)).cumsum(axis=1)
    assert (of(walk).wanders > 0.5).mean() > 0.7
