"""Jobs: work that takes long: what there is, how far it is; and to fill in the past."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal  # Any: JSON values

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from barograph.server.api_models import (
    After,
    Answer,
    Asked,
    CallerOf,
    Limit,
    Page,
    ServiceOf,
    page,
    problems,
)
from barograph.server.catalog_lookup import MOST_ID, audited, check_usable, model_named, names_of, reference_numbered
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, not_found
from barograph.server.route_table import url
from barograph.store.catalog.jobs import Job, get_job, list_jobs
from barograph.store.catalog.jobs import cancel as cancel_job
from barograph.store.catalog.references import StoredReference, get_reference, reference_failed
from barograph.times import from_microseconds
from barograph.worker.requests import request_backfill

router = APIRouter(tags=["jobs"])
Kind = Literal["fit", "backfill", "replay", "refile"]
State = Literal["waiting", "running", "done", "failed", "cancelled"]


class JobAnswer(Answer):
    """One job. `done` of `total` says how far it is, in a unit of its own."""

    id: int
    model: str
    kind: Kind
    state: State
    done: int
    total: int | None
    reason: str | None = Field(description="Why the last attempt failed.")
    attempts: int
    detail: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class JobsPage(Page[JobAnswer]):
    """Jobs, the newest first."""


class BackfillAsked(Asked):
    """With which reference to compute the past."""

    reference: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Its number; default: the active one.")


@router.get("/v1/jobs", operation_id="list_jobs", summary="List jobs")
def list_all(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    model: str | None = None,
    kind: Kind | None = None,
    state: State | None = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> JobsPage:
    """List the jobs of the project, the newest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        model_id = None if model is None else model_named(scope, model).id
        rows = list_jobs(scope, model_id=model_id, kind=kind, state=state, limit=limit + 1, after=behind)
        names = names_of(scope, [job.model_id for job in rows])
    kept, following = page(request, rows, limit, lambda j: (j.id,))
    return JobsPage(items=[answer(job, names[job.model_id]) for job in kept], next=following)


@router.get("/v1/jobs/{job}", operation_id="get_job", summary="Get a job and how far it is")
def get(job: int, service: ServiceOf, caller: CallerOf) -> JobAnswer:
    """Get a job and how far it is."""
    with service.read(caller) as scope:
        found = get_job(scope, job) if 0 < job <= MOST_ID else None
        if found is None:
            raise not_found("job", job)
        return answer(found, names_of(scope, [found.model_id])[found.model_id])


@router.delete("/v1/jobs/{job}", operation_id="cancel_job", summary="Cancel a job", openapi_extra=problems("conflict"))
def cancel(job: int, service: ServiceOf, caller: CallerOf) -> JobAnswer:
    """Cancel a job that waits or runs. What it has done so far is not used; a reference that it learned from fails.

    Rows that were taken out of the quarantine already stay taken. To cancel it once more changes nothing.
    """
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = get_job(scope, job) if 0 < job <= MOST_ID else None
        if found is None:
            raise not_found("job", job)
        name = names_of(scope, [found.model_id])[found.model_id]
        if cancel_job(scope, job, now_us=now_us):
            if found.kind == "fit":
                reference_failed(scope, found.detail["reference_id"], reason="Learning from it was cancelled.")
            audited(scope, caller, "cancel job", str(job), {"model": name, "kind": found.kind}, now_us=now_us)
        elif found.state != "cancelled":
            raise Problem("conflict", f"The job {job} is {found.state} already: there is nothing to cancel.")
        changed = get_job(scope, job)
    assert changed is not None  # it was there
    return answer(changed, name)


@router.post(
    "/v1/models/{model}/backfill",
    operation_id="backfill",
    summary="Compute the past anew",
    status_code=202,
    openapi_extra=problems("not-ready", "conflict"),
)
def backfill(model: str, asked: BackfillAsked, response: Response, service: ServiceOf, caller: CallerOf) -> JobAnswer:
    """Compute the profiles and results of all events that are kept anew, and use the reference afterwards."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = model_named(scope, model)
        if asked.reference is not None:
            reference: StoredReference | None = reference_numbered(scope, found, asked.reference)
        else:
            reference = None if found.reference_id is None else get_reference(scope, found.reference_id)
        if reference is None or reference.state != "ready":
            raise Problem("not-ready", f"The model {model!r} has no such reference that is ready.")
        check_usable(scope, service, found, reference)
        job = request_backfill(scope, found, reference, now_us=now_us)
        audited(scope, caller, "backfill", model, {"job": job.id, "reference": reference.number}, now_us=now_us)
    response.headers["Location"] = url("/v1/jobs/{job}", job=job.id)
    return answer(job, model)


def answer(job: Job, model: str) -> JobAnswer:
    """Return a job as the API tells it."""
    return JobAnswer(
        id=job.id,
        model=model,
        kind=job.kind,
        state=job.state,
        done=job.done,
        total=job.total,
        reason=job.reason,
        attempts=job.attempts,
        detail=job.detail,
        created_at=from_microseconds(job.created_us),
        updated_at=from_microseconds(job.updated_us),
    )
