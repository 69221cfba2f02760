"""Chunks: the half-open time intervals, or runs of rows, that are summarised in one profile each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from barograph.errors import SpecError
from barograph.times import from_microseconds, to_microseconds

if TYPE_CHECKING:
    from barograph.arrays import Ints

UNITS = {"min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "q": "quarter", "y": "year"}
GRAMMAR = (
    f"a number with a unit ({', '.join(UNITS)}) such as 1d, 12h or 2w, a number of rows such as 500 or 5000rows, "
    "or 'all' for one chunk"
)
MAX_CHUNKS = 100_000  # one reference, one check: more is a mistake in the data or in the chunk length
MEAN_SECONDS = {
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "mo": 2_629_746,
    "q": 7_889_238,
    "y": 31_556_952,
}
NEWEST = 25  # chunks that tell how all are cut
PART = "part"  # what a chunk is called that is no span of time
_MINUTES = {"min": 1, "h": 60}
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_SIZES = {"h": (60, "min"), "d": (24, "h"), "w": (7, "d"), "y": (12, "mo"), "q": (3, "mo")}  # of how many of what
_HOURS = (1, 2, 3, 4, 6, 8, 12)  # that a chunk has, below a day
_LONGEST_SECONDS = 100 * 31_556_952  # a century: more is a slip, and soon beyond what dates can hold
_MONDAY = date(1970, 1, 5)  # from here several days or weeks are counted, so that 7d are the same as 1w


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


def noun_of(chunks: Sequence[Chunk]) -> str:
    """Return what people call chunks that are cut like these: "hour", "day" …, "12-hour span", "part" for runs of rows.

    The newest say it: older hours may have become days, and one of them may be longer where clocks change.

    >>> monday = datetime(2024, 5, 6, tzinfo=UTC)
    >>> noun_of([Chunk(key="2024-05-06", start=monday, end=monday + timedelta(weeks=1))])
    'week'
    >>> noun_of([Chunk(key="rows 0-499")])
    'part'
    """
    nouns = Counter(_noun_between(chunk.key, chunk.start, chunk.end) for chunk in chunks[-NEWEST:])
    return nouns.most_common(1)[0][0] if nouns else PART


def _noun_between(key: str, start: datetime | None, end: datetime | None) -> str:
    if start is None or end is None or key.startswith("rows ") or key == "all":
        return PART
    minutes = (end - start).total_seconds() / 60
    if minutes < 55:
        return _noun(round(minutes), "min")
    if (hours := minutes / 60) < 20:  # an hour more or less where clocks change
        return _noun(min(_HOURS, key=lambda n: abs(n - hours)), "h")
    days = round(hours / 24)
    begins = {(start + timedelta(hours=zone)).day for zone in (0, 14)}  # of a month, in some zone
    months = round(days / 30.44)
    if months and 1 in begins and abs(days - 30.44 * months) < 2.5:
        return _noun(months, "mo")
    return _noun(days, "d")


def _noun(n: int, unit: str) -> str:
    for larger, (size, of) in _SIZES.items():
        if of == unit and n % size == 0:
            return _noun(n // size, larger)
    if (n, unit) == (2, "q"):
        return "half-year"
    return UNITS[unit] if n == 1 else f"{n}-{UNITS[unit]} span"


@dataclass(frozen=True, slots=True)
class TimeChunks:
    """Cut time every `count` calendar minutes, hours, days, weeks (Monday), months, quarters or years of a zone.

    Minutes divide the hour and hours the day (15min, 6h, but not 7h), from midnight on; of the other units, several
    are counted from Monday, 5 January 1970 (days, weeks) or from January 1970, whatever the data, so that borders
    never move.
    """

    unit: str
    zone: str = "UTC"
    count: int = 1

    def __post_init__(self) -> None:
        # Others would not fit where a clock is set back.
        if (self.unit == "min" and 60 % self.count) or (self.unit == "h" and 24 % self.count):
            raise SpecError(
                f"A chunk of minutes must divide the hour, one of hours the day: 15min, 12h. Got {self.name!r}."
            )

    @property
    def noun(self) -> str:
        """Return what people call one of these: "week", "12-hour span"."""
        return _noun(self.count, self.unit)

    @property
    def name(self) -> str:
        """Return the rule as it is written.

        >>> TimeChunks("h", count=12).name
        '12h'
        """
        return f"{self.count}{self.unit}"

    @property
    def seconds(self) -> float:
        """Return the mean length of an interval."""
        return self.count * MEAN_SECONDS[self.unit]

    def floor(self, time: datetime) -> datetime:
        """Return the start, in UTC, of the interval that holds `time`.

        >>> TimeChunks("d", "America/New_York").floor(datetime(2013, 3, 10, 12, tzinfo=UTC))
        datetime.datetime(2013, 3, 10, 5, 0, tzinfo=datetime.timezone.utc)
        >>> TimeChunks("h", count=12).floor(datetime(2013, 3, 10, 13, 30, tzinfo=UTC))
        datetime.datetime(2013, 3, 10, 12, 0, tzinfo=datetime.timezone.utc)
        """
        local = time.astimezone(ZoneInfo(self.zone))
        if self.unit in _MINUTES:
            minutes = self.count * _MINUTES[self.unit]
            if minutes <= 60:  # by elapsed time: the hour that a clock change repeats is two hours
                past = timedelta(minutes=local.minute % minutes, seconds=local.second, microseconds=local.microsecond)
                return time.astimezone(UTC) - past
            begin = local.hour - local.hour % self.count
            return local.replace(hour=begin, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        months = 12 * (day.year - 1970) + day.month - 1
        match self.unit:
            case "d" if self.count > 1:
                day -= timedelta(days=(day.date() - _MONDAY).days % self.count)
            case "w":
                day -= timedelta(days=(day.date() - _MONDAY).days % (7 * self.count))
            case "mo" | "q" | "y":
                months -= months % (self.count * _MONTHS[self.unit])
                day = day.replace(year=1970 + months // 12, month=months % 12 + 1, day=1)
        return day.astimezone(UTC)

    def next(self, start: datetime) -> datetime:
        """Return the start of the interval after the one that begins at `start`, both in UTC.

        A day with a clock change has 23 or 25 hours:

        >>> week = TimeChunks("d", "America/New_York")
        >>> start = week.floor(datetime(2013, 3, 10, 12, tzinfo=UTC))
        >>> week.next(start) - start
        datetime.timedelta(seconds=82800)
        """
        if self.unit in _MINUTES:
            length = timedelta(minutes=self.count * _MINUTES[self.unit])
            if length <= timedelta(hours=1):
                return start + length
            # Half an hour into the next one; where the clock is set back, the interval is an hour longer.
            following = self.floor(start + length + timedelta(minutes=30))
            return following if following > start else self.floor(start + length + timedelta(minutes=90))
        # A little more than the longest interval, then back to where that one begins.
        days = {"d": 1, "w": 7, "mo": 31, "q": 92, "y": 366}[self.unit] * self.count
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
                    f"Cutting {first:%Y-%m-%d} to {last:%Y-%m-%d} by {self.name} gives more than {MAX_CHUNKS} "
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
            case "min" | "h":
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

    @property
    def noun(self) -> str:
        """Return what people call one of these."""
        return PART

    def key(self, index: int, rows: int) -> str:
        """Return the name of the chunk at `index` that holds `rows` rows.

        >>> RowChunks(5000).key(1, 3000)
        'rows 5000-7999'
        """
        return f"rows {index * self.size}-{index * self.size + rows - 1}"


@dataclass(frozen=True, slots=True)
class OneChunk:
    """Do not cut: all rows are one chunk."""

    @property
    def noun(self) -> str:
        """Return what people call one of these."""
        return PART


ChunkRule: TypeAlias = TimeChunks | RowChunks | OneChunk


def parse_chunk_rule(said: str | int | ChunkRule, *, zone: str = "UTC") -> ChunkRule:
    """Return the rule that is said: `1d`, `12h`, `30min`, `2w`, `1mo`, `1q`, `1y`, `5000rows`, 500 (rows) or `all`.

    >>> parse_chunk_rule("1mo")
    TimeChunks(unit='mo', zone='UTC', count=1)
    >>> parse_chunk_rule("5000rows"), parse_chunk_rule(500)
    (RowChunks(size=5000), RowChunks(size=500))
    >>> parse_chunk_rule("all")
    OneChunk()

    Raises SpecError, which lists all that can be said, for anything else.
    """
    if isinstance(said, TimeChunks | RowChunks | OneChunk):
        return said
    text = str(said).strip() if isinstance(said, str | int) and not isinstance(said, bool) else ""
    if text == "all":
        return OneChunk()
    if match := re.fullmatch(rf"([1-9]\d{{0,11}})\s*(rows?|{'|'.join(UNITS)})?", text, re.ASCII):
        count, unit = int(match[1]), match[2]
        if unit in UNITS:
            if count * MEAN_SECONDS[unit] <= _LONGEST_SECONDS:
                return TimeChunks(unit, zone, count)
        else:
            return RowChunks(count)
    raise SpecError(f"A chunk is {GRAMMAR}. Got {said!r}.")


def edges_in_microseconds(rule: TimeChunks, first: int, last: int) -> Ints:
    """Return `TimeChunks.edges` of two times in microseconds, as microseconds."""
    import numpy as np  # here, so that the command line can list what can be said of chunks without it

    edges = rule.edges(from_microseconds(first), from_microseconds(last))
    return np.array([to_microseconds(edge) for edge in edges], np.int64)
