"""Intervals that learn from their misses."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.labels.self_audit import STEP, SelfAudit, compare, widen
from barograph.outcome import Estimate


def run(scale: np.ndarray, *, seed: int) -> SelfAudit:
    """Publish intervals for one standard deviation while the truth scatters by `scale` of them."""
    rng = np.random.default_rng(seed)
    audit, missed = SelfAudit(), 0
    for s in scale:
        estimate = Estimate(value=0.0, n=10, lower=-1.96, upper=1.96, standard_error=1.0)
        published = widen(estimate, audit, bounds=(-np.inf, np.inf))
        audit = compare(audit, published, float(rng.normal(0, s)))
        missed += not audit.held[-1]
    bound = 0.05 + (np.log(20) + STEP) / (STEP * len(scale))
    assert missed / len(scale) <= bound
    return audit


def test_good_intervals_stay_as_they_are() -> None:
    factors = [run(np.ones(300), seed=seed).factor for seed in range(20)]
    assert np.median(factors) < 1.25


@pytest.mark.parametrize("scale", [2.0, 5.0])
def test_the_share_of_misses_is_kept_when_estimates_go_wrong(scale: float) -> None:
    for seed in range(10):
        audit = run(np.repeat([1.0, scale], [50, 400]), seed=seed)
        assert audit.coverage is not None
        assert audit.coverage >= 0.8


def test_the_interval_narrows_again() -> None:
    audit = run(np.repeat([5.0, 1.0], [100, 400]), seed=1)
    assert audit.factor < 1.6


def test_widening_respects_bounds_and_absent_intervals() -> None:
    audit = SelfAudit(log_factor=float(np.log(3)))
    estimate = Estimate(value=0.9, n=10, lower=0.85, upper=0.97, standard_error=0.03)
    published = widen(estimate, audit, bounds=(0.0, 1.0))
    assert (published.lower, published.upper) == pytest.approx((0.75, 1.0))
    assert published.standard_error == pytest.approx(0.09)
    bare = Estimate(value=0.9, n=10)
    assert widen(bare, audit, bounds=(0.0, 1.0)) == bare
    assert compare(audit, bare, 0.5) == audit
    assert SelfAudit().coverage is None
