"""Rows to profiles, in one pass, in threads, in bounded memory.

Each thread takes every `threads`-th part of the rows (a Parquet row group, a slice of a frame), encodes it block by
block and counts into tables of its own; the tables are added at the end, in a fixed order, so that the result does not
depend on which thread was faster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from threading import Lock
from typing import Any  # Any: fields of several types

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.arrays import Ints
from barograph.chunks import Chunk, ChunkRule, OneChunk, RowChunks, TimeChunks, edges_in_microseconds
from barograph.errors import InputError
from barograph.frames.astray import bulk, days_of
from barograph.frames.read import Part, Rows, Source, open_rows
from barograph.profiles import kernels
from barograph.profiles.clock import FOREVER, Clock, Span, clock_of, last_of, time_span
from barograph.profiles.encode import Counter, count_batch
from barograph.profiles.profiles import Profiles
from barograph.profiles.samples import BottomIds, BottomRows
from barograph.profiles.tables import Tables, add_tables, empty_tables
from barograph.profiles.yardstick import NumericBins, Yardstick, segment_names, segment_values
from barograph.times import DAY_US, from_microseconds

Progress = Callable[[int, int | None], None]  # rows done, rows in all (None: not known)

CALENDAR = ("h", "d", "w", "mo", "q", "y")  # intervals that are chosen from, the shortest first
MOST_CHUNKS = 60
FEWER_CHUNKS = 20
ENOUGH_ROWS = 500

ALL_ROWS = OneChunk()
MAX_GROUP_CELLS = 2**27  # numbers that the tables of one thread may hold: 1 GiB


def build_profiles(
    yardstick: Yardstick,
    source: Source | Rows,
    *,
    chunk: ChunkRule = ALL_ROWS,
    until: datetime | None = None,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Profiles:
    """Return the profiles of all rows of `source`, one a chunk and segment.

    Without a `chunk` rule there is one chunk. Rows without a usable timestamp, where the rule needs one, and rows
    after `until` are in no chunk and counted in `outside`, as are those that are astray (`astray.py`): one wrong year
    would make thousands of empty chunks. If all rows are after `until`, their times are taken as they are. No rows give
    no chunks.
    """
    rows = source if isinstance(source, Rows) else open_rows(source)
    cut = _cut(rows, yardstick, chunk, until)
    parts = list(rows.parts)
    report = _Report(progress, rows.rows)
    workers = max(1, min(threads or os.cpu_count() or 1, len(parts)))
    if workers * _size(yardstick, len(cut.chunks)) > MAX_GROUP_CELLS:
        workers = 1
    starts = _starts(parts, rows.schema.names[0])
    wanted = [c for c in yardstick.schema.columns() if c in rows.schema.names]
    timeless = [c for c in wanted if c != yardstick.schema.timestamp] or wanted

    def work(worker: int) -> Counter:
        counter = _empty_counter(yardstick, len(cut.chunks))
        for i in range(worker, len(parts), workers):
            position = starts[i]
            only = cut.only_chunk(parts[i])
            for batch in parts[i].batches(wanted if only is None else timeless):
                chunk = cut.assign(batch, position) if only is None else np.full(batch.num_rows, only, np.int64)
                count_batch(counter, batch, chunk, position)
                position += batch.num_rows
                report.add(batch.num_rows)
        return counter

    with ThreadPoolExecutor(workers) as pool:
        counters = list(pool.map(work, range(workers)))
    return _finish(yardstick, rows, cut, counters)


# Which chunk each row belongs to


@dataclass(frozen=True, slots=True)
class _Cut:
    """The chunks of these rows and how to find a row's chunk: by time, by its rank in time, or by its position."""

    chunks: tuple[Chunk, ...]
    clock: Clock | None = None
    edges: Ints | None = None
    chunk_of_position: Ints | None = None
    size: int | None = None
    first: int = -FOREVER
    last: int = FOREVER
    astray: int = 0
    example: int | None = None  # of a time that is astray

    def only_chunk(self, part: Part) -> int | None:
        """Return the chunk of all rows of a part, if that is known without reading their times."""
        if self.chunk_of_position is not None or self.size is not None or not self.chunks:
            return None
        if self.clock is None:
            return 0
        span = self.clock.bounds(part)
        if span is None or span[0] < self.first or span[1] > self.last:
            return None
        if self.edges is None:
            return 0
        one, other = (int(np.searchsorted(self.edges, time, side="right")) - 1 for time in span)
        return one if one == other and 0 <= one < len(self.chunks) else None

    def assign(self, batch: pa.RecordBatch, first_row: int) -> Ints:
        """Return the chunk of each row of a batch that begins at position `first_row`."""
        n = batch.num_rows
        if self.chunk_of_position is not None:
            return self.chunk_of_position[first_row : first_row + n]
        if self.edges is not None:
            assert self.clock is not None
            times, unknown = self.clock.times(batch)
            out = np.empty(n, np.int64)
            kernels.find_chunks(times, self.edges, out)
            out[unknown | (times < self.first) | (times > self.last)] = -1
            return out
        if self.size is not None:
            return np.arange(first_row, first_row + n, dtype=np.int64) // self.size
        if self.clock is not None:
            times, unknown = self.clock.times(batch)
            return np.where(~unknown & ((times < self.first) | (times > self.last)), -1, 0)
        return np.zeros(n, np.int64)


