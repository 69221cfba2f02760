"""What people do with incidents: resolve, reopen and assign them, say whether they were real, write to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from barograph.server.api_models import Answer, Asked, CallerOf, Said, ServiceOf, problems
from barograph.server.auth import Caller
from barograph.server.catalog_lookup import MOST_ID, audited, model_named
from barograph.server.problems import Problem, not_found
from barograph.server.routes.incidents import (
    CommentAnswer,
    Incident,
    IncidentDetail,
    comment_answer,
    detail_of,
    incident_with,
)
from barograph.server.service import Service
from barograph.store.catalog import handling, incidents
from barograph.store.catalog.handling import Verdict
from barograph.store.catalog.incidents import StoredIncident
from barograph.store.catalog.precision import MonitorPrecision, precision_of_monitors
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds

router = APIRouter(tags=["incidents"])
Reason = Annotated[Said | None, Field(min_length=1, max_length=1000)]
MOST_DAYS = 3650
_DAY_US = 86_400_000_000


class ResolveAsked(Asked):
    """Why an incident is over; and, if that is known, whether it was real."""

    reason: Reason = Field(default=None, examples=["The feed was mended."])
    verdict: Verdict | None = None


class ReopenAsked(Asked):
    """Why an incident is not over."""

    reason: Reason = None


class AssignAsked(Asked):
    """Who sees to an incident."""

    to: Annotated[Said, Field(min_length=1, max_length=200)] | None = Field(
        description="A name or an address; null: nobody.", examples=["ada@example.org"]
    )


class VerdictAsked(Asked):
    """Whether an incident was real."""

    verdict: Verdict | None = Field(description="null takes it back.")
    reason: Reason = None


class CommentAsked(Asked):
    """What to write to an incident."""

    text: Said = Field(min_length=1, max_length=10_000)


class PrecisionAnswer(Answer):
    """How often a monitor was right, by the verdicts on the incidents that it had a part in."""

    monitor: str
    family: str
    metric: str
    column: str | None
    segment: str | None
    incidents: int = Field(description="That were opened in the time, and are not explained by another alert.")
    real: int
    false_alarms: int
    unjudged: int = Field(description="Incidents without a verdict.")
    precision: float | None = Field(description="real / (real + false_alarms); null without a verdict.")
    lower: float | None = Field(description="Of its 95 % interval (Wilson).")
    upper: float | None


class PrecisionsAnswer(Answer):
    """The precision of each monitor with an incident, by name."""

    since: datetime
    items: list[PrecisionAnswer]


@router.post(
    "/v1/incidents/{incident}/resolve",
    operation_id="resolve_incident",
    summary="Say that an incident is over",
    openapi_extra=problems("conflict"),
)
def resolve(
    incident: Incident, service: ServiceOf, caller: CallerOf, asked: ResolveAsked | None = None
) -> IncidentDetail:
    """Say that an incident is over, although its alerts may have yet to end.

    It fires anew when a chunk is in breach that begins after the newest event of now.
    """
    asked = asked or ResolveAsked()

    def act(scope: Scope, found: StoredIncident, now_us: int) -> StoredIncident:
        now = handling.resolve(scope, _kept(found), by=caller.actor, reason=asked.reason, now_us=now_us)
        if asked.verdict is None:
            return now
        return handling.give_verdict(scope, now, asked.verdict, by=caller.actor, reason=asked.reason, now_us=now_us)

    return _done(service, caller, incident, "resolve incident", asked, act)


@router.post(
    "/v1/incidents/{incident}/reopen",
    operation_id="reopen_incident",
    summary="Say that an incident is not over",
    openapi_extra=problems("conflict"),
)
def reopen(
    incident: Incident, service: ServiceOf, caller: CallerOf, asked: ReopenAsked | None = None
) -> IncidentDetail:
    """Say that an incident is not over. It is open until somebody resolves it, also if its alerts have ended."""
    asked = asked or ReopenAsked()

    def act(scope: Scope, found: StoredIncident, now_us: int) -> StoredIncident:
        if found.state == handling.FIRING:
            return found
        return handling.reopen(scope, _kept(found), by=caller.actor, reason=asked.reason, now_us=now_us)

    return _done(service, caller, incident, "reopen incident", asked, act)


@router.post("/v1/incidents/{incident}/assign", operation_id="assign_incident", summary="Say who sees to an incident")
def assign(incident: Incident, asked: AssignAsked, service: ServiceOf, caller: CallerOf) -> IncidentDetail:
    """Say who sees to an incident, or that nobody does."""

    def act(scope: Scope, found: StoredIncident, now_us: int) -> StoredIncident:
        return handling.assign(scope, found, to=asked.to, by=caller.actor, now_us=now_us)

    return _done(service, caller, incident, "assign incident", asked, act)


@router.post(
    "/v1/incidents/{incident}/verdict", operation_id="judge_incident", summary="Say whether an incident was real"
)
def verdict(incident: Incident, asked: VerdictAsked, service: ServiceOf, caller: CallerOf) -> IncidentDetail:
    """Say whether an incident was real or a false alarm. It changes nothing but `…/precision`."""

    def act(scope: Scope, found: StoredIncident, now_us: int) -> StoredIncident:
        return handling.give_verdict(scope, found, asked.verdict, by=caller.actor, reason=asked.reason, now_us=now_us)

    return _done(service, caller, incident, "judge incident", asked, act)


@router.post(
    "/v1/incidents/{incident}/comments",
    operation_id="comment_incident",
    summary="Write to an incident",
    status_code=201,
)
def comment(incident: Incident, asked: CommentAsked, service: ServiceOf, caller: CallerOf) -> CommentAnswer:
    """Write a comment to an incident."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = incident_with(scope, incident)
        added = incidents.add_comment(
            scope, found.model_id, found.id, author=caller.actor, text=asked.text, now_us=now_us
        )
        audited(scope, caller, "comment incident", found.id, {"comment": added.id}, now_us=now_us)
    return comment_answer(added)


