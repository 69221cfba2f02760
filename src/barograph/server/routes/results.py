"""Result rows: all of a model, or one series for a chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, get_args  # Any: OpenAPI is JSON

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from barograph.errors import did_you_mean
from barograph.metrics import catalogue
from barograph.metrics.facts import heading_of
from barograph.server.api_models import After, Answer, CallerOf, Limit, Page, ServiceOf, Time, page
from barograph.server.auth import Caller
from barograph.server.catalog_lookup import bounds_of, fields_of, model_named
from barograph.server.export import CONTENT, Format, exported, format_of, pages_of
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, Wrong
from barograph.server.service import Service
from barograph.spec.plain import schema_from_plain
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


Form = Annotated[
    Format | None,
    Query(
        alias="format",
        description="csv and parquet hold all rows at once, without pages; default: what Accept says, else json.",
    ),
]
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page as JSON, or all rows as a file", "content": dict(CONTENT)}
}


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


def _kind(annotation: Any) -> type:
    """Return the type of a field; of one that may be absent, the other type."""
    kind: type = next(iter(get_args(annotation)), annotation)
    return kind


COLUMNS = {name: _kind(field.annotation) for name, field in ResultAnswer.model_fields.items()}  # of an export


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


@router.get(
    "/v1/models/{model}/results",
    operation_id="list_results",
    summary="List result rows",
    response_model=ResultsPage,
    responses=_FORMS,
)
def list_results(
    model: str,
    request: Request,
    response: Response,
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
    form: Form = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> ResultsPage | Response:
    """List result rows by chunk and series; a filter that is left out lets all through.

    As CSV or Parquet, all of them come as one file.
    """
    form = format_of(request, form)
    response.headers["Vary"] = "Accept"
    with service.read(caller) as scope:
        found = model_named(scope, model)
        start_us, end_us = to_microseconds(start), to_microseconds(end)
        if chunk is not None:
            bounds = bounds_of(found, chunk)
            start_us = max(start_us or bounds[0], bounds[0])
            end_us = min(end_us or bounds[1], bounds[1])
        given = {"monitor": monitor, "metric": metric, "column": column, "segment": segment, "family": family}
        _check_filters(scope, found, given)
    read = partial(
        results.rows,
        model_id=found.id,
        monitor=monitor,
        metric=metric,
        family=family,
        column=column,
        segment=segment,
        status=status,
        start_us=start_us,
        end_us=end_us,
        as_of_us=to_microseconds(as_of),
    )
    return _answered(request, service, caller, model, read, form=form, limit=limit, after=after)


@router.get(
    "/v1/models/{model}/series",
    operation_id="get_series",
    summary="Get one metric over time",
    response_model=ResultsPage,
    responses=_FORMS,
)
def get_series(
    model: str,
    request: Request,
    response: Response,
    service: ServiceOf,
    caller: CallerOf,
    metric: Annotated[str, Query(examples=["roc_auc"])],
    column: Annotated[str | None, Query(description="Left out: the model as a whole.")] = None,
    segment: Annotated[str | None, Query(description="Left out: all rows.")] = None,
    family: Annotated[str | None, Query(description="Left out: measured and estimated values.")] = None,
    start: Start = None,
    end: End = None,
    as_of: AsOf = None,
    form: Form = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> ResultsPage | Response:
    """Get one metric of one column and segment in the order of time; as CSV or Parquet, all of it as one file."""
    form = format_of(request, form)
    response.headers["Vary"] = "Accept"
    with service.read(caller) as scope:
        found = model_named(scope, model)
        _check_filters(scope, found, {"metric": metric, "column": column, "segment": segment, "family": family})
    read = partial(
        results.series,
        model_id=found.id,
        metric=metric,
        column=column,
        segment=segment,
        family=family,
        start_us=to_microseconds(start),
        end_us=to_microseconds(end),
        as_of_us=to_microseconds(as_of),
    )
    return _answered(request, service, caller, model, read, form=form, limit=limit, after=after)


def _answered(
    request: Request,
    service: Service,
    caller: Caller,
    model: str,
    read: Callable[..., Sequence[Point]],
    *,
    form: Format,
    limit: int,
    after: str | None,
) -> ResultsPage | Response:
    """Return a page of what `read` finds, or all of it as a file. Each page is read in a transaction of its own."""

    def points(most: int, behind: tuple[int, int] | None) -> Sequence[Point]:
        with service.read(caller) as scope:
            return read(scope, limit=most, after=behind)

    if form == "json":
        found = points(limit + 1, _after(after))
        kept, following = page(request, found, limit, lambda p: (p.chunk_us, p.series_id))
        return ResultsPage(items=[_answer(model, point) for point in kept], next=following)
    pages = pages_of(points, lambda p: _answer(model, p).model_dump(), lambda p: (p.chunk_us, p.series_id))
    return exported(form, COLUMNS, pages, name=f"{model}-results")


def _check_filters(scope: Scope, model: Model, given: Mapping[str, str | None]) -> None:
    """Refuse a value that neither the model has results of nor anybody knows: a slip of the pen, not an empty list."""
    asked = {name: value for name, value in given.items() if value is not None}
    if not asked:
        return
    series = results.list_series(scope, model.id)
    wrong = []
    for name, value in asked.items():
        known = {getattr(one, name) for one in series} - {None} | _known(name, model)
        # Before there are results, nobody knows which monitors and segments there will be.
        if value not in known and (series or name in ("metric", "family")):
            wrong.append(Wrong(f"query.{name}", f"There is no such {name}.{did_you_mean(value, known)}"))
    if wrong:
        first = wrong[0].path.removeprefix("query.")
        hint = wrong[0].message.removeprefix(f"There is no such {first}.")
        raise Problem("invalid", f"There is no {first} {asked[first][:200]!r}.{hint}", errors=wrong)


def _known(name: str, model: Model) -> set[str]:
    """Return the values that a filter may have whatever there are results of."""
    if name in ("metric", "family"):
        place = ("family", "metric").index(name)
        return {key[place] for key in catalogue()} | ({"estimation", "concept"} if name == "family" else set())
    if name == "column" and model.schema is not None:
        return set(schema_from_plain(model.schema).columns())
    return set()


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
        **fields_of(point, model),
        as_of=from_microseconds(point.from_us),
        until=None if point.until_us == FOREVER else from_microseconds(point.until_us),
    )
