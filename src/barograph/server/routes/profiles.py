"""Profiles: what is kept of the rows of each chunk."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: OpenAPI is JSON

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from barograph.errors import did_you_mean
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.profiles.yardstick import NumericBins
from barograph.reference.reference import Reference
from barograph.server.api_models import (
    After,
    Answer,
    CallerOf,
    Limit,
    Page,
    ServiceOf,
    etag,
    page,
    problems,
    unchanged,
)
from barograph.server.catalog_lookup import bounds_of, model_named
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, Wrong, not_found
from barograph.server.routes.results import End, Start
from barograph.sketches.histogram import Categories, Histogram
from barograph.store.catalog.models import Model
from barograph.store.catalog.profiles import ProfileHead, profile_heads, read_profiles
from barograph.store.catalog.references import fitted
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["profiles"])
_DATA = "application/octet-stream"


class ProfileAnswer(Answer):
    """The profile of one chunk, without its content."""

    chunk: str = Field(examples=["2024-05-01"])
    start: datetime
    end: datetime
    rows: int
    first_at: datetime | None = Field(description="The time of the first row in it.")
    last_at: datetime | None
    revision: int = Field(description="Grows each time it is built anew.")
    updated_at: datetime


class ProfilesPage(Page[ProfileAnswer]):
    """Profiles in the order of time."""


class HistogramAnswer(Answer):
    """Counts of finite numbers: below the first edge, between two edges, and from the last edge on."""

    edges: list[float]
    counts: list[int]
    minimum: float | None
    maximum: float | None
    mean: float | None
    standard_deviation: float | None


class CategoriesAnswer(Answer):
    """Counts of categories: those that are named, other known ones, and those that the reference does not have."""

    names: list[str]
    counts: list[int]
    other: int
    unseen: int


class ColumnAnswer(Answer):
    """What is kept of one column; one of `histogram` and `categories` is null."""

    counts: dict[str, int] = Field(description="Values by state: null, NaN, out of range, unseen, mistyped, …")
    histogram: HistogramAnswer | None
    categories: CategoriesAnswer | None


class ProfileDetail(ProfileAnswer):
    """The profile of one chunk and segment."""

    segment: str | None
    segments: list[str] = Field(description="The segments that there are.")
    label_coverage: float | None = Field(description="The share of rows with a label.")
    columns: dict[str, ColumnAnswer]


@router.get(
    "/v1/models/{model}/profiles",
    operation_id="list_profiles",
    summary="List profiles",
    openapi_extra=problems("not-ready"),
)
def list_all(
    model: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    start: Start = None,
    end: End = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> ProfilesPage:
    """List the profiles that were made with the active reference, in the order of time."""
    start_us = to_microseconds(start)
    if after is not None:
        behind = int(read_cursor(after, (int,))[0] or 0) + 1
        start_us = behind if start_us is None else max(start_us, behind)
    with service.read(caller) as scope:
        found = model_named(scope, model)
        heads = profile_heads(scope, _active(found), "chunk", start_us=start_us, end_us=to_microseconds(end))
    kept, following = page(request, heads[: limit + 1], limit, lambda h: (h.start_us,))
    return ProfilesPage(items=[_head(head) for head in kept], next=following)


@router.get(
    "/v1/models/{model}/profiles/{chunk}",
    operation_id="get_profile",
    summary="Get the profile of one chunk",
    response_model=ProfileDetail,
    responses={
        200: {"content": {_DATA: {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "If-None-Match names the state that it has"},
    },
    openapi_extra=problems("not-ready"),
)
def get(
    model: str,
    chunk: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    segment: Annotated[str | None, Query(description="Left out: all rows.", examples=["origin=JFK"])] = None,
    bins: Annotated[Literal["coarse", "fine"], Query(description="Of numbers and categories.")] = "coarse",
) -> Response:
    """Get what is kept of the rows of one chunk: as JSON, or with `Accept: application/octet-stream` as it is kept."""
    with service.read(caller) as scope:
        found = model_named(scope, model)
        reference_id = _active(found)
        start_us, _ = bounds_of(found, chunk)
        heads = profile_heads(scope, reference_id, "chunk", start_us=start_us, end_us=start_us + 1)
        if not heads:
            raise not_found("profile of the chunk", chunk)
        tag = etag("profile", reference_id, start_us, heads[0].revision, segment, bins)
        if (same := unchanged(request, tag)) is not None:
            return same
        stored = read_profiles(scope, reference_id, "chunk", start_us=start_us, end_us=start_us + 1)[0]
        learned = fitted(scope, reference_id)
    headers = {"ETag": tag, "Vary": "Accept"}
    if _DATA in request.headers.get("accept", ""):
        return Response(stored.data, media_type=_DATA, headers=headers)
    assert learned is not None  # it is the active one
    profiles = Profiles.from_bytes(stored.data, Reference.from_bytes(learned).yardstick)
    answer = ProfileDetail(**_head(heads[0]).model_dump(), **_content(profiles, segment, bins))
    return JSONResponse(answer.model_dump(mode="json"), headers=headers)


def _active(model: Model) -> int:
    if model.reference_id is None:
        raise Problem("not-ready", f"The model {model.name!r} has no reference yet, so there are no profiles.")
    return model.reference_id


def _head(head: ProfileHead) -> ProfileAnswer:
    return ProfileAnswer(
        chunk=head.chunk,
        start=from_microseconds(head.start_us),
        end=from_microseconds(head.end_us),
        rows=head.rows,
        first_at=from_microseconds(head.first_us),
        last_at=from_microseconds(head.last_us),
        revision=head.revision,
        updated_at=from_microseconds(head.updated_us),
    )


def _content(profiles: Profiles, segment: str | None, bins: Literal["coarse", "fine"]) -> dict[str, Any]:
    if segment is not None and segment not in profiles.segments:
        message = f"There is no segment {segment[:200]!r}.{did_you_mean(segment, profiles.segments)}"
        raise Problem("invalid", message, [Wrong("query.segment", message)])
    profile = profiles.at(0, segment if segment is not None else ALL)
    return {
        "segment": segment,
        "segments": list(profiles.segments),
        "label_coverage": profile.label_coverage,
        "columns": {column.name: _column(profile, column.name, bins) for column in profile.yardstick.columns},
    }


def _column(profile: Profile, name: str, bins: Literal["coarse", "fine"]) -> ColumnAnswer:
    sketch = profile.binned(name, bins)
    numeric = isinstance(profile.yardstick.columns[profile.yardstick.position[name]], NumericBins)
    return ColumnAnswer(
        counts=asdict(profile.counts(name)),
        histogram=_histogram(profile, name, sketch) if isinstance(sketch, Histogram) and numeric else None,
        categories=_categories(sketch) if isinstance(sketch, Categories) else None,
    )


def _histogram(profile: Profile, name: str, sketch: Histogram) -> HistogramAnswer:
    moments = profile.moments(name)
    return HistogramAnswer(
        edges=sketch.edges.tolist(),
        counts=sketch.counts.tolist(),
        minimum=_finite(float(sketch.minimum)),
        maximum=_finite(float(sketch.maximum)),
        mean=_finite(moments.mean) if moments.n else None,
        standard_deviation=_finite(math.sqrt(moments.variance)) if moments.n else None,
    )


def _categories(sketch: Categories) -> CategoriesAnswer:
    *counts, other, unseen = sketch.counts.tolist()
    return CategoriesAnswer(names=list(sketch.names), counts=counts, other=other, unseen=unseen)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
