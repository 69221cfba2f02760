"""What another specification would have told over the past."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from barograph.alerts.compared import Compared, Told
from barograph.server.api_models import Answer, CallerOf, ServiceOf, problems
from barograph.server.auth import Caller
from barograph.server.replayed import compared, verdicts_of
from barograph.server.routes.models import SPEC_BODY
from barograph.server.service import Service
from barograph.server.spec_body import JSON, specification
from barograph.text.format import count

router = APIRouter(tags=["results"])


class ReplayedIncident(Answer):
    """An incident of now, or one that would have been told of. Null: it is not told of there."""

    change: Literal["same", "gone", "new"]
    id: str
    title: str
    since: str = Field(description="The key of its first chunk.", examples=["2024-05-01"])
    until: str | None = Field(description="The key of its last chunk; null while it goes on.")
    severity_now: str | None
    severity_then: str | None
    verdict: str | None = Field(description="What people said of it: real, or a false alarm.")


class ReplayAnswer(Answer):
    """What would have been told in place of what is told now. Both are judged with the labels that are known now."""

    said: str = Field(description="The comparison in a sentence.")
    chunks: int
    first: str = Field(description="The key of the first chunk that was replayed.")
    last: str
    incidents: list[ReplayedIncident]


@router.post(
    "/v1/models/{model}/replay",
    operation_id="replay_spec",
    summary="Find out what another specification would have told",
    openapi_extra=SPEC_BODY | problems("not-ready", "busy", "unsupported"),
)
async def replay(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> ReplayAnswer:
    """Replay the past that is kept with the specification in the body, which is not saved.

    What a specification says of roles, types, segments and chunks must be as it is now.
    """
    body, content_type = await request.body(), request.headers.get("content-type", JSON)
    return await run_in_threadpool(_replay, model, body, content_type, service, caller)


def _replay(model: str, body: bytes, content_type: str, service: Service, caller: Caller) -> ReplayAnswer:
    spec = specification(body, content_type, model=model, readable=service.settings.sources)
    found, then = compared(service, caller, model, spec)
    verdicts = verdicts_of(service, caller, model)
    return ReplayAnswer(
        said=found.sentence(verdicts, over=count(then.chunks, "chunk")),
        chunks=then.chunks,
        first=then.first,
        last=then.last,
        incidents=list(_incidents(found, verdicts)),
    )


def _incidents(found: Compared, verdicts: dict[str, str]) -> list[ReplayedIncident]:
    def one(told: Told, change: Literal["same", "gone", "new"], now: str | None, then: str | None) -> ReplayedIncident:
        return ReplayedIncident(
            change=change,
            id=told.id,
            title=told.title,
            since=told.since,
            until=told.until,
            severity_now=now,
            severity_then=then,
            verdict=None if change == "new" else verdicts.get(told.id),
        )

    return [
        *(one(told, "gone", told.severity, None) for told in found.gone),
        *(one(told, "new", None, told.severity) for told in found.new),
        *(one(told, "same", told.severity, other.severity) for told, other in found.same),
    ]
