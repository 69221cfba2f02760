"""Local times to UTC, for whole arrays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from barograph.times import SECOND_US, to_microseconds

Microseconds = npt.NDArray[np.int64]
_YEARS = (1900, 2200)  # clock changes outside are not looked for


def to_utc(local: Microseconds, zone: str) -> Microseconds:
    """Return the moments, in microseconds UTC, that wall clocks of `zone` showed as `local`.

    A time that a clock change repeats is its first occurrence; one that it skips is moved forward by the gap, as
    `datetime.replace(tzinfo=…)` does. Clock changes before 1900 and after 2199 are ignored.

    >>> noon = np.array([1_719_835_200_000_000])  # 2024-07-01 12:00
    >>> (noon - to_utc(noon, "Europe/Berlin")) // 3_600_000_000
    array([2])
    """
    if zone == "UTC" or not len(local):
        return local
    first, last = int(local.min()), int(local.max())
    low, high = (min(max(_year(t), _YEARS[0]), _YEARS[1]) for t in (first, last))
    changes = [change for year in range(low - 1, high + 2) for change in _changes(zone, year)]
    offset = changes[0][1] if changes else _offset(ZoneInfo(zone), datetime(low, 7, 1, tzinfo=UTC))
    # A wall clock leaves the old offset for good at the later of both readings of the moment of change.
    walls = np.array([moment + max(before, after) for moment, before, after in changes], np.int64)
    steps = np.array([after - before for _, before, after in changes], np.int64)
    passed = int(np.searchsorted(walls, first, side="right"))
    within = slice(passed, int(np.searchsorted(walls, last, side="right")))
    offset += int(steps[:passed].sum())
    if within.start == within.stop:
        return local - offset
    offsets = offset + np.concatenate(([0], np.cumsum(steps[within])))
    utc: Microseconds = local - offsets[np.searchsorted(walls[within], local, side="right")]
    return utc


def _year(microseconds: int) -> int:
    return 1970 + round(microseconds / (365.2425 * 86400 * SECOND_US))  # a year off at most, which is allowed for


@lru_cache(maxsize=4096)
def _changes(zone: str, year: int) -> tuple[tuple[int, int, int], ...]:
    """Return the changes of a zone's offset in a UTC year: the moment, the offset before and after, microseconds."""
    info = ZoneInfo(zone)
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=d) for d in range(367)]
    days = [day for day in days if day.year == year or day == datetime(year + 1, 1, 1, tzinfo=UTC)]
    offsets = [_offset(info, day) for day in days]
    found = []
    for day, before, after in zip(days, offsets, offsets[1:], strict=False):
        if before != after:
            low, high = 0, 86400  # seconds after `day`: the offset is the old one at `low`, the new one at `high`
            while high - low > 1:
                middle = (low + high) // 2
                if _offset(info, day + timedelta(seconds=middle)) == before:
                    low = middle
                else:
                    high = middle
            moment = to_microseconds(day) + high * SECOND_US
            found.append((moment, before, after))
    return tuple(found)


def _offset(info: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(info).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)
