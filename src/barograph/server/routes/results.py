"""Result rows: all of a model, or one series for a chart."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from barograph.errors import did_you_mean
from barograph.metrics import catalogue
from barograph.metrics.facts import heading_of
from barograph.server.api_models import After, Answer, CallerOf, Limit, Page, ServiceOf, Time, page
from barograph.server.catalog_lookup import bounds_of, model_named
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, Wrong
from barograph.store.catalog import results
from barograph.store.catalog.models import Model
from barograph.store.catalog.results import Point
from barograph.store.catalog.schema import FOREVER
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["results"])

Status = Literal["ok", "warning", "breach", "undefined"]
Start = Annotated[Time | None, Query(description="Chunks that begin at this time or later.")]
End = Annotated[Time | None, Query(description="Chunks that begin before this time.")]
AsOf = Annotated[Time | None, Query(description="What was known at this time; default: what is known now.")]


class ResultAnswer(Answer):
    """One metric of one column, segment and chunk, and what its rule says of it. Null: there is no such value."""

    model: str
    version: str
    monitor: str = Field(examples=["drift.kolmogorov_smirnov.distance"])
    metric: str = Field(examples=["kolmogorov_smirnov"])
    family: str = Field(examples=["drift"])
    column: str | None = Field(description="Null: the model as a whole.")
    segment: str | None = Field(description="Null: all rows.", examples=["origin=JFK"])
    chunk: str = Field(examples=["2024-05-01"])
    chunk_start: datetime
    chunk_end: datetime
    n: int = Field(description="Rows behind the value.")
    value: float | None
    lower: float | None
    upper: float | None
    reference_value: float | None
    limit_lower: float | None
    limit_upper: float | None
    evidence: float | None
    status: str = Field(description="ok, warning, breach or undefined.")
    reason: str | None = Field(description="Why the value is undefined.")
    as_of: datetime = Field(description="When this row was written.")
    until: datetime | None = Field(description="When it was restated; null while it holds.")
    label_coverage: float | None


class MonitorAnswer(Answer):
    """One thing that is watched."""

    monitor: str
    metric: str
    title: str = Field(description="The metric's name as people read it.", examples=["Kolmogorov–Smirnov distance"])
    family: str
    column: str | None
    segment: str | None


class MonitorsPage(Page[MonitorAnswer]):
    """Monitors by name."""


class ResultsPage(Page[ResultAnswer]):
    """Result rows by chunk and series."""


@router.get("/v1/models/{model}/results", operation_id="list_results", summary="List result rows")
def list_results(
    model: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    start: Start = None,
    end: End = None,
    chunk: Annotated[str | None, Query(description="The key of one chunk, such as 2024-05-01.")] = None,
    monitor: str | None = None,
    metric: str | None = None,
    column: str | None = None,
    segment: str | None = None,
    family: str | None = None,
    status: Status | None = None,
    as_of: AsOf = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> ResultsPage:
    """List result rows by chunk and series; a filter that is left out lets all through."""
    with service.read(caller) as scope:
        found = model_named(scope, model)
        start_us, end_us = to_microseconds(start), to_microseconds(end)
        if chunk is not None:
            bounds = bounds_of(found, chunk)
            start_us = max(start_us or bounds[0], bounds[0])
            end_us = min(end_us or bounds[1], bounds[1])
        points = results.rows(
            scope,
            found.id,
            monitor=monitor,
            metric=metric,
            family=family,
            column=column,
            segment=segment,
            status=status,
            start_us=start_us,
            end_us=end_us,
            as_of_us=to_microseconds(as_of),
            limit=limit + 1,
            after=_after(after),
        )
    kept, following = page(request, points, limit, lambda p: (p.chunk_us, p.series_id))
    return ResultsPage(items=[_answer(model, point) for point in kept], next=following)


@router.get("/v1/models/{model}/series", operation_id="get_series", summary="Get one metric over time")
def get_series(
    model: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    metric: Annotated[str, Query(examples=["roc_auc"])],
    column: Annotated[str | None, Query(description="Left out: the model as a whole.")] = None,
    segment: Annotated[str | None, Query(description="Left out: all rows.")] = None,
    family: Annotated[str | None, Query(description="Left out: measured and estimated values.")] = None,
    start: Start = None,
    end: End = None,
    as_of: AsOf = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> ResultsPage:
    """Get one metric of one column and segment in the order of time."""
    with service.read(caller) as scope:
        found = model_named(scope, model)
        _check_metric(scope, found, metric)
        points = results.series(
            scope,
            found.id,
            metric=metric,
            column=column,
            segment=segment,
            family=family,
            start_us=to_microseconds(start),
            end_us=to_microseconds(end),
            as_of_us=to_microseconds(as_of),
            limit=limit + 1,
            after=_after(after),
        )
    kept, following = page(request, points, limit, lambda p: (p.chunk_us, p.series_id))
    return ResultsPage(items=[_answer(model, point) for point in kept], next=following)


def _check_metric(scope: Scope, model: Model, metric: str) -> None:
    """Refuse a metric that neither the model has results of nor anybody knows: a slip of the pen."""
    known = {name for _, name in catalogue()}
    if metric not in known and metric not in (watched := {s.metric for s in results.list_series(scope, model.id)}):
        hint = did_you_mean(metric, known | watched)
        raise Problem(
            "invalid",
            f"There is no metric {metric!r}.{hint}",
            errors=[Wrong("query.metric", f"There is no such metric.{hint}")],
        )


@router.get("/v1/models/{model}/monitors", operation_id="list_monitors", summary="List what is watched")
def list_monitors(
    model: str, request: Request, service: ServiceOf, caller: CallerOf, limit: Limit = DEFAULT, after: After = None
) -> MonitorsPage:
    """List the monitors that there are results of, by name."""
    behind = "" if after is None else str(read_cursor(after, (str,))[0])
    with service.read(caller) as scope:
        series = results.list_series(scope, model_named(scope, model).id)
    rows = sorted((s for s in series if s.monitor > behind), key=lambda s: s.monitor)[: limit + 1]
    kept, following = page(request, rows, limit, lambda s: (s.monitor,))
    items = [
        MonitorAnswer(
            monitor=s.monitor,
            metric=s.metric,
            title=heading_of(s.metric),
            family=s.family,
            column=s.column,
            segment=s.segment,
        )
        for s in kept
    ]
    return MonitorsPage(items=items, next=following)


def _after(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    chunk_us, series_id = read_cursor(text, (int, int))
    return int(chunk_us or 0), int(series_id or 0)


def _answer(model: str, point: Point) -> ResultAnswer:
    return ResultAnswer(
        model=model,
        version=point.version,
        monitor=point.monitor,
        metric=point.metric,
        family=point.family,
        column=point.column,
        segment=point.segment,
        chunk=point.chunk,
        chunk_start=from_microseconds(point.chunk_us),
        chunk_end=from_microseconds(point.end_us),
        n=point.n,
        value=point.value,
        lower=point.lower,
        upper=point.upper,
        reference_value=point.reference_value,
        limit_lower=point.limit_lower,
        limit_upper=point.limit_upper,
        evidence=point.evidence,
        status=point.status,
        reason=point.reason,
        as_of=from_microseconds(point.from_us),
        until=None if point.until_us == FOREVER else from_microseconds(point.until_us),
        label_coverage=point.label_coverage,
    )
