"""When rows are due: what the reference had at such times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from barograph.chunks import Chunk
from barograph.reference.due import Due, due
from barograph.reference.history import History
from barograph.times import to_microseconds

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
Rows = Callable[[datetime], float]


def history(rows: Rows, *, hours: float, days: int, start: datetime = MONDAY) -> History:
    """Return the history of a feed that brings `rows` of the beginning of a block."""
    n = round(days * 24 / hours)
    starts = [start + timedelta(hours=hours * i) for i in range(n)]
    ends = [s + timedelta(hours=hours) for s in starts]
    nothing = np.zeros((n, 0))
    return History(
        chunk=f"{hours}h",
        starts=np.array([to_microseconds(s) for s in starts], np.int64),
        ends=np.array([to_microseconds(e) for e in ends], np.int64),
        came=np.array([rows(s) for s in starts], np.float64),
        series=(),
        values=nothing,
        errors=nothing,
        rows=nothing,
    )


def fewest(found: Due | None, start: datetime) -> float | None:
    assert found is not None
    return found.fewest(Chunk(key="x", start=start, end=start + timedelta(days=found.days)))


def test_a_feed_that_rests_at_weekends() -> None:
    found = due(history(lambda t: 0 if t.weekday() > 4 else 500 + 10 * t.weekday(), hours=24, days=28), zone="UTC")
    later = MONDAY + timedelta(weeks=9)
    assert [fewest(found, later + timedelta(days=i)) for i in range(7)] == [500, 510, 520, 530, 540, 0, 0]


def test_what_usually_comes_is_the_middle_of_such_days() -> None:
    weeks = [100.0, 900.0, 0.0, 120.0, 110.0]  # of a Monday: one was a holiday
    found = due(history(lambda t: weeks[(t - MONDAY).days // 7] * (t.weekday() < 5), hours=24, days=35), zone="UTC")
    assert found is not None
    of = [found.usual(Chunk(key="x", start=MONDAY + timedelta(days=70 + i), end=None)) for i in (0, 6)]
    assert of == [115, 0]


def test_hours_are_those_of_the_weekday() -> None:
    found = due(history(lambda t: 0 if t.weekday() > 4 or t.hour < 6 else 40, hours=1, days=14), zone="UTC")
    assert fewest(found, MONDAY + timedelta(days=21, hours=10)) == 40
    assert fewest(found, MONDAY + timedelta(days=21, hours=5)) == 0
    assert fewest(found, MONDAY + timedelta(days=26, hours=10)) == 0  # a Saturday


def test_a_holiday_is_no_rest() -> None:
    holiday = MONDAY + timedelta(days=7)
    found = due(history(lambda t: 0 if t == holiday else 300, hours=24, days=42), zone="UTC")
    assert fewest(found, MONDAY + timedelta(days=49)) == 300


def test_of_a_weekday_that_was_not_seen_any_day_tells() -> None:
    found = due(history(lambda t: 100 + t.weekday(), hours=24, days=5), zone="UTC")
    assert fewest(found, MONDAY + timedelta(days=12)) == 100


def test_the_hours_are_those_of_the_zone() -> None:
    zone = ZoneInfo("America/New_York")
    found = due(history(lambda t: 0 if t.astimezone(zone).hour < 8 else 60, hours=1, days=14), zone=zone.key)
    summer = datetime(2026, 7, 6, tzinfo=zone)
    assert [fewest(found, (summer + timedelta(hours=h)).astimezone(UTC)) for h in (7, 8)] == [0, 60]


def test_blocks_that_begin_elsewhere_and_long_ones_say_nothing() -> None:
    shifted = due(history(lambda _: 9, hours=6, days=14, start=MONDAY + timedelta(hours=2)), zone="UTC")
    assert fewest(shifted, MONDAY) is None
    assert due(history(lambda _: 9, hours=7 * 24, days=70), zone="UTC") is None


@pytest.mark.parametrize("unknown", [np.nan])
def test_blocks_that_are_not_filled_do_not_count(unknown: float) -> None:
    found = due(history(lambda t: unknown if t == MONDAY else 70, hours=24, days=14), zone="UTC")
    assert fewest(found, MONDAY) == 70
