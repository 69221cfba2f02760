"""Deliveries: messages on their way, each to one receiver, at least once and in order.

Whoever sends one claims it first, for a time, as with `leases`: one that stops without a word is succeeded when that is
over. A message of a thread is only given out when all before it are sent or given up. What is said of an attempt is
kept only if the claim still holds. What is due in all projects is read by `cross_project.due_deliveries`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal  # Any: JSON values

import sqlalchemy as sa

from barograph.errors import LeaseLost
from barograph.store.catalog.leases import over
from barograph.store.catalog.schema import deliveries
from barograph.store.catalog.scope import Scope, columns_of
from barograph.times import DAY_US

DeliveryState = Literal["waiting", "sent", "dead"]
KEPT_US = 90 * DAY_US
DIGEST = "digest"  # the kind of a message that is about many models
MOST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message. `state` is `waiting` until it was sent or, after many attempts, given up (`dead`).

    `message` is what `delivery.message.Message.to_dict` says, with a `key` that is the same in each attempt.
    """

    id: int
    project_id: int
    model_id: int | None
    incident_id: str | None
    receiver: str
    thread: str
    kind: str
    message: dict[str, Any]
    state: DeliveryState
    attempts: int
    due_us: int
    owner: str | None
    until_us: int | None
    reason: str | None
    reference: str | None
    created_us: int
    ended_us: int | None


def add_delivery(
    scope: Scope,
    *,
    receiver: str,
    thread: str,
    kind: str,
    message: Mapping[str, Any],
    model_id: int | None = None,
    incident_id: str | None = None,
    now_us: int,
) -> Delivery:
    """Add a message that waits to be sent; it gets its key here. Raises NotFoundError for an unknown model."""
    values = {
        "model_id": model_id,
        "incident_id": incident_id,
        "receiver": receiver,
        "thread": thread,
        "kind": kind,
        "message": {**message, "key": secrets.token_hex(16)},
        "state": "waiting",
        "attempts": 0,
        "due_us": now_us,
        "created_us": now_us,
    }
    return scope.add(Delivery, deliveries, values)


def get_delivery(scope: Scope, delivery_id: int) -> Delivery | None:
    """Return a delivery; None if there is none."""
    return scope.record(Delivery, scope.pick(deliveries, Delivery).where(deliveries.c.id == delivery_id))


def list_deliveries(
    scope: Scope,
    *,
    receiver: str | None = None,
    state: str | None = None,
    incident_id: str | None = None,
    limit: int,
    after: int | None = None,
) -> list[Delivery]:
    """Return up to `limit` deliveries, newest first, those with an id below `after`."""
    statement = scope.pick(deliveries, Delivery)
    c = deliveries.c
    for column, value in ((c.receiver, receiver), (c.state, state), (c.incident_id, incident_id)):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(c.id < after)
    return scope.records(Delivery, statement.order_by(c.id.desc()).limit(limit))


def claim(scope: Scope, delivery_id: int, *, owner: str, now_us: int, seconds: float) -> Delivery | None:
    """Take a delivery that waits, for a time, as the next attempt; None if another has it, or it is not its turn.

    `owner` must be unique to this attempt.
    """
    earlier: Any = deliveries.alias("earlier")  # Any: a table under another name is none to the type checker
    before = scope.select(earlier, earlier.c.id).where(
        earlier.c.receiver == deliveries.c.receiver,
        earlier.c.thread == deliveries.c.thread,
        earlier.c.id < deliveries.c.id,
        earlier.c.state == "waiting",
    )
    is_free = deliveries.c.until_us.is_(None) | over(deliveries.c.until_us, now_us=now_us, seconds=seconds)
    here = (deliveries.c.id == delivery_id) & (deliveries.c.state == "waiting") & is_free & ~before.exists()
    change = scope.update(deliveries).where(here, deliveries.c.due_us <= now_us)
    until_us = now_us + int(seconds * 1e6)
    change = change.values(owner=owner, until_us=until_us, attempts=deliveries.c.attempts + 1)
    return scope.record(Delivery, change.returning(*columns_of(deliveries, Delivery)))


def sent(scope: Scope, delivery: Delivery, *, reference: str | None, now_us: int) -> None:
    """Say that a delivery was taken. Raises LeaseLost if another has claimed it meanwhile."""
    _end(scope, delivery, {"state": "sent", "reason": None, "reference": reference, "ended_us": now_us})


def put_off(scope: Scope, delivery: Delivery, *, reason: str, due_us: int) -> None:
    """Say that an attempt failed, why, and when the next one is due. Raises LeaseLost."""
    _end(scope, delivery, {"reason": reason[:MOST_REASON], "due_us": due_us})


def give_up(scope: Scope, delivery: Delivery, *, reason: str, now_us: int) -> None:
    """Say that no more attempts are made, and why. Raises LeaseLost."""
    _end(scope, delivery, {"state": "dead", "reason": reason[:MOST_REASON], "ended_us": now_us})


def retry(scope: Scope, delivery_id: int, *, now_us: int) -> Delivery | None:
    """Let a delivery that was given up wait again, from the first attempt on; None if there is none that was."""
    dead = (deliveries.c.id == delivery_id) & (deliveries.c.state == "dead")
    values: dict[str, Any] = {"state": "waiting", "attempts": 0, "due_us": now_us, "ended_us": None}
    change = scope.update(deliveries).where(dead).values(**values, created_us=now_us)
    return scope.record(Delivery, change.returning(*columns_of(deliveries, Delivery)))


def reference_of(scope: Scope, receiver: str, thread: str) -> str | None:
    """Return what the newest message of a thread that was sent left for the next one."""
    c = deliveries.c
    mine = (c.receiver == receiver) & (c.thread == thread) & (c.state == "sent") & c.reference.is_not(None)
    found = scope.value(scope.select(deliveries, c.reference).where(mine).order_by(c.id.desc()).limit(1))
    return None if found is None else str(found)


def has_thread(scope: Scope, receiver: str, thread: str) -> bool:
    """Return whether there is a delivery of a thread to a receiver."""
    c = deliveries.c
    mine = scope.select(deliveries, c.id).where(c.receiver == receiver, c.thread == thread)
    return scope.value(mine.limit(1)) is not None


def forget_digests(scope: Scope) -> None:
    """Forget what was told of whole weeks: it names models of which one is taken away. One that is due is made anew."""
    scope.change(scope.delete(deliveries).where(deliveries.c.kind == DIGEST))


def count_waiting(scope: Scope) -> dict[str, int]:
    """Return how many deliveries wait, by receiver."""
    statement = scope.select(deliveries, deliveries.c.receiver, sa.func.count())
    waits = deliveries.c.state == sa.literal("waiting", literal_execute=True)  # so that SQLite takes their index
    statement = statement.where(waits).group_by(deliveries.c.receiver)
    return {row[0]: row[1] for row in scope.rows(statement)}


def prune(scope: Scope, *, now_us: int) -> int:
    """Forget what was sent or given up more than 90 days ago; return how many that were."""
    return scope.change(scope.delete(deliveries).where(deliveries.c.ended_us < now_us - KEPT_US))


def _end(scope: Scope, delivery: Delivery, values: Mapping[str, Any]) -> None:
    mine = (deliveries.c.id == delivery.id) & (deliveries.c.owner == delivery.owner)
    change = scope.update(deliveries).where(mine, deliveries.c.state == "waiting")
    if not scope.change(change.values(**values, owner=None, until_us=None)):
        raise LeaseLost(f"Another has claimed the delivery {delivery.id}.")
