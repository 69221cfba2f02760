"""Removals: of a model, of what is too old, of one id: how far each is, and what was removed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from barograph.server.api_models import After, Answer, Asked, CallerOf, Limit, Page, ServiceOf, page
from barograph.server.catalog_lookup import MOST_ID, audited, model_named
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import not_found
from barograph.server.route_table import url
from barograph.store.catalog.removals import Removal, get_removal, list_removals
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.privacy import id_as_kept
from barograph.worker.requests import request_erasure, request_purge

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


class PurgeAsked(Asked):
    """What is to go: either `before` or `everything`."""

    before: date | None = Field(default=None, description="A UTC day: what is older goes.", examples=["2024-05-01"])
    everything: Literal[True] | None = Field(default=None, description="Everything but the model goes.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.before is None) == (self.everything is None):
            raise ValueError("This must have either `before`, a day, or `everything`: true.")
        return self


class ErasureAsked(Asked):
    """Whose rows are to be erased."""

    id: str = Field(min_length=1, max_length=65_536, description="The id of an event, and of its labels.")


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


@router.post("/v1/models/{model}/purge", operation_id="purge_model", summary="Remove what is too old", status_code=202)
def purge(model: str, asked: PurgeAsked, response: Response, service: ServiceOf, caller: CallerOf) -> RemovalAnswer:
    """Remove what a model has of the UTC days before one, or with `everything` all of it; the model itself stays.

    Events, labels, rejected rows and what waits go, and what was made of them: profiles, results, alerts and incidents
    that were over by then. A chunk that the day cuts is computed from what is left of it. Specification, references,
    changes and silences stay.
    """
    before_us = None if asked.before is None else to_microseconds(datetime.combine(asked.before, time(), UTC))
    now_us = service.now_us()
    with service.write(caller) as scope:
        removal = request_purge(scope, model_named(scope, model), before_us=before_us, now_us=now_us)
        said = {"removal": removal.id, "before": None if asked.before is None else str(asked.before)}
        audited(scope, caller, "purge model", model, said, now_us=now_us)
    response.headers["Location"] = url("/v1/removals/{removal}", removal=removal.id)
    return answer(removal)


@router.post("/v1/models/{model}/erasures", operation_id="erase_id", summary="Erase an id", status_code=202)
def erase(model: str, asked: ErasureAsked, response: Response, service: ServiceOf, caller: CallerOf) -> RemovalAnswer:
    """Erase one id out of all that there is of a model: its events and labels, and what was made of them.

    It counts for all that was acknowledged before; the same id that is sent later is a new one. The record that stays,
    and the audit, have the SHA-256 of the id, not the id.
    """
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = model_named(scope, model)
        kept_as = id_as_kept(service.settings, scope, found, asked.id)
        removal = request_erasure(scope, found, kept_as, now_us=now_us)
        said = {"removal": removal.id, "digest": removal.asked["digest"]}
        audited(scope, caller, "erase id", model, said, now_us=now_us)
    response.headers["Location"] = url("/v1/models/{model}/erasures/{erasure}", model=model, erasure=removal.id)
    return answer(removal)


@router.get("/v1/models/{model}/erasures", operation_id="list_erasures", summary="List erasures of ids")
def list_erasures(
    model: str, request: Request, service: ServiceOf, caller: CallerOf, limit: Limit = DEFAULT, after: After = None
) -> RemovalsPage:
    """List the erasures of ids that were asked for of a model, the newest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        model_id = model_named(scope, model).id
        rows = list_removals(scope, model_id=model_id, kind="erase", limit=limit + 1, after=behind)
    kept, following = page(request, rows, limit, lambda r: (r.id,))
    return RemovalsPage(items=[answer(row) for row in kept], next=following)


@router.get(
    "/v1/models/{model}/erasures/{erasure}", operation_id="get_erasure", summary="Get an erasure and what was erased"
)
def get_erasure(model: str, erasure: int, service: ServiceOf, caller: CallerOf) -> RemovalAnswer:
    """Get an erasure, how far it is, and how many of what were removed where: the proof."""
    with service.read(caller) as scope:
        model_id = model_named(scope, model).id
        found = get_removal(scope, erasure) if 0 < erasure <= MOST_ID else None
    if found is None or found.kind != "erase" or found.model_id != model_id:
        raise not_found("erasure", erasure)
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
