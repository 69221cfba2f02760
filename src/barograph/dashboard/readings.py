"""Readings: what a chart over time shows of a metric in one chunk, or in a run of chunks where there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from barograph.charts.panel import sentence
from barograph.charts.words import crosses, limits_within_reach
from barograph.metrics.facts import unit_of
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.text.format import count, quantity
from barograph.times import from_microseconds, to_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A metric in `[start_us, end_us)`. `value` is None where there is none, or none that counts.

    `low` and `high` are its extremes over the `chunks` that are drawn as one, `lower` and `upper` the interval, `shown`
    is a value that is told of and not judged, `text` says all of it in words.
    """

    start_us: int
    end_us: int
    text: str
    chunks: int = 1
    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    lower: float | None = None
    upper: float | None = None
    reference: float | None = None
    limit_lower: float | None = None
    limit_upper: float | None = None
    is_alarm: bool = False
    crosses: bool = False
    shown: float | None = None
    coverage: float | None = None

    @property
    def middle_us(self) -> float:
        """Return where it stands on the axis of time."""
        return (self.start_us + self.end_us) / 2


def reading(row: Result) -> Reading | None:
    """Return the reading of a result row; None for rows without a time."""
    if row.chunk_start is None or row.chunk_end is None:
        return None
    lower, upper = limits_within_reach(row)
    judged = row.is_judged
    return Reading(
        start_us=to_microseconds(row.chunk_start),
        end_us=to_microseconds(row.chunk_end),
        text=sentence(row, unit_of(row.metric, row.family)),
        n=row.n,
        value=row.value if judged else None,
        low=row.value if judged else None,
        high=row.value if judged else None,
        lower=row.lower if judged else None,
        upper=row.upper if judged else None,
        reference=row.reference_value,
        limit_lower=lower,
        limit_upper=upper,
        is_alarm=row.status is Status.BREACH,
        crosses=judged and crosses(row),
        shown=None if judged else row.value,
        coverage=row.label_coverage,
    )


def readings(rows: Sequence[Result]) -> list[Reading]:
    """Return the readings of result rows, a reading a chunk."""
    return [found for row in rows if (found := reading(row)) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive chunks of one series, as the catalog sums them up: `value` is the mean of those that count."""

    start_us: int
    end_us: int
    chunks: int
    n: int
    value: float | None
    low: float | None
    high: float | None
    lower: float | None
    upper: float | None
    reference: float | None
    limit_lower: float | None
    limit_upper: float | None
    breaches: int
    coverage: float | None


def reading_of_run(run: Run, *, metric: str, family: str, noun: str, zone: str) -> Reading:
    """Return the reading of a run of chunks: its mean, and the extremes, which no drawing may lose."""
    unit = unit_of(metric, family)
    span = f"{moment(run.start_us, zone)} to {moment(run.end_us, zone)}, {count(run.chunks, noun)}"
    said = "no value"
    if run.value is not None and run.low is not None and run.high is not None:
        said = f"{quantity(run.value, unit)} on average, from {quantity(run.low, unit)} to {quantity(run.high, unit)}"
    alarms = f", alarm in {count(run.breaches, noun)}" if run.breaches else ""
    return Reading(
        start_us=run.start_us,
        end_us=run.end_us,
        text=f"{span}: {said}, {count(run.n, 'row')}{alarms}",
        chunks=run.chunks,
        n=run.n,
        value=run.value,
        low=run.low,
        high=run.high,
        lower=run.lower,
        upper=run.upper,
        reference=run.reference,
        limit_lower=run.limit_lower,
        limit_upper=run.limit_upper,
        is_alarm=run.breaches > 0,
        coverage=run.coverage,
    )


def moment(at_us: int, zone: str) -> str:
    """Return a moment by the calendar of a zone, without the clock where it is midnight.

    >>> moment(0, "UTC"), moment(3_600_000_000, "UTC")
    ('1 Jan 1970', '1 Jan 1970 01:00')
    """
    time: datetime = from_microseconds(at_us).astimezone(ZoneInfo(zone))
    day = f"{time.day} {time:%b %Y}"
    return day if (time.hour, time.minute) == (0, 0) else f"{day} {time:%H:%M}"
