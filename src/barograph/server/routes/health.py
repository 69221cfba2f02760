"""Whether the service lives, whether it can work, what it counts; and the document of its API."""

from __future__ import annotations

import asyncio
from typing import Any, Literal  # Any: OpenAPI is JSON

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from barograph.errors import BarographError
from barograph.server.api_models import Answer, CallerOf, ServiceOf
from barograph.server.prometheus import exposition
from barograph.server.service import Service
from barograph.store.catalog.database import check_migrated

router = APIRouter(tags=["operations"])

_PATIENCE_S = 2.0  # for the catalog: who asks wants to know now
_FULL = 0.95  # of the spool's bound


class Alive(Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Checked(Answer):
    """One thing that is needed."""

    ok: bool
    detail: str = Field(examples=["2.1 MB of 4294.9 MB wait"])


class Ready(Answer):
    """Whether events can be taken and questions answered."""

    status: Literal["ready", "not ready"]
    checks: dict[str, Checked]


@router.get("/healthz", operation_id="get_health", summary="Does the process live?")
async def healthz() -> Alive:
    """Answer, if nothing else."""
    return Alive()


@router.get(
    "/readyz",
    operation_id="get_readiness",
    summary="Can it work?",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Something that is needed is not there"}},
)
async def readyz(service: ServiceOf) -> Response:
    """Say whether the spool has room and the catalog can be reached."""
    checks = {"spool": await run_in_threadpool(_spool, service), "catalog": await _catalog(service)}
    ok = all(check.ok for check in checks.values())
    ready = Ready(status="ready" if ok else "not ready", checks=checks)
    return JSONResponse(ready.model_dump(mode="json"), status_code=200 if ok else 503)


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Counts for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(service: ServiceOf, caller: CallerOf) -> Response:
    """Give the service's own counts, and the newest results of the project's models, as Prometheus reads them."""
    return Response(exposition(service, caller), headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.get(
    "/v1/openapi.json",
    operation_id="get_openapi",
    summary="This document",
    response_class=JSONResponse,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def openapi(request: Request) -> dict[str, Any]:
    """Give the OpenAPI document of this API."""
    document: dict[str, Any] = request.app.openapi()
    return document


def _spool(service: Service) -> Checked:
    try:
        size, bound = service.spool.size_bytes, service.spool.max_bytes
    except BarographError:
        return Checked(ok=False, detail="The spool cannot be used.")
    return Checked(ok=size < bound * _FULL, detail=f"{size / 1e6:.1f} MB of {bound / 1e6:.1f} MB wait")


async def _catalog(service: Service) -> Checked:
    try:
        await asyncio.wait_for(run_in_threadpool(check_migrated, service.engine), _PATIENCE_S)
    except TimeoutError:
        return Checked(ok=False, detail="The catalog does not answer.")
    except BarographError:
        return Checked(ok=False, detail="The catalog cannot be used, or must be migrated.")
    return Checked(ok=True, detail="The catalog answers.")