def _cut(rows: Rows, yardstick: Yardstick, rule: ChunkRule, until: datetime | None) -> _Cut:
    schema = yardstick.schema
    clock = clock_of(rows, schema)
    if isinstance(rule, TimeChunks) and clock is None:
        raise InputError(
            f"{rows.name}: cutting by {rule.name!r} needs a timestamp column, and "
            + (f"{schema.timestamp!r} is not in the data." if schema.timestamp else "none is named.")
            + " Name one with `timestamp`, or cut by rows, for example 5000rows."
        )
    if clock is None:
        return _cut_by_position(rows, rule)
    if isinstance(rule, RowChunks):
        times, unknown = _all_times(rows, clock)
        if unknown.all():
            return _cut_by_position(rows, rule, count=len(times))
        later = times > last_of(until)
        if not (later | unknown).all():
            unknown |= later
        return _cut_by_rank(times, unknown, rule, clock)
    span = time_span(rows, clock, until=until)
    if span.first > span.last:
        if span.rows and not isinstance(rule, OneChunk):
            raise InputError(
                f"{rows.name}: column {clock.column!r} has no usable time in {span.rows} rows. "
                "Give another timestamp column, or cut by rows, for example 5000rows."
            )
        return _cut_by_position(rows, ALL_ROWS, count=span.rows)
    if isinstance(rule, OneChunk):
        chunk = Chunk(key="all", start=from_microseconds(span.first), end=from_microseconds(span.last))
        bounded = until or span.astray
        return _Cut((chunk,), clock if bounded else None, **_bounds(span))
    edges, chunks = time_chunks(span, rule)
    return _Cut(chunks, clock, edges=edges, **_bounds(span))


def _bounds(span: Span) -> dict[str, Any]:
    return {"first": span.first, "last": span.last, "astray": span.astray, "example": span.example}


