"""The audit: who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Any  # Any: JSON values

from fastapi import APIRouter, Request
from pydantic import Field

from barograph.errors import did_you_mean
from barograph.server.api_models import After, Answer, CallerOf, Limit, Page, ServiceOf, page
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, Wrong
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.audit import Record, list_actions, list_records
from barograph.times import from_microseconds

router = APIRouter(tags=["audit"])


class RecordAnswer(Answer):
    """One change that was made."""

    id: int
    at: datetime
    actor: Actor
    action: str = Field(examples=["change model"])
    target: str = Field(examples=["flights"])
    detail: dict[str, Any]
    digest: str = Field(description="SHA-256 of this record and of the digest of the one before it, in hex.")


class AuditPage(Page[RecordAnswer]):
    """Records, the newest first."""


@router.get("/v1/audit", operation_id="list_audit", summary="List who changed what")
def list_all(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    action: str | None = None,
    target: str | None = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> AuditPage:
    """List the changes that were made in this project, the newest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        rows = list_records(scope, action=action, target=target, limit=limit + 1, after=behind)
        if action is not None and not rows and action not in (known := list_actions(scope)):
            hint = did_you_mean(action, known)
            wrong = Wrong("query.action", f"There is no such action.{hint}")
            raise Problem("invalid", f"Nothing was recorded of an action {action[:200]!r}.{hint}", [wrong])
    kept, following = page(request, rows, limit, lambda r: (r.id,))
    return AuditPage(items=[_answer(row) for row in kept], next=following)


def _answer(record: Record) -> RecordAnswer:
    return RecordAnswer(
        id=record.id,
        at=from_microseconds(record.at_us),
        actor=record.actor,
        action=record.action,
        target=record.target,
        detail=record.detail,
        digest=record.digest.hex(),
    )
