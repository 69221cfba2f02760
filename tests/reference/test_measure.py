"""A metric of all chunks at once is the metric of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

import barograph
from barograph.metrics import catalogue
from barograph.outcome import Estimate, Outcome
from barograph.profiles.profiles import Profiles
from barograph.reference.measure import applies, is_per_column, measure, measure_across, wanted
from barograph.sketches.sample import Sample

NUMBERS = ("value", "n", "lower", "upper", "standard_error", "null_mean", "null_sd")


def frame(rng: np.random.Generator, rows: int, days: int, start: str) -> pl.DataFrame:
    """Return rows with a gap of a day, a column that dies, one with nulls and infinities, and unseen categories."""
    seconds = np.sort(rng.integers(0, days * 86_400, rows))
    seconds += np.where(seconds >= 86_400, 86_400, 0)  # the second day is empty
    x, amount = rng.normal(0.2, 1.3, rows), rng.gamma(2.0, 10.0, rows)
    amount[rng.random(rows) < 0.1] = np.inf
    p = 1 / (1 + np.exp(-x))
    return pl.DataFrame(
        {
            "timestamp": np.datetime64(start, "us") + seconds.astype("timedelta64[s]"),
            "x": np.where(seconds > 4 * 86_400, 1.0, x),
            "amount": pl.Series([None if gone else a for a, gone in zip(amount, rng.random(rows) < 0.2, strict=True)]),
            "colour": rng.choice(["red", "green", "blue", start], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "score": p,
            "label": (rng.random(rows) < p).astype(int),
        }
    )


@pytest.fixture(scope="module")
def learned() -> barograph.Reference:
    return barograph.fit(frame(np.random.default_rng(1), 2_000, 20, "2024-01-01"))


@pytest.fixture(scope="module")
def profiles(learned: barograph.Reference) -> Profiles:
    return learned.profile(frame(np.random.default_rng(2), 700, 6, "2024-02-01"), chunk="1d")


def all_outcomes(learned: barograph.Reference, profiles: Profiles, name: str) -> Iterator[tuple[Outcome, Outcome]]:
    metrics = [m for m in catalogue().values() if m.name == name]
    for metric in metrics:
        columns = [c.name for c in profiles.yardstick.columns] if is_per_column(metric) else [None]
        for column in columns:
            if not applies(metric, profiles.yardstick, column):
                continue
            across = measure_across(metric, profiles, learned.total, column=column)
            assert across.shape == (len(profiles.chunks),)
            for i, profile in enumerate(profiles.select()):
                yield across[i], measure(metric, profile, learned.total, column=column)


@pytest.mark.parametrize(
    "name",
    sorted(
        {m.name for m in catalogue().values() if m.family in ("quality", "drift") and Sample not in wanted(m)}
        - {"freshness", "duplicate_share"}  # of no sketch, and of ids
    ),
)
def test_all_chunks_at_once_are_each_chunk(learned: barograph.Reference, profiles: Profiles, name: str) -> None:
    pairs = list(all_outcomes(learned, profiles, name))
    assert pairs
    for many, one in pairs:
        assert type(many) is type(one)
        if not isinstance(one, Estimate) or not isinstance(many, Estimate):
            assert many == one  # undefined for the same reason
            continue
        for number in NUMBERS:
            a, b = getattr(many, number), getattr(one, number)
            assert (a is None) == (b is None)
            assert a is None or a == pytest.approx(b, rel=1e-11, abs=1e-12)


def test_a_day_without_rows_says_so(learned: barograph.Reference, profiles: Profiles) -> None:
    metric = next(m for m in catalogue().values() if m.name == "psi")
    across = measure_across(metric, profiles, learned.total, column="x")
    assert not across.defined[1]
    assert across.reasons[across.why[1] - 1] == "current has no rows"
