"""Removals: of a model, of what is too old, of one id: how far each is, and what was removed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field

from barograph.server.api_models import After, Answer, CallerOf, Limit, Page, ServiceOf, page
from barograph.server.catalog_lookup import MOST_ID
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import not_found
from barograph.store.catalog.removals import Removal, get_removal, list_removals
from barograph.times import from_microseconds

router = APIRouter(tags=["removals"])
Kind = Literal["delete", "purge", "erase"]


class RemovalAnswer(Answer):
    """One removal. `done` of `total` says how far its step is, in a unit of its own."""

    id: int
    model: str = Field(description="The name that the model had when this was asked for.")
    kind: Kind = Field(description="delete: a whole model; purge: what is too old of it; erase: one id.")
    state: Literal["waiting", "running", "done"]
    step: str = Field(description="What is being done.", examples=["files"])
    done: int
    total: int | None
    removed: dict[str, int] = Field(description="How many of what were removed.", examples=[{"files": 120}])
    before: datetime | None = Field(description="Of a purge: what is older goes; null: everything.")
    digest: str | None = Field(description="Of an erasure: the SHA-256 of the id, in hexadecimal.")
    reason: str | None = Field(description="Why the last attempt failed; another follows.")
    asked_at: datetime
    ended_at: datetime | None = Field(description="When all of it was gone.")


class RemovalsPage(Page[RemovalAnswer]):
    """Removals, the newest first."""


@router.get("/v1/removals", operation_id="list_removals", summary="List removals")
def list_all(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    kind: Kind | None = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> RemovalsPage:
    """List what was asked to be removed, and how far that is, the newest first. The list outlives the models."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        rows = list_removals(scope, kind=kind, limit=limit + 1, after=behind)
    kept, following = page(request, rows, limit, lambda r: (r.id,))
    return RemovalsPage(items=[answer(row) for row in kept], next=following)


@router.get("/v1/removals/{removal}", operation_id="get_removal", summary="Get a removal and how far it is")
def get(removal: int, service: ServiceOf, caller: CallerOf) -> RemovalAnswer:
    """Get a removal, how far it is, and what was removed."""
    with service.read(caller) as scope:
        found = get_removal(scope, removal) if 0 < removal <= MOST_ID else None
    if found is None:
        raise not_found("removal", removal)
    return answer(found)


def answer(removal: Removal) -> RemovalAnswer:
    """Return a removal as the API tells it."""
    before_us = removal.asked.get("before_us")
    return RemovalAnswer(
        id=removal.id,
        model=removal.model,
        kind=removal.kind,
        state=removal.state,
        step=removal.step,
        done=removal.done,
        total=removal.total,
        removed=removal.removed,
        before=None if before_us is None else from_microseconds(before_us),
        digest=removal.asked.get("digest"),
        reason=removal.reason,
        asked_at=from_microseconds(removal.asked_us),
        ended_at=from_microseconds(removal.ended_us),
    )
