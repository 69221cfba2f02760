"""A table or query of a database, read on from a watermark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import inf, nextafter
from typing import Annotated, Any  # Any: values of any database

import pyarrow as pa
from pydantic import BeforeValidator, model_validator

from barograph.errors import InputError, did_you_mean
from barograph.frames.read_sql import Database, database_of, from_plain, run, to_plain
from barograph.frames.urls import check_url
from barograph.sources import Polled, Text, source
from barograph.sources.feed import Feed
from barograph.spec.file import seconds_of
from barograph.times import from_microseconds

ROWS = 10_000  # that are handed on at once
KNOWN = 20_000  # rows at the watermark that are known by their hashes; more come again, and are known by their ids
LONGEST_S = 600.0  # of a turn: there are few fetchers for all models
_HASH_BYTES = 8
DEFAULT_OVERLAP = ("5m", 1_000)  # of moments, and of numbers


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("This must be the address of a database, as in 'sqlite:///file.db'.")
    return check_url(value)


def _overlap(value: object) -> str | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < 2**53:
            raise ValueError("This must be zero or more.")
        return value
    if not isinstance(value, str):
        raise ValueError("This must be a duration, as in '5m', or a number where the watermark is one.")
    seconds_of(value)
    return value


@source("sql")
class Sql(Polled):
    """Read what is new in a `table`, or in what a `query` gives, of the database at `url`.

    `watermark` is a column that grows: a time of change, or a number. Each turn reads from the largest value so far
    less `overlap`, as transactions end in another order than they began: by default five minutes, or 1,000 of a number.
    Rows that were handed on are known, by what they hold and by their ids. `url` is `sqlite:///file.db`,
    `duckdb:///file.duckdb` or `postgresql://user:${BAROGRAPH_SOURCE_PASSWORD}@host/name`; `${NAME}` is an environment
    variable.
    """

    url: Annotated[str, BeforeValidator(_url)]
    table: Text | None = None
    query: Text | None = None
    watermark: Text
    overlap: Annotated[str | float, BeforeValidator(_overlap)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Sql:
        self.database()
        return self

    def database(self) -> Database:
        """Return the database, and what is asked of it. Raises ValueError."""
        return database_of(self.url, table=self.table, query=self.query)

    def places(self) -> Sequence[str]:
        """Return the file or the server of the database."""
        return self.database().places()

    def poll(self, feed: Feed) -> None:
        """Hand on the rows from the watermark on that were not handed on before."""
        position = dict(feed.position)
        asked = [self.database().url, self.watermark, self.table or self.query]
        if position.get("of") != asked:
            position = {"of": asked}
        mark = from_plain(position.get("watermark"))
        known = _unpacked(position.get("known", ""))
        now = from_microseconds(feed.now_us)
        since = None if mark is None else before(mark, self.overlap)
        fresh: dict[bytes, Any] = {}  # hash -> watermark, of the rows that the next turn will see again
        for table in _tables(run(self.database(), column=self.watermark, since=since, longest_s=LONGEST_S)):
            marks = _marks(table, self.watermark)
            hashes = _hashes(table)
            new = [i for i, one in enumerate(hashes) if one not in known and one not in fresh]
            for start in range(0, len(new), ROWS):
                feed.put(table.take(pa.array(new[start : start + ROWS], pa.int64())))
            fresh.update(zip(hashes, marks, strict=True))
            if marks:
                mark = capped(marks[-1], now)
                edge = before(mark, self.overlap)
                fresh = {one: at for one, at in fresh.items() if at >= edge}
                kept = [*fresh][-KNOWN:]
                feed.keep({"of": asked, "watermark": to_plain(mark), "known": _packed(kept)})
        moment = _moment(mark)
        feed.lag(seconds=None if moment is None else max(0.0, (now - moment).total_seconds()))


def before(mark: Any, overlap: str | float | None) -> Any:
    """Return a watermark less the overlap. Raises InputError where the one is no span of the other.

    >>> before(5000, None), before("2024-01-01T00:10:00", "10m"), before(date(2024, 1, 2), "1d")
    (4000, '2024-01-01T00:00:00', datetime.date(2024, 1, 1))
    """
    if isinstance(mark, int | float):
        step = DEFAULT_OVERLAP[1] if overlap is None else overlap
        if isinstance(step, str):
            raise InputError(f"The watermark is a number ({mark!r}), and `overlap` a duration. Give a number.")
        return mark - step
    span = DEFAULT_OVERLAP[0] if overlap is None else overlap
    if not isinstance(span, str):
        raise InputError(f"The watermark is a moment ({mark!r}), and `overlap` a number. Give a duration, as in '5m'.")
    back = timedelta(seconds=seconds_of(span))
    if isinstance(mark, datetime):
        return mark - back
    if isinstance(mark, date):
        return mark - timedelta(days=-(-back // timedelta(days=1)))
    try:
        moment = datetime.fromisoformat(mark)
    except ValueError:
        if overlap in ("0s", "0m", "0h", "0d"):
            return mark
        raise InputError(
            f"The watermark is text that is no time in ISO 8601 ({mark!r}): an overlap cannot be taken from it. Set "
            "`overlap` to '0s', or name another column."
        ) from None
    return _like(mark, moment - back)


def without_values(position: Mapping[str, Any]) -> dict[str, Any]:
    """Return how far a table was read without a value or hash of any row: a little less far, so that none is missed.

    Rows that were handed on come again, and are known by their ids.

    >>> without_values({"of": ["sqlite:///a.db"], "watermark": 7, "known": "…"})
    {'of': ['sqlite:///a.db'], 'watermark': 6}
    """
    kept = {key: value for key, value in position.items() if key not in ("watermark", "known")}
    mark = from_plain(position.get("watermark"))
    less: Any = None  # of text that is no time nothing is kept: all is read again
    if isinstance(mark, datetime):
        less = mark - timedelta(microseconds=1)
    elif isinstance(mark, date):
        less = mark - timedelta(days=1)
    elif isinstance(mark, int):
        less = mark - 1
    elif isinstance(mark, float):
        less = nextafter(mark, -inf)
    elif mark is not None:
        moment = _moment(mark)
        less = None if moment is None else _like(mark, datetime.fromisoformat(mark) - timedelta(seconds=1))
    return kept if less is None else {**kept, "watermark": to_plain(less)}


def _like(text: str, moment: datetime) -> str:
    """Return a moment written as another one is, so that texts compare as moments do."""
    if len(text) == 10:
        return moment.date().isoformat()
    written = moment.isoformat(sep=text[10], timespec="auto" if "." in text else "seconds")
    zone = "Z" if text.endswith("Z") else "+00:00" if datetime.fromisoformat(text).tzinfo else ""
    return written.removesuffix("+00:00") + zone if written.endswith("+00:00") else written


def capped(mark: Any, now: datetime) -> Any:
    """Return a watermark that is not in the future: a clock that ran ahead must not hide the rows that follow."""
    if isinstance(mark, datetime):
        return min(_aware(mark), now) if mark.tzinfo else min(mark, now.replace(tzinfo=None))
    if isinstance(mark, str):
        moment = _moment(mark)
        return mark if moment is None or moment <= now else _like(mark, now)
    return min(mark, now.date()) if isinstance(mark, date) else mark


def _moment(mark: Any) -> datetime | None:
    """Return the moment that a watermark is, None for what is none. Without a zone it is in UTC."""
    if isinstance(mark, str):
        try:
            mark = datetime.fromisoformat(mark)
        except ValueError:
            return None
    return _aware(mark) if isinstance(mark, datetime) else None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    yield from (pa.Table.from_batches([batch]) for batch in batches if batch.num_rows)


def _marks(table: pa.Table, column: str) -> list[Any]:
    if column not in table.column_names:
        raise InputError(
            f"There is no column {column!r} to be the watermark.{did_you_mean(column, table.column_names)}"
        )
    values = table.column(column).to_pylist()
    return [from_plain(to_plain(value)) if isinstance(value, Decimal) else value for value in values]


def _hashes(table: pa.Table) -> list[bytes]:
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return [hashlib.blake2b(repr(row).encode(), digest_size=_HASH_BYTES).digest() for row in rows]


def _packed(hashes: Sequence[bytes]) -> str:
    return base64.b85encode(b"".join(hashes)).decode()


def _unpacked(text: str) -> frozenset[bytes]:
    data = base64.b85decode(text)
    return frozenset(data[i : i + _HASH_BYTES] for i in range(0, len(data), _HASH_BYTES))