@router.patch("/v1/incidents/{incident}/comments/{comment}", operation_id="edit_comment", summary="Edit a comment")
def edit_comment(
    incident: Incident, comment: int, asked: CommentAsked, service: ServiceOf, caller: CallerOf
) -> CommentAnswer:
    """Say something else in a comment. Who did so, and when, stands with it and in the audit."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = incident_with(scope, incident)
        edited = (
            incidents.edit_comment(
                scope, found.model_id, found.id, comment, text=asked.text, by=caller.actor, now_us=now_us
            )
            if 0 < comment <= MOST_ID
            else None
        )
        if edited is None:
            raise not_found("comment", comment)
        audited(scope, caller, "edit comment", found.id, {"comment": comment}, now_us=now_us)
    return comment_answer(edited)


@router.delete(
    "/v1/incidents/{incident}/comments/{comment}",
    operation_id="delete_comment",
    summary="Delete a comment",
    status_code=204,
)
def delete_comment(incident: Incident, comment: int, service: ServiceOf, caller: CallerOf) -> None:
    """Delete a comment. The audit keeps who did so, and not what it said: that may be why it is deleted."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = incident_with(scope, incident)
        if not (0 < comment <= MOST_ID and incidents.delete_comment(scope, found.model_id, found.id, comment)):
            raise not_found("comment", comment)
        audited(scope, caller, "delete comment", found.id, {"comment": comment}, now_us=now_us)


@router.get(
    "/v1/models/{model}/precision", operation_id="list_precision", summary="List how often each monitor was right"
)
def precision(
    model: str,
    service: ServiceOf,
    caller: CallerOf,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="How far to look back from now.")] = 90,
) -> PrecisionsAnswer:
    """List how often each monitor was right, by the verdicts on incidents that were opened in the last days."""
    since_us = service.now_us() - days * _DAY_US
    with service.read(caller) as scope:
        found = precision_of_monitors(scope, model_named(scope, model).id, since_us=since_us)
    return PrecisionsAnswer(since=from_microseconds(since_us), items=[_precision(row) for row in found])


def _done(
    service: Service,
    caller: Caller,
    incident: str,
    action: str,
    asked: Asked,
    act: Callable[[Scope, StoredIncident, int], StoredIncident],
) -> IncidentDetail:
    """Act on an incident, record that, and return it as it is now."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = incident_with(scope, incident)
        now = act(scope, found, now_us)
        audited(scope, caller, action, found.id, asked.model_dump(), now_us=now_us)
        return detail_of(scope, now, now_us=now_us)


def _kept(found: StoredIncident) -> StoredIncident:
    if found.withdrawn:
        raise Problem("conflict", "Restated results do not show this incident any more: it is over, and stays so.")
    return found


def _precision(row: MonitorPrecision) -> PrecisionAnswer:
    lower, upper = row.interval or (None, None)
    return PrecisionAnswer(
        monitor=row.monitor,
        family=row.family,
        metric=row.metric,
        column=row.column,
        segment=row.segment,
        incidents=row.incidents,
        real=row.real,
        false_alarms=row.false_alarms,
        unjudged=row.unjudged,
        precision=row.precision,
        lower=lower,
        upper=upper,
    )
