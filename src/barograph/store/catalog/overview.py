"""What pages read of results: the newest points of some series, one chunk of all of them, or a long span in runs.

A page shows some hundred points, whatever there is: all cuts are made here, in the database.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple  # Any: a table, or an alias of it

import sqlalchemy as sa

from barograph.monitors.coverage import SHOWN
from barograph.store.catalog.incidents import StoredAlert
from barograph.store.catalog.results import Point, Series
from barograph.store.catalog.schema import FOREVER, alerts, incidents, jobs, models, points, series, states, work
from barograph.store.catalog.scope import Scope

# As a literal: a database uses the index of what holds now only where it sees that the query asks for just that.
_NOW = points.c.until_us == sa.literal_column(str(FOREVER))
_SERIES = tuple(series.c[name] for name in Series._fields)
_POINT = tuple(points.c[name] for name in Point._fields[6:])


class Bounds(NamedTuple):
    """The first and the last chunk of a series that holds now, by their starts, and the end of the last one."""

    first_us: int
    last_us: int
    end_us: int
    chunks: int


class RunOfChunks(NamedTuple):
    """Chunks of one series that are told as one."""

    series_id: int
    start_us: int
    end_us: int
    chunks: int
    n: int
    value: float | None
    low: float | None
    high: float | None
    lower: float | None
    upper: float | None
    reference_value: float | None
    limit_lower: float | None
    limit_upper: float | None
    breaches: int
    coverage: float | None


def series_of(
    scope: Scope,
    model_ids: Collection[int],
    *,
    families: Collection[str] = (),
    metrics: Collection[str] = (),
    columns: bool | None = None,
    segments: bool | None = None,
) -> list[tuple[int, Series]]:
    """Return the series of models, each with its model's id.

    `columns` and `segments` say whether those of columns and of segments are meant, or only those that are of none;
    None lets both through.
    """
    statement = scope.select(series, series.c.model_id, *_SERIES).where(series.c.model_id.in_(model_ids))
    if families:
        statement = statement.where(series.c.family.in_(families))
    if metrics:
        statement = statement.where(series.c.metric.in_(metrics))
    for column, wanted in ((series.c.column, columns), (series.c.segment, segments)):
        if wanted is not None:
            statement = statement.where(column.is_not(None) if wanted else column.is_(None))
    return [(row[0], Series._make(row[1:])) for row in scope.rows(statement.order_by(series.c.id))]


def newest_points(
    scope: Scope, of: Sequence[Series], *, count: int, start_us: int | None = None, end_us: int | None = None
) -> dict[int, list[Point]]:
    """Return the newest `count` points of each series that hold now, by its id, in the order of time.

    Only chunks that begin in `[start_us, end_us)` are looked at. A series is read backwards from its end, so that this
    does not take longer the longer it is.
    """
    named = {one.id: tuple(one) for one in of}
    found: dict[int, list[Point]] = {one.id: [] for one in of}
    within = _within(points, start_us, end_us)
    for first_us, ids in _nth_from_last(scope, list(named), count, start_us, end_us).items():
        # With its bound as a number, the database reads each series from there on, and nothing before.
        statement = scope.select(points, points.c.series_id, *_POINT)
        statement = statement.where(points.c.series_id.in_(ids), _NOW, points.c.chunk_us >= first_us, *within)
        for row in scope.rows(statement.order_by(points.c.series_id, points.c.chunk_us)):
            found[row[0]].append(Point._make((*named[row[0]], *row[1:])))
    return found


def _nth_from_last(
    scope: Scope, series_ids: Sequence[int], count: int, start_us: int | None, end_us: int | None
) -> dict[int, list[int]]:
    """Return where the newest `count` points of each series begin, and the series that begin there."""
    if not series_ids:
        return {}
    other = points.alias("other")
    nth = (
        scope.select(other, other.c.chunk_us)
        .where(other.c.series_id == series.c.id, other.c.until_us == sa.literal_column(str(FOREVER)))
        .where(*_within(other, start_us, end_us))
        .order_by(other.c.chunk_us.desc())
        .limit(1)
        .offset(count - 1)
        .scalar_subquery()
    )
    least = -(2**62) if start_us is None else start_us
    found: dict[int, list[int]] = {}
    for id, first_us in scope.rows(scope.select(series, series.c.id, nth).where(series.c.id.in_(series_ids))):
        found.setdefault(least if first_us is None else first_us, []).append(id)
    return found


def bounds(scope: Scope, series_ids: Collection[int]) -> Bounds | None:
    """Return from when to when these series have points that hold now; None without any."""
    statement = scope.select(
        points,
        sa.func.min(points.c.chunk_us),
        sa.func.max(points.c.chunk_us),
        sa.func.max(points.c.end_us),
        sa.func.count(sa.distinct(points.c.chunk_us)),
    ).where(points.c.series_id.in_(series_ids), _NOW)
    row = scope.rows(statement)[0]
    return None if row[0] is None else Bounds(*row)


def points_between(scope: Scope, of: Sequence[Series], *, start_us: int, end_us: int) -> dict[int, list[Point]]:
    """Return all points of some series in `[start_us, end_us)` that hold now, by series, in the order of time."""
    named = {one.id: tuple(one) for one in of}
    found: dict[int, list[Point]] = {one.id: [] for one in of}
    statement = scope.select(points, points.c.series_id, *_POINT)
    statement = statement.where(points.c.series_id.in_(named), _NOW, *_within(points, start_us, end_us))
    for row in scope.rows(statement.order_by(points.c.series_id, points.c.chunk_us)):
        found[row[0]].append(Point._make((*named[row[0]], *row[1:])))
    return found


def runs_between(
    scope: Scope, series_ids: Collection[int], *, start_us: int, end_us: int, width_us: int
) -> dict[int, list[RunOfChunks]]:
    """Return points in `[start_us, end_us)` in runs of `width_us`, by series: each with mean, extremes and alarms.

    Values that are only shown count nowhere.
    """
    c = points.c
    judged = c.value.is_not(None) & (c.reason.is_(None) | ~c.reason.startswith(SHOWN, autoescape=True))

    def of_judged(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.case((judged, column), else_=None)

    statement = scope.select(
        points,
        c.series_id,
        sa.func.min(c.chunk_us),
        sa.func.max(c.end_us),
        sa.func.count(),
        sa.cast(sa.func.sum(c.n), sa.BigInteger),
        sa.func.avg(of_judged(c.value)),
        sa.func.min(of_judged(c.value)),
        sa.func.max(of_judged(c.value)),
        sa.func.avg(of_judged(c.lower)),
        sa.func.avg(of_judged(c.upper)),
        sa.func.max(of_judged(c.reference_value)),
        sa.func.max(c.limit_lower),
        sa.func.min(c.limit_upper),
        sa.cast(sa.func.sum(sa.case((c.status == "breach", 1), else_=0)), sa.BigInteger),
        sa.func.avg(c.label_coverage),
    )
    statement = statement.where(c.series_id.in_(series_ids), _NOW, *_within(points, start_us, end_us))
    step = (c.chunk_us - start_us) // width_us
    statement = statement.group_by(c.series_id, step).order_by(c.series_id, step)
    found: dict[int, list[RunOfChunks]] = {one: [] for one in series_ids}
    for row in scope.rows(statement):
        found[row[0]].append(RunOfChunks._make(row))
    return found


def undefined_of(scope: Scope, model_id: int, *, chunk_us: int) -> list[tuple[str, str, str | None, str]]:
    """Return family, metric, column and reason of all that has no value in one chunk."""
    statement = (
        scope.select(points, series.c.family, series.c.metric, series.c.column, points.c.reason)
        .join(series, series.c.id == points.c.series_id)
        .where(points.c.model_id == model_id, points.c.chunk_us == chunk_us, _NOW, points.c.value.is_(None))
        .order_by(series.c.id)
    )
    return [(row[0], row[1], row[2], row[3] or "") for row in scope.rows(statement)]


def flagged(scope: Scope, model_id: int, *, family: str, start_us: int, end_us: int) -> list[Series]:
    """Return the series of a family that are beyond a limit or a tolerance in a span, those with most alarms first."""
    alarms = sa.func.sum(sa.case((points.c.status == "breach", 1), else_=0))
    statement = (
        scope.select(points, *_SERIES)
        .join(series, series.c.id == points.c.series_id)
        .where(points.c.model_id == model_id, points.c.chunk_us >= start_us, points.c.chunk_us < end_us, _NOW)
        .where(points.c.status.in_(("breach", "warning")), series.c.family == family)
        .group_by(*_SERIES)
        .order_by(alarms.desc(), series.c.id)
    )
    return [Series._make(row) for row in scope.rows(statement)]


def newest_starts(scope: Scope, series_id: int, *, start_us: int, end_us: int, count: int) -> list[tuple[int, str]]:
    """Return start and key of the newest chunks of a series in a span, the newest first."""
    c = points.c
    statement = scope.select(points, c.chunk_us, c.chunk).where(c.series_id == series_id, _NOW)
    statement = statement.where(*_within(points, start_us, end_us)).order_by(c.chunk_us.desc()).limit(count)
    return [(row[0], row[1]) for row in scope.rows(statement)]


def firing_since(scope: Scope) -> dict[int, list[tuple[str, int, str]]]:
    """Return severity, begin, and the key of the first chunk, of the incidents that fire, by model."""
    c = incidents.c
    fires = sa.literal("firing", literal_execute=True)  # else SQLite could not tell that the index of these is enough
    statement = scope.select(incidents, c.model_id, c.severity, c.since_us, c.body)
    found: dict[int, list[tuple[str, int, str]]] = {}
    for row in scope.rows(statement.where(c.state == fires, c.withdrawn.is_(False))):
        found.setdefault(row[0], []).append((row[1], row[2], row[3].get("since") or ""))
    return found


def last_events(scope: Scope) -> dict[int, int]:
    """Return the time of the latest event of each model that has any."""
    c = states.c
    statement = scope.select(states, c.model_id, c.last_event_us).where(c.last_event_us.is_not(None))
    return {row[0]: row[1] for row in scope.rows(statement)}


def named(scope: Scope, model_ids: Collection[int]) -> dict[int, str]:
    """Return the names of models by their ids."""
    statement = scope.select(models, models.c.id, models.c.name).where(models.c.id.in_(set(model_ids)))
    return {row[0]: row[1] for row in scope.rows(statement)}


def model_names(scope: Scope) -> list[tuple[int, str, str]]:
    """Return id, name and chunk of all models, by name."""
    c = models.c
    return [tuple(row) for row in scope.rows(scope.select(models, c.id, c.name, c.chunk).order_by(c.name))]


def waits_since(scope: Scope) -> int | None:
    """Return since when the longest waiting work of the project is due, apart from what fails; None without any."""
    value = scope.value(scope.select(work, sa.func.min(work.c.due_us)).where(work.c.failures == 0))
    return None if value is None else int(value)


def _within(table: Any, start_us: int | None, end_us: int | None) -> list[sa.ColumnElement[bool]]:  # Any: or its alias
    found: list[sa.ColumnElement[bool]] = []
    if start_us is not None:
        found.append(table.c.chunk_us >= start_us)
    if end_us is not None:
        found.append(table.c.chunk_us < end_us)
    return found


def count_chunks(scope: Scope, series_id: int, *, start_us: int, end_us: int) -> int:
    """Return how many chunks a series has in a span."""
    statement = scope.select(points, sa.func.count()).where(points.c.series_id == series_id, _NOW)
    return int(scope.value(statement.where(*_within(points, start_us, end_us))))


def harms(scope: Scope, model_id: int) -> dict[str, float]:
    """Return the greatest harm that alerts which go on expect of the drift of each column."""
    c = alerts.c
    statement = scope.select(alerts, c.column, c.body).where(c.model_id == model_id, c.family == "drift")
    statement = statement.where(c.column.is_not(None), c.state == "firing", c.withdrawn.is_(False))
    found: dict[str, float] = {}
    for column, body in scope.rows(statement):
        harm = (body.get("worst") or {}).get("harm")
        if harm is not None:
            found[column] = max(found.get(column, harm), harm)
    return found


def alerts_of(scope: Scope, model_id: int, incident_id: str) -> list[StoredAlert]:
    """Return the alerts of an incident, its root first, then the gravest."""
    c = alerts.c
    rank = sa.case((c.severity == "critical", 0), (c.severity == "warning", 1), else_=2)
    statement = scope.pick(alerts, StoredAlert).where(c.model_id == model_id, c.incident_id == incident_id)
    statement = statement.where(c.withdrawn.is_(False)).order_by(c.is_root.desc(), rank, c.first_us, c.id)
    return scope.records(StoredAlert, statement)


class News(NamedTuple):
    """When results, incidents and jobs were last written, and the models whose results were, the newest first."""

    results_us: int
    incidents_us: int
    jobs_us: int
    models: list[str]


def news(scope: Scope, *, most: int = 20) -> News:
    """Return when anything of a project was last new."""
    c = models.c
    newest = scope.select(models, c.name, c.results_us).where(c.results_us.is_not(None))
    rows = scope.rows(newest.order_by(c.results_us.desc(), c.id).limit(most))
    found = scope.value(scope.select(incidents, sa.func.max(incidents.c.updated_us)))
    worked = scope.value(scope.select(jobs, sa.func.max(jobs.c.updated_us)))
    return News(rows[0][1] if rows else 0, found or 0, worked or 0, [f"{row[0]}@{row[1]}" for row in rows])
