"""The dead man's switch: an incident when the events of a model stop."""

from __future__ import annotations

from dataclasses import dataclass

from barograph.alerts.habits import Habits
from barograph.spec.file import ModelSpec, seconds_of
from barograph.store.catalog import models, states
from barograph.store.catalog.alerts import OperationsIncident, firing_operations, write_operations
from barograph.store.catalog.conditions import LIVE
from barograph.store.catalog.models import Model
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.states import ModelState
from barograph.times import from_microseconds

KNOWN_EVENTS = 100  # before which a stream has no habits


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What may stop to come, and how that is told. `key` begins the ids of its incidents."""

    what: str
    key: str
    metric: str
    severity: str
    advice: str


EVENTS = Feed(
    what="events",
    key="silent",
    metric="freshness",
    severity="critical",
    advice="See whether the model still answers, and whether what sends its events still runs.",
)


def allowed_silence_us(spec: ModelSpec, state: ModelState) -> int | None:
    """Return for how long no event may come, in microseconds; None while the stream has no habits.

    What the specification says counts for all events, also for history that was filled in; what is learned (see
    `alerts.habits`) is learned from events that came as they happened.
    """
    if spec.service.silence is not None:
        return round(seconds_of(spec.service.silence) * 1e6)
    return Habits.from_dict(state.detail.get(LIVE, {})).allowed_us() if state.events >= KNOWN_EVENTS else None


def watch_silence(scope: Scope, model_id: int, *, now_us: int) -> bool:
    """Open an incident if no event has come for too long, resolve it once that is over; return whether one fires.

    It is over when an event has come, when the specification allows longer, and when the model is paused or retired.
    A model that was resumed is silent from then on. Whoever changes one of these calls this in the same transaction;
    the clock alone is looked at by upkeep, once a minute.
    """
    model, state = models.get_model(scope, model_id), states.get_state(scope, model_id)
    if model is None or state is None or state.last_received_us is None:
        return False
    allowed = None if model.held else allowed_silence_us(ModelSpec.model_validate(model.spec), state)
    last = max(state.last_received_us, model.lifecycle_us or 0)
    is_silent = allowed is not None and now_us - last > allowed
    tell_silence(scope, model, EVENTS, last=last, is_silent=is_silent, allowed_us=allowed, now_us=now_us)
    return is_silent


def tell_silence(
    scope: Scope, model: Model, feed: Feed, *, last: int, is_silent: bool, allowed_us: float | None, now_us: int
) -> None:
    """Have an incident if a feed is silent since its `last` receipt (in microseconds), and resolve all others."""

    def write(since: int, until: int | None) -> None:
        at = f"{from_microseconds(since):%Y-%m-%d %H:%M} UTC"
        one = OperationsIncident(
            id=f"{feed.key}-{model.id}-{since}",
            state="firing" if until is None else "resolved",
            severity=feed.severity,
            metric=feed.metric,
            title=f"no {feed.what} have come since {at}" if until is None else f"no {feed.what} came from {at} on",
            since_us=since,
            until_us=until,
            body={
                "model": model.name,
                "allowed_minutes": None if allowed_us is None else round(allowed_us / 60e6, 1),
                "advice": feed.advice,
            },
        )
        write_operations(scope, model.id, one, now_us=now_us)

    firing = dict(firing_operations(scope, model.id, feed.metric))
    for since in firing.values():
        if not is_silent or since != last:
            write(since, min(last, now_us) if last > since else now_us)
    if is_silent and last not in firing.values():
        write(last, None)
