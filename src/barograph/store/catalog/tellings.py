"""Tellings: what each receiver has heard of an incident, and when it is asked again whether it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from barograph.store.catalog.schema import tellings
from barograph.store.catalog.scope import Scope
from barograph.times import DAY_US

KEPT_US = 30 * DAY_US  # for which it is known that a receiver was told of something that is over: it can come back
_KEY = ("model_id", "incident_id", "receiver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What one receiver has heard of one incident.

    `route` is the path of the route, and `step` 0 or the number of the escalation, that brought it here. `grouped` is
    what it has in common with others that are told together, `thread` what all its messages have. `due_us` is when to
    ask again; None: not before something happens. `told_us` is when it was last told, of what `severity`, `state` and
    `alerts`; None: it has heard nothing yet.
    """

    model_id: int
    incident_id: str
    receiver: str
    route: str
    step: int
    grouped: str | None
    thread: str
    due_us: int | None
    created_us: int
    told_us: int | None = None
    severity: str | None = None
    state: str | None = None
    alerts: list[str] | None = None


_REST = tuple(field.name for field in fields(Telling) if field.name not in _KEY)


def of_incident(scope: Scope, model_id: int, incident_id: str) -> list[Telling]:
    """Return what receivers have heard of an incident, or are about to."""
    mine = (tellings.c.model_id == model_id) & (tellings.c.incident_id == incident_id)
    return scope.records(Telling, scope.pick(tellings, Telling).where(mine).order_by(tellings.c.receiver))


def due(scope: Scope, *, now_us: int, limit: int) -> list[Telling]:
    """Return up to `limit` tellings to ask about by now, the longest due first."""
    statement = scope.pick(tellings, Telling).where(tellings.c.due_us <= now_us)
    order = (tellings.c.due_us, tellings.c.model_id, tellings.c.incident_id, tellings.c.receiver)
    return scope.records(Telling, statement.order_by(*order).limit(limit))


def of_group(scope: Scope, receiver: str, grouped: str) -> list[Telling]:
    """Return what a receiver has heard, or is about to, of incidents that are told together."""
    mine = (tellings.c.receiver == receiver) & (tellings.c.grouped == grouped)
    return scope.records(Telling, scope.pick(tellings, Telling).where(mine).order_by(tellings.c.created_us))


def of_thread(scope: Scope, receiver: str, thread: str) -> list[Telling]:
    """Return what a receiver has heard of the incidents of one thread."""
    mine = (tellings.c.receiver == receiver) & (tellings.c.thread == thread)
    return scope.records(Telling, scope.pick(tellings, Telling).where(mine).order_by(tellings.c.created_us))


def save(scope: Scope, given: Sequence[Telling]) -> None:
    """Add tellings, or change those that are there. Raises NotFoundError for an unknown model."""
    rows = [{f.name: getattr(one, f.name) for f in fields(Telling)} for one in given]
    scope.upsert(tellings, rows, key=_KEY, replace=_REST)


def forget(scope: Scope, given: Sequence[Telling]) -> int:
    """Forget tellings of which nothing more will be told; return how many were there."""
    found = 0
    for one in given:
        mine = (tellings.c.model_id == one.model_id) & (tellings.c.incident_id == one.incident_id)
        found += scope.change(scope.delete(tellings).where(mine, tellings.c.receiver == one.receiver))
    return found


def prune(scope: Scope, *, now_us: int) -> int:
    """Forget what was told as over more than 30 days ago; return how many that were."""
    over = (tellings.c.state == "resolved") & (tellings.c.told_us < now_us - KEPT_US)
    return scope.change(scope.delete(tellings).where(over))
