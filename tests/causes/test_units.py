"""Another unit multiplies mean and spread alike; other traffic does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

import barograph
from barograph.causes.units import factor_of
from barograph.reference.reference import Reference


def frame(n: int, seed: int, factor: float = 1.0, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    amount = rng.gamma(4.0, 25.0, n) * factor + shift
    return pl.DataFrame({"amount": amount, "centred": rng.normal(size=n) * factor, "kind": rng.choice(["a", "b"], n)})


@pytest.fixture(scope="module")
def reference() -> Reference:
    return barograph.fit(frame(5_000, 1))


@pytest.mark.parametrize("factor", [0.01, 1 / 10.9, 0.4, 2.54, 100.0])
def test_a_unit_is_found(reference: Reference, factor: float) -> None:
    found = factor_of(reference, reference.profile(frame(1_000, 2, factor)).total(), "amount")
    assert found == pytest.approx(factor, rel=0.08)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (1.3, 0.0), (1.0, 300.0), (-2.0, 0.0), (3.0, 500.0)])
def test_other_traffic_is_no_unit(reference: Reference, factor: float, shift: float) -> None:
    assert factor_of(reference, reference.profile(frame(1_000, 3, factor, shift)).total(), "amount") is None


def test_what_has_no_mean_or_no_numbers_has_no_factor(reference: Reference) -> None:
    profile = reference.profile(frame(1_000, 4, 10.0)).total()
    assert factor_of(reference, profile, "kind") is None
    assert factor_of(reference, reference.profile(frame(10, 5, 10.0)).total(), "amount") is None


def weather(first: int, days: int) -> pl.DataFrame:
    """Return so many days from the first: the pressure of one is narrow, and moves from day to day."""
    rng = np.random.default_rng(first)
    of_day = rng.normal(1017.0, 7.0, days)
    values = (of_day[:, None] + rng.normal(0.0, 1.5, (days, 100))).ravel()
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = [start + timedelta(days=first + i // 100, minutes=14 * (i % 100)) for i in range(days * 100)]
    return pl.DataFrame({"timestamp": times, "pressure": values, "kind": ["a", "b"] * (days * 50)})


def test_a_day_varies_less_than_a_year() -> None:
    reference = barograph.fit(weather(0, 60))

    def found(pressure: pl.Expr) -> float | None:
        (day,) = reference.profile(weather(70, 1).with_columns(pressure), chunk="1d").select()
        return factor_of(reference, day, "pressure")

    assert found(pl.col("pressure") / 33.86) == pytest.approx(1 / 33.86, rel=0.03)
    assert found(pl.col("pressure") * 60 - 58_000) is None  # the spread did not grow with the mean
    assert found(pl.col("pressure")) is None
