"""A model's page: what the catalog knows of it, cut to what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from barograph.dashboard.incidents import IncidentLine, span_of
from barograph.dashboard.model import MOST_COLUMNS, Known, ModelData, Window, model_page
from barograph.dashboard.model_tables import Column, MetricSeries
from barograph.dashboard.page_exports import of_model
from barograph.dashboard.readings import Reading
from barograph.dashboard.timeline import Mark, Span
from barograph.dashboard.words import chunk_noun
from barograph.metrics.facts import alerting, drift_rank, harm_metrics, row_counts
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.server.catalog_lookup import model_named
from barograph.server.pages import incidents
from barograph.server.pages.cause import cause_of
from barograph.server.pages.distributions import with_distributions
from barograph.server.pages.results import readings_of, readings_of_runs, results
from barograph.server.pages.visit import Visit
from barograph.store.catalog import overview
from barograph.store.catalog.changes import list_changes
from barograph.store.catalog.conditions import condition_of
from barograph.store.catalog.models import Model
from barograph.store.catalog.references import get_reference
from barograph.store.catalog.results import Point, Series
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.states import get_state, new_state
from barograph.tasks import Task
from barograph.times import DAY_US

SINGLY = 400  # chunks that are drawn one by one; more are drawn in
RUNS = 240  # runs
FOUND = 200  # the newest chunks, of which the title tells where they are drawn in runs
NEWEST = 60  # chunks that a sparkline shows
STRIP = 40  # chunks that a row of cells shows
MOST_CHANGES = 200
ALL_COLUMNS = 500  # that are listed where all are asked for
_SPANS = {"1m": 31, "3m": 92, "1y": 366}


def model(visit: Visit) -> Response:
    """Return the page of a model."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        data = read(visit, scope, found)
    page = model_page(data)
    return visit.page("model.html", page, exports=partial(of_model, data, page))


def known_of(scope: Scope, found: Model, *, now_us: int) -> Known:
    """Return what is known of a model besides its results."""
    state = get_state(scope, found.id) or new_state(found.id, found.project_id)
    said = condition_of(scope, found.id, now_us=now_us)
    assert said is not None  # the model is there, in the same transaction
    reference = None if found.reference_id is None else get_reference(scope, found.reference_id)
    return Known(
        name=found.name,
        version=found.version,
        chunk=found.chunk,
        zone=zone_of(found),
        condition=said.condition,
        reference=reference.number if reference else None,
        reference_rows=reference.rows if reference else None,
        events=state.events,
        labels=state.labels,
        last_event_us=state.last_event_us,
        evaluated_us=state.evaluated_us,
    )


def zone_of(found: Model) -> str:
    """Return the zone by whose calendar a model's time is cut."""
    return str((found.schema or found.spec).get("timezone") or "UTC")


def read(visit: Visit, scope: Scope, found: Model) -> ModelData:
    """Return what the page shows of a model, in as many points as a screen has room for."""
    known = known_of(scope, found, now_us=visit.now_us)
    of = [one for _, one in overview.series_of(scope, [found.id], families=("performance", "estimation"))]
    rows = next((one for _, one in overview.series_of(scope, [found.id], metrics=row_counts(), columns=False)), None)
    whole = [one for one in of if one.segment is None and one.column is None]
    every = overview.bounds(scope, [rows.id] if rows else [one.id for one in whole[:1]])
    if every is None:
        return ModelData(known=known, window=None)
    window = _window(visit, every)
    metrics = _metrics(scope, found, whole, window)
    chosen = _chosen(visit.asked("metric"), metrics)
    segments = list(dict.fromkeys(one.segment for one in of if one.segment is not None))
    asked = visit.asked("segment")
    segment = asked if asked in segments else ""
    lines = incidents.of_model(scope, found, now_us=visit.now_us)
    main = _main(scope, found, of, rows, chosen, segment, window, known)
    first = next((one for one in sorted(lines, key=lambda i: i.order) if not one.is_over and not one.muted), None)
    return ModelData(
        known=known,
        window=main.window,
        metrics=metrics,
        chosen=chosen,
        segment=segment,
        segment_names=segments,
        measured=main.measured,
        estimated=main.estimated,
        finding_rows=main.rows,
        finding_estimated=main.guesses,
        traffic=main.traffic,
        incidents=lines,
        spans=spans_of(visit, lines),
        marks=marks_of(scope, found),
        columns=_columns(visit, scope, found, window),
        faults=_faults(scope, found, rows, window),
        segments=_segments(scope, found, of, chosen, window),
        undefined=_undefined(scope, found, rows, window),
        most_columns=ALL_COLUMNS if visit.asked("columns", most=5) == "all" else MOST_COLUMNS,
        cause="" if first is None or first.severity == "notice" else cause_of(visit, scope, found, first.id),
    )


