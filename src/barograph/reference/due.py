"""When rows are due: how many came in the reference at such times. A feed that rests there may rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np

from barograph.chunks import Chunk
from barograph.reference.history import History
from barograph.reference.phases import A_DAY, HALF_A_DAY, NO_TIME, SLACK
from barograph.times import from_microseconds

RESTS = 0.25  # of such chunks had no rows: then none are due. Fewer were holidays, or outages
ALIGNED = 1e-3  # of a chunk: blocks that begin elsewhere in the day are none like it


@dataclass(frozen=True, slots=True)
class Came:
    """The `fewest` rows of chunks that had any, and their `usual` number, the median; 0: the feed rests."""

    fewest: float
    usual: float


@dataclass(frozen=True, slots=True)
class Due:
    """What came in the reference, by weekday and place in the day, and by the place alone.

    Chunks last so many `days`, and the place of a day's chunk in it is 0.
    """

    days: float
    zone: str
    by_week: Mapping[tuple[int, int], Came]
    by_day: Mapping[int, Came]

    def fewest(self, chunk: Chunk) -> float | None:
        """Return the fewest rows that came in the reference in chunks like this one; None where it had none such."""
        came = self._at(chunk)
        return None if came is None else came.fewest

    def usual(self, chunk: Chunk) -> float | None:
        """Return the median of the rows that came in the reference in such chunks; None where it had none such."""
        came = self._at(chunk)
        return None if came is None else came.usual

    def _at(self, chunk: Chunk) -> Came | None:
        at = None if chunk.start is None else _place(chunk.start, self.days, self.zone)
        if at is None:
            return None
        return self.by_week.get(at, self.by_day.get(at[1]))


def due(history: History, *, zone: str) -> Due | None:
    """Return when rows are due in chunks like the blocks of `history`; None for those without a rhythm.

    Blocks that the reference does not fill say nothing.
    """
    if not (0 < history.days <= HALF_A_DAY or abs(history.days - A_DAY) <= SLACK):
        return None
    by_week: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    by_day: defaultdict[int, list[float]] = defaultdict(list)
    for start, rows in zip(history.starts.tolist(), history.came.tolist(), strict=True):
        at = None if start == NO_TIME or np.isnan(rows) else _place(from_microseconds(start), history.days, zone)
        if at is not None:
            by_week[at].append(rows)
            by_day[at[1]].append(rows)
    return Due(
        days=history.days,
        zone=zone,
        by_week={at: _came(rows) for at, rows in by_week.items()},
        by_day={at: _came(rows) for at, rows in by_day.items()},
    )


def _place(start: datetime, days: float, zone: str) -> tuple[int, int] | None:
    """Return weekday and place in the day of a chunk; None where it does not begin where such chunks do."""
    local = start.astimezone(ZoneInfo(zone))
    of_day = (local.hour / 24 + local.minute / 1440 + local.second / 86_400) / days
    if days > HALF_A_DAY:
        return local.weekday(), 0
    place = round(of_day)
    return (local.weekday(), place) if abs(of_day - place) <= ALIGNED else None


def _came(rows: list[float]) -> Came:
    some = [n for n in rows if n]
    rests = len(rows) - len(some) > RESTS * len(rows)
    return Came(0.0, 0.0) if rests else Came(min(some), median(some))
