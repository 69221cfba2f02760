"""References: the data that a model is compared with, sent as a file, and what was learned from it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: OpenAPI is JSON

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from barograph.errors import StoreError
from barograph.ingest.limits import limits_of
from barograph.ingest.memory import Reserve, unbounded
from barograph.ingest.sensitive import Sensitive
from barograph.reference.reference import Reference
from barograph.server import uploads
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
from barograph.server.auth import Caller
from barograph.server.bodies import declared, pieces
from barograph.server.catalog_lookup import audited, check_usable, model_named, reference_numbered
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem
from barograph.server.route_table import url
from barograph.server.service import Service
from barograph.spec.plain import schema_to_plain
from barograph.store.catalog.models import Model
from barograph.store.catalog.references import StoredReference, add_reference, fitted, list_references, reference_failed
from barograph.store.reference_files import keep_reference
from barograph.times import from_microseconds
from barograph.worker.privacy import sensitive_of, ways_of
from barograph.worker.requests import request_activation, request_fit

router = APIRouter(tags=["references"])

_LONGEST_WAIT_S = 300
_POLL_S = (0.05, 1.0)  # from, to: quick for small data, and no load while large data is learned from
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The data, with labels, on which the model was known to be good.",
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in uploads.CONTENT_TYPES},
    }
}
_DATA = "application/octet-stream"


class ReferenceAnswer(Answer):
    """One upload of reference data."""

    number: int = Field(description="Counts from 1 within the model.")
    state: Literal["waiting", "ready", "failed"]
    reason: str | None = Field(description="Why nothing could be learned from it.")
    active: bool = Field(description="Whether the model is compared with it.")
    rows: int | None
    data_bytes: int
    digest: str = Field(description="SHA-256 of what was sent, in hexadecimal.")
    created_at: datetime
    ready_at: datetime | None


class ReferenceDetail(ReferenceAnswer):
    """A reference with what each column was taken for; null until it is ready."""

    columns: dict[str, Any] | None = Field(description="Roles and types of the columns.")
    decisions: list[str] | None = Field(description="How each role was found, in words.")


class ActivationAnswer(ReferenceAnswer):
    """A reference that is used now, or as soon as `job` is done."""

    job: int | None


class ReferencesPage(Page[ReferenceAnswer]):
    """References, the newest first."""


@router.post(
    "/v1/models/{model}/references",
    operation_id="send_reference",
    summary="Send reference data",
    response_model=ReferenceDetail,
    status_code=201,
    responses={202: {"model": ReferenceDetail, "description": "Kept; learning from it has not ended yet"}},
    openapi_extra=_BODY | problems("unsupported", "invalid", "too-large"),
)
async def send(
    model: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    wait: Annotated[
        float, Query(ge=0, le=_LONGEST_WAIT_S, description="Seconds to wait for the reference to be ready.")
    ] = 0,
) -> Response:
    """Send reference data. A worker learns from it; the model's first reference that is ready is activated.

    The answer is 201 once that has ended well, 422 if nothing could be learned, and 202 if it has not ended within
    `wait` seconds.
    """
    suffix = uploads.suffix_of(request.headers.get("content-type", ""))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem("unsupported", "Reference data cannot have a Content-Encoding. Send Parquet: it is compressed.")
    announced = declared(request.headers.get("content-length", "").encode())
    sensitive = await run_in_threadpool(_sensitive, service, caller, model)  # before the upload, not after it
    with ExitStack() as stack:
        path = stack.enter_context(uploads.place(service.settings.folder / "uploads")).with_suffix(suffix)
        share = stack.enter_context(service.ingest.memory.share())
        reserve: Reserve = unbounded
        if sensitive is not None:
            reserve = share.reserve
            stack.enter_context(uploads.in_memory(path))
        body = pieces(request.receive, limit=uploads.MOST_BYTES, announced=announced, seconds=uploads.SECONDS)
        size, digest = await uploads.receive(body, path, reserve=reserve)
        share.reserve(await run_in_threadpool(uploads.size_of_names, path))
        source = uploads.Source(path, size, digest)
        try:
            stored = await run_in_threadpool(_keep, service, caller, model, source, sensitive)
        finally:
            service.ingest.give_back_soon()
    answer = await _wait(service, caller, model, stored.number, wait)
    headers = {"Location": url("/v1/models/{model}/references/{number}", model=model, number=stored.number)}
    if answer.state == "failed":
        raise Problem("invalid", f"Reference {stored.number} cannot be used: {answer.reason}", headers=headers)
    ended = answer.state != "waiting"
    return JSONResponse(answer.model_dump(mode="json"), status_code=201 if ended else 202, headers=headers)


@router.get("/v1/models/{model}/references", operation_id="list_references", summary="List references")
def list_all(
    model: str, request: Request, service: ServiceOf, caller: CallerOf, limit: Limit = DEFAULT, after: After = None
) -> ReferencesPage:
    """List a model's references, the newest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        found = model_named(scope, model)
        rows = list_references(scope, found.id, limit=limit + 1, after=behind)
    kept, following = page(request, rows, limit, lambda r: (r.number,))
    return ReferencesPage(items=[_answer(found, row) for row in kept], next=following)


@router.get(
    "/v1/models/{model}/references/{number}", operation_id="get_reference", summary="Get a reference and its columns"
)
def get(model: str, number: int, service: ServiceOf, caller: CallerOf) -> ReferenceDetail:
    """Get the state of a reference, and what each column was taken for."""
    return _detail(service, caller, model, number)