def _window(visit: Visit, every: overview.Bounds) -> Window:
    start, end = every.first_us, every.end_us
    span = _SPANS.get(visit.asked("span", most=4))
    if span is not None:
        start = max(start, end - span * DAY_US)
    first = visit.number("from", start, least=every.first_us, most=every.end_us)
    last = visit.number("to", end, least=every.first_us, most=every.end_us)
    if first < last:
        start, end = first, last
    is_all = (start, end) == (every.first_us, every.end_us)
    return Window(start_us=start, end_us=end, is_all=is_all, chunks=every.chunks)


def _metrics(scope: Scope, found: Model, whole: Sequence[Series], window: Window) -> list[MetricSeries]:
    """Return the newest results of the metrics that alert, the main one first."""
    task = Task((found.schema or found.spec).get("task") or _guess(whole))
    wanted = list(dict.fromkeys((*harm_metrics(task), *alerting(task))))
    kept = [one for one in whole if one.metric in wanted]
    points = overview.newest_points(scope, kept, count=NEWEST, start_us=window.start_us, end_us=window.end_us)
    by: dict[str, dict[str, list[Result]]] = {}
    for one in kept:
        by.setdefault(one.metric, {})[one.family] = results(points[one.id], found.name)
    return [_metric(name, by[name]) for name in wanted if name in by]


def _metric(name: str, by_family: Mapping[str, Sequence[Result]]) -> MetricSeries:
    return MetricSeries(name=name, measured=by_family.get("performance", ()), estimated=by_family.get("estimation", ()))


def _guess(whole: Sequence[Series]) -> str:
    """Return the task of a model that does not say it: the first one whose main metric it has."""
    names = {one.metric for one in whole}
    return next((task.value for task in Task if harm_metrics(task)[0] in names), next(iter(Task)).value)


def _chosen(asked: str, metrics: Sequence[MetricSeries]) -> str:
    """Return the metric to show: the one that is asked for, else the first in alarm, else the main one."""
    known = [m for m in metrics if m.newest is not None]
    if any(m.name == asked for m in metrics):
        return asked
    broken = [m for m in known if any(row.status is Status.BREACH for row in m.rows)]
    first = next(iter((*broken, *known, *metrics)), None)
    return first.name if first else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Main:
    """The chosen metric over the window."""

    window: Window
    measured: Sequence[Reading]
    estimated: Sequence[Reading]
    traffic: Sequence[Reading]
    rows: Sequence[Result]
    guesses: Sequence[Result]


