"""The dead man's switch: an incident when the events of a model stop."""

from __future__ import annotations

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
METRIC = "freshness"


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
    firing = dict(firing_operations(scope, model_id, METRIC))
    for since in firing.values():
        if not is_silent or since != last:
            until = min(last, now_us) if last > since else now_us
            _write(scope, model, since=since, until=until, allowed=allowed, now_us=now_us)
    if is_silent and last not in firing.values():
        _write(scope, model, since=last, until=None, allowed=allowed, now_us=now_us)
    return is_silent


def _write(scope: Scope, model: Model, *, since: int, until: int | None, allowed: int | None, now_us: int) -> None:
    at = f"{from_microseconds(since):%Y-%m-%d %H:%M} UTC"
    write_operations(
        scope,
        model.id,
        OperationsIncident(
            id=f"silent-{model.id}-{since}",
            state="firing" if until is None else "resolved",
            severity="critical",
            metric=METRIC,
            title=f"no events have come since {at}" if until is None else f"no events came from {at} on",
            since_us=since,
            until_us=until,
            body={
                "model": model.name,
                "allowed_minutes": None if allowed is None else round(allowed / 60e6, 1),
                "advice": "See whether the model still answers, and whether what sends its events still runs.",
            },
        ),
        now_us=now_us,
    )
