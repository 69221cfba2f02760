"""Moments as numbers and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from barograph.times import DAY_US, day_of, from_microseconds, start_of_day, to_microseconds

moments = st.datetimes(timezones=st.just(UTC))


@given(moments)
def test_there_and_back_is_the_same_moment(time: datetime) -> None:
    assert from_microseconds(to_microseconds(time)) == time


@given(moments)
def test_a_day_holds_its_moments(time: datetime) -> None:
    value = to_microseconds(time)
    assert day_of(value) == str(time.date())
    assert start_of_day(day_of(value)) <= value < start_of_day(day_of(value)) + DAY_US


def test_known_moments_and_none() -> None:
    noon = datetime(2024, 7, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert to_microseconds(noon) == 1_719_835_200_000_000
    assert to_microseconds(None) is None
    assert from_microseconds(None) is None


def test_a_day_beyond_all_datetimes_follows_the_cycle_of_400_years() -> None:
    later = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=112_132)
    assert day_of((6844 * 146_097 + 112_132) * DAY_US) == f"{later.year + 6844 * 400}-{later:%m-%d}"
