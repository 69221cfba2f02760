"""Limits: their formula, their sides, their limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from barograph.metrics import catalogue
from barograph.outcome import Estimate
from barograph.rules.limits import Status, default_tolerance, limit_of_distance, limits_around, quantile


def test_limits_of_a_mean_are_those_of_the_normal_distribution() -> None:
    accuracy = catalogue()["performance", "accuracy"]
    reference = Estimate(value=0.9, n=10_000, standard_error=0.003)
    limits = limits_around(accuracy, reference=reference, n=1_000, tolerance=0.0, alpha=0.01)
    spread = np.sqrt(0.003**2 * 10 + 0.003**2)
    assert limits.lower == pytest.approx(0.9 - stats.norm.ppf(0.99) * spread)
    assert limits.upper is None
    assert limits.status(0.876) is Status.BREACH
    assert limits.status(0.99) is Status.OK


def test_natural_variability_widens_by_students_t() -> None:
    loss = catalogue()["performance", "log_loss"]
    reference = Estimate(value=0.5, n=10_000, standard_error=0.0)
    limits = limits_around(loss, reference=reference, n=1_000, tolerance=0.0, alpha=0.01, sd=0.1, blocks=20)
    assert limits.upper == pytest.approx(0.5 + stats.t.ppf(0.99, 19) * 0.1)


def test_between_tolerance_and_noise_is_a_warning() -> None:
    accuracy = catalogue()["performance", "accuracy"]
    reference = Estimate(value=0.9, n=1_000, standard_error=0.01)
    limits = limits_around(accuracy, reference=reference, n=1_000, tolerance=0.02)
    assert limits.status(0.87) is Status.WARNING
    assert limits.status(0.885) is Status.OK


def test_the_limit_of_a_squared_distance_is_the_quantile_of_chi_squared() -> None:
    psi = catalogue()["drift", "psi"]
    null = stats.chi2(9)
    current = Estimate(value=0.0, n=1_000, null_mean=null.mean(), null_sd=null.std())
    limits = limit_of_distance(psi, current, tolerance=0.0, alpha=0.001)
    assert limits.upper == pytest.approx(null.ppf(0.999), rel=1e-6)


def test_the_larger_tolerance_counts() -> None:
    mae = catalogue()["performance", "mae"]
    assert default_tolerance(mae, 50.0) == pytest.approx(50.0 * mae.relative_tolerance)


def test_quantiles() -> None:
    assert quantile(0.001) == pytest.approx(stats.norm.ppf(0.999))
    assert quantile(0.001, 12) == pytest.approx(stats.t.ppf(0.999, 11))
