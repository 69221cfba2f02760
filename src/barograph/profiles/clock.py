"""The column that says when: how its times are read, and between which first and last time they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.errors import InputError
from barograph.frames import columns as arrow
from barograph.frames.astray import GAP_DAYS, bulk, days_of, together
from barograph.frames.read import Part, Rows, sample_rows
from barograph.profiles import kernels
from barograph.spec.column_types import AS_IS, fit_times
from barograph.spec.schema import Schema
from barograph.spec.suggest import ask_format
from barograph.times import DAY_US, to_microseconds

T = TypeVar("T")
Ints = npt.NDArray[np.int64]

FOREVER = 2**62  # microseconds: after all times
LOOKED_AT = 1_000  # rows that say whether times are written as in the reference
SAMPLED = 10_000  # rows that say how they are written otherwise


@dataclass(frozen=True, slots=True)
class Clock:
    """A column of times and how it is read: the zone of times that name none, and the format."""

    column: str
    zone: str
    format: str = AS_IS

    def times(self, batch: pa.RecordBatch) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Return the moment of each row in microseconds, UTC, and which rows have none that can be read."""
        times, null, wrong = arrow.times(batch.column(self.column), self.zone, self.format)
        missing = np.zeros(len(times), bool) if null is None else null
        return times, missing if wrong is None else missing | wrong

    def bounds(self, part: Part) -> tuple[int, int] | None:
        """Return between which moments the times of all rows of a part lie, if that is known without reading."""
        return part.time_bounds(self.column, self.zone) if part.rows else None


def clock_of(rows: Rows, schema: Schema) -> Clock | None:
    """Return how the times of these rows are read; None where they have no such column.

    They are read as those of the reference. Where they are written in another way, it is found from a sample; raises
    InputError, which asks, if the values do not tell which of several it is.
    """
    name = schema.timestamp
    if name is None or name not in rows.schema.names:
        return None
    clock = Clock(name, schema.timezone, schema.formats.get(name, AS_IS))
    kind = rows.schema.field(name).type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return clock
    head = next(
        (batch.slice(0, LOOKED_AT) for part in rows.parts for batch in part.batches([name]) if len(batch)), None
    )
    if head is None or name not in head.schema.names:
        return clock
    _, unknown = clock.times(head)
    if 10 * np.count_nonzero(unknown) <= len(unknown):
        return clock
    found = fit_times(sample_rows(rows, [name], SAMPLED).column(name))
    if len(found.formats) > 1:
        if clock.format in found.formats:
            return clock
        raise InputError(f"{rows.name}: {ask_format('timestamp', name, found)}")
    return Clock(name, schema.timezone, found.formats[0]) if found.formats else clock


@dataclass(frozen=True, slots=True)
class Span:
    """The first and last time of `rows` rows (`first > last`: none), and the mean distance between two rows.

    `astray` of them are left out, with an example.
    """

    first: int
    last: int
    rows: int
    step: int
    astray: int = 0
    example: int | None = None


def time_span(rows: Rows, clock: Clock, *, until: datetime | None = None) -> Span:
    """Return the first and last time, up to `until` if there is any before, of those that are not astray."""
    limit = last_of(until)
    before, after, count = (FOREVER, -FOREVER), (FOREVER, -FOREVER), 0

    def ends(times: Ints, unknown: npt.NDArray[np.bool_]) -> tuple[tuple[int, int], tuple[int, int], int]:
        late = times > limit
        up_to = kernels.time_span(times, unknown | late, True)
        return up_to, kernels.time_span(times, unknown | ~late, True) if late.any() else (FOREVER, -FOREVER), len(times)

    known = [clock.bounds(part) for part in rows.parts]
    unread = [part for part, span in zip(rows.parts, known, strict=True) if span is None or span[1] > limit]
    for part, span in zip(rows.parts, known, strict=True):
        if span is not None and part.rows is not None and span[1] <= limit:
            before, count = _wider(before, span), count + part.rows
    for span, later, n in _of_parts(unread, clock, ends):
        before, after, count = _wider(before, span), _wider(after, later), count + n
    low, high = before if before[0] <= before[1] else after
    if high - low <= GAP_DAYS * DAY_US:  # no row can be astray
        return _span(low, high, count)
    parts = _of_parts(
        rows.parts, clock, lambda times, unknown: days_of(times[~unknown & (low <= times) & (times <= high)])
    )
    days, counts = together(parts)
    first, last = bulk(days, counts)
    out = (days < first) | (days > last)
    if not out.any():
        return _span(low, high, count)
    begin, end = first * DAY_US, (last + 1) * DAY_US - 1
    inner = (FOREVER, -FOREVER)
    example = None

    def within(times: Ints, unknown: npt.NDArray[np.bool_]) -> tuple[tuple[int, int], int | None]:
        inside = (begin <= times) & (times <= end)
        strays = times[~inside & ~unknown & (low <= times) & (times <= high)]
        return kernels.time_span(times, unknown | ~inside, True), int(strays[0]) if len(strays) else None

    for found, stray in _of_parts(rows.parts, clock, within):
        inner, example = _wider(inner, found), stray if example is None else example
    astray = int(counts[out].sum())
    return _span(*inner, count, astray, example)


def _span(first: int, last: int, rows: int, astray: int = 0, example: int | None = None) -> Span:
    return Span(first, last, rows, max(last - first, 0) // max(rows - astray - 1, 1), astray, example)


def _of_parts(parts: Sequence[Part], clock: Clock, of: Callable[[Ints, npt.NDArray[np.bool_]], T]) -> list[T]:
    """Return what `of` says of the times of each batch, in their order."""

    def read(part: Part) -> list[T]:
        return [of(*clock.times(batch)) for batch in part.batches([clock.column])]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [found for part in pool.map(read, parts) for found in part]


def _wider(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return min(a[0], int(b[0])), max(a[1], int(b[1]))


def last_of(until: datetime | None) -> int:
    """Return the last time that counts, in microseconds."""
    return FOREVER if until is None else to_microseconds(until)
