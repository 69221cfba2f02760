"""Changes around a model that people, pipelines and the service itself tell of: they stand beside its results.

Those near the onset of an incident are told with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON values

from fastapi import APIRouter, Query, Request
from pydantic import Field

from barograph.server.api_models import (
    After,
    Answer,
    Asked,
    CallerOf,
    Limit,
    Page,
    Said,
    ServiceOf,
    Time,
    page,
    problems,
)
from barograph.server.catalog_lookup import MOST_ID, audited, model_named
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, not_found
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.changes import (
    OWN,
    Change,
    add_change,
    delete_change,
    edit_change,
    get_change,
    list_changes,
)
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["changes"])
Told = Literal["deployment", "data", "config", "incident", "other"]
Kind = Literal[
    "deployment", "data", "config", "incident", "other", "specification", "reference", "environment", "probe"
]


class ChangeAsked(Asked):
    """A change to tell of."""

    at: Time | None = Field(default=None, description="When it happened; default: now.")
    kind: Told = "other"
    title: Said = Field(min_length=1, max_length=500, examples=["Model 7 went live"])
    detail: dict[str, Any] = Field(default_factory=dict, examples=[{"commit": "1f3a9c"}])
    version: str | None = Field(default=None, max_length=200, description="The model's version from then on.")


class ChangeEdit(Asked):
    """What to say otherwise of a change; what is left out stays."""

    at: Time | None = None
    kind: Told | None = None
    title: Said | None = Field(default=None, min_length=1, max_length=500)
    detail: dict[str, Any] | None = None
    version: str | None = Field(default=None, max_length=200)


class ChangeAnswer(Answer):
    """A change that was told of, or that the service put in force itself (`specification`, `reference`)."""

    id: int
    at: datetime
    kind: Kind
    title: str
    detail: dict[str, Any]
    version: str | None
    created_at: datetime
    created_by: Actor | None = Field(description="Null: the service itself, after a job.")
    edited_at: datetime | None
    edited_by: Actor | None


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
            created_by=caller.actor,
            now_us=now_us,
        )
        audited(scope, caller, "tell change", model, {"id": change.id, "title": asked.title}, now_us=now_us)
    return _answer(change)


@router.patch(
    "/v1/models/{model}/changes/{change}",
    operation_id="edit_change",
    summary="Edit a change",
    openapi_extra=problems("conflict"),
)
def edit(model: str, change: int, asked: ChangeEdit, service: ServiceOf, caller: CallerOf) -> ChangeAnswer:
    """Say something otherwise of a change. What the service itself put in force stays as it was."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        before = _editable(scope, model, change)
        given = asked.model_dump(exclude_none=True, exclude={"at"})
        at_us = None if asked.at is None else to_microseconds(asked.at)
        after = edit_change(scope, before.model_id, change, at_us=at_us, **given, by=caller.actor, now_us=now_us)
        assert after is not None  # it was there, in this transaction
        detail = {
            "id": change,
            "before": _answer(before).model_dump(mode="json"),
            "asked": asked.model_dump(mode="json"),
        }
        audited(scope, caller, "edit change", model, detail, now_us=now_us)
    return _answer(after)


@router.delete(
    "/v1/models/{model}/changes/{change}",
    operation_id="delete_change",
    summary="Delete a change",
    status_code=204,
    openapi_extra=problems("conflict"),
)
def delete(model: str, change: int, service: ServiceOf, caller: CallerOf) -> None:
    """Delete a change that was told of by mistake; the audit keeps what it said."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        before = _editable(scope, model, change)
        delete_change(scope, before.model_id, change)
        detail = {"id": change, "before": _answer(before).model_dump(mode="json")}
        audited(scope, caller, "delete change", model, detail, now_us=now_us)


def _editable(scope: Scope, model: str, change: int) -> Change:
    model_id = model_named(scope, model).id
    found = get_change(scope, model_id, change) if 0 < change <= MOST_ID else None
    if found is None:
        raise not_found("change", change)
    if found.kind in OWN:
        raise Problem("conflict", f"No person told of this {found.kind}, but the service: what it says of it stays.")
    return found


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
        edited_at=from_microseconds(change.edited_us),
        edited_by=change.edited_by,
    )
