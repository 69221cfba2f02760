"""Results: one series a monitor, one point a chunk, and every point that has ever held.

A point holds from `from_us` until before `until_us`; one that is restated is closed and a new one is added, so that the
results can be read as of any time. Within one series and chunk, these spans never overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isclose
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple  # Any: values of points, of every kind

import sqlalchemy as sa

from barograph.errors import InputError, NotFoundError
from barograph.monitors.results import Result
from barograph.store.catalog import schema as table
from barograph.store.catalog.column_types import storable
from barograph.store.catalog.schema import FOREVER, points
from barograph.store.catalog.scope import Scope
from barograph.times import to_microseconds

ROUNDING = 1e-12  # of a number: what differs by less is the same
_MOST_NAMED = 10_000  # chunks in one condition; above, all between the first and the last are read

# What a point says. All of it equal: nothing to restate.
_NUMBERS = (
    "value",
    "lower",
    "upper",
    "reference_value",
    "limit_lower",
    "limit_upper",
    "evidence",
    "label_coverage",
)
_SAID = ("chunk", "end_us", "version", "n", "status", "reason", *_NUMBERS)
_COLUMNS = ("series_id", "chunk_us", "from_us", "until_us", "model_id", *_SAID)
_numbers = attrgetter(*_NUMBERS)
# As a literal: a database uses the index of what holds now only where it sees that the query asks for just that.
_NOW = points.c.until_us == sa.literal_column(str(FOREVER))


class Series(NamedTuple):
    """What is measured: a monitor's metric, on a column (None: the model as a whole) and a segment (None: all rows)."""

    id: int
    monitor: str
    metric: str
    family: str
    column: str | None
    segment: str | None


class Point(NamedTuple):
    """One result row, with the times in which it held. `until_us` is FOREVER while it does."""

    series_id: int
    monitor: str
    metric: str
    family: str
    column: str | None
    segment: str | None
    chunk_us: int
    end_us: int
    chunk: str
    version: str
    n: int
    value: float | None
    lower: float | None
    upper: float | None
    reference_value: float | None
    limit_lower: float | None
    limit_upper: float | None
    evidence: float | None
    status: str
    reason: str | None
    label_coverage: float | None
    from_us: int
    until_us: int


_SERIES = tuple(table.series.c[name] for name in Series._fields)
_POINT = tuple((table.series if name in Series._fields else points).c[name] for name in Point._fields[1:])


class Packed(NamedTuple):
    """Result rows as points: what is said by monitor and chunk, and what each monitor measures."""

    said: dict[tuple[str, int], tuple[Any, ...]]
    series: dict[str, tuple[str, str, str | None, str | None]]


def pack(results: Sequence[Result]) -> Packed:
    """Return result rows as they are stored; work that needs no transaction, and is done before one.

    Raises InputError for results without times, or two of one monitor and chunk.
    """
    said: dict[tuple[str, int], tuple[Any, ...]] = {}
    series: dict[str, tuple[str, str, str | None, str | None]] = {}
    texts: dict[str, str] = {}  # the same few, again and again

    def words(text: str) -> str:
        known = texts.get(text)
        if known is None:
            known = texts[text] = storable(text)
        return known

    span: tuple[object, object] = (None, None)
    for r in results:
        if r.chunk_start is None or r.chunk_end is None:
            raise InputError(f"The catalog keeps results of chunks of time. Got {r.monitor!r} of chunk {r.chunk!r}.")
        if r.chunk_start is not span[0] or r.chunk_end is not span[1]:  # rows of one chunk share them
            span = r.chunk_start, r.chunk_end
            begin, end = to_microseconds(r.chunk_start), to_microseconds(r.chunk_end)
        key = words(r.monitor), begin
        if key in said:
            raise InputError(f"There are two results of {r.monitor!r} that begin at {r.chunk_start}.")
        said[key] = (
            words(r.chunk),
            end,
            words(r.version),
            int(r.n),
            r.status.value,
            None if r.reason is None else words(r.reason),
            *[None if x is None or x != x else float(x) for x in _numbers(r)],  # NaN is absent, as in all output
        )
        if key[0] not in series:
            series[key[0]] = (
                words(r.metric),
                words(r.family),
                None if r.column is None else words(r.column),
                None if r.segment is None else words(r.segment),
            )
    return Packed(said, series)


