"""Deliveries and receivers: what was sent to whom, what could not be, and a test whether somebody can be reached."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON values

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from barograph.delivery.trial import trial
from barograph.server.api_models import After, Answer, CallerOf, Limit, Page, ServiceOf, page, problems
from barograph.server.catalog_lookup import MOST_ID, audited, names_of
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, not_found
from barograph.server.route_table import url
from barograph.store.catalog import deliveries, receivers
from barograph.store.catalog.deliveries import Delivery
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds

router = APIRouter(tags=["delivery"])
DeliveryState = Literal["waiting", "sent", "dead"]
Name = Annotated[str, Path(max_length=63)]


class DeliveryAnswer(Answer):
    """One message to one receiver."""

    id: int
    receiver: str
    kind: str = Field(description="Why it is sent.", examples=["new", "resolved", "reminder", "test"])
    model: str | None
    incident: str | None
    state: DeliveryState = Field(description="dead: it was given up, and can be sent again.")
    attempts: int
    reason: str | None = Field(description="Why the last attempt failed.")
    due_at: datetime = Field(description="When the next attempt is made, if it waits.")
    created_at: datetime
    ended_at: datetime | None
    message: dict[str, Any] = Field(description="What it says; `key` is the same in every attempt.")


class DeliveriesPage(Page[DeliveryAnswer]):
    """Messages, the newest first."""


class ReceiverAnswer(Answer):
    """One receiver of the installation, and how sending to it goes."""

    name: str
    type: str
    state: Literal["ok", "failing", "out"] = Field(description="out: it rests, as it cannot be reached.")
    failures: int = Field(description="Attempts in a row that failed.")
    failing_since: datetime | None
    next_attempt_at: datetime | None
    reason: str | None
    waiting: int = Field(description="Messages of this project that wait to be sent to it.")


class ReceiversAnswer(Answer):
    """All receivers."""

    items: list[ReceiverAnswer]
    problem: str | None = Field(description="What is wrong with the file as it stands; what it said before holds.")


@router.get("/v1/deliveries", operation_id="list_deliveries", summary="List messages")
def list_all(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    receiver: Annotated[str | None, Query(max_length=63)] = None,
    state: DeliveryState | None = None,
    incident: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> DeliveriesPage:
    """List messages about the project's incidents, the newest first: those that wait, were sent, or were given up."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    only = {"receiver": receiver, "state": state, "incident_id": incident}
    with service.read(caller) as scope:
        rows = deliveries.list_deliveries(scope, **only, limit=limit + 1, after=behind)
        names = names_of(scope, [row.model_id for row in rows if row.model_id is not None])
    kept, following = page(request, rows, limit, lambda d: (d.id,))
    return DeliveriesPage(items=[_answer(row, names) for row in kept], next=following)


@router.get("/v1/deliveries/{delivery}", operation_id="get_delivery", summary="Get a message")
def get(delivery: int, service: ServiceOf, caller: CallerOf) -> DeliveryAnswer:
    """Get a message, and how sending it goes."""
    with service.read(caller) as scope:
        return _one(scope, _found(scope, delivery))


@router.post(
    "/v1/deliveries/{delivery}/retry",
    operation_id="retry_delivery",
    summary="Send a message again",
    status_code=202,
    openapi_extra=problems("conflict"),
)
def retry(delivery: int, service: ServiceOf, caller: CallerOf) -> DeliveryAnswer:
    """Send a message again that was given up, with its key. One that waits or was sent is left as it is (409)."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = _found(scope, delivery)
        again = deliveries.retry(scope, delivery, now_us=now_us)
        if again is None:
            raise Problem("conflict", f"The message {delivery} was not given up: it is {found.state}.")
        audited(scope, caller, "retry delivery", found.receiver, {"delivery": delivery}, now_us=now_us)
        return _one(scope, again)


@router.get("/v1/receivers", operation_id="list_receivers", summary="List receivers")
def list_receivers(service: ServiceOf, caller: CallerOf) -> ReceiversAnswer:
    """List the receivers of the installation, without their settings, and how sending to them goes."""
    said = service.delivery.now()
    with service.read(caller) as scope:
        known, waiting = receivers.list_receivers(scope), deliveries.count_waiting(scope)
    items = []
    for name, receiver in said.receivers.items():
        state = known.get(name) or receivers.ReceiverState(name=name)
        items.append(
            ReceiverAnswer(
                name=name,
                type=receiver.kind,
                state="out" if state.is_out else "failing" if state.failures else "ok",
                failures=state.failures,
                failing_since=from_microseconds(state.failed_us),
                next_attempt_at=from_microseconds(state.retry_us),
                reason=state.reason,
                waiting=waiting.get(name, 0),
            )
        )
    return ReceiversAnswer(items=items, problem=service.delivery.problem)


@router.post(
    "/v1/receivers/{receiver}/test", operation_id="try_receiver", summary="Send a test message", status_code=202
)
def try_out(receiver: Name, response: Response, service: ServiceOf, caller: CallerOf) -> DeliveryAnswer:
    """Send a receiver a message that says that it is a test. It is tried once; `Location` says where its fate is."""
    now_us, said = service.now_us(), service.delivery.now()
    if receiver not in said.receivers:
        raise not_found("receiver", receiver)
    message = trial(receiver, by=caller.actor.name, now=from_microseconds(now_us), url=said.url)
    with service.write(caller) as scope:
        made = deliveries.add_delivery(
            scope,
            receiver=receiver,
            thread=message.thread,
            kind=message.kind.value,
            message=message.to_dict(),
            now_us=now_us,
        )
        audited(scope, caller, "test receiver", receiver, {"delivery": made.id}, now_us=now_us)
    response.headers["Location"] = url("/v1/deliveries/{delivery}", delivery=made.id)
    return _answer(made, {})


def _found(scope: Scope, delivery: int) -> Delivery:
    found = deliveries.get_delivery(scope, delivery) if 0 < delivery <= MOST_ID else None
    if found is None:
        raise not_found("delivery", delivery)
    return found


def _one(scope: Scope, row: Delivery) -> DeliveryAnswer:
    return _answer(row, names_of(scope, [] if row.model_id is None else [row.model_id]))


def _answer(row: Delivery, names: dict[int, str]) -> DeliveryAnswer:
    return DeliveryAnswer(
        id=row.id,
        receiver=row.receiver,
        kind=row.kind,
        model=None if row.model_id is None else names[row.model_id],
        incident=row.incident_id,
        state=row.state,
        attempts=row.attempts,
        reason=row.reason,
        due_at=from_microseconds(row.due_us),
        created_at=from_microseconds(row.created_us),
        ended_at=from_microseconds(row.ended_us),
        message=row.message,
    )
