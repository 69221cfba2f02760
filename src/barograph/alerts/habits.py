"""How the events of a model come: learned from the days on which they did, to tell when they have stopped.

History that is filled in is not how events come. What tells the two apart is how long after it happened an event was
received: a receipt is live if the newest of its events had just happened, by the measure of the model's chunks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self  # Any: JSON values

DAY_US = 86_400_000_000
DAYS = 3  # on which events came live, before a stream has habits
REMEMBERED_DAYS = 7  # on which events came live, whose longest gaps are remembered
WEEK_US = 8 * DAY_US  # from the first live receipt on, until the stream's own weekend has been seen
WEEKEND_US = 3 * DAY_US  # that no events may come before that
TIMES = 3  # as long as the longest gap that is remembered, before silence is an incident
SHORTEST_US = 900_000_000  # however dense the events are: a deployment takes its time
LIVE_LAG_US = 2 * DAY_US  # from an event to its receipt: a daily file that comes the morning after is live


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What came at one moment: when, and of what time its newest event is, in microseconds since 1970."""

    at_us: int
    newest_us: int


def live_lag_us(chunk_us: int) -> int:
    """Return how long after it happened an event may be received, and is live; the file of a month comes at its end.

    >>> live_lag_us(30 * DAY_US) // DAY_US
    60
    """
    return max(LIVE_LAG_US, 2 * chunk_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """When events came live: first and last, and by UTC day of receipt the longest time without any, in microseconds.

    >>> usual = Habits()
    >>> for day in range(10):
    ...     usual = usual.after([Receipt(at_us=day * DAY_US + hour * 3_600_000_000, newest_us=day * DAY_US)
    ...                          for hour in range(8, 18)], chunk_us=DAY_US)
    >>> usual.allowed_us() / 3_600_000_000  # nights of 15 hours
    45.0
    """

    first_us: int | None = None
    last_us: int | None = None
    gaps: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Return whether any events came live."""
        return self.last_us is not None

    def after(self, receipts: Sequence[Receipt], *, chunk_us: int) -> Self:
        """Return the habits after these receipts, in the order of time. `chunk_us` is how long a chunk lasts."""
        lag_us = live_lag_us(chunk_us)
        first, last, gaps = self.first_us, self.last_us, dict(self.gaps)
        for receipt in receipts:
            if receipt.at_us - receipt.newest_us > lag_us:
                continue
            day, gap = receipt.at_us // DAY_US, 0 if last is None else receipt.at_us - last
            gaps[day] = max(gaps.get(day, 0), gap)
            first = receipt.at_us if first is None else first
            last = receipt.at_us if last is None else max(last, receipt.at_us)
        kept = sorted(gaps)[-REMEMBERED_DAYS:]
        return type(self)(first_us=first, last_us=last, gaps={day: gaps[day] for day in kept})

    def allowed_us(self) -> int | None:
        """Return for how long no event may come, in microseconds; None while the stream has no habits.

        Three times the longest gap of the last seven days on which events came live, and at least 15 minutes; three
        days at least until a week has been seen. A stream has habits after events came live on three days.
        """
        if len(self.gaps) < DAYS or self.first_us is None or self.last_us is None:
            return None
        shortest = SHORTEST_US if self.last_us - self.first_us >= WEEK_US else WEEKEND_US
        return max(TIMES * max(self.gaps.values()), shortest)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        gaps = {str(day): gap for day, gap in self.gaps.items()}
        return {"first_us": self.first_us, "last_us": self.last_us, "gaps": gaps}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Return the habits that `to_dict` said; those of a new stream if nothing was said."""
        gaps = {int(day): int(gap) for day, gap in said.get("gaps", {}).items()}
        return cls(first_us=said.get("first_us"), last_us=said.get("last_us"), gaps=gaps)