def write_points(
    scope: Scope,
    model_id: int,
    results: Packed,
    *,
    now_us: int,
    chunks: Collection[int] | None = None,
    resolution_us: int = 0,
) -> int:
    """Make what was packed what holds for these chunks, and return how many points that changed.

    `chunks` are the starts of all chunks that were evaluated; None: all that the model has. A point that they have no
    result for holds no more. One that says the same as before stays; so does its `from_us`. A point that holds for less
    than `resolution_us` is restated in place, which bounds the history of a chunk that fills: what is read as of a time
    is then right to within that span.

    Writes of one model have strictly rising times, also if the clock steps back; `now_us` is moved on where it must.
    Raises NotFoundError.
    """
    now_us = _claim_time(scope, model_id, now_us)
    ids = _series_ids(scope, model_id, results.series)
    wanted = {(ids[monitor], chunk): said for (monitor, chunk), said in results.said.items()}
    evaluated = None if chunks is None else {*chunks, *(chunk for _, chunk in wanted)}
    current = _current(scope, model_id, evaluated)

    closed, replaced, added = [], [], []
    for key, (since, said) in current.items():
        if _is_same(wanted.get(key), said):
            continue
        if key in wanted and now_us - since < resolution_us:
            replaced.append((*key, since, FOREVER, model_id, *wanted[key]))
        else:
            closed.append({"of_series": key[0], "of_chunk": key[1], "of_from": since})
            if key in wanted:
                added.append((*key, now_us, FOREVER, model_id, *wanted[key]))
    added += [(*key, now_us, FOREVER, model_id, *said) for key, said in wanted.items() if key not in current]

    close = scope.update(points).where(
        points.c.series_id == sa.bindparam("of_series"),
        points.c.chunk_us == sa.bindparam("of_chunk"),
        points.c.from_us == sa.bindparam("of_from"),
    )
    scope.change_each(close.values(until_us=now_us), closed)
    scope.write_all(points, _COLUMNS, replaced, key=("series_id", "chunk_us", "from_us"))
    scope.write_all(points, _COLUMNS, sorted(added, key=itemgetter(0, 1)))  # in the order of the table
    both = sum(
        1 for row in closed if (row["of_series"], row["of_chunk"]) in wanted
    )  # closed and added again: one point
    return len(closed) + len(replaced) + len(added) - both


def list_series(scope: Scope, model_id: int) -> list[Series]:
    """Return the series of a model by their monitors' names."""
    statement = (
        scope.select(table.series, *_SERIES).where(table.series.c.model_id == model_id).order_by(table.series.c.monitor)
    )
    return [Series._make(row) for row in scope.rows(statement)]