def _main(
    scope: Scope,
    found: Model,
    of: Sequence[Series],
    rows: Series | None,
    chosen: str,
    segment: str,
    window: Window,
    known: Known,
) -> _Main:
    wanted = {one.family: one for one in of if one.metric == chosen and (one.segment or "") == segment}
    kept = [*wanted.values(), *([rows] if rows else [])]
    span = {"start_us": window.start_us, "end_us": window.end_us}
    chunks = overview.count_chunks(scope, (rows or kept[0]).id, **span) if kept else 0
    window = Window(**span, is_all=window.is_all, chunks=chunks, in_runs=chunks > SINGLY)
    if not window.in_runs:
        points = overview.points_between(scope, kept, **span)

        def singly(one: Series | None) -> list[Point]:
            return points[one.id] if one else []

        measured, estimated = singly(wanted.get("performance")), singly(wanted.get("estimation"))
        return _Main(
            window=window,
            measured=readings_of(measured, found.name),
            estimated=readings_of(estimated, found.name),
            traffic=readings_of(singly(rows), found.name),
            rows=results(measured, found.name),
            guesses=results(estimated, found.name),
        )
    width = -(-(window.end_us - window.start_us) // RUNS)
    runs = overview.runs_between(scope, [one.id for one in kept], **span, width_us=width)
    noun = chunk_noun(known.chunk)

    def in_runs(one: Series | None) -> list[Reading]:
        if one is None:
            return []
        return readings_of_runs(runs[one.id], metric=one.metric, family=one.family, noun=noun, zone=known.zone)

    newest = overview.newest_points(scope, list(wanted.values()), count=FOUND, **span)
    by = {family: results(newest[one.id], found.name) for family, one in wanted.items()}
    return _Main(
        window=window,
        measured=in_runs(wanted.get("performance")),
        estimated=in_runs(wanted.get("estimation")),
        traffic=in_runs(rows),
        rows=by.get("performance", ()),
        guesses=by.get("estimation", ()),
    )


def spans_of(visit: Visit, lines: Sequence[IncidentLine]) -> list[Span]:
    return [
        span_of(one, visit.site.url("/incidents/{incident}", incident=one.id))
        for one in sorted(lines, key=lambda i: (i.severity == "notice", i.order))
    ]


def marks_of(scope: Scope, found: Model) -> list[Mark]:
    changes = list_changes(scope, model_id=found.id, limit=MOST_CHANGES)
    return [
        Mark(at_us=change.at_us, label=change.title, text=f"{change.kind}: {change.title}")
        for change in reversed(changes)
    ]


def _columns(visit: Visit, scope: Scope, found: Model, window: Window) -> list[Column]:
    """Return the drift of each column, by the one metric that speaks for it, with distributions of those that moved."""
    of: dict[str, Series] = {}
    every = overview.series_of(scope, [found.id], families=("drift",), columns=True)
    for _, one in every:
        assert one.column is not None
        there = of.get(one.column)
        if there is None or drift_rank(one.metric) < drift_rank(there.metric):
            of[one.column] = one
    points = overview.newest_points(
        scope, list(of.values()), count=STRIP, start_us=window.start_us, end_us=window.end_us
    )
    schema = found.schema or {}
    roles = dict.fromkeys((schema.get("scores") or {}).values(), "score")
    roles |= {schema.get("label"): "label", schema.get("prediction"): "prediction"}
    harms = overview.harms(scope, found.id)
    columns = [
        Column(name=name, rows=results(points[one.id], found.name), role=roles.get(name, ""), harm=harms.get(name))
        for name, one in of.items()
    ]
    return with_distributions(visit, scope, found, columns)


def _faults(scope: Scope, found: Model, rows: Series | None, window: Window) -> list[list[Result]]:
    if rows is None:
        return []
    newest = overview.newest_starts(scope, rows.id, start_us=window.start_us, end_us=window.end_us, count=STRIP)
    if not newest:
        return []
    span = {"start_us": newest[-1][0], "end_us": newest[0][0] + 1}
    flagged = overview.flagged(scope, found.id, family="quality", **span)
    points = overview.points_between(scope, flagged[:STRIP], **span)
    return [results(points[one.id], found.name) for one in flagged[:STRIP]]


def _segments(scope: Scope, found: Model, of: Sequence[Series], chosen: str, window: Window) -> list[MetricSeries]:
    kept = [one for one in of if one.metric == chosen and one.segment is not None]
    points = overview.newest_points(scope, kept, count=STRIP, start_us=window.start_us, end_us=window.end_us)
    by: dict[str, dict[str, list[Result]]] = {}
    for one in kept:
        by.setdefault(one.segment or "", {})[one.family] = results(points[one.id], found.name)
    return [_metric(name, families) for name, families in by.items()]


def _undefined(
    scope: Scope, found: Model, rows: Series | None, window: Window
) -> list[tuple[str, str, str | None, str]]:
    if rows is None:
        return []
    newest = overview.newest_starts(scope, rows.id, start_us=window.start_us, end_us=window.end_us, count=1)
    return overview.undefined_of(scope, found.id, chunk_us=newest[0][0]) if newest else []
