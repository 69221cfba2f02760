"""Places in a drawing: where a value or a moment stands, and which of them have a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor, log10
from zoneinfo import ZoneInfo

from barograph.times import from_microseconds, to_microseconds


@dataclass(frozen=True, slots=True)
class Scale:
    """A line from `low`, which stands at `start`, to `high`, which stands at `end`, in pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value stands.

        >>> Scale(0, 10, 100, 0)(2.5)
        75.0
        """
        span = self.high - self.low
        return self.start + (self.end - self.start) * ((value - self.low) / span if span else 0.5)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most about `most` round values from `low` to `high`.

    >>> ticks(0.58, 0.76, 4), ticks(0, 0, 3)
    ([0.6, 0.65, 0.7, 0.75], [0.0])
    """
    if high <= low:
        return [low * 1.0]
    raw = (high - low) / max(most, 1)
    power = 10.0 ** floor(log10(raw))
    step = next(power * s for s in (1, 2, 2.5, 5, 10) if power * s >= raw * 0.999)
    first = -int(-low // step) if low % step else int(low // step)
    count = int((high - first * step) / step + 1e-9) + 1
    return [round((first + i) * step, 12) for i in range(max(count, 0))]


@dataclass(frozen=True, slots=True)
class TimeTick:
    """A moment with its label, and what it is within ("2013"), said where that changes."""

    at_us: int
    label: str
    within: str = ""


_MINUTES = (5, 15, 30, 60, 120, 180, 360, 720)
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def time_ticks(start_us: int, end_us: int, *, zone: str, most: int) -> list[TimeTick]:
    """Return at most `most` round moments in `[start_us, end_us]`, round by the calendar of `zone`.

    >>> day = 86_400_000_000
    >>> [(t.label, t.within) for t in time_ticks(0, 70 * day, zone="UTC", most=4)]
    [('Jan', '1970'), ('Feb', ''), ('Mar', '')]
    """
    span = end_us - start_us
    if span <= 0 or most < 1:
        return []
    found: list[TimeTick] = []
    for kind, step, step_us in _steps():
        if span / step_us > most:
            continue
        last = ""
        for time in _moments(start_us, end_us, kind, step, ZoneInfo(zone)):
            label, within = _label(time, kind)
            found.append(TimeTick(to_microseconds(time), label, within if within != last else ""))
            last = within
        break
    return found


def _steps() -> Iterator[tuple[str, int, float]]:
    yield from (("minute", n, n * 60e6) for n in _MINUTES)
    yield from (("day", n, n * 86_400e6) for n in _DAYS)
    yield from (("month", n, n * 30.4 * 86_400e6) for n in _MONTHS)


def _moments(start_us: int, end_us: int, kind: str, step: int, zone: ZoneInfo) -> Iterator[datetime]:
    start = from_microseconds(start_us).astimezone(zone)
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "minute":
        place = day
    elif kind == "day":
        place = day - timedelta(days=(day.toordinal() - 1) % step)  # weeks begin on Mondays
    else:
        months = day.year * 12 + day.month - 1
        months -= months % step
        place = day.replace(year=months // 12, month=months % 12 + 1, day=1)
    for i in range(10_000):
        if kind == "month":
            months = place.year * 12 + place.month - 1 + step * i
            time = place.replace(year=months // 12, month=months % 12 + 1)
        else:
            time = place + (timedelta(minutes=step * i) if kind == "minute" else timedelta(days=step * i))
        at = to_microseconds(time)
        if at > end_us:
            return
        if at >= start_us:
            yield time


def _label(time: datetime, kind: str) -> tuple[str, str]:
    if kind == "minute":
        return f"{time:%H:%M}", f"{time.day} {MONTHS[time.month - 1]} {time.year}"
    if kind == "day":
        return f"{time.day} {MONTHS[time.month - 1]}", str(time.year)
    return MONTHS[time.month - 1], str(time.year)
