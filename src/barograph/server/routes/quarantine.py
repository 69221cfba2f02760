"""The quarantine: rows that could not be taken, and to try them again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from barograph.server.api_models import After, Answer, CallerOf, Limit, Page, ServiceOf, page, problems
from barograph.server.catalog_lookup import audited, model_named
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem
from barograph.server.route_table import url
from barograph.server.routes.jobs import JobAnswer, answer
from barograph.store.catalog.jobs import add_job
from barograph.store.catalog.quarantine import Quarantined, list_rows
from barograph.times import from_microseconds

router = APIRouter(tags=["quarantine"])
Kind = Literal["events", "labels"]


class QuarantinedAnswer(Answer):
    """A row that was not taken."""

    id: int
    kind: Kind
    received_at: datetime
    reasons: list[str] = Field(examples=[["distance: 'far' is no number."]])
    row: str = Field(description="As it came, cut where it is long.")
    replayed_at: datetime | None = Field(description="When it was taken after all.")


class QuarantinePage(Page[QuarantinedAnswer]):
    """Rows that were set aside, the newest first."""


@router.get("/v1/models/{model}/quarantine", operation_id="list_quarantine", summary="List rows that were not taken")
def list_all(
    model: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    kind: Kind | None = None,
    replayed: Annotated[bool | None, Query(description="Only those that were taken after all, or were not.")] = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> QuarantinePage:
    """List the rows that were not taken, and why, the newest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        found = model_named(scope, model)
        rows = list_rows(scope, found.id, kind=kind, replayed=replayed, limit=limit + 1, after=behind)
    kept, following = page(request, rows, limit, lambda r: (r.id,))
    return QuarantinePage(items=[_answer(row) for row in kept], next=following)


@router.post(
    "/v1/models/{model}/quarantine/replay",
    operation_id="replay_quarantine",
    summary="Try rows again that were not taken",
    status_code=202,
    openapi_extra=problems("not-ready"),
)
def replay(model: str, response: Response, service: ServiceOf, caller: CallerOf) -> JobAnswer:
    """Try all rows again that were not taken yet, for example after a change of the specification."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = model_named(scope, model)
        if found.schema is None:
            raise Problem("not-ready", f"The model {model!r} has no reference yet, so no row can be taken.")
        job = add_job(scope, found.id, "replay", detail={}, now_us=now_us)
        audited(scope, caller, "replay quarantine", model, {"job": job.id}, now_us=now_us)
    response.headers["Location"] = url("/v1/jobs/{job}", job=job.id)
    return answer(job, model)


def _answer(row: Quarantined) -> QuarantinedAnswer:
    return QuarantinedAnswer(
        id=row.id,
        kind=row.kind,
        received_at=from_microseconds(row.received_us),
        reasons=row.reasons,
        row=row.row,
        replayed_at=from_microseconds(row.replayed_us),
    )
