"""The outbox: what happened to incidents, of which somebody may have to be told.

A row is written in the transaction that changes the incident, so that neither can be there without the other. Whoever
delivers reads the rows in their order and says that they are handled, in the transaction that says who will be told. A
handled row is never read again: who is added later is not told of the past.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from barograph.store.catalog.schema import outbox
from barograph.store.catalog.scope import Scope
from barograph.times import DAY_US

KEPT_US = 7 * DAY_US


class What(StrEnum):
    """What happened to an incident."""

    FIRES = "fires"  # it is new, or was over and is back
    CHANGED = "changed"  # it fires as before, and is graver or milder, or other alerts belong to it
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"  # restated results do not show it any more
    ACKNOWLEDGED = "acknowledged"  # a person has seen to it, or took that back


class Tells(StrEnum):
    """Of which incidents an evaluation may tell."""

    ENDS = "ends"  # only that they are over: the past of a model is filled in, and nobody is told of that
    NEW = "new"  # also of what is new or has changed
    ALL = "all"  # of all that fire: the model has just come live, and what its past began goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What a write of incidents changed, by their ids. `fires` are those that fire and did not before.

    `goes_on` are those that fire as before, of which those in `changed` say something else that matters.
    """

    fires: tuple[str, ...] = ()
    goes_on: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the outbox, in the order of `id`."""

    id: int
    project_id: int
    model_id: int
    incident_id: str
    what: str
    at_us: int


def add(scope: Scope, model_id: int, happened: Happened, *, tells: Tells, now_us: int) -> None:
    """Write down what happened, in the transaction in which it did. Raises NotFoundError for an unknown model."""
    rows: list[tuple[What, Iterable[str]]] = [(What.RESOLVED, happened.resolved), (What.WITHDRAWN, happened.withdrawn)]
    if tells is not Tells.ENDS:
        rows.append((What.FIRES, happened.fires))
        rows.append((What.FIRES, happened.goes_on) if tells is Tells.ALL else (What.CHANGED, happened.changed))
    for what, ids in rows:
        add_one(scope, model_id, ids, what=what, now_us=now_us)


def add_one(scope: Scope, model_id: int, incident_ids: Iterable[str], *, what: What, now_us: int) -> None:
    """Write down that one thing happened to incidents. Raises NotFoundError for an unknown model."""
    of = {"model_id": model_id, "what": what.value, "at_us": now_us}
    scope.insert(outbox, [{**of, "incident_id": id} for id in incident_ids])


def waiting(scope: Scope, *, limit: int) -> list[Entry]:
    """Return up to `limit` rows of which nobody has found out yet whom to tell, the oldest first."""
    statement = scope.pick(outbox, Entry).where(outbox.c.handled_us.is_(None))
    return scope.records(Entry, statement.order_by(outbox.c.id).limit(limit))


def handled(scope: Scope, ids: Collection[int], *, now_us: int) -> int:
    """Say that it is found out who is told of these rows; return how many were not before."""
    these = outbox.c.id.in_(ids) & outbox.c.handled_us.is_(None)
    return scope.change(scope.update(outbox).where(these).values(handled_us=now_us))


def prune(scope: Scope, *, now_us: int) -> int:
    """Forget what happened more than seven days ago, handled or not; return how many rows that were."""
    return scope.change(scope.delete(outbox).where(outbox.c.at_us < now_us - KEPT_US))
