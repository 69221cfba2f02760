"""Moments as whole microseconds since 1970 in UTC: the unit in which columns, tables and the catalog hold time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@overload
def to_microseconds(time: datetime) -> int: ...
@overload
def to_microseconds(time: datetime | None) -> int | None: ...
def to_microseconds(time: datetime | None) -> int | None:
    """Return a time that says its zone as whole microseconds since 1970; None stays None.

    >>> to_microseconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return None if time is None else (time - EPOCH) // timedelta(microseconds=1)


@overload
def from_microseconds(value: int) -> datetime: ...
@overload
def from_microseconds(value: int | None) -> datetime | None: ...
def from_microseconds(value: int | None) -> datetime | None:
    """Return microseconds since 1970 as a UTC time; None stays None."""
    return None if value is None else EPOCH + timedelta(microseconds=int(value))


def start_of_day(day: str) -> int:
    """Return the first microsecond of a UTC day that is written as `YYYY-MM-DD`.

    >>> start_of_day("1970-01-02") == DAY_US
    True
    """
    return to_microseconds(datetime.fromisoformat(day).replace(tzinfo=UTC))


def day_of(value: int) -> str:
    """Return the UTC day of microseconds since 1970, as `YYYY-MM-DD`.

    >>> day_of(-1), day_of(DAY_US)
    ('1969-12-31', '1970-01-02')
    """
    import numpy as np  # here: the command line needs no more of this module than its constants

    return str(np.datetime64(value // DAY_US, "D"))  # also of moments that no `datetime` can hold
