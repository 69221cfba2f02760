"""Where production has the rhythm of its reference nobody is told anything; what breaks in it is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from barograph.alerts.severity import Severity
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
Load = Callable[[datetime], float]


def rows(load: Load, *, hours: float, first: int, days: int, seed: int) -> pl.DataFrame:
    """Return what a feed brings from a day on: about `load` rows in each block of so many hours."""
    rng = np.random.default_rng(seed)
    starts = [MONDAY + timedelta(days=first, hours=hours * i) for i in range(round(days * 24 / hours))]
    each = rng.poisson([load(start) for start in starts])
    n = int(each.sum())
    x = rng.normal(size=n)
    at = np.repeat([s.timestamp() for s in starts], each) + rng.random(n) * hours * 3599
    return pl.DataFrame(
        {
            "timestamp": (at * 1e6).astype(np.int64).astype("datetime64[us]"),
            "x": x,
            "score": 1 / (1 + np.exp(-x)),
            "prediction": (x >= 0).astype(int),
            "label": (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int),
        }
    ).sort("timestamp")


def weekdays(start: datetime) -> float:
    return 0.0 if start.weekday() > 4 else 300.0


@pytest.fixture(scope="module", name="weekly")
def weekly_fixture() -> Reference:
    return fit(rows(weekdays, hours=24, first=0, days=28, seed=1), chunk="1d")


def checked(reference: Reference, now: pl.DataFrame, chunk: str) -> Report:
    return check(reference, now, chunk=chunk)


def test_a_weekend_at_rest_is_no_outage(weekly: Reference) -> None:
    report = checked(weekly, rows(weekdays, hours=24, first=28, days=21, seed=2), "1d")
    assert [i.title for i in report.incidents if i.severity is not Severity.NOTICE] == []
    resting = [r for r in report.rows if r.metric == "row_count" and not r.value]
    assert len(resting) == 4  # two of three weekends: after the last row nothing is known
    assert not any(r.judged for r in resting)
    assert all("no rows are due then" in (r.reason or "") for r in resting)


def test_an_outage_lasts_through_the_weekend(weekly: Reference) -> None:
    def broken(start: datetime) -> float:
        away = start - MONDAY - timedelta(days=28)
        return 0.0 if timedelta(days=4) <= away < timedelta(days=8) else weekdays(start)  # Friday to Monday

    report = checked(weekly, rows(broken, hours=24, first=28, days=21, seed=3), "1d")
    (outage,) = [i for i in report.incidents if i.severity is Severity.CRITICAL]
    assert outage.title.startswith("No rows came from 2026-02-06 to 2026-02-09, about ")


def test_quiet_nights_are_no_outage_and_a_dead_noon_is() -> None:
    def nightly(start: datetime) -> float:
        return 2.0 if start.hour < 6 else 60.0

    reference = fit(rows(nightly, hours=1, first=0, days=14, seed=4), chunk="1h")
    calm = checked(reference, rows(nightly, hours=1, first=14, days=4, seed=5), "1h")
    assert [i.title for i in calm.incidents if i.severity is not Severity.NOTICE] == []
    noon = MONDAY + timedelta(days=16, hours=12)
    dead = rows(lambda t: 0.0 if t == noon else nightly(t), hours=1, first=14, days=4, seed=5)
    found = [i.title for i in checked(reference, dead, "1h").incidents if i.severity is Severity.CRITICAL]
    assert [title.partition(",")[0] for title in found] == ["No rows came at 2026-01-21T12:00"]


def soft(n: int, *, first: int, days: int, seed: int, shift: float = 0.0, lost: float = 0.0) -> pl.DataFrame:
    """Return a feed with a third of the rows at weekends, other ones, of which more lack a value."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(first, first + days), n)
    weekend = day % 7 > 4
    kept = ~weekend | (rng.random(len(day)) < 0.33)
    day, weekend = day[kept], weekend[kept]
    m = len(day)
    x = rng.normal(size=m) + 0.7 * weekend + shift
    seen = pl.Series(rng.random(m) >= 0.02 + 0.08 * weekend + lost)
    start = np.datetime64("2026-01-05", "us") + day.astype("timedelta64[D]")
    score = 1 / (1 + np.exp(-x))
    return pl.DataFrame(
        {
            "timestamp": start + (rng.random(m) * 86_399e6).astype("timedelta64[us]"),
            "x": pl.select(pl.when(seen).then(pl.Series(x))).to_series(),
            "z": rng.normal(size=m),
            "score": score,
            "label": (rng.random(m) < score).astype(int),
        }
    ).sort("timestamp")


@pytest.fixture(scope="module", name="softly")
def softly_fixture() -> Reference:
    return fit(soft(500, first=0, days=42, seed=6), chunk="1d")


@pytest.mark.parametrize("seed", [7, 8])
def test_weekends_that_are_as_in_the_reference_are_not_told(softly: Reference, seed: int) -> None:
    report = checked(softly, soft(500, first=42, days=28, seed=seed), "1d")
    assert [i.title for i in report.incidents] == []


def test_what_changes_beside_the_rhythm_is_told(softly: Reference) -> None:
    moved = checked(softly, soft(500, first=42, days=21, seed=9, shift=0.5), "1d")
    assert any("x" in i.columns for i in moved.incidents)
    lost = checked(softly, soft(500, first=42, days=21, seed=10, lost=0.08), "1d")
    assert any(a.last_breach.metric == "missing_share" for i in lost.incidents for a in i.alerts)


def test_a_saved_reference_keeps_its_rhythm(softly: Reference) -> None:
    again = Reference.from_bytes(softly.to_bytes())
    (before,), (after,) = softly.rhythms, again.rhythms
    assert after.tables["counts"].tolist() == before.tables["counts"].tolist()
    assert again.rhythm(days=1.0) is not None
    assert again.rhythm(days=7.0) is None