@router.get(
    "/v1/models/{model}/references/{number}/data",
    operation_id="get_reference_data",
    summary="Get what was learned from a reference",
    response_class=Response,
    responses={
        200: {"content": {_DATA: {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "If-None-Match names the data that it has"},
    },
    openapi_extra=problems("not-ready"),
)
def get_data(model: str, number: int, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Get a file that `barograph check` takes as its reference. It holds no rows but samples of them."""
    with service.read(caller) as scope:
        found = reference_numbered(scope, model_named(scope, model), number)
        _check_ready(found)
        tag = etag("reference", found.id, found.ready_us)
        if (same := unchanged(request, tag)) is not None:
            return same
        data = fitted(scope, found.id)
    assert data is not None  # it is ready
    name = f'attachment; filename="reference-{number}.barograph"'
    return Response(data, media_type=_DATA, headers={"ETag": tag, "Content-Disposition": name})


@router.post(
    "/v1/models/{model}/references/{number}/activate",
    operation_id="activate_reference",
    summary="Compare the model with this reference from now on",
    responses={202: {"model": ActivationAnswer, "description": "A job fills in the past first"}},
    openapi_extra=problems("not-ready", "conflict"),
)
def activate(model: str, number: int, response: Response, service: ServiceOf, caller: CallerOf) -> ActivationAnswer:
    """Compare the model with this reference from now on.

    If the model has events already, a job computes the past with it first; the answer is 202 then.
    """
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = model_named(scope, model)
        stored = reference_numbered(scope, found, number)
        schema = schema_to_plain(check_usable(scope, service, found, stored).schema)
        job = request_activation(scope, found, stored, schema=schema, now_us=now_us)
        audited(scope, caller, "activate reference", model, {"reference": number}, now_us=now_us)
        changed = model_named(scope, model)
    service.targets.forget((caller.project_id, model))
    if job is not None:
        response.status_code = 202
        response.headers["Location"] = url("/v1/jobs/{job}", job=job.id)
    return ActivationAnswer(**_answer(changed, stored).model_dump(), job=None if job is None else job.id)


def _check_ready(reference: StoredReference) -> None:
    if reference.state != "ready":
        why = f": {reference.reason}" if reference.reason else "."
        raise Problem("not-ready", f"The reference {reference.number} is {reference.state}{why}")


def _keep(
    service: Service, caller: Caller, name: str, source: uploads.Source, sensitive: Sensitive | None
) -> StoredReference:
    """Store an upload where workers find it, then ask one to learn from it.

    The file is stored between two transactions: a bucket is slow, and the catalog must not wait for it.
    """
    limits, memory_bytes = limits_of(service.settings), service.settings.memory_bytes
    uploaded = uploads.as_parquet(source, limits, memory_bytes=memory_bytes, sensitive=sensitive)
    with service.write(caller) as scope:
        model = model_named(scope, name)
        if ways_of(model.spec) != (dict(sensitive.ways) if sensitive else {}):
            raise Problem("conflict", "Which columns are sensitive was changed during the upload. Send it again.")
        stored = add_reference(
            scope, model.id, data_bytes=uploaded.size_bytes, digest=uploaded.digest, now_us=service.now_us()
        )
    try:
        keep_reference(
            service.settings,
            uploaded.path,
            project_id=caller.project_id,
            model_id=model.id,
            number=stored.number,
        )
    except StoreError:
        with service.write(caller) as scope:
            reference_failed(scope, stored.id, reason="The data could not be stored. Send it again.")
        raise
    now_us = service.now_us()
    with service.write(caller) as scope:
        cells = uploaded.rows * uploaded.columns
        request_fit(scope, model_named(scope, name), stored, now_us=now_us, cells=cells)
        audited(scope, caller, "send reference", name, {"reference": stored.number}, now_us=now_us)
    return stored


def _sensitive(service: Service, caller: Caller, name: str) -> Sensitive | None:
    with service.read(caller) as scope:
        if not ways_of(model_named(scope, name).spec):
            return None
    with service.write(caller) as scope:
        return sensitive_of(service.settings, scope, model_named(scope, name))


async def _wait(service: Service, caller: Caller, model: str, number: int, seconds: float) -> ReferenceDetail:
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, _POLL_S[0]
    while True:
        answer = await run_in_threadpool(_detail, service, caller, model, number)
        left = end - loop.time()
        if answer.state != "waiting" or left <= 0:
            if answer.active:
                service.targets.forget((caller.project_id, model))
            return answer
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _POLL_S[1])


def _detail(service: Service, caller: Caller, name: str, number: int) -> ReferenceDetail:
    with service.read(caller) as scope:
        model = model_named(scope, name)
        stored = reference_numbered(scope, model, number)
        data = fitted(scope, stored.id) if stored.state == "ready" else None
    learned = None if data is None else Reference.from_bytes(data)
    return ReferenceDetail(
        **_answer(model, stored).model_dump(),
        columns=None if learned is None else schema_to_plain(learned.schema),
        decisions=None if learned is None else list(learned.decisions),
    )


def _answer(model: Model, reference: StoredReference) -> ReferenceAnswer:
    return ReferenceAnswer(
        number=reference.number,
        state=reference.state,
        reason=reference.reason,
        active=reference.id == model.reference_id,
        rows=reference.rows,
        data_bytes=reference.data_bytes,
        digest=reference.digest,
        created_at=from_microseconds(reference.created_us),
        ready_at=from_microseconds(reference.ready_us),
    )