def time_chunks(span: Span, rule: TimeChunks) -> tuple[Ints, tuple[Chunk, ...]]:
    """Return the edges, in microseconds, and the intervals from the one with the first row to the one with the last."""
    edges = edges_in_microseconds(rule, span.first, span.last)
    starts = [from_microseconds(e) for e in edges]
    chunks = []
    for i in range(len(edges) - 1):
        # The data fills an end interval if its outermost row is about as near the border as rows are to each other,
        # or within 2 % of the interval.
        slack = max(2 * span.step, (edges[i + 1] - edges[i]) // 50)
        begins, ends = i > 0 or span.first - edges[0] <= slack, i < len(edges) - 2 or edges[-1] - span.last <= slack
        chunks.append(
            Chunk(key=rule.key(starts[i]), start=starts[i], end=starts[i + 1], complete=bool(begins and ends))
        )
    return edges, tuple(chunks)


def _cut_by_rank(times: Ints, null: npt.NDArray[np.bool_], rule: RowChunks, clock: Clock) -> _Cut:
    known = np.flatnonzero(~null)
    first, last = bulk(*days_of(times[known]))
    days = times[known] // DAY_US
    strays = known[(days < first) | (days > last)]
    known = known[(first <= days) & (days <= last)]
    if np.any(np.diff(times[known]) < 0):
        known = known[np.argsort(times[known], kind="stable")]
    chunk_of = np.full(len(times), -1, np.int64)
    chunk_of[known] = np.arange(len(known)) // rule.size
    chunks = []
    for i, start in enumerate(range(0, len(known), rule.size)):
        part = known[start : start + rule.size]
        chunks.append(
            Chunk(
                key=rule.key(i, len(part)),
                start=from_microseconds(times[part[0]]),
                end=from_microseconds(times[part[-1]]),
                complete=len(part) == rule.size,
            )
        )
    example = int(times[strays[0]]) if len(strays) else None
    return _Cut(tuple(chunks), clock, chunk_of_position=chunk_of, astray=len(strays), example=example)


def _cut_by_position(rows: Rows, rule: ChunkRule, count: int | None = None) -> _Cut:
    if not isinstance(rule, RowChunks):
        some = count is None or count > 0
        return _Cut((Chunk(key="all"),) if some and rows.rows != 0 else ())
    n = rows.rows if rows.rows is not None else count
    if n is None:
        n = sum(batch.num_rows for part in rows.parts for batch in part.batches(list(rows.schema.names[:1])))
    sizes = [min(rule.size, n - start) for start in range(0, n, rule.size)]
    chunks = tuple(Chunk(key=rule.key(i, s), complete=s == rule.size) for i, s in enumerate(sizes))
    return _Cut(chunks, size=rule.size)


def _all_times(rows: Rows, clock: Clock) -> tuple[Ints, npt.NDArray[np.bool_]]:
    read = [clock.times(batch) for part in rows.parts for batch in part.batches([clock.column])]
    if not read:
        return np.empty(0, np.int64), np.empty(0, bool)
    return np.concatenate([t for t, _ in read]), np.concatenate([n for _, n in read])


# Before and after the pass


def default_chunk(rows: Rows, yardstick: Yardstick, *, until: datetime | None = None) -> ChunkRule:
    """Return how these rows are cut when the user does not say.

    By the shortest calendar interval that gives at most `MOST_CHUNKS` chunks of `ENOUGH_ROWS` rows on average; without
    timestamps, by as many rows as give `FEWER_CHUNKS` chunks. One chunk for all rows, where there are too few.
    """
    schema = yardstick.schema
    if (clock := clock_of(rows, schema)) is not None:
        span = time_span(rows, clock, until=until)
        if span.first <= span.last:
            for rule in (TimeChunks(unit, schema.timezone) for unit in CALENDAR):
                chunks = max(1.0, (span.last - span.first) / 1e6 / rule.seconds)
                if chunks <= MOST_CHUNKS and span.rows / chunks >= ENOUGH_ROWS:
                    return rule
            return OneChunk()
    n = (
        rows.rows
        if rows.rows is not None
        else sum(len(b) for p in rows.parts for b in p.batches(rows.schema.names[:1]))
    )
    return RowChunks(max(ENOUGH_ROWS, -(-n // FEWER_CHUNKS))) if n >= 2 * ENOUGH_ROWS else OneChunk()


@dataclass(slots=True)
class _Report:
    progress: Progress | None
    total: int | None
    done: int = 0
    lock: Lock = field(default_factory=Lock)

    def add(self, rows: int) -> None:
        if self.progress is not None:
            with self.lock:
                self.done += rows
                self.progress(self.done, self.total)


def _starts(parts: Sequence[Part], column: str) -> list[int]:
    """Return the position of the first row of each part; a part of unknown length is read through once."""
    starts = [0]
    for part, following in pairwise(parts):
        if following.first_row is not None:
            starts.append(following.first_row)
            continue
        n = part.rows if part.rows is not None else sum(batch.num_rows for batch in part.batches([column]))
        starts.append(starts[-1] + n)
    return starts


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _size(yardstick: Yardstick, chunks: int) -> int:
    one = sum(a.size for a in empty_tables(yardstick, 1, products=True).values())
    return one * chunks * (1 + sum(s.width for s in yardstick.segments.values()))


def _empty_counter(yardstick: Yardstick, chunks: int) -> Counter:
    return Counter(
        yardstick=yardstick,
        tables=empty_tables(yardstick, chunks, products=True),
        segment_tables=[
            empty_tables(yardstick, chunks * column.width, products=False) for column in yardstick.segments.values()
        ],
        samples=BottomRows.empty(chunks, features=len(yardstick.schema.features)),
        ids=BottomIds.empty(chunks) if yardstick.schema.id else None,
    )


def _finish(yardstick: Yardstick, rows: Rows, cut: _Cut, counters: list[Counter]) -> Profiles:
    first, *others = counters
    everything = np.arange(len(cut.chunks), dtype=np.intp)
    for other in others:
        add_tables(yardstick, first.tables, other.tables, everything)
        for into, tables in zip(first.segment_tables, other.segment_tables, strict=True):
            add_tables(yardstick, into, tables, np.arange(len(tables["rows"]), dtype=np.intp))
        first.samples.kept = [a.merge(b) for a, b in zip(first.samples.kept, other.samples.kept, strict=True)]
        if first.ids is not None and other.ids is not None:
            first.ids.kept = [a.merge(b) for a, b in zip(first.ids.kept, other.ids.kept, strict=True)]
        first.outside += other.outside
    segment_tables = [
        _every(table, code, column.width)
        for column, table in zip(yardstick.segments.values(), first.segment_tables, strict=True)
        for code in range(len(segment_values(column)))
    ]
    return Profiles(
        yardstick=yardstick,
        chunks=cut.chunks,
        tables=first.tables,
        segments=segment_names(yardstick),
        segment_tables=tuple(segment_tables),
        samples=tuple(first.samples.kept),
        ids=tuple(first.ids.kept) if first.ids else (),
        outside=first.outside,
        astray=cut.astray,
        astray_example=None if cut.example is None else from_microseconds(cut.example),
        missing_columns=tuple(c for c in yardstick.schema.columns() if c not in rows.schema.names),
        extra_columns=_extra(yardstick, rows),
        type_changes=_type_changes(yardstick, rows),
    )


def _every(table: Tables, code: int, width: int) -> Tables:
    return {name: array[code::width] for name, array in table.items()}


def _extra(yardstick: Yardstick, rows: Rows) -> tuple[str, ...]:
    known = {*yardstick.schema.columns(), *yardstick.schema.ignored}
    return tuple(c for c in rows.schema.names if c not in known)


def _type_changes(yardstick: Yardstick, rows: Rows) -> tuple[str, ...]:
    """Return the numeric columns of the reference that now come as text, where the source knows its types."""
    texts = {field.name for field in rows.schema if _is_text(field.type)}
    if len(texts) == len(rows.schema):  # a CSV file, where everything is text
        return ()
    return tuple(c.name for c in yardstick.columns if isinstance(c, NumericBins) and c.name in texts)
