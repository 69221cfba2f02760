"""Age of the newest event."""

from __future__ import annotations

from datetime import datetime
from math import inf

from barograph.metrics import metric
from barograph.outcome import Estimate, Outcome, Undefined


@metric(unit="hours", bounds=(-inf, inf), better="lower")
def freshness(newest: datetime | None, *, now: datetime) -> Outcome:
    """Measure the hours between the newest event and `now`; below zero if that event lies in the future.

    It takes times instead of a sketch: `newest` is None when there are no rows, which is undefined. Both times must
    say their zone. There is no interval.

    >>> from datetime import UTC
    >>> freshness(datetime(2025, 3, 1, 10, tzinfo=UTC), now=datetime(2025, 3, 1, 16, 30, tzinfo=UTC)).value
    6.5
    """
    if newest is None:
        return Undefined("current has no rows")
    for name, time in (("newest", newest), ("now", now)):
        if time.utcoffset() is None:
            raise ValueError(f"`{name}` must say its zone, got {time!r}: use a time in UTC.")
    return Estimate(value=(now - newest).total_seconds() / 3600.0, n=1)
