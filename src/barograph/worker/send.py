"""Sending: messages that wait, one at a time to each receiver, at least once, and in the order of their thread.

A message is claimed, sent, and marked, in that order. Who is killed in between has its claim run out, and the message
is sent again, with the same key. Attempts that fail come later and later. A receiver that fails again and again is left
alone for a while, and others hear of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import uniform

from barograph.delivery.file import Delivery as Installation
from barograph.delivery.message import Kind, Message
from barograph.delivery.picture import picture
from barograph.delivery.wire import Wire
from barograph.errors import DeliveryError
from barograph.logs import logger
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import deliveries, receivers
from barograph.store.catalog.database import reading
from barograph.store.catalog.deliveries import Delivery
from barograph.store.catalog.scope import Scope
from barograph.text.format import count
from barograph.times import from_microseconds
from barograph.worker.context import WorkerContext

SENDERS = 3  # threads of a process: as many receivers can hang at a time without keeping others waiting
LEAST_ATTEMPTS = 5
FARTHEST_S = 1800.0  # from one attempt to the next
TIMES = 3.0  # as long as before
RESTS = 6.0  # times the first wait, that a receiver is left alone which cannot be reached; twice as long each time
AT_ONCE = 50

log = logger(__name__)


@dataclass(slots=True, eq=False)
class Sending:
    """What the sending threads of a process share: what the file says, and whom one of them is sending to."""

    file: Callable[[], Installation]
    busy: set[tuple[int, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, project_id: int, receiver: str) -> bool:
        """Return whether nobody else of this process is sending to a receiver, and nobody else may from now on."""
        with self.lock:
            if (project_id, receiver) in self.busy:
                return False
            self.busy.add((project_id, receiver))
            return True

    def leave(self, project_id: int, receiver: str) -> None:
        """Let others send to a receiver."""
        with self.lock:
            self.busy.discard((project_id, receiver))


def send_next(ctx: WorkerContext, sending: Sending, *, now_us: int) -> bool:
    """Send one message that is due; return whether there was one."""
    seconds = claim_seconds(ctx.settings.delivery_seconds)
    with reading(ctx.engine) as connection:
        due = everywhere.due_deliveries(connection, now_us=now_us, seconds=seconds, limit=AT_ONCE)
    for one in due:
        if not sending.enter(one.project_id, one.receiver):
            continue
        try:
            if _send(ctx, sending.file(), one, now_us):
                return True
        finally:
            sending.leave(one.project_id, one.receiver)
    return False


def claim_seconds(delivery_seconds: float) -> float:
    """Return for how long a message is claimed: longer than an attempt takes, with what is before and after it."""
    return 2.0 * delivery_seconds


def _send(ctx: WorkerContext, installation: Installation, one: everywhere.DueDelivery, now_us: int) -> bool:
    settings = ctx.settings
    seconds = claim_seconds(settings.delivery_seconds)
    with ctx.write(one.project_id) as scope:
        is_test = one.kind == Kind.TEST.value
        if not is_test and not receivers.try_one(scope, one.receiver, now_us=now_us, rest_us=_us(seconds)):
            return False
        mine = deliveries.claim(scope, one.delivery_id, owner=ctx.holder(), now_us=now_us, seconds=seconds)
        if mine is None:
            return False
        before = deliveries.reference_of(scope, one.receiver, one.thread)
    receiver = installation.receivers.get(mine.receiver)
    wire = Wire(
        clock=ctx.now_us,
        allowed=installation.allow,
        seconds=settings.delivery_seconds,
        picture=lambda: _picture(ctx, mine),
    )
    try:
        if receiver is None:
            raise DeliveryError(f"There is no receiver {mine.receiver!r} any more.", final=True)
        reference = receiver.send(Message.from_dict(mine.message), wire, before=before)
    except DeliveryError as error:
        failure = error
    except Exception as error:  # a receiver with a defect must not stop the others; what it said may hold a secret
        log.error("receiver failed", receiver=mine.receiver, kind=type(error).__name__, exc_info=True)
        failure = DeliveryError(f"The receiver itself failed ({type(error).__name__}); the log says where.")
    else:
        with ctx.write(mine.project_id) as scope:
            deliveries.sent(scope, mine, reference=reference, now_us=ctx.now_us())
            was = receivers.worked(scope, mine.receiver)
            if was.told_us is not None:
                _tell_others(scope, installation, mine.receiver, was.reason or "", Kind.RECOVERED, ctx.now_us())
        return True
    _failed(ctx, installation, mine, failure)
    return True


def _picture(ctx: WorkerContext, mine: Delivery) -> bytes | None:
    """Return the chart of what a message is about; None if there is none. A message without it is still one."""
    if mine.model_id is None or mine.incident_id is None:
        return None
    try:
        with ctx.read(mine.project_id) as scope:
            return picture(scope, mine.model_id, mine.incident_id)
    except Exception as error:
        log.warning("no chart", delivery=mine.id, reason=f"{type(error).__name__}: {error}")
        return None


def _failed(ctx: WorkerContext, installation: Installation, mine: Delivery, failure: DeliveryError) -> None:
    reason, now_us, first = str(failure), ctx.now_us(), ctx.settings.delivery_retry_seconds
    log.warning("not delivered", receiver=mine.receiver, delivery=mine.id, attempts=mine.attempts, reason=reason)
    old = now_us - mine.created_us >= _us(ctx.settings.delivery_give_up_seconds)
    is_test = mine.kind == Kind.TEST.value
    with ctx.write(mine.project_id) as scope:
        if failure.final or is_test or (old and mine.attempts >= LEAST_ATTEMPTS):
            deliveries.give_up(scope, mine, reason=reason, now_us=now_us)
        else:
            wait = min(first * TIMES ** min(mine.attempts - 1, 20), FARTHEST_S) * uniform(0.5, 1.0)
            due_us = now_us + _us(max(wait, failure.after_s or 0.0))
            deliveries.put_off(scope, mine, reason=reason, due_us=due_us)
        if failure.final or is_test:
            return  # the receiver can be reached
        known = receivers.list_receivers(scope).get(mine.receiver)
        times = max(0, (known.failures if known else 0) + 1 - receivers.FAILURES)
        rest_us = _us(min(first * RESTS * 2.0 ** min(times, 20), FARTHEST_S) * uniform(0.5, 1.0))
        state = receivers.failed(scope, mine.receiver, reason=reason, now_us=now_us, rest_us=rest_us)
        if state.is_out and state.told_us is None:
            _tell_others(scope, installation, mine.receiver, reason, Kind.OUTAGE, now_us)


def _tell_others(scope: Scope, installation: Installation, name: str, reason: str, kind: Kind, now_us: int) -> None:
    """Tell others that a receiver cannot be reached, or that it can be again."""
    waiting = deliveries.list_deliveries(scope, receiver=name, state="waiting", limit=AT_ONCE)
    titles = [str(one.message.get("what", "")) for one in reversed(waiting)]
    at = from_microseconds(now_us).isoformat().replace("+00:00", "Z")
    out, many = kind is Kind.OUTAGE, count(len(titles), "message")
    message = Message(
        kind=kind,
        severity="critical" if out else "notice",
        what=f"the receiver {name!r} {'cannot be reached' if out else 'can be reached again'}",
        thread=f"receiver/{name}",
        is_open=out,
        at=at,
        how_bad=f"{many} waiting, the first: {titles[0]}" if out and titles else "",
        since=at,
        cause=reason if out else "",
        advice="Those whom it tells do not hear of incidents: see why it does not answer." if out else "",
        link=f"{installation.url}/v1/receivers" if installation.url else "",
    )
    for other in installation.told_of_outage(name):
        deliveries.add_delivery(
            scope,
            receiver=other,
            thread=message.thread,
            kind=kind.value,
            message=replace(message).to_dict(),
            now_us=now_us,
        )


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
