"""Chunks: the half-open time intervals, or runs of rows, that are summarised in one profile each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from barograph.errors import SpecError
from barograph.times import from_microseconds, to_microseconds

UNITS = {"h": "hour", "d": "day", "w": "week", "mo": "month", "q": "quarter", "y": "year"}
MAX_CHUNKS = 100_000  # one reference, one check: more is a mistake in the data or in the chunk length


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One interval `[start, end)` in UTC, or one run of rows. `key` names it for people and sorts by time.

    A run of rows of a model without timestamps has no `start` and `end`. `complete` is False for a first or
    last interval that the data does not fill.
    """

    key: str
    start: datetime | None = None
    end: datetime | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class TimeChunks:
    """Cut time at the starts of calendar hours, days, weeks (Monday), months, quarters or years of a zone."""

    unit: str
    zone: str = "UTC"

    def floor(self, time: datetime) -> datetime:
        """Return the start, in UTC, of the interval that holds `time`.

        >>> TimeChunks("d", "America/New_York").floor(datetime(2013, 3, 10, 12, tzinfo=UTC))
        datetime.datetime(2013, 3, 10, 5, 0, tzinfo=datetime.timezone.utc)
        """
        local = time.astimezone(ZoneInfo(self.zone))
        if self.unit == "h":  # by elapsed time: the hour that a clock change repeats is two hours
            past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
            return time.astimezone(UTC) - past
        day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        match self.unit:
            case "w":
                day -= timedelta(days=local.weekday())
            case "mo":
                day = day.replace(day=1)
            case "q":
                day = day.replace(month=local.month - (local.month - 1) % 3, day=1)
            case "y":
                day = day.replace(month=1, day=1)
        return day.astimezone(UTC)

    def next(self, start: datetime) -> datetime:
        """Return the start of the interval after the one that begins at `start`, both in UTC.

        A day with a clock change has 23 or 25 hours:

        >>> week = TimeChunks("d", "America/New_York")
        >>> start = week.floor(datetime(2013, 3, 10, 12, tzinfo=UTC))
        >>> week.next(start) - start
        datetime.timedelta(seconds=82800)
        """
        if self.unit == "h":
            return start + timedelta(hours=1)
        # A little more than the longest interval, then back to where that one begins.
        days = {"d": 1, "w": 7, "mo": 31, "q": 92, "y": 366}[self.unit]
        return self.floor(start + timedelta(days=days, hours=12))

    def edges(self, first: datetime, last: datetime) -> list[datetime]:
        """Return the starts of all intervals from the one with `first` to the one with `last`, and the last one's end.

        Raises SpecError when there are more than `MAX_CHUNKS`.
        """
        edges = [self.floor(first)]
        while edges[-1] <= last:
            edges.append(self.next(edges[-1]))
            if len(edges) > MAX_CHUNKS:
                raise SpecError(
                    f"Cutting {first:%Y-%m-%d} to {last:%Y-%m-%d} by {UNITS[self.unit]} gives more than {MAX_CHUNKS} "
                    "chunks. Choose a longer chunk, or look for wrong timestamps."
                )
        return edges

    def key(self, start: datetime) -> str:
        """Return the name of the interval that begins at `start`.

        >>> TimeChunks("mo").key(datetime(2013, 6, 1, tzinfo=UTC))
        '2013-06'
        """
        local = start.astimezone(ZoneInfo(self.zone))
        match self.unit:
            case "h":
                return f"{local:%Y-%m-%dT%H:%M%z}" if self.zone != "UTC" else f"{local:%Y-%m-%dT%H:%M}"
            case "mo":
                return f"{local:%Y-%m}"
            case "q":
                return f"{local:%Y}-Q{(local.month + 2) // 3}"
            case "y":
                return f"{local:%Y}"
            case _:
                return f"{local:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class RowChunks:
    """Cut every `size` rows, in the order of time where there is a timestamp and else as given."""

    size: int

    def key(self, index: int, rows: int) -> str:
        """Return the name of the chunk at `index` that holds `rows` rows.

        >>> RowChunks(5000).key(1, 3000)
        'rows 5000-7999'
        """
        return f"rows {index * self.size}-{index * self.size + rows - 1}"


ChunkRule: TypeAlias = TimeChunks | RowChunks


def parse_chunk_rule(text: str, *, zone: str = "UTC") -> ChunkRule:
    """Return the rule that `text` names: `1h`, `1d`, `1w`, `1mo`, `1q`, `1y` or, say, `5000rows`.

    >>> parse_chunk_rule("1mo")
    TimeChunks(unit='mo', zone='UTC')
    >>> parse_chunk_rule("5000rows")
    RowChunks(size=5000)
    """
    if match := re.fullmatch(r"([1-9]\d*)\s*rows?", text):
        return RowChunks(int(match[1]))
    if text[:1] == "1" and text[1:] in UNITS:
        return TimeChunks(text[1:], zone)
    units = ", ".join(f"1{unit}" for unit in UNITS)
    raise SpecError(f"A chunk is one of {units}, or a number of rows such as 5000rows. Got {text!r}.")


def edges_in_microseconds(rule: TimeChunks, first: int, last: int) -> npt.NDArray[np.int64]:
    """Return `TimeChunks.edges` of two times in microseconds, as microseconds."""
    edges = rule.edges(from_microseconds(first), from_microseconds(last))
    return np.array([to_microseconds(edge) for edge in edges], np.int64)
