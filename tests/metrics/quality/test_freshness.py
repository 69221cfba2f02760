from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from barograph.metrics.quality.freshness import freshness
from barograph.outcome import Estimate, Undefined

NOW = datetime(2025, 3, 30, 12, tzinfo=UTC)


def test_hours_since_the_newest_event_whatever_the_zones() -> None:
    newest = datetime(2025, 3, 30, 12, tzinfo=timezone(timedelta(hours=2)))  # 10:00 UTC
    assert freshness(newest, now=NOW) == Estimate(value=2.0, n=1)


def test_an_event_from_the_future_is_shown_as_such() -> None:
    assert freshness(NOW + timedelta(minutes=90), now=NOW) == Estimate(value=-1.5, n=1)


def test_no_rows_are_undefined() -> None:
    assert freshness(None, now=NOW) == Undefined("current has no rows")


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="newest"):
        freshness(datetime(2025, 3, 30), now=NOW)  # noqa: DTZ001 - the mistake that is tested
    with pytest.raises(ValueError, match="now"):
        freshness(NOW, now=datetime(2025, 3, 30))  # noqa: DTZ001 - the mistake that is tested
