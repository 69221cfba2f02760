"""The rhythm that a chunk falls in: the hour of the day of short chunks, the day of the week of days."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.times import from_microseconds

HALF_A_DAY, A_DAY = 0.5, 1.0  # days
SLACK = 0.1  # of a day: the clock is set twice a year
WEEK = 7
CYCLES = 2.0  # of a rhythm must be in the reference: of one, nothing shows that it comes again
NO_TIME = np.iinfo(np.int64).min


def phases(starts: Ints, days: float, *, zone: str) -> Ints | None:
    """Return the phase of chunks that last so many days and begin at `starts`, in microseconds; None without a rhythm.

    Chunks of at most half a day are numbered within the day, from midnight of the zone on, those of a day from Monday.

    >>> monday = 4 * 86_400_000_000  # 5 January 1970
    >>> phases(monday + np.arange(8) * 86_400_000_000, 1.0, zone="UTC").tolist()
    [0, 1, 2, 3, 4, 5, 6, 0]
    """
    if not len(starts) or (starts == NO_TIME).any():
        return None
    short, daily = days <= HALF_A_DAY, abs(days - A_DAY) <= SLACK
    if not (short or daily):
        return None
    local = [from_microseconds(int(start)).astimezone(ZoneInfo(zone)) for start in starts]
    if daily:
        return np.array([time.weekday() for time in local], np.int64)
    of_day = np.array([time.hour / 24 + time.minute / 1440 + time.second / 86_400 for time in local])
    return np.asarray(np.floor(of_day / days + 1e-6), np.int64)


def has_cycles(starts: Ints, days: float) -> bool:
    """Return whether the reference holds its rhythm at least twice."""
    cycle = WEEK if days > HALF_A_DAY else A_DAY
    return bool(len(starts)) and (int(starts.max()) - int(starts.min())) / 86_400e6 + days >= CYCLES * cycle


def length_of(starts: Ints, ends: Ints) -> float:
    """Return how many days a typical chunk lasts; 0 where no chunk has a time."""
    known = (starts != NO_TIME) & (ends != NO_TIME)
    spans: Floats = (ends[known] - starts[known]) / 86_400e6
    return float(np.median(spans)) if len(spans) else 0.0