def series(
    scope: Scope,
    model_id: int,
    *,
    metric: str,
    column: str | None = None,
    segment: str | None = None,
    family: str | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    as_of_us: int | None = None,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[Point]:
    """Return up to `limit` points of one metric, of chunks that begin in `[start_us, end_us)`, in the order of time.

    `column` and `segment` are exact: None is the model as a whole, and all rows. Without `family`, a metric that is
    both measured and estimated gives the points of both, told apart by their family. `as_of_us` gives what was known
    at that time. `after` is the last point's (chunk_us, series_id).
    """
    found = scope.select(table.series, *_SERIES).where(
        table.series.c.model_id == model_id,
        table.series.c.metric == metric,
        table.series.c.column == column,
        table.series.c.segment == segment,
        table.series.c.family == family if family is not None else sa.true(),
    )
    of = {row.id: tuple(row) for row in scope.rows(found)}
    if not of:
        return []
    # One series by its number, so that the points come in their own order, without sorting them.
    one = points.c.series_id == next(iter(of)) if len(of) == 1 else points.c.series_id.in_(of)
    statement = scope.select(points, points.c.series_id, *_POINT[5:]).where(one, *_span(start_us, end_us, as_of_us))
    return [Point._make((*of[row[0]], *row[1:])) for row in scope.rows(_page(statement, limit, after))]


def rows(
    scope: Scope,
    model_id: int,
    *,
    monitor: str | None = None,
    metric: str | None = None,
    family: str | None = None,
    column: str | None = None,
    segment: str | None = None,
    status: str | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    as_of_us: int | None = None,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[Point]:
    """Return up to `limit` points of a model by chunk and series; a filter that is None lets all through.

    What holds now is read in this order from an index; `as_of_us` reads and sorts all that the model has.
    """
    given = {"monitor": monitor, "metric": metric, "family": family, "column": column, "segment": segment}
    filters = [table.series.c[name] == value for name, value in given.items() if value is not None]
    if status is not None:
        filters.append(points.c.status == status)
    statement = _joined(scope, model_id).where(*filters, *_span(start_us, end_us, as_of_us))
    return [Point._make(row) for row in scope.rows(_page(statement, limit, after))]


def current_chunks(scope: Scope, model_id: int, *, since_us: int) -> set[int]:
    """Return the starts of all chunks from `since_us` on that have a point which holds now."""
    statement = scope.select(points, points.c.chunk_us).where(points.c.model_id == model_id, _NOW)
    return {row[0] for row in scope.rows(statement.where(points.c.chunk_us >= since_us).distinct())}


def latest(scope: Scope, model_id: int) -> list[Point]:
    """Return what holds for the newest chunk of a model, by series."""
    newest = scope.select(points, sa.func.max(points.c.chunk_us)).where(points.c.model_id == model_id, _NOW)
    chunk = scope.value(newest)
    if chunk is None:
        return []
    statement = _joined(scope, model_id).where(points.c.chunk_us == chunk, _NOW).order_by(points.c.series_id)
    return [Point._make(row) for row in scope.rows(statement)]


def forget_chunks(
    scope: Scope, model_id: int, starts_us: Collection[int] | None, *, before_us: int | None = None
) -> int:
    """Delete all that was ever said of these chunks, or of those that end by a time; return how many points."""
    return scope.change(_of_chunks(scope, model_id, starts_us, before_us))


def forget_history(scope: Scope, model_id: int, starts_us: Collection[int]) -> int:
    """Delete what was said of these chunks and holds no more; return how many points."""
    return scope.change(_of_chunks(scope, model_id, starts_us, None).where(sa.not_(_NOW)))


def _of_chunks(scope: Scope, model_id: int, starts_us: Collection[int] | None, before_us: int | None) -> sa.Delete:
    statement = scope.delete(points).where(points.c.model_id == model_id)
    if starts_us is not None:
        statement = statement.where(points.c.chunk_us.in_(starts_us))
    return statement if before_us is None else statement.where(points.c.end_us <= before_us)


def _claim_time(scope: Scope, model_id: int, now_us: int) -> int:
    """Return the time of this write, later than that of any before; on PostgreSQL others wait until this one ends."""
    newest = table.models.c.results_us
    change = scope.update(table.models).where(table.models.c.id == model_id)
    change = change.values(results_us=sa.case((newest >= now_us, newest + 1), else_=now_us))
    time = scope.value(change.returning(newest))
    if time is None:
        raise NotFoundError(f"This project has no model with the id {model_id}.")
    return int(time)


def _series_ids(
    scope: Scope, model_id: int, of: Mapping[str, tuple[str, str, str | None, str | None]]
) -> dict[str, int]:
    """Return the ids of a model's series by monitor; those that are new are added."""
    statement = scope.select(table.series, table.series.c.monitor, table.series.c.id).where(
        table.series.c.model_id == model_id
    )
    ids = {row[0]: row[1] for row in scope.rows(statement)}
    new = [(model_id, name, *facts) for name, facts in of.items() if name not in ids]
    if new:
        scope.write_all(table.series, ("model_id", "monitor", "metric", "family", "column", "segment"), new)
        ids = {row[0]: row[1] for row in scope.rows(statement)}
    return ids


def _is_same(new: tuple[Any, ...] | None, old: tuple[Any, ...]) -> bool:
    """Return whether two points say the same: numbers of many chunks together are rounded otherwise than of few."""
    return new == old or (
        new is not None
        and all(
            a == b or (isinstance(a, float) and isinstance(b, float) and isclose(a, b, rel_tol=ROUNDING))
            for a, b in zip(new, old, strict=True)
        )
    )


def _current(
    scope: Scope, model_id: int, chunks: Collection[int] | None
) -> dict[tuple[int, int], tuple[int, tuple[Any, ...]]]:
    """Return `from_us` and what is said of all points that hold now, by series and chunk."""
    columns = (points.c.series_id, points.c.chunk_us, points.c.from_us, *(points.c[name] for name in _SAID))
    statement = scope.select(points, *columns).where(points.c.model_id == model_id, _NOW)
    if chunks is not None:
        if not chunks:
            return {}
        few = len(chunks) <= _MOST_NAMED
        one = points.c.chunk_us.in_(chunks) if few else points.c.chunk_us.between(min(chunks), max(chunks))
        statement = statement.where(one)
    found = scope.rows(statement)
    return {(row[0], row[1]): (row[2], tuple(row[3:])) for row in found if chunks is None or row[1] in chunks}


def _joined(scope: Scope, model_id: int) -> sa.Select[Any]:
    statement = scope.select(points, points.c.series_id, *_POINT).where(points.c.model_id == model_id)
    return statement.join(table.series, table.series.c.id == points.c.series_id)


def _span(start_us: int | None, end_us: int | None, as_of_us: int | None) -> list[sa.ColumnElement[bool]]:
    found = [_NOW] if as_of_us is None else [points.c.from_us <= as_of_us, points.c.until_us > as_of_us]
    if start_us is not None:
        found.append(points.c.chunk_us >= start_us)
    if end_us is not None:
        found.append(points.c.chunk_us < end_us)
    return found


def _page(statement: sa.Select[Any], limit: int, after: tuple[int, int] | None) -> sa.Select[Any]:
    order = (points.c.chunk_us, points.c.series_id)
    if after is not None:
        statement = statement.where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, after)))
    return statement.order_by(*order).limit(limit)
