"""Changes around a model that people or pipelines tell of: they stand beside its results, and explain some."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON values

from fastapi import APIRouter, Query, Request
from pydantic import Field

from barograph.server.api_models import After, Answer, Asked, CallerOf, Limit, Page, ServiceOf, Time, page
from barograph.server.catalog_lookup import audited, model_named
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.store.catalog.changes import Change, add_change, list_changes
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["changes"])
Kind = Literal["deployment", "data", "config", "environment", "probe", "incident", "other"]


class ChangeAsked(Asked):
    """A change to tell of."""

    at: Time | None = Field(default=None, description="When it happened; default: now.")
    kind: Kind = "other"
    title: str = Field(min_length=1, max_length=500, examples=["Model 7 went live"])
    detail: dict[str, Any] = Field(default_factory=dict, examples=[{"commit": "1f3a9c"}])
    version: str | None = Field(default=None, max_length=200, description="The model's version from then on.")


class ChangeAnswer(Answer):
    """A change that was told of."""

    id: int
    at: datetime
    kind: Kind
    title: str
    detail: dict[str, Any]
    version: str | None
    created_at: datetime
    created_by: str | None


class ChangesPage(Page[ChangeAnswer]):
    """Changes, the newest first."""


@router.get("/v1/models/{model}/changes", operation_id="list_changes", summary="List changes around a model")
def list_all(
    model: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    kind: Kind | None = None,
    start: Annotated[Time | None, Query()] = None,
    end: Annotated[Time | None, Query()] = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> ChangesPage:
    """List the changes that were told of, the newest first."""
    with service.read(caller) as scope:
        rows = list_changes(
            scope,
            model_id=model_named(scope, model).id,
            kind=kind,
            start_us=to_microseconds(start),
            end_us=to_microseconds(end),
            limit=limit + 1,
            after=_after(after),
        )
    kept, following = page(request, rows, limit, lambda c: (c.at_us, c.id))
    return ChangesPage(items=[_answer(row) for row in kept], next=following)


@router.post("/v1/models/{model}/changes", operation_id="tell_change", summary="Tell of a change", status_code=201)
def add(model: str, asked: ChangeAsked, service: ServiceOf, caller: CallerOf) -> ChangeAnswer:
    """Tell of a change around a model, such as a deployment."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        change = add_change(
            scope,
            model_named(scope, model).id,
            at_us=now_us if asked.at is None else to_microseconds(asked.at) or 0,
            kind=asked.kind,
            title=asked.title,
            detail=asked.detail,
            version=asked.version,
            created_by=caller.name,
            now_us=now_us,
        )
        audited(scope, caller, "tell change", model, {"id": change.id, "title": asked.title}, now_us=now_us)
    return _answer(change)


def _after(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    at_us, id = read_cursor(text, (int, int))
    return int(at_us or 0), int(id or 0)


def _answer(change: Change) -> ChangeAnswer:
    return ChangeAnswer(
        id=change.id,
        at=from_microseconds(change.at_us),
        kind=change.kind,
        title=change.title,
        detail=change.detail,
        version=change.version,
        created_at=from_microseconds(change.created_us),
        created_by=change.created_by,
    )
