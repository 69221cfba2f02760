"""Poison: work that failed each time and was set aside for people, to try again or to drop."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import Field

from barograph.server.api_models import After, Answer, CallerOf, Limit, Page, ServiceOf, page
from barograph.server.catalog_lookup import MOST_ID, audited, model_named, names_of
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import not_found
from barograph.server.route_table import url
from barograph.store.catalog.quarantine import Poison, delete_poison, get_poison, list_poison
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds
from barograph.worker.requests import request_retry

router = APIRouter(tags=["poison"])


class PoisonAnswer(Answer):
    """Work that failed each time."""

    id: int
    model: str
    step: str = Field(description="What failed.", examples=["process_model", "file events"])
    position: str = Field(description="Where it was: a model, or the file that holds the rows.")
    reason: str
    at: datetime


class PoisonPage(Page[PoisonAnswer]):
    """Work that was set aside, the newest first."""


class RetryAnswer(Answer):
    """What became of it."""

    job: int | None = Field(description="The job that files the rows; null: the model is looked at again at once.")


@router.get("/v1/poison", operation_id="list_poison", summary="List work that failed each time")
def list_all(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    model: str | None = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> PoisonPage:
    """List the work that was set aside because it failed each time, and why, the newest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        model_id = None if model is None else model_named(scope, model).id
        rows = list_poison(scope, model_id=model_id, limit=limit + 1, after=behind)
        names = names_of(scope, [row.model_id for row in rows])
    kept, following = page(request, rows, limit, lambda r: (r.id,))
    items = [
        PoisonAnswer(
            id=row.id,
            model=names[row.model_id],
            step=row.step,
            position=row.position,
            reason=row.reason,
            at=from_microseconds(row.at_us),
        )
        for row in kept
    ]
    return PoisonPage(items=items, next=following)


@router.post("/v1/poison/{poison}/retry", operation_id="retry_poison", summary="Try work again", status_code=202)
def retry(poison: int, response: Response, service: ServiceOf, caller: CallerOf) -> RetryAnswer:
    """Try work again that was set aside. Rows that could not be filed are filed by a job; if it fails, they stay."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = _found(scope, poison)
        job = request_retry(scope, found, now_us=now_us)
        detail = {"poison": poison, "job": None if job is None else job.id}
        audited(scope, caller, "retry poison", found.step, detail, now_us=now_us)
    if job is not None:
        response.headers["Location"] = url("/v1/jobs/{job}", job=job.id)
    return RetryAnswer(job=None if job is None else job.id)


@router.delete("/v1/poison/{poison}", operation_id="drop_poison", summary="Drop work", status_code=204)
def drop(poison: int, service: ServiceOf, caller: CallerOf) -> None:
    """Forget work that was set aside. Rows that could not be filed are not filed any more; their file stays."""
    with service.write(caller) as scope:
        found = _found(scope, poison)
        delete_poison(scope, poison)
        detail = {"poison": poison, "position": found.position, "reason": found.reason}
        audited(scope, caller, "drop poison", found.step, detail, now_us=service.now_us())


def _found(scope: Scope, poison: int) -> Poison:
    found = get_poison(scope, poison) if 0 < poison <= MOST_ID else None
    if found is None:
        raise not_found("poison", poison)
    return found
